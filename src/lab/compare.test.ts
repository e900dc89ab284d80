/** Several kernels on one recording: lock step, limits, prices, pictures. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { GENERATIONS, generationNamed } from '../mm/generations/index.ts';
import { Machine } from '../mm/machine.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import { KIND_READ, KIND_WRITE } from '../trace/decode.ts';
import { BodyWriter, encodeRecording } from '../trace/encode.ts';
import { openRecording, type Recording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { compareKernels, partingsOf } from './compare.ts';
import { comparePage, endText, partingLines, pictureOf, rowText } from './compare_page.ts';
import { freePages, limitKind, ramForLimit, withheldPages } from './limit.ts';
import { MACHINE_DEFAULTS } from './options.ts';
import { COST_PARTS, costOf } from './prices.ts';
import type { RunResult } from './result.ts';
import { buildMachine, runRecording } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MIB = 2 ** 20;
const AT = 0x7f0000000000;
const { kernel: _, ...machine } = { ...MACHINE_DEFAULTS, ramBytes: 64 * MIB, swapBytes: 64 * MIB };

/** A program that writes `pages` pages of anonymous memory, twice, in ticks of 256 accesses; before that it reads a file. */
async function made(pages: number): Promise<Recording> {
  const w = new BodyWriter();
  w.path('/data');
  w.syscall(2, [0, 0, 0], 3);
  w.syscall(9, [0, 16 * PAGE_SIZE, 1, 2, 3, 0], AT - 64 * PAGE_SIZE);
  for (let i = 0; i < 16; i++) w.access(AT / PAGE_SIZE - 64 + i, KIND_READ);
  w.syscall(9, [0, pages * PAGE_SIZE, 3, 0x22, -1, 0], AT);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < pages; i++) {
      w.access(AT / PAGE_SIZE + i, KIND_WRITE);
      if (i % 256 === 255) w.tick(256);
    }
  }
  const header = {
    name: 'made',
    command: '/bin/made',
    recorder: 'a test',
    window: 0,
    elf: new Map([
      ['start_code', 0x401000],
      ['entry', 0x401000],
      ['start_stack', 0x7fffffffe000],
    ]),
    maps: [
      { start: 0x401000, end: 0x403000, read: true, write: false, execute: true },
      { start: 0x7ffffffde000, end: 0x7ffffffff000, read: true, write: true, execute: false },
    ],
    processes: [{ pid: 0, bytes: 0, stats: '' }],
    other: new Map<string, string>(),
  };
  const path = join(folder, `${Math.random()}.rvm`);
  writeFileSync(path, encodeRecording(header, [w.end()]));
  return openRecording(path);
}

const small = await made(4096);
const survey = surveyRecording(small);

test('each kernel runs under the limit, and says what it is made of', async () => {
  const kernels = GENERATIONS.map((g) => g.version);
  const limits = { bytes: [12 * MIB] };
  const result = await compareKernels(small, survey, { ...machine, kernels, limits, workers: 0 });
  expect(result.runs.map((run) => run.kernel)).toEqual(kernels);
  for (const run of result.runs) {
    expect(run.status, run.kernel).toBe('exited');
    expect(run.minor_faults + run.major_faults, run.kernel).toBeGreaterThan(4096);
    expect(run.swapped_out, run.kernel).toBeGreaterThan(1000);
    expect(run.work.pages_reclaimed, run.kernel).toBeGreaterThan(1000);
    expect(run.scanned_per_reclaimed, run.kernel).toBeGreaterThanOrEqual(1);
    const parts = COST_PARTS.reduce((sum, part) => sum + run.cost[part], 0);
    expect(run.cost.seconds, run.kernel).toBeCloseTo(parts, 9);
  }
  const { firsts } = result.partings[0]!;
  for (const kernel of kernels) {
    expect(firsts.swapped_out[kernel]?.event, kernel).toBeGreaterThan(1000);
    expect(firsts.swapped_in[kernel]?.event, kernel).toBeGreaterThanOrEqual(firsts.swapped_out[kernel]!.event);
  }
});

test('kernels that do the same do not part', async () => {
  const kernels = ['6.1', '6.1'];
  const result = await compareKernels(small, survey, {
    ...machine,
    kernels,
    limits: { bytes: [12 * MIB] },
    workers: 0,
  });
  const [partings] = result.partings;
  expect(partings).toMatchObject({ fault: null, major_fault: null, ticks: [] });
});

/** A run of which only the story counts. */
function told(kernel: string, faults: [own: number, vpn: number, major: number][], reclaimed: number[]): RunResult {
  const column = (of: (fault: [number, number, number]) => number) => faults.map(of);
  const zeros = reclaimed.map(() => 0);
  return {
    kernel,
    story: {
      firsts: Object.fromEntries(
        'kswapd reclaim file_evicted swapped_out swapped_in file_read_again oom_kill'
          .split(' ')
          .map((name) => [name, null]),
      ),
      faults: {
        event: column(([own]) => own),
        pid: zeros.concat(column(() => 0)).slice(0, faults.length),
        own: column(([own]) => own),
        vpn: column(([, vpn]) => vpn),
        major: column(([, , major]) => major),
        name: column(() => 0),
        page: column(([, vpn]) => vpn),
        names: ['[heap]'],
        cut: false,
      },
      samples: {
        event: reclaimed.map((_n, i) => 100 * i),
        minor: zeros,
        major: zeros,
        reclaimed,
        swapped_in: zeros,
        swapped_out: zeros,
        read_again: zeros,
      },
    },
  } as unknown as RunResult;
}

test('lock step: the first access that only one faults on, the first that only one calls major, the first tick that differs', () => {
  const a = told(
    'a',
    [
      [3, 7, 0],
      [5, 8, 0],
      [9, 9, 1],
    ],
    [0, 4, 4],
  );
  const b = told(
    'b',
    [
      [3, 7, 0],
      [9, 9, 0],
      [20, 8, 1],
    ],
    [0, 4, 6],
  );
  const partings = partingsOf(null, [a, b]);
  expect(partings.fault).toEqual({ event: 5, pid: 0, page: '[heap] 0x8000', kernels: { a: 'minor', b: 'none' } });
  expect(partings.major_fault).toEqual({
    event: 9,
    pid: 0,
    page: '[heap] 0x9000',
    kernels: { a: 'major', b: 'minor' },
  });
  expect(partings.ticks).toEqual([{ counter: 'reclaimed', tick: 2, event: 200, kernels: { a: 4, b: 6 } }]);
  expect(partingLines(partings, ['a', 'b'], 400)).toEqual([
    { title: 'first access on which only some fault', lines: ['at 5 (1 %): [heap] 0x8000: a minor, b none'] },
    { title: 'first fault that only some call major', lines: ['at 9 (2 %): [heap] 0x9000: a major, b minor'] },
    { title: 'first tick at which a count differs', lines: ['reclaimed    at 200 (50 %): a 4, b 6'] },
  ]);
});

test('lock step: what lies behind the end of a log that was cut is not compared', () => {
  const a = told('a', [[3, 7, 0]], [0]);
  const b = told(
    'b',
    [
      [3, 7, 0],
      [9, 9, 1],
    ],
    [0],
  );
  a.story!.faults.cut = true;
  expect(partingsOf(null, [a, b]).fault).toBeNull();
});

test('a run on a kernel without refault counters says null, and what the replay saw of files', () => {
  const run = runRecording(small, survey, { ...machine, kernel: '3.16', limitBytes: 12 * MIB });
  expect(run.counters['workingset_refault_anon']).toBeNull();
  expect(run.counters['pglazyfree']).toBeNull();
  expect(run.read_again).toEqual(expect.any(Number));
  expect(run.memory_events).toBeNull();
  expect(run.limited_by).toBe('memory.limit_in_bytes');
  const newer = runRecording(small, survey, { ...machine, kernel: '6.18', limitBytes: 12 * MIB });
  expect(newer.read_again).toBeNull();
  expect(newer.memory_events).not.toBeNull();
});

test('a machine for a limit: what is free and not withheld is the limit, to the page', () => {
  const kernel = GENERATIONS.find((g) => !g.cgroups)?.version ?? '6.1';
  for (const bytes of [8 * MIB, 24 * MIB, 100 * MIB + 4096 * 3]) {
    const config = { kernel, ramBytes: 384 * MIB };
    const ramBytes = ramForLimit(config, bytes, () => {});
    const built = new Machine({ ...config, ramBytes });
    const off = Math.abs(freePages(built) - withheldPages(built) - bytes / PAGE_SIZE);
    expect(off, `${bytes}`).toBeLessThanOrEqual(1);
  }
});

for (const { kernel, kind } of [
  { kernel: '6.18', kind: 'memory.max' },
  { kernel: '3.16', kind: 'memory.limit_in_bytes' },
]) {
  test(`a limit of ${kernel} is ${kind}`, () => expect(limitKind(generationNamed(kernel))).toBe(kind));
}

test('others are at work beside the program: a sixteenth of memory is active pages of their files', () => {
  const built = buildMachine({ ...machine, kernel: '3.16', limitBytes: 8 * MIB });
  expect(built.machine.config.othersActivePages).toBe((4 * MIB) / PAGE_SIZE);
});

test('watching changes nothing, and costs add up', () => {
  const options = { ...machine, kernel: '6.1', limitBytes: 12 * MIB };
  const plain = runRecording(small, survey, options);
  const watched = runRecording(small, survey, { ...options, story: true });
  expect(watched.counters).toEqual(plain.counters);
  expect(watched.estimate).toEqual(plain.estimate);
  const { accesses, faults, swap, reclaim, disk, seconds } = plain.estimate;
  expect(accesses + faults + swap + reclaim + disk).toBeCloseTo(seconds, 6);
  expect(costOf(plain).waits).toBe(plain.estimate.disk);
});

test('the page escapes, and its picture is over the recording or over the limits', async () => {
  const kernels = ['6.18', '6.1'];
  const one = await compareKernels(small, survey, { ...machine, kernels, limits: null, workers: 0 });
  expect(pictureOf(one)).toMatchObject({ title: 'faults so far, as the recording goes on', unit: 'M page events' });
  const two = await compareKernels(small, survey, { ...machine, kernels, limits: { count: 2 }, workers: 0 });
  expect(two.limits).toHaveLength(2);
  expect(pictureOf(two).unit).toBe('MiB');
  const page = comparePage({ ...two, command: '<script>alert(1)' });
  expect(page).toContain('&lt;script&gt;alert(1)');
  expect(page).not.toContain('<script>alert');
  expect(page).toContain('<polyline');
  expect([rowText(null, 0), rowText(1234.5, 0), rowText(1.26, 1)]).toEqual(['–', '1,234.5', '1.3']);
});

test('a run that was killed says where, and is no point of time over the limit', async () => {
  const noSwap = { ...machine, swapBytes: 0, kernels: ['6.18', '3.16'], workers: 0 };
  const result = await compareKernels(small, survey, { ...noSwap, limits: { bytes: [32 * MIB, 8 * MIB] } });
  expect(result.runs.map((run) => run.status)).toEqual(['exited', 'exited', 'oom-killed', 'oom-killed']);
  expect(pictureOf(result).lines.map(({ points }) => points.map(({ x }) => x))).toEqual([[32], [32]]);
  const [whole, , killed] = result.runs;
  expect([endText(whole!), endText(killed!)]).toEqual([
    'at its end',
    `killed at ${killed!.events.toLocaleString('en')}`,
  ]);
  expect(killed!.events).toBeLessThan(whole!.events / 2);
  expect(comparePage(result)).toContain(endText(killed!));
});
