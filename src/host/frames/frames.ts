/**
 * Tables of a host's frames: what they are used for, and by whom.
 *
 * Promises  1. Every chosen frame is counted exactly once in each table, so each table has the same sum.
 *           2. What the kernel counts itself (meminfo) stands beside what was counted here; the difference has a name.
 * Linux     6.18 fs/proc/meminfo.c: meminfo_proc_show; tools/mm/page-types.c: show_summary
 */

import type { FrameTable, HostSnapshot } from '../snapshot.ts';
import { chooseFrames, type FrameFilter, wordOf } from './frame_filter.ts';
import { FRAME_KINDS, type FrameKind, FrameKinds, KIND, LRU_LISTS, type LruList, listOfWord } from './frame_kinds.ts';
import { expandedFlags, flagHex, flagLetters, flagNames, wellKnownFlags } from './frame_words.ts';
import { LOW_ACTIVE, LOW_DIRTY, LOW_IDLE, LOW_LRU, LOW_UNEVICTABLE, LOW_WRITEBACK } from './kpf_masks.ts';
import { compareWithMeminfo, type MeminfoRow } from './meminfo_sums.ts';

export interface FlagRow {
  /** `0x000000000000086c`. */
  readonly word: string;
  readonly frames: number;
  readonly letters: string;
  readonly names: string;
}

export interface KindRow {
  readonly kind: FrameKind;
  readonly frames: number;
  readonly mapped: number;
  readonly dirty: number;
  readonly active: number;
  readonly unevictable: number;
}

export interface ZoneRow {
  /** Null for frames that no zone spans. */
  readonly node: number | null;
  readonly zone: string | null;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly frames: number;
  readonly kinds: Readonly<Partial<Record<FrameKind, number>>>;
}

/** Page-table entries that map a frame, `from` to `to` of them. */
export interface MapcountRow {
  readonly from: number;
  readonly to: number;
  readonly frames: number;
  readonly kinds: Readonly<Partial<Record<FrameKind, number>>>;
}

export interface OwnerRow {
  /** Null for frames that no cgroup is charged for. */
  readonly cgroup: string | null;
  readonly frames: number;
  readonly kinds: Readonly<Partial<Record<FrameKind, number>>>;
}

export interface AgeRow {
  readonly kind: FrameKind;
  /** Not accessed since somebody set the bit. */
  readonly idle: number;
  readonly rest: number;
}

export interface FrameTables {
  /** Rows of kpageflags that were chosen; the sum of each table. */
  readonly frames: number;
  /** Of them, frames that are memory. */
  readonly present: number;
  readonly kinds: readonly KindRow[];
  readonly flags: readonly FlagRow[];
  /** As `page-types --raw` has them. */
  readonly rawFlags: readonly FlagRow[];
  readonly lists: readonly { readonly list: LruList; readonly frames: number }[];
  readonly zones: readonly ZoneRow[];
  readonly mapcounts: readonly MapcountRow[];
  readonly owners: readonly OwnerRow[];
  /** Null if no frame has an idle bit: nobody sets them. */
  readonly ages: readonly AgeRow[] | null;
  /** Null when not all frames were chosen: meminfo knows no part of them. */
  readonly meminfo: readonly MeminfoRow[] | null;
}

/** A string says what of the filter names nothing. */
export function frameTables(snapshot: HostSnapshot, kinds: FrameKinds, filter: FrameFilter): FrameTables | string {
  const chosen = chooseFrames(snapshot, kinds, filter);
  if (typeof chosen === 'string') return chosen;
  const count = new Counted(kinds, chosen, snapshot.cgroups.length);
  return {
    frames: count.frames,
    present: count.frames - count.ofKind(KIND.hole),
    kinds: count.kindRows(),
    flags: count.flagRows(wellKnownFlags),
    rawFlags: count.flagRows(expandedFlags),
    lists: count.listRows(),
    zones: count.zoneRows(),
    mapcounts: count.mapcountRows(),
    owners: count.ownerRows(snapshot),
    ages: count.ageRows(),
    meminfo: chosen === null ? compareWithMeminfo(snapshot, kinds, count) : null,
  };
}

/** Powers of two: 0, 1, 2, 3-4, 5-8 … */
const MAPCOUNT_ROWS = 34;

function mapcountRow(mapcount: number): number {
  return mapcount === 0 ? 0 : 33 - Math.clz32(mapcount - 1);
}

/** One pass over the frames; the tables come from these sums. */
class Counted {
  readonly frames: number;
  /** Frames of a kind with a word: kind * words + word. */
  readonly byWord: Uint32Array;
  private readonly kinds: FrameKinds;
  private readonly table: FrameTable;
  private readonly words: number;
  private readonly byZone: Uint32Array;
  private readonly byMapcount: Uint32Array;
  private readonly byOwner: Uint32Array;

  constructor(kinds: FrameKinds, chosen: Uint8Array | null, cgroups: number) {
    const { frames: table, kind, spans, zones } = kinds;
    this.kinds = kinds;
    this.table = table;
    this.words = table.wordsLow.length;
    const each = FRAME_KINDS.length;
    this.byWord = new Uint32Array(each * this.words);
    this.byZone = new Uint32Array(each * (zones.length + 1));
    this.byMapcount = new Uint32Array(each * MAPCOUNT_ROWS);
    this.byOwner = new Uint32Array(each * (cgroups + 1));
    const { word, mapcount, cgroup } = table;
    let frames = 0;
    for (const { first, end, zone } of spans) {
      const zoneRow = each * (zone < 0 ? zones.length : zone);
      for (let pfn = first; pfn < end; pfn++) {
        if (chosen !== null && chosen[pfn] === 0) continue;
        const of = kind[pfn]!;
        frames += 1;
        this.byWord[of * this.words + word[pfn]!]! += 1;
        this.byZone[zoneRow + of]! += 1;
        this.byMapcount[each * mapcountRow(mapcount[pfn]!) + of]! += 1;
        // NO_CGROUP, and what the list of cgroups does not know, is the last row.
        this.byOwner[each * Math.min(cgroup[pfn]!, cgroups) + of]! += 1;
      }
    }
    this.frames = frames;
  }

  /** Frames of a kind that some entry maps. */
  mappedOf(kind: number): number {
    return this.ofKind(kind) - this.byMapcount[kind]!;
  }

  ofKind(kind: number): number {
    return this.sum(kind, () => true);
  }

  private sum(kind: number, fits: (low: number) => boolean): number {
    let frames = 0;
    for (let row = 0; row < this.words; row++)
      if (fits(this.table.wordsLow[row]!)) frames += this.byWord[kind * this.words + row]!;
    return frames;
  }

  kindRows(): KindRow[] {
    const rows = FRAME_KINDS.map(({ kind }, place) => {
      const withFlag = (flag: number) => this.sum(place, (low) => (low & flag) !== 0);
      return {
        kind,
        frames: this.ofKind(place),
        mapped: this.mappedOf(place),
        dirty: withFlag(LOW_DIRTY | LOW_WRITEBACK),
        active: this.sum(place, (low) => (low & LOW_LRU) !== 0 && (low & LOW_ACTIVE) !== 0),
        unevictable: withFlag(LOW_UNEVICTABLE),
      };
    });
    return rows.filter(({ frames }) => frames > 0);
  }

  /** Most frames first. */
  flagRows(shown: (word: bigint) => bigint): FlagRow[] {
    const frames = new Map<bigint, number>();
    for (let row = 0; row < this.words; row++) {
      const word = shown(wordOf(this.table.wordsLow[row]!, this.table.wordsHigh[row]!));
      let sum = frames.get(word) ?? 0;
      for (let kind = 0; kind < FRAME_KINDS.length; kind++) sum += this.byWord[kind * this.words + row]!;
      if (sum > 0) frames.set(word, sum);
    }
    return [...frames]
      .sort(([wordA, a], [wordB, b]) => b - a || (wordA < wordB ? -1 : 1))
      .map(([word, count]) => ({
        word: flagHex(word),
        frames: count,
        letters: flagLetters(word),
        names: flagNames(word),
      }));
  }

  listRows(): FrameTables['lists'] {
    const frames = new Map<LruList, number>();
    for (let place = 0; place < this.byWord.length; place++) {
      const list = listOfWord(this.table.wordsLow[place % this.words]!);
      frames.set(list, (frames.get(list) ?? 0) + this.byWord[place]!);
    }
    return LRU_LISTS.map((list) => ({ list, frames: frames.get(list) ?? 0 }));
  }

  zoneRows(): ZoneRow[] {
    const { zones } = this.kinds;
    const rows: ZoneRow[] = zones.map(({ node, zone, startPfn, spanned, present, managed }, row) => {
      return { node, zone, startPfn, spanned, present, managed, ...kindsIn(this.byZone, row) };
    });
    const outside = kindsIn(this.byZone, zones.length);
    const nothing = { node: null, zone: null, startPfn: 0, spanned: 0, present: 0, managed: 0 };
    return outside.frames === 0 ? rows : [...rows, { ...nothing, ...outside }];
  }

  mapcountRows(): MapcountRow[] {
    const rows: MapcountRow[] = [];
    for (let row = 0; row < MAPCOUNT_ROWS; row++) {
      const to = row === 0 ? 0 : 2 ** (row - 1);
      const from = row <= 1 ? to : to / 2 + 1;
      const counted = kindsIn(this.byMapcount, row);
      if (counted.frames > 0) rows.push({ from, to, ...counted });
    }
    return rows;
  }

  ownerRows({ cgroups }: HostSnapshot): OwnerRow[] {
    const rows: OwnerRow[] = [];
    for (let row = 0; row <= cgroups.length; row++) {
      const counted = kindsIn(this.byOwner, row);
      if (counted.frames > 0) rows.push({ cgroup: cgroups[row]?.path ?? null, ...counted });
    }
    return rows.sort((a, b) => b.frames - a.frames);
  }

  ageRows(): AgeRow[] | null {
    const idle = (low: number) => (low & LOW_IDLE) !== 0;
    const rows = FRAME_KINDS.map(({ kind }, place) => {
      const frames = this.ofKind(place);
      const unused = this.sum(place, idle);
      return { kind, idle: unused, rest: frames - unused };
    });
    return rows.some((row) => row.idle > 0) ? rows.filter((row) => row.idle + row.rest > 0) : null;
  }
}

/** Row `row` of a table with a column for each kind. */
function kindsIn(table: Uint32Array, row: number): { frames: number; kinds: Partial<Record<FrameKind, number>> } {
  const kinds: Partial<Record<FrameKind, number>> = {};
  let frames = 0;
  FRAME_KINDS.forEach(({ kind }, place) => {
    const count = table[row * FRAME_KINDS.length + place]!;
    if (count > 0) kinds[kind] = count;
    frames += count;
  });
  return { frames, kinds };
}

/** Frames side by side that are alike. */
export interface FrameRange {
  readonly first: number;
  readonly frames: number;
  readonly kind: FrameKind;
  readonly word: bigint;
}

/** The chosen frames as ranges, in order. A string says what of the filter names nothing. */
export function frameRanges(
  snapshot: HostSnapshot,
  kinds: FrameKinds,
  filter: FrameFilter,
): Generator<FrameRange> | string {
  const chosen = chooseFrames(snapshot, kinds, filter);
  return typeof chosen === 'string' ? chosen : rangesOf(kinds, chosen);
}

function* rangesOf({ frames, kind }: FrameKinds, chosen: Uint8Array | null): Generator<FrameRange> {
  const { word, wordsLow, wordsHigh, count } = frames;
  for (let pfn = 0; pfn < count; ) {
    if (chosen !== null && chosen[pfn] === 0) {
      pfn += 1;
      continue;
    }
    const first = pfn;
    const row = word[pfn]!;
    const of = kind[pfn]!;
    do pfn += 1;
    while (pfn < count && word[pfn] === row && kind[pfn] === of && (chosen === null || chosen[pfn] === 1));
    const flags = wordOf(wordsLow[row]!, wordsHigh[row]!);
    yield { first, frames: pfn - first, kind: FRAME_KINDS[of]!.kind, word: flags };
  }
}

/** The frames of a snapshot by kind; null where kpageflags was not read. */
export function frameKinds(snapshot: HostSnapshot): FrameKinds | null {
  if (snapshot.frames === null) return null;
  const known = kindsOf.get(snapshot) ?? new FrameKinds(snapshot, snapshot.frames);
  kindsOf.set(snapshot, known);
  return known;
}

/** A snapshot does not change: its frames are looked through once. */
const kindsOf = new WeakMap<HostSnapshot, FrameKinds>();
