import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { HOSTILE, procWorld } from '../../../test/host/proc_world.ts';
import type { Inode } from '../../mm/fs.ts';
import { Machine } from '../../mm/machine.ts';
import type { Mm } from '../../mm/mm.ts';
import { isSince } from '../../mm/release.ts';
import type { Pfn, Vpn } from '../../mm/units.ts';
import { kpageCount, kpageFlags } from '../../proc/kpage.ts';
import { maps } from '../../proc/maps.ts';
import { pagemap } from '../../proc/pagemap.ts';
import { processes } from '../../proc/process.ts';
import { smapsRollup } from '../../proc/smaps.ts';
import { procTree } from '../../proc/tree.ts';
import { sizesOf } from '../cost/pss.ts';
import { frameKinds, frameTables } from '../frames/frames.ts';
import { snapshotOfMachine } from '../of_machine.ts';
import { parseKbFields } from '../read/fields_text.ts';
import { HostFiles } from '../read/host_files.ts';
import { takeSnapshot } from '../read/take.ts';
import { ReverseMap } from '../reverse.ts';
import { ENTRY_PRESENT, ENTRY_SWAP, ENTRY_SWAP_TYPE_SHIFT, type HostSnapshot, NO_CGROUP } from '../snapshot.ts';
import { writeProc } from './proc_write.ts';
import { snapshotGaps, snapshotTree } from './snapshot_tree.ts';

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

/** A snapshot with its tables resolved, so that two that number files, strings and words otherwise can be compared. */
function resolved(snapshot: HostSnapshot, smapsFields: readonly string[]): object {
  const {
    vmas,
    entries,
    files,
    strings,
    frames,
    smaps,
    vmFlags,
    processes,
    texts,
    kernel,
    hostname,
    changes,
    cgroups,
  } = snapshot;
  return {
    kernel,
    hostname,
    changes,
    texts,
    processes: processes.map(({ cgroup: _cgroup, command: _command, ...rest }) => rest),
    vmas: {
      ...vmas,
      file: [...vmas.file].map((row) => files[row] ?? null),
      name: [...vmas.name].map((row) => strings[row]),
    },
    entries,
    words: [...frames!.word].map((row) => [frames!.wordsLow[row], frames!.wordsHigh[row]]),
    mapcount: frames!.mapcount,
    owners: [...frames!.cgroup].map((row) => cgroups[row]?.inode ?? 0),
    smaps: smapsFields.map((name) => [name, smaps!.get(name)]),
    vmFlags: [...vmFlags!].map((row) => strings[row]),
  };
}

for (const kernel of ['6.18', '6.1'])
  test(`${kernel}: machine, files, snapshot: the same as machine, snapshot`, () => {
    const { machine } = procWorld(kernel);
    const direct = snapshotOfMachine(machine);
    const fields = [...direct.smaps!.keys()];
    const back = readBack(exported(machine));
    // A name that ends in ` (deleted)` cannot be told from one that is.
    const files = back.files.map((file) =>
      HOSTILE.startsWith(file.path) ? { ...file, path: HOSTILE, deleted: false } : file,
    );
    expect(resolved({ ...back, files }, fields)).toEqual(resolved(direct, fields));
    // And what answers from snapshots answers the same.
    expect(sizesOf(new ReverseMap(back))).toEqual(sizesOf(new ReverseMap(direct)));
    const tables = (snapshot: HostSnapshot): unknown => frameTables(withoutOwners(snapshot), frameKinds(snapshot)!, {});
    expect(tables(back)).toEqual(tables(direct));
  });

/** No cgroup is mounted where an export is read: owners have numbers there, and no names. */
function withoutOwners(snapshot: HostSnapshot): HostSnapshot {
  const cgroup = new Uint16Array(snapshot.frames!.count).fill(NO_CGROUP);
  return { ...snapshot, cgroups: [], frames: { ...snapshot.frames!, cgroup } };
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

test.skipIf(process.platform !== 'linux')(
  'a process of the kernel under us, to files and back, is the same rows',
  async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      await once(child, 'spawn');
      const options = { pids: [child.pid!], frames: 'mapped', smaps: true, commands: true } as const;
      // Until it has set itself up, and sleeps.
      let first = takeSnapshot(new HostFiles(), options);
      for (
        let tries = 0;
        tries < 100 && (first.processes[0]?.state !== 'S' || first.processes[0].comm !== 'sleep');
        tries++
      ) {
        await new Promise((done) => setTimeout(done, 20));
        first = takeSnapshot(new HostFiles(), options);
      }
      const place = join(room, String(exports++), 'proc');
      writeProc(snapshotTree(first), place);
      const back = takeSnapshot(new HostFiles(place, join(place, 'none')), options);
      expect(back.processes.map(({ cgroup: _, ...rest }) => rest)).toEqual(
        first.processes.map(({ cgroup: _, ...rest }) => rest),
      );
      expect(first.vmas.count).toBeGreaterThan(5);
      for (const key of ['vmas', 'entries', 'files', 'strings', 'smaps', 'vmFlags'] as const)
        expect(back[key]).toEqual(first[key]);
    } finally {
      child.kill();
    }
  },
);

test('what a snapshot does not have is no file: frames nobody asked for, smaps of one process', () => {
  const { machine } = procWorld('6.18');
  const whole = readBack(exported(machine));
  const { firstVma, endVma } = whole.processes[1]!;
  const smaps = new Map(
    [...whole.smaps!].map(([name, column]) => [name, column.slice().fill(Number.NaN, firstVma, endVma)]),
  );
  const tree = new Map([...snapshotTree({ ...whole, frames: null, smaps })].map((node) => [node.path, node.kind]));
  expect(['1/smaps', '2/smaps', '3/smaps', '2/maps', '2/pagemap', 'kpageflags'].map((path) => tree.has(path))).toEqual([
    true,
    false,
    true,
    true,
    true,
    false,
  ]);
  const mapped = takeSnapshot(new HostFiles(exported(machine)), { frames: 'mapped' });
  expect(snapshotGaps(mapped).map(({ what }) => what)).toContain('kpageflags, kpagecount');
  const flags = [...snapshotTree(mapped)].find(({ path }) => path === 'kpageflags')!;
  if (flags.kind !== 'words') throw new Error('kpageflags is no file of words');
  const [block] = [...flags.blocks()];
  const words = block!.words;
  const used = new Set([...mapped.entries.value].filter((_, row) => (mapped.entries.bits[row]! & ENTRY_PRESENT) !== 0));
  words.forEach((word, pfn) => {
    if (word !== 0n && word !== BigInt(kpageFlags(machine, pfn as Pfn))) expect.unreachable(`frame ${pfn}`);
    if (used.has(pfn) && word === 0n) expect.unreachable(`frame ${pfn} is mapped`);
  });
});

for (const { why, name, want } of [
  { why: 'a file of /proc', name: 'meminfo', want: true },
  { why: 'one in a folder', name: 'sys/vm/swappiness', want: true },
  { why: 'a way up', name: '../evil', want: false },
  { why: 'a way up in the middle', name: 'sys/../../evil', want: false },
  { why: 'an absolute path', name: '/etc/evil', want: false },
  { why: 'a file of a process', name: '1/maps2', want: false },
  { why: 'a byte that ends names', name: 'mem\0info', want: false },
  { why: 'nothing', name: '', want: false },
])
  test(`the name of a text in a snapshot is not believed: ${why}`, () => {
    const snapshot = readBack(exported(new Machine({ kernel: '6.18', ramBytes: 32 * 2 ** 20 })));
    const texts = new Map([[name, 'text']]);
    expect([...snapshotTree({ ...snapshot, texts })].some(({ path }) => path === name)).toBe(want);
  });
