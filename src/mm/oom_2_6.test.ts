/** Whom 2.6 kills. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { dupMm, newMm, newTask } from './fork.ts';
import { GFP_KERNEL } from './gfp.ts';
import { badness, oomkilladjOf, outOfMemory_2_6, taskBadness } from './oom_2_6.ts';
import type { Task } from './task.ts';
import { OOM_KILL } from './vmstat.ts';

describe('[2.6 OOM] points', () => {
  for (const { why, terms, want } of [
    { why: 'all mappings', terms: { totalVm: 1000, children: [] }, want: 1000 },
    { why: 'half of each child and one', terms: { totalVm: 1000, children: [500, 301] }, want: 1000 + 251 + 151 },
    { why: 'CPU time', terms: { totalVm: 1000, children: [], cpuSeconds: 8 * 16 }, want: 250 },
    { why: 'a little CPU time is none', terms: { totalVm: 1000, children: [], cpuSeconds: 7 }, want: 1000 },
    { why: 'age', terms: { totalVm: 1000, children: [], aliveSeconds: 1024 * 81 }, want: 333 },
    { why: 'nice', terms: { totalVm: 1000, children: [], niceAboveZero: true }, want: 2000 },
    { why: 'root', terms: { totalVm: 1000, children: [], privileged: true }, want: 250 },
    { why: 'root with raw I/O', terms: { totalVm: 1000, children: [], privileged: true, rawIo: true }, want: 62 },
    { why: 'memory of other nodes', terms: { totalVm: 1000, children: [], elsewhere: true }, want: 125 },
    { why: 'shifted up', terms: { totalVm: 1000, children: [], oomkilladj: 3 }, want: 8000 },
    { why: 'nothing, shifted up', terms: { totalVm: 0, children: [], oomkilladj: 3 }, want: 8 },
    { why: 'shifted down', terms: { totalVm: 1000, children: [], oomkilladj: -4 }, want: 62 },
    { why: 'swapoff', terms: { totalVm: 1, children: [], swapoff: true }, want: Number.POSITIVE_INFINITY },
  ]) {
    test(`[2.6 OOM] ${why}`, () => expect(badness(terms)).toBe(want));
  }
});

class World extends Space {
  constructor() {
    super({ kernel: '2.6.24', ramBytes: 32 * 2 ** 20 });
  }
  task2(name: string, pages: number, parent: Task | null = null, adj = 0): Task {
    const { machine } = this;
    const mm = newMm(machine, machine.rootMemcg)!;
    const task = newTask(machine, 500 + machine.tasks.length, name, mm, machine.rootMemcg, parent)!;
    task.oomScoreAdj = adj;
    if (pages > 0) mm.totalVm = pages;
    return task;
  }
  victims(): string[] {
    return this.machine.tasks.filter((task) => task.oomVictim).map((task) => task.comm);
  }
}

describe('[2.6 OOM] victims', () => {
  test("[2.6 OOM] points of every task, its children's with them", () => {
    const w = new World();
    const parent = w.task2('parent', 100);
    const child = w.task2('child', 60, parent);
    expect([taskBadness(w.machine, parent), taskBadness(w.machine, child)]).toEqual([131, 60]);
  });

  test('[2.6 OOM] the worst is chosen, and a child of it dies first', () => {
    const w = new World();
    const parent = w.task2('parent', 300);
    w.task2('child', 10, parent);
    w.task2('other', 200);
    expect(outOfMemory_2_6(w.machine, GFP_KERNEL, 0)).toBe(true);
    expect(w.victims()).toEqual(['child']);
    expect(w.machine.events[OOM_KILL]).toBe(1);
  });

  test('[2.6 OOM] without children it dies itself, with all who share its memory', () => {
    const w = new World();
    const big = w.task2('big', 300);
    const thread = newTask(w.machine, 900, 'thread', big.mm, w.machine.rootMemcg, null)!;
    big.mm!.mmUsers += 1;
    expect(outOfMemory_2_6(w.machine, GFP_KERNEL, 0)).toBe(true);
    expect(w.victims()).toEqual(['big']);
    expect(thread.killed).toBe(true);
  });

  test('[2.6 OOM] of equals the first', () => {
    const w = new World();
    w.task2('first', 400);
    w.task2('second', 400);
    outOfMemory_2_6(w.machine, GFP_KERNEL, 0);
    expect(w.victims()).toEqual(['first']);
  });

  test('[2.6 OOM] oomkilladj: 15 makes the small one worst, -17 spares', () => {
    const w = new World();
    const spared = w.task2('spared', 5000, null, -1000);
    const small = w.task2('small', 3, null, 1000);
    expect([oomkilladjOf(spared), oomkilladjOf(small)]).toEqual([-17, 15]);
    outOfMemory_2_6(w.machine, GFP_KERNEL, 0);
    expect(w.victims()).toEqual(['small']);
  });

  test('[2.6 OOM] who runs swapoff is the first to go', () => {
    const w = new World();
    w.task2('big', 5000);
    w.task2('swapoff', 2).swapoff = true;
    outOfMemory_2_6(w.machine, GFP_KERNEL, 0);
    expect(w.victims()).toEqual(['swapoff']);
  });

  test('[2.6 OOM] while a victim still has memory nobody else is killed', () => {
    const w = new World();
    w.task2('big', 5000);
    w.task2('next', 4000);
    w.task.oomVictim = true;
    expect(outOfMemory_2_6(w.machine, GFP_KERNEL, 0)).toBe(true);
    expect(w.machine.events[OOM_KILL]).toBe(0);
  });

  test('[2.6 OOM] a machine that is full kills its largest program, and goes on', () => {
    const w = new World();
    w.machine.sysctl.overcommitMemory = 1;
    const mm = dupMm(w.machine, w.mm, w.machine.rootMemcg)!;
    const other = newTask(w.machine, 700, 'small', mm, w.machine.rootMemcg, null)!;
    w.map(0, 20000);
    let page = 0;
    while (!w.task.killed && page < 20000) w.store(page++);
    expect(w.task.killed).toBe(true);
    expect(other.killed).toBe(false);
    w.machine.current = w.machine.idle;
    w.exit(w.task);
    expect(w.machine.verify()).toEqual([]);
  });
});
