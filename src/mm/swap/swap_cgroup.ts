/**
 * Who pays for a swap slot.
 *
 * Owns      the cgroup id of each slot, and memory.swap.events.
 * Promises  1. `memcg.swap.usage` is the number of slots that carry the id of the cgroup or of one below it.
 *           2. cgroup v2: a page that is swapped out gives back its charge to memory, and its slot is charged to swap
 *              as long as the slot lives. v1: the page's charge to memory+swap stays and becomes the slot's; when the
 *              page is read back and charged anew, the slot's goes at once.
 * Linux     6.18 mm/memcontrol.c: __mem_cgroup_try_charge_swap __mem_cgroup_uncharge_swap mem_cgroup_swapin_charge_folio;
 *           mm/memcontrol-v1.c: memcg1_swapout memcg1_swapin; mm/swap_cgroup.c
 */
import { ENOMEM } from '../errno.ts';
import type { Machine } from '../machine.ts';
import type { MemCgroup, SwapEvents } from '../memcg.ts';
import { NO_SWAP, type Pfn, type SwapEntry, swpOffset } from '../units.ts';

/** The slot will hold the page. Also called when there was no slot, which is an event. 0 or -ENOMEM. */
export function memCgroupTryChargeSwap(machine: Machine, pfn: Pfn, entry: SwapEntry, pages: number): number {
  if (machine.rootMemcg.v1) return 0;
  const id = machine.frames.memcg(pfn);
  if (id === 0) return 0;
  const owner = machine.memcgs[id]!;
  if (entry === NO_SWAP) {
    swapEvent(owner, 'fail');
    return 0;
  }
  const memcg = onlineAncestor(owner);
  if (memcg.swap.tryCharge(pages) !== null) {
    swapEvent(memcg, 'max');
    swapEvent(memcg, 'fail');
    return -ENOMEM;
  }
  const area = machine.swap.areaOf(entry);
  for (let i = 0; i < pages; i++) area.setMemcgId(swpOffset(entry) + i, memcg.id);
  return 0;
}

/** The slot is free again, or (v1) its page is charged in its place. */
export function memCgroupUnchargeSwap(machine: Machine, entry: SwapEntry): void {
  const area = machine.swap.areaOf(entry);
  const offset = swpOffset(entry);
  const id = area.memcgId(offset);
  if (id === 0) return;
  area.setMemcgId(offset, 0);
  const memcg = machine.memcgs[id]!;
  memcg.swap.uncharge(1);
  if (memcg.v1 && memcg.parent !== null) memcg.memsw.uncharge(1);
}

/** v1: the page is leaving memory; its charge to memory+swap becomes the slot's. */
export function memCgroupSwapout(machine: Machine, pfn: Pfn, entry: SwapEntry): void {
  if (!machine.rootMemcg.v1) return;
  const id = machine.frames.memcg(pfn);
  if (id === 0) return;
  const memcg = machine.memcgs[id]!;
  const owner = onlineAncestor(memcg);
  machine.swap.areaOf(entry).setMemcgId(swpOffset(entry), owner.id);
  owner.swap.charge(1);
  machine.frames.setMemcg(pfn, 0);
  if (memcg.parent === null) return;
  memcg.memory.uncharge(1);
  if (memcg === owner) return;
  if (owner.parent !== null) owner.memsw.charge(1);
  memcg.memsw.uncharge(1);
}

/** v1: the page is back and charged, so the slot need not be (memcg1_swapin). */
export function memCgroupSwapinUnchargeSwap(machine: Machine, entry: SwapEntry): void {
  if (machine.rootMemcg.v1) memCgroupUnchargeSwap(machine, entry);
}

/** Who is charged for the page when it is read in: who swapped it out, or, that cgroup gone, who wants it now. */
export function swapMemcg(machine: Machine, entry: SwapEntry): MemCgroup {
  const id = machine.swap.areaOf(entry).memcgId(swpOffset(entry));
  const memcg = id === 0 ? null : machine.memcgs[id]!;
  if (memcg?.online) return memcg;
  return machine.current.mm?.memcg ?? machine.rootMemcg;
}

/** An event of the cgroup counts for all above it. */
function swapEvent(memcg: MemCgroup, event: keyof SwapEvents): void {
  for (let c: MemCgroup | null = memcg; c !== null; c = c.parent) c.swapEvents[event] += 1;
}

function onlineAncestor(memcg: MemCgroup): MemCgroup {
  let online = memcg;
  while (!online.online && online.parent !== null) online = online.parent;
  return online;
}
