import { expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { doMremap } from '../mm/mremap.ts';
import { PG_locked, PG_referenced } from '../mm/page_flags.ts';
import { PTE_DIRTY, PTE_YOUNG } from '../mm/page_table.ts';
import { addToSwap } from '../mm/swap/swap_state.ts';
import { MAP_PRIVATE, MAP_SHARED, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_EXEC, PROT_READ } from '../mm/uapi.ts';
import type { Pfn, Vaddr } from '../mm/units.ts';
import {
  kpageCount_2_6,
  kpageFlagsFaithful,
  kpageFlagsIntended,
  pagemapEntry_2_6,
  statm_2_6,
  status_2_6,
} from './linux_2_6.ts';
import { maps } from './maps.ts';
import { pagemap } from './pagemap.ts';
import { smaps } from './smaps.ts';

function world(kernel: '2.6.24' | '2.6.26'): Space {
  const s = new Space({ kernel, swap: 'zram' });
  s.map(0, 4);
  s.map(16, 4, MAP_SHARED, PROT_READ, s.file('disk', 8), 2);
  s.map(32, 2, MAP_PRIVATE, PROT_READ | PROT_EXEC, s.file('disk', 8), 0);
  s.storeAll(0, 3);
  s.loadAll(16, 2);
  return s;
}
/** As reclaim does it. */
function swapOut(s: Space, page: number): void {
  const pfn = s.pfn(page);
  s.machine.pageTables.clear(s.slot(page), PTE_YOUNG);
  s.machine.frames.set(pfn, PG_locked);
  expect(addToSwap(s.machine, pfn)).toBe(true);
  expect(s.machine.rmap.tryToUnmap(pfn)).toBe(true);
  s.machine.frames.clear(pfn, PG_locked);
}

test('maps: anonymous memory shows the offset at which it was first mapped', () => {
  const s = world('2.6.24');
  const move = MREMAP_MAYMOVE | MREMAP_FIXED;
  doMremap(s.machine, s.mm, PAGE * 4096, 4096, 4096, move, (PAGE + 64) * 4096);
  s.mm.startStack = ((PAGE + 64) * 4096 + 100) as Vaddr;
  const lines = maps(s.machine, s.mm).split('\n');
  expect(lines[0]).toBe('10000001000-10000004000 rw-p 10000001000 00:00 0 ');
  expect(lines[1]).toMatch(/^10000010000-10000014000 r--s 00002000 fe:00 \d+ +\/data$/);
  expect(lines[3]).toBe(`${'10000040000-10000041000 rw-p 10000000000 00:00 0 '.padEnd(73)}[stack]`);
});

for (const kernel of ['2.6.24', '2.6.26'] as const) {
  test(`smaps: lines of ${kernel}${kernel === '2.6.26' ? ', with Pss and Swap' : ''}`, () => {
    const s = world(kernel);
    const { frames, pageTables } = s.machine;
    s.fork();
    s.store(1);
    swapOut(s, 2);
    for (const page of [0, 1]) frames.clear(s.pfn(page), PG_referenced);
    pageTables.clear(s.slot(0), PTE_YOUNG);
    pageTables.clear(s.slot(1), PTE_DIRTY);
    const newer = kernel === '2.6.26';
    const want =
      `10000000000-10000004000 rw-p 10000000000 00:00 0 \n` +
      `Size:                 16 kB\nRss:                   8 kB\n${newer ? 'Pss:                   6 kB\n' : ''}` +
      `Shared_Clean:          0 kB\nShared_Dirty:          4 kB\nPrivate_Clean:         4 kB\nPrivate_Dirty:         0 kB\n` +
      `Referenced:            4 kB\n${newer ? 'Swap:                  4 kB\n' : ''}`;
    const text = smaps(s.machine, s.mm);
    expect(text.startsWith(want), text).toBe(true);
    expect(text.split('\n')[newer ? 10 : 8]).toMatch(/^10000010000-/);
  });
}

test('status and statm', () => {
  const s = world('2.6.24');
  s.mm.startCode = ((PAGE + 32) * 4096 + 16) as Vaddr;
  s.mm.endCode = ((PAGE + 33) * 4096 + 8) as Vaddr;
  const values = new Map(
    status_2_6(s.mm)
      .split('\n')
      .map((line) => line.split(':\t') as [string, string]),
  );
  const kib = (name: string): number => Number.parseInt(values.get(name)!, 10);
  expect(status_2_6(s.mm).split('\n')[1]).toBe('VmSize:\t      40 kB');
  expect(['VmSize', 'VmRSS', 'VmData', 'VmStk', 'VmExe', 'VmLib', 'VmPTE'].map(kib)).toEqual([40, 20, 16, 0, 8, 0, 4]);
  // size resident shared text lib data dirty
  expect(statm_2_6(s.mm)).toBe('10 5 2 2 0 4 0\n');
});

test('pagemap of 2.6.26: page shift in every entry', () => {
  const s = world('2.6.26');
  swapOut(s, 2);
  const shift = 12n << 55n;
  const entries = pagemap(s.machine, s.mm, s.vpn(0), 5);
  expect(entries[0]).toBe((1n << 63n) | shift | BigInt(s.pfn(0)));
  expect(entries[2]! >> 61n).toBe(2n);
  expect(entries[2]! & ((1n << 55n) - 1n)).toBe(BigInt(s.machine.pageTables.swapEntry(s.slot(2))) << 5n);
  expect([entries[3], entries[4]]).toEqual([shift, shift]);
  expect(pagemapEntry_2_6(s.machine, s.mm, s.vpn(5000))).toBe(shift);
});

test('[2.6 kpageflags] as 2.6.26 prints it, with its bug, and as it was meant', () => {
  const s = world('2.6.26');
  const { frames } = s.machine;
  s.machine.lru.drain();
  const pfn = s.pfn(16);
  frames.set(pfn, PG_locked);
  // locked, referenced, uptodate, lru.
  expect(kpageFlagsIntended(s.machine, pfn) & 0x2d).toBe(0x2d);
  // Bit 0 is never set, bits 1 to 7 are right.
  expect(kpageFlagsFaithful(s.machine, pfn)).toBe(kpageFlagsIntended(s.machine, pfn) & 0xfe);
  frames.clear(pfn, PG_locked);
  // A free page is in the buddy lists, which is printed nowhere; where it should be stands "reserved".
  let buddy = -1 as Pfn;
  let reserved = -1 as Pfn;
  for (let at = 0 as Pfn; at < frames.frames; at++) {
    if ((kpageFlagsIntended(s.machine, at) & (1 << 10)) !== 0) buddy = at;
    if ((kpageFlagsFaithful(s.machine, at) & (1 << 17)) !== 0) reserved = at;
  }
  expect([kpageFlagsFaithful(s.machine, buddy), kpageFlagsIntended(s.machine, reserved) & (1 << 10)]).toEqual([0, 0]);
  expect(reserved).toBeGreaterThanOrEqual(0);
  expect([kpageCount_2_6(s.machine, pfn), kpageCount_2_6(s.machine, buddy)]).toEqual([1, 0]);
  s.fork();
  expect([kpageCount_2_6(s.machine, s.pfn(0)), RW]).toEqual([2, 3]);
});
