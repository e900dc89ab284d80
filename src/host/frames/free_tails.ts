/**
 * The rest of each free block, where only its first page is shown as free: kernels before 4.6, and simulated machines.
 *
 *   kpageflags      B _ _ _ _ _ _ _ S B _ …     B  buddy      _  no flag: the rest of a free block, or the kernel's
 *   buddyinfo       one block of order 3, one of order 1 …     so the first has 8 frames, and the second 2
 *
 * Promises  1. A frame with any flag, or that is mapped, never becomes free.
 *           2. There are as many blocks of each order as buddyinfo has, the largest where there is most room; what this cannot
 *              tell apart is a frame without flags behind a block that would have room for it.
 * Linux     before 4.6: fs/proc/page.c: stable_page_flags (page_count of the tail pages is 0, and PG_buddy is the head's alone)
 */
import { parseCounters, parseFreeBlocks, type ZoneText } from '../kernel_texts.ts';
import type { FrameTable } from '../snapshot.ts';

interface ZoneSpan {
  readonly first: number;
  readonly end: number;
  /** Place in the zones; -1 where none is known. */
  readonly zone: number;
}

const KPF_BUDDY = 1 << 10;
const MAX_ORDER = 10;
const KB_PER_FRAME = 4;
/** Half the word of a frame that nobody asked for. */
const NOT_READ = 0xffff_ffff;

/** Calls `mark` for each frame that belongs to a free block without being shown as one. */
export function eachFreeTail(
  frames: FrameTable,
  spans: readonly ZoneSpan[],
  zones: readonly ZoneText[],
  texts: ReadonlyMap<string, string>,
  mark: (pfn: number) => void,
): void {
  const known = parseFreeBlocks(texts.get('buddyinfo'));
  const allFree = (parseCounters(texts.get('meminfo')).get('MemFree') ?? 0) / KB_PER_FRAME;
  const isHead = frames.wordsLow.map((low) => Number((low & KPF_BUDDY) !== 0 && low !== NOT_READ));
  for (const row of new Set(spans.map(({ zone }) => zone))) {
    const mine = spans.filter(({ zone }) => zone === row);
    const zone = zones[row];
    const counts = known.find((one) => one.node === zone?.node && one.zone === zone.zone)?.blocks;
    // Where every page of a free block is shown as one, there are more of them than blocks.
    const mostHeads = counts?.reduce((sum, n) => sum + n, 0) ?? (spans.length === 1 ? allFree : 0);
    if (hasMoreThan(mostHeads, isHead, frames, mine)) continue;
    const blocks = headsOf(frames, isHead, mine);
    const orders =
      counts === undefined ? withoutBuddyinfo(blocks, spans.length === 1 ? allFree : 0) : largestFirst(counts);
    if (orders === null) continue;
    blocks
      .sort((a, b) => b.room - a.room || a.head - b.head)
      .forEach(({ head, room }, i) => {
        const end = head + 2 ** Math.min(room, orders[i]!);
        for (let pfn = head + 1; pfn < end; pfn++) mark(pfn);
      });
  }
}

function hasMoreThan(most: number, isHead: Uint32Array, { word }: FrameTable, spans: readonly ZoneSpan[]): boolean {
  let heads = 0;
  for (const { first, end } of spans) {
    for (let pfn = first; pfn < end && heads <= most; pfn++) heads += isHead[word[pfn]!]!;
  }
  return heads > most;
}

interface Block {
  readonly head: number;
  /** The largest order that it could have: aligned, and with nothing but frames without flags behind the head. */
  readonly room: number;
}

function headsOf(
  { word, wordsLow, wordsHigh, mapcount }: FrameTable,
  isHead: Uint32Array,
  spans: readonly ZoneSpan[],
): Block[] {
  const isEmpty = wordsLow.map((low, row) => Number(low === 0 && wordsHigh[row] === 0));
  const blocks: Block[] = [];
  for (const { first, end } of spans) {
    for (let head = first; head < end; head++) {
      if (isHead[word[head]!] === 0) continue;
      let room = head === 0 ? MAX_ORDER : Math.min(MAX_ORDER, 31 - Math.clz32(head & -head));
      let empty = head + 1;
      const farthest = Math.min(end, head + 2 ** room);
      while (empty < farthest && isEmpty[word[empty]!] === 1 && mapcount[empty] === 0) empty += 1;
      while (head + 2 ** room > empty) room -= 1;
      blocks.push({ head, room });
    }
  }
  return blocks;
}

/** An order for each block. */
function largestFirst(counts: readonly number[]): number[] {
  const orders: number[] = [];
  for (let order = counts.length - 1; order >= 0; order--) for (let i = 0; i < counts[order]!; i++) orders.push(order);
  return orders;
}

/** 2.4 has no buddyinfo: if all blocks are as large as they can be, that must be what meminfo says. */
function withoutBuddyinfo(blocks: readonly Block[], free: number): number[] | null {
  const most = blocks.reduce((sum, { room }) => sum + 2 ** room, 0);
  return most > 0 && most <= free ? blocks.map(() => MAX_ORDER) : null;
}
