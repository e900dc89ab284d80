/**
 * The counters, under the kernel's own names.
 *
 * Owns      the numbering of node statistics (they go up and down) and VM events (they only go up).
 * Promises  1. A name is spelled as /proc/vmstat and memory.stat spell it.
 *           2. Counting allocates nothing.
 * Linux     6.18 include/linux/mmzone.h: node_stat_item; include/linux/vm_event_item.h: vm_event_item
 */
export const NODE_STAT_NAMES = [
  'nr_inactive_anon',
  'nr_active_anon',
  'nr_inactive_file',
  'nr_active_file',
  'nr_unevictable',
  'nr_slab_reclaimable',
  'nr_slab_unreclaimable',
  'nr_isolated_anon',
  'nr_isolated_file',
  'workingset_nodes',
  'workingset_refault_anon',
  'workingset_refault_file',
  'workingset_activate_anon',
  'workingset_activate_file',
  'workingset_restore_anon',
  'workingset_restore_file',
  'workingset_nodereclaim',
  'nr_anon_pages',
  'nr_mapped',
  'nr_file_pages',
  'nr_dirty',
  'nr_writeback',
  'nr_shmem',
  'nr_vmscan_write',
  'nr_vmscan_immediate_reclaim',
  'nr_dirtied',
  'nr_written',
  'nr_kernel_stack',
  'nr_page_table_pages',
  'nr_swapcached',
  'nr_mlock',
  'nr_anon_transparent_hugepages',
] as const;
export const NR_INACTIVE_ANON = 0;
export const NR_ACTIVE_ANON = 1;
export const NR_INACTIVE_FILE = 2;
export const NR_ACTIVE_FILE = 3;
export const NR_UNEVICTABLE = 4;
/** In bytes in a memcg's statistics, as the kernel counts slab there; in pages in a node's. */
export const NR_SLAB_RECLAIMABLE = 5;
export const NR_SLAB_UNRECLAIMABLE = 6;
export const NR_ISOLATED_ANON = 7;
export const NR_ISOLATED_FILE = 8;
export const WORKINGSET_NODES = 9;
export const WORKINGSET_REFAULT_ANON = 10;
export const WORKINGSET_REFAULT_FILE = 11;
export const WORKINGSET_ACTIVATE_ANON = 12;
export const WORKINGSET_ACTIVATE_FILE = 13;
export const WORKINGSET_RESTORE_ANON = 14;
export const WORKINGSET_RESTORE_FILE = 15;
export const WORKINGSET_NODERECLAIM = 16;
export const NR_ANON_MAPPED = 17;
export const NR_FILE_MAPPED = 18;
export const NR_FILE_PAGES = 19;
export const NR_FILE_DIRTY = 20;
export const NR_WRITEBACK = 21;
export const NR_SHMEM = 22;
export const NR_VMSCAN_WRITE = 23;
export const NR_VMSCAN_IMMEDIATE = 24;
export const NR_DIRTIED = 25;
export const NR_WRITTEN = 26;
export const NR_KERNEL_STACK_KB = 27;
export const NR_PAGETABLE = 28;
export const NR_SWAPCACHE = 29;
export const NR_MLOCK = 30;
/** In pages, as everywhere; /proc/vmstat shows huge pages. */
export const NR_ANON_THPS = 31;
export const NR_NODE_STATS: number = NODE_STAT_NAMES.length;

export const VM_EVENT_NAMES = [
  'pgpgin',
  'pgpgout',
  'pswpin',
  'pswpout',
  'pgalloc_dma',
  'pgalloc_dma32',
  'pgalloc_normal',
  'pgalloc_high',
  'pgalloc_movable',
  'allocstall',
  'pgfree',
  'pgactivate',
  'pgdeactivate',
  'pglazyfree',
  'pgfault',
  'pgmajfault',
  'pglazyfreed',
  'pgrefill',
  'pgreuse',
  'pgsteal_kswapd',
  'pgsteal_direct',
  'pgscan_kswapd',
  'pgscan_direct',
  'pgscan_anon',
  'pgscan_file',
  'pgsteal_anon',
  'pgsteal_file',
  'pgskip',
  'pgrotated',
  'pageoutrun',
  'slabs_scanned',
  'kswapd_low_wmark_hit_quickly',
  'kswapd_high_wmark_hit_quickly',
  'drop_pagecache',
  'drop_slab',
  'oom_kill',
  'unevictable_pgs_culled',
  'unevictable_pgs_scanned',
  'unevictable_pgs_rescued',
  'unevictable_pgs_mlocked',
  'unevictable_pgs_munlocked',
  'unevictable_pgs_cleared',
  'unevictable_pgs_stranded',
  'swap_ra',
  'swap_ra_hit',
  'swpin_zero',
  'swpout_zero',
  'thp_fault_alloc',
  'thp_fault_fallback',
  'thp_fault_fallback_charge',
  'thp_collapse_alloc',
  'thp_collapse_alloc_failed',
  'thp_split_page',
  'thp_split_page_failed',
  'thp_deferred_split_page',
  'thp_underused_split_page',
  'thp_split_pmd',
  'thp_zero_page_alloc',
  'thp_swpout',
  'thp_swpout_fallback',
  'pgmigrate_success',
  'pgmigrate_fail',
  'compact_migrate_scanned',
  'compact_free_scanned',
  'compact_isolated',
  'compact_stall',
  'compact_fail',
  'compact_success',
] as const;
export const PGPGIN = 0;
export const PGPGOUT = 1;
export const PSWPIN = 2;
export const PSWPOUT = 3;
/** pgalloc_dma; the other zones follow in zone order. */
export const PGALLOC = 4;
export const ALLOCSTALL = 9;
export const PGFREE = 10;
export const PGACTIVATE = 11;
export const PGDEACTIVATE = 12;
export const PGLAZYFREE = 13;
export const PGFAULT = 14;
export const PGMAJFAULT = 15;
export const PGLAZYFREED = 16;
export const PGREFILL = 17;
export const PGREUSE = 18;
export const PGSTEAL_KSWAPD = 19;
export const PGSTEAL_DIRECT = 20;
export const PGSCAN_KSWAPD = 21;
export const PGSCAN_DIRECT = 22;
export const PGSCAN_ANON = 23;
export const PGSCAN_FILE = 24;
export const PGSTEAL_ANON = 25;
export const PGSTEAL_FILE = 26;
export const PGSCAN_SKIP = 27;
export const PGROTATED = 28;
export const PAGEOUTRUN = 29;
export const SLABS_SCANNED = 30;
export const KSWAPD_LOW_WMARK_HIT_QUICKLY = 31;
export const KSWAPD_HIGH_WMARK_HIT_QUICKLY = 32;
export const DROP_PAGECACHE = 33;
export const DROP_SLAB = 34;
export const OOM_KILL = 35;
export const UNEVICTABLE_PGCULLED = 36;
export const UNEVICTABLE_PGSCANNED = 37;
export const UNEVICTABLE_PGRESCUED = 38;
export const UNEVICTABLE_PGMLOCKED = 39;
export const UNEVICTABLE_PGMUNLOCKED = 40;
export const UNEVICTABLE_PGCLEARED = 41;
export const UNEVICTABLE_PGSTRANDED = 42;
export const SWAP_RA = 43;
export const SWAP_RA_HIT = 44;
export const SWPIN_ZERO = 45;
export const SWPOUT_ZERO = 46;
export const THP_FAULT_ALLOC = 47;
export const THP_FAULT_FALLBACK = 48;
export const THP_FAULT_FALLBACK_CHARGE = 49;
export const THP_COLLAPSE_ALLOC = 50;
export const THP_COLLAPSE_ALLOC_FAILED = 51;
export const THP_SPLIT_PAGE = 52;
export const THP_SPLIT_PAGE_FAILED = 53;
export const THP_DEFERRED_SPLIT_PAGE = 54;
export const THP_UNDERUSED_SPLIT_PAGE = 55;
export const THP_SPLIT_PMD = 56;
export const THP_ZERO_PAGE_ALLOC = 57;
export const THP_SWPOUT = 58;
export const THP_SWPOUT_FALLBACK = 59;
export const PGMIGRATE_SUCCESS = 60;
export const PGMIGRATE_FAIL = 61;
export const COMPACT_MIGRATE_SCANNED = 62;
export const COMPACT_FREE_SCANNED = 63;
export const COMPACTISOLATED = 64;
export const COMPACTSTALL = 65;
export const COMPACTFAIL = 66;
export const COMPACTSUCCESS = 67;
export const NR_VM_EVENTS: number = VM_EVENT_NAMES.length;
