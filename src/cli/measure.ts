/** `revmap measure -- CMD`: the program under real limits, on Debian's kernel in a virtual machine or on this computer's. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type MeasuredPoint, pointsOf, rangeOf } from '../lab/accuracy.ts';
import { formatSize, MACHINE_DEFAULTS } from '../lab/options.ts';
import type { Step } from '../measure/measure.ts';
import { type MeasureLimits, parseMeasureLimits, USUAL_SHARES } from '../measure/plan.ts';
import { type PredictedPoint, predict } from '../measure/predict.ts';
import { measureCommand } from '../measure/session.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { formatMode, formatTruthHead, formatTruthRow } from '../trace/truth.ts';
import { size, sizeOrNone, wholeNumber } from './arguments.ts';
import { grouped, Progress, print, printJson, table } from './output.ts';
import { pc } from './terminal.ts';

interface MeasureFlags {
  limits: MeasureLimits;
  kernel: 'qemu' | 'host';
  mglru?: 'on' | 'off' | 'both';
  swappiness?: number[];
  pageCluster?: number[];
  swapDevice?: 'zram' | 'disk';
  swap: number;
  ram: number;
  repeat: number;
  smallest?: boolean;
  with?: string[];
  name?: string;
  timeout: number;
  output?: string;
  recording?: string;
  json?: boolean;
}

const LIMITS_HELP =
  'limits: 75%,60% of what it takes without one, 8 for eight from there down, 64M,48M for these, 64M..16M:4M for steps';
const MGLRU = { on: [true], off: [false], both: [false, true] } as const;

export function addMeasure(program: Command): void {
  program
    .command('measure')
    .description('run a command under real memory limits and count; beside it, what the engine says of its recording')
    .argument('<command...>', 'the command, behind --')
    .addOption(
      new Option('--limits <list>', LIMITS_HELP)
        .argParser(limits)
        .default({ shares: USUAL_SHARES } satisfies MeasureLimits, '75%,60%,45%,30%'),
    )
    .addOption(
      new Option('--kernel <which>', "qemu: Debian's 6.1 in a quiet virtual machine; host: this computer's, as root")
        .choices(['qemu', 'host'])
        .default('qemu'),
    )
    .addOption(new Option('--mglru <state>', 'the multi-generational LRU').choices(['on', 'off', 'both']))
    .option('--swappiness <list>', 'vm.swappiness, or several: 0,60,100', numbers(0, 200))
    .option('--page-cluster <list>', 'vm.page-cluster, or several', numbers(0, 10))
    .addOption(new Option('--swap-device <kind>', 'where swap is made').choices(['zram', 'disk']))
    .addOption(
      new Option('--swap <size>', 'how much of it').argParser(sizeOrNone).default(MACHINE_DEFAULTS.swapBytes, '512M'),
    )
    .addOption(
      new Option('--ram <size>', 'memory of the virtual machine')
        .argParser(size)
        .default(MACHINE_DEFAULTS.ramBytes, '384M'),
    )
    .option('--repeat <boots>', 'so many times, each after a boot', wholeNumber(1, 100), 3)
    .option('--smallest', 'look for the smallest limit with 5 % more major faults, or 32 more, too')
    .option('--with <file...>', 'files and folders that the command needs beside those that it was seen to open')
    .option('--name <name>', 'of the program in the table; its file name without it')
    .option('--timeout <seconds>', 'a run may not take longer', wholeNumber(1, 86400), 900)
    .option('-o, --output <file>', 'write the table of the runs (NAME.truth.tsv)')
    .option('--recording <file>', 'a recording of the same command: what the engine says stands beside the measured')
    .option('--json', 'the runs as JSON')
    .action(run);
}

async function run(command: string[], flags: MeasureFlags): Promise<void> {
  const recording = flags.recording === undefined ? null : await openRecording(flags.recording);
  if (flags.output !== undefined) writeFileSync(flags.output, formatTruthHead());
  const progress = new Progress();
  const say = (text: string): void => {
    progress.done();
    process.stderr.write(`revmap: ${text}\n`);
  };
  const rows = await measureCommand(
    {
      kernel: flags.kernel,
      limits: flags.limits,
      mglru: flags.mglru === undefined ? null : MGLRU[flags.mglru],
      swappiness: flags.swappiness ?? null,
      pageCluster: flags.pageCluster ?? null,
      swapDevice: flags.swapDevice ?? null,
      swapBytes: flags.swap,
      ramBytes: flags.ram,
      repeat: flags.repeat,
      smallest: flags.smallest === true,
      timeoutSeconds: flags.timeout,
      command,
      name: flags.name ?? basename(command[0]!),
      extra: flags.with ?? [],
    },
    {
      say,
      row: (row, { stderr }) => {
        if (flags.output !== undefined) appendFileSync(flags.output, formatTruthRow(row));
        if (row.status !== 0) say(`status ${row.status}${stderr.length === 0 ? '' : `: ${stderr.at(-1)}`}`);
      },
      step: (step) => progress.show(step.done / step.of, describeStep(step)),
    },
  );
  progress.done();
  const points = recording === null ? pointsOf(rows).map(unpredicted) : await predict(recording, rows, flags.swap);
  if (recording !== null) closeRecording(recording);
  if (flags.json === true) printJson({ command, rows, points });
  else print(describePoints(points));
}

const unpredicted = (point: MeasuredPoint): PredictedPoint => ({ ...point, result: null, verdicts: [] });

function describeStep({ boot, mode, limitBytes }: Step): string {
  return `boot ${boot}, ${formatMode(mode, true)}, ${limitBytes === null ? 'no limit' : formatSize(limitBytes)}`;
}

const SHOWN = ['pswpin', 'pswpout', 'pgscan', 'workingset_activate_anon', 'pgmajfault'];

/** A line for each point; where there is a prediction it stands behind the measured range. */
function describePoints(points: readonly PredictedPoint[]): string {
  const rows = points.map((point) => [
    formatMode(point.mode, true),
    point.limitBytes === null ? 'none' : formatSize(point.limitBytes),
    String(point.rows.length),
    endOf(point),
    ...SHOWN.map((name) => describeCounter(point, name)),
  ]);
  const predicted = points.some(({ result }) => result !== null);
  const said = predicted ? 'measured range → predicted; red: farther from it than docs/measure.md allows' : '';
  return `${table(['mode', 'limit', 'runs', 'ended', ...SHOWN], rows)}${said}`;
}

function endOf({ rows }: PredictedPoint): string {
  const ends = new Set(
    rows.map(({ status }) => (status === -9 ? 'killed' : status === -14 ? 'too slow' : `${status}`)),
  );
  return [...ends].join(', ');
}

function describeCounter(point: PredictedPoint, name: string): string {
  const range = rangeOf(point.rows, name);
  if (range === null) return '–';
  const measured = range.low === range.high ? grouped(range.low) : `${grouped(range.low)}–${grouped(range.high)}`;
  const verdict = point.verdicts.find((each) => each.name === name);
  const predicted = verdict?.predicted ?? point.result?.counters[name] ?? null;
  if (predicted === null) return measured;
  return `${measured} → ${verdict?.within === false ? pc.red(grouped(predicted)) : grouped(predicted)}`;
}

function limits(text: string): MeasureLimits {
  const found = parseMeasureLimits(text);
  if (typeof found === 'string') throw new InvalidArgumentError(found);
  return found;
}

/** `0,60,100`. */
function numbers(low: number, high: number): (text: string) => number[] {
  const one = wholeNumber(low, high);
  return (text) => [...new Set(text.split(',').map((each) => one(each.trim())))];
}
