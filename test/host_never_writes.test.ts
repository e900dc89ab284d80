/**
 * The host commands and the library never write to /proc, /sys or a cgroup: shown by strace, call by call.
 *
 * Owns      what counts as writing: opening for it (also O_TRUNC and O_CREAT), every call that changes a name or its properties,
 *           and write itself to a descriptor that is there. The first tests see to it that such a call would be found.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../scripts/setup.mjs';
import { CALLS, kernelPlaces, writesBelow } from './host/strace_text.ts';

const folder = mkdtempSync(join(tmpdir(), 'never-writes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PLACES = kernelPlaces(readFileSync('/proc/self/mountinfo', 'utf8'));

for (const line of [
  'openat(AT_FDCWD</root>, "/proc/12/clear_refs", O_WRONLY|O_CLOEXEC) = 3</proc/12/clear_refs>',
  '71 openat(AT_FDCWD</root>, "/proc/self/oom_adj", O_RDWR) = -1 EACCES (Permission denied)',
  '[pid    71] openat(4</sys/fs/cgroup/x>, "memory.reclaim", O_RDONLY|O_TRUNC) = 5</sys/fs/cgroup/x/memory.reclaim>',
  'open("/proc/../sys/kernel/mm/ksm/run", O_WRONLY) = 3',
  'openat(AT_FDCWD</>, "proc/sys/vm/drop_caches", O_WRONLY) = 3</proc/sys/vm/drop_caches>',
  'openat2(AT_FDCWD</root>, "/sys/x", {flags=O_RDWR, resolve=0}, 24) = 3</sys/x>',
  'openat(AT_FDCWD</root>, "innocent", O_WRONLY) = 3</proc/9/clear_refs>',
  'creat("/sys/fs/cgroup/x/y", 0644) = 3',
  'mkdir("/sys/fs/cgroup/x", 0777) = 0',
  'rmdir("/sys/fs/cgroup/x") = 0',
  'unlinkat(4</sys/fs/cgroup>, "x", AT_REMOVEDIR) = 0',
  'mount("none", "/proc/sys", "tmpfs", 0, NULL) = 0',
  'fchmod(3</proc/12/mem>, 0600) = -1 EPERM (Operation not permitted)',
  'write(3</proc/12/clear_refs>, "1", 1) = 1',
  'pwrite64(7</sys/kernel/mm/page_idle/bitmap>, "\\377", 8, 0) = 8',
  '71 openat(AT_FDCWD</root>, "/proc/1/clear_refs", O_WRONLY <unfinished ...>\n72 close(3) = 0\n71 <... openat resumed>) = 3</proc/1/clear_refs>',
  '71 openat(AT_FDCWD</root>, "/proc/1/clear_refs", O_WRONLY <unfinished ...>',
])
  test(`found: ${line}`, () => expect(writesBelow(line, ['/proc', '/sys'])).toHaveLength(1));

for (const line of [
  'openat(AT_FDCWD</root>, "/proc/12/maps", O_RDONLY|O_CLOEXEC) = 3</proc/12/maps>',
  'openat(AT_FDCWD</root>, "/tmp/x", O_WRONLY|O_CREAT, 0600) = 3</tmp/x>',
  'openat(AT_FDCWD</root>, "/process", O_WRONLY) = 3</process>',
  'write(1</dev/pts/0>, "/proc/12/clear_refs", 19) = 19',
  'write(3<pipe:[12]>, "x", 1) = 1',
  'close(3</proc/12/maps>) = 0',
  '+++ exited with 0 +++',
])
  test(`no write: ${line}`, () => expect(writesBelow(line, ['/proc', '/sys'])).toEqual([]));

/** Why nothing can be traced here, or null. */
function reason(): string | null {
  const { status, error } = spawnSync('strace', ['-f', '--seccomp-bpf', '-y', '-e', 'trace=openat', 'true']);
  if (error !== undefined) return 'no strace';
  return status === 0 ? null : 'strace may not trace here';
}

/** The lines of what it called, and how it ended. */
function traced(command: string, args: readonly string[]): { lines: string; status: number | null; stderr: string } {
  const output = join(folder, 'trace');
  const known = CALLS.map((call) => `?${call}`).join(',');
  const words = [
    '-f',
    '--seccomp-bpf',
    '-y',
    '-s',
    '512',
    '-o',
    output,
    '-e',
    `trace=${known}`,
    '-e',
    'signal=none',
    command,
    ...args,
  ];
  const { status, stderr } = spawnSync('strace', words, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return { lines: readFileSync(output, 'utf8'), status, stderr };
}

// What is built is built before.
beforeAll(() => makeReady());

const missing = reason();
const named = (name: string) => (missing === null ? name : `${name} (skipped: ${missing})`);
const revmap = (...args: string[]) => ['bin/revmap', ...args];

test.skipIf(missing !== null)(named('a program that writes to /proc is found'), () => {
  const script = 'require("fs").writeFileSync("/proc/self/comm", "found")';
  const { lines, status } = traced(process.execPath, ['-e', script]);
  expect(status).toBe(0);
  expect(writesBelow(lines, PLACES).join('\n')).toMatch(/openat\(.*comm.*O_WRONLY/);
});

const LIBRARY = `
  import { LiveHost } from './dist/host.js';
  const host = new LiveHost();
  const all = host.snapshot({ smaps: true, commands: true });
  host.snapshot({ frames: 'mapped', pids: [process.pid] });
  if (all.processes.length === 0) process.exitCode = 1;
`;
const file = join(folder, 'host.rvh.gz');
const self = String(process.pid);

/** A page that is there. */
function topOfStack(): string {
  const end = /-([0-9a-f]+) .*\[stack\]/.exec(readFileSync('/proc/self/maps', 'utf8'))![1];
  return `0x${(BigInt(`0x${end}`) - 4096n).toString(16)}`;
}

for (const { what, args } of [
  { what: 'snapshot', args: revmap('snapshot', '-o', file, '--smaps', '--commands') },
  { what: 'who --shared-with', args: revmap('who', '--shared-with', self) },
  { what: 'who --pid --addr', args: revmap('who', '--pid', self, '--addr', topOfStack()) },
  ...(process.getuid?.() === 0 ? [{ what: 'who --pfn', args: revmap('who', '--pfn', '4096') }] : []),
  { what: 'who --file', args: revmap('who', '--file', process.execPath) },
  { what: 'ps', args: revmap('ps', '--json') },
  { what: 'ps --by cgroup', args: revmap('ps', '--by', 'cgroup') },
  { what: 'files', args: revmap('files', '--host', '--dir', 'src') },
  { what: 'frames', args: revmap('frames', '--by', 'all') },
  { what: 'frames --map', args: revmap('frames', '--map') },
  { what: 'diff', args: revmap('diff', file) },
  { what: 'ps --from', args: revmap('ps', '--from', file) },
  { what: 'proc --from', args: revmap('proc', '--from', file, '--export', join(folder, 'proc')) },
  { what: 'LiveHost', args: ['--input-type=module', '-e', LIBRARY] },
])
  test.skipIf(missing !== null)(named(`${what} writes nothing there`), () => {
    const { lines, status, stderr } = traced(process.execPath, args);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const reads = lines.split('\n').filter((line) => /openat\(.*"\/proc\/.*O_RDONLY/.test(line)).length;
    expect(reads > 3 || args.includes('--from')).toBe(true);
    expect(writesBelow(lines, PLACES)).toEqual([]);
  });
