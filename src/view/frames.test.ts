/** Categories of frames, against the same counted the slow way: from lists, from page tables, from a snapshot of the same machine. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runRandom } from '../../test/random_run.ts';
import { hostOfFrames } from '../../test/host/made_up_frames.ts';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { Timeline } from '../lab/timeline.ts';
import { kindOfPage } from '../mm/kinds.ts';
import type { Machine } from '../mm/machine.ts';
import type { ListHead } from '../mm/memmap.ts';
import { compoundHead, compoundOrder } from '../mm/page_alloc.ts';
import { PG_dirty, PG_tail, PG_writeback } from '../mm/page_flags.ts';
import { stateHash } from '../mm/snapshot.ts';
import { NO_PFN, type Pfn } from '../mm/units.ts';
import { openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { MACHINE_CHOICE } from './choice.ts';
import { COLOURINGS, type Colouring, type FramesAnswer, frames } from './frames_colourings.ts';
import { frameLine } from './frames_line.ts';
import { largest, tonesOf } from './frames_legend.ts';
import { countsByZone, rangesOf } from './frames_ranges.ts';
import { zones } from './frames_zones.ts';
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
  subject.timeline.seek(120_000);
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
  ...KERNELS.map((kernel) => ({ name: `${kernel}, random`, subject: ofMachine(runRandom(3, kernel, false).machine) })),
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
      const counts = legend.map((_, place) => categories.filter((at) => at === place).length);
      expect(legend.map((one) => one.count), id).toEqual(counts);
      expect(counts.reduce((sum, n) => sum + n, 0), id).toBe(machine.frames.frames);
      expect(new Set(legend.map(({ key }) => key)).size, id).toBe(legend.length);
    }
  });

  test(`${name}: kinds are those of a host’s snapshot of the machine`, () => {
    const have = keysOf(answer('kind'));
    const want = keysOf(frames(host, 'kind'));
    const { version, switches } = machine.generation;
    const wrong: string[] = [];
    have.forEach((kind, pfn) => {
      let shown = want[pfn]!;
      // What that kernel's file has no bit for.
      if (version === '3.16' && kind === 'pgtable') shown = shown === 'kernel' ? 'pgtable' : shown;
      if (version === '3.16' && kind === 'zero_page') shown = shown === 'reserved' ? 'zero_page' : shown;
      if (!switches.hugeFolios && machine.frames.has(pfn as Pfn, PG_tail)) shown = shown === 'kernel' ? kind : shown;
      if (shown !== kind) wrong.push(`frame ${pfn}: ${kind}, the snapshot says ${shown}`);
    });
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(have.filter((kind) => kind === 'free').length).toBe(machine.zones.reduce((sum, zone) => sum + zone.freePages, 0));
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
    // A page may stand on an older list than the one whose generation it has: sums by type are the same.
    for (const [t, type] of ['anon', 'file'].entries()) {
      const want = lruvecs.reduce((sum, { lruGen }) => {
        return sum + [...lruGen!.pages].filter((_, at) => Math.floor(at / 5) % 2 === t).reduce((a, b) => a + b, 0);
      }, 0);
      const have = list.legend.filter(({ key }) => key.startsWith(`${type} `)).reduce((sum, { count }) => sum + count, 0);
      expect(have, type).toBe(want);
      expect(have).toBeGreaterThan(0);
    }
  });

  test(`${name}: mapcount and owner are what the entries say`, () => {
    const mapped = keysOf(answer('mapcount'));
    const owners = keysOf(answer('owner'));
    const kinds = keysOf(answer('kind'));
    const pids = new Map(subject.living.map(({ pid, mm }) => [mm, pid]));
    const entries = new Map<number, Set<string>>();
    const counts = new Map<number, number>();
    for (const mm of machine.mms) {
      for (const vma of mm.vmas) {
        for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn++) {
          const slot = machine.pageTables.slotOf(mm.pageTables, vpn);
          if (slot < 0 || !machine.pageTables.isPresent(slot)) continue;
          const pfn = machine.pageTables.pfn(slot);
          counts.set(pfn, (counts.get(pfn) ?? 0) + 1);
          const pid = pids.get(mm);
          entries.set(pfn, (entries.get(pfn) ?? new Set()).add(pid === undefined ? `mm ${mm.id}` : `process ${pid}`));
        }
      }
    }
    const names: [string, number][] = [['0', 0], ['1', 1], ['2', 2], ['3–4', 4], ['5–8', 8], ['9–16', 16], ['17–64', 64]];
    for (let pfn = 0; pfn < kinds.length; pfn++) {
      if (mapped[pfn]!.startsWith('mapped')) {
        const count = counts.get(pfn) ?? 0;
        const range = names.find(([, most]) => count <= most)?.[0] ?? '65 and more';
        expect(mapped[pfn], `frame ${pfn}`).toBe(`mapped ${range}`);
        const who = entries.get(pfn) ?? new Set();
        const only = [...who][0];
        const want =
          who.size > 1 ? ['shared'] : who.size === 1 ? [only!, 'others'] : ['cache', 'unmapped'];
        expect(want, `frame ${pfn}: ${owners[pfn]}`).toContain(owners[pfn]);
      } else expect(['free', 'kernel'], `frame ${pfn}`).toContain(owners[pfn]);
    }
    expect([...counts.keys()].length).toBeGreaterThan(0);
  });

  test(`${name}: what reclaim may do is what kindOfPage says of the folio; dirty is what its flags say`, () => {
    const fates = keysOf(answer('reclaim'));
    const dirty = keysOf(answer('dirty'));
    for (let n = 0; n < fates.length; n++) {
      const head = compoundHead(machine, n as Pfn);
      const { kind, reason } = kindOfPage(machine, head);
      if (fates[n] === 'free') expect(reason, `frame ${n}`).toContain('free');
      else expect(fates[n], `frame ${n}: ${reason}`).toBe(kind);
      if (dirty[n] === 'free' || dirty[n] === 'kernel') continue;
      const { frames: flags } = machine;
      const want = flags.has(head, PG_writeback) ? ['writeback'] : flags.has(head, PG_dirty) ? ['dirty'] : ['clean', 'dirty_entry'];
      expect(want, `frame ${n}`).toContain(dirty[n]);
    }
    expect(countOf(answer('reclaim'), 'swappable')).toBeGreaterThan(0);
  });

  test(`${name}: a snapshot of the machine answers as the machine, where the files tell`, () => {
    const hasOwners = subject.living.length > 0;
    if (hasOwners) {
      const have = keysOf(answer('owner'));
      const want = keysOf(frames(host, 'owner'));
      const kinds = keysOf(answer('kind'));
      have.forEach((owner, pfn) => {
        // A snapshot numbers processes as the machine does, a recording as it was recorded.
        const isProcess = (key: string) => key.startsWith('process') || key === 'others';
        if (kinds[pfn] === 'pgtable') return;
        expect(isProcess(owner) ? 'one' : owner, `frame ${pfn}`).toBe(isProcess(want[pfn]!) ? 'one' : want[pfn]);
      });
    }
    expect(frames(host, 'mapcount').legend.map(({ count }) => count).slice(3)).toEqual(
      answer('mapcount').legend.map(({ count }) => count).slice(3),
    );
    expect(frames(host, 'cgroup').frames).toBe(machine.frames.frames);
  });

  test(`${name}: zones have their marks, and blocks of free memory that add up`, () => {
    const { zones: rows, says } = zones(subject);
    expect(says).not.toBe('');
    const free = answer('kind').legend.findIndex(({ key }) => key === 'free');
    const counts = countsByZone(answer('kind').categories, answer('kind').zones, answer('kind').legend.length);
    rows.forEach((row, n) => {
      const pages = row.blocks!.reduce((sum, blocks, order) => sum + blocks * 2 ** order, 0);
      expect(pages, row.name).toBe(row.free);
      expect(counts[n]![free], row.name).toBe(row.free);
      expect(row.min).toBeLessThanOrEqual(row.low);
      expect(row.low).toBeLessThanOrEqual(row.high);
      if (row.types !== null) {
        const byType = row.blocks!.map((_, order) => row.types!.reduce((sum, { blocks }) => sum + blocks[order]!, 0));
        expect(byType, row.name).toEqual([...row.blocks!]);
      }
    });
    const shown = zones(host).zones;
    if (machine.generation.family === 'linux-2.4') expect(rows.every(({ types, cpuPages }) => types === null && cpuPages === null)).toBe(true);
    else
      expect(shown.map(({ name: zone, free: pages, min, low, high, boost, spanned, cpuPages, blocks }) => ({ zone, pages, min, low, high, boost, spanned, cpuPages, blocks }))).toEqual(
        rows.map(({ name: zone, free: pages, min, low, high, boost, spanned, cpuPages, blocks }) => ({ zone, pages, min, low, high, boost, spanned, cpuPages, blocks })),
      );
  });
}

test('an age is told by what the kernel keeps: bits, or generations', () => {
  const [lists, generations] = ['6.18', '6.18 with MGLRU'].map((name) => made.find((one) => one.name === name)!);
  const names = ({ answers }: typeof lists & object) => answers.get('age')!.legend.filter(({ count }) => count > 0).map(({ key }) => key);
  expect(names(lists!)).toEqual(expect.arrayContaining(['young', 'old']));
  expect(names(generations!)).toEqual(expect.arrayContaining(['young', 'youngest']));
});

test('a host that hid its frames says so, and has zones all the same', () => {
  const zone = { node: 0, zone: 'Normal', startPfn: 0, spanned: 1000 };
  const snapshot = { ...hostOfFrames([], [zone]), frames: null };
  const host = new HostSubject(snapshot);
  expect(frames(host, 'kind')).toMatchObject({ frames: 0, missing: expect.stringContaining('kpageflags') });
  expect(zones(host).zones).toMatchObject([{ name: 'Normal', spanned: 1000, boost: null, blocks: null, types: null }]);
  expect([structPage(host, 0), frameLine(host, 0)]).toEqual([null, null]);
});

test('ranges of a category come a page at a time, and none is left out', () => {
  const categories = Uint8Array.from('aabbabbbaa', (letter) => Number(letter === 'b'));
  expect(rangesOf(categories, 0, 0, 2)).toEqual({ ranges: [{ first: 0, last: 1 }, { first: 4, last: 4 }], next: 8 });
  expect(rangesOf(categories, 0, 8, 2)).toEqual({ ranges: [{ first: 8, last: 9 }], next: null });
  expect(rangesOf(categories, 5, 0, 2)).toEqual({ ranges: [], next: null });
});

test('a process keeps its colour when others come, unless they want the same', () => {
  expect([...tonesOf([3, 12])]).toEqual([[3, 'p3'], [12, 'p4']]);
  expect([...tonesOf([3, 4, 12])]).toEqual([[3, 'p3'], [4, 'p4'], [12, 'p5']]);
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
