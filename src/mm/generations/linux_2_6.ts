/**
 * Linux 2.6.26 and 2.6.24.
 *
 * Linux     2.6.26, 2.6.24
 */
import { handlePteFault_2_6 } from '../faults_2_6.ts';
import { flusher_2_6 } from '../flusher_2_6.ts';
import { remapFilePagesNonlinear } from '../fremap.ts';
import { knownAdvice } from '../known_advice.ts';
import { outOfMemory_2_6 } from '../oom_2_6.ts';
import { newPhysical_2_6 } from '../page_alloc_2_6.ts';
import type { FileVmas, Generation, Switches } from '../parts.ts';
import { PrioTree } from '../prio_tree.ts';
import { ondemandReadahead_2_6 } from '../readahead_2_6.ts';
import { LRU_NAMES_2_6, newTwoListLru } from '../reclaim/lru_2_6.ts';
import { noWorkingset } from '../reclaim/no_workingset.ts';
import { newVmscan_2_6 } from '../reclaim/vmscan_2_6.ts';
import { NonlinearFileVmas } from '../rmap/nonlinear.ts';
import { newObjectRmap_2_6_24, newObjectRmap_2_6_26 } from '../rmap/rmap_2_6.ts';
import { newState_2_6 } from '../state_2_6.ts';
import { allocSwapSlot_2_6, swapGroupReadahead, swapinReadahead_2_6 } from '../swap/swap_2_6.ts';
import { areaUnmapped_2_6, getUnmappedArea_2_6, pickMmapLayout_2_6 } from '../unmapped_area_2_6.ts';
import { switches_3_16 } from './linux_3.ts';
import { linux_6_1 } from './linux_6.ts';

/**
 * What was not there yet in 3.16 was not in 2.6 either, so all else is as there. That a fault starts again (2.6.37), and the
 * window of swap readahead (3.14), are not asked: 2.6 has parts of its own for them.
 */
export const switches_2_6_26: Switches = {
  ...switches_3_16,
  vmacache: false,
  lazyMm: false,
  reclaimAllocatesBlocks: true,
  shmemWritesLater: true,
  aroundLeavesMarker: false,
  readaheadMayFail: false,
  unevictableList: false,
  mergeAnyAnonVma: true,
  zapYoung: 'referenced',
  lruBatch: 14,
  swapSlotsCache: false,
  swapScanMap: true,
  // stackGuardGap is 0.
  stackGapOutside: true,
  // There is one cgroup, and it has no limit: who pays does not matter, but somebody must.
  chargesSwapinAtRead: true,
};

/** i_mmap a priority search tree, i_mmap_nonlinear a list. */
export function newFileVmas_2_6(): FileVmas {
  return new NonlinearFileVmas(new PrioTree());
}

export const linux_2_6_26: Generation = {
  ...linux_6_1,
  version: '2.6.26',
  family: 'linux-2.6',
  cgroups: false,
  newRmap: newObjectRmap_2_6_26,
  newFileVmas: newFileVmas_2_6,
  handlePteFault: handlePteFault_2_6,
  remapFilePages: remapFilePagesNonlinear,
  getUnmappedArea: getUnmappedArea_2_6,
  pickMmapLayout: pickMmapLayout_2_6,
  areaUnmapped: areaUnmapped_2_6,
  knownAdvice: knownAdvice('2.6.26'),
  newPhysical: newPhysical_2_6,
  newLru: newTwoListLru,
  newReclaim: newVmscan_2_6,
  newWorkingset: noWorkingset,
  multiGen: null,
  newState: newState_2_6,
  lruvecs: 'zone',
  lruNames: LRU_NAMES_2_6,
  allocSwapSlot: allocSwapSlot_2_6,
  swapinReadahead: swapinReadahead_2_6,
  swapClusterReadahead: swapGroupReadahead,
  ondemandReadahead: ondemandReadahead_2_6,
  writeback: flusher_2_6,
  outOfMemory: outOfMemory_2_6,
  sysctl: { dirtyRatio: 10, dirtyBackgroundRatio: 5, thpEnabled: false, stackGuardGap: 0 },
  switches: switches_2_6_26,
};

export const linux_2_6_24: Generation = {
  ...linux_2_6_26,
  version: '2.6.24',
  newRmap: newObjectRmap_2_6_24,
  switches: {
    ...switches_2_6_26,
    repeatEnds: false,
    reclaimTellsPages: false,
  },
};
