/**
 * How free memory is cut up, and what keeps 2 MiB blocks from becoming whole.
 *
 *   pageblock of 512 frames       ····aaff··aa····   all free or movable → compaction could empty it
 *                                 ····aaSf··aa····   one slab page      → blocked by slab
 *
 * Promises  1. Every pageblock of every zone is of exactly one class.
 *           2. The indices are the kernel's own formulas over the same numbers, in thousandths.
 *           3. Blocks counted from kpageflags are the buddy system's: free frames side by side always stand there as the
 *              largest aligned blocks, since two free buddies are merged. Only so: the word does not tell a block's first page.
 * Linux     6.18 mm/vmstat.c: fill_contig_page_info unusable_free_index __fragmentation_index; mm/page_alloc.c: __free_one_page
 */

import { type MigrateTypes, parseFreeBlocks, parseMigrateTypes, parseZones } from '../kernel_texts.ts';
import type { FrameTable, HostSnapshot } from '../snapshot.ts';
import { FRAME_KINDS, type FrameKind, type FrameKinds, KIND, type Span } from './frame_kinds.ts';
import { LOW_COMPOUND_HEAD, LOW_COMPOUND_TAIL } from './kpf_masks.ts';

/** A huge page, and a pageblock, of x86. */
export const HUGE_ORDER = 9;
const BLOCK_FRAMES: number = 1 << HUGE_ORDER;
const FREE = KIND.free;
/** The buddy system's largest block: order 10, 4 MiB. */
const MAX_ORDER = 10;

export interface ZoneFragmentation {
  readonly node: number;
  readonly zone: string;
  /** Free blocks of each order: the kernel's count. */
  readonly blocks: readonly number[];
  /** The same counted from kpageflags; null without it. */
  readonly counted: readonly number[] | null;
  readonly freeFrames: number;
  /** For each order: thousandths of the free memory that lie in smaller blocks. */
  readonly unusable: readonly number[];
  /**
   * For each order: -1000 if there is a block for a request; else 0 … 1000, where 0 is too little memory and 1000 is enough,
   * but in pieces.
   */
  readonly index: readonly number[];
  /** Frames in free blocks of at least a huge page. */
  readonly hugeFrames: number;
}

const CLASSES = ['free', 'movable', 'huge', 'blocked', 'deferred', 'partial'] as const;
/**
 * free       every frame is free
 * movable    every frame is free or holds what compaction can move
 * huge       one large folio, or hugetlb page, has it all
 * blocked    somebody who cannot be moved sits in it
 * deferred   no zone has it yet
 * partial    a part of it is no memory, or in another zone
 */
export type BlockClass = (typeof CLASSES)[number];

export interface Blocker {
  readonly kind: FrameKind;
  /** Blocked pageblocks with at least one such frame. */
  readonly blocks: number;
  /** Of them, those that nothing else blocks. */
  readonly alone: number;
  /** Such frames in blocked pageblocks. */
  readonly frames: number;
}

export interface Pageblocks {
  readonly total: number;
  readonly classes: Readonly<Record<BlockClass, number>>;
  /** Blocked pageblocks that hold movable frames as well, and how many of those. */
  readonly mixed: number;
  readonly mixedMovableFrames: number;
  /** Blocked by at most 8 frames: what it would take little to win. */
  readonly nearlyMovable: number;
  readonly blockers: readonly Blocker[];
}

const FEW_FRAMES = 8;

export interface LargeFolios {
  readonly kind: FrameKind;
  /** Compound pages of each order; order 0 is always 0. */
  readonly orders: readonly number[];
}

export interface Fragmentation {
  readonly zones: readonly ZoneFragmentation[];
  /** Frames in free blocks of at least a huge page, of all free frames. */
  readonly hugeShare: number | null;
  /** Frames on the lists of CPUs: free, and yet in no free block; kpageflags shows them as the kernel's. */
  readonly perCpuFree: number;
  /** Null without kpageflags. */
  readonly pageblocks: Pageblocks | null;
  readonly folios: readonly LargeFolios[] | null;
  /** Null where pagetypeinfo was not read. */
  readonly migrateTypes: readonly MigrateTypes[] | null;
}

export function fragmentationOf(snapshot: HostSnapshot, kinds: FrameKinds | null): Fragmentation {
  const zones = parseFreeBlocks(snapshot.texts.get('buddyinfo')).map(({ node, zone, blocks }): ZoneFragmentation => {
    const row = kinds?.zones.findIndex((known) => known.node === node && known.zone === zone) ?? -1;
    const orders = blocks.map((_, order) => order);
    return {
      node,
      zone,
      blocks,
      counted: kinds === null || row < 0 ? null : countBlocks(kinds, row, blocks.length),
      freeFrames: freeFrames(blocks),
      unusable: orders.map((order) => unusableFreeIndex(blocks, order)),
      index: orders.map((order) => fragmentationIndex(blocks, order)),
      hugeFrames: suitable(blocks, HUGE_ORDER) * BLOCK_FRAMES,
    };
  });
  const free = zones.reduce((sum, zone) => sum + zone.freeFrames, 0);
  const types = parseMigrateTypes(snapshot.texts.get('pagetypeinfo'));
  return {
    zones,
    hugeShare: free === 0 ? null : zones.reduce((sum, zone) => sum + zone.hugeFrames, 0) / free,
    perCpuFree: parseZones(snapshot.texts.get('zoneinfo')).reduce((sum, zone) => sum + zone.perCpuFree, 0),
    pageblocks: kinds === null ? null : pageblocksOf(kinds),
    folios: kinds === null ? null : largeFolios(kinds),
    migrateTypes: types.length === 0 ? null : types,
  };
}

function freeFrames(blocks: readonly number[]): number {
  return blocks.reduce((sum, count, order) => sum + count * 2 ** order, 0);
}

/** How many requests of this order the free blocks can serve, cut up where they are larger. */
function suitable(blocks: readonly number[], order: number): number {
  return blocks.slice(order).reduce((sum, count, above) => sum + count * 2 ** above, 0);
}

/** Thousandths of the free memory that are of no use for a request of this order. */
export function unusableFreeIndex(blocks: readonly number[], order: number): number {
  const free = freeFrames(blocks);
  if (free === 0) return 1000;
  return Math.floor(((free - suitable(blocks, order) * 2 ** order) * 1000) / free);
}

/** Why a request of this order fails; -1000 if it does not. */
export function fragmentationIndex(blocks: readonly number[], order: number): number {
  const total = blocks.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  if (suitable(blocks, order) > 0) return -1000;
  const requests = Math.floor((freeFrames(blocks) * 1000) / 2 ** order);
  return 1000 - Math.floor((1000 + requests) / total);
}

/** Free blocks of a zone by order, from the frames that are shown as free. */
function countBlocks({ kind, zones, spans }: FrameKinds, zone: number, orders: number): number[] {
  const counted = new Array<number>(Math.max(orders, MAX_ORDER + 1)).fill(0);
  for (const { first, end } of joined(spans.filter((span) => span.zone === zone))) {
    for (let pfn = first; pfn < end; ) {
      if (kind[pfn] !== FREE) {
        pfn += 1;
        continue;
      }
      const from = pfn;
      while (pfn < end && kind[pfn] === FREE) pfn += 1;
      cutIntoBlocks(from, pfn, zones.length === 0 ? MAX_ORDER : orders - 1, counted);
    }
  }
  return counted.slice(0, orders);
}

/** The largest aligned blocks that fill `first` … `end` − 1, from the left. */
function cutIntoBlocks(first: number, end: number, maxOrder: number, counted: number[]): void {
  for (let pfn = first; pfn < end; ) {
    let order = Math.min(maxOrder, pfn === 0 ? maxOrder : 31 - Math.clz32(pfn & -pfn));
    while (pfn + 2 ** order > end) order -= 1;
    counted[order]! += 1;
    pfn += 2 ** order;
  }
}

function joined(spans: readonly Span[]): Span[] {
  const whole: Span[] = [];
  for (const span of spans) {
    const last = whole.at(-1);
    if (last !== undefined && last.end === span.first) whole[whole.length - 1] = { first: last.first, end: span.end };
    else whole.push({ first: span.first, end: span.end });
  }
  return whole;
}

export function pageblocksOf(kinds: FrameKinds): Pageblocks {
  const { kind, spans, frames } = kinds;
  const classes: Record<BlockClass, number> = { free: 0, movable: 0, huge: 0, blocked: 0, deferred: 0, partial: 0 };
  const blockers = FRAME_KINDS.map(() => ({ blocks: 0, alone: 0, frames: 0 }));
  const inBlock = new Uint32Array(FRAME_KINDS.length);
  const sums = { mixed: 0, mixedMovableFrames: 0, nearlyMovable: 0 };
  let total = 0;
  for (const { first, end, whole } of blocksOf(spans)) {
    total += 1;
    inBlock.fill(0);
    for (let pfn = first; pfn < end; pfn++) inBlock[kind[pfn]!]! += 1;
    const of = whole ? classOf(inBlock, frames, first) : 'partial';
    classes[of] += 1;
    if (of === 'blocked') noteBlockers(inBlock, blockers, sums);
  }
  return {
    total,
    classes,
    ...sums,
    blockers: FRAME_KINDS.map(({ kind: name }, place) => ({ kind: name, ...blockers[place]! }))
      .filter(({ blocks }) => blocks > 0)
      .sort((a, b) => b.blocks - a.blocks),
  };
}

/** Pageblocks of all zones; not `whole` where one reaches into another zone, or behind the last frame. */
function* blocksOf(spans: FrameKinds['spans']): Generator<Span & { readonly whole: boolean }> {
  const zoned = spans.length > 1 ? spans.filter(({ zone }) => zone >= 0) : spans;
  for (const span of zoned) {
    for (let first = span.first; first < span.end; ) {
      const next = first - (first % BLOCK_FRAMES) + BLOCK_FRAMES;
      const end = Math.min(next, span.end);
      yield { first, end, whole: end - first === BLOCK_FRAMES };
      first = end;
    }
  }
}

const MOVABLE: readonly boolean[] = FRAME_KINDS.map(({ movable }) => movable);

function isBlocker(place: number): boolean {
  return !MOVABLE[place] && place !== FREE;
}

function classOf(inBlock: Uint32Array, frames: FrameTable, first: number): BlockClass {
  if (inBlock[FREE] === BLOCK_FRAMES) return 'free';
  if (inBlock[KIND.hole]! + inBlock[KIND.not_read]! > 0) return 'partial';
  if (inBlock[KIND.deferred] === BLOCK_FRAMES) return 'deferred';
  if (inBlock.some((count, place) => count > 0 && isBlocker(place))) return 'blocked';
  const flags = (pfn: number) => frames.wordsLow[frames.word[pfn]!]!;
  const isOne = (flags(first) & LOW_COMPOUND_HEAD) !== 0 || (flags(first) & LOW_COMPOUND_TAIL) !== 0;
  for (let pfn = first + 1; isOne && pfn < first + BLOCK_FRAMES; pfn++)
    if ((flags(pfn) & LOW_COMPOUND_TAIL) === 0) return 'movable';
  return isOne ? 'huge' : 'movable';
}

function noteBlockers(
  inBlock: Uint32Array,
  blockers: { blocks: number; alone: number; frames: number }[],
  sums: { mixed: number; mixedMovableFrames: number; nearlyMovable: number },
): void {
  let blocking = 0;
  let movable = 0;
  let kindsOfBlockers = 0;
  inBlock.forEach((count, place) => {
    if (count === 0) return;
    if (MOVABLE[place]) movable += count;
    if (!isBlocker(place)) return;
    blocking += count;
    kindsOfBlockers += 1;
  });
  inBlock.forEach((count, place) => {
    if (count === 0 || !isBlocker(place)) return;
    const blocker = blockers[place]!;
    blocker.blocks += 1;
    blocker.frames += count;
    if (kindsOfBlockers === 1) blocker.alone += 1;
  });
  if (movable > 0) sums.mixed += 1;
  sums.mixedMovableFrames += movable;
  if (blocking <= FEW_FRAMES) sums.nearlyMovable += 1;
}

const HEAD_OR_TAIL = LOW_COMPOUND_HEAD | LOW_COMPOUND_TAIL;

/** Compound pages by what is in them: a head and the tails behind it. */
function largeFolios({ frames, kind }: FrameKinds): LargeFolios[] {
  const { word, wordsLow, count } = frames;
  const isHead = wordsLow.map((low) => Number((low & HEAD_OR_TAIL) === LOW_COMPOUND_HEAD));
  const isTail = wordsLow.map((low) => Number((low & HEAD_OR_TAIL) === LOW_COMPOUND_TAIL));
  const byKind = new Map<number, number[]>();
  for (let pfn = 0; pfn < count; ) {
    if (isHead[word[pfn]!] === 0) {
      pfn += 1;
      continue;
    }
    const head = pfn;
    do pfn += 1;
    while (pfn < count && isTail[word[pfn]!] === 1);
    // Two that changed while we read may look like one that is too long: it counts by its largest power of two.
    const order = 31 - Math.clz32(pfn - head);
    const orders = byKind.get(kind[head]!) ?? [];
    while (orders.length <= order) orders.push(0);
    orders[order]! += 1;
    byKind.set(kind[head]!, orders);
  }
  return [...byKind].sort(([a], [b]) => a - b).map(([place, orders]) => ({ kind: FRAME_KINDS[place]!.kind, orders }));
}
