/** Address spaces as the page is told of them, against what the kernels' own files say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { parseSmaps } from '../host/read/smaps_columns.ts';
import { encodeName } from '../host/text.ts';
import { stateHash } from '../mm/snapshot.ts';
import { vpnOf } from '../mm/units.ts';
import { maps } from '../proc/maps.ts';
import { smaps } from '../proc/smaps.ts';
import { MACHINE_CHOICE, type MachineChoice } from './choice.ts';
import { begin, open } from './open.ts';
import { spacesQueries } from './spaces.ts';
import {
  PAGE_ANON,
  PAGE_GUARD,
  PAGE_RESIDENT,
  PAGE_SHARED,
  PAGE_SWAPPED,
  PAGE_WAITING,
  PAGE_WHERE,
} from './spaces_form.ts';
import { HostSubject, type MachineSubject } from './subject.ts';

const { space, spacePages, spaceProcesses, spaceRibbons, spaceChosen } = spacesQueries;
const root = join(import.meta.dirname, '../..');
const utf8 = new TextEncoder();

async function machineOf(name: string, bytes: Uint8Array, choice: Partial<MachineChoice>, step: number) {
  const subject = begin(await open({ name, bytes }), { ...MACHINE_CHOICE, ...choice }) as MachineSubject;
  subject.timeline.seek(step);
  return subject;
}

const program = (text: string, choice: Partial<MachineChoice>, step: number) =>
  machineOf('program.mmp', utf8.encode(text), choice, step);

/** Private memory in the area of a file, shared memory, a locked region, a fork, and copies after it. */
const KINDS = `%mmp 1
%file data 16 disk cached
%swap 8
1 open("data", O_RDWR) = 3
1 mmap(0x100000000000, 65536, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100000100000, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_FIXED, 3, 0)
1 mmap(0x100000200000, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 mmap(0x100000300000, 32768, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 load(0x100000000000, 65536)
1 load(0x100000100000, 65536)
1 store(0x100000100000, 8192, 1)
1 store(0x100000200000, 40960, 2)
1 load(0x10000020a000, 4096)
1 store(0x100000300000, 32768, 3)
1 mlock(0x100000204000, 8192)
1 fork() = 2
2 store(0x100000200000, 8192, 4)
2 munmap(0x100000208000, 4096)
2 fork() = 3
`;
const ALL = 99;

for (const { kernel, file } of [
  { kernel: '6.18', file: 'program' },
  { kernel: '3.16', file: 'program' },
  { kernel: '2.6.24', file: 'program' },
  { kernel: '2.4.19', file: 'program' },
  { kernel: '6.1', file: 'examples/zipf.rvm.gz' },
  { kernel: '6.18', file: 'oracle/programs/forkcow.rvm.gz' },
  { kernel: '2.4.19', file: 'examples/zipf.rvm.gz' },
]) {
  test(`regions are those of maps, and their pages add up to smaps: ${file} on ${kernel}`, async () => {
    const subject =
      file === 'program'
        ? await program(KINDS, { kernel }, ALL)
        : await machineOf(
            file,
            readFileSync(join(root, file)),
            { kernel, limitBytes: 16 << 20, swapBytes: 64 << 20 },
            200_000,
          );
    const { machine } = subject;
    const before = stateHash(machine);
    const processes = spaceProcesses(subject);
    expect(processes.map(({ pid }) => pid).sort()).toEqual(subject.living.map(({ pid }) => pid).sort());
    for (const { pid, mm } of subject.living) {
      const { vmas, smapsFields } = space(subject, pid)!;
      const lines = maps(machine, mm).trimEnd().split('\n');
      expect(
        vmas.map(({ start, end, perms, name }) => `${start.toString(16)} ${end.toString(16)} ${perms} ${name}`),
      ).toEqual(
        lines.map((line) => {
          const [, start, end, perms, name] = /^0*(\w+)-0*(\w+) (\S+) \S+ \S+ \d+ *(.*)$/.exec(line)!;
          return `${start} ${end} ${perms} ${name}`;
        }),
      );
      const entries = parseSmaps(encodeName(smaps(machine, mm)));
      vmas.forEach(({ counts, backing, smaps: numbers }, i) => {
        const { fields } = entries[i]!;
        const pages = (...names: string[]) => names.reduce((sum, name) => sum + (fields.get(name) ?? 0), 0) / 4;
        const { resident, shared, swapped, huge } = counts!;
        expect({ resident, shared, huge }, `${pid}: ${lines[i]}`).toEqual({
          resident: pages('Rss'),
          shared: pages('Shared_Clean', 'Shared_Dirty'),
          huge: pages('AnonHugePages'),
        });
        // Of a shared object smaps counts what is out of it, too; before 2.6.25 it says nothing of swap.
        if (backing !== 'shmem' && fields.has('Swap')) expect(swapped).toBe(pages('Swap'));
        expect(numbers![smapsFields.indexOf('Rss')]).toBe(fields.get('Rss'));
      });
      const sum = (of: 'resident' | 'swapped') => vmas.reduce((all, { counts }) => all + counts![of], 0);
      const row = processes.find((one) => one.pid === pid)!;
      expect(row.rssPages).toBe(sum('resident'));
    }
    expect(stateHash(machine)).toBe(before);
  });
}

test('pages of one region: a state, a frame and a count each, as the tables have them', async () => {
  const subject = await program(KINDS, {}, ALL);
  const before = stateHash(subject.machine);
  const { states, values, mapcounts } = spacePages(subject, 2, 0x100000200000, 0, 16)!;
  const where = [...states].map((state) => state & PAGE_WHERE);
  // mlock cut the region behind its fourth page.
  expect(where).toEqual([1, 1, 1, 1]);
  expect([...states].every((state) => (state & PAGE_ANON) !== 0)).toBe(true);
  expect([...mapcounts]).toEqual([2, 2, 3, 3]);
  const frames = new Set(spacePages(subject, 1, 0x100000200000, 0, 16)!.values);
  expect([...values].map((pfn) => frames.has(pfn))).toEqual([false, false, true, true]);
  const chosen = spaceChosen(subject, { by: 'page', pid: 2, address: 0x100000203000, pfn: null });
  expect(chosen.pfn).toBe(values[3]);
  expect(chosen.places).toEqual([1, 2, 3].map((pid) => ({ pid, address: 0x100000203000 })));
  // Who only read has the page of zeros, which is nobody's.
  expect(spaceChosen(subject, { by: 'page', pid: 1, address: 0x10000020a000, pfn: null }).places).toEqual([]);
  expect(spacePages(subject, 2, 0x900000000000, 0, 16)).toBe(null);
  expect(spacePages(subject, 9, 0x100000200000, 0, 16)).toBe(null);
  expect(stateHash(subject.machine)).toBe(before);
});

test('a private copy in the area of a file is told from the file’s own page', async () => {
  for (const kernel of ['6.18', '2.6.24', '2.4.19']) {
    const subject = await program(KINDS, { kernel }, ALL);
    const { states } = spacePages(subject, 1, 0x100000100000, 0, 4)!;
    expect(
      [...states].map((state) => (state & PAGE_ANON) !== 0),
      kernel,
    ).toEqual([true, true, false, false]);
  }
});

for (const { why, text, kernel, state, value } of [
  {
    why: 'swapped out',
    text: '%swap 8\n1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)\n1 store(0x100000000000, 16384, 1)\n1 madvise(0x100000000000, 16384, MADV_PAGEOUT)\n',
    kernel: '6.18',
    state: PAGE_SWAPPED,
    value: 1,
  },
  {
    why: 'a guard',
    text: '1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)\n1 madvise(0x100000000000, 4096, MADV_GUARD_INSTALL)\n',
    kernel: '6.18',
    state: PAGE_GUARD,
    value: -1,
  },
  {
    why: 'waits for another page of the file',
    text: '%file data 16 shm\n1 open("data", O_RDWR) = 3\n1 mmap(0x100000000000, 65536, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)\n1 load(0x100000001000, 4096)\n1 remap_file_pages(0x100000000000, 4096, 0, 5, MAP_NONBLOCK)\n',
    kernel: '3.16',
    state: PAGE_WAITING,
    value: 5,
  },
]) {
  test(`a page that is ${why} has the state and number of it`, async () => {
    const subject = await program(`%mmp 1\n${text}`, { kernel }, ALL);
    const { states, values } = spacePages(subject, 1, 0x100000000000, 0, 1)!;
    expect(states[0]! & PAGE_WHERE).toBe(state);
    if (state === PAGE_SWAPPED) expect(values[0]).toBeGreaterThanOrEqual(value);
    else expect(values[0]).toBe(value);
  });
}

test('a fork’s family stands on one axis, and its cells hold what the regions hold', async () => {
  const subject = await program(KINDS, {}, ALL);
  const groups = spaceRibbons(subject, { pids: [1, 2], relatives: [3, 9], width: 1000, focus: [] });
  expect(groups.map(({ ribbons }) => ribbons.map(({ pid }) => pid))).toEqual([[1, 2, 3]]);
  const { axis, cells } = groups[0]!;
  for (const [row, pid] of [1, 2, 3].entries()) {
    const { vmas } = space(subject, pid)!;
    for (const { start, end, pages, counts } of vmas) {
      const pieces = axis.pieces.filter(
        ({ startPage, endPage, cells: n }) => n > 0 && startPage >= vpnOf(start) && endPage <= vpnOf(end),
      );
      expect(pieces.reduce((sum, { startPage, endPage }) => sum + endPage - startPage, 0)).toBe(pages);
      // Here each page has a cell.
      let resident = 0;
      for (const { firstCell, cells: n } of pieces)
        for (let cell = firstCell; cell < firstCell + n; cell++)
          if (cells.resident[row * axis.cells + cell] === 255) resident += 1;
      expect(resident).toBe(counts!.resident);
    }
  }
});

test('another program that maps the chosen frame is shown where it does, and a relative without its axis is not', async () => {
  const other = (pid: number, at: string) => `${pid} mmap(0x${at}, 65536, PROT_READ, MAP_SHARED|MAP_FIXED, 3, 0)
${pid} load(0x${at}, 4096)
`;
  const apart = [0, 2, 4, 6, 8]
    .map((n) => `2 mmap(0x20000${n}000000, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)\n`)
    .join('');
  const text = `%mmp 1
%file data 16 disk cached
1 open("data", O_RDWR) = 3
1 fork() = 2
1 fork() = 3
${other(1, '100000000000')}${apart}${other(2, '200003000000')}3 mmap(0x300000000000, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
`;
  const subject = await program(text, {}, ALL);
  const { places } = spaceChosen(subject, { by: 'page', pid: 1, address: 0x100000000000, pfn: null });
  expect(places).toEqual([
    { pid: 1, address: 0x100000000000 },
    { pid: 2, address: 0x200003000000 },
  ]);
  const groups = spaceRibbons(subject, { pids: [2, 1], relatives: [3], width: 800, focus: places });
  expect(groups.map(({ ribbons }) => ribbons.map(({ pid, vmas, leftOut }) => [pid, vmas.length, leftOut]))).toEqual([
    [[1, 1, 0]],
    // The region that has the frame, two before it and two behind.
    [[2, 5, 1]],
  ]);
});

test('a snapshot of a machine gives the same regions and pages as the machine', async () => {
  const subject = await program(KINDS, {}, ALL);
  const host = new HostSubject(snapshotOfMachine(subject.machine));
  for (const { pid, task } of subject.living) {
    const ours = space(subject, pid)!;
    const theirs = space(host, task.pid)!;
    expect(theirs.vmas.map(({ start, end, perms }) => [start, end, perms])).toEqual(
      ours.vmas.map(({ start, end, perms }) => [start, end, perms]),
    );
    expect(theirs.knows).toEqual({ young: 'frame', dirty: 'frame', writable: false });
    for (const [i, vma] of ours.vmas.entries()) {
      const { resident, swapped, shared, zero } = theirs.vmas[i]!.counts!;
      expect({ resident, swapped, shared, zero }).toEqual({
        resident: vma.counts!.resident,
        swapped: vma.counts!.swapped,
        shared: vma.counts!.shared,
        zero: vma.counts!.zero,
      });
      const mine = spacePages(subject, pid, vma.start, 0, 4096)!;
      const other = spacePages(host, task.pid, vma.start, 0, 4096)!;
      const kept = PAGE_WHERE | PAGE_SHARED | PAGE_ANON;
      const resident_ = (state: number) => ((state & PAGE_WHERE) === PAGE_RESIDENT ? state & kept : state & PAGE_WHERE);
      expect([...other.states].map(resident_)).toEqual([...mine.states].map(resident_));
    }
  }
  const tree = spaceProcesses(host);
  expect(tree.map(({ depth }) => depth)).toEqual([0, 1, 2]);
  expect(spaceProcesses(subject).map(({ pid, parent, depth }) => [pid, parent, depth])).toEqual([
    [1, null, 0],
    [2, 1, 1],
    [3, 2, 2],
  ]);
});
