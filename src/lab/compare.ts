/**
 * One recording on several kernels, in lock step: what each does with it, and where they part ways.
 *
 * Owns      the comparison: which numbers stand side by side, and what a parting is.
 * Promises  1. Kernels see the same accesses and calls in the same order; a place is told by process and by its page events, so it
 *              is the same place in all of them.
 *           2. The result does not depend on how many workers there were.
 *
 *   parting          the first access that one kernel answers and another faults on; that is major in one and minor in another
 *   first of a kind  where each kernel first evicts, swaps out, runs kswapd ... , and with which page
 *   tick             the first tick at which a counter is not the same in all of them
 *
 * Each kernel is replayed on its own and keeps what happened and where (story.ts). Replays are deterministic, so laying the
 * stories side by side says what stepping them together would.
 */
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { KERNEL_POLICY } from './grid.ts';
import { type Limits, limitsBelow, type MachineOptions } from './options.ts';
import { poolOf } from './pool.ts';
import { type Cost, costOf, PRICES } from './prices.ts';
import { type Progress, ProgressSum } from './progress.ts';
import type { RunResult, RunStatus, TimedResult, WorkResult } from './result.ts';
import {
  type FaultLog,
  FIRSTS,
  type FirstName,
  type Happening,
  pageText,
  type SampleName,
  type Samples,
} from './story.ts';

export interface CompareOptions extends Omit<MachineOptions, 'kernel'> {
  /** By version. */
  kernels: readonly string[];
  /** null: no limit. `count`: so many, from the peak of the first kernel downwards. */
  limits: Limits | null;
  workers?: number;
  onProgress?: (progress: Progress) => void;
}

/** One kernel under one limit. */
export interface ComparedRun {
  kernel: string;
  family: string;
  limit_bytes: number | null;
  limited_by: RunResult['limited_by'];
  /** Memory of the machine: without cgroups the limit is made of it. */
  ram_bytes: number;
  status: RunStatus;
  /** Page events until its end: fewer than the others have, if it was killed. */
  events: number;
  peak_bytes: number;
  minor_faults: number;
  major_faults: number;
  swapped_in: number;
  swapped_out: number;
  /** As the kernel counts them; null if it does not. */
  refaults_anon: number | null;
  refaults_file: number | null;
  /** Evicted file pages that were read again, as the replay saw it. */
  read_again: number;
  /** null: nothing was reclaimed. */
  scanned_per_reclaimed: number | null;
  work: WorkResult;
  cost: Cost;
  /** Wall time here. */
  seconds: number;
  /** How it went, for the picture: counters at up to CURVE_POINTS places. */
  curve: Samples;
}

/** An access on which kernels do not agree. */
export interface FaultParting {
  event: number;
  pid: number;
  page: string;
  /** By kernel. */
  kernels: Record<string, 'major' | 'minor' | 'none'>;
}

/** The first tick at which a counter differs. */
export interface TickParting {
  counter: SampleName;
  tick: number;
  event: number;
  kernels: Record<string, number>;
}

export interface Partings {
  limit_bytes: number | null;
  fault: FaultParting | null;
  major_fault: FaultParting | null;
  /** Where each kernel first did it; null: it never did. */
  firsts: Record<FirstName, Record<string, Happening | null>>;
  ticks: TickParting[];
}

export interface CompareResult {
  recording: string;
  command: string;
  events: number;
  options: Omit<MachineOptions, 'kernel'>;
  kernels: string[];
  limits: (number | null)[];
  /** By limit, widest first, and in it by kernel as asked. */
  runs: ComparedRun[];
  partings: Partings[];
  /** Nanoseconds, by what is counted. */
  prices: Record<string, number>;
}

const CURVE_POINTS = 64;

export async function compareKernels(
  recording: Recording,
  survey: Survey,
  options: CompareOptions,
): Promise<CompareResult> {
  const { kernels } = options;
  const machine = machineOf(options);
  const pool = poolOf(options.workers);
  const material = { recording, survey };
  try {
    const limits = await limitsOf(options, async () => {
      const run = { ...machine, kernel: kernels[0]!, policy: KERNEL_POLICY, limitBytes: null };
      return (await pool.run(material, run, () => {})).peak_bytes;
    });
    const progress = new ProgressSum(limits.length * kernels.length, options.onProgress);
    const results = await Promise.all(
      limits.flatMap((limitBytes, l) =>
        kernels.map(async (kernel, k) => {
          const i = l * kernels.length + k;
          const run = { ...machine, kernel, policy: KERNEL_POLICY, limitBytes, story: true };
          const result = await pool.run(material, run, (share) => progress.reached(i, share));
          progress.finished(i, result.events, false);
          return result;
        }),
      ),
    );
    return {
      recording: recording.header.name,
      command: recording.header.command,
      events: Math.max(...results.map((run) => run.events)),
      options: machine,
      kernels: [...kernels],
      limits,
      runs: results.map(comparedRun),
      partings: limits.map((limit, l) =>
        partingsOf(limit, results.slice(l * kernels.length, (l + 1) * kernels.length)),
      ),
      prices: Object.fromEntries(PRICES.map(({ what, ns }) => [what, ns])),
    };
  } finally {
    await pool.close();
  }
}

function machineOf(options: CompareOptions): Omit<MachineOptions, 'kernel'> {
  const { ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru } = options;
  return { ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru };
}

async function limitsOf(options: CompareOptions, peakOf: () => Promise<number>): Promise<(number | null)[]> {
  const { limits } = options;
  if (limits === null) return [null];
  return 'bytes' in limits ? limits.bytes : limitsBelow(await peakOf(), limits.count);
}

function comparedRun(run: TimedResult): ComparedRun {
  const { work, counters } = run;
  return {
    kernel: run.kernel,
    family: run.family,
    limit_bytes: run.limit_bytes,
    limited_by: run.limited_by,
    ram_bytes: run.machine.ram_bytes,
    status: run.status,
    events: run.events,
    peak_bytes: run.peak_bytes,
    minor_faults: run.faults.minor,
    major_faults: run.faults.major,
    swapped_in: counters['pswpin'] ?? 0,
    swapped_out: counters['pswpout'] ?? 0,
    refaults_anon: counters['workingset_refault_anon'] ?? null,
    refaults_file: counters['workingset_refault_file'] ?? null,
    read_again: run.story?.samples.read_again.at(-1) ?? 0,
    scanned_per_reclaimed: work.pages_reclaimed === 0 ? null : work.pages_scanned / work.pages_reclaimed,
    work,
    cost: costOf(run),
    seconds: run.seconds,
    curve: thinned(run.story!.samples),
  };
}

/** Some rows of many, the last among them. */
function thinned(samples: Samples): Samples {
  const rows = samples.event.length;
  const count = Math.min(rows, CURVE_POINTS);
  const chosen = Array.from({ length: count }, (_, i) => Math.ceil(((i + 1) * rows) / count) - 1);
  return mapColumns(samples, (column) => chosen.map((row) => column[row]!));
}

function mapColumns(samples: Samples, change: (column: number[]) => number[]): Samples {
  const names = Object.keys(samples) as SampleName[];
  return Object.fromEntries(names.map((name) => [name, change(samples[name])])) as Record<SampleName, number[]>;
}

// partings

/** `runs` of one limit, one for each kernel, with their stories. */
export function partingsOf(limitBytes: number | null, runs: readonly RunResult[]): Partings {
  const names = runs.map((run) => run.kernel);
  const stories = runs.map((run) => run.story!);
  const logs = stories.map((story) => story.faults);
  const firsts = (Object.keys(FIRSTS) as FirstName[]).map((first) => [
    first,
    byKernel(names, (k) => stories[k]!.firsts[first]),
  ]);
  return {
    limit_bytes: limitBytes,
    fault: faultParting(names, logs, (kind) => (kind === 'none' ? 'none' : 'fault')),
    major_fault: faultParting(names, logs, (kind) => (kind === 'major' ? 'major' : 'not')),
    firsts: Object.fromEntries(firsts) as Partings['firsts'],
    ticks: tickPartings(
      names,
      stories.map((story) => story.samples),
    ),
  };
}

function byKernel<T>(names: readonly string[], of: (k: number) => T): Record<string, T> {
  return Object.fromEntries(names.map((name, k) => [name, of(k)]));
}

type FaultKind = 'major' | 'minor' | 'none';

/** The first access that is not of the same class in all kernels. */
function faultParting(
  names: readonly string[],
  logs: readonly FaultLog[],
  classOf: (kind: FaultKind) => string,
): FaultParting | null {
  const known = logs.map(faultsByPlace);
  // Behind the last fault that a log has room for nothing is known.
  const end = Math.min(...logs.map((log) => (log.cut ? log.event.at(-1)! : Number.POSITIVE_INFINITY)));
  let first: FaultParting | null = null;
  for (const [k, log] of logs.entries()) {
    for (let row = 0; row < log.event.length; row++) {
      const event = log.event[row]!;
      if (event >= end || (first !== null && event >= first.event)) break;
      const place = placeOf(log, row);
      const kinds = known.map((places) => places.get(place) ?? 'none');
      if (kinds.every((kind) => classOf(kind) === classOf(kinds[k]!))) continue;
      const page = pageText(log.names[log.name[row]!]!, log.page[row]!);
      first = { event, pid: log.pid[row]!, page, kernels: byKernel(names, (i) => kinds[i]!) };
    }
  }
  return first;
}

/** A process, so many of its page events, a page. */
function placeOf(log: FaultLog, row: number): string {
  return `${log.pid[row]} ${log.own[row]} ${log.vpn[row]}`;
}

function faultsByPlace(log: FaultLog): Map<string, FaultKind> {
  const places = new Map<string, FaultKind>();
  for (let row = 0; row < log.event.length; row++) {
    const place = placeOf(log, row);
    const major = log.major[row] === 1 || places.get(place) === 'major';
    places.set(place, major ? 'major' : 'minor');
  }
  return places;
}

function tickPartings(names: readonly string[], samples: readonly Samples[]): TickParting[] {
  const counters = (Object.keys(samples[0]!) as SampleName[]).filter((name) => name !== 'event');
  const ticks = Math.min(...samples.map((s) => s.event.length));
  return counters.flatMap((counter) => {
    for (let tick = 0; tick < ticks; tick++) {
      const values = samples.map((s) => s[counter][tick]!);
      if (values.every((value) => value === values[0])) continue;
      return [{ counter, tick, event: samples[0]!.event[tick]!, kernels: byKernel(names, (k) => values[k]!) }];
    }
    return [];
  });
}
