/**
 * struct page of 2.4, as a reader of Gorman's book would print it, and what each of its fields costs.
 *
 *   page 4864 of a file that is mapped once and was written to
 *     list     clean_pages of /lib/x          count    3: the cache, one entry, its buffers
 *     mapping  /lib/x     index  2            flags    0x1000008c: uptodate lru active, zone 1
 *     next_hash  700      pprev_hash  bucket 10
 *     lru      active_list                    buffers  1     virtual  0xc1300000
 *
 * Owns      nothing: a view over MemMap, PageCache_2_4, Highmem_2_4 and the slabs; and the table of bytes.
 * Promises  1. `list` and `index` mean what the state of the page makes them mean: index is an offset in a file, a swap entry, or
 *              the order of a block that a task keeps while it frees memory. Of an anonymous page without a slot it says nothing.
 *           2. PageSwapCache is no bit: mapping is swapper_space.
 * Linux     2.4.19 include/linux/mm.h: struct page; 2.4.18: the same with zone; 2.4.17: with zone and wait
 * Read      M. Gorman, Understanding the Linux Virtual Memory Manager, 3.3
 *
 * DIFFERS: columns of the engine that 2.4 lacks (mapcount, owner of an anonymous page) are kept for verify() and not shown.
 */
import type { AddressSpace } from './fs.ts';
import type { Machine } from './machine.ts';
import { MAPPING_LIST_NAMES } from './mapping_lists.ts';
import { SWAPPER_SPACE } from './page_cache_2_4.ts';
import { PG_active, PG_buddy, PG_lru, PG_private, PG_slab, PG_swapcache } from './page_flags.ts';
import { flagNames_2_4, flagsWord, hasZoneBits, pageZone } from './page_flags_2_4.ts';
import { slab_2_4 } from './slab_2_4.ts';
import { state_2_4 } from './state_2_4.ts';
import { NO_PFN, type Pfn } from './units.ts';

/** The three uses of page->index, and none. */
export type IndexUse = 'offset' | 'swap entry' | 'order' | 'nothing';

export interface StructPage_2_4 {
  readonly pfn: Pfn;
  /** What page->list links it into: `free_area[3]`, `clean_pages`, `cache filp, slab 12`, `none`. */
  readonly list: string;
  /** NULL, swapper_space or a file's name. */
  readonly mapping: string;
  readonly index: number;
  readonly indexUse: IndexUse;
  /** The next page of its bucket; null is NULL. */
  readonly nextHash: Pfn | null;
  readonly pprevHash: { readonly pfn: Pfn } | { readonly bucket: number } | null;
  readonly count: number;
  readonly flags: number;
  readonly flagNames: readonly string[];
  readonly lru: 'active_list' | 'inactive_list' | 'none';
  /** Buffer heads in its ring. */
  readonly buffers: number;
  /** Where the kernel finds its bytes; 0 is NULL. */
  readonly virtual: number;
  /** page->zone of 2.4.18; null where the flags name the zone. */
  readonly zone: string | null;
}

export function structPage(machine: Machine, pfn: Pfn): StructPage_2_4 {
  const { frames } = machine;
  const { pageCache, highmem } = state_2_4(machine);
  const { hash } = pageCache;
  const next = hash.next(pfn);
  const word = flagsWord(machine, pfn, pageCache.buffers.pageDirty(pfn));
  const use = indexUse(machine, pfn);
  return {
    pfn,
    list: listName(machine, pfn),
    mapping: mappingName(machine, pfn),
    index: use === 'swap entry' ? frames.private_(pfn) : use === 'nothing' ? 0 : frames.index(pfn),
    indexUse: use,
    nextHash: next === NO_PFN ? null : next,
    pprevHash: hash.pprev(pfn),
    count: frames.refcount(pfn),
    flags: word,
    flagNames: flagNames_2_4(word),
    lru: !frames.has(pfn, PG_lru) ? 'none' : frames.has(pfn, PG_active) ? 'active_list' : 'inactive_list',
    buffers: frames.has(pfn, PG_private) ? 1 : 0,
    virtual: highmem.pageAddress(pfn),
    zone: hasZoneBits(machine) ? null : pageZone(machine, pfn).name,
  };
}

/** One line for each frame that satisfies `which`: a dump of mem_map. */
export function dumpMemMap(machine: Machine, which: (page: StructPage_2_4) => boolean): string {
  let text = '';
  for (let pfn = 0; pfn < machine.frames.frames; pfn++) {
    const page = structPage(machine, pfn as Pfn);
    if (which(page)) text += `${pageLine(page)}\n`;
  }
  return text;
}

export function pageLine(page: StructPage_2_4): string {
  const index = page.indexUse === 'nothing' ? '-' : `${page.index} (${page.indexUse})`;
  const flags = `0x${page.flags.toString(16).padStart(8, '0')} ${page.flagNames.join('|') || '-'}`;
  return `${page.pfn}: count ${page.count} flags ${flags} mapping ${page.mapping} index ${index} list ${page.list} lru ${page.lru}`;
}

function belongs(machine: Machine, pfn: Pfn): number {
  return state_2_4(machine).pageCache.hash.mappingOf(pfn);
}

function indexUse(machine: Machine, pfn: Pfn): IndexUse {
  const id = belongs(machine, pfn);
  if (id === SWAPPER_SPACE) return 'swap entry';
  if (id > 0) return 'offset';
  const free = machine.frames.refcount(pfn) === 0 && !machine.frames.has(pfn, PG_buddy);
  return free && machine.physical.keeps?.(pfn) === true ? 'order' : 'nothing';
}

function mappingName(machine: Machine, pfn: Pfn): string {
  const id = belongs(machine, pfn);
  if (id < 0) return 'NULL';
  return id === SWAPPER_SPACE ? 'swapper_space' : (machine.mappings[id] as AddressSpace).host.name;
}

/** PageSwapCache. */
export function pageSwapCache(machine: Machine, pfn: Pfn): boolean {
  return machine.frames.has(pfn, PG_swapcache);
}

function listName(machine: Machine, pfn: Pfn): string {
  const { frames } = machine;
  if (frames.has(pfn, PG_buddy)) return `free_area[${frames.private_(pfn)}]`;
  if (frames.has(pfn, PG_slab)) {
    const at = slab_2_4(machine).slabAt(pfn);
    if (at !== null) return `cache ${at.cache.name}, slab ${at.slab.pfn}`;
  }
  const list = state_2_4(machine).pageCache.lists.listOf(pfn);
  if (list >= 0) return MAPPING_LIST_NAMES[list]!;
  return machine.physical.keeps?.(pfn) === true ? 'local_pages' : 'none';
}

// what it costs

export interface PageLayout {
  /** CONFIG_HIGHMEM or WANT_PAGE_VIRTUAL: a field for the address. */
  readonly highmem: boolean;
  /** Until 2.4.18: a pointer to the zone. */
  readonly zonePointer: boolean;
  /** Until 2.4.17: a wait queue in each page, with a lock and a list head. */
  readonly waitQueue: boolean;
}

/** Bytes of each field on i386, in order. */
export function structPageFields(layout: PageLayout): readonly (readonly [string, number])[] {
  const fields: [string, number][] = [
    ['list', 8],
    ['mapping', 4],
    ['index', 4],
    ['next_hash', 4],
    ['count', 4],
    ['flags', 4],
    ['lru', 8],
    ['pprev_hash', 4],
    ['buffers', 4],
  ];
  if (layout.waitQueue) fields.splice(7, 0, ['wait', 12]);
  if (layout.highmem) fields.push(['virtual', 4]);
  if (layout.zonePointer) fields.push(['zone', 4]);
  return fields;
}

/** sizeof(mem_map_t). */
export function structPageBytes(layout: PageLayout): number {
  return structPageFields(layout).reduce((sum, [, bytes]) => sum + bytes, 0);
}

/** What all of mem_map costs this machine. */
export function memMapBytes(machine: Machine): number {
  const highmem = machine.zones.some((zone) => zone.name === 'HighMem' && zone.spannedPages > 0);
  const layout = { highmem, zonePointer: !hasZoneBits(machine), waitQueue: false };
  return structPageBytes(layout) * machine.frames.frames;
}
