import { expect, test } from 'vitest';
import { type MmpCall, parseMmp } from './mmp.ts';

function callOf(line: string): MmpCall {
  const step = parseMmp(`%mmp 1\n${line}\n`, 'x.mmp').steps[0];
  if (step === undefined || step === 'snapshot') throw new Error('no call');
  return step;
}

for (const { why, line, want } of [
  { why: 'the short prefix names the process', line: '2 munmap(0x1000, 4096)', want: { proc: 2, name: 'munmap' } },
  { why: "strace's prefix names it, too", line: '[pid  17] munmap(0x1000, 4096) = 0', want: { proc: 17, result: 0 } },
  { why: 'no prefix is process 1', line: 'munmap(0x1000, 4096)', want: { proc: 1 } },
  { why: 'an unknown call is kept unread', line: '1 ioctl(1, TCGETS, {c_iflag=0}) = 0', want: { skipped: true } },
  {
    why: 'fork gives the label of the child',
    line: '1 clone(child_stack=NULL, flags=SIGCHLD) = 5',
    want: { result: 5 },
  },
  { why: 'exit has no result', line: '1 exit_group(0) = ?', want: { name: 'exit_group', result: null } },
]) {
  test(`a call: ${why}`, () => expect(callOf(line)).toMatchObject(want));
}

for (const { why, word, want } of [
  { why: 'hexadecimal', word: '0x1fffffffc000', want: 0x1fffffffc000 },
  { why: 'octal', word: '0644', want: 0o644 },
  { why: 'sums and products go from left to right', word: '1+2*4096', want: 12288 },
  { why: 'names are joined', word: 'PROT_READ|PROT_WRITE', want: 3 },
  { why: 'names and numbers are joined', word: 'MAP_PRIVATE|0x20', want: 0x22 },
  { why: 'bits above 31 are kept', word: '0x100000000|1', want: 0x100000001 },
  { why: 'a negative number', word: '-1', want: -1 },
  { why: 'the upper half of a register is negative', word: '0xfffffffffffff000', want: -4096 },
]) {
  test(`a number: ${why}`, () =>
    expect(callOf(`1 mlockall(${word})`).args[0]).toEqual({ kind: 'number', value: want }));
}

test('a buffer without an address is outside the arena, a string is text', () => {
  expect(callOf('1 pread64(3, buf, 4096, 0)').args[1]).toEqual({ kind: 'outside' });
  expect(callOf('1 pwrite64(3, "a, b)", 100, 4096)').args[1]).toEqual({ kind: 'text', value: 'a, b)' });
  expect(callOf('1 read(3, "ELF"..., 832) = 832').args).toHaveLength(3);
});

test('a call that strace interrupted stands where it resumes', () => {
  const { steps } = parseMmp(
    '%mmp 1\n7 munmap(0x1000, <unfinished ...>\n1 brk(NULL)\n7 <... munmap resumed> 4096) = 0\n',
    'x',
  );
  expect(steps).toMatchObject([
    { name: 'brk' },
    { name: 'munmap', proc: 7, args: [{ value: 0x1000 }, { value: 4096 }] },
  ]);
});

test('directives are read', () => {
  const text =
    '%mmp 1\n%title t\n%snapshot 5\n%file A 4 disk cached\n%file B 2 shm\n%swap 64\n%brk 0x100000800000\n1 brk(0)\nsnapshot\n';
  const { steps, ...rest } = parseMmp(text, 'x');
  expect(rest).toEqual({
    file: 'x',
    snapshotEvery: 5,
    files: [
      { name: 'A', pages: 4, kind: 'disk', cached: true },
      { name: 'B', pages: 2, kind: 'tmpfs', cached: false },
    ],
    swapMib: 64,
    brk: 0x100000800000,
    lineOf: [8, 9],
  });
  expect(steps[1]).toBe('snapshot');
});

for (const { why, text, want } of [
  { why: 'no version', text: '1 brk(0)', want: /^x:1: a program starts with/ },
  { why: 'an empty file', text: '', want: /^x:1: a program starts with/ },
  { why: 'another version', text: '%mmp 2', want: /^x:1: format 2 is unknown/ },
  { why: 'an unknown directive', text: '%mmp 1\n%fiel A 1 disk', want: /^x:2: unknown directive %fiel/ },
  { why: 'a directive behind a call', text: '%mmp 1\n1 brk(0)\n%swap 1', want: /^x:3: %swap stands before/ },
  {
    why: 'a file of terabytes',
    text: '%mmp 1\n%file A 99999999999 disk',
    want: /^x:2: 99999999999 pages; 1048576 are/,
  },
  { why: 'swap of terabytes', text: '%mmp 1\n%swap 9999999', want: /^x:2: 9999999 MiB of swap; 16384 are the most/ },
  { why: 'a file of no kind', text: '%mmp 1\n%file A 4 tape', want: /^x:2: %file NAME PAGES/ },
  { why: 'a file of no size', text: '%mmp 1\n%file A x disk', want: /^x:2: 'x' is no number of pages/ },
  {
    why: 'a file declared twice',
    text: '%mmp 1\n%file A 1 disk\n%file A 1 shm',
    want: /^x:3: file A is declared twice/,
  },
  { why: 'not a call', text: '%mmp 1\n1 hello', want: /^x:2: 'hello' is no call/ },
  { why: 'too few arguments', text: '%mmp 1\n1 mmap(0)', want: /^x:2: mmap takes 6 arguments/ },
  { why: 'a constant that is not known', text: '%mmp 1\n1 mlockall(MCL_X)', want: /^x:2: 'MCL_X' is no number/ },
  { why: 'a string with an escape', text: '%mmp 1\n1 unlink("\\n")', want: /^x:2: strings have no escapes/ },
  { why: 'a string without an end', text: '%mmp 1\n1 unlink("a)', want: /^x:2: a string has no end/ },
  { why: 'arguments without an end', text: '%mmp 1\n1 brk(0', want: /^x:2: expected ',' or '\)'/ },
  { why: 'no snapshots at all', text: '%mmp 1\n%snapshot 0', want: /^x:2: %snapshot needs a number above 0/ },
]) {
  test(`a program is refused: ${why}`, () => expect(() => parseMmp(text, 'x')).toThrow(want));
}
