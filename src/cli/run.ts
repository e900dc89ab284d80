/** `revmap run FILE`: one machine or one policy, one limit, what it counted. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { replayDoubts } from '../lab/doubts.ts';
import { KERNEL_POLICY } from '../lab/grid.ts';
import { formatSize } from '../lab/options.ts';
import { policyOf } from '../lab/policy_file.ts';
import { countPolicy } from '../lab/policy_run.ts';
import type { RunResult, TimedResult } from '../lab/result.ts';
import { runRecording } from '../lab/run.ts';
import {
  DEFAULT_TRACE_EVENTS,
  TRACE_FORMATS,
  type TraceFormat,
  type TraceOptions,
  TraceOut,
  traceEventsNamed,
  traceFormatOf,
} from '../lab/trace_out.ts';
import { POLICIES } from '../policy/index.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import {
  addLimit,
  addMachineOptions,
  FILE_IS,
  type FileFlags,
  formatOption,
  type MachineFlags,
  machineOptions,
  wholeNumber,
} from './arguments.ts';
import { policyName } from './grid_arguments.ts';
import { unseenOf } from './info.ts';
import { grouped, groupedOrNone, Progress, plural, print, printJson, table } from './output.ts';

interface RunFlags extends MachineFlags, FileFlags {
  limit?: number;
  policy: string;
  json?: boolean;
  traceOut?: string;
  traceFormat?: TraceFormat;
  traceEvents?: ReadonlySet<string>;
  traceFrom?: number;
  traceTo?: number;
}

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('replay a recording on one machine and report what it counted')
    .argument('[file]', FILE_IS)
    .addOption(formatOption());
  addLimit(addMachineOptions(command))
    .option(
      '--policy <name>',
      'who chooses what leaves memory: kernel, a policy, its file, or list',
      policyOrList,
      KERNEL_POLICY,
    )
    .option('--json', 'the result as JSON')
    .option('--trace-out <file>', 'write what happens: .txt, .ftrace, .dat (trace-cmd), .pftrace (docs/tracing.md)')
    .addOption(new Option('--trace-format <form>', 'of that file, whatever its name').choices(TRACE_FORMATS))
    .option('--trace-events <list>', `which events, with * and ? (default: ${DEFAULT_TRACE_EVENTS})`, traceEvents)
    .option('--trace-from <step>', 'from this page event of the recording on', wholeNumber(0, MOST_STEPS))
    .option('--trace-to <step>', 'to this page event', wholeNumber(0, MOST_STEPS))
    .action(async (file: string | undefined, flags: RunFlags) => {
      if (flags.policy === LIST) {
        if (flags.json === true) printJson(listed());
        else print(listed().map(describePolicy).join('\n'));
        return;
      }
      if (file === undefined) return command.error("error: missing required argument 'file'");
      if (flags.policy !== KERNEL_POLICY) {
        if (flags.traceOut !== undefined) return command.error('error: --trace-out needs a kernel, not a policy');
        await runOnePolicy(file, flags);
        return;
      }
      const traced = traceOptions(command, flags);
      const recording = await openRecording(file, flags.format ?? null);
      const survey = surveyRecording(recording);
      const trace = traced === null ? null : new TraceOut(traced);
      const progress = new Progress();
      const options = { ...machineOptions(flags), limitBytes: flags.limit ?? null };
      const show = (share: number): void => progress.show(share, recording.header.name);
      let result: TimedResult;
      try {
        result = runRecording(recording, survey, options, show, (replay) => trace?.watch(replay, recording.header));
        trace?.finish();
      } finally {
        trace?.abandon();
      }
      progress.done();
      closeRecording(recording);
      if (flags.json === true) printJson(result);
      else print([describeRun(result), ...unseenOf(recording.header)].join('\n'));
    });
}

const LIST = 'list';
const MOST_STEPS = 999_999_999;

function traceEvents(list: string): ReadonlySet<string> {
  const events = traceEventsNamed(list);
  if (typeof events === 'string') throw new InvalidArgumentError(`${events}.`);
  return events;
}

function traceOptions(command: Command, flags: RunFlags): TraceOptions | null {
  const { traceOut: path, traceFrom: from = 0, traceTo: to = Number.POSITIVE_INFINITY } = flags;
  if (path === undefined) return null;
  const format = flags.traceFormat ?? traceFormatOf(path);
  if (format === null) {
    const known = '.txt, .ftrace, .dat, .pftrace or .perfetto-trace';
    return command.error(`error: --trace-out '${path}' tells no form: name it ${known}, or give --trace-format`);
  }
  return { path, format, events: flags.traceEvents ?? traceEvents(DEFAULT_TRACE_EVENTS), from, to };
}

function policyOrList(text: string): string {
  return text === LIST ? LIST : policyName(text);
}

/** A policy instead of a machine: of the options of the machine only the limit means something. */
async function runOnePolicy(file: string, flags: RunFlags): Promise<void> {
  const policy = await policyOf(flags.policy);
  const recording = await openRecording(file, flags.format ?? null);
  const limit = flags.limit ?? null;
  const result = countPolicy(recording, surveyRecording(recording), policy, flags.policy, limit);
  closeRecording(recording);
  if (flags.json === true) {
    const named = Object.entries(result).map(([key, value]) => [inWords(key, '_'), value]);
    printJson({ recording: recording.header.name, limit_bytes: limit, ...Object.fromEntries(named) });
    return;
  }
  const { policy: name, pages, capacity, ...counts } = result;
  const room = limit === null ? 'no limit' : `limit ${formatSize(limit)}: ${plural(capacity, 'page')}`;
  const share = ((100 * result.misses) / Math.max(1, result.accesses)).toFixed(3);
  print(
    `${recording.header.name} under ${name}, ${room}; it uses ${plural(pages, 'page')}, and ${share} % of accesses miss`,
  );
  print(
    `\n${table(
      ['counter', 'count'],
      Object.entries(counts).map(([key, n]) => [inWords(key, ' '), grouped(n)]),
    )}`,
  );
}

/** `coldMisses` as words. */
function inWords(name: string, between: string): string {
  return name.replace(/[A-Z]/g, (letter) => between + letter.toLowerCase());
}

interface Listed {
  policy: string;
  sees: string;
  about: string;
}

function listed(): Listed[] {
  const about = 'what Linux does: --kernel, --mglru and the other options of the machine';
  const kernel = { policy: KERNEL_POLICY, sees: 'accessed bits', about };
  return [kernel, ...POLICIES.map(({ name, sees, about }) => ({ policy: name, sees, about }))];
}

function describePolicy({ policy, sees, about }: Listed): string {
  return `${policy.padEnd(8)} ${`sees ${sees}`.padEnd(19)} ${about}`;
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
