/** The tables of oracle/truth, measured before there was `revmap measure`: every limit of every program (oracle/truth.ts has the rule). */
import { CLASSIC, here, judge, MGLRU, PROGRAMS, truthOf } from '../../oracle/truth.ts';
import { MACHINE_DEFAULTS } from '../../src/lab/options.ts';
import { runRecording } from '../../src/lab/run.ts';
import { closeRecording, openRecording } from '../../src/trace/source.ts';
import { surveyRecording } from '../../src/trace/survey.ts';

export async function earlierTables(): Promise<void> {
  let within = 0;
  let all = 0;
  const cases = Object.entries(PROGRAMS).flatMap(([program, path]) =>
    [CLASSIC, MGLRU].map((mode) => ({ program, path, mode })),
  );
  for (const { program, path, mode } of cases) {
    const recording = await openRecording(here(path));
    const survey = surveyRecording(recording);
    const lists = mode.mglru ? 'MGLRU' : 'classic';
    console.log(`${program} on 6.1, ${lists}: limit, counter, measured (runs), engine, off the range by, allowed`);
    for (const [i, measured] of truthOf(program, mode).entries()) {
      const options = { ...MACHINE_DEFAULTS, kernel: '6.1', mglru: mode.mglru, limitBytes: measured.limitBytes };
      const { counters, status } = runRecording(recording, survey, options);
      for (const verdict of judge(program, i === 0, measured, counters)) {
        const { name, low, high, runs, engine, off, allowed } = verdict;
        const good = verdict.within && status === 'exited';
        all += 1;
        if (good) within += 1;
        const end = off < 0 ? low : high;
        const cells = [
          `${measured.limitBytes / 1024} KiB`.padStart(10),
          name.padEnd(mode.mglru ? 24 : 8),
          `${low === high ? low : `${low}–${high}`} (${runs})`.padStart(20),
          String(engine).padStart(8),
          `${off}${off === 0 || end === 0 ? '' : ` (${((100 * off) / end).toFixed(1)} %)`}`.padStart(16),
          `±${allowed}`.padStart(7),
          good ? 'within' : 'OUTSIDE',
        ];
        console.log(cells.join('  '));
      }
    }
    closeRecording(recording);
  }
  console.log(`${within} of ${all} within`);
}
