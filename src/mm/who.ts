/**
 * Who maps a page, with the whole way from the frame to each entry.
 *
 * Promises  `mappers` are exactly the entries that map the frame; `inVain` are the VMAs that the walk meets for nothing.
 * Linux     6.18 mm/rmap.c: rmap_walk_anon rmap_walk_file; mm/ksm.c: rmap_walk_ksm; 2.6.24 mm/rmap.c: vma_address
 *           page_lock_anon_vma
 */
import { AddressSpace } from './fs.ts';
import { type KindOfPage, kindOfPage } from './kinds.ts';
import { StableNode } from './ksm_page.ts';
import type { Machine, MappingOwner } from './machine.ts';
import { PAGE_MAPPING_ANON, PAGE_MAPPING_FLAGS, PG_lru, PG_swapcache } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_FILE, PTE_RW, PTE_YOUNG } from './page_table.ts';
import { AnonVma } from './rmap/anon_vma.ts';
import { isNonlinear } from './rmap/nonlinear.ts';
import { flagWords } from './struct_page_flags.ts';
import { addrOf, NO_VPN, type Pfn, type Vpn } from './units.ts';
import { type Vma, vmaAddress } from './vma.ts';

/** One VMA that the walk met. */
export interface WhoVma {
  pid: number;
  comm: string;
  mm: number;
  /** Bounds of the VMA and the page's address there, in bytes. */
  start: number;
  end: number;
  address: number;
  vmPgoff: number;
  /** `address = vm_start + ((index − vm_pgoff) << PAGE_SHIFT)` with its numbers. */
  formula: string;
  /** The VMA's own anon_vma, and how many it is linked to. */
  anonVma: number | null;
  chainLength: number;
  /** Where the VMA stands in the page's object, in kernels where that is not the order of a tree. */
  place?: string;
  /** The entry, if it maps the page. */
  pte: { pfn: number; writable: boolean; young: boolean; dirty: boolean } | null;
  /** Why the entry does not map the page. */
  why: string;
}

export interface WhoMaps {
  pfn: number;
  zone: string;
  /** As this kernel names them. */
  flags: string[];
  refcount: number;
  mapcount: number;
  /** page->mapping: the raw word, its tag bit, and what it points to. */
  mapping: { word: number; anonBit: number; kind: 'none' | 'anon_vma' | 'inode' | 'ksm'; id: number; name: string };
  /** What the object is made of, in kernels where that is not a tree. */
  object?: string;
  /** Null: this kernel has none for such a page. */
  index: number | null;
  token: number;
  lru: string;
  /** '': nobody is charged. */
  memcg: string;
  reclaim: KindOfPage;
  /** anon_vmas up to the root, or nothing. */
  parents: number[];
  mappers: WhoVma[];
  inVain: WhoVma[];
  /** struct page as its kernel has it, where that is another than here. */
  structPage?: string;
  /** What was looked at to find them, in kernels that must look through everything (2.4). */
  searched?: { mms: number; vmas: number; ptes: number };
}

/** Everything about one frame. Builds objects: for people, not for a hot path. */
export function whoMaps(machine: Machine, pfn: Pfn): WhoMaps {
  const { frames } = machine;
  const word = frames.mapping(pfn);
  const owner = frames.mapcount(pfn) > 0 || (word & PAGE_MAPPING_FLAGS) === 0 ? ownerOf(machine, word) : null;
  const mappers: WhoVma[] = [];
  const inVain: WhoVma[] = [];
  const before = { ...machine.work };
  if (owner !== null || frames.mapcount(pfn) > 0) {
    const known = new Map<Vma, Set<Vpn>>();
    machine.rmap.walk(pfn, (vma, vpn) => {
      // The walk of a merged page may come to a place twice; and one VMA may have the page in several places.
      const places = known.get(vma) ?? new Set();
      if (owner instanceof StableNode && places.has(vpn)) return true;
      known.set(vma, places.add(vpn));
      const met = describe(machine, pfn, vma, vpn);
      (met.pte === null ? inVain : mappers).push(met);
      return true;
    });
  }
  const { mmsWalked, vmasVisited, ptesVisited } = machine.work;
  const reclaim = kindOfPage(machine, pfn);
  const structPage = machine.generation.structPageText?.(machine, pfn);
  // Who asks from outside is no work of the kernel's.
  Object.assign(machine.work, before);
  return {
    pfn,
    zone: machine.zones[frames.zoneIndex(pfn)]!.name,
    flags: flagWords(machine, pfn),
    refcount: frames.refcount(pfn),
    mapcount: frames.mapcount(pfn),
    mapping: {
      word,
      anonBit: word & 1,
      kind: kindOf(owner),
      id: owner?.id ?? 0,
      name: owner instanceof AddressSpace ? owner.host.name : '',
    },
    ...(owner === null || machine.rmap.objectOf === undefined ? {} : { object: machine.rmap.objectOf(pfn) }),
    index: indexOf(machine, pfn),
    token: frames.token(pfn),
    lru: frames.has(pfn, PG_lru) ? machine.generation.lruNames[machine.lru.listOf(pfn)]! : 'none',
    memcg: frames.memcg(pfn) === 0 ? '' : machine.memcgs[frames.memcg(pfn)]!.name,
    reclaim,
    parents: owner instanceof AnonVma ? parentsOf(owner) : [],
    mappers,
    inVain,
    ...(structPage === undefined ? {} : { structPage }),
    ...(machine.rmap.walksAll !== true
      ? {}
      : {
          searched: {
            mms: mmsWalked - before.mmsWalked,
            vmas: vmasVisited - before.vmasVisited,
            ptes: ptesVisited - before.ptesVisited,
          },
        }),
  };
}

/** The frame at an address of a process, or null: not present. */
export function frameAt(machine: Machine, pageTables: Vma['vmMm'], vpn: Vpn): Pfn | null {
  const slot = machine.pageTables.slotOf(pageTables.pageTables, vpn);
  if (slot === NO_SLOT || !machine.pageTables.isPresent(slot)) return null;
  return machine.pageTables.pfn(slot);
}

/** page->index. Before anonymous pages had one, it was the slot of a page in the swap cache. */
function indexOf({ frames, generation }: Machine, pfn: Pfn): number | null {
  const isAnon = (frames.mapping(pfn) & PAGE_MAPPING_ANON) !== 0;
  if (!isAnon || generation.switches.indexesAnon) return frames.index(pfn);
  return frames.has(pfn, PG_swapcache) ? frames.private_(pfn) : null;
}

/** What a page->mapping word names; null: nothing that is there any more. */
export function ownerOf(machine: Machine, word: number): MappingOwner | null {
  return machine.mappings[(word - (word & PAGE_MAPPING_FLAGS)) / 4] ?? null;
}

function kindOf(owner: MappingOwner | null): WhoMaps['mapping']['kind'] {
  if (owner === null) return 'none';
  if (owner instanceof StableNode) return 'ksm';
  // Each generation has an anon_vma of its own.
  return owner instanceof AddressSpace ? 'inode' : 'anon_vma';
}

function parentsOf(anonVma: AnonVma): number[] {
  const ids: number[] = [];
  for (let at = anonVma; at.parent !== at; at = at.parent) ids.push(at.parent.id);
  return ids;
}

function describe(machine: Machine, pfn: Pfn, vma: Vma, vpn: Vpn): WhoVma {
  const { pageTables, frames } = machine;
  const task = machine.tasks.find((t) => t.mm === vma.vmMm);
  const index = frames.index(pfn);
  // Of the page's object the VMA shows another part, or its pages stand in any order.
  const outside = vpn === NO_VPN;
  const slot = outside ? NO_SLOT : pageTables.slotOf(vma.vmMm.pageTables, vpn);
  const maps = slot !== NO_SLOT && pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn;
  const start = addrOf(vma.vmStart);
  const hex = (n: number): string => `0x${n.toString(16)}`;
  const address = addrOf(outside ? vmaAddress(vma, index) : vpn);
  return {
    pid: task?.pid ?? 0,
    comm: task?.comm ?? '',
    mm: vma.vmMm.id,
    start,
    end: addrOf(vma.vmEnd),
    address,
    vmPgoff: vma.vmPgoff,
    formula: isNonlinear(vma)
      ? `none: nonlinear, so each of its ${vma.pages} entries is looked at`
      : `${hex(start)} + ((${hex(index)} − ${hex(vma.vmPgoff)}) << 12) = ${hex(address)}`,
    anonVma: vma.anonVma?.id ?? null,
    chainLength: vma.anonVmaChain.length,
    ...(machine.rmap.placeOf === undefined ? {} : { place: machine.rmap.placeOf(pfn, vma) }),
    pte: maps
      ? {
          pfn,
          writable: pageTables.has(slot, PTE_RW),
          young: pageTables.has(slot, PTE_YOUNG),
          dirty: pageTables.has(slot, PTE_DIRTY),
        }
      : null,
    why: maps ? '' : outside && isNonlinear(vma) ? 'none of them maps it' : whyNot(machine, slot, outside),
  };
}

/** Why an entry does not map the page that is looked for; `outside`: the VMA shows no such place. */
export function whyNot(machine: Machine, slot: number, outside: boolean): string {
  const { pageTables } = machine;
  if (outside) return 'not in this VMA (EFAULT)';
  if (slot === NO_SLOT) return 'no page table';
  if (pageTables.isNone(slot)) return 'empty entry';
  if (pageTables.isSwap(slot)) return 'swapped out';
  if (pageTables.has(slot, PTE_FILE)) return `waits for page ${pageTables.filePgoff(slot)} of the file`;
  if (pageTables.isPresent(slot)) return `maps frame ${pageTables.pfn(slot)}`;
  return 'a guard region';
}
