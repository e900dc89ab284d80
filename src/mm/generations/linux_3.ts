/**
 * Linux 3.16.
 *
 * Linux     3.16
 */
import { Khugepaged } from '../khugepaged_3.ts';
import { Ksm } from '../ksm.ts';
import { faultByPolicy, newPhysical_3 } from '../page_alloc_3.ts';
import type { Generation } from '../parts.ts';
import { getUnmappedArea3, pickMmapLayout3 } from '../unmapped_area_3.ts';
import { linux_6_1 } from './linux_6.ts';

export const linux_3_16: Generation = {
  ...linux_6_1,
  version: '3.16',
  family: 'linux-3',
  newPhysical: newPhysical_3,
  newKsm: (machine) => new Ksm(machine),
  newKhugepaged: (machine) => new Khugepaged(machine),
  handlePteFault: faultByPolicy(linux_6_1.handlePteFault),
  getUnmappedArea: getUnmappedArea3,
  pickMmapLayout: pickMmapLayout3,
  switches: {
    ...linux_6_1.switches,
    vmacache: true,
    lazyMm: true,
  },
};
