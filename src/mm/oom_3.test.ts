import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { GFP_KERNEL } from './gfp.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SWAPENTS } from './mm.ts';
import { oomBadness_3, outOfMemory_3 } from './oom_3.ts';
import type { Task } from './task.ts';

interface Case {
  why: string;
  rss: number;
  swap?: number;
  adj?: number;
  total?: number;
  want: number;
}

const TABLES = 1;
const CASES: Case[] = [
  { why: 'resident pages and page tables', rss: 100, want: 100 + TABLES },
  { why: 'pages in swap count like those in memory', rss: 100, swap: 50, want: 150 + TABLES },
  { why: 'adj is in thousandths of all pages', rss: 100, adj: 200, total: 10_000, want: 100 + TABLES + 2000 },
  { why: 'a thousandth is whole pages', rss: 100, adj: 200, total: 999, want: 100 + TABLES },
  { why: 'never less than 1', rss: 100, adj: -500, total: 10_000, want: 1 },
  { why: 'adj -1000: never killed', rss: 100, adj: -1000, want: 0 },
];

function space(): Space {
  return new Space({ kernel: '3.16', swap: 'zram' });
}

function withMemory(s: Space, rss: number, swap = 0): Task {
  const task = s.fork();
  task.mm!.rss.fill(0);
  task.mm!.rss[MM_ANONPAGES] = rss;
  task.mm!.rss[MM_SWAPENTS] = swap;
  task.mm!.pageTables.tables = TABLES;
  return task;
}

for (const { why, rss, swap = 0, adj = 0, total = 10_000, want } of CASES) {
  test(`[3.x OOM] badness: ${why}`, () => {
    const s = space();
    const task = withMemory(s, rss, swap);
    task.oomScoreAdj = adj;
    expect(oomBadness_3(task, total)).toBe(want);
  });
}

/** Who is killed, by name; tasks without memory of their own, so that nothing has to be given back. */
function victims(s: Space): string[] {
  return s.machine.tasks.filter((task) => task.killed).map((task) => task.comm);
}

function named(s: Space, comm: string, pages: number, parent: Task | null = null): Task {
  const task = s.fork();
  task.comm = comm;
  task.parent = parent;
  s.machine.current = task;
  for (let page = 0; page < pages; page++) s.store(page, task.mm!);
  s.machine.current = s.machine.idle;
  return task;
}

test('[3.x OOM] the worst dies; with adj a smaller one; of equals the first', () => {
  const order: string[] = [];
  const s = space();
  s.map(0, 64);
  s.task.oomScoreAdj = -1000;
  named(s, 'small', 10);
  named(s, 'large', 40);
  named(s, 'equal', 40);
  named(s, 'chosen', 5).oomScoreAdj = 300;
  for (let i = 0; i < 4; i++) {
    expect(outOfMemory_3(s.machine, GFP_KERNEL, 0)).toBe(true);
    const [victim] = victims(s);
    order.push(victim!);
    s.exit(s.machine.tasks.find((task) => task.comm === victim)!);
  }
  expect(order).toEqual(['chosen', 'large', 'equal', 'small']);
  expect(outOfMemory_3(s.machine, GFP_KERNEL, 0)).toBe(false);
});

test("[3.x OOM] the worst child with memory of its own dies in its parent's place", () => {
  const s = space();
  s.map(0, 64);
  s.task.oomScoreAdj = -1000;
  const parent = named(s, 'parent', 40);
  named(s, 'child', 3, parent);
  named(s, 'larger child', 5, parent);
  outOfMemory_3(s.machine, GFP_KERNEL, 0);
  expect(victims(s)).toEqual(['larger child']);
});

test('[3.x OOM] while a victim has its memory nobody else is killed', () => {
  const s = space();
  s.map(0, 64);
  s.task.oomScoreAdj = -1000;
  const first = named(s, 'first', 20);
  named(s, 'second', 10);
  s.machine.current = first;
  outOfMemory_3(s.machine, GFP_KERNEL, 0);
  expect(victims(s)).toEqual(['first']);
  expect(first.mm!.rss[MM_ANONPAGES]! + first.mm!.rss[MM_FILEPAGES]!).toBeGreaterThan(0);
  s.machine.current = s.machine.idle;
  outOfMemory_3(s.machine, GFP_KERNEL, 0);
  expect(victims(s)).toEqual(['first']);
});
