/**
 * What the page cache holds, file by file: the rows `cache` of a snapshot.
 *
 * Owns      the order of asking: mapped files first (they have rows already), then open ones, what the kernel holds, and
 *           what was named.
 * Read      docs/files.md
 */
import type { HostFiles } from '../read/host_files.ts';
import { Refusal } from '../read/host_files.ts';
import { loadSyscalls, type Syscalls } from '../read/syscalls.ts';
import type { HostSnapshot, Missing } from '../snapshot.ts';
import { CacheAsker } from './page_cache_asker.ts';
import { CacheSources } from './page_cache_sources.ts';
import { askPath } from './page_cache_walk.ts';

export interface CacheOptions {
  /** Whose files: of all processes, of these, or of none. Default all. */
  readonly pids?: ReadonlySet<number> | null;
  /** What no process maps or has open, too: swap files, loop devices, block devices, shared memory. Default with all processes. */
  readonly kernels?: boolean;
  /** Files, and directories with all below them. */
  readonly paths?: readonly string[];
  /** Directories are walked into other file systems. */
  readonly allFilesystems?: boolean;
  /** Mapped and open files are asked also where a server answers for them. */
  readonly remote?: boolean;
  /** With the ranges that are resident. */
  readonly ranges?: boolean;
  /** So many files are asked, and where we are. */
  readonly progress?: (askedFiles: number, place: string) => void;
}

/** To be put into the snapshot that was asked about: `files` replaces its own, and begins with them. */
export interface CacheAnswer extends Pick<HostSnapshot, 'files' | 'missing'> {
  /** Null if nothing could be asked; `missing` says why. */
  readonly cache: HostSnapshot['cache'];
  /** /proc/meminfo when all had been asked; null if it cannot be read. */
  readonly meminfo: string | null;
  /** Inodes that were asked; those of directories of which nothing is cached have no row. */
  readonly askedFiles: number;
  /** Of `paths`, those that could not be read at all. */
  readonly refused: readonly { readonly path: string; readonly why: string }[];
}

/** `askedOf` is the kernel, or why it cannot be asked; tests put something between. */
export async function cachedFiles(
  host: HostFiles,
  snapshot: HostSnapshot,
  options: CacheOptions = {},
  askedOf: Syscalls | string | null = null,
): Promise<CacheAnswer> {
  const calls = askedOf ?? (await loadSyscalls());
  if (typeof calls === 'string') {
    const missing: Missing[] = [{ what: 'cachestat', why: calls, count: 1 }];
    return { files: snapshot.files, cache: null, missing, meminfo: null, askedFiles: 0, refused: [] };
  }
  const asker = new CacheAsker(host, calls, snapshot.files, options.ranges === true);
  const sources = new CacheSources(asker, host, snapshot, options.remote === true);
  const progress = (place: string) => options.progress?.(asker.askedFiles, place);
  const pids = options.pids === undefined ? new Set(snapshot.processes.map((p) => p.pid)) : options.pids;
  if (pids !== null) {
    progress('mapped files');
    sources.askMapped(pids);
    for (const pid of pids) {
      progress(`files open in process ${pid}`);
      sources.askOpen(pid);
    }
  }
  if (options.kernels ?? options.pids === undefined) {
    sources.askKernels();
    sources.addSegments();
    sources.askDevices();
  }
  const refused = (options.paths ?? []).flatMap((path) => {
    const outcome = askPath(asker, path, { allFilesystems: options.allFilesystems === true, progress });
    return outcome instanceof Refusal ? [{ path, why: outcome.errno }] : [];
  });
  progress('who has them open');
  for (const { pid } of snapshot.processes) if (pids?.has(pid) !== true) sources.noteOpeners(pid);
  const meminfo = host.text(host.inProc('meminfo'));
  const rest = { meminfo: meminfo instanceof Refusal ? null : meminfo, refused };
  return { files: asker.files, ...asker.answer(), ...rest, askedFiles: asker.askedFiles };
}
