/**
 * `revmap files`: which files hold the page cache.
 *
 * Owns      the question: of the whole host, of processes, of a cgroup, or of files and directories that are named.
 */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { HostFiles, type HostSnapshot } from '../host/index.ts';
import { type CacheAnswer, type CacheOptions, cachedFiles } from '../host/page_cache/page_cache.ts';
import { type CacheHint, cacheHints } from '../host/page_cache/page_cache_hints.ts';
import { type FileQuestion, fileRows } from '../host/page_cache/page_cache_rows.ts';
import { cacheSums, chargedPages } from '../host/page_cache/page_cache_sums.ts';
import { below } from '../host/read/path_below.ts';
import type { TakeOptions } from '../host/read/take_options.ts';
import { InputError } from '../mm/bug.ts';
import { printable } from '../trace/error.ts';
import { size, wholeNumber } from './arguments.ts';
import { describeFiles, FILE_COLUMNS, type FileColumn, type FilesAnswer, filesJson, ordered } from './files_text.ts';
import { addHostSource, type HostSourceFlags, hostSnapshot } from './host_source.ts';
import { columns, Progress, plural, print, printJson } from './output.ts';

interface FilesFlags extends HostSourceFlags {
  dir?: string[];
  host?: boolean;
  pid?: number[];
  cgroup?: string;
  allFilesystems?: boolean;
  remote?: boolean;
  ranges?: boolean;
  sort: FileColumn;
  top?: number;
  min?: number;
  json?: boolean;
}

const ROWS = 20;
const MOST_PID = 2 ** 22;

export function addFiles(program: Command): void {
  const command = program
    .command('files')
    .description('which files hold the page cache: of this host, of processes, a cgroup, directories, files')
    .argument('[path...]', 'files, or directories with all below them')
    .option('--dir <dir...>', 'the same for directories: also files that nobody maps or has open')
    .option('--host', 'the whole host besides: all files that are mapped or open, and what they add up to')
    .option('--pid <pid...>', 'files that these processes map or have open', pidOf)
    .option('--cgroup <path>', 'files that processes of this cgroup map or have open, and what is charged to it')
    .option('--all-filesystems', 'directories: into other file systems that are mounted below')
    .option('--remote', 'also ask mapped and open files that a server answers for (NFS, FUSE): it may never answer')
    .option('--ranges', 'which pages are cached, by mincore')
    .addOption(new Option('--sort <column>', 'what comes first').choices(FILE_COLUMNS).default('cached'))
    .option('--top <n>', `so many rows, 0 for all (default: ${ROWS}, with --json all)`, wholeNumber(0, 1e9 - 1))
    .option('--min <size>', 'only files of which so much is cached', size);
  addHostSource(command)
    .option('--json', 'the answer as JSON')
    .action(async (paths: string[], flags: FilesFlags) => {
      const named = [...paths, ...(flags.dir ?? [])].map((path) => resolve(path));
      refuseMixes(command, flags, named);
      const answer = flags.from === undefined ? await liveAnswer(flags, named) : await savedAnswer(flags, named);
      for (const { path, why } of answer.refused) process.stderr.write(`revmap: ${printable(path)}: ${why}\n`);
      if (answer.refused.length > 0) process.exitCode = 1;
      if (answer.refused.length > 0 && answer.refused.length === named.length && !isOfHost(flags, named)) return;
      const rows = ordered(answer.rows, flags.sort, flags.min ?? 0);
      if (flags.json === true) printJson(filesJson(answer, rows.slice(0, flags.top || rows.length)));
      else print(describeFiles(answer, rows, flags.top ?? ROWS, columns(100)));
    });
}

function pidOf(text: string, before: number[] = []): number[] {
  if (!/^[1-9]\d{0,6}$/.test(text) || Number(text) > MOST_PID) throw new InvalidArgumentError('A process, by number.');
  return [...before, Number(text)];
}

function refuseMixes(command: Command, flags: FilesFlags, named: readonly string[]): void {
  const scopes = [flags.pid !== undefined, flags.cgroup !== undefined, named.length > 0 || flags.host === true];
  if (scopes.filter(Boolean).length > 1)
    command.error('error: --pid, --cgroup and paths are three questions: ask one at a time');
  if (flags.from !== undefined && (flags.remote === true || flags.allFilesystems === true))
    command.error('error: --remote and --all-filesystems are for a live host: with --from nothing is asked');
}

function isOfHost({ pid, cgroup, host }: FilesFlags, named: readonly string[]): boolean {
  return host === true || (pid === undefined && cgroup === undefined && named.length === 0);
}

async function liveAnswer(flags: FilesFlags, named: readonly string[]): Promise<FilesAnswer> {
  const ofHost = isOfHost(flags, named);
  const needsAll = ofHost || flags.cgroup !== undefined;
  const take: TakeOptions = { frames: needsAll ? 'all' : 'mapped', rollups: false };
  const snapshot = await hostSnapshot(flags, take);
  const question = questionOf(flags, snapshot, { under: null, onlyAsked: named.length > 0 && !ofHost });
  const found = await asked(flags, snapshot, {
    ...(ofHost ? {} : { pids: question.pids, kernels: false }),
    paths: named,
    allFilesystems: flags.allFilesystems === true,
    remote: flags.remote === true,
    ranges: flags.ranges === true,
  });
  if (found.cache === null && named.length > 0 && !ofHost)
    throw new InputError('files', 0, `${found.missing[0]!.why}; npm install koffi`);
  const { files, cache } = found;
  const missing = [...snapshot.missing, ...found.missing];
  const hints = ofHost ? cacheHints(new HostFiles()) : [];
  return answerOf(flags, { ...snapshot, files, cache, missing }, question, ofHost, found, hints);
}

async function asked(flags: FilesFlags, snapshot: HostSnapshot, options: CacheOptions): Promise<CacheAnswer> {
  const progress = new Progress();
  let last = 0;
  const show = (files: number, place: string) => {
    // Drawing is cheap, and looking at the clock a million times is not.
    if (files - last < 100 && files > 0) return;
    last = files;
    progress.say(`${plural(files, 'file')} asked  ${printable(place).slice(0, 60)}`);
  };
  try {
    return await cachedFiles(new HostFiles(), snapshot, flags.json === true ? options : { ...options, progress: show });
  } finally {
    progress.done();
  }
}

async function savedAnswer(flags: FilesFlags, named: readonly string[]): Promise<FilesAnswer> {
  const snapshot = await hostSnapshot(flags);
  const ofHost = isOfHost(flags, named);
  const under = named.length > 0 && !ofHost ? named : null;
  const question = questionOf(flags, snapshot, { under, onlyAsked: false });
  const known = { meminfo: null, askedFiles: snapshot.cache?.length ?? 0, refused: [] };
  return answerOf(flags, snapshot, question, ofHost, known, []);
}

function questionOf(
  flags: FilesFlags,
  snapshot: HostSnapshot,
  rest: Pick<FileQuestion, 'under' | 'onlyAsked'>,
): FileQuestion {
  const { pid, cgroup } = flags;
  if (pid !== undefined) {
    const known = new Set(snapshot.processes.map((p) => p.pid));
    const unknown = pid.find((one) => !known.has(one));
    if (unknown !== undefined) throw new InputError('--pid', 0, `there is no process ${unknown}`);
    // What two processes share as one address space stands once, with the other.
    const others = snapshot.processes.flatMap((p) => (pid.includes(p.pid) ? (p.sharesMmWith ?? []) : []));
    return { pids: new Set([...pid, ...others]), cgroups: null, ...rest };
  }
  if (cgroup === undefined) return { pids: null, cgroups: null, ...rest };
  const inside = (path: string) => below(cgroup, path) !== null;
  const cgroups = snapshot.cgroups.flatMap((one, row) => (inside(one.path) ? [row] : []));
  const processes = snapshot.processes.filter((p) => inside(p.cgroup));
  if (cgroups.length === 0 && processes.length === 0)
    throw new InputError('--cgroup', 0, `there is no memory cgroup ${cgroup}, and no process in it`);
  return { pids: new Set(processes.map((p) => p.pid)), cgroups: new Set(cgroups), ...rest };
}

function answerOf(
  flags: FilesFlags,
  snapshot: HostSnapshot,
  question: FileQuestion,
  ofHost: boolean,
  found: Pick<CacheAnswer, 'meminfo' | 'askedFiles' | 'refused'>,
  hints: readonly CacheHint[],
): FilesAnswer {
  return {
    snapshot,
    question,
    from: flags.from ?? null,
    cgroup: flags.cgroup ?? null,
    withRanges: flags.ranges === true,
    askedFiles: found.askedFiles,
    refused: found.refused,
    rows: fileRows(snapshot, question),
    sums: ofHost ? cacheSums(snapshot, found.meminfo) : null,
    charged: question.cgroups === null ? null : chargedPages(snapshot, question.cgroups),
    hints,
  };
}
