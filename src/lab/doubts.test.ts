/** What is said of how far to trust an answer, on made-up sweeps. */
import { expect, test } from 'vitest';
import { adviseOn } from './advice.ts';
import { replayDoubts, uncertainty } from './doubts.ts';
import { madeUpRun } from './made_up.ts';
import { MACHINE_DEFAULTS } from './options.ts';
import type { RunResult } from './result.ts';

const MiB = 2 ** 20;
const unlimited = madeUpRun(null, { pgmajfault: 5 });

function at(limit: number, faults: number, seconds = 1): RunResult {
  const run = madeUpRun(limit * MiB, { pgmajfault: faults });
  return { ...run, estimate: { ...run.estimate, seconds } };
}

const killed = madeUpRun(30 * MiB, {}, 'oom-killed');

for (const { why, runs, said, unsaid } of [
  {
    why: 'a slope',
    runs: [at(90, 5), at(85, 500), at(82, 900), at(50, 9000)],
    said: ['The curve is steep there: 8.0 MiB less make 895 more major faults'],
    unsaid: ['OOM'],
  },
  { why: 'a gentle slope', runs: [at(90, 5), at(85, 80)], said: [], unsaid: ['steep'] },
  { why: 'what lies far below says nothing of a slope', runs: [at(90, 5), at(50, 9000)], said: [], unsaid: ['steep'] },
  { why: 'nothing killed', runs: [at(90, 5), at(50, 9)], said: ['Nothing was killed down to 50.0 MiB'], unsaid: [] },
  { why: 'killed', runs: [at(90, 5), killed], said: ['Between 90.0 MiB and 30.0 MiB the OOM killer'], unsaid: [] },
  { why: 'killed at once', runs: [killed], said: ['killed in 30.0 MiB already'], unsaid: [] },
  {
    why: 'prices',
    runs: [at(90, 5), at(80, 5, 1.5), at(70, 5, 2), at(60, 5, 3)],
    said: ['with prices half as high it would thrash at 60.0 MiB, with prices twice as high at 80.0 MiB'],
    unsaid: [],
  },
  {
    why: 'no price thrashes',
    runs: [at(90, 5, 1.1)],
    said: ['it would not thrash in any of the limits either'],
    unsaid: [],
  },
  { why: 'another kernel than the measured', runs: [], said: ['Measured on Linux 6.1'], unsaid: ['6.1 is held'] },
]) {
  test(`uncertainty: ${why}`, () => {
    const lines = uncertainty({
      recording: 'r',
      command: 'c',
      kernel: '6.1',
      options: MACHINE_DEFAULTS,
      unlimited,
      runs,
      refined: [],
      advice: adviseOn(unlimited, runs),
      alternatives: null,
      recorded: null,
      miss_ratio: null,
      truth: null,
    });
    const all = lines.join('\n');
    for (const text of said) expect(all).toContain(text);
    for (const text of unsaid) expect(all).not.toContain(text);
    expect(all).toContain('One recording of one run');
  });
}

test('doubts of a replay: one line for each', () => {
  const run: RunResult = {
    ...unlimited,
    syscalls_different: 2,
    syscalls: 1000,
    differences: [{ pid: 0, call: 'brk(0)', recorded: '1', here: '2' }],
    syscalls_unknown: { bpf: 3 },
    unseen_pages: 1,
    refused_accesses: 2,
    processes_unstarted: 1,
  };
  expect(replayDoubts(run)).toEqual([
    '2 of 1,000 system calls gave another result than recorded: brk(0): recorded 1, here 2',
    'not replayed: bpf (3)',
    '1 page that nothing had mapped: anonymous memory was put there',
    '2 accesses met a signal and were left out',
    '1 process in the recording that nobody forks',
  ]);
  expect(replayDoubts(unlimited)).toEqual([]);
});
