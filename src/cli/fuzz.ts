/** `revmap fuzz`: random memory programs, on the engine alone or beside the kernel that runs here. */
import type { Command } from 'commander';
import { runLive, whatIsMissing } from '../lab/check/live.ts';
import { engineJudge, type Found, type FuzzSummary, fuzz, liveJudge } from '../lab/fuzz/fuzz.ts';
import { InputError } from '../mm/bug.ts';
import { GENERATIONS } from '../mm/generations/index.ts';
import { doRemapFilePages } from '../mm/mmap.ts';
import { kernelOf, wholeNumber } from './arguments.ts';
import { grouped, Progress, plural, print, printJson } from './output.ts';

interface FuzzFlags {
  seconds: number;
  seed?: number;
  live?: boolean;
  kernel?: string;
  programs?: number;
  calls?: number;
  out: string;
  json?: boolean;
}

const DEFAULT_SECONDS = 60;
const MOST_SECONDS = 7 * 24 * 3600;
const MOST_SEED = 999_999_999;
/** A real kernel starts and ends with each batch; the engine alone has no reason to wait. */
const LIVE_BATCH = 50;

const HELP = `
Without --live, programs run on the engine alone: after each call every promise of verify() must hold, and every byte that can
be read must be what the calls before say. With --live, the kernel of this machine runs them too (as root), and field by field
both must agree. A program that fails is made as small as it goes and saved as fuzz-SEED.mmp, with the kernel's fuzz-SEED.rec.

Programs have the seeds SEED, SEED + 1, …; the same seed makes the same program on every machine. Without --seed it starts
anywhere, and says where. It ends with 0 only if nothing was found; Ctrl-C ends it early.`;

export function addFuzz(program: Command): void {
  program
    .command('fuzz')
    .description('run random memory programs, and hold the engine to its promises or to the kernel that runs here')
    .option('--seconds <n>', 'how long', wholeNumber(1, MOST_SECONDS), DEFAULT_SECONDS)
    .option('--seed <n>', 'seed of the first program', wholeNumber(0, MOST_SEED))
    .option('--live', 'compare with the kernel of this machine')
    .option('--kernel <version>', 'without --live: this kernel only', kernelOf)
    .option('--programs <n>', 'so many programs at most', wholeNumber(1, MOST_SEED))
    .option('--calls <n>', 'calls in each program (default: 50 to 300)', wholeNumber(1, 10_000))
    .option('--out <dir>', 'where failing programs go', '.')
    .option('--json', 'the summary as JSON')
    .addHelpText('after', HELP)
    .action((flags: FuzzFlags) => fuzzFor(flags));
}

async function fuzzFor(flags: FuzzFlags): Promise<void> {
  const missing = flags.live === true ? whatIsMissing() : null;
  if (missing !== null) throw new InputError('--live', 0, missing);
  const seed = flags.seed ?? Math.floor(Math.random() * MOST_SEED);
  // The byte model finds a page by its VMA's offset, so kernels with nonlinear mappings run only when they are named.
  const linear = GENERATIONS.filter((g) => g.remapFilePages === doRemapFilePages).map((g) => g.version);
  const kernels = flags.kernel === undefined ? linear : [flags.kernel];
  const judge = flags.live === true ? liveJudge(runLive) : engineJudge(kernels);
  const batch = flags.live === true ? LIVE_BATCH : 1;
  const { seconds, programs, calls, out: outDir } = flags;
  const progress = new Progress();
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  process.once('SIGINT', stop);
  const summary = await fuzz({ seed, seconds, programs, calls, outDir, batch }, judge, {
    progress: (soFar) => progress.show(Math.min(1, soFar.seconds / seconds), progressText(soFar)),
    found: (found) => {
      progress.done();
      if (flags.json !== true) print(foundText(found, flags));
    },
    isStopped: () => stopped,
  });
  process.off('SIGINT', stop);
  progress.done();
  if (flags.json === true) printJson(jsonOf(summary));
  else print(summaryText(summary));
  if (summary.found.length > 0) process.exitCode = 1;
}

function progressText({ programs, calls, seconds, found, again }: FuzzSummary): string {
  const rate = Math.round(calls / Math.max(seconds, 0.001));
  return `${plural(programs, 'program')}, ${plural(calls, 'call')}, ${grouped(rate)}/s, ${plural(found.length + again, 'difference')}`;
}

function foundText(found: Found, flags: FuzzFlags): string {
  const again =
    found.recording === null ? `revmap fuzz --seed ${found.seed} --programs 1` : `revmap check --live ${found.program}`;
  const kernel = found.recording === null && flags.kernel !== undefined ? ` --kernel ${flags.kernel}` : '';
  const calls = found.recording === null && flags.calls !== undefined ? ` --calls ${flags.calls}` : '';
  return `${found.text}\n\nsmallest program: ${found.program}\nagain: ${again}${kernel}${calls}\n`;
}

function summaryText(summary: FuzzSummary): string {
  const { seed, programs, calls, seconds, errors, signals, found, again, kinds } = summary;
  const share = (count: number): string => `${((100 * count) / Math.max(1, calls)).toFixed(2)} %`;
  const differences = found.length + again;
  const known = again === 0 ? '' : `, ${again} of them like another`;
  const byKind = [...kinds].sort((a, b) => b[1] - a[1]).map(([kind, count]) => `${kind} ${grouped(count)}`);
  return [
    `seeds ${seed} to ${seed + programs - 1}: ${plural(programs, 'program')}, ${plural(calls, 'call')} in ${seconds.toFixed(0)} s`,
    `${share(errors)} of the calls ended in an errno, ${share(signals)} in a signal`,
    `calls: ${byKind.join(', ')}`,
    `${plural(differences, 'difference')}${known}`,
  ].join('\n');
}

function jsonOf({ found, kinds, seconds, ...counts }: FuzzSummary): object {
  return {
    ...counts,
    seconds: Math.round(seconds * 10) / 10,
    differences: found.length + counts.again,
    found: found.map(({ seed, program, recording }) => ({ seed, program, recording })),
    kinds: Object.fromEntries(kinds),
  };
}
