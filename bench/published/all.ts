/** In the order of the page. */
import { anonNumbers } from './anon.ts';
import { fileNumbers } from './file.ts';
import { lruNumbers } from './lru.ts';
import { mappedNumbers } from './mapped.ts';
import type { PublishedNumber } from './number.ts';
import { pteChains } from './pte_chain.ts';

export const ALL_NUMBERS: readonly PublishedNumber[] = [
  ...anonNumbers,
  ...fileNumbers,
  pteChains,
  ...lruNumbers,
  ...mappedNumbers,
];
