/**
 * memory.stat of a memory cgroup (v2).
 *
 * Linux     6.18 mm/memcontrol.c: memory_stats memcg_stat_format memcg_page_state_unit
 */
import type { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import {
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_ANON_MAPPED,
  NR_ANON_THPS,
  NR_FILE_DIRTY,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_KERNEL_STACK_KB,
  NR_PAGETABLE,
  NR_SHMEM,
  NR_SLAB_RECLAIMABLE,
  NR_SLAB_UNRECLAIMABLE,
  NR_SWAPCACHE,
  NR_UNEVICTABLE,
  NR_WRITEBACK,
  VM_EVENT_NAMES,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_ACTIVATE_FILE,
  WORKINGSET_NODERECLAIM,
  WORKINGSET_REFAULT_ANON,
  WORKINGSET_REFAULT_FILE,
  WORKINGSET_RESTORE_ANON,
  WORKINGSET_RESTORE_FILE,
} from '../mm/vmstat.ts';
import { procFormat } from './formats.ts';
import { sum } from './vmstat.ts';

/** A node_stat_item and what one of it is: bytes, or 1 for a count. null is something that this machine does not have. */
type Stat = readonly [name: string, item: number | null, unit: number];

const STATS: readonly Stat[] = [
  ['anon', NR_ANON_MAPPED, PAGE_SIZE],
  ['file', NR_FILE_PAGES, PAGE_SIZE],
  ['kernel', null, PAGE_SIZE],
  ['kernel_stack', NR_KERNEL_STACK_KB, 1024],
  ['pagetables', NR_PAGETABLE, PAGE_SIZE],
  ['sec_pagetables', null, 1],
  ['percpu', null, 1],
  ['sock', null, 1],
  ['vmalloc', null, 1],
  ['shmem', NR_SHMEM, PAGE_SIZE],
  ['zswap', null, 1],
  ['zswapped', null, 1],
  ['file_mapped', NR_FILE_MAPPED, PAGE_SIZE],
  ['file_dirty', NR_FILE_DIRTY, PAGE_SIZE],
  ['file_writeback', NR_WRITEBACK, PAGE_SIZE],
  ['swapcached', NR_SWAPCACHE, PAGE_SIZE],
  ['anon_thp', NR_ANON_THPS, PAGE_SIZE],
  ['file_thp', null, 1],
  ['shmem_thp', null, 1],
  ['inactive_anon', NR_INACTIVE_ANON, PAGE_SIZE],
  ['active_anon', NR_ACTIVE_ANON, PAGE_SIZE],
  ['inactive_file', NR_INACTIVE_FILE, PAGE_SIZE],
  ['active_file', NR_ACTIVE_FILE, PAGE_SIZE],
  ['unevictable', NR_UNEVICTABLE, PAGE_SIZE],
  ['slab_reclaimable', NR_SLAB_RECLAIMABLE, 1],
  ['slab_unreclaimable', NR_SLAB_UNRECLAIMABLE, 1],
  ['slab', null, 1],
  ['workingset_refault_anon', WORKINGSET_REFAULT_ANON, 1],
  ['workingset_refault_file', WORKINGSET_REFAULT_FILE, 1],
  ['workingset_activate_anon', WORKINGSET_ACTIVATE_ANON, 1],
  ['workingset_activate_file', WORKINGSET_ACTIVATE_FILE, 1],
  ['workingset_restore_anon', WORKINGSET_RESTORE_ANON, 1],
  ['workingset_restore_file', WORKINGSET_RESTORE_FILE, 1],
  ['workingset_nodereclaim', WORKINGSET_NODERECLAIM, 1],
];

const NUMA_6_18 = [
  'pgdemote_kswapd',
  'pgdemote_direct',
  'pgdemote_khugepaged',
  'pgdemote_proactive',
  'pgpromote_success',
];
const EVENTS_6_18 =
  `pswpin pswpout pgscan_kswapd pgscan_direct pgscan_khugepaged pgscan_proactive pgsteal_kswapd pgsteal_direct
  pgsteal_khugepaged pgsteal_proactive pgfault pgmajfault pgrefill pgactivate pgdeactivate pglazyfree pglazyfreed swpin_zero
  swpout_zero zswpin zswpout zswpwb thp_fault_alloc thp_collapse_alloc thp_swpout thp_swpout_fallback numa_pages_migrated
  numa_pte_updates numa_hint_faults`.split(/\s+/);
const EVENTS_6_1 =
  `pgscan_kswapd pgscan_direct pgsteal_kswapd pgsteal_direct pgfault pgmajfault pgrefill pgactivate pgdeactivate
  pglazyfree pglazyfreed zswpin zswpout thp_fault_alloc thp_collapse_alloc`.split(/\s+/);

export function memoryStat(machine: Machine, memcg: MemCgroup): string {
  const { memcgSwapEvents } = procFormat(machine);
  let text = '';
  for (const [name, item, unit] of STATS) text += `${name} ${statOf(memcg, name, item) * unit}\n`;
  if (memcgSwapEvents) for (const name of NUMA_6_18) text += `${name} 0\n`;
  text += `pgscan ${memcgEventCount(memcg, 'pgscan_kswapd') + memcgEventCount(memcg, 'pgscan_direct')}\n`;
  text += `pgsteal ${memcgEventCount(memcg, 'pgsteal_kswapd') + memcgEventCount(memcg, 'pgsteal_direct')}\n`;
  const events = memcgSwapEvents ? EVENTS_6_18 : EVENTS_6_1;
  for (const name of events) text += `${name} ${memcgEventCount(memcg, name)}\n`;
  return text;
}

function statOf(memcg: MemCgroup, name: string, item: number | null): number {
  const stat = (i: number): number => sum(memcg.lruvecs, (lruvec) => lruvec.stat[i]!);
  if (name === 'kernel') return memcg.kmem.usage;
  if (name === 'slab') return stat(NR_SLAB_RECLAIMABLE) + stat(NR_SLAB_UNRECLAIMABLE);
  return item === null ? 0 : stat(item);
}

/** An event of the cgroup and all below it, by the kernel's name; 0 for what never happens here. */
export function memcgEventCount(memcg: MemCgroup, name: string): number {
  return memcg.events[(VM_EVENT_NAMES as readonly string[]).indexOf(name)] ?? 0;
}
