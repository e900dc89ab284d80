/**
 * /proc/PID/pagemap: one word of 64 bits for each page of an address space.
 *
 *     63 present   62 swapped   61 file or shared   58 guard   57 uffd-wp   56 mapped once   55 soft-dirty
 *     54…0  the frame's number; swapped: bits 4…0 the swap area, 54…5 the offset in it
 *
 * Promises  1. One row for each entry that is present or in a swap area, and for no other: guards, markers of userfaultfd
 *              and pages under way from frame to frame have none (the last are read again first).
 *           2. VMAs that lie near each other cost one read together. No word becomes an object or a BigInt.
 *           3. A reservation of terabytes costs what is in it (PAGEMAP_SCAN, or smaps of what nobody may touch).
 *           4. A read that ends early says so: the caller never takes the rest for empty.
 * Linux     6.18 fs/proc/task_mmu.c: pagemap_read pte_to_pagemap_entry do_pagemap_scan; include/linux/swap.h: SWP_PTE_MARKER
 */
import type { SnapshotBuilder } from '../builder.ts';
import { ENTRY_NO_FRAME, ENTRY_PRESENT, ENTRY_SWAP, ENTRY_SWAP_TYPE_SHIFT } from '../snapshot.ts';
import { type OpenFile, Refusal } from './host_files.ts';
import type { MapsLine } from './maps_text.ts';
import { mmCalls, type PageRange } from './mm_calls.ts';

const WORD_BYTES = 8;
/** From 128 MiB on the kernel is asked where in a VMA is anything: mostly there is little, as in V8's and Java's reservations. */
const HUGE_PAGES = 2 ** 15;
/** From 8 GiB on smaps is read where the kernel cannot be asked: a hole of a tebibyte costs more than a second. */
const ENDLESS_PAGES = 2 ** 21;
/** 256 KiB of words: 128 MiB of address space a read. */
const BLOCK_WORDS = 32_768;
/** A hole of so many pages is cheaper read than passed over. */
const GAP_PAGES = 512;
/** Pages from here on are the kernel's: vsyscall has no page table of the process. */
const TASK_END_PAGE = 2 ** 45;

/** Bits of the high half. */
const PRESENT = 1 << 31;
const SWAPPED = 1 << 30;
const FILE = 1 << 29;
const UFFD_WP = 1 << 25;
const EXCLUSIVE = 1 << 24;
const SOFT_DIRTY = 1 << 23;
const FRAME_HIGH = SOFT_DIRTY - 1;
const SWAP_TYPE = 31;
const SWAP_TYPE_BITS = 5;
/** No kernel has more swap areas; entries of higher types are pages under way, poisoned ones, devices' and markers. */
const SWAP_AREAS = 23;

/** What a process's entries look like beside the rows. */
export interface PagemapSeen {
  /** Entries whose frame the kernel did not show. */
  hiddenFrames: number;
  /** Entries that are neither present nor in a swap area: pages under way, of devices, poisoned. */
  otherEntries: number;
}

/** What the reader of a process has to do with its VMAs. */
export interface VmaSink {
  /** Before the entries of each. */
  add(line: MapsLine, isSeen: boolean): void;
  /** Is there surely nothing in this huge one? Asked only where PAGEMAP_SCAN is not. */
  isEmpty(line: MapsLine): boolean;
}

/** One process. */
interface Job {
  readonly file: OpenFile;
  readonly lines: readonly MapsLine[];
  readonly builder: SnapshotBuilder;
  readonly seen: PagemapSeen;
}

export class PagemapReader {
  private readonly bytes = new Uint8Array(BLOCK_WORDS * WORD_BYTES);
  private readonly words = new Int32Array(this.bytes.buffer);
  private readonly single = new Uint8Array(WORD_BYTES);
  /** Pages whose words stand in the block. */
  private firstPage = 0;
  private endPage = 0;

  /** Each VMA of `lines`, and its entries behind it. A refusal: the rows so far are worth nothing. */
  read(
    file: OpenFile,
    lines: readonly MapsLine[],
    builder: SnapshotBuilder,
    { add, isEmpty }: VmaSink,
  ): PagemapSeen | Refusal {
    const job: Job = { file, lines, builder, seen: { hiddenFrames: 0, otherEntries: 0 } };
    this.firstPage = 0;
    this.endPage = 0;
    for (let row = 0; row < lines.length; row++) {
      const line = lines[row]!;
      const hasPages = line.endPage <= TASK_END_PAGE;
      add(line, hasPages);
      if (!hasPages) continue;
      const refusal = isHuge(line)
        ? this.readParts(job, row, partsToRead(file, line, isEmpty))
        : this.readPart(job, row, line.startPage, line.endPage);
      if (refusal !== null) return refusal;
    }
    return job.seen;
  }

  private readParts(job: Job, row: number, parts: readonly PageRange[]): Refusal | null {
    for (const [start, end] of parts) {
      const refusal = this.readPart(job, row, start, end);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  /** Pages from `start` to `end` of a VMA. */
  private readPart(job: Job, row: number, start: number, end: number): Refusal | null {
    const line = job.lines[row]!;
    for (let page = start; page < end; ) {
      if (page >= this.endPage || page < this.firstPage) {
        const stop = isHuge(line) ? Math.min(end, page + BLOCK_WORDS) : spanEnd(job.lines, row, page);
        const refusal = this.load(job.file, page, stop);
        if (refusal !== null) return refusal;
      }
      const stop = Math.min(end, this.endPage);
      this.decode(job, page, stop, line.startPage);
      page = stop;
    }
    return null;
  }

  private load(file: OpenFile, page: number, end: number): Refusal | null {
    const wanted = (end - page) * WORD_BYTES;
    let done = 0;
    while (done < wanted) {
      const read = file.readAt(this.bytes.subarray(done, wanted), page * WORD_BYTES + done);
      if (read instanceof Refusal) return read;
      // The address space is gone.
      if (read === 0) return new Refusal('ESRCH');
      done += read;
    }
    this.firstPage = page;
    this.endPage = end;
    return null;
  }

  private decode({ file, builder, seen }: Job, page: number, end: number, vmaStart: number): void {
    const { words } = this;
    // Page numbers are doubles; the hot loop counts in the block, in integers.
    const offset = this.firstPage - vmaStart;
    const stop = (end - this.firstPage) | 0;
    for (let at = (page - this.firstPage) | 0; at < stop; at++) {
      const high = words[2 * at + 1]!;
      if ((high & (PRESENT | SWAPPED)) === 0) continue;
      const low = words[2 * at]!;
      const place = offset + at;
      if (high < 0) this.addPresent(builder, place, low, high, seen);
      else if ((low & SWAP_TYPE) < SWAP_AREAS) addSwapped(builder, place, low, high);
      else this.addOther(file, builder, this.firstPage + at, place, seen);
    }
  }

  private addPresent(builder: SnapshotBuilder, place: number, low: number, high: number, seen: PagemapSeen): void {
    const bits = entryBits(high) | ENTRY_PRESENT;
    // Nobody maps frame 0: it is the kernel's way to say nothing. Beyond 16 TiB a frame has no place in the column.
    if (low === 0 || (high & FRAME_HIGH) !== 0) {
      seen.hiddenFrames += 1;
      builder.addEntry(place, 0, bits | ENTRY_NO_FRAME);
    } else builder.addEntry(place, low >>> 0, bits);
  }

  /** A page that is being moved is at its new place a moment later; what stays is no memory of this process. */
  private addOther(file: OpenFile, builder: SnapshotBuilder, page: number, place: number, seen: PagemapSeen): void {
    const word = new Int32Array(this.single.buffer);
    for (let tries = 0; tries < TRIES; tries++) {
      if (file.readAt(this.single, page * WORD_BYTES) !== WORD_BYTES) break;
      const low = word[0]!;
      const high = word[1]!;
      const isSwap = (high & SWAPPED) !== 0;
      const isInArea = isSwap && (low & SWAP_TYPE) < SWAP_AREAS;
      if (high < 0) this.addPresent(builder, place, low, high, seen);
      else if (isInArea) addSwapped(builder, place, low, high);
      if (high < 0 || isInArea || !isSwap || isMarker(low, high)) return;
    }
    seen.otherEntries += 1;
  }
}

const TRIES = 20;
const MARKER_TYPE = 31;
const MARKERS = 16;

/** A mark in the place of an entry, without a page: write-protected by userfaultfd, guard, poisoned. */
function isMarker(low: number, high: number): boolean {
  return (low & SWAP_TYPE) === MARKER_TYPE && (high & FRAME_HIGH) === 0 && low >>> SWAP_TYPE_BITS < MARKERS;
}

function addSwapped(builder: SnapshotBuilder, place: number, low: number, high: number): void {
  const offset = (low >>> SWAP_TYPE_BITS) + (high & FRAME_HIGH) * 2 ** (32 - SWAP_TYPE_BITS);
  const type = (low & SWAP_TYPE) << ENTRY_SWAP_TYPE_SHIFT;
  builder.addEntry(place, offset, entryBits(high) | ENTRY_SWAP | type);
}

/** Bits 61, 56, 55 and 57 to ENTRY_FILE, ENTRY_EXCLUSIVE, ENTRY_SOFT_DIRTY and ENTRY_UFFD_WP. */
function entryBits(high: number): number {
  return (
    ((high & FILE) >>> 27) | ((high & EXCLUSIVE) >>> 21) | ((high & SOFT_DIRTY) >>> 19) | ((high & UFFD_WP) >>> 20)
  );
}

function isHuge(line: MapsLine): boolean {
  return line.endPage - line.startPage >= HUGE_PAGES;
}

/** The pages of a huge VMA that may have entries; those that lie near each other are one part. */
function partsToRead(file: OpenFile, line: MapsLine, isEmpty: VmaSink['isEmpty']): readonly PageRange[] {
  const ranges = mmCalls()?.populated(file.fd, line.startPage, line.endPage);
  if (ranges === undefined || ranges === null) {
    const isEndless = line.endPage - line.startPage >= ENDLESS_PAGES;
    return isEndless && isEmpty(line) ? [] : [[line.startPage, line.endPage]];
  }
  const parts: PageRange[] = [];
  for (const [start, end] of ranges) {
    const last = parts.at(-1);
    if (last !== undefined && start - last[1] <= GAP_PAGES) parts[parts.length - 1] = [last[0], end];
    else parts.push([start, end]);
  }
  return parts;
}

/** Where a read that begins at `page` in VMA `row` shall end: behind the last VMA that lies near enough. */
function spanEnd(lines: readonly MapsLine[], row: number, page: number): number {
  const last = page + BLOCK_WORDS;
  let end = lines[row]!.endPage;
  for (let next = row + 1; next < lines.length; next++) {
    const line = lines[next]!;
    if (line.startPage - end > GAP_PAGES || line.startPage >= last || line.endPage > TASK_END_PAGE) break;
    end = line.endPage;
  }
  return Math.min(end, last);
}
