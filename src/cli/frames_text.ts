/** What `revmap frames` prints: tables of frames, and fragmentation. The picture is frame_map_text.ts's. */

import { type Fragmentation, HUGE_ORDER, type Pageblocks } from '../host/frames/fragmentation.ts';
import { FRAME_KINDS, type FrameKind } from '../host/frames/frame_kinds.ts';
import type { FlagRow, FrameTables } from '../host/frames/frames.ts';
import type { KernelPart, MeminfoRow } from '../host/frames/meminfo_sums.ts';
import { parseCounters, type ZoneText } from '../host/kernel_texts.ts';
import { formatSize } from '../lab/options.ts';
import { printable } from '../trace/error.ts';
import { grouped, plural, table, wrapped } from './output.ts';
import { pc } from './terminal.ts';

const FRAME_BYTES = 4096;
const LABELS = new Map(FRAME_KINDS.map(({ kind, label }) => [kind, label]));
/** Narrower than this, tables leave out what is least asked for. */
const NARROW = 100;
const OWNERS = 12;
/** Differences below both are a busy host's, and get no line of explanation. */
const FEW_FRAMES = 64;
const SMALL_SHARE = 0.01;

/** Names of tables, as `--by` takes them. */
export const TABLES = [
  'kind',
  'list',
  'zone',
  'mapcount',
  'cgroup',
  'age',
  'meminfo',
  'fragmentation',
  'flags',
] as const;
export type TableName = (typeof TABLES)[number];

export interface FramesShown {
  readonly tables: FrameTables;
  readonly fragmentation: Fragmentation;
  /** What the kernel's frames are; empty when a filter was given. */
  readonly kernel: readonly KernelPart[];
}

export function describeFrames(shown: FramesShown, by: readonly TableName[], raw: boolean, width: number): string {
  const { tables, fragmentation, kernel } = shown;
  const parts: Readonly<Record<TableName, () => string | null>> = {
    kind: () => kindsText(tables, width) + kernelText(kernel),
    list: () => section('by list', listsText(tables)),
    zone: () => section('by zone', zonesText(tables, width)),
    mapcount: () => section('by the number of page-table entries that map a frame', mapcountText(tables)),
    cgroup: () => section('by the cgroup that is charged', ownersText(tables, width)),
    age: () => agesText(tables),
    meminfo: () => (tables.meminfo === null ? null : meminfoText(tables.meminfo, width)),
    fragmentation: () => fragmentationText(fragmentation, width),
    flags: () => flagsText(raw ? tables.rawFlags : tables.flags, tables.frames),
  };
  const holes = tables.frames - tables.present;
  const without = holes === 0 ? '' : `; ${plural(holes, 'number')} without memory`;
  const head = `${pc.bold(plural(tables.present, 'frame'))} (${size(tables.present)})${without}`;
  return [head, ...by.map((name) => parts[name]()).filter((text) => text !== null)].join('\n\n');
}

function section(title: string, body: string): string {
  return `${pc.bold(title)}\n${body.trimEnd()}`;
}

function size(frames: number): string {
  return formatSize(frames * FRAME_BYTES);
}

export function kindLabel(kind: FrameKind): string {
  return LABELS.get(kind) ?? kind;
}

function numberOrDash(n: number): string {
  return n === 0 ? '–' : grouped(n);
}

function kindsText({ kinds, present }: FrameTables, width: number): string {
  const wide = width >= NARROW;
  const head = ['kind', 'frames', 'memory', '%', 'mapped', 'dirty', ...(wide ? ['active', 'unevictable'] : [])];
  const rows = kinds.map((row) => [
    kindLabel(row.kind),
    grouped(row.frames),
    size(row.frames),
    row.kind === 'hole' ? '–' : percent(row.frames, present),
    ...[row.mapped, row.dirty, ...(wide ? [row.active, row.unevictable] : [])].map(numberOrDash),
  ]);
  return section('by kind', table(head, rows));
}

function percent(part: number, whole: number): string {
  if (whole === 0) return '–';
  const share = (100 * part) / whole;
  return share > 0 && share < 0.05 ? '<0.1' : share.toFixed(1);
}

function kernelText(parts: readonly KernelPart[]): string {
  if (parts.length === 0) return '';
  const rows = parts.map(({ name, frames }) => [`  ${name}`, grouped(Math.round(frames))]);
  return `\n\n${section("the kernel's frames, by its own counters", table(['part', 'frames'], rows))}`;
}

function listsText({ lists }: FrameTables): string {
  return table(
    ['list', 'frames', 'memory'],
    lists.map(({ list, frames }) => [list, grouped(frames), size(frames)]),
  );
}

/** Kinds that a table of few columns adds. */
const GROUPS: ReadonlyArray<readonly [head: string, kinds: readonly FrameKind[]]> = [
  ['free', ['free']],
  ['anonymous', ['anon', 'anon_huge', 'ksm']],
  ['file', ['file', 'file_mapped']],
  ['shmem', ['shmem']],
  ['slab', ['slab']],
];

function grouping(kinds: Readonly<Partial<Record<FrameKind, number>>>, groups: typeof GROUPS): string[] {
  const sums = groups.map(([, members]) => members.reduce((sum, kind) => sum + (kinds[kind] ?? 0), 0));
  const all = Object.values(kinds).reduce((sum, n) => sum + n, 0) - (kinds.hole ?? 0);
  return [...sums, all - sums.reduce((sum, n) => sum + n, 0)].map(numberOrDash);
}

function zonesText({ zones }: FrameTables, width: number): string {
  const groups = width >= NARROW ? GROUPS : GROUPS.slice(0, 3);
  const place = width >= NARROW ? ['first frame', 'spanned'] : [];
  const head = ['zone', ...place, 'present', 'managed', ...groups.map(([name]) => name), 'other'];
  const rows = zones.map((row) => [
    row.zone === null ? 'in no zone' : `${row.node}:${printable(row.zone)}`,
    ...(place.length === 0 ? [] : [row.zone === null ? '–' : `0x${row.startPfn.toString(16)}`, grouped(row.spanned)]),
    ...[row.present, row.managed].map(numberOrDash),
    ...grouping(row.kinds, groups),
  ]);
  return table(head, rows);
}

function mapcountText({ mapcounts }: FrameTables): string {
  const groups = GROUPS.slice(1, 4);
  const rows = mapcounts.map(({ from, to, frames, kinds }) => [
    from === to ? grouped(from) : `${grouped(from)}-${grouped(to)}`,
    grouped(frames),
    ...grouping(kinds, groups),
  ]);
  return table(['mapped', 'frames', ...groups.map(([name]) => name), 'other'], rows);
}

function ownersText({ owners }: FrameTables, width: number): string {
  const groups = width >= NARROW ? GROUPS.slice(1) : GROUPS.slice(1, 3);
  const room = Math.max(16, Math.min(width, 120) - 26 - 12 * (groups.length + 1));
  const rows = owners
    .slice(0, OWNERS)
    .map(({ cgroup, frames, kinds }) => [
      shortened(cgroup === null ? 'nobody' : printable(cgroup), room),
      grouped(frames),
      size(frames),
      ...grouping(kinds, groups),
    ]);
  const more = owners.length > OWNERS ? `and ${plural(owners.length - OWNERS, 'smaller one')}` : '';
  return `${table(['cgroup', 'frames', 'memory', ...groups.map(([name]) => name), 'other'], rows)}${more}`;
}

/** The end of a long name says more than its beginning. */
export function shortened(text: string, room: number): string {
  return text.length > room ? `…${text.slice(1 - room)}` : text;
}

function agesText({ ages }: FrameTables): string | null {
  if (ages === null) return null;
  const rows = ages
    .filter(({ idle }) => idle > 0)
    .map(({ kind, idle, rest }) => [kindLabel(kind), grouped(idle), size(idle), grouped(rest)]);
  return section(
    'by age: not used since somebody (DAMON, page_idle) set the idle bit',
    table(['kind', 'idle', 'memory', 'used'], rows),
  );
}

function meminfoText(rows: readonly MeminfoRow[], width: number): string {
  const differing = rows.filter(
    ({ difference, kernel }) => Math.abs(difference) > Math.max(FEW_FRAMES, SMALL_SHARE * kernel),
  );
  const body = table(
    ['meminfo', 'counted', 'kernel', 'difference'],
    rows.map(({ fields, counted, kernel, difference }) => [
      fields.join(' + '),
      grouped(counted),
      grouped(Math.round(kernel)),
      difference === 0 ? '–' : signed(Math.round(difference)),
    ]),
  );
  const why = differing.map(({ fields, counts, differs }) =>
    wrapped(`${fields.join(' + ')}: counted is ${counts}; not the same: ${differs}`, Math.min(width, 120), '  '),
  );
  return [section("beside the kernel's own sums, in frames; read after the frames", body), ...why].join('\n');
}

export function signed(n: number): string {
  return n > 0 ? `+${grouped(n)}` : grouped(n);
}

/** page-types' table, most frames first. */
function flagsText(rows: readonly FlagRow[], frames: number): string {
  const mb = (n: number) => String(Math.floor((n * FRAME_BYTES) / 2 ** 20)).padStart(8);
  const count = (n: number) => String(n).padStart(10);
  return [
    `${'flags'.padStart(18)}\tpage-count       MB  symbolic-flags\t\t\t\tlong-symbolic-flags`,
    ...rows.map(({ word, frames: n, letters, names }) => `${word}\t${count(n)} ${mb(n)}  ${letters}\t${names}`),
    `${'total'.padStart(18)}\t${count(frames)} ${mb(frames)}`,
  ].join('\n');
}

function thousandths(n: number): string {
  return n === -1000 ? '–' : (n / 1000).toFixed(3);
}

/** One blank between columns, where many have to fit. */
function compactTable(head: string[], rows: string[][]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join(' ');
  return all.map((row) => ` ${line(row)}\n`).join('');
}

function fragmentationText(fragmentation: Fragmentation, width: number): string {
  const { zones, hugeShare, pageblocks, folios, migrateTypes } = fragmentation;
  const parts: string[] = [];
  if (zones.length > 0) {
    const orders = zones[0]!.blocks.map((_, order) => order);
    const wide = width >= NARROW;
    const row = (name: string, cells: string[]) => [name, ...cells];
    // In 80 characters, eleven columns have no room for commas and decimals.
    const counts = (list: readonly number[]) => list.map((n) => (wide || n === 0 ? numberOrDash(n) : String(n)));
    const shares = (list: readonly number[]) =>
      list.map((n) => (wide ? (n / 1000).toFixed(2) : String(Math.round(n / 10))));
    const rows = zones.flatMap(({ node, zone, blocks, counted, unusable, index }) => [
      row(`${node}:${printable(zone)}${wide ? ' blocks' : ''}`, counts(blocks)),
      ...(counted === null || counted.join() === blocks.join() ? [] : [row('  counted', counts(counted))]),
      row(wide ? '  unusable' : '  % unus.', shares(unusable)),
      ...(index.some((n) => n !== -1000) ? [row('  index', index.map(thousandths))] : []),
    ]);
    const draw = wide ? table : compactTable;
    parts.push(section('free blocks by order', draw(['order', ...orders.map(String)], rows)));
    const share = hugeShare === null ? '–' : `${(100 * hugeShare).toFixed(1)} %`;
    const huge = zones.reduce((sum, zone) => sum + zone.hugeFrames, 0);
    parts.push(
      `${share} of free memory (${size(huge)}) is in blocks of order ${HUGE_ORDER} (a huge page) or more.`,
      wrapped(
        'unusable: the part of free memory in smaller blocks. index: why a request of this order would fail, 0 no memory, 1 in pieces.',
        width,
      ),
    );
  }
  if (pageblocks !== null) parts.push('', pageblocksText(pageblocks, fragmentation.perCpuFree));
  if (folios !== null && folios.length > 0) {
    const most = Math.max(...folios.map(({ orders }) => orders.length));
    const orders = Array.from({ length: most - 1 }, (_, i) => i + 1);
    const rows = folios.map(({ kind, orders: counts }) => [
      width >= NARROW ? kindLabel(kind) : kind,
      ...orders.map((order) => numberOrDash(counts[order] ?? 0)),
    ]);
    parts.push(
      '',
      section('large folios and other compound pages by order', table(['in use as', ...orders.map(String)], rows)),
    );
  }
  if (migrateTypes !== null) {
    const rows = migrateTypes.flatMap(({ node, zone, types }) =>
      types
        .filter(({ pageblocks: n, freeBlocks }) => n > 0 || freeBlocks.some((blocks) => blocks > 0))
        .map(({ type, freeBlocks, pageblocks: n }) => [
          `${node}:${printable(zone)} ${printable(type)}`,
          grouped(n),
          size(freeBlocks.reduce((sum, blocks, order) => sum + blocks * 2 ** order, 0)),
        ]),
    );
    parts.push('', section('by migrate type', table(['pageblocks of', 'blocks', 'free'], rows)));
  }
  return parts.join('\n');
}

const CLASS_LABELS = {
  free: 'free',
  movable: 'could be freed by compaction: free or movable frames only',
  huge: 'one huge page or large folio',
  blocked: 'blocked by frames that cannot be moved',
  deferred: 'not given to a zone yet',
  partial: 'partly no memory, or in two zones',
} as const;

function pageblocksText(pageblocks: Pageblocks, perCpuFree: number): string {
  const { total, classes, blockers, mixed, mixedMovableFrames, nearlyMovable } = pageblocks;
  const rows = (Object.keys(CLASS_LABELS) as (keyof typeof CLASS_LABELS)[])
    .filter((name) => classes[name] > 0)
    .map((name) => [CLASS_LABELS[name], grouped(classes[name]), percent(classes[name], total)]);
  const blocked = blockers.map(({ kind, blocks, alone, frames }) => [
    `  by ${kindLabel(kind)}`,
    ...[blocks, alone, frames].map(numberOrDash),
  ]);
  const text = section(`${plural(total, 'block')} of 2 MiB`, table(['block', 'blocks', '%'], rows));
  if (blocked.length === 0) return text;
  return [
    text,
    '',
    section('blocked', table(['blocked', 'blocks', 'by it alone', 'frames'], blocked)),
    `${grouped(mixed)} of them also hold movable frames (${size(mixedMovableFrames)}).`,
    `${grouped(nearlyMovable)} are blocked by 8 frames or fewer.`,
    ...(perCpuFree === 0
      ? []
      : [
          `Of the kernel's frames, ${grouped(perCpuFree)} are free on the lists of CPUs: their blocks only look blocked.`,
        ]),
  ].join('\n');
}

/** What is left to say when /proc/kpageflags may not be read: the kernel's own sums. */
export function describeWithoutFrames(
  zones: readonly ZoneText[],
  meminfo: string | undefined,
  fragmentation: Fragmentation,
  width: number,
): string {
  const fields = ['MemTotal', 'MemFree', 'AnonPages', 'Cached', 'Buffers', 'Mapped', 'Shmem', 'Slab', 'PageTables'];
  const known = parseCounters(meminfo);
  const sums = fields.filter((field) => known.has(field)).map((field) => [field, formatSize(known.get(field)! * 1024)]);
  const rows = zones.map(({ node, zone, present, managed, free, min, low, high }) => [
    `${node}:${printable(zone)}`,
    ...[present, managed, free, min, low, high].map(grouped),
  ]);
  return [
    'The frames themselves cannot be read (that takes root). What the kernel says of them as a whole:',
    section('meminfo', table(['field', 'memory'], sums)),
    section('zones', table(['zone', 'present', 'managed', 'free', 'min', 'low', 'high'], rows)),
    fragmentationText(fragmentation, width),
  ].join('\n\n');
}
