/**
 * Swap areas slot by slot, the swap cache, and who has a slot.
 *
 * Promises  A slot's byte and count are the swap map's; a slot's owners are every entry of a living process that names it.
 * Linux     6.18 mm/swapfile.c: swap_show; include/linux/swap.h: swap_info_struct
 */
import { NO_SLOT } from '../mm/page_table.ts';
import {
  CLUSTER_FRAG,
  CLUSTER_FREE,
  CLUSTER_FULL,
  CLUSTER_NONFULL,
  SWAP_HAS_CACHE,
  SWAP_MAP_BAD,
  SWAP_MAP_SHMEM,
  type SwapInfo,
} from '../mm/swap/area.ts';
import { addrOf, NO_PFN, swpEntry, type Vpn } from '../mm/units.ts';
import {
  SLOT_BAD,
  SLOT_CACHE_ONLY,
  SLOT_CACHED,
  SLOT_FREE,
  SLOT_RESERVED,
  SLOT_SHMEM,
  SLOT_USED,
} from './lists_words.ts';
import type { MachineSubject, Subject } from './subject.ts';

export interface SlotCluster {
  readonly taken: number;
  readonly list: 'none' | 'free' | 'nonfull' | 'frag' | 'full';
}

export interface SwapAreaView {
  readonly type: number;
  readonly device: string;
  readonly priority: number;
  readonly isOn: boolean;
  /** Slots that can be used, and those that are. */
  readonly pages: number;
  readonly used: number;
  /** SLOT_ kinds from slot `first` on. */
  readonly first: number;
  readonly slots: Uint8Array;
  /** Entries that need each of them. */
  readonly counts: Uint16Array;
  /** Frame of each that is in the swap cache; -1: none. */
  readonly cached: Int32Array;
  /** Of the whole area, by SLOT_ kind. */
  readonly totals: readonly number[];
  readonly shadows: number;
  readonly clusterSlots: number;
  /** Clusters of the slots that are told. */
  readonly clusters: readonly SlotCluster[];
}

export interface SwapView {
  readonly areas: readonly SwapAreaView[];
  readonly freePages: number;
  readonly totalPages: number;
  /** Pages that the area's lists of clusters matter for: not in kernels that scan the map. */
  readonly usesClusters: boolean;
}

export interface SlotOwner {
  readonly pid: number;
  readonly comm: string;
  readonly address: number;
}

export interface SlotView {
  readonly type: number;
  readonly slot: number;
  readonly kind: number;
  readonly count: number;
  /** Frame of its page in the swap cache. */
  readonly pfn: number | null;
  readonly owners: readonly SlotOwner[];
  /** A page that comes back is told how long it was away. */
  readonly hasShadow: boolean;
  readonly zero: boolean;
}

const CLUSTER_WORDS: Readonly<Record<number, SlotCluster['list']>> = {
  [CLUSTER_FREE]: 'free',
  [CLUSTER_NONFULL]: 'nonfull',
  [CLUSTER_FRAG]: 'frag',
  [CLUSTER_FULL]: 'full',
};

export function slotKind(area: SwapInfo, slot: number): number {
  const usage = area.usage(slot);
  if (usage === 0) return SLOT_FREE;
  if (usage === SWAP_MAP_BAD) return SLOT_BAD;
  const count = area.count(slot);
  if ((usage & SWAP_HAS_CACHE) !== 0) {
    if (area.cached(slot) === NO_PFN) return SLOT_RESERVED;
    return count === 0 ? SLOT_CACHE_ONLY : SLOT_CACHED;
  }
  return count === SWAP_MAP_SHMEM ? SLOT_SHMEM : SLOT_USED;
}

/** `limit` slots of each area from slot `from` on. */
export function swap(subject: Subject, from: number, limit: number): SwapView | null {
  if (subject.kind === 'host') return null;
  const { machine } = subject;
  const areas = machine.swap.areas.filter((area) => area !== null);
  return {
    areas: areas.map((area) => areaView(area, from, limit)),
    freePages: machine.swap.nrSwapPages,
    totalPages: machine.swap.totalSwapPages,
    usesClusters: machine.generation.family === 'linux-6' || machine.generation.family === 'linux-3',
  };
}

function areaView(area: SwapInfo, from: number, limit: number): SwapAreaView {
  const totals = new Array<number>(SLOT_BAD + 1).fill(0);
  const first = Math.min(from, Math.max(0, area.max - 1));
  const length = Math.min(limit, area.max - first);
  const slots = new Uint8Array(length);
  const counts = new Uint16Array(length);
  const cached = new Int32Array(length).fill(NO_PFN);
  let shadows = 0;
  for (let slot = 0; slot < area.max; slot++) {
    const kind = slotKind(area, slot);
    totals[kind]! += 1;
    if (area.shadow(slot) !== 0) shadows += 1;
    if (slot < first || slot >= first + length) continue;
    slots[slot - first] = kind;
    counts[slot - first] = kind === SLOT_BAD ? 0 : area.exactCount(slot);
    cached[slot - first] = area.cached(slot);
  }
  const clusterSlots = area.clusters.slots;
  const firstCluster = Math.floor(first / clusterSlots);
  const lastCluster = Math.floor(Math.max(first, first + length - 1) / clusterSlots);
  const clusters: SlotCluster[] = [];
  for (let cluster = firstCluster; cluster <= lastCluster; cluster++) {
    const list = CLUSTER_WORDS[area.clusters.flag(cluster)] ?? 'none';
    clusters.push({ taken: area.clusters.count(cluster), list });
  }
  return {
    type: area.type,
    device: area.device?.name ?? 'zram',
    priority: area.prio,
    isOn: area.writeok,
    pages: area.pages,
    used: area.inusePages,
    first,
    slots,
    counts,
    cached,
    totals,
    shadows,
    clusterSlots,
    clusters,
  };
}

/** Everything about one slot; null: there is none. */
export function swapSlot(subject: Subject, type: number, slot: number): SlotView | null {
  if (subject.kind === 'host') return null;
  const area = subject.machine.swap.areas[type] ?? null;
  if (area === null || slot < 0 || slot >= area.max) return null;
  const cached = area.cached(slot);
  const kind = slotKind(area, slot);
  return {
    type,
    slot,
    kind,
    count: kind === SLOT_BAD ? 0 : area.exactCount(slot),
    pfn: cached === NO_PFN ? null : cached,
    owners: ownersOf(subject, type, slot),
    hasShadow: area.shadow(slot) !== 0,
    zero: area.isZero(slot),
  };
}

function ownersOf({ machine, living }: MachineSubject, type: number, slot: number): SlotOwner[] {
  const entry = swpEntry(type, slot);
  const { pageTables } = machine;
  const owners: SlotOwner[] = [];
  for (const { pid, comm, mm } of living) {
    for (const vma of mm.vmas) {
      for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn = (vpn + 1) as Vpn) {
        const at = pageTables.slotOf(mm.pageTables, vpn);
        if (at === NO_SLOT) {
          vpn = (pageTables.nextTable(mm.pageTables, (vpn + 1) as Vpn, vma.vmEnd) - 1) as Vpn;
        } else if (pageTables.isSwap(at) && pageTables.swapEntry(at) === entry) {
          owners.push({ pid, comm, address: addrOf(vpn) });
        }
      }
    }
  }
  return owners;
}
