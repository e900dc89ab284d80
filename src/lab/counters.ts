/**
 * Where each number of a result comes from, and which kernels have it.
 *
 * Owns      the list of counters. A number that a kernel does not count is null: it is not zero, nobody knows it.
 *
 *   kernel   faults and swap traffic             scans, by                    refaults
 *   2.4      /proc/PID/stat, /proc/stat          nobody                       nobody
 *   2.5, 2.6 /proc/vmstat                        /proc/vmstat                 nobody
 *   3.16     /proc/vmstat                        /proc/vmstat, without those at a cgroup's limit        files only
 *   6.x      /proc/vmstat                        memory.stat of the cgroup    files and anonymous memory
 */
import type { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import {
  VM_EVENT_NAMES,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_ACTIVATE_FILE,
  WORKINGSET_NODERECLAIM,
  WORKINGSET_REFAULT_ANON,
  WORKINGSET_REFAULT_FILE,
  WORKINGSET_RESTORE_ANON,
  WORKINGSET_RESTORE_FILE,
} from '../mm/vmstat.ts';

export type Counters = Record<string, number | null>;

const ALL = ['linux-2.4', 'linux-2.5', 'linux-2.6', 'linux-3', 'linux-6'];
const SINCE_25 = ALL.slice(1);
const SINCE_3 = ALL.slice(3);
const ONLY_6 = ALL.slice(4);

/** What only the whole machine counts: faults as vmstat has them, swap traffic (6.1 has it nowhere else), the disk. */
const OF_THE_MACHINE: readonly [name: string, families: readonly string[]][] = [
  ['pgfault', ALL],
  ['pgmajfault', SINCE_25],
  ['pswpin', ALL],
  ['pswpout', ALL],
  ['pgpgin', ALL],
  ['pgpgout', ALL],
  ['swap_ra', ONLY_6],
  ['swap_ra_hit', ONLY_6],
  ['pgreuse', ONLY_6],
  ['pgrotated', SINCE_25],
  ['pgscan_anon', ONLY_6],
  ['pgscan_file', ONLY_6],
  ['pgsteal_anon', ONLY_6],
  ['pgsteal_file', ONLY_6],
];
/** What the cgroup counts, if it does; there, reclaim at a limit is `direct`. */
const OF_THE_CGROUP: readonly [name: string, families: readonly string[], of: readonly string[]][] = [
  ['pgscan', SINCE_25, ['pgscan_direct', 'pgscan_kswapd']],
  ['pgsteal', SINCE_25, ['pgsteal_direct', 'pgsteal_kswapd']],
  ['pgrefill', SINCE_25, ['pgrefill']],
  ['pgactivate', SINCE_25, ['pgactivate']],
  ['pgdeactivate', SINCE_25, ['pgdeactivate']],
  ['pglazyfree', ONLY_6, ['pglazyfree']],
  ['pglazyfreed', ONLY_6, ['pglazyfreed']],
];
const WORKINGSET: readonly [name: string, families: readonly string[], item: number][] = [
  ['workingset_refault_anon', ONLY_6, WORKINGSET_REFAULT_ANON],
  ['workingset_refault_file', SINCE_3, WORKINGSET_REFAULT_FILE],
  ['workingset_activate_anon', ONLY_6, WORKINGSET_ACTIVATE_ANON],
  ['workingset_activate_file', SINCE_3, WORKINGSET_ACTIVATE_FILE],
  ['workingset_restore_anon', ONLY_6, WORKINGSET_RESTORE_ANON],
  ['workingset_restore_file', ONLY_6, WORKINGSET_RESTORE_FILE],
  ['workingset_nodereclaim', SINCE_3, WORKINGSET_NODERECLAIM],
];

/** All names, in the order of a result. */
export const COUNTER_NAMES: readonly string[] = [OF_THE_MACHINE, OF_THE_CGROUP, WORKINGSET].flatMap((list) =>
  list.map(([name]) => name),
);

const NUMBER_OF: ReadonlyMap<string, number> = new Map(VM_EVENT_NAMES.map((name, i) => [name, i]));

/** Since the machine was built. pgmajfault of a kernel without vmstat is not here: it is the sum over its tasks. */
export function countersOf(machine: Machine, memcg: MemCgroup): Counters {
  const { family } = machine.generation;
  // The cgroups of 3.16 do not count what is scanned for them.
  const events = family === 'linux-6' ? memcg.events : machine.events;
  const counters: Counters = {};
  const put = (name: string, families: readonly string[], value: () => number): void => {
    counters[name] = families.includes(family) ? value() : null;
  };
  for (const [name, families] of OF_THE_MACHINE) put(name, families, () => eventIn(machine.events, name));
  for (const [name, families, of] of OF_THE_CGROUP) {
    put(name, families, () => of.reduce((sum, one) => sum + eventIn(events, one), 0));
  }
  for (const [name, families, item] of WORKINGSET) {
    put(name, families, () => memcg.lruvecs.reduce((sum, lruvec) => sum + lruvec.stat[item]!, 0));
  }
  return counters;
}

function eventIn(events: Float64Array, name: string): number {
  return events[NUMBER_OF.get(name) ?? -1] ?? 0;
}

/** What was counted between two looks. */
export function counted(after: Counters, before: Counters): Counters {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value === null ? null : value - (before[name] ?? 0)]),
  );
}
