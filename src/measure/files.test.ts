import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { filesOf } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'files-'));
afterAll(() => rmSync(folder, { recursive: true }));

mkdirSync(join(folder, 'real'));
mkdirSync(join(folder, 'bin'));
writeFileSync(join(folder, 'real', 'data'), 'x');
symlinkSync('real', join(folder, 'link'));
writeFileSync(join(folder, 'bin', 'script'), '#! /bin/sh\ncat real/data\n');
chmodSync(join(folder, 'bin', 'script'), 0o755);

const environment = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` };

test('a script with its interpreter and libraries, and what lies behind links; parents first, none twice', () => {
  const { program, paths } = filesOf(['script'], folder, environment, ['link/data']);
  expect(program).toBe(join(folder, 'bin', 'script'));
  for (const path of ['bin/script', 'link', 'real', 'real/data']) expect(paths).toContain(join(folder, path));
  expect(paths).not.toContain(join(folder, 'link', 'data'));
  expect(paths.some((path) => /\/libc\.so\.6$/.test(path))).toBe(true);
  expect(new Set(paths).size).toBe(paths.length);
  for (const [i, path] of paths.entries())
    expect(paths.slice(0, i).some((each) => each.startsWith(`${path}/`))).toBe(false);
});

for (const { why, command, extra, want } of [
  { why: 'no such program', command: ['nobody-has-this'], extra: [], want: 'nobody-has-this: no such program' },
  { why: 'a file cannot run', command: ['./real/data'], extra: [], want: './real/data: no such program' },
  { why: 'no such file to take along', command: ['script'], extra: ['nothing'], want: '--with: nothing: no such file' },
]) {
  test(`refused: ${why}`, () => expect(() => filesOf(command, folder, environment, extra)).toThrow(want));
}
