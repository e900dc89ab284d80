/**
 * Which members of a set overlap a range: a treap ordered by first, where each node knows the highest last below it.
 *
 *                    [20..35] 60          member [first..last], then subtreeLast: the highest last in the
 *                   /           \         subtree. A search for [50..55] turns left first: 60 says that
 *           [8..60] 60         [40..44] 44     something down there may reach so far.
 *
 * Owns      the links in each member (Vma.shared, AnonVmaChain's). The files' trees of VMAs and the anon_vmas' trees of chains use it.
 * Promises  1. Members come in ascending order of first; those of equal first in the order in which they were inserted.
 *           2. A member's first and last stay as they are while it is in the tree: whoever changes them takes it out before.
 *           3. A search allocates nothing. Priorities come from a counter, so the same calls give the same tree.
 * Linux     6.18 include/linux/interval_tree_generic.h; mm/interval_tree.c: vma_interval_tree_insert vma_interval_tree_insert_after
 *           vma_interval_tree_remove vma_interval_tree_iter_first vma_interval_tree_iter_next anon_vma_interval_tree_insert
 */
import { bugOn } from './bug.ts';
import type { FileVmas } from './parts.ts';
import type { IntervalLinks, Vma } from './vma.ts';

/** How to read a member. `last` belongs to the interval. */
export interface IntervalKeys<T> {
  first(member: T): number;
  last(member: T): number;
  links(member: T): IntervalLinks<T>;
}

/** A file's mappings by the range of its pages that each shows. */
class MappedRange implements IntervalKeys<Vma> {
  first(vma: Vma): number {
    return vma.vmPgoff;
  }
  last(vma: Vma): number {
    return vma.vmPgoff + (vma.vmEnd - vma.vmStart) - 1;
  }
  links(vma: Vma): IntervalLinks<Vma> {
    return vma.shared;
  }
}

/** i_mmap since 3.7. */
export function newIntervalFileVmas(): FileVmas {
  return new IntervalTree<Vma>(new MappedRange());
}

export class IntervalTree<T> {
  size = 0;
  private root: T | null = null;
  private inserted = 0;
  private readonly keys: IntervalKeys<T>;

  constructor(keys: IntervalKeys<T>) {
    this.keys = keys;
  }

  /** The root, for who draws the tree. */
  get top(): T | null {
    return this.root;
  }

  /** Behind the members that have the same first. */
  insert(member: T): void {
    const keys = this.keys;
    const first = keys.first(member);
    let parent: T | null = null;
    let left = false;
    for (let at = this.root; at !== null; ) {
      parent = at;
      left = first < keys.first(at);
      at = left ? keys.links(at).left : keys.links(at).right;
    }
    this.attach(member, parent, left);
  }

  /** Directly behind `before`, which must have the same first: fork puts the child's VMA behind the parent's. */
  insertAfter(member: T, before: T): void {
    const keys = this.keys;
    bugOn(keys.first(member) !== keys.first(before), 'members stand in ascending order', keys.first(member));
    let parent = before;
    let left = false;
    for (let at = keys.links(before).right; at !== null; at = keys.links(at).left) {
      parent = at;
      left = true;
    }
    this.attach(member, parent, left);
  }

  remove(member: T): void {
    const links = this.keys.links(member);
    // Rotated down until one side is empty, the member can be cut out.
    while (links.left !== null && links.right !== null) {
      const up: T =
        this.keys.links(links.left).priority > this.keys.links(links.right).priority ? links.left : links.right;
      this.rotateUp(up);
    }
    const child = links.left ?? links.right;
    const parent = links.parent;
    bugOn(parent === null && this.root !== member, 'only a member is removed', this.keys.first(member));
    if (child !== null) this.keys.links(child).parent = parent;
    this.replaceChild(parent, member, child);
    links.left = null;
    links.right = null;
    links.parent = null;
    this.size -= 1;
    for (let up = parent; up !== null; up = this.keys.links(up).parent) this.update(up);
  }

  /** The first member that overlaps [first, last]; null if none does. */
  firstIn(first: number, last: number): T | null {
    return this.root === null ? null : this.search(this.root, first, last);
  }

  /** The member behind `member` that overlaps [first, last]; null behind the last. */
  nextIn(member: T, first: number, last: number): T | null {
    const keys = this.keys;
    let at = member;
    for (;;) {
      const right: T | null = keys.links(at).right;
      if (right !== null && keys.links(right).subtreeLast >= first) return this.search(right, first, last);
      let from: T;
      let up: T | null;
      do {
        from = at;
        up = keys.links(at).parent;
        if (up === null) return null;
        at = up;
      } while (keys.links(at).right === from);
      if (keys.first(at) > last) return null;
      if (keys.last(at) >= first) return at;
    }
  }

  /** For the edges: every member, in order. */
  *[Symbol.iterator](): Generator<T> {
    for (let at = this.firstIn(0, Number.POSITIVE_INFINITY); at !== null; ) {
      yield at;
      at = this.nextIn(at, 0, Number.POSITIVE_INFINITY);
    }
  }

  /** What is wrong with the tree, counted the slow way; nothing if all is well. */
  verify(): string[] {
    const wrong: string[] = [];
    let count = 0;
    let before = Number.NEGATIVE_INFINITY;
    for (let at = this.leftmost(); at !== null; at = this.successor(at)) {
      const { keys } = this;
      const links = keys.links(at);
      const first = keys.first(at);
      count += 1;
      if (first < before) wrong.push(`the member at ${first} stands behind one at ${before}`);
      before = first;
      const left = links.left === null ? -1 : keys.links(links.left).subtreeLast;
      const right = links.right === null ? -1 : keys.links(links.right).subtreeLast;
      const last = Math.max(keys.last(at), left, right);
      if (links.subtreeLast !== last)
        wrong.push(`the member at ${first}: subtreeLast ${links.subtreeLast}, counted ${last}`);
    }
    if (count !== this.size) wrong.push(`size is ${this.size}, ${count} members are in the tree`);
    return wrong;
  }

  private leftmost(): T | null {
    let at = this.root;
    for (let left = at; left !== null; left = this.keys.links(left).left) at = left;
    return at;
  }

  private successor(member: T): T | null {
    const { keys } = this;
    const { right } = keys.links(member);
    if (right !== null) {
      let at: T = right;
      for (let left = keys.links(at).left; left !== null; left = keys.links(at).left) at = left;
      return at;
    }
    let at = member;
    let up = keys.links(at).parent;
    while (up !== null && keys.links(up).right === at) {
      at = up;
      up = keys.links(at).parent;
    }
    return up;
  }

  /** Leftmost in the subtree: what lies left may still reach into the range, what lies right may begin behind it. */
  private search(subtree: T, first: number, last: number): T | null {
    const keys = this.keys;
    let at: T = subtree;
    for (;;) {
      const links = keys.links(at);
      if (links.left !== null && keys.links(links.left).subtreeLast >= first) {
        at = links.left;
        continue;
      }
      if (keys.first(at) > last) return null;
      if (keys.last(at) >= first) return at;
      if (links.right === null || keys.links(links.right).subtreeLast < first) return null;
      at = links.right;
    }
  }

  private attach(member: T, parent: T | null, left: boolean): void {
    const links = this.keys.links(member);
    bugOn(links.parent !== null || this.root === member, 'a member is inserted once', this.keys.first(member));
    links.left = null;
    links.right = null;
    links.parent = parent;
    links.subtreeLast = this.keys.last(member);
    links.priority = scrambled(++this.inserted);
    this.size += 1;
    if (parent === null) {
      this.root = member;
      return;
    }
    if (left) this.keys.links(parent).left = member;
    else this.keys.links(parent).right = member;
    while (links.parent !== null && this.keys.links(links.parent).priority < links.priority) this.rotateUp(member);
    for (let up = links.parent; up !== null; up = this.keys.links(up).parent) this.update(up);
  }

  /** Exchanges `child` with its parent; the order of all members stays. */
  private rotateUp(child: T): void {
    const keys = this.keys;
    const links = keys.links(child);
    const parent = links.parent!;
    const above = keys.links(parent);
    const inner = above.left === child ? links.right : links.left;
    if (above.left === child) {
      above.left = inner;
      links.right = parent;
    } else {
      above.right = inner;
      links.left = parent;
    }
    if (inner !== null) keys.links(inner).parent = parent;
    links.parent = above.parent;
    this.replaceChild(above.parent, parent, child);
    above.parent = child;
    this.update(parent);
    this.update(child);
  }

  private replaceChild(parent: T | null, old: T, child: T | null): void {
    if (parent === null) {
      this.root = child;
      return;
    }
    const links = this.keys.links(parent);
    if (links.left === old) links.left = child;
    else links.right = child;
  }

  private update(member: T): void {
    const links = this.keys.links(member);
    let last = this.keys.last(member);
    if (links.left !== null) last = Math.max(last, this.keys.links(links.left).subtreeLast);
    if (links.right !== null) last = Math.max(last, this.keys.links(links.right).subtreeLast);
    links.subtreeLast = last;
  }
}

/** A counter's value with its bits mixed: neighbours in time get unrelated priorities, and nothing is random. */
function scrambled(n: number): number {
  let x = Math.imul(n, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
