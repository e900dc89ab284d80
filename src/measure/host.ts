/**
 * The computer at hand: its kernel, a memory cgroup, its swap or one that is made for the measurement.
 *
 * Owns      what is changed here for a while: three settings, a cgroup, a swap file or zram device.
 * Promises  All of it is with the watchdog before it is changed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../mm/bug.ts';
import type { CommandFiles } from './files.ts';
import { compiledGuest, Guest, programFile } from './guest.ts';
import type { Bench } from './measure.ts';
import { ourName, type Watchdog } from './watchdog.ts';

export interface CgroupHierarchy {
  version: 1 | 2;
  /** The folder of the root cgroup. */
  root: string;
}

/** Where memory cgroups are; null if this kernel has none. `mounts` is /proc/mounts, `controllers` those of a v2 root. */
export function memoryCgroups(mounts: string, controllers: (root: string) => string): CgroupHierarchy | null {
  for (const line of mounts.split('\n')) {
    const [, root = '', type = '', flags = ''] = line.split(' ');
    if (type === 'cgroup' && flags.split(',').includes('memory')) return { version: 1, root };
    if (type === 'cgroup2' && controllers(root).split(/\s+/).includes('memory')) return { version: 2, root };
  }
  return null;
}

export function hostCgroups(): CgroupHierarchy | null {
  return memoryCgroups(readFileSync('/proc/mounts', 'utf8'), (root) => readOr(join(root, 'cgroup.controllers'), ''));
}

const VM = '/proc/sys/vm';
const LRU_GEN = '/sys/kernel/mm/lru_gen/enabled';

export interface HostSettings {
  mglru: boolean;
  swappiness: number;
  pageCluster: number;
}

export function hostSettings(): HostSettings {
  return {
    mglru: (Number(readOr(LRU_GEN, '0')) & 1) === 1,
    swappiness: Number(readOr(`${VM}/swappiness`, '60')),
    pageCluster: Number(readOr(`${VM}/page-cluster`, '3')),
  };
}

/** Is any swap on? */
export function hasSwap(): boolean {
  return readOr('/proc/swaps', '').trim().split('\n').length > 1;
}

export interface HostOptions {
  command: readonly string[];
  cwd: string;
  environment: NodeJS.ProcessEnv;
  files: CommandFiles;
  swap: 'keep' | 'zram' | 'disk';
  swapBytes: number;
  /** For what is needed meanwhile; with the watchdog. */
  folder: string;
}

/** Ready to be asked. */
export async function startHost(options: HostOptions, watchdog: Watchdog): Promise<Bench> {
  const cgroups = hostCgroups();
  if (cgroups === null) throw new InputError('--kernel host', 0, 'this kernel has no memory cgroups');
  for (const path of [`${VM}/swappiness`, `${VM}/page-cluster`, LRU_GEN]) {
    const value = readOr(path, '').trim();
    if (value !== '') watchdog.undo({ what: 'write', path, value });
  }
  const cgroup = join(cgroups.root, ourName());
  watchdog.undo({ what: 'cgroup', path: cgroup });
  makeCgroup(cgroups, cgroup);
  const disk = join(options.folder, 'swap');
  if (options.swap === 'disk') makeSwapFile(disk, options.swapBytes, watchdog);
  const zram = options.swap === 'zram' ? addZram(watchdog) : 'zram0';
  const program = join(options.folder, 'program');
  const { command, cwd, environment, files } = options;
  writeWhole(program, programFile(cwd, [files.program, ...command.slice(1)], environment));
  const args = [program, cgroup, String(cgroups.version), disk, zram, join(options.folder, 'errors')];
  const child = spawn(compiledGuest(), args, { stdio: ['pipe', 'pipe', 'inherit'] });
  if (child.pid !== undefined) watchdog.undo({ what: 'kill', pid: child.pid });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const guest = new Guest(child.stdin, child.stdout, () => 'the launcher of the program is gone');
  await guest.ready();
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  return { ask: (question) => guest.ask(question), stop };
}

function makeCgroup({ version, root }: CgroupHierarchy, cgroup: string): void {
  const failed = (what: string, why: string) => new InputError(what, 0, why);
  if (version === 2) writeWhole(join(root, 'cgroup.subtree_control'), '+memory');
  if (spawnSync('mkdir', [cgroup]).status !== 0) throw failed(cgroup, 'cannot be made');
  if (version === 2) writeWhole(join(cgroup, 'cgroup.subtree_control'), '+memory');
}

/** Without holes, as a swap file must be. */
function makeSwapFile(path: string, bytes: number, watchdog: Watchdog): void {
  watchdog.undo({ what: 'swapoff', path });
  const fd = openSync(path, 'w', 0o600);
  const zeros = Buffer.alloc(2 ** 20);
  for (let written = 0; written < bytes; written += zeros.length) writeSync(fd, zeros);
  closeSync(fd);
}

const ZRAM_CONTROL = '/sys/class/zram-control';

/** The name of a new device. */
function addZram(watchdog: Watchdog): string {
  if (!existsSync(ZRAM_CONTROL)) spawnSync('modprobe', ['zram']);
  const number = readOr(join(ZRAM_CONTROL, 'hot_add'), '').trim();
  if (number === '') throw new InputError('--swap-device zram', 0, 'this kernel has no zram (module zram)');
  watchdog.undo({ what: 'write', path: join(ZRAM_CONTROL, 'hot_remove'), value: number });
  watchdog.undo({ what: 'write', path: `/sys/block/zram${number}/reset`, value: '1' });
  watchdog.undo({ what: 'swapoff', path: `/dev/zram${number}` });
  return `zram${number}`;
}

function writeWhole(path: string, bytes: string | Uint8Array): void {
  const fd = openSync(path, 'w', 0o600);
  writeSync(fd, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  closeSync(fd);
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
