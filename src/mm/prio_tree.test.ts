import { describe, expect, test } from 'vitest';
import { Random } from '../../test/random_machine.ts';
import type { Mm } from './mm.ts';
import { PrioTree } from './prio_tree.ts';
import type { Pgoff, Vpn } from './units.ts';
import { VM_READ, VM_SHARED } from './vm_flags.ts';
import { Vma } from './vma.ts';

/** A VMA that shows pages [pgoff, pgoff + pages) of its file, somewhere. */
function window(pgoff: number, pages: number): Vma {
  const start = 0x40000 + pgoff;
  return new Vma({} as Mm, start as Vpn, (start + pages) as Vpn, VM_READ | VM_SHARED, pgoff as Pgoff, null);
}

function found(tree: PrioTree, first: number, last: number): Vma[] {
  const met: Vma[] = [];
  for (let at = tree.firstIn(first, last); at !== null; at = tree.nextIn(at, first, last)) met.push(at);
  return met;
}

describe('vma_prio_tree', () => {
  test('the VMA that reaches furthest is the root, and index_bits grow with it', () => {
    const tree = new PrioTree();
    const [a, b, c] = [window(0, 2), window(1, 3), window(100, 30)];
    tree.insert(a);
    expect(tree.indexBits).toBe(1);
    tree.insert(b);
    expect([tree.indexBits, tree.depthOf(b), tree.depthOf(a)]).toEqual([2, 0, 1]);
    tree.insert(c);
    // 129 needs 8 bits: b moves down one level, and the next takes a, which is all that is left below it.
    expect([tree.indexBits, tree.depthOf(c), tree.depthOf(b), tree.depthOf(a)]).toEqual([8, 0, 1, 2]);
    expect(tree.verify()).toEqual([]);
    for (const vma of [c, b, a]) tree.remove(vma);
    expect([tree.size, tree.indexBits]).toEqual([0, 1]);
  });

  test('equal windows: one is in the tree, the second is its head, the rest a ring behind it', () => {
    const tree = new PrioTree();
    const [node, head, third, fourth] = [window(4, 8), window(4, 8), window(4, 8), window(4, 8)];
    for (const vma of [node, head, third]) tree.insert(vma);
    tree.insertAfter(fourth, head);
    expect([node.vmSet!.inTree, node.vmSet!.head, head.vmSet!.head]).toEqual([true, head, node]);
    expect([third.vmSet!.head, third.vmSet!.inTree]).toEqual([null, false]);
    // fork adds the child's VMA right behind its parent's, when that one is in the ring.
    expect(found(tree, 11, 11)).toEqual([node, head, fourth, third]);
    expect(tree.verify()).toEqual([]);
    tree.remove(node);
    expect([head.vmSet!.inTree, head.vmSet!.head, fourth.vmSet!.head]).toEqual([true, fourth, head]);
    expect(found(tree, 0, 100)).toEqual([head, fourth, third]);
    tree.remove(fourth);
    expect([head.vmSet!.head, found(tree, 4, 4)]).toEqual([third, [head, third]]);
    tree.remove(third);
    expect([head.vmSet!.head, tree.verify()]).toEqual([null, []]);
  });

  test('windows of one beginning are told apart by their length', () => {
    const tree = new PrioTree();
    const windows = [1, 7, 3, 40, 5, 2, 64].map((pages) => window(16, pages));
    for (const vma of windows) tree.insert(vma);
    expect(tree.verify()).toEqual([]);
    expect(found(tree, 19, 19).map((vma) => vma.pages)).toEqual([64, 40, 7, 5]);
  });

  test('offsets beyond 32 bits', () => {
    const tree = new PrioTree();
    const [near, far] = [window(3, 2), window(2 ** 40 + 5, 16)];
    tree.insert(near);
    tree.insert(far);
    expect([tree.indexBits, found(tree, 2 ** 40 + 20, 2 ** 40 + 20), found(tree, 4, 4)]).toEqual([41, [far], [near]]);
    expect(tree.verify()).toEqual([]);
  });

  test('windows side by side: a page meets its own, by way of a few nodes', () => {
    const tree = new PrioTree();
    for (let i = 0; i < 1024; i++) tree.insert(window(i * 8, 8));
    for (let i = 0; i < 1024; i++) expect(found(tree, i * 8 + 3, i * 8 + 3).map((vma) => vma.vmPgoff)).toEqual([i * 8]);
    expect(Math.max(...[...tree].map((vma) => tree.depthOf(vma)))).toBeLessThan(16);
  });
});

test('[2.6 vm_pgoff window] the tree finds exactly the VMAs that show a page, whatever was inserted and removed', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const tree = new PrioTree();
    const linked: Vma[] = [];
    for (let step = 0; step < 150; step++) {
      const what = random.next(10);
      if (what < 6 || linked.length === 0) {
        const vma = window(random.next(seed % 2 === 0 ? 40 : 2000), 1 + random.next(what === 0 ? 400 : 12));
        tree.insert(vma);
        linked.push(vma);
      } else if (what < 7) {
        const old = linked[random.next(linked.length)]!;
        const vma = window(old.vmPgoff, old.pages);
        tree.insertAfter(vma, old);
        linked.push(vma);
      } else {
        tree.remove(linked.splice(random.next(linked.length), 1)[0]!);
      }
      const where = `seed ${seed}, step ${step}`;
      expect([where, ...tree.verify()]).toEqual([where]);
      const first = random.next(1000);
      const last = first + random.next(20);
      const want = linked.filter((vma) => vma.vmPgoff <= last && vma.vmPgoff + vma.pages > first);
      const met = found(tree, first, last);
      expect([where, met.length, new Set(met).size]).toEqual([where, want.length, want.length]);
      expect(want.every((vma) => met.includes(vma))).toBe(true);
    }
    expect([...tree].length).toBe(linked.length);
  }
});
