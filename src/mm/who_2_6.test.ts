import { expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { doMremap } from './mremap.ts';
import { MAP_NONBLOCK, MAP_SHARED, MREMAP_FIXED, MREMAP_MAYMOVE } from './uapi.ts';

const START = PAGE * 4096;

test('the way back of 2.6: tag bit, anon_vma, list, formula, and who is met in vain', () => {
  const s = new Space({ kernel: '2.6.24' });
  s.map(0, 4);
  s.storeAll(0, 4);
  const child = s.fork();
  s.store(2, child.mm!);
  const who = s.machine.whoMaps(s.pfn(2));
  const { id } = s.vma(0).anonVma!;
  expect(who.mapping).toEqual({ word: id * 4 + 1, anonBit: 1, kind: 'anon_vma', id, name: '' });
  expect([who.object, who.mapcount, who.parents]).toEqual(['a list of 2 VMAs', 1, []]);
  const index = `0x${(PAGE + 2).toString(16)}`;
  const start = `0x${START.toString(16)}`;
  expect(who.mappers.map((vma) => [vma.pid, vma.place, vma.formula])).toEqual([
    [
      100,
      'number 1 of 2 on the list',
      `${start} + ((${index} − 0x${PAGE.toString(16)}) << 12) = 0x${(START + 0x2000).toString(16)}`,
    ],
  ]);
  const copy = s.pfn(2, child.mm!);
  expect(who.inVain.map((vma) => [vma.pid, vma.place, vma.why])).toEqual([
    [child.pid, 'number 2 of 2 on the list', `maps frame ${copy}`],
  ]);
});

test('a VMA of the list that shows another part has no address: EFAULT', () => {
  const s = new Space({ kernel: '2.6.24' });
  s.map(0, 8);
  s.storeAll(0, 8);
  doMremap(s.machine, s.mm, START + 4 * 4096, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, START + 64 * 4096);
  const who = s.machine.whoMaps(s.pfn(1));
  expect(who.mappers.map((vma) => vma.address)).toEqual([START + 4096]);
  expect(who.inVain.map((vma) => [vma.start, vma.why])).toEqual([[START + 64 * 4096, 'not in this VMA (EFAULT)']]);
});

test('a page of a file: node, equals and nonlinear VMAs of its object', () => {
  const s = new Space({ kernel: '2.6.26' });
  const file = s.file('tmpfs', 16);
  s.map(0, 8, MAP_SHARED, RW, file, 0);
  s.map(16, 8, MAP_SHARED, RW, file, 4);
  s.load(6);
  const child = s.fork();
  s.map(32, 4, MAP_SHARED, RW, file, 0);
  for (const [page, pgoff] of [
    [32, 6],
    [33, 9],
  ] as const) {
    s.machine.generation.remapFilePages(s.machine, s.mm, START + page * 4096, 4096, 0, pgoff, MAP_NONBLOCK);
  }
  s.load(32);
  const who = s.machine.whoMaps(s.pfn(6));
  expect(who.mapping.kind).toBe('inode');
  expect(who.object).toBe('a priority search tree of 4 VMAs, and 1 on the nonlinear list');
  expect(who.mappers.map((vma) => [vma.address, vma.place])).toEqual([
    [START + 6 * 4096, 'a node of the tree, 1 below the root: radix 0, heap 7'],
    [START + 32 * 4096, 'on i_mmap_nonlinear, its cursor at page 0 of 4'],
  ]);
  expect(who.mappers[1]!.formula).toBe('none: nonlinear, so each of its 4 entries is looked at');
  expect(who.inVain.map((vma) => [vma.pid, vma.place])).toEqual([
    [100, 'a node of the tree, 0 below the root: radix 4, heap 11'],
    [child.pid, 'first of those that show the same as a node: radix 4, heap 11'],
    [child.pid, 'first of those that show the same as a node: radix 0, heap 7'],
  ]);
});

test('2.5: the page lists its entries, and nothing is met in vain', () => {
  const s = new Space({ kernel: '2.5.59' });
  s.map(0, 4);
  s.storeAll(0, 4);
  expect(s.machine.whoMaps(s.pfn(1)).mappers.map((vma) => vma.place)).toEqual(['the direct entry']);
  const child = s.fork();
  s.store(2, child.mm!);
  const who = s.machine.whoMaps(s.pfn(1));
  expect(who.mappers.map((vma) => vma.pid).sort()).toEqual([100, child.pid]);
  expect(who.mappers.every((vma) => vma.place === 'in block 1 of its chain')).toBe(true);
  expect(who.inVain).toEqual([]);
  expect(s.machine.whoMaps(s.pfn(2)).mappers.length).toBe(1);
});
