/** A sweep as the page makes it, against the command; and what is told of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { runConfiguration } from '../lab/configuration_run.ts';
import { MACHINE_DEFAULTS } from '../lab/options.ts';
import type { TimedResult } from '../lab/result.ts';
import type { Replayer } from '../lab/sweep_on.ts';
import { type Opened, open } from './open.ts';
import { commandOf, namedLimits, rowsOf, type SizingAsked, type SizingProgress, sizeRecording } from './sizing.ts';

const root = join(import.meta.dirname, '../..');
const MIB = 2 ** 20;
const TRUTH = [
  'program\tmode\tlimit_kib\tstatus\tpgmajfault\tpswpin\tpswpout',
  'zipf\tz-n-3\t24576\t0\t9\t0\t0',
  'zipf\tz-n-3\t20480\t0\t20000\t20000\t20000',
].join('\n');

let opened: Extract<Opened, { kind: 'recording' }>;
beforeAll(async () => {
  const bytes = new Uint8Array(readFileSync(join(root, 'examples/zipf.rvm.gz')));
  opened = (await open({ name: 'zipf.rvm.gz', bytes })) as typeof opened;
});

/** Each run is made once in all these tests. */
const made = new Map<string, Promise<TimedResult>>();
const here: Replayer = {
  async run(run) {
    const key = JSON.stringify(run);
    const known = made.get(key) ?? runConfiguration(opened.recording, opened.survey, run);
    made.set(key, known);
    const { seconds: _, ...result } = await known;
    return { result, stored: false };
  },
};

const ASKED: SizingAsked = {
  machine: MACHINE_DEFAULTS,
  limits: { bytes: [64 * MIB, 24 * MIB] },
  limitsOnly: true,
  missRatio: false,
  kernels: [],
  truth: null,
};

test('a sweep with other kernels and measurements: each limit on each, and the rows say what was run', async () => {
  const told: SizingProgress[] = [];
  const asked = { ...ASKED, kernels: ['6.18', '2.4.19'], truth: { name: 'zipf.truth.tsv', text: TRUTH } };
  const { sweep, kernels, truthRefused } = await sizeRecording(here, opened, asked, (progress) => told.push(progress));
  expect(truthRefused).toBeNull();
  expect(sweep.runs.map(({ limit_bytes }) => limit_bytes)).toEqual([64 * MIB, 24 * MIB]);
  const [own, other] = kernels!.curves;
  expect([own?.configuration.kernel, other?.configuration.kernel]).toEqual(['6.18', '2.4.19']);
  expect(other?.runs.map(({ limit_bytes }) => limit_bytes)).toEqual([64 * MIB, 24 * MIB]);
  expect(own?.runs).toEqual(sweep.runs);
  expect(sweep.truth?.points.map(({ limit_bytes }) => limit_bytes)).toEqual([24 * MIB, 20 * MIB]);
  expect(sweep.truth?.judged).toBe(4);
  const rows = rowsOf(sweep);
  expect(rows.map(({ why }) => why)).toEqual(['no limit', 'asked for', 'asked for']);
  expect(rows[2]).toMatchObject({
    limitBytes: 24 * MIB,
    swappedOut: sweep.runs[1]!.counters['pswpout'],
    killed: false,
  });
  expect(rows[2]!.seconds).toBeGreaterThan(rows[1]!.seconds);
  expect([...new Set(told.map(({ what }) => what))]).toEqual(['limits', 'advice', 'kernels']);
  expect(told.findLast(({ what }) => what === 'limits')).toMatchObject({ done: 3, of: 3, share: 1 });
  const limits = namedLimits(sweep);
  expect(limits.map(({ name }) => name)).toContain('recommended');
  expect(limits.map(({ limitBytes }) => limitBytes)).toEqual(limits.map((one) => one.limitBytes).sort((a, b) => b - a));
});

for (const { why, machine, text, says } of [
  {
    why: 'a disk was not measured',
    machine: { swapDevice: 'disk' as const },
    text: TRUTH,
    says: /this sweep is v-n-3/,
  },
  { why: 'it is no table', machine: {}, text: 'hello', says: /no truth table/ },
]) {
  test(`measurements that do not belong are refused in words, and the sweep is made: ${why}`, async () => {
    const asked = { ...ASKED, machine: { ...ASKED.machine, ...machine }, truth: { name: 't.tsv', text } };
    const { sweep, truthRefused } = await sizeRecording(here, opened, { ...asked, limits: { bytes: [64 * MIB] } });
    expect(truthRefused).toMatch(says);
    expect(sweep.truth).toBeNull();
    expect(sweep.runs.length).toBe(1);
  });
}

test('the command says what is not as usual', () => {
  expect(commandOf('a.rvm', { ...ASKED, limits: { count: 8 }, limitsOnly: false })).toEqual(['sweep', 'a.rvm']);
  const machine = { ...MACHINE_DEFAULTS, kernel: '6.1', swapBytes: 0, swappiness: 10, mglru: true };
  const words = commandOf('a.rvm', { ...ASKED, machine, missRatio: true, truth: { name: 'b.tsv', text: '' } });
  expect(words.join(' ')).toBe(
    'sweep a.rvm --limits 67108864,25165824 --kernel 6.1 --swap none --swappiness 10 --mglru on --limits-only --miss-ratio --truth b.tsv',
  );
});
