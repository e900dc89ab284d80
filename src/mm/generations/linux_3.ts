/**
 * Linux 3.16.
 *
 * Linux     3.16
 */
import type { Generation } from '../parts.ts';
import { getUnmappedArea3, pickMmapLayout3 } from '../unmapped_area_3.ts';
import { linux_6_1 } from './linux_6.ts';

export const linux_3_16: Generation = {
  ...linux_6_1,
  version: '3.16',
  family: 'linux-3',
  getUnmappedArea: getUnmappedArea3,
  pickMmapLayout: pickMmapLayout3,
  switches: {
    ...linux_6_1.switches,
    vmacache: true,
    lazyMm: true,
  },
};
