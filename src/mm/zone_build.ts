/**
 * Boot: which frames there are, what the kernel keeps, and how nodes and zones divide the rest.
 *
 *   0      1 MiB        16 MiB      + kernel            4 GiB                         end
 *   ├──────┼────────────┼───────────┼───────────────────┼──────────────────┬──────────┤
 *   │BIOS  │ free       │ kernel    │ free              │ free             │ free     │
 *   └──────┴─── DMA ────┴───────────┴────── DMA32 ──────┴───── Normal ─────┴─ Movable ┘   of the last node
 *
 * Owns      the division. Frames that the kernel keeps are PG_reserved with one reference and in no free list.
 * Promises  1. Every frame lies in one zone; the zones of a node follow each other without a gap.
 *           2. Blocks are freed from low to high addresses and taken in that order, in the largest size that alignment allows.
 *           3. The frame below the returned one is reserved: it becomes the zero page.
 * Linux     6.18 mm/mm_init.c: free_area_init find_zone_movable_pfns_for_nodes; mm/memblock.c: memblock_free_all;
 *           mm/page_alloc.c: build_zonelists __free_pages_core
 *
 * DIFFERS: memory has no holes; a PC's memory has one below 4 GiB, so its DMA32 is smaller by up to 1 GiB and Normal larger.
 */
import { freeOnePage, MAX_PAGE_ORDER } from './buddy.ts';
import { bugOn } from './bug.ts';
import type { Machine } from './machine.ts';
import { PG_reserved } from './page_flags.ts';
import { NR_PCP_LISTS } from './pcp.ts';
import { type Pfn, pagesOf } from './units.ts';
import { setupPerZoneWmarks } from './watermark.ts';
import {
  MAX_NR_ZONES,
  MIGRATE_MOVABLE,
  MIGRATE_TYPES,
  NR_PAGE_ORDERS,
  PerCpuPages,
  PgData,
  ZONE_DMA,
  ZONE_DMA32,
  ZONE_HIGHMEM,
  ZONE_MOVABLE,
  ZONE_NORMAL,
  Zone,
} from './zone.ts';

const MIB_PAGES = 256;
const DMA_END: number = 16 * MIB_PAGES;
const DMA32_END: number = 4096 * MIB_PAGES;
/** What the BIOS and old devices use. */
const LOW_RESERVED: number = MIB_PAGES;
const RESERVED_MOST: number = 48 * MIB_PAGES;

/** Gives a block of free memory to its zone, at boot. */
export type FreeBlock = (m: Machine, zone: Zone, pfn: Pfn, order: number) => void;

const freeAtTail: FreeBlock = (m, zone, pfn, order) => freeOnePage(m.frames, zone, pfn, order, MIGRATE_MOVABLE, true);

/** Builds m.nodes and m.zones, frees what is not reserved, sets watermarks. Returns the first frame behind the kernel. */
export function buildZones(m: Machine, freeBlock: FreeBlock = freeAtTail): Pfn {
  const kernel = kernelRange(m);
  let start = 0;
  const nodes = m.config.nodes ?? [{ bytes: m.config.ramBytes }];
  for (let nid = 0; nid < nodes.length; nid++) {
    const end = nid === nodes.length - 1 ? m.frames.frames : start + Math.floor(nodes[nid]!.bytes / 4096);
    buildNode(m, nid, start, end, nid === nodes.length - 1);
    start = end;
  }
  for (let pfn = 0; pfn < kernel.lowEnd; pfn++) reserve(m, pfn as Pfn);
  for (let pfn = kernel.start; pfn < kernel.end; pfn++) reserve(m, pfn as Pfn);
  for (const zone of m.zones) freeZone(m, zone, kernel, freeBlock);
  buildZonelists(m);
  setupPerZoneWmarks(m);
  return kernel.end as Pfn;
}

/** Frames [0, lowEnd) and [start, end) are the kernel's. */
export interface KernelRange {
  readonly lowEnd: number;
  readonly start: number;
  readonly end: number;
}

/** The kernel lies behind the memory of old devices, as it does on a PC, unless the machine is too small for that. */
export function kernelRange(m: Machine): KernelRange {
  const { frames } = m.frames;
  const standard = Math.min(frames >>> 4, RESERVED_MOST);
  const wanted = m.config.reservedBytes === undefined ? standard : pagesOf(m.config.reservedBytes);
  const pages = Math.max(1, Math.min(wanted, frames - 1));
  const image = pages - LOW_RESERVED;
  if (image < 1 || DMA_END + 2 * image > frames) return { lowEnd: 0, start: 0, end: pages };
  return { lowEnd: LOW_RESERVED, start: DMA_END, end: DMA_END + image };
}

export function reserve(m: Machine, pfn: Pfn): void {
  m.frames.set(pfn, PG_reserved);
  m.frames.setRefcount(pfn, 1);
}

/** Where each zone type ends. High memory is a matter of 32-bit kernels, and those have no DMA32. */
function zoneEnds(m: Machine): number[] {
  const highmem = m.config.highmemFromBytes;
  const ends = new Array<number>(MAX_NR_ZONES).fill(m.frames.frames);
  ends[ZONE_DMA] = DMA_END;
  ends[ZONE_DMA32] = highmem === undefined ? DMA32_END : DMA_END;
  if (highmem !== undefined) ends[ZONE_NORMAL] = Math.max(DMA_END, Math.floor(highmem / 4096));
  ends[ZONE_HIGHMEM] = m.frames.frames;
  return ends;
}

function buildNode(m: Machine, nid: number, start: number, end: number, isLast: boolean): void {
  const pgdat = new PgData(nid);
  m.nodes.push(pgdat);
  const ends = zoneEnds(m);
  const movableStart = isLast ? movableFrom(m, start, end) : end;
  let from = start;
  for (let type = 0; type < ZONE_MOVABLE; type++) {
    const to = Math.min(ends[type]!, movableStart);
    if (to > from) {
      addZone(m, pgdat, type, from, to);
      from = to;
    }
  }
  if (movableStart < end) addZone(m, pgdat, ZONE_MOVABLE, movableStart, end);
}

/** Rounded up to the largest block, so that no block lies in two zones. */
function movableFrom(m: Machine, start: number, end: number): number {
  const pages = pagesOf(m.config.movableBytes ?? 0);
  const block = 1 << MAX_PAGE_ORDER;
  return pages === 0 ? end : Math.min(end, Math.max(start, Math.ceil((end - pages) / block) * block));
}

function addZone(m: Machine, pgdat: PgData, type: number, start: number, end: number): void {
  const index = m.zones.length;
  bugOn(index > 255, 'a zone has a number below 256', index);
  const freeLists = Array.from({ length: NR_PAGE_ORDERS * MIGRATE_TYPES }, () => m.frames.newList());
  const pcp = new PerCpuPages(Array.from({ length: NR_PCP_LISTS }, () => m.frames.newList()));
  const zone = new Zone(pgdat, type, index, start as Pfn, end - start, 0, freeLists, pcp);
  m.zones.push(zone);
  pgdat.zones[type] = zone;
  m.frames.initRange(start, end, index, 0);
}

/** A node's own zones from the highest down, then those of the nodes behind it, and round. */
function buildZonelists(m: Machine): void {
  for (const pgdat of m.nodes) {
    for (let highest = 0; highest < MAX_NR_ZONES; highest++) {
      const zonelist: Zone[] = [];
      for (let step = 0; step < m.nodes.length; step++) {
        const from = m.nodes[(pgdat.nid + step) % m.nodes.length]!;
        for (let type = highest; type >= 0; type--) {
          const zone = from.zones[type];
          if (zone !== undefined && zone.managedPages > 0) zonelist.push(zone);
        }
      }
      pgdat.zonelists.push(zonelist);
    }
  }
}

function freeZone(m: Machine, zone: Zone, kernel: KernelRange, freeBlock: FreeBlock): void {
  const end = zone.startPfn + zone.spannedPages;
  freeRange(m, zone, Math.max(zone.startPfn, kernel.lowEnd), Math.min(end, kernel.start), freeBlock);
  freeRange(m, zone, Math.max(zone.startPfn, kernel.end), end, freeBlock);
  m.totalPages += zone.managedPages;
}

function freeRange(m: Machine, zone: Zone, start: number, end: number, freeBlock: FreeBlock): void {
  for (let pfn = start; pfn < end; ) {
    let order = MAX_PAGE_ORDER;
    while (pfn % (1 << order) !== 0 || pfn + (1 << order) > end) order -= 1;
    freeBlock(m, zone, pfn as Pfn, order);
    zone.managedPages += 1 << order;
    pfn += 1 << order;
  }
}
