/** Who maps a page, in a kernel that does not know. */
import { expect, test } from 'vitest';
import { Space_2_4 } from '../../../test/space_2_4.ts';
import { MAP_SHARED } from '../uapi.ts';

test('the walk finds every entry of a page, in every address space, and says what it looked at', () => {
  const s = new Space_2_4();
  s.map(0, 3);
  s.map(1000, 2, MAP_SHARED, undefined, s.file('disk', 2));
  s.storeAll(0, 3);
  s.loadAll(1000, 2);
  const child = s.fork();
  const met: [number, number][] = [];
  const { work } = s.machine;
  const before = [work.mmsWalked, work.vmasVisited, work.ptesVisited];
  s.machine.rmap.walk(s.pfn(1), (vma, vpn) => {
    met.push([vma.vmMm.id, vpn]);
    return true;
  });
  expect(met).toEqual([
    [s.mm.id, s.vpn(1)],
    [child.mm!.id, s.vpn(1)],
  ]);
  // Two address spaces, two VMAs in each, five entries in each: whatever is looked for.
  expect([work.mmsWalked, work.vmasVisited, work.ptesVisited].map((n, i) => n - before[i]!)).toEqual([2, 4, 10]);
});

test('who: an anonymous page has no owner, and its mappers are found all the same', () => {
  const s = new Space_2_4();
  s.map(0, 1);
  s.store(0);
  const child = s.fork();
  const before = { ...s.machine.work };
  const who = s.machine.whoMaps(s.pfn(0));
  expect(who.mappers.map(({ pid }) => pid)).toEqual([s.task.pid, child.pid]);
  expect([who.mapping.kind, who.inVain.length, who.lru]).toEqual(['none', 0, 'inactive']);
  // Two address spaces, whose only tables are looked through to the end of each VMA; and nobody counts that as the kernel's work.
  expect([who.searched?.mms, who.searched?.vmas]).toEqual([2, 2]);
  expect(who.searched?.ptes).toBe(2 * s.vma(0).pages);
  expect(s.machine.work).toEqual(before);
  expect(who.structPage).toContain('count 2 flags 0x');
});

test('a VMA of 2.4 never has an anon_vma, and mremap may mix what came from anywhere', () => {
  const s = new Space_2_4();
  s.map(0, 4);
  s.storeAll(0, 4);
  expect(s.vma(0).anonVma).toBeNull();
  expect(s.vma(0).anonVmaChain).toHaveLength(0);
});
