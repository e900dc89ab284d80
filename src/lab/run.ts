/**
 * One run: a new machine, the recording replayed on it, and what it counted.
 *
 * Owns      how a machine is put together for a run, and where each number of the result comes from.
 * Promises  The same recording and options give the same result, but for `seconds`.
 */

import { InputError } from '../mm/bug.ts';
import { errnoName } from '../mm/errno.ts';
import { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import { updateHiwaterRss } from '../mm/mm.ts';
import { swapon } from '../mm/swap/swapfile.ts';
import { PAGE_SIZE } from '../mm/units.ts';
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
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { estimateTime } from './estimate.ts';
import { formatSize, type MachineOptions, machineConfig } from './options.ts';
import { PeakWatch } from './peak.ts';
import { Replay } from './replay.ts';
import type { RunResult } from './result.ts';

export interface RunOptions extends MachineOptions {
  /** memory.max of the program's cgroup; null for none. */
  limitBytes: number | null;
}

/** A machine with its swap on, and a cgroup with the limit. */
export function buildMachine(options: RunOptions): { machine: Machine; memcg: MemCgroup } {
  const machine = new Machine(machineConfig(options));
  if (options.swapBytes > 0) {
    const type = swapon(machine, { bytes: options.swapBytes, device: options.swapDevice });
    if (type < 0) throw new InputError('--swap', 0, `${formatSize(options.swapBytes)}: ${errnoName(type)}`);
  }
  const memcg = machine.newCgroup('program');
  if (options.limitBytes !== null) memcg.memory.max = Math.floor(options.limitBytes / PAGE_SIZE);
  return { machine, memcg };
}

/** Ready to be replayed; whoever wants to look on the way runs it himself. */
export function startReplay(recording: Recording, survey: Survey, options: RunOptions): Replay {
  const { machine, memcg } = buildMachine(options);
  return new Replay(machine, memcg, recording, survey);
}

export function runRecording(
  recording: Recording,
  survey: Survey,
  options: RunOptions,
  onProgress?: (share: number) => void,
): RunResult {
  const { machine, memcg } = buildMachine(options);
  const before = countersOf(machine, memcg);
  const clockBefore = machine.clock.now;
  const started = performance.now();
  const replay = new Replay(machine, memcg, recording, survey);
  const peak = new PeakWatch(replay);
  let rssPeak = 0;
  let ticks = 0;
  replay.onTick = () => {
    peak.look();
    ticks += 1;
    if (onProgress !== undefined && ticks % 64 === 0) onProgress(replay.progress);
  };
  replay.onEnd = (mm) => {
    peak.look();
    updateHiwaterRss(mm);
    rssPeak = Math.max(rssPeak, mm.hiwaterRss);
  };
  replay.run();
  const seconds = (performance.now() - started) / 1000;
  const counters = countersOf(machine, memcg);
  for (const name of Object.keys(counters)) counters[name]! -= before[name]!;
  const { low, high, max, oom, oomKill } = memcg.memoryEvents;
  return {
    recording: recording.header.name,
    kernel: machine.generation.version,
    limit_bytes: options.limitBytes,
    status: replay.oomKilled ? 'oom-killed' : 'exited',
    counters,
    peak_bytes: memcg.memory.watermark * PAGE_SIZE,
    rss_peak_bytes: rssPeak * PAGE_SIZE,
    events: replay.events,
    seconds,
    raw_accesses: replay.rawAccesses,
    estimate: estimateTime(counters, machine.clock.now - clockBefore, replay.rawAccesses, options.swapDevice),
    memory_events: { low, high, max, oom, oom_kill: oomKill },
    peak: peak.breakdown,
    machine: {
      ram_bytes: options.ramBytes,
      swap_bytes: options.swapBytes,
      swap_device: options.swapDevice,
      swappiness: options.swappiness,
      page_cluster: options.pageCluster,
    },
    syscalls: replay.syscalls,
    syscalls_different: replay.syscallsDifferent,
    differences: replay.differences,
    syscalls_unknown: Object.fromEntries([...replay.syscallsUnknown].sort((a, b) => b[1] - a[1])),
    unseen_pages: replay.unseenPages,
    refused_accesses: replay.refusedAccesses,
    processes: replay.processCount,
    processes_unstarted: replay.unstarted,
  };
}

/** What only the whole machine counts: faults as vmstat has them, swap traffic (6.1 has it nowhere else), the disk. */
const OF_THE_MACHINE = [
  'pgfault',
  'pgmajfault',
  'pswpin',
  'pswpout',
  'pgpgin',
  'pgpgout',
  'swap_ra',
  'swap_ra_hit',
  'pgreuse',
  'pgrotated',
  'pgscan_anon',
  'pgscan_file',
  'pgsteal_anon',
  'pgsteal_file',
];
/** What the cgroup counts; there, reclaim at a limit is `direct`. */
const OF_THE_CGROUP = ['pgrefill', 'pgactivate', 'pgdeactivate', 'pglazyfree', 'pglazyfreed'];
const WORKINGSET = [
  ['workingset_refault_anon', WORKINGSET_REFAULT_ANON],
  ['workingset_refault_file', WORKINGSET_REFAULT_FILE],
  ['workingset_activate_anon', WORKINGSET_ACTIVATE_ANON],
  ['workingset_activate_file', WORKINGSET_ACTIVATE_FILE],
  ['workingset_restore_anon', WORKINGSET_RESTORE_ANON],
  ['workingset_restore_file', WORKINGSET_RESTORE_FILE],
  ['workingset_nodereclaim', WORKINGSET_NODERECLAIM],
] as const;

function countersOf(machine: Machine, memcg: MemCgroup): Record<string, number> {
  const number = (name: string) => (VM_EVENT_NAMES as readonly string[]).indexOf(name);
  const ofCgroup = (name: string) => memcg.events[number(name)] ?? 0;
  const counters: Record<string, number> = {};
  for (const name of OF_THE_MACHINE) counters[name] = machine.events[number(name)] ?? 0;
  counters['pgscan'] = ofCgroup('pgscan_direct') + ofCgroup('pgscan_kswapd');
  counters['pgsteal'] = ofCgroup('pgsteal_direct') + ofCgroup('pgsteal_kswapd');
  for (const name of OF_THE_CGROUP) counters[name] = ofCgroup(name);
  for (const [name, item] of WORKINGSET) counters[name] = memcg.lruvecs.reduce((sum, l) => sum + l.stat[item]!, 0);
  return counters;
}
