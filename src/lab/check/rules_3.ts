/**
 * What 3.16 shows otherwise than 6.x. Some of it holds for its elders, too.
 *
 * Linux     3.16
 */
import { numberAt, type Rule } from './explain.ts';
import { appears, isAnonymous, isAnswer, isLocked, isOfFile, stateGoes, UNMAPS, vanishes } from './observations.ts';

const TOUCHES: ReadonlySet<string> = new Set(['load', 'store', 'check', 'mlock', 'mmap', 'read', 'pread64']);

export const RULES_3: readonly Rule[] = [
  {
    id: 'no PG_anon_exclusive',
    kernels: ['linux-2.4', 'linux-2.6', 'linux-3'],
    source: '3.x §5.5, §19',
    says: 'copy-on-write asks how many map the page; that a page is known to be exclusive came with 5.19',
    fits: (o) => vanishes(o, 'anon_exclusive'),
  },
  {
    id: 'anonymous pages start active',
    kernels: ['linux-2.6', 'linux-3'],
    source: '3.x §5.1, §9.1; 2.6 §13',
    says: 'a new anonymous page is put on the active list (inactive since 5.9)',
    fits: (o) => appears(o, 'active') && isAnonymous(o),
  },
  {
    id: 'no gap kept to stacks',
    kernels: ['linux-2.4', 'linux-2.6', 'linux-3'],
    source: '3.x §4.3',
    says: 'mmap takes any gap that is large enough: none is kept free below a region that grows down',
    fits: (o, sofar) =>
      isAnswer(o) &&
      sofar.hasStack &&
      (o.call.name === 'mmap' || o.call.name === 'mremap') &&
      numberAt(o.call, 0) % 4096 === 0,
    spreads: true,
  },
  {
    id: 'guard page inside the stack',
    kernels: ['linux-3'],
    source: '3.x §4.9',
    says: 'the guard is the lowest page of the region itself: a fault there makes it grow by one more page, or is SIGBUS if another region ends there; maps hides that page. No gap of 256 pages is kept below',
    fits: (o, sofar) =>
      (o.kind === 'call' && TOUCHES.has(o.call.name) && sofar.reachesStack(o.call)) ||
      ((o.kind === 'region' || (o.kind === 'page' && o.field === 'state')) && sofar.isAtStack(o.page, o.pages)),
    spreads: true,
  },
  {
    id: 'no gap below a stack',
    kernels: ['linux-2.4', 'linux-2.6'],
    source: '2.4 §11; 2.6 §25',
    says: 'a region that grows down is held back by its limits only, not by a gap to what lies below it',
    fits: (o, sofar) =>
      (o.kind === 'call' && TOUCHES.has(o.call.name) && sofar.reachesStack(o.call)) ||
      ((o.kind === 'region' || (o.kind === 'page' && o.field === 'state')) && sofar.isAtStack(o.page, o.pages)),
    spreads: true,
  },
  {
    id: 'brk up to a stack',
    kernels: ['linux-2.4', 'linux-2.6', 'linux-3'],
    source: '2.4 §11; 3.x §4.8',
    says: 'brk leaves one page to the region above, be it a stack or not; 6.x leaves the gap that a stack may grow into',
    fits: (o, sofar) => o.kind === 'call' && o.call.name === 'brk' && sofar.hasStack,
    spreads: true,
  },
  {
    id: 'mprotect leaves pages read-only',
    kernels: ['linux-2.4', 'linux-2.6', 'linux-3'],
    source: '3.x §4.10; 6.x §4.10',
    says: 'pages that become writable by mprotect stay read-only until the next store; 6.x maps exclusive ones writable at once',
    fits: (o, sofar) =>
      o.kind === 'call' &&
      o.field === 'minflt' &&
      (o.call.name === 'store' || o.call.name === 'mprotect') &&
      Number(o.older) > Number(o.newer) &&
      sofar.reachesProtected(o.call),
  },
  {
    id: 'what is populated is marked',
    kernels: ['linux-3'],
    source: '3.x §4.13, §4.16, §9.3',
    says: 'mlock and remap_file_pages fault pages in as a user would, and mark them accessed; unevictable ones stay referenced',
    fits: (o) => appears(o, 'referenced') && isOfFile(o) && (isLocked(o) || o.call.name === 'remap_file_pages'),
  },
  {
    id: 'unlocked before it is unmapped',
    kernels: ['linux-3'],
    source: '3.x §4.7, §9.3',
    says: 'munmap unlocks first: a page is evictable again when its young entry goes, and that use makes it active',
    fits: (o) => (vanishes(o, 'referenced') || appears(o, 'active')) && isOfFile(o) && UNMAPS.has(o.call.name),
  },
  {
    id: 'mremap of no pages',
    kernels: ['linux-2.4', 'linux-2.6', 'linux-3'],
    source: '3.x §4.11; mremap(2)',
    says: 'an old length of 0 is not refused for private mappings (4.14): it makes another region like the old one',
    fits: (o) => isAnswer(o) && o.call.name === 'mremap' && numberAt(o.call, 1) === 0,
    spreads: true,
  },
  {
    id: 'locked file pages are found by reclaim',
    kernels: ['linux-3'],
    source: '3.x §7.3, §8.6',
    says: 'a file page that is faulted into a locked region is not mlocked then, only by mlock itself, or when reclaim meets it',
    fits: (o) => vanishes(o, 'unevictable', 'mlocked') && isOfFile(o) && isLocked(o),
  },
  {
    id: 'no fault-around',
    kernels: ['linux-2.4', 'linux-2.6'],
    source: '2.4 §13; 2.6 §13; 3.x §19',
    says: 'a fault of a file maps one page: mapping the cached pages around it came with 3.15',
    fits: (o) => stateGoes(o, 'present', 'none') && isOfFile(o),
    spreads: true,
  },
];
