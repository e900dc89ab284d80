/**
 * Linux 2.6.26 and 2.6.24.
 *
 * Linux     2.6.26, 2.6.24
 */

import { handlePteFault26 } from '../faults_2_6.ts';
import { remapFilePagesNonlinear } from '../fremap.ts';
import type { FileVmas, Generation } from '../parts.ts';
import { PrioTree } from '../prio_tree.ts';
import { NonlinearFileVmas } from '../rmap/nonlinear.ts';
import { newObjectRmap_2_6_24, newObjectRmap_2_6_26 } from '../rmap/object_rmap.ts';
import {
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
} from '../uapi.ts';
import { areaUnmapped26, getUnmappedArea26, pickMmapLayout26 } from '../unmapped_area_2_6.ts';
import { linux_6_1 } from './linux_6.ts';

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
  handlePteFault: handlePteFault26,
  remapFilePages: remapFilePagesNonlinear,
  getUnmappedArea: getUnmappedArea26,
  pickMmapLayout: pickMmapLayout26,
  areaUnmapped: areaUnmapped26,
  knownAdvice: new Set([
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MADV_DONTNEED,
    MADV_REMOVE,
    MADV_DONTFORK,
    MADV_DOFORK,
  ]),
  switches: {
    ...linux_6_1.switches,
    anonExclusive: false,
    unevictableList: false,
    mergeAnyAnonVma: true,
    zapYoung: 'referenced',
    freeingDrains: true,
    mlocksSwappedIn: false,
  },
};

export const linux_2_6_24: Generation = {
  ...linux_2_6_26,
  version: '2.6.24',
  newRmap: newObjectRmap_2_6_24,
};
