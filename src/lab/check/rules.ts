/**
 * Why older kernels show something else than 6.x: the rules.
 *
 * Owns      the rules that hold for several generations: calls, advice and flags that came later. Those of one generation:
 *           rules_2_4.ts, rules_2_6.ts, rules_3.ts.
 * Promises  A rule names a field and a reason for it: the call, its flags, the kind of page. None fits `any difference`.
 */
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MADV_UNMERGEABLE,
  MADV_WIPEONFORK,
  MAP_DROPPABLE,
  MAP_FIXED_NOREPLACE,
  MAP_POPULATE,
  MAP_SHARED_VALIDATE,
  MAP_TYPE,
  MCL_ONFAULT,
  MREMAP_DONTUNMAP,
} from '../../mm/uapi.ts';
import type { MmpCall } from '../../syscalls/mmp.ts';
import { FALLOC_FL_INSERT_RANGE } from '../../syscalls/uapi.ts';
import { numberAt, type Rule } from './explain.ts';
import { RULES_2_4 } from './rules_2_4.ts';
import { RULES_2_6 } from './rules_2_6.ts';
import { RULES_3 } from './rules_3.ts';

const OLD = ['linux-2.4', 'linux-2.6', 'linux-3'];
const BEFORE_3 = ['linux-2.4', 'linux-2.6'];
/** Advice that came after 3.16, and what came between 2.6.26 and 3.16. */
const AFTER_3 = [
  MADV_FREE,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_WIPEONFORK,
  MADV_KEEPONFORK,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_DONTNEED_LOCKED,
  MADV_COLLAPSE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
];
const AFTER_2_6 = [MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP];

const COMMON_RULES: readonly Rule[] = [
  {
    id: 'advice after 3.16',
    kernels: OLD,
    source: '3.x §4.12',
    says: 'madvise knows no FREE, COLD, PAGEOUT, WIPEONFORK, nor what came after them: EINVAL, and nothing happens',
    calls: (call) => advises(call, ...AFTER_3),
  },
  {
    id: 'advice of 3.x',
    kernels: BEFORE_3,
    source: '3.x §14, §19',
    says: 'KSM, huge pages (2.6.38) and DONTDUMP came after 2.6.26: their advice is EINVAL',
    calls: (call) => advises(call, ...AFTER_2_6),
  },
  {
    id: 'no mlock2',
    kernels: OLD,
    source: '3.x §4.13',
    says: 'there is no mlock2, and mlockall knows CURRENT and FUTURE only',
    calls: (call) => call.name === 'mlock2' || (call.name === 'mlockall' && (numberAt(call, 0) & MCL_ONFAULT) !== 0),
  },
  {
    id: 'no memfd',
    kernels: OLD,
    source: 'memfd_create(2)',
    says: 'memfd_create came with 3.17: ENOSYS, and what is done with its descriptor is EBADF',
    calls: (call) => call.name === 'memfd_create',
  },
  {
    id: 'fallocate of its time',
    kernels: ['linux-2.6'],
    source: 'fallocate(2)',
    says: 'tmpfs does not allocate (3.5), and no file system punches holes (2.6.38), collapses or zeroes ranges: EOPNOTSUPP',
    calls: (call) => call.name === 'fallocate',
  },
  {
    id: 'no INSERT_RANGE',
    kernels: ['linux-3'],
    source: 'fallocate(2)',
    says: 'FALLOC_FL_INSERT_RANGE came with 4.1: EOPNOTSUPP',
    calls: (call) => call.name === 'fallocate' && (numberAt(call, 1) & FALLOC_FL_INSERT_RANGE) !== 0,
  },
  {
    id: 'calls of 2.5 and 2.6',
    kernels: ['linux-2.4'],
    source: '2.4 §13, §20; man pages',
    says: 'no remap_file_pages (there are no nonlinear mappings), no fadvise64, no fallocate: ENOSYS',
    calls: (call) => call.name === 'remap_file_pages' || call.name === 'fadvise64' || call.name === 'fallocate',
  },
  {
    id: 'advice of 2.6',
    kernels: ['linux-2.4'],
    source: '2.4 §20',
    says: 'madvise knows NORMAL, SEQUENTIAL, RANDOM, WILLNEED and DONTNEED: REMOVE, DONTFORK and DOFORK are EINVAL',
    calls: (call) => advises(call, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK),
  },
  {
    id: 'no POPULATE',
    kernels: ['linux-2.4'],
    source: '2.4 §11; mmap(2)',
    says: 'mmap faults in what VM_LOCKED asks for and nothing else: MAP_POPULATE (2.5.46) is ignored',
    calls: (call) => call.name === 'mmap' && (numberAt(call, 3) & MAP_POPULATE) !== 0,
  },
  {
    id: 'no DONTUNMAP',
    kernels: OLD,
    source: '3.x §4.11, 6.x §4.11',
    says: 'mremap knows MAYMOVE and FIXED; DONTUNMAP came with 5.7 and is EINVAL before',
    calls: (call) => call.name === 'mremap' && (numberAt(call, 3) & MREMAP_DONTUNMAP) !== 0,
  },
  {
    id: 'no FIXED_NOREPLACE',
    kernels: OLD,
    source: '6.x §4.3, mmap(2)',
    says: 'MAP_FIXED_NOREPLACE came with 4.17; before, the flag is ignored and the address is a hint',
    calls: (call) => call.name === 'mmap' && (numberAt(call, 3) & MAP_FIXED_NOREPLACE) !== 0,
  },
  {
    id: 'no such type',
    kernels: OLD,
    source: '6.x §4.4, mmap(2)',
    says: 'a mapping is MAP_SHARED or MAP_PRIVATE: SHARED_VALIDATE (4.15) and DROPPABLE (6.11) are EINVAL',
    calls: (call) =>
      call.name === 'mmap' && [MAP_SHARED_VALIDATE, MAP_DROPPABLE].includes(numberAt(call, 3) & MAP_TYPE),
  },
];

export const RULES: readonly Rule[] = [...COMMON_RULES, ...RULES_3, ...RULES_2_6, ...RULES_2_4];

function advises(call: MmpCall, ...advice: number[]): boolean {
  return call.name === 'madvise' && advice.includes(numberAt(call, 2));
}
