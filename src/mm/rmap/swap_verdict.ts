/**
 * What try_to_unmap says in kernels before 4.12, where a page that cannot be unmapped is told from one that could be later.
 *
 * Owns      the words.
 * Promises  SWAP_SUCCESS means that nobody maps the page any more.
 * Linux     2.6.24 include/linux/rmap.h: SWAP_SUCCESS SWAP_AGAIN SWAP_FAIL
 */
export const SWAP_SUCCESS = 0;
export const SWAP_AGAIN = 1;
export const SWAP_FAIL = 2;

/** A locked VMA maps the page, which is mlocked now (2.6.28 and later). */
export const SWAP_MLOCK = 3;

export type SwapVerdict = typeof SWAP_SUCCESS | typeof SWAP_AGAIN | typeof SWAP_FAIL;
