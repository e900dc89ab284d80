/**
 * Linux 2.6.26, and 2.6.24 with the switches in which it differs.
 *
 * Linux     2.6.26, 2.6.24
 */
import { flusher_2_6 } from '../flusher_2_6.ts';
import { outOfMemory_2_6 } from '../oom_2_6.ts';
import { newPhysical_2_6 } from '../page_alloc_2_6.ts';
import type { Generation, Switches } from '../parts.ts';
import { ondemandReadahead_2_6 } from '../readahead_2_6.ts';
import { LRU_NAMES_2_6, newTwoListLru } from '../reclaim/lru_2_6.ts';
import { noWorkingset } from '../reclaim/no_workingset.ts';
import { newVmscan_2_6 } from '../reclaim/vmscan_2_6.ts';
import { newState_2_6 } from '../state_2_6.ts';
import { allocSwapSlot_2_6, swapGroupReadahead, swapinReadahead_2_6 } from '../swap/swap_2_6.ts';
import { linux_6_1 } from './linux_6.ts';

const switches_2_6_26: Switches = {
  ...linux_6_1.switches,
  reclaimAllocatesBlocks: true,
  shmemWritesLater: true,
  swapoffActivates: true,
  aroundLeavesMarker: false,
  coldReadahead: true,
  unevictableList: false,
  lruBatch: 14,
  swapSlotsCache: false,
  swapScanMap: true,
  loneSwapinWaits: false,
};

export const linux_2_6_26: Generation = {
  ...linux_6_1,
  version: '2.6.26',
  family: 'linux-2.6',
  cgroups: false,
  newPhysical: newPhysical_2_6,
  newLru: newTwoListLru,
  newReclaim: newVmscan_2_6,
  newWorkingset: noWorkingset,
  newState: newState_2_6,
  lruvecs: 'zone',
  lruNames: LRU_NAMES_2_6,
  allocSwapSlot: allocSwapSlot_2_6,
  swapinReadahead: swapinReadahead_2_6,
  swapClusterReadahead: swapGroupReadahead,
  ondemandReadahead: ondemandReadahead_2_6,
  writeback: flusher_2_6,
  outOfMemory: outOfMemory_2_6,
  sysctl: { dirtyRatio: 10, dirtyBackgroundRatio: 5, thpEnabled: false },
  switches: switches_2_6_26,
};

export const linux_2_6_24: Generation = {
  ...linux_2_6_26,
  version: '2.6.24',
  switches: {
    ...switches_2_6_26,
    repeatEnds: false,
    reclaimTellsPages: false,
  },
};
