import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { programsIn, RecordingFinder } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-files-'));
const at = (name: string): string => join(folder, name);

function put(name: string, kernel?: string): void {
  writeFileSync(at(name), kernel === undefined ? '%mmp 1\n' : `{"rec":1,"kernel":"${kernel}"}\n`);
}

beforeAll(() => {
  mkdirSync(at('sub'));
  mkdirSync(at('empty'));
  for (const name of ['b.mmp', 'a.mmp', 'a.6.mmp', 'sub/c.mmp']) put(name);
  put('a.6.1.rec', '6.1.192');
  put('b.6.1.192.rec', '6.1.192');
  put('b.6.18.rec', '6.18.44');
  put('b.rec', '6.18.2');
  put('b.old.rec', '6.18.44');
  put('sub/c.rec', '5.10.1');
});
afterAll(() => rmSync(folder, { recursive: true }));

test('programs of a folder come by name, those of folders in it too', () => {
  const names = programsIn([folder, at('b.mmp')]).map((file) => [file.name, file.named]);
  expect(names).toEqual([
    ['a.6.mmp', false],
    ['a.mmp', false],
    ['b.mmp', false],
    [join('sub', 'c.mmp'), false],
    ['b.mmp', true],
  ]);
});

for (const { why, path, want } of [
  { why: 'nothing is there', path: 'nobody', want: /nobody: no such file or folder/ },
  { why: 'the folder has no program', path: 'empty', want: /empty: no program \(\.mmp\) in this folder/ },
])
  test(`refused: ${why}`, () => expect(() => programsIn([at(path)])).toThrow(want));

test('recordings are found by name, their kernel by what they say', () => {
  const finder = new RecordingFinder();
  const of = (program: string, kernel?: string): string[] =>
    finder.beside(at(program), kernel).map((file) => `${file.path.slice(folder.length + 1)} ${file.kernel}`);
  expect(of('b.mmp')).toEqual(['b.6.18.rec 6.18', 'b.rec 6.18', 'b.6.1.192.rec 6.1']);
  expect(of('b.mmp', '6.1')).toEqual(['b.6.1.192.rec 6.1']);
  // The longer name has it.
  expect([of('a.mmp'), of('a.6.mmp')]).toEqual([[], ['a.6.1.rec 6.1']]);
  expect(() => of('sub/c.mmp')).toThrow(/c\.rec:1: recorded on Linux 5\.10\.1/);
});
