import { expect, test } from 'vitest';
import type { Mm } from './mm.ts';
import { NO_VPN, type Pgoff, type Vpn } from './units.ts';
import { Vma } from './vma.ts';
import { VmaTree } from './vma_tree.ts';

const LOW = 16;
const HIGH = 1040;

function newVma(start: number, end: number): Vma {
  return new Vma(null as unknown as Mm, start as Vpn, end as Vpn, 0, start as Pgoff, null);
}

/** mulberry32: the same numbers for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** The gap searches on a bitmap of pages. */
function slowGap(sorted: Vma[], pages: number, low: number, high: number, upward: boolean): number {
  const used = new Uint8Array(2048);
  for (const vma of sorted) used.fill(1, vma.vmStart, vma.vmEnd);
  const starts = Array.from({ length: Math.max(0, high - low - pages + 1) }, (_, i) => low + i);
  if (!upward) starts.reverse();
  return starts.find((start) => !used.subarray(start, start + pages).includes(1)) ?? NO_VPN;
}

test('the tree answers as a sorted array does, whatever was inserted, removed and resized', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const pick = random(seed);
    const tree = new VmaTree();
    const sorted: Vma[] = [];
    for (let step = 0; step < 120; step++) {
      const why = `seed ${seed}, step ${step}`;
      const start = LOW + pick(HIGH - LOW - 8);
      const end = start + 1 + pick(8);
      const at = sorted.findIndex((v) => v.vmStart < end && v.vmEnd > start);
      if (at < 0) {
        const vma = newVma(start, end);
        sorted.push(vma);
        sorted.sort((a, b) => a.vmStart - b.vmStart);
        tree.insert(vma);
      } else if (pick(3) > 0) {
        const vma = sorted[at]!;
        vma.vmEnd = Math.max(vma.vmStart + 1, Math.min(end, sorted[at + 1]?.vmStart ?? HIGH)) as Vpn;
        tree.boundsChanged(vma);
      } else {
        tree.remove(sorted[at]!);
        sorted.splice(at, 1);
      }
      expect(tree.verify(), why).toEqual([]);
      expect([...tree], why).toEqual(sorted);
      expect(tree.size).toBe(sorted.length);
      const probe = (LOW + pick(HIGH - LOW)) as Vpn;
      expect(tree.find(probe), why).toBe(sorted.find((v) => v.vmEnd > probe) ?? null);
      expect(tree.findExact(probe), why).toBe(sorted.find((v) => v.vmStart <= probe && v.vmEnd > probe) ?? null);
      expect(tree.findBefore(probe), why).toBe(sorted.findLast((v) => v.vmEnd <= probe) ?? null);
      const i = pick(sorted.length || 1);
      if (sorted.length > 0) {
        expect(tree.next(sorted[i]!), why).toBe(sorted[i + 1] ?? null);
        expect(tree.prev(sorted[i]!), why).toBe(sorted[i - 1] ?? null);
      }
      const pages = 1 + pick(40);
      const low = (LOW + pick(400)) as Vpn;
      const high = (HIGH - pick(400)) as Vpn;
      expect(tree.highestGap(pages, low, high), why).toBe(slowGap(sorted, pages, low, high, false));
      expect(tree.lowestGap(pages, low, high), why).toBe(slowGap(sorted, pages, low, high, true));
    }
  }
});

test('first and last of an empty tree are none, and its one gap is everything', () => {
  const tree = new VmaTree();
  expect([tree.first(), tree.last(), tree.find(0 as Vpn), tree.findIntersection(0 as Vpn, 9 as Vpn)]).toEqual([
    null,
    null,
    null,
    null,
  ]);
  expect(tree.highestGap(4, 10 as Vpn, 20 as Vpn)).toBe(16);
  expect(tree.lowestGap(11, 10 as Vpn, 20 as Vpn)).toBe(NO_VPN);
});

test('overlapping VMAs are refused: the engine must have unmapped the range', () => {
  const tree = new VmaTree();
  tree.insert(newVma(10, 20));
  expect(() => tree.insert(newVma(19, 21))).toThrow('disjoint');
});
