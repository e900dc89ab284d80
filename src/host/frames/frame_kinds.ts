/**
 * What a frame is used for, from its word in /proc/kpageflags and from what zoneinfo and iomem say of its place.
 *
 *   no memory there → hole     not given to a zone yet → deferred     then by the word, the first that fits:
 *   poisoned, offline, free, slab, page table, hugetlb, zero page, reserved, KSM, anonymous, shmem, file; else the kernel's
 *
 * Promises  1. Every frame has exactly one kind and is on exactly one list.
 *           2. The order matters: a slab's page keeps other things where a user's page has its mapping, so its word may also
 *              say "anonymous, ksm" (6.18). Slab is asked first.
 *           3. Large folios are no kind: they stand under what is in them. Only anonymous ones are counted apart, as people know
 *              them as THP; every page of one has the flag, whatever its order.
 * Linux     6.18 fs/proc/page.c: stable_page_flags; mm/util.c: set_ps_flags (each page of a free block is shown as buddy,
 *           since 4.6; before, its first alone)
 */

import { parseSystemRam, parseZones, type ZoneText } from '../kernel_texts.ts';
import type { FrameTable, HostSnapshot } from '../snapshot.ts';
import { eachFreeTail } from './free_tails.ts';
import {
  HIGH_RESERVED,
  LOW_ACTIVE,
  LOW_ANON,
  LOW_BUDDY,
  LOW_DIRTY,
  LOW_HUGE,
  LOW_HWPOISON,
  LOW_KSM,
  LOW_LRU,
  LOW_NOPAGE,
  LOW_OFFLINE,
  LOW_PGTABLE,
  LOW_SLAB,
  LOW_SWAPBACKED,
  LOW_THP,
  LOW_UNEVICTABLE,
  LOW_UPTODATE,
  LOW_WRITEBACK,
  LOW_ZERO_PAGE,
} from './kpf_masks.ts';

/** Bits with a name, in the high half: 32 … 42. */
const HIGH_KNOWN = 0x7ff;
/** Bits with a name, in the low half: 0 … 26. */
const LOW_KNOWN = 0x7ff_ffff;

/** Both halves of the word of a frame that nobody asked for. */
const NOT_READ = 0xffff_ffff;

export type FrameKind =
  | 'free'
  | 'anon'
  | 'anon_huge'
  | 'file_mapped'
  | 'file'
  | 'shmem'
  | 'ksm'
  | 'slab'
  | 'pgtable'
  | 'hugetlb'
  | 'zero_page'
  | 'kernel'
  | 'reserved'
  | 'hwpoison'
  | 'offline'
  | 'unknown'
  | 'deferred'
  | 'hole'
  | 'not_read';

export interface KindFacts {
  readonly kind: FrameKind;
  /** For people, in a table. */
  readonly label: string;
  /** One character of the picture. */
  readonly mark: string;
  /** Compaction can move its content to another frame. */
  readonly movable: boolean;
}

/** In the order in which tables show them. */
export const FRAME_KINDS: readonly KindFacts[] = [
  { kind: 'free', label: 'free', mark: '·', movable: false },
  { kind: 'anon', label: 'anonymous', mark: 'a', movable: true },
  { kind: 'anon_huge', label: 'anonymous, large folio (THP)', mark: 'A', movable: true },
  { kind: 'file_mapped', label: 'file cache, mapped', mark: 'F', movable: true },
  { kind: 'file', label: 'file cache, not mapped', mark: 'f', movable: true },
  { kind: 'shmem', label: 'shared memory, tmpfs', mark: 's', movable: true },
  { kind: 'ksm', label: 'merged by KSM', mark: 'm', movable: true },
  { kind: 'slab', label: 'slab', mark: 'S', movable: false },
  { kind: 'pgtable', label: 'page tables', mark: 'T', movable: false },
  { kind: 'hugetlb', label: 'hugetlb', mark: 'G', movable: true },
  { kind: 'zero_page', label: 'zero page', mark: 'z', movable: false },
  { kind: 'kernel', label: 'kernel, or free on a CPU list', mark: 'K', movable: false },
  { kind: 'reserved', label: 'reserved at boot', mark: 'R', movable: false },
  { kind: 'hwpoison', label: 'broken (hwpoison)', mark: 'X', movable: false },
  { kind: 'offline', label: 'offline, balloon', mark: 'o', movable: false },
  { kind: 'unknown', label: 'unknown flags', mark: '?', movable: false },
  { kind: 'deferred', label: 'not given to a zone yet', mark: '~', movable: false },
  { kind: 'hole', label: 'no memory there', mark: ' ', movable: false },
  { kind: 'not_read', label: 'not read', mark: '-', movable: false },
];

/** Places in FRAME_KINDS, as the column of kinds has them. */
export const KIND: Readonly<Record<FrameKind, number>> = Object.fromEntries(
  FRAME_KINDS.map(({ kind }, place) => [kind, place]),
) as Record<FrameKind, number>;

/** Names as in vmstat; `none` is on no list. */
export const LRU_LISTS = [
  'inactive_anon',
  'active_anon',
  'inactive_file',
  'active_file',
  'unevictable',
  'none',
] as const;
export type LruList = (typeof LRU_LISTS)[number];

/**
 * What a word says, as if its place were common memory. Never `file_mapped`: all pages of a large folio have the bit KPF_MMAP
 * if one of them is mapped (6.x), so that is kpagecount's to say.
 */
export function kindOfWord(low: number, high: number): FrameKind {
  const has = (flags: number) => (low & flags) !== 0;
  if (low === NOT_READ && high === NOT_READ) return 'not_read';
  if (has(LOW_NOPAGE)) return 'hole';
  if (has(LOW_HWPOISON)) return 'hwpoison';
  if (has(LOW_OFFLINE)) return 'offline';
  if (has(LOW_BUDDY)) return 'free';
  if (has(LOW_SLAB)) return 'slab';
  if (has(LOW_PGTABLE)) return 'pgtable';
  if (has(LOW_HUGE)) return 'hugetlb';
  if (has(LOW_ZERO_PAGE)) return 'zero_page';
  if ((high & HIGH_RESERVED) !== 0) return 'reserved';
  if (has(LOW_KSM)) return 'ksm';
  if (has(LOW_ANON)) return has(LOW_THP) ? 'anon_huge' : 'anon';
  const inCache = has(LOW_LRU | LOW_UPTODATE | LOW_DIRTY | LOW_WRITEBACK);
  if (has(LOW_SWAPBACKED) && inCache) return 'shmem';
  // Without the mark of an LRU list: on its way there on a CPU's batch, or taken off it by reclaim or migration.
  if (inCache) return 'file';
  if ((low & ~LOW_KNOWN) !== 0 || (high & ~HIGH_KNOWN) !== 0) return 'unknown';
  return 'kernel';
}

/** A frame of the kernel may still have bits of the page that it was, so only what has the mark of a list is on one. */
export function listOfWord(low: number): LruList {
  if ((low & LOW_LRU) === 0 || (low & (LOW_BUDDY | LOW_SLAB | LOW_NOPAGE)) !== 0) return 'none';
  if ((low & LOW_UNEVICTABLE) !== 0) return 'unevictable';
  const active = (low & LOW_ACTIVE) !== 0;
  if ((low & LOW_SWAPBACKED) !== 0) return active ? 'active_anon' : 'inactive_anon';
  return active ? 'active_file' : 'inactive_file';
}

/** Frames first … end − 1. */
export interface Span {
  readonly first: number;
  readonly end: number;
}

/** Which zone has the frames first … end − 1; NO_ZONE for those that none spans. */
interface ZoneSpan extends Span {
  /** Place in `zones`. */
  readonly zone: number;
}

const NO_ZONE = -1;

/** One x86 section (128 MiB): the least that a host adds or leaves for later. */
const SECTION_FRAMES = 32_768;

/** The kind of every frame, and where zones lie: asked by all tables. */
export class FrameKinds {
  readonly frames: FrameTable;
  readonly zones: readonly ZoneText[];
  /** All frames in order, cut where a zone begins or ends. */
  readonly spans: readonly ZoneSpan[];
  /** Places in FRAME_KINDS. */
  readonly kind: Uint8Array;
  /** Frames that the kernel has not given to their zones yet: `deferred_init`, as some small virtual machines have it. */
  readonly deferred: readonly Span[];

  constructor(snapshot: HostSnapshot, frames: FrameTable) {
    this.frames = frames;
    this.zones = parseZones(snapshot.texts.get('zoneinfo'));
    this.spans = zoneSpans(this.zones, frames.count);
    const kindOf = Uint8Array.from(frames.wordsLow, (low, row) => KIND[kindOfWord(low, frames.wordsHigh[row]!)]);
    const { word, mapcount, count } = frames;
    const kind = new Uint8Array(count);
    const { file, file_mapped } = KIND;
    for (let pfn = 0; pfn < count; pfn++) {
      const of = kindOf[word[pfn]!]!;
      kind[pfn] = of === file && mapcount[pfn]! > 0 ? file_mapped : of;
    }
    this.kind = kind;
    const { free } = KIND;
    eachFreeTail(frames, this.spans, this.zones, snapshot.texts, (pfn) => {
      kind[pfn] = free;
    });
    // SINCE 6.11: a frame without struct page has the word 0, and no longer LOW_NOPAGE.
    const ram = parseSystemRam(snapshot.texts.get('iomem'));
    for (const { first, end } of holes(this.spans, ram, count)) this.mark(first, end, KIND.hole);
    if (ram === null) for (const zone of this.zones) this.markAbsent(zone);
    this.deferred = this.zones.flatMap((zone) => this.deferredOf(zone));
    for (const { first, end } of this.deferred) this.mark(first, end, KIND.deferred);
  }

  /** Only what has no flag at all: iomem counts frames as memory that a host has not added, and the other way round. */
  private mark(first: number, end: number, kind: number): void {
    const { word, wordsLow, wordsHigh } = this.frames;
    for (let pfn = first; pfn < end; pfn++) {
      const row = word[pfn]!;
      if (wordsLow[row] === 0 && wordsHigh[row] === 0) this.kind[pfn] = kind;
    }
  }

  /** Without iomem (a redacted snapshot): whole sections without any flag, as many as the zone spans and does not have. */
  private markAbsent(zone: ZoneText): void {
    const { word, wordsLow, wordsHigh, count } = this.frames;
    let absent = zone.spanned - zone.present;
    const end = Math.min(zone.startPfn + zone.spanned, count);
    let first = Math.ceil(zone.startPfn / SECTION_FRAMES) * SECTION_FRAMES;
    for (; first + SECTION_FRAMES <= end && absent >= SECTION_FRAMES; first += SECTION_FRAMES) {
      let pfn = first;
      while (pfn < first + SECTION_FRAMES && wordsLow[word[pfn]!] === 0 && wordsHigh[word[pfn]!] === 0) pfn += 1;
      if (pfn < first + SECTION_FRAMES) continue;
      this.mark(first, pfn, KIND.hole);
      absent -= SECTION_FRAMES;
    }
  }

  /** The end of a zone without any flag, if the zone does not manage so many frames. */
  private deferredOf(zone: ZoneText): Span[] {
    const { kind, frames } = this;
    const { word, wordsLow, wordsHigh } = frames;
    const { hole } = KIND;
    const end = Math.min(zone.startPfn + zone.spanned, frames.count);
    let first = end;
    let present = 0;
    for (; first > zone.startPfn; first--) {
      const row = word[first - 1]!;
      if (wordsLow[row] !== 0 || wordsHigh[row] !== 0) break;
      if (kind[first - 1] !== hole) present += 1;
    }
    return present >= SECTION_FRAMES && present <= zone.present - zone.managed ? [{ first, end }] : [];
  }
}

function zoneSpans(zones: readonly ZoneText[], count: number): ZoneSpan[] {
  const starts = new Set([0]);
  for (const { startPfn, spanned } of zones) {
    for (const pfn of [startPfn, startPfn + spanned]) if (pfn < count) starts.add(pfn);
  }
  if (count === 0) return [];
  const sorted = [...starts].sort((a, b) => a - b);
  return sorted.map((first, i) => ({
    first,
    end: sorted[i + 1] ?? count,
    // Zones of two nodes may span the same frames; a row for each frame all the same, so the first has them.
    zone: zones.findIndex(({ startPfn, spanned }) => startPfn <= first && first < startPfn + spanned),
  }));
}

/** What no zone spans, and what iomem does not list as memory. */
function holes(spans: readonly ZoneSpan[], ram: readonly (readonly [number, number])[] | null, count: number): Span[] {
  const found: Span[] = spans.filter(({ zone }) => zone === NO_ZONE && spans.length > 1);
  if (ram === null) return found;
  let from = 0;
  for (const [first, end] of [...ram, [count, count] as const]) {
    if (first > from) found.push({ first: from, end: Math.min(first, count) });
    from = Math.max(from, end);
  }
  return found;
}
