/**
 * How fast a recording is replayed, on one thread, and what a machine takes.
 *
 * events/s counts page events of `run` on the sqlite recording: building the machine, decoding and replaying are in it,
 * unpacking the file and surveying it are not (they are shown beside it). Each figure is the best of several runs and their
 * median: the best says what the code costs, the median what this computer was doing besides.
 */
import { fileURLToPath } from 'node:url';
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import { runRecording } from '../src/lab/run.ts';
import { Machine } from '../src/mm/machine.ts';
import { MemMap } from '../src/mm/memmap.ts';
import { EVENT_ACCESSES, EVENT_END } from '../src/trace/decode.ts';
import { closeRecording, decoderOf, openRecording, type Recording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';

const RUNS = 5;

/** Seconds of each run, the fastest first. */
function timed(run: () => void): number[] {
  const seconds: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const started = performance.now();
    run();
    seconds.push((performance.now() - started) / 1000);
  }
  return seconds.sort((a, b) => a - b);
}

function tell(what: string, value: string, remark = ''): void {
  console.log(`${what.padEnd(50)} ${value.padStart(11)}   ${remark}`.trimEnd());
}

function tellRate(what: string, events: number, seconds: readonly number[]): void {
  const rate = (s: number) => `${(events / s / 1e6).toFixed(1)} M/s`;
  tell(what, rate(seconds[0]!), `median ${rate(seconds[RUNS >> 1]!)}`);
}

function decodeAll(recording: Recording): number {
  const decoder = decoderOf(recording, 0);
  let accesses = 0;
  for (let event = decoder.next(); event !== EVENT_END; event = decoder.next()) {
    if (event === EVENT_ACCESSES) accesses += decoder.count;
  }
  return accesses;
}

const opening = performance.now();
const recording = await openRecording(fileURLToPath(new URL('../examples/sqlite.rvm.gz', import.meta.url)));
const surveying = performance.now();
const survey = surveyRecording(recording);
tell('open and unpack sqlite.rvm.gz', `${(surveying - opening).toFixed(0)} ms`);
tell('survey it', `${(performance.now() - surveying).toFixed(0)} ms`);
const events = decodeAll(recording);
tellRate(
  'decode alone',
  events,
  timed(() => decodeAll(recording)),
);
for (const { what, limitBytes } of [
  { what: 'run without pressure', limitBytes: null },
  { what: 'run with pressure (10080 KiB, 60 % of the peak)', limitBytes: 10080 * 1024 },
  { what: 'run with pressure (8400 KiB, 50 % of the peak)', limitBytes: 8400 * 1024 },
]) {
  const options = { ...MACHINE_DEFAULTS, kernel: '6.1', limitBytes };
  tellRate(
    what,
    events,
    timed(() => runRecording(recording, survey, options)),
  );
}
closeRecording(recording);

const bytes = 64 * 2 ** 30;
globalThis.gc?.();
const before = process.memoryUsage();
const building = performance.now();
const machine = new Machine({ kernel: '6.18', ramBytes: bytes });
const built = performance.now() - building;
globalThis.gc?.();
const after = process.memoryUsage();
const taken = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
tell(`build a machine of 64 GiB (${machine.frames.frames} frames)`, `${built.toFixed(0)} ms`);
tell('bytes per frame, in columns', String(MemMap.bytesPerFrame));
tell('bytes per frame, with all else of that machine', (taken / machine.frames.frames).toFixed(1));
