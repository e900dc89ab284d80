import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { openInode } from './file.ts';
import { filemapRead } from './filemap.ts';
import { doMadvise } from './madvise.ts';
import { doMlock, doMunlock } from './mlock.ts';
import { doMunmap } from './mmap.ts';
import { MADV_FREE, MADV_PAGEOUT } from './uapi.ts';
import { NODE_STAT_NAMES, VM_EVENT_NAMES } from './vmstat.ts';

/** What changed, by the names of /proc/vmstat; which zone a page came from says nothing here. */
function changes(s: Space, act: () => void): Record<string, number> {
  const { events, nodes } = s.machine;
  const read = (): [string, number][] => [
    ...VM_EVENT_NAMES.map((name, i): [string, number] => [name.replace(/^pgalloc_.*/, 'pgalloc'), events[i]!]),
    ...NODE_STAT_NAMES.map((name, i): [string, number] => [name, nodes[0]!.stat[i]!]),
  ];
  s.machine.lru.drain();
  const before = read();
  act();
  s.machine.lru.drain();
  const changed: Record<string, number> = {};
  for (const [i, [name, value]] of read().entries()) {
    const more = value - before[i]![1];
    if (more !== 0) changed[name] = (changed[name] ?? 0) + more;
  }
  return changed;
}

const start = (s: Space): number => s.vpn(0) * 4096;
const pageout = (s: Space): number => doMadvise(s.machine, s.mm, start(s), 4096, MADV_PAGEOUT);
const NEW_ANON = { pgalloc: 1, pgfault: 1, nr_inactive_anon: 1, nr_anon_pages: 1 };

for (const { step, given = () => {}, act, want } of [
  { step: 'a load of untouched memory: the zero page', act: (s) => s.load(0), want: { pgfault: 1 } },
  { step: 'a store: a page of its own', act: (s) => s.store(0), want: NEW_ANON },
  { step: 'a store after a load', given: (s) => s.load(0), act: (s) => s.store(0), want: NEW_ANON },
  { step: 'a store once more', given: (s) => s.store(0), act: (s) => s.store(0), want: {} },
  {
    step: 'a store after fork: a copy',
    given: (s) => [s.store(0), s.fork()],
    act: (s) => s.store(0),
    want: NEW_ANON,
  },
  {
    step: 'a store when the child is gone: the same page',
    given: (s) => [s.store(0), s.exit(s.fork())],
    act: (s) => s.store(0),
    want: { pgfault: 1, pgreuse: 1 },
  },
  {
    step: 'munmap',
    given: (s) => s.store(0),
    act: (s) => doMunmap(s.machine, s.mm, start(s), 4096),
    want: { pgfree: 1, nr_inactive_anon: -1, nr_anon_pages: -1 },
  },
  {
    step: 'swapped out: no cache is left of it, the device is memory',
    given: (s) => s.store(0),
    act: pageout,
    want: {
      pgpgout: 4,
      pswpout: 1,
      pgfree: 1,
      nr_inactive_anon: -1,
      nr_anon_pages: -1,
      nr_vmscan_write: 1,
      nr_written: 1,
    },
  },
  {
    step: 'swapped in',
    given: (s) => [s.store(0), pageout(s)],
    act: (s) => s.load(0),
    want: { ...NEW_ANON, pgpgin: 4, pswpin: 1, pgmajfault: 1, workingset_refault_anon: 1 },
  },
  {
    step: 'mlock',
    given: (s) => s.store(0),
    act: (s) => doMlock(s.machine, s.mm, start(s), 4096, false),
    want: {
      unevictable_pgs_culled: 1,
      unevictable_pgs_mlocked: 1,
      nr_inactive_anon: -1,
      nr_unevictable: 1,
      nr_mlock: 1,
    },
  },
  {
    step: 'munlock',
    given: (s) => [s.store(0), doMlock(s.machine, s.mm, start(s), 4096, false)],
    act: (s) => doMunlock(s.machine, s.mm, start(s), 4096),
    want: {
      unevictable_pgs_rescued: 1,
      unevictable_pgs_munlocked: 1,
      nr_inactive_anon: 1,
      nr_unevictable: -1,
      nr_mlock: -1,
    },
  },
  {
    step: 'MADV_FREE',
    given: (s) => s.store(0),
    act: (s) => doMadvise(s.machine, s.mm, start(s), 4096, MADV_FREE),
    want: { pglazyfree: 1, nr_inactive_anon: -1, nr_inactive_file: 1 },
  },
] satisfies {
  step: string;
  given?: (s: Space) => unknown;
  act: (s: Space) => unknown;
  want: Record<string, number>;
}[]) {
  test(`[6.x vmstat per step] ${step}`, () => {
    const s = new Space({ swap: 'zram' });
    s.map(0, 8);
    s.store(7); // the page tables are there
    given(s);
    expect(changes(s, () => act(s))).toEqual(want);
  });
}

test('[6.x vmstat per step] a file is read by one, and by another', () => {
  const s = new Space();
  const { inode } = s.file('disk', 1);
  const read = (): unknown => filemapRead(s.machine, openInode(s.machine, inode, true, true, false), 0, 4096, null);
  expect(changes(s, read)).toMatchObject({ pgpgin: 4, nr_inactive_file: 1, nr_file_pages: 1 });
  expect(changes(s, read)).toEqual({ pgactivate: 1, nr_inactive_file: -1, nr_active_file: 1 });
  expect(changes(s, read)).toEqual({});
});
