import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { SIGKILL } from './fault.ts';
import { filemapRead } from './filemap.ts';
import { GFP_KERNEL } from './gfp.ts';
import { drainStock } from './memcg.ts';
import { CHARGE_BATCH, MEM_CGROUP_RECLAIM_RETRIES, tryCharge_3 } from './memcg_3.ts';
import { verify } from './verify.ts';
import { OOM_KILL, PSWPOUT } from './vmstat.ts';

function space(config = {}): Space {
  return new Space({ kernel: '3.16', ...config });
}

test('[3.x memcg limit] pages are charged by 32, ahead; page tables, stacks and slab are not charged', () => {
  const s = space();
  expect(s.memcg.memory.usage).toBe(0);
  s.map(0, 40);
  s.store(0);
  expect(s.memcg.memory.usage).toBe(CHARGE_BATCH);
  expect(s.machine.memcgStock.pages).toBe(CHARGE_BATCH - 1);
  s.storeAll(1, 31);
  expect(s.memcg.memory.usage).toBe(32);
  s.store(32);
  expect(s.memcg.memory.usage).toBe(64);
  drainStock(s.machine);
  expect(s.memcg.memory.usage).toBe(33);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x memcg limit] where 32 do not fit, one is charged, and nothing is reclaimed for the others', () => {
  const s = space({ limit: 10 });
  s.map(0, 10);
  s.storeAll(0, 10);
  expect(s.memcg.memory.usage).toBe(10);
  expect(s.memcg.memoryEvents.max).toBe(0);
});

test('[3.x memcg limit] five fruitless retries, then the killer; for a system call the charge just fails', () => {
  const s = space({ limit: 8 });
  s.map(0, 16);
  s.storeAll(0, 8);
  const tries: number[] = [];
  const { reclaim } = s.machine;
  const ask = reclaim.tryToFreeMemCgroupPages.bind(reclaim);
  reclaim.tryToFreeMemCgroupPages = (memcg, pages, gfp, maySwap) => {
    tries.push(pages);
    return ask(memcg, pages, gfp, maySwap);
  };
  expect(tryCharge_3(s.machine, s.memcg, GFP_KERNEL, 1)).toBeLessThan(0);
  expect(s.event(OOM_KILL)).toBe(0);
  // Each try asks twice before it believes that there is nothing; the sixth is the killer's.
  expect(tries).toHaveLength(2 * (MEM_CGROUP_RECLAIM_RETRIES + 1));
  expect(s.store(8) >> 8).toBe(SIGKILL);
  expect(s.event(OOM_KILL)).toBe(1);
  expect(s.memcg.memoryEvents.oom).toBe(1);
});

test('[3.x memcg limit] a read that does not fit is refused, and nobody dies', () => {
  const s = space({ limit: 8 });
  s.map(0, 8);
  s.storeAll(0, 8);
  const file = s.file('disk', 4);
  expect(filemapRead(s.machine, file, 0, 4096, { page: (_token, from, to) => to - from })).toBeLessThan(0);
  expect(s.event(OOM_KILL)).toBe(0);
});

test('[3.x memcg limit] only pages of the cgroup and below are taken for it', () => {
  const s = space({ swap: 'zram', limit: 40 });
  const other = s.machine.newCgroup('other');
  const stranger = s.fork(s.mm, other);
  s.map(0, 80);
  s.machine.current = stranger;
  const before = other.memory.usage;
  s.machine.current = s.task;
  s.storeAll(0, 80);
  expect(s.memcg.memory.usage).toBeLessThanOrEqual(40);
  expect(s.event(PSWPOUT)).toBeGreaterThanOrEqual(40);
  expect(other.memory.usage).toBe(before);
  expect(
    s
      .lruvec(other)
      .stat.slice(0, 4)
      .some((pages) => pages > 0),
  ).toBe(false);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x memcg limit] nothing is swapped out where memory and memory with swap have the same limit', () => {
  const s = space({ swap: 'zram', limit: 20 });
  s.memcg.memsw.max = 20;
  s.map(0, 30);
  for (let page = 0; page < 20; page++) s.store(page);
  expect(s.store(20) >> 8).toBe(SIGKILL);
  expect(s.event(PSWPOUT)).toBe(0);
});

test('[3.x memcg limit] the charge to memory and swap stays with the slot, and goes when the page is mapped again', () => {
  const s = space({ swap: 'zram', limit: 20 });
  s.map(0, 30);
  s.storeAll(0, 30);
  drainStock(s.machine);
  const { memory, memsw, swap } = s.memcg;
  expect(memsw.usage).toBe(30);
  expect(memory.usage + swap.usage).toBe(30);
  expect(memory.usage).toBeLessThanOrEqual(20);
  for (let page = 0; page < 30; page++) s.load(page);
  drainStock(s.machine);
  expect(memsw.usage).toBe(30);
  expect(verify(s.machine)).toEqual([]);
  s.exit(s.task);
  drainStock(s.machine);
  expect([memory.usage, memsw.usage, swap.usage]).toEqual([0, 0, 0]);
});
