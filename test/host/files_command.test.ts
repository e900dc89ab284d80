/** `revmap files` as a user sees it: text and JSON, wrong questions, without root, from a snapshot. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Refusal } from '../../src/host/read/host_files.ts';
import { AT_FDCWD, cPath, loadSyscalls } from '../../src/host/read/syscalls.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'revmap-files-'));
afterAll(() => rmSync(folder, { recursive: true }));
// The bundle is made by whoever may write it.
beforeAll(() => void spawnSync(process.execPath, [join(root, 'bin', 'revmap'), '--version']));
chmodSync(folder, 0o755);

const missing = await whyNot();
const withoutRoot = missing ?? (process.geteuid?.() === 0 ? null : 'only root may');
const named = (name: string, why: string | null) => (why === null ? name : `${name} (skipped: ${why})`);

async function whyNot(): Promise<string | null> {
  const calls = await loadSyscalls();
  if (typeof calls === 'string') return calls;
  writeFileSync(join(folder, 'probe'), 'x');
  const handle = calls.openPath(AT_FDCWD, cPath(join(folder, 'probe')), true);
  const fd = handle instanceof Refusal ? handle : calls.reopen(handle);
  const counts = fd instanceof Refusal ? fd : calls.cachestat(fd);
  return !(counts instanceof Refusal) && counts.cachedPages === 1 ? null : 'cachestat does not answer here';
}

interface FileJson {
  path: string;
  cachedPages: number | null;
  mappedBy: number[];
  share: number | null;
}

interface FilesJson {
  files: FileJson[];
  askedFiles: number;
  sums: {
    cachedPages: number;
    restFilePages: number;
    restShmemPages: number;
    found: Record<string, { pages: number }>;
  };
  missing: { what: string; why: string; count: number }[];
}

function revmap(args: string[], user = process.geteuid?.() ?? 0) {
  const options = { encoding: 'utf8' as const, maxBuffer: 2 ** 28, cwd: '/' };
  const who = user === 0 ? {} : { uid: user, gid: user };
  return spawnSync(process.execPath, [join(root, 'bin', 'revmap'), 'files', ...args], { ...options, ...who });
}

function json(...args: string[]): FilesJson {
  const { stdout, stderr, status } = revmap([...args, '--json']);
  expect({ stderr: stderr.replace(/^revmap: building\n/, ''), status }).toEqual({ stderr: '', status: 0 });
  return JSON.parse(stdout);
}

for (const { why, args, status, stderr } of [
  { why: 'nothing is there', args: ['/no/such/file'], status: 1, stderr: 'revmap: /no/such/file: ENOENT\n' },
  { why: 'a device', args: ['/dev/null'], status: 1, stderr: 'revmap: /dev/null: not a regular file or a directory\n' },
  {
    why: 'a process that is none',
    args: ['--pid', '4194304'],
    status: 1,
    stderr: 'revmap: --pid: there is no process 4194304\n',
  },
  {
    why: 'a cgroup that is none',
    args: ['--cgroup', '/no/such'],
    status: 1,
    stderr: 'revmap: --cgroup: there is no memory cgroup /no/such, and no process in it\n',
  },
  {
    why: 'two questions',
    args: ['--pid', '1', '--dir', '/tmp'],
    status: 2,
    stderr: 'revmap: --pid, --cgroup and paths are three questions: ask one at a time\n',
  },
  { why: 'no column', args: ['--sort', 'x'], status: 2, stderr: null },
  { why: 'no number', args: ['--pid', 'x'], status: 2, stderr: null },
  { why: 'nothing is asked with --from', args: ['--from', 'x', '--remote'], status: 2, stderr: null },
])
  test.skipIf(missing !== null)(named(`revmap files refuses: ${why}`, missing), () => {
    const ended = revmap(args);
    const said = ended.stderr.replace(/^revmap: building\n/, '');
    expect({ status: ended.status, stdout: ended.stdout }).toEqual({ status, stdout: '' });
    if (stderr !== null) expect(said).toBe(stderr);
    else expect(said).toMatch(/^revmap: .*\n$/);
  });

const odd = join(folder, 'new\nline\u001b[31m');

test.skipIf(missing !== null)(
  named('names as they are in JSON, harmless on a terminal; --top, --min, --sort', missing),
  () => {
    const top = join(folder, 'names');
    mkdirSync(top);
    writeFileSync(odd.replace(folder, top), new Uint8Array(3 * 4096));
    writeFileSync(Buffer.concat([Buffer.from(`${top}/`), Buffer.of(0xff)]), new Uint8Array(5 * 4096));
    writeFileSync(join(top, 'small'), 'x');
    const { files, askedFiles } = json('--dir', top);
    expect(files.map(({ path, cachedPages, share }) => [path, cachedPages, share])).toEqual([
      [`${top}/\udcff`, 5, 1],
      [odd.replace(folder, top), 3, 1],
      [join(top, 'small'), 1, 1],
    ]);
    expect(askedFiles).toBe(3);
    const text = revmap(['--dir', top, '--top', '2', '--min', '8K', '--sort', 'file']).stdout;
    expect(text).toContain('new?line?[31m');
    expect(text).not.toContain('small');
    // No control character but the end of a line.
    expect([...text].filter((character) => character < ' ' && character !== '\n')).toEqual([]);
  },
);

test.skipIf(missing !== null)(named('a process: what it maps, and no other file', missing), () => {
  const { files } = json('--pid', String(process.pid));
  expect(files.length).toBeGreaterThan(0);
  expect(files.every(({ mappedBy, path }) => mappedBy.includes(process.pid) || path.startsWith('/'))).toBe(true);
  const node = files.find(({ mappedBy, path }) => mappedBy.includes(process.pid) && path.endsWith('/node'));
  expect(node?.cachedPages).toBeGreaterThan(0);
});

test.skipIf(withoutRoot !== null)(named('the whole host: the lines add up', withoutRoot), () => {
  const { sums, files } = json();
  const { found } = sums;
  expect(found['file']!.pages + found['shmem']!.pages + sums.restFilePages + sums.restShmemPages).toBe(
    sums.cachedPages,
  );
  expect(files.reduce((sum, { cachedPages }) => sum + (cachedPages ?? 0), 0)).toBe(
    found['file']!.pages + found['shmem']!.pages + found['device']!.pages,
  );
});

test.skipIf(withoutRoot !== null)(
  named('without root: our own files, and what was refused is counted', withoutRoot),
  () => {
    const nobody = 65534;
    const top = join(folder, 'closed');
    mkdirSync(join(top, 'folder'), { recursive: true });
    for (const [name, mode] of [
      ['own', 0o666],
      ['readable', 0o644],
      ['closed', 0o600],
    ] as const) {
      writeFileSync(join(top, name), new Uint8Array(4096));
      chmodSync(join(top, name), mode);
    }
    chmodSync(join(top, 'folder'), 0o700);
    const { stdout, status, stderr } = revmap(['--json', top], nobody);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { files, missing: refused } = JSON.parse(stdout) as FilesJson;
    const why = (what: string) => refused.filter((one) => one.what === what).map(({ why, count }) => `${count} ${why}`);
    expect(files.map(({ path }) => path)).toContain(join(top, 'own'));
    expect(why('directories')).toEqual(['1 EACCES']);
    expect(why('files')).toContain('1 EACCES');
  },
);

const withoutStrace = missing ?? (spawnSync('strace', ['-V']).error === undefined ? null : 'there is no strace');

test.skipIf(withoutStrace !== null)(
  named('files are opened for reading, without a new atime; FIFOs and sockets never', withoutStrace),
  () => {
    const top = join(folder, 'traced');
    mkdirSync(join(top, 'folder'), { recursive: true });
    writeFileSync(join(top, 'folder', 'regular'), new Uint8Array(4096));
    expect(spawnSync('mkfifo', [join(top, 'folder', 'fifo')]).status).toBe(0);
    const log = join(folder, 'strace');
    const command = [process.execPath, join(root, 'bin', 'revmap'), 'files', '--ranges', top];
    expect(
      spawnSync('strace', ['-f', '-o', log, '-e', 'trace=open,openat,openat2,mmap', '--', ...command]).status,
    ).toBe(0);
    const lines = readFileSync(log, 'utf8').split('\n');
    const opened = lines.filter(
      (line) => /"(\/proc\/self\/fd\/\d+|regular|folder|fifo)"/.test(line) || line.includes(`"${top}`),
    );
    expect(opened.filter((line) => line.includes('"regular"')).length).toBe(1);
    expect(opened.filter((line) => /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|"fifo"/.test(line))).toEqual([]);
    expect(opened.filter((line) => !/O_PATH|O_NOATIME/.test(line))).toEqual([]);
    expect(opened.some((line) => /self\/fd.*O_NONBLOCK.*O_NOATIME/.test(line))).toBe(true);
    expect(lines.filter((line) => /mmap\(.*PROT_NONE, MAP_SHARED, \d+/.test(line)).length).toBe(1);
  },
);
