/**
 * `cachedFiles` against a live kernel: files that the tests write, drop, delete, hide and shrink.
 * Where this machine does not allow it, tests are skipped, and their names say why.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { type CacheAnswer, type CacheOptions, cachedFiles } from '../../src/host/page_cache/page_cache.ts';
import { fileRows } from '../../src/host/page_cache/page_cache_rows.ts';
import { cacheSums } from '../../src/host/page_cache/page_cache_sums.ts';
import { HostFiles, Refusal } from '../../src/host/read/host_files.ts';
import { loadSyscalls, type Syscalls } from '../../src/host/read/syscalls.ts';
import { takeSnapshot } from '../../src/host/read/take.ts';
import type { CachedFile, HostFile, HostSnapshot } from '../../src/host/snapshot.ts';
import { decodeName, encodeName } from '../../src/host/text.ts';

const PAGE = 4096;
const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
const folder = mkdtempSync(join(tmpdir(), 'revmap-files-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const calls = await loadSyscalls();
const missing = whyNot();
const isRoot = process.geteuid?.() === 0;
const withoutRoot = missing ?? (isRoot ? null : 'only root may');
const mayMount = () => spawnSync('unshare', ['-m', 'true']).status === 0;
const withoutMounts = withoutRoot ?? (mayMount() ? null : 'no mount namespace may be made');
const named = (name: string, why: string | null) => (why === null ? name : `${name} (skipped: ${why})`);

function whyNot(): string | null {
  if (typeof calls === 'string') return calls;
  if (statfsSync(folder).type === OVERLAYFS_SUPER_MAGIC) return 'the folder for temporary files is an overlay';
  const fd = openSync('/proc/self/exe', 'r');
  const counts = calls.cachestat(fd);
  closeSync(fd);
  return counts instanceof Refusal && counts.errno === 'ENOSYS' ? 'this kernel has no cachestat' : null;
}

function lacks(program: string): string | null {
  return spawnSync(program, ['--version']).error === undefined ? null : `there is no ${program}`;
}

/** A snapshot of these processes only. */
function snapshotOf(...pids: number[]): HostSnapshot {
  return takeSnapshot(new HostFiles(), { pids, frames: 'none', rollups: false });
}

type Found = CachedFile & Pick<HostFile, 'path' | 'deleted' | 'inode'>;

function found({ files, cache }: CacheAnswer): Found[] {
  return (cache ?? []).map((cached) => ({ ...files[cached.file]!, ...cached }));
}

async function named_(paths: string[], options: CacheOptions = {}): Promise<Found[]> {
  const answer = await cachedFiles(new HostFiles(), snapshotOf(process.pid), { pids: null, paths, ...options });
  expect(answer.refused).toEqual([]);
  return found(answer);
}

async function heldBy(pid: number): Promise<{ answer: CacheAnswer; files: Found[]; snapshot: HostSnapshot }> {
  const snapshot = snapshotOf(pid);
  const answer = await cachedFiles(new HostFiles(), snapshot, { pids: new Set([pid]) });
  return { answer, files: found(answer), snapshot };
}

/** Written, and on its disk. */
function fileOf(name: string, pages: number): string {
  const path = join(folder, name);
  const fd = openSync(path, 'w');
  writeSync(fd, new Uint8Array(pages * PAGE).fill(1));
  fsyncSync(fd);
  closeSync(fd);
  return path;
}

/** Out of the page cache: POSIX_FADV_DONTNEED. */
function drop(path: string): void {
  expect(spawnSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0']).status).toBe(0);
}

/** A child that says a line when it is ready, and stays until its input ends. */
async function child(
  command: string,
  args: string[],
): Promise<{ pid: number; line: string; end: () => Promise<void> }> {
  const process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(process);
  const line = await new Promise<string>((resolve, reject) => {
    process.stdout.once('data', (data) => resolve(String(data).trim()));
    process.once('exit', (code) => reject(new Error(`${command} ended with ${code}`)));
    process.once('error', reject);
  });
  const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()));
  const end = () => {
    process.stdin.end();
    return ended;
  };
  return { pid: process.pid!, line, end };
}

test.skipIf(missing !== null)(named('dirty before sync, clean after, gone when dropped', missing), async () => {
  const path = join(folder, 'written');
  const fd = openSync(path, 'w');
  writeSync(fd, new Uint8Array(40 * PAGE));
  const [before] = await named_([path]);
  expect(before).toMatchObject({ path, sizeBytes: 40 * PAGE, cachedPages: 40, kind: 'file', deleted: false });
  expect(before!.dirtyPages! + before!.writebackPages!).toBeGreaterThan(0);
  fsyncSync(fd);
  closeSync(fd);
  expect((await named_([path]))[0]).toMatchObject({ cachedPages: 40, dirtyPages: 0, writebackPages: 0 });
  drop(path);
  expect((await named_([path]))[0]).toMatchObject({ cachedPages: 0, sizeBytes: 40 * PAGE, ranges: null });
});

test.skipIf(missing !== null)(named('ranges: what was written of a sparse file', missing), async () => {
  const path = join(folder, 'sparse');
  const fd = openSync(path, 'w');
  ftruncateSync(fd, 2 ** 32);
  for (const page of [3, 4, 1000]) writeSync(fd, new Uint8Array(PAGE), 0, PAGE, page * PAGE);
  closeSync(fd);
  const [file] = await named_([path], { ranges: true });
  expect(file).toMatchObject({
    cachedPages: 3,
    ranges: [
      [3, 2],
      [1000, 1],
    ],
  });
});

const noVmtouch = missing ?? lacks('vmtouch');

test.skipIf(noVmtouch !== null)(named('vmtouch counts the same pages', noVmtouch), async () => {
  const path = fileOf('oracle', 256);
  drop(path);
  // Read-ahead brings in more than is asked for, and how much is the kernel's business.
  for (const page of [0, 96, 200]) {
    expect(spawnSync('dd', [`if=${path}`, 'of=/dev/null', 'bs=4096', `skip=${page}`, 'count=2']).status).toBe(0);
    const [file] = await named_([path], { ranges: true });
    const { stdout } = spawnSync('vmtouch', ['-v', path], { encoding: 'utf8' });
    expect(stdout).toContain(`Resident Pages: ${file!.cachedPages}/256`);
    expect(file!.ranges!.reduce((sum, [, pages]) => sum + pages, 0)).toBe(file!.cachedPages);
    expect(file!.cachedPages).toBeGreaterThan(0);
  }
});

test.skipIf(missing !== null)(
  named('a directory: each inode once, no links, and nothing but files is opened', missing),
  async () => {
    const top = join(folder, 'tree');
    mkdirSync(join(top, 'a', 'b'), { recursive: true });
    mkdirSync(join(top, 'empty'));
    const outside = fileOf('outside', 3);
    writeFileSync(join(top, 'a', 'one'), new Uint8Array(2 * PAGE));
    linkSync(join(top, 'a', 'one'), join(top, 'a', 'b', 'two'));
    symlinkSync(outside, join(top, 'link'));
    symlinkSync(folder, join(top, 'a', 'up'));
    symlinkSync('loop', join(top, 'loop'));
    writeFileSync(join(top, 'nothing'), '');
    expect(spawnSync('mkfifo', [join(top, 'fifo')]).status).toBe(0);
    const server = createServer().listen(join(top, 'socket'));
    const odd = [encodeName('new\nline \u001b[31mred'), Uint8Array.of(0x61, 0xff, 0xfe)];
    for (const name of odd) writeFileSync(Buffer.concat([Buffer.from(`${top}/a/b/`), name]), new Uint8Array(PAGE));
    const answer = await cachedFiles(new HostFiles(), snapshotOf(), { pids: null, paths: [top] });
    server.close();
    expect(answer).toMatchObject({ refused: [], missing: [], askedFiles: 4 });
    const names = found(answer).map(({ path, cachedPages }) => [path, cachedPages]);
    const want = odd.map((name) => [`${top}/a/b/${decodeName(name)}`, 1]);
    expect(new Set(names)).toEqual(new Set([...want, [names.find(([path]) => /one$|two$/.test(String(path)))![0], 2]]));
    expect(names.length).toBe(3);
  },
);

test.skipIf(missing !== null)(named('paths that are no files say why', missing), async () => {
  const loop = join(folder, 'circle');
  symlinkSync(loop, loop);
  const paths = [join(folder, 'none'), loop, '/dev/null', '/proc', '/proc/self/maps'];
  const { refused, cache } = await cachedFiles(new HostFiles(), snapshotOf(), { pids: null, paths });
  expect(refused.map(({ why }) => why)).toEqual([
    'ENOENT',
    'ELOOP',
    'not a regular file or a directory',
    'its files are made up when they are read: they have no page cache',
  ]);
  expect(cache).toEqual([]);
});

test.skipIf(missing !== null)(named('a path deeper than PATH_MAX', missing), async () => {
  const { path, remove } = deepFolder(join(folder, 'deep'), 60);
  const files = await named_([join(folder, 'deep')]);
  expect(files.map((file) => [file.path, file.cachedPages])).toEqual([[`${path}/file`, 1]]);
  remove();
});

/** Sixty folders of a hundred characters, each made from inside the one before: no path may be that long. */
function deepFolder(top: string, depth: number): { path: string; remove: () => void } {
  mkdirSync(top);
  const name = 'd'.repeat(100);
  const script = `cd "$1"; for i in $(seq ${depth}); do mkdir ${name}; cd -P ${name}; done; head -c 4096 /dev/zero > file`;
  expect(spawnSync('sh', ['-c', script, 'sh', top]).status).toBe(0);
  return { path: [top, ...Array(depth).fill(name)].join('/'), remove: () => rmDeep(top) };
}

function rmDeep(top: string): void {
  expect(spawnSync('rm', ['-rf', top]).status).toBe(0);
}

test.skipIf(missing !== null)(named('a file that is deleted and open, by whom', missing), async () => {
  const path = fileOf('gone', 7);
  const holder = await child('sh', ['-c', 'exec 3<"$1"; rm "$1"; echo ready; read x', 'sh', path]);
  const { files } = await heldBy(holder.pid);
  await holder.end();
  const file = files.find((one) => one.path === path);
  expect(file).toMatchObject({ deleted: true, cachedPages: 7, openBy: [holder.pid] });
});

test.skipIf(missing !== null)(named('a file that is named: who has it open', missing), async () => {
  const path = fileOf('kept', 7);
  const holder = await child('sh', ['-c', 'exec 3<"$1" 4<"$1"; echo ready; read x', 'sh', path]);
  const answer = await cachedFiles(new HostFiles(), snapshotOf(holder.pid), { pids: null, paths: [path] });
  await holder.end();
  expect(found(answer)).toMatchObject([{ path, cachedPages: 7, openBy: [holder.pid] }]);
});

const noCompiler = missing ?? lacks('cc');

test.skipIf(noCompiler !== null)(
  named('memfds, shared memory without a file, and of System V', noCompiler),
  async () => {
    const program = join(folder, 'holder');
    const source = fileURLToPath(new URL('page_cache_holder.c', import.meta.url));
    expect(spawnSync('cc', ['-O1', '-o', program, source], { stdio: 'inherit' }).status).toBe(0);
    const holder = await child(program, []);
    const [attached, detached] = holder.line.split(' ');
    const { files, snapshot, answer } = await heldBy(holder.pid);
    const everywhere = await cachedFiles(new HostFiles(), snapshot, { pids: new Set([holder.pid]), kernels: true });
    await holder.end();
    const memfd = files.find(({ path }) => path === '/memfd:held by a test');
    expect(memfd).toMatchObject({
      kind: 'shmem',
      deleted: true,
      cachedPages: 10,
      evictedPages: 0,
      openBy: [holder.pid],
    });
    const withCache = { ...snapshot, files: answer.files, cache: answer.cache };
    const rows = fileRows(withCache, { pids: new Set([holder.pid]), cgroups: null, under: null, onlyAsked: false });
    expect(rows.find(({ file }) => file.path === '/memfd:held by a test')).toMatchObject({
      mappedBy: [holder.pid],
      mappedPages: 3,
      share: 1,
    });
    // Others' files are reached through map_files, which is root's.
    if (!isRoot) return;
    expect(files.find(({ path }) => path === '/dev/zero')).toMatchObject({ kind: 'shmem', cachedPages: 5 });
    const segments = found(everywhere).filter(({ path }) => path.startsWith('/SYSV'));
    const pagesOf = (id: string) => segments.filter(({ inode }) => inode === id).map(({ cachedPages }) => cachedPages);
    expect(pagesOf(attached!)).toEqual([8]);
    expect(pagesOf(detached!)).toEqual([6]);
  },
);

test.skipIf(withoutMounts !== null)(named('a file that only another mount namespace has', withoutMounts), async () => {
  const hidden = join(folder, 'hidden');
  mkdirSync(hidden);
  const script = 'mount -t tmpfs t "$1"; head -c 40960 /dev/zero > "$1/f"; exec 3<"$1/f"; echo ready; read x';
  const holder = await child('unshare', ['-m', 'sh', '-c', script, 'sh', hidden]);
  const { files } = await heldBy(holder.pid);
  await holder.end();
  expect(existsSync(join(hidden, 'f'))).toBe(false);
  expect(files.find(({ path }) => path === join(hidden, 'f'))).toMatchObject({ kind: 'shmem', cachedPages: 10 });
});

const noOverlay =
  withoutRoot ?? (/\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8')) ? null : 'no overlayfs');

test.skipIf(noOverlay !== null)(named("overlays: the layer's file is asked, and once", noOverlay), async () => {
  const dirs = ['l', 'u1', 'w1', 'm1', 'u2', 'w2', 'm2', 'alone'].map((name) => join(folder, 'overlay', name));
  for (const dir of dirs) mkdirSync(dir, { recursive: true });
  const lower = fileOf('overlay/l/f', 12);
  const script = `cd "$1"
    for i in 1 2; do mount -t overlay o -o lowerdir=$1/l,upperdir=$1/u$i,workdir=$1/w$i $1/m$i; done
    head -c 8192 /dev/zero > m1/upper; sync m1/upper
    exec 3<m1/f 4<m2/f 5<m1/upper; echo ready; read x`;
  const holder = await child('unshare', ['-m', 'sh', '-c', script, 'sh', join(folder, 'overlay')]);
  const { files } = await heldBy(holder.pid);
  await holder.end();
  const ours = files.filter(({ path }) => path.startsWith(folder));
  expect(ours.map(({ path, cachedPages, dirtyPages }) => [path, cachedPages, dirtyPages])).toEqual([
    [join(folder, 'overlay/m1/f'), 12, 0],
    [join(folder, 'overlay/m1/upper'), 2, 0],
  ]);
  expect(ours[0]!.inode).toBe(String(statSync(lower).ino));
});

test.skipIf(noOverlay !== null)(
  named('an overlay whose layers are hidden: mincore, and the rest is not known', noOverlay),
  async () => {
    const top = join(folder, 'overlay2');
    for (const name of ['l', 'u', 'w', 'm']) mkdirSync(join(top, name), { recursive: true });
    fileOf('overlay2/l/f', 12);
    const script = `mkdir $1/in; mount -t tmpfs t $1/in; mkdir $1/in/l; mount --bind $1/l $1/in/l
    mount -t overlay o -o lowerdir=$1/in/l $1/m -o upperdir=$1/u,workdir=$1/w
    umount $1/in/l; exec 3<$1/m/f; cat <&3 >/dev/null; echo ready; read x`;
    const holder = await child('unshare', ['-m', 'sh', '-c', script, 'sh', top]);
    const { files, answer } = await heldBy(holder.pid);
    await holder.end();
    expect(files.find(({ path }) => path === join(top, 'm/f'))).toMatchObject({
      cachedPages: 12,
      dirtyPages: null,
      evictedPages: null,
    });
    expect(answer.missing).toContainEqual({
      what: 'cachestat of overlays',
      why: 'no layer is seen, so by mincore',
      count: 1,
    });
  },
);

/** The kernel, with some calls of ours instead. */
function otherwise(changed: Partial<Syscalls>): Syscalls {
  return Object.assign(Object.create(calls as Syscalls) as Syscalls, changed);
}

for (const { why, changed, cached, dirty, noted } of [
  {
    why: 'no cachestat: mincore',
    changed: { cachestat: () => new Refusal('ENOSYS') },
    cached: 9,
    dirty: null,
    noted: [{ what: 'cachestat', why: 'ENOSYS, so by mincore', count: 1 }],
  },
  {
    why: 'an error of the disk',
    changed: { cachestat: () => new Refusal('ENOSYS'), resident: () => new Refusal('EIO') },
    cached: null,
    dirty: null,
    noted: [{ what: 'files', why: 'EIO', count: 1 }],
  },
  {
    why: 'somebody else has a lease on it',
    changed: {
      reopen: (handle: number, directory = false) =>
        directory ? (calls as Syscalls).reopen(handle, true) : new Refusal('EAGAIN'),
    },
    cached: null,
    dirty: null,
    noted: [{ what: 'files', why: 'EAGAIN', count: 1 }],
  },
  {
    why: 'a directory that may not be read',
    changed: { entries: () => new Refusal('EACCES') },
    cached: null,
    dirty: null,
    noted: null,
  },
])
  test.skipIf(missing !== null)(named(`what the kernel refuses is counted: ${why}`, missing), async () => {
    const top = mkdtempSync(join(folder, 'refused-'));
    const path = join(top, 'f');
    writeFileSync(path, new Uint8Array(9 * PAGE));
    const answer = await cachedFiles(new HostFiles(), snapshotOf(), { pids: null, paths: [top] }, otherwise(changed));
    if (noted === null) expect(answer.refused).toEqual([{ path: top, why: 'EACCES' }]);
    else expect(answer.missing).toEqual(noted);
    const [file] = found(answer);
    expect(file?.cachedPages ?? null).toBe(cached);
    expect(file?.dirtyPages ?? null).toBe(dirty);
  });

test.skipIf(missing !== null)(named('a file that shrinks between the look and the question', missing), async () => {
  const path = fileOf('shrinks', 30);
  const reopen = (handle: number, directory?: boolean) => {
    truncateSync(path, 2 * PAGE);
    return (calls as Syscalls).reopen(handle, directory);
  };
  const kernel = otherwise({ reopen });
  const options: CacheOptions = { pids: null, paths: [path], ranges: true };
  const [file] = found(await cachedFiles(new HostFiles(), snapshotOf(), options, kernel));
  expect(file).toMatchObject({ cachedPages: 2, ranges: [[0, 2]] });
});

test('without koffi there is no answer, and the reason', async () => {
  const answer = await cachedFiles(new HostFiles(), snapshotOf(process.pid), {}, 'no koffi');
  expect(answer).toMatchObject({
    cache: null,
    askedFiles: 0,
    missing: [{ what: 'cachestat', why: 'no koffi', count: 1 }],
  });
});

test.skipIf(withoutRoot !== null)(
  named('the whole host: what is found is a part of what meminfo says', withoutRoot),
  // Others write and delete files while we count, now and then more than is allowed below.
  { retry: 3 },
  async () => {
    const top = join(folder, 'unmapped');
    mkdirSync(top, { recursive: true });
    for (let i = 0; i < 8; i++) fileOf(`unmapped/${i}`, 1024);
    const snapshot = takeSnapshot(new HostFiles(), { rollups: false });
    const { files, cache, meminfo } = await cachedFiles(new HostFiles(), snapshot, { paths: [top] });
    const ours = cache!.filter(({ file }) => files[file]!.path.startsWith(`${top}/`));
    expect(ours.map(({ cachedPages }) => cachedPages)).toEqual(Array(8).fill(1024));
    const moved = 16_384;
    const sums = cacheSums({ ...snapshot, files, cache }, meminfo)!;
    const { found, restFilePages, restShmemPages, cachedPages, frames } = sums;
    expect(restFilePages).toBeGreaterThan(-moved);
    expect(restShmemPages).toBeGreaterThan(-moved);
    expect(found.file.pages + found.shmem.pages + restFilePages + restShmemPages).toBe(cachedPages);
    expect(frames!.filePages + frames!.shmemPages).toBe(frames!.pages);
    expect(frames!.activePages + frames!.inactivePages + frames!.unevictablePages).toBe(frames!.pages);
    expect(Math.abs(frames!.difference)).toBeLessThan(moved);
  },
);
