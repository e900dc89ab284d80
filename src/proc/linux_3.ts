/**
 * What 3.16 shows in /proc: vmstat, zoneinfo, smaps, pagemap, kpageflags, and the sysfs files of KSM.
 *
 * Owns      the names, their order, and how each line is written. Per-zone numbers come from the zones' LRU vectors.
 * Promises  Only looks.
 * Linux     3.16 mm/vmstat.c: vmstat_text zoneinfo_show_print; fs/proc/meminfo.c; fs/proc/task_mmu.c: show_smap
 *           show_smap_vma_flags pte_to_pagemap_entry; fs/proc/page.c: stable_page_flags; mm/ksm.c: ksm_attrs
 *
 * DIFFERS: nr_dirtied, nr_written, nr_vmscan_write and slab are kept by node; zoneinfo shows them in the node's highest zone.
 * DIFFERS: no entry has a soft-dirty bit; pagemap of version 2 shows that of the region.
 */

import { HPAGE_PMD_NR } from '../mm/folio.ts';
import { isKsmPage } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { compoundHead } from '../mm/page_alloc.ts';
import { physical_3 } from '../mm/page_alloc_3.ts';
import {
  PG_active,
  PG_buddy,
  PG_dirty,
  PG_error,
  PG_head,
  PG_locked,
  PG_lru,
  PG_mappedtodisk,
  PG_mlocked,
  PG_private,
  PG_reclaim,
  PG_referenced,
  PG_reserved,
  PG_slab,
  PG_swapbacked,
  PG_swapcache,
  PG_tail,
  PG_unevictable,
  PG_uptodate,
  PG_writeback,
} from '../mm/page_flags.ts';
import { NO_SLOT, PTE_SPECIAL } from '../mm/page_table.ts';
import { intSqrt, type Pfn, swpOffset, swpType, type Vpn } from '../mm/units.ts';
import {
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MERGEABLE,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_NONLINEAR,
  VM_NORESERVE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_WRITE,
} from '../mm/vm_flags.ts';
import {
  NODE_STAT_NAMES,
  NR_ANON_THPS,
  NR_DIRTIED,
  NR_FILE_PAGES,
  NR_KERNEL_STACK_KB,
  NR_SLAB_RECLAIMABLE,
  NR_SLAB_UNRECLAIMABLE,
  NR_SWAPCACHE,
  NR_VMSCAN_IMMEDIATE,
  NR_VMSCAN_WRITE,
  NR_WRITTEN,
  THP_SPLIT_PAGE,
  VM_EVENT_NAMES,
  WORKINGSET_ACTIVATE_FILE,
  WORKINGSET_NODERECLAIM,
  WORKINGSET_REFAULT_FILE,
} from '../mm/vmstat.ts';

import { ZONE_DMA, ZONE_DMA32, ZONE_MOVABLE, ZONE_NORMAL, type Zone } from '../mm/zone.ts';
import { mapsLine } from './maps.ts';
import { gatherSmaps } from './smaps.ts';
import { shownDirtyLimits } from './vmstat.ts';

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

const ZONE_ITEMS: readonly string[] =
  words(`nr_free_pages nr_alloc_batch nr_inactive_anon nr_active_anon nr_inactive_file
  nr_active_file nr_unevictable nr_mlock nr_anon_pages nr_mapped nr_file_pages nr_dirty nr_writeback nr_slab_reclaimable
  nr_slab_unreclaimable nr_page_table_pages nr_kernel_stack nr_unstable nr_bounce nr_vmscan_write nr_vmscan_immediate_reclaim
  nr_writeback_temp nr_isolated_anon nr_isolated_file nr_shmem nr_dirtied nr_written numa_hit numa_miss numa_foreign
  numa_interleave numa_local numa_other workingset_refault workingset_activate workingset_nodereclaim
  nr_anon_transparent_hugepages nr_free_cma`);
const EVENTS_BEFORE_ZONES = words('pgpgin pgpgout pswpin pswpout');
const EVENTS_BETWEEN = words('pgfree pgactivate pgdeactivate pgfault pgmajfault');
const EVENTS_AFTER = words(`pgscan_direct_throttle zone_reclaim_failed pginodesteal slabs_scanned kswapd_inodesteal
  kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun allocstall pgrotated drop_pagecache drop_slab
  numa_pte_updates numa_huge_pte_updates numa_hint_faults numa_hint_faults_local numa_pages_migrated pgmigrate_success
  pgmigrate_fail compact_migrate_scanned compact_free_scanned compact_isolated compact_stall compact_fail compact_success
  htlb_buddy_alloc_success htlb_buddy_alloc_fail unevictable_pgs_culled unevictable_pgs_scanned unevictable_pgs_rescued
  unevictable_pgs_mlocked unevictable_pgs_munlocked unevictable_pgs_cleared unevictable_pgs_stranded thp_fault_alloc
  thp_fault_fallback thp_collapse_alloc thp_collapse_alloc_failed thp_split thp_zero_page_alloc thp_zero_page_alloc_failed`);
/** Counted by zone, in the order of Zone.reclaimEvents. */
const RECLAIM_EVENTS = words('pgrefill pgsteal_kswapd pgsteal_direct pgscan_kswapd pgscan_direct');
const ZONES: ReadonlyArray<readonly [string, number]> = [
  ['dma', ZONE_DMA],
  ['dma32', ZONE_DMA32],
  ['normal', ZONE_NORMAL],
  ['movable', ZONE_MOVABLE],
];

const BY_NODE: readonly number[] = [
  NR_SLAB_RECLAIMABLE,
  NR_SLAB_UNRECLAIMABLE,
  NR_KERNEL_STACK_KB,
  NR_VMSCAN_WRITE,
  NR_VMSCAN_IMMEDIATE,
  NR_DIRTIED,
  NR_WRITTEN,
];
const ITEM_OF_NAME: ReadonlyMap<string, number> = new Map([
  ...NODE_STAT_NAMES.map((name, item): [string, number] => [name, item]),
  ['workingset_refault', WORKINGSET_REFAULT_FILE],
  ['workingset_activate', WORKINGSET_ACTIVATE_FILE],
  ['workingset_nodereclaim', WORKINGSET_NODERECLAIM],
]);
const LRU_NAMES = words('nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable');

// counters

function zoneItem(machine: Machine, zone: Zone, name: string): number {
  if (name === 'nr_free_pages') return zone.freePages;
  if (name === 'nr_alloc_batch') return physical_3(machine).allocBatch[zone.index]!;
  if (name === 'nr_mlock') return zone.nrMlock;
  const lru = LRU_NAMES.indexOf(name);
  if (lru >= 0) return zone.lruPages[lru]!;
  const item = ITEM_OF_NAME.get(name);
  if (item === undefined) return 0;
  if (BY_NODE.includes(item) || machine.generation.lruvecs !== 'zone')
    return isTopZone(zone) ? nodeItem(zone, item) : 0;
  const { stat } = machine.rootMemcg.lruvecs[zone.lruvec]!;
  if (item === NR_ANON_THPS) return Math.floor(stat[item]! / HPAGE_PMD_NR);
  return item === NR_FILE_PAGES ? stat[item]! + stat[NR_SWAPCACHE]! : stat[item]!;
}

function nodeItem(zone: Zone, item: number): number {
  const value = zone.pgdat.stat[item]!;
  if (item === NR_ANON_THPS) return Math.floor(value / HPAGE_PMD_NR);
  // Here in stacks, of 16 KiB each.
  return item === NR_KERNEL_STACK_KB ? Math.floor(value / 16) : value;
}

/** The node's highest zone. */
function isTopZone(zone: Zone): boolean {
  return zone.pgdat.zones.findLast((other) => other !== undefined && other.managedPages > 0) === zone;
}

/** A zone's part of the reclaim counters, as kernels with lists by zone keep them. */
function reclaimEvent(machine: Machine, which: number, type: number): number {
  let sum = 0;
  let counted = false;
  for (const zone of machine.zones) {
    const events = (zone as { reclaimEvents?: Float64Array }).reclaimEvents;
    if (events === undefined) continue;
    counted = true;
    if (zone.type === type) sum += events[which]!;
  }
  if (counted) return sum;
  return type === ZONE_NORMAL ? eventCount(machine, RECLAIM_EVENTS[which]!) : 0;
}

function eventCount(machine: Machine, name: string): number {
  if (name === 'thp_split') return machine.events[THP_SPLIT_PAGE]!;
  if (name === 'pgscan_direct_throttle') {
    return machine.nodes.reduce(
      (sum, pgdat) => sum + ((pgdat as { directThrottled?: number }).directThrottled ?? 0),
      0,
    );
  }
  const event = (VM_EVENT_NAMES as readonly string[]).indexOf(name);
  return event < 0 ? 0 : machine.events[event]!;
}

/** Every line of /proc/vmstat, in order. */
export function vmstatLines_3(machine: Machine): [string, number][] {
  const lines: [string, number][] = ZONE_ITEMS.map((name) => [
    name,
    machine.zones.reduce((sum, zone) => sum + zoneItem(machine, zone, name), 0),
  ]);
  const limits = shownDirtyLimits(machine);
  lines.push(['nr_dirty_threshold', limits.thresh], ['nr_dirty_background_threshold', limits.bgThresh]);
  const event = (name: string): void => {
    lines.push([name, eventCount(machine, name)]);
  };
  EVENTS_BEFORE_ZONES.forEach(event);
  for (const [zone] of ZONES) event(`pgalloc_${zone}`);
  EVENTS_BETWEEN.forEach(event);
  RECLAIM_EVENTS.forEach((name, which) => {
    for (const [zone, type] of ZONES) lines.push([`${name}_${zone}`, reclaimEvent(machine, which, type)]);
  });
  EVENTS_AFTER.forEach(event);
  return lines;
}

export function vmstat_3(machine: Machine): string {
  return vmstatLines_3(machine)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}

// zoneinfo

export function zoneinfo_3(machine: Machine): string {
  let text = '';
  for (const pgdat of machine.nodes) {
    for (const type of [ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE]) {
      const zone = pgdat.zones[type];
      if (zone !== undefined) text += `Node ${pgdat.nid}, zone ${zone.name.padStart(8)}${zoneText(machine, zone)}`;
    }
  }
  return text;
}

function zoneText(machine: Machine, zone: Zone): string {
  let text =
    `\n  pages free     ${zone.freePages}` +
    `\n        min      ${zone.wmarkMin}` +
    `\n        low      ${zone.wmarkLow}` +
    `\n        high     ${zone.wmarkHigh}` +
    `\n        scanned  ${zone.pagesScanned}` +
    `\n        spanned  ${zone.spannedPages}` +
    `\n        present  ${zone.presentPages}` +
    `\n        managed  ${zone.managedPages}`;
  for (const name of ZONE_ITEMS) text += `\n    ${name.padEnd(12)} ${zoneItem(machine, zone, name)}`;
  const protection = ZONES.map(([, type]) => zone.lowmemReserve[type]!);
  text += `\n        protection: (${protection.join(', ')})\n  pagesets`;
  const cpus = machine.config.cpus ?? 1;
  for (let cpu = 0; cpu < cpus; cpu++) {
    const count = cpu === 0 ? zone.pcp.count : 0;
    text += `\n    cpu: ${cpu}\n              count: ${count}\n              high:  ${zone.pcp.high}\n              batch: ${zone.pcp.batch}`;
    text += `\n  vm stats threshold: ${statThreshold(zone, cpus)}`;
  }
  const reclaimable = machine.reclaim.zoneReclaimablePages(zone);
  const hopeless = zone.pagesScanned >= 6 * reclaimable ? 1 : 0;
  const gib = zone.managedPages >>> 18;
  const ratio = gib === 0 ? 1 : intSqrt(10 * gib);
  return `${text}\n  all_unreclaimable: ${hopeless}\n  start_pfn:         ${zone.startPfn}\n  inactive_ratio:    ${ratio}\n`;
}

/** How far a CPU's own counters may run before they are folded into the zone's. */
function statThreshold(zone: Zone, cpus: number): number {
  const fls = (n: number): number => 32 - Math.clz32(n);
  return Math.min(125, 2 * fls(cpus) * (1 + fls(zone.managedPages >>> 15)));
}

// smaps

const VM_FLAG_CODES_3: ReadonlyArray<readonly [number, string]> = [
  [VM_READ, 'rd'],
  [VM_WRITE, 'wr'],
  [VM_EXEC, 'ex'],
  [VM_SHARED, 'sh'],
  [VM_MAYREAD, 'mr'],
  [VM_MAYWRITE, 'mw'],
  [VM_MAYEXEC, 'me'],
  [VM_MAYSHARE, 'ms'],
  [VM_GROWSDOWN, 'gd'],
  [VM_PFNMAP, 'pf'],
  [VM_LOCKED, 'lo'],
  [VM_IO, 'io'],
  [VM_SEQ_READ, 'sr'],
  [VM_RAND_READ, 'rr'],
  [VM_DONTCOPY, 'dc'],
  [VM_DONTEXPAND, 'de'],
  [VM_ACCOUNT, 'ac'],
  [VM_NORESERVE, 'nr'],
  [VM_HUGETLB, 'ht'],
  [VM_NONLINEAR, 'nl'],
  [VM_DONTDUMP, 'dd'],
  [VM_SOFTDIRTY, 'sd'],
  [VM_MIXEDMAP, 'mm'],
  [VM_HUGEPAGE, 'hg'],
  [VM_NOHUGEPAGE, 'nh'],
  [VM_MERGEABLE, 'mg'],
];

export function smaps_3(machine: Machine, mm: Mm): string {
  let text = '';
  for (const vma of mm.vmas) {
    const stats = gatherSmaps(machine, vma);
    const pss = (value: number): number => Math.floor(value / 4096 / 1024);
    const lines: [string, number][] = [
      ['Size', vma.pages * 4],
      ['Rss', stats.resident / 1024],
      ['Pss', pss(stats.pss)],
      ['Shared_Clean', stats.sharedClean / 1024],
      ['Shared_Dirty', stats.sharedDirty / 1024],
      ['Private_Clean', stats.privateClean / 1024],
      ['Private_Dirty', stats.privateDirty / 1024],
      ['Referenced', stats.referenced / 1024],
      ['Anonymous', stats.anonymous / 1024],
      ['AnonHugePages', stats.anonymousThp / 1024],
      ['Swap', stats.swap / 1024],
      ['KernelPageSize', 4],
      ['MMUPageSize', 4],
      ['Locked', (vma.vmFlags & VM_LOCKED) !== 0 ? pss(stats.pss) : 0],
    ];
    text += `${mapsLine(machine, vma)}\n`;
    for (const [name, kib] of lines) text += `${name}:${String(kib).padStart(23 - name.length)} kB\n`;
    const codes = VM_FLAG_CODES_3.filter(([flag]) => (vma.vmFlags & flag) !== 0).map(([, code]) => code);
    text += `VmFlags: ${codes.join(' ')} \n`;
  }
  return text;
}

// pagemap

const PM_PRESENT = 1n << 63n;
const PM_SWAP = 1n << 62n;
const PM_FILE = 1n << 61n;
const PM_STATUS_OFFSET = 55n;
const PAGE_SHIFT = 12n;
const MAX_SWAPFILES_SHIFT = 5n;

/** Bits 55 to 60: the page's shift; since somebody used clear_refs to follow writes (`softDirty`), 55 is soft-dirty instead. */
export function pagemapEntry_3(machine: Machine, mm: Mm, vpn: Vpn, softDirty = false): bigint {
  const { frames, pageTables } = machine;
  const soft = ((mm.vmas.findExact(vpn)?.vmFlags ?? 0) & VM_SOFTDIRTY) !== 0 ? 1n : 0n;
  const status = (softDirty ? soft : PAGE_SHIFT) << PM_STATUS_OFFSET;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  if (slot === NO_SLOT || pageTables.isNone(slot)) return status;
  if (pageTables.isPresent(slot)) {
    const pfn = pageTables.pfn(slot);
    const file = !pageTables.has(slot, PTE_SPECIAL) && !frames.isAnon(pfn);
    return PM_PRESENT | status | BigInt(pfn) | (file ? PM_FILE : 0n);
  }
  if (!pageTables.isSwap(slot)) return status;
  const entry = pageTables.swapEntry(slot);
  return PM_SWAP | status | (BigInt(swpOffset(entry)) << MAX_SWAPFILES_SHIFT) | BigInt(swpType(entry));
}

// kpageflags

const COPIED_3: ReadonlyArray<readonly [flag: number, bit: number]> = [
  [PG_locked, 0],
  [PG_error, 1],
  [PG_referenced, 2],
  [PG_uptodate, 3],
  [PG_dirty, 4],
  [PG_lru, 5],
  [PG_active, 6],
  [PG_slab, 7],
  [PG_writeback, 8],
  [PG_reclaim, 9],
  [PG_buddy, 10],
  [PG_swapcache, 13],
  [PG_swapbacked, 14],
  [PG_head, 15],
  [PG_tail, 16],
  [PG_unevictable, 18],
  [PG_reserved, 32],
  [PG_mlocked, 33],
  [PG_mappedtodisk, 34],
  [PG_private, 35],
];

export function kpageFlags_3(machine: Machine, pfn: Pfn): number {
  const { frames } = machine;
  let word = 0;
  for (const [flag, bit] of COPIED_3) if (frames.has(pfn, flag)) word += 2 ** bit;
  if (!frames.has(pfn, PG_slab) && frames.mapcount(pfn) > 0) word += 2 ** 11;
  if (frames.isAnon(pfn)) word += 2 ** 12;
  if (isKsmPage(machine, pfn)) word += 2 ** 21;
  const head = compoundHead(machine, pfn);
  if (frames.has(head, PG_head) && (frames.has(head, PG_lru) || frames.isAnon(head))) word += 2 ** 22;
  return word;
}

// /sys/kernel/mm/ksm

/** Its files by name; null for a kernel that has none. */
export function ksmFiles(machine: Machine): ReadonlyMap<string, number> | null {
  const { ksm } = machine;
  if (ksm === null) return null;
  return new Map([
    ['full_scans', ksm.seqnr],
    ['merge_across_nodes', 1],
    ['pages_shared', ksm.pagesShared],
    ['pages_sharing', ksm.pagesSharing],
    ['pages_to_scan', ksm.pagesToScan],
    ['pages_unshared', ksm.pagesUnshared],
    ['pages_volatile', ksm.pagesVolatile],
    ['run', ksm.runState],
    ['sleep_millisecs', ksm.sleepMillisecs],
  ]);
}
