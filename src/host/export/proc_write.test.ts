import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { ProcNode } from '../../proc/tree.ts';
import { decodeName } from '../text.ts';
import { whyNotExport, writeProc } from './proc_write.ts';

const room = mkdtempSync(join(tmpdir(), 'revmap-write-'));
afterAll(() => rmSync(room, { recursive: true, force: true }));
const isRoot = process.geteuid?.() === 0;

function text(path: string, content = 'x', mode = 0o444, uid = 0): ProcNode {
  return { kind: 'text', path, mode, uid, text: content };
}

function fresh(name: string): string {
  return join(mkdtempSync(join(room, 'r-')), name);
}

test('files, links and modes are as they were asked for', () => {
  const place = fresh('proc');
  const written = writeProc(
    [
      text('meminfo', 'MemTotal: 1 kB\n'),
      text('kpagecount', '', 0o400),
      { kind: 'directory', path: '1', mode: 0o700, uid: 0 },
      text('1/maps', 'a\udcffb\n'),
      { kind: 'link', path: '1/exe', uid: 0, target: '/bin/a\nb\udcff' },
    ],
    place,
  );
  expect(written).toEqual([
    { path: 'meminfo', kind: 'text', bytes: 15 },
    { path: 'kpagecount', kind: 'text', bytes: 0 },
    { path: '1', kind: 'directory', bytes: 0 },
    { path: '1/maps', kind: 'text', bytes: 4 },
    { path: '1/exe', kind: 'link', bytes: 9 },
  ]);
  expect(['meminfo', 'kpagecount', '1'].map((name) => lstatSync(join(place, name)).mode & 0o777)).toEqual([
    0o444, 0o400, 0o700,
  ]);
  expect([...readFileSync(join(place, '1/maps'))]).toEqual([0x61, 0xff, 0x62, 0x0a]);
  expect(decodeName(readlinkSync(join(place, '1/exe'), { encoding: 'buffer' }))).toBe('/bin/a\nb\udcff');
});

test('256 GiB of pagemap take a few blocks, and read as what they are', () => {
  const place = fresh('proc');
  const length = 2 ** 35 - 1;
  const far = length - 512;
  function* blocks() {
    yield { first: 0, words: BigUint64Array.from({ length: 1024 }, (_, i) => (i === 600 ? 7n : 0n)) };
    // Behind the end of the file there is nothing.
    yield { first: far, words: new BigUint64Array(1024).fill(9n) };
  }
  writeProc([{ kind: 'words', path: 'pagemap', mode: 0o400, uid: 0, length, blocks }], place);
  const { size, blocks: used } = statSync(join(place, 'pagemap'));
  expect(size).toBe(length * 8);
  expect(used * 512).toBeLessThan(65536);
});

for (const { why, make, force, want } of [
  { why: 'nothing is there', make: () => {}, force: false, want: null },
  { why: 'an empty directory', make: (at: string) => mkdirSync(at), force: false, want: null },
  {
    why: 'a directory of somebody’s',
    make: (at: string) => {
      mkdirSync(at);
      writeFileSync(join(at, 'thesis'), '');
    },
    force: true,
    want: 'is not empty, and was not written by revmap proc',
  },
  { why: 'a file', make: (at: string) => writeFileSync(at, ''), force: true, want: 'is there, and is no directory' },
  {
    why: 'a link, wherever it leads',
    make: (at: string) => {
      mkdirSync(`${at}.real`);
      symlinkSync(`${at}.real`, at);
    },
    force: true,
    want: 'is a symbolic link',
  },
  {
    why: 'a mark that is a link is none',
    make: (at: string) => {
      mkdirSync(at);
      writeFileSync(`${at}.other`, '');
      symlinkSync(`${at}.other`, join(at, '.revmap-export'));
    },
    force: true,
    want: 'is not empty, and was not written by revmap proc',
  },
  {
    why: 'an earlier export',
    make: (at: string) => void writeProc([text('a')], at),
    force: false,
    want: 'holds an earlier export (--force replaces it)',
  },
  {
    why: 'an earlier export, with --force',
    make: (at: string) => void writeProc([text('a')], at),
    force: true,
    want: null,
  },
])
  test(`whyNotExport: ${why}`, () => {
    const place = fresh('proc');
    make(place);
    expect(whyNotExport(place, force)).toBe(want);
  });

test('an earlier export is replaced as a whole, and links in it are not followed', () => {
  const place = fresh('proc');
  const outside = fresh('outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'kept');
  writeProc([text('old'), { kind: 'link', path: 'away', uid: 0, target: outside }], place);
  writeProc([text('new'), { kind: 'link', path: 'away', uid: 0, target: outside }], place);
  expect(readdirSync(place).sort()).toEqual(['.revmap-export', 'away', 'new']);
  expect(readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
  expect(readdirSync(join(place, '..'))).toEqual(['proc']);
});

test('a tree that names a file twice, or through its own link, is refused, and leaves nothing behind', () => {
  const outside = fresh('outside');
  mkdirSync(outside);
  for (const nodes of [
    [text('a'), text('a')],
    [{ kind: 'link', path: 'a', uid: 0, target: join(outside, 'made') } as const, text('a')],
    [text('missing/a')],
  ]) {
    const place = fresh('proc');
    expect(() => writeProc(nodes, place)).toThrow(/EEXIST|ENOENT|ELOOP/);
    expect(readdirSync(join(place, '..'))).toEqual([]);
  }
  expect(existsSync(join(outside, 'made'))).toBe(false);
});

test('what a tree throws half way leaves the earlier export as it was', () => {
  const place = fresh('proc');
  writeProc([text('old')], place);
  function* broken(): Generator<ProcNode> {
    yield text('new');
    throw new Error('half way');
  }
  expect(() => writeProc(broken(), place)).toThrow('half way');
  expect(readdirSync(place).sort()).toEqual(['.revmap-export', 'old']);
  expect(readdirSync(join(place, '..'))).toEqual(['proc']);
});

test.skipIf(!isRoot)('files belong to the user of the process (skipped without root)', () => {
  const place = fresh('proc');
  writeProc([{ kind: 'directory', path: '7', mode: 0o755, uid: 1234 }, text('7/stat', 'x', 0o444, 1234)], place);
  expect([statSync(join(place, '7')).uid, statSync(join(place, '7/stat')).uid, statSync(place).uid]).toEqual([
    1234, 1234, 0,
  ]);
});
