/**
 * The LRU lists of one memory cgroup on one node, or in one zone (generation.lruvecs).
 *
 * Owns      the five list heads, their sizes per zone, and what reclaim remembers between scans.
 * Linux     6.18 include/linux/mmzone.h: lruvec lru_list; mm/vmscan.c: lruvec_lru_size;
 *           mm/memcontrol.c: mod_lruvec_state lruvec_page_state mem_cgroup_flush_stats
 *
 *     head                                            tail
 *      new ──► inactive_anon  ○ ○ ○ ○ ○ ○ ○ ──► reclaim
 *              active_anon    ○ ○ ○ ○ ○ ○ ──► deactivated to inactive's head
 *      new ──► inactive_file  ○ ○ ○ ○ ──► reclaim
 *              active_file    ○ ○ ○ ──► deactivated
 *              unevictable    ○ ○       never scanned
 */
import type { MemCgroup } from './memcg.ts';
import type { ListHead, MemMap } from './memmap.ts';
import type { LruGen } from './mglru/lru_gen.ts';
import { NR_NODE_STATS } from './vmstat.ts';
import { MAX_NR_ZONES, type PgData, type Zone } from './zone.ts';

export const LRU_INACTIVE_ANON = 0;
export const LRU_ACTIVE_ANON = 1;
export const LRU_INACTIVE_FILE = 2;
export const LRU_ACTIVE_FILE = 3;
export const LRU_UNEVICTABLE = 4;
export const NR_LRU_LISTS = 5;
export const LRU_NAMES = ['inactive_anon', 'active_anon', 'inactive_file', 'active_file', 'unevictable'] as const;
export type LruList = number;

export class Lruvec {
  readonly memcg: MemCgroup;
  readonly pgdat: PgData;
  /** Where lists are kept by zone: the zone; else null. */
  readonly zone: Zone | null;
  /** The parent cgroup's lruvec on this node; null for the root's. */
  readonly parent: Lruvec | null;
  readonly lists: ListHead[];
  /** Pages on each list, by zone type: lists × MAX_NR_ZONES. */
  readonly zoneSize: Int32Array = new Int32Array(NR_LRU_LISTS * MAX_NR_ZONES);
  /** node_stat_item counters of this cgroup and all below it (lruvec_page_state), in pages. */
  readonly stat: Float64Array = new Float64Array(NR_NODE_STATS);
  /** The same as 6.x's reclaim sees them: as they were when they were last flushed from the CPUs (lruvec_page_state). */
  readonly flushed: Float64Array = new Float64Array(NR_NODE_STATS);
  flushedAt = Number.NEGATIVE_INFINITY;
  anonCost = 0;
  fileCost = 0;
  /** Anonymous and file pages that scans looked at lately, and those of them that were in use (zone_reclaim_stat, before 5.8). */
  readonly recentScanned: Float64Array = new Float64Array(2);
  readonly recentRotated: Float64Array = new Float64Array(2);
  /** Evictions and activations so far: the clock of refault distances. */
  nonresidentAge = 0;
  /** WORKINGSET_ACTIVATE_ANON and _FILE at the end of the last reclaim. */
  refaultsAnon = 0;
  refaultsFile = 0;
  congested = false;
  /** Pages by generation, in place of the lists of active and inactive ones; null: those are used. */
  lruGen: LruGen | null = null;

  constructor(frames: MemMap, memcg: MemCgroup, pgdat: PgData, zone: Zone | null, parent: Lruvec | null) {
    this.memcg = memcg;
    this.pgdat = pgdat;
    this.zone = zone;
    this.parent = parent;
    this.lists = Array.from({ length: NR_LRU_LISTS }, () => frames.newList());
  }

  /** What reclaim sees from now on (mem_cgroup_flush_stats). */
  flushStats(now: number): void {
    this.flushed.set(this.stat);
    this.flushedAt = now;
  }

  /** Pages on a list in zones up to `zoneType` (lruvec_lru_size). */
  lruSize(lru: LruList, zoneType: number): number {
    let pages = 0;
    for (let z = 0; z <= zoneType; z++) pages += this.zoneSize[lru * MAX_NR_ZONES + z]!;
    return pages;
  }
}

/** Adds to a counter of the lruvec, of every lruvec above it and of the node (mod_lruvec_state). */
export function modLruvecState(lruvec: Lruvec, item: number, pages: number): void {
  lruvec.pgdat.stat[item]! += pages;
  for (let up: Lruvec | null = lruvec; up !== null; up = up.parent) up.stat[item]! += pages;
}
