/** What a program sees of switches that old kernels and 6.1 answer otherwise: each is asked in every kernel. */
import { expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../../test/space.ts';
import { ENOMEM } from '../errno.ts';
import { putFile } from '../file.ts';
import { __GFP_COLD, __GFP_NORETRY } from '../gfp.ts';
import { doMadvise } from '../madvise.ts';
import { doMlock } from '../mlock.ts';
import { doBrk, doMmap } from '../mmap.ts';
import { doMprotect } from '../mprotect.ts';
import { doMremap } from '../mremap.ts';
import { doMunmap } from '../munmap.ts';
import { PG_active, PG_lru, PG_referenced } from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { pageCacheSyncRa } from '../readahead.ts';
import { swapoff, swapon } from '../swap/swapfile.ts';
import {
  MADV_COLD,
  MADV_FREE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
} from '../uapi.ts';
import type { Pgoff, Vaddr } from '../units.ts';
import { verify } from '../verify.ts';
import { PGPGOUT } from '../vmstat.ts';
import { GENERATIONS } from './index.ts';

interface Question {
  readonly asks: string;
  readonly ask: (s: Space) => unknown;
  /** By kernel, oldest first: 2.4.18, 2.4.19, 2.5.59, 2.6.24, 2.6.26, 3.16, 6.1, 6.18. */
  readonly answers: readonly unknown[];
}

const same = (two: unknown, three: unknown, six: unknown): unknown[] => [two, two, two, two, two, three, six, six];
const at = (page: number): number => (PAGE + page) * 4096;

/** Of a page that was shared and young when its only entry went: is it referenced, is it active? */
function afterUnmapping(s: Space): string {
  s.map(0, 1, MAP_SHARED, RW, s.file('tmpfs', 1));
  s.store(0);
  const { machine } = s;
  machine.lru.drain();
  const pfn = s.pfn(0);
  if (machine.frames.has(pfn, PG_active)) machine.lru.deactivate(pfn);
  machine.lru.drain();
  machine.frames.clear(pfn, PG_referenced | PG_active);
  expect(s.pte(0, PTE_YOUNG)).toBe(true);
  const { frames } = machine;
  const marked: number[] = [];
  const { markAccessed } = machine.lru;
  machine.lru.markAccessed = (page) => void marked.push(page);
  doMunmap(machine, s.mm, at(0), 4096);
  machine.lru.markAccessed = markAccessed;
  if (marked.length > 0) return 'accessed';
  return frames.has(pfn, PG_referenced) ? 'referenced' : 'lost';
}

/** Three VMAs, of which the second becomes like the third: which of the two objects stays? */
function survivor(s: Space): string {
  s.map(0, 8, MAP_PRIVATE, PROT_READ);
  doMprotect(s.machine, s.mm, at(0), 4 * 4096, PROT_READ | PROT_EXEC);
  doMprotect(s.machine, s.mm, at(4), 2 * 4096, 0);
  const [middle, next] = [s.vma(4), s.vma(6)];
  doMprotect(s.machine, s.mm, at(4), 2 * 4096, PROT_READ);
  expect(s.vma(4)).toBe(s.vma(6));
  return s.vma(4) === middle ? 'middle' : s.vma(4) === next ? 'next' : 'neither';
}

/** gfp bits and PF_MEMALLOC_NOFS that readahead allocates with. */
function readaheadAsks(s: Space): string {
  const file = s.file('disk', 8);
  const { physical, current } = s.machine;
  const seen = new Set<string>();
  const { allocPages } = physical;
  physical.allocPages = (gfp, order) => {
    const words = [
      (gfp & __GFP_COLD) !== 0 && 'cold',
      (gfp & __GFP_NORETRY) !== 0 && 'noretry',
      current.nofs && 'nofs',
    ];
    if (order === 0) seen.add(words.filter((word) => word !== false).join(' '));
    return allocPages.call(physical, gfp, order);
  };
  pageCacheSyncRa(s.machine, file, 0 as Pgoff, 4);
  physical.allocPages = allocPages;
  return [...seen].at(-1) ?? '';
}

const QUESTIONS: readonly Question[] = [
  {
    asks: 'mremap of no pages of a private mapping',
    ask: (s) => {
      s.map(0, 2);
      return doMremap(s.machine, s.mm, at(0), 0, 4096, MREMAP_MAYMOVE, 0) >= 0;
    },
    answers: same(true, true, false),
  },
  {
    asks: 'RLIMIT_DATA and a private mapping',
    ask: (s) => {
      s.mm.rlimitData = 4096;
      return doMmap(s.machine, s.mm, at(0), 4 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0) >= 0;
    },
    answers: same(true, true, false),
  },
  {
    asks: 'mlock of what is locked already, at the limit',
    ask: (s) => {
      s.map(0, 4);
      s.mm.rlimitMemlock = 4 * 4096;
      expect(doMlock(s.machine, s.mm, at(0), 4 * 4096, false)).toBe(0);
      return doMlock(s.machine, s.mm, at(0), 4 * 4096, false);
    },
    answers: same(-ENOMEM, -ENOMEM, 0),
  },
  {
    asks: 'mlock empties the batches of the CPU',
    ask: (s) => {
      s.map(0, 2);
      s.store(0);
      doMlock(s.machine, s.mm, at(1), 4096, false);
      return s.machine.frames.has(s.pfn(0), PG_lru);
    },
    // 2.4 has none.
    answers: [true, true, false, false, false, true, true, true],
  },
  {
    asks: 'a stack grows down to the page above a mapping',
    ask: (s) => {
      s.map(0, 1);
      s.map(8, 1, MAP_PRIVATE | MAP_GROWSDOWN);
      return s.store(1) === 0;
    },
    answers: same(true, false, false),
  },
  {
    asks: 'brk up to the page below a stack',
    ask: (s) => {
      s.mm.startBrk = at(0) as Vaddr;
      s.mm.brk = at(0) as Vaddr;
      s.map(8, 1, MAP_PRIVATE | MAP_GROWSDOWN);
      return doBrk(s.machine, s.mm, at(7)) === at(7);
    },
    answers: same(true, true, false),
  },
  {
    asks: 'a young entry goes',
    ask: afterUnmapping,
    answers: ['lost', 'lost', ...Array(3).fill('referenced'), ...Array(3).fill('accessed')],
  },
  { asks: 'two VMAs become one', ask: survivor, answers: same('middle', 'middle', 'next') },
  {
    asks: 'how readahead allocates',
    ask: readaheadAsks,
    answers: ['', '', 'cold', 'cold', 'cold', 'cold noretry', 'noretry nofs', 'noretry nofs'],
  },
  {
    asks: 'the first swap area without a priority',
    ask: (s) => {
      swapon(s.machine, { bytes: 2 ** 20, device: 'zram' });
      return s.machine.swap.areas[0]?.prio;
    },
    answers: same(-1, -1, -2),
  },
  {
    asks: 'swap to memory counts as I/O',
    ask: (s) => {
      swapon(s.machine, { bytes: 2 ** 24, device: 'zram' });
      s.map(0, 6000);
      s.storeAll(0, 5000);
      return s.machine.events[PGPGOUT]! > 0;
    },
    answers: [true, true, true, true, true, true, false, true],
  },
  {
    asks: 'swapoff activates what it brings back',
    ask: (s) => {
      swapon(s.machine, { bytes: 2 ** 24, device: 'zram' });
      s.map(0, 6000);
      s.storeAll(0, 5000);
      let page = 0;
      while (!s.machine.pageTables.isSwap(s.slot(page))) page += 1;
      doMunmap(s.machine, s.mm, at(2000), 4000 * 4096);
      expect(swapoff(s.machine, 0)).toBe(0);
      s.machine.lru.drain();
      return s.machine.frames.has(s.pfn(page), PG_active);
    },
    answers: [false, false, true, true, true, true, false, false],
  },
  {
    asks: 'the inode of a closed file with pages waits for a shrinker',
    ask: (s) => {
      const file = s.file('disk', 4);
      pageCacheSyncRa(s.machine, file, 0 as Pgoff, 4);
      const before = s.machine.vfs.unusedInodes();
      putFile(s.machine, file);
      for (let i = 0; i < 8; i++) s.machine.vfs.pruneDentries(s.machine, 100);
      return s.machine.vfs.unusedInodes() > before;
    },
    answers: same(true, true, false),
  },
  {
    asks: 'advice that came after 3.16 is known',
    ask: (s) => {
      s.map(0, 1);
      return [MADV_FREE, MADV_COLD].map((advice) => doMadvise(s.machine, s.mm, at(0), 4096, advice) === 0);
    },
    answers: same([false, false], [false, false], [true, true]),
  },
];

const OLDEST_FIRST = [...GENERATIONS].reverse().map(({ version }) => version);

for (const { asks, ask, answers } of QUESTIONS) {
  test(asks, () => {
    const got = OLDEST_FIRST.map((kernel) => {
      const s = new Space({ kernel });
      const answer = ask(s);
      expect(verify(s.machine), kernel).toEqual([]);
      return answer;
    });
    expect(got).toEqual(answers);
  });
}
