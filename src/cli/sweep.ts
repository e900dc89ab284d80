/** `revmap sweep FILE`: many limits, on one machine or many; the curves, the advice, the report. */
import { type Command, Option } from 'commander';
import { uncertainty } from '../lab/doubts.ts';
import { configurationsOf, type GridResult, KERNEL_POLICY } from '../lab/grid.ts';
import type { MachineOptions } from '../lab/options.ts';
import { gridPlots, gridReportHtml } from '../lab/report/grid_report.ts';
import { plotsOf } from '../lab/report/plots.ts';
import { reportHtml } from '../lab/report/report.ts';
import type { SweepResult } from '../lab/result.ts';
import { rowsOf } from '../lab/store/columns.ts';
import { csvOf } from '../lab/store/csv.ts';
import { sweepGrid, sweepRecording } from '../lab/sweep.ts';
import { readText } from '../lab/text_file.ts';
import { type Truth, truthFor } from '../lab/truth.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { parseTruth } from '../trace/truth.ts';
import { addLimits, FILE_IS, type FileFlags, formatOption } from './arguments.ts';
import { addGrid, type GridFlags, gridOf } from './grid_arguments.ts';
import { print, printJson } from './output.ts';
import { provenance, writePlots, writeReport } from './report_file.ts';
import { describeGrid, describeSweep } from './sweep_text.ts';
import { addWork, sweepWithProgress, type WorkFlags } from './sweep_work.ts';

interface SweepFlags extends GridFlags, WorkFlags, FileFlags {
  truth?: string;
  missRatio?: boolean;
  limitsOnly?: boolean;
  report?: string | true;
  svg?: string;
  csv?: boolean;
  json?: boolean;
}

const HELP = `
Each option of the machine takes a list, and all combinations are tried: --kernel 6.1,6.18 --mglru on,off --swappiness 0,60,100

On one machine more is replayed than the limits asked for: a bisection looks for the smallest limit, the knee and where it thrashes, and
swap, swappiness and MGLRU are set otherwise at two limits (docs/advice.md). --limits-only leaves that out.

A result is stored once, in the folder of --out, under a hash of the recording, the configuration and this revmap: a sweep that was
ended goes on from there with the same command, and \`revmap query\` asks all of them.

--json: one configuration gives {recording, command, kernel, options, unlimited, runs, refined, advice, alternatives, uncertainty, …}, a
grid {recording, command, curves: [{configuration, unlimited, runs}], skipped}; runs go from the widest limit to the narrowest.`;

export function addSweep(program: Command): void {
  const command = program
    .command('sweep')
    .description('replay a recording under many limits, on one machine or many: curves, and how little memory it needs')
    .argument('<file>', FILE_IS)
    .addOption(formatOption());
  addWork(addLimits(addGrid(command)))
    .option('--limits-only', 'nothing but the limits asked for')
    .option('--truth <file>', 'what a real kernel did (a table of `revmap measure`), beside what is predicted')
    .option('--miss-ratio', 'what LRU and OPT caches make of the same accesses, beside the curve')
    .option('--report [file]', 'write a page with the curves, the tables and the advice')
    .option('--svg <folder>', 'write each plot as a file there')
    .addOption(new Option('--csv', 'a line for each run, as CSV').conflicts(['json', 'report']))
    .option('--json', 'the results as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: SweepFlags) => {
      const grid = gridOf(flags);
      const { configurations, skipped } = configurationsOf(grid);
      const one =
        configurations.length === 1 && configurations[0]!.policy === KERNEL_POLICY ? configurations[0]! : null;
      const single = flags.truth !== undefined ? 'truth' : flags.missRatio === true ? 'miss-ratio' : null;
      if (one === null && single !== null) {
        command.error(`error: --${single} is about one configuration, and this is a grid`);
      }
      const truth = flags.truth === undefined || one === null ? null : readTruth(one, flags.truth);
      for (const line of skipped) process.stderr.write(`revmap: skipped: ${line}\n`);
      const recording = await openRecording(file, flags.format ?? null);
      const survey = surveyRecording(recording);
      await sweepWithProgress(file, recording, flags, async (work) => {
        if (one === null || flags.csv === true) {
          printGrid(await sweepGrid(recording, survey, { grid, ...work }), flags);
          return;
        }
        const { missRatio = false, limitsOnly = false } = flags;
        printSweep(await sweepRecording(recording, survey, { ...one, ...work, truth, missRatio, limitsOnly }), flags);
      });
      closeRecording(recording);
    });
}

/** No table is longer. */
const MOST_TRUTH_BYTES = 64 * 2 ** 20;

function readTruth(options: MachineOptions, file: string): Truth {
  return truthFor(options, parseTruth(readText(file, MOST_TRUTH_BYTES), file), file);
}

function printGrid(result: GridResult, flags: SweepFlags): void {
  if (flags.csv === true) {
    process.stdout.write(csvOf(rowsOf(result.curves)));
    return;
  }
  const { recording } = result;
  const report =
    flags.report === undefined ? [] : [writeReport(recording, gridReportHtml(result, provenance()), flags.report)];
  const plots = flags.svg === undefined ? [] : writePlots(recording, gridPlots(result), flags.svg);
  if (flags.json === true) printJson({ ...result, ...writtenJson(report, plots) });
  else print([describeGrid(result), ...writtenText(report, plots)].join('\n'));
}

function printSweep(sweep: SweepResult, flags: SweepFlags): void {
  const { recording } = sweep;
  const report =
    flags.report === undefined ? [] : [writeReport(recording, reportHtml(sweep, provenance()), flags.report)];
  const plots = flags.svg === undefined ? [] : writePlots(recording, plotsOf(sweep), flags.svg);
  if (flags.json === true) printJson({ ...sweep, uncertainty: uncertainty(sweep), ...writtenJson(report, plots) });
  else print([describeSweep(sweep), ...writtenText(report, plots)].join('\n'));
}

function writtenJson(
  [report]: readonly string[],
  plots: readonly string[],
): { report?: string; plots?: readonly string[] } {
  return { ...(report === undefined ? {} : { report }), ...(plots.length === 0 ? {} : { plots }) };
}

function writtenText(reports: readonly string[], plots: readonly string[]): string[] {
  const lines = [...reports.map((path) => `report: ${path}`), ...plots.map((path) => `plot: ${path}`)];
  return lines.length === 0 ? [] : ['', ...lines];
}
