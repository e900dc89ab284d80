import { expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { GFP_KERNEL } from '../gfp.ts';
import { PG_active, PG_locked, PG_mlocked } from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { ACTIVATED } from '../reclaim/shrink_page_list_3.ts';
import { addToSwap } from '../swap/swap_state.ts';
import { swapCount } from '../swap/swapfile.ts';
import type { Task } from '../task.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_READ } from '../uapi.ts';
import type { Pfn, SwapEntry } from '../units.ts';
import { verify } from '../verify.ts';
import { VM_LOCKED, VM_SEQ_READ } from '../vm_flags.ts';
import type { AnonVma } from './anon_vma.ts';
import { SWAP_FAIL, SWAP_MLOCK, SWAP_SUCCESS } from './swap_verdict.ts';

function space(config = {}): Space {
  return new Space({ kernel: '3.16', ...config });
}

/** A chain of forks: each process the child of the one before. */
function descend(s: Space, depth: number): Task[] {
  const tasks: Task[] = [];
  let { mm } = s;
  for (let i = 0; i < depth; i++) {
    const task = s.fork(mm);
    tasks.push(task);
    mm = task.mm!;
  }
  return tasks;
}

function toSwapCache(s: Space, pfn: Pfn): SwapEntry {
  s.machine.lru.drain();
  s.machine.frames.set(pfn, PG_locked);
  addToSwap(s.machine, pfn);
  return s.machine.frames.private_(pfn) as SwapEntry;
}

function age(s: Space, page: number, tasks: Task[]): void {
  for (const mm of [s.mm, ...tasks.map((task) => task.mm!)]) {
    if (s.pte(page, PTE_YOUNG, mm)) s.machine.pageTables.clear(s.slot(page, mm), PTE_YOUNG);
  }
}

test('[3.x anon_vma chains] after n forks in a row the last VMA has a chain of n + 1, to n + 1 anon_vmas under one root', () => {
  const s = space();
  s.map(0, 4);
  s.store(0);
  const tasks = descend(s, 5);
  const seen = new Set<AnonVma>();
  tasks.forEach((task, i) => {
    const vma = s.vma(0, task.mm!);
    expect(vma.anonVmaChain).toHaveLength(i + 2);
    for (const { anonVma } of vma.anonVmaChain) {
      seen.add(anonVma);
      expect(anonVma.root).toBe(s.vma(0).anonVma);
    }
  });
  // One for each process; the root counts those of its tree.
  expect(seen.size).toBe(6);
  expect(s.vma(0).anonVma!.refcount).toBe(1 + 5);
  for (const task of tasks) s.exit(task);
  expect(s.vma(0).anonVma!.refcount).toBe(1);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x anon_vma chains] parents that are gone leave their anon_vmas: nothing is used again', () => {
  const s = space();
  s.map(0, 4);
  s.store(0);
  const [child] = descend(s, 1);
  const [grandchild] = [s.fork(child!.mm!)];
  s.exit(child!);
  expect(s.vma(0, grandchild.mm!).anonVmaChain).toHaveLength(3);
  const idle = s.vma(0, grandchild.mm!).anonVmaChain[1]!.anonVma;
  expect(idle.numActiveVmas).toBe(0);
  const late = s.fork(grandchild.mm!);
  expect(s.vma(0, late.mm!).anonVma).not.toBe(idle);
  expect(s.vma(0, late.mm!).anonVmaChain).toHaveLength(4);
});

test('[3.x rmap walk] a page that k of m VMAs map: the walk visits m and unmaps k', () => {
  const s = space({ swap: 'zram' });
  s.map(0, 2);
  s.store(0);
  const tasks = descend(s, 4);
  // Two of the children write, and have pages of their own.
  for (const task of tasks.slice(0, 2)) {
    s.machine.current = task;
    s.store(0, task.mm!);
  }
  s.machine.current = s.task;
  const pfn = s.pfn(0);
  expect(s.machine.frames.mapcount(pfn)).toBe(3);
  const entry = toSwapCache(s, pfn);
  age(s, 0, tasks);
  const { work } = s.machine;
  const before = { ...work };
  s.machine.rmap.pageReferenced(pfn, true, null);
  // Three are met, and then the walk knows that it has them all; perhaps it meets the other two before.
  expect(work.anonVmasMet - before.anonVmasMet).toBe(1);
  expect(work.vmasVisited - before.vmasVisited).toBeGreaterThanOrEqual(3);
  const { vmasVisited, chainsMet } = work;
  s.machine.rmap.tryToUnmap(pfn);
  expect(s.machine.frames.mapcount(pfn)).toBe(0);
  expect(work.vmasVisited - vmasVisited).toBe(5);
  expect(work.chainsMet - chainsMet).toBe(5);
  expect(swapCount(s.machine, entry)).toBe(3);
  s.machine.frames.clear(pfn, PG_locked);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x page_referenced] young bits are cleared and counted by VMA, but not of a sequential one; a locked VMA is told', () => {
  const s = space();
  const file = s.file('disk', 1);
  s.map(0, 1, MAP_SHARED, PROT_READ, file);
  s.load(0);
  const children = [s.fork(), s.fork(), s.fork()];
  for (const { mm } of children) s.load(0, mm!);
  const pfn = s.pfn(0);
  s.vma(0, children[0]!.mm!).vmFlags |= VM_SEQ_READ;
  const { rmap } = s.machine;
  s.machine.frames.set(pfn, PG_locked);
  expect(rmap.pageReferenced(pfn, true, null)).toBe(3);
  expect([s.mm, ...children.map((c) => c.mm!)].map((mm) => s.pte(0, PTE_YOUNG, mm))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect(rmap.pageReferenced(pfn, true, null)).toBe(0);
  // Not locked by who asks, and locked by somebody else: it may be in use.
  expect(rmap.pageReferenced(pfn, false, null)).toBe(1);
  s.vma(0).vmFlags |= VM_LOCKED;
  s.load(0);
  rmap.pageReferenced(pfn, true, null);
  expect(rmap.referencedVmFlags & VM_LOCKED).toBe(VM_LOCKED);
  expect(s.machine.frames.has(pfn, PG_mlocked)).toBe(false);
  s.vma(0).vmFlags &= ~VM_LOCKED;
  s.machine.frames.clear(pfn, PG_locked);
});

test('[3.x page_referenced] the reclaim of a cgroup does not ask VMAs of others', () => {
  const s = space();
  const other = s.machine.newCgroup('other');
  s.map(0, 1);
  s.store(0);
  const child = s.fork(s.mm, other);
  s.load(0, child.mm!);
  s.machine.pageTables.clear(s.slot(0), PTE_YOUNG);
  s.machine.pageTables.set(s.slot(0, child.mm!), PTE_YOUNG);
  expect(s.machine.rmap.pageReferenced(s.pfn(0), true, s.memcg)).toBe(0);
  expect(s.machine.rmap.pageReferenced(s.pfn(0), true, other)).toBe(1);
});

test('[3.x try_to_unmap] all entries become the same swap entry; an entry that is young again stops it, and the page is active', () => {
  const s = space({ swap: 'zram' });
  s.map(0, 1);
  s.store(0);
  const tasks = [s.fork(), s.fork()];
  const pfn = s.pfn(0);
  const entry = toSwapCache(s, pfn);
  age(s, 0, tasks);
  const [first, second] = tasks;
  s.machine.pageTables.set(s.slot(0, second!.mm!), PTE_YOUNG);
  expect(s.machine.rmap.tryToUnmap(pfn)).toBe(false);
  expect(s.machine.rmap.unmapResult).toBe(SWAP_FAIL);
  expect(s.machine.frames.mapcount(pfn)).toBeGreaterThan(0);
  expect(s.machine.rmap.tryToUnmap(pfn)).toBe(true);
  expect(s.machine.rmap.unmapResult).toBe(SWAP_SUCCESS);
  const { pageTables } = s.machine;
  for (const mm of [s.mm, first!.mm!, second!.mm!]) expect(pageTables.swapEntry(s.slot(0, mm))).toBe(entry);
  expect(swapCount(s.machine, entry)).toBe(3);
  s.machine.frames.clear(pfn, PG_locked);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x try_to_unmap] reclaim of one cgroup activates a page that another one has just used', () => {
  const s = space({ swap: 'zram' });
  const other = s.machine.newCgroup('other');
  s.map(0, 1);
  s.store(0);
  const child = s.fork(s.mm, other);
  s.machine.lru.drain();
  const pfn = s.pfn(0);
  s.machine.lru.isolate(pfn);
  s.machine.frames.clear(pfn, PG_active);
  s.machine.lru.putback(pfn);
  s.machine.lru.drain();
  s.machine.pageTables.clear(s.slot(0), PTE_YOUNG);
  s.machine.pageTables.set(s.slot(0, child.mm!), PTE_YOUNG);
  const verdicts: string[] = [];
  s.machine.trace.listen((_at, name, [page, rung, verdict]) => {
    if (name === 'page_verdict' && page === pfn) verdicts.push(`${rung}: ${verdict}`);
  });
  s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 1, GFP_KERNEL, true);
  // On the rung of unmapping.
  expect(verdicts).toEqual([`9: ${ACTIVATED}`]);
});

test('[3.x try_to_unmap] a locked VMA keeps the page, which is mlocked then', () => {
  const s = space({ swap: 'zram' });
  s.map(0, 1, MAP_PRIVATE);
  s.store(0);
  const pfn = s.pfn(0);
  toSwapCache(s, pfn);
  s.vma(0).vmFlags |= VM_LOCKED;
  expect(s.machine.rmap.tryToUnmap(pfn)).toBe(false);
  expect(s.machine.rmap.unmapResult).toBe(SWAP_MLOCK);
  expect(s.machine.frames.has(pfn, PG_mlocked)).toBe(true);
  s.machine.frames.clear(pfn, PG_locked);
});
