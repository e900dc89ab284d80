import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { procWorld } from '../../test/host/proc_world.ts';
import type { Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { isSince } from '../mm/release.ts';
import type { Pfn, Vpn } from '../mm/units.ts';
import { kpageCount, kpageFlags } from '../proc/kpage.ts';
import { maps } from '../proc/maps.ts';
import { pagemap } from '../proc/pagemap.ts';
import { processes } from '../proc/process.ts';
import { smapsRollup } from '../proc/smaps.ts';
import { procTree } from '../proc/tree.ts';
import { parseKbFields } from './fields_text.ts';
import { HostFiles } from './host_files.ts';
import { writeProc } from './proc_write.ts';
import { ENTRY_PRESENT, ENTRY_SWAP, ENTRY_SWAP_TYPE_SHIFT, type HostSnapshot } from './snapshot.ts';
import { snapshotTree } from './snapshot_tree.ts';
import { takeSnapshot } from './take.ts';

const room = mkdtempSync(join(tmpdir(), 'revmap-proc-'));
afterAll(() => rmSync(room, { recursive: true, force: true }));

const KERNELS = ['6.18', '6.1', '3.16', '2.6.26', '2.6.24', '2.4.19'];

let exports = 0;

function exported(machine: Machine): string {
  const place = join(room, String(exports++), 'proc');
  writeProc(procTree(machine), place);
  return place;
}

function readBack(place: string): HostSnapshot {
  return takeSnapshot(new HostFiles(place, join(place, 'none')), { smaps: true, commands: true });
}

/** What maps says: whoever reads it cannot tell a name that ends in ` (deleted)` from one that is. */
function nameOf({ name, nlink }: Inode): string {
  return `${name.startsWith('/') ? '' : '/'}${name}${nlink === 0 ? ' (deleted)' : ''}`;
}

/** The rows of a region as pagemap has them: page, and frame or slot. */
function entriesOf({ vmas, entries }: HostSnapshot, vma: number): string[] {
  const rows: string[] = [];
  for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
    const bits = entries.bits[row]!;
    const swap = (bits & ENTRY_SWAP) !== 0 ? `swap ${bits >> ENTRY_SWAP_TYPE_SHIFT}:` : '';
    const present = (bits & ENTRY_PRESENT) !== 0 ? 'frame ' : '';
    rows.push(`${vmas.startPage[vma]! + entries.page[row]!} ${present}${swap}${entries.value[row]!}`);
  }
  return rows;
}

function entriesInMachine(machine: Machine, mm: Mm, start: number, end: number): string[] {
  return [...pagemap(machine, mm, start as Vpn, end - start)].flatMap((word, i) => {
    const place = word & ((1n << 55n) - 1n);
    if (word >> 63n === 1n) return [`${start + i} frame ${place}`];
    return (word & (1n << 62n)) === 0n ? [] : [`${start + i} swap ${place & 31n}:${place >> 5n}`];
  });
}

for (const kernel of KERNELS) {
  test(`${kernel}: what is read from the files is what is in the machine`, () => {
    const { machine } = procWorld(kernel);
    expect(machine.verify()).toEqual([]);
    const snapshot = readBack(exported(machine));
    const all = processes(machine);
    expect(snapshot.processes.map(({ pid, parentPid, comm }) => [pid, parentPid, comm])).toEqual(
      all.map(({ leader }) => [leader.pid, leader.parent?.pid ?? 0, leader.comm]),
    );
    const hasPagemap = isSince(kernel, '2.6.25');
    let swapped = 0;
    snapshot.processes.forEach((process, i) => {
      const mm = all[i]!.leader.mm!;
      const vmas = [...mm.vmas];
      expect(process.endVma - process.firstVma).toBe(vmas.length);
      vmas.forEach((vma, n) => {
        const row = process.firstVma + n;
        expect([snapshot.vmas.startPage[row], snapshot.vmas.endPage[row]]).toEqual([vma.vmStart, vma.vmEnd]);
        if (hasPagemap) expect(entriesOf(snapshot, row)).toEqual(entriesInMachine(machine, mm, vma.vmStart, vma.vmEnd));
        // 2.4 writes a newline in a name as it is: that name has two lines.
        if (vma.vmFile !== null && kernel !== '2.4.19')
          expect(snapshot.strings[snapshot.vmas.name[row]!]).toBe(nameOf(vma.vmFile.inode));
      });
      if (isSince(kernel, '4.14'))
        expect(process.rollup).toEqual(parseKbFields(new TextEncoder().encode(smapsRollup(machine, mm))));
      else expect(process.rollup).toBe(null);
      swapped += entriesCount(snapshot, process.firstVma, process.endVma);
    });
    if (hasPagemap) expect(swapped).toBeGreaterThan(0);
    if (!hasPagemap || kernel === '2.6.26') return;
    const { frames } = snapshot;
    for (let pfn = 0; pfn < machine.frames.frames; pfn++) {
      const word = frames!.word[pfn]!;
      const flags = frames!.wordsLow[word]! + frames!.wordsHigh[word]! * 2 ** 32;
      if (flags !== kpageFlags(machine, pfn as Pfn) || frames!.mapcount[pfn] !== kpageCount(machine, pfn as Pfn))
        expect.unreachable(`frame ${pfn}`);
    }
  });
}

function entriesCount({ vmas, entries }: HostSnapshot, first: number, end: number): number {
  let swapped = 0;
  for (let row = vmas.firstEntry[first]!; row < vmas.firstEntry[end]!; row++) {
    if ((entries.bits[row]! & ENTRY_SWAP) !== 0) swapped += 1;
  }
  return swapped;
}

/** All of a snapshot but when it was taken. */
function comparable(snapshot: HostSnapshot): object {
  const { takenAtMs, tookMs, missing, ...rest } = snapshot;
  expect(takenAtMs + tookMs).toBeGreaterThan(0);
  expect(missing).toBeDefined();
  return rest;
}

for (const kernel of ['6.18', '6.1']) {
  test(`${kernel}: a snapshot written as files and read back is the same snapshot`, () => {
    const first = readBack(exported(procWorld(kernel).machine));
    const place = join(room, String(exports++), 'proc');
    writeProc(snapshotTree(first), place);
    expect(comparable(readBack(place))).toEqual(comparable(first));
  });
}

test('6.18: maps of a snapshot are those of the kernel, to the byte', () => {
  const { machine, root } = procWorld('6.18');
  const snapshot = readBack(exported(machine));
  const place = join(room, String(exports++), 'proc');
  writeProc(snapshotTree(snapshot), place);
  expect(readFileSync(join(place, '1/maps'), 'utf8')).toBe(maps(machine, root.mm));
});

test('a snapshot without smaps: Rss, Pss, what is private and what is in swap are counted from pages', () => {
  const { machine } = procWorld('6.18');
  const snapshot = { ...readBack(exported(machine)), smaps: null, vmFlags: null };
  const place = join(room, String(exports++), 'proc');
  writeProc(snapshotTree(snapshot), place);
  const counted = readBack(place);
  for (const [i, { leader }] of processes(machine).entries()) {
    const { firstVma, endVma } = counted.processes[i]!;
    const sum = (name: string): number =>
      counted
        .smaps!.get(name)!
        .slice(firstVma, endVma)
        .reduce((total, kb) => total + kb, 0);
    const rollup = parseKbFields(new TextEncoder().encode(smapsRollup(machine, leader.mm!)));
    expect(sum('Rss')).toBe(rollup.get('Rss'));
    expect(Math.abs(sum('Pss') - rollup.get('Pss')!)).toBeLessThanOrEqual(endVma - firstVma);
    expect(sum('Private_Clean') + sum('Private_Dirty')).toBe(
      rollup.get('Private_Clean')! + rollup.get('Private_Dirty')!,
    );
    expect(sum('Shared_Clean') + sum('Shared_Dirty')).toBe(rollup.get('Shared_Clean')! + rollup.get('Shared_Dirty')!);
  }
});
