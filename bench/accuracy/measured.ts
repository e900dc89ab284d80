/** What `revmap record` recorded and `revmap measure` measured (oracle/measured), with the engine's answer to every row. */
import { readdirSync, readFileSync } from 'node:fs';
import { here } from '../../oracle/truth.ts';
import {
  judge,
  type MeasuredPoint,
  type ProgramKind,
  pointsOf,
  programKind,
  type Verdict,
} from '../../src/lab/accuracy.ts';
import { MACHINE_DEFAULTS } from '../../src/lab/options.ts';
import type { RunResult } from '../../src/lab/result.ts';
import { runRecording } from '../../src/lab/run.ts';
import { machineOf } from '../../src/measure/predict.ts';
import { closeRecording, openRecording, type Recording } from '../../src/trace/source.ts';
import { type Survey, surveyRecording } from '../../src/trace/survey.ts';
import { parseTruth, USUAL_SWAPPINESS } from '../../src/trace/truth.ts';

const FOLDER = 'oracle/measured';
const BOOTS = 3;

export interface Program {
  name: string;
  kind: ProgramKind;
  points: PredictedPoint[];
  /** The engine under any limit, in the machine of `point`. */
  run(point: MeasuredPoint, limitBytes: number): RunResult;
}

export interface PredictedPoint extends MeasuredPoint {
  result: RunResult;
  verdicts: Verdict[];
}

/** One after the other: a recording is in memory only while it is looked at. */
export async function* measuredPrograms(): AsyncGenerator<Program> {
  const tables = readdirSync(here(FOLDER)).filter((name) => name.endsWith('.truth.tsv'));
  for (const table of tables.sort()) {
    const name = table.slice(0, -'.truth.tsv'.length);
    const recording = await openRecording(here(`${FOLDER}/${name}.rvm.gz`));
    try {
      yield program(name, recording, surveyRecording(recording));
    } finally {
      closeRecording(recording);
    }
  }
}

function program(name: string, recording: Recording, survey: Survey): Program {
  const kind = programKind(recording.header.processes.length, survey);
  const run = (point: MeasuredPoint): RunResult =>
    runRecording(recording, survey, machineOf(point, MACHINE_DEFAULTS.swapBytes));
  const path = here(`${FOLDER}/${name}.truth.tsv`);
  const points = pointsOf(parseTruth(readFileSync(path, 'utf8'), path)).map((point) => {
    const result = run(point);
    return { ...point, result, verdicts: judge(kind, point.rows, result.counters) };
  });
  return { name, kind, points, run: (point, limitBytes) => run({ ...point, limitBytes }) };
}

/** Rows of the search for the smallest limit, and of the ranking, are not in the first figure. */
export function isFigure({ limitBytes, mode, rows }: PredictedPoint): boolean {
  const boots = new Set(rows.map(({ boot }) => boot)).size;
  return limitBytes !== null && boots >= BOOTS && mode.swappiness === USUAL_SWAPPINESS;
}
