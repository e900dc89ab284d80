import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { contentOf, openFiles } from './served_files.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'revmap-served-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

for (const { why, path, kind } of [
  { why: 'a recording', path: join(root, 'examples/zipf.rvm.gz'), kind: 'recording' },
  { why: 'a memory program', path: join(root, 'oracle/corpus/05-shared-anon-fork.mmp'), kind: 'program' },
  {
    why: '… under another name, behind remarks',
    path: file('p.txt', '\n# strace would look so\n%mmp 1\n7 brk(0)\n'),
    kind: 'program',
  },
  { why: '… that is wrong: the page says where', path: file('wrong.mmp', 'hello\n'), kind: 'program' },
  { why: 'a snapshot', path: file('s.rvh.gz', gzipSync('revmap-snapshot 1\n…')), kind: 'snapshot' },
  { why: '… not packed, under another name', path: file('s', 'revmap-snapshot 9\n…'), kind: 'snapshot' },
])
  test(`${why}: ${kind}`, async () => {
    const [served] = await openFiles([path]);
    expect(served?.kind).toBe(kind);
    let bytes = 0;
    for await (const piece of contentOf(served!)) bytes += piece.length;
    expect(bytes).toBe(served?.bytes);
  });

mkdirSync(join(folder, 'folder'));
spawnSync('mkfifo', [join(folder, 'fifo')]);
symlinkSync('loop', join(folder, 'loop'));

for (const { path, why } of [
  { path: join(folder, 'none'), why: 'no such file' },
  { path: join(folder, 's', 'none'), why: 'no such file' },
  { path: join(folder, 'folder'), why: 'is a folder' },
  { path: join(folder, 'fifo'), why: 'is no regular file' },
  { path: join(folder, 'loop'), why: 'is a link that leads back to itself' },
  { path: '/dev/null', why: 'is no regular file' },
  { path: '-', why: 'a file is expected, not standard input' },
  { path: file('empty.mmp', ''), why: 'is empty' },
  // The page reads recordings: who names another tool's trace is told how to make one.
  {
    path: join(root, 'test/inputs/lackey-d.txt'),
    why: 'is a trace (lackey); the page opens recordings: revmap convert ',
  },
  { path: file('n.txt', '1\n2\n3\n'), why: 'is a trace (txt); the page opens recordings: revmap convert ' },
  { path: file('words.txt', 'hello there\nyou all\n'), why: 'line 1: not a recording' },
  { path: file('damaged.gz', gzipSync('x'.repeat(1000)).subarray(0, 20)), why: 'byte ' },
])
  test(`refused: ${path.replace(folder, '')}: ${why}`, async () => {
    await expect(openFiles([path])).rejects.toThrow(`${path}: ${why}`);
  });

test('refused: a socket', async () => {
  const server = createServer();
  const path = join(folder, 'socket');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await expect(openFiles([path])).rejects.toThrow(`${path}: is a socket, and no file`);
  server.close();
});

test('a name is without its folder, unless two would be the same', async () => {
  const one = file('n.mmp', '%mmp 1\n');
  const two = join(folder, 'folder', 'n.mmp');
  writeFileSync(two, '%mmp 1\n');
  const names = async (paths: string[]) => (await openFiles(paths)).map(({ name }) => name);
  expect(await names([one, join(folder, 'p.txt')])).toEqual(['n.mmp', 'p.txt']);
  expect(await names([one, two])).toEqual([one, two]);
});
