import { expect, test } from 'vitest';
import { here, judge, PROGRAMS, truthOf } from '../oracle/truth.ts';
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import { runRecording } from '../src/lab/run.ts';
import { closeRecording, openRecording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';

/** Every measured limit of every program; `npm run bench -- accuracy` prints the figures. */
for (const [program, path] of Object.entries(PROGRAMS)) {
  test(`${program}: swap traffic and pages scanned are what Linux 6.1 counted`, async () => {
    const recording = await openRecording(here(path));
    const survey = surveyRecording(recording);
    const outside: unknown[] = [];
    for (const [i, measured] of truthOf(program).entries()) {
      const options = { ...MACHINE_DEFAULTS, kernel: '6.1', limitBytes: measured.limitBytes };
      const { counters, status } = runRecording(recording, survey, options);
      expect(status).toBe('exited');
      for (const verdict of judge(program, i === 0, measured, counters)) {
        if (!verdict.within) outside.push({ limitBytes: measured.limitBytes, ...verdict });
      }
    }
    closeRecording(recording);
    expect(outside).toEqual([]);
  });
}
