/** What `revmap files` shows: the table, the sums and what was not seen; and the same as JSON. */

import type { CacheHint } from '../host/page_cache/page_cache_hints.ts';
import type { FileQuestion, FileRow } from '../host/page_cache/page_cache_rows.ts';
import type { CacheSums, ChargedSum } from '../host/page_cache/page_cache_sums.ts';
import type { CachedFile, HostSnapshot } from '../host/snapshot.ts';
import { formatSize } from '../lab/options.ts';
import { printable } from '../trace/error.ts';
import { hostFooter } from './host_source.ts';
import { grouped, plural, table, wrapped } from './output.ts';
import { pc } from './terminal.ts';

export interface FilesAnswer {
  readonly snapshot: HostSnapshot;
  readonly question: FileQuestion;
  /** The snapshot's file; null for this host, now. */
  readonly from: string | null;
  readonly cgroup: string | null;
  readonly withRanges: boolean;
  readonly askedFiles: number;
  readonly refused: readonly { readonly path: string; readonly why: string }[];
  readonly rows: readonly FileRow[];
  readonly sums: CacheSums | null;
  readonly charged: ChargedSum | null;
  readonly hints: readonly CacheHint[];
}

const PAGE = 4096;

interface Column {
  readonly head: string;
  /** Null: nobody knows. */
  readonly value: (row: FileRow) => number | null;
  readonly text: (value: number) => string;
  /** Shown from this width on, or only where some row has it. */
  readonly from: number | 'if any';
}

const pagesText = (pages: number) => formatSize(pages * PAGE);
const counted = (of: (cached: CachedFile) => number | null) => (row: FileRow) =>
  row.cached === null ? null : of(row.cached);

const COLUMNS = {
  cached: { head: 'cached', value: counted((c) => c.cachedPages), text: pagesText, from: 0 },
  share: { head: 'of it', value: (row) => row.share, text: shareText, from: 0 },
  size: { head: 'size', value: counted(sizeOf), text: formatSize, from: 60 },
  dirty: { head: 'dirty', value: counted((c) => c.dirtyPages), text: pagesText, from: 'if any' },
  writeback: { head: 'writeback', value: counted((c) => c.writebackPages), text: pagesText, from: 'if any' },
  evicted: { head: 'evicted', value: counted((c) => c.evictedPages), text: pagesText, from: 110 },
  recent: { head: 'recently', value: counted((c) => c.recentlyEvictedPages), text: pagesText, from: 130 },
  mapped: { head: 'mapped', value: (row) => row.mappedPages, text: pagesText, from: 70 },
  active: { head: 'active', value: (row) => row.activePages, text: pagesText, from: 140 },
  inactive: { head: 'inactive', value: (row) => row.inactivePages, text: pagesText, from: 150 },
  charged: { head: 'charged', value: (row) => row.chargedPages, text: pagesText, from: 'if any' },
  users: { head: 'users', value: (row) => usersOf(row).length, text: grouped, from: 1e9 },
} satisfies Record<string, Column>;

/** Devices have no size of their own. */
function sizeOf({ kind, sizeBytes }: CachedFile): number | null {
  return kind === 'device' ? null : sizeBytes;
}

function shareText(share: number): string {
  const percent = Math.round(100 * share);
  // Not all, and not nothing.
  if (percent === 100 && share < 1) return '>99 %';
  return percent === 0 && share > 0 ? '<1 %' : `${percent} %`;
}

export type FileColumn = keyof typeof COLUMNS | 'file';
export const FILE_COLUMNS = [...Object.keys(COLUMNS), 'file'];

/** What nobody knows comes last; equal ones by what is mapped of them, then by name. */
export function ordered(rows: readonly FileRow[], by: FileColumn, leastBytes: number): FileRow[] {
  const value = by === 'file' ? () => 0 : COLUMNS[by].value;
  return rows
    .filter(({ cached }) => leastBytes === 0 || (cached?.cachedPages ?? 0) * PAGE >= leastBytes)
    .map((row) => ({ row, value: value(row) ?? -1 }))
    .sort((a, b) => b.value - a.value || mappedFirst(a.row, b.row) || byName(a.row, b.row))
    .map(({ row }) => row);
}

function mappedFirst(a: FileRow, b: FileRow): number {
  return (b.mappedPages ?? 0) - (a.mappedPages ?? 0);
}

function byName(a: FileRow, b: FileRow): number {
  return a.file.path < b.file.path ? -1 : a.file.path > b.file.path ? 1 : 0;
}

function usersOf({ mappedBy, cached }: FileRow): number[] {
  return cached === null || cached.openBy.length === 0 ? [...mappedBy] : [...new Set([...mappedBy, ...cached.openBy])];
}

export function describeFiles(answer: FilesAnswer, rows: readonly FileRow[], top: number, width: number): string {
  const shown = top === 0 ? rows : rows.slice(0, top);
  const left = rows.slice(shown.length);
  const lines = [headline(answer), ...questionLines(answer, width), '', ...fileTable(answer, shown, width)];
  if (left.length > 0) {
    const pages = left.reduce((sum, row) => sum + (row.cached?.cachedPages ?? 0), 0);
    lines.push(`and ${plural(left.length, 'file')} more, ${pagesText(pages)} (--top, --min)`);
  }
  lines.push(...sumLines(answer, width), ...hintLines(answer, width));
  const footer = hostFooter(answer.snapshot);
  if (footer !== '') lines.push('', footer.trimEnd());
  return lines.join('\n');
}

function headline({ snapshot, from, rows, askedFiles }: FilesAnswer): string {
  const pages = rows.reduce((sum, row) => sum + (row.cached?.cachedPages ?? 0), 0);
  const when = from === null ? '' : ` (${printable(from)}: ${whose(snapshot)})`;
  if (snapshot.cache === null)
    return `${plural(rows.length, 'file')} mapped${when}; what is cached of them is not known`;
  const cached = rows.filter((row) => (row.cached?.cachedPages ?? 0) > 0).length;
  return `${pc.bold(pagesText(pages))} of the page cache in ${plural(cached, 'file')}, of ${grouped(askedFiles)} asked${when}`;
}

function whose({ source, hostname, takenAtMs }: HostSnapshot): string {
  if (source === 'machine') return 'a simulated machine';
  return `${printable(hostname) || 'a host'}, ${new Date(takenAtMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Which question was answered, where there are two. */
function questionLines({ from, question, cgroup, charged, rows }: FilesAnswer, width: number): string[] {
  if (from !== null && question.under !== null) return ['of the files that were found when it was taken'];
  if (cgroup === null) return [];
  const said = `files that processes in ${printable(cgroup)} map or have open, whoever brought them in; "charged" counts pages of them that are mapped there and charged to it.`;
  if (charged === null) return [wrapped(`${said} What it is charged for needs /proc/kpagecgroup.`, width)];
  const known = rows.reduce((sum, row) => sum + (row.chargedPages ?? 0), 0);
  const rest = `Charged to it, by the owner of each frame: ${pagesText(charged.pages)} of page cache, ${pagesText(charged.mappedPages)} of it mapped, ${pagesText(known)} in the files below.`;
  return [wrapped(said, width), wrapped(rest, width)];
}

const GAP = 2;
const LEAST_NAME = 16;
const LEAST_USERS = 8;

function fileTable(answer: FilesAnswer, rows: readonly FileRow[], width: number): string[] {
  if (rows.length === 0) return ['no file'];
  const columns = Object.values<Column>(COLUMNS).filter(({ from, value }) =>
    from === 'if any' ? rows.some((row) => (value(row) ?? 0) > 0) : width >= from,
  );
  const numbers = columns.map(({ head, value, text }) => {
    const cells = rows.map((row) => {
      const known = value(row);
      return known === null ? '–' : text(known);
    });
    const room = Math.max(head.length, ...cells.map((cell) => cell.length));
    return [head, ...cells].map((cell) => cell.padStart(room));
  });
  const taken = numbers.reduce((sum, cells) => sum + cells[0]!.length + GAP, 0);
  const names = commNames(answer.snapshot);
  const nobody = answer.snapshot.missing.some(({ what }) => what === 'maps') ? 'nobody seen' : 'nobody';
  const users = rows.map((row) => usersText(usersOf(row), names, width - taken > 70 ? 3 : 1) || nobody);
  const usersRoom = Math.min(Math.max(LEAST_USERS, ...users.map((text) => text.length)), 48);
  const nameRoom = Math.max(LEAST_NAME, width - taken - usersRoom - GAP);
  const line = (at: number, user: string, name: string) =>
    [...numbers.map((cells) => cells[at]!), cutEnd(user, usersRoom).padEnd(usersRoom), cut(name, nameRoom)].join('  ');
  const lines = [pc.bold(line(0, 'used by', 'file'))];
  rows.forEach((row, at) => {
    lines.push(line(at + 1, users[at]!, nameOf(row)).trimEnd());
    if (answer.withRanges) lines.push(...rangeLines(row, answer.from, width));
  });
  return lines;
}

function nameOf({ file }: FileRow): string {
  return `${printable(file.path)}${file.deleted ? ' (deleted)' : ''}`;
}

/** The end of a path says more than its beginning. */
function cut(text: string, room: number): string {
  return text.length <= room ? text : `…${text.slice(text.length - room + 1)}`;
}

function cutEnd(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
}

function commNames({ processes }: HostSnapshot): ReadonlyMap<number, string> {
  return new Map(processes.map(({ pid, comm }) => [pid, printable(comm)]));
}

function usersText(pids: readonly number[], names: ReadonlyMap<number, string>, most: number): string {
  const first = pids.slice(0, most).map((pid) => `${names.get(pid) ?? '?'} ${pid}`);
  if (pids.length > most) first.push(`+${pids.length - most}`);
  return first.join(', ');
}

/** Of one file. */
const RANGES_SHOWN = 8;

function rangeLines({ cached }: FileRow, from: string | null, width: number): string[] {
  if (cached === null || cached.cachedPages === 0) return [];
  if (cached.ranges === null)
    return [from === null ? '    which pages: not told' : '    which pages: not asked when it was taken'];
  const shown = cached.ranges
    .slice(0, RANGES_SHOWN)
    .map(([first, pages]) => (pages === 1 ? `${first}` : `${first}-${first + pages - 1}`));
  const more = cached.ranges.length - shown.length;
  const text = `pages ${shown.join(', ')}${more > 0 ? `, and ${plural(more, 'range')} more` : ''}`;
  return wrapped(text, width, '    ').split('\n');
}

/** What is missing when files that somebody uses were not found, or not asked. */
const BLIND = ['maps', 'mapped files', 'open files', 'open files of processes', 'files'];

function sumLines({ sums, snapshot }: FilesAnswer, width: number): string[] {
  if (sums === null) return [];
  const { found, frames } = sums;
  const isBlind = snapshot.missing.some(({ what }) => BLIND.includes(what));
  const rest = `that nobody maps, has open or named${isBlind ? ', or that we may not ask' : ''}`;
  const rows: [string, number][] = [
    ['Cached (/proc/meminfo)', sums.cachedPages],
    [`  ${plural(found.file.files, 'file')} found`, found.file.pages],
    [`  files ${rest}`, sums.restFilePages],
    [`  shared memory (Shmem): ${plural(found.shmem.files, 'file')} found`, found.shmem.pages],
    [`  shared memory ${rest}`, sums.restShmemPages],
    ['Buffers (/proc/meminfo)', sums.buffersPages],
    [`  ${plural(found.device.files, 'block device')} asked`, found.device.pages],
    ['  other block devices, or not allowed to ask', sums.restBuffersPages],
  ];
  const lines = ['', table(['does it add up?', 'pages', 'size'], rows.map(sumRow)).trimEnd()];
  if ([sums.restFilePages, sums.restShmemPages, sums.restBuffersPages].some((pages) => pages < 0))
    lines.push('below zero: what came or went between asking the files and reading meminfo');
  if (frames === null)
    return [...lines, ...(snapshot.frames === null ? ['frames (/proc/kpageflags): only as root'] : [])];
  const kinds: [string, number][] = [
    ['frames of the page cache (/proc/kpageflags)', frames.pages],
    ['  of files', frames.filePages],
    ['  of shared memory', frames.shmemPages],
    ['  mapped', frames.mappedPages],
    ['  active', frames.activePages],
    ['  inactive', frames.inactivePages],
    ['  unevictable', frames.unevictablePages],
    ['  dirty (of files)', frames.dirtyPages],
    ['  under writeback', frames.writebackPages],
    ['frames less Cached + Buffers when they were read', frames.difference],
  ];
  lines.push('', table(['frame by frame', 'pages', 'size'], kinds.map(sumRow)).trimEnd());
  if (frames.difference !== 0) lines.push(wrapped(DIFFERENCE, width));
  return lines;
}

const DIFFERENCE =
  "the difference: pages that came or went meanwhile, pages on their way to a list (each CPU keeps some), pages that are on no list while they are read, moved or freed, and what the kernel's counters of each CPU have not handed in yet";

function sumRow([name, pages]: [string, number]): string[] {
  const sign = pages < 0 ? '-' : '';
  return [name, grouped(pages), `${sign}${pagesText(Math.abs(pages))}`];
}

const MOST_HINTS = 5;
/** A rest of this share of Cached, or more, is worth a look. */
const BIG_SHARE = 0.05;

function hintLines({ sums, hints }: FilesAnswer, width: number): string[] {
  if (sums === null) return [];
  const rest = sums.restFilePages + sums.restShmemPages;
  if (rest < BIG_SHARE * sums.cachedPages) return [];
  const lines = [''];
  const owners = (sums.frames?.unmappedByCgroup ?? []).slice(0, MOST_HINTS);
  if (owners.length > 0) {
    const list = owners.map(({ cgroup, pages }) => `${printable(cgroup) || 'nobody'} ${pagesText(pages)}`).join(', ');
    lines.push(wrapped(`page cache that nobody maps, by the cgroup that is charged for it: ${list}`, width));
  }
  const places = hints
    .filter(({ usedBytes }) => usedBytes === null || usedBytes > 0)
    .slice(0, MOST_HINTS)
    .map(
      ({ path, type, usedBytes }) =>
        `${printable(path)} (${type}${usedBytes === null ? '' : `, ${formatSize(usedBytes)}`})`,
    );
  if (places.length > 0)
    lines.push(
      wrapped(`the rest is in files of these: ${places.join(', ')}; revmap files --host --dir DIR asks them`, width),
    );
  return lines;
}

export function filesJson(answer: FilesAnswer, rows: readonly FileRow[]): object {
  const { snapshot, sums, charged, cgroup, askedFiles, refused, hints } = answer;
  return {
    kernel: snapshot.kernel,
    takenAtMs: snapshot.takenAtMs,
    source: snapshot.source,
    cgroup,
    askedFiles,
    files: rows.map(rowJson),
    sums,
    charged,
    hints,
    refused,
    missing: snapshot.missing,
    changes: snapshot.changes,
  };
}

function rowJson({ file, cached, ...mapped }: FileRow): object {
  const { file: _row, otherFiles: _others, ...counts } = cached ?? UNKNOWN;
  return { ...file, ...counts, sizeBytes: cached === null ? null : sizeOf(cached), ...mapped };
}

const UNKNOWN = {
  file: 0,
  kind: null,
  sizeBytes: null,
  cachedPages: null,
  dirtyPages: null,
  writebackPages: null,
  evictedPages: null,
  recentlyEvictedPages: null,
  ranges: null,
  openBy: [],
  otherFiles: [],
};
