/** `revmap curve FILE`: misses by cache size, without a replay for each size. */
import { type Command, InvalidArgumentError } from 'commander';
import { drawCurve } from '../lab/curve.ts';
import { type MissRatioPoint, type MissRatioResult, missRatios } from '../lab/miss_ratio.ts';
import { formatSize } from '../lab/options.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { FILE_IS, type FileFlags, formatOption, wholeNumber } from './arguments.ts';
import { columns, grouped, groupedOrNone, print, printJson, table } from './output.ts';
import { pc } from './terminal.ts';

interface CurveFlags extends FileFlags {
  sample?: number;
  seed: number;
  points: number;
  opt: boolean;
  json?: boolean;
  csv?: boolean;
}

export function addCurve(program: Command): void {
  program
    .command('curve')
    .description('misses of an LRU cache of every size, and the fewest possible, in one pass over a recording')
    .argument('<file>', FILE_IS)
    .addOption(formatOption())
    .option('--sample <rate>', 'from a sample of the pages (SHARDS), 0.01 for a hundredth; exact without it', rate)
    .option('--seed <n>', 'which sample', wholeNumber(0, 999_999_999), 0)
    .option('--points <n>', 'so many sizes, from the smallest to all pages', wholeNumber(2, 10_000), 24)
    .option('--no-opt', "without Belady's OPT")
    .option('--json', 'the curve as JSON')
    .option('--csv', 'the curve as CSV')
    .action(async (file: string, flags: CurveFlags) => {
      const recording = await openRecording(file, flags.format ?? null);
      const result = missRatios(recording, surveyRecording(recording), {
        ...(flags.sample === undefined ? {} : { sample: flags.sample }),
        seed: flags.seed,
        points: flags.points,
        opt: flags.opt,
      });
      closeRecording(recording);
      if (flags.json === true) printJson(result);
      else print(flags.csv === true ? csv(result.points) : described(result));
    });
}

function rate(text: string): number {
  const value = /^(0?\.\d{1,9}|1)$/.test(text) ? Number(text) : 0;
  if (value === 0) throw new InvalidArgumentError('A rate is above 0 and at most 1: 0.01.');
  return value;
}

function csv(points: readonly MissRatioPoint[]): string {
  const rows = points.map((p) =>
    [p.pages, p.bytes, p.lru_misses, p.lru_miss_ratio, p.opt_misses ?? '', p.opt_miss_ratio ?? ''].join(','),
  );
  return ['pages,bytes,lru_misses,lru_miss_ratio,opt_misses,opt_miss_ratio', ...rows].join('\n');
}

function described(result: MissRatioResult): string {
  const { recording, accesses, pages, pages_of: kinds, points, sample } = result;
  const how =
    sample === null
      ? 'exact'
      : `from ${grouped(sample.pages)} of them (rate ${Number(sample.rate.toPrecision(3))}, seed ${sample.seed}), the miss ratio ±${sample.error.toFixed(4)} on average`;
  const lines = [
    `${pc.bold(recording)}: ${grouped(accesses)} accesses to ${grouped(pages)} pages (${grouped(kinds.anon)} anonymous, ${grouped(kinds.file)} of files, ${grouped(kinds.shmem)} shared memory)`,
    `LRU ${how}`,
    '',
  ];
  if (points.length > 1) lines.push(drawn(points));
  lines.push(
    table(
      ['size', 'pages', 'LRU misses', 'miss ratio', 'OPT misses', 'miss ratio'],
      points.map((p) => [
        formatSize(p.bytes),
        grouped(p.pages),
        grouped(p.lru_misses),
        p.lru_miss_ratio.toFixed(5),
        groupedOrNone(p.opt_misses),
        p.opt_miss_ratio?.toFixed(5) ?? '–',
      ]),
    ),
    `${grouped(result.cold_misses)} are first accesses, which miss in a cache of any size.`,
  );
  return lines.join('\n');
}

function drawn(points: readonly MissRatioPoint[]): string {
  const colours = [pc.cyan, pc.yellow];
  return drawCurve(
    [
      { name: 'misses under LRU', mark: 'o' },
      { name: 'under OPT', mark: 'x' },
    ],
    points.map((p) => ({ x: p.bytes, y: [p.lru_misses, p.opt_misses] })),
    {
      width: Math.min(100, columns(80)),
      height: 14,
      xLabel: (bytes) => (bytes / 2 ** 20).toFixed(1),
      xUnit: 'MiB',
      paint: (text, series) => colours[series]!(text),
    },
  );
}
