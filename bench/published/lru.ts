/** Lists and their balance: hot pages on the active list, refault distances, the least share of each type, the size of the inactive list. */
import { openInode } from '../../src/mm/file.ts';
import { filemapRead } from '../../src/mm/filemap.ts';
import type { File } from '../../src/mm/fs.ts';
import { generationNamed } from '../../src/mm/generations/index.ts';
import { GFP_KERNEL } from '../../src/mm/gfp.ts';
import { LRU_INACTIVE_ANON, Lruvec } from '../../src/mm/lruvec.ts';
import { Machine } from '../../src/mm/machine.ts';
import { doMadvise } from '../../src/mm/madvise.ts';
import { PG_active } from '../../src/mm/page_flags.ts';
import type { Generation, Lru } from '../../src/mm/parts.ts';
import { SWAP_CLUSTER_MAX } from '../../src/mm/reclaim/scan_control.ts';
import { inactiveIsLow } from '../../src/mm/reclaim/vmscan.ts';
import { MADV_COLD } from '../../src/mm/uapi.ts';
import { NO_PFN, type Pfn, type Pgoff } from '../../src/mm/units.ts';
import { NR_ACTIVE_ANON, NR_INACTIVE_ANON, PGSCAN_ANON, PGSCAN_FILE } from '../../src/mm/vmstat.ts';
import { xaIsPage, xaToPfn } from '../../src/mm/xarray.ts';
import { PAGE, Space } from '../../test/space.ts';
import { commit, exactly, type PublishedNumber, shown } from './number.ts';

const MIB = 2 ** 20;

/** read(2) of one page. */
function readPage(machine: Machine, file: File, index: number): void {
  filemapRead(machine, file, index * 4096, 4096, { page: (_token, from, to) => to - from });
}

// hot pages

/** Pages here for each page of the example: reclaim works in batches of 32, which must be small beside its numbers. */
const SCALE = 128;
const FIFTY: number = 50 * SCALE;

/** A kernel in which new anonymous pages begin on the active list, and nothing else is changed. */
function newPagesActive(kernel: string): Generation {
  const recipe = generationNamed(kernel);
  return {
    ...recipe,
    newLru(machine): Lru {
      const lru = recipe.newLru(machine);
      const addVma = lru.addVma.bind(lru);
      lru.addVma = (pfn, vma) => {
        machine.frames.set(pfn, PG_active);
        addVma(pfn, vma);
      };
      return lru;
    },
  };
}

/** What the example writes after each of its steps: `50(uo) | 50(h)`, and at the end what is in swap. */
function fiftyHotPages(generation: Generation): string[] {
  const space = new Space({
    kernel: generation.version,
    generation,
    ramBytes: 256 * MIB,
    swap: 'zram',
    swapBytes: 64 * MIB,
    sysctl: { swappiness: 100 },
  });
  const { machine, memcg } = space;
  const said: string[] = [];
  space.map(0, 3 * FIFTY);
  space.storeAll(0, FIFTY);
  machine.lru.drain();
  for (let page = 0; page < FIFTY; page++) machine.lru.activate(space.pfn(page));
  machine.lru.drain();
  said.push(`${kinds(space, 'active_anon')} | ${kinds(space, 'inactive_anon')}`);

  // Files that are read once keep reclaim going, so that the lists are balanced while nothing needs to be swapped.
  const file = space.file('disk', FIFTY);
  for (let index = 0; index < FIFTY; index++) readPage(machine, file, index);
  space.storeAll(FIFTY, FIFTY);
  machine.lru.drain();
  while (space.list('inactive_file').length > 0) {
    if (machine.reclaim.tryToFreeMemCgroupPages(memcg, 32, GFP_KERNEL, false) === 0) break;
  }
  said.push(`${kinds(space, 'active_anon')} | ${kinds(space, 'inactive_anon')}`);

  memcg.memory.max = memcg.memory.usage;
  space.storeAll(2 * FIFTY, FIFTY);
  machine.lru.drain();
  said.push(`${kinds(space, 'active_anon')} | ${kinds(space, 'inactive_anon')}, swap-out ${swapped(space)}`);
  return said;
}

/** `50(h)`: hot and used-once pages of a list, as many as the example would have. */
function kinds(space: Space, list: 'active_anon' | 'inactive_anon'): string {
  const pages = new Set(space.list(list));
  let hot = 0;
  for (let page = 0; page < FIFTY; page++) if (pages.has(space.pfn(page))) hot += 1;
  return inExample(hot, pages.size - hot);
}

function swapped(space: Space): string {
  let hot = 0;
  let usedOnce = 0;
  for (let page = 0; page < FIFTY; page++) if (space.pfn(page) === NO_PFN) hot += 1;
  for (let page = FIFTY; page < 3 * FIFTY; page++) if (space.pfn(page) === NO_PFN) usedOnce += 1;
  return inExample(hot, usedOnce);
}

function inExample(hot: number, usedOnce: number): string {
  const parts: string[] = [];
  if (Math.round(hot / SCALE) > 0) parts.push(`${Math.round(hot / SCALE)}(h)`);
  if (Math.round(usedOnce / SCALE) > 0) parts.push(`${Math.round(usedOnce / SCALE)}(uo)`);
  return parts.join(' ') || '0';
}

const BEFORE = ['50(h) | 0', '50(uo) | 50(h)', '50(uo) | 50(uo), swap-out 50(h)'];
const AFTER = ['50(h) | 0', '50(h) | 50(uo)', '50(h) | 50(uo), swap-out 50(uo)'];
const STEPS = ['50 hot pages', '50 new pages, used once', '50 more'];

const hotPages: PublishedNumber = {
  name: 'Fifty hot pages',
  source: commit('b518154e59aa'),
  date: '2020-08',
  how:
    `Active | inactive anonymous pages, h hot, uo used once. Each page of the example is ${SCALE} pages here, since reclaim works in batches of 32. ` +
    'The hot pages are on the active list; as many new ones come, while files that are read once keep reclaim balancing the lists; then the ' +
    'cgroup is full, and as many come again. Before the commit: 6.1 with one part exchanged, an LRU that takes new anonymous pages to the ' +
    'active list.',
  run() {
    const runs = [
      { who: 'before', want: BEFORE, got: fiftyHotPages(newPagesActive('6.1')) },
      { who: '6.1', want: AFTER, got: fiftyHotPages(generationNamed('6.1')) },
      { who: '6.18', want: AFTER, got: fiftyHotPages(generationNamed('6.18')) },
    ];
    return runs.flatMap(({ who, want, got }) => want.map((text, i) => exactly(`${who}: ${STEPS[i]!}`, text, got[i]!)));
  },
};

// refaults

const EVICTED = 'abcd';
const INACTIVE = 'efghijk';
const ACTIVE = 'lmn';

/** Pages a to d are evicted in this order, so many others are active: is the page active when it comes back? */
function activatedOnReturn(kernel: string, letter: string, active: number): boolean {
  const space = new Space({ kernel });
  const { machine } = space;
  const pages = EVICTED.length + INACTIVE.length + active;
  const file = space.file('disk', pages);
  for (let index = 0; index < pages; index++) readPage(machine, file, index);
  machine.lru.drain();
  // By another descriptor: who reads the page again that he read last has not used it twice.
  const again = openInode(machine, file.inode, true, false, false);
  for (let index = pages - active; index < pages; index++) readPage(machine, again, index);
  machine.lru.drain();
  for (let index = 0; index < EVICTED.length; index++) {
    const pfn = cached(file, index);
    if (!machine.lru.isolate(pfn) || machine.reclaim.reclaimPages([pfn]) !== 1) throw new Error(`page ${index} stays`);
  }
  const index = EVICTED.indexOf(letter);
  readPage(machine, file, index);
  return machine.frames.has(cached(file, index), PG_active);
}

function cached(file: File, index: number): Pfn {
  const entry = file.mapping.pages.load(index as Pgoff);
  return xaIsPage(entry) ? xaToPfn(entry) : NO_PFN;
}

/** The fewest active pages with which it is activated: its refault distance. */
function distance(kernel: string, letter: string): number {
  for (let active = 0; active <= 8; active++) if (activatedOnReturn(kernel, letter, active)) return active;
  return Number.NaN;
}

function distances(kernel: string): string {
  return [...EVICTED].map((letter) => distance(kernel, letter)).join(' ');
}

function activated(kernel: string): string {
  return [...EVICTED].filter((letter) => activatedOnReturn(kernel, letter, ACTIVE.length)).join(' ');
}

const refaults: PublishedNumber = {
  name: 'Refault distance',
  source: `${commit('a528910e12ec')}, with the picture of [its series](https://lkml.iu.edu/hypermail/linux/kernel/1308.1/01802.html)`,
  date: '2014-04',
  how:
    'Of a file’s pages a b c d are evicted, e … k are inactive, l m n active. Each of the four is read again, each time on a new machine, with 0 … 8 ' +
    'active pages: its refault distance is the fewest with which it is activated.',
  remark:
    'In the picture a shadow has the number of evictions before its own, and so it is in 6.x. The code of the commit itself, which 3.16 has, counts ' +
    'the eviction first (atomic_long_inc_return) and notes the counter then: all distances are one less, and with three active pages the page with ' +
    'the picture’s distance of 4 comes back active, too.',
  run: () => [
    ...['6.1', '6.18'].flatMap((kernel) => [
      exactly(`refault distances of a b c d, ${kernel}`, '4 3 2 1', distances(kernel)),
      exactly(`with three active pages these are activated, ${kernel}: distance ≤ active`, 'b c d', activated(kernel)),
    ]),
    exactly('refault distances of a b c d by the code of the commit, 3.16', '3 2 1 0', distances('3.16')),
    exactly('with three active pages these are activated, 3.16: distance ≤ active', 'a b c d', activated('3.16')),
  ],
};

// the least share

/** All file pages together are less than a gigabyte: then one inactive page for each active one is enough. */
const LIST_PAGES = 2 ** 16;
/** So much that the reclaim that is watched adds nothing to speak of. */
const COST = 2 ** 24;

/**
 * As many inactive anonymous as file pages, all clean and old; only reclaim of one type has ever cost anything. Pages of both types
 * that the smallest reclaim scans.
 */
function scanned(kernel: string, costly: 'anon' | 'file'): { anon: number; file: number } {
  const space = new Space({
    kernel,
    ramBytes: 2 ** 30,
    swap: 'zram',
    swapBytes: 2 ** 30,
    sysctl: { swappiness: 100 },
  });
  const { machine, memcg, mm } = space;
  space.map(0, LIST_PAGES);
  space.storeAll(0, LIST_PAGES);
  machine.lru.drain();
  doMadvise(machine, mm, PAGE * 4096, LIST_PAGES * 4096, MADV_COLD);
  machine.lru.drain();
  // More active than inactive file pages: else the inactive ones alone would do (cache_trim_mode).
  const file = space.file('disk', 2 * LIST_PAGES + LIST_PAGES / 8);
  const again = openInode(machine, file.inode, true, false, false);
  const active = LIST_PAGES + LIST_PAGES / 8;
  for (let index = 0; index < active; index++) {
    readPage(machine, file, index);
    readPage(machine, again, index);
  }
  for (let index = active; index < active + LIST_PAGES; index++) readPage(machine, file, index);
  machine.lru.drain();
  const lruvec = space.lruvec();
  if (costly === 'anon') lruvec.anonCost = COST;
  else lruvec.fileCost = COST;
  const before = { anon: space.event(PGSCAN_ANON), file: space.event(PGSCAN_FILE) };
  machine.reclaim.tryToFreeMemCgroupPages(memcg, SWAP_CLUSTER_MAX, GFP_KERNEL, true);
  return { anon: space.event(PGSCAN_ANON) - before.anon, file: space.event(PGSCAN_FILE) - before.file };
}

function share(part: number, whole: number): string {
  return `${Math.round((100 * part) / whole)} %`;
}

const leastShare: PublishedNumber = {
  name: 'A third of the pressure for each type',
  source: commit('d483a5dd009a'),
  date: '2020-06-03',
  how:
    'A cgroup at swappiness 100 has 65,536 inactive anonymous and as many inactive file pages; only one type has cost anything so far. The ' +
    'smallest reclaim, of 32 pages: whose pages are scanned?',
  remark: 'In whole per cent: the kernel divides whole numbers (149 of 448), and a list gets whole pages.',
  run: () =>
    ['6.1', '6.18'].flatMap((kernel) => {
      const anon = scanned(kernel, 'anon');
      const file = scanned(kernel, 'file');
      return [
        exactly(`anonymous pages, if only they cost, ${kernel}`, share(1, 3), share(anon.anon, anon.anon + anon.file)),
        exactly(`file pages, if only they cost, ${kernel}`, share(1, 3), share(file.file, file.anon + file.file)),
      ];
    }),
};

// the inactive list

const SIZES = [
  { memory: '10 MB', pages: (10 * MIB) / 4096, ratio: 1, inactive: '5 MB' },
  { memory: '100 MB', pages: (100 * MIB) / 4096, ratio: 1, inactive: '50 MB' },
  { memory: '1 GB', pages: 2 ** 18, ratio: 3, inactive: '250 MB' },
  { memory: '10 GB', pages: 10 * 2 ** 18, ratio: 10, inactive: '0.9 GB' },
  { memory: '100 GB', pages: 100 * 2 ** 18, ratio: 31, inactive: '3 GB' },
  { memory: '1 TB', pages: 2 ** 28, ratio: 101, inactive: '10 GB' },
  { memory: '10 TB', pages: 10 * 2 ** 28, ratio: 320, inactive: '32 GB' },
];

/** The fewest inactive pages of so many with which the list is not too short. */
function fewestInactive(pages: number): number {
  const machine = new Machine({ kernel: '6.18', ramBytes: 16 * MIB });
  const lruvec = new Lruvec(machine.frames, machine.rootMemcg, machine.nodes[0]!, null, null);
  let low = 0;
  let high = pages;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    lruvec.stat[NR_INACTIVE_ANON] = middle;
    lruvec.stat[NR_ACTIVE_ANON] = pages - middle;
    lruvec.flushStats(0);
    if (inactiveIsLow(lruvec, LRU_INACTIVE_ANON)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As the table of the commit gives it. */
function rounded(pages: number): string {
  const mb = pages / 256;
  if (mb < 100) return `${Math.round(mb)} MB`;
  if (mb < 500) return `${shown(Math.round(mb / 10) * 10)} MB`;
  const gb = mb / 1024;
  return gb < 1 ? `${gb.toFixed(1)} GB` : `${Math.round(gb)} GB`;
}

const inactiveRatio: PublishedNumber = {
  name: 'How long the inactive list is',
  source: commit('556adecba110'),
  date: '2008-10-18',
  how:
    'sqrt(10 × GB) active pages for each inactive one. For each size the engine is asked how few of so many anonymous pages may be inactive before ' +
    'it moves more there.',
  run: () =>
    SIZES.flatMap(({ memory, pages, ratio, inactive }) => {
      const fewest = fewestInactive(pages);
      return [
        exactly(`${memory}: active for each inactive page`, ratio, Math.ceil((pages - fewest) / fewest)),
        // 256 MB of a gigabyte are 250 in the table.
        exactly(
          `${memory}: inactive at most`,
          inactive,
          memory === '1 GB' ? `${Math.floor(fewest / 2560) * 10} MB` : rounded(fewest),
        ),
      ];
    }),
};

export const lruNumbers: readonly PublishedNumber[] = [hotPages, refaults, leastShare, inactiveRatio];
