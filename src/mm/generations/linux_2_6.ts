/**
 * Linux 2.6.26 and 2.6.24.
 *
 * Linux     2.6.26, 2.6.24
 */
import type { Generation } from '../parts.ts';
import { linux_6_1 } from './linux_6.ts';

export const linux_2_6_26: Generation = {
  ...linux_6_1,
  version: '2.6.26',
  family: 'linux-2.6',
};

export const linux_2_6_24: Generation = {
  ...linux_2_6_26,
  version: '2.6.24',
};
