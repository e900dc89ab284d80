/** Lists, verdicts and swap of real machines under pressure, counted again the slow way. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { replayTimeline } from '../lab/run.ts';
import { LRU_UNEVICTABLE, type Lruvec } from '../mm/lruvec.ts';
import { Machine } from '../mm/machine.ts';
import { PG_lru } from '../mm/page_flags.ts';
import { DEF_PRIORITY, ScanControl } from '../mm/reclaim/scan_control.ts';
import { getScanCount } from '../mm/reclaim/scan_count_3.ts';
import { stateHash } from '../mm/snapshot.ts';
import { type Pfn, swpEntry, type Vpn, vpnOf } from '../mm/units.ts';
import { MACHINE_CHOICE, type MachineChoice } from './choice.ts';
import { type ListsView, lists, listsQueries } from './lists.ts';
import { type ListLog, listEvents } from './lists_log.ts';
import { placesOf } from './lists_queues.ts';
import { slotKind, swap, swapSlot } from './lists_swap.ts';
import {
  ACTIVATED,
  CULLED,
  FREED,
  FROM_NONE,
  KEPT,
  SLOT_CACHE_ONLY,
  SLOT_CACHED,
  SLOT_FREE,
  SLOT_USED,
  SORTED,
  STATE_PROMOTED,
  STAYED,
  verdictWords,
} from './lists_words.ts';
import { type Opened, open } from './open.ts';
import { HostSubject, MachineSubject } from './subject.ts';
import { searchOf } from './time_search.ts';

const MIB = 2 ** 20;
const LIMIT = 5 * MIB;
const SMALL_RAM = 48 * MIB;
/** Behind the first scan, so that there are refaults, too. */
const FURTHER = 1500;

const KERNELS: readonly (Partial<MachineChoice> & { kernel: string })[] = [
  { kernel: '6.18', limitBytes: LIMIT },
  { kernel: '6.18', limitBytes: LIMIT, mglru: true },
  { kernel: '6.1', limitBytes: LIMIT },
  { kernel: '3.16', limitBytes: LIMIT },
  { kernel: '2.6.24', limitBytes: 24 * MIB },
  { kernel: '2.4.19', limitBytes: 24 * MIB },
];
const SCANS = searchOf({ kind: 'event', names: ['mm_vmscan_lru_shrink_inactive', 'shrink_cache'] });

let zipf: Opened;
beforeAll(async () => {
  const bytes = readFileSync(join(import.meta.dirname, '../../examples/zipf.rvm.gz'));
  zipf = await open({ name: 'zipf', bytes: new Uint8Array(bytes) });
});

function machineOf(choice: Partial<MachineChoice>): MachineSubject {
  if (zipf.kind !== 'recording') throw new Error('the example is a recording');
  const options = { ...MACHINE_CHOICE, ramBytes: SMALL_RAM, swapBytes: 8 * MIB, ...choice };
  // Close checkpoints, for whoever asks makes the last steps again.
  return new MachineSubject(replayTimeline(zipf.recording, zipf.survey, options, { spacing: 40_000 }), null);
}

/** Every frame of every list, walked from the tail: name of its list by frame. */
function walkedSlowly({ machine }: MachineSubject): Map<number, Lruvec> {
  const on = new Map<number, Lruvec>();
  for (const { lruvec } of placesOf(machine)) {
    const heads = [...lruvec.lists, ...(lruvec.lruGen?.lists ?? [])];
    for (const head of heads) {
      for (let pfn = machine.frames.listLast(head); pfn >= 0; pfn = machine.frames.listPrev(pfn)) on.set(pfn, lruvec);
    }
  }
  return on;
}

describe.each(KERNELS)('$kernel, mglru $mglru', (choice) => {
  let subject: MachineSubject;
  let view: ListsView;
  let firstScan: number;
  let log: ListLog;
  const everywhere = (window: number): ListsView[] =>
    placesOf(subject.machine).map(({ id }) => lists(subject, { place: id, window, since: null })!);

  beforeAll(() => {
    subject = machineOf(choice);
    firstScan = subject.timeline.seekNext(SCANS)!.events;
    subject.timeline.seek(firstScan + FURTHER);
    view = lists(subject, { place: null, window: 512, since: null })!;
    log = listEvents(subject, firstScan - 1, firstScan + FURTHER, 1e6)!;
  });

  test('asking changes nothing, and an answer can be sent', () => {
    const before = stateHash(subject.machine);
    const { step } = subject.timeline;
    const all = [
      lists(subject, { place: null, window: 64, since: step - 100 }),
      listEvents(subject, step - 100, step, 50),
      swap(subject, 0, 100),
      swapSlot(subject, 0, 1),
    ];
    expect(stateHash(subject.machine)).toBe(before);
    expect(subject.timeline.step).toBe(step);
    expect(structuredClone(all).length).toBe(all.length);
  });

  test('lists hold, in order, the frames that are on them, and their lengths are the counters of the machine', () => {
    const { machine } = subject;
    const slow = walkedSlowly(subject);
    const shown = new Map<number, string>();
    const sums = [0, 0, 0, 0, 0];
    for (const { place, lists: all } of everywhere(machine.frames.frames)) {
      for (const list of all) {
        expect(list.window.hidden).toBe(0);
        // A page of a younger generation that stands here still counts there.
        if (list.seq === null) expect(list.window.frames.length, list.name).toBe(list.pages);
        sums[list.lru]! += list.pages;
        for (const pfn of list.window.frames) shown.set(pfn, place);
        const before = [...list.window.frames].map((pfn) => machine.frames.listPrev(pfn as Pfn));
        expect(before.slice(1)).toEqual([...list.window.frames].slice(0, -1));
      }
    }
    expect([...shown.keys()].sort()).toEqual([...slow.keys()].sort());
    expect(sums).toEqual([0, 1, 2, 3, 4].map((lru) => machine.nodes.reduce((sum, { stat }) => sum + stat[lru]!, 0)));
    let flagged = 0;
    for (let pfn = 0; pfn < machine.frames.frames; pfn++) if (machine.frames.has(pfn as Pfn, PG_lru)) flagged += 1;
    expect(flagged).toBe(slow.size);
    expect(view.lists.some(({ window }) => window.frames.length > 100)).toBe(true);
  });

  test('what moved: where a page stood before, and as many as went where', () => {
    const { timeline } = subject;
    const now = timeline.step;
    const since = now - 400;
    timeline.seek(since);
    const before = new Map<number, string>();
    const name = (view_: ListsView, list: string): string => `${view_.place} ${list}`;
    for (const one of everywhere(1e6))
      for (const list of one.lists) for (const pfn of list.window.frames) before.set(pfn, name(one, list.name));
    timeline.seek(now);
    const moved = lists(subject, { place: view.place, window: 1e6, since })!;
    let came = 0;
    for (const list of moved.lists) {
      for (const [i, pfn] of list.window.frames.entries()) {
        const was = before.get(pfn) ?? '';
        const from = list.from[i]!;
        if (was === name(moved, list.name)) expect(from).toBe(STAYED);
        else if (was === '') expect(from).toBe(FROM_NONE);
        else if (was.startsWith(`${moved.place} `)) expect(name(moved, moved.names[from]!)).toBe(was);
        if (from !== STAYED) came += 1;
      }
    }
    const arrived = new Map(moved.lists.map((list) => [list.name, list.flows.filter(({ to }) => to === list.name)]));
    expect(came).toBe([...arrived.values()].flat().reduce((sum, { pages }) => sum + pages, 0));
  });

  test('the verdicts of a scan are as many as the kernel counts', () => {
    expect(log.scans.length).toBeGreaterThan(0);
    expect(log.outcomes[FREED]).toBeGreaterThan(0);
    expect(log.verdictsLeftOut).toBe(0);
    let compared = 0;
    for (const scan of log.scans) {
      const rows = [...Array(scan.count).keys()].map((n) => scan.first + n);
      const of = (outcome: number, ...rungs: number[]): number =>
        rows.filter((at) => log.outcomesOf[at] === outcome && (rungs.length === 0 || rungs.includes(log.rungs[at]!)))
          .length;
      expect([FREED, ACTIVATED, KEPT, CULLED, SORTED].map((outcome) => of(outcome))).toEqual(scan.outcomes);
      const { numbers } = scan;
      if (numbers === null || scan.kind !== 'inactive') continue;
      compared += 1;
      expect(of(FREED)).toBe(numbers.reclaimed);
      expect(of(FREED) + of(ACTIVATED) + of(KEPT) + of(CULLED)).toBe(scan.taken);
      if (choice.mglru !== true) expect(scan.taken).toBe(numbers.scanned);
      // 2.6 counts no more than that.
      if (log.ladder === '2.6') continue;
      expect(of(ACTIVATED)).toBe(numbers.activated);
      expect(of(KEPT, log.ladder === '6' ? 6 : 7)).toBe(numbers.refKeep);
      if (log.ladder === '6') expect(of(ACTIVATED, 5) + of(CULLED, 5)).toBe(numbers.writeback);
      if (log.ladder === '6') expect(of(ACTIVATED, 8)).toBe(numbers.unmapFail);
    }
    expect(compared).toBeGreaterThan(log.ladder === '2.4' ? -1 : 0);
    for (let at = 0; at < log.pfns.length; at++) {
      const isSorted = log.outcomesOf[at] === SORTED;
      const words = verdictWords(isSorted ? 'sort' : log.ladder, log.rungs[at]!, log.outcomesOf[at]!, true);
      if (words.includes('rung')) expect(words, 'a verdict without words').toBe('');
    }
  });

  test('slots are those of the swap map, and owners hold the entries', () => {
    const { machine, living } = subject;
    const area = machine.swap.areas[0]!;
    const shown = swap(subject, 0, area.max)!.areas[0]!;
    expect(shown.slots.length).toBe(area.max);
    const counted = new Map<number, number>();
    for (const { mm } of living) {
      for (const vma of mm.vmas) {
        for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn++) {
          const at = machine.pageTables.slotOf(mm.pageTables, vpn as Vpn);
          if (at < 0 || !machine.pageTables.isSwap(at)) continue;
          const entry = machine.pageTables.swapEntry(at);
          counted.set(entry, (counted.get(entry) ?? 0) + 1);
        }
      }
    }
    const slots = [...Array(area.max).keys()].slice(1);
    expect([...shown.slots].slice(1)).toEqual(slots.map((slot) => slotKind(area, slot)));
    expect([...shown.slots].map((kind) => kind === SLOT_FREE)).toEqual(
      [...shown.slots.keys()].map((n) => area.usage(n) === 0),
    );
    expect([...shown.counts].slice(1)).toEqual(slots.map((slot) => counted.get(swpEntry(0, slot)) ?? 0));
    const isCached = (kind: number): boolean => kind === SLOT_CACHED || kind === SLOT_CACHE_ONLY;
    expect([...shown.slots].map(isCached)).toEqual([...shown.cached].map((pfn) => pfn >= 0));
    let owned = 0;
    for (const slot of slots.filter((one) => shown.slots[one] === SLOT_USED).slice(0, 3)) {
      owned += 1;
      const [owner, ...others] = swapSlot(subject, 0, slot)!.owners;
      expect(others).toEqual([]);
      const { mm } = living.find(({ pid }) => pid === owner!.pid)!;
      const at = machine.pageTables.slotOf(mm.pageTables, vpnOf(owner!.address));
      expect(machine.pageTables.swapEntry(at)).toBe(swpEntry(0, slot));
    }
    expect(owned).toBeGreaterThan(0);
    expect(shown.totals.reduce((sum, n) => sum + n, 0)).toBe(area.max);
    expect(shown.used).toBe(area.max - shown.totals[SLOT_FREE]! - 1);
  });
});

interface ScanCounter {
  prepareScanControl(sc: ScanControl, pgdat: Lruvec['pgdat'], target: Lruvec): void;
  getScanCount(sc: ScanControl, lruvec: Lruvec): void;
}

/** As get_scan_count reckons: swappiness, costs of both, cost of the one. */
const WEIGHT = /^(\d+) × \((\d+) \+ 1\) \/ \((\d+) \+ (\d+) \+ 1\)$/;

for (const kernel of ['6.18', '6.1', '3.16']) {
  test(`the scan that the rule foretells is the one that the engine counts out: ${kernel}`, () => {
    const subject = machineOf({ kernel, limitBytes: LIMIT });
    const first = subject.timeline.seekNext(SCANS)!.events;
    let weights = 0;
    for (const step of [first + FURTHER]) {
      subject.timeline.seek(step);
      const { machine } = subject;
      const kept = machine.snapshot();
      for (const { id } of placesOf(machine)) {
        const { rule } = lists(subject, { place: id, window: 1, since: null })!;
        const { priority, pages } = rule.scan!;
        for (const { formula, value } of rule.lines.filter(({ name }) => name.startsWith('weight of'))) {
          const [weight, sum, total, cost] = WEIGHT.exec(formula)!.slice(1).map(Number) as [
            number,
            number,
            number,
            number,
          ];
          expect(value, formula).toMatch(new RegExp(`^${Math.floor((weight * (sum + 1)) / (total + cost + 1))} of `));
          weights += 1;
        }
        for (const at of new Set([DEF_PRIORITY, priority])) {
          // The engine's own arithmetic leaves traces: it gets a copy.
          const copy = Machine.restore(kept);
          const { lruvec } = placesOf(copy).find((one) => one.id === id)!;
          const sc = new ScanControl(copy.frames);
          sc.start(32, 0, lruvec.memcg.parent === null ? null : lruvec.memcg);
          sc.priority = at;
          if (lruvec.zone === null) {
            const engine = copy.reclaim as unknown as ScanCounter;
            engine.prepareScanControl(sc, lruvec.pgdat, lruvec);
            engine.getScanCount(sc, lruvec);
          } else {
            sc.swappiness = 60;
            getScanCount(copy, sc, lruvec);
          }
          const want = at === priority ? pages : [0, 0, 0, 0];
          expect([...sc.nr].slice(0, LRU_UNEVICTABLE), `${id}, step ${step}, priority ${at}`).toEqual(want);
        }
      }
    }
    expect(weights > 0).toBe(kernel.startsWith('6.'));
  });
}

test('a window is the head and the tail of the list, a log the last verdicts: the rest is counted', () => {
  const subject = machineOf({ kernel: '6.18', limitBytes: LIMIT });
  const firstScan = subject.timeline.seekNext(SCANS)!.events;
  const whole = lists(subject, { place: null, window: subject.machine.frames.frames, since: null })!;
  const small = lists(subject, { place: null, window: 5, since: null })!;
  for (const [n, { window }] of small.lists.entries()) {
    const all = [...whole.lists[n]!.window.frames];
    const both = all.length <= 10 ? all : [...all.slice(0, 5), ...all.slice(-5)];
    expect([...window.frames]).toEqual(both);
    expect(window.hidden).toBe(all.length - both.length);
    expect(window.fromHead).toBe(Math.min(5, all.length));
  }
  const all = listEvents(subject, firstScan - 1, firstScan + FURTHER, 1e6)!;
  const few = listEvents(subject, firstScan - 1, firstScan + FURTHER, 10)!;
  expect([...few.pfns]).toEqual([...all.pfns.slice(-10)]);
  expect(few.verdictsLeftOut).toBe(all.pfns.length - few.pfns.length);
  expect(few.outcomes).toEqual(all.outcomes);
  const rows = few.scans.reduce((sum, { count }) => sum + count, 0);
  expect(rows).toBe(few.pfns.length);
});

test('generations: a page that was found young is told so where it stands', () => {
  const subject = machineOf({ kernel: '6.18', limitBytes: LIMIT, mglru: true });
  const first = subject.timeline.seekNext(SCANS)!.events;
  let promoted = 0;
  for (let step = first; step <= first + FURTHER && promoted === 0; step += 250) {
    subject.timeline.seek(step);
    const { lists: all, generations } = lists(subject, { place: null, window: 1e6, since: null })!;
    const { multiGen } = subject.machine;
    for (const { seq, window } of all) {
      for (const [i, pfn] of window.frames.entries()) {
        const other = seq !== null && multiGen!.gens.gen(pfn as Pfn) !== seq % 4;
        expect((window.states[i]! & STATE_PROMOTED) !== 0).toBe(other);
        if (other) promoted += 1;
      }
    }
    const { lruGen } = placesOf(subject.machine).at(-1)!.lruvec;
    expect(generations!.rows.at(-1)!.seq).toBe(lruGen!.maxSeq);
  }
  expect(promoted).toBeGreaterThan(0);
});

test('a host has no lists to show', () => {
  const host = new HostSubject(snapshotOfMachine(machineOf({ kernel: '6.18' }).machine));
  expect(lists(host, { place: null, window: 1, since: null })).toBeNull();
  expect(listEvents(host, 0, 1, 1)).toBeNull();
  expect(swap(host, 0, 1)).toBeNull();
  expect(swapSlot(host, 0, 1)).toBeNull();
  expect(Object.keys(listsQueries)).toEqual(['lists', 'listEvents', 'swap', 'swapSlot']);
});
