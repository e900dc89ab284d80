/**
 * What 2.6 remembers of a zone beside what every kernel does.
 *
 * Owns      Zone_2_6: the CPU's hot and cold pages, and where reclaim stands in the zone.
 * Promises  There is one for each zone of a machine of 2.6, under the zone's number.
 * Linux     2.6.24 include/linux/mmzone.h: zone per_cpu_pages
 */
import type { Machine } from './machine.ts';
import type { ListHead } from './memmap.ts';
import type { Physical } from './parts.ts';
import type { Zone } from './zone.ts';

/** Scans start with 1/2**12 of each list (DEF_PRIORITY). */
export const DEF_PRIORITY_2_6 = 12;

/** Single pages that one CPU keeps: hot ones are likely in its cache, cold ones are not. */
export class PerCpuPages_2_6 {
  count = 0;
  /** At so many pages `batch` of them go back to the zone. */
  high = 0;
  batch = 1;
  readonly list: ListHead;
  constructor(list: ListHead) {
    this.list = list;
  }
}

export class Zone_2_6 {
  readonly zone: Zone;
  readonly hot: PerCpuPages_2_6;
  readonly cold: PerCpuPages_2_6;
  /** Pages that the next scan owes to each list; a scan begins at 32. */
  nrScanActive = 0;
  nrScanInactive = 0;
  /** Pages scanned since one was last freed into the zone. */
  pagesScanned = 0;
  /** Scanning has freed nothing for long: only kswapd looks now and then (ZONE_ALL_UNRECLAIMABLE). */
  allUnreclaimable = false;
  /** Of the last reclaim: how hard it had to try. */
  prevPriority: number = DEF_PRIORITY_2_6;
  /** Somebody scans it for zone_reclaim (ZONE_RECLAIM_LOCKED). */
  reclaimLocked = false;

  constructor(zone: Zone) {
    this.zone = zone;
    this.hot = new PerCpuPages_2_6(zone.pcp.lists[0]!);
    this.cold = new PerCpuPages_2_6(zone.pcp.lists[1]!);
  }
}

/** A machine whose allocator keeps these. */
export interface PhysicalWithZones_2_6 extends Physical {
  readonly zones: readonly Zone_2_6[];
  /** Pages of user memory when the machine was built (vm_total_pages). */
  readonly vmTotalPages: number;
  /** Too little memory to keep kinds of pages apart (page_group_by_mobility_disabled). */
  readonly mobilityDisabled: boolean;
}

export function physical_2_6(machine: Machine): PhysicalWithZones_2_6 {
  return machine.physical as PhysicalWithZones_2_6;
}

export function zone_2_6(machine: Machine, zone: Zone): Zone_2_6 {
  return (machine.physical as PhysicalWithZones_2_6).zones[zone.index]!;
}
