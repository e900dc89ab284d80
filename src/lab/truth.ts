/**
 * What a real kernel did beside what was predicted: a truth table (`revmap measure`, trace/truth.ts) laid over a sweep.
 *
 * Owns      which rows of a table belong to a sweep: those of its swap device, its LRU, its page-cluster and swappiness.
 * Promises  1. Each measured limit was replayed itself; nothing is read off between two limits.
 *           2. A table none of whose rows belong is refused, with the modes that it has.
 */
import { RecordingError } from '../trace/error.ts';
import type { Survey } from '../trace/survey.ts';
import { formatMode, type TruthMode, type TruthRow } from '../trace/truth.ts';
import { judge, type MeasuredPoint, pointsOf, programKind, rangeOf } from './accuracy.ts';
import { formatSize, type MachineOptions } from './options.ts';
import type { Advice, RunResult, TruthBeside, TruthCounter, TruthPoint } from './result.ts';
import { majorFaultsAllowed } from './terms.ts';

/** Ours for the file's rows. */
const MAJOR = 'pgmajfault';

export interface Truth {
  file: string;
  mode: TruthMode;
  /** By limit, the widest first; without one before all. */
  points: MeasuredPoint[];
}

export function truthFor(options: MachineOptions, rows: readonly TruthRow[], file: string): Truth {
  const { swapBytes, swapDevice, mglru, pageCluster, swappiness } = options;
  const wanted: TruthMode = { device: swapDevice, mglru, pageCluster, swappiness };
  const name = formatMode(wanted, true);
  const points = pointsOf(rows.filter(({ mode }) => formatMode(mode, true) === name));
  if (points.length === 0 || swapBytes === 0) {
    const modes = [...new Set(rows.map(({ mode }) => formatMode(mode, true)))].slice(0, 20).join(', ');
    const sweep = swapBytes === 0 ? 'this sweep has no swap' : `this sweep is ${name}`;
    throw new RecordingError(file, 'mode', `${sweep}, and the table has ${modes === '' ? 'no rows' : `only ${modes}`}`);
  }
  return { file, mode: wanted, points };
}

/** `results`: one for each point, in their order. */
export function besideTruth(
  { file, mode, points }: Truth,
  results: readonly RunResult[],
  processes: number,
  survey: Survey,
  advice: Advice,
): TruthBeside {
  const kind = programKind(processes, survey);
  const kernels = new Set(points.flatMap(({ rows }) => rows.map(({ kernel }) => kernel || '6.1')));
  const laid = points.map((point, i) => pointBeside(point, results[i]!, judge(kind, point.rows, results[i]!.counters)));
  const judged = laid.flatMap(({ counters }) => counters).filter(({ allowed }) => allowed !== null);
  return {
    file,
    mode: formatMode(mode, true),
    measured_on: [...kernels],
    points: laid,
    judged: judged.length,
    within: judged.filter(({ within }) => within).length,
    smallest_limit: measuredSmallest(points, advice),
  };
}

function pointBeside(
  { limitBytes, rows }: MeasuredPoint,
  result: RunResult,
  verdicts: ReturnType<typeof judge>,
): TruthPoint {
  const counters = verdicts.map(({ name, low, high, predicted, off, allowed, within }): TruthCounter => {
    return { name, low, high, predicted, off, allowed, within };
  });
  const faults = rangeOf(rows, MAJOR);
  const predicted = result.counters[MAJOR] ?? null;
  if (faults !== null && predicted !== null) {
    const off = predicted < faults.low ? predicted - faults.low : Math.max(0, predicted - faults.high);
    counters.push({
      name: MAJOR,
      low: faults.low,
      high: faults.high,
      predicted,
      off,
      allowed: null,
      within: off === 0,
    });
  }
  return {
    limit_bytes: limitBytes,
    runs: rows.length,
    exited_runs: rows.filter(({ status }) => status === 0).length,
    predicted_status: result.status,
    counters,
  };
}

/** Between which measured limits the smallest one lies, by the rule of terms.ts; in the worst of the runs. */
function measuredSmallest(points: readonly MeasuredPoint[], advice: Advice): TruthBeside['smallest_limit'] {
  const unlimited = points.find(({ limitBytes }) => limitBytes === null);
  const without = unlimited === undefined ? null : rangeOf(unlimited.rows, MAJOR);
  if (without === null) return null;
  const allowed = majorFaultsAllowed(without.high);
  let holds: number | null = null;
  let fails: number | null = null;
  for (const { limitBytes, rows } of points) {
    if (limitBytes === null) continue;
    const faults = rangeOf(rows, MAJOR);
    const good = faults !== null && faults.high <= allowed && rows.every(({ status }) => status === 0);
    if (!good) {
      fails = limitBytes;
      break;
    }
    holds = limitBytes;
  }
  const predicted = advice.smallest_limit?.limit_bytes ?? null;
  return { holds_bytes: holds, fails_bytes: fails, predicted_bytes: predicted };
}

/** Whether the predicted smallest limit lies where the measured one does. */
export function smallestText(smallest: TruthBeside['smallest_limit']): string {
  if (smallest === null) return '';
  const { holds_bytes, fails_bytes, predicted_bytes } = smallest;
  const predicted = predicted_bytes === null ? 'none was predicted' : `predicted was ${formatSize(predicted_bytes)}`;
  if (holds_bytes === null && fails_bytes === null) return '';
  const from = fails_bytes === null ? '' : `more than ${formatSize(fails_bytes)}`;
  const to = holds_bytes === null ? '' : `at most ${formatSize(holds_bytes)}`;
  return `Measured, the smallest limit is ${[from, to].filter((text) => text !== '').join(' and ')}; ${predicted}.`;
}
