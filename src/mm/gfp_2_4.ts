/**
 * What a request for memory says in 2.4, in its own bits.
 *
 * Owns      the numbers and the combinations. Common code asks with the bits of gfp.ts; this is how 2.4 would have written it.
 * Promises  Bits that 2.4 lacks (__GFP_MOVABLE, __GFP_NORETRY, …) are left out; whoever may do I/O may do it for high pages as well.
 * Linux     2.4.19 include/linux/mm.h: __GFP_WAIT __GFP_HIGHIO GFP_NOHIGHIO GFP_KSWAPD
 */
import { __GFP_DIRECT_RECLAIM, __GFP_DMA, __GFP_FS, __GFP_HIGH, __GFP_HIGHMEM, __GFP_IO, type Gfp } from './gfp.ts';

export const GFP_BITS_2_4: readonly (readonly [string, number, number])[] = [
  ['__GFP_DMA', 0x01, __GFP_DMA],
  ['__GFP_HIGHMEM', 0x02, __GFP_HIGHMEM],
  ['__GFP_WAIT', 0x10, __GFP_DIRECT_RECLAIM],
  ['__GFP_HIGH', 0x20, __GFP_HIGH],
  ['__GFP_IO', 0x40, __GFP_IO],
  ['__GFP_HIGHIO', 0x80, __GFP_IO],
  ['__GFP_FS', 0x100, __GFP_FS],
];

/** Whoever asks with GFP_KERNEL may also use what is kept for the urgent: 2.4 has __GFP_HIGH in it. */
export const GFP_MASKS_2_4: ReadonlyMap<string, number> = new Map([
  ['GFP_ATOMIC', 0x20],
  ['GFP_NOIO', 0x30],
  ['GFP_NOHIGHIO', 0x70],
  ['GFP_NOFS', 0xf0],
  ['GFP_USER', 0x1d0],
  ['GFP_KSWAPD', 0x1d0],
  ['GFP_HIGHUSER', 0x1d2],
  ['GFP_KERNEL', 0x1f0],
]);

/** A request of common code in the bits of 2.4. */
export function gfpWord_2_4(gfp: Gfp): number {
  return GFP_BITS_2_4.reduce((word, [, bit, engine]) => ((gfp & engine) !== 0 ? word | bit : word), 0);
}

/** `WAIT|IO|HIGHIO|FS`. */
export function gfpNames_2_4(word: number): string {
  return GFP_BITS_2_4.filter(([, bit]) => (word & bit) !== 0)
    .map(([name]) => name.replace('__GFP_', ''))
    .join('|');
}
