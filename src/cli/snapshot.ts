/**
 * `revmap snapshot`: a whole host in a file, which every host command reads with --from.
 *
 * Owns      the question: this host, a simulated machine, or a snapshot that is there; and what is said of each.
 */
import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { redactSnapshot } from '../host/file/redact.ts';
import { mayWriteSnapshot, writeSnapshotFile } from '../host/file/snapshot_store.ts';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { cachedFiles } from '../host/page_cache/page_cache.ts';
import { HostFiles } from '../host/read/host_files.ts';
import type { TakeOptions } from '../host/read/take_options.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { InputError } from '../mm/bug.ts';
import { FILE_IS, refuseMachineWords } from './arguments.ts';
import { addHostSource, type HostSourceFlags, hostSnapshot } from './host_source.ts';
import { addMachineAt, type MachineAtFlags, machineAt } from './machine_at.ts';
import { Progress, plural, print, printJson } from './output.ts';
import { describeSnapshot, type ShownFile, snapshotFacts } from './snapshot_text.ts';

interface SnapshotFlags extends HostSourceFlags, MachineAtFlags {
  output?: string;
  force?: boolean;
  smaps?: boolean;
  commands?: boolean;
  frames: boolean;
  files: boolean;
  pid?: number[];
  cgroup?: string;
  redact?: boolean;
  salt?: string;
  json?: boolean;
}

/** Long enough that nobody tries them all. */
const SALT_BYTES = 32;
const MOST_PID = 2 ** 22;

const HELP = `
  revmap snapshot -o host.rvh.gz                       this host
  revmap snapshot --from host.rvh.gz                   what is in it
  revmap snapshot --from host.rvh.gz --redact -o for-others.rvh.gz
  revmap snapshot program.rvm.gz --at 5000 -o machine.rvh.gz
  revmap ps --from host.rvh.gz                         as frames, files, who, diff, proc

No file holds contents of pages or environments, and command lines only with --commands (docs/snapshot.md).`;

export function addSnapshot(program: Command): void {
  const command = program
    .command('snapshot')
    .description('the whole host in one file: processes, mappings, page-table entries, frames, page cache')
    .argument('[recording]', `a simulated machine instead of this host: ${FILE_IS}`)
    .option('-o, --output <file>', 'where to: FILE.rvh.gz; - is standard output')
    .option('--force', 'over a file that is there')
    .option('--smaps', 'with the numbers of smaps for each mapping (the kernel walks every page table for them)')
    .option('--commands', 'with command lines')
    .option('--no-frames', 'without /proc/kpage*')
    .option('--no-files', 'without the page cache of each file')
    .option('--pid <pid...>', 'only these processes, and their frames', pidOf)
    .option('--cgroup <path>', 'only processes of this cgroup and those below, and their frames')
    .option('--redact', 'names become hashes, command lines go')
    .option('--salt <text>', 'key of the hashes, so that two files compare; random without it');
  addMachineAt(addHostSource(command))
    .option('--json', 'what is in it, as JSON')
    .addHelpText('after', HELP)
    .action(async (recording: string | undefined, flags: SnapshotFlags) => {
      refuseMixes(command, recording, flags);
      const { output } = flags;
      if (output !== undefined) mayWriteSnapshot(output, flags.force === true);
      let start = performance.now();
      const taken = await snapshotAsked(recording, flags);
      const readMs = performance.now() - start;
      const salt = flags.salt ?? randomBytes(SALT_BYTES);
      const snapshot = flags.redact === true ? redactSnapshot(taken, salt) : taken;
      start = performance.now();
      const written = output === undefined ? null : await writeSnapshotFile(output, snapshot, flags.force);
      const tookMs = written === null ? readMs : performance.now() - start;
      say(snapshot, { path: output ?? flags.from!, written, tookMs }, flags);
    });
}

/** Standard output is the file's, if that is where it goes. */
function say(snapshot: HostSnapshot, file: ShownFile, flags: SnapshotFlags): void {
  if (flags.output === '-') process.stderr.write(`${describeSnapshot(snapshot, file)}\n`);
  else if (flags.json === true) printJson(snapshotFacts(snapshot, file));
  else print(describeSnapshot(snapshot, file));
}

function refuseMixes(command: Command, recording: string | undefined, flags: SnapshotFlags): void {
  if (recording !== undefined && flags.from !== undefined) command.error('error: a recording or --from, not both');
  if (flags.output === undefined && (flags.from === undefined || flags.redact === true))
    command.error('error: -o FILE is missing: where to write the snapshot');
  if (recording === undefined) refuseMachineWords(command);
  if (flags.redact === true && flags.commands === true) command.error('error: --redact leaves no command lines');
  if (flags.redact !== true && flags.salt !== undefined) command.error('error: --salt is for --redact');
}

function pidOf(text: string, before: number[] = []): number[] {
  if (!/^[1-9]\d{0,6}$/.test(text) || Number(text) > MOST_PID) throw new InvalidArgumentError('A process, by number.');
  return [...before, Number(text)];
}

async function snapshotAsked(recording: string | undefined, flags: SnapshotFlags): Promise<HostSnapshot> {
  if (recording !== undefined) return machineSnapshot(recording, flags);
  return flags.from === undefined ? liveSnapshot(flags) : hostSnapshot(flags);
}

async function machineSnapshot(path: string, flags: SnapshotFlags): Promise<HostSnapshot> {
  const { machine, system } = await machineAt(path, flags);
  return snapshotOfMachine(machine, system);
}

async function liveSnapshot(flags: SnapshotFlags): Promise<HostSnapshot> {
  const pids = flags.pid ?? (flags.cgroup === undefined ? undefined : await pidsOf(flags.cgroup));
  const take: TakeOptions = {
    frames: flags.frames ? (pids === undefined ? 'all' : 'mapped') : 'none',
    smaps: flags.smaps === true,
    commands: flags.commands === true,
    ...(pids === undefined ? {} : { pids }),
  };
  const snapshot = await hostSnapshot({}, take);
  if (pids !== undefined && snapshot.processes.length === 0)
    throw new InputError('--pid', 0, `no such ${pids.length === 1 ? 'process' : 'processes'}: ${pids.join(', ')}`);
  return flags.files ? withCache(snapshot, pids) : snapshot;
}

/** With what the page cache holds of each file: `diff` asks a host the same as the snapshot it is compared with. */
export async function withCache(snapshot: HostSnapshot, pids: readonly number[] | undefined): Promise<HostSnapshot> {
  const progress = new Progress();
  const show = (asked: number) => progress.say(`${plural(asked, 'file')} asked`);
  try {
    const of = pids === undefined ? {} : { pids: new Set(pids), kernels: false };
    const { files, cache, missing } = await cachedFiles(new HostFiles(), snapshot, { ...of, progress: show });
    return { ...snapshot, files, cache, missing: [...snapshot.missing, ...missing] };
  } finally {
    progress.done();
  }
}

async function pidsOf(path: string): Promise<number[]> {
  const { processes } = await hostSnapshot({}, { frames: 'none', entries: false, rollups: false });
  const below = path.endsWith('/') ? path : `${path}/`;
  const pids = processes.filter(({ cgroup }) => `${cgroup}/`.startsWith(below) || path === '/').map(({ pid }) => pid);
  if (pids.length === 0) throw new InputError('--cgroup', 0, `no process is in ${path}`);
  return pids;
}
