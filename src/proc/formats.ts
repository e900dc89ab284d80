/**
 * Where the files of /proc differ between kernels.
 *
 * Owns      which lines and counters a release prints, and in what order. The numbers come from the machine.
 * Linux     6.18, 6.1, 3.16: fs/proc/task_mmu.c, fs/proc/meminfo.c, mm/vmstat.c, mm/memcontrol.c
 */
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import type { Pfn, Vpn } from '../mm/units.ts';
import { maps_2_4, meminfo_2_4, swaps_2_4 } from './linux_2_4.ts';
import { maps_2_6, pagemapEntry_2_6, smaps_2_6 } from './linux_2_6.ts';
import { meminfo_2_6, vmstat_2_6, zoneinfo_2_6 } from './linux_2_6_stat.ts';
import { kpageFlags_3, pagemapEntry_3, smaps_3, vmstat_3, zoneinfo_3 } from './linux_3.ts';

export interface ProcFormat {
  /** smaps says how many pages KSM merged. */
  readonly smapsKsm: boolean;
  /** smaps has a code for lock-on-fault. */
  readonly smapsLockOnFault: boolean;
  /** smaps pads whether huge pages would be given. */
  readonly thpEligibleWidth: number;
  /** A region that only touches the heap's ends is [heap], too. */
  readonly heapTouches: boolean;
  /** pagemap has a bit for guard regions. */
  readonly guardBit: boolean;
  /** zoneinfo says what a promotion must leave, and the range of the per-CPU lists' limit. */
  readonly zoneinfoPromo: boolean;
  /** In memory.stat: pswpin, pswpout and what the zero-filled pages saved. */
  readonly memcgSwapEvents: boolean;
  /** smaps counts what is swapped out of a shared object (4.4). */
  readonly smapsShmemSwap: boolean;
  /** MemAvailable leaves out the low watermarks. Later: all that is reserved (4.8). */
  readonly availableByLowMarks: boolean;
  readonly vmstat: VmstatNames;
  readonly meminfo: readonly string[];
  /** Files of another form altogether; what is left out has the common one. */
  readonly own?: OwnFiles;
}

/** A release's own way to write a file. */
export interface OwnFiles {
  maps?(machine: Machine, mm: Mm): string;
  vmstat?(machine: Machine): string;
  zoneinfo?(machine: Machine): string;
  smaps?(machine: Machine, mm: Mm): string;
  meminfo?(machine: Machine): string;
  swaps?(machine: Machine): string;
  pagemapEntry?(machine: Machine, mm: Mm, vpn: Vpn): bigint;
  kpageFlags?(machine: Machine, pfn: Pfn): number;
}

export interface VmstatNames {
  readonly zone: readonly string[];
  readonly node: readonly string[];
  readonly global: readonly string[];
  readonly events: readonly string[];
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

/** One counter per zone type, as vmstat spells them. */
function perZone(name: string, zones: readonly string[]): string[] {
  return zones.map((zone) => `${name}_${zone}`);
}

const ZONES = ['dma', 'dma32', 'normal', 'movable', 'device'];

const NODE_LRU = `nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable nr_slab_reclaimable
  nr_slab_unreclaimable nr_isolated_anon nr_isolated_file workingset_nodes workingset_refault_anon workingset_refault_file
  workingset_activate_anon workingset_activate_file workingset_restore_anon workingset_restore_file workingset_nodereclaim
  nr_anon_pages nr_mapped nr_file_pages nr_dirty nr_writeback`;
const NODE_MIDDLE = `nr_shmem nr_shmem_hugepages nr_shmem_pmdmapped nr_file_hugepages nr_file_pmdmapped
  nr_anon_transparent_hugepages nr_vmscan_write nr_vmscan_immediate_reclaim nr_dirtied nr_written nr_throttled_written
  nr_kernel_misc_reclaimable nr_foll_pin_acquired nr_foll_pin_released nr_kernel_stack nr_page_table_pages
  nr_sec_page_table_pages`;
const NUMA = 'numa_hit numa_miss numa_foreign numa_interleave numa_local numa_other';
const EVENTS_BEFORE_ZONES = 'pgpgin pgpgout pswpin pswpout';
const EVENTS_MIGRATION = `numa_pte_updates numa_huge_pte_updates numa_hint_faults numa_hint_faults_local numa_pages_migrated
  pgmigrate_success pgmigrate_fail thp_migration_success thp_migration_fail thp_migration_split compact_migrate_scanned
  compact_free_scanned compact_isolated compact_stall compact_fail compact_success compact_daemon_wake
  compact_daemon_migrate_scanned compact_daemon_free_scanned htlb_buddy_alloc_success htlb_buddy_alloc_fail`;
const EVENTS_UNEVICTABLE = `unevictable_pgs_culled unevictable_pgs_scanned unevictable_pgs_rescued unevictable_pgs_mlocked
  unevictable_pgs_munlocked unevictable_pgs_cleared unevictable_pgs_stranded`;
const THP_ALLOC = `thp_fault_alloc thp_fault_fallback thp_fault_fallback_charge thp_collapse_alloc thp_collapse_alloc_failed
  thp_file_alloc thp_file_fallback thp_file_fallback_charge thp_file_mapped thp_split_page thp_split_page_failed
  thp_deferred_split_page`;
const THP_REST = `thp_split_pmd thp_scan_exceed_none_pte thp_scan_exceed_swap_pte thp_scan_exceed_share_pte thp_split_pud
  thp_zero_page_alloc thp_zero_page_alloc_failed thp_swpout thp_swpout_fallback balloon_inflate balloon_deflate
  balloon_migrate`;

const MEMINFO_START = `MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon) Inactive(anon)
  Active(file) Inactive(file) Unevictable Mlocked`;
const MEMINFO_MIDDLE = `SwapTotal SwapFree Zswap Zswapped Dirty Writeback AnonPages Mapped Shmem KReclaimable Slab SReclaimable
  SUnreclaim KernelStack PageTables SecPageTables NFS_Unstable Bounce WritebackTmp CommitLimit Committed_AS VmallocTotal
  VmallocUsed VmallocChunk Percpu`;
const MEMINFO_HUGE = 'AnonHugePages ShmemHugePages ShmemPmdMapped FileHugePages FilePmdMapped';
const MEMINFO_END = `HugePages_Total HugePages_Free HugePages_Rsvd HugePages_Surp Hugepagesize Hugetlb DirectMap4k DirectMap2M
  DirectMap1G`;

const format_6_18: ProcFormat = {
  smapsShmemSwap: true,
  availableByLowMarks: false,
  smapsKsm: true,
  smapsLockOnFault: true,
  thpEligibleWidth: 8,
  heapTouches: false,
  guardBit: true,
  zoneinfoPromo: true,
  memcgSwapEvents: true,
  vmstat: {
    zone: words(`nr_free_pages nr_free_pages_blocks nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file
      nr_zone_active_file nr_zone_unevictable nr_zone_write_pending nr_mlock nr_zspages nr_free_cma ${NUMA}`),
    node: words(`${NODE_LRU} ${NODE_MIDDLE} nr_iommu_pages nr_swapcached pgpromote_success pgpromote_candidate
      pgpromote_candidate_nrl pgdemote_kswapd pgdemote_direct pgdemote_khugepaged pgdemote_proactive nr_hugetlb
      nr_balloon_pages nr_kernel_file_pages`),
    global: words('nr_dirty_threshold nr_dirty_background_threshold nr_memmap_pages nr_memmap_boot_pages'),
    events: [
      ...words(EVENTS_BEFORE_ZONES),
      ...perZone('pgalloc', ZONES),
      ...perZone('allocstall', ZONES),
      ...perZone('pgskip', ZONES),
      ...words(`pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill pgreuse pgsteal_kswapd
        pgsteal_direct pgsteal_khugepaged pgsteal_proactive pgscan_kswapd pgscan_direct pgscan_khugepaged pgscan_proactive
        pgscan_direct_throttle pgscan_anon pgscan_file pgsteal_anon pgsteal_file zone_reclaim_success zone_reclaim_failed
        pginodesteal slabs_scanned kswapd_inodesteal kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun
        pgrotated drop_pagecache drop_slab oom_kill ${EVENTS_MIGRATION} ${EVENTS_UNEVICTABLE} ${THP_ALLOC}
        thp_underused_split_page ${THP_REST} swap_ra swap_ra_hit swpin_zero swpout_zero ksm_swpin_copy cow_ksm zswpin zswpout
        zswpwb direct_map_level2_splits direct_map_level3_splits direct_map_level2_collapses direct_map_level3_collapses
        nr_unstable`),
    ],
  },
  meminfo: words(`${MEMINFO_START} ${MEMINFO_MIDDLE} ${MEMINFO_HUGE} Balloon ${MEMINFO_END}`),
};

/** As Debian 12 configures it. */
const format_6_1: ProcFormat = {
  smapsShmemSwap: true,
  availableByLowMarks: false,
  smapsKsm: false,
  smapsLockOnFault: false,
  thpEligibleWidth: 1,
  heapTouches: true,
  guardBit: false,
  zoneinfoPromo: false,
  memcgSwapEvents: false,
  vmstat: {
    zone: words(`nr_free_pages nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file nr_zone_active_file
      nr_zone_unevictable nr_zone_write_pending nr_mlock nr_bounce nr_zspages nr_free_cma ${NUMA}`),
    node: words(`${NODE_LRU} nr_writeback_temp ${NODE_MIDDLE} nr_swapcached pgpromote_success pgpromote_candidate`),
    global: words('nr_dirty_threshold nr_dirty_background_threshold'),
    events: [
      ...words(EVENTS_BEFORE_ZONES),
      ...perZone('pgalloc', ZONES),
      ...perZone('allocstall', ZONES),
      ...perZone('pgskip', ZONES),
      ...words(`pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill pgreuse pgsteal_kswapd
        pgsteal_direct pgdemote_kswapd pgdemote_direct pgscan_kswapd pgscan_direct pgscan_direct_throttle pgscan_anon
        pgscan_file pgsteal_anon pgsteal_file zone_reclaim_failed pginodesteal slabs_scanned kswapd_inodesteal
        kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun pgrotated drop_pagecache drop_slab oom_kill
        ${EVENTS_MIGRATION} ${EVENTS_UNEVICTABLE} ${THP_ALLOC} ${THP_REST} swap_ra swap_ra_hit ksm_swpin_copy cow_ksm zswpin
        zswpout direct_map_level2_splits direct_map_level3_splits nr_unstable`),
    ],
  },
  meminfo: words(
    `${MEMINFO_START} ${MEMINFO_MIDDLE} HardwareCorrupted ${MEMINFO_HUGE} CmaTotal CmaFree ${MEMINFO_END}`,
  ),
};

/** A form is a list of functions: those it names load us, so they are called, not read, when this line runs. */
const format_3_16: ProcFormat = {
  ...format_6_1,
  smapsShmemSwap: false,
  availableByLowMarks: true,
  meminfo:
    words(`${MEMINFO_START} SwapTotal SwapFree Dirty Writeback AnonPages Mapped Shmem Slab SReclaimable SUnreclaim
    KernelStack PageTables NFS_Unstable Bounce WritebackTmp CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk
    HardwareCorrupted AnonHugePages HugePages_Total HugePages_Free HugePages_Rsvd HugePages_Surp Hugepagesize DirectMap4k
    DirectMap2M`),
  own: {
    vmstat: (machine) => vmstat_3(machine),
    zoneinfo: (machine) => zoneinfo_3(machine),
    smaps: (machine, mm) => smaps_3(machine, mm),
    pagemapEntry: (machine, mm, vpn) => pagemapEntry_3(machine, mm, vpn),
    kpageFlags: (machine, pfn) => kpageFlags_3(machine, pfn),
  },
};

const format_2_6: ProcFormat = {
  ...format_6_1,
  own: {
    maps: (machine, mm) => maps_2_6(machine, mm),
    smaps: (machine, mm) => smaps_2_6(machine, mm, true),
    pagemapEntry: (machine, mm, vpn) => pagemapEntry_2_6(machine, mm, vpn),
    vmstat: (machine) => vmstat_2_6(machine),
    meminfo: (machine) => meminfo_2_6(machine),
    zoneinfo: (machine) => zoneinfo_2_6(machine),
  },
};

const format_2_6_24: ProcFormat = {
  ...format_2_6,
  own: { ...format_2_6.own, smaps: (machine, mm) => smaps_2_6(machine, mm, false) },
};

const format_2_4: ProcFormat = {
  ...format_6_1,
  own: {
    maps: (_machine, mm) => maps_2_4(mm),
    meminfo: (machine) => meminfo_2_4(machine),
    swaps: (machine) => swaps_2_4(machine),
  },
};

const FORMATS: ReadonlyMap<string, ProcFormat> = new Map([
  ['6.18', format_6_18],
  ['6.1', format_6_1],
  ['3.16', format_3_16],
  ['2.4.19', format_2_4],
  ['2.4.18', format_2_4],
  ['2.6.26', format_2_6],
  ['2.6.24', format_2_6_24],
  ['2.5.59', format_2_6_24],
]);

/** How the machine's kernel prints; a generation without a form of its own prints like the newest. */
export function procFormat(machine: Machine): ProcFormat {
  return FORMATS.get(machine.generation.version) ?? format_6_18;
}
