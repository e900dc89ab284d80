/**
 * Linux 2.4.19 and 2.4.18.
 *
 * Linux     2.4.19, 2.4.18
 */
import { newFileVmas_2_4 } from '../file_vmas_2_4.ts';
import { newPhysical_2_4 } from '../page_alloc_2_4.ts';
import type { Generation } from '../parts.ts';
import { newSlab_2_4 } from '../slab_2_4.ts';
import { newState_2_4 } from '../state_2_4.ts';
import { linux_6_1 } from './linux_6.ts';

export const linux_2_4_19: Generation = {
  ...linux_6_1,
  version: '2.4.19',
  family: 'linux-2.4',
  newPhysical: newPhysical_2_4,
  newSlab: newSlab_2_4,
  newFileVmas: newFileVmas_2_4,
  newState: newState_2_4,
  switches: { ...linux_6_1.switches, zoneInPageFlags: true, pagesPinInodes: false },
};

export const linux_2_4_18: Generation = {
  ...linux_2_4_19,
  version: '2.4.18',
  switches: { ...linux_2_4_19.switches, zoneInPageFlags: false },
};
