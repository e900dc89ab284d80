/**
 * The promises of the multi-generational LRU, counted again.
 *
 * Owns      nothing. Answers with sentences; none is all right.
 * Promises  It changes nothing, and is right for a machine between two calls.
 */
import { folioPages } from '../folio.ts';
import { LRU_UNEVICTABLE, type Lruvec, NR_LRU_LISTS } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { PG_active, PG_lru, PG_unevictable } from '../page_flags.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import { MAX_NR_ZONES } from '../zone.ts';
import { NO_GEN } from './folio_gens.ts';
import {
  GEN_LISTS,
  genIndex,
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  type LruGen,
  lruType,
  MAX_NR_GENS,
  MIN_NR_GENS,
  shownAs,
} from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';

/** Sentences about a lruvec; adds its pages to `nodeSizes`, and returns how many there are. */
export function verifyLruGen(
  machine: Machine,
  multiGen: MultiGen,
  lruvec: Lruvec,
  nodeSizes: Float64Array,
  found: string[],
): number {
  const { frames } = machine;
  const lruGen = lruvec.lruGen!;
  const where = `cgroup ${lruvec.memcg.name}`;
  for (let lru = 0; lru < LRU_UNEVICTABLE; lru++) {
    if (!frames.listEmpty(lruvec.lists[lru]!)) found.push(`${where}: evictable pages are in generations, not on lists`);
  }
  for (const type of [LRU_GEN_ANON, LRU_GEN_FILE]) {
    const generations = lruGen.generations(type);
    if (generations < MIN_NR_GENS || generations > MAX_NR_GENS)
      found.push(`${where}: ${generations} generations of type ${type}`);
  }
  const sizes = new Int32Array(GEN_LISTS);
  let all = 0;
  for (let at = 0; at < GEN_LISTS; at++) all += countList(machine, multiGen, lruvec, at, sizes, found);
  for (let at = 0; at < GEN_LISTS; at++) {
    if (lruGen.pages[at] !== sizes[at])
      found.push(`${where}: counts ${lruGen.pages[at]} pages as list ${at}, ${sizes[at]} say so`);
  }
  const shown = shownSizes(lruGen, sizes);
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) nodeSizes[lru]! += shown[lru]!;
  return all;
}

/** One list: each page's own generation into `sizes`. */
function countList(
  machine: Machine,
  multiGen: MultiGen,
  lruvec: Lruvec,
  at: number,
  sizes: Int32Array,
  found: string[],
): number {
  const { frames, zones } = machine;
  const lruGen = lruvec.lruGen!;
  const listType = Math.floor(at / MAX_NR_ZONES) % 2;
  const listZone = at % MAX_NR_ZONES;
  let all = 0;
  for (let pfn = frames.listFirst(lruGen.lists[at]!); pfn !== NO_PFN; pfn = frames.listNext(pfn)) {
    const where = `frame ${pfn} in generation list ${at} of ${lruvec.memcg.name}`;
    const gen = multiGen.gens.gen(pfn);
    const type = lruType(frames, pfn);
    const zone = zones[frames.zoneIndex(pfn)]!;
    if (!frames.has(pfn, PG_lru)) found.push(`${where} lacks PG_lru`);
    if (frames.has(pfn, PG_active | PG_unevictable)) found.push(`${where} is active or unevictable`);
    if (type !== listType || zone.type !== listZone) found.push(`${where} is of type ${type}, zone ${zone.name}`);
    if (zone.pgdat !== lruvec.pgdat) found.push(`${where} is of another node`);
    if ((frames.memcg(pfn) || 1) !== lruvec.memcg.id) found.push(`${where} is charged to cgroup ${frames.memcg(pfn)}`);
    if (frames.refcount(pfn) === 0) found.push(`${where} is free`);
    const pages = folioPages(machine, pfn);
    all += pages;
    if (gen === NO_GEN) found.push(`${where} is in no generation`);
    else sizes[genIndex(gen, type, zone.type)]! += pages;
  }
  return all;
}

/** As lists of active and inactive pages. */
function shownSizes(lruGen: LruGen, sizes: Int32Array): Float64Array {
  const shown = new Float64Array(NR_LRU_LISTS);
  for (let at = 0; at < GEN_LISTS; at++) {
    const gen = Math.floor(at / (2 * MAX_NR_ZONES));
    shown[shownAs(Math.floor(at / MAX_NR_ZONES) % 2, lruGen.isActive(gen))]! += sizes[at]!;
  }
  return shown;
}

/** A frame that is on no list is in no generation; one that is free remembers no uses. */
export function verifyGens(machine: Machine, multiGen: MultiGen, found: string[]): void {
  const { frames } = machine;
  for (let pfn = 0 as Pfn; pfn < frames.frames; pfn++) {
    const gen = multiGen.gens.gen(pfn);
    const listed = frames.has(pfn, PG_lru) && !frames.has(pfn, PG_unevictable);
    if ((gen !== NO_GEN) !== listed) found.push(`frame ${pfn} is in generation ${gen}, PG_lru says ${listed}`);
    if (frames.refcount(pfn) === 0 && multiGen.gens.refs(pfn) > 0 && frames.allFlags(pfn) === 0)
      found.push(`frame ${pfn} is free and was used ${multiGen.gens.refs(pfn)} times`);
  }
}
