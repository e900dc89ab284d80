/**
 * Physical memory of 3.16, counted again.
 *
 * Owns      nothing.
 * Promises  Nothing is changed. Beside what verify_physical.ts counts: every two free buddies are one block, whatever their types;
 *           watermarks are 4 : 5 : 6; a reserve of at most two pageblocks in each zone; quotas and deferral in their ranges.
 */
import { buddyOrder, MAX_PAGE_ORDER, spans } from './buddy.ts';
import { MIGRATE_RESERVE_3 } from './buddy_3.ts';
import type { Machine } from './machine.ts';
import { physical_3 } from './page_alloc_3.ts';
import { PG_buddy } from './page_flags.ts';
import type { Pfn } from './units.ts';
import { verifyPhysical } from './verify_physical.ts';
import { MIGRATE_TYPES, type Zone } from './zone.ts';

const MOST_RESERVED_BLOCKS = 2;
const MAX_DEFER_SHIFT = 6;

export function verifyPhysical_3(m: Machine): string[] {
  return verifyPhysical(m, (zone, broken) => {
    checkMerged_3(m, zone, broken);
    checkZone_3(m, zone, broken);
  });
}

function checkMerged_3(m: Machine, zone: Zone, broken: string[]): void {
  const { frames } = m;
  for (let list = 0; list < MAX_PAGE_ORDER * MIGRATE_TYPES; list++) {
    const order = Math.floor(list / MIGRATE_TYPES);
    for (let pfn = frames.listFirst(zone.freeLists[list]!); pfn >= 0; pfn = frames.listNext(pfn)) {
      const buddy = (pfn ^ (1 << order)) as Pfn;
      if (buddy < pfn || !spans(zone, buddy) || !frames.has(buddy, PG_buddy)) continue;
      if (buddyOrder(frames, buddy) === order)
        broken.push(`frames ${pfn} and ${buddy}: free buddies of order ${order} are merged`);
    }
  }
}

function checkZone_3(m: Machine, zone: Zone, broken: string[]): void {
  const { wmarkMin, wmarkLow, wmarkHigh } = zone;
  const where = `zone ${zone.name}`;
  if (wmarkHigh - wmarkMin - 2 * (wmarkLow - wmarkMin) > 1 || wmarkLow < wmarkMin || wmarkHigh < wmarkLow)
    broken.push(`${where}: watermarks ${wmarkMin} ${wmarkLow} ${wmarkHigh} are 4 : 5 : 6`);
  if (zone.watermarkBoost !== 0) broken.push(`${where}: there is no boost in 3.16`);
  const reserved = zone.pageblockType.filter((type) => type === MIGRATE_RESERVE_3).length;
  if (reserved > MOST_RESERVED_BLOCKS) broken.push(`${where}: ${reserved} pageblocks are reserved`);
  const { allocBatch, compaction } = physical_3(m);
  if (allocBatch[zone.index]! > wmarkHigh - wmarkLow)
    broken.push(`${where}: its quota is ${allocBatch[zone.index]}, at most ${wmarkHigh - wmarkLow}`);
  const { considered, deferShift } = compaction[zone.index]!;
  if (deferShift > MAX_DEFER_SHIFT || considered > 1 << deferShift)
    broken.push(`${where}: compaction waits for ${considered} of ${1 << deferShift} attempts`);
}
