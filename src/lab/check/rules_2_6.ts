/**
 * What 2.6.24 and 2.6.26 show otherwise than 6.x.
 *
 * Linux     2.6.24, 2.6.26
 */
import type { Rule } from './explain.ts';
import { appears, isAnonymous, isCutOtherwise, stateGoes, vanishes } from './observations.ts';

export const RULES_2_6: readonly Rule[] = [
  {
    id: 'no unevictable list',
    kernels: ['linux-2.6'],
    source: '2.6 §21',
    says: 'locked pages stay on the lists of the others, and no flag tells them (PG_mlocked and the unevictable list: 2.6.28)',
    fits: (o) => vanishes(o, 'unevictable', 'mlocked') || appears(o, 'lru'),
  },
  {
    id: 'no zero page',
    kernels: ['linux-2.6'],
    source: '2.6 §13',
    says: 'a load of anonymous memory gets a page of its own at once: the shared zero page was given up in 2.6.24 (back in 2.6.32)',
    fits: (o) => stateGoes(o, 'zero', 'present') && isAnonymous(o),
    spreads: true,
  },
  {
    id: 'merge of 2.6',
    kernels: ['linux-2.6'],
    source: '2.6 §11',
    says: 'regions merge if their anon_vmas are equal or one is missing',
    fits: isCutOtherwise,
    spreads: true,
  },
];
