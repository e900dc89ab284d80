/** `revmap run FILE`: one machine, one limit, what it counted. */
import type { Command } from 'commander';
import { replayDoubts } from '../lab/doubts.ts';
import { formatSize } from '../lab/options.ts';
import type { RunResult, TimedResult } from '../lab/result.ts';
import { runRecording } from '../lab/run.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { addLimit, addMachineOptions, type MachineFlags, machineOptions } from './arguments.ts';
import { groupedOrNone, Progress, plural, print, printJson, table } from './output.ts';

interface RunFlags extends MachineFlags {
  limit?: number;
  json?: boolean;
}

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('replay a recording on one machine and report what it counted')
    .argument('<file>', 'a recording; - is standard input');
  addLimit(addMachineOptions(command))
    .option('--json', 'the result as JSON')
    .action(async (file: string, flags: RunFlags) => {
      const recording = await openRecording(file);
      const survey = surveyRecording(recording);
      const progress = new Progress();
      const options = { ...machineOptions(flags), limitBytes: flags.limit ?? null };
      const result = runRecording(recording, survey, options, (share) => progress.show(share, recording.header.name));
      progress.done();
      closeRecording(recording);
      if (flags.json === true) printJson(result);
      else print(describeRun(result));
    });
}

export function describeRun(run: TimedResult): string {
  const { machine } = run;
  const limit = run.limit_bytes === null ? 'no limit' : `limit ${formatSize(run.limit_bytes)}`;
  const swap =
    machine.swap_bytes === 0 ? 'no swap' : `${formatSize(machine.swap_bytes)} of swap on ${machine.swap_device}`;
  const ended = run.status === 'exited' ? 'ran to its end' : 'killed: out of memory';
  const rate = run.events / Math.max(1e-9, run.seconds) / 1e6;
  const lines = [
    `${run.recording} on Linux ${run.kernel}, ${limit} (${formatSize(machine.ram_bytes)} of memory, ${swap})`,
    `${ended}; peak ${formatSize(run.peak_bytes)}, ${plural(run.events, 'page event')} in ${run.seconds.toFixed(2)} s (${rate.toFixed(1)} M/s)`,
    `would take ${run.estimate.seconds.toFixed(3)} s by the stated costs`,
    '',
    table(
      ['counter', 'count'],
      Object.entries(run.counters).map(([name, n]) => [name, groupedOrNone(n)]),
    ).trimEnd(),
    '',
    peakText(run),
    ...replayDoubts(run),
  ];
  return lines.join('\n');
}

/** The peak by kind, and its largest mappings. */
function peakText(run: RunResult): string {
  const { peak } = run;
  const kinds = [
    ['anonymous', peak.anonymous],
    ['files', peak.file],
    ['shared memory', peak.shared_memory],
    ['page tables', peak.page_tables],
    ['kernel stack', peak.kernel_stack],
    ['slab', peak.slab],
    ['other', peak.other],
  ] as const;
  const rows = kinds.filter(([, bytes]) => bytes > 0).map(([name, bytes]) => [name, formatSize(bytes)]);
  for (const mapping of peak.mappings.slice(0, 8)) rows.push([`  ${mapping.name}`, formatSize(mapping.bytes)]);
  return table(['at the peak', 'memory'], rows).trimEnd();
}
