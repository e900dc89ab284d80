/**
 * What 2.4 shows otherwise than 6.x.
 *
 * Linux     2.4.18, 2.4.19
 */
import { MAP_FIXED, MREMAP_FIXED } from '../../mm/uapi.ts';
import { numberAt, type Rule } from './explain.ts';
import {
  appears,
  isAnonymous,
  isCutOtherwise,
  isFaultCount,
  isFileRegion,
  isOfFile,
  stateGoes,
  UNMAPS,
  vanishes,
} from './observations.ts';

export const RULES_2_4: readonly Rule[] = [
  {
    id: 'mmap from below',
    kernels: ['linux-2.4'],
    source: '2.4 §11',
    says: 'without an address mmap takes the first gap from a third of the address space upwards: not where the program looks',
    calls: (call) =>
      (call.name === 'mmap' && numberAt(call, 0) === 0 && (numberAt(call, 3) & MAP_FIXED) === 0) ||
      (call.name === 'mremap' && (numberAt(call, 3) & MREMAP_FIXED) === 0 && numberAt(call, 2) > numberAt(call, 1)),
  },
  {
    id: 'a hint that is taken',
    kernels: ['linux-2.4'],
    source: '2.4 §11',
    says: 'where a hint is not free, the first gap from a third of the address space upwards is taken',
    fits: (o) => o.kind === 'call' && o.call.name === 'mmap' && o.field === 'ret' && o.older === 'outside',
    spreads: true,
  },
  {
    id: 'anonymous pages are touched once',
    kernels: ['linux-2.4'],
    source: '2.4 §13, §15',
    says: 'a new anonymous page is inactive and marked accessed at once: referenced, and active when it is marked again',
    fits: (o) => (appears(o, 'referenced', 'active') || vanishes(o, 'referenced')) && isAnonymous(o),
  },
  {
    id: 'unmapping forgets the use',
    kernels: ['linux-2.4'],
    source: '2.4 §14; 2.6 §25',
    says: 'a young entry that goes tells the page nothing; later it makes the page referenced (2.6), or counts as a use (2.6.28)',
    fits: (o) => vanishes(o, 'referenced', 'active') && isOfFile(o) && UNMAPS.has(o.call.name),
  },
  {
    id: 'every fault of a file page marks it',
    kernels: ['linux-2.4'],
    source: '2.4 §13, §15',
    says: 'nopage marks the page accessed: the first touch makes it referenced, the second active',
    fits: (o) => (appears(o, 'referenced', 'active') || vanishes(o, 'referenced')) && isOfFile(o),
  },
  {
    id: 'dirty in the entry only',
    kernels: ['linux-2.4'],
    source: '2.4 §14, §19',
    says: 'a store to a shared page makes its entry dirty; the page becomes dirty when the entry goes, or by msync',
    fits: (o) => vanishes(o, 'dirty') && isOfFile(o),
  },
  {
    id: 'entries stay dirty',
    kernels: ['linux-2.4'],
    source: '2.4 §19',
    says: 'writing a file out does not look at entries, only msync does: what they made dirty stays dirty in them',
    fits: (o) => o.kind === 'number' && /^(Pss|Private|Shared)_(Dirty|Clean)$/.test(o.field) && isFileRegion(o),
  },
  {
    id: 'faults of files are major',
    kernels: ['linux-2.4'],
    source: '2.4 §13',
    says: 'do_no_page always returns 2: a fault that finds the page in the cache is major, too',
    fits: (o, sofar) => isFaultCount(o) && sofar.reachesFile(o.call),
  },
  {
    id: 'fork copies all entries',
    kernels: ['linux-2.4'],
    source: '2.4 §14',
    says: 'page tables are always copied, those of files and of the zero page, too',
    fits: (o) => (stateGoes(o, 'none', 'present') && isOfFile(o)) || stateGoes(o, 'none', 'zero'),
    spreads: true,
  },
  {
    id: 'no list for locked pages',
    kernels: ['linux-2.4'],
    source: '2.4 §20',
    says: 'locked pages stay on the lists of the others, without a flag; swap_out passes them over',
    fits: (o) => vanishes(o, 'unevictable', 'mlocked'),
  },
  {
    id: 'merge of 2.4',
    kernels: ['linux-2.4'],
    source: '2.4 §11',
    says: 'only anonymous private regions merge, by mmap, brk and mprotect (with the one before); mlock splits and never merges',
    fits: isCutOtherwise,
    spreads: true,
  },
];
