/** Recordings made by hand, replayed: processes, files, what is missing and what goes wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stateHash } from '../mm/snapshot.ts';
import { verify } from '../mm/verify.ts';
import { whoMaps } from '../mm/who.ts';
import { FILE_ON_DISK, KIND_FETCH, KIND_READ, KIND_WRITE } from '../trace/decode.ts';
import { BodyWriter, encodeRecording } from '../trace/encode.ts';
import type { RecordingHeader } from '../trace/recording.ts';
import { openRecording, type Recording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { type RecordingFacts, RecordingWriter, ThreadWriter } from '../trace/write.ts';
import { imageOf } from './image.ts';
import { MACHINE_DEFAULTS } from './options.ts';
import { findPage, mostSharedPage, parsePage, whoOfRecording } from './page.ts';
import { type RunOptions, runRecording, startReplay } from './run.ts';
import { sweepRecording } from './sweep.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A static program of four pages at 0x400000 that starts in its second. */
const header: RecordingHeader = {
  name: 'made',
  command: '/bin/made up',
  recorder: 'a test',
  window: 0,
  elf: new Map([
    ['start_code', 0x401000],
    ['entry', 0x401000],
    ['start_data', 0x403100],
    ['end_data', 0x403800],
    ['brk', 0x404100],
    ['start_stack', 0x7fffffffe000],
  ]),
  maps: [
    { start: 0x400000, end: 0x401000, read: true, write: false, execute: false },
    { start: 0x401000, end: 0x403000, read: true, write: false, execute: true },
    { start: 0x403000, end: 0x404000, read: true, write: true, execute: false },
    { start: 0x404000, end: 0x405000, read: true, write: true, execute: false },
    { start: 0x7ffffffde000, end: 0x7ffffffff000, read: true, write: true, execute: false },
  ],
  processes: [],
  other: new Map(),
};

const PROT_RW = 3;
const ANONYMOUS = 0x22;
const PRIVATE = 2;
const AT = 0x7ffff7000000;
const PAGE = 4096;

async function recordingOf(bodies: Record<number, Uint8Array>): Promise<Recording> {
  const path = join(folder, `${Math.random()}.rvm`);
  const processes = Object.keys(bodies).map((pid) => ({ pid: Number(pid), bytes: 0, stats: '' }));
  writeFileSync(path, encodeRecording({ ...header, processes }, Object.values(bodies)));
  return openRecording(path);
}

const options: RunOptions = {
  ...MACHINE_DEFAULTS,
  kernel: '6.1',
  ramBytes: 64 * 2 ** 20,
  swapBytes: 16 * 2 ** 20,
  limitBytes: null,
};

async function replayed(bodies: Record<number, Uint8Array>, more: Partial<RunOptions> = {}) {
  const recording = await recordingOf(bodies);
  return runRecording(recording, surveyRecording(recording), { ...options, ...more });
}

/** mmap of anonymous memory, and a write to each of its pages. */
function fill(w: BodyWriter, address: number, pages: number): void {
  w.syscall(9, [0, pages * PAGE, PROT_RW, ANONYMOUS, -1, 0], address);
  for (let i = 0; i < pages; i++) w.access(address / PAGE + i, KIND_WRITE);
}

test('image: a static program, its .bss and its stack', () => {
  const recorded = imageOf(header, 0)!;
  expect(recorded.leftOver).toEqual([]);
  expect(recorded.image.interpreter).toBeNull();
  expect(recorded.image.argv).toEqual(['/bin/made', 'up']);
  expect(recorded.image.layout).toEqual({ brk: 0x405000, stackEnd: 0x7ffffffff000 });
  expect(recorded.image.program.segments).toEqual([
    { vaddr: 0x400000, offset: 0, fileBytes: 0x1000, memBytes: 0x1000, prot: 1 },
    { vaddr: 0x401000, offset: 0x1000, fileBytes: 0x2000, memBytes: 0x2000, prot: 5 },
    { vaddr: 0x403100, offset: 0x3100, fileBytes: 0x700, memBytes: 0x1000, prot: 3 },
  ]);
  expect(recorded.files).toEqual([{ path: '/bin/made', bytes: 0x3800 }]);
});

test('image: the interpreter is around the entry, the stack below it is no part of it', async () => {
  const { header } = await openRecording(join(import.meta.dirname, '../../examples/sqlite.rvm.gz'));
  const { image, leftOver, files } = imageOf(header, 0x400004c000)!;
  expect(leftOver).toEqual([]);
  expect(image.program.segments.map((s) => s.vaddr)).toEqual([0x4000000000, 0x4000008000, 0x4000036000, 0x4000049490]);
  expect(image.interpreter?.file.segments.map((s) => s.vaddr)).toEqual([0, 0x1000, 0x27000, 0x31000]);
  expect(image.layout).toEqual({ brk: 0x400004c000, interpreterBase: 0x400284d000, stackEnd: 0x400284d000 });
  expect(image.envp.length).toBe(3);
  expect(files.map((f) => f.path)).toEqual(['/usr/bin/sqlite3', '/lib64/ld-linux-x86-64.so.2']);
});

test('image: a header without addresses starts with an empty address space', () => {
  expect(imageOf({ ...header, elf: new Map() }, 0)).toBeNull();
});

for (const { why, body } of [
  {
    why: 'a file of 64 TiB, from one read',
    body: (w: BodyWriter) => {
      w.path('/data/x');
      w.syscall(257, [-100, 0x1000, 2, 0], 3);
      w.syscall(17, [3, 0, PAGE, 2 ** 46], PAGE);
    },
  },
  {
    why: 'a file in memory of 64 TiB',
    body: (w: BodyWriter) => {
      w.path('/dev/shm/x');
      w.syscall(257, [-100, 0x1000, 2, 0], 3);
      w.syscall(17, [3, 0, PAGE, 2 ** 46], PAGE);
    },
  },
  {
    why: 'mincore of 64 TiB that are mapped',
    body: (w: BodyWriter) => {
      w.syscall(9, [0, 2 ** 46, PROT_RW, ANONYMOUS | 0x4000, -1, 0], 0x1000000);
      w.syscall(27, [0x1000000, 2 ** 46, 0], 0);
    },
  },
]) {
  test(`run: what is claimed takes no memory: ${why}`, async () => {
    const w = new BodyWriter();
    body(w);
    expect(await replayed({ 0: w.end() })).toMatchObject({ syscalls: 2 });
  });
}

test('run: faults, peak and the places of the peak', async () => {
  const w = new BodyWriter();
  w.access(0x401, KIND_FETCH);
  fill(w, AT, 300);
  w.tick(1000);
  w.syscall(11, [AT, 300 * PAGE], 0);
  w.syscall(231, [0], 0);
  const run = await replayed({ 0: w.end() });
  expect(run).toMatchObject({
    status: 'exited',
    events: 301,
    raw_accesses: 1000,
    syscalls: 3,
    syscalls_different: 0,
    unseen_pages: 0,
  });
  expect(run.counters['pgfault']).toBeGreaterThanOrEqual(301);
  expect(run.peak_bytes).toBeGreaterThanOrEqual(304 * PAGE);
  expect(run.peak_bytes).toBeLessThan(400 * PAGE);
  expect(run.peak.anonymous).toBeGreaterThanOrEqual(300 * PAGE);
  expect(run.peak.mappings[0]).toEqual({
    name: 'anonymous at 0x7ffff7000000',
    kind: 'anonymous',
    pid: 0,
    bytes: 300 * PAGE,
    mapped_bytes: 300 * PAGE,
  });
  expect(run.peak.mappings.some((m) => m.name === '/bin/made' && m.kind === 'file')).toBe(true);
  expect(run.estimate.accesses).toBeCloseTo(1e-6);
});

test('run: the same recording gives the same result and the same machine', async () => {
  const w = new BodyWriter();
  fill(w, AT, 600);
  for (let i = 0; i < 5000; i++) w.access(AT / PAGE + ((i * 7919) % 600), i % 3 === 0 ? KIND_WRITE : KIND_READ);
  w.tick(9000);
  const recording = await recordingOf({ 0: w.end() });
  const survey = surveyRecording(recording);
  const tight = { ...options, limitBytes: 400 * PAGE };
  const results = [1, 2].map(() => ({ ...runRecording(recording, survey, tight), seconds: 0 }));
  expect(results[0]).toEqual(results[1]);
  expect(results[0]!.counters['pswpin']).toBeGreaterThan(100);
  const hashes = [1, 2].map(() => {
    const replay = startReplay(recording, survey, tight);
    replay.run();
    expect(verify(replay.machine)).toEqual([]);
    return stateHash(replay.machine);
  });
  expect(hashes[0]).toBe(hashes[1]);
});

test('run: a limit without swap ends in the OOM killer, and says so', async () => {
  const w = new BodyWriter();
  fill(w, AT, 2000);
  w.syscall(231, [0], 0);
  const run = await replayed({ 0: w.end() }, { limitBytes: 500 * PAGE, swapBytes: 0 });
  expect(run.status).toBe('oom-killed');
  expect(run.memory_events?.oom_kill).toBe(1);
  expect(run.events).toBeGreaterThan(300);
  expect(run.events).toBeLessThan(520);
});

test('run: a page that nothing mapped is put there and counted; one that may not be written is left out and counted', async () => {
  const w = new BodyWriter();
  w.access(0x7777, KIND_WRITE);
  w.access(0x7777, KIND_READ);
  w.access(0x401, KIND_WRITE);
  w.access(0x12345678, KIND_READ);
  const run = await replayed({ 0: w.end() });
  expect(run).toMatchObject({ events: 4, unseen_pages: 2, refused_accesses: 1, status: 'exited' });
});

test('run: what differs from the recording and what is not replayed is told', async () => {
  const w = new BodyWriter();
  w.syscall(11, [1, PAGE], 0); // munmap of half a page cannot have worked
  w.syscall(10, [AT, PAGE, 1], 0); // mprotect of nothing, neither
  w.syscall(40, [1, 2, 0, 10], 10); // sendfile
  w.syscall(9999, [], 0);
  w.syscall(39, [], 8029); // getpid changes nothing
  const run = await replayed({ 0: w.end() });
  expect(run.syscalls_different).toBe(2);
  expect(run.differences).toEqual([
    { pid: 0, call: 'munmap(1, 0x1000, 0, 0, 0, 0)', recorded: '0', here: 'EINVAL' },
    { pid: 0, call: 'mprotect(0x7ffff7000000, 0x1000, 1, 0, 0, 0)', recorded: '0', here: 'ENOMEM' },
  ]);
  expect(run.syscalls_unknown).toEqual({ sendfile: 1, 'syscall 9999': 1 });
});

test('run: files are as large as their use says, and mapped, read and written', async () => {
  const w = new BodyWriter();
  w.path('/lib/libx.so');
  w.syscall(257, [-100, 0, 0x80000, 0], 7);
  w.syscall(9, [0, 20 * PAGE + 5, 1, PRIVATE, 7, 0], AT);
  w.syscall(9, [AT + 8 * PAGE, 4 * PAGE, PROT_RW, PRIVATE | 0x10, 7, 6 * PAGE], AT + 8 * PAGE);
  w.syscall(9, [AT + 12 * PAGE, 9 * PAGE, PROT_RW, ANONYMOUS | 0x10, -1, 0], AT + 12 * PAGE);
  w.syscall(3, [7], 0);
  w.access(AT / PAGE, KIND_READ);
  w.access(AT / PAGE + 9, KIND_WRITE);
  w.path('/etc/conf');
  w.syscall(2, [0, 0], 3);
  w.syscall(0, [3, AT + 13 * PAGE, 8192], 5000);
  w.syscall(0, [3, AT + 13 * PAGE, 8192], 0);
  w.syscall(32, [3], 9);
  w.syscall(3, [3], 0);
  w.syscall(17, [9, AT + 13 * PAGE, 100, 4000], 100);
  w.path('/tmp/new');
  w.syscall(257, [-100, 0, 0o102, 0o600], 4);
  w.syscall(1, [4, AT + 13 * PAGE, 3000], 3000);
  w.syscall(8, [4, 0, 0], 0);
  w.syscall(0, [4, AT + 13 * PAGE, 9000], 3000);
  w.path('/etc/none');
  w.syscall(257, [-100, 0, 0], -2);
  w.path('/dev/null');
  w.syscall(257, [-100, 0, 2], 5);
  w.syscall(1, [5, AT + 13 * PAGE, 10], 10);
  w.syscall(20, [4, AT, 2], 700);
  w.syscall(231, [0], 0);
  const recording = await recordingOf({ 0: w.end() });
  const survey = surveyRecording(recording);
  expect(survey.files).toEqual([
    { path: '/lib/libx.so', kind: 'disk', bytes: 10 * PAGE },
    { path: '/etc/conf', kind: 'disk', bytes: 5000 },
    { path: '/tmp/new', kind: 'disk', bytes: 0 },
    { path: '/dev/null', kind: 'outside', bytes: 0 },
  ]);
  const run = runRecording(recording, survey, options);
  expect(run.differences).toEqual([]);
  expect(run).toMatchObject({ syscalls_different: 0, syscalls_unknown: {}, unseen_pages: 0, refused_accesses: 0 });
  expect(run.counters['pgmajfault']).toBeGreaterThan(0);
});

/** Parent and child each write to their copy of ten pages. */
function family(clone: (w: BodyWriter) => void): Record<number, Uint8Array> {
  const parent = new BodyWriter();
  fill(parent, AT, 10);
  parent.tick(100);
  clone(parent);
  for (let i = 0; i < 10; i++) parent.access(AT / PAGE + i, KIND_WRITE);
  parent.tick(100);
  parent.syscall(61, [-1, 0, 0, 0], 77);
  parent.access(AT / PAGE, KIND_READ);
  parent.syscall(231, [0], 0);
  const child = new BodyWriter();
  child.syscall(56, [0x1200011], 0); // its own return from clone
  for (let i = 0; i < 10; i++) child.access(AT / PAGE + i, KIND_WRITE);
  child.tick(50);
  child.tick(500);
  child.syscall(231, [0], 0);
  return { 0: parent.end(), 77: child.end() };
}

test('processes: a child starts at its fork, and its parent waits for it', async () => {
  const bodies = family((w) => {
    w.syscall(56, [0x1200011], 0);
    w.syscall(56, [0x1200011], 77);
  });
  const run = await replayed(bodies);
  expect(run).toMatchObject({
    status: 'exited',
    processes: 2,
    processes_unstarted: 0,
    events: 31,
    raw_accesses: 750,
    syscalls_unknown: {},
  });
  // Ten pages, copied by whoever writes first; the other has his alone then.
  expect(run.counters['pgreuse']).toBe(10);
});

test('processes: while both live, a page is shared, and who says so', async () => {
  const parent = new BodyWriter();
  parent.access(0x401, KIND_FETCH);
  fill(parent, AT, 1);
  parent.syscall(57, [], 77);
  parent.tick(100000);
  parent.access(AT / PAGE, KIND_READ);
  parent.tick(1);
  parent.syscall(231, [0], 0);
  const child = new BodyWriter();
  child.access(AT / PAGE, KIND_READ);
  child.tick(5000);
  child.syscall(231, [0], 0);
  const recording = await recordingOf({ 0: parent.end(), 77: child.end() });
  const replay = startReplay(recording, surveyRecording(recording), options);
  replay.run(3);
  expect(replay.living().map((p) => p.pid)).toEqual([0, 77]);
  const pfn = findPage(replay, { kind: 'address', address: AT }, 77);
  if (typeof pfn === 'string') throw new Error(pfn);
  expect(pfn).toBe(findPage(replay, { kind: 'address', address: AT }, 0));
  expect(whoMaps(replay.machine, pfn)).toMatchObject({ mapcount: 2, mapping: { kind: 'anon_vma', anonBit: 1 } });
  // By the numbers that the question has, not the machine's own.
  expect(whoOfRecording(replay, pfn).mappers.map(({ pid }) => pid)).toEqual([0, 77]);
  expect(verify(replay.machine)).toEqual([]);
  expect(findPage(replay, { kind: 'address', address: AT }, 5)).toBe('process 5 does not run then (0, 77 does)');
  expect(findPage(replay, { kind: 'address', address: 0x10000 }, 0)).toBe('nothing is mapped at 0x10000');
  expect(findPage(replay, { kind: 'file', path: '/none', offset: 0 }, 0)).toBe("the recording has no file '/none'");
  expect(mostSharedPage(replay)?.path).toBe('/bin/made');
  expect(replay.run()).toBe(false);
  expect(replay.machine.tasks.filter((t) => t.mm !== null)).toEqual([]);
});

test('processes: after vfork the parent stands still until the exec, which makes a new address space', async () => {
  const parent = new BodyWriter();
  fill(parent, AT, 2);
  parent.syscall(58, [], 77);
  parent.access(AT / PAGE, KIND_WRITE);
  parent.syscall(231, [0], 0);
  const child = new BodyWriter();
  child.tick(10000);
  child.access(AT / PAGE, KIND_READ);
  child.syscall(59, [1, 2, 3], 0);
  child.syscall(59, [1, 2, 3], -2);
  child.access(AT / PAGE, KIND_READ);
  child.syscall(59, [1, 2, 3], 0);
  child.access(0x5555, KIND_WRITE);
  child.syscall(231, [0], 0);
  const run = await replayed({ 0: parent.end(), 77: child.end() });
  expect(run).toMatchObject({ status: 'exited', processes: 2, unseen_pages: 1, events: 6 });
  expect(run.syscalls_unknown).toEqual({ 'execve (a program that is not described)': 1 });
});

test('processes: who is never forked is told, and so is who was not recorded', async () => {
  const parent = new BodyWriter();
  parent.syscall(57, [], 5);
  parent.syscall(231, [0], 0);
  const lost = new BodyWriter();
  lost.access(1000, KIND_READ);
  const run = await replayed({ 0: parent.end(), 77: lost.end() });
  expect(run).toMatchObject({ processes: 1, processes_unstarted: 1, events: 0 });
  expect(run.syscalls_unknown).toEqual({ 'fork (nobody who was recorded)': 1 });
});

test('processes: the exit of a thread is not the end of the process', async () => {
  const w = new BodyWriter();
  w.note('SYSCALL[1,1] in words');
  w.syscall(56, [0x3d0f00], 78);
  w.syscall(60, [0], 0);
  fill(w, AT, 3);
  w.syscall(60, [0], 0);
  w.access(AT / PAGE, KIND_READ);
  const run = await replayed({ 0: w.end() });
  expect(run).toMatchObject({ status: 'exited', events: 3 });
  expect(Object.values(run.syscalls_unknown)).toEqual([1, 1]);
});

test('who: the ways to name a page', () => {
  expect(parsePage('0x4002d62000')).toEqual({ kind: 'address', address: 0x4002d62000 });
  expect(parsePage('pfn:12')).toEqual({ kind: 'pfn', pfn: 12 });
  expect(parsePage('/lib/a:b.so:0x1000')).toEqual({ kind: 'file', path: '/lib/a:b.so', offset: 0x1000 });
  expect(parsePage('/lib/a.so')).toEqual({ kind: 'file', path: '/lib/a.so', offset: 0 });
  for (const wrong of ['', 'pfn:x', 'pfn:', ':4096', '/a:b']) expect(parsePage(wrong), wrong).toBeNull();
});

test('sweep: limits from the peak down, the same whoever replays them', async () => {
  const w = new BodyWriter();
  fill(w, AT, 400);
  for (let i = 0; i < 3000; i++) w.access(AT / PAGE + ((i * 7919) % 400), KIND_READ);
  w.tick(5000);
  const recording = await recordingOf({ 0: w.end() });
  const shares: number[] = [];
  const sweep = await sweepRecording(recording, surveyRecording(recording), {
    ...options,
    limits: { count: 3 },
    limitsOnly: true,
    workers: 0,
    onProgress: ({ share }) => shares.push(share),
  });
  expect(sweep.unlimited.limit_bytes).toBeNull();
  expect(sweep.runs.map((r) => r.limit_bytes! / sweep.unlimited.peak_bytes).map((x) => x.toFixed(2))).toEqual([
    '1.00',
    '0.65',
    '0.30',
  ]);
  expect(sweep.advice.smallest_limit?.limit_bytes).toBe(sweep.unlimited.peak_bytes);
  expect(sweep.runs[2]!.counters['pswpin']).toBeGreaterThan(400);
  expect(shares.at(-1)).toBe(1);
});

// format 2

/** Bodies by `process thread`, each in steps: the clock at which it runs, and what it does. */
async function orderedRecording(
  bodies: { pid: number; tid: number; steps: { at: number; does: (w: BodyWriter) => void }[] }[],
  laterImages: RecordingFacts['laterImages'] = [],
): Promise<Recording> {
  const path = join(folder, `${Math.random()}.rvm.gz`);
  const writer = new RecordingWriter(path);
  for (const { pid, tid, steps } of bodies) {
    const thread = new ThreadWriter(writer, pid, tid, steps[0]!.at);
    for (const [n, { at, does }] of steps.entries()) {
      if (n > 0) thread.body.clock(at - thread.body.clockNow);
      does(thread.body);
    }
    thread.end();
  }
  const { processes, ...facts } = header;
  writer.finish({ ...facts, laterImages, cutShort: '', unseen: [], parentOf: () => 0, statsOf: () => '' });
  return openRecording(path);
}

test('format 2: threads share memory and run in the order in which they ran', async () => {
  const recording = await orderedRecording([
    {
      pid: 0,
      tid: 0,
      steps: [
        { at: 1, does: (w) => w.syscall(56, [0x3d0f00], 5) },
        { at: 30, does: (w) => w.access(AT / PAGE, KIND_READ) },
        { at: 40, does: (w) => w.syscall(60, [], 0) },
      ],
    },
    {
      pid: 0,
      tid: 5,
      steps: [
        { at: 20, does: (w) => fill(w, AT, 4) },
        { at: 50, does: (w) => w.access(AT / PAGE + 1, KIND_WRITE) },
        { at: 60, does: (w) => w.syscall(231, [0], 0) },
      ],
    },
  ]);
  const replay = startReplay(recording, surveyRecording(recording), options);
  expect(replay.run(4)).toBe(true);
  // The second thread has mapped it, the first one goes on, and both are one process.
  expect(replay.living().length).toBe(1);
  const two = replay.machine.tasks.filter((task) => task.mm === replay.running.process.mm).length;
  expect(two).toBe(2);
  replay.run();
  expect([replay.events, replay.unseenPages, replay.processCount, replay.unstarted]).toEqual([6, 0, 1, 0]);
  expect([...replay.syscallsUnknown]).toEqual([]);
  expect([...verify(replay.machine)]).toEqual([]);
});

for (const { why, first, want } of [
  { why: 'processes that do not talk run side by side', first: 39, want: [0, 9, 0, 9, 0, 9] },
  { why: 'processes with a pipe run in the order in which they ran', first: 22, want: [0, 0, 0, 9, 9, 9] },
]) {
  test(`format 2: ${why}`, async () => {
    const work = (w: BodyWriter): void => {
      for (let i = 0; i < 3; i++) w.tick(65536);
    };
    const recording = await orderedRecording([
      {
        pid: 0,
        tid: 0,
        steps: [
          { at: 1, does: (w) => w.syscall(first, [AT], 0) },
          { at: 2, does: (w) => w.syscall(57, [], 9) },
          { at: 3, does: work },
        ],
      },
      { pid: 9, tid: 9, steps: [{ at: 1e6, does: work }] },
    ]);
    const replay = startReplay(recording, surveyRecording(recording), options);
    const order: number[] = [];
    replay.onTick = () => order.push(replay.position.pid);
    replay.run();
    expect(order).toEqual(want);
  });
}

test('format 2: execve starts the program that the header describes, in the child that makes it', async () => {
  const image = { command: '/bin/other', elf: header.elf, maps: header.maps };
  const recording = await orderedRecording(
    [
      {
        pid: 0,
        tid: 0,
        steps: [
          { at: 1, does: (w) => fill(w, AT, 10) },
          { at: 2, does: (w) => w.syscall(57, [], 9) },
          { at: 30, does: (w) => w.syscall(61, [], 9) },
          { at: 31, does: (w) => w.syscall(231, [0], 0) },
        ],
      },
      {
        pid: 9,
        tid: 9,
        steps: [
          { at: 10, does: (w) => w.access(AT / PAGE, KIND_WRITE) },
          {
            at: 15,
            does: (w) => {
              w.image(1);
              w.access(0x401, KIND_FETCH);
              w.access(AT / PAGE, KIND_READ);
            },
          },
        ],
      },
    ],
    [image],
  );
  const run = runRecording(recording, surveyRecording(recording), options);
  // The old program's memory is gone, so what was mapped there is no more.
  expect(run).toMatchObject({ status: 'exited', processes: 2, syscalls_unknown: {}, unseen_pages: 1 });
});

test('format 2: offsets in files are what the header says; a file that is removed leaves the cache', async () => {
  const file = { path: '/bin/real', device: '8:1', inode: 5, bytes: 0x3456 };
  const maps = header.maps.map((m, n) => (n < 3 ? { ...m, file: { ...file, offset: n * 0x1000 } } : m));
  const recorded = imageOf({ ...header, maps }, 0)!;
  expect(recorded.files).toEqual([{ path: '/bin/real', bytes: 0x3456 }]);
  expect(recorded.image.program.segments.map((s) => s.offset)).toEqual([0, 0x1000, 0x2100]);
  const recording = await orderedRecording([
    {
      pid: 0,
      tid: 0,
      steps: [
        {
          at: 1,
          does: (w) => {
            w.path('/tmp/made');
            w.file({ kind: FILE_ON_DISK, device: 0, inode: 1, bytes: 0 });
            w.syscall(257, [-100, 0, 0o302], 3);
            fill(w, AT, 1);
            for (let i = 0; i < 40; i++) w.syscall(1, [3, AT, PAGE], PAGE);
            w.syscall(3, [3], 0);
            w.path('/tmp/made');
            w.syscall(87, [0], 0);
            w.syscall(231, [0], 0);
          },
        },
      ],
    },
  ]);
  const replay = startReplay(recording, surveyRecording(recording), options);
  const before = replay.memcg.memory.usage;
  replay.run(Number.POSITIVE_INFINITY, true);
  expect([replay.syscallsDifferent, [...replay.syscallsUnknown]]).toEqual([0, []]);
  expect(replay.memcg.memory.usage - before).toBeLessThan(40);
});

test('format 2: files change their names, get second ones, are copied inside the kernel', async () => {
  const at = (does: (w: BodyWriter) => void) => [{ at: 1, does }];
  const open = (w: BodyWriter, path: string, flags: number, fd: number, bytes: number) => {
    w.path(path);
    w.file({ kind: FILE_ON_DISK, device: 0, inode: 1, bytes });
    w.syscall(257, [-100, 0, flags], fd);
  };
  const two = (w: BodyWriter, number: number, from: string, to: string) => {
    w.path(from);
    w.path(to);
    w.syscall(number, [], 0);
  };
  const recording = await orderedRecording([
    {
      pid: 0,
      tid: 0,
      steps: at((w) => {
        open(w, '/etc/old', 0, 3, 5000);
        open(w, '/etc/new.lock', 0o302, 4, 0);
        w.syscall(326, [3, 0, 4, 0, 9000], 5000);
        w.syscall(326, [3, 0, 4, 0, 9000], 0);
        two(w, 82, '/etc/new.lock', '/etc/old');
        two(w, 86, '/etc/old', '/etc/second');
        open(w, '/etc/second', 0, 5, 5000);
        fill(w, AT, 3);
        w.syscall(0, [5, AT, 9000], 5000);
        w.path('/etc/missing');
        w.syscall(257, [-100, 0, 0o102], -2);
        w.syscall(231, [0], 0);
      }),
    },
  ]);
  const replay = startReplay(recording, surveyRecording(recording), options);
  replay.run();
  expect([replay.differences, [...replay.syscallsUnknown]]).toEqual([[], []]);
  const { paths } = replay.system;
  expect(paths.get('/etc/new.lock')).toBeUndefined();
  expect(paths.get('/etc/missing')).toBeUndefined();
  expect(paths.get('/etc/second')).toBe(paths.get('/etc/old'));
  expect(paths.get('/etc/old')!.size).toBe(5000);
  expect([...verify(replay.machine)]).toEqual([]);
});
