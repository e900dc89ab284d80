/** `revmap serve` as its user meets it, and as another user of the same machine does. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readSnapshotBytes } from '../../src/host/file/snapshot_unpack.ts';
import { type HostSnapshot, isMapped } from '../../src/host/snapshot.ts';
import { entered, FETCH, Installed, OPENED, rawAnswer, requestText, type Serving } from './serving.ts';

let installed: Installed;
let program: string;
beforeAll(() => {
  installed = Installed.make();
  program = installed.file('p.mmp', '%mmp 1\n1 brk(0)\n');
});
afterEach(() => installed.endAll());
afterAll(() => installed.remove());

const isRoot = process.getuid?.() === 0;
const canBeOthers = isRoot && spawnSync('setpriv', ['--reuid=65534', '--clear-groups', 'true']).status === 0;
/** Who may open /proc/PID/pagemap's numbers. */
const OTHER = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const ANOTHER = ['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups'];

const opening = ({ port }: Serving) => requestText('GET', '/', { Host: `127.0.0.1:${port}`, ...OPENED });

async function fetched(serving: Serving, target: string, method = 'GET'): Promise<{ status: number; body: Buffer }> {
  const { api, cookie } = serving.inside ?? (await entered(serving));
  serving.inside = { api, cookie };
  const headers = { Host: `127.0.0.1:${serving.port}`, Cookie: cookie, ...FETCH };
  const { statuses, text } = await rawAnswer(serving.port, requestText(method, api + target, headers));
  return { status: statuses[0]!, body: Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1') };
}

async function liveSnapshot(serving: Serving): Promise<HostSnapshot> {
  const { status, body } = await fetched(serving, '/live');
  expect(status).toBe(200);
  return readSnapshotBytes([body], 'live');
}

test('the link stands on stdout and nowhere else', async () => {
  const serving = await installed.serve([program]);
  expect(serving.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#token=[0-9a-f]{32}\n$/);
  expect(serving.stderr).toBe('revmap: serving the page, 1 file; the link works once, Ctrl-C ends this\n');
  await entered(serving);
  expect(await serving.end('SIGINT')).toBe(0);
  expect(serving.stderr).toMatch(/\nrevmap: ended\n$/);
  expect(serving.stderr).not.toContain(serving.token);
});

test.skipIf(process.platform !== 'linux')('nobody sees the token in /proc', async () => {
  const serving = await installed.serve([program, '--json']);
  const { url, port, files, live, frames } = JSON.parse(serving.stdout);
  expect({ url, port, files, live, frames }).toEqual({
    url: `http://127.0.0.1:${serving.port}/#token=${serving.token}`,
    port: serving.port,
    files: [{ name: 'p.mmp', bytes: 16, kind: 'program' }],
    live: false,
    frames: false,
  });
  for (const name of ['cmdline', 'environ', 'comm'])
    expect(readFileSync(`/proc/${serving.child.pid}/${name}`, 'latin1')).not.toContain(serving.token);
});

test('the port that was asked for, on both addresses and on no other', async () => {
  const first = await installed.serve();
  const { port } = first;
  await first.end();
  const serving = await installed.serve(['--port', String(port)]);
  expect(serving.port).toBe(port);
  expect((await rawAnswer(port, opening(serving))).statuses).toEqual([200]);
  if (existsSync('/proc/net/if_inet6') && readFileSync('/proc/net/if_inet6', 'utf8').includes(' lo\n'))
    expect((await rawAnswer(port, opening(serving), '::1')).statuses).toEqual([200]);
  const outside = Object.values(networkInterfaces())
    .flatMap((of) => of ?? [])
    .filter(({ internal }) => !internal);
  for (const { address, scopeid } of outside)
    if (!scopeid) expect(await rawAnswer(port, opening(serving), address)).toMatchObject({ statuses: [] });
  const again = installed.run(['--port', String(port)]);
  expect(again).toEqual({ status: 1, stdout: '', stderr: `revmap: --port: ${port} is in use\n` });
});

test('somebody who has the port on ::1 alone would be what localhost means: not beside him', async () => {
  const other = createServer();
  other.listen(0, '::1');
  const [error] = await Promise.race([once(other, 'listening').then(() => [null]), once(other, 'error')]);
  if (error !== null) return; // no IPv6 here
  const { port } = other.address() as { port: number };
  expect(installed.run(['--port', String(port)]).stderr).toBe(`revmap: --port: ${port} is in use on ::1\n`);
  other.close();
});

for (const { why, args, status, stderr } of [
  { why: 'a file that is not there', args: ['none'], status: 1, stderr: 'revmap: none: no such file\n' },
  { why: 'a folder', args: ['dist'], status: 1, stderr: 'revmap: dist: is a folder\n' },
  {
    why: 'no kind of file',
    args: ['dist/web/index.html'],
    status: 1,
    stderr: /^revmap: dist\/web\/index\.html: line 1: not a recording: .*\n$/,
  },
  { why: 'frames of no host', args: ['--frames'], status: 2, stderr: /^revmap: --frames is for --live\n/ },
  {
    why: 'a port below those of users',
    args: ['--port', '80'],
    status: 2,
    stderr: /^revmap: option '--port <n>' .*1024 to 65535\.\n/,
  },
  {
    why: 'no time',
    args: ['--idle', '0'],
    status: 2,
    stderr: /^revmap: option '--idle <minutes>' .*Minutes, up to 10000\.\n/,
  },
])
  test(`refused at the start: ${why}`, () => {
    const found = installed.run(args);
    expect(found).toMatchObject({ status, stdout: '' });
    if (typeof stderr === 'string') expect(found.stderr).toBe(stderr);
    else expect(found.stderr).toMatch(stderr);
    expect(found.stderr.trim().split('\n')).toHaveLength(1);
  });

test('refused at the start: a page that is not built', () => {
  const web = join(installed.folder, 'dist', 'web');
  const sentence = 'dist/web: the page is not built: npm run build:web builds it\n';
  renameSync(web, `${web}.kept`);
  expect(installed.run([]).stderr.endsWith(sentence)).toBe(true);
  mkdirSync(web);
  expect(installed.run([]).stderr.endsWith(sentence)).toBe(true);
  rmdirSync(web);
  renameSync(`${web}.kept`, web);
});

test('--idle: it ends by itself, well', async () => {
  const serving = await installed.serve(['--idle', '0.01']);
  expect((await rawAnswer(serving.port, opening(serving))).statuses).toEqual([200]);
  expect(await serving.exited()).toBe(0);
  expect(serving.stderr).toMatch(/\nrevmap: nobody asked for anything any more\n$/);
});

describe('--live', () => {
  test('without --frames no frame number leaves, even as root', async () => {
    const serving = await installed.serve(['--live']);
    expect(serving.stderr).toContain('this host without frame numbers');
    expect(JSON.parse((await fetched(serving, '/files')).body.toString())).toMatchObject({ live: true, frames: false });
    const snapshot = await liveSnapshot(serving);
    expect(snapshot.processes.map(({ pid }) => pid)).toContain(serving.child.pid);
    expect(snapshot.entries.count).toBeGreaterThan(1000);
    expect([...snapshot.entries.bits].some(isMapped)).toBe(false);
    expect(new Set(snapshot.entries.value)).toEqual(new Set([0]));
    expect(snapshot.frames).toBe(null);
    expect(snapshot.texts.has('iomem')).toBe(false);
    expect(snapshot.processes.every(({ command }) => command === null)).toBe(true);
    expect((await fetched(serving, '/live', 'HEAD')).status).toBe(405);
  });

  test.skipIf(!isRoot)('with --frames, who can read them says so (skipped: not root)', async () => {
    const serving = await installed.serve(['--live', '--frames']);
    expect(serving.stderr).toContain('this host with frame numbers');
    expect(JSON.parse((await fetched(serving, '/files')).body.toString())).toMatchObject({ live: true, frames: true });
  });

  test('the end of the server is the end of a snapshot that is being taken', async () => {
    const worker = 'dist/snapshot_worker.js';
    const own = readFileSync(join(installed.folder, worker));
    installed.file(worker, "import { writeSync } from 'node:fs'; writeSync(2, 'it begins\\n'); for (;;);");
    const serving = await installed.serve(['--live']);
    const asked = fetched(serving, '/live');
    while (!serving.stderr.includes('it begins')) await once(serving.child.stderr!, 'data');
    expect(await serving.end()).toBe(0);
    expect(serving.stderr).toMatch(/it begins\nrevmap: ended\n$/);
    await asked;
    installed.file(worker, own);
  });

  test.skipIf(!canBeOthers)('--frames is refused to who cannot read them (skipped: not root)', () => {
    const [command, ...words] = [...OTHER, process.execPath, installed.cli, 'serve', '--live', '--frames'];
    const { status, stdout, stderr } = spawnSync(command!, words, { encoding: 'utf8', cwd: installed.folder });
    const sentence = 'this process cannot read frame numbers (it needs CAP_SYS_ADMIN: sudo)';
    expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: '', stderr: `revmap: --frames: ${sentence}\n` });
  });
});

/** The first line that a program of this user is told, with a request or without a word. */
function asUser(before: readonly string[], { port }: Serving, says: string): string {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; printf %s "$1" >&3; IFS= read -t 10 -r line <&3; echo "$line"`;
  const [command, ...words] = [...before, 'bash', '-c', script, 'bash', says];
  return spawnSync(command!, words, { encoding: 'utf8' }).stdout.trim();
}

describe.skipIf(!canBeOthers)('another user of this machine (skipped: not root)', () => {
  const SERVED = 'HTTP/1.1 200 OK';
  const REFUSED = 'HTTP/1.1 403 Forbidden';

  test('root’s server: root, and nobody else, whatever he has got hold of', async () => {
    const serving = await installed.serve([program]);
    const { api, cookie } = await entered(serving);
    const file = requestText('GET', `${api}/file/0`, { Host: `127.0.0.1:${serving.port}`, Cookie: cookie, ...FETCH });
    expect(asUser([], serving, opening(serving))).toBe(SERVED);
    expect(asUser([], serving, file)).toBe(SERVED);
    expect(asUser(OTHER, serving, opening(serving))).toBe(REFUSED);
    expect(asUser(OTHER, serving, file)).toBe(REFUSED);
    expect(asUser(OTHER, serving, '')).toBe(REFUSED);
  });

  test('… and the user who called sudo', async () => {
    const serving = await installed.serve([program], [], { SUDO_UID: '65534' });
    expect(asUser([], serving, opening(serving))).toBe(SERVED);
    expect(asUser(OTHER, serving, opening(serving))).toBe(SERVED);
    expect(asUser(ANOTHER, serving, opening(serving))).toBe(REFUSED);
  });

  test('a user’s server: that user, and root; SUDO_UID says nothing there', async () => {
    const serving = await installed.serve([program], OTHER, { SUDO_UID: '65533' });
    expect(asUser(OTHER, serving, opening(serving))).toBe(SERVED);
    expect(asUser([], serving, opening(serving))).toBe(SERVED);
    expect(asUser(ANOTHER, serving, opening(serving))).toBe(REFUSED);
  });
});
