/**
 * Swap of the whole host, each slot once, and who has it.
 *
 *     used (/proc/swaps) = slots that page tables hold        each (area, offset) once, however many processes show it
 *                        + pages of shared memory             of the object; no page table has an entry for them
 *                        + the rest                           tmpfs files that nobody maps, swap cache of what is back in memory
 *
 * What the kernel shows of shared memory that was swapped out: nothing in pagemap (the entry is empty, the object's tree
 * holds the slot), nothing in VmSwap and SwapPss; `Swap` of smaps and smaps_rollup counts the object's pages in the range of each
 * area. So two processes that map one object both have all of it there. Areas of one object are counted once here where
 * smaps was read; from smaps_rollup alone it is between the largest of the processes and the sum of them.
 *
 * DIFFERS: SwapPss of the kernel leaves shared memory out; so does `swap_pss_bytes`, and `shared_swap_bytes` stands beside it.
 * Linux     6.18 fs/proc/task_mmu.c: smaps_pte_hole_lookup smap_gather_stats; mm/shmem.c: shmem_swap_usage
 */

import { ENTRY_SWAP, type HostSnapshot, NO_ROW } from '../snapshot.ts';
import type { Ownership } from './owners.ts';

const KB = 1024;
const PAGE = 4096;

export interface SwapShown {
  /** From /proc/swaps; null without it. */
  total_bytes: number | null;
  used_bytes: number | null;
  /** Slots that page tables hold, each once. Null where the kernel hid them. */
  held_bytes: number | null;
  /** Swapped pages of shared memory: at least, at most. Equal where it is known; null where nothing was read. */
  shared_bytes: readonly [least: number, most: number] | null;
  /** Used by none of both: at least. Null if one of the figures is. */
  rest_bytes: number | null;
}

export function swapShown(snapshot: HostSnapshot, { slots, hasHidden }: Ownership): SwapShown {
  const areas = areasOf(snapshot.texts.get('swaps'));
  const held = hasHidden ? null : slots.reduce((sum, { bytes }) => sum + bytes, 0);
  const shared = sharedBytes(snapshot);
  const used = areas === null ? null : areas.used;
  const rest = used === null || held === null || shared === null ? null : Math.max(0, used - held - shared[1]);
  return {
    total_bytes: areas === null ? null : areas.total,
    used_bytes: used,
    held_bytes: held,
    shared_bytes: shared,
    rest_bytes: rest,
  };
}

/** Whether smaps of every area would say more: several processes may have one object's swapped pages. */
export function wantsSmaps(snapshot: HostSnapshot): boolean {
  const shared = sharedBytes(snapshot);
  return snapshot.smaps === null && shared !== null && shared[0] !== shared[1];
}

/** Size and Used, in kB, of each line behind the head. */
function areasOf(text: string | undefined): { total: number; used: number } | null {
  if (text === undefined) return null;
  let total = 0;
  let used = 0;
  for (const line of text.split('\n').slice(1)) {
    const found = /\s(?:partition|file)\s+(\d+)\s+(\d+)/.exec(line);
    if (found === null) continue;
    total += Number(found[1]) * KB;
    used += Number(found[2]) * KB;
  }
  return { total, used };
}

function sharedBytes(snapshot: HostSnapshot): readonly [number, number] | null {
  const swap = snapshot.smaps?.get('Swap');
  return swap === undefined ? sharedByRollups(snapshot) : sharedByAreas(snapshot, swap);
}

function sharedByRollups({ processes, entries, vmas }: HostSnapshot): readonly [number, number] | null {
  let largest = 0;
  let sum = 0;
  let known = false;
  for (const { firstVma, endVma, rollup, sharesMmWith } of processes) {
    const shown = rollup?.get('Swap');
    if (shown === undefined || sharesMmWith !== undefined) continue;
    known = true;
    const own = swapped({ bits: entries.bits }, vmas.firstEntry[firstVma]!, vmas.firstEntry[endVma]!);
    const shared = Math.max(0, shown * KB - own);
    largest = Math.max(largest, shared);
    sum += shared;
  }
  return known ? [largest, sum] : null;
}

function swapped({ bits }: { readonly bits: Uint16Array }, first: number, end: number): number {
  let bytes = 0;
  for (let row = first; row < end; row++) if ((bits[row]! & ENTRY_SWAP) !== 0) bytes += PAGE;
  return bytes;
}

/** A piece of an object, in pages, and how much of it is swapped out. */
interface Piece {
  readonly first: number;
  readonly end: number;
  readonly bytes: number;
}

function sharedByAreas({ vmas, entries }: HostSnapshot, swap: Float64Array): readonly [number, number] {
  const pieces = new Map<number, Piece[]>();
  for (let vma = 0; vma < vmas.count; vma++) {
    const file = vmas.file[vma]!;
    const own = swapped(entries, vmas.firstEntry[vma]!, vmas.firstEntry[vma + 1]!);
    const bytes = swap[vma]! * KB - own;
    if (file === NO_ROW || !(bytes > 0)) continue;
    const first = vmas.pgoff[vma]!;
    const end = first + vmas.endPage[vma]! - vmas.startPage[vma]!;
    pieces.set(file, [...(pieces.get(file) ?? []), { first, end, bytes }]);
  }
  let least = 0;
  let most = 0;
  for (const of of pieces.values()) {
    const [low, high] = inObject(of);
    least += low;
    most += high;
  }
  return [least, most];
}

/** Pieces may lie over each other. Widest first, a piece inside one that was counted is counted with it. */
function inObject(pieces: readonly Piece[]): readonly [number, number] {
  const sorted = [...pieces].sort((a, b) => a.first - b.first || b.end - a.end);
  let least = 0;
  let most = 0;
  let end = 0;
  for (const piece of sorted) {
    if (piece.end <= end) continue;
    const over = Math.max(0, Math.min(end, piece.end) - piece.first) * PAGE;
    least += Math.max(0, piece.bytes - over);
    most += piece.bytes;
    end = Math.max(end, piece.end);
  }
  return [least, most];
}
