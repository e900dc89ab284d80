/**
 * Nodes and zones: struct pglist_data and struct zone.
 *
 * Owns      the fields. Sizes are set in zone_build.ts, watermarks in watermark.ts, free lists in buddy.ts.
 * Linux     6.18 include/linux/mmzone.h: zone pglist_data per_cpu_pages
 */
import type { ListHead } from './memmap.ts';
import type { Pfn } from './units.ts';
import { NR_NODE_STATS } from './vmstat.ts';

export const ZONE_DMA = 0;
export const ZONE_DMA32 = 1;
export const ZONE_NORMAL = 2;
export const ZONE_HIGHMEM = 3;
export const ZONE_MOVABLE = 4;
export const MAX_NR_ZONES = 5;
export const ZONE_NAMES = ['DMA', 'DMA32', 'Normal', 'HighMem', 'Movable'] as const;

export const MIGRATE_UNMOVABLE = 0;
export const MIGRATE_MOVABLE = 1;
export const MIGRATE_RECLAIMABLE = 2;
export const MIGRATE_HIGHATOMIC = 3;
export const MIGRATE_TYPES = 4;
/** Orders 0 to 10. */
export const NR_PAGE_ORDERS = 11;
export const PAGEBLOCK_ORDER = 9;

/** Rows of Zone.reclaimEvents. */
export const ZONE_PGREFILL = 0;
export const ZONE_PGSTEAL_KSWAPD = 1;
export const ZONE_PGSTEAL_DIRECT = 2;
export const ZONE_PGSCAN_KSWAPD = 3;
export const ZONE_PGSCAN_DIRECT = 4;

/** Pages that one CPU keeps for itself, per order (0 to 3) and migrate type (3). */
export class PerCpuPages {
  count = 0;
  high = 0;
  highMin = 0;
  highMax = 0;
  batch = 1;
  freeCount = 0;
  /** Doublings of the next refill, while nobody frees (6.7); of the next bulk free, while nobody allocates (before 6.7). */
  allocFactor = 0;
  freeFactor = 0;
  /** The last page that was freed to these lists was of a higher order. */
  prevFreeHighOrder = false;
  readonly lists: ListHead[];
  constructor(lists: ListHead[]) {
    this.lists = lists;
  }
}

export class Zone {
  readonly pgdat: PgData;
  /** ZONE_DMA … ZONE_MOVABLE. */
  readonly type: number;
  /** Index in Machine.zones, and in the top 8 bits of the flags of its frames. */
  readonly index: number;
  /** Index of its pages' LRU lists in MemCgroup.lruvecs: the node's id, or the zone's own index. */
  lruvec: number;
  readonly startPfn: Pfn;
  readonly spannedPages: number;
  readonly presentPages: number;
  managedPages: number;
  freePages = 0;
  /** Watermarks in pages, without the boost. */
  wmarkMin = 0;
  wmarkLow = 0;
  wmarkHigh = 0;
  wmarkPromo = 0;
  watermarkBoost = 0;
  /** The boost grew, and kswapd has not been told yet (ZONE_BOOSTED_WATERMARK). */
  boosted = false;
  nrReservedHighatomic = 0;
  /** Pages on the HIGHATOMIC free lists. */
  nrFreeHighatomic = 0;
  /** Pages kept from allocations that could have used a higher zone: by that zone's type. */
  readonly lowmemReserve: Float64Array = new Float64Array(MAX_NR_ZONES);
  /** Free lists: order * MIGRATE_TYPES + type. */
  readonly freeLists: ListHead[];
  /** Free blocks on each of these lists. */
  readonly nrFree: Int32Array = new Int32Array(NR_PAGE_ORDERS * MIGRATE_TYPES);
  /** Migrate type of each pageblock, from startPfn rounded down to a block. */
  readonly pageblockType: Uint8Array;
  readonly pcp: PerCpuPages;
  /** Pages on LRU lists in this zone, by list (NR_ZONE_LRU_BASE), then mlocked ones. */
  readonly lruPages: Float64Array = new Float64Array(5);
  nrMlock = 0;
  /** Pages dirty or under writeback (NR_ZONE_WRITE_PENDING). */
  writePending = 0;
  reclaimActive = false;
  /** 2.4: somebody found it low, and kswapd has not made it balanced since. */
  needBalance = false;
  belowHigh = false;
  /** Pages that scans of its lists have looked at since one of its pages was last freed (zone->pages_scanned, before 4.8). */
  pagesScanned = 0;
  /** Evictions and activations of its file pages (3.15 to 4.7). */
  inactiveAge = 0;
  /** Active anonymous pages for each inactive one, computed at boot (zone->inactive_ratio). */
  inactiveRatio = 1;
  /** ZONE_CONGESTED, ZONE_TAIL_LRU_DIRTY, ZONE_WRITEBACK of kernels with lists by zone. */
  reclaimCongested = false;
  tailLruDirty = false;
  manyWriteback = false;
  /** Pages taken off its lists by a scan under way: anonymous, file. */
  readonly isolated: Float64Array = new Float64Array(2);
  /** pgrefill, pgsteal_kswapd, pgsteal_direct, pgscan_kswapd, pgscan_direct of this zone (before 4.8). */
  readonly reclaimEvents: Float64Array = new Float64Array(5);

  constructor(
    pgdat: PgData,
    type: number,
    index: number,
    startPfn: Pfn,
    pages: number,
    managedPages: number,
    freeLists: ListHead[],
    pcp: PerCpuPages,
  ) {
    this.pgdat = pgdat;
    this.type = type;
    this.index = index;
    this.lruvec = pgdat.nid;
    this.startPfn = startPfn;
    this.spannedPages = pages;
    this.presentPages = pages;
    this.managedPages = managedPages;
    this.freeLists = freeLists;
    this.pcp = pcp;
    this.pageblockType = new Uint8Array((pages >>> PAGEBLOCK_ORDER) + 2).fill(MIGRATE_MOVABLE);
  }

  get name(): string {
    return ZONE_NAMES[this.type]!;
  }
}

export class PgData {
  readonly nid: number;
  /** Its zones, by type; a node lacks some: there the array has a hole. */
  readonly zones: Zone[] = [];
  /** Where an allocation that may use zone type `t` looks, in order: this node's zones downwards, then the other nodes'. */
  readonly zonelists: Zone[][] = [];
  /** node_stat_item counters, in pages. */
  readonly stat: Float64Array = new Float64Array(NR_NODE_STATS);
  /** Of this node's pages, those that no page cache or anonymous memory should count on. */
  totalreservePages = 0;
  kswapdFailures = 0;
  kswapdOrder = 0;
  kswapdHighestZone = 0;
  kswapdAwake = false;
  /** PGDAT_DIRTY, PGDAT_WRITEBACK. */
  manyDirty = false;
  manyWriteback = false;
  /** pgscan_direct_throttle. */
  directThrottled = 0;

  constructor(nid: number) {
    this.nid = nid;
  }
}

/** Free blocks of one order, of every type (free_area.nr_free). */
export function freeBlocks(zone: Zone, order: number): number {
  const first = order * MIGRATE_TYPES;
  const { nrFree } = zone;
  return nrFree[first]! + nrFree[first + 1]! + nrFree[first + 2]! + nrFree[first + 3]!;
}
