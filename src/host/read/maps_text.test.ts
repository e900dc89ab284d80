import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VMA_EXEC, VMA_READ, VMA_SHARED, VMA_WRITE } from '../snapshot.ts';
import { parseMaps } from './maps_text.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const LIBC = '7f1c2a000000-7f1c2a021000 r-xp 00002000 08:01 4194305                    /usr/lib/libc.so.6';
const want = {
  startPage: 0x7f1c2a000,
  endPage: 0x7f1c2a021,
  perms: VMA_READ | VMA_EXEC,
  pgoff: 2,
  device: '08:01',
  inode: '4194305',
  name: '/usr/lib/libc.so.6',
};

for (const { why, line, differs } of [
  { why: 'a file', line: LIBC, differs: {} },
  {
    why: 'anonymous memory has no name, and a blank at its end',
    line: '7f1c2a000000-7f1c2a021000 rw-p 00000000 00:00 0 ',
    differs: { perms: VMA_READ | VMA_WRITE, pgoff: 0, device: '00:00', inode: '0', name: '' },
  },
  {
    why: 'shared, without any access',
    line: LIBC.replace('r-xp', '---s'),
    differs: { perms: VMA_SHARED },
  },
  {
    why: 'a name with blanks inside and behind',
    line: LIBC.replace('libc', 'a  b c '),
    differs: { name: '/usr/lib/a  b c .so.6' },
  },
  {
    why: 'the newline of a name stays escaped here',
    line: `${LIBC}\\012x`,
    differs: { name: '/usr/lib/libc.so.6\\012x' },
  },
  { why: 'bytes that are no UTF-8', line: `${LIBC}\xff\xc3`, differs: { name: '/usr/lib/libc.so.6\udcff\udcc3' } },
  { why: 'bytes that are', line: `${LIBC}\xc3\xa4`, differs: { name: '/usr/lib/libc.so.6ä' } },
  { why: 'deleted, or so named', line: `${LIBC} (deleted)`, differs: { name: '/usr/lib/libc.so.6 (deleted)' } },
  {
    why: 'escape sequences are bytes of a name',
    line: `${LIBC}\x1b[31m`,
    differs: { name: '/usr/lib/libc.so.6\x1b[31m' },
  },
  {
    why: 'an inode beyond 2^53',
    line: LIBC.replace('4194305', '18446744073709551615'),
    differs: { inode: '18446744073709551615' },
  },
  {
    why: 'a device with a long minor number',
    line: LIBC.replace('08:01', '103:fffff'),
    differs: { device: '103:fffff' },
  },
  {
    why: 'vsyscall lies beyond 2^53, exactly',
    line: 'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
    differs: {
      startPage: 0xffffffffff600,
      endPage: 0xffffffffff601,
      perms: VMA_EXEC,
      pgoff: 0,
      device: '00:00',
      inode: '0',
      name: '[vsyscall]',
    },
  },
  { why: 'page 0 is a page', line: LIBC.replace('7f1c2a000000', '00000000'), differs: { startPage: 0 } },
  { why: 'the largest offset', line: LIBC.replace('00002000', 'fffffffffffff000'), differs: { pgoff: 2 ** 52 - 1 } },
])
  test(`parseMaps: ${why}`, () => expect(parseMaps(bytes(`${line}\n`))).toEqual([{ ...want, ...differs }]));

for (const { why, line } of [
  { why: 'nothing', line: '' },
  { why: 'a field of smaps', line: 'Size:                132 kB' },
  { why: 'an end before its start', line: LIBC.replace('7f1c2a021000', '7f1c2a') },
  { why: 'an address of three digits', line: LIBC.replace('7f1c2a000000', '000') },
  { why: 'no hexadecimal number', line: LIBC.replace('7f1c2a000000', '7g1c2a000000') },
  { why: 'cut short in its flags', line: LIBC.slice(0, 29) },
  { why: 'cut short before its inode', line: LIBC.slice(0, 45) },
])
  test(`parseMaps: passed over is ${why}`, () => expect(parseMaps(bytes(`${line}\n${LIBC}\n`))).toEqual([want]));

test('parseMaps: a last line without its end counts', () => {
  expect(parseMaps(bytes(`${LIBC}\n${LIBC}`))).toEqual([want, want]);
});

test('parseMaps: any bytes give lines or nothing', () => {
  const near = fc
    .array(fc.constantFrom(...LIBC, '\n', ' ', '-', '\xff'), { maxLength: 200 })
    .map((all) => bytes(all.join('')));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), near), (text) => {
      for (const line of parseMaps(text)) {
        expect(line.startPage).toBeLessThanOrEqual(line.endPage);
        expect(Number.isInteger(line.pgoff)).toBe(true);
      }
    }),
    { numRuns: 3000 },
  );
});
