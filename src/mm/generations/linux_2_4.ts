/**
 * Linux 2.4.19 and 2.4.18.
 *
 * Linux     2.4.19, 2.4.18
 */
import type { Generation } from '../parts.ts';
import { linux_6_1 } from './linux_6.ts';

export const linux_2_4_19: Generation = {
  ...linux_6_1,
  version: '2.4.19',
  family: 'linux-2.4',
};

export const linux_2_4_18: Generation = {
  ...linux_2_4_19,
  version: '2.4.18',
};
