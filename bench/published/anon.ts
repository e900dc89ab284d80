/** Reverse mapping of anonymous pages: one anon_vma for a whole tree of forks, chains, chains that are used again, a tree of links. */
import type { Machine } from '../../src/mm/machine.ts';
import type { Mm } from '../../src/mm/mm.ts';
import { doMprotect } from '../../src/mm/mprotect.ts';
import type { Task } from '../../src/mm/task.ts';
import { PROT_READ } from '../../src/mm/uapi.ts';
import { PAGE, Space } from '../../test/space.ts';
import { commit, exactly, type Figure, holds, type PublishedNumber, range } from './number.ts';
import { candidates, Range, vmasOfReferenced } from './walk.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

const CHILDREN = 1000;
const PAGES = 1000;
/** Of how many children every page is looked at. */
const SAMPLED_CHILDREN = 20;

/** A process of 1,000 pages, and 1,000 children that have written to every one of them. */
function manyChildren(kernel: string): { space: Space; children: readonly Mm[] } {
  const space = new Space({ kernel, ramBytes: 5 * GIB });
  space.map(0, PAGES);
  space.storeAll(0, PAGES);
  const children = Array.from({ length: CHILDREN }, () => space.fork().mm!);
  for (const child of children) space.storeAll(0, PAGES, child);
  return { space, children };
}

function visits(kernel: string): { under: Range; referenced: Range } {
  const { space, children } = manyChildren(kernel);
  const { machine } = space;
  const under = new Range();
  const referenced = new Range();
  for (let i = 0; i < children.length; i += children.length / SAMPLED_CHILDREN) {
    for (let page = 0; page < PAGES; page++) under.add(candidates(machine, space.pfn(page, children[i]!)));
  }
  for (const child of children) referenced.add(vmasOfReferenced(machine, space.pfn(0, child)));
  return { under, referenced };
}

const thousandChildren: PublishedNumber = {
  name: 'A thousand children copy a thousand pages',
  source: commit('5beb49305251'),
  date: '2010-03',
  slow: true,
  how:
    'A process stores to 1,000 pages and forks 1,000 children, each of which stores to all of them. Then the reverse walk is ' +
    'sent from all pages of every 50th child, and page_referenced() from a page of each.',
  remark:
    'The commit says that all are walked. page_referenced() of 2.6.24 stops when it has met as many entries as map the page, ' +
    'so that a child finds its own page where it stands in the list: on average half way.',
  run() {
    const list = visits('2.6.26');
    const chain = visits('3.16');
    const today = visits('6.18');
    return [
      exactly(
        'VMAs under the anon_vma of each copied page, 2.6.26',
        CHILDREN + 1,
        range(list.under.least, list.under.most),
      ),
      exactly('VMAs under it with chains, 3.16', 1, range(chain.under.least, chain.under.most)),
      exactly('VMAs under it with chains, 6.18', 1, range(today.under.least, today.under.most)),
      holds(
        'VMAs that page_referenced() visits for it, 2.6.26: fewest, most, mean',
        'O(N) for each page',
        `${range(list.referenced.least, list.referenced.most)}, mean ${list.referenced.mean.toFixed(1)}`,
        list.referenced.most > CHILDREN / 2 && list.referenced.mean > CHILDREN / 4,
      ),
    ];
  },
};

const CHAIN = 200;
const CHAIN_VMAS = 50;

/** Links and anon_vmas that a chain of so many living processes adds. */
function chainOf(kernel: string): { links: number; anonVmas: number } {
  const space = new Space({ kernel, ramBytes: GIB });
  for (let i = 0; i < CHAIN_VMAS; i++) {
    space.map(2 * i, 1);
    space.store(2 * i);
  }
  const { anon_vma, anon_vma_chain } = space.machine.slab.caches;
  const before = { links: anon_vma_chain.active, anonVmas: anon_vma.active };
  let mm = space.mm;
  for (let depth = 1; depth <= CHAIN; depth++) {
    mm = space.fork(mm).mm!;
    for (let i = 0; i < CHAIN_VMAS; i++) space.store(2 * i, mm);
  }
  return { links: anon_vma_chain.active - before.links, anonVmas: anon_vma.active - before.anonVmas };
}

const liveChain: PublishedNumber = {
  name: 'A live chain of 200 forks, 50 VMAs each',
  source: 'measured by us in /proc/slabinfo of Linux 6.18 (`npm run bench -- structure`)',
  date: '2026-11-22',
  slow: true,
  how: 'A process with 50 VMAs of a page each forks, the child stores to each VMA and forks, and so on 200 times; all live.',
  remark:
    'The closed form is 50 × (201 × 202 / 2 − 1). The kernel showed 1,014,596 links and 9,774 anon_vmas, which is 0.04 % and 2.3 % ' +
    'below: what other programs freed meanwhile is in its count.',
  run() {
    return (['3.16', '6.1', '6.18'] as const).flatMap((kernel) => {
      const { links, anonVmas } = chainOf(kernel);
      return [
        exactly(`links more, ${kernel}`, 1_015_000, links),
        exactly(`anon_vmas more, ${kernel}`, CHAIN * CHAIN_VMAS, anonVmas),
      ];
    });
  },
};

/** A task that forks and ends, so many times: the most anon_vmas for the one VMA that lives. */
function relay(kernel: string, generations: number): number {
  const space = new Space({ kernel });
  space.map(0, 1);
  space.store(0);
  let living: Task = space.task;
  let most = 0;
  for (let i = 0; i < generations; i++) {
    const child = space.fork(living.mm!);
    space.exit(living);
    living = child;
    space.machine.current = living;
    space.store(0, living.mm!);
    most = Math.max(most, anonVmas(space.machine));
  }
  return most;
}

function anonVmas(machine: Machine): number {
  return machine.slab.caches.anon_vma.active;
}

/** Random forks among living processes: the most anon_vmas for each VMA, over all steps of all seeds. */
function growingTrees(kernel: string, seeds: number): number {
  let most = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const space = new Space({ kernel, ramBytes: 64 * MIB });
    space.map(0, 1);
    space.store(0);
    const living: Mm[] = [space.mm];
    let state = seed;
    for (let step = 0; step < 200; step++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const mm = space.fork(living[(state >>> 8) % living.length]!).mm!;
      space.store(0, mm);
      living.push(mm);
      most = Math.max(most, anonVmas(space.machine) / living.length);
    }
  }
  return most;
}

/** A live chain of which only the last is left. */
function lastOfChain(kernel: string, depth: number): number {
  const space = new Space({ kernel });
  space.map(0, 1);
  space.store(0);
  const line: Task[] = [space.task];
  for (let i = 1; i < depth; i++) line.push(space.fork(line.at(-1)!.mm!));
  for (const task of line.slice(0, -1)) space.exit(task);
  return anonVmas(space.machine);
}

const GENERATIONS_OF_RELAY = 1000;

const endlessGrowth: PublishedNumber = {
  name: 'A task that forks for ever',
  source: commit('7a3ef208e662'),
  date: '2015-01',
  how:
    'A process with one VMA forks and ends, its child stores, forks and ends, 1,000 times: the most anon_vmas at any time. ' +
    'Then 20 random trees of 200 forks in which nobody ends, and a chain of 200 of which only the last process is left.',
  remark:
    'The commit concludes that there are never more than twice as many anon_vmas as VMAs. Its rule looks at an anon_vma only when ' +
    'somebody forks: whoever ends leaves behind what others are still linked to, until a later fork takes it over. So the bound holds ' +
    'while trees grow, the task it was made for needs three for ever, and there are histories beyond it: of a chain of 200 whose last ' +
    'process alone lives all 200 stay. `npm run bench -- structure` counts as many in the kernel.',
  run() {
    const figures: Figure[] = [
      exactly(
        'anon_vmas of the forking task before the rule, 3.16: one more each time',
        GENERATIONS_OF_RELAY,
        relay('3.16', GENERATIONS_OF_RELAY) - 1,
      ),
    ];
    for (const kernel of ['6.1', '6.18']) {
      const most = relay(kernel, GENERATIONS_OF_RELAY);
      figures.push(holds(`the most with it, ${kernel}, whatever the number of forks`, 'bounded', most, most <= 4));
      const grown = growingTrees(kernel, 20);
      figures.push(holds(`anon_vmas for each VMA in growing trees, ${kernel}`, '≤ 2', grown, grown <= 2));
    }
    const left = lastOfChain('6.18', CHAIN);
    figures.push(holds('anon_vmas for the last process of a chain of 200, 6.18', '≤ 2', left, left <= 2));
    return figures;
  },
};

const SPLIT_PAGES = 8192;

/** An area that is touched, and then cut into VMAs of one page each. */
function split(kernel: string): Range {
  const space = new Space({ kernel, ramBytes: 128 * MIB });
  const { machine, mm } = space;
  space.map(0, SPLIT_PAGES);
  space.storeAll(0, SPLIT_PAGES);
  for (let page = 1; page < SPLIT_PAGES; page += 2) {
    const failed = doMprotect(machine, mm, (PAGE + page) * 4096, 4096, PROT_READ);
    if (failed !== 0) throw new Error(`mprotect: ${failed}`);
  }
  const met = new Range();
  for (let page = 0; page < SPLIT_PAGES; page += 8) met.add(candidates(machine, space.pfn(page)));
  return met;
}

const splitArea: PublishedNumber = {
  name: 'A VMA split into thousands',
  source: commit('bf181b9f9d8d'),
  date: '2012-10',
  how: `An area of ${SPLIT_PAGES} pages is written, and every second page made read-only: ${SPLIT_PAGES} VMAs. The reverse walk is sent from every 8th page.`,
  run() {
    const list = split('2.6.26');
    const tree = split('3.16');
    const today = split('6.18');
    return [
      holds(
        'VMAs in the list that do not map the page, 2.6.26',
        'potentially thousands',
        range(list.least - 1, list.most - 1),
        list.least > 1000,
      ),
      exactly('all VMAs of the area are in the list, 2.6.26', SPLIT_PAGES, range(list.least, list.most)),
      exactly('VMAs that the interval tree gives, 3.16', 1, range(tree.least, tree.most)),
      exactly('VMAs that the interval tree gives, 6.18', 1, range(today.least, today.most)),
    ];
  },
};

export const anonNumbers: readonly PublishedNumber[] = [thousandChildren, liveChain, endlessGrowth, splitArea];
