/**
 * Refaults: was a page that comes back evicted too early?
 *
 * Owns      shadow entries, and each lruvec's clock of evictions and activations (nonresident_age).
 * Promises  A page that comes back within as many evictions and activations as there are pages it competes with
 *           (its refault distance) is activated at once.
 * Linux     6.18 mm/workingset.c: workingset_eviction workingset_refault workingset_activation workingset_age_nonresident;
 *           mm/swap.c: lru_note_cost
 *
 * A shadow is one number: eviction time (34 bits), cgroup (16 bits), node (2 bits), workingset (1 bit).
 *
 *     inactive list           active list
 *    ◄── eviction ── [ a b c d ] ◄── demotion ── [ e f g h ]
 *    A page evicted now and wanted again after n more evictions and activations would have stayed, had the list been
 *    n places longer. If the active pages are at least n, some of them had better go instead.
 *    Good at: telling a loop just larger than the inactive list from a scan. Bad at: a loop larger than all of memory.
 */
import type { Lruvec } from '../lruvec.ts';
import { modLruvecState } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { lruvecOf } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { PG_active, PG_workingset } from '../page_flags.ts';
import type { Workingset } from '../parts.ts';
import { memCgroupGetNrSwapPages } from '../swap/swapfile.ts';
import type { Pfn } from '../units.ts';
import {
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_REFAULT_ANON,
  WORKINGSET_RESTORE_ANON,
} from '../vmstat.ts';
import { isFileLru } from './lru.ts';

export function newWorkingset(machine: Machine): Workingset {
  return new RefaultDistance(machine);
}

/** DIFFERS: 34 bits of time, so that a shadow is a whole number; they wrap after 17 billion evictions, Linux's later. Nobody sees it. */
export const EVICTION_SPAN: number = 2 ** 34;
/** Sizes are no older, whether reclaim runs or not (mem_cgroup_flush_stats_delayed). */
const FLUSH_TIME_NS = 2e9;
const NODES = 4;
const MEMCGS = 2 ** 16;

export function packShadow(time: number, memcgId: number, nid: number, bit: boolean): number {
  return ((time * MEMCGS + memcgId) * NODES + nid) * 2 + (bit ? 1 : 0);
}

/** A shadow taken apart; filled anew for each. */
export class Shadow {
  time = 0;
  memcg = 0;
  nid = 0;
  bit = false;

  unpack(shadow: number): Shadow {
    this.bit = shadow % 2 === 1;
    this.nid = Math.floor(shadow / 2) % NODES;
    this.memcg = Math.floor(shadow / (2 * NODES)) % MEMCGS;
    this.time = Math.floor(shadow / (2 * NODES * MEMCGS));
    return this;
  }
}

class RefaultDistance implements Workingset {
  private readonly machine: Machine;
  private readonly frames: MemMap;
  private readonly shadow: Shadow = new Shadow();

  constructor(machine: Machine) {
    this.machine = machine;
    this.frames = machine.frames;
  }

  eviction(pfn: Pfn, target: Lruvec): number {
    const time = target.nonresidentAge % EVICTION_SPAN;
    ageNonresident(target, 1);
    return packShadow(time, target.memcg.id, target.pgdat.nid, this.frames.has(pfn, PG_workingset));
  }

  refault(pfn: Pfn, shadow: number): void {
    const { time, memcg, nid, bit: workingset } = this.shadow.unpack(shadow);
    const file = isFileLru(this.frames, pfn) ? 1 : 0;
    const evictedFrom = this.machine.memcgs[memcg];
    if (evictedFrom === undefined || !evictedFrom.online) return;
    const eviction = evictedFrom.lruvecs[nid]!;
    const distance = (eviction.nonresidentAge - time + EVICTION_SPAN) % EVICTION_SPAN;
    const lruvec = lruvecOf(this.machine, pfn);
    modLruvecState(lruvec, WORKINGSET_REFAULT_ANON + file, 1);
    const { clock, config, rootMemcg } = this.machine;
    if (clock.now - eviction.flushedAt >= FLUSH_TIME_NS) eviction.flushStats(clock.now);
    let size = eviction.flushed[NR_ACTIVE_FILE]!;
    if (evictedFrom === rootMemcg) size += config.othersActivePages ?? 0;
    if (file === 0) size += eviction.flushed[NR_INACTIVE_FILE]!;
    if (memCgroupGetNrSwapPages(this.machine, lruvec.memcg) > 0) {
      size += eviction.flushed[NR_ACTIVE_ANON]!;
      if (file === 1) size += eviction.flushed[NR_INACTIVE_ANON]!;
    }
    if (distance > size) return;
    this.frames.set(pfn, PG_active);
    ageNonresident(lruvec, 1);
    modLruvecState(lruvec, WORKINGSET_ACTIVATE_ANON + file, 1);
    if (workingset) {
      this.frames.set(pfn, PG_workingset);
      lruNoteCost(this.machine, lruvec, file === 1, 1, 0);
      modLruvecState(lruvec, WORKINGSET_RESTORE_ANON + file, 1);
    }
  }

  activation(pfn: Pfn): void {
    ageNonresident(lruvecOf(this.machine, pfn), 1);
  }
}

/** Time passes for the lruvec and all above: the lists of a parent are made of its children's. */
export function ageNonresident(lruvec: Lruvec, pages: number): void {
  for (let up: Lruvec | null = lruvec; up !== null; up = up.parent) up.nonresidentAge += pages;
}

/** What reclaim of one type has cost lately; old costs fade as they reach a quarter of the pages there are. */
export function lruNoteCost(
  machine: Machine,
  lruvec: Lruvec,
  file: boolean,
  ioPages: number,
  rotatedPages: number,
): void {
  const { ioCost, rotationCost } = machine.generation.switches;
  const cost = ioPages * ioCost + rotatedPages * rotationCost;
  // 6.18: what cost nothing is not noted, so nothing fades either. 6.1, which does not count rotations, lets it fade.
  if (cost === 0 && rotationCost > 0) return;
  for (let up: Lruvec | null = lruvec; up !== null; up = up.parent) {
    if (file) up.fileCost += cost;
    else up.anonCost += cost;
    const { flushed: stat } = up;
    const size = stat[NR_INACTIVE_ANON]! + stat[NR_ACTIVE_ANON]! + stat[NR_INACTIVE_FILE]! + stat[NR_ACTIVE_FILE]!;
    if (up.fileCost + up.anonCost > Math.floor(size / 4)) {
      up.fileCost = Math.floor(up.fileCost / 2);
      up.anonCost = Math.floor(up.anonCost / 2);
    }
  }
}
