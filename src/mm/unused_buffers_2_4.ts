/**
 * Buffer heads that nobody uses and that 2.4 keeps: a reserve for I/O when there is no memory for more.
 *
 * Owns      the list of unused heads. They count as objects in use of their cache.
 * Promises  1. The first 80 are for those who find no memory; others take one only above that.
 *           2. At most 100 are kept.
 * Linux     2.4.19 fs/buffer.c: get_unused_buffer_head __put_unused_buffer_head NR_RESERVED MAX_UNUSED_BUFFERS
 */
import type { SlabObject } from './kmem_cache_2_4.ts';

/** Of blocks of 512 bytes. */
const MAX_BUF_PER_PAGE = 8;
export const NR_RESERVED: number = 10 * MAX_BUF_PER_PAGE;
export const MAX_UNUSED_BUFFERS: number = NR_RESERVED + 20;

export class UnusedBufferHeads {
  private readonly heads: SlabObject[] = [];

  get count(): number {
    return this.heads.length;
  }
  /** One above the reserve; null: there is none. */
  take(): SlabObject | null {
    return this.heads.length > NR_RESERVED ? this.heads.pop()! : null;
  }
  /** One of the reserve. */
  takeReserved(): SlabObject | null {
    return this.heads.pop() ?? null;
  }
  /** False: there are enough, it goes back to its cache. */
  keep(head: SlabObject): boolean {
    if (this.heads.length >= MAX_UNUSED_BUFFERS) return false;
    this.heads.push(head);
    return true;
  }
}
