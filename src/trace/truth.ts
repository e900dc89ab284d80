/**
 * Truth tables (*.truth.tsv): what a real kernel did with a program under limits, a row for each run.
 *
 * Owns      the columns, the spelling of a mode, and what counts as the same limit.
 * Promises  1. What parseTruth returns is whole: numbers where there are numbers, null where the kernel does not count.
 *           2. A table that is not one is refused with its line.
 *
 *   mode        swap device - MGLRU - page-cluster [- s swappiness, if it is not 60] [- peak, without a limit]
 *   z-n-3       zram, the classic LRU, page-cluster 3
 *   v-y-0-s100  a disk, MGLRU, no readahead of swap, swappiness 100
 *   host        the kernel of the computer at hand; host-y-3 if its settings are not these (n, 3, 60)
 *
 *   limit_kib       0: none             status   exit code; -9: killed by the cgroup's OOM killer; -14: took too long
 *   no prefix       difference of /proc/vmstat over the run
 *   m.              the cgroup's own memory.stat and memory.events when the program has ended
 *   minflt, majflt, maxrss_kib          as getrusage has them;  peak_kib: memory.peak
 */
import { RecordingError } from './error.ts';

export interface TruthMode {
  /** `host`: the computer at hand with the swap that it has. */
  device: 'zram' | 'disk' | 'host';
  mglru: boolean;
  pageCluster: number;
  swappiness: number;
}

export interface TruthRow {
  program: string;
  mode: TruthMode;
  /** null: no limit. */
  limitBytes: number | null;
  status: number;
  /** Which boot of the machine, from 1; null in tables that do not say. */
  boot: number | null;
  /** Of a table without the column: empty. */
  kernel: string;
  /** By column. */
  counts: Readonly<Record<string, number | null>>;
}

const FIRST = ['program', 'mode', 'limit_kib', 'status'] as const;
const LAST = ['boot', 'kernel'] as const;
/** Columns of numbers, in their order. */
export const TRUTH_COUNTS = [
  ...['ms', 'maxrss_kib', 'minflt', 'majflt', 'peak_kib'],
  ...[
    'pgfault',
    'pgmajfault',
    'pswpin',
    'pswpout',
    'pgpgin',
    'pgpgout',
    'pgscan_kswapd',
    'pgscan_direct',
    'pgscan_anon',
  ],
  ...['pgscan_file', 'pgsteal_direct', 'pgsteal_anon', 'pgsteal_file', 'pgactivate', 'pgdeactivate', 'pgrotated'],
  ...['workingset_refault_anon', 'workingset_refault_file', 'workingset_activate_anon', 'workingset_activate_file'],
  ...['workingset_restore_anon', 'workingset_restore_file', 'swap_ra', 'swap_ra_hit', 'pgreuse'],
  ...['m.pgfault', 'm.pgmajfault', 'm.pgscan', 'm.pgsteal', 'm.pgactivate', 'm.pgdeactivate'],
  ...[
    'm.workingset_refault_anon',
    'm.workingset_refault_file',
    'm.kernel',
    'm.pagetables',
    'm.max',
    'm.failcnt',
    'm.oom_kill',
  ],
  ...['m.workingset_activate_anon', 'm.workingset_activate_file'],
] as const;

export const USUAL_SWAPPINESS = 60;

const LETTERS = { zram: 'z', disk: 'v', host: 'host' } as const;
/** What `host` alone says. */
const PLAIN_HOST: TruthMode = { device: 'host', mglru: false, pageCluster: 3, swappiness: USUAL_SWAPPINESS };

export function formatMode(mode: TruthMode, limited: boolean): string {
  const swappiness = mode.swappiness === USUAL_SWAPPINESS ? '' : `-s${mode.swappiness}`;
  const settings = `-${mode.mglru ? 'y' : 'n'}-${mode.pageCluster}${swappiness}`;
  if (mode.device === 'host') return settings === '-n-3' ? 'host' : `host${settings}`;
  return `${LETTERS[mode.device]}${settings}${limited ? '' : '-peak'}`;
}

/** null if it is none. */
export function parseMode(text: string): TruthMode | null {
  if (text === 'host') return PLAIN_HOST;
  const match = /^(z|v|host)-([ny])-(\d{1,2})(?:-s(\d{1,3}))?(?:-peak)?$/.exec(text);
  if (match === null) return null;
  return {
    device: match[1] === 'z' ? 'zram' : match[1] === 'v' ? 'disk' : 'host',
    mglru: match[2] === 'y',
    pageCluster: Number(match[3]),
    swappiness: match[4] === undefined ? USUAL_SWAPPINESS : Number(match[4]),
  };
}

/** The table's text; `file` is for messages. */
export function parseTruth(text: string, file: string): TruthRow[] {
  const refuse = (line: number, reason: string) => new RecordingError(file, `line ${line}`, reason);
  const [head = '', ...lines] = text.replace(/\n$/, '').split('\n');
  const names = head.split('\t');
  for (const name of FIRST) {
    if (!names.includes(name)) throw refuse(1, `no truth table: the first line has no column '${name}'`);
  }
  return lines.map((line, i) => {
    const cells = new Map(line.split('\t').map((cell, column) => [names[column] ?? '', cell]));
    const number = (name: string): number | null => {
      const cell = cells.get(name) ?? '';
      if (cell === '') return null;
      if (!/^-?\d{1,15}$/.test(cell)) throw refuse(i + 2, `'${name}' is no number: '${cell.slice(0, 40)}'`);
      return Number(cell);
    };
    const mode = parseMode(cells.get('mode') ?? '');
    if (mode === null)
      throw refuse(i + 2, `'${(cells.get('mode') ?? '').slice(0, 40)}' is no mode (z-n-3, v-y-0, host)`);
    const limitKib = number('limit_kib');
    const status = number('status');
    if (limitKib === null || status === null || limitKib < 0) throw refuse(i + 2, 'limit_kib and status are needed');
    return {
      program: cells.get('program') ?? '',
      mode,
      limitBytes: limitKib === 0 ? null : Math.floor(limitKib / 4) * 4096,
      status,
      boot: number('boot'),
      kernel: cells.get('kernel') ?? '',
      counts: Object.fromEntries(TRUTH_COUNTS.map((name) => [name, number(name)])),
    };
  });
}

export function formatTruthHead(): string {
  return `${[...FIRST, ...TRUTH_COUNTS, ...LAST].join('\t')}\n`;
}

export function formatTruthRow(row: TruthRow): string {
  const limited = row.limitBytes !== null;
  const cells = [
    row.program.replace(/[\t\n]/g, ' '),
    formatMode(row.mode, limited),
    (row.limitBytes ?? 0) / 1024,
    row.status,
    ...TRUTH_COUNTS.map((name) => row.counts[name] ?? ''),
    row.boot ?? '',
    row.kernel,
  ];
  return `${cells.join('\t')}\n`;
}
