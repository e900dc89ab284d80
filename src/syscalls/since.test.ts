/** What older kernels do not have. */
import { expect, test } from 'vitest';
import { EINVAL, ENOSYS, EOPNOTSUPP } from '../mm/errno.ts';
import {
  MAP_DROPPABLE,
  MAP_FIXED_NOREPLACE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED_VALIDATE,
  MCL_ONFAULT,
  MREMAP_DONTUNMAP,
  MREMAP_MAYMOVE,
} from '../mm/uapi.ts';
import { Since } from './since.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from './uapi.ts';

for (const { why, kernel, ask, want } of [
  { why: 'memfd_create came with 3.17', kernel: '3.16', ask: (s: Since) => s.call('memfd_create'), want: -ENOSYS },
  { why: 'mlock2 came with 4.4', kernel: '3.16', ask: (s: Since) => s.call('mlock2'), want: -ENOSYS },
  { why: '2.4 has no fadvise64', kernel: '2.4.19', ask: (s: Since) => s.call('fadvise64'), want: -ENOSYS },
  { why: '2.6 has it', kernel: '2.6.24', ask: (s: Since) => s.call('fadvise64'), want: 0 },
  { why: 'a call that was always there', kernel: '2.4.18', ask: (s: Since) => s.call('munmap'), want: 0 },
  {
    why: 'MREMAP_DONTUNMAP came with 5.7',
    kernel: '3.16',
    ask: (s: Since) => s.mremapFlags(MREMAP_DONTUNMAP),
    want: -EINVAL,
  },
  {
    why: 'MREMAP_MAYMOVE was always there',
    kernel: '2.4.18',
    ask: (s: Since) => s.mremapFlags(MREMAP_MAYMOVE),
    want: 0,
  },
  {
    why: 'MCL_ONFAULT came with 4.4',
    kernel: '2.6.26',
    ask: (s: Since) => s.mlockallFlags(MCL_ONFAULT),
    want: -EINVAL,
  },
  {
    why: 'an unknown flag of mmap is ignored',
    kernel: '2.4.19',
    ask: (s: Since) => s.mapFlags(MAP_PRIVATE | MAP_POPULATE | MAP_FIXED_NOREPLACE),
    want: MAP_PRIVATE,
  },
  { why: 'an unknown type is not', kernel: '3.16', ask: (s: Since) => s.mapType(MAP_SHARED_VALIDATE), want: -EINVAL },
  { why: '6.1 does not know MAP_DROPPABLE', kernel: '6.1', ask: (s: Since) => s.mapType(MAP_DROPPABLE), want: -EINVAL },
  { why: '2.4 has no fallocate', kernel: '2.4.19', ask: (s: Since) => s.fallocate(0, false), want: -ENOSYS },
  { why: 'tmpfs allocates since 3.5', kernel: '2.6.26', ask: (s: Since) => s.fallocate(0, true), want: -EOPNOTSUPP },
  {
    why: 'holes are punched since 2.6.38',
    kernel: '2.6.26',
    ask: (s: Since) => s.fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, false),
    want: -EOPNOTSUPP,
  },
  {
    why: '3.16 punches them',
    kernel: '3.16',
    ask: (s: Since) => s.fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, true),
    want: 0,
  },
]) {
  test(`${kernel}: ${why}`, () => expect(ask(new Since(kernel))).toBe(want));
}
