import { expect, test } from 'vitest';
import { GFP_KERNEL } from './gfp.ts';
import { Machine } from './machine.ts';
import type { Pfn } from './units.ts';
import { NO_INDEX, PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK, XA_NONE, XArray, xaPage, xaValue } from './xarray.ts';

const newMachine = (): Machine => new Machine({ kernel: '6.1', ramBytes: 16 * 1024 * 1024 });
const page = xaPage(7 as Pfn);

for (const { why, indices, nodes } of [
  { why: 'an empty tree has no node', indices: [], nodes: 0 },
  { why: 'one entry at index 0 needs no node', indices: [0], nodes: 0 },
  { why: 'one entry elsewhere needs a leaf', indices: [5], nodes: 1 },
  { why: '64 pages fit in one leaf', indices: Array.from({ length: 64 }, (_, i) => i), nodes: 1 },
  { why: 'the 65th page takes a second leaf and a node above', indices: [0, 64], nodes: 3 },
  { why: 'a page far away takes a node of each level', indices: [64 * 64], nodes: 3 },
]) {
  test(`nodes: ${why}`, () => {
    const machine = newMachine();
    const array = new XArray(false);
    for (const index of indices) expect(array.store(machine, index, page, GFP_KERNEL)).toBe(0);
    expect(array.nodes).toBe(nodes);
    expect(machine.slab.caches.radix_tree_node.active).toBe(nodes);
    for (const index of indices) array.replace(machine, index, XA_NONE);
    expect([array.nodes, array.empty(), machine.slab.caches.radix_tree_node.active]).toEqual([0, true, 0]);
  });
}

/** Levels of nodes above an entry. */
function height(array: XArray): number {
  return array.head === null ? 0 : array.head.shift / 6 + 1;
}

for (const [index, want] of [
  [0, 0],
  [63, 1],
  [64, 2],
  [4095, 2],
  [4096, 3],
] as const) {
  test(`[2.6 radix height] of a file whose last page is ${index}: ${want}`, () => {
    const machine = new Machine({ kernel: '2.6.26', ramBytes: 16 * 1024 * 1024 });
    const array = new XArray(false);
    expect(array.store(machine, index, page, GFP_KERNEL)).toBe(0);
    expect([height(array), array.load(index)]).toEqual([want, page]);
  });
}

test('levels that only index 0 needs go with the last page behind', () => {
  const machine = newMachine();
  const array = new XArray(false);
  array.store(machine, 0, page, GFP_KERNEL);
  array.store(machine, 5000, page, GFP_KERNEL);
  array.replace(machine, 5000, XA_NONE);
  expect([array.nodes, array.load(0)]).toEqual([0, page]);
});

test('a random tree finds what a map finds, upwards and by mark', () => {
  const machine = newMachine();
  const array = new XArray(false);
  const model = new Map<number, { entry: number; dirty: boolean }>();
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let step = 0; step < 3000; step++) {
    const index = random(4) === 0 ? random(100_000) : random(300);
    const what = random(4);
    if (what === 0 && model.has(index)) {
      array.replace(machine, index, XA_NONE);
      model.delete(index);
    } else if (what === 1 && model.has(index)) {
      array.setMark(index, PAGECACHE_TAG_DIRTY);
      model.get(index)!.dirty = true;
    } else {
      const entry = random(3) === 0 ? xaValue(1 + random(1000)) : xaPage(random(1000) as Pfn);
      array.store(machine, index, entry, GFP_KERNEL);
      model.set(index, { entry, dirty: false });
    }
    const from = random(100_000);
    const sorted = [...model.keys()].filter((i) => i >= from).sort((a, b) => a - b);
    expect(array.find(from, 200_000)).toBe(sorted[0] ?? NO_INDEX);
    expect(array.findMarked(from, 200_000, PAGECACHE_TAG_DIRTY)).toBe(
      sorted.find((i) => model.get(i)!.dirty) ?? NO_INDEX,
    );
    expect(array.load(index)).toBe(model.get(index)?.entry ?? XA_NONE);
  }
  expect(array.values).toBe([...model.values()].filter(({ entry }) => entry < 0).length);
  for (const index of [...model.keys()]) array.replace(machine, index, XA_NONE);
  expect([array.nodes, array.marked(PAGECACHE_TAG_DIRTY)]).toEqual([0, false]);
});

test('a store takes the marks away', () => {
  const machine = newMachine();
  const array = new XArray(false);
  array.store(machine, 3, page, GFP_KERNEL);
  array.setMark(3, PAGECACHE_TAG_WRITEBACK);
  array.replace(machine, 3, xaValue(9));
  expect([array.getMark(3, PAGECACHE_TAG_WRITEBACK), array.marked(PAGECACHE_TAG_WRITEBACK)]).toEqual([false, false]);
});

for (const { why, from, scan, next, prev } of [
  { why: 'inside a run of 4..9', from: 6, scan: 10, next: 10, prev: 3 },
  { why: 'a scan that ends in the run says where it ended', from: 6, scan: 2, next: 7, prev: 5 },
  { why: 'a page that is missing is its own answer', from: 20, scan: 5, next: 20, prev: 20 },
  { why: 'the run at the beginning ends at -1', from: 1, scan: 8, next: 2, prev: -1 },
]) {
  test(`misses: ${why}`, () => {
    const machine = newMachine();
    const array = new XArray(false);
    for (const index of [0, 1, 4, 5, 6, 7, 8, 9]) array.store(machine, index, page, GFP_KERNEL);
    expect([array.nextMiss(from, scan), array.prevMiss(from, scan)]).toEqual([next, prev]);
  });
}

test('a leaf with only shadows is on the list, and the shrinker takes what is too much', () => {
  const machine = newMachine();
  const array = new XArray(true);
  for (let i = 0; i < 4; i++) array.store(machine, i * 64 + 1, page, GFP_KERNEL);
  for (let i = 0; i < 4; i++) array.replace(machine, i * 64 + 1, xaValue(1));
  expect(machine.shadowNodes.length(machine.rootMemcg)).toBe(4);
  expect(machine.shadowNodes.count(machine, 0, machine.rootMemcg)).toBe(4);
  expect(machine.shadowNodes.scan(machine, 0, machine.rootMemcg, 3)).toBe(3);
  expect([array.values, array.find(0, 1000), machine.shadowNodes.length(machine.rootMemcg)]).toEqual([1, 193, 1]);
  array.store(machine, 193, page, GFP_KERNEL);
  expect(machine.shadowNodes.length(machine.rootMemcg)).toBe(0);
});
