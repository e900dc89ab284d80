/**
 * What other settings would change: the same program at the recommended limit and at a tighter one, with one thing set otherwise.
 *
 *   swap         none, on zram, on a disk
 *   swappiness   0, 60, 100; 200 in kernels that go so far
 *   MGLRU        on or off, in kernels that have it
 *
 * Owns      which settings are tried, which limit is the tighter one, and what counts as a difference.
 * Promises  1. One thing differs from the machine that was asked for, so that its effect is its own.
 *           2. A difference is called one only if it is more than the noise between boots of a real kernel: 10 % and 100 pages.
 */
import { generationNamed } from '../mm/generations/index.ts';
import { formatSize, MACHINE_DEFAULTS, type MachineOptions } from './options.ts';
import type { Advice, Alternative, AlternativeRun, Alternatives, RunResult } from './result.ts';
import { majorFaults, refaults } from './terms.ts';

const PAGE = 4096;
export const NOISE_SHARE = 0.1;
export const NOISE_PAGES = 100;
/** Of the recommended limit, where the curve has no knee below it. */
const TIGHTER_SHARE = 0.7;
const WELL_BELOW = 0.9;

export interface Setting {
  readonly name: string;
  readonly options: MachineOptions;
}

/** The machine that was asked for comes first. */
export function settingsBeside(asked: MachineOptions): Setting[] {
  const { family } = generationNamed(asked.kernel);
  const swapBytes = asked.swapBytes || MACHINE_DEFAULTS.swapBytes;
  const has = asked.swapBytes > 0;
  const all: (Setting & { differs: boolean })[] = [
    { name: 'no swap', options: { ...asked, swapBytes: 0 }, differs: has },
    {
      name: 'swap on zram',
      options: { ...asked, swapBytes, swapDevice: 'zram' },
      differs: !has || asked.swapDevice !== 'zram',
    },
    {
      name: 'swap on a disk',
      options: { ...asked, swapBytes, swapDevice: 'disk' },
      differs: !has || asked.swapDevice !== 'disk',
    },
    ...swappinessesOf(family).map((swappiness) => ({
      name: `swappiness ${swappiness}`,
      options: { ...asked, swappiness },
      differs: has && asked.swappiness !== swappiness,
    })),
    {
      name: asked.mglru ? 'classic LRU' : 'MGLRU',
      options: { ...asked, mglru: !asked.mglru },
      differs: family === 'linux-6',
    },
  ];
  const others = all.filter(({ differs }) => differs).map(({ name, options }) => ({ name, options }));
  return [{ name: nameOf(asked, family), options: asked }, ...others];
}

/** 2.4 has no such knob; above 100 since 5.8. */
function swappinessesOf(family: string): number[] {
  if (family === 'linux-2.4') return [];
  return family === 'linux-6' ? [0, 60, 100, 200] : [0, 60, 100];
}

function nameOf({ swapBytes, swapDevice, swappiness, mglru }: MachineOptions, family: string): string {
  const swap = swapBytes === 0 ? 'no swap' : `${swapDevice}, swappiness ${swappiness}`;
  return mglru && family === 'linux-6' ? `${swap}, MGLRU` : swap;
}

/** The knee, if it lies well below the smallest limit; else seven tenths of the recommended one. */
export function tighterLimit({ recommended_limit_bytes: recommended, smallest_limit, knee }: Advice): number | null {
  if (recommended === null || smallest_limit === null) return null;
  if (knee !== null && knee.limit_bytes <= WELL_BELOW * smallest_limit.limit_bytes) return knee.limit_bytes;
  return Math.floor((TIGHTER_SHARE * recommended) / PAGE) * PAGE;
}

/** null if there is no recommended limit. `replay` is asked twice for each setting. */
export async function tryAlternatives(
  asked: MachineOptions,
  unlimited: RunResult,
  advice: Advice,
  replay: (options: MachineOptions, limitBytes: number) => Promise<RunResult>,
): Promise<Alternatives | null> {
  const recommended = advice.recommended_limit_bytes;
  const tighter = tighterLimit(advice);
  if (recommended === null || tighter === null) return null;
  const told = (run: RunResult): AlternativeRun => ({
    status: run.status,
    replayed: true,
    major_faults: majorFaults(run),
    refaulted_pages: refaults(run),
    swapped_in_pages: run.counters['pswpin'] ?? 0,
    swapped_out_pages: run.counters['pswpout'] ?? 0,
    estimated_seconds: run.estimate.seconds,
    times_the_time: run.estimate.seconds / Math.max(1e-9, unlimited.estimate.seconds),
  });
  const settings = await Promise.all(
    settingsBeside(asked).map(async ({ name, options }): Promise<Alternative> => {
      const at = async (limitBytes: number): Promise<AlternativeRun> =>
        mustBeKilled(options, unlimited, limitBytes) ? KILLED_FOR_SURE : told(await replay(options, limitBytes));
      const [wide, tight] = await Promise.all([at(recommended), at(tighter)]);
      return { name, options, at_recommended: wide, at_tighter: tight };
    }),
  );
  return {
    recommended_limit_bytes: recommended,
    tighter_limit_bytes: tighter,
    settings,
    findings: [
      ...findings(settings, (s) => s.at_recommended, recommended),
      ...findings(settings, (s) => s.at_tighter, tighter),
    ],
  };
}

/** Not replayed: a machine that may not swap reads every file page again and again before it kills, a thousand times if need be. */
const KILLED_FOR_SURE: AlternativeRun = {
  status: 'oom-killed',
  replayed: false,
  major_faults: null,
  refaulted_pages: null,
  swapped_in_pages: null,
  swapped_out_pages: null,
  estimated_seconds: null,
  times_the_time: null,
};

/** Where nothing is swapped, anonymous memory stays: without swap, and at a cgroup's limit with swappiness 0. */
function mustBeKilled(
  { swapBytes, swappiness }: MachineOptions,
  { peak, limited_by }: RunResult,
  limitBytes: number,
): boolean {
  const swaps = swapBytes > 0 && (swappiness > 0 || limited_by === 'mem=');
  return !swaps && peak.anonymous > limitBytes;
}

function findings(
  [asked, ...others]: readonly Alternative[],
  at: (setting: Alternative) => AlternativeRun,
  limitBytes: number,
): string[] {
  if (asked === undefined) return [];
  const here = at(asked);
  const differing = others.filter((other) => differs(at(other), here));
  const where = `In ${formatSize(limitBytes)}`;
  if (differing.length === 0) return [`${where} no other setting differs by more than the noise.`];
  const killed = differing.filter((other) => at(other).status === 'oom-killed');
  const ran = differing.filter((other) => at(other).status !== 'oom-killed');
  const time = (run: AlternativeRun) => run.estimated_seconds ?? Number.POSITIVE_INFINITY;
  ran.sort((a, b) => time(at(a)) - time(at(b)));
  const better = ran.filter((other) => time(at(other)) < time(here));
  const worse = ran.filter((other) => time(at(other)) >= time(here)).reverse();
  const said: string[] = [];
  const [best] = better;
  const [worst] = worse;
  if (best !== undefined) said.push(`${where} ${best.name} is better: ${beside(at(best), here)}.`);
  else said.push(`${where} no other setting is better by more than the noise.`);
  if (worst !== undefined) said.push(`${where} ${worst.name} is the worst: ${beside(at(worst), here)}.`);
  if (killed.length > 0) said.push(`${where} it is killed with ${killed.map(({ name }) => name).join(', ')}.`);
  return said;
}

function differs(a: AlternativeRun, b: AlternativeRun): boolean {
  const far = (x: number | null, y: number | null) =>
    x !== null && y !== null && Math.abs(x - y) > Math.max(NOISE_PAGES, NOISE_SHARE * Math.max(x, y));
  if (a.status !== b.status) return true;
  return far(a.major_faults, b.major_faults) || far(a.refaulted_pages, b.refaulted_pages);
}

function beside(other: AlternativeRun, asked: AlternativeRun): string {
  const grouped = (n: number | null) => n?.toLocaleString('en') ?? '–';
  const times = (n: number | null) => n?.toFixed(2) ?? '–';
  return (
    `${times(other.times_the_time)} times its time instead of ${times(asked.times_the_time)}, ` +
    `${grouped(other.major_faults)} major faults instead of ${grouped(asked.major_faults)}, ` +
    `${grouped(other.refaulted_pages)} pages came back instead of ${grouped(asked.refaulted_pages)}`
  );
}
