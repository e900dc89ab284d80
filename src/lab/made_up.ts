/** Results for tests: a run as it might have been. */
import type { RunResult } from './result.ts';

const MiB = 2 ** 20;

/** 100 MiB at its peak; a second of its own, and 3 µs for each page from swap. */
export function madeUpRun(
  limit: number | null,
  counters: Record<string, number>,
  status: RunResult['status'] = 'exited',
): RunResult {
  const seconds = 1 + ((counters['pswpin'] ?? 0) * 3) / 1e6;
  return {
    recording: '<b>evil</b>',
    kernel: '6.1',
    family: 'linux-6',
    limit_bytes: limit,
    limited_by: 'memory.max',
    faults: { minor: 0, major: counters['pgmajfault'] ?? 0 },
    work: {
      ptes_visited: 0,
      vmas_visited: 0,
      anon_vmas_met: 0,
      chains_met: 0,
      mms_walked: 0,
      pages_scanned: counters['pgscan'] ?? 0,
      pages_reclaimed: counters['pgsteal'] ?? 0,
    },
    read_again: null,
    story: null,
    status,
    counters,
    peak_bytes: Math.min(limit ?? 100 * MiB, 100 * MiB),
    rss_peak_bytes: 90 * MiB,
    events: 1000,
    raw_accesses: 1e6,
    estimate: { seconds, accesses: 1, faults: 0, swap: seconds - 1, disk: 0, reclaim: 0 },
    memory_events: { low: 0, high: 0, max: 0, oom: 0, oom_kill: 0 },
    peak: {
      at_event: 900,
      bytes: 100 * MiB,
      anonymous: 70 * MiB,
      file: 20 * MiB,
      shared_memory: 0,
      page_tables: 5 * MiB,
      kernel_stack: 0,
      slab: 2 * MiB,
      other: 3 * MiB,
      processes: 2,
      rss: 92 * MiB,
      mapped_files: 12 * MiB,
      mappings: [
        { name: '[heap]', kind: 'anonymous', pid: 1, bytes: 70 * MiB, mapped_bytes: 70 * MiB },
        { name: '/lib/"quoted" & <script>', kind: 'file', pid: 0, bytes: 20 * MiB, mapped_bytes: 12 * MiB },
      ],
    },
    machine: {
      free_bytes: 350 * MiB,
      ram_bytes: 2 ** 30,
      swap_bytes: 2 ** 30,
      swap_device: 'zram',
      swappiness: 60,
      page_cluster: 3,
      min_free_kbytes: 0,
      mglru: false,
    },
    syscalls: 3,
    syscalls_different: 0,
    differences: [],
    syscalls_unknown: {},
    unseen_pages: 0,
    refused_accesses: 0,
    processes: 1,
    processes_unstarted: 0,
  };
}
