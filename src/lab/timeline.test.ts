/** Jumps in a replay, against a replay from the beginning. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stateHash } from '../mm/snapshot.ts';
import { parseMmp } from '../syscalls/mmp.ts';
import { openRecording, type Recording } from '../trace/source.ts';
import { type Survey, surveyRecording } from '../trace/survey.ts';
import { MACHINE_DEFAULTS } from './options.ts';
import { ProgramPlayer } from './program_player.ts';
import { replayTimeline, startReplay } from './run.ts';
import { Timeline, type TimelineOptions, tracepointSearch } from './timeline.ts';

const recordings = join(import.meta.dirname, '../..');

async function opened(file: string): Promise<[Recording, Survey]> {
  const recording = await openRecording(join(recordings, file));
  return [recording, surveyRecording(recording)];
}

const MIB = 1024 * 1024;
/** Slow machines are slow, and nothing else. */
const PATIENCE_MS = 300_000;
for (const { why, file, kernel, limitBytes, options } of [
  { why: 'under pressure', file: 'examples/zipf.rvm.gz', kernel: '6.1', limitBytes: 12 * MIB, options: {} },
  { why: 'of a fork tree', file: 'oracle/programs/forkcow.rvm.gz', kernel: '6.18', limitBytes: 40 * MIB, options: {} },
  { why: 'in 2.4', file: 'examples/zipf.rvm.gz', kernel: '2.4.19', limitBytes: 24 * MIB, options: {} },
  {
    why: 'with room for few checkpoints',
    file: 'examples/zipf.rvm.gz',
    kernel: '6.18',
    limitBytes: 12 * MIB,
    options: { budgetBytes: 14 * MIB },
  },
]) {
  test(
    `any step, in any order, is the one that a replay from the beginning reaches: ${why}`,
    async () => {
      const [recording, survey] = await opened(file);
      const settings: TimelineOptions = { spacing: 50_000, ...options };
      const machine = { ...MACHINE_DEFAULTS, kernel, limitBytes, swapBytes: 64 * MIB };
      const start = () => startReplay(recording, survey, machine);
      const timeline = replayTimeline(recording, survey, machine, settings);
      timeline.seek(Number.POSITIVE_INFINITY);
      const end = timeline.length!;
      // The same jumps again and again, and a few steps that are found from the beginning without a stop.
      const steps = [0, 1, end >> 2, end >> 1, end - 1, end];
      const want = new Map(
        steps.map((step) => {
          const replay = start();
          replay.run(step);
          return [step, stateHash(replay.machine)];
        }),
      );
      let seed = 1;
      for (let jump = 0; jump < 5; jump++) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        const step = jump % 2 === 0 ? steps[seed % steps.length]! : seed % end;
        const replay = timeline.seek(step);
        expect(replay.events).toBe(step);
        const hash = stateHash(replay.machine);
        expect(hash, `step ${step}`).toBe(want.get(step) ?? hash);
        want.set(step, hash);
      }
      // A scratch run is at the same state, and neither it nor what it does then is the timeline's.
      const at = timeline.step;
      for (const [step, hash] of [...want].slice(2, 4)) {
        const scratch = timeline.scratchAt(step);
        expect(stateHash(scratch.machine), `a scratch run at step ${step}`).toBe(hash);
        scratch.run(step + 100);
      }
      expect(timeline.step).toBe(at);
      for (const [step, hash] of want) expect(stateHash(timeline.seek(step).machine), `step ${step}`).toBe(hash);
      const { bytes, checkpoints } = timeline.held;
      expect(checkpoints).toBeGreaterThan(2);
      if (settings.budgetBytes !== undefined) expect(bytes).toBeLessThanOrEqual(settings.budgetBytes);
      expect(timeline.player.machine.verify()).toEqual([]);
    },
    PATIENCE_MS,
  );
}

test('the next and the previous time that something happens', async () => {
  const [recording, survey] = await opened('oracle/programs/forkcow.rvm.gz');
  const settings = { ...MACHINE_DEFAULTS, kernel: '6.18', limitBytes: 40 * MIB, swapBytes: 64 * MIB };
  const start = () => startReplay(recording, survey, settings);
  for (const wanted of [
    (name: string) => name === 'mm_vmscan_memcg_reclaim_begin',
    (name: string, values: readonly number[]) => name === 'page_fault_user' && values[0]! % 0x100000 === 0,
    (name: string) => name === 'mm_vmscan_kswapd_wake',
  ]) {
    const all: number[] = [];
    const whole = start();
    whole.machine.trace.listen((_at, name, values) => {
      if (wanted(name, values)) all.push(whole.position.event + 1);
    });
    whole.run();
    const timeline = replayTimeline(recording, survey, settings, { spacing: 50_000 });
    timeline.seek(Number.POSITIVE_INFINITY);
    const end = timeline.length!;
    for (const step of [0, end >> 1, end, ...all.slice(0, 2)]) {
      timeline.seek(step);
      const next = all.find((at) => at > step && at <= end) ?? null;
      expect(timeline.seekNext(tracepointSearch(wanted))?.events ?? null, `behind step ${step}`).toBe(next);
      timeline.seek(step);
      const previous = all.findLast((at) => at < step) ?? null;
      expect(timeline.seekPrevious(tracepointSearch(wanted))?.events ?? null, `before step ${step}`).toBe(previous);
      if (previous === null) expect(timeline.step).toBe(step);
    }
  }
});

for (const kernel of ['6.18', '3.16', '2.6.24', '2.4.19']) {
  test(`a memory program, line by line and back: ${kernel}`, () => {
    for (const name of ['03-cow-tree', '04-file-mappings']) {
      const file = join(recordings, 'oracle', 'corpus', `${name}.mmp`);
      const program = parseMmp(readFileSync(file, 'utf8'), file);
      const forward = new ProgramPlayer(program, kernel);
      const hashes = [stateHash(forward.machine)];
      while (forward.run(forward.events + 1)) hashes.push(stateHash(forward.machine));
      expect(hashes.length).toBe(program.steps.length + 1);
      // A checkpoint before each line.
      const timeline = new Timeline(new ProgramPlayer(program, kernel), (value) => value === program, { spacing: 1 });
      for (let step = 0; step < hashes.length; step++) timeline.seek(step);
      for (let step = hashes.length - 1; step >= 0; step--) {
        const { machine, results } = timeline.seek(step);
        expect(stateHash(machine), `${name}, line ${step}`).toBe(hashes[step]);
        expect(results).toEqual(forward.results.slice(0, step));
      }
    }
  });
}

test('the end of the program is a place behind the last step, and a jump that nobody finishes leaves all as it was', async () => {
  const [recording, survey] = await opened('oracle/programs/forkcow.rvm.gz');
  const settings = { ...MACHINE_DEFAULTS, kernel: '6.18', limitBytes: 40 * MIB, swapBytes: 64 * MIB };
  const timeline = replayTimeline(recording, survey, settings, { spacing: 50_000 });
  const end = timeline.seek(Number.POSITIVE_INFINITY).events;
  expect(timeline.ended).toBe(true);
  expect(timeline.player.living()).toEqual([]);
  const last = timeline.seek(end);
  expect(timeline.ended).toBe(false);
  expect(last.living().length).toBeGreaterThan(0);
  const hash = stateHash(last.machine);
  const pieces = timeline.seeking(end >> 1);
  expect(pieces.next().done).toBe(false);
  expect(timeline.player).toBe(last);
  expect(stateHash(timeline.player.machine)).toBe(hash);
  const replay = startReplay(recording, survey, settings);
  replay.run(end);
  expect(hash).toBe(stateHash(replay.machine));
});
