/**
 * The pages that wait to be moved to or from the unevictable list: one CPU's mlock_fbatch.
 *
 * Linux     6.18 mm/mlock.c: mlock_fbatch
 */
import type { Pfn } from './units.ts';

/** The longest batch of any kernel (FOLIO_BATCH_SIZE). */
const MAX_BATCH = 31;

export class MlockBatch {
  count = 0;
  private readonly pages: Int32Array = new Int32Array(MAX_BATCH);
  private readonly kinds: Uint8Array = new Uint8Array(MAX_BATCH);
  /** How many locked VMAs map a page, while it is on the unevictable list (page->mlock_count); 0 has no element. */
  readonly counts: Map<Pfn, number> = new Map();

  add(pfn: Pfn, what: number): void {
    this.pages[this.count] = pfn;
    this.kinds[this.count] = what;
    this.count += 1;
  }
  pfn(i: number): Pfn {
    return this.pages[i]! as Pfn;
  }
  what(i: number): number {
    return this.kinds[i]!;
  }
}
