/**
 * Per-CPU lists: the pages that one CPU keeps for itself, so that most allocations touch no zone.
 *
 *   free ──► head [ hot ○ ○ ○ ○ ○ ○ cold ] tail ──► bulk free to the zone when count reaches high
 *   alloc ◄─ head                          tail ◄── refill of `batch` blocks when the list is empty
 *
 * Owns      PerCpuPages: lists of order 0 to 3 by migrate type, count, and the limit `high` that adapts itself since 6.7.
 * Promises  1. count is the pages on all lists; a page on one is neither free in the zone nor anybody's.
 *           2. high stays within [highMin, highMax].
 * Linux     6.18 mm/page_alloc.c: rmqueue_pcplist nr_pcp_alloc free_frozen_page_commit nr_pcp_high nr_pcp_free
 *           free_pcppages_bulk drain_all_pages; 6.1 mm/page_alloc.c: free_unref_page_commit nr_pcp_free
 *
 * DIFFERS: nothing shrinks the lists with time (decay_pcp_high, once a second); a CPU that stops allocating keeps its pages, and
 *          free memory in /proc/meminfo stays lower by as much.
 */
import { freeOnePage, pageblockType, rmqueueBulk } from './buddy.ts';
import type { Machine } from './machine.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { PGFREE } from './vmstat.ts';
import { zoneWatermarkOk } from './watermark.ts';
import { MIGRATE_MOVABLE, type PerCpuPages, ZONE_MOVABLE, type Zone } from './zone.ts';

/** Blocks up to this order are kept (PAGE_ALLOC_COSTLY_ORDER). */
export const PCP_MAX_ORDER = 3;
export const MIGRATE_PCPTYPES = 3;
export const NR_PCP_LISTS: number = (PCP_MAX_ORDER + 1) * MIGRATE_PCPTYPES;
/** A batch may be doubled five times (CONFIG_PCP_BATCH_SCALE_MAX). */
const BATCH_SCALE_MAX = 5;

export function pcpOrder(list: number): number {
  return Math.floor(list / MIGRATE_PCPTYPES);
}

// allocating

/** A block from the CPU's lists, refilled from the zone; NO_PFN if the zone has none. */
export function rmqueuePcplist(m: Machine, zone: Zone, order: number, type: number, allocFlags: number): Pfn {
  const pcp = zone.pcp;
  const frames = m.frames;
  const list = order * MIGRATE_PCPTYPES + type;
  // Whoever allocates will not free a whole batch next.
  pcp.freeCount >>= 1;
  pcp.freeFactor >>= 1;
  let pfn = frames.listFirst(pcp.lists[list]!);
  if (pfn === NO_PFN) {
    const wanted = nrPcpAlloc(m, pcp, zone, order);
    pcp.count += rmqueueBulk(m, zone, order, wanted, list, type, allocFlags) << order;
    pfn = frames.listFirst(pcp.lists[list]!);
    if (pfn === NO_PFN) return NO_PFN;
  }
  frames.listDel(pfn);
  pcp.count -= 1 << order;
  return pfn;
}

/** How many blocks to fetch: more each time while nobody frees, as long as they fit. */
function nrPcpAlloc(m: Machine, pcp: PerCpuPages, zone: Zone, order: number): number {
  if (!m.generation.switches.pcpAutoTune) return perOrder(pcp.batch, order);
  pcp.high = clamp(pcp.high, pcp.highMin, pcp.highMax);
  if (pcp.high < pcp.batch) return 1;
  let batch = order > 0 ? pcp.batch : pcp.batch << pcp.allocFactor;
  // The list ran empty while memory is plentiful: had it been longer, the zone had not been asked.
  if (pcp.highMin !== pcp.highMax && !zone.belowHigh) pcp.high = Math.min(pcp.high + batch, pcp.highMax);
  if (order === 0) {
    const room = Math.max(pcp.high - pcp.count - pcp.batch, pcp.batch);
    if (batch <= room && pcp.allocFactor < BATCH_SCALE_MAX) pcp.allocFactor += 1;
    batch = Math.min(batch, room);
  }
  return perOrder(batch, order);
}

function perOrder(batch: number, order: number): number {
  return batch > 1 ? Math.max(batch >> order, 2) : batch;
}

// freeing

/** Puts a block at the head of the CPU's list: it is the next one to go out. */
export function freePcpPage(m: Machine, zone: Zone, pfn: Pfn, order: number): void {
  const pcp = zone.pcp;
  const blockType = pageblockType(zone, pfn);
  // What is freed in an atomic pageblock may be used by anybody until it goes back to the zone.
  const type = blockType < MIGRATE_PCPTYPES ? blockType : MIGRATE_MOVABLE;
  const list = order * MIGRATE_PCPTYPES + type;
  m.events[PGFREE]! += 1 << order;
  m.frames.listAdd(pfn, pcp.lists[list]!);
  pcp.count += 1 << order;
  if (m.generation.switches.pcpAutoTune) commitFree(m, zone, pcp, list, order);
  else commitFreeFixed(m, zone, pcp, list, order);
}

function commitFree(m: Machine, zone: Zone, pcp: PerCpuPages, list: number, order: number): void {
  const batch = pcp.batch;
  pcp.allocFactor >>= 1;
  // One large block after the other is being freed: let them merge.
  const freeHigh = order > 0 && pcp.prevFreeHighOrder && pcp.freeCount >= batch + (pcp.highMin >> 1);
  pcp.prevFreeHighOrder = order > 0;
  if (pcp.freeCount < batch << BATCH_SCALE_MAX) pcp.freeCount += 1 << order;
  const high = nrPcpHigh(pcp, zone, freeHigh);
  if (pcp.count < high) return;
  const pages = freeHigh
    ? Math.min(pcp.count, batch << BATCH_SCALE_MAX)
    : high < batch
      ? 1
      : clamp(pcp.freeCount, batch, high - batch);
  freePcppagesBulk(m, zone, pages, list);
  if (!zone.belowHigh || !zoneWatermarkOk(m, zone, 0, zone.wmarkHigh + zone.watermarkBoost, ZONE_MOVABLE, 0)) return;
  zone.belowHigh = false;
  // With another node to fall back to, nobody may have reclaimed here for a long time: kswapd may try again.
  if (zone.pgdat.kswapdFailures >= 16 && zone.pgdat.nid + 1 < m.nodes.length) zone.pgdat.kswapdFailures = 0;
}

/** How many pages may stay; adapts pcp.high to how freeing and reclaim go. */
function nrPcpHigh(pcp: PerCpuPages, zone: Zone, freeHigh: boolean): number {
  const batch = pcp.batch;
  const high = clamp(pcp.high, pcp.highMin, pcp.highMax);
  pcp.high = high;
  if (high === 0) return 0;
  if (freeHigh) {
    pcp.high = Math.max(high - (batch << BATCH_SCALE_MAX), pcp.highMin);
    return 0;
  }
  const lower = Math.max(high - Math.max(pcp.freeCount, batch), pcp.highMin);
  if (zone.reclaimActive) {
    pcp.high = lower;
    return Math.min(batch << 2, lower);
  }
  if (pcp.highMin === pcp.highMax) return high;
  if (zone.belowHigh) {
    pcp.high = lower;
    return Math.max(pcp.count, pcp.highMin);
  }
  const wanted = pcp.freeCount + batch;
  if (pcp.count >= high && high < wanted) pcp.high = clamp(wanted, pcp.highMin, pcp.highMax);
  return high;
}

/** Before 6.7: the limit is fixed, and what is freed at once doubles while nobody allocates. */
function commitFreeFixed(m: Machine, zone: Zone, pcp: PerCpuPages, list: number, order: number): void {
  const batch = pcp.batch;
  const freeHigh = order > 0 && pcp.freeFactor > 0;
  const high = freeHigh ? 0 : zone.reclaimActive ? Math.min(batch << 2, pcp.high) : pcp.high;
  if (pcp.count < high) return;
  if (freeHigh) {
    freePcppagesBulk(m, zone, pcp.count, list);
  } else if (high < batch) {
    freePcppagesBulk(m, zone, 1, list);
  } else {
    const doubled = batch << pcp.freeFactor;
    if (doubled < high - batch && pcp.freeFactor < BATCH_SCALE_MAX) pcp.freeFactor += 1;
    freePcppagesBulk(m, zone, clamp(doubled, batch, high - batch), list);
  }
}

/** Gives pages back to the zone: the coldest of `list` first, then of the lists behind it in turn. */
function freePcppagesBulk(m: Machine, zone: Zone, pages: number, list: number): void {
  const frames = m.frames;
  const pcp = zone.pcp;
  let left = Math.min(pages, pcp.count);
  let at = list;
  while (left > 0) {
    while (frames.listEmpty(pcp.lists[at]!)) at = at + 1 < NR_PCP_LISTS ? at + 1 : 0;
    const head = pcp.lists[at]!;
    const order = pcpOrder(at);
    while (left > 0 && !frames.listEmpty(head)) {
      const pfn = frames.listLast(head);
      frames.listDel(pfn);
      left -= 1 << order;
      pcp.count -= 1 << order;
      freeOnePage(frames, zone, pfn, order, pageblockType(zone, pfn), false);
    }
    at = at + 1 < NR_PCP_LISTS ? at + 1 : 0;
  }
}

/** Every page of every CPU goes back to its zone. */
export function drainAllPages(m: Machine): void {
  for (let i = 0; i < m.zones.length; i++) {
    const zone = m.zones[i]!;
    freePcppagesBulk(m, zone, zone.pcp.count, 0);
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
