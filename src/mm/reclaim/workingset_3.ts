/**
 * Refaults of file pages, by zone.
 *
 * Owns      shadow entries of 3.16, and each zone's clock of evictions and activations (inactive_age).
 * Promises  1. A file page that comes back within as many evictions and activations as its zone has active file pages is active
 *              at once.
 *           2. Anonymous and tmpfs pages leave no shadow, and a cgroup plays no part: the zone is the same for all.
 * Linux     3.16 mm/workingset.c: pack_shadow workingset_eviction workingset_refault workingset_activation
 *
 * A shadow is one number: eviction time (40 bits), index of the zone (8 bits), and 1, so that it is never 0.
 *
 * Good at: telling a loop just larger than the inactive list from a scan. Bad at: cgroups (one that streams makes the clock of
 * all run), and at anonymous memory, of which it knows nothing.
 */
import type { Lruvec } from '../lruvec.ts';
import { LRU_ACTIVE_FILE, modLruvecState } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { lruvecOf } from '../memcg.ts';
import { PG_active } from '../page_flags.ts';
import type { Workingset } from '../parts.ts';
import type { Pfn } from '../units.ts';
import { WORKINGSET_ACTIVATE_FILE, WORKINGSET_REFAULT_FILE } from '../vmstat.ts';
import { isFileLru } from './lru.ts';

/** DIFFERS: 40 bits of time, so that a shadow is a whole number; Linux has 64 less those of node and zone. Nobody sees it. */
const EVICTION_SPAN = 2 ** 40;
const ZONES = 2 ** 8;

export function newWorkingset_3(machine: Machine): Workingset {
  return new ZoneRefaults(machine);
}

class ZoneRefaults implements Workingset {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  eviction(pfn: Pfn, _target: Lruvec): number {
    const { frames, zones } = this.machine;
    if (!isFileLru(frames, pfn)) return 0;
    const zone = zones[frames.zoneIndex(pfn)]!;
    zone.inactiveAge += 1;
    return ((zone.inactiveAge % EVICTION_SPAN) * ZONES + zone.index) * 2 + 1;
  }

  refault(pfn: Pfn, shadow: number): void {
    const { machine } = this;
    if (!isFileLru(machine.frames, pfn)) return;
    const zone = machine.zones[Math.floor(shadow / 2) % ZONES]!;
    const time = Math.floor(shadow / (2 * ZONES));
    const distance = (zone.inactiveAge - time + EVICTION_SPAN) % EVICTION_SPAN;
    const lruvec = lruvecOf(machine, pfn);
    modLruvecState(lruvec, WORKINGSET_REFAULT_FILE, 1);
    if (distance > zone.lruPages[LRU_ACTIVE_FILE]! + othersActive(machine)) return;
    modLruvecState(lruvec, WORKINGSET_ACTIVATE_FILE, 1);
    machine.frames.set(pfn, PG_active);
    this.activation(pfn);
  }

  activation(pfn: Pfn): void {
    const { frames, zones } = this.machine;
    zones[frames.zoneIndex(pfn)]!.inactiveAge += 1;
  }
}

/** Active file pages of others, who are on the real machine and not here. */
function othersActive(machine: Machine): number {
  return machine.config.othersActivePages ?? 0;
}
