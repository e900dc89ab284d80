/**
 * The engine against real kernels.
 *
 *   1  every program of oracle/measured at 75, 60, 45 and 30 % of its peak, classic LRU and MGLRU: is it within the rule (lab/accuracy.ts)?
 *   2  the smallest limit, by bisection on the kernel and on the engine
 *   3  swappiness 0, 60, 100 and both LRUs: does the engine rank them as the kernel does (lab/ranking.ts)?
 *   4  the tables that were measured earlier, with other tools (oracle/truth)
 *
 * How to measure anew: oracle/measure.sh.
 */
import { type RankedPair, rankedPairs } from '../src/lab/ranking.ts';
import { hasFewFaults } from '../src/lab/terms.ts';
import { isFine, smallestLimit } from '../src/measure/measure.ts';
import { formatMode } from '../src/trace/truth.ts';
import { earlierTables } from './accuracy/earlier.ts';
import { isFigure, measuredPrograms, type PredictedPoint, type Program } from './accuracy/measured.ts';

/** Of the smallest limit; the search ends at a hundredth. */
const LIMIT_SHARE = 0.1;
/** Of the search; fewer were not a search. */
const LEAST_STEPS = 5;

const counts = { within: 0, all: 0 };
const limits: string[] = [];
let limitsWithin = 0;
const pairs: { program: string; pair: RankedPair }[] = [];

console.log('1  measured over the boots → predicted; ! outside of the rule');
for await (const program of measuredPrograms()) {
  console.log(`${program.name} (${program.kind === 'anonymous' ? 'one process, anonymous memory' : 'any program'})`);
  for (const point of program.points.filter(isFigure)) printPoint(point);
  for (const unlimited of program.points.filter(({ limitBytes }) => limitBytes === null))
    await compareSmallest(program, unlimited);
  const ranked = program.points.map((point) => ({ ...point, predicted: point.result.counters['pgmajfault'] ?? 0 }));
  for (const pair of rankedPairs(ranked)) pairs.push({ program: program.name, pair });
}
console.log(`${counts.within} of ${counts.all} within\n`);

console.log('2  the smallest limit: kernel, engine');
for (const line of limits) console.log(line);
console.log(`${limitsWithin} of ${limits.length} within ${100 * LIMIT_SHARE} %\n`);

console.log('3  pairs of settings that the kernel tells apart: major faults, kernel and engine');
for (const { program, pair } of pairs.filter(({ pair }) => !pair.agrees)) {
  const { better, worse, measured, predicted, limitBytes } = pair;
  console.log(
    `  ${program} in ${limitBytes / 1024} KiB: ${formatMode(better, true)} ${measured[0]}, ${formatMode(worse, true)} ${measured[1]}; engine ${predicted[0]}, ${predicted[1]}`,
  );
}
const agree = pairs.filter(({ pair }) => pair.agrees).length;
console.log(`${agree} of ${pairs.length} ranked alike (${((100 * agree) / Math.max(1, pairs.length)).toFixed(1)} %)\n`);

console.log('4  tables measured earlier');
await earlierTables();

function printPoint({ mode, limitBytes, verdicts, result }: PredictedPoint): void {
  const cells = verdicts.map(({ name, low, high, predicted, off, within }) => {
    counts.all += 1;
    const good = within && result.status === 'exited';
    if (good) counts.within += 1;
    return `${name} ${low === high ? low : `${low}–${high}`} → ${predicted}${good ? '' : ` ! ${off}`}`;
  });
  console.log(`  ${formatMode(mode, true)} ${String((limitBytes ?? 0) / 1024).padStart(6)} KiB  ${cells.join('  ')}`);
}

/** The same search on both; the table has the kernel's answer to each of its steps, if it was made. */
async function compareSmallest(program: Program, unlimited: PredictedPoint): Promise<void> {
  const { mode, rows } = unlimited;
  const unlimitedRow = rows[0]!;
  const peakBytes = (unlimitedRow.counts['peak_kib'] ?? 0) * 1024;
  const answers = new Map(
    program.points
      .filter((point) => point.limitBytes !== null && formatMode(point.mode, true) === formatMode(mode, true))
      .map((point) => [point.limitBytes, point.rows.every((row) => isFine(row, unlimitedRow))]),
  );
  let asked = 0;
  const kernel = await smallestLimit(peakBytes, async (limitBytes) => {
    asked += answers.has(limitBytes) ? 1 : 0;
    return answers.get(limitBytes) ?? false;
  });
  if (asked < LEAST_STEPS) return;
  const engine = await smallestLimit(peakBytes, async (limitBytes) =>
    hasFewFaults(program.run(unlimited, limitBytes), unlimited.result),
  );
  const off = engine / kernel - 1;
  const within = Math.abs(off) <= LIMIT_SHARE;
  if (within) limitsWithin += 1;
  limits.push(
    `  ${program.name.padEnd(9)} ${formatMode(mode, true)}  ${kernel / 1024} KiB, ${engine / 1024} KiB  ${(100 * off).toFixed(1)} %${within ? '' : ' !'}`,
  );
}
