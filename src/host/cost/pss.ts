/**
 * RSS, PSS and USS of each process, in the kernel's own arithmetic: what /proc/PID/smaps_rollup would say.
 *
 *     each entry that maps a page     Rss  += 4096
 *     … mapped by m entries           Pss  += floor(4096 · 2^12 / m)        and only the whole sum is cut to kB
 *     … mapped by this one alone      Uss  += 4096                          (Private_Clean + Private_Dirty)
 *     each entry that holds a slot    Swap += 4096,  SwapPss += floor(4096 · 2^12 / entries that hold it)
 *
 * Promises  1. Frames that are no memory of a process (the zero page, what a driver maps by number) count nowhere, and pages of
 *              hugetlbfs count apart, as in smaps.
 *           2. What the snapshot cannot say is null: without frame numbers there is no PSS, without a page map nothing.
 * Linux     6.18 fs/proc/task_mmu.c: smaps_account smaps_page_accumulate smaps_pte_entry smaps_hugetlb_range
 *
 * DIFFERS: a page that is under way from frame to frame is counted by the kernel in full, by us not at all; it is back a moment
 * later. A page of NO_PAGE_MAPCOUNT kernels has the average of its folio as mapcount, in /proc/kpagecount as in smaps.
 */

import type { ReverseMap } from '../reverse.ts';
import {
  ENTRY_FILE,
  ENTRY_NO_FRAME,
  ENTRY_SWAP,
  ENTRY_SWAP_TYPE_SHIFT,
  type EntryTable,
  type HostProcess,
  type HostSnapshot,
  VMA_SEEN,
} from '../snapshot.ts';
import { bitsOfWords, WORD_ANON, WORD_HUGETLB, WORD_SWAPBACKED, WORD_ZERO } from './kpf.ts';

const PAGE = 4096;
/** The kernel keeps shares of a byte in twelve bits. */
const PSS_ONE = 2 ** 12;
const PSS_PAGE = PAGE * PSS_ONE;

/** Of one process, in bytes, cut down. The kernel's kB are `Math.floor(bytes / 1024)` of them. */
export interface Sizes {
  readonly rssBytes: number;
  readonly pssBytes: number;
  readonly pssAnonBytes: number;
  readonly pssFileBytes: number;
  readonly pssShmemBytes: number;
  readonly ussBytes: number;
  /** Mapped from hugetlbfs: not in RSS. */
  readonly hugetlbBytes: number;
  /** Entries that hold a slot of swap: VmSwap. Shared memory that was swapped out has no entry. */
  readonly swapBytes: number;
  readonly swapPssBytes: number;
}

/** Of each process, by its row; null where its pages were not read, or the kernel hid the frames' numbers. */
export function sizesOf(reverse: ReverseMap): (Sizes | null)[] {
  const { snapshot } = reverse;
  const counter = new SizeCounter(reverse);
  const sizes = snapshot.processes.map((process) => (wasSeen(snapshot, process) ? counter.sizes(process) : null));
  return Array.from(mmOwners(snapshot), (owner) => sizes[owner]!);
}

/** Whether its page map was read: else nothing is known about its entries. A thread of the kernel has none to read. */
function wasSeen({ vmas }: HostSnapshot, { firstVma, endVma }: HostProcess): boolean {
  for (let vma = firstVma; vma < endVma; vma++) if ((vmas.perms[vma]! & VMA_SEEN) !== 0) return true;
  return false;
}

/** For each process whether its page map was read, be it as another's. */
export function seenOf(snapshot: HostSnapshot): boolean[] {
  const seen = snapshot.processes.map((process) => wasSeen(snapshot, process));
  return Array.from(mmOwners(snapshot), (owner) => seen[owner]!);
}

/** For each process (vfork, CLONE_VM) the row of the one that has the rows of their address space: itself, mostly. */
export function mmOwners({ processes }: HostSnapshot): Uint32Array {
  const rows = new Map(processes.map(({ pid }, row) => [pid, row]));
  return Uint32Array.from(processes, ({ sharesMmWith }, row) =>
    sharesMmWith === undefined ? row : (rows.get(sharesMmWith) ?? row),
  );
}

class SizeCounter {
  private readonly snapshot: HostSnapshot;
  private readonly slots: ReadonlyMap<number, number>;
  /** For snapshots without frames, whose mapcounts are those of the entries seen. */
  private readonly reverse: ReverseMap;
  private readonly wordKinds: Uint8Array;

  constructor(reverse: ReverseMap) {
    const { snapshot } = reverse;
    this.snapshot = snapshot;
    this.slots = slotCounts(snapshot);
    this.reverse = reverse;
    this.wordKinds = bitsOfWords(snapshot.frames);
  }

  sizes({ firstVma, endVma }: HostProcess): Sizes | null {
    const { entries, vmas } = this.snapshot;
    const { value, bits } = entries;
    const end = vmas.firstEntry[endVma]!;
    let rss = 0;
    let pss = 0;
    let pssAnon = 0;
    let pssShmem = 0;
    let uss = 0;
    let hugetlb = 0;
    let swap = 0;
    let swapPss = 0;
    for (let row = vmas.firstEntry[firstVma]!; row < end; row++) {
      if (isHidden(entries, row)) return null;
      const bit = bits[row]!;
      if ((bit & ENTRY_SWAP) !== 0) {
        swap += PAGE;
        swapPss += share(this.slots.get(slotOf(entries, row)) ?? 1);
        continue;
      }
      const kind = this.kind(value[row]!, bit);
      const mapcount = this.mapcount(value[row]!);
      if ((kind & WORD_ZERO) !== 0 || mapcount === 0) continue;
      if ((kind & WORD_HUGETLB) !== 0) {
        hugetlb += PAGE;
        continue;
      }
      const part = share(mapcount);
      rss += PAGE;
      pss += part;
      if ((kind & WORD_ANON) !== 0) pssAnon += part;
      else if ((kind & WORD_SWAPBACKED) !== 0) pssShmem += part;
      if (mapcount < 2) uss += PAGE;
    }
    return {
      rssBytes: rss,
      pssBytes: Math.floor(pss / PSS_ONE),
      pssAnonBytes: Math.floor(pssAnon / PSS_ONE),
      pssFileBytes: Math.floor((pss - pssAnon - pssShmem) / PSS_ONE),
      pssShmemBytes: Math.floor(pssShmem / PSS_ONE),
      ussBytes: uss,
      hugetlbBytes: hugetlb,
      swapBytes: swap,
      swapPssBytes: Math.floor(swapPss / PSS_ONE),
    };
  }

  private mapcount(pfn: number): number {
    const { frames } = this.snapshot;
    if (frames === null) return this.reverse.countOf(pfn);
    return pfn < frames.count ? frames.mapcount[pfn]! : 0;
  }

  private kind(pfn: number, bits: number): number {
    const { frames } = this.snapshot;
    if (frames === null) return (bits & ENTRY_FILE) === 0 ? WORD_ANON : 0;
    return pfn < frames.count ? this.wordKinds[frames.word[pfn]!]! : 0;
  }
}

/** A page's share of each of `mappers`: cut down entry by entry, as the kernel does. */
function share(mappers: number): number {
  return mappers < 2 ? PSS_PAGE : Math.floor(PSS_PAGE / mappers);
}

/** How many entries hold each slot of swap. */
function slotCounts({ entries }: HostSnapshot): Map<number, number> {
  const counts = new Map<number, number>();
  for (let row = 0; row < entries.count; row++) {
    if ((entries.bits[row]! & ENTRY_SWAP) === 0) continue;
    const slot = slotOf(entries, row);
    counts.set(slot, (counts.get(slot) ?? 0) + 1);
  }
  return counts;
}

/** Area and offset in one number. */
export function slotOf({ value, bits }: EntryTable, row: number): number {
  return (bits[row]! >>> ENTRY_SWAP_TYPE_SHIFT) * 2 ** 32 + value[row]!;
}

/** Without CAP_SYS_ADMIN the kernel shows neither frames nor slots. Slot 0 holds the area's header, never a page. */
export function isHidden({ value, bits }: EntryTable, row: number): boolean {
  return (bits[row]! & ENTRY_NO_FRAME) !== 0 || ((bits[row]! & ENTRY_SWAP) !== 0 && value[row] === 0);
}
