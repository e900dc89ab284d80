/**
 * A policy in the place of the kernel: which of a program's pages it keeps in so much memory, as a result among those of machines.
 *
 * Owns      what the numbers of a result mean for a policy.
 * Promises  The same recording, policy and limit give the same result; the time it took stands beside it.
 *
 *     limit         so many pages of the program; none for the kernel, no page tables, no batches
 *     pgfault       misses: the page was not in memory
 *     pgmajfault    of these, those that had been there before: what the policy let go too early
 *     pgscan        accessed bits that it tested, pgsteal: pages that it let go
 *     the rest      null: a policy has no swap, no lists and no working set of the kernel's
 */
import { InputError } from '../mm/bug.ts';
import { ACCESS_NS, FAULT_NS, ZRAM_IN_NS, ZRAM_OUT_NS } from '../mm/costs.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import { type Policy, PolicyError, type PolicyResult, simulate } from '../policy/index.ts';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import type { Run } from './configuration_run.ts';
import { COUNTER_NAMES, type Counters } from './counters.ts';
import { estimateTime } from './estimate.ts';
import { pageStream, type RecordedStream } from './page_stream.ts';
import { isPolicyFile } from './policy_file.ts';
import type { TimedResult, TimeEstimate } from './result.ts';

/** One recording's stream, for many policies and limits. */
const streams = new WeakMap<Recording, RecordedStream>();

function streamOf(recording: Recording, survey: Survey): RecordedStream {
  const known = streams.get(recording);
  if (known !== undefined) return known;
  const made = pageStream(recording, survey);
  streams.set(recording, made);
  return made;
}

/** What `policy`, which the user called `named`, counts, and in how many pages. */
export function countPolicy(
  recording: Recording,
  survey: Survey,
  policy: Policy,
  named: string,
  limitBytes: number | null,
): PolicyResult & { pages: number; capacity: number } {
  const stream = streamOf(recording, survey);
  const pages = Math.max(1, stream.pages);
  const capacity = limitBytes === null ? pages : Math.max(1, Math.floor(limitBytes / PAGE_SIZE));
  try {
    return { pages, capacity, ...simulate(stream, policy, capacity) };
  } catch (error) {
    if (error instanceof PolicyError && isPolicyFile(named)) throw new InputError(named, 0, error.message);
    throw error;
  }
}

export function runPolicy(recording: Recording, survey: Survey, run: Run, policy: Policy): TimedResult {
  const started = performance.now();
  const result = countPolicy(recording, survey, policy, run.policy, run.limitBytes);
  const { capacity } = result;
  const peakBytes = Math.min(capacity, result.coldMisses) * PAGE_SIZE;
  const comeBack = result.misses - result.coldMisses;
  return {
    recording: recording.header.name,
    kernel: run.kernel,
    family: 'policy',
    limit_bytes: run.limitBytes,
    limited_by: 'pages',
    status: 'exited',
    counters: countersOf(result, comeBack),
    faults: { minor: result.coldMisses, major: comeBack },
    work: {
      ptes_visited: 0,
      vmas_visited: 0,
      anon_vmas_met: 0,
      chains_met: 0,
      mms_walked: 0,
      pages_scanned: result.scans,
      pages_reclaimed: result.evictions,
    },
    read_again: null,
    story: null,
    peak_bytes: peakBytes,
    rss_peak_bytes: peakBytes,
    events: result.accesses,
    raw_accesses: survey.rawAccesses,
    estimate: estimateOf(result, comeBack, survey.rawAccesses),
    memory_events: null,
    peak: {
      at_event: 0,
      bytes: peakBytes,
      anonymous: 0,
      file: 0,
      shared_memory: 0,
      page_tables: 0,
      kernel_stack: 0,
      slab: 0,
      other: peakBytes,
      processes: 0,
      rss: 0,
      mapped_files: 0,
      mappings: [],
    },
    machine: {
      ram_bytes: run.ramBytes,
      free_bytes: run.ramBytes,
      swap_bytes: run.swapBytes,
      swap_device: run.swapDevice,
      swappiness: run.swappiness,
      page_cluster: run.pageCluster,
      min_free_kbytes: run.minFreeKbytes,
      mglru: run.mglru,
    },
    syscalls: survey.syscalls,
    syscalls_different: 0,
    differences: [],
    syscalls_unknown: {},
    unseen_pages: 0,
    refused_accesses: 0,
    processes: survey.parents.filter((parent) => parent !== -2).length,
    processes_unstarted: survey.parents.filter((parent) => parent === -2).length,
    seconds: (performance.now() - started) / 1000,
  };
}

function countersOf(result: PolicyResult, comeBack: number): Counters {
  const counters: Counters = Object.fromEntries(COUNTER_NAMES.map((name) => [name, null]));
  const { misses: pgfault, scans: pgscan, evictions: pgsteal } = result;
  return { ...counters, pgfault, pgmajfault: comeBack, pgscan, pgsteal };
}

/** What comes back is read from zram, and what was stored to is written there, at the prices of the kernel's. */
function estimateOf(result: PolicyResult, comeBack: number, accesses: number): TimeEstimate {
  const priced: Counters = { pgfault: result.misses, pswpin: comeBack, pswpout: result.dirtyEvictions };
  const spentNs = result.misses * FAULT_NS + comeBack * ZRAM_IN_NS + result.dirtyEvictions * ZRAM_OUT_NS;
  return estimateTime(priced, { clockNs: accesses * ACCESS_NS + spentNs, spentNs, accesses }, 'zram');
}
