/**
 * /proc/kpageflags, kpagecount and kpagecgroup: a word of 64 bits for each frame of the host, as columns.
 *
 * Promises  1. A frame costs 8 bytes: its word of flags is a place in a list of the words that occur (a few hundred).
 *           2. Without kpagecount or kpagecgroup there is no table with zeros in it: no kpagecount, no table;
 *              no kpagecgroup, every owner is NO_CGROUP. `missing` says so.
 *           3. Frames that nobody asked for have the word KPF_NOT_READ.
 * Linux     6.18 fs/proc/page.c: kpage_read stable_page_flags; mm/memcontrol.c: page_cgroup_ino
 */
import { type FrameSet, framesNamed } from '../frame_set.ts';
import { type EntryTable, type FrameTable, KPF_NOT_READ, NO_CGROUP } from '../snapshot.ts';
import { type HostFiles, type OpenFile, Refusal } from './host_files.ts';
import type { MissingList } from './missing.ts';

const WORD_BYTES = 8;
/** 1 MiB of words a read. */
const BLOCK_FRAMES = 131_072;
/** More different words than this have no place in the column. */
const WORDS_MAX = 0xffff;
/** Frames nobody asked for are read along if they lie between frames that are asked for, up to so many. */
const GAP_FRAMES = 256;
/** Frame numbers are below 2^40 on every machine. */
const FRAME_BITS = 40;

/** Where to read: [first frame, number of frames], in order. */
type Runs = readonly (readonly [number, number])[];

/**
 * `cgroupRow` gives the row of an inode of /proc/kpagecgroup. `wanted` null: every frame.
 * Null if there is no reading them; `missing` has the reason.
 */
export function readFrames(
  files: HostFiles,
  wanted: Pick<EntryTable, 'count' | 'value' | 'bits'> | null,
  cgroupRow: (inode: number) => number,
  missing: MissingList,
): FrameTable | null {
  const flags = files.open(files.inProc('kpageflags'));
  if (flags instanceof Refusal) return missing.add('kpageflags', flags.errno);
  const counts = files.open(files.inProc('kpagecount'));
  const cgroups = files.open(files.inProc('kpagecgroup'));
  try {
    if (counts instanceof Refusal) return missing.add('kpagecount', counts.errno);
    const count = frameCount(flags);
    if (count instanceof Refusal) return missing.add('kpageflags', count.errno);
    const runs: Runs = wanted === null ? [[0, count]] : runsOf(framesNamed(wanted, count));
    const reader = new FrameReader(count, wanted !== null);
    let refusal = reader.readWords(flags, runs);
    if (refusal !== null) return missing.add('kpageflags', refusal.errno);
    refusal = reader.readCounts(counts, runs);
    if (refusal !== null) return missing.add('kpagecount', refusal.errno);
    refusal = cgroups instanceof Refusal ? cgroups : reader.readOwners(cgroups, runs, cgroupRow);
    if (refusal !== null) {
      reader.forgetOwners();
      missing.add('kpagecgroup', refusal.errno);
    }
    return reader.table();
  } finally {
    for (const file of [flags, counts, cgroups]) if (!(file instanceof Refusal)) file.close();
  }
}

/** How many frames the file shows: it has no size, but reads nothing behind its end. */
function frameCount(file: OpenFile): number | Refusal {
  const word = new Uint8Array(WORD_BYTES);
  let low = 0;
  let high = 2 ** FRAME_BITS;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const read = file.readAt(word, middle * WORD_BYTES);
    if (read instanceof Refusal) return read;
    if (read < WORD_BYTES) high = middle;
    else low = middle + 1;
  }
  return low;
}

function runsOf(set: FrameSet): Runs {
  const runs: (readonly [number, number])[] = [];
  let first = -1;
  let last = -1;
  set.each((pfn) => {
    if (first >= 0 && pfn - last > GAP_FRAMES) {
      runs.push([first, last + 1 - first]);
      first = -1;
    }
    if (first < 0) first = pfn;
    last = pfn;
  });
  if (first >= 0) runs.push([first, last + 1 - first]);
  return runs;
}

/**
 * The columns while they fill. A fresh column holds zeros, and what is zero is not written: of free memory, most of a host
 * that does little, no page of a column is ever touched.
 */
class FrameReader {
  private readonly bytes = new Uint8Array(BLOCK_FRAMES * WORD_BYTES);
  private readonly block = new Int32Array(this.bytes.buffer);
  private readonly words = new WordList();
  private readonly word: Uint16Array;
  private readonly mapcount: Uint32Array;
  private readonly cgroup: Uint16Array;
  private readonly count: number;

  constructor(count: number, inPart: boolean) {
    this.count = count;
    this.word = new Uint16Array(count);
    this.mapcount = new Uint32Array(count);
    this.cgroup = new Uint16Array(count).fill(NO_CGROUP);
    // Row 0, which is what a fresh column holds.
    const fresh = inPart ? KPF_NOT_READ | 0 : 0;
    this.words.rowOf(fresh, fresh);
  }

  readWords(file: OpenFile, runs: Runs): Refusal | null {
    return this.eachBlock(file, runs, (first, frames) => {
      const isFull = placeWords(this.block, frames, this.word, first, this.words);
      return isFull ? new Refusal('EOVERFLOW') : null;
    });
  }

  readCounts(file: OpenFile, runs: Runs): Refusal | null {
    return this.eachBlock(file, runs, (first, frames) => {
      placeCounts(this.block, frames, this.mapcount, first);
      return null;
    });
  }

  readOwners(file: OpenFile, runs: Runs, rowOf: (inode: number) => number): Refusal | null {
    return this.eachBlock(file, runs, (first, frames) => {
      placeOwners(this.block, frames, this.cgroup, first, rowOf);
      return null;
    });
  }

  forgetOwners(): void {
    this.cgroup.fill(NO_CGROUP);
  }

  table(): FrameTable {
    const { count, word, mapcount, cgroup } = this;
    return { count, ...this.words.columns(), word, mapcount, cgroup };
  }

  private eachBlock(
    file: OpenFile,
    runs: Runs,
    use: (first: number, frames: number) => Refusal | null,
  ): Refusal | null {
    for (const [first, frames] of runs)
      for (let done = 0; done < frames; ) {
        const wanted = Math.min(frames - done, BLOCK_FRAMES);
        const read = file.readAt(this.bytes.subarray(0, wanted * WORD_BYTES), (first + done) * WORD_BYTES);
        if (read instanceof Refusal) return read;
        // The file was longer a moment ago.
        if (read < WORD_BYTES) return new Refusal('EIO');
        const got = Math.floor(read / WORD_BYTES);
        const refusal = use(first + done, got);
        if (refusal !== null) return refusal;
        done += got;
      }
    return null;
  }
}

/** True if there are too many words. */
function placeWords(block: Int32Array, frames: number, word: Uint16Array, first: number, words: WordList): boolean {
  let low = 0;
  let high = 0;
  let row = words.rowOf(0, 0);
  for (let at = 0; at < frames; at++) {
    // Neighbours are often alike.
    if (block[2 * at] !== low || block[2 * at + 1] !== high) {
      low = block[2 * at]!;
      high = block[2 * at + 1]!;
      row = words.rowOf(low, high);
      if (row === WORDS_MAX) return true;
    }
    if (row !== 0) word[first + at] = row;
  }
  return false;
}

function placeCounts(block: Int32Array, frames: number, mapcount: Uint32Array, first: number): void {
  for (let at = 0; at < frames; at++) {
    const count = block[2 * at]!;
    if (count !== 0) mapcount[first + at] = count;
  }
}

function placeOwners(
  block: Int32Array,
  frames: number,
  cgroup: Uint16Array,
  first: number,
  rowOf: (inode: number) => number,
): void {
  let low = 0;
  let high = 0;
  let row = NO_CGROUP;
  for (let at = 0; at < frames; at++) {
    if (block[2 * at] !== low || block[2 * at + 1] !== high) {
      low = block[2 * at]!;
      high = block[2 * at + 1]!;
      row = low === 0 && high === 0 ? NO_CGROUP : rowOf((low >>> 0) + (high >>> 0) * 2 ** 32);
    }
    if (row !== NO_CGROUP) cgroup[first + at] = row;
  }
}

const SLOT_BITS = 18;

/** The different words, in the order in which they came. */
class WordList {
  private readonly low = new Int32Array(WORDS_MAX + 1);
  private readonly high = new Int32Array(WORDS_MAX + 1);
  private count = 0;
  /** Open addressing: row + 1 of the word that has this place, or 0. */
  private readonly slots = new Int32Array(2 ** SLOT_BITS);
  /** WORDS_MAX when there are too many. */
  rowOf(low: number, high: number): number {
    let slot = (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> (32 - SLOT_BITS);
    for (;;) {
      const row = this.slots[slot]! - 1;
      if (row < 0) return this.add(slot, low, high);
      if (this.low[row] === low && this.high[row] === high) return row;
      slot = (slot + 1) & (2 ** SLOT_BITS - 1);
    }
  }

  columns(): { wordsLow: Uint32Array; wordsHigh: Uint32Array } {
    return {
      wordsLow: Uint32Array.from(this.low.subarray(0, this.count), (half) => half >>> 0),
      wordsHigh: Uint32Array.from(this.high.subarray(0, this.count), (half) => half >>> 0),
    };
  }

  private add(slot: number, low: number, high: number): number {
    if (this.count === WORDS_MAX) return WORDS_MAX;
    this.low[this.count] = low;
    this.high[this.count] = high;
    this.count += 1;
    this.slots[slot] = this.count;
    return this.count - 1;
  }
}
