/**
 * Linux 2.4.19, and 2.4.18 with the switches in which it differs.
 *
 * Linux     2.4.19, 2.4.18
 */
import { bdflush_2_4 } from '../bdflush.ts';
import { vmEnoughMemory_2_4 } from '../enough_memory_2_4.ts';
import { handlePteFault_2_4 } from '../faults_2_4.ts';
import { newFileVmas_2_4 } from '../file_vmas_2_4.ts';
import { knownAdvice } from '../known_advice.ts';
import { oomSaysGoOn_2_4 } from '../oom_2_4.ts';
import { newPhysical_2_4 } from '../page_alloc_2_4.ts';
import type { Generation, Switches } from '../parts.ts';
import { fileRead_2_4 } from '../readahead_2_4.ts';
import { LRU_NAMES_2_4, newGlobalLru } from '../reclaim/lru_2_4.ts';
import { noWorkingset } from '../reclaim/no_workingset.ts';
import { newVmscan_2_4 } from '../reclaim/vmscan_2_4.ts';
import { newNoRmap } from '../rmap/no_rmap.ts';
import { newSlab_2_4 } from '../slab_2_4.ts';
import { newState_2_4 } from '../state_2_4.ts';
import { pageLine, structPage } from '../struct_page_2_4.ts';
import { getSwapPage, scanSwapMap_2_4 } from '../swap/scan_swap_map.ts';
import { shmemSwapin_2_4, swapinReadahead_2_4 } from '../swap/swap_2_4.ts';
import { tryToUnuse_2_4 } from '../swap/unuse_2_4.ts';
import { getUnmappedArea_2_4 } from '../unmapped_area_2_4.ts';
import { switches_2_6_26 } from './linux_2_6.ts';
import { linux_6_1 } from './linux_6.ts';

/** As in 2.6, but for what came with 2.5 and 2.6. */
const switches_2_4_19: Switches = {
  ...switches_2_6_26,
  forkCopiesFileEntries: true,
  mmlistInForkOrder: true,
  refillCountsMoved: true,
  populateTouches: false,
  mlockHalfOfMemory: true,
  writeNotify: false,
  mergesFiles: false,
  indexesAnon: false,
  repeatEnds: false,
  reclaimTellsPages: false,
  swapoffActivates: false,
  coldReadahead: false,
  zapYoung: 'lost',
  lruBatch: 1,
  freeingDrains: false,
};

export const linux_2_4_19: Generation = {
  ...linux_6_1,
  version: '2.4.19',
  family: 'linux-2.4',
  cgroups: false,
  newRmap: newNoRmap,
  newLru: newGlobalLru,
  newReclaim: newVmscan_2_4,
  newWorkingset: noWorkingset,
  multiGen: null,
  lruvecs: 'node',
  lruNames: LRU_NAMES_2_4,
  structPageText: (machine, pfn) => pageLine(structPage(machine, pfn)),
  handlePteFault: handlePteFault_2_4,
  getUnmappedArea: getUnmappedArea_2_4,
  allocSwapSlot: (machine) => getSwapPage(machine, scanSwapMap_2_4),
  swapinReadahead: swapinReadahead_2_4,
  swapClusterReadahead: shmemSwapin_2_4,
  tryToUnuse: tryToUnuse_2_4,
  enoughMemory: vmEnoughMemory_2_4,
  fileRead: fileRead_2_4,
  knownAdvice: knownAdvice('2.4.19'),
  writeback: bdflush_2_4,
  outOfMemory: oomSaysGoOn_2_4,
  sysctl: { thpEnabled: false, stackGuardGap: 0, maxMapCount: 65536 },
  switches: switches_2_4_19,
  newPhysical: newPhysical_2_4,
  newSlab: newSlab_2_4,
  newFileVmas: newFileVmas_2_4,
  newState: newState_2_4,
};

export const linux_2_4_18: Generation = {
  ...linux_2_4_19,
  version: '2.4.18',
  switches: { ...switches_2_4_19, refillCountsMoved: false, zoneInPageFlags: false },
};
