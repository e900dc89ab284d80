/** Each prototype is called, and compared with what Node says of the same. Where koffi is missing, the names say so. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { decodeName, encodeName } from '../text.ts';
import { HostFiles, Refusal } from './host_files.ts';
import { AT_FDCWD, cPath, loadSyscalls, type Syscalls } from './syscalls.ts';

const loaded = await loadSyscalls();
const folder = mkdtempSync(join(tmpdir(), 'revmap-syscalls-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PAGE = 4096;
const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
const missing = typeof loaded === 'string' ? loaded : cachestatMissing(loaded);
const named = (name: string, why: string | null) => (why === null ? name : `${name} (skipped: ${why})`);

function calls(): Syscalls {
  if (typeof loaded === 'string') throw new Error(loaded);
  return loaded;
}

function cachestatMissing(known: Syscalls): string | null {
  if (statfsSync(folder).type === OVERLAYFS_SUPER_MAGIC) return 'cachestat of an overlay sees nothing';
  const fd = openSync(folder, 'r');
  const counts = known.cachestat(fd);
  closeSync(fd);
  return counts instanceof Refusal && counts.errno === 'ENOSYS' ? 'this kernel has no cachestat' : null;
}

function answered<T>(answer: T | Refusal): T {
  if (answer instanceof Refusal) throw new Error(answer.errno);
  return answer;
}

const withoutKoffi = typeof loaded === 'string' ? loaded : null;

test.skipIf(withoutKoffi !== null)(named('statOf and statAt are stat(2)', withoutKoffi), () => {
  const path = join(folder, 'stat');
  writeFileSync(path, 'x'.repeat(10_000));
  for (const at of [path, folder, '/dev/null', '/proc/self/status', '/usr/bin/env']) {
    const want = statSync(at, { bigint: true });
    const handle = answered(calls().openPath(AT_FDCWD, cPath(at), true));
    const stat = answered(calls().statOf(handle));
    calls().close(handle);
    expect(stat).toMatchObject({ sizeBytes: Number(want.size), uid: Number(want.uid), links: Number(want.nlink) });
    const kind = want.isFile() ? 'file' : want.isDirectory() ? 'directory' : 'other';
    expect(stat.kind).toBe(kind);
    if (!at.startsWith('/proc')) expect(stat.inode).toBe(String(want.ino));
    if (!at.startsWith('/proc')) expect(calls().statAt(cPath(at))).toEqual(stat);
  }
});

for (const { why, make, follow, want } of [
  { why: 'nothing is there', make: () => {}, follow: true, want: 'ENOENT' },
  { why: 'links in a circle', make: (at: string) => symlinkSync(at, at), follow: true, want: 'ELOOP' },
  { why: 'a name that is too long', make: () => {}, follow: true, want: 'ENAMETOOLONG' },
])
  test.skipIf(withoutKoffi !== null)(named(`openPath refuses: ${why}`, withoutKoffi), () => {
    const at = join(folder, want === 'ENAMETOOLONG' ? 'x'.repeat(300) : want);
    make(at);
    expect(calls().openPath(AT_FDCWD, cPath(at), follow)).toEqual(new Refusal(want));
  });

test.skipIf(withoutKoffi !== null)(
  named('a handle on a FIFO or a link does not wait for anybody', withoutKoffi),
  () => {
    const fifo = join(folder, 'fifo');
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
    const link = join(folder, 'link');
    symlinkSync(fifo, link);
    for (const [at, kind] of [
      [fifo, 'other'],
      [link, 'link'],
    ] as const) {
      const handle = answered(calls().openPath(AT_FDCWD, cPath(at), false));
      expect(answered(calls().statOf(handle)).kind).toBe(kind);
      calls().close(handle);
    }
  },
);

test.skipIf(withoutKoffi !== null)(named('fileSystemOf is statfs(2)', withoutKoffi), () => {
  for (const at of [folder, '/proc', '/dev']) {
    const handle = answered(calls().openPath(AT_FDCWD, cPath(at), true));
    const { magic, usedInodes } = answered(calls().fileSystemOf(handle));
    calls().close(handle);
    const want = statfsSync(at);
    expect(magic).toBe(want.type);
    if (at !== folder) expect(usedInodes).toBe(want.files - want.ffree);
  }
});

test.skipIf(withoutKoffi !== null)(
  named('entries: every name once, of any bytes, over many reads', withoutKoffi),
  () => {
    const many = join(folder, 'many');
    mkdirSync(many);
    const odd = ['new\nline', '\u001b[31m', '.hidden', '..x', 'x'.repeat(255)].map((name) => encodeName(name));
    odd.push(Uint8Array.of(0xff, 0xfe, 0x61), Uint8Array.of(0x2e, 0xff));
    for (const name of odd) writeFileSync(Buffer.concat([Buffer.from(`${many}/`), name]), '');
    for (let i = 0; i < 6000; i++) writeFileSync(join(many, `name-${'long'.repeat(10)}-${i}`), '');
    mkdirSync(join(many, 'folder'));
    const fd = openSync(many, constants.O_RDONLY);
    const found: [string, string][] = [];
    for (let entries = calls().entries(fd); entries !== null; entries = calls().entries(fd))
      for (const { name, kind } of answered(entries)) found.push([decodeName(name.subarray(0, -1)), kind]);
    closeSync(fd);
    const want = readdirSync(many, { encoding: 'buffer' }).map((name) => decodeName(name));
    expect(found.map(([name]) => name).sort()).toEqual(want.sort());
    expect(found.find(([name]) => name === 'folder')?.[1]).toMatch(/directory|unknown/);
    expect(found.find(([name]) => name === '.hidden')?.[1]).toMatch(/file|unknown/);
    expect(calls().entries(fd)).toEqual(new Refusal('EBADF'));
  },
);

test.skipIf(missing !== null)(named('cachestat: dirty when written, clean when synced', missing), () => {
  const fd = openSync(join(folder, 'written'), 'w+');
  writeSync(fd, new Uint8Array(50 * PAGE + 1));
  const written = answered(calls().cachestat(fd));
  expect(written.cachedPages).toBe(51);
  expect(written.dirtyPages + written.writebackPages).toBeGreaterThan(0);
  fsyncSync(fd);
  const clean = { cachedPages: 51, dirtyPages: 0, writebackPages: 0, evictedPages: 0, recentlyEvictedPages: 0 };
  expect(calls().cachestat(fd)).toEqual(clean);
  ftruncateSync(fd, 0);
  expect(calls().cachestat(fd)).toEqual({ ...clean, cachedPages: 0 });
  closeSync(fd);
  expect(calls().cachestat(fd)).toEqual(new Refusal('EBADF'));
});

test.skipIf(withoutKoffi !== null)(
  named('resident: the ranges that were written, in windows of 1 GiB', withoutKoffi),
  () => {
    const fd = openSync(join(folder, 'sparse'), 'w+');
    const bytes = 3 * 2 ** 30 + 1;
    ftruncateSync(fd, bytes);
    const lastOfWindow = 2 ** 18 - 1;
    for (const page of [0, 5, 6, lastOfWindow, lastOfWindow + 1, 700_000])
      writeSync(fd, new Uint8Array(PAGE), 0, PAGE, page * PAGE);
    const ranges: number[][] = [];
    const pages = answered(calls().resident(fd, bytes, (first, count) => ranges.push([first, count])));
    expect(ranges).toEqual([
      [0, 1],
      [5, 2],
      [lastOfWindow, 2],
      [700_000, 1],
    ]);
    expect(pages).toBe(6);
    expect(calls().resident(fd, 0, () => {})).toBe(0);
    closeSync(fd);
    expect(calls().resident(fd, PAGE, () => {})).toEqual(new Refusal('EBADF'));
  },
);

test.skipIf(withoutKoffi !== null)(named('no descriptor is left open', withoutKoffi), () => {
  for (let i = 0; i < 100; i++) {
    const handle = answered(calls().openPath(AT_FDCWD, cPath(folder), true));
    calls().close(answered(calls().reopen(handle, true)));
    calls().close(handle);
    expect(calls().reopen(handle)).toBeInstanceOf(Refusal);
  }
  const open = readdirSync('/proc/self/fd').map((fd) => new HostFiles().link(`/proc/self/fd/${fd}`));
  expect(open).not.toContain(folder);
});
