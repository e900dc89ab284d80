import { describe, expect, test } from 'vitest';
import { PAGE, Space } from '../../test/space.ts';
import {
  NO_SLOT,
  PTE_DIRTY,
  PTE_DTLB,
  PTE_ITLB,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_RW,
  PTE_SWP_EXCLUSIVE,
  PTE_YOUNG,
} from './page_table.ts';
import type { Pfn, SwapEntry, Vpn } from './units.ts';

const V = (n: number): Vpn => n as Vpn;
const PUD = 2 ** 18;
const PGD = 2 ** 27;

describe('tables', () => {
  for (const { why, vpns, tables, leaves } of [
    // A pgd has two pages, since user space has a top level of its own; then a pud, a pmd, a leaf.
    { why: 'the first entry makes all four levels', vpns: [0], tables: 5, leaves: 1 },
    { why: 'the last page of the same 2 MiB', vpns: [0, 511], tables: 5, leaves: 1 },
    { why: 'the next 2 MiB', vpns: [0, 512], tables: 6, leaves: 2 },
    { why: 'the next 1 GiB', vpns: [0, PUD], tables: 7, leaves: 2 },
    { why: 'the next 512 GiB', vpns: [0, PGD], tables: 8, leaves: 2 },
    { why: 'the end of user space', vpns: [2 ** 35 - 2], tables: 5, leaves: 1 },
  ]) {
    test(why, () => {
      const { machine, mm, memcg } = new Space();
      const root = mm.pageTables;
      const before = memcg.kmem.usage;
      const slots = vpns.map((vpn) => machine.pageTables.slotAlloc(machine, mm, V(vpn)));
      expect(new Set(slots).size).toBe(vpns.length);
      expect([root.tables, root.leafTables, memcg.kmem.usage - before]).toEqual([tables, leaves, tables]);
      // Found again, with and without what the walks remember.
      for (const forget of [false, true]) {
        if (forget) root.forgetWalks();
        expect(vpns.map((vpn) => machine.pageTables.slotOf(root, V(vpn)))).toEqual(slots);
      }
      expect(machine.pageTables.slotOf(root, V(vpns[0]! + 2 ** 20))).toBe(NO_SLOT);
      const end = V(2 ** 35);
      const pageTables = machine.pageTables;
      pageTables.freeTables(machine, mm, V(0), end, V(0), end);
      expect([root.tables, root.leafTables, pageTables.slotOf(root, V(vpns[0]!))]).toEqual([2, 0, NO_SLOT]);
      pageTables.freeRoot(machine, mm);
      expect([root.tables, memcg.kmem.usage]).toEqual([0, before]);
    });
  }

  for (const { why, start, end, floor, ceiling, left } of [
    { why: 'all of it', start: 512, end: 1024, floor: 0, ceiling: 1024, left: [false, false, true] },
    {
      why: 'a table that a neighbour in front shares stays',
      start: 520,
      end: 1024,
      floor: 515,
      ceiling: 1024,
      left: [false, true, true],
    },
    {
      why: 'a table that a neighbour behind shares stays',
      start: 512,
      end: 1000,
      floor: 0,
      ceiling: 1010,
      left: [false, true, true],
    },
    {
      why: 'part of a table that is nobody else’s goes',
      start: 520,
      end: 530,
      floor: 100,
      ceiling: 1024,
      left: [false, false, true],
    },
  ]) {
    test(`freed: ${why}`, () => {
      const { machine, mm } = new Space();
      const { pageTables } = machine;
      for (const vpn of [512, 1024]) pageTables.slotAlloc(machine, mm, V(vpn));
      pageTables.freeTables(machine, mm, V(start), V(end), V(floor), V(ceiling));
      expect([0, 512, 1024].map((vpn) => pageTables.slotOf(mm.pageTables, V(vpn)) !== NO_SLOT)).toEqual(left);
    });
  }

  test('a slot stays where it is while its table lives; the rows of a freed one are used again', () => {
    const { machine, mm } = new Space();
    const { pageTables } = machine;
    const slot = pageTables.slotAlloc(machine, mm, V(PAGE));
    pageTables.setPresent(slot, 7 as Pfn, PTE_PRESENT);
    for (let i = 1; i < 200; i++) pageTables.slotAlloc(machine, mm, V(PAGE + 512 * i));
    expect([pageTables.slotOf(mm.pageTables, V(PAGE)), pageTables.pfn(slot)]).toEqual([slot, 7]);
    pageTables.freeTables(machine, mm, V(PAGE + 512), V(PAGE + 1024), V(PAGE + 512), V(PAGE + 1024));
    const rows = pageTables.bits.length;
    expect(pageTables.isNone(pageTables.slotAlloc(machine, mm, V(PAGE + 512 * 500)))).toBe(true);
    expect(pageTables.bits.length).toBe(rows);
  });

  test('the next table, over holes of any size', () => {
    const { machine, mm } = new Space();
    const { pageTables } = machine;
    const root = mm.pageTables;
    expect(pageTables.nextTable(root, V(0), V(1000))).toBe(1000);
    const at = [5, 512 * 3 + 7, PUD + 1, PGD * 2 + 512];
    for (const vpn of at) pageTables.slotAlloc(machine, mm, V(vpn));
    const seen: number[] = [];
    const end = V(PGD * 3);
    for (
      let v = pageTables.nextTable(root, V(0), end);
      v < end;
      v = pageTables.nextTable(root, V(v - (v & 511) + 512), end)
    )
      seen.push(v);
    expect(seen).toEqual([0, 512 * 3, PUD, PGD * 2 + 512]);
    // In the middle of a table that is there: here.
    expect(pageTables.nextTable(root, V(100), end)).toBe(100);
    expect(pageTables.nextTable(root, V(600), V(700))).toBe(700);
  });

  test('a table moves with all its entries, unless one is there already', () => {
    const { machine, mm } = new Space();
    const { pageTables } = machine;
    const root = mm.pageTables;
    const slot = pageTables.slotAlloc(machine, mm, V(512 + 3));
    pageTables.setPresent(slot, 9 as Pfn, PTE_PRESENT);
    expect(pageTables.moveTable(machine, mm, V(512), V(PUD))).toBe(true);
    expect([pageTables.slotOf(root, V(515)), pageTables.slotOf(root, V(PUD + 3))]).toEqual([NO_SLOT, slot]);
    pageTables.slotAlloc(machine, mm, V(512));
    expect(pageTables.moveTable(machine, mm, V(PUD), V(512))).toBe(false);
    expect(pageTables.slotOf(root, V(PUD + 3))).toBe(slot);
  });

  test('a table that cannot be charged is not made', () => {
    const s = new Space();
    s.memcg.memory.max = s.memcg.memory.usage;
    s.machine.memcgStock.pages = 0;
    s.machine.reclaim.tryToFreeMemCgroupPages = () => 0;
    s.task.oomScoreAdj = -1000;
    expect([s.machine.pageTables.slotAlloc(s.machine, s.mm, V(0)), s.mm.pageTables.tables]).toEqual([NO_SLOT, 0]);
  });
});

describe('an entry', () => {
  test('is one thing at a time', () => {
    const { machine, mm } = new Space();
    const { pageTables } = machine;
    const slot = pageTables.slotAlloc(machine, mm, V(0));
    const is = (): boolean[] => [pageTables.isNone(slot), pageTables.isPresent(slot), pageTables.isSwap(slot)];
    expect(is()).toEqual([true, false, false]);
    pageTables.setPresent(slot, 5 as Pfn, PTE_PRESENT | PTE_RW);
    expect([is(), pageTables.pfn(slot)]).toEqual([[false, true, false], 5]);
    pageTables.setPresent(slot, 5 as Pfn, PTE_PROTNONE);
    expect(is()).toEqual([false, true, false]);
    pageTables.setSwap(slot, 0xf0000001 as SwapEntry, true);
    expect([is(), pageTables.swapEntry(slot), pageTables.has(slot, PTE_SWP_EXCLUSIVE)]).toEqual([
      [false, false, true],
      0xf0000001,
      true,
    ]);
    pageTables.setSwap(slot, 3 as SwapEntry, false);
    expect(pageTables.has(slot, PTE_SWP_EXCLUSIVE)).toBe(false);
    pageTables.setNone(slot);
    expect([is(), pageTables.pfn(slot)]).toEqual([[true, false, false], 0]);
  });

  for (const { why, does, young, tlb } of [
    { why: 'reclaim looks for young', does: 'young', young: false, tlb: true },
    { why: 'a right is taken away', does: 'clear', young: true, tlb: false },
    { why: 'it is cleaned', does: 'testAndClear', young: true, tlb: false },
    { why: 'it is changed as a whole', does: 'set', young: false, tlb: false },
  ] as const) {
    test(`leaves the TLB, or not: ${why}`, () => {
      const { machine, mm } = new Space();
      const { pageTables } = machine;
      const slot = pageTables.slotAlloc(machine, mm, V(0));
      pageTables.setPresent(slot, 5 as Pfn, PTE_PRESENT | PTE_RW);
      pageTables.walked(slot, V(0), PTE_DIRTY);
      pageTables.fetched(slot, V(0));
      expect(pageTables.has(slot, PTE_DIRTY)).toBe(true);
      if (does === 'young')
        expect([pageTables.testAndClearYoung(slot), pageTables.testAndClearYoung(slot)]).toEqual([true, false]);
      else if (does === 'clear') pageTables.clear(slot, PTE_RW);
      else if (does === 'testAndClear') expect(pageTables.testAndClear(slot, PTE_DIRTY)).toBe(true);
      else pageTables.setPresent(slot, 6 as Pfn, PTE_PRESENT);
      expect([pageTables.has(slot, PTE_YOUNG), pageTables.has(slot, PTE_DTLB), pageTables.has(slot, PTE_ITLB)]).toEqual(
        [young, tlb, tlb],
      );
    });
  }
});

test('another address space starts with an empty TLB', () => {
  const s = new Space();
  const { pageTables } = s.machine;
  const slot = pageTables.slotAlloc(s.machine, s.mm, V(0));
  pageTables.switchTo(s.mm.pageTables);
  pageTables.walked(slot, V(0), 0);
  pageTables.fetched(slot, V(0));
  pageTables.switchTo(s.mm.pageTables);
  expect([pageTables.has(slot, PTE_DTLB), pageTables.has(slot, PTE_ITLB)]).toEqual([true, true]);
  pageTables.switchTo(s.fork().mm!.pageTables);
  expect([pageTables.has(slot, PTE_DTLB), pageTables.has(slot, PTE_ITLB)]).toEqual([false, false]);
});
