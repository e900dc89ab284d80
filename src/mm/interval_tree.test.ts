import { expect, test } from 'vitest';
import { type IntervalKeys, IntervalTree } from './interval_tree.ts';
import type { IntervalLinks } from './vma.ts';

interface Range {
  id: number;
  first: number;
  last: number;
  rb: IntervalLinks<Range>;
}

const KEYS: IntervalKeys<Range> = { first: (r) => r.first, last: (r) => r.last, links: (r) => r.rb };

function newRange(id: number, first: number, last: number): Range {
  return { id, first, last, rb: { left: null, right: null, parent: null, subtreeLast: 0, priority: 0 } };
}

function overlapping(tree: IntervalTree<Range>, first: number, last: number): number[] {
  const found: number[] = [];
  for (let r = tree.firstIn(first, last); r !== null; r = tree.nextIn(r, first, last)) found.push(r.id);
  return found;
}

test('every overlapping member is met once and in order, equal ones in the order of insertion', () => {
  for (let seed = 1; seed <= 30; seed++) {
    let state = seed;
    const pick = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return (state >>> 8) % below;
    };
    const tree = new IntervalTree<Range>(KEYS);
    const list: Range[] = [];
    for (let step = 0; step < 200; step++) {
      if (list.length > 0 && pick(3) === 0) {
        const [gone] = list.splice(pick(list.length), 1);
        tree.remove(gone!);
      } else {
        const first = pick(40);
        const range = newRange(step, first, first + pick(20));
        const twin = list.find((r) => r.first === first);
        if (twin !== undefined && pick(2) === 0) {
          tree.insertAfter(range, twin);
          list.splice(list.indexOf(twin) + 1, 0, range);
        } else {
          tree.insert(range);
          const at = list.findIndex((r) => r.first > first);
          list.splice(at < 0 ? list.length : at, 0, range);
        }
      }
      const first = pick(60);
      const last = first + pick(10);
      const want = list.filter((r) => r.first <= last && r.last >= first).map((r) => r.id);
      expect(overlapping(tree, first, last), `seed ${seed}, step ${step}`).toEqual(want);
      expect(tree.size).toBe(list.length);
      expect(tree.verify()).toEqual([]);
    }
    expect([...tree]).toEqual(list);
  }
});

test('a member is inserted once: a second insert would tear the tree', () => {
  const tree = new IntervalTree<Range>(KEYS);
  const range = newRange(1, 0, 3);
  tree.insert(range);
  expect(() => tree.insert(range)).toThrow('inserted once');
});
