/**
 * The few bits of /proc/kpageflags by which memory is counted, one byte for each word that occurs.
 *
 * Linux     6.18 include/uapi/linux/kernel-page-flags.h
 */
import {
  LOW_ANON,
  LOW_COMPOUND_HEAD,
  LOW_COMPOUND_TAIL,
  LOW_HUGE,
  LOW_LRU,
  LOW_SWAPBACKED,
  LOW_UPTODATE,
  LOW_ZERO_PAGE,
} from '../frames/kpf_masks.ts';
import { type FrameTable, KPF_NOT_READ } from '../snapshot.ts';

export const WORD_ANON = 1;
export const WORD_SWAPBACKED = 2;
export const WORD_HEAD = 4;
export const WORD_TAIL = 8;
export const WORD_HUGETLB = 16;
export const WORD_ZERO = 32;
/** A page of a process or of the page cache, not the kernel's own: on a list of reclaim, or on its way there and read in. */
export const WORD_USER = 64;

const BITS: readonly (readonly [kpf: number, word: number])[] = [
  [LOW_ANON, WORD_ANON],
  [LOW_SWAPBACKED, WORD_SWAPBACKED],
  [LOW_COMPOUND_HEAD, WORD_HEAD],
  [LOW_COMPOUND_TAIL, WORD_TAIL],
  [LOW_HUGE, WORD_HUGETLB],
  [LOW_ZERO_PAGE, WORD_ZERO],
  [LOW_LRU | LOW_UPTODATE, WORD_USER],
];

/** WORD_ bits of each row of the table's words; 0 for frames that were not read. */
export function bitsOfWords(frames: FrameTable | null): Uint8Array {
  if (frames === null) return new Uint8Array(0);
  return Uint8Array.from(frames.wordsLow, (low) =>
    low === KPF_NOT_READ ? 0 : BITS.reduce((kind, [kpf, word]) => ((low & kpf) === 0 ? kind : kind | word), 0),
  );
}
