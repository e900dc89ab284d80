/**
 * Linux 3.16.
 *
 * Linux     3.16
 */
import { handlePteFault_3 } from '../faults_3.ts';
import { flusher_3 } from '../flusher_3.ts';
import { remapFilePagesNonlinear } from '../fremap.ts';
import { newIntervalFileVmas } from '../interval_tree.ts';
import { Khugepaged } from '../khugepaged_3.ts';
import { knownAdvice } from '../known_advice.ts';
import { Ksm } from '../ksm.ts';
import { tryCharge_3 } from '../memcg_3.ts';
import { outOfMemory_3 } from '../oom_3.ts';
import { faultByPolicy, newPhysical_3 } from '../page_alloc_3.ts';
import type { Generation, Switches } from '../parts.ts';
import { newLru_3 } from '../reclaim/lru_3.ts';
import { PAGEVEC_SIZE } from '../reclaim/pagevec.ts';
import { newVmscan_3 } from '../reclaim/vmscan_3.ts';
import { newWorkingset_3 } from '../reclaim/workingset_3.ts';
import { NonlinearFileVmas } from '../rmap/nonlinear.ts';
import { newRmap_3 } from '../rmap/rmap_3.ts';
import { allocOneSlot } from '../swap/slots_cache.ts';
import { swapClusterReadahead } from '../swap/swap_state.ts';
import { getUnmappedArea_3, pickMmapLayout_3 } from '../unmapped_area_3.ts';
import { linux_6_1 } from './linux_6.ts';

/** All of them, so that none is 6.1's by accident. In the order of Switches, those that came later than 3.16 last. */
export const switches_3_16: Switches = {
  vmacache: true,
  lazyMm: true,
  anonExclusive: false,
  forkCopiesFileEntries: false,
  mmlistInForkOrder: false,
  refillCountsMoved: true,
  populateTouches: true,
  mlockHalfOfMemory: false,
  writeNotify: true,
  mergesFiles: true,
  indexesAnon: true,
  repeatEnds: true,
  reclaimTellsPages: true,
  reclaimAllocatesBlocks: false,
  shmemWritesLater: false,
  swapoffActivates: true,
  aroundLeavesMarker: true,
  coldReadahead: true,
  readaheadMayFail: true,
  readaheadStaysOutOfFs: false,
  unevictableList: true,
  swapLeastPriority: 0,
  mergeAnyAnonVma: false,
  zapYoung: 'accessed',
  zoneInPageFlags: true,
  pagesPinInodes: false,
  anonVmaReuse: false,
  mlockBatch: false,
  cgroupV1Only: true,
  chargesKernelMemory: false,
  chargesSwapinAtRead: false,
  mergeKeepsNext: false,
  mmapAsksNextFirst: false,
  writesDoNotRefault: false,
  stackGapOutside: false,
  mremapKeepsPrivate: false,
  dataLimitCountsMappings: false,
  mlockCountsOnce: false,
  readaheadDropsLock: false,
  mappedCountsAsHit: false,
  swapReadaheadMarksNew: false,
  swapfileCluster: 256,
  lruBatch: PAGEVEC_SIZE,
  // No cost model: vmscan_3.ts counts what was scanned and rotated.
  ioCost: 1,
  rotationCost: 0,
  freeingDrains: true,
  swapSlotsCache: true,
  swapScanMap: false,
  loneSwapinWaits: false,
  swapSyncBio: true,
  mlocksSwappedIn: false,
  punchWritesFirst: true,
  countsRetriedFaults: true,

  skipVmasWithoutRecency: false,
  keepPagesOfDyingMm: false,
  fullWalkRetry: false,
  mergeUnfaulted: false,
  fallocateOneMode: false,
  memfdExec: false,
  thpAlignment: false,
  mremapSeveralVmas: false,
  dontunmapSelfMerge: false,
  mprotectDropsAccount: false,
  mapStackNohuge: false,
  mapDroppable: false,
  mmapGathers: false,
  mprotectWritableIfClean: false,
  populateEndsAtHole: false,
  pageoutKeepsYoung: false,
  coldSetsWorkingset: false,
  pcpAutoTune: false,
  claimPageblocks: false,
  writeFaultsLate: false,
  swapZeromap: false,
  lastPageMakesNoTable: false,
  ext4ZeroesGap: false,
  execReadahead: false,
  zapSkipsWithoutRecency: false,
  perVmaLock: false,
  dontneedFreesTables: false,
  hugeFolios: false,
  swapinWritable: false,
};

export const linux_3_16: Generation = {
  ...linux_6_1,
  version: '3.16',
  family: 'linux-3',
  newFileVmas: () => new NonlinearFileVmas(newIntervalFileVmas()),
  remapFilePages: remapFilePagesNonlinear,
  newPhysical: newPhysical_3,
  newKsm: (machine) => new Ksm(machine),
  newRmap: newRmap_3,
  newLru: newLru_3,
  newReclaim: newVmscan_3,
  newWorkingset: newWorkingset_3,
  multiGen: null,
  lruvecs: 'zone',
  handlePteFault: faultByPolicy(handlePteFault_3),
  allocSwapSlot: allocOneSlot,
  swapinReadahead: swapClusterReadahead,
  outOfMemory: outOfMemory_3,
  tryCharge: tryCharge_3,
  writeback: flusher_3,
  newKhugepaged: (machine) => new Khugepaged(machine),
  getUnmappedArea: getUnmappedArea_3,
  pickMmapLayout: pickMmapLayout_3,
  knownAdvice: knownAdvice('3.16'),
  switches: switches_3_16,
};
