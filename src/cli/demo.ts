/** `revmap demo`: the main job on the bundled recording of a real program. What `npm start` does. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import pc from 'picocolors';
import { MACHINE_DEFAULTS } from '../lab/options.ts';
import { findPage, mostSharedPage } from '../lab/page.ts';
import { reportHtml } from '../lab/report/report.ts';
import { startReplay } from '../lab/run.ts';
import { sweepRecording } from '../lab/sweep.ts';
import { InputError } from '../mm/bug.ts';
import { whoMaps } from '../mm/who.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { Progress, print } from './output.ts';
import { provenance, writeReport } from './report_file.ts';
import { describeSweep } from './sweep_text.ts';
import { describeWho } from './who.ts';

/** Beside the bundle in dist/. */
const EXAMPLE = '../examples/sqlite.rvm.gz';

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'how little memory does sqlite need? the bundled recording under eight limits, and who maps one of its pages',
    )
    .action(async () => {
      const file = fileURLToPath(new URL(EXAMPLE, import.meta.url));
      if (!existsSync(file)) throw new InputError(file, 0, 'the bundled recording is not there');
      const recording = await openRecording(file);
      const survey = surveyRecording(recording);
      const progress = new Progress();
      const sweep = await sweepRecording(recording, survey, {
        ...MACHINE_DEFAULTS,
        limits: { count: 8 },
        onProgress: ({ done, of, share }) => progress.show(share, `${done} of ${of} replays`),
      });
      progress.done();
      print(describeSweep(sweep));

      const replay = startReplay(recording, survey, { ...MACHINE_DEFAULTS, limitBytes: null });
      replay.run(Number.POSITIVE_INFINITY, true);
      closeRecording(recording);
      const page = mostSharedPage(replay);
      if (page !== null) {
        const named = `${page.path}:0x${page.offset.toString(16)}`;
        const pfn = findPage(replay, { kind: 'file', ...page }, 0);
        print(`\n${pc.bold(`Who maps a page that it shares?`)}  revmap who examples/sqlite.rvm.gz --page ${named}`);
        if (typeof pfn === 'number') print(describeWho(replay, whoMaps(replay.machine, pfn)));
      }
      print(`\nreport: ${writeReport(sweep.recording, reportHtml(sweep, provenance()), true)}`);
    });
}
