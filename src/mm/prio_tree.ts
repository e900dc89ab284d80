/**
 * i_mmap before 3.7: the VMAs of a file in a radix priority search tree.
 *
 *   radix index = vm_pgoff (r), heap index = the last page shown (h)          file pages 0..15, index_bits 4
 *
 *                       r 2  h 15                      heap: nobody below reaches further than whoever is above
 *              bit 3   ╱         ╲                     radix: at depth d, bit 3 - d of r says left (0) or right (1)
 *               r 0 h 9           r 8  h 12
 *       bit 2  ╱      ╲                ╲               a query [6..6] leaves out whom h says does not reach 6,
 *        r 1 h 3    r 4 h 7            r 13 h 13       and everything on the right that begins behind 6
 *
 *   r 4 h 7 ──head──► VMA ⇄ VMA ⇄ …                    VMAs that show exactly the same pages: one is in the tree,
 *           ◄─head──                                   the second is its head, the others a ring behind the head
 *
 * Owns      `vma.vmSet`, the links of each VMA (vm_set and prio_tree_node, a union in Linux); the tree's index_bits.
 * Promises  1. A search meets every VMA that shows a page of the range, once, and allocates nothing.
 *           2. Members of the tree differ in r or h. A VMA's range stays as it is while it is linked.
 *           3. When the bits of r are used up, all below have one r, and the bits of their length decide.
 *           4. Good at: windows of one file side by side, where a page meets its own. No better than a list for equal ranges.
 * Linux     2.6.24 lib/prio_tree.c: prio_tree_insert prio_tree_remove prio_tree_expand prio_tree_replace prio_tree_next;
 *           mm/prio_tree.c: vma_prio_tree_add vma_prio_tree_insert vma_prio_tree_remove vma_prio_tree_next
 * Before    2.4: two lists a file, walked from end to end
 * After     interval_tree.ts (3.7)
 */
import { bugOn } from './bug.ts';
import type { FileVmas } from './parts.ts';
import type { Vma } from './vma.ts';

/** A long has 64 bits; lengths below have fewer, so the first levels that lengths decide all go left. */
const BITS_PER_LONG = 64;

/** Where a VMA stands: in the tree, or with others that show the same pages. */
export class VmSet {
  /** A node of the tree (vm_set.parent is set). */
  inTree = true;
  parent: Vma | null = null;
  left: Vma | null = null;
  right: Vma | null = null;
  /** Of a node: the first of its equals. Of that one: the node. Of all others: null. */
  head: Vma | null = null;
  /** The ring of equals (vm_set.list). */
  next: Vma;
  prev: Vma;

  constructor(vma: Vma) {
    this.next = vma;
    this.prev = vma;
  }
}

/** First page that the VMA shows. */
function radixOf(vma: Vma): number {
  return vma.vmPgoff;
}
/** Last page that the VMA shows. */
function heapOf(vma: Vma): number {
  return vma.vmPgoff + (vma.vmEnd - vma.vmStart) - 1;
}
function setOf(vma: Vma): VmSet {
  return vma.vmSet!;
}
/** Indexes reach beyond 32 bits, so no shifts. */
function bit(value: number, at: number): boolean {
  return Math.floor(value / 2 ** at) % 2 === 1;
}

export class PrioTree implements FileVmas {
  size = 0;
  /** Pages 0 … 2^indexBits - 1 can be told apart. */
  indexBits = 1;
  private root: Vma | null = null;

  /** The root, for who draws the tree. */
  get top(): Vma | null {
    return this.root;
  }

  /** vma_prio_tree_insert. */
  insert(vma: Vma): void {
    bugOn(vma.vmSet !== null, 'a VMA is linked to its file once', vma.vmStart);
    vma.vmSet = new VmSet(vma);
    this.size += 1;
    const equal = this.place(vma);
    if (equal !== null) this.addTo(vma, equal);
  }

  /** `vma` shows the same pages as `old`, which is linked (vma_prio_tree_add). */
  insertAfter(vma: Vma, old: Vma): void {
    bugOn(
      radixOf(vma) !== radixOf(old) || heapOf(vma) !== heapOf(old),
      'only equals share a place in the tree',
      vma.vmStart,
    );
    bugOn(vma.vmSet !== null, 'a VMA is linked to its file once', vma.vmStart);
    vma.vmSet = new VmSet(vma);
    this.size += 1;
    this.addTo(vma, old);
  }

  /** vma_prio_tree_remove. */
  remove(vma: Vma): void {
    const set = setOf(vma);
    if (set.head === null) {
      if (set.inTree) this.takeOut(vma);
      else ringRemove(vma);
    } else if (set.inTree) {
      // The first of the equals takes the place in the tree, the second becomes the first.
      const heir = set.head;
      this.setEquals(heir, ringPop(heir));
      this.replace(vma, heir);
    } else {
      this.setEquals(set.head, ringPop(vma));
    }
    vma.vmSet = null;
    this.size -= 1;
  }

  /** The root first, then everything on its left, then on its right; behind each node its equals. */
  firstIn(first: number, last: number): Vma | null {
    const { root } = this;
    if (root === null || heapOf(root) < first) return null;
    return radixOf(root) <= last ? root : this.nextNode(root, first, last);
  }

  nextIn(vma: Vma, first: number, last: number): Vma | null {
    const set = setOf(vma);
    if (set.inTree) return set.head ?? this.nextNode(vma, first, last);
    // The ring is closed: its first member knows the node.
    const { next } = set;
    const node = setOf(next).head;
    return node === null ? next : this.nextNode(node, first, last);
  }

  /** For the edges: every VMA. */
  *[Symbol.iterator](): Generator<Vma> {
    for (let at = this.firstIn(0, Number.POSITIVE_INFINITY); at !== null; ) {
      yield at;
      at = this.nextIn(at, 0, Number.POSITIVE_INFINITY);
    }
  }

  /** How many levels stand above the node. */
  depthOf(node: Vma): number {
    let depth = 0;
    for (let up = setOf(node).parent; up !== null; up = setOf(up).parent) depth += 1;
    return depth;
  }

  /** For people. */
  placeOf(vma: Vma): string {
    const set = setOf(vma);
    const interval = `radix ${radixOf(vma)}, heap ${heapOf(vma)}`;
    if (set.inTree) return `a node of the tree, ${this.depthOf(vma)} below the root: ${interval}`;
    return set.head === null
      ? `in the ring of those that show the same: ${interval}`
      : `first of those that show the same as a node: ${interval}`;
  }

  // equals

  private addTo(vma: Vma, old: Vma): void {
    const set = setOf(vma);
    const oldSet = setOf(old);
    set.inTree = false;
    if (!oldSet.inTree) {
      ringInsert(vma, old, oldSet.next);
    } else if (oldSet.head !== null) {
      ringInsert(vma, setOf(oldSet.head).prev, oldSet.head);
    } else {
      set.head = old;
      oldSet.head = vma;
    }
  }

  private setEquals(node: Vma, first: Vma | null): void {
    setOf(node).head = first;
    if (first !== null) setOf(first).head = node;
  }

  // the tree

  /** Puts `vma` into the tree, unless somebody there shows the same pages: who. */
  private place(vma: Vma): Vma | null {
    const last = heapOf(vma);
    if (this.root === null || last >= 2 ** this.indexBits) {
      this.expand(vma, last);
      return null;
    }
    let node = vma;
    let at = this.root;
    for (let depth = 0; ; depth++) {
      if (radixOf(at) === radixOf(node) && heapOf(at) === heapOf(node)) return at;
      if (standsAbove(node, at)) {
        // Whoever reaches further stays here; the other one goes on down.
        this.replace(at, node);
        const low = at;
        at = node;
        node = low;
      }
      const goRight = this.turnsRight(node, depth);
      const below: Vma | null = goRight ? setOf(at).right : setOf(at).left;
      if (below === null) {
        this.attach(at, goRight, node);
        return null;
      }
      at = below;
    }
  }

  /** Which side of a node at `depth` the VMA belongs to. */
  private turnsRight(vma: Vma, depth: number): boolean {
    if (depth < this.indexBits) return bit(radixOf(vma), this.indexBits - 1 - depth);
    return bit(heapOf(vma) - radixOf(vma), BITS_PER_LONG - 1 - (depth - this.indexBits));
  }

  /**
   * `vma` reaches further than the bits do: it becomes the root. What was there has a 0 in each new bit, so it moves down to
   * the left; each new level takes the member that reaches furthest from what is left.
   */
  private expand(vma: Vma, last: number): void {
    let bits = this.indexBits;
    while (last >= 2 ** bits) bits += 1;
    let above: Vma = vma;
    // The new root itself is one level; each bit more is another.
    for (let levels = bits - this.indexBits - 1; levels > 0 && this.root !== null; levels--) {
      const furthest: Vma = this.root;
      const keep = this.indexBits;
      this.takeOut(furthest);
      this.indexBits = keep;
      this.attach(above, false, furthest);
      above = furthest;
    }
    const rest = this.root;
    this.indexBits = bits;
    this.root = vma;
    setOf(vma).parent = null;
    if (rest !== null) this.attach(above, false, rest);
  }

  /** A node without equals leaves: on the way down whoever reaches further moves up into the gap. */
  private takeOut(node: Vma): void {
    const path: Vma[] = [node];
    for (let at = node; ; ) {
      const { left, right } = setOf(at);
      if (left === null && right === null) break;
      if (right === null || (left !== null && heapOf(left) >= heapOf(right))) at = left!;
      else at = right;
      path.push(at);
    }
    const leaf = path.pop()!;
    const { parent } = setOf(leaf);
    if (parent === null) {
      this.root = null;
      this.indexBits = 1;
      return;
    }
    this.setChild(parent, leaf, null);
    let up = leaf;
    for (let i = path.length - 1; i >= 0; i--) {
      this.replace(path[i]!, up);
      up = path[i]!;
    }
    clear(node);
  }

  /** `by` takes the place of `old`, with its neighbours. `old` has no place then. */
  private replace(old: Vma, by: Vma): void {
    const from = setOf(old);
    const to = setOf(by);
    to.inTree = true;
    to.parent = from.parent;
    to.left = from.left;
    to.right = from.right;
    if (from.parent === null) this.root = by;
    else this.setChild(from.parent, old, by);
    if (from.left !== null) setOf(from.left).parent = by;
    if (from.right !== null) setOf(from.right).parent = by;
    clear(old);
  }

  private attach(parent: Vma, right: boolean, node: Vma): void {
    if (right) setOf(parent).right = node;
    else setOf(parent).left = node;
    setOf(node).parent = parent;
  }

  private setChild(parent: Vma, old: Vma, child: Vma | null): void {
    const set = setOf(parent);
    if (set.left === old) set.left = child;
    else set.right = child;
  }

  /** The node behind `node`, in the order of firstIn, that shows a page of [first, last]. */
  private nextNode(node: Vma, first: number, last: number): Vma | null {
    let at = node;
    let depth = this.depthOf(node);
    for (;;) {
      const set = setOf(at);
      let below: Vma | null = null;
      if (set.left !== null && heapOf(set.left) >= first) below = set.left;
      else if (set.right !== null && heapOf(set.right) >= first && this.rightBegins(at, depth) <= last)
        below = set.right;
      if (below !== null) {
        depth += 1;
      } else {
        // Up to the next node whose left side is done and whose right side is not.
        for (let up = set.parent; ; up = setOf(at).parent) {
          if (up === null) return null;
          depth -= 1;
          const above = setOf(up);
          const right: Vma | null = above.left === at ? above.right : null;
          at = up;
          if (right === null || heapOf(right) < first || this.rightBegins(at, depth) > last) continue;
          below = right;
          depth += 1;
          break;
        }
      }
      if (radixOf(below) <= last) return below;
      at = below;
    }
  }

  /** The lowest radix index that can stand on the right of a node at `depth`. */
  rightBegins(node: Vma, depth: number): number {
    if (depth >= this.indexBits) return radixOf(node);
    const unit = 2 ** (this.indexBits - 1 - depth);
    return Math.floor(radixOf(node) / (2 * unit)) * 2 * unit + unit;
  }

  // promises

  verify(): string[] {
    const wrong: string[] = [];
    let members = 0;
    const walk = (node: Vma, depth: number, low: number, high: number): void => {
      const set = setOf(node);
      members += 1 + this.verifyEquals(node, wrong);
      const name = `the VMA of pages ${radixOf(node)}-${heapOf(node)}`;
      if (!set.inTree) wrong.push(`${name} is in the tree and does not know it`);
      if (radixOf(node) < low || radixOf(node) > high) wrong.push(`${name} is on the wrong side: ${low}-${high}`);
      const middle = depth < this.indexBits ? low + (high - low + 1) / 2 : low;
      for (const child of [set.left, set.right]) {
        if (child === null) continue;
        const right = child === set.right;
        if (setOf(child).parent !== node) wrong.push(`${name}: a child does not know it`);
        if (!standsAbove(node, child)) wrong.push(`${name}: a child reaches to ${heapOf(child)}`);
        if (depth >= this.indexBits && this.turnsRight(child, depth) !== right)
          wrong.push(`${name}: a child of the wrong length`);
        if (depth >= this.indexBits) walk(child, depth + 1, low, high);
        else if (right) walk(child, depth + 1, middle, high);
        else walk(child, depth + 1, low, middle - 1);
      }
    };
    if (this.root !== null) {
      if (setOf(this.root).parent !== null) wrong.push('the root has a parent');
      walk(this.root, 0, 0, 2 ** this.indexBits - 1);
    }
    if (members !== this.size) wrong.push(`size is ${this.size}, ${members} VMAs are linked`);
    return wrong;
  }

  /** How many show the same pages as `node`. */
  private verifyEquals(node: Vma, wrong: string[]): number {
    const first = setOf(node).head;
    if (first === null) return 0;
    let equals = 0;
    let at = first;
    do {
      const set = setOf(at);
      equals += 1;
      if (set.inTree || (set.head === null) === (at === first) || setOf(set.next).prev !== at)
        wrong.push(`the ring behind pages ${radixOf(node)}-${heapOf(node)} is broken`);
      if (radixOf(at) !== radixOf(node) || heapOf(at) !== heapOf(node))
        wrong.push(`pages ${radixOf(at)}-${heapOf(at)} in the ring of ${radixOf(node)}-${heapOf(node)}`);
      at = set.next;
    } while (at !== first && equals <= this.size);
    if (setOf(first).head !== node) wrong.push(`the ring of ${radixOf(node)}-${heapOf(node)} does not know its node`);
    return equals;
  }
}

/** Reaches further; or as far, and begins earlier. */
function standsAbove(a: Vma, b: Vma): boolean {
  return heapOf(a) > heapOf(b) || (heapOf(a) === heapOf(b) && radixOf(a) < radixOf(b));
}

function clear(vma: Vma): void {
  const set = setOf(vma);
  set.parent = null;
  set.left = null;
  set.right = null;
}

function ringInsert(vma: Vma, prev: Vma, next: Vma): void {
  setOf(vma).prev = prev;
  setOf(vma).next = next;
  setOf(prev).next = vma;
  setOf(next).prev = vma;
}

function ringRemove(vma: Vma): void {
  const { prev, next } = setOf(vma);
  setOf(prev).next = next;
  setOf(next).prev = prev;
  setOf(vma).prev = vma;
  setOf(vma).next = vma;
}

/** `vma` leaves its ring; the one behind it, or null if it was alone. */
function ringPop(vma: Vma): Vma | null {
  const { next } = setOf(vma);
  if (next === vma) return null;
  ringRemove(vma);
  return next;
}
