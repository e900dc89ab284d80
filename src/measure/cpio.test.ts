import { expect, test } from 'vitest';
import { cpioOf } from './cpio.ts';

test('entries are headers of 110 characters, names and bytes, each padded to words', () => {
  const archive = cpioOf([
    { path: 'dev', bytes: null },
    { path: 'init', bytes: Buffer.from('hello'), executable: true },
  ]);
  const found: [string, number, string][] = [];
  for (let at = 0; at < archive.length; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (i: number) => Number.parseInt(archive.toString('latin1', at + 6 + 8 * i, at + 14 + 8 * i), 16);
    const nameEnd = at + 110 + field(11);
    const from = Math.ceil(nameEnd / 4) * 4;
    found.push([
      archive.toString('latin1', at + 110, nameEnd - 1),
      field(1),
      archive.toString('latin1', from, from + field(6)),
    ]);
    at = Math.ceil((from + field(6)) / 4) * 4;
  }
  expect(found).toEqual([
    ['dev', 0o040755, ''],
    ['init', 0o100755, 'hello'],
    ['TRAILER!!!', 0, ''],
  ]);
});
