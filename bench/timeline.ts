/**
 * Jumps in recordings of ten million page events: how long each takes, and whether it arrives.
 *
 * Forward once, then 10,000 jumps to random steps. Of every hundredth the state hash is compared with that of a replay from the
 * beginning that stops at each of these steps in turn.
 */
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import { replayTimeline, startReplay } from '../src/lab/run.ts';
import { stateHash } from '../src/mm/snapshot.ts';
import { openBytes } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';
import { mixture, repeatedSqlite } from './recordings/made_up.ts';

const EVENTS = 10e6;
const JUMPS = 10_000;
const COMPARED = 100;
const MIB = 1024 * 1024;

for (const { name, make, kernel, limitBytes } of [
  { name: 'sqlite', make: repeatedSqlite, kernel: '6.18', limitBytes: 12 * MIB },
  { name: 'mixture', make: mixture, kernel: '6.18', limitBytes: 24 * MIB },
  { name: 'mixture', make: mixture, kernel: '2.4.19', limitBytes: 24 * MIB },
]) {
  const recording = await openBytes(await make(EVENTS), name);
  const survey = surveyRecording(recording);
  const options = { ...MACHINE_DEFAULTS, kernel, limitBytes, swapBytes: 256 * MIB };
  const began = performance.now();
  const timeline = replayTimeline(recording, survey, options);
  timeline.seek(Number.POSITIVE_INFINITY);
  const forward = performance.now() - began;
  const length = timeline.length ?? 0;

  let seed = 7;
  const times: number[] = [];
  const hashes = new Map<number, string>();
  for (let jump = 0; jump < JUMPS; jump++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const step = Math.floor((seed / 2 ** 32) * length);
    const from = performance.now();
    const { machine } = timeline.seek(step);
    times.push(performance.now() - from);
    if (jump % (JUMPS / COMPARED) === 0) hashes.set(step, stateHash(machine));
  }
  const replay = startReplay(recording, survey, options);
  let equal = 0;
  for (const step of [...hashes.keys()].sort((a, b) => a - b)) {
    replay.run(step);
    if (stateHash(replay.machine) === hashes.get(step)) equal += 1;
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]!.toFixed(0);
  const { bytes, checkpoints } = timeline.held;
  console.log(
    `${name.padEnd(8)}${kernel.padEnd(8)}${(length / 1e6).toFixed(1)} M events, forward in ${(forward / 1000).toFixed(1)} s; ` +
      `${JUMPS} jumps: median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms; ` +
      `${checkpoints} checkpoints in ${(bytes / MIB).toFixed(0)} MiB; ${equal} of ${hashes.size} states equal`,
  );
  if (equal < hashes.size) process.exitCode = 1;
}
