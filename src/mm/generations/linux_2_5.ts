/**
 * Linux 2.5.59: 2.6.24 with the reverse map that came before, so that the two can be compared.
 *
 * Linux     2.5.59 mm/rmap.c
 *
 * DIFFERS: only the reverse map, and what fork copies, is of that time. All else is as in 2.6.24: a user who compares the two
 *          sees what lists of entries cost against lists of VMAs, and nothing else.
 */
import { knownAdvice } from '../known_advice.ts';
import { doRemapFilePages } from '../mmap.ts';
import type { Generation } from '../parts.ts';
import { newPteChainRmap } from '../rmap/pte_chain.ts';
import { linux_2_6_24 } from './linux_2_6.ts';

export const linux_2_5_59: Generation = {
  ...linux_2_6_24,
  version: '2.5.59',
  family: 'linux-2.5',
  newRmap: newPteChainRmap,
  remapFilePages: doRemapFilePages,
  knownAdvice: knownAdvice('2.5.59'),
  switches: { ...linux_2_6_24.switches, forkCopiesFileEntries: true, indexesAnon: false },
};
