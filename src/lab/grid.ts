/**
 * Many machines: the configurations of a sweep, and the curve of each.
 *
 * Owns      the shapes of a sweep over a grid, and which combinations of its values are different machines.
 * Promises  1. No two configurations of a grid give the same machine: values that have no effect there are set to the defaults.
 *           2. What cannot be is skipped, and said once.
 */
import { generationNamed } from '../mm/generations/index.ts';
import { MACHINE_DEFAULTS, type MachineOptions } from './options.ts';
import type { RunResult } from './result.ts';

/** The kernel itself reclaims. Any other name is a policy that sees a program's pages alone (src/policy). */
export const KERNEL_POLICY = 'kernel';

/** A machine, and who chooses what leaves its memory. */
export interface Configuration extends MachineOptions {
  /** `kernel`, a policy's name, or the file of one. */
  policy: string;
}

export const CONFIGURATION_DEFAULTS: Configuration = { ...MACHINE_DEFAULTS, policy: KERNEL_POLICY };

/** What each option may be; all combinations are meant. */
export type Grid = { readonly [K in keyof Configuration]: readonly Configuration[K][] };

/** One configuration under many limits. */
export interface Curve {
  configuration: Configuration;
  /** Without a limit. */
  unlimited: RunResult;
  /** From the widest limit to the narrowest; the limits are the same in all curves of a sweep. */
  runs: RunResult[];
}

/** `revmap sweep --json` of more than one configuration. */
export interface GridResult {
  recording: string;
  command: string;
  curves: Curve[];
  /** Combinations that cannot be, a line each. */
  skipped: string[];
}

/** In the order of the grid, the last option changing fastest. */
export function configurationsOf(grid: Grid): { configurations: Configuration[]; skipped: string[] } {
  const found = new Map<string, Configuration>();
  const skipped = new Set<string>();
  for (const configuration of combinations(grid)) {
    const why = impossible(configuration);
    if (why !== null) {
      skipped.add(why);
      continue;
    }
    const plain = withoutEffectless(configuration);
    found.set(JSON.stringify(plain), plain);
  }
  return { configurations: [...found.values()], skipped: [...skipped] };
}

const ORDER: readonly (keyof Configuration)[] = [
  'policy',
  'kernel',
  'mglru',
  'ramBytes',
  'swapBytes',
  'swapDevice',
  'swappiness',
  'pageCluster',
  'minFreeKbytes',
];

function combinations(grid: Grid): Configuration[] {
  let made: Configuration[] = [{ ...CONFIGURATION_DEFAULTS }];
  for (const option of ORDER) {
    const values = new Set<Configuration[typeof option]>(grid[option]);
    made = made.flatMap((c) => [...values].map((value) => ({ ...c, [option]: value })));
  }
  return made;
}

function impossible({ policy, kernel, mglru }: Configuration): string | null {
  if (policy !== KERNEL_POLICY || !mglru || hasMglru(kernel)) return null;
  return `MGLRU on Linux ${kernel}: it came with 6.1`;
}

function hasMglru(kernel: string): boolean {
  return generationNamed(kernel).multiGen !== null;
}

/** Without swap nobody asks for its device or its clusters; a policy from a textbook knows no machine. */
function withoutEffectless(c: Configuration): Configuration {
  if (c.policy !== KERNEL_POLICY) return { ...CONFIGURATION_DEFAULTS, policy: c.policy };
  if (c.swapBytes !== 0) return c;
  const { swapDevice, pageCluster } = CONFIGURATION_DEFAULTS;
  return { ...c, swapDevice, pageCluster };
}

/** What tells the curves of a grid apart: `6.18 mglru swappiness 0`. */
export function nameOf(configuration: Configuration, among: readonly Configuration[]): string {
  if (configuration.policy !== KERNEL_POLICY) return configuration.policy;
  const differs = (option: keyof Configuration) =>
    among.some((other) => other.policy === KERNEL_POLICY && other[option] !== configuration[option]);
  const words = [`Linux ${configuration.kernel}`];
  const { swapBytes, swapDevice } = configuration;
  if (differs('mglru')) words.push(configuration.mglru ? 'MGLRU' : 'classic');
  if (differs('ramBytes')) words.push(`${configuration.ramBytes / 2 ** 20} MiB of memory`);
  if (differs('swapBytes')) words.push(swapBytes === 0 ? 'no swap' : `${swapBytes / 2 ** 20} MiB of swap`);
  if (differs('swapDevice') && swapBytes !== 0) words.push(swapDevice);
  if (differs('swappiness')) words.push(`swappiness ${configuration.swappiness}`);
  if (differs('pageCluster') && swapBytes !== 0) words.push(`page-cluster ${configuration.pageCluster}`);
  if (differs('minFreeKbytes')) words.push(`min_free ${configuration.minFreeKbytes || "by the kernel's formula"}`);
  return words.join(', ');
}
