import { beforeEach, describe, expect, test, vi } from 'vitest';
import { __GFP_FS, GFP_KERNEL, GFP_NOFS } from './gfp.ts';
import type { Machine } from './machine.ts';
import { MemCgroup } from './memcg.ts';
import { MM_ANONPAGES, MM_SWAPENTS, Mm } from './mm.ts';
import { memCgroupOutOfMemory, oomBadness, outOfMemory } from './oom.ts';
import { Task } from './task.ts';
import { NR_VM_EVENTS, OOM_KILL } from './vmstat.ts';

const reaped: number[] = [];
vi.mock('./zap.ts', () => ({ reapMm: (_m: Machine, mm: Mm): void => void reaped.push(mm.id) }));
vi.mock('./page_alloc.ts', () => ({}));
beforeEach(() => reaped.splice(0));

function newMachine(): Machine {
  const root = new MemCgroup(1, '/', null, false, 60);
  const machine = {
    rootMemcg: root,
    memcgs: [root, root],
    tasks: [],
    totalPages: 100_000,
    swap: { totalSwapPages: 20_000 },
    events: new Float64Array(NR_VM_EVENTS),
    trace: { on: false },
    current: new Task(0, 'swapper', null, root, null),
  };
  return machine as unknown as Machine;
}

function newCgroup(m: Machine, name: string, parent = m.rootMemcg): MemCgroup {
  const memcg = new MemCgroup(m.memcgs.length, name, parent, false, 60);
  m.memcgs.push(memcg);
  return memcg;
}

function newTask(m: Machine, memcg: MemCgroup, anonPages: number, adj = 0): Task {
  const mm = new Mm(m.tasks.length + 1, memcg);
  mm.rss[MM_ANONPAGES] = anonPages;
  const task = new Task(m.tasks.length + 1, 'task', mm, memcg, null);
  task.oomScoreAdj = adj;
  m.tasks.push(task);
  return task;
}

for (const { why, anon, swapped, tables, adj, want } of [
  { why: 'resident, swapped and tables', anon: 100, swapped: 50, tables: 3, adj: 0, want: 153 },
  { why: 'oom_score_adj is thousandths of all memory', anon: 100, swapped: 0, tables: 0, adj: 500, want: 60_100 },
  { why: 'and may make it negative', anon: 100, swapped: 0, tables: 0, adj: -500, want: -59_900 },
  { why: '-1000 never dies', anon: 100, swapped: 0, tables: 0, adj: -1000, want: Number.NEGATIVE_INFINITY },
]) {
  test(`badness: ${why}`, () => {
    const m = newMachine();
    const task = newTask(m, m.rootMemcg, anon, adj);
    task.mm!.rss[MM_SWAPENTS] = swapped;
    task.mm!.pageTables.tables = tables;
    expect(oomBadness(task, 120_000)).toBe(want);
  });
}

describe('the machine is out of memory', () => {
  for (const { why, pages, adj, want } of [
    { why: 'the biggest', pages: [10, 30, 20], adj: [0, 0, 0], want: 2 },
    { why: 'of equals the youngest', pages: [30, 30, 20], adj: [0, 0, 0], want: 2 },
    { why: 'unless it must not', pages: [10, 30, 20], adj: [0, -1000, 0], want: 3 },
    { why: 'or somebody volunteers', pages: [10, 30, 20], adj: [1000, 0, 0], want: 1 },
  ]) {
    test(`${why} dies`, () => {
      const m = newMachine();
      pages.forEach((p, i) => {
        newTask(m, m.rootMemcg, p, adj[i]!);
      });
      expect(outOfMemory(m, GFP_KERNEL, 0)).toBe(true);
      expect(m.tasks.filter((task) => task.killed).map((task) => task.pid)).toEqual([want]);
      expect(reaped).toEqual([want]);
      expect([m.events[OOM_KILL], m.rootMemcg.memoryEvents.oomKill]).toEqual([1, 1]);
    });
  }

  test('with nobody left it says so', () => {
    const m = newMachine();
    newTask(m, m.rootMemcg, 10, -1000);
    expect(outOfMemory(m, GFP_KERNEL, 0)).toBe(false);
  });

  test('a victim whose memory is gone does not stand in the way of the next', () => {
    const m = newMachine();
    newTask(m, m.rootMemcg, 10);
    newTask(m, m.rootMemcg, 20);
    outOfMemory(m, GFP_KERNEL, 0);
    outOfMemory(m, GFP_KERNEL, 0);
    expect(reaped).toEqual([2, 1]);
  });

  test('who runs is not reaped, and is let through to its end', () => {
    const m = newMachine();
    newTask(m, m.rootMemcg, 10);
    m.current = newTask(m, m.rootMemcg, 20);
    expect([outOfMemory(m, GFP_KERNEL, 0), outOfMemory(m, GFP_KERNEL, 0)]).toEqual([true, true]);
    expect(m.tasks.map((task) => task.killed)).toEqual([false, true]);
    expect([reaped, m.events[OOM_KILL]]).toEqual([[], 1]);
  });

  test('nobody else dies while a victim runs', () => {
    const m = newMachine();
    const victim = newTask(m, m.rootMemcg, 20);
    m.current = victim;
    outOfMemory(m, GFP_KERNEL, 0);
    m.current = newTask(m, m.rootMemcg, 10);
    expect(outOfMemory(m, GFP_KERNEL, 0)).toBe(true);
    expect(m.current.killed).toBe(false);
    // But whoever waits for it has it reaped: it may not run again before the waiter does.
    expect(reaped).toContain(victim.mm!.id);
  });

  test('who must not enter a file system just tries again', () => {
    const m = newMachine();
    newTask(m, m.rootMemcg, 10);
    expect(GFP_NOFS & __GFP_FS).toBe(0);
    expect([outOfMemory(m, GFP_NOFS, 0), m.events[OOM_KILL]]).toEqual([true, 0]);
  });

  test('whoever shares the memory dies, too', () => {
    const m = newMachine();
    const task = newTask(m, m.rootMemcg, 30);
    const sharer = newTask(m, m.rootMemcg, 0);
    sharer.mm = task.mm;
    outOfMemory(m, GFP_KERNEL, 0);
    expect([task.killed, sharer.killed, m.events[OOM_KILL]]).toEqual([true, true, 1]);
  });
});

describe('a cgroup is out of memory', () => {
  test('the worst of the cgroup dies, not the worst of all', () => {
    const m = newMachine();
    const a = newCgroup(m, 'a');
    a.memory.max = 0;
    newTask(m, m.rootMemcg, 900);
    const child = newTask(m, newCgroup(m, 'b', a), 20);
    newTask(m, a, 10);
    expect(memCgroupOutOfMemory(m, a)).toBe(true);
    expect(m.tasks.filter((task) => task.killed)).toEqual([child]);
    expect([a.memoryEvents.oomKill, m.rootMemcg.memoryEvents.oomKill]).toEqual([1, 1]);
  });

  test('if the page fits by now, nobody dies', () => {
    const m = newMachine();
    const a = newCgroup(m, 'a');
    a.memory.max = 1;
    newTask(m, a, 10);
    expect([memCgroupOutOfMemory(m, a), m.events[OOM_KILL]]).toEqual([true, 0]);
  });

  test('oom_score_adj is thousandths of what the cgroup may have', () => {
    const m = newMachine();
    const a = newCgroup(m, 'a');
    a.memory.max = 0;
    a.swap.max = 5000;
    newTask(m, a, 10, 2);
    const bigger = newTask(m, a, 21);
    memCgroupOutOfMemory(m, a);
    expect(bigger.killed).toBe(true);
  });

  test('oom.group takes the whole cgroup, spared ones apart; the first counts twice', () => {
    const m = newMachine();
    const a = newCgroup(m, 'a');
    a.memory.max = 0;
    const b = newCgroup(m, 'b', a);
    b.oomGroup = true;
    newTask(m, a, 5);
    newTask(m, b, 20);
    newTask(m, b, 10);
    newTask(m, b, 10, -1000);
    memCgroupOutOfMemory(m, a);
    expect(m.tasks.map((task) => task.killed)).toEqual([false, true, true, false]);
    expect([b.memoryEvents.oomKill, b.memoryEvents.oomGroupKill, m.events[OOM_KILL]]).toEqual([3, 1, 3]);
  });
});
