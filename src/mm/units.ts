/**
 * The units of the engine: frames, virtual pages, file offsets, addresses, contents.
 *
 * Owns      the brands, so that a frame is not taken for a virtual page.
 * Promises  A brand costs nothing at run time; arithmetic drops it, and a cast marks where meaning changes.
 */
declare const unit: unique symbol;

/** A physical frame: an index into mem_map. */
export type Pfn = number & { readonly [unit]: 'pfn' };
/** A virtual address, in pages. Below 2**36 on x86-64. */
export type Vpn = number & { readonly [unit]: 'vpn' };
/** An offset in a file or object, in pages. */
export type Pgoff = number & { readonly [unit]: 'pgoff' };
/** A virtual address in bytes, below 2**48, so a double holds it. */
export type Vaddr = number & { readonly [unit]: 'vaddr' };
/** What a page holds: 0 is all zeros, every store makes a new one. A whole number below 2**53. */
export type Token = number & { readonly [unit]: 'token' };
/** A swap slot: type * 2**27 + offset, as 32 bits. Slot 0 of an area is its header, so 0 is no entry. */
export type SwapEntry = number & { readonly [unit]: 'swp_entry' };

export const PAGE_SIZE = 4096;
/** Not 0: frame 0 exists. */
export const NO_PFN = -1 as Pfn;
export const NO_VPN = -1 as Vpn;
export const ZERO_TOKEN = 0 as Token;
export const NO_SWAP = 0 as SwapEntry;

const SWP_TYPE_UNIT = 2 ** 27;

/** Not `addr >> 12`: shifts see 32 bits, and 0x7ffc12345678 would land in page 0x12345. */
export function vpnOf(addr: number): Vpn {
  return Math.floor(addr / PAGE_SIZE) as Vpn;
}

export function addrOf(vpn: Vpn): Vaddr {
  return (vpn * PAGE_SIZE) as Vaddr;
}

/** Bytes to pages, rounded up. */
export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE);
}

const ULONG_PAGES = 2 ** 64 / PAGE_SIZE;

/** Pages of a length from a register: rounded up at the very end of the address space, it is none at all. */
export function pagesOfLength(bytes: number): number {
  return pagesOf(bytes) % ULONG_PAGES;
}

export function swpEntry(type: number, offset: number): SwapEntry {
  return (type * SWP_TYPE_UNIT + offset) as SwapEntry;
}

export function swpType(entry: SwapEntry): number {
  return Math.floor(entry / SWP_TYPE_UNIT);
}

export function swpOffset(entry: SwapEntry): number {
  return entry % SWP_TYPE_UNIT;
}

/** Integer square root, rounded down (lib/math/int_sqrt.c). */
export function intSqrt(n: number): number {
  return Math.floor(Math.sqrt(n));
}
