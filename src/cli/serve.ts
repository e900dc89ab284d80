/**
 * `revmap serve`: the page, on this machine, for who started it.
 *
 * Promises  1. The link stands on stdout and nowhere else: in no log, no file, no argument of a process.
 *           2. Ctrl-C, and --idle, end it with exit code 0.
 */
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { LiveHost } from '../host/live_host.ts';
import { InputError } from '../mm/bug.ts';
import { canReadFrameNumbers, LiveSnapshots } from '../server/live_snapshots.ts';
import { readPage } from '../server/page.ts';
import { Peers, servedUsers } from '../server/peers.ts';
import { openFiles } from '../server/served_files.ts';
import { type RunningServer, startServer } from '../server/server.ts';
import { wholeNumber } from './arguments.ts';
import { plural, print, printJson } from './output.ts';

interface ServeFlags {
  port?: number;
  live?: boolean;
  frames?: boolean;
  idle?: number;
  json?: boolean;
}

/** Beside the bundle in dist/. */
const PAGE = join(import.meta.dirname, 'web');
const MINUTE_MS = 60_000;
const MOST_MINUTES = 10_000;

const HELP = `
  revmap serve                              the page; it opens files that are dropped on it
  revmap serve run.rvm.gz host.rvh.gz       with these at hand
  sudo revmap serve --live --frames         with this host as it is now, for the user who called sudo

It listens on this machine only, for you only, and the link works once (docs/serve.md). Ctrl-C ends it.`;

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('the page: see a machine, step through it, go back; in your browser, on this machine only')
    .argument('[files...]', 'recordings, memory programs and snapshots that the page can open')
    .option('--port <n>', 'the port; any that is free without it', wholeNumber(1024, 65_535))
    .option('--live', 'this host, as it is whenever the page asks')
    .option('--frames', 'with --live: the numbers of frames too, which only who has CAP_SYS_ADMIN can read')
    .option('--idle <minutes>', 'end when nobody asked for anything for so long', minutes)
    .option('--json', 'the link and what is served, as JSON')
    .addHelpText('after', HELP)
    .action(async (paths: string[], flags: ServeFlags) => {
      if (flags.frames === true && flags.live !== true) command.error('error: --frames is for --live');
      const page = readPage(PAGE);
      const live = liveAsked(flags);
      const files = await openFiles(paths);
      const server = await startServer({
        page,
        files,
        live,
        peers: peers(),
        port: flags.port ?? 0,
        idleMs: flags.idle ?? Number.POSITIVE_INFINITY,
      });
      const url = `http://127.0.0.1:${server.port}/#token=${server.token}`;
      if (flags.json === true) {
        const names = files.map(({ name, bytes, kind }) => ({ name, bytes, kind }));
        printJson({ url, port: server.port, files: names, live: live !== null, frames: live?.frames === true });
      } else print(url);
      process.stderr.write(`revmap: ${described(files.length, flags)}; the link works once, Ctrl-C ends this\n`);
      process.stderr.write(`revmap: ${await untilEnd(server)}\n`);
      await server.close();
    });
}

function minutes(text: string): number {
  const n = /^\d{1,5}(\.\d{1,4})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(n > 0 && n <= MOST_MINUTES)) throw new InvalidArgumentError(`Minutes, up to ${MOST_MINUTES}.`);
  return n * MINUTE_MS;
}

function liveAsked({ live, frames }: ServeFlags): LiveSnapshots | null {
  if (live !== true) return null;
  if (frames === true && !canReadFrameNumbers(new LiveHost()))
    throw new InputError('--frames', 0, 'this process cannot read frame numbers (it needs CAP_SYS_ADMIN: sudo)');
  return new LiveSnapshots(frames === true);
}

/** Elsewhere than on Linux nobody says whose a connection is; there the token alone decides. */
function peers(): Pick<Peers, 'isServed'> {
  const own = process.geteuid?.();
  if (process.platform !== 'linux' || own === undefined) return { isServed: () => true };
  const table = new Peers(servedUsers(own, process.env['SUDO_UID']));
  if (table.canTell) return table;
  throw new InputError('/proc/net/tcp', 0, 'cannot be read, so your programs cannot be told from those of others');
}

function described(files: number, { live, frames }: ServeFlags): string {
  const host = live !== true ? [] : [`this host ${frames === true ? 'with' : 'without'} frame numbers`];
  return ['serving the page', ...(files === 0 ? [] : [plural(files, 'file')]), ...host].join(', ');
}

/** Why it ends. */
async function untilEnd({ idle }: RunningServer): Promise<string> {
  const asked = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('ended'));
  });
  return Promise.race([asked, idle.then(() => 'nobody asked for anything any more')]);
}
