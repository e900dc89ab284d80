/**
 * A run as a row of a table: what `revmap query` calls `runs`, and what `--csv` prints.
 *
 * Owns      the names of the columns. They are those of the JSON; parts of a part are joined by `_`.
 * Promises  Every file has the same columns in the same order. What a kernel does not count is null.
 */

import { COUNTER_NAMES } from '../counters.ts';
import type { Configuration, Curve } from '../grid.ts';
import type { RunResult } from '../result.ts';

/** `integer` is exact: 64 bits in Parquet. */
export type ColumnType = 'text' | 'integer' | 'number' | 'boolean';
export type Cell = string | number | boolean | null;

export interface Row {
  /** null: not from a store. */
  stored: { key: string; engine: string; recordingSha256: string; seconds: number } | null;
  configuration: Configuration;
  limitBytes: number | null;
  result: RunResult;
}

export interface Column {
  name: string;
  type: ColumnType;
  of: (row: Row) => Cell;
}

const WORK = [
  'ptes_visited',
  'vmas_visited',
  'anon_vmas_met',
  'chains_met',
  'mms_walked',
  'pages_scanned',
  'pages_reclaimed',
] as const;
const ESTIMATE = ['seconds', 'accesses', 'faults', 'swap', 'disk', 'reclaim'] as const;
const MEMORY_EVENTS = ['low', 'high', 'max', 'oom', 'oom_kill'] as const;
const PEAK = ['anonymous', 'file', 'shared_memory', 'page_tables', 'kernel_stack', 'slab', 'other'] as const;
const PLAIN = [
  'events',
  'raw_accesses',
  'syscalls',
  'syscalls_different',
  'unseen_pages',
  'refused_accesses',
  'processes',
] as const;

function column(name: string, type: ColumnType, of: (row: Row) => Cell): Column {
  return { name, type, of };
}

/** Of the store: they are not in `--csv`, which is the same for the same question. */
const OF_THE_STORE: readonly Column[] = [
  column('key', 'text', ({ stored }) => stored?.key ?? null),
  column('engine', 'text', ({ stored }) => stored?.engine ?? null),
  column('recording_sha256', 'text', ({ stored }) => stored?.recordingSha256 ?? null),
  column('replay_seconds', 'number', ({ stored }) => stored?.seconds ?? null),
];

export const RUN_COLUMNS: readonly Column[] = [
  column('recording', 'text', ({ result }) => result.recording),
  column('policy', 'text', ({ configuration }) => configuration.policy),
  column('kernel', 'text', ({ configuration }) => configuration.kernel),
  column('family', 'text', ({ result }) => result.family),
  column('mglru', 'boolean', ({ configuration }) => configuration.mglru),
  column('ram_bytes', 'integer', ({ configuration }) => configuration.ramBytes),
  column('swap_bytes', 'integer', ({ configuration }) => configuration.swapBytes),
  column('swap_device', 'text', ({ configuration }) => configuration.swapDevice),
  column('swappiness', 'integer', ({ configuration }) => configuration.swappiness),
  column('page_cluster', 'integer', ({ configuration }) => configuration.pageCluster),
  column('min_free_kbytes', 'integer', ({ configuration }) => configuration.minFreeKbytes),
  column('limit_bytes', 'integer', ({ limitBytes }) => limitBytes),
  column('limited_by', 'text', ({ result }) => result.limited_by),
  column('status', 'text', ({ result }) => result.status),
  column('peak_bytes', 'integer', ({ result }) => result.peak_bytes),
  column('rss_peak_bytes', 'integer', ({ result }) => result.rss_peak_bytes),
  column('faults_minor', 'integer', ({ result }) => result.faults.minor),
  column('faults_major', 'integer', ({ result }) => result.faults.major),
  column('read_again', 'integer', ({ result }) => result.read_again),
  ...PLAIN.map((name) => column(name, 'integer', ({ result }) => result[name])),
  ...COUNTER_NAMES.map((name) => column(name, 'integer', ({ result }) => result.counters[name] ?? null)),
  ...ESTIMATE.map((name) => column(`estimate_${name}`, 'number', ({ result }) => result.estimate[name])),
  ...WORK.map((name) => column(name, 'integer', ({ result }) => result.work[name])),
  ...MEMORY_EVENTS.map((name) =>
    column(`memory_events_${name}`, 'integer', ({ result }) => result.memory_events?.[name] ?? null),
  ),
  ...PEAK.map((name) => column(`peak_${name}`, 'integer', ({ result }) => result.peak[name])),
];

/** All that a file of results has. */
export const STORED_COLUMNS: readonly Column[] = [...OF_THE_STORE, ...RUN_COLUMNS];

/** From the unlimited run of the first curve to the narrowest limit of the last. */
export function rowsOf(curves: readonly Curve[]): Row[] {
  return curves.flatMap(({ configuration, unlimited, runs }) =>
    [unlimited, ...runs].map((result) => ({ stored: null, configuration, limitBytes: result.limit_bytes, result })),
  );
}
