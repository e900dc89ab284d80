/**
 * Charging of cgroup v1 in 3.16, and the charge of a page that comes back from swap.
 *
 * Owns      how hard a charge tries; when a swapped-in page gets its owner.
 * Promises  1. 32 pages are charged at once if they fit, one if they do not; reclaim is never for the other 31.
 *           2. Memory is asked before memory and swap. If only the sum is full, nothing is swapped out for it: that would not help.
 *           3. A charge that failed five times over kills, if it is made for a fault of the program; a system call fails.
 * Linux     3.16 mm/memcontrol.c: mem_cgroup_try_charge mem_cgroup_do_charge mem_cgroup_reclaim mem_cgroup_margin
 *           mem_cgroup_oom __mem_cgroup_try_charge_swapin __mem_cgroup_commit_charge
 *
 * DIFFERS: an anonymous page is uncharged when it is freed, in Linux when its last mapping goes. While a pagevec still holds
 *          it, a cgroup's usage is up to 14 pages higher. Who kills does it at the charge, in Linux at the end of the fault.
 */
import { ENOMEM } from './errno.ts';
import { __GFP_DIRECT_RECLAIM, __GFP_NOFAIL, __GFP_NORETRY, GFP_KERNEL, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import {
  drainStock,
  lruvecOf,
  type MemCgroup,
  margin,
  memcgEvent,
  memcgOfCounter,
  modPageState,
  refillStock,
  tryCharge,
} from './memcg.ts';
import { memCgroupOutOfMemory_3 } from './oom_3.ts';
import { PG_lru, PG_swapcache } from './page_flags.ts';
import { lruvecAddPage, lruvecDelPage } from './reclaim/lru.ts';
import { memCgroupSwapinUnchargeSwap, swapMemcg } from './swap/swap_cgroup.ts';
import type { Pfn, SwapEntry } from './units.ts';
import { NR_SWAPCACHE } from './vmstat.ts';

/** Pages charged ahead and kept on the CPU. */
export const CHARGE_BATCH = 32;
/** How often a charge fails before somebody dies for it. */
export const MEM_CGROUP_RECLAIM_RETRIES = 5;
const MAX_RECLAIM_LOOPS = 100;
const COSTLY_PAGES = 8;

const CHARGE_OK = 0;
const CHARGE_RETRY = 1;
const CHARGE_NOMEM = 2;
const CHARGE_WOULDBLOCK = 3;

/** 0 or -ENOMEM. */
export function tryCharge_3(machine: Machine, memcg: MemCgroup, gfp: Gfp, pages: number): number {
  const { memcgStock: stock, current: task } = machine;
  let batch = Math.max(CHARGE_BATCH, pages);
  let oomRetries = MEM_CGROUP_RECLAIM_RETRIES;
  const mayOom = (gfp & __GFP_NOFAIL) === 0 && pages <= COSTLY_PAGES;
  // The group is short, not the machine: who is to die may take what it needs to get there.
  if (task.oomVictim || task.killed) return force(machine, memcg, pages);
  for (;;) {
    if (pages <= CHARGE_BATCH && stock.cached === memcg && stock.pages >= pages) {
      stock.pages -= pages;
      return 0;
    }
    if (task.killed) return force(machine, memcg, pages);
    const invokeOom = mayOom && oomRetries === 0;
    const result = doCharge(machine, memcg, gfp, batch, pages, invokeOom);
    if (result === CHARGE_OK) {
      if (batch > pages) refillStock(machine, memcg, batch - pages);
      return 0;
    }
    if (result === CHARGE_RETRY) {
      batch = pages;
      continue;
    }
    if (result === CHARGE_WOULDBLOCK || !mayOom || invokeOom) {
      return (gfp & __GFP_NOFAIL) === 0 ? -ENOMEM : force(machine, memcg, pages);
    }
    oomRetries -= 1;
  }
}

function doCharge(machine: Machine, memcg: MemCgroup, gfp: Gfp, pages: number, least: number, oom: boolean): number {
  let full = memcg.memory.tryCharge(pages);
  const overMemsw = full === null;
  if (full === null) {
    full = memcg.memsw.tryCharge(pages);
    if (full === null) return CHARGE_OK;
    memcg.memory.uncharge(pages);
  }
  const over = memcgOfCounter(memcg, full, overMemsw);
  if (pages > least) return CHARGE_RETRY;
  if ((gfp & __GFP_DIRECT_RECLAIM) === 0 || machine.current.memalloc) return CHARGE_WOULDBLOCK;
  if ((gfp & __GFP_NORETRY) !== 0) return CHARGE_NOMEM;
  memcgEvent(over, 'max');
  const reclaimed = memCgroupReclaim(machine, over, gfp, overMemsw);
  if (margin(over) >= pages) return CHARGE_RETRY;
  if (pages <= COSTLY_PAGES && reclaimed > 0) return CHARGE_RETRY;
  if (oom && machine.fault.mayOom) {
    memcgEvent(over, 'oom');
    // The fault ends, and starts again if it is not its process that dies.
    memCgroupOutOfMemory_3(machine, over);
  }
  return CHARGE_NOMEM;
}

/** Reclaims for the limit until there is room; what CPUs hold ahead is given back on the way. How many pages came free. */
function memCgroupReclaim(machine: Machine, memcg: MemCgroup, gfp: Gfp, overMemsw: boolean): number {
  // Where both limits are the same, swapping a page out leaves the sum as it is.
  const noswap = overMemsw || memcg.memory.max === memcg.memsw.max;
  let total = 0;
  for (let loop = 0; loop < MAX_RECLAIM_LOOPS; loop++) {
    if (loop > 0) drainStock(machine);
    total += machine.reclaim.tryToFreeMemCgroupPages(memcg, 1, gfp, !noswap);
    if (margin(memcg) > 0) break;
    if (loop > 0 && total === 0) break;
  }
  return total;
}

/** DIFFERS: Linux charges the root instead, where it counts for nobody; here the limit is exceeded for a moment. */
function force(_machine: Machine, memcg: MemCgroup, pages: number): number {
  memcg.memory.charge(pages);
  memcg.memsw.charge(pages);
  return 0;
}

/**
 * A page of the swap cache is about to be mapped: whoever swapped it out pays, or the current task if nobody did. A page that
 * has an owner keeps it. 0 or -ENOMEM.
 */
export function chargeSwapin(machine: Machine, pfn: Pfn, entry: SwapEntry): number {
  const { frames } = machine;
  if (frames.memcg(pfn) !== 0) return 0;
  const memcg = swapMemcg(machine, entry);
  if (tryCharge(machine, memcg, GFP_KERNEL, 1) < 0) return -ENOMEM;
  const cached = frames.has(pfn, PG_swapcache);
  const listed = frames.has(pfn, PG_lru);
  // It may stand on the root's list already, as nobody's page: there it was read to.
  if (listed) lruvecDelPage(machine, lruvecOf(machine, pfn), pfn);
  if (cached) modPageState(machine, pfn, NR_SWAPCACHE, -1);
  frames.setMemcg(pfn, memcg.id);
  if (cached) modPageState(machine, pfn, NR_SWAPCACHE, 1);
  if (listed) lruvecAddPage(machine, lruvecOf(machine, pfn), pfn);
  if (cached) memCgroupSwapinUnchargeSwap(machine, entry);
  return 0;
}
