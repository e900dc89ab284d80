/** What `revmap diff` prints: what changed, the largest change first. */

import { isEqual, type SnapshotDiff } from '../host/diff/diff.ts';
import type { PageChange, PageChanges } from '../host/diff/diff_entries.ts';
import type { Change, NamedPair, Pair } from '../host/diff/diff_pair.ts';
import type { FrameKind } from '../host/frames/frame_kinds.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { formatSize } from '../lab/options.ts';
import { printable } from '../trace/error.ts';
import { kindLabel, shortened, signed } from './frames_text.ts';
import { grouped, plural, table, wrapped } from './output.ts';
import { pc } from './terminal.ts';

const PAGE_BYTES = 4096;
const NARROW = 100;

const PAGE_WORDS: Readonly<Record<PageChange, string>> = {
  moved: 'at another frame: migrated, or given back, touched anew',
  copied: 'were shared, are copies of their own',
  shared: 'were their own, are shared: forked, merged',
  file_moved: 'of a file, at another frame: read again, or migrated',
  file_to_anon: 'of a file, now a private copy',
  anon_to_file: "private copies that are the file's again",
  swapped_out: 'swapped out',
  swapped_in: 'swapped in',
  swap_moved: 'at another place of swap',
  swap_dropped: 'given back while in swap',
  swap_appeared: 'touched and swapped out since',
  dropped: 'given back, or taken by reclaim',
  touched: 'touched for the first time',
};

const MARKS: Readonly<Record<Change, string>> = { came: '+', went: '-', changed: ' ' };

export function describeDiff(a: HostSnapshot, b: HostSnapshot, diff: SnapshotDiff, top: number, width: number): string {
  const unlike = diff.unlike.map((part) => unlikeText(part, a, b));
  const head = `A  ${nameOf(a)}\nB  ${nameOf(b)}, ${elapsed(diff.seconds)}`;
  if (isEqual(diff)) return `${head}\nno difference`;
  const sections = [
    processesText(diff, top, width),
    pagesText(diff.pages),
    mappingsText(diff, top, width),
    filesText(diff, top, width),
    framesText(diff, top, width),
    pairsText('cgroups (charged)', diff.cgroups, top, width, formatSize),
    pairsText('meminfo', diff.meminfo, top, width, (kb) => formatSize(kb * 1024)),
    vmstatText(diff, top),
    fragmentationText(diff),
  ].filter((text) => text !== '');
  return [[head, ...unlike].join('\n'), ...sections].join('\n\n');
}

function nameOf({ hostname, kernel, takenAtMs, source }: HostSnapshot): string {
  const when = new Date(takenAtMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
  const what = source === 'machine' ? 'a simulated machine' : printable(hostname) || 'a host without name';
  return `${what}, Linux ${printable(kernel)}${source === 'machine' ? '' : `, ${when}`}`;
}

function elapsed(seconds: number): string {
  if (seconds < 0) return `${plural(Math.round(-seconds), 'second')} older than A`;
  return `${plural(Math.round(seconds * 10) / 10, 'second')} later`;
}

function unlikeText(part: SnapshotDiff['unlike'][number], a: HostSnapshot, b: HostSnapshot): string {
  const of = { hostname: 'hosts', kernel: 'kernels', boot: 'boots', source: 'kinds of machine' }[part];
  const values = {
    hostname: `${printable(a.hostname)}, ${printable(b.hostname)}`,
    kernel: `${printable(a.kernel)}, ${printable(b.kernel)}`,
    boot: 'it started again in between',
    source: `${a.source}, ${b.source}`,
  }[part];
  return `These are two ${of} (${values}): processes are compared by name, single pages and frames not at all.`;
}

function section(title: string, body: string, left: number): string {
  const more = left > 0 ? `\nand ${plural(left, 'smaller change')}` : '';
  return `${pc.bold(title)}\n${body.trimEnd()}${more}`;
}

function delta({ before, after }: Pair, show: (n: number) => string): string {
  const n = after - before;
  return n === 0 ? '–' : `${n > 0 ? '+' : '-'}${show(Math.abs(n))}`;
}

const kb = (n: number) => formatSize(n * 1024);
const pages = (n: number) => formatSize(n * PAGE_BYTES);

function processesText({ processes }: SnapshotDiff, top: number, width: number): string {
  if (processes.length === 0) return '';
  const wide = width >= NARROW;
  const rows = processes
    .slice(0, top)
    .map(({ change, pid, comm, rss, pss, swap, replaced, processes: count, pages: of }) => [
      `${MARKS[change]} ${shortened(printable(comm), 20)}${replaced ? ' (pid used again)' : ''}`,
      pid === null ? `${grouped(count.before)} → ${grouped(count.after)}` : String(pid),
      rss === null ? '–' : kb(rss.after),
      ...[rss, pss, swap].map((pair) => (pair === null ? '–' : delta(pair, kb))),
      ...(wide ? [grouped((of.moved ?? 0) + (of.file_moved ?? 0)), grouped(of.copied ?? 0)] : []),
    ]);
  const counts = (change: Change) => processes.filter((row) => row.change === change).length;
  const title = `processes: ${counts('came')} came, ${counts('went')} went, ${counts('changed')} changed`;
  const head = ['process', 'pid', 'RSS now', 'RSS', 'PSS', 'swap', ...(wide ? ['moved', 'copied'] : [])];
  return section(title, table(head, rows), processes.length - top);
}

function pagesText(changes: PageChanges | null): string {
  const rows = Object.entries(changes ?? {}) as [PageChange, number][];
  if (rows.length === 0) return '';
  const sorted = rows.sort(([, x], [, y]) => y - x);
  const body = table(
    ['pages of mappings in both', 'pages', 'memory'],
    sorted.map(([change, n]) => [PAGE_WORDS[change], grouped(n), pages(n)]),
  );
  return section('what happened to pages', body, 0);
}

function mappingsText({ mappings }: SnapshotDiff, top: number, width: number): string {
  if (mappings === null || mappings.length === 0) return '';
  const room = Math.max(16, Math.min(width, 140) - 60);
  const rows = mappings
    .slice(0, top)
    .map(({ change, pid, comm, name, startPage, pages: space, present }) => [
      `${MARKS[change]} ${shortened(printable(name) || 'anonymous', room)}`,
      `${shortened(printable(comm), 16)} ${pid}`,
      (startPage * PAGE_BYTES).toString(16),
      delta(space, pages),
      delta(present, pages),
    ]);
  return section('mappings', table(['mapping', 'of', 'at', 'size', 'present'], rows), mappings.length - top);
}

function filesText({ files }: SnapshotDiff, top: number, width: number): string {
  if (files.length === 0) return '';
  const room = Math.max(24, Math.min(width, 140) - 40);
  const rows = files
    .slice(0, top)
    .map(({ path, mapped, cached }) => [
      shortened(printable(path), room),
      cached === null ? '–' : delta(cached, pages),
      delta(mapped, grouped),
    ]);
  return section('files', table(['file', 'cached', 'mapped by entries'], rows), files.length - top);
}

function framesText({ frames }: SnapshotDiff, top: number, width: number): string {
  if (frames === null) return '';
  const { kinds, flags, owners, kindMoves, ownerMoves } = frames;
  const named = (list: readonly NamedPair[]) =>
    list.map((pair) => ({ ...pair, name: kindLabel(pair.name as FrameKind) }));
  // Two names, an arrow, two numbers.
  const room = Math.floor((Math.min(width, 140) - 32) / 2);
  const path = (name: string | null) => (name === null || name === '' ? 'nobody' : printable(name));
  const parts = [
    pairsText('frames by kind', named(kinds), top, width, grouped),
    movesText('frames that are another kind', kindMoves ?? [], top, (kind) => shortened(kindLabel(kind), room)),
    pairsText('frames by flag', flags, top, width, grouped),
    pairsText(
      'frames by owner',
      owners.map((pair) => ({ ...pair, name: path(pair.name) })),
      top,
      width,
      grouped,
    ),
    movesText('frames that have another owner', ownerMoves ?? [], top, (name) => shortened(path(name), room)),
  ];
  return parts.filter((text) => text !== '').join('\n\n');
}

function movesText<T>(
  title: string,
  moves: readonly { readonly from: T; readonly to: T; readonly frames: number }[],
  top: number,
  name: (of: T) => string,
): string {
  if (moves.length === 0) return '';
  const rows = moves
    .slice(0, top)
    .map(({ from, to, frames }) => [`${name(from)} → ${name(to)}`, grouped(frames), pages(frames)]);
  const all = moves.reduce((sum, { frames }) => sum + frames, 0);
  return section(`${title}: ${grouped(all)}`, table(['from → to', 'frames', 'memory'], rows), moves.length - top);
}

function pairsText(
  title: string,
  pairs: readonly NamedPair[],
  top: number,
  width: number,
  show: (n: number) => string,
): string {
  if (pairs.length === 0) return '';
  const room = Math.max(24, Math.min(width, 140) - 48);
  const rows = pairs
    .slice(0, top)
    .map((pair) => [shortened(printable(pair.name), room), show(pair.before), show(pair.after), delta(pair, show)]);
  return section(title, table(['', 'before', 'after', 'change'], rows), pairs.length - top);
}

function vmstatText({ vmstat }: SnapshotDiff, top: number): string {
  const counters = vmstat.filter(({ isLevel }) => !isLevel);
  if (counters.length === 0) return '';
  const rows = counters
    .slice(0, top)
    .map(({ name, before, after, perSecond }) => [
      printable(name),
      signed(after - before),
      perSecond === null ? '–' : perSecond.toFixed(1),
    ]);
  return section('vmstat: events', table(['counter', 'events', 'a second'], rows), counters.length - top);
}

function fragmentationText({ zones, pageblocks }: SnapshotDiff): string {
  const parts: string[] = [];
  if (zones.length > 0) {
    const rows = zones.map(({ node, zone, free, huge }) => [
      `${node}:${printable(zone)}`,
      pages(free.after),
      delta(free, pages),
      pages(huge.after),
      delta(huge, pages),
    ]);
    parts.push(section('free memory', table(['zone', 'free now', 'change', 'in huge blocks', 'change'], rows), 0));
  }
  if (pageblocks.length > 0) {
    const list = pageblocks.map((pair) => `${pair.name} ${signed(pair.after - pair.before)}`).join(', ');
    parts.push(wrapped(`2 MiB blocks: ${list}`, 100));
  }
  return parts.join('\n');
}
