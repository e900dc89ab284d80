/** `revmap worker --queue URL`: makes the runs of sweeps on other machines. */
import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { startWorker } from '../lab/queue/queue_worker.ts';
import { cacheFolder, ResultStore } from '../lab/store/store.ts';
import { wholeNumber } from './arguments.ts';

interface WorkerFlags {
  queue: string;
  workers: number;
  recordings: string;
  out: string;
  deadAfter: number;
}

const HELP = `
A worker reads a recording under the path that the sweep named, if its content is the same there; else from the URL that the sweep
named; else the sweep uploads it through the queue. It serves sweeps of the same revmap only: the results are the same to the byte.
Who can write to the server can make a worker open any path and URL, so keep it to those you trust.

SIGINT or SIGTERM ends it after the runs that are under way; a second one gives them back to the queue.`;

export function addWorker(program: Command): void {
  program
    .command('worker')
    .description('replay for sweeps on other machines (revmap sweep --queue)')
    .addOption(
      new Option('--queue <url>', 'a Redis server: redis://USER:PASSWORD@HOST:PORT/DB')
        .env('REVMAP_QUEUE')
        .makeOptionMandatory(),
    )
    .option('--workers <n>', 'so many replays at once', wholeNumber(1, 256), availableParallelism())
    .option('--recordings <folder>', 'where recordings from elsewhere are kept', cacheFolder('recordings'))
    .option('--out <folder>', 'where results are kept', cacheFolder('results'))
    .option('--dead-after <seconds>', 'a worker that is silent for so long has died', wholeNumber(1, 3600), 30)
    .addHelpText('after', HELP)
    .action(async (flags: WorkerFlags) => {
      const say = (line: string) => void process.stderr.write(`revmap: ${line}\n`);
      const worker = await startWorker({
        url: flags.queue,
        threads: flags.workers,
        recordings: flags.recordings,
        store: new ResultStore(flags.out),
        deadAfterSeconds: flags.deadAfter,
        onNote: say,
        onRun: (name, seconds, failed) =>
          say(failed === null ? `${name}: ${seconds.toFixed(2)} s` : `${name}: ${failed}`),
      });
      say(`waiting for runs, ${flags.workers} at once`);
      await ended(say, (now) => worker.close(now));
    });
}

/** Until a signal; a second one does not wait. */
async function ended(say: (line: string) => void, close: (now: boolean) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    let signals = 0;
    const stop = (): void => {
      signals += 1;
      if (signals === 1) say('ending after the runs that are under way; again to give them back');
      close(signals > 1).then(resolve, resolve);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  });
  process.exit(0);
}
