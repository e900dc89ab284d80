/**
 * Allocation flags as tracepoints print them.
 *
 * Owns      the kernels' names for their bits, in the order in which they are looked for, and the bits behind them.
 * Promises  A name stands for all its bits at once; what no name covers is printed in hexadecimal, as the kernel does it.
 * Linux     6.18, 6.1 include/trace/events/mmflags.h, include/linux/gfp_types.h; 3.16 include/trace/events/gfpflags.h
 */

/** Bits and their name; whoever has more bits comes first. */
export type FlagNames = readonly (readonly [bits: number, name: string])[];

const DMA = 0x1;
const HIGHMEM = 0x2;
const DMA32 = 0x4;
const MOVABLE = 0x8;

// since 4.4: who may reclaim, and who may wake kswapd

const RECLAIMABLE = 0x10;
const HIGH = 0x20;
const IO = 0x40;
const FS = 0x80;
const ZERO = 0x100;
const DIRECT_RECLAIM = 0x400;
const KSWAPD_RECLAIM = 0x800;
const WRITE = 0x1000;
const NOWARN = 0x2000;
const RETRY_MAYFAIL = 0x4000;
const NOFAIL = 0x8000;
const NORETRY = 0x10000;
const MEMALLOC = 0x20000;
const COMP = 0x40000;
const NOMEMALLOC = 0x80000;
const HARDWALL = 0x100000;
const THISNODE = 0x200000;
const ACCOUNT = 0x400000;
const ZEROTAGS = 0x800000;
const NO_OBJ_EXT = 0x1000000;
const RECLAIM = DIRECT_RECLAIM | KSWAPD_RECLAIM;
const KERNEL = RECLAIM | IO | FS;
const USER = KERNEL | HARDWALL;
const HIGHUSER = USER | HIGHMEM;
const HIGHUSER_MOVABLE = HIGHUSER | MOVABLE;
const TRANSHUGE_LIGHT = (HIGHUSER_MOVABLE | COMP | NOMEMALLOC | NOWARN) & ~RECLAIM;

const SETS: FlagNames = [
  [TRANSHUGE_LIGHT | DIRECT_RECLAIM, 'GFP_TRANSHUGE'],
  [TRANSHUGE_LIGHT, 'GFP_TRANSHUGE_LIGHT'],
  [HIGHUSER_MOVABLE, 'GFP_HIGHUSER_MOVABLE'],
  [HIGHUSER, 'GFP_HIGHUSER'],
  [USER, 'GFP_USER'],
  [KERNEL | ACCOUNT, 'GFP_KERNEL_ACCOUNT'],
  [KERNEL, 'GFP_KERNEL'],
  [RECLAIM | IO, 'GFP_NOFS'],
];

/** By name, the bits of 6.x; whoever knows a name (mm/gfp.ts) finds its bit. */
export const GFP_BITS_6: Readonly<Record<string, number>> = {
  __GFP_DMA: DMA,
  __GFP_HIGHMEM: HIGHMEM,
  __GFP_DMA32: DMA32,
  __GFP_MOVABLE: MOVABLE,
  __GFP_RECLAIMABLE: RECLAIMABLE,
  __GFP_HIGH: HIGH,
  __GFP_IO: IO,
  __GFP_FS: FS,
  __GFP_ZERO: ZERO,
  __GFP_DIRECT_RECLAIM: DIRECT_RECLAIM,
  __GFP_KSWAPD_RECLAIM: KSWAPD_RECLAIM,
  __GFP_WRITE: WRITE,
  __GFP_NOWARN: NOWARN,
  __GFP_RETRY_MAYFAIL: RETRY_MAYFAIL,
  __GFP_NOFAIL: NOFAIL,
  __GFP_NORETRY: NORETRY,
  __GFP_MEMALLOC: MEMALLOC,
  __GFP_COMP: COMP,
  __GFP_NOMEMALLOC: NOMEMALLOC,
  __GFP_HARDWALL: HARDWALL,
  __GFP_THISNODE: THISNODE,
  __GFP_ACCOUNT: ACCOUNT,
};

/** 6.18: single bits in the order of their numbers. */
export const GFP_NAMES_6_18: FlagNames = [
  ...SETS,
  [HIGH | KSWAPD_RECLAIM, 'GFP_ATOMIC'],
  [RECLAIM, 'GFP_NOIO'],
  [KSWAPD_RECLAIM | NOWARN, 'GFP_NOWAIT'],
  [DMA, 'GFP_DMA'],
  [DMA32, 'GFP_DMA32'],
  [RECLAIM, '__GFP_RECLAIM'],
  ...Object.entries(GFP_BITS_6)
    .map(([name, bits]) => [bits, name] as const)
    .sort((a, b) => a[0] - b[0]),
  [ZEROTAGS, '__GFP_ZEROTAGS'],
  [NO_OBJ_EXT, '__GFP_NO_OBJ_EXT'],
];

/** 6.1: GFP_ATOMIC has a bit of its own, GFP_NOWAIT still warns, and single bits stand in an order of their own. */
const ATOMIC_6_1 = 0x200;
export const GFP_NAMES_6_1: FlagNames = [
  ...SETS,
  [HIGH | ATOMIC_6_1 | KSWAPD_RECLAIM, 'GFP_ATOMIC'],
  [RECLAIM, 'GFP_NOIO'],
  [KSWAPD_RECLAIM, 'GFP_NOWAIT'],
  [DMA, 'GFP_DMA'],
  [HIGHMEM, '__GFP_HIGHMEM'],
  [DMA32, 'GFP_DMA32'],
  [HIGH, '__GFP_HIGH'],
  [ATOMIC_6_1, '__GFP_ATOMIC'],
  [IO, '__GFP_IO'],
  [FS, '__GFP_FS'],
  [NOWARN, '__GFP_NOWARN'],
  [RETRY_MAYFAIL, '__GFP_RETRY_MAYFAIL'],
  [NOFAIL, '__GFP_NOFAIL'],
  [NORETRY, '__GFP_NORETRY'],
  [COMP, '__GFP_COMP'],
  [ZERO, '__GFP_ZERO'],
  [NOMEMALLOC, '__GFP_NOMEMALLOC'],
  [MEMALLOC, '__GFP_MEMALLOC'],
  [HARDWALL, '__GFP_HARDWALL'],
  [THISNODE, '__GFP_THISNODE'],
  [RECLAIMABLE, '__GFP_RECLAIMABLE'],
  [MOVABLE, '__GFP_MOVABLE'],
  [ACCOUNT, '__GFP_ACCOUNT'],
  [WRITE, '__GFP_WRITE'],
  [RECLAIM, '__GFP_RECLAIM'],
  [DIRECT_RECLAIM, '__GFP_DIRECT_RECLAIM'],
  [KSWAPD_RECLAIM, '__GFP_KSWAPD_RECLAIM'],
  [ZEROTAGS, '__GFP_ZEROTAGS'],
];

// before 4.4: __GFP_WAIT is the permission to reclaim

const WAIT_3 = 0x10;
const COLD_3 = 0x100;
const NOWARN_3 = 0x200;
const REPEAT_3 = 0x400;
const NOFAIL_3 = 0x800;
const NORETRY_3 = 0x1000;
const MEMALLOC_3 = 0x2000;
const COMP_3 = 0x4000;
const ZERO_3 = 0x8000;
const NOMEMALLOC_3 = 0x10000;
const HARDWALL_3 = 0x20000;
const THISNODE_3 = 0x40000;
const RECLAIMABLE_3 = 0x80000;
const NOTRACK_3 = 0x200000;
const NO_KSWAPD_3 = 0x400000;
const OTHER_NODE_3 = 0x800000;
const WRITE_3 = 0x1000000;
const KERNEL_3 = WAIT_3 | IO | FS;
const HIGHUSER_MOVABLE_3 = KERNEL_3 | HARDWALL_3 | HIGHMEM | MOVABLE;

export const GFP_BITS_3: Readonly<Record<string, number>> = {
  __GFP_DMA: DMA,
  __GFP_HIGHMEM: HIGHMEM,
  __GFP_DMA32: DMA32,
  __GFP_MOVABLE: MOVABLE,
  __GFP_DIRECT_RECLAIM: WAIT_3,
  __GFP_HIGH: HIGH,
  __GFP_IO: IO,
  __GFP_FS: FS,
  __GFP_COLD: COLD_3,
  __GFP_NOWARN: NOWARN_3,
  __GFP_RETRY_MAYFAIL: REPEAT_3,
  __GFP_NOFAIL: NOFAIL_3,
  __GFP_NORETRY: NORETRY_3,
  __GFP_MEMALLOC: MEMALLOC_3,
  __GFP_COMP: COMP_3,
  __GFP_ZERO: ZERO_3,
  __GFP_NOMEMALLOC: NOMEMALLOC_3,
  __GFP_HARDWALL: HARDWALL_3,
  __GFP_THISNODE: THISNODE_3,
  __GFP_RECLAIMABLE: RECLAIMABLE_3,
  __GFP_WRITE: WRITE_3,
};

export const GFP_NAMES_3: FlagNames = [
  [HIGHUSER_MOVABLE_3 | COMP_3 | NOMEMALLOC_3 | NORETRY_3 | NOWARN_3 | NO_KSWAPD_3, 'GFP_TRANSHUGE'],
  [HIGHUSER_MOVABLE_3, 'GFP_HIGHUSER_MOVABLE'],
  [KERNEL_3 | HARDWALL_3 | HIGHMEM, 'GFP_HIGHUSER'],
  [KERNEL_3 | HARDWALL_3, 'GFP_USER'],
  [KERNEL_3 | RECLAIMABLE_3, 'GFP_TEMPORARY'],
  [KERNEL_3, 'GFP_KERNEL'],
  [WAIT_3 | IO, 'GFP_NOFS'],
  [HIGH, 'GFP_ATOMIC'],
  [WAIT_3, 'GFP_NOIO'],
  [HIGH, 'GFP_HIGH'],
  [WAIT_3, 'GFP_WAIT'],
  [IO, 'GFP_IO'],
  [COLD_3, 'GFP_COLD'],
  [NOWARN_3, 'GFP_NOWARN'],
  [REPEAT_3, 'GFP_REPEAT'],
  [NOFAIL_3, 'GFP_NOFAIL'],
  [NORETRY_3, 'GFP_NORETRY'],
  [COMP_3, 'GFP_COMP'],
  [ZERO_3, 'GFP_ZERO'],
  [NOMEMALLOC_3, 'GFP_NOMEMALLOC'],
  [MEMALLOC_3, 'GFP_MEMALLOC'],
  [HARDWALL_3, 'GFP_HARDWALL'],
  [THISNODE_3, 'GFP_THISNODE'],
  [RECLAIMABLE_3, 'GFP_RECLAIMABLE'],
  [MOVABLE, 'GFP_MOVABLE'],
  [NOTRACK_3, 'GFP_NOTRACK'],
  [NO_KSWAPD_3, 'GFP_NO_KSWAPD'],
  [OTHER_NODE_3, 'GFP_OTHER_NODE'],
];

/** Names of the bits that are set, each bit once (__print_flags). */
export function printFlags(bits: number, names: FlagNames): string {
  let left = bits;
  const found: string[] = [];
  for (const [mask, name] of names) {
    if (mask === 0 || (left & mask) !== mask) continue;
    found.push(name);
    left &= ~mask;
    if (left === 0) break;
  }
  if (left !== 0) found.push(`0x${left.toString(16)}`);
  return found.join('|');
}
