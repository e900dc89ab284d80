/**
 * A quiet machine: Debian's 6.1 kernel in QEMU, one CPU, no KVM, the program and its files on an ext4 disk.
 *
 * Owns      the folder with the disk and the first file system, made once; each boot starts from the same disk (snapshot=on).
 * Promises  Nothing of a boot is in the next one.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../mm/bug.ts';
import { type ArchiveEntry, cpioOf } from './cpio.ts';
import type { CommandFiles } from './files.ts';
import { compiledGuest, Guest, programFile } from './guest.ts';
import type { DebianKernel } from './kernel.ts';
import type { Bench } from './measure.ts';
import type { Watchdog } from './watchdog.ts';

export interface VirtualOptions {
  command: readonly string[];
  cwd: string;
  environment: NodeJS.ProcessEnv;
  files: CommandFiles;
  ramBytes: number;
  /** Room for swap on a disk. */
  swapBytes: number;
}

/** What the program may write beside its files. */
const FREE_BYTES = 512 * 2 ** 20;
const TOOLS: readonly [tool: string, package_: string][] = [
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['mke2fs', 'e2fsprogs'],
];

/** Whoever is not root has no sbin in his path. */
const TOOL_ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` };

/** The Debian package of a tool that is not installed, or null. */
export function missingPackage(): string | null {
  const missing = TOOLS.find(
    ([tool]) => spawnSync(tool, ['--version'], { stdio: 'ignore', env: TOOL_ENVIRONMENT }).error !== undefined,
  );
  return missing?.[1] ?? null;
}

export class VirtualMachine {
  private readonly folder: string;
  private readonly kernel: DebianKernel;
  private readonly options: VirtualOptions;
  private readonly watchdog: Watchdog;

  /** Makes the disk in `folder`, which is empty. */
  constructor(folder: string, kernel: DebianKernel, options: VirtualOptions, watchdog: Watchdog) {
    this.folder = folder;
    this.kernel = kernel;
    this.options = options;
    this.watchdog = watchdog;
    this.makeFirstFiles();
    this.makeDisk();
  }

  async boot(): Promise<Bench> {
    const { folder, kernel, options } = this;
    const drive = (name: string) => [
      '-drive',
      `file=${join(folder, name)},if=virtio,format=raw,cache=unsafe,snapshot=on`,
    ];
    const child = spawn(
      'qemu-system-x86_64',
      [
        ...['-accel', 'tcg', '-smp', '1', '-m', String(Math.floor(options.ramBytes / 2 ** 20))],
        ...['-nodefaults', '-no-reboot', '-display', 'none'],
        ...['-kernel', kernel.image, '-initrd', join(folder, 'first')],
        ...['-append', 'console=ttyS0 quiet panic=-1 rdinit=/init'],
        ...['-serial', `file:${join(folder, 'console')}`, '-serial', 'stdio'],
        ...drive('disk'),
        ...drive('swap'),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    if (child.pid !== undefined) this.watchdog.undo({ what: 'kill', pid: child.pid });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-400);
    });
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const lastWords = () => `${said}${readFileSync(join(folder, 'console'), 'utf8').slice(-400)}`.trim();
    const guest = new Guest(child.stdin, child.stdout, lastWords);
    await guest.ready();
    const stop = async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended;
    };
    return { ask: (question) => guest.ask(question), stop };
  }

  private makeFirstFiles(): void {
    const { command, cwd, environment, files } = this.options;
    const modules = this.kernel.modules.map((path) => ({
      path: `modules/${basename(path)}`,
      bytes: readFileSync(path),
    }));
    const entries: ArchiveEntry[] = [
      ...['dev', 'proc', 'sys', 'disk', 'cgroup', 'modules'].map((path) => ({ path, bytes: null })),
      { path: 'init', bytes: readFileSync(compiledGuest()), executable: true },
      { path: 'program', bytes: programFile(cwd, [files.program, ...command.slice(1)], environment) },
      { path: 'modules/order', bytes: Buffer.from(modules.map(({ path }) => `/${path}\n`).join('')) },
      ...modules,
    ];
    writeFileSync(join(this.folder, 'first'), cpioOf(entries));
  }

  private makeDisk(): void {
    const root = join(this.folder, 'root');
    for (const path of ['', '/dev', '/proc', '/sys', '/tmp', '/var', '/var/tmp']) mkdirSync(root + path);
    let bytes = 0;
    for (const path of this.options.files.paths) bytes += copyInto(root, path);
    const disk = join(this.folder, 'disk');
    for (const [file, size] of [
      [disk, FREE_BYTES + 2 * bytes],
      [join(this.folder, 'swap'), Math.max(2 ** 20, this.options.swapBytes)],
    ] as const) {
      writeFileSync(file, '');
      truncateSync(file, Math.ceil(size / 4096) * 4096);
    }
    const { status, stderr } = spawnSync('mke2fs', ['-q', '-t', 'ext4', '-b', '4096', '-d', root, disk], {
      encoding: 'utf8',
      env: TOOL_ENVIRONMENT,
    });
    if (status !== 0) throw new InputError('mke2fs', 0, (stderr ?? '').trim());
  }
}

/** One file, folder or link; gives how much room it takes. */
function copyInto(root: string, path: string): number {
  const to = root + path;
  const stat = lstatSync(path);
  mkdirSync(dirname(to), { recursive: true });
  if (stat.isDirectory()) mkdirSync(to, { recursive: true, mode: stat.mode });
  else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(path), to);
  else copyFileSync(path, to);
  if (process.getuid?.() === 0) lchownSync(to, stat.uid, stat.gid);
  return stat.isFile() ? stat.size : 4096;
}
