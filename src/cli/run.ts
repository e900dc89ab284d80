/** `revmap run FILE`: one machine, one limit, what it counted. */
import type { Command } from 'commander';
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
    ...doubtsText(run),
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

/** What the replay could not do as recorded; nothing if there is nothing. */
export function doubtsText(run: RunResult): string[] {
  const said: string[] = [];
  if (run.syscalls_different > 0) {
    said.push(`${run.syscalls_different} of ${run.syscalls} system calls gave another result than recorded:`);
    for (const d of run.differences) said.push(`  ${d.call}: recorded ${d.recorded}, here ${d.here}`);
  }
  const unknown = Object.entries(run.syscalls_unknown);
  if (unknown.length > 0) said.push(`not replayed: ${unknown.map(([name, n]) => `${name} (${n})`).join(', ')}`);
  if (run.unseen_pages > 0)
    said.push(`${plural(run.unseen_pages, 'page')} that nothing had mapped: anonymous memory was put there`);
  if (run.refused_accesses > 0)
    said.push(`${plural(run.refused_accesses, 'access', 'accesses')} met a signal and were left out`);
  if (run.processes_unstarted > 0)
    said.push(`${plural(run.processes_unstarted, 'process', 'processes')} in the recording that nobody forks`);
  return said.length === 0 ? [] : ['', ...said];
}
