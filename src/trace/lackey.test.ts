/** Lackey's text: what each line means, alone and in real logs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tell } from '../../test/inputs/told.ts';

const samples = join(import.meta.dirname, '../../test/inputs');

/** The words without the tick at the end. */
function words(text: string): string[] {
  return tell('lackey', text).words.filter((word) => !/ tick \d+$/.test(word));
}

for (const { why, text, want } of [
  { why: 'a fetch', text: 'I  00401000,4\n', want: ['0 f 401'] },
  { why: 'a load', text: ' L 1fff000678,8\n', want: ['0 r 1fff000'] },
  { why: 'both is a read and a write', text: ' M 04800000,1\n', want: ['0 r 4800', '0 w 4800'] },
  { why: 'over the end of a page it is two', text: ' S 00401fff,2\n', want: ['0 w 401', '0 w 402'] },
  { why: 'the same page again is left out', text: ' L 1000,1\n L 1008,1\nI  1010,2\n', want: ['0 r 1'] },
  { why: 'but not its first store', text: ' L 1000,1\n S 1008,1\n L 1000,1\n', want: ['0 r 1', '0 w 1'] },
  {
    why: 'what was unmapped is another page',
    text: ' S 1000,1\nSYSCALL[7,1](11) sys_munmap ( 0x1000, 4096 )[sync] --> Success(0x0) \n S 1000,1\n',
    want: ['0 w 1', '0 munmap(4096, 4096) = 0', '0 w 1'],
  },
  { why: 'CR LF', text: ' L 1000,1\r\n S 2000,1\r\n', want: ['0 r 1', '0 w 2'] },
  { why: 'no newline at the end', text: ' L 1000,1\n S 2000,1', want: ['0 r 1', '0 w 2'] },
  { why: 'the last page of user space', text: ' L 7fffffffffff,1\n', want: ['0 r 7ffffffff'] },
  {
    why: 'a call on one line',
    text: 'SYSCALL[7,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000) \n',
    want: ['0 brk(0) = 67325952'],
  },
  {
    why: 'a call that is made at once',
    text: 'SYSCALL[7,1](3) sys_close ( 4 )[sync] --> Success(0x0) \n',
    want: ['0 close(4) = 0'],
  },
  {
    why: 'a path, with commas and parentheses in it',
    text: 'SYSCALL[7,1](257) sys_openat ( 4294967196, 0x10a004(/a, (b), c), 0 ) --> [pre-success] Failure(0x2) \n',
    want: ['0 path /a, (b), c', '0 openat(4294967196, 1089540, 0) = -2'],
  },
  {
    why: 'a call that returns later, when another thread has made one',
    text: [
      'SYSCALL[7,1](202) sys_futex ( 0x1000, 265, 8 ) --> [async] ... ',
      'SYSCALL[7,2](11) sys_munmap ( 0x4800000, 4096 )[sync] --> Success(0x0) ',
      'SYSCALL[7,1](202) ... [async] --> Success(0x0) ',
      '',
    ].join('\n'),
    want: ['0 munmap(75497472, 4096) = 0', '0 futex(4096, 265, 8) = 0'],
  },
  {
    why: 'a call that valgrind does not know',
    text: 'SYSCALL[7,1](334) unimplemented (by the kernel) syscall: 334! (ni_syscall)\n --> [pre-fail] Failure(0x26) \n',
    want: ['0 rseq(0) = -38'],
  },
  {
    why: 'a thread is its process; flags without 0x',
    text: 'SYSCALL[7,1](56) sys_clone ( 3d0f00, 0x1000 ) --> [pre-success] Success(0x8) \nSYSCALL[7,2](3) sys_close ( 4 )[sync] --> Success(0x0) \n',
    want: ['0 clone(4001536, 4096) = 8', '0 close(4) = 0'],
  },
  {
    why: 'a child that is there before its parent returns',
    text: [
      'SYSCALL[7,1](57) sys_fork ( )   fork: process 7 created child 9',
      ' --> [pre-success] Success(0x0) ',
      ' S 1000,1',
      'SYSCALL[9,1](231) exit_group( 3 ) --> [pre-success] Success(0x0) ',
      ' --> [pre-success] Success(0x9) ',
      ' S 2000,1',
      '',
    ].join('\n'),
    want: ['9 w 1', '9 exit_group(3) = 0', '0 fork(0) = 9', '0 w 2'],
  },
  {
    why: 'a number that is somebody else now',
    text: [
      'SYSCALL[7,1](57) sys_fork ( ) --> [pre-success] Success(0x9) ',
      'SYSCALL[9,1](231) exit_group( 0 ) --> [pre-success] Success(0x0) ',
      'SYSCALL[7,1](57) sys_fork ( ) --> [pre-success] Success(0x9) ',
      'SYSCALL[9,1](3) sys_close ( 1 )[sync] --> Success(0x0) ',
      '',
    ].join('\n'),
    want: ['0 fork(0) = 9', '9 exit_group(0) = 0', '0 fork(0) = 4194313', '4194313 close(1) = 0'],
  },
]) {
  test(`lackey: ${why}`, () => expect(words(text)).toEqual(want));
}

for (const { why, text, want } of [
  { why: 'no address', text: ' L zz,8\n L 1,1\n', want: "x: line 1: ' L ADDRESS,BYTES' expected, found ' L zz,8'" },
  { why: 'no size', text: 'I  00401000\n\n', want: "line 1: 'I  ADDRESS,BYTES' expected" },
  { why: 'an address of the kernel', text: '\nI  ffffffff81000000,4\n', want: 'line 2: ' },
  { why: 'an address of 17 digits', text: ' S 11234567812345678,4\n', want: 'line 1: ' },
  { why: 'no bytes', text: ' S 1000,0\n', want: "found ' S 1000,0'" },
  { why: 'a negative size', text: ' S 1000,-8\n', want: 'line 1: ' },
  {
    why: 'a call of 65 bits',
    text: 'SYSCALL[7,1](12) sys_brk ( 0x11234567812345678 ) --> [pre-success] Success(0x0) \n',
    want: "line 1: '0x11234567812345678' has more than 64 bits",
  },
  {
    why: 'a result of 65 bits',
    text: 'SYSCALL[7,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x11234567812345678) \n',
    want: "'Success(0x…)' or 'Failure(0x…)' expected",
  },
  {
    why: 'a process that Linux does not have',
    text: 'SYSCALL[4194304,1](3) sys_close ( 4 )[sync] --> Success(0x0) \n',
    want: 'none above 4194303',
  },
  { why: 'a call without a number', text: 'SYSCALL[7,1] sys_close\n', want: "'SYSCALL[PID,TID](NUMBER) …' expected" },
  { why: 'nothing', text: '', want: 'x: a lackey log without a line of lackey' },
  { why: 'something else', text: 'hello\n'.repeat(2000), want: 'line 1001: 1001 of 1001 lines are not lackey' },
]) {
  test(`lackey refused: ${why}`, () => expect(() => tell('lackey', text)).toThrow(want));
}

test('lackey: cut off anywhere, it is a shorter log, or refused in one line', () => {
  const whole = readFileSync(join(samples, 'lackey.txt'));
  for (let length = 0; length < whole.length; length += 7) {
    try {
      const { facts } = tell('lackey', whole.subarray(0, length));
      expect(facts.recorder).toBe('valgrind lackey');
    } catch (error) {
      expect((error as Error).name, String(error)).toBe('RecordingError');
    }
  }
  expect(tell('lackey', ' L 1000,1\n S 20').facts.cutShort).toBe('cut-off');
});

test('lackey: pieces of any length say the same', () => {
  const whole = readFileSync(join(samples, 'lackey-d.txt'));
  const want = tell('lackey', whole).words;
  for (const piece of [1, 7, 64, 1000]) expect(tell('lackey', whole, piece).words, `${piece}`).toEqual(want);
});

test('lackey: a log has as many accesses and calls as somebody else counts in it', () => {
  for (const name of ['lackey.txt', 'lackey-d.txt']) {
    const text = readFileSync(join(samples, name), 'utf8');
    let accesses = 0;
    let calls = 0;
    for (const line of text.split('\n')) {
      const match = /^(?:I {2}| ([LSM]) )([0-9a-f]+),(\d+)$/.exec(line);
      const crossing = match === null ? 0 : (Number.parseInt(match[2]!, 16) % 4096) + Number(match[3]) > 4096 ? 2 : 1;
      accesses += crossing * (match?.[1] === 'M' ? 2 : 1);
      if (/^SYSCALL\[.*(Success|Failure|ed child)/.test(line)) calls += 1;
    }
    const { words: told, facts } = tell('lackey', text);
    const ticks = told.flatMap((word) => / tick (\d+)$/.exec(word)?.[1] ?? []);
    expect(
      ticks.reduce((sum, n) => sum + Number(n), 0),
      name,
    ).toBe(accesses);
    expect(told.filter((word) => word.includes('(')).length, name).toBe(calls);
    expect(facts.cutShort, name).toBe('');
    expect(facts.command, name).toBe('./tiny');
  }
});

test('lackey: valgrind -d says where the program lay; valgrind itself is not in it', () => {
  const { facts } = tell('lackey', readFileSync(join(samples, 'lackey-d.txt')));
  expect(
    facts.maps.map(({ start, end, file }) => `${start.toString(16)}-${end.toString(16)} ${file?.path ?? ''}`),
  ).toEqual([
    '400000-401000 /tmp/tiny/tiny',
    '401000-402000 /tmp/tiny/tiny',
    '402000-403000 /tmp/tiny/tiny',
    '403000-404000 /tmp/tiny/tiny',
    '1ffefff000-1fff001000 ',
  ]);
  expect(facts.maps[2]!.file).toMatchObject({ offset: 8192, bytes: 16384 });
  expect(facts.elf.get('start_code')).toBe(0x401000);
  expect(facts.elf.get('start_stack')).toBe(0x1fff000ff0);
  const { facts: without } = tell('lackey', readFileSync(join(samples, 'lackey.txt')));
  expect(without.unseen[0]).toContain('only valgrind -d says that');
});

test('lackey: execve starts a program that valgrind describes anew', () => {
  const layout = (path: string) =>
    [
      '--7:1: aspacem <<< SHOW_SEGMENTS: Memory layout at client startup (2 segments)',
      `--7:1: aspacem (1,49,7) ${path}`,
      '--7:1: aspacem   1: file 0000401000-0000401fff    4096 r-x-- d=0xfe00 i=7 o=4096    (1,49)',
      '--7:1: aspacem  25: anon 1ffefff000-1fff000fff    8192 rw---',
      '--7:1: aspacem >>>',
    ].join('\n');
  const text = [
    '==7== Lackey, an example Valgrind tool',
    '==7== Command: /bin/a',
    layout('/bin/a'),
    'I  00401000,4',
    'SYSCALL[7,1](59) sys_execve ( 0x47a004(/no), 0x0, 0x0 ) --> [pre-fail] Failure(0x2) ',
    'SYSCALL[7,1](59) sys_execve ( 0x47a015(/bin/b), 0x0, 0x0 )==7== Lackey, an example Valgrind tool',
    '==7== Command: /bin/b c',
    layout('/bin/b'),
    'I  00401000,4',
    'SYSCALL[7,1](231) exit_group( 0 ) --> [pre-success] Success(0x0) ',
    '--7:1: aspacem <<< SHOW_SEGMENTS: Memory layout at client shutdown (2 segments)',
    '==7== ',
    '',
  ].join('\n');
  const { words: told, facts } = tell('lackey', text);
  expect(told).toEqual([
    '0 f 401',
    '0 execve(4694020, 0, 0) = -2',
    '0 execve(4694037, 0, 0) = 0',
    '0 image 1',
    '0 f 401',
    '0 exit_group(0) = 0',
    '0 tick 2',
  ]);
  expect(facts.command).toBe('/bin/a');
  expect(facts.cutShort).toBe('');
  expect(facts.images.map(({ command, maps }) => [command, maps[0]!.file!.path])).toEqual([['/bin/b c', '/bin/b']]);
});
