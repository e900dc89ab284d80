/**
 * Fork trees as memory programs, and how many anon_vmas and links to them each must leave: a closed form, from the rules alone.
 *
 * Owns      the shapes. Who counts: test/structure.ts in the engine, bench/structure.ts in the kernel too.
 * Promises  1. A program has two `snapshot` lines: the tree stands; the same processes, all areas unmapped. What is between is the tree's.
 *           2. Every area of a program is alike and for itself, so its counts are those of one area times the areas.
 *
 * The rules, for one area (docs/reverse-map.md): the first store makes an anon_vma and a link. A fork gives the child a link to every
 * anon_vma that its parent is linked to, and then one of them to call its own if that one is idle (nobody calls it his own, and it has
 * fewer than two children, a root being a child of itself); else a new one, with one more link. An anon_vma lives as long as a link to it.
 */

/** Of one area. */
export interface Counts {
  readonly anonVmas: number;
  readonly chains: number;
}

export interface Shape {
  readonly name: string;
  readonly why: string;
  /** How `want` comes about, for readers. */
  readonly formula: { readonly anonVmas: string; readonly chains: string };
  readonly want: Counts;
  build(tree: Tree): void;
}

const ARENA = 0x100000000000;
const PAGE = 4096;
/** From one area to the next; an area is two pages, and a hole keeps areas apart. */
const STRIDE = 4 * PAGE;
const AREA = 2 * PAGE;
const PROT = 'PROT_READ|PROT_WRITE';

/** Writes a program: a tree of processes that all have the same areas. Process 1 is the first. */
export class Tree {
  readonly areas: number;
  private readonly lines: string[] = [];
  private readonly alive: Set<number> = new Set([1]);
  private made = 1;

  constructor(areas: number) {
    this.areas = areas;
    this.each((at) => `1 mmap(${at}, ${AREA}, ${PROT}, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)`);
  }

  get processes(): number {
    return this.alive.size;
  }

  /** The child's label. */
  fork(parent: number): number {
    this.made += 1;
    this.alive.add(this.made);
    this.lines.push(`${parent} fork() = ${this.made}`);
    return this.made;
  }

  exit(process: number): void {
    this.alive.delete(process);
    this.lines.push(`${process} exit(0)`);
  }

  /** A store to the first page of each area, or to its second. */
  store(process: number, page: 0 | 1 = 0): void {
    this.each((at) => `${process} store(${at}+${page * PAGE})`);
  }

  /** The second page of each area may be read only: from here on it is a VMA of its own. */
  halve(process: number): void {
    this.each((at) => `${process} mprotect(${at}+${PAGE}, ${PAGE}, PROT_READ)`);
  }

  /** Each area becomes two, which differ in what may be done with them and in nothing else. */
  neighbours(process: number): void {
    this.each((at) => `${process} mprotect(${at}+${PAGE}, ${PAGE}, ${PROT}|PROT_EXEC)`);
  }

  wipeOnFork(process: number): void {
    this.each((at) => `${process} madvise(${at}, ${AREA}, MADV_WIPEONFORK)`);
  }

  /** The whole program. */
  text(): string {
    const unmaps = [...this.alive].map((process) => `${process} munmap(${ARENA}, ${this.areas * STRIDE})`);
    return ['%mmp 1', '%snapshot manual', ...this.lines, 'snapshot', ...unmaps, 'snapshot', ''].join('\n');
  }

  private each(line: (at: number) => string): void {
    for (let i = 0; i < this.areas; i++) this.lines.push(line(ARENA + i * STRIDE));
  }
}

/** The program of a shape, with so many areas. */
export function shapeProgram(shape: Shape, areas: number): { readonly text: string; readonly processes: number } {
  const tree = new Tree(areas);
  shape.build(tree);
  return { text: tree.text(), processes: tree.processes };
}

/** n processes, each the child of the one before; process 1 has stored. */
function chain(tree: Tree, n: number): number[] {
  tree.store(1);
  const line = [1];
  while (line.length < n) line.push(tree.fork(line.at(-1)!));
  return line;
}

/** n children of one process. */
function children(tree: Tree, parent: number, n: number): number[] {
  return Array.from({ length: n }, () => tree.fork(parent));
}

/** Sum of 1 to n. */
function triangle(n: number): number {
  return (n * (n + 1)) / 2;
}

function exitAll(tree: Tree, processes: readonly number[]): void {
  for (const process of processes) tree.exit(process);
}

/** Each generation makes its successor and ends; before that it makes what `between` makes. */
function relay(tree: Tree, n: number, between: (tree: Tree, process: number) => void): void {
  tree.store(1);
  let last = 1;
  for (let generation = 1; generation < n; generation++) {
    between(tree, last);
    const next = tree.fork(last);
    tree.exit(last);
    last = next;
  }
  between(tree, last);
}

const CHAIN = 200;
const SIBLINGS = 1000;
const DEPTH = 9;
const LEAVES = 2 ** DEPTH;

export const SHAPES: readonly Shape[] = [
  {
    name: 'nothing stored, 100 children',
    why: 'an area without a page of its own has nothing that a child could be linked to',
    formula: { anonVmas: '0', chains: '0' },
    want: { anonVmas: 0, chains: 0 },
    build(tree) {
      children(tree, 1, 100);
    },
  },
  {
    name: '100 children, only they store',
    why: 'the pages come after the fork, so nobody shares any: each child has a root',
    formula: { anonVmas: 'n', chains: 'n' },
    want: { anonVmas: 100, chains: 100 },
    build(tree) {
      for (const child of children(tree, 1, 100)) tree.store(child);
    },
  },
  {
    name: 'wiped on fork, 100 children store',
    why: 'the child gets the area without its pages, and so without links',
    formula: { anonVmas: 'n + 1', chains: 'n + 1' },
    want: { anonVmas: 101, chains: 101 },
    build(tree) {
      tree.store(1);
      tree.wipeOnFork(1);
      for (const child of children(tree, 1, 100)) tree.store(child);
    },
  },
  {
    name: '1,000 siblings',
    why: 'the root, and one for each child; a child is linked to both',
    formula: { anonVmas: 'n + 1', chains: '2n + 1' },
    want: { anonVmas: SIBLINGS + 1, chains: 2 * SIBLINGS + 1 },
    build(tree) {
      tree.store(1);
      children(tree, 1, SIBLINGS);
    },
  },
  {
    name: '1,000 siblings, every second gone',
    why: 'who ends takes his own anon_vma along and both his links',
    formula: { anonVmas: 'n/2 + 1', chains: 'n + 1' },
    want: { anonVmas: SIBLINGS / 2 + 1, chains: SIBLINGS + 1 },
    build(tree) {
      tree.store(1);
      exitAll(
        tree,
        children(tree, 1, SIBLINGS).filter((_, i) => i % 2 === 1),
      );
    },
  },
  {
    name: '1,000 siblings, the parent gone',
    why: 'the root stays: the children are linked to it',
    formula: { anonVmas: 'n + 1', chains: '2n' },
    want: { anonVmas: SIBLINGS + 1, chains: 2 * SIBLINGS },
    build(tree) {
      tree.store(1);
      children(tree, 1, SIBLINGS);
      tree.exit(1);
    },
  },
  {
    name: '500 children, one after the other',
    why: 'a shell: each child is gone before the next comes',
    formula: { anonVmas: '1', chains: '1' },
    want: { anonVmas: 1, chains: 1 },
    build(tree) {
      tree.store(1);
      for (let i = 0; i < 500; i++) tree.exit(tree.fork(1));
    },
  },
  {
    name: 'chain of 200',
    why: 'all live, so none is idle: process k has the links of its k - 1 ancestors and one to its own',
    formula: { anonVmas: 'n', chains: 'n(n + 1)/2' },
    want: { anonVmas: CHAIN, chains: triangle(CHAIN) },
    build(tree) {
      chain(tree, CHAIN);
    },
  },
  {
    name: 'chain of 200, every second gone',
    why: 'the last is linked to all; processes 2, 4 … 200 are left, with so many links each',
    formula: { anonVmas: 'n', chains: 'n/2 (n/2 + 1)' },
    want: { anonVmas: CHAIN, chains: (CHAIN / 2) * (CHAIN / 2 + 1) },
    build(tree) {
      exitAll(
        tree,
        chain(tree, CHAIN).filter((_, i) => i % 2 === 0),
      );
    },
  },
  {
    name: 'chain of 200, only the last left',
    why: 'its pages may be from any ancestor’s time',
    formula: { anonVmas: 'n', chains: 'n' },
    want: { anonVmas: CHAIN, chains: CHAIN },
    build(tree) {
      exitAll(tree, chain(tree, CHAIN).slice(0, -1));
    },
  },
  {
    name: 'relay of 200: each forks and ends',
    why: 'from the fourth on, the grandparent’s is idle and is taken over: three do for ever (before 4.0: n)',
    formula: { anonVmas: '3', chains: '3' },
    want: { anonVmas: 3, chains: 3 },
    build(tree) {
      relay(tree, CHAIN, () => undefined);
    },
  },
  {
    name: 'relay of 200, each has a child that ends first',
    why: 'a child that is gone counts no more, so the grandparent’s is idle again',
    formula: { anonVmas: '3', chains: '3' },
    want: { anonVmas: 3, chains: 3 },
    build(tree) {
      relay(tree, CHAIN, (t, process) => t.exit(t.fork(process)));
    },
  },
  {
    name: 'relay of 140, each leaves a child behind',
    why: 'every anon_vma on the way has two children and is never idle; child k has k + 1 links, the last of the relay n',
    formula: { anonVmas: '2n', chains: 'n(n + 1)/2 + 2n' },
    want: { anonVmas: 280, chains: triangle(140) + 280 },
    build(tree) {
      relay(tree, 140, (t, process) => t.fork(process));
    },
  },
  {
    name: 'chain of 100, 4 children each, half the chain gone',
    why: 'child of process k: k + 1 links; processes 1, 3 … 99 of the chain are left: 1 + 3 + … = (n/2)²',
    formula: { anonVmas: 'n + 4n', chains: '(n/2)² + 4(n(n + 1)/2 + n)' },
    want: { anonVmas: 500, chains: 50 ** 2 + 4 * (triangle(100) + 100) },
    build(tree) {
      const line = chain(tree, 100);
      for (const process of line) children(tree, process, 4);
      exitAll(
        tree,
        line.filter((_, i) => i % 2 === 1),
      );
    },
  },
  {
    name: 'binary tree of depth 9',
    why: 'a process at depth d has d + 1 links',
    formula: { anonVmas: '2^(d+1) - 1', chains: 'd 2^(d+1) + 1' },
    want: { anonVmas: 2 * LEAVES - 1, chains: DEPTH * 2 * LEAVES + 1 },
    build(tree) {
      tree.store(1);
      let level = [1];
      for (let d = 0; d < DEPTH; d++) level = level.flatMap((process) => children(tree, process, 2));
    },
  },
  {
    name: '30 children with 30 each, the middle gone',
    why: 'the anon_vmas of the middle are held by those below; three links each',
    formula: { anonVmas: '1 + m + m²', chains: '1 + 3m²' },
    want: { anonVmas: 1 + 30 + 900, chains: 1 + 3 * 900 },
    build(tree) {
      tree.store(1);
      const middle = children(tree, 1, 30);
      for (const process of middle) children(tree, process, 30);
      exitAll(tree, middle);
    },
  },
  {
    name: 'grandchild with 500 children, its parent gone',
    why: 'the first of the 500 takes over the anon_vma of who is gone and needs no fourth link',
    formula: { anonVmas: 'n + 2', chains: '1 + 3 + 3 + 4(n - 1)' },
    want: { anonVmas: 502, chains: 7 + 4 * 499 },
    build(tree) {
      const [, child, grandchild] = chain(tree, 3);
      tree.exit(child!);
      children(tree, grandchild!, 500);
    },
  },
  {
    name: '300 daemons, forked twice, a worker each',
    why: 'the daemon has three links; its worker takes over the anon_vma of the process in between, so three as well',
    formula: { anonVmas: '1 + 2n', chains: '1 + 6n' },
    want: { anonVmas: 601, chains: 1801 },
    build(tree) {
      tree.store(1);
      for (let i = 0; i < 300; i++) {
        const between = tree.fork(1);
        const daemon = tree.fork(between);
        tree.exit(between);
        tree.fork(daemon);
      }
    },
  },
  {
    name: '500 siblings, each splits its area',
    why: 'both halves have the same links and call the same anon_vma their own',
    formula: { anonVmas: 'n + 1', chains: '4n + 1' },
    want: { anonVmas: 501, chains: 2001 },
    build(tree) {
      tree.store(1);
      for (const child of children(tree, 1, 500)) tree.halve(child);
    },
  },
  {
    name: '500 siblings, two neighbours that share',
    why: 'neighbours that may merge one day share the root; but a fork copies VMA by VMA, and each copy has its own',
    formula: { anonVmas: '2n + 1', chains: '4n + 2' },
    want: { anonVmas: 1001, chains: 2002 },
    build(tree) {
      tree.neighbours(1);
      tree.store(1, 0);
      tree.store(1, 1);
      children(tree, 1, 500);
    },
  },
];
