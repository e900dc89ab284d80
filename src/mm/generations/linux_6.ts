/**
 * Linux 6.18, and 6.1 with the switches in which it differs.
 *
 * Linux     6.18, 6.1
 */

import { handlePteFault } from '../faults.ts';
import { flusher_6 } from '../flusher.ts';
import { newIntervalFileVmas } from '../interval_tree.ts';
import { knownAdvice } from '../known_advice.ts';
import { LRU_NAMES } from '../lruvec.ts';
import { tryCharge_6 } from '../memcg.ts';
import { rules_6_1 } from '../mglru/rules_6_1.ts';
import { rules_6_18 } from '../mglru/rules_6_18.ts';
import { doRemapFilePages } from '../mmap.ts';
import { outOfMemory } from '../oom.ts';
import { newPhysical_6 } from '../page_alloc_6.ts';
import type { Generation, Switches } from '../parts.ts';
import { newSplitLru } from '../reclaim/lru.ts';
import { newVmscan } from '../reclaim/vmscan.ts';
import { newWorkingset } from '../reclaim/workingset.ts';
import { newAnonVmaRmap } from '../rmap/rmap.ts';
import { newSlabCaches } from '../slab.ts';
import { slabSizes_6_1, slabSizes_6_18 } from '../slab_sizes.ts';
import { allocSlotFromClusters } from '../swap/clusters.ts';
import { allocSlotFromCache } from '../swap/slots_cache.ts';
import { swapinReadahead } from '../swap/swap_state.ts';
import { getUnmappedArea } from '../unmapped_area.ts';

const switches_6_18: Switches = {
  vmacache: false,
  lazyMm: false,
  anonExclusive: true,
  forkCopiesFileEntries: false,
  indexesAnon: true,
  repeatEnds: true,
  reclaimTellsPages: true,
  reclaimAllocatesBlocks: false,
  shmemWritesLater: false,
  swapoffActivates: false,
  aroundLeavesMarker: true,
  coldReadahead: false,
  readaheadMayFail: true,
  readaheadStaysOutOfFs: true,
  unevictableList: true,
  mergeAnyAnonVma: false,
  zapYoung: 'accessed',
  mmlistInForkOrder: false,
  refillCountsMoved: true,
  mlockHalfOfMemory: false,
  populateTouches: true,
  writeNotify: true,
  mergesFiles: true,
  zoneInPageFlags: true,
  swapLeastPriority: -1,
  pagesPinInodes: true,
  anonVmaReuse: true,
  mlockBatch: true,
  cgroupV1Only: false,
  chargesKernelMemory: true,
  chargesSwapinAtRead: true,
  mergeKeepsNext: true,
  mmapAsksNextFirst: false,
  writesDoNotRefault: true,
  stackGapOutside: true,
  mremapKeepsPrivate: true,
  dataLimitCountsMappings: true,
  mlockCountsOnce: true,
  readaheadDropsLock: true,
  mappedCountsAsHit: true,
  swapReadaheadMarksNew: true,
  swapfileCluster: 512,
  lruBatch: 31,
  ioCost: 32,
  rotationCost: 1,
  skipVmasWithoutRecency: true,
  keepPagesOfDyingMm: true,
  fullWalkRetry: true,
  mergeUnfaulted: true,
  fallocateOneMode: true,
  memfdExec: true,
  thpAlignment: true,
  mremapSeveralVmas: true,
  dontunmapSelfMerge: true,
  mprotectDropsAccount: true,
  mapStackNohuge: true,
  mapDroppable: true,
  mmapGathers: true,
  mprotectWritableIfClean: true,
  populateEndsAtHole: true,
  pageoutKeepsYoung: true,
  coldSetsWorkingset: true,
  pcpAutoTune: true,
  claimPageblocks: true,
  writeFaultsLate: true,
  freeingDrains: false,
  swapZeromap: true,
  swapSlotsCache: false,
  swapScanMap: false,
  loneSwapinWaits: false,
  swapSyncBio: true,
  mlocksSwappedIn: false,
  lastPageMakesNoTable: true,
  ext4ZeroesGap: true,
  punchWritesFirst: false,
  execReadahead: true,
  zapSkipsWithoutRecency: true,
  perVmaLock: true,
  countsRetriedFaults: false,
  swapinWritable: true,
  hugeFolios: true,
  dontneedFreesTables: true,
};

export const linux_6_18: Generation = {
  version: '6.18',
  family: 'linux-6',
  cgroups: true,
  newRmap: newAnonVmaRmap,
  newLru: newSplitLru,
  newReclaim: newVmscan,
  newWorkingset,
  multiGen: rules_6_18,
  newPhysical: newPhysical_6,
  newSlab: newSlabCaches,
  newFileVmas: newIntervalFileVmas,
  newState: null,
  lruvecs: 'node',
  lruNames: LRU_NAMES,
  handlePteFault,
  getUnmappedArea,
  allocSwapSlot: allocSlotFromClusters,
  swapinReadahead,
  remapFilePages: doRemapFilePages,
  writeback: flusher_6,
  outOfMemory,
  tryCharge: tryCharge_6,
  slabSizes: slabSizes_6_18,
  knownAdvice: knownAdvice('6.18'),
  switches: switches_6_18,
};

export const linux_6_1: Generation = {
  ...linux_6_18,
  version: '6.1',
  multiGen: rules_6_1,
  allocSwapSlot: allocSlotFromCache,
  slabSizes: slabSizes_6_1,
  knownAdvice: knownAdvice('6.1'),
  switches: {
    ...switches_6_18,
    lruBatch: 15,
    ioCost: 1,
    rotationCost: 0,
    skipVmasWithoutRecency: false,
    keepPagesOfDyingMm: false,
    fullWalkRetry: false,
    mergeUnfaulted: false,
    mmapAsksNextFirst: true,
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
    freeingDrains: true,
    swapZeromap: false,
    swapSlotsCache: true,
    loneSwapinWaits: true,
    swapSyncBio: false,
    mlocksSwappedIn: true,
    lastPageMakesNoTable: false,
    ext4ZeroesGap: false,
    punchWritesFirst: true,
    execReadahead: false,
    zapSkipsWithoutRecency: false,
    perVmaLock: false,
    countsRetriedFaults: true,
    swapinWritable: false,
    hugeFolios: false,
    dontneedFreesTables: false,
  },
};
