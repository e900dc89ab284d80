/**
 * The VMAs of one address space by address, and the gaps below them: a list, and a height-balanced (AVL) tree over it.
 *
 *                 [0x700..0x720)                 rbSubtreeGap of a node: the widest gap directly below any VMA of its
 *                  gap below 0x5f0               subtree; here 0x5f0 at the top, 0x100 left of it, 0x2d0 right
 *                 /              \
 *      [0x100..0x110)         [0x9f0..0x9f0+1)   the list, vmPrev and vmNext: 0x100, 0x700, 0x9f0
 *
 * Owns      Vma.tree, Vma.vmNext and Vma.vmPrev. 3.16 keeps a red-black tree with the same sums (vm_rb, rb_subtree_gap,
 *           mm.highest_vm_end); 6.x a maple tree (a B-tree of ranges) for the same questions.
 * Promises  1. VMAs are sorted and disjoint, in the list as in the tree.
 *           2. find, insert, remove, boundsChanged and the two gap searches take O(log n); first, last, next and prev O(1).
 *           3. Whoever changes vmStart or vmEnd of a VMA in the tree calls boundsChanged at once, and never moves it past a neighbour.
 * Linux     3.16 mm/mmap.c: find_vma __vma_link_rb vma_compute_subtree_gap vma_gap_update unmapped_area unmapped_area_topdown;
 *           6.18 mm/mmap.c: find_vma find_vma_prev; lib/maple_tree.c: mas_empty_area mas_empty_area_rev
 */
import { bugOn } from './bug.ts';
import { NO_VPN, type Vpn } from './units.ts';
import type { Vma } from './vma.ts';

/** What the tree needs in each VMA. */
export class VmaLinks {
  left: Vma | null = null;
  right: Vma | null = null;
  parent: Vma | null = null;
  height = 1;
  /** The widest gap, in pages, between a VMA of the subtree and the one before it in the list; below the first: down to 0. */
  rbSubtreeGap = 0;
}

export class VmaTree {
  size = 0;
  private root: Vma | null = null;
  /** mm->mmap, and the VMA whose end is mm->highest_vm_end. */
  private head: Vma | null = null;
  private tail: Vma | null = null;

  /** The first VMA that ends above `vpn` (find_vma): the one that holds it, or the next one. */
  find(vpn: Vpn): Vma | null {
    let found: Vma | null = null;
    for (let at = this.root; at !== null; ) {
      if (at.vmEnd > vpn) {
        found = at;
        if (at.vmStart <= vpn) break;
        at = at.tree.left;
      } else at = at.tree.right;
    }
    return found;
  }

  /** The VMA that holds `vpn` (vma_lookup). */
  findExact(vpn: Vpn): Vma | null {
    for (let at = this.root; at !== null; ) {
      if (vpn < at.vmStart) at = at.tree.left;
      else if (vpn >= at.vmEnd) at = at.tree.right;
      else return at;
    }
    return null;
  }

  /** The first VMA that overlaps [start, end). */
  findIntersection(start: Vpn, end: Vpn): Vma | null {
    const vma = this.find(start);
    return vma !== null && vma.vmStart < end ? vma : null;
  }

  /** The last VMA that ends at or below `vpn`. */
  findBefore(vpn: Vpn): Vma | null {
    let found: Vma | null = null;
    for (let at = this.root; at !== null; ) {
      if (at.vmEnd <= vpn) {
        found = at;
        at = at.tree.right;
      } else at = at.tree.left;
    }
    return found;
  }

  first(): Vma | null {
    return this.head;
  }

  last(): Vma | null {
    return this.tail;
  }

  next(vma: Vma): Vma | null {
    return vma.vmNext;
  }

  prev(vma: Vma): Vma | null {
    return vma.vmPrev;
  }

  /** For the edges; a walk that allocates nothing uses first and next. */
  *[Symbol.iterator](): Generator<Vma> {
    for (let vma = this.first(); vma !== null; vma = this.next(vma)) yield vma;
  }

  insert(vma: Vma): void {
    const links = vma.tree;
    links.left = null;
    links.right = null;
    links.parent = null;
    let parent: Vma | null = null;
    let before: Vma | null = null;
    let behind: Vma | null = null;
    // The neighbours of a new leaf are among its ancestors, so this meets every VMA that could overlap.
    for (let at = this.root; at !== null; ) {
      bugOn(vma.vmStart < at.vmEnd && at.vmStart < vma.vmEnd, 'VMAs are disjoint', vma.vmStart);
      parent = at;
      if (vma.vmStart < at.vmStart) {
        behind = at;
        at = at.tree.left;
      } else {
        before = at;
        at = at.tree.right;
      }
    }
    links.parent = parent;
    if (parent === null) this.root = vma;
    else if (vma.vmStart < parent.vmStart) parent.tree.left = vma;
    else parent.tree.right = vma;
    vma.vmPrev = before;
    vma.vmNext = behind;
    if (before === null) this.head = vma;
    else before.vmNext = vma;
    if (behind === null) this.tail = vma;
    else behind.vmPrev = vma;
    this.size += 1;
    this.rebalanceUp(vma);
    gapUpdate(behind);
  }

  remove(vma: Vma): void {
    const links = vma.tree;
    const { vmPrev, vmNext } = vma;
    if (vmPrev === null) this.head = vmNext;
    else vmPrev.vmNext = vmNext;
    if (vmNext === null) this.tail = vmPrev;
    else vmNext.vmPrev = vmPrev;
    let changed = links.parent;
    if (links.left === null || links.right === null) {
      this.replaceChild(links.parent, vma, links.left ?? links.right);
    } else {
      // The next VMA takes its place; it has no left child.
      const heir = leftmost(links.right);
      changed = heir;
      if (heir !== links.right) {
        changed = heir.tree.parent;
        this.replaceChild(heir.tree.parent, heir, heir.tree.right);
        heir.tree.right = links.right;
        links.right.tree.parent = heir;
      }
      heir.tree.left = links.left;
      links.left.tree.parent = heir;
      this.replaceChild(links.parent, vma, heir);
    }
    links.left = null;
    links.right = null;
    links.parent = null;
    vma.vmPrev = null;
    vma.vmNext = null;
    this.size -= 1;
    this.rebalanceUp(changed);
    gapUpdate(vmNext);
  }

  /** vmStart or vmEnd of a VMA in the tree is different now: the gap below it, and the one below its next. */
  boundsChanged(vma: Vma): void {
    gapUpdate(vma);
    gapUpdate(vma.vmNext);
  }

  /** Where the highest free range of `pages` in [low, high) starts, pushed to the upper end of its gap; NO_VPN if none fits. */
  highestGap(pages: number, low: Vpn, high: Vpn): Vpn {
    if (high - low < pages) return NO_VPN;
    const top = this.tail === null ? 0 : this.tail.vmEnd;
    if (top <= high - pages) return (high - pages) as Vpn;
    return highestInside(this.root, pages, low + pages, high - pages);
  }

  /** Where the lowest free range of `pages` in [low, high) starts; NO_VPN if none fits. */
  lowestGap(pages: number, low: Vpn, high: Vpn): Vpn {
    if (high - low < pages) return NO_VPN;
    const found = lowestInside(this.root, pages, low + pages, high - pages);
    if (found !== NO_VPN) return found;
    const top = Math.max(low, this.tail === null ? 0 : this.tail.vmEnd);
    return top <= high - pages ? (top as Vpn) : NO_VPN;
  }

  /** What is wrong with the tree, counted the slow way; nothing if all is well. */
  verify(): string[] {
    const wrong: string[] = [];
    let count = 0;
    let before: Vma | null = null;
    for (const vma of this) {
      count += 1;
      const where = `VMA at page 0x${vma.vmStart.toString(16)}`;
      if (vma.vmStart >= vma.vmEnd) wrong.push(`${where} is empty`);
      if (before !== null && before.vmEnd > vma.vmStart) wrong.push(`${where} overlaps the one before`);
      if (vma.vmPrev !== before) wrong.push(`${where}: vmPrev is not the one before`);
      before = vma;
    }
    if (this.tail !== before) wrong.push('the list does not end with the last VMA');
    if (count !== this.size) wrong.push(`size is ${this.size}, ${count} VMAs are in the tree`);
    const sorted: Vma[] = [];
    if (this.root !== null) verifySubtree(this.root, null, sorted, wrong);
    if (sorted.some((vma, i) => vma.vmPrev !== (sorted[i - 1] ?? null)) || sorted.length !== count)
      wrong.push('list and tree do not hold the same VMAs in the same order');
    return wrong;
  }

  /** Every node from `from` up gets its sums anew, and is turned where one side is higher by two. */
  private rebalanceUp(from: Vma | null): void {
    for (let at = from; at !== null; at = at.tree.parent) {
      const { left, right } = at.tree;
      const lean = heightOf(left) - heightOf(right);
      if (lean > 1) {
        if (heightOf(left!.tree.left) < heightOf(left!.tree.right)) this.rotateUp(left!.tree.right!);
        at = this.rotateUp(at.tree.left!);
      } else if (lean < -1) {
        if (heightOf(right!.tree.right) < heightOf(right!.tree.left)) this.rotateUp(right!.tree.left!);
        at = this.rotateUp(at.tree.right!);
      } else update(at);
    }
  }

  /** Exchanges `child` with its parent; the order stays. Returns `child`, now the upper one. */
  private rotateUp(child: Vma): Vma {
    const parent = child.tree.parent!;
    const inner = parent.tree.left === child ? child.tree.right : child.tree.left;
    this.replaceChild(parent.tree.parent, parent, child);
    if (parent.tree.left === child) {
      parent.tree.left = inner;
      child.tree.right = parent;
    } else {
      parent.tree.right = inner;
      child.tree.left = parent;
    }
    if (inner !== null) inner.tree.parent = parent;
    parent.tree.parent = child;
    update(parent);
    update(child);
    return child;
  }

  private replaceChild(parent: Vma | null, old: Vma, child: Vma | null): void {
    if (child !== null) child.tree.parent = parent;
    if (parent === null) this.root = child;
    else if (parent.tree.left === old) parent.tree.left = child;
    else parent.tree.right = child;
  }
}

function leftmost(vma: Vma): Vma {
  let at = vma;
  while (at.tree.left !== null) at = at.tree.left;
  return at;
}

function heightOf(vma: Vma | null): number {
  return vma === null ? 0 : vma.tree.height;
}

/** Where the gap below `vma` begins. */
function gapStart(vma: Vma): number {
  return vma.vmPrev === null ? 0 : vma.vmPrev.vmEnd;
}

function subtreeGap(vma: Vma): number {
  const { left, right } = vma.tree;
  let gap = vma.vmStart - gapStart(vma);
  if (left !== null && left.tree.rbSubtreeGap > gap) gap = left.tree.rbSubtreeGap;
  if (right !== null && right.tree.rbSubtreeGap > gap) gap = right.tree.rbSubtreeGap;
  return gap;
}

function update(vma: Vma): void {
  const links = vma.tree;
  links.height = 1 + Math.max(heightOf(links.left), heightOf(links.right));
  links.rbSubtreeGap = subtreeGap(vma);
}

/** From `vma` up, as long as it makes a difference (vma_gap_update). */
function gapUpdate(vma: Vma | null): void {
  for (let at = vma; at !== null; at = at.tree.parent) {
    const gap = subtreeGap(at);
    if (gap === at.tree.rbSubtreeGap) return;
    at.tree.rbSubtreeGap = gap;
  }
}

/**
 * The highest gap that reaches up to `lowEnd` and begins at `highStart` or below. Right children first; only a subtree that
 * the limits cut can promise a gap and not hold one, and there are two such paths: O(log n).
 */
function highestInside(vma: Vma | null, pages: number, lowEnd: number, highStart: number): Vpn {
  if (vma === null || vma.tree.rbSubtreeGap < pages) return NO_VPN;
  const start = gapStart(vma);
  if (start <= highStart) {
    const found = highestInside(vma.tree.right, pages, lowEnd, highStart);
    if (found !== NO_VPN) return found;
    if (vma.vmStart >= lowEnd && vma.vmStart - start >= pages) {
      return (Math.min(vma.vmStart, highStart + pages) - pages) as Vpn;
    }
  }
  return vma.vmStart < lowEnd ? NO_VPN : highestInside(vma.tree.left, pages, lowEnd, highStart);
}

function lowestInside(vma: Vma | null, pages: number, lowEnd: number, highStart: number): Vpn {
  if (vma === null || vma.tree.rbSubtreeGap < pages) return NO_VPN;
  const start = gapStart(vma);
  if (vma.vmStart >= lowEnd) {
    const found = lowestInside(vma.tree.left, pages, lowEnd, highStart);
    if (found !== NO_VPN) return found;
    if (start <= highStart && vma.vmStart - start >= pages) return Math.max(start, lowEnd - pages) as Vpn;
  }
  return start > highStart ? NO_VPN : lowestInside(vma.tree.right, pages, lowEnd, highStart);
}

/** The gaps are counted from the list anew. Adds the VMAs to `sorted`, in order; returns the widest gap. */
function verifySubtree(vma: Vma, parent: Vma | null, sorted: Vma[], wrong: string[]): number {
  const { left, right, height, rbSubtreeGap } = vma.tree;
  const leftGap = left === null ? 0 : verifySubtree(left, vma, sorted, wrong);
  sorted.push(vma);
  const rightGap = right === null ? 0 : verifySubtree(right, vma, sorted, wrong);
  const where = `tree node at page 0x${vma.vmStart.toString(16)}`;
  if (vma.tree.parent !== parent) wrong.push(`${where}: the parent link is wrong`);
  if (Math.abs(heightOf(left) - heightOf(right)) > 1) wrong.push(`${where}: out of balance`);
  const widest = Math.max(leftGap, rightGap, vma.vmStart - gapStart(vma));
  if (height !== 1 + Math.max(heightOf(left), heightOf(right))) wrong.push(`${where}: height`);
  if (rbSubtreeGap !== widest)
    wrong.push(`${where}: gap 0x${rbSubtreeGap.toString(16)}, counted 0x${widest.toString(16)}`);
  return widest;
}
