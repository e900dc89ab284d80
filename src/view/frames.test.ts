/** Categories of frames, against the same counted the slow way: from lists, from page tables, from a snapshot of the same machine. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostOfFrames } from '../../test/host/made_up_frames.ts';
import { runRandom } from '../../test/random_run.ts';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { Timeline } from '../lab/timeline.ts';
import { kindOfPage } from '../mm/kinds.ts';
import type { Machine } from '../mm/machine.ts';
import type { ListHead } from '../mm/memmap.ts';
import { compoundHead, compoundOrder } from '../mm/page_alloc.ts';
import { PG_dirty, PG_tail, PG_writeback } from '../mm/page_flags.ts';
import { stateHash } from '../mm/snapshot.ts';
import { NO_PFN, type Pfn, type Vpn } from '../mm/units.ts';
import { openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { MACHINE_CHOICE } from './choice.ts';
import { type FramesAnswer, frames } from './frames_colourings.ts';
import { COLOURINGS, type Colouring, largest, OWN, tonesOf } from './frames_legend.ts';
import { frameLine } from './frames_line.ts';
import { changedFrames, countsByZone, rangesOf } from './frames_ranges.ts';
import { type ZonesAnswer, zones } from './frames_zones.ts';
import { begin } from './open.ts';
import { structPage } from './struct_page.ts';
import { HostSubject, MachineSubject } from './subject.ts';

const MIB = 2 ** 20;
const recording = await openRecording(join(import.meta.dirname, '../../oracle/programs/forkcow.rvm.gz'));
const survey = surveyRecording(recording);

/** A fork tree under pressure: shared pages, swap, page tables of several processes. */
function ofRecording(kernel: string, mglru: boolean): MachineSubject {
  const choice = { ...MACHINE_CHOICE, kernel, mglru, ramBytes: 96 * MIB, limitBytes: 24 * MIB, swapBytes: 64 * MIB };
  const subject = begin({ kind: 'recording', recording, survey }, choice) as MachineSubject;
  subject.timeline.seek(42_000);
  return subject;
}

/** A machine that nobody plays: huge pages, KSM, locked regions, tmpfs. */
function ofMachine(machine: Machine): MachineSubject {
  const player = { machine, events: 0, position: { event: 0 }, faults: { minor: 0, major: 0 }, run: () => false };
  return new MachineSubject(new Timeline(player, () => true), null);
}

const KERNELS = ['6.18', '6.1', '3.16', '2.6.24', '2.5.59', '2.4.19'];
const made = [
  ...KERNELS.map((kernel) => ({ name: kernel, subject: ofRecording(kernel, false) })),
  { name: '6.18 with MGLRU', subject: ofRecording('6.18', true) },
  ...['6.18', '3.16', '2.6.24', '2.4.19'].map((kernel) => ({
    name: `${kernel}, random`,
    subject: ofMachine(runRandom(3, kernel, false).machine),
  })),
].map((one) => {
  const { machine } = one.subject;
  const before = stateHash(machine);
  const answers = new Map(COLOURINGS.map(({ id }) => [id, frames(one.subject, id)]));
  zones(one.subject);
  for (let pfn = 0; pfn < machine.frames.frames; pfn += 7) structPage(one.subject, pfn);
  for (let pfn = 0; pfn < machine.frames.frames; pfn += 97) frameLine(one.subject, pfn);
  const host = new HostSubject(snapshotOfMachine(machine));
  return { ...one, machine, answers, host, isSame: stateHash(machine) === before };
});

const keysOf = ({ categories, legend }: FramesAnswer): string[] => [...categories].map((place) => legend[place]!.key);
const countOf = ({ legend }: FramesAnswer, key: string): number => legend.find((one) => one.key === key)?.count ?? 0;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, n) => all + n, 0);
/** Names of the legend, and the most that they stand for. */
const RANGES: readonly (readonly [string, number])[] = [
  ['0', 0],
  ['1', 1],
  ['2', 2],
  ['3–4', 4],
  ['5–8', 8],
  ['9–16', 16],
  ['17–64', 64],
  ['65 and more', Number.POSITIVE_INFINITY],
];

/** Whose entries map each frame, page by page of every address space. */
function mappersByFrame({ machine, living }: MachineSubject): Map<number, string[]> {
  const pids = new Map(living.map(({ pid, mm }) => [mm, pid]));
  const found = new Map<number, string[]>();
  for (const mm of machine.mms) {
    const pid = pids.get(mm);
    for (const vma of mm.vmas) {
      for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn = (vpn + 1) as Vpn) {
        const slot = machine.pageTables.slotOf(mm.pageTables, vpn);
        if (slot < 0 || !machine.pageTables.isPresent(slot)) continue;
        const pfn = machine.pageTables.pfn(slot);
        if (!found.has(pfn)) found.set(pfn, []);
        found.get(pfn)!.push(pid === undefined ? `mm ${mm.id}` : `process ${pid}`);
      }
    }
  }
  return found;
}

/** Frames on a list, the tails of folios with them. */
function pagesOn(machine: Machine, head: ListHead): number {
  let pages = 0;
  for (let pfn = machine.frames.listFirst(head); pfn !== NO_PFN; pfn = machine.frames.listNext(pfn))
    pages += 1 << compoundOrder(machine, pfn);
  return pages;
}

for (const { name, subject, machine, answers, host, isSame } of made) {
  const answer = (colouring: Colouring): FramesAnswer => answers.get(colouring)!;

  test(`${name}: asking changes nothing`, () => expect(isSame).toBe(true));

  test(`${name}: every frame is in one category of each colouring, and the legend counts them`, () => {
    for (const { id } of COLOURINGS) {
      const { categories, legend, frames: count } = answer(id);
      expect(categories.length).toBe(count);
      const counts = legend.map(() => 0);
      for (const place of categories) counts[place]! += 1;
      expect(
        legend.map((one) => one.count),
        id,
      ).toEqual(counts);
      expect(
        counts.reduce((sum, n) => sum + n, 0),
        id,
      ).toBe(machine.frames.frames);
      expect(new Set(legend.map(({ key }) => key)).size, id).toBe(legend.length);
    }
  });

  test(`${name}: kinds are those of a host’s snapshot of the machine`, () => {
    const have = keysOf(answer('kind'));
    const want = keysOf(frames(host, 'kind'));
    const { version, switches } = machine.generation;
    const wrong: string[] = [];
    have.forEach((kind, pfn) => {
      // What that kernel's file has no bit for.
      const isHidden =
        (kind === 'cpu_free' && want[pfn] === 'kernel') ||
        (version === '3.16' && kind === 'pgtable' && want[pfn] === 'kernel') ||
        (version === '3.16' && kind === 'zero_page' && want[pfn] === 'reserved') ||
        (!switches.hugeFolios && machine.frames.has(pfn as Pfn, PG_tail) && want[pfn] === 'kernel');
      if (kind !== want[pfn] && !isHidden) wrong.push(`frame ${pfn}: ${kind}, the snapshot says ${want[pfn]}`);
    });
    expect(wrong.slice(0, 5)).toEqual([]);
    const free = machine.zones.reduce((sum, zone) => sum + zone.freePages, 0);
    const kept = machine.zones.reduce((sum, zone) => sum + zone.pcp.count, 0);
    expect([countOf(answer('kind'), 'free'), countOf(answer('kind'), 'cpu_free')]).toEqual([free, kept]);
  });

  test(`${name}: lists hold what they hold`, () => {
    const list = answer('list');
    const { memcgs, generation } = machine;
    const lruvecs = memcgs.slice(1).flatMap((memcg) => memcg.lruvecs);
    if (machine.multiGen === null) {
      generation.lruNames.forEach((lru, n) => {
        if (lru === '-') return;
        expect(countOf(list, lru), lru).toBe(lruvecs.reduce((sum, one) => sum + pagesOn(machine, one.lists[n]!), 0));
      });
      return;
    }
    // A page may stand on an older list than that of its generation: the sizes go by what the page says.
    for (const [t, type] of ['anon', 'file'].entries()) {
      const sizes = lruvecs.flatMap(({ lruGen }) => [...lruGen!.pages].filter((_, at) => Math.floor(at / 5) % 2 === t));
      const shown = list.legend.filter(({ key }) => key.startsWith(`${type} `)).map(({ count }) => count);
      expect(sum(shown), type).toBe(sum(sizes));
    }
  });

  test(`${name}: mapcount and owner are what the entries say`, () => {
    const mapped = keysOf(answer('mapcount'));
    const owners = keysOf(answer('owner'));
    const entries = mappersByFrame(subject);
    const wrong: string[] = [];
    for (let pfn = 0; pfn < owners.length; pfn++) {
      const mappers = entries.get(pfn) ?? [];
      const who = [...new Set(mappers)];
      const owner = owners[pfn]!;
      if (!mapped[pfn]!.startsWith('mapped')) {
        if (owner !== mapped[pfn]) wrong.push(`frame ${pfn}: ${owner}, and ${mapped[pfn]}`);
        continue;
      }
      const range = RANGES.find(([, most]) => mappers.length <= most)![0];
      const allowed = who.length > 1 ? ['shared'] : who.length === 1 ? [who[0], 'others'] : ['cache', 'unmapped'];
      if (mapped[pfn] !== `mapped ${range}` || !allowed.includes(owner))
        wrong.push(`frame ${pfn}: ${mapped[pfn]}, ${owner}; entries of ${mappers.join(' ')}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(entries.size).toBeGreaterThan(40);
  });

  test(`${name}: what reclaim may do is what kindOfPage says of the folio; dirty is what its flags say`, () => {
    const fates = keysOf(answer('reclaim'));
    const dirty = keysOf(answer('dirty'));
    const { frames: flags } = machine;
    const wrong: string[] = [];
    for (let n = 0; n < fates.length; n++) {
      const head = compoundHead(machine, n as Pfn);
      const { kind, reason } = kindOfPage(machine, head);
      const isFree = fates[n] === 'free' || fates[n] === 'cpu_free';
      if (isFree ? !reason.startsWith('free') : fates[n] !== kind)
        wrong.push(`frame ${n}: ${fates[n]}; ${kind}: ${reason}`);
      if (['free', 'cpu_free', 'kernel'].includes(dirty[n]!)) continue;
      const want = flags.has(head, PG_writeback)
        ? 'writeback'
        : flags.has(head, PG_dirty)
          ? 'dirty'
          : 'clean dirty_entry';
      if (!want.includes(dirty[n]!)) wrong.push(`frame ${n}: ${dirty[n]}, its flags say ${want}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(countOf(answer('reclaim'), 'swappable')).toBeGreaterThan(0);
  });

  test(`${name}: a snapshot of the machine answers as the machine, where the files tell`, () => {
    const counts = ({ legend }: FramesAnswer) => legend.slice(OWN).map(({ key, count }) => `${key} ${count}`);
    expect(counts(frames(host, 'mapcount'))).toEqual(counts(answer('mapcount')));
    expect(frames(host, 'zone').frames).toBe(machine.frames.frames);
    if (subject.living.length === 0) return;
    // A snapshot numbers processes as the machine does, a recording as it was recorded.
    const roles = (one: FramesAnswer) =>
      keysOf(one).map((key) => (/^process|^others/.test(key) ? 'one' : key.replace('cpu_free', 'kernel')));
    const want = roles(frames(host, 'owner'));
    const wrong = roles(answer('owner')).flatMap((role, pfn) =>
      role === want[pfn] ? [] : [`frame ${pfn}: ${role}, ${want[pfn]}`],
    );
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test(`${name}: zones have their marks, and blocks of free memory that add up`, () => {
    const { zones: rows, says } = zones(subject);
    expect(says).not.toBe('');
    const { categories, zones: spans, legend } = answer('kind');
    const free = legend.findIndex(({ key }) => key === 'free');
    const counts = countsByZone(categories, spans, legend.length);
    rows.forEach((row, n) => {
      const pages = row.blocks!.reduce((all, blocks, order) => all + blocks * 2 ** order, 0);
      expect([pages, counts[n]![free]], row.name).toEqual([row.free, row.free]);
      expect([row.min, row.low, row.high], row.name).toEqual([row.min, row.low, row.high].sort((a, b) => a - b));
      if (row.types === null) return;
      const byType = row.blocks!.map((_, order) => sum(row.types!.map(({ blocks }) => blocks[order]!)));
      expect(byType, row.name).toEqual([...row.blocks!]);
    });
    const is24 = machine.generation.family === 'linux-2.4';
    expect(rows.every(({ types, cpuPages }) => (types === null) === is24 && (cpuPages === null) === is24)).toBe(true);
    // These two had no zoneinfo.
    if (is24 || machine.generation.version === '2.5.59') return;
    const told = (all: ZonesAnswer) =>
      all.zones.map(({ name: zone, spanned, managed, free: pages, min, low, high, boost, cpuPages, blocks }) => {
        return { zone, spanned, managed, pages, min, low, high, boost, cpuPages, blocks };
      });
    expect(told(zones(host))).toEqual(told(zones(subject)));
  });
}

test('an age is told by what the kernel keeps: bits, or generations', () => {
  const [lists, generations] = ['6.18', '6.18 with MGLRU'].map((name) => made.find((one) => one.name === name)!);
  const names = ({ answers }: typeof lists & object) =>
    answers
      .get('age')!
      .legend.filter(({ count }) => count > 0)
      .map(({ key }) => key);
  expect(names(lists!)).toEqual(expect.arrayContaining(['young', 'referenced', 'active']));
  expect(names(generations!)).toEqual(expect.arrayContaining(['young', 'oldest']));
});

test('a host that hid its frames says so, and has zones all the same', () => {
  const zone = { node: 0, zone: 'Normal', startPfn: 0, spanned: 1000 };
  const snapshot = { ...hostOfFrames([], [zone]), frames: null };
  const host = new HostSubject(snapshot);
  expect(frames(host, 'kind')).toMatchObject({ frames: 0, missing: expect.stringContaining('kpageflags') });
  // As serve gives it (server/frame_numbers.ts).
  const why = 'serve was started without --frames';
  const missing = [
    { what: 'frames', why: 'not asked for', count: 1 },
    { what: 'frame numbers', why, count: 1 },
  ];
  expect(frames(new HostSubject({ ...snapshot, missing }), 'kind').missing).toBe(
    `This snapshot has no frames: ${why}.`,
  );
  expect(zones(host).zones).toMatchObject([{ name: 'Normal', spanned: 1000, boost: null, blocks: null, types: null }]);
  expect([structPage(host, 0), frameLine(host, 0)]).toEqual([null, null]);
});

test('ranges of a category come a page at a time, and none is left out', () => {
  const categories = Uint8Array.from('aabbabbbaa', (letter) => Number(letter === 'b'));
  expect(rangesOf(categories, 0, 0, 2)).toEqual({
    ranges: [
      { first: 0, last: 1 },
      { first: 4, last: 4 },
    ],
    next: 8,
  });
  expect(rangesOf(categories, 0, 8, 2)).toEqual({ ranges: [{ first: 8, last: 9 }], next: null });
  expect(rangesOf(categories, 5, 0, 2)).toEqual({ ranges: [], next: null });
});

test('what changed is told by categories, wherever they stand in the two legends', () => {
  const before = { categories: Uint8Array.of(0, 1, 1, 2), legend: [{ key: 'free' }, { key: 'a' }, { key: 'b' }] };
  const after = { categories: Uint8Array.of(0, 2, 1, 1), legend: [{ key: 'free' }, { key: 'b' }, { key: 'a' }] };
  expect([...changedFrames(before, after)]).toEqual([0, 0, 1, 0]);
});

test('a process keeps its colour when others come, unless they want the same', () => {
  expect([...tonesOf([3, 12])]).toEqual([
    [3, 'p3'],
    [12, 'p4'],
  ]);
  expect([...tonesOf([3, 4, 12])]).toEqual([
    [3, 'p3'],
    [4, 'p4'],
    [12, 'p5'],
  ]);
  expect(largest([5, 0, 9, 1, 1, 1, 1, 1, 1, 1])).toEqual([0, 2, 3, 4, 5, 6, 7, 8]);
});

test('a frame in a line says its kind and who maps it', () => {
  const { subject, machine } = made[0]!;
  const { categories, legend } = made[0]!.answers.get('owner')!;
  const at = (key: string) => categories.indexOf(legend.findIndex((one) => one.key.startsWith(key)));
  expect(frameLine(subject, at('process'))?.text).toMatch(/, process \d+$/);
  expect(frameLine(subject, at('shared'))?.text).toMatch(/, processes \d+, \d+/);
  expect(frameLine(subject, at('free'))?.text).toBe('free');
  expect([frameLine(subject, machine.frames.frames), frameLine(subject, -1)]).toEqual([null, null]);
});
