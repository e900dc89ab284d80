import { describe, expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import type { Machine } from '../machine.ts';
import { PG_locked, PG_referenced } from '../page_flags.ts';
import { PTE_SWAP, PTE_YOUNG } from '../page_table.ts';
import { addToSwap } from '../swap/swap_state.ts';
import type { Task } from '../task.ts';
import type { Pfn } from '../units.ts';
import { verify } from '../verify.ts';
import { CHAIN_P3, CHAIN_P4, CHAIN_SINGLE, type ChainLayout, entriesPerBlock, PteChainRmap } from './pte_chain.ts';
import { SWAP_SUCCESS } from './swap_verdict.ts';

function space(layout: ChainLayout = CHAIN_P3): Space {
  const s = new Space({ kernel: '2.5.59', swap: 'zram', ramBytes: 64 * 2 ** 20 });
  (s.machine as { rmap: Machine['rmap'] }).rmap = new PteChainRmap(s.machine, layout);
  return s;
}
/** How try_to_unmap ends. */
function unmapped(s: Space, pfn: Pfn): number | undefined {
  s.machine.rmap.tryToUnmap(pfn);
  return s.machine.rmap.unmapResult;
}
function rmapOf(s: Space): PteChainRmap {
  return s.machine.rmap as PteChainRmap;
}
/** One page, mapped by so many processes; the children in the order of their forks. */
function shared(s: Space, mappings: number): Task[] {
  s.map(0, 1);
  s.store(0);
  return Array.from({ length: mappings - 1 }, () => s.fork());
}

test('entries of a block: a cache line less the pointer to the next', () => {
  expect([CHAIN_P3, CHAIN_P4, CHAIN_SINGLE].map(entriesPerBlock)).toEqual([7, 31, 1]);
});

for (const { layout, mappings, bytes } of [
  { layout: CHAIN_P3, mappings: 1, bytes: 0 },
  { layout: CHAIN_P3, mappings: 2, bytes: 32 },
  { layout: CHAIN_P3, mappings: 7, bytes: 32 },
  { layout: CHAIN_P3, mappings: 8, bytes: 64 },
  { layout: CHAIN_P3, mappings: 100, bytes: 15 * 32 },
  { layout: CHAIN_P4, mappings: 31, bytes: 128 },
  { layout: CHAIN_P4, mappings: 100, bytes: 4 * 128 },
  { layout: CHAIN_SINGLE, mappings: 100, bytes: 800 },
]) {
  test(`${mappings} mappings in blocks of ${layout.cacheLineBytes} bytes take ${bytes} bytes`, () => {
    const s = space(layout);
    shared(s, mappings);
    expect([s.machine.frames.mapcount(s.pfn(0)), rmapOf(s).chainBytes]).toEqual([mappings, bytes]);
    expect(rmapOf(s).verify()).toEqual([]);
  });
}

test('a walk meets the entries that map the page and nothing else; whoever has a copy is not met', () => {
  const s = space();
  const children = shared(s, 20);
  for (const child of children.slice(0, 10)) s.store(0, child.mm!);
  const { work } = s.machine;
  const before = { ...work };
  s.machine.rmap.pageReferenced(s.pfn(0), true, null);
  expect([work.ptesVisited - before.ptesVisited, work.vmasVisited - before.vmasVisited]).toEqual([10, 0]);
  // Ten entries in blocks of seven.
  expect(work.chainsMet - before.chainsMet).toBe(2);
  s.machine.rmap.pageReferenced(s.pfn(0, children[0]!.mm!), true, null);
  expect(work.ptesVisited - before.ptesVisited).toBe(11);
});

test('whoever leaves is replaced by one from the head; the last one is direct again when somebody asks', () => {
  const s = space();
  const children = shared(s, 9);
  expect(rmapOf(s).blocks).toBe(2);
  s.exit(children[0]!);
  expect([rmapOf(s).blocks, rmapOf(s).verify()]).toEqual([2, []]);
  s.exit(children[5]!);
  expect([rmapOf(s).blocks, rmapOf(s).verify()]).toEqual([1, []]);
  for (const at of [1, 2, 3, 4, 6, 7]) s.exit(children[at]!);
  expect([s.machine.frames.mapcount(s.pfn(0)), rmapOf(s).blocks]).toEqual([1, 1]);
  s.machine.rmap.pageReferenced(s.pfn(0), true, null);
  expect(rmapOf(s).blocks).toBe(0);
  expect(verify(s.machine)).toEqual([]);
});

describe('uses of the chain', () => {
  test('page_referenced counts young entries and clears them', () => {
    const s = space();
    const children = shared(s, 5);
    const pfn = s.pfn(0);
    s.machine.frames.clear(pfn, PG_referenced);
    s.machine.rmap.pageReferenced(pfn, true, null);
    for (const child of children.slice(0, 3)) s.load(0, child.mm!);
    expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(3);
    expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(0);
  });

  test('try_to_unmap takes it out of every table, young or not', () => {
    const s = space();
    const children = shared(s, 9);
    const pfn = s.pfn(0);
    s.machine.frames.set(pfn, PG_locked);
    addToSwap(s.machine, pfn);
    s.load(0);
    expect(s.pte(0, PTE_YOUNG)).toBe(true);
    expect(unmapped(s, pfn)).toBe(SWAP_SUCCESS);
    s.machine.frames.clear(pfn, PG_locked);
    for (const mm of [s.mm, ...children.map((child) => child.mm!)]) expect(s.pte(0, PTE_SWAP, mm)).toBe(true);
    expect([rmapOf(s).blocks, rmapOf(s).chainBytes]).toEqual([0, 0]);
    expect(verify(s.machine)).toEqual([]);
  });
});
