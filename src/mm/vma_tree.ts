/**
 * The VMAs of one address space by address, and the gaps between them: a height-balanced (AVL) tree.
 *
 *                 [0x700..0x720)                 each node also knows of its subtree:
 *                  0x100..0x9f0, gap 0x2d0         lowest start .. highest end, widest gap between two VMAs in it
 *                 /              \
 *      [0x100..0x110)         [0x9f0..0x9f0+1)   a gap at the seam of two subtrees belongs to the node between them
 *
 * Owns      Vma.tree, the links of each VMA. Linux keeps a maple tree (a B-tree of ranges) for the same questions.
 * Promises  1. VMAs are sorted and disjoint.
 *           2. find, insert, remove, boundsChanged and the two gap searches take O(log n); next and prev O(1) on average.
 *           3. Whoever changes vmStart or vmEnd of a VMA in the tree calls boundsChanged at once, and never moves it past a neighbour.
 * Linux     6.18 mm/mmap.c: find_vma find_vma_prev; lib/maple_tree.c: mas_empty_area mas_empty_area_rev
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
  /** Of the subtree: lowest start, highest end, widest gap inside. */
  low = 0;
  high = 0;
  gap = 0;
}

export class VmaTree {
  size = 0;
  private root: Vma | null = null;

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
    return this.root === null ? null : leftmost(this.root);
  }

  last(): Vma | null {
    let at = this.root;
    while (at !== null && at.tree.right !== null) at = at.tree.right;
    return at;
  }

  next(vma: Vma): Vma | null {
    if (vma.tree.right !== null) return leftmost(vma.tree.right);
    let at: Vma = vma;
    let up = at.tree.parent;
    while (up !== null && up.tree.right === at) {
      at = up;
      up = at.tree.parent;
    }
    return up;
  }

  prev(vma: Vma): Vma | null {
    if (vma.tree.left !== null) {
      let at = vma.tree.left;
      while (at.tree.right !== null) at = at.tree.right;
      return at;
    }
    let at: Vma = vma;
    let up = at.tree.parent;
    while (up !== null && up.tree.left === at) {
      at = up;
      up = at.tree.parent;
    }
    return up;
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
    // The neighbours of a new leaf are among its ancestors, so this meets every VMA that could overlap.
    for (let at = this.root; at !== null; ) {
      bugOn(vma.vmStart < at.vmEnd && at.vmStart < vma.vmEnd, 'VMAs are disjoint', vma.vmStart);
      parent = at;
      at = vma.vmStart < at.vmStart ? at.tree.left : at.tree.right;
    }
    links.parent = parent;
    if (parent === null) this.root = vma;
    else if (vma.vmStart < parent.vmStart) parent.tree.left = vma;
    else parent.tree.right = vma;
    this.size += 1;
    this.rebalanceUp(vma);
  }

  remove(vma: Vma): void {
    const links = vma.tree;
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
    this.size -= 1;
    this.rebalanceUp(changed);
  }

  /** vmStart or vmEnd of a VMA in the tree is different now. */
  boundsChanged(vma: Vma): void {
    for (let at: Vma | null = vma; at !== null; at = at.tree.parent) update(at);
  }

  /** Where the highest free range of `pages` in [low, high) starts, pushed to the upper end of its gap; NO_VPN if none fits. */
  highestGap(pages: number, low: Vpn, high: Vpn): Vpn {
    const root = this.root;
    if (root === null) return highestFit(low, high, pages, low, high);
    let found = highestFit(root.tree.high, high, pages, low, high);
    if (found === NO_VPN) found = highestInside(root, pages, low, high);
    if (found === NO_VPN) found = highestFit(low, root.tree.low, pages, low, high);
    return found;
  }

  /** Where the lowest free range of `pages` in [low, high) starts; NO_VPN if none fits. */
  lowestGap(pages: number, low: Vpn, high: Vpn): Vpn {
    const root = this.root;
    if (root === null) return lowestFit(low, high, pages, low, high);
    let found = lowestFit(low, root.tree.low, pages, low, high);
    if (found === NO_VPN) found = lowestInside(root, pages, low, high);
    if (found === NO_VPN) found = lowestFit(root.tree.high, high, pages, low, high);
    return found;
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
      before = vma;
    }
    if (count !== this.size) wrong.push(`size is ${this.size}, ${count} VMAs are in the tree`);
    if (this.root !== null) verifySubtree(this.root, null, wrong);
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

function update(vma: Vma): void {
  const links = vma.tree;
  const { left, right } = links;
  links.height = 1 + Math.max(heightOf(left), heightOf(right));
  links.low = vma.vmStart;
  links.high = vma.vmEnd;
  links.gap = 0;
  if (left !== null) {
    links.low = left.tree.low;
    links.gap = Math.max(left.tree.gap, vma.vmStart - left.tree.high);
  }
  if (right !== null) {
    links.high = right.tree.high;
    links.gap = Math.max(links.gap, right.tree.gap, right.tree.low - vma.vmEnd);
  }
}

function highestFit(from: number, to: number, pages: number, low: Vpn, high: Vpn): Vpn {
  const start = Math.min(to, high) - pages;
  return start >= from && start >= low ? (start as Vpn) : NO_VPN;
}

function lowestFit(from: number, to: number, pages: number, low: Vpn, high: Vpn): Vpn {
  const start = Math.max(from, low);
  return start + pages <= to && start + pages <= high ? (start as Vpn) : NO_VPN;
}

/** Only a subtree that [low, high) cuts can promise a gap and not hold one, and there are two such paths: O(log n). */
function highestInside(vma: Vma | null, pages: number, low: Vpn, high: Vpn): Vpn {
  if (vma === null || vma.tree.gap < pages || vma.tree.low + pages > high || vma.tree.high - pages < low) return NO_VPN;
  const { left, right } = vma.tree;
  let found = highestInside(right, pages, low, high);
  if (found === NO_VPN && right !== null) found = highestFit(vma.vmEnd, right.tree.low, pages, low, high);
  if (found === NO_VPN && left !== null) found = highestFit(left.tree.high, vma.vmStart, pages, low, high);
  if (found === NO_VPN) found = highestInside(left, pages, low, high);
  return found;
}

function lowestInside(vma: Vma | null, pages: number, low: Vpn, high: Vpn): Vpn {
  if (vma === null || vma.tree.gap < pages || vma.tree.low + pages > high || vma.tree.high - pages < low) return NO_VPN;
  const { left, right } = vma.tree;
  let found = lowestInside(left, pages, low, high);
  if (found === NO_VPN && left !== null) found = lowestFit(left.tree.high, vma.vmStart, pages, low, high);
  if (found === NO_VPN && right !== null) found = lowestFit(vma.vmEnd, right.tree.low, pages, low, high);
  if (found === NO_VPN) found = lowestInside(right, pages, low, high);
  return found;
}

function verifySubtree(vma: Vma, parent: Vma | null, wrong: string[]): void {
  const links = vma.tree;
  const { height, low, high, gap } = links;
  if (links.left !== null) verifySubtree(links.left, vma, wrong);
  if (links.right !== null) verifySubtree(links.right, vma, wrong);
  const where = `tree node at page 0x${vma.vmStart.toString(16)}`;
  if (links.parent !== parent) wrong.push(`${where}: the parent link is wrong`);
  if (Math.abs(heightOf(links.left) - heightOf(links.right)) > 1) wrong.push(`${where}: out of balance`);
  const leftHigh = links.left?.tree.high ?? vma.vmStart;
  const rightLow = links.right?.tree.low ?? vma.vmEnd;
  const widest = Math.max(
    links.left?.tree.gap ?? 0,
    links.right?.tree.gap ?? 0,
    vma.vmStart - leftHigh,
    rightLow - vma.vmEnd,
  );
  if (height !== 1 + Math.max(heightOf(links.left), heightOf(links.right))) wrong.push(`${where}: height`);
  if (low !== (links.left?.tree.low ?? vma.vmStart)) wrong.push(`${where}: lowest start`);
  if (high !== (links.right?.tree.high ?? vma.vmEnd)) wrong.push(`${where}: highest end`);
  if (gap !== widest) wrong.push(`${where}: gap 0x${gap.toString(16)}, counted 0x${widest.toString(16)}`);
}
