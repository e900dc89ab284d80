/**
 * Who may wait for what while memory is allocated.
 *
 * Owns      the GFP bits and the combinations that the engine uses.
 * Linux     6.18 include/linux/gfp_types.h (the bits are our own numbers; the combinations are Linux's)
 */
export const __GFP_DMA = 1 << 0;
export const __GFP_HIGHMEM = 1 << 1;
export const __GFP_DMA32 = 1 << 2;
export const __GFP_MOVABLE = 1 << 3;
export const __GFP_RECLAIMABLE = 1 << 4;
export const __GFP_HIGH = 1 << 5;
export const __GFP_IO = 1 << 6;
export const __GFP_FS = 1 << 7;
export const __GFP_DIRECT_RECLAIM = 1 << 8;
export const __GFP_KSWAPD_RECLAIM = 1 << 9;
export const __GFP_WRITE = 1 << 10;
export const __GFP_NOWARN = 1 << 11;
export const __GFP_RETRY_MAYFAIL = 1 << 12;
export const __GFP_NOFAIL = 1 << 13;
export const __GFP_NORETRY = 1 << 14;
export const __GFP_MEMALLOC = 1 << 15;
export const __GFP_NOMEMALLOC = 1 << 16;
export const __GFP_COMP = 1 << 17;
export const __GFP_ZERO = 1 << 18;
export const __GFP_HARDWALL = 1 << 19;
export const __GFP_THISNODE = 1 << 20;
export const __GFP_ACCOUNT = 1 << 21;
/** The page will not be touched soon: from the CPU's cold list (until 4.15). */
export const __GFP_COLD = 1 << 22;

export const __GFP_RECLAIM: number = __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM;
export const GFP_ATOMIC: number = __GFP_HIGH | __GFP_KSWAPD_RECLAIM;
export const GFP_KERNEL: number = __GFP_RECLAIM | __GFP_IO | __GFP_FS;
export const GFP_NOFS: number = __GFP_RECLAIM | __GFP_IO;
export const GFP_USER: number = GFP_KERNEL | __GFP_HARDWALL;
export const GFP_HIGHUSER: number = GFP_USER | __GFP_HIGHMEM;
export const GFP_HIGHUSER_MOVABLE: number = GFP_HIGHUSER | __GFP_MOVABLE;
export const GFP_PGTABLE_USER: number = GFP_KERNEL | __GFP_ZERO | __GFP_ACCOUNT;

export type Gfp = number;
