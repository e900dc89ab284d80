/** What verify() must see: each case breaks one promise by hand, on a machine that is busy and all right. */
import { expect, test } from 'vitest';
import { PAGE, Space } from '../../test/space.ts';
import type { LargeFolio } from './folio.ts';
import type { Inode } from './fs.ts';
import { LRU_INACTIVE_ANON } from './lruvec.ts';
import type { Machine } from './machine.ts';
import { doMadvise } from './madvise.ts';
import { MM_ANONPAGES, MM_SWAPENTS } from './mm.ts';
import { doMunmap } from './munmap.ts';
import {
  PG_active,
  PG_anon_exclusive,
  PG_buddy,
  PG_dirty,
  PG_lru,
  PG_mlocked,
  PG_reserved,
  PG_swapbacked,
  PG_swapcache,
  PG_tail,
  PG_unevictable,
  PG_writeback,
} from './page_flags.ts';
import { PTE_HUGE } from './page_table.ts';
import { NR_PCP_LISTS } from './pcp.ts';
import type { AnonVma } from './rmap/anon_vma.ts';
import { CLUSTER_FREE, CLUSTER_FULL, CLUSTER_NONE, SWAP_HAS_CACHE, SWAP_MAP_BAD, type SwapInfo } from './swap/area.ts';
import { swapon } from './swap/swapfile.ts';
import { MADV_HUGEPAGE, MADV_PAGEOUT, MAP_SHARED } from './uapi.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, type Pgoff, type SwapEntry, swpEntry, swpOffset, type Vpn } from './units.ts';
import { VM_WRITE } from './vm_flags.ts';
import {
  NR_ANON_MAPPED,
  NR_ANON_THPS,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_PAGETABLE,
  NR_SLAB_UNRECLAIMABLE,
  NR_SWAPCACHE,
  WORKINGSET_NODES,
} from './vmstat.ts';
import { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_TOWRITE, XaNode, xaPage } from './xarray.ts';
import { MIGRATE_TYPES, MIGRATE_UNMOVABLE, type Zone } from './zone.ts';

const MIB: number = 2 ** 20;

/** Where the pages of the busy machine are. */
const SHARED = 0; // with the child
const OWN = 16; // of the parent alone
const SWAPPED = 17;
const IN_SWAP_CACHE = 18;
const OF_FILE = 32;
const OF_TMPFS = 48;

/** One process forked and went, another is there; pages of every kind; one of them swapped out, one in the swap cache. */
class Busy extends Space {
  readonly disk: Inode;
  readonly tmpfs: Inode;

  constructor(kernel: string) {
    super({ kernel, ramBytes: 32 * MIB, swap: 'disk', swapBytes: 5 * MIB + 4096 });
    swapon(this.machine, { bytes: MIB, device: 'zram' });
    this.machine.newCgroup('sibling');
    this.map(SHARED, 8);
    this.storeAll(SHARED, 8);
    const between = this.fork();
    this.fork(between.mm!);
    this.exit(between);
    this.map(OWN, 8);
    this.storeAll(OWN, 8);
    this.goOut(SWAPPED, IN_SWAP_CACHE);
    const disk = this.file('disk', 200);
    this.map(OF_FILE, 8, MAP_SHARED, undefined, disk);
    this.map(OF_FILE + 8, 1, MAP_SHARED, undefined, disk, 150);
    this.loadAll(OF_FILE, 9);
    this.store(OF_FILE + 1);
    const tmpfs = this.file('tmpfs', 4);
    this.map(OF_TMPFS, 4, MAP_SHARED, undefined, tmpfs);
    this.storeAll(OF_TMPFS, 4);
    this.goOut(OF_TMPFS, OF_TMPFS + 3, OF_FILE + 8);
    this.machine.advance(10e9);
    this.load(IN_SWAP_CACHE);
    this.store(OF_FILE + 2);
    this.machine.lru.drain();
    this.disk = disk.inode;
    this.tmpfs = tmpfs.inode;
  }

  private goOut(...pages: number[]): void {
    for (const page of pages) doMadvise(this.machine, this.mm, this.vpn(page) * PAGE_SIZE, PAGE_SIZE, MADV_PAGEOUT);
  }

  get area(): SwapInfo {
    return this.machine.swap.areas[0]!;
  }

  entry(page: number): SwapEntry {
    return this.machine.pageTables.swapEntry(this.slot(page));
  }

  /** The anon_vma that the page's VMA puts its pages in. */
  anonVma(page: number): AnonVma {
    return this.vma(page).anonVma!;
  }

  /** The zone of the page. */
  zone(page: number): Zone {
    return this.machine.zones[this.machine.frames.zoneIndex(this.pfn(page))]!;
  }

  /** A free block of this order or a larger one, and the list that it is on. */
  free(order: number): { pfn: Pfn; list: number; zone: Zone } {
    const { machine } = this;
    for (const zone of machine.zones) {
      for (let list = order * MIGRATE_TYPES; list < zone.freeLists.length; list++) {
        const pfn = machine.frames.listFirst(zone.freeLists[list]!);
        if (pfn !== NO_PFN) return { pfn, list, zone };
      }
    }
    throw new Error(`no free block of order ${order}`);
  }

  /** The first page on a list of the CPU, which stays there. */
  onCpu(): { pfn: Pfn; zone: Zone } {
    for (const zone of this.machine.zones) {
      for (let list = 0; list < NR_PCP_LISTS; list++) {
        const pfn = this.machine.frames.listFirst(zone.pcp.lists[list]!);
        if (pfn !== NO_PFN) return { pfn, zone };
      }
    }
    throw new Error('no page on a list of the CPU');
  }
}

interface Damage {
  readonly why: string;
  readonly damage: (busy: Busy, machine: Machine) => unknown;
  readonly want: string | RegExp;
}

/** A private field, for those who damage it. */
function hidden<T>(owner: object, field: string): T {
  return Reflect.get(owner, field) as T;
}

const mappings: Damage[] = [
  { why: 'a page that is not counted', damage: (b) => (b.mm.rss[MM_ANONPAGES]! += 1), want: 'rss counter 1 of mm' },
  {
    why: 'an entry that is not counted',
    damage: (b, m) => m.frames.incMapcount(b.pfn(OWN)),
    want: /mapcount of frame \d+ is 2, entries that map it: 1/,
  },
  {
    why: 'a page that could be freed under its mappings',
    damage: (b, m) => m.frames.setRefcount(b.pfn(SHARED), 1),
    want: 'has 1 references for 2 mappings',
  },
  {
    why: 'two owners of one',
    damage: (b, m) => m.frames.set(b.pfn(SHARED), PG_anon_exclusive),
    want: 'is exclusive and mapped 2 times',
  },
  {
    why: 'nr_anon_pages',
    damage: (_, m) => (m.nodes[0]!.stat[NR_ANON_MAPPED]! += 1),
    want: 'NR_ANON_MAPPED of node 0',
  },
  { why: 'nr_mapped', damage: (_, m) => (m.nodes[0]!.stat[NR_FILE_MAPPED]! += 1), want: 'NR_FILE_MAPPED of node 0' },
  { why: 'a mapped page that is free', damage: (b, m) => m.frames.setRefcount(b.pfn(OWN), 0), want: 'which is free' },
  {
    why: 'a page of another place',
    damage: (b, m) => m.frames.setIndex(b.pfn(OWN), 7 as Pgoff),
    want: `of index 7, the VMA shows ${PAGE + OWN} there`,
  },
  { why: 'a way round mprotect', damage: (b) => (b.vma(OWN).vmFlags &= ~VM_WRITE), want: 'is writable in a VMA' },
  {
    why: 'a way round copy-on-write',
    damage: (b, m) => m.frames.clear(b.pfn(OWN), PG_anon_exclusive),
    want: 'is not exclusive',
  },
  {
    why: 'a page that reclaim would not find',
    damage: (b) => b.anonVma(OWN).tree.remove(b.vma(OWN).anonVmaChain[0]!),
    want: /the reverse walk of frame \d+ finds 0 of its 1 entries/,
  },
];

const anonVmas: Damage[] = [
  { why: 'a VMA without its link', damage: (b) => b.vma(OWN).anonVmaChain.pop(), want: 'is not linked to its own' },
  {
    why: 'a link in the wrong list',
    damage: (b) => Object.assign(b.vma(OWN).anonVmaChain[0]!, { vma: b.vma(SHARED) }),
    want: 'is in the list of another VMA',
  },
  { why: 'its users', damage: (b) => (b.anonVma(OWN).numActiveVmas += 1), want: /numActiveVmas of anon_vma \d+ is 2/ },
  {
    why: 'a link that the tree forgot',
    damage: (b) => b.anonVma(OWN).tree.remove(b.vma(OWN).anonVmaChain[0]!),
    want: /has 0 links, VMAs 1/,
  },
  {
    why: 'a link that moved',
    damage: (b) => (b.vma(SHARED).vmPgoff = (PAGE + 100) as Pgoff),
    want: 'does not find one of its links',
  },
  { why: 'its children', damage: (b) => (b.anonVma(OWN).numChildren += 1), want: /numChildren of anon_vma \d+ is 2/ },
  {
    why: 'children of the childless',
    damage: (b, m) => (b.vma(SHARED, m.mms.at(-1)).anonVma!.numChildren += 1),
    want: 'is 1, anon_vmas: 0',
  },
];

const lists: Damage[] = [
  {
    why: 'active, and never scanned',
    damage: (b, m) => m.frames.set(b.pfn(OWN), PG_active | PG_unevictable),
    want: 'is active and unevictable',
  },
  {
    why: 'a flag alone',
    damage: (_, m) => m.frames.set(m.slab.caches.anon_vma.slabs[0]!, PG_lru),
    want: 'have PG_lru',
  },
  { why: 'a size', damage: (_, m) => (m.nodes[0]!.stat[LRU_INACTIVE_ANON]! += 1), want: 'inactive_anon pages, lists' },
  { why: 'locked pages', damage: (b, m) => m.frames.set(b.pfn(OWN), PG_mlocked), want: 'NR_MLOCK is 0, frames: 1' },
  { why: 'a list without the flag', damage: (b, m) => m.frames.clear(b.pfn(OWN), PG_lru), want: 'lacks PG_lru' },
  {
    why: 'another list',
    damage: (b, m) => m.frames.set(b.pfn(OWN), PG_unevictable),
    want: 'belongs on unevictable',
  },
  { why: "another cgroup's list", damage: (b, m) => m.frames.setMemcg(b.pfn(OWN), 0), want: 'is charged to cgroup 0' },
  {
    why: 'a free page on a list',
    damage: (b, m) => m.frames.setRefcount(b.pfn(OWN), 0),
    want: /on .* of test is free/,
  },
  { why: 'a size by zone', damage: (b) => (b.lruvec().zoneSize[0]! += 1), want: 'pages in zone 0, holds' },
  { why: 'a charge', damage: (b) => (b.memcg.memory.usage += 1), want: 'memory usage of test is' },
  {
    why: 'a charge for nothing',
    damage: (b, m) => m.frames.setRefcount(b.pfn(OWN), 0),
    want: 'is free and charged to cgroup',
  },
];

const files: Damage[] = [
  {
    why: 'a node on the list of shadows',
    damage: (b, m) => {
      const node = b.disk.mapping.pages.head!.children![0]!;
      const { count, nrValues } = node;
      Object.assign(node, { count: 1, nrValues: 1 });
      m.shadowNodes.update(node);
      Object.assign(node, { count, nrValues });
    },
    want: 'nodes on the shadow list',
  },
  { why: 'a dirty shadow', damage: (b) => b.disk.mapping.pages.setMark(150, PAGECACHE_TAG_DIRTY), want: 'is marked' },
  {
    why: 'one page in two places',
    damage: (b, m) => b.disk.mapping.pages.replace(m, 0, xaPage(b.pfn(OF_FILE + 2))),
    want: 'is in the cache twice',
  },
  {
    why: 'a free page',
    damage: (b, m) => m.frames.setRefcount(b.pfn(OF_FILE), 0),
    want: /data page 0: frame \d+ is free/,
  },
  { why: 'a page of nobody', damage: (b, m) => m.frames.setMapping(b.pfn(OF_FILE), 0), want: 'belongs to 0' },
  {
    why: 'a page of another place',
    damage: (b, m) => m.frames.setIndex(b.pfn(OF_FILE), 9 as Pgoff),
    want: 'says index 9',
  },
  { why: 'how many pages', damage: (b) => (b.disk.mapping.nrpages += 1), want: 'data: nrpages' },
  { why: 'how many shadows', damage: (b) => (b.disk.mapping.pages.values += 1), want: 'data: nrshadows' },
  {
    why: 'a mark of all and of none',
    damage: (b) => {
      const { pages } = b.disk.mapping;
      pages.setMark(0, PAGECACHE_TAG_TOWRITE);
      pages.head!.children![0]!.clearMark(0, PAGECACHE_TAG_TOWRITE);
    },
    want: 'data: mark 2 of the whole tree',
  },
  {
    why: 'a mark between the levels',
    damage: (b) => b.disk.mapping.pages.head!.setMark(0, PAGECACHE_TAG_TOWRITE),
    want: 'mark 2 differs between levels',
  },
  { why: 'swapbacked', damage: (b, m) => m.frames.set(b.pfn(OF_FILE), PG_swapbacked), want: 'swapbacked is for tmpfs' },
  { why: 'dirty', damage: (b, m) => m.frames.set(b.pfn(OF_FILE), PG_dirty), want: 'mark DIRTY and PG_dirty differ' },
  { why: 'writeback', damage: (b, m) => m.frames.set(b.pfn(OF_FILE), PG_writeback), want: 'PG_writeback differ' },
  {
    why: 'the flusher',
    damage: (b) => (b.disk.dirty = false),
    want: "data: dirty is false, on the flusher's list true",
  },
  { why: 'data never written', damage: (_, m) => m.writeback.dirtyInodes.pop(), want: 'nobody will write' },
  { why: 'pages swapped out', damage: (b) => (b.tmpfs.shmemSwapped += 1), want: 'pages swapped out' },
  { why: 'pages charged', damage: (b) => (b.tmpfs.shmemPages = 0), want: 'more pages than it is charged for' },
  {
    why: 'a child elsewhere',
    damage: (b) => (b.disk.mapping.pages.head!.children![0]!.offset = 5),
    want: 'its parent',
  },
  {
    why: 'an empty node',
    damage: (b) => {
      const { pages } = b.disk.mapping;
      pages.head!.children![9] = new XaNode(pages, 0, pages.head, 9, b.memcg);
    },
    want: 'data: an empty node',
  },
  {
    why: 'a node',
    damage: (b) => (b.disk.mapping.pages.head!.count += 1),
    want: /node says \d+ \(0 values\), counted/,
  },
  { why: 'the shadow list', damage: (b) => (b.disk.mapping.pages.head!.onShadowList = true), want: 'shadow list true' },
  { why: 'nodes', damage: (b) => (b.disk.mapping.pages.nodes += 1), want: /data: \d+ nodes, counted/ },
  {
    why: 'pages of a cgroup',
    damage: (b) => (b.lruvec().stat[NR_FILE_PAGES]! += 1),
    want: 'cgroup test: nr_file_pages',
  },
  {
    why: 'pages of a node',
    damage: (_, m) => (m.nodes[0]!.stat[WORKINGSET_NODES]! += 1),
    want: 'node 0: workingset_nodes',
  },
  {
    why: 'pages under writeback',
    damage: (b, m) => m.frames.set(b.pfn(OWN), PG_writeback),
    want: /nr_zone_write_pending \d+, counted \d+/,
  },
];

const swap: Damage[] = [
  { why: 'slots taken', damage: (b) => (b.area.inusePages += 1), want: 'swap 0: inusePages is' },
  { why: 'an area that is off', damage: (b) => (b.area.writeok = false), want: 'swap 0: avail is true' },
  {
    why: 'an entry without an area',
    damage: (b, m) => m.pageTables.setSwap(b.slot(SWAPPED), swpEntry(5, 3), false),
    want: 'points to no slot',
  },
  { why: 'free slots', damage: (_, m) => (m.swap.nrSwapPages += 1), want: 'nrSwapPages is' },
  { why: 'all slots', damage: (_, m) => (m.swap.totalSwapPages += 1), want: 'totalSwapPages is' },
  { why: 'entries', damage: (b) => (b.mm.rss[MM_SWAPENTS]! += 1), want: /SWAPENTS is \d, entries/ },
  {
    why: 'one slot for two pages',
    damage: (b, m) => b.tmpfs.mapping.pages.replace(m, 3, b.tmpfs.mapping.pages.load(0)),
    want: 'is in two places of tmpfs',
  },
  {
    why: 'a free page in the swap cache',
    damage: (b, m) => m.frames.set(b.pfn(IN_SWAP_CACHE), PG_buddy),
    want: 'is free and in the swap cache',
  },
  {
    why: 'a page of another slot',
    damage: (b, m) => m.frames.setPrivate(b.pfn(IN_SWAP_CACHE), swpEntry(9, 1)),
    want: 'names another page',
  },
  {
    why: 'nr_swapcached',
    damage: (_, m) => (m.nodes[0]!.stat[NR_SWAPCACHE]! += 1),
    want: /nr_swapcached is 5, pages 4/,
  },
  {
    why: "a cgroup's",
    damage: (b) => (b.lruvec().stat[NR_SWAPCACHE]! += 1),
    want: 'cgroup test: swapcached is 5, pages 4',
  },
  {
    why: 'who is charged for a page',
    damage: (b, m) => m.frames.setMemcg(b.pfn(IN_SWAP_CACHE), 0),
    want: 'cgroup test: swapcached is 4, pages 3',
  },
  {
    why: 'a count',
    damage: (b) => b.area.setUsage(swpOffset(b.entry(SWAPPED)), 2),
    want: /counts 2, entries in page tables 1/,
  },
  { why: 'a slot that is bad', damage: (b) => b.area.setUsage(700, SWAP_MAP_BAD), want: /cluster 1 counts 0, taken 1/ },
  {
    why: 'whose a slot is',
    damage: (b, m) => b.tmpfs.mapping.pages.replace(m, 0, 0),
    want: 'SHMEM is true',
  },
  {
    why: 'a cached page without its mark',
    damage: (b, m) => {
      const offset = swpOffset(m.frames.private_(b.pfn(IN_SWAP_CACHE)) as SwapEntry);
      b.area.setUsage(offset, b.area.usage(offset) & ~SWAP_HAS_CACHE);
    },
    want: 'without HAS_CACHE',
  },
  {
    why: 'a cached page that forgot',
    damage: (b, m) => m.frames.clear(b.pfn(IN_SWAP_CACHE), PG_swapcache),
    want: 'does not know it',
  },
  {
    why: 'a slot kept for nobody',
    damage: (b) => b.area.setUsage(700, SWAP_HAS_CACHE),
    want: 'HAS_CACHE without a page',
  },
  { why: 'a free slot with an owner', damage: (b) => b.area.setMemcgId(700, 1), want: 'free, but it has' },
  { why: 'a cluster', damage: (b) => b.area.clusters.inc(1), want: 'swap 0: cluster 1 counts 1, taken 0' },
  {
    why: 'a cluster on two lists',
    damage: ({ area: { clusters } }) => {
      const first = clusters.first(CLUSTER_FREE);
      hidden<Uint8Array>(clusters, 'flags')[first] = CLUSTER_NONE;
      clusters.move(first, CLUSTER_FULL);
      hidden<Int32Array>(clusters, 'next')[clusters.length + CLUSTER_FREE] = first;
    },
    want: /cluster \d is on two lists/,
  },
  {
    why: 'a cluster on no list',
    damage: (b) => b.area.clusters.move(1, CLUSTER_NONE),
    want: 'cluster 1 is on no list',
  },
  {
    why: 'a cluster full of nothing',
    damage: (b) => b.area.clusters.move(1, CLUSTER_FULL),
    want: 'cluster 1, 0 taken, flag 4',
  },
  {
    why: 'a flag',
    damage: (b) => (hidden<Uint8Array>(b.area.clusters, 'flags')[1] = CLUSTER_FULL),
    want: 'cluster 1 is flagged 4',
  },
  { why: 'slots of a cgroup', damage: (b) => (b.memcg.swap.usage += 1), want: 'cgroup test: swap usage is' },
];

const physical: Damage[] = [
  {
    why: 'a page that is free twice',
    damage: (b, m) => {
      const { pfn, zone } = b.free(1);
      m.frames.listAdd((pfn + 1) as Pfn, zone.freeLists[0]!);
    },
    want: /is free and again free/,
  },
  { why: 'the length of a list', damage: (b) => (b.zone(OWN).nrFree[3]! += 1), want: 'nrFree of order 0, type 3' },
  { why: 'free pages', damage: (b) => (b.zone(OWN).freePages += 1), want: 'freePages is' },
  {
    why: 'pages kept for atomic requests',
    damage: (b) => (b.zone(OWN).nrFreeHighatomic += 1),
    want: 'nrFreeHighatomic is 1',
  },
  {
    why: 'a block off its place',
    damage: (b, m) => {
      const { pfn, zone } = b.free(2);
      m.frames.listAdd((pfn + 1) as Pfn, zone.freeLists[MIGRATE_TYPES]!);
    },
    want: 'a free block is aligned to its size',
  },
  {
    why: 'a block of another zone',
    damage: (b, m) => {
      const { pfn, list, zone } = b.free(0);
      m.frames.listDel(pfn);
      m.frames.listAdd(pfn, m.zones.find((other) => other !== zone)!.freeLists[list]!);
    },
    want: 'a free block lies in its zone',
  },
  {
    why: 'a free block without its flag',
    damage: (b, m) => m.frames.clear(b.free(0).pfn, PG_buddy),
    want: 'carries PG_buddy',
  },
  {
    why: 'a block of another order',
    damage: (b, m) => m.frames.setPrivate(b.free(2).pfn, 1),
    want: 'its private word says order 1, type 0',
  },
  {
    why: 'a block of another type',
    damage: (b, m) => {
      const { pfn, zone } = b.free(0);
      zone.pageblockType[(pfn - zone.startPfn) >> 9] = MIGRATE_UNMOVABLE;
      m.frames.setPrivate(pfn, 0);
    },
    want: "stands on the list of its pageblock's type, 0",
  },
  {
    why: "a page on another zone's list of the CPU",
    damage: (b, m) => {
      const { pfn, zone } = b.onCpu();
      m.frames.listDel(pfn);
      m.frames.listAdd(pfn, m.zones.find((other) => other !== zone)!.pcp.lists[0]!);
    },
    want: 'lies in that zone',
  },
  { why: 'a free page on the CPU', damage: (b, m) => m.frames.set(b.onCpu().pfn, PG_buddy), want: 'is not PG_buddy' },
  { why: 'pages on the CPU', damage: (b) => (b.onCpu().zone.pcp.count += 1), want: 'pcp.count is' },
  { why: 'how many there may be', damage: (b) => (b.onCpu().zone.pcp.high = 1e6), want: 'pcp.high 1000000 is outside' },
  {
    why: 'buddies that are not merged',
    damage: (b, m) => {
      const { pfn, list, zone } = b.free(1);
      const half = 1 << (Math.floor(list / MIGRATE_TYPES) - 1);
      const lower = zone.freeLists[list - MIGRATE_TYPES]!;
      m.frames.listDel(pfn);
      for (const block of [pfn, (pfn + half) as Pfn]) {
        m.frames.set(block, PG_buddy);
        m.frames.setPrivate(block, (m.frames.private_(pfn) & ~15) | Math.log2(half));
        m.frames.listAdd(block, lower);
      }
    },
    want: /free buddies of order \d+ are merged/,
  },
  {
    why: 'a frame of another zone',
    damage: (b, m) => m.frames.setZone(b.pfn(OWN), m.zones.find((zone) => zone !== b.zone(OWN))!.index),
    want: 'its flags name zone',
  },
  {
    why: 'a free page of the firmware',
    damage: (b, m) => m.frames.set(b.free(0).pfn, PG_reserved),
    want: 'a reserved frame is free',
  },
  {
    why: 'pages to hand out',
    damage: (b) => Object.assign(b.zone(OWN), { managedPages: 1 }),
    want: 'managedPages is 1',
  },
  {
    why: 'a page in use on no list',
    damage: (b, m) => m.frames.set(b.pfn(OWN), PG_buddy),
    want: 'and no free list has it',
  },
  {
    why: 'a block that falls apart',
    damage: (_, m) => {
      const cache = Object.values(m.slab.caches).find(({ order, slabs }) => order > 0 && slabs.length > 0)!;
      m.frames.clear((cache.slabs[0]! + 1) as Pfn, PG_tail);
    },
    want: 'is a tail without reference',
  },
  {
    why: 'a tail alone',
    damage: (_, m) => m.frames.set(m.slab.caches.anon_vma.slabs[0]!, PG_tail),
    want: 'a tail follows its head',
  },
  {
    why: 'a lost page',
    damage: (_, m) => m.frames.setRefcount(m.slab.caches.anon_vma.slabs[0]!, 0),
    want: 'it is lost',
  },
  {
    why: 'a free page in use',
    damage: (b, m) => m.frames.setRefcount(b.free(0).pfn, 1),
    want: 'is free and has 1 references',
  },
  {
    why: 'a free page mapped',
    damage: (b, m) => m.frames.incMapcount(b.free(0).pfn),
    want: 'is free and mapped 1 times',
  },
  {
    why: 'a free page charged',
    damage: (b, m) => m.frames.setMemcg(b.free(0).pfn, 2),
    want: 'is free and charged to cgroup 2',
  },
  {
    why: 'a free page of a file',
    damage: (b, m) => m.frames.setMapping(b.free(0).pfn, 4),
    want: 'is free and has an owner',
  },
  {
    why: 'a free page with flags',
    damage: (b, m) => m.frames.set(b.free(0).pfn, PG_dirty),
    want: /is free and has flags 0x/,
  },
  { why: 'watermarks', damage: (b) => (b.zone(OWN).wmarkLow += 1), want: 'are one step apart' },
  { why: 'a boost', damage: (b) => (b.zone(OWN).watermarkBoost = -1), want: 'the boost is -1' },
  { why: 'all pages', damage: (_, m) => (m.totalPages += 1), want: 'totalPages is' },
  { why: 'page tables', damage: (_, m) => (m.nodes[0]!.stat[NR_PAGETABLE]! += 1), want: 'nr_page_table_pages is' },
  { why: 'reserves', damage: (_, m) => (m.nodes[0]!.totalreservePages = 0), want: 'totalreservePages is 0' },
  { why: 'slabs', damage: (_, m) => (m.nodes[0]!.stat[NR_SLAB_UNRECLAIMABLE]! += 1), want: 'nr_slab counter 6' },
  {
    why: 'a slab without its flag',
    damage: (_, m) => m.frames.clear(m.slab.caches.anon_vma.slabs[0]!, 0xffffff),
    want: 'a slab of anon_vma carries PG_slab',
  },
  { why: 'room for objects', damage: (_, m) => (m.slab.caches.anon_vma.room += 1), want: 'anon_vma: room is' },
  { why: 'objects', damage: (_, m) => (m.slab.caches.anon_vma.active = -1), want: 'anon_vma: -1 objects in room for' },
];

/** The huge page that is mapped as a whole, and the one of which half is left. */
const HUGE = 4096;
const HALF = HUGE + 512;

class BusyHuge extends Space {
  constructor() {
    super({ kernel: '6.18', ramBytes: 32 * MIB });
    this.map(HUGE, 1024);
    doMadvise(this.machine, this.mm, this.vpn(HUGE) * PAGE_SIZE, 1024 * PAGE_SIZE, MADV_HUGEPAGE);
    this.store(HUGE);
    this.store(HALF);
    doMunmap(this.machine, this.mm, this.vpn(HALF) * PAGE_SIZE, 100 * PAGE_SIZE);
    this.machine.lru.drain();
  }

  get large(): LargeFolio {
    return this.machine.largeFolios.get(this.pfn(HUGE))!;
  }
}

for (const { why, damage, want } of [
  { why: 'nothing', damage: () => {}, want: /^$/ },
  {
    why: 'mappings as a whole',
    damage: (b) => (b.large.entireMapcount += 1),
    want: /entireMapcount is 2, mappings of 2 MiB: 1/,
  },
  { why: 'all mappings', damage: (b) => (b.large.mapcount += 1), want: /mapcount is 2, mappings and entries: 1/ },
  { why: 'pages that are mapped', damage: (b) => (b.large.pagesMapped += 1), want: /pagesMapped is \d+, frames/ },
  {
    why: 'a folio without a head',
    damage: (b) => b.machine.largeFolios.set(b.machine.zeroPfn, b.large),
    want: /is no head of a large folio/,
  },
  {
    why: 'a folio that is gone',
    damage: (b) => b.machine.deferredSplit.add(b.machine.zeroPfn),
    want: /waits for its split, and is gone/,
  },
  {
    why: 'the counter',
    damage: (b) => (b.machine.nodes[0]!.stat[NR_ANON_THPS]! += 512),
    want: /NR_ANON_THPS is 1024, mapped as a whole: 512/,
  },
  {
    why: 'a mapping that its VMA cut',
    damage: (b) => (b.vma(HUGE).vmEnd = (b.vma(HUGE).vmEnd - 50) as Vpn),
    want: /it reaches over its VMA/,
  },
  {
    why: 'an entry of another kind',
    damage: (b) => b.machine.pageTables.clear(b.slot(HUGE) + 5, PTE_HUGE),
    want: /entry 5 is not part of it/,
  },
] satisfies { why: string; damage: (b: BusyHuge) => unknown; want: RegExp }[]) {
  test(`verify sees huge pages: ${why}`, () => {
    const busy = new BusyHuge();
    damage(busy);
    expect(busy.machine.verify().join('\n')).toMatch(want);
  });
}

for (const [what, table] of Object.entries({ mappings, anonVmas, lists, files, swap, physical })) {
  for (const { why, damage, want } of table) {
    test(`verify sees ${what}: ${why}`, () => {
      const busy = new Busy('6.18');
      damage(busy, busy.machine);
      expect(busy.machine.verify().join('\n')).toMatch(want);
    });
  }
}

for (const kernel of ['6.18', '6.1']) {
  test(`${kernel}: a busy machine is all right, its pages in swap and two nodes included`, () => {
    const busy = new Busy(kernel);
    const { pageTables } = busy.machine;
    expect(busy.machine.verify()).toEqual([]);
    expect([pageTables.isSwap(busy.slot(SWAPPED)), busy.tmpfs.shmemSwapped, busy.disk.mapping.nrshadows]).toEqual([
      true,
      2,
      1,
    ]);
    expect(busy.machine.frames.has(busy.pfn(IN_SWAP_CACHE), PG_swapcache)).toBe(true);
    const two = new Space({ kernel, nodes: [{ bytes: 16 * MIB }, { bytes: 16 * MIB }] });
    two.map(0, 4);
    two.storeAll(0, 4);
    expect(two.machine.verify()).toEqual([]);
  });
}
