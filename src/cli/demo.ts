/**
 * `revmap demo`: the main job on the bundled recording of a real program, beside what a real kernel did with it. What `npm start` does.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { MACHINE_DEFAULTS } from '../lab/options.ts';
import { findPage, mostSharedPage, whoOfRecording } from '../lab/page.ts';
import { reportHtml } from '../lab/report/report.ts';
import { startReplay } from '../lab/run.ts';
import { sweepRecording } from '../lab/sweep.ts';
import { truthFor } from '../lab/truth.ts';
import { InputError } from '../mm/bug.ts';
import { closeRecording, openRecording, type Recording } from '../trace/source.ts';
import { type Survey, surveyRecording } from '../trace/survey.ts';
import { parseTruth } from '../trace/truth.ts';
import { Progress, print } from './output.ts';
import { provenance, writeReport } from './report_file.ts';
import { describeSweep } from './sweep_text.ts';
import { pc } from './terminal.ts';
import { describeWho } from './who_recording.ts';

/** Beside the bundle in dist/. */
const EXAMPLE = '../examples/sqlite.rvm.gz';
/** In a clone; an installed package leaves it out. */
const TRUTH = '../oracle/truth/sqlite.truth.tsv';
/** The kernel on which it was measured. */
const OPTIONS = { ...MACHINE_DEFAULTS, kernel: '6.1' };

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'how little memory does sqlite need? the bundled recording under many limits, the advice, what a real kernel did, and who maps one of its pages',
    )
    .action(async () => {
      const file = beside(EXAMPLE);
      if (!existsSync(file)) throw new InputError(file, 0, 'the bundled recording is not there');
      const recording = await openRecording(file);
      const survey = surveyRecording(recording);
      const truth = beside(TRUTH);
      const progress = new Progress();
      const sweep = await sweepRecording(recording, survey, {
        ...OPTIONS,
        limits: { count: 8 },
        missRatio: true,
        truth: existsSync(truth)
          ? truthFor(OPTIONS, parseTruth(readFileSync(truth, 'utf8'), truth), TRUTH.slice(3))
          : null,
        onProgress: ({ done, of, share }) => progress.show(share, `${done} of ${of} replays`),
      });
      progress.done();
      print(describeSweep(sweep));
      showSharedPage(recording, survey);
      closeRecording(recording);
      print(`\nreport: ${writeReport(sweep.recording, reportHtml(sweep, provenance()), true)}`);
    });
}

function beside(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

function showSharedPage(recording: Recording, survey: Survey): void {
  const replay = startReplay(recording, survey, { ...OPTIONS, limitBytes: null });
  replay.run(Number.POSITIVE_INFINITY, true);
  const page = mostSharedPage(replay);
  if (page === null) return;
  const named = `${page.path}:0x${page.offset.toString(16)}`;
  const pfn = findPage(replay, { kind: 'file', ...page }, 0);
  print(`\n${pc.bold(`Who maps a page that it shares?`)}  revmap who examples/sqlite.rvm.gz --page ${named}`);
  if (typeof pfn === 'number') print(describeWho(replay, whoOfRecording(replay, pfn)));
}
