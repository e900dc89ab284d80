/**
 * Kernels before 3.15: a page that is evicted leaves nothing behind.
 *
 * Owns      nothing.
 * Promises  No shadow is kept, and no refault is counted.
 * Linux     2.6.24 mm/vmscan.c: remove_mapping
 */
import type { Workingset } from '../parts.ts';

export function noWorkingset(): Workingset {
  return new NoWorkingset();
}

class NoWorkingset implements Workingset {
  eviction(): number {
    return 0;
  }
  refault(): void {}
  activation(): void {}
}
