/**
 * How a search goes through a tree of VMAs: each node that it comes to, and each subtree that it leaves out, with the reason.
 *
 * Promises  Members with the verdict 'shows' are those that firstIn and nextIn give, in their order. Nothing is changed.
 * Linux     6.18 include/linux/interval_tree_generic.h; 2.6.24 lib/prio_tree.c: prio_tree_next
 */
import type { PrioTree } from '../mm/prio_tree.ts';
import type { IntervalLinks, Vma } from '../mm/vma.ts';

export interface TreeStep<T> {
  readonly member: T;
  readonly depth: number;
  /** The node above; null of the root. Of an equal: the node that shows the same. */
  readonly above: T | null;
  readonly side: 'root' | 'left' | 'right' | 'equal';
  readonly verdict: 'shows' | 'passed' | 'left out';
  /** Its interval, and what the tree knows of the subtree. */
  readonly interval: readonly [range: string, subtree?: string];
  readonly says: string;
  /** Of a subtree that is left out: how many members it has. */
  readonly members: number;
}

/** An interval tree, in ascending order; `vmaOf` and `linksOf` say what its members are. */
export function intervalSteps<T>(
  root: T | null,
  index: number,
  numberText: (page: number) => string,
  vmaOf: (member: T) => Vma,
  linksOf: (member: T) => IntervalLinks<T>,
): TreeStep<T>[] {
  const steps: TreeStep<T>[] = [];
  const size = (top: T): number => countBelow(top, (at) => [linksOf(at).left, linksOf(at).right]);
  const page = numberText(index);
  const intervalText = (first: number, last: number, subtree: number): TreeStep<T>['interval'] => [
    `[${numberText(first)}‥${numberText(last)}]`,
    `subtree ≤ ${numberText(subtree)}`,
  ];
  const visit = (member: T, depth: number, above: T | null, side: TreeStep<T>['side']): void => {
    const vma = vmaOf(member);
    const { left, right, subtreeLast } = linksOf(member);
    const [first, last] = [vma.vmPgoff, lastOf(vma)];
    const interval = intervalText(first, last, subtreeLast);
    const leaveOut = (child: T, childSide: 'left' | 'right', says: string): void => {
      const text = intervalText(vmaOf(child).vmPgoff, lastOf(vmaOf(child)), linksOf(child).subtreeLast);
      const at = { member: child, depth: depth + 1, above: member, side: childSide, interval: text };
      steps.push({ ...at, verdict: 'left out', says, members: size(child) });
    };
    if (left !== null) {
      const reaches = linksOf(left).subtreeLast;
      if (reaches >= index) visit(left, depth + 1, member, 'left');
      else leaveOut(left, 'left', `nobody there reaches ${page}: the last page is ${numberText(reaches)}`);
    }
    const shows = first <= index && last >= index;
    const says = shows ? '' : first > index ? `begins behind ${page}` : `ends before ${page}`;
    steps.push({ member, depth, above, side, interval, verdict: shows ? 'shows' : 'passed', says, members: 0 });
    if (right === null) return;
    if (first > index) leaveOut(right, 'right', `all there begin at ${numberText(first)} or behind`);
    else if (linksOf(right).subtreeLast < index) {
      leaveOut(
        right,
        'right',
        `nobody there reaches ${page}: the last page is ${numberText(linksOf(right).subtreeLast)}`,
      );
    } else visit(right, depth + 1, member, 'right');
  };
  if (root !== null) visit(root, 0, null, 'root');
  return steps;
}

/** A priority search tree: a node before what is below it, and behind each node those that show the same pages. */
export function prioSteps(tree: PrioTree, index: number): TreeStep<Vma>[] {
  const steps: TreeStep<Vma>[] = [];
  const heap = lastOf;
  const leaveOut = (vma: Vma, depth: number, above: Vma | null, side: TreeStep<Vma>['side'], says: string): void => {
    const members = countBelow(
      vma,
      (at) => [at.vmSet!.left, at.vmSet!.right],
      (at) => 1 + equalsOf(at).length,
    );
    steps.push({ member: vma, depth, above, side, verdict: 'left out', interval: nameOf(vma), says, members });
  };
  const visit = (vma: Vma, depth: number, above: Vma | null, side: TreeStep<Vma>['side']): void => {
    const shows = vma.vmPgoff <= index;
    const verdict = shows ? 'shows' : 'passed';
    const says = shows ? '' : `begins behind ${index}`;
    steps.push({ member: vma, depth, above, side, verdict, interval: nameOf(vma), says, members: 0 });
    for (const equal of shows ? equalsOf(vma) : []) {
      const at = { member: equal, depth: depth + 1, above: vma, side: 'equal' as const, interval: nameOf(vma) };
      steps.push({ ...at, verdict, says: '', members: 0 });
    }
    const { left, right } = vma.vmSet!;
    if (left !== null) {
      if (heap(left) >= index) visit(left, depth + 1, vma, 'left');
      else leaveOut(left, depth + 1, vma, 'left', `heap index ${heap(left)}: nobody below reaches ${index}`);
    }
    if (right === null) return;
    const begins = tree.rightBegins(vma, depth);
    if (heap(right) < index) {
      leaveOut(right, depth + 1, vma, 'right', `heap index ${heap(right)}: nobody below reaches ${index}`);
    } else if (begins > index) {
      leaveOut(right, depth + 1, vma, 'right', `radix: on the right all begin at ${begins} or behind`);
    } else visit(right, depth + 1, vma, 'right');
  };
  const { top } = tree;
  if (top === null) return steps;
  if (heap(top) >= index) visit(top, 0, null, 'root');
  else leaveOut(top, 0, null, 'root', `heap index ${heap(top)}: nobody reaches ${index}`);
  return steps;
}

/** VMAs that show the same pages as a node of the tree, in the order of a search. */
function equalsOf(node: Vma): Vma[] {
  const first = node.vmSet!.head;
  const equals: Vma[] = [];
  for (let at = first; at !== null; ) {
    equals.push(at);
    at = at.vmSet!.next === first ? null : at.vmSet!.next;
  }
  return equals;
}

function nameOf(vma: Vma): TreeStep<Vma>['interval'] {
  return [`radix ${vma.vmPgoff}, heap ${lastOf(vma)}`];
}

function lastOf(vma: Vma): number {
  return vma.vmPgoff + vma.pages - 1;
}

function countBelow<T>(top: T, below: (at: T) => readonly (T | null)[], weight: (at: T) => number = () => 1): number {
  const left: T[] = [top];
  let count = 0;
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    count += weight(at);
    for (const child of below(at)) if (child !== null) left.push(child);
  }
  return count;
}
