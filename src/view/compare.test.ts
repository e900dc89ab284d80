/** What is laid side by side, against the same counted the slow way; and where two machines part, against a walk step by step. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Machine } from '../mm/machine.ts';
import { PG_lru } from '../mm/page_flags.ts';
import { stateHash } from '../mm/snapshot.ts';
import type { Pfn, Vpn } from '../mm/units.ts';
import { frameAt } from '../mm/who.ts';
import { MACHINE_CHOICE, type MachineChoice } from './choice.ts';
import { type Count, compareQueries, PAGE_RESIDENT, type PageColumns } from './compare.ts';
import { type Happened, MAJOR_FAULT, MINOR_FAULT } from './compare_log.ts';
import { cellsOf, classCounts, differs, layPages, nextDiffering, RESIDENT_LEFT } from './compare_pages.ts';
import { deedTexts, nextParting, type PartingKind, partingsIn, previousParting } from './compare_partings.ts';
import { begin, type Opened, open } from './open.ts';
import type { MachineSubject } from './subject.ts';

const { compareCounts, comparePages, compareHappened } = compareQueries;
const PROGRAM = `%mmp 1
%title A file, memory, a fork
%file data 16 disk cached
1 open("data", O_RDWR) = 3
1 mmap(0x100000000000, 65536, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100000100000, 32768, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 load(0x100000000000, 32768)
1 store(0x100000100000, 32768, 1)
1 fork() = 2
2 store(0x100000100000, 8192, 2)
2 load(0x100000008000, 4096)
`;
const PRESSED_STEP = 60_000;
const MIB = 2 ** 20;

let program: Opened;
let zipf: Opened;
beforeAll(async () => {
  program = await open({ name: 'a.mmp', bytes: new TextEncoder().encode(PROGRAM) });
  const file = join(import.meta.dirname, '../../examples/zipf.rvm.gz');
  zipf = await open({ name: 'zipf', bytes: new Uint8Array(readFileSync(file)) });
});

function on(opened: Opened, choice: Partial<MachineChoice>, step: number): MachineSubject {
  const subject = begin(opened, { ...MACHINE_CHOICE, ...choice }) as MachineSubject;
  subject.timeline.seek(step);
  return subject;
}

function countOf(counts: readonly Count[], name: string): number | null {
  return counts.find((count) => count.name === name)!.value;
}

function listed(machine: Machine): number[] {
  const pages = machine.generation.lruNames.map(() => 0);
  for (let pfn = 0; pfn < machine.frames.frames; pfn++) {
    if (machine.frames.has(pfn as Pfn, PG_lru)) pages[machine.lru.listOf(pfn as Pfn)]! += 1;
  }
  return pages;
}

describe('one machine', () => {
  for (const kernel of ['6.18', '3.16', '2.6.24', '2.5.59', '2.4.19']) {
    test(`lists and pages are as many as a walk finds, and nothing is changed: ${kernel} under pressure`, () => {
      const subject = on(zipf, { kernel, limitBytes: 6 * MIB, ramBytes: 64 * MIB }, PRESSED_STEP);
      const { machine } = subject;
      const before = stateHash(machine);
      const counts = compareCounts(subject);
      const pages = comparePages(subject);
      expect(stateHash(machine)).toBe(before);
      const { lruNames } = machine.generation;
      expect(counts.filter(({ group }) => group === 'Lists now').map(({ value }) => value)).toEqual(listed(machine));
      expect(lruNames.length).toBeGreaterThan(1);
      expect(countOf(counts, 'pswpout')).toBeGreaterThan(0);
      const [process] = pages.processes;
      const { mm } = subject.living[0]!;
      let resident = 0;
      for (let row = process!.from; row < process!.to; row++) {
        const isThere = frameAt(machine, mm, pages.vpn[row]! as Vpn) !== null;
        expect(pages.state[row] === PAGE_RESIDENT).toBe(isThere);
        resident += isThere ? 1 : 0;
      }
      const mapped = countOf(counts, 'mapped, anonymous')! + countOf(counts, 'mapped, files')!;
      // The vdso is mapped, and no count of the kernel's has it.
      expect([mapped, mapped + 1]).toContain(resident);
      expect(process!.to).toBe(pages.vpn.length);
    });
  }

  test('a log of steps has the faults that the processes count, and leaves the machine where it is', () => {
    const subject = on(zipf, { limitBytes: 6 * MIB, ramBytes: 64 * MIB }, 20_000);
    const before = { ...subject.timeline.player.faults };
    const log = compareHappened(subject, 20_000, 60_000);
    expect(subject.timeline.step).toBe(20_000);
    const { minor, major } = subject.timeline.seek(60_000).faults;
    const count = (kind: number) => log.kind.filter((one) => one === kind).length;
    expect([count(MINOR_FAULT), count(MAJOR_FAULT)]).toEqual([minor - before.minor, major - before.major]);
    expect(count(MAJOR_FAULT)).toBeGreaterThan(0);
    expect(Math.min(...log.step)).toBeGreaterThan(20_000);
    expect(Math.max(...log.step)).toBeLessThanOrEqual(60_000);
  });

  test('a log that is made in pieces is the log', () => {
    const subject = on(program, {}, 0);
    const told = (log: Happened) => Array.from(log.step, (step, n) => [step, log.kind[n], log.pid[n], log.page[n]]);
    const pieces = Array.from({ length: 8 }, (_, n) => told(compareHappened(subject, n, n + 1))).flat();
    expect(pieces).toEqual(told(compareHappened(subject, 0, 100)));
    expect(compareHappened(subject, 0, 100)).toMatchObject({ ended: true, until: 8 });
  });
});

describe('two machines', () => {
  test('rows stand in the same order in every kernel, but for lists', () => {
    const names = (kernel: string) =>
      compareCounts(on(program, { kernel }, 5))
        .filter(({ group }) => group !== 'Lists now')
        .map(({ name }) => name);
    for (const kernel of ['6.1', '3.16', '2.6.24', '2.5.59', '2.4.19']) expect(names(kernel)).toEqual(names('6.18'));
  });

  test('pages are laid on each other by process and address, each once', () => {
    const wide = comparePages(on(zipf, { ramBytes: 64 * MIB }, PRESSED_STEP));
    const tight = comparePages(on(zipf, { limitBytes: 6 * MIB, ramBytes: 64 * MIB }, PRESSED_STEP));
    const laid = layPages(wide, tight);
    const { vpn, code, counts, differing } = laid[0]!;
    const all = new Set([...wide.vpn, ...tight.vpn]);
    expect([...vpn]).toEqual([...all].sort((a, b) => a - b));
    expect(counts.reduce((sum, n) => sum + n)).toBe(all.size);
    expect(differing).toBe([...code].filter(differs).length);
    const stateIn = ({ vpn: vpns, state }: PageColumns, page: number) => state[vpns.indexOf(page)] ?? 0;
    for (let n = 0; n < code.length; n += 97) {
      expect(code[n]).toBe(3 * stateIn(wide, vpn[n]!) + stateIn(tight, vpn[n]!));
    }
    // Without a limit nothing is swapped: what differs is in memory on the left alone.
    expect(differing).toBeGreaterThan(100);
    expect(classCounts(laid)[RESIDENT_LEFT]).toBe(differing);
    const first = nextDiffering(laid, null, false)!;
    const second = nextDiffering(laid, first, false)!;
    expect(second.vpn).toBeGreaterThan(first.vpn);
    expect(nextDiffering(laid, second, true)).toEqual(first);
    expect(nextDiffering(laid, first, true)).toBeNull();
    const cells = cellsOf(laid[0]!, 10, 20);
    expect(cells.cell.length).toBe(Math.ceil(code.length / cells.pagesPerCell));
    expect(cells.rows).toBeLessThanOrEqual(20);
  });

  test('a process that only one of them has is absent in the other', () => {
    const [, child] = layPages(comparePages(on(program, {}, 6)), comparePages(on(program, {}, 5)));
    expect(child).toMatchObject({ pid: 2, differing: child!.vpn.length });
    expect(child!.vpn.length).toBeGreaterThan(0);
  });

  const search = (left: MachineSubject, right: MachineSubject, what: PartingKind) => ({
    what,
    left: async (from: number, to: number) => compareHappened(left, from, to),
    right: async (from: number, to: number) => compareHappened(right, from, to),
  });

  test('each parting of a program, there and back, is where a walk step by step finds it', async () => {
    const [left, right] = [on(program, { kernel: '2.4.19' }, 0), on(program, {}, 0)];
    const asked = search(left, right, 'fault');
    const walked: number[] = [];
    for (let step = 1; step <= 8; step++) {
      const logs = [left, right].map((one) => compareHappened(one, step - 1, step)) as [Happened, Happened];
      if (partingsIn(...logs, 'fault').length > 0) walked.push(step);
    }
    const there: number[] = [];
    for (let at = await nextParting(asked, 0); at !== null; at = await nextParting(asked, at.step)) there.push(at.step);
    const back: number[] = [];
    for (let at = await previousParting(asked, 9); at !== null; at = await previousParting(asked, at.step)) {
      back.push(at.step);
    }
    // 6.18 maps pages of a file around a fault, 2.4 one at a time.
    expect(there[0]).toBe(4);
    expect(there).toEqual(walked);
    expect(back.reverse()).toEqual(walked);
    expect(deedTexts((await nextParting(asked, 0))!.left)).toEqual([
      '7 major faults of process 1 at 0x100000001000–0x100000007000',
    ]);
  });

  test('the first step at which one evicts and the other does not', async () => {
    const [wide, tight] = [
      on(zipf, { ramBytes: 64 * MIB }, 0),
      on(zipf, { limitBytes: 6 * MIB, ramBytes: 64 * MIB }, 0),
    ];
    const parting = (await nextParting(search(wide, tight, 'evict'), 0))!;
    expect(parting.left).toEqual([]);
    expect(parting.right.length).toBeGreaterThan(0);
    const out = (step: number) => {
      tight.timeline.seek(step);
      const counts = compareCounts(tight);
      return countOf(counts, 'pswpout')! + countOf(counts, 'pgsteal')!;
    };
    expect(out(parting.step - 1)).toBe(0);
    expect(out(parting.step)).toBeGreaterThan(0);
  });

  test('two equal machines part nowhere', async () => {
    const [left, right] = [on(program, {}, 0), on(program, {}, 0)];
    for (const what of ['fault', 'major', 'evict'] as const) {
      expect(await nextParting(search(left, right, what), 0)).toBeNull();
    }
  });
});
