/**
 * What 2.6.24 and 2.6.26 show otherwise than 6.x.
 *
 * Linux     2.6.24, 2.6.26
 */
import type { Rule } from './explain.ts';
import { appears, isCutOtherwise, isFaultCount, isOfFile, stateGoes, vanishes } from './observations.ts';

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
    fits: (o) => stateGoes(o, 'zero', 'present'),
    spreads: true,
  },
  {
    id: 'a fault marks the page',
    kernels: ['linux-2.6'],
    source: '2.6 §13, §17',
    says: 'a fault of a file marks the page accessed: inactive and referenced becomes active; inactive becomes referenced',
    fits: (o) => (appears(o, 'referenced', 'active') || vanishes(o, 'referenced')) && isOfFile(o),
  },
  {
    id: 'unmapping carries the use over',
    kernels: ['linux-2.6'],
    source: '2.6 §25',
    says: 'a young entry that goes sets PG_referenced of its file page, and does not activate it',
    fits: (o) => vanishes(o, 'active') && isOfFile(o),
  },
  {
    id: 'nonlinear mappings',
    kernels: ['linux-2.6', 'linux-3'],
    source: '2.6 §21; 3.x §4.16',
    says: 'remap_file_pages sets entries of the region itself: no new region, and what it populates is no fault',
    calls: (call) => call.name === 'remap_file_pages',
  },
  {
    id: 'one fault a page',
    kernels: ['linux-2.6'],
    source: '2.6 §13; 3.x §19',
    says: 'a fault of a file maps one page, so each page that is touched takes one (fault-around: 3.15)',
    fits: (o, sofar) => isFaultCount(o) && Number(o.older) > Number(o.newer) && sofar.reachesFile(o.call),
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
