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
import { Ksm } from '../ksm.ts';
import { tryCharge_3 } from '../memcg_3.ts';
import { outOfMemory_3 } from '../oom_3.ts';
import { faultByPolicy, newPhysical_3 } from '../page_alloc_3.ts';
import type { Generation } from '../parts.ts';
import { newLru_3, PAGEVEC_SIZE } from '../reclaim/lru_3.ts';
import { newVmscan_3 } from '../reclaim/vmscan_3.ts';
import { newWorkingset_3 } from '../reclaim/workingset_3.ts';
import { NonlinearFileVmas } from '../rmap/nonlinear.ts';
import { newRmap_3 } from '../rmap/rmap_3.ts';
import { allocOneSlot } from '../swap/slots_cache.ts';
import { swapClusterReadahead } from '../swap/swap_state.ts';
import { getUnmappedArea3, pickMmapLayout3 } from '../unmapped_area_3.ts';
import { linux_6_1 } from './linux_6.ts';

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
  lruvecs: 'zone',
  handlePteFault: faultByPolicy(handlePteFault_3),
  allocSwapSlot: allocOneSlot,
  swapinReadahead: swapClusterReadahead,
  outOfMemory: outOfMemory_3,
  tryCharge: tryCharge_3,
  writeback: flusher_3,
  newKhugepaged: (machine) => new Khugepaged(machine),
  getUnmappedArea: getUnmappedArea3,
  pickMmapLayout: pickMmapLayout3,
  switches: {
    ...linux_6_1.switches,
    anonExclusive: false,
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
    loneSwapinWaits: false,
    mlocksSwappedIn: false,
    vmacache: true,
    lazyMm: true,
  },
};
