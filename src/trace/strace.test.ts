/** strace's logs: each form of a line, and the same program logged in five ways. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tell } from '../../test/inputs/told.ts';
import { argumentValue, splitArguments } from './strace_args.ts';

const samples = join(import.meta.dirname, '../../test/inputs');

/** A log that begins with a program, which is no event. */
function words(...lines: string[]): string[] {
  return tell('strace', `7 execve("/bin/a", ["a"], 0x1 /* 1 var */) = 0\n${lines.join('\n')}\n`).words;
}

for (const { why, lines, want } of [
  { why: 'a call', lines: ['7 close(3)                = 0'], want: ['0 close(3) = 0'] },
  {
    why: 'an error',
    lines: ['7 access("/x", R_OK) = -1 ENOENT (No such file or directory)'],
    want: ['0 access(0, 0) = -2'],
  },
  { why: 'an address above 2**46', lines: ['7 brk(NULL) = 0x564030be8000'], want: ['0 brk(0) = 94833695686656'] },
  {
    why: 'a path with escapes, and one in UTF-8',
    lines: ['7 openat(AT_FDCWD, "/a\\tb\\303\\244\\x20\\"", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3'],
    want: ['0 path /a\tbä "', '0 openat(-100, 0, 524354, 420) = 3'],
  },
  {
    why: 'with -y the path is where the descriptor leads',
    lines: ['7 openat(AT_FDCWD</tmp>, "../lib/x", O_RDONLY) = 3</usr/lib/x>', '7 dup(3</usr/lib/x>) = 4</usr/lib/x>'],
    want: ['0 path /usr/lib/x', '0 openat(-100, 0, 0) = 3', '0 dup(3) = 4'],
  },
  {
    why: 'a mapping with flags by name and by number',
    lines: ['7 mmap(0x1000, 8192*2, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_FIXED|0x8000000, 3, 0x26000) = 0x1000'],
    want: ['0 mmap(4096, 16384, 3, 134217746, 3, 155648) = 4096'],
  },
  {
    why: 'a comment, a structure, an array with strings that look like calls',
    lines: [
      '7 rt_sigaction(SIGINT, {sa_handler=0x1, sa_mask=[INT TERM]}, NULL, 8 /* bytes, (size) */) = 0',
      '7 write(1, "a) = 3, \\"", 8) = 8',
    ],
    want: ['0 rt_sigaction(0, 0, 0, 8) = 0', '0 write(1, 0, 8) = 8'],
  },
  {
    why: 'times of every kind',
    lines: [
      '7 08:32:07 close(1) = 0',
      '7 08:32:07.414058 close(2) = 0',
      '7 1700000000.414058 close(3) = 0',
      '7      0.000026 close(4) = 0 <0.000012>',
    ],
    want: ['0 close(1) = 0', '0 close(2) = 0', '0 close(3) = 0', '0 close(4) = 0'],
  },
  {
    why: 'time going backwards',
    lines: ['7 1700000000.4 close(1) = 0', '7 1600000000.4 close(2) = 0'],
    want: ['0 close(1) = 0', '0 close(2) = 0'],
  },
  {
    why: 'a call in two halves',
    lines: ['7 wait4(8,  <unfinished ...>', '7 <... wait4 resumed>NULL, 0, NULL) = 8'],
    want: ['0 wait4(8, 0, 0, 0) = 8'],
  },
  { why: 'half a call', lines: ['7 wait4(8,  <unfinished ...>'], want: [] },
  { why: 'the second half of one that nobody began', lines: ['7 <... wait4 resumed>NULL, 0, NULL) = 8'], want: [] },
  {
    why: 'an interrupted call is made again',
    lines: [
      '7 read(0, 0x1, 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)',
      '7 --- SIGINT {si_signo=SIGINT} ---',
    ],
    want: [],
  },
  {
    why: 'a child that speaks before its parent has returned',
    lines: [
      '7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>',
      '9 close(1) = 0',
      '7 <... clone resumed>, child_tidptr=0x1) = 9',
    ],
    want: ['9 close(1) = 0', '0 clone(17) = 9'],
  },
  {
    why: 'a thread that speaks before its clone has returned',
    lines: [
      '7 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x1} <unfinished ...>',
      '9 close(1) = 0',
      '7 <... clone3 resumed> => {parent_tid=[9]}, 88) = 9',
      '9 +++ exited with 0 +++',
      '7 close(2) = 0',
    ],
    want: ['0 close(1) = 0', '0 clone3(0) = 9', '0 close(2) = 0'],
  },
  {
    why: 'a number that is somebody else now',
    lines: ['7 fork() = 9', '9 exit_group(0) = ?', '9 +++ exited with 0 +++', '7 fork() = 9', '9 close(1) = 0'],
    want: ['0 fork(0) = 9', '9 exit_group(0) = 0', '0 fork(0) = 4194313', '4194313 close(1) = 0'],
  },
  {
    why: 'calls of another architecture are none of ours',
    lines: ['7 mmap2(NULL, 4096) = 0x1000', '7 __proto__(1) = 0', '7 constructor(1) = 0', '7 close(1) = 0'],
    want: ['0 close(1) = 0'],
  },
  {
    why: 'a descriptor of a socket',
    lines: ['7 close(3<TCP:[1.2.3.4:80->1.2.3.4:90]>) = 0'],
    want: ['0 close(3) = 0'],
  },
  {
    why: '64 bits are signed',
    lines: ['7 lseek(3, 18446744073709551615, SEEK_CUR) = 0'],
    want: ['0 lseek(3, -1, 1) = 0'],
  },
  {
    why: 'a duplicate, and another fcntl',
    lines: ['7 fcntl(3, F_DUPFD_CLOEXEC, 10) = 10', '7 fcntl(3, F_SETFD, FD_CLOEXEC) = 0'],
    want: ['0 fcntl(3, 1030, 10) = 10', '0 fcntl(3, 2, 0) = 0'],
  },
  {
    why: 'a file called __proto__',
    lines: ['7 open("__proto__", O_RDONLY) = 3'],
    want: ['0 path __proto__', '0 open(0, 0) = 3'],
  },
  { why: 'output of the program', lines: ['hello world', '7 close(1) = 0'], want: ['0 close(1) = 0'] },
  { why: 'CR LF', lines: ['7 close(1) = 0\r'], want: ['0 close(1) = 0'] },
]) {
  test(`strace: ${why}`, () => expect(words(...lines)).toEqual(want));
}

for (const { why, line, want } of [
  {
    why: 'a call without its end',
    line: '7 close(3',
    want: "x: line 2: 'NAME(ARGUMENTS) = RESULT' expected, found 'close(3'",
  },
  { why: 'no result', line: '7 close(3)', want: "'NAME(ARGUMENTS) = RESULT' expected" },
  { why: 'a string without its end', line: '7 open("abc, O_RDONLY) = 3', want: 'expected' },
  {
    why: '65 bits',
    line: '7 brk(0x1ffffffffffffffff) = 0',
    want: "line 2: '0x1ffffffffffffffff' has more than 64 bits",
  },
  { why: 'a number of 70 digits', line: `7 brk(${'9'.repeat(70)}) = 0`, want: 'has more than 64 bits' },
  { why: 'a number of 700 digits', line: `7 brk(${'9'.repeat(700)}) = 0`, want: 'has more than 64 bits' },
  { why: 'a process that Linux does not have', line: '4194304 close(3) = 0', want: 'none above 4194303' },
  { why: 'a child that Linux does not have', line: '7 fork() = 4194304', want: 'none above 4194303' },
  { why: 'a strange end', line: '7 +++ exploded +++', want: "'+++ exited with N +++' expected" },
]) {
  test(`strace refused: ${why}`, () => expect(() => words(line, '7 close(1) = 0')).toThrow(want));
}

test('strace: the same program logged with other options is the same', () => {
  const calls = (name: string) => {
    const { words: told, facts } = tell('strace', readFileSync(join(samples, name)));
    expect(facts.cutShort, name).toBe('');
    expect(facts.command, name).toBe('./tiny');
    // Addresses and process numbers differ from run to run.
    return told.map((word) => word.replace(/\d{4,}/g, 'N'));
  };
  const want = calls('strace-f.txt');
  expect(want).toContain('0 madvise(N, N, 4) = 0');
  expect(want).toContain('0 path /no/such\tfile');
  expect(want.filter((word) => word.startsWith('N '))).toEqual(['N exit_group(3) = 0']);
  expect(calls('strace-y-tt-T.txt')).toEqual(want);
  expect(calls('strace-ff-ttt.txt')).toEqual(want.filter((word) => !word.startsWith('N ')));
  // On a terminal the child was quicker.
  expect(calls('strace-terminal-r.txt').sort()).toEqual([...want].sort());
});

test('strace: who did not start the program, and who left early', () => {
  const { facts } = tell('strace', '7 close(3) = 0\n7 close(4) = ');
  expect(facts.cutShort).toBe('cut-off');
  expect(facts.unseen).toContain('what was before strace: the log does not begin with the start of a program');
  expect(facts.unseen[0]).toContain('system calls only');
});

test('strace: cut off anywhere, in pieces of any length', () => {
  const whole = readFileSync(join(samples, 'strace-terminal-r.txt'));
  const want = tell('strace', whole).words;
  for (const piece of [1, 7, 100]) expect(tell('strace', whole, piece).words).toEqual(want);
  for (let length = 0; length < whole.length; length += 3) {
    try {
      tell('strace', whole.subarray(0, length));
    } catch (error) {
      expect((error as Error).name, String(error)).toBe('RecordingError');
    }
  }
});

for (const { text, want } of [
  { text: 'NULL', want: 0 },
  { text: '0644', want: 0o644 },
  { text: '-1', want: -1 },
  { text: '21<<MAP_HUGE_SHIFT', want: 21 * 2 ** 26 },
  { text: '1<<64', want: 1 },
  { text: '"0x10"', want: 0 },
  { text: '0x10 /* WHAT_??? */', want: 16 },
  { text: 'AT_FDCWD</tmp>', want: -100 },
  { text: 'stack=0x7f0000000000', want: 0x7f0000000000 },
  { text: '0x', want: 0 },
  { text: `1${'*1'.repeat(100000)}`, want: 0 },
]) {
  test(`strace: the value of ${text.slice(0, 30)}`, () => expect(argumentValue(text)).toBe(want));
}

test('strace: deep and long arguments take one pass', () => {
  for (const text of [
    '('.repeat(1e6),
    '{['.repeat(5e5),
    '"'.repeat(1e6),
    '3<->'.repeat(2e5),
    '/*'.repeat(5e5),
    ','.repeat(1e6),
  ]) {
    expect(splitArguments(text, 0).end).toBe(-1);
  }
});
