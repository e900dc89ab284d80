/**
 * How much of each list a round of reclaim looks at, as 3.16 decided it.
 *
 * Owns      the scan balance: files only, anonymous memory only, both alike, or by what each type has been worth lately.
 * Linux     3.16 mm/vmscan.c: get_scan_count inactive_anon_is_low inactive_file_is_low zone_reclaimable zone_reclaimable_pages;
 *           mm/memcontrol.c: mem_cgroup_inactive_anon_is_low; mm/page_alloc.c: calculate_zone_inactive_ratio
 * After     6.x weighs what reclaim cost (refaults and writes), not what was rotated
 *
 *   asked in this order                                          scanned
 *   no swap left, or none allowed                                files
 *   a cgroup's limit, and its swappiness is 0                    files
 *   priority 0, and swappiness is not 0                          both alike
 *   the machine is short, and file + free <= high watermark      anonymous memory  (the trap: files would only get fewer)
 *   more inactive than active file pages                         files             (however much anonymous memory lies idle)
 *   else                                                         each by its share
 *
 *   share of a type = priority * (recent_scanned + 1) / (recent_rotated + 1), priority 60 for anonymous memory, 140 for files
 */
import {
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  type LruList,
  type Lruvec,
} from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { intSqrt } from '../units.ts';
import { MAX_NR_ZONES, type Zone } from '../zone.ts';
import { isFileList } from './lru.ts';
import { type ScanControl, SWAP_CLUSTER_MAX } from './scan_control.ts';

const SCAN_EQUAL = 0;
const SCAN_FRACT = 1;
const SCAN_ANON = 2;
const SCAN_FILE = 3;
const PAGES_PER_GB_SHIFT = 18;

/** How many pages of each list to scan, into sc.nr. */
export function getScanCount(machine: Machine, sc: ScanControl, lruvec: Lruvec): void {
  const zone = lruvec.zone!;
  const force = sc.targetMemcg !== null || (sc.isKswapd && !zoneReclaimable(machine, zone));
  const balance = scanBalance(machine, sc, lruvec);
  let anonPart = 1;
  let filePart = 1;
  let denominator = 1;
  if (balance === SCAN_FRACT) {
    fade(lruvec);
    const { recentScanned, recentRotated } = lruvec;
    anonPart = Math.floor((sc.swappiness * (recentScanned[0]! + 1)) / (recentRotated[0]! + 1));
    filePart = Math.floor(((200 - sc.swappiness) * (recentScanned[1]! + 1)) / (recentRotated[1]! + 1));
    denominator = anonPart + filePart + 1;
  } else if (balance === SCAN_FILE) {
    anonPart = 0;
  } else if (balance === SCAN_ANON) {
    filePart = 0;
  }
  // A second pass, if nothing was to be scanned and something must be.
  let some = false;
  for (let pass = 0; !some && pass < 2; pass++) {
    for (let lru = LRU_INACTIVE_ANON; lru <= LRU_ACTIVE_FILE; lru++) {
      const size = lruSize(lruvec, lru);
      let scan = Math.floor(size / 2 ** sc.priority);
      if (scan === 0 && pass > 0 && force) scan = Math.min(size, SWAP_CLUSTER_MAX);
      scan = Math.floor((scan * (isFileList(lru) ? filePart : anonPart)) / denominator);
      sc.nr[lru] = scan;
      if (scan > 0) some = true;
    }
  }
}

function scanBalance(machine: Machine, sc: ScanControl, lruvec: Lruvec): number {
  if (!sc.maySwap || machine.swap.nrSwapPages <= 0) return SCAN_FILE;
  if (sc.targetMemcg !== null && sc.swappiness === 0) return SCAN_FILE;
  if (sc.priority === 0 && sc.swappiness > 0) return SCAN_EQUAL;
  if (sc.targetMemcg === null) {
    const zone = lruvec.zone!;
    const file = lruSize(lruvec, LRU_ACTIVE_FILE) + lruSize(lruvec, LRU_INACTIVE_FILE);
    if (file + zone.freePages <= zone.wmarkHigh) return SCAN_ANON;
  }
  return inactiveFileIsLow(lruvec) ? SCAN_FRACT : SCAN_FILE;
}

/** What was learned fades once it is more than a quarter of the pages there are. */
function fade(lruvec: Lruvec): void {
  const { recentScanned, recentRotated } = lruvec;
  const anon = lruSize(lruvec, LRU_ACTIVE_ANON) + lruSize(lruvec, LRU_INACTIVE_ANON);
  const file = lruSize(lruvec, LRU_ACTIVE_FILE) + lruSize(lruvec, LRU_INACTIVE_FILE);
  for (const [type, size] of [anon, file].entries()) {
    if (recentScanned[type]! <= Math.floor(size / 4)) continue;
    recentScanned[type] = Math.floor(recentScanned[type]! / 2);
    recentRotated[type] = Math.floor(recentRotated[type]! / 2);
  }
}

/** Pages on one list of the lruvec itself, without those of cgroups below. */
export function lruSize(lruvec: Lruvec, lru: LruList): number {
  return lruvec.lruSize(lru, MAX_NR_ZONES - 1);
}

/** More active than inactive. */
export function inactiveFileIsLow(lruvec: Lruvec): boolean {
  return lruSize(lruvec, LRU_ACTIVE_FILE) > lruSize(lruvec, LRU_INACTIVE_FILE);
}

/** Without swap there is nothing to age for. Else 1 inactive page shall stand for each `ratio` active ones. */
export function inactiveAnonIsLow(machine: Machine, lruvec: Lruvec): boolean {
  if (machine.swap.totalSwapPages === 0) return false;
  const inactive = lruSize(lruvec, LRU_INACTIVE_ANON);
  const active = lruSize(lruvec, LRU_ACTIVE_ANON);
  return inactive * inactiveRatio(inactive + active) < active;
}

/** 1 below a GB, 3 at one: then a quarter of the pages is inactive. Of a zone it is computed once, from all its pages. */
export function inactiveRatio(pages: number): number {
  const gb = Math.floor(pages / 2 ** PAGES_PER_GB_SHIFT);
  return gb > 0 ? intSqrt(10 * gb) : 1;
}

/** Pages that could be freed; anonymous ones only while there is swap. */
export function zoneReclaimablePages(machine: Machine, zone: Zone): number {
  let pages = zone.lruPages[LRU_ACTIVE_FILE]! + zone.lruPages[LRU_INACTIVE_FILE]!;
  if (machine.swap.nrSwapPages > 0) pages += zone.lruPages[LRU_ACTIVE_ANON]! + zone.lruPages[LRU_INACTIVE_ANON]!;
  return pages;
}

/** Not scanned six times over since a page of it was last freed. */
export function zoneReclaimable(machine: Machine, zone: Zone): boolean {
  return zone.pagesScanned < 6 * zoneReclaimablePages(machine, zone);
}
