/**
 * One run: a new machine, the recording replayed on it, and what it counted.
 *
 * Owns      how a machine is put together for a run.
 * Promises  The same recording and options give the same result; the time it took stands beside it.
 */

import { InputError } from '../mm/bug.ts';
import { errnoName } from '../mm/errno.ts';
import { generationNamed } from '../mm/generations/index.ts';
import { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import { updateHiwaterRss } from '../mm/mm.ts';
import { isTypedArray } from '../mm/snapshot.ts';
import { swapon } from '../mm/swap/swapfile.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import type { Recording } from '../trace/bodies.ts';
import type { Survey } from '../trace/survey.ts';
import { counted, countersOf } from './counters.ts';
import { estimateTime } from './estimate.ts';
import { freePages, limitKind, ramForLimit } from './limit.ts';
import { formatSize, type MachineOptions, machineConfig } from './options.ts';
import { PeakWatch } from './peak.ts';
import { Replay } from './replay.ts';
import type { TimedResult, WorkResult } from './result.ts';
import { StoryWatch } from './story.ts';
import { Timeline, type TimelineOptions } from './timeline.ts';

export interface RunOptions extends MachineOptions {
  /** What the program may use (limit.ts says what that is in each kernel); null for no limit. */
  limitBytes: number | null;
  /** Tell what happened, too. */
  story?: boolean;
}

/** A machine with its swap on, and the cgroup of the program; the limit is set, or the machine is as small as that. */
export function buildMachine(options: RunOptions): { machine: Machine; memcg: MemCgroup } {
  const config = machineConfig(options);
  const { limitBytes } = options;
  const small = limitBytes !== null && limitKind(generationNamed(options.kernel)) === 'mem=';
  const ready = (made: Machine): void => swapOn(made, options);
  const machine = new Machine(small ? { ...config, ramBytes: ramForLimit(config, limitBytes, ready) } : config);
  ready(machine);
  if (!machine.generation.cgroups) return { machine, memcg: machine.rootMemcg };
  const memcg = machine.newCgroup('program');
  if (limitBytes !== null) memcg.memory.max = Math.floor(limitBytes / PAGE_SIZE);
  return { machine, memcg };
}

function swapOn(machine: Machine, options: RunOptions): void {
  if (options.swapBytes === 0) return;
  const type = swapon(machine, { bytes: options.swapBytes, device: options.swapDevice });
  if (type < 0) throw new InputError('--swap', 0, `${formatSize(options.swapBytes)}: ${errnoName(type)}`);
}

/** Ready to be replayed; whoever wants to look on the way runs it himself. */
export function startReplay(recording: Recording, survey: Survey, options: RunOptions): Replay {
  const { machine, memcg } = buildMachine(options);
  return new Replay(machine, memcg, recording, survey);
}

/** The same, to go back and forth in. The recording is not copied with each checkpoint. */
export function replayTimeline(
  recording: Recording,
  survey: Survey,
  options: RunOptions,
  settings: TimelineOptions = {},
): Timeline<Replay> {
  const bytes = recording.bytes?.buffer;
  const isShared = (value: object) =>
    value === recording || value === survey || (isTypedArray(value) && value.buffer === bytes);
  return new Timeline(startReplay(recording, survey, options), isShared, settings);
}

export function runRecording(
  recording: Recording,
  survey: Survey,
  options: RunOptions,
  onProgress?: (share: number) => void,
  onReplay?: (replay: Replay) => void,
): TimedResult {
  const { machine, memcg } = buildMachine(options);
  const { generation, clock } = machine;
  const before = countersOf(machine, memcg);
  const clockBefore = clock.now;
  const spentBefore = clock.spentNs;
  const free = freePages(machine);
  const started = performance.now();
  const replay = new Replay(machine, memcg, recording, survey);
  const peak = new PeakWatch(replay);
  // Only the second version of cgroups counts what comes back; elsewhere the replay is watched.
  const watch = options.story === true || limitKind(generation) !== 'memory.max' ? new StoryWatch(replay) : null;
  let rssPeak = 0;
  let ticks = 0;
  replay.onTick = () => {
    peak.look();
    watch?.tick();
    ticks += 1;
    if (onProgress !== undefined && ticks % 64 === 0) onProgress(replay.progress);
  };
  replay.onEnd = (mm) => {
    peak.look();
    updateHiwaterRss(mm);
    rssPeak = Math.max(rssPeak, mm.hiwaterRss);
  };
  onReplay?.(replay);
  replay.run();
  const seconds = (performance.now() - started) / 1000;
  const counters = counted(countersOf(machine, memcg), before);
  const { minor, major } = replay.faults;
  counters['pgmajfault'] ??= major;
  const { low, high, max, oom, oomKill } = memcg.memoryEvents;
  const kind = limitKind(generation);
  const times = {
    clockNs: clock.now - clockBefore,
    spentNs: clock.spentNs - spentBefore,
    accesses: replay.rawAccesses,
  };
  return {
    recording: recording.header.name,
    kernel: generation.version,
    family: generation.family,
    limit_bytes: options.limitBytes,
    limited_by: kind,
    status: replay.oomKilled ? 'oom-killed' : 'exited',
    counters,
    faults: { minor, major },
    work: workOf(machine),
    read_again: watch === null ? null : watch.fileReadAgain,
    story: options.story === true && watch !== null ? watch.story : null,
    peak_bytes: (generation.cgroups ? memcg.memory.watermark : peak.most) * PAGE_SIZE,
    rss_peak_bytes: rssPeak * PAGE_SIZE,
    events: replay.events,
    seconds,
    raw_accesses: replay.rawAccesses,
    estimate: estimateTime(counters, times, options.swapDevice),
    memory_events: kind === 'memory.max' ? { low, high, max, oom, oom_kill: oomKill } : null,
    peak: peak.breakdown,
    machine: {
      ram_bytes: machine.frames.frames * PAGE_SIZE,
      free_bytes: free * PAGE_SIZE,
      swap_bytes: options.swapBytes,
      swap_device: options.swapDevice,
      swappiness: options.swappiness,
      page_cluster: options.pageCluster,
      min_free_kbytes: options.minFreeKbytes,
      mglru: options.mglru,
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

function workOf({ work }: Machine): WorkResult {
  return {
    ptes_visited: work.ptesVisited,
    vmas_visited: work.vmasVisited,
    anon_vmas_met: work.anonVmasMet,
    chains_met: work.chainsMet,
    mms_walked: work.mmsWalked,
    pages_scanned: work.pagesScanned,
    pages_reclaimed: work.pagesReclaimed,
  };
}
