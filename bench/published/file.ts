/** Reverse mapping of file pages: many windows of one file, and remap_file_pages in reverse. */
import { newShmemFile, putFile } from '../../src/mm/file.ts';
import { generationNamed } from '../../src/mm/generations/index.ts';
import type { FileVmas } from '../../src/mm/parts.ts';
import { MAP_SHARED } from '../../src/mm/uapi.ts';
import type { Vma } from '../../src/mm/vma.ts';
import { PAGE, RW, Space, type SpaceConfig } from '../../test/space.ts';
import { commit, exactly, holds, type PublishedNumber, quoted, range } from './number.ts';
import { candidates, Range } from './walk.ts';

const GIB = 2 ** 30;

/** i_mmap as it was before the priority tree: a list, in no order that would help. A search goes through all of it. */
class ListOfVmas implements FileVmas {
  visited = 0;
  private readonly vmas: Vma[] = [];

  get size(): number {
    return this.vmas.length;
  }
  insert(vma: Vma): void {
    this.vmas.push(vma);
  }
  insertAfter(vma: Vma, before: Vma): void {
    this.vmas.splice(this.vmas.indexOf(before) + 1, 0, vma);
  }
  remove(vma: Vma): void {
    this.vmas.splice(this.vmas.indexOf(vma), 1);
  }
  firstIn(first: number, last: number): Vma | null {
    return this.search(0, first, last);
  }
  nextIn(vma: Vma, first: number, last: number): Vma | null {
    return this.search(this.vmas.indexOf(vma) + 1, first, last);
  }
  [Symbol.iterator](): Iterator<Vma> {
    return this.vmas[Symbol.iterator]();
  }
  verify(): string[] {
    return [];
  }

  private search(from: number, first: number, last: number): Vma | null {
    for (let i = from; i < this.vmas.length; i++) {
      const vma = this.vmas[i]!;
      this.visited += 1;
      if (vma.vmPgoff <= last && vma.vmPgoff + (vma.vmEnd - vma.vmStart) > first) return vma;
    }
    return null;
  }
}

const FILE_PAGES = (512 * 2 ** 20) / 4096;
const WINDOW_PAGES = (32 * 2 ** 10) / 4096;
const WINDOWS = FILE_PAGES / WINDOW_PAGES;

/** A file of 512 MB, seen through windows that stand in reverse, so that no two of them are one VMA. A page of each is touched. */
function windows(config: SpaceConfig): { space: Space; vmas: FileVmas } {
  const space = new Space({ ramBytes: GIB, ...config });
  const file = space.file('tmpfs', FILE_PAGES);
  for (let i = 0; i < WINDOWS; i++) {
    space.map(i * WINDOW_PAGES, WINDOW_PAGES, MAP_SHARED, RW, file, (WINDOWS - 1 - i) * WINDOW_PAGES);
    space.store(i * WINDOW_PAGES);
  }
  return { space, vmas: file.mapping.iMmap };
}

/** Every 16th window. */
function sampled(visit: (page: number) => void): void {
  for (let i = 0; i < WINDOWS; i += 16) visit(i * WINDOW_PAGES);
}

function windowsInTree(kernel: string): { vmas: number; met: Range } {
  const { space, vmas } = windows({ kernel });
  const met = new Range();
  sampled((page) => met.add(candidates(space.machine, space.pfn(page))));
  return { vmas: vmas.size, met };
}

function windowsInList(): { vmas: number; met: Range } {
  const recipe = { ...generationNamed('2.6.26'), newFileVmas: () => new ListOfVmas() };
  const { space, vmas } = windows({ kernel: '2.6.26', generation: recipe });
  const list = vmas as ListOfVmas;
  const met = new Range();
  sampled((page) => {
    const before = list.visited;
    candidates(space.machine, space.pfn(page));
    met.add(list.visited - before);
  });
  return { vmas: vmas.size, met };
}

/** Entries that page_referenced() looks at when each page lists them. */
function windowsInChains(): Range {
  const { space } = windows({ kernel: '2.5.59' });
  const { machine } = space;
  const met = new Range();
  sampled((page) => {
    const before = machine.work.ptesVisited;
    machine.rmap.pageReferenced(space.pfn(page), true, null);
    met.add(machine.work.ptesVisited - before);
  });
  return met;
}

const databaseWindows: PublishedNumber = {
  name: 'A database’s windows on one file',
  source: '[I. Molnar on lkml](http://lkml.indiana.edu/hypermail/linux/kernel/0403.1/0275.html)',
  date: '2004-03-09',
  how:
    'A process maps a file of 512 MB through windows of 32 KB that do not stand in the file’s order, and touches each. Then the reverse ' +
    'walk is sent from a page of every 16th window: with pte_chains (2.5.59), with a list as i_mmap (2.6.26 with that part exchanged), with the priority tree of ' +
    '2.6.26, and with the interval tree of 3.7 and later.',
  run() {
    const list = windowsInList();
    const prio = windowsInTree('2.6.26');
    const interval = windowsInTree('6.18');
    const chains = windowsInChains();
    return [
      exactly('VMAs of one process on one inode', 16_384, list.vmas),
      exactly(
        'VMAs that the object-based walk goes through for a page, list',
        16_384,
        range(list.met.least, list.met.most),
      ),
      exactly('entries that a pte_chain gives, 2.5.59', 1, range(chains.least, chains.most)),
      holds(
        'VMAs that the priority tree gives, 2.6.26',
        '–',
        range(prio.met.least, prio.met.most),
        prio.met.most === 1,
      ),
      holds(
        'VMAs that the interval tree gives, 6.18',
        '–',
        range(interval.met.least, interval.met.most),
        interval.met.most === 1,
      ),
    ];
  },
};

const SHM_PAGES = (4 * GIB) / 4096;

/** Shared memory of so many pages, each stored to, remapped in reverse, and read again: the VMAs that it makes. */
function reversed(kernel: string, pages: number): { vmas: number; failed: number } {
  const space = new Space({
    kernel,
    ramBytes: pages * 4096 + GIB,
    sysctl: { maxMapCount: 1_100_000 },
  });
  const { machine, mm } = space;
  const file = newShmemFile(machine, 'dev/zero', pages);
  space.map(0, pages, MAP_SHARED, RW, file);
  putFile(machine, file);
  space.storeAll(0, pages);
  let failed = 0;
  for (let i = 0; i < pages; i++) {
    const failure = machine.generation.remapFilePages(machine, mm, (PAGE + i) * 4096, 4096, 0, pages - 1 - i, 0);
    if (failure < 0) failed += 1;
  }
  space.loadAll(0, pages);
  return { vmas: mm.mapCount, failed };
}

const remapInReverse: PublishedNumber = {
  name: 'remap_file_pages without nonlinear mappings',
  source: commit('c8d78c1823f4'),
  date: '2015-02',
  slow: true,
  how: 'Shared memory of 4 GiB; every page is stored to, remapped in reverse order and read, with max_map_count at 1,100,000 as there.',
  remark:
    'The 23.3 s before and 43.9 s after are of their machine; here the price is the VMAs, of which each page becomes one.',
  run() {
    const emulated = reversed('6.18', SHM_PAGES);
    const nonlinear = reversed('3.16', SHM_PAGES);
    return [
      exactly('VMAs, 6.18 (“1 million”: one for each of 4 GiB / 4 KiB pages)', SHM_PAGES, emulated.vmas),
      exactly('calls that fail with max_map_count at 1,100,000, 6.18', 0, emulated.failed),
      exactly('VMAs, 3.16: the nonlinear mapping stays one', 1, nonlinear.vmas),
      quoted('seconds, before → after', '23.3 → 43.9', '–'),
    ];
  },
};

export const fileNumbers: readonly PublishedNumber[] = [databaseWindows, remapInReverse];
