/** Mapped file pages: those that are used once, and those that are mapped ahead of use. */
import { putFile, unlink } from '../../src/mm/file.ts';
import { generationNamed } from '../../src/mm/generations/index.ts';
import { doMunmap } from '../../src/mm/mmap.ts';
import { PTE_YOUNG } from '../../src/mm/page_table.ts';
import type { Generation } from '../../src/mm/parts.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_READ } from '../../src/mm/uapi.ts';
import { NO_PFN, type Pfn, type Vpn } from '../../src/mm/units.ts';
import { PGFAULT } from '../../src/mm/vmstat.ts';
import { PAGE, RW, Space } from '../../test/space.ts';
import { commit, exactly, type PublishedNumber } from './number.ts';

const MIB = 2 ** 20;

/**
 * A load, on a CPU that does not set the accessed bit by itself: it traps when the bit is not set. True: it did, or the page
 * was not there.
 */
function loadTraps(space: Space, page: number): boolean {
  const traps = !space.pte(page, PTE_YOUNG);
  if (space.load(page) !== 0) throw new Error(`no load of page ${page}`);
  return traps;
}

// used once

const MAPPED = (20 * MIB) / 4096;
const ROUNDS = 100;

/** One scan of all pages of the mapping that are on an inactive list. */
function scanInactive(space: Space): void {
  const { machine } = space;
  machine.lru.drain();
  const pages: Pfn[] = [];
  for (let page = 0; page < MAPPED; page++) {
    const pfn = space.pfn(page);
    // Inactive lists have even numbers.
    if (pfn !== NO_PFN && machine.lru.listOf(pfn) % 2 === 0 && machine.lru.isolate(pfn)) pages.push(pfn);
  }
  machine.reclaim.reclaimPages(pages);
  machine.lru.drain();
}

/** Faults of 100 rounds, of which each touches a new mapping three times, with a scan between. */
function usedOnce(generation: Generation): number {
  const space = new Space({
    kernel: generation.version,
    generation,
    ramBytes: 64 * MIB,
    sysctl: { faultAroundBytes: 4096 },
  });
  const { machine, mm } = space;
  let faults = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const file = space.file('disk', MAPPED);
    space.map(0, MAPPED, MAP_PRIVATE, PROT_READ, file);
    for (let step = 0; step < 3; step++) {
      for (let page = 0; page < MAPPED; page++) if (loadTraps(space, page)) faults += 1;
      if (step < 2) scanInactive(space);
    }
    doMunmap(machine, mm, PAGE * 4096, MAPPED * 4096);
    unlink(machine, file.inode);
    putFile(machine, file);
  }
  return faults;
}

/** 6.18 whose reclaim of single pages asks whether they were used, as that of the whole list does. */
function askingForUse(kernel: string): Generation {
  const recipe = generationNamed(kernel);
  return { ...recipe, switches: { ...recipe.switches, pageoutKeepsYoung: false } };
}

const mappedOnce: PublishedNumber = {
  name: 'Mapped file pages that are used once',
  source: `${commit('645747462435')}, figures in the letter of its series`,
  date: '2010-03-06',
  slow: true,
  how:
    'A file of 20 MB is mapped; its pages are touched, scanned, touched, scanned, and touched once more, in 100 rounds. The CPU does not set ' +
    'accessed bits: each touch of an old entry is a fault. Before the commit (2.6.26) the first scan activates the pages, after it the second does, ' +
    'so the last touch faults once more on each page.',
  remark: 'With 13 s for them, as measured there (~212 s before, ~225 s after), each takes 25 µs.',
  run() {
    const before = usedOnce(generationNamed('2.6.26'));
    return ['3.16', '6.1', '6.18'].flatMap((kernel) => {
      const more = usedOnce(askingForUse(kernel)) - before;
      return [
        exactly(`faults more than 2.6.26, ${kernel}: 5,120 × 100`, MAPPED * ROUNDS, more),
        exactly(`µs for each, if they took 13 s, ${kernel}`, 25, Math.round(13e6 / more)),
      ];
    });
  },
};

// mapped ahead

const READ = (512 * MIB) / 4096;

/** A kernel whose fault-around leaves the entries around the access old, as on CPUs that do not set the accessed bit. */
function oldAround(kernel: string): Generation {
  const recipe = generationNamed(kernel);
  return {
    ...recipe,
    handlePteFault(machine, vma, vpn, flags) {
      const { pageTables } = machine;
      const from = vpn - (vpn % WINDOW);
      const absent = new Set<number>();
      for (let at = from; at < from + WINDOW; at++) {
        const slot = pageTables.slotOf(vma.vmMm.pageTables, at as Vpn);
        if (slot < 0 || !pageTables.isPresent(slot)) absent.add(at);
      }
      const result = recipe.handlePteFault(machine, vma, vpn, flags);
      absent.delete(vpn);
      for (const at of absent) {
        const slot = pageTables.slotOf(vma.vmMm.pageTables, at as Vpn);
        if (slot >= 0 && pageTables.isPresent(slot)) pageTables.clear(slot, PTE_YOUNG);
      }
      return result;
    },
  };
}

/** fault_around_bytes in pages, as every kernel that has it begins. */
const WINDOW = 16;

/** A mapped file of 512 MB, all of it in the page cache, read from the beginning to the end: faults, and traps for old entries. */
function sequential(generation: Generation, faultAroundBytes: number): { faults: number; traps: number } {
  const space = new Space({ kernel: generation.version, generation, ramBytes: 2 ** 30, sysctl: { faultAroundBytes } });
  const file = space.file('tmpfs', READ);
  space.map(0, READ, MAP_SHARED, RW, file);
  space.storeAll(0, READ);
  doMunmap(space.machine, space.mm, PAGE * 4096, READ * 4096);
  space.map(0, READ, MAP_SHARED, PROT_READ, file);
  const before = space.event(PGFAULT);
  let traps = 0;
  for (let page = 0; page < READ; page++) if (loadTraps(space, page)) traps += 1;
  return { faults: space.event(PGFAULT) - before, traps };
}

const faultAround: PublishedNumber = {
  name: 'Fault-around with old entries',
  source: commit('5c0a85fad949'),
  date: '2016-05',
  how:
    'A mapped file of 512 MB that is in the page cache is read word by word, on a CPU that does not set accessed bits, with fault_around_bytes at ' +
    '4,096 and at 65,536: 6.18 with one part exchanged, faults that leave the entries around the access old.',
  remark:
    '131,072 of the 131,291 are the pages of the file; the other 219 are the test program’s own start, which is not run here. That they are as many ' +
    'with both windows is what the commit shows. The commit was reverted a month later (315d09bf30c2) and is back since 5.12 for such CPUs. The last line is the same reading on a CPU that sets the bit.',
  run() {
    const old = oldAround('6.18');
    const one = sequential(old, 4096).traps;
    const around = sequential(old, 65_536).traps;
    const young = sequential(generationNamed('6.18'), 65_536);
    return [
      exactly('minor faults, fault_around_bytes 4,096', 131_291, one),
      exactly('minor faults, fault_around_bytes 65,536', 131_291, around),
      exactly('minor faults that fault-around adds or saves there', 0, around - one),
      exactly('minor faults where the CPU sets the bit: 512 MB / 64 KB', READ / WINDOW, young.faults),
    ];
  },
};

export const mappedNumbers: readonly PublishedNumber[] = [mappedOnce, faultAround];
