/** How much of everything `revmap serve` bears, and for how long. The server runs in this process, with less patience than usual. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { LiveSnapshots } from '../../src/server/live_snapshots.ts';
import { readPage } from '../../src/server/page.ts';
import { openFiles } from '../../src/server/served_files.ts';
import { type RunningServer, type ServeOptions, startServer } from '../../src/server/server.ts';
import { fakeProc } from '../host/fake_proc.ts';
import { entered, FETCH, PAGE, rawAnswer, requestText, statusesOf } from './serving.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-limits-'));
writeFileSync(join(folder, 'index.html'), PAGE);
const page = readPage(folder);
const LARGE = Buffer.alloc(1 << 24, '%mmp 1\n# a line of this file\n');

const running: RunningServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of running.splice(0)) await server.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function started(options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const always = { page, files: [], live: null, port: 0, idleMs: Number.POSITIVE_INFINITY };
  const server = await startServer({ ...always, peers: { isServed: () => true }, ...options });
  running.push(server);
  return server;
}

async function filesWith(name: string, content: Buffer): Promise<ServeOptions['files']> {
  writeFileSync(join(folder, name), content);
  return openFiles([join(folder, name)]);
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket)).once('error', reject);
    sockets.push(socket);
  });
}

/** All that it says until it ends. */
function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

const opening = (port: number) => requestText('GET', '/', { Host: `127.0.0.1:${port}`, Connection: 'close' });
const fetching = (port: number, target: string, cookie: string) =>
  requestText('GET', target, { Host: `127.0.0.1:${port}`, Cookie: cookie, ...FETCH });

test('headers that come letter by letter are not waited for, nor a connection on which nothing is said', async () => {
  const { port } = await started({ limits: { headersMs: 800 } });
  const talking = await connected(port);
  const silent = await connected(port);
  const all = [heard(talking), heard(silent)];
  const letters = setInterval(() => talking.write('x'), 20);
  talking.write('GET / HTTP/1.1\r\nX: ');
  expect((await Promise.all(all)).map(statusesOf)).toEqual([[408], [408]]);
  clearInterval(letters);
  expect((await rawAnswer(port, opening(port))).statuses).toEqual([200]);
});

test('nor is one who does not read the answer', async () => {
  const files = await filesWith('large.mmp', LARGE);
  const server = await started({ files, limits: { stillMs: 800 } });
  const { api, cookie } = await entered(server);
  const socket = await connected(server.port);
  socket.write(fetching(server.port, `${api}/file/0`, cookie));
  // What the kernel holds for us comes, and then the end of the connection: less than the file.
  socket.pause();
  await after(2500);
  const text = await heard(socket.resume());
  expect(statusesOf(text)).toEqual([200]);
  expect(text.length).toBeLessThan(LARGE.length);
});

test('who reads slowly, but reads, gets all of it', async () => {
  const files = await filesWith('large.mmp', LARGE);
  const server = await started({ files, limits: { stillMs: 800 } });
  const { api, cookie } = await entered(server);
  const socket = await connected(server.port);
  let untilPause = 1 << 20;
  socket.on('data', (piece) => {
    untilPause -= piece.length;
    if (untilPause > 0) return;
    untilPause = 1 << 20;
    socket.pause();
    setTimeout(() => socket.resume(), 100);
  });
  socket.write(fetching(server.port, `${api}/file/0`, cookie));
  const text = await heard(socket);
  expect(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1').equals(LARGE)).toBe(true);
});

test('connections have a number, and one that ends makes room', async () => {
  const { port } = await started({ limits: { connections: 3 } });
  const held = [await connected(port), await connected(port), await connected(port)];
  // The server has seen all three when it answers on the last.
  held[2]!.write(requestText('GET', '/', { Host: `127.0.0.1:${port}` }));
  await new Promise((resolve) => held[2]!.once('data', resolve));
  expect(await rawAnswer(port, opening(port))).toMatchObject({ statuses: [], isClosed: true });
  held[0]!.destroy();
  await vi.waitFor(async () => expect((await rawAnswer(port, opening(port))).statuses).toEqual([200]), 5000);
});

test('requests have a pace; those that the door refuses take nobody’s turn', async () => {
  const { port } = await started({ limits: { requestsPerSecond: 0.001, requestsAtOnce: 3 } });
  const bad = requestText('GET', '/', { Host: 'evil.test', Connection: 'close' });
  const statuses: number[] = [];
  for (const request of [bad, bad, bad, bad, ...Array(5).fill(opening(port))])
    statuses.push(...(await rawAnswer(port, request)).statuses);
  expect(statuses).toEqual([403, 403, 403, 403, 200, 200, 200, 429, 429]);
});

test('another user is refused before he says anything, and takes no place', async () => {
  let isServed = false;
  const { port } = await started({ limits: { connections: 1 }, peers: { isServed: () => isServed } });
  for (let i = 0; i < 5; i++) expect(statusesOf(await heard(await connected(port)))).toEqual([403]);
  expect((await rawAnswer(port, opening(port))).statuses).toEqual([403]);
  isServed = true;
  expect((await rawAnswer(port, opening(port))).statuses).toEqual([200]);
});

for (const { why, tries, want } of [
  { why: '19 wrong tokens do not keep the right one out', tries: 19, want: 200 },
  { why: 'after 20 the right one is too late', tries: 20, want: 403 },
])
  test(why, async () => {
    const { port, token } = await started();
    const exchange = (token: string) =>
      rawAnswer(
        port,
        requestText('GET', '/session', { Host: `127.0.0.1:${port}`, Authorization: `Bearer ${token}`, ...FETCH }),
      );
    for (let i = 0; i < tries; i++) expect((await exchange('0'.repeat(32))).statuses).toEqual([401]);
    expect((await exchange(token)).statuses).toEqual([want]);
  });

test('who is in stays in, whatever others try', async () => {
  const server = await started();
  const { api, cookie } = await entered(server);
  for (let i = 0; i < 25; i++)
    await rawAnswer(
      server.port,
      requestText('GET', '/session', { Host: `127.0.0.1:${server.port}`, Authorization: 'Bearer x', ...FETCH }),
    );
  expect((await rawAnswer(server.port, fetching(server.port, `${api}/files`, cookie))).statuses).toEqual([200]);
});

test('a file is what it was when the server started, also under another name', async () => {
  const files = await filesWith('named.mmp', Buffer.from('%mmp 1\n# the old one\n'));
  writeFileSync(join(folder, 'new.mmp'), '%mmp 1\n# the new one\n');
  renameSync(join(folder, 'new.mmp'), join(folder, 'named.mmp'));
  const server = await started({ files });
  const { api, cookie } = await entered(server);
  expect((await rawAnswer(server.port, fetching(server.port, `${api}/file/0`, cookie))).text).toMatch(/the old one\n$/);
});

test('a file that has become shorter ends the connection, and later ones are whole', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const [short] = await filesWith('short.mmp', LARGE);
  const [whole] = await filesWith('whole.mmp', Buffer.from('%mmp 1\n# whole\n'));
  truncateSync(join(folder, 'short.mmp'), 1000);
  const server = await started({ files: [short!, whole!] });
  const { api, cookie } = await entered(server);
  for (let i = 0; i < 3; i++) {
    const cut = await rawAnswer(server.port, fetching(server.port, `${api}/file/0`, cookie));
    expect(cut.text).toContain(`Content-Length: ${LARGE.length}\r\n`);
    expect(cut.text.length).toBeLessThan(5000);
    const { text } = await rawAnswer(server.port, fetching(server.port, `${api}/file/1`, cookie));
    expect(text).toMatch(/# whole\n$/);
  }
  expect(said.mock.calls.map(([line]) => String(line).split('\n')[0])).toEqual(
    Array(3).fill('revmap: InputError: short.mmp: has become shorter'),
  );
  said.mockRestore();
});

test('idle: requests keep it awake, refused ones do not', async () => {
  const awake = await started({ idleMs: 1500 });
  const asleep = await started({ idleMs: 1500 });
  let isAwake = true;
  void awake.idle.then(() => {
    isAwake = false;
  });
  const ask = setInterval(() => {
    void rawAnswer(awake.port, opening(awake.port));
    void rawAnswer(asleep.port, requestText('GET', '/', { Host: 'evil.test' }));
  }, 100);
  await asleep.idle;
  expect(isAwake).toBe(true);
  clearInterval(ask);
});

test('while a snapshot is taken, others are answered', async () => {
  const { proc, sys, remove } = fakeProc();
  const uptime = join(proc, 'uptime');
  rmSync(uptime, { force: true });
  execFileSync('mkfifo', [uptime]);
  // A host that is as slow as we like: who reads this file waits until we have said what is in it (or 20 s, where we are kept from it).
  const slow = spawn('timeout', ['20', 'tee', uptime], { stdio: ['pipe', 'ignore', 'ignore'] });
  const server = await started({ live: new LiveSnapshots(true, { proc, sys }) });
  const { api, cookie } = await entered(server);
  const answered: string[] = [];
  const ask = async (what: string) => {
    const { statuses } = await rawAnswer(server.port, fetching(server.port, `${api}/${what}`, cookie));
    answered.push(what);
    return statuses;
  };
  const live = ask('live');
  expect(await ask('files')).toEqual([200]);
  expect(answered).toEqual(['files']);
  slow.stdin.end('1.00 1.00\n');
  expect(await live).toEqual([200]);
  remove();
});
