/** Random machines of every kernel as snapshots: who maps each frame, what each process has, against the machine itself. */
import { expect, test } from 'vitest';
import { runRandom } from '../../test/random_run.ts';
import { isKsmPage } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import { stateHash } from '../mm/snapshot.ts';
import { addrOf, type Pfn } from '../mm/units.ts';
import { whoMaps } from '../mm/who.ts';
import { decodeSnapshot, encodeSnapshot } from './file/snapshot_file.ts';
import { snapshotOfMachine } from './of_machine.ts';
import { processOfVma, ReverseMap, vmaOfEntry } from './reverse.ts';
import { ENTRY_PRESENT, ENTRY_SWAP, type HostSnapshot } from './snapshot.ts';

const KERNELS = ['2.4.18', '2.4.19', '2.5.59', '2.6.24', '2.6.26', '3.16', '6.1', '6.18'];
const SEEDS = [1, 2, 3, 6];

const made = KERNELS.flatMap((kernel) =>
  SEEDS.map((seed) => {
    const { machine } = runRandom(seed, kernel, false);
    const before = stateHash(machine);
    const snapshot = snapshotOfMachine(machine);
    return { name: `${kernel}, seed ${seed}`, kernel, machine, snapshot, isSame: stateHash(machine) === before };
  }),
);

/** Pid, start of the VMA and address of everything that maps a frame. */
function mappersOf(snapshot: HostSnapshot, reverse: ReverseMap, pfn: number): string[] {
  return [...reverse.entriesOf(pfn)]
    .map((row) => {
      const vma = vmaOfEntry(snapshot, row);
      const start = snapshot.vmas.startPage[vma]!;
      const { pid } = snapshot.processes[processOfVma(snapshot, vma)]!;
      return `${pid} ${start * 4096} ${(start + snapshot.entries.page[row]!) * 4096}`;
    })
    .sort();
}

for (const { name, kernel, machine, snapshot, isSame } of made) {
  test(`${name}: looking changes nothing`, () => expect(isSame).toBe(true));

  test(`${name}: each mapped frame has the mappers that the machine finds`, () => {
    const reverse = new ReverseMap(snapshot);
    let mapped = 0;
    for (let pfn = 0 as Pfn; pfn < machine.frames.frames; pfn = (pfn + 1) as Pfn) {
      if (machine.frames.mapcount(pfn) === 0) continue;
      mapped += 1;
      const want = whoMaps(machine, pfn).mappers.map(({ pid, start, address }) => `${pid} ${start} ${address}`);
      const have = mappersOf(snapshot, reverse, pfn);
      // The kernel does not find a fork of an address space that merged the page and has its own copy since (verify.ts).
      if (isKsmPage(machine, pfn)) expect(have).toEqual(expect.arrayContaining(want));
      else expect(have, `frame ${pfn}`).toEqual(want.sort());
      expect(snapshot.frames!.mapcount[pfn]).toBe(have.length);
    }
    expect(mapped).toBeGreaterThan(0);
  });

  test(`${name}: resident and swapped pages are those of smaps_rollup`, () => {
    for (const process of snapshot.processes) {
      const { firstVma, endVma, rollup, sharesMmWith } = process;
      if (rollup === null || sharesMmWith !== undefined) continue;
      const { firstEntry } = snapshot.vmas;
      let resident = 0;
      let swapped = 0;
      for (let row = firstEntry[firstVma]!; row < firstEntry[endVma]!; row++) {
        const bits = snapshot.entries.bits[row]!;
        if ((bits & ENTRY_PRESENT) !== 0 && snapshot.entries.value[row] !== machine.zeroPfn) resident += 1;
        if ((bits & ENTRY_SWAP) !== 0) swapped += 1;
      }
      expect(rollup.get('Rss')).toBe(4 * resident);
      // What is swapped out of shared memory has no entry.
      expect(rollup.get('Swap')).toBeGreaterThanOrEqual(4 * swapped);
    }
  });

  test(`${name}: shares of all processes are the mapped frames`, () => {
    let mapped = 0;
    for (let pfn = 0; pfn < snapshot.frames!.count; pfn++) if (snapshot.frames!.mapcount[pfn]! > 0) mapped += 4;
    const own = snapshot.processes.filter(({ sharesMmWith }) => sharesMmWith === undefined);
    const pss = own.reduce((sum, { rollup }) => sum + (rollup?.get('Pss') ?? 0), 0);
    // A process's share is rounded down to a kB, each page's to less.
    expect(pss).toBeLessThanOrEqual(mapped);
    expect(pss).toBeGreaterThanOrEqual(mapped - 2 * own.length);
  });

  test(`${name}: the page cache is what each inode holds`, () => {
    const { cache, files } = snapshot;
    expect(cache!.reduce((sum, { cachedPages }) => sum + cachedPages, 0)).toBe(cachedPages(machine));
    for (const { file, cachedPages: pages, ranges, dirtyPages } of cache!) {
      expect(files[file]).toBeDefined();
      expect(ranges!.reduce((sum, [, length]) => sum + length, 0)).toBe(pages);
      expect(dirtyPages).toBeLessThanOrEqual(pages);
    }
  });

  test(`${name}: what its kernel cannot say is computed, and says so`, () => {
    const what = snapshot.missing.filter(({ why }) => why.startsWith(`computed: Linux ${kernel} `)).map((m) => m.what);
    expect(what.includes('kpageflags')).toBe(/^2/.test(kernel));
    expect(what.includes('smaps_rollup')).toBe(!kernel.startsWith('6'));
    expect(snapshot.texts.get('meminfo')).toContain('MemTotal');
  });

  test(`${name}: free pages are those on the free lists`, () => {
    const { word, wordsLow } = snapshot.frames!;
    const free = word.reduce((sum, row) => sum + ((wordsLow[row]! >> 10) & 1), 0);
    expect(free).toBe(machine.zones.reduce((sum, zone) => sum + zone.freePages, 0));
  });

  test(`${name}: it fits into a file`, () => {
    expect(decodeSnapshot(Buffer.concat(encodeSnapshot(snapshot)), 'f')).toEqual(snapshot);
  });
}

function cachedPages(machine: Machine): number {
  return machine.mappings.reduce((sum, owner) => sum + (owner !== null && 'nrpages' in owner ? owner.nrpages : 0), 0);
}

test('whoMaps finds each place of one VMA that a merged page has', () => {
  const { machine } = made.find(({ name }) => name === '3.16, seed 2')!;
  const addresses = whoMaps(machine, 192 as Pfn).mappers.map(({ address }) => address);
  expect(addresses).toHaveLength(4);
  expect(new Set(addresses).size).toBe(4);
});

test('an address beyond 32 bits is a page of its own', () => {
  const { machine, snapshot } = made.at(-1)!;
  const task = machine.tasks.find(({ mm }) => mm !== null)!;
  const vma = snapshot.processes.find(({ pid }) => pid === task.pid)!.firstVma;
  expect(snapshot.vmas.startPage[vma]! * 4096).toBe(addrOf(task.mm!.mmap!.vmStart));
});
