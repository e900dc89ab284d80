/** The editor's lists: every template is a call, every example a program, every outcome has words. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseMmp } from '../../../src/syscalls/mmp.ts';
import { CALL_GROUPS, DIRECTIVES } from './calls.ts';
import { faultOf, sameLines } from './fault.ts';
import { said } from './outcome.ts';

const CALLS = CALL_GROUPS.flatMap(({ calls }) => calls);

test.each(CALLS)('a template is a call that a program knows: $template', ({ template, name }) => {
  const [step] = parseMmp(`%mmp 1\n${template}\n`, 'x.mmp').steps;
  expect(step).toMatchObject({ skipped: false, name: name.replace(/,.*/, '') });
});

test.each(DIRECTIVES)('a directive stands at the top: $template', ({ template }) => {
  expect(parseMmp(`%mmp 1\n${template}\n1 load(0x100000000000)\n`, 'x.mmp').steps.length).toBe(1);
});

test('every known call of the format that is no spelling of another is offered', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../oracle/corpus/FORMAT.md'), 'utf8');
  const known = /^Calls known: ([\s\S]*?)\. /m.exec(text)![1]!.match(/\w+/g)!;
  const others = new Set([
    'mlock2',
    'mlockall',
    'munlockall',
    'openat',
    'dup',
    'unlink',
    'read',
    'write',
    'lseek',
    'fdatasync',
  ]);
  const offered = new Set(CALLS.map(({ name }) => name.replace(/,.*/, '')));
  const calls = known.slice(0, known.indexOf('vfork'));
  expect(calls).toContain('fadvise64');
  expect(calls.filter((name) => !offered.has(name) && !others.has(name))).toEqual([]);
});

test.each([
  { outcome: { ret: 4, minflt: 4, majflt: 0 }, want: '= 4, 4 faults', isBad: false },
  { outcome: { ret: 4, minflt: 0, majflt: 1 }, want: '= 4, 1 fault (1 from disk)', isBad: false },
  { outcome: { ret: '0x100000000000', minflt: 0, majflt: 0 }, want: '= 0x100000000000', isBad: false },
  { outcome: { ret: 0, vec: '0110' }, want: '= 0, 0110', isBad: false },
  { outcome: { ret: -1, err: 'ENOMEM' }, want: 'ENOMEM: not mapped, or no memory for it', isBad: true },
  { outcome: { ret: -1, err: 'E2BIG' }, want: 'E2BIG: refused', isBad: true },
  {
    outcome: { ret: 0, sig: 'SIGBUS', code: 'BUS_ADRERR', addr: '0x100000004000' },
    want: 'SIGBUS at 0x100000004000: behind the end of the file',
    isBad: true,
  },
  { outcome: { ret: null, exit: true }, want: 'ended', isBad: false },
  { outcome: { ret: null, died: true }, want: 'killed: there was no memory left', isBad: true },
  { outcome: { ret: null, skipped: true }, want: 'left out: no such process lives, or no such call', isBad: true },
] as const)('an outcome in words: $want', ({ outcome, want, isBad }) =>
  expect(said(outcome)).toEqual({ text: want, isBad }),
);

test.each([
  { one: 'a\nb\nc', other: 'a\nb\nc\nd', want: 3 },
  { one: 'a\nb\nc', other: 'a\nx\nc', want: 1 },
  { one: 'a\nb', other: 'a', want: 1 },
  { one: 'a', other: '', want: 0 },
])('lines in common: $one, $other', ({ one, other, want }) => expect(sameLines(one, other)).toBe(want));

test.each([
  { message: 'program.mmp:12: is no call: 3: 4', want: { line: 12, reason: 'is no call: 3: 4' } },
  { message: 'program.mmp: is empty', want: { line: 0, reason: 'is empty' } },
  { message: 'broken promise: x (at 3)', want: { line: 0, reason: 'broken promise: x (at 3)' } },
])('a message is taken apart: $message', ({ message, want }) => expect(faultOf(message)).toEqual(want));
