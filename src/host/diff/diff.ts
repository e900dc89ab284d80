/**
 * What changed on a host between two snapshots.
 *
 * Promises  1. A snapshot does not differ from itself; the way back is the same list with before and after swapped.
 *           2. What only one boot of one host can tell (frames, page-table entries, a pid) is null or by name where the two are not
 *              of one boot, and `unlike` says why.
 *           3. Lists are whole, the largest change first; what did not change is not in them.
 */

import { type BlockClass, fragmentationOf, pageblocksOf } from '../frames/fragmentation.ts';
import { wordOf } from '../frames/frame_filter.ts';
import { FRAME_KINDS, type FrameKind, type FrameKinds } from '../frames/frame_kinds.ts';
import { expandedFlags, flagNames } from '../frames/frame_words.ts';
import { frameKinds } from '../frames/frames.ts';
import { parseCounters } from '../kernel_texts.ts';
import { ENTRY_SWAP, type HostSnapshot, NO_CGROUP } from '../snapshot.ts';
import { PAGE_CHANGES, type PageChange, type PageChanges } from './diff_entries.ts';
import { byChange, diffCounts, type NamedPair, type Pair } from './diff_pair.ts';
import { diffMappings, diffProcesses, type MappingChange, type ProcessChange } from './diff_processes.ts';

export interface FileChange {
  readonly path: string;
  /** Page-table entries that show a page of it. */
  readonly mapped: Pair;
  /** Null where the page cache was not asked for. */
  readonly cached: Pair | null;
}

export interface FrameMove<T> {
  readonly from: T;
  readonly to: T;
  readonly frames: number;
}

export interface FramesDiff {
  readonly kinds: readonly NamedPair[];
  readonly flags: readonly NamedPair[];
  readonly owners: readonly NamedPair[];
  /** Of the same frame, then and now. Null if the frames are not the same ones. */
  readonly kindMoves: readonly FrameMove<FrameKind>[] | null;
  /** Paths; null is nobody. */
  readonly ownerMoves: readonly FrameMove<string | null>[] | null;
}

export interface RatePair extends NamedPair {
  /** What there is (nr_free_pages), and not what happened so far. */
  readonly isLevel: boolean;
  /** Null for a level, and if no time passed. */
  readonly perSecond: number | null;
}

export interface ZoneDiff {
  readonly node: number;
  readonly zone: string;
  readonly free: Pair;
  /** Frames in free blocks of a huge page or more. */
  readonly huge: Pair;
}

export interface SnapshotDiff {
  /** From A to B; less than 0 if B is the older one. */
  readonly seconds: number;
  /** In what they are not of one kind: 'hostname', 'kernel', 'boot', 'source'. */
  readonly unlike: readonly ('hostname' | 'kernel' | 'boot' | 'source')[];
  readonly processes: readonly ProcessChange[];
  /** Null if the two are not of one boot. */
  readonly mappings: readonly MappingChange[] | null;
  /** All processes' pages together; null likewise. */
  readonly pages: PageChanges | null;
  readonly files: readonly FileChange[];
  /** Null if one has no frames. */
  readonly frames: FramesDiff | null;
  /** Bytes that each cgroup is charged with. */
  readonly cgroups: readonly NamedPair[];
  /** kB, or pages of hugetlb. */
  readonly meminfo: readonly NamedPair[];
  readonly vmstat: readonly RatePair[];
  readonly zones: readonly ZoneDiff[];
  readonly pageblocks: readonly (Pair & { readonly name: BlockClass })[];
}

export function diffSnapshots(a: HostSnapshot, b: HostSnapshot): SnapshotDiff {
  const seconds = (b.takenAtMs - a.takenAtMs) / 1000;
  const unlike = unlikeParts(a, b);
  const sameBoot = unlike.length === 0;
  const processes = diffProcesses(a, b, sameBoot);
  const kindsA = frameKinds(a);
  const kindsB = frameKinds(b);
  return {
    seconds,
    unlike,
    processes,
    mappings: sameBoot ? diffMappings(a, b) : null,
    pages: sameBoot ? addedUp(processes) : null,
    files: diffFiles(a, b, sameBoot),
    frames: kindsA === null || kindsB === null ? null : diffFrames(a, kindsA, b, kindsB, sameBoot),
    cgroups: diffCounts(charged(a), charged(b)),
    meminfo: diffCounts(parseCounters(a.texts.get('meminfo')), parseCounters(b.texts.get('meminfo'))),
    vmstat: diffCounts(parseCounters(a.texts.get('vmstat')), parseCounters(b.texts.get('vmstat'))).map((pair) => ({
      ...pair,
      isLevel: isLevel(pair.name),
      perSecond: seconds === 0 || isLevel(pair.name) ? null : (pair.after - pair.before) / seconds,
    })),
    ...diffFragmentation(a, kindsA, b, kindsB),
  };
}

/** Named like a level, and yet counts since boot; and the one level that is named like a count. */
const EVENTS = /^nr_(dirtied|written|vmscan_|throttled_written|foll_pin_)/;
const LEVEL = 'workingset_nodes';

function isLevel(name: string): boolean {
  return name === LEVEL || (name.startsWith('nr_') && !EVENTS.test(name));
}

/** Nothing at all is different. */
export function isEqual(diff: SnapshotDiff): boolean {
  const { processes, mappings, pages, files, frames, cgroups, meminfo, vmstat, zones, pageblocks, unlike } = diff;
  const lists = [processes, mappings ?? [], files, cgroups, meminfo, vmstat, zones, pageblocks, unlike];
  const ofFrames = frames === null ? [] : [frames.kinds, frames.flags, frames.owners, frames.kindMoves ?? []];
  const empty = [...lists, ...ofFrames, frames?.ownerMoves ?? []].every((list) => list.length === 0);
  return empty && Object.keys(pages ?? {}).length === 0;
}

/** More than clocks are set by, and snapshots take. */
const BOOT_TOLERANCE_MS = 30_000;

function unlikeParts(a: HostSnapshot, b: HostSnapshot): SnapshotDiff['unlike'] {
  const parts: SnapshotDiff['unlike'][number][] = [];
  if (a.source !== b.source) parts.push('source');
  // A redacted one has no name.
  if (a.hostname !== b.hostname && a.hostname !== '' && b.hostname !== '') parts.push('hostname');
  if (a.kernel !== b.kernel) parts.push('kernel');
  const [bootA, bootB] = [bootMs(a), bootMs(b)];
  if (bootA !== null && bootB !== null && Math.abs(bootA - bootB) > BOOT_TOLERANCE_MS) parts.push('boot');
  return parts;
}

function bootMs({ texts, takenAtMs, tookMs }: HostSnapshot): number | null {
  const seconds = Number.parseFloat(texts.get('uptime') ?? '');
  return Number.isNaN(seconds) ? null : takenAtMs + tookMs - 1000 * seconds;
}

function addedUp(processes: readonly ProcessChange[]): PageChanges {
  const sums: Partial<Record<PageChange, number>> = {};
  for (const { pages } of processes) {
    for (const change of PAGE_CHANGES) {
      const n = pages[change];
      if (n !== undefined) sums[change] = (sums[change] ?? 0) + n;
    }
  }
  return sums;
}

interface FileSums {
  readonly path: string;
  mapped: number;
  cached: number | null;
}

function diffFiles(a: HostSnapshot, b: HostSnapshot, sameBoot: boolean): FileChange[] {
  const before = fileSums(a, sameBoot);
  const after = fileSums(b, sameBoot);
  const changes: FileChange[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(key), after.get(key)];
    const mapped = { before: was?.mapped ?? 0, after: is?.mapped ?? 0 };
    const asked = a.cache !== null && b.cache !== null;
    const cached = asked ? { before: was?.cached ?? 0, after: is?.cached ?? 0 } : null;
    if (mapped.before === mapped.after && (cached === null || cached.before === cached.after)) continue;
    changes.push({ path: (is ?? was!).path, mapped, cached });
  }
  return changes.sort(
    (x, y) =>
      byChange(x.cached ?? x.mapped, y.cached ?? y.mapped) ||
      byChange(x.mapped, y.mapped) ||
      (x.path < y.path ? -1 : 1),
  );
}

function fileSums({ files, vmas, entries, cache }: HostSnapshot, byInode: boolean): Map<string, FileSums> {
  const sums = files.map(({ path }): FileSums => ({ path, mapped: 0, cached: null }));
  for (let vma = 0; vma < vmas.count; vma++) {
    const file = sums[vmas.file[vma]!];
    if (file === undefined) continue;
    for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++)
      if ((entries.bits[row]! & ENTRY_SWAP) === 0) file.mapped += 1;
  }
  for (const { file, cachedPages } of cache ?? []) {
    const sum = sums[file];
    if (sum !== undefined) sum.cached = (sum.cached ?? 0) + cachedPages;
  }
  const byKey = new Map<string, FileSums>();
  files.forEach(({ device, inode, path }, row) => {
    const key = byInode ? `${device} ${inode}` : path;
    const known = byKey.get(key);
    const sum = sums[row]!;
    if (known === undefined) byKey.set(key, sum);
    else {
      known.mapped += sum.mapped;
      known.cached = known.cached === null && sum.cached === null ? null : (known.cached ?? 0) + (sum.cached ?? 0);
    }
  });
  return byKey;
}

function diffFrames(
  a: HostSnapshot,
  kindsA: FrameKinds,
  b: HostSnapshot,
  kindsB: FrameKinds,
  sameBoot: boolean,
): FramesDiff {
  const same = sameBoot && kindsA.frames.count === kindsB.frames.count;
  return {
    kinds: diffCounts(byKind(kindsA), byKind(kindsB)),
    flags: diffCounts(byFlag(kindsA), byFlag(kindsB)),
    owners: diffCounts(byOwner(a, kindsA), byOwner(b, kindsB)),
    kindMoves: same ? kindMoves(kindsA, kindsB) : null,
    ownerMoves: same ? ownerMoves(a, kindsA, b, kindsB) : null,
  };
}

function byKind({ kind }: FrameKinds): Map<string, number> {
  const sums = new Float64Array(FRAME_KINDS.length);
  for (let pfn = 0; pfn < kind.length; pfn++) sums[kind[pfn]!]! += 1;
  return new Map(FRAME_KINDS.map((facts, place) => [facts.kind, sums[place]!]));
}

function byFlag({ frames: { word, count, wordsLow, wordsHigh } }: FrameKinds): Map<string, number> {
  const sums = new Float64Array(wordsLow.length);
  for (let pfn = 0; pfn < count; pfn++) sums[word[pfn]!]! += 1;
  const flags = new Map<string, number>();
  wordsLow.forEach((low, row) => {
    for (const name of flagNames(expandedFlags(wordOf(low, wordsHigh[row]!))).split(','))
      if (name !== '') flags.set(name, (flags.get(name) ?? 0) + sums[row]!);
  });
  return flags;
}

const NOBODY = '';

function byOwner({ cgroups }: HostSnapshot, { frames: { cgroup, count } }: FrameKinds): Map<string, number> {
  // The last row is NO_CGROUP, and what the list of cgroups does not know.
  const sums = new Float64Array(cgroups.length + 1);
  for (let pfn = 0; pfn < count; pfn++) sums[Math.min(cgroup[pfn]!, cgroups.length)]! += 1;
  const owners = new Map<string, number>();
  sums.forEach((frames, row) => {
    const path = cgroups[row]?.path ?? NOBODY;
    owners.set(path, (owners.get(path) ?? 0) + frames);
  });
  return owners;
}

function kindMoves({ kind: was }: FrameKinds, { kind: is }: FrameKinds): FrameMove<FrameKind>[] {
  const kinds = FRAME_KINDS.length;
  const matrix = new Float64Array(kinds * kinds);
  for (let pfn = 0; pfn < was.length; pfn++) matrix[was[pfn]! * kinds + is[pfn]!]! += 1;
  const moves: FrameMove<FrameKind>[] = [];
  matrix.forEach((frames, place) => {
    const from = Math.floor(place / kinds);
    const to = place % kinds;
    if (frames > 0 && from !== to) moves.push({ from: FRAME_KINDS[from]!.kind, to: FRAME_KINDS[to]!.kind, frames });
  });
  return moves.sort(byFrames);
}

/** Ties stand in an order that is the same with the two snapshots swapped. */
function byFrames<T extends string | null>(x: FrameMove<T>, y: FrameMove<T>): number {
  const key = ({ from, to }: FrameMove<T>) => [from ?? '', to ?? ''].sort().join('\n');
  return y.frames - x.frames || (key(x) < key(y) ? -1 : key(x) > key(y) ? 1 : 0);
}

function ownerMoves(
  a: HostSnapshot,
  { frames: was }: FrameKinds,
  b: HostSnapshot,
  { frames: is }: FrameKinds,
): FrameMove<string | null>[] {
  const counts = new Map<number, number>();
  for (let pfn = 0; pfn < was.count; pfn++) {
    const place = was.cgroup[pfn]! * (NO_CGROUP + 1) + is.cgroup[pfn]!;
    // The next frame most often has the same owners: the map is asked once for each run.
    let run = 1;
    while (pfn + 1 < was.count && was.cgroup[pfn + 1]! * (NO_CGROUP + 1) + is.cgroup[pfn + 1]! === place) {
      pfn += 1;
      run += 1;
    }
    counts.set(place, (counts.get(place) ?? 0) + run);
  }
  const moves = new Map<string, FrameMove<string | null>>();
  for (const [place, frames] of counts) {
    const from = a.cgroups[Math.floor(place / (NO_CGROUP + 1))]?.path ?? null;
    const to = b.cgroups[place % (NO_CGROUP + 1)]?.path ?? null;
    const key = `${from}\n${to}`;
    if (from !== to) moves.set(key, { from, to, frames: frames + (moves.get(key)?.frames ?? 0) });
  }
  return [...moves.values()].sort(byFrames);
}

/** memory.current of version 2, memory.usage_in_bytes of version 1. */
function charged({ cgroups }: HostSnapshot): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const { path, texts } of cgroups) {
    const text = texts.get('memory.current') ?? texts.get('memory.usage_in_bytes');
    if (text !== undefined) bytes.set(path, Number.parseInt(text, 10) || 0);
  }
  return bytes;
}

function diffFragmentation(
  a: HostSnapshot,
  kindsA: FrameKinds | null,
  b: HostSnapshot,
  kindsB: FrameKinds | null,
): Pick<SnapshotDiff, 'zones' | 'pageblocks'> {
  // The kernel's own counts of blocks are enough.
  const [was, is] = [fragmentationOf(a, null), fragmentationOf(b, null)];
  const zones: ZoneDiff[] = [];
  for (const now of is.zones) {
    const then = was.zones.find(({ node, zone }) => node === now.node && zone === now.zone);
    if (then === undefined || then.blocks.join() === now.blocks.join()) continue;
    zones.push({
      node: now.node,
      zone: now.zone,
      free: { before: then.freeFrames, after: now.freeFrames },
      huge: { before: then.hugeFrames, after: now.hugeFrames },
    });
  }
  if (kindsA === null || kindsB === null) return { zones, pageblocks: [] };
  const counts = (kinds: FrameKinds) => new Map<string, number>(Object.entries(pageblocksOf(kinds).classes));
  const pageblocks = diffCounts(counts(kindsA), counts(kindsB));
  return { zones, pageblocks: pageblocks as (Pair & { name: BlockClass })[] };
}
