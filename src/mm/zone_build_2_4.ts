/**
 * Boot of 2.4: three zones in each node, their watermarks, and every usable page freed to the buddy allocator.
 *
 *   0          16 MiB                                   896 MiB                end
 *   ├── DMA ───┼──────────────── Normal ────────────────┼─────── HighMem ──────┤     i386: what the kernel maps for good
 *   min 32       96 of 12288 pages, at most 255           255                        ends at 896 MiB
 *
 * Owns      the division of memory, zone_table, watermarks, zonelists, the size of the wait tables.
 * Promises  1. Every node has three zones, some perhaps empty; zone `j` of node `n` is number n * 3 + j of zone_table.
 *           2. pages_min is a 128th of the zone, at least 20 and at most 255 pages; pages_low and pages_high are twice and three
 *              times as much. Reserved pages count in the zone's size.
 *           3. A zonelist goes down from its zone within the node, and leaves empty zones out.
 * Linux     2.4.19 mm/page_alloc.c: free_area_init_core build_zonelists wait_table_size setup_mem_frac; mm/bootmem.c:
 *           free_all_bootmem_core; include/asm-i386/setup: MAXMEM
 *
 * DIFFERS: memory has no holes, and the kernel lies where zone_build.ts puts it.
 */
import { FreeArea, freeBlock, MAX_ORDER_2_4 } from './buddy_2_4.ts';
import { bugOn } from './bug.ts';
import type { Machine } from './machine.ts';
import { MAX_NR_NODES_2_4, MAX_NR_ZONES_2_4, zoneTableIndex } from './page_flags_2_4.ts';
import type { Pfn } from './units.ts';
import { calculateTotalreserve } from './watermark.ts';
import { MAX_NR_ZONES, PerCpuPages, PgData, ZONE_DMA, ZONE_HIGHMEM, ZONE_NORMAL, Zone } from './zone.ts';
import { kernelRange, reserve } from './zone_build.ts';

const MIB_PAGES = 256;
const DMA_END: number = 16 * MIB_PAGES;
const HIGHMEM_FROM: number = 896 * MIB_PAGES;
/** The engine's zone type of zone `j` of a node. */
export const ZONE_TYPES_2_4 = [ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM] as const;

const BALANCE_RATIO = [128, 128, 128] as const;
const BALANCE_MIN = 20;
const BALANCE_MAX = 255;
const PAGES_PER_WAITQUEUE = 256;
const WAIT_TABLE_MOST = 4096;

/** pages_min of a zone of `pages` pages. */
export function pagesMin(pages: number, ratio: number = BALANCE_RATIO[0]): number {
  return Math.min(Math.max(Math.floor(pages / ratio), BALANCE_MIN), BALANCE_MAX);
}

/** Buckets of the zone's table of wait queues: about one for 256 pages. */
export function waitTableSize(pages: number): number {
  const wanted = Math.floor(pages / PAGES_PER_WAITQUEUE);
  let size = 1;
  while (size < wanted) size *= 2;
  return Math.min(size, WAIT_TABLE_MOST);
}

/** memclass: may a request for `classzone` be served from `zone`? */
export function memclass(zone: Zone, classzone: Zone): boolean {
  return zone.pgdat === classzone.pgdat && zone.type <= classzone.type;
}

/** Builds m.nodes and m.zones; fills `areas` with each zone's bits. Returns the first frame behind the kernel. */
export function buildZones_2_4(m: Machine, areas: FreeArea[]): Pfn {
  const nodes = m.config.nodes ?? [{ bytes: m.config.ramBytes }];
  bugOn(nodes.length > MAX_NR_NODES_2_4, 'the number of a zone has 8 bits', nodes.length);
  let start = 0;
  for (let nid = 0; nid < nodes.length; nid++) {
    const end = nid === nodes.length - 1 ? m.frames.frames : start + Math.floor(nodes[nid]!.bytes / 4096);
    buildNode(m, areas, nid, start, end);
    start = end;
  }
  const kernel = kernelRange(m);
  for (let pfn = 0; pfn < kernel.lowEnd; pfn++) reserve(m, pfn as Pfn);
  for (let pfn = kernel.start; pfn < kernel.end; pfn++) reserve(m, pfn as Pfn);
  for (const zone of m.zones) {
    const end = zone.startPfn + zone.spannedPages;
    freeRange(m, zone, areas, Math.max(zone.startPfn, kernel.lowEnd), Math.min(end, kernel.start));
    freeRange(m, zone, areas, Math.max(zone.startPfn, kernel.end), end);
    m.totalPages += zone.managedPages;
  }
  for (const pgdat of m.nodes) buildZonelists(pgdat);
  setWatermarks_2_4(m);
  return kernel.end as Pfn;
}

/** At boot; they depend on nothing that could change. */
export function setWatermarks_2_4(m: Machine): void {
  const ratios = m.config.memfrac ?? BALANCE_RATIO;
  for (const zone of m.zones) {
    const min = zone.spannedPages === 0 ? 0 : pagesMin(zone.spannedPages, ratios[zone.index % MAX_NR_ZONES_2_4]!);
    zone.wmarkMin = min;
    zone.wmarkLow = 2 * min;
    zone.wmarkHigh = 3 * min;
    zone.wmarkPromo = 4 * min;
  }
  calculateTotalreserve(m);
}

function buildNode(m: Machine, areas: FreeArea[], nid: number, start: number, end: number): void {
  const pgdat = new PgData(nid);
  const highmem = m.config.highmemFromBytes;
  const normalEnd = highmem === undefined ? HIGHMEM_FROM : Math.max(DMA_END, Math.floor(highmem / 4096));
  const ends = [DMA_END, normalEnd, Number.POSITIVE_INFINITY];
  m.nodes.push(pgdat);
  let from = start;
  for (let j = 0; j < MAX_NR_ZONES_2_4; j++) {
    const to = Math.max(from, Math.min(ends[j]!, end));
    const lists = Array.from({ length: MAX_ORDER_2_4 }, () => m.frames.newList());
    const index = zoneTableIndex(nid, j);
    const zone = new Zone(pgdat, ZONE_TYPES_2_4[j]!, index, from as Pfn, to - from, 0, lists, new PerCpuPages([]));
    m.zones[index] = zone;
    areas[index] = new FreeArea(to - from);
    pgdat.zones[zone.type] = zone;
    m.frames.initRange(from, to, index, 0);
    from = to;
  }
}

/** The boot allocator gives its pages back one by one, from the lowest on; they find their buddies. */
function freeRange(m: Machine, zone: Zone, areas: FreeArea[], start: number, end: number): void {
  for (let pfn = start; pfn < end; pfn++) freeBlock(m.frames, zone, areas[zone.index]!, pfn as Pfn, 0);
  zone.managedPages += Math.max(0, end - start);
}

/** By the engine's zone types: what may lie anywhere looks in high memory first. */
function buildZonelists(pgdat: PgData): void {
  for (let type = 0; type < MAX_NR_ZONES; type++) {
    const highest = type >= ZONE_HIGHMEM ? 2 : type === ZONE_NORMAL ? 1 : 0;
    const zonelist: Zone[] = [];
    for (let j = highest; j >= 0; j--) {
      const zone = pgdat.zones[ZONE_TYPES_2_4[j]!]!;
      if (zone.spannedPages > 0) zonelist.push(zone);
    }
    pgdat.zonelists.push(zonelist);
  }
}
