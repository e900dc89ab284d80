/**
 * What the curves cost, and how far off the sampled one is.
 *
 * CPU seconds of 20 M accesses to 1 M pages, zipf(1.0), in runs that take turns: the median, and the least and the most. Making the
 * stream is not in it. Errors are those of the miss ratio, absolute, on average over all sizes, with five hash seeds. Recordings
 * named behind `--` are taken, too: npm run bench -- curves --file=x.rvm.gz
 */
import { fileURLToPath } from 'node:url';
import { pageStream } from '../src/lab/page_stream.ts';
import { missesAt, missRatioCurve } from '../src/policy/miss_ratio_curve.ts';
import { NextUses } from '../src/policy/opt.ts';
import { sampleHits } from '../src/policy/shards.ts';
import type { PageStream } from '../src/policy/stream.ts';
import { closeRecording, openRecording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';
import { zipfPages } from '../test/zipf.ts';

const ROUNDS = 5;
const SEEDS = [1, 2, 3, 4, 5];
const RATE = 0.01;
const OPT_SIZES = 8;
const BATCH = 1 << 16;

function zipfStream(): PageStream {
  const { ids, pages } = zipfPages(1_000_000, 20_000_000, 1);
  const writes = new Uint8Array(BATCH);
  return {
    pages,
    accesses: ids.length,
    forEach: (batch) => {
      for (let at = 0; at < ids.length; at += BATCH) {
        const part = ids.subarray(at, at + BATCH);
        batch(part, writes, part.length);
      }
    },
  };
}

function cpuSeconds(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function tellTimes(runs: Record<string, () => void>): void {
  const seconds = new Map<string, number[]>(Object.keys(runs).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(runs)) seconds.get(name)!.push(cpuSeconds(run));
  }
  for (const [name, all] of seconds) {
    const sorted = all.sort((a, b) => a - b);
    const [least, median, most] = [sorted[0]!, sorted[ROUNDS >> 1]!, sorted[ROUNDS - 1]!].map((s) => s.toFixed(3));
    console.log(`${name.padEnd(44)} ${median} s   (${least}–${most})`);
  }
}

function tellErrors(name: string, stream: PageStream): void {
  const exact = missRatioCurve(stream);
  const step = Math.max(1, stream.pages >> 10);
  const errors: number[] = [];
  const said: number[] = [];
  let rate = RATE;
  for (const seed of SEEDS) {
    const sample = sampleHits(stream, RATE, seed);
    let sum = 0;
    let sizes = 0;
    for (let size = 0; size <= stream.pages; size += step) {
      sum += Math.abs(stream.accesses - sample.hits(size) - missesAt(exact, size)) / stream.accesses;
      sizes += 1;
    }
    errors.push(sum / sizes);
    said.push(sample.error);
    rate = sample.rate;
  }
  const mean = (values: number[]) => (values.reduce((a, b) => a + b, 0) / values.length).toFixed(5);
  console.log(
    `${name.padEnd(16)} ${String(stream.pages).padStart(8)} pages  rate ${rate.toFixed(3)}  error ${mean(errors)}  (${errors.map((e) => e.toFixed(5)).join(' ')})  it says ${mean(said)}`,
  );
}

const stream = zipfStream();
tellTimes({
  'exact curve, every size': () => missRatioCurve(stream),
  [`SHARDS at ${RATE}`]: () => sampleHits(stream, RATE, 1),
  [`OPT at ${OPT_SIZES} sizes`]: () => {
    const next = NextUses.of(stream);
    for (let i = 1; i <= OPT_SIZES; i++) next?.misses(Math.round((stream.pages * i) / OPT_SIZES));
  },
});
console.log(`SHARDS at ${RATE}: mean absolute error of the miss ratio, seeds ${SEEDS.join(' ')}`);
tellErrors('zipf(1.0)', stream);
const named = process.argv.filter((word) => word.startsWith('--file=')).map((word) => word.slice('--file='.length));
for (const file of ['sqlite', 'zipf'].map(bundled).concat(named)) {
  const recording = await openRecording(file);
  tellErrors(recording.header.name, pageStream(recording, surveyRecording(recording)));
  closeRecording(recording);
}

function bundled(name: string): string {
  return fileURLToPath(new URL(`../examples/${name}.rvm.gz`, import.meta.url));
}
