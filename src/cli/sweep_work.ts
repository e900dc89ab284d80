/**
 * How a sweep works: where results are kept, who replays, what is drawn meanwhile, and what Ctrl-C does.
 *
 * Owns      exit code 130: the sweep was ended; what it had done is kept.
 */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Limits } from '../lab/options.ts';
import type { Progress as Reached } from '../lab/progress.ts';
import { queueRunner } from '../lab/queue/queue_runner.ts';
import { cacheFolder, ResultStore } from '../lab/store/store.ts';
import type { SweepWork } from '../lab/sweep.ts';
import { InputError } from '../mm/bug.ts';
import type { Recording } from '../trace/source.ts';
import { wholeNumber } from './arguments.ts';
import { Progress, plural } from './output.ts';

export interface WorkFlags {
  limits: Limits;
  workers?: number;
  out?: string;
  fresh?: boolean;
  queue?: string;
  url?: string;
}

const INTERRUPTED = 130;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export function addWork(command: Command): Command {
  return command
    .option('--workers <n>', 'so many replays at once; one per CPU without it', wholeNumber(0, 256))
    .option('--out <folder>', "where results are kept; revmap/results in XDG's cache folder without it")
    .option('--fresh', 'replay again what is stored')
    .addOption(
      new Option('--queue <url>', 'let `revmap worker`s at this Redis server replay: redis://HOST:PORT').env(
        'REVMAP_QUEUE',
      ),
    )
    .option('--url <url>', 'where workers of the queue find the recording, if not under its path here (http, https)');
}

/** Runs `sweep`; a signal ends it, and then it is said what is kept. */
export async function sweepWithProgress(
  file: string,
  recording: Recording,
  flags: WorkFlags,
  sweep: (work: SweepWork) => Promise<void>,
): Promise<void> {
  const bar = new Progress();
  const note = (line: string): void => {
    bar.done();
    process.stderr.write(`revmap: ${line}\n`);
  };
  const store = storeFor(flags, note);
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  for (const signal of SIGNALS) process.once(signal, stop);
  let last: Reached | null = null;
  try {
    await sweep({
      limits: flags.limits,
      ...(flags.workers === undefined ? {} : { workers: flags.workers }),
      store,
      ...(flags.queue === undefined ? {} : { runner: queueOf(flags.queue, file, recording, flags, note) }),
      fresh: flags.fresh === true,
      onNote: note,
      signal: controller.signal,
      onProgress: (reached) => {
        last = reached;
        bar.show(reached.share, `${recording.header.name}: ${progressText(reached)}`);
        if (reached.done === reached.of) bar.done();
      },
    });
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    note(interruptedText(last, store));
    process.exitCode = INTERRUPTED;
  } finally {
    bar.done();
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

function queueOf(
  url: string,
  file: string,
  recording: Recording,
  flags: WorkFlags,
  onNote: (line: string) => void,
): NonNullable<SweepWork['runner']> {
  if (flags.url !== undefined && !/^https?:\/\//.test(flags.url)) {
    throw new InputError('--url', 0, 'begins with http:// or https://');
  }
  const sources = { path: file === '-' ? null : resolve(file), url: flags.url ?? null };
  return (identities) => queueRunner(recording, identities, { url, sources, fresh: flags.fresh === true, onNote });
}

/** null: nothing can be kept where nobody asked for it. */
function storeFor(flags: WorkFlags, note: (line: string) => void): ResultStore | null {
  if (flags.out !== undefined) return new ResultStore(flags.out);
  try {
    return new ResultStore(cacheFolder('results'));
  } catch (error) {
    note((error as Error).message);
    return null;
  }
}

function progressText({ done, of, eventsPerSecond, secondsLeft }: Reached): string {
  const rate = eventsPerSecond === null ? '' : `, ${(eventsPerSecond / 1e6).toFixed(1)} M events/s`;
  const left = secondsLeft === null || done === of ? '' : `, ${durationText(secondsLeft)} left`;
  return `${done} of ${plural(of, 'replay')}${rate}${left}`;
}

function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 100) return `${whole} s`;
  if (whole < 5400) return `${Math.ceil(whole / 60)} min`;
  return `${(whole / 3600).toFixed(1)} h`;
}

function interruptedText(last: Reached | null, store: ResultStore | null): string {
  const done = last === null ? 0 : last.done;
  const kept =
    store === null ? 'nothing is kept' : `they are kept in ${store.folder}; the same command goes on from there`;
  return `interrupted: ${done} of ${plural(last?.of ?? 0, 'replay')} are done; ${kept}`;
}
