/** Conditions, curves and the log of the Time view, against runs that are made step by step. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pressedRecording } from '../../test/pressed.ts';
import { MACHINE_DEFAULTS } from '../lab/options.ts';
import { ProgramPlayer } from '../lab/program_player.ts';
import { Replay } from '../lab/replay.ts';
import { replayTimeline, startReplay } from '../lab/run.ts';
import { type Player, Timeline } from '../lab/timeline.ts';
import { accessPages } from '../mm/memory.ts';
import { stateHash } from '../mm/snapshot.ts';
import type { Pfn } from '../mm/units.ts';
import { PSWPIN, PSWPOUT } from '../mm/vmstat.ts';
import { parseMmp } from '../syscalls/mmp.ts';
import type { Recording } from '../trace/bodies.ts';
import { openBytes } from '../trace/source.ts';
import { type Survey, surveyRecording } from '../trace/survey.ts';
import { MACHINE_CHOICE } from './choice.ts';
import { type Condition, KIND_NAMES } from './conditions.ts';
import { Session } from './session.ts';
import { MachineSubject } from './subject.ts';
import { timeQueries } from './time.ts';
import { actorOf, EventWatch, refaultsOf } from './time_events.ts';
import { searchOf } from './time_search.ts';

const MIB = 1024 * 1024;
/** Of memory and of the program: it uses three times as much as it may, and comes back to what it used. */
const LIMIT = 1.5 * MIB;
const PAGES = 600;
const ROUNDS = 1000;

let made: Promise<[Recording, Survey, Uint8Array]> | null = null;
const pressed = () => (made ??= open());

async function open(): Promise<[Recording, Survey, Uint8Array]> {
  const bytes = pressedRecording(PAGES, ROUNDS);
  const recording = await openBytes(bytes, 'pressed');
  return [recording, surveyRecording(recording), bytes];
}

const MACHINES = [
  { kernel: '6.18', mglru: false },
  { kernel: '6.18', mglru: true },
  { kernel: '3.16', mglru: false },
  { kernel: '2.6.24', mglru: false },
  { kernel: '2.4.19', mglru: false },
];
const optionsOf = (kernel: string, mglru: boolean) => ({
  ...MACHINE_DEFAULTS,
  kernel,
  mglru,
  limitBytes: LIMIT,
  ramBytes: 32 * MIB,
  swapBytes: 16 * MIB,
});

/** What was there after each step, by looks at a run that is made one step at a time and searched by nobody. */
interface Looks {
  /** Of each kind, the steps in which something of it was told. */
  readonly told: Map<string, number[]>;
  readonly faultsAt: { step: number; pid: number | null; address: number }[];
  readonly evicted: { step: number; pfn: number }[];
  /** Of the watched frame and the zones, after each step; the first is before any. */
  readonly states: { mapcount: number; list: number; free: number; failcnt: number }[];
}

function look(player: Player, frame: Pfn): Looks {
  const looks: Looks = { told: new Map(), faultsAt: [], evicted: [], states: [] };
  const { machine } = player;
  let step = 0;
  const watch = new EventWatch(player, ({ kind, pfn }) => {
    const steps = looks.told.get(kind) ?? [];
    if (steps.at(-1) !== step) steps.push(step);
    looks.told.set(kind, steps);
    if (kind === 'eviction' && pfn !== null) looks.evicted.push({ step, pfn });
  });
  watch.listen();
  machine.trace.listen((_at, name, values) => {
    if (name === 'page_fault_user') looks.faultsAt.push({ step, pid: actorOf(player), address: values[0]! });
  });
  const note = () =>
    looks.states.push({
      mapcount: machine.frames.mapcount(frame),
      list: machine.frames.refcount(frame) === 0 ? -1 : machine.lru.listOf(frame),
      free: machine.zones.reduce((sum, zone) => sum + zone.freePages, 0),
      failcnt: player instanceof Replay ? player.memcg.memory.failcnt : 0,
    });
  note();
  for (let more = true; more; ) {
    step = player.events + 1;
    more = player.run(step);
    watch.afterStep();
    note();
  }
  return looks;
}

/** The places at which a state is another than the one before, in the way that is asked for. */
function placesOf<S>(states: readonly S[], isIt: (before: S, after: S) => boolean): number[] {
  return states.flatMap((after, n) => (n > 0 && isIt(states[n - 1]!, after) ? [n] : []));
}

function finish<R>(pieces: Generator<unknown, R>): R {
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
  }
}

for (const { kernel, mglru } of MACHINES) {
  test(`every condition is found forward and back where a look at each step sees it: ${kernel}${mglru ? ', MGLRU' : ''}`, async () => {
    const [recording, survey] = await pressed();
    const options = optionsOf(kernel, mglru);
    const timeline = replayTimeline(recording, survey, options, { spacing: 2000 });
    timeline.seek(Number.POSITIVE_INFINITY);
    const end = timeline.length!;
    // A frame that was evicted, and a page that faulted again: of them something is known.
    const first = look(startReplay(recording, survey, options), 0 as Pfn);
    const frame = first.evicted[first.evicted.length >> 1]!.pfn as Pfn;
    const looks = look(startReplay(recording, survey, options), frame);
    const { address } = looks.faultsAt.at(-1)!;
    const level = Math.min(...looks.states.map(({ free }) => free)) + 40;
    const cases: [Condition, number[]][] = [
      ...KIND_NAMES.map((what): [Condition, number[]] => [{ kind: 'happens', what }, looks.told.get(what) ?? []]),
      [{ kind: 'event', names: ['mm_vmscan_write_folio'] }, looks.told.get('swap_out') ?? []],
      [{ kind: 'process', pid: 0 }, looks.faultsAt.filter(({ pid }) => pid === 0).map(({ step }) => step)],
      [{ kind: 'process', pid: 7 }, []],
      [
        { kind: 'page', pid: 0, address },
        looks.faultsAt.filter((at) => at.address === address).map(({ step }) => step),
      ],
      [
        { kind: 'frame', pfn: frame, change: 'evicted' },
        looks.evicted.filter(({ pfn }) => pfn === frame).map(({ step }) => step),
      ],
      [
        { kind: 'frame', pfn: frame, change: 'moved' },
        placesOf(looks.states, (a, b) => a.list >= 0 && b.list >= 0 && a.list !== b.list),
      ],
      [{ kind: 'frame', pfn: frame, change: 'mapped' }, placesOf(looks.states, (a, b) => b.mapcount > a.mapcount)],
      [{ kind: 'frame', pfn: frame, change: 'unmapped' }, placesOf(looks.states, (a, b) => b.mapcount < a.mapcount)],
      [{ kind: 'free', zone: null, below: level }, placesOf(looks.states, (a, b) => b.free < level && a.free >= level)],
      [{ kind: 'limit' }, placesOf(looks.states, (a, b) => b.failcnt > a.failcnt)],
    ];
    const seen = new Set<string>();
    for (const [condition, steps] of cases) {
      const search = searchOf(condition);
      if (steps.length > 0) seen.add(condition.kind === 'happens' ? condition.what : condition.kind);
      // From a place at which it happened, if it did: the next and the one before are others.
      const at = steps[steps.length >> 1] ?? end >> 1;
      timeline.seek(at);
      const why = `${JSON.stringify(condition)} from ${at}`;
      expect(finish(timeline.findNext(search)), `${why} on`).toBe(steps.find((step) => step > at) ?? null);
      expect(finish(timeline.findPrevious(search)), `${why} back`).toBe(steps.findLast((step) => step < at) ?? null);
      expect(timeline.step).toBe(Math.min(at, end));
    }
    // The comparison would hold of a run in which nothing happens, too.
    for (const kind of [
      'minor_fault',
      'major_fault',
      'swap_in',
      'swap_out',
      'eviction',
      'scan',
      'exit',
      'frame',
      'page',
      'free',
    ]) {
      expect(seen, kind).toContain(kind);
    }
    if (kernel.startsWith('2.')) expect(seen).toContain('direct_reclaim');
    else for (const kind of ['memcg_reclaim', 'limit']) expect(seen, kind).toContain(kind);
    if (kernel === '6.18') expect(seen).toContain('refault');
  }, 240_000);

  test(`what events tell and what the samples sum up to is what the machine counts: ${kernel}${mglru ? ', MGLRU' : ''}`, async () => {
    const [recording, survey] = await pressed();
    const options = optionsOf(kernel, mglru);
    const replay = startReplay(recording, survey, options);
    const { machine } = replay;
    const before = { ...replay.faults };
    const told = new Map<string, number>();
    const watch = new EventWatch(replay, ({ kind, count }) => told.set(kind, (told.get(kind) ?? 0) + count));
    watch.listen();
    for (let more = true; more; watch.afterStep()) more = replay.run(replay.events + 1);
    const counted = {
      minor_fault: replay.faults.minor - before.minor,
      major_fault: replay.faults.major - before.major,
      eviction: machine.work.pagesReclaimed,
      swap_in: machine.events[PSWPIN]!,
      swap_out: machine.events[PSWPOUT]!,
      refault: kernel.startsWith('2.') ? 0 : refaultsOf(replay),
    };
    for (const [kind, count] of Object.entries(counted)) expect(told.get(kind) ?? 0, kind).toBe(count);

    const subject = new MachineSubject(replayTimeline(recording, survey, options, { spacing: 2000 }), null);
    const { timeline, series } = subject;
    const pass = timeline.overWhole((player) => series.watch(player));
    finish(pass);
    const answer = timeQueries.series(subject);
    const columns = new Map(answer.columns.map((column) => [column.id, column.values]));
    expect(answer.step.at(-1)).toBe(replay.events);
    // The samples count what starting the program took, too, as `revmap run` does.
    const whole = { ...counted, minor_fault: replay.faults.minor, major_fault: replay.faults.major };
    expect(whole.minor_fault + whole.major_fault).toBeGreaterThan(counted.minor_fault + counted.major_fault);
    for (const [kind, count] of Object.entries(whole)) {
      if (kind !== 'refault' || columns.has(kind)) expect(columns.get(kind)!.at(-1), kind).toBe(count);
    }
    for (const kind of ['kswapd_wake', 'direct_reclaim'])
      expect(columns.get(kind)!.at(-1), kind).toBe(told.get(kind) ?? 0);
    // The pass left checkpoints, and went nowhere.
    expect(timeline.step).toBe(0);
    expect(timeline.held.checkpoints).toBeGreaterThan(3);
    expect(columns.get('rss:0')!.some((pages) => pages > 100)).toBe(true);
    const other = startReplay(recording, survey, options);
    other.run(ROUNDS >> 1);
    expect(stateHash(timeline.seek(ROUNDS >> 1).machine)).toBe(stateHash(other.machine));
  }, 120_000);
}

describe('a session', () => {
  const opened = async (breathe?: () => Promise<void>): Promise<Session> => {
    const [, , bytes] = await pressed();
    const session = new Session(breathe);
    await session.open({ name: 'pressed', bytes }, { ...MACHINE_CHOICE, ...optionsOf('6.18', false) });
    return session;
  };

  test('a search that is cancelled leaves all as it was, and questions in between are answered from what is shown', async () => {
    let pieces = 0;
    let cancels = true;
    const seen: number[] = [];
    const session = await opened(async () => {
      pieces += 1;
      seen.push(session.now().step);
      if (cancels) session.cancel();
    });
    session.seek(100);
    const before = session.now();
    // Nobody faults as process 7: it would look to the end.
    const now = performance.now;
    let ms = 0;
    performance.now = () => (ms += 1000);
    try {
      expect(await session.find({ kind: 'process', pid: 7 }, 'next', () => {})).toBeNull();
      expect(await session.go(Number.POSITIVE_INFINITY)).toBeNull();
    } finally {
      performance.now = now;
    }
    cancels = false;
    expect(pieces).toBe(2);
    expect(seen).toEqual([100, 100]);
    expect(session.now()).toEqual({ ...before, length: session.now().length });
    expect(await session.find({ kind: 'process', pid: 7 }, 'next', () => {})).toBe(false);
    expect(await session.find({ kind: 'happens', what: 'swap_out' }, 'next', () => {})).toMatchObject({ ended: false });
  });

  test('it counts the steps, samples and lays checkpoints beside, and stops when something else is opened', async () => {
    const session = await opened();
    let told = 0;
    await session.lookOver(() => {
      told += 1;
    });
    expect(told).toBeGreaterThan(0);
    expect(session.now()).toMatchObject({ step: 0, most: ROUNDS, length: ROUNDS, ended: false });
    expect(session.ask('series')).toMatchObject({ done: true });
    expect(session.ask('marks', 'swap_out', ROUNDS, 10, 0).at.length).toBeGreaterThan(2);
    const over = session.lookOver(() => {});
    session.rebuild({ ...MACHINE_CHOICE, ...optionsOf('2.4.19', false) });
    await over;
    expect(session.ask('series')).toMatchObject({ done: false });
  });

  test('playing makes the steps that it is asked for, and stops at the end', async () => {
    const session = await opened();
    expect(session.advance(150).step).toBe(150);
    let now = session.now();
    for (let n = 0; n < 200 && !now.ended; n++) now = session.advance(1_000_000);
    expect(now).toMatchObject({ step: ROUNDS, ended: true });
    expect((await session.go(ROUNDS))!.ended).toBe(false);
  });
});

test('the log has the events before and behind a place, and looking changes nothing', async () => {
  const [recording, survey] = await pressed();
  const options = optionsOf('6.18', false);
  const subject = new MachineSubject(replayTimeline(recording, survey, options, { spacing: 2000 }), null);
  const { timeline } = subject;
  timeline.seek(Number.POSITIVE_INFINITY);
  timeline.seek(800);
  const hash = stateHash(subject.machine);
  const log = timeQueries.eventLog(subject, 40);
  expect(log.before.length).toBe(40);
  expect(log.after.length).toBe(40);
  expect(log.before.every(({ step }) => step <= 800) && log.after.every(({ step }) => step > 800)).toBe(true);
  const steps = [...log.before, ...log.after].map(({ step }) => step);
  expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  // The same events as a run has that is watched from the beginning.
  const { told } = look(startReplay(recording, survey, options), 0 as Pfn);
  for (const { kind, step } of log.before.slice(1)) expect(told.get(kind), kind).toContain(step);
  const nearby = timeQueries.nearbySteps(subject);
  expect(nearby.find(({ step }) => step === 800)?.text).toMatch(/^(reads|writes) 0x7f0/);
  expect(nearby.length).toBe(24);
  expect(stateHash(subject.machine)).toBe(hash);
  timeline.seek(0);
  expect(timeQueries.nearbySteps(subject)[0]!.text).toMatch(/^mmap\(.*= 0x7f0000000000$/);
  expect(timeQueries.zoneMarks(subject).map(({ name }) => name)).toContain('DMA32');
  expect(accessPages).toBe(startReplay(recording, survey, options).makeAccesses);
});

test('lines of a program, and what they returned', () => {
  const file = join(import.meta.dirname, '../../oracle/corpus/03-cow-tree.mmp');
  const text = readFileSync(file, 'utf8');
  const program = parseMmp(text, file);
  const player = new ProgramPlayer(program, '6.18');
  const timeline = new Timeline<Player>(player, (value) => value === program);
  const subject = new MachineSubject(timeline, text.split('\n'));
  timeline.seek(4);
  const lines = timeQueries.lineResults(subject);
  expect(lines.length).toBe(program.steps.length);
  expect(lines.filter(({ result }) => result !== null).length).toBe(4);
  expect(lines[4]).toMatchObject({ step: 4, result: null });
  const faults = lines.slice(0, 4).flatMap(({ result }) => /(\d+) minor/.exec(result ?? '')?.[1] ?? []);
  expect(faults.reduce((sum, count) => sum + Number(count), 0)).toBe(timeline.player.faults.minor);
  // Faults of those who ended stay counted.
  timeline.seek(Number.POSITIVE_INFINITY);
  const { minor } = timeline.player.faults;
  const living = timeline.player.machine.tasks.reduce((sum, task) => sum + task.minFlt, 0);
  expect(minor).toBeGreaterThan(living);
});
