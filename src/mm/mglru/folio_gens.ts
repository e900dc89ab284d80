/**
 * What struct page's flags word holds for the multi-generational LRU beside the PG_ bits.
 *
 *   7 ....... 5 | 4 .... 3 | 2 ........ 0
 *   unused      | refs     | generation + 1; 0: on no list of generations
 *
 * Owns      the generation of each folio, and how often it was used beyond what PG_referenced and PG_workingset tell.
 * Promises  A frame costs one byte, and nothing on machines without generations.
 * Linux     6.18 include/linux/mmzone.h: LRU_GEN_MASK LRU_REFS_MASK; include/linux/mm_inline.h: folio_lru_gen
 */
import type { Pfn } from '../units.ts';

/** No generation: isolated, in a batch, or unevictable. */
export const NO_GEN = -1;
/** The most that two bits can count. */
export const MOST_REFS = 3;

const GEN_MASK = 7;
const REFS_SHIFT = 3;
const REFS_MASK: number = MOST_REFS << REFS_SHIFT;

export class FolioGens {
  private readonly word: Uint8Array;

  constructor(frames: number) {
    this.word = new Uint8Array(frames);
  }

  /** Which of the four generations the folio is in, or NO_GEN. */
  gen(pfn: Pfn): number {
    return (this.word[pfn]! & GEN_MASK) - 1;
  }
  setGen(pfn: Pfn, gen: number): void {
    this.word[pfn] = (this.word[pfn]! & REFS_MASK) | (gen + 1);
  }
  /** The two bits. What they count beyond is a matter of the release (rules.ts). */
  refs(pfn: Pfn): number {
    return (this.word[pfn]! & REFS_MASK) >> REFS_SHIFT;
  }
  setRefs(pfn: Pfn, refs: number): void {
    this.word[pfn] = (this.word[pfn]! & GEN_MASK) | (refs << REFS_SHIFT);
  }
  /** A page of a folio that is split is where the folio was. */
  copy(to: Pfn, from: Pfn): void {
    this.word[to] = this.word[from]!;
  }
  /** The frame is free. */
  forget(pfn: Pfn): void {
    this.word[pfn] = 0;
  }
}
