import { expect, test } from 'vitest';
import { MACHINE_CHOICE } from '../../src/view/choice.ts';
import { FIRST_STATE, packText, readState, unpackText, writeState } from './url.ts';

test('url: what is as usual is left out', () => {
  expect(writeState(FIRST_STATE)).toBe('view=frames');
  expect(readState('')).toEqual(FIRST_STATE);
});

test('url: what is written is read back', () => {
  const state = {
    ...FIRST_STATE,
    view: 'reverse',
    beside: 'lists',
    lesson: 3,
    colouring: 'age',
    part: 2,
    opened: 'program',
    program: '%mmp 1\n1 mmap(…)\n',
    step: 12_345,
    choice: { ...MACHINE_CHOICE, kernel: '2.4.19', limitBytes: 16 << 20, swapBytes: 0, programRamBytes: 12_603 * 1024 },
    selection: { by: 'page', pfn: null, pid: 7, address: 0x7ffc12345000 },
    other: { ...MACHINE_CHOICE, limitBytes: 24 << 20, swappiness: 0, mglru: true },
    pair: 'lists',
  } as const;
  expect(readState(`#${writeState(state)}`)).toEqual(state);
});

for (const { why, fragment } of [
  { why: 'a view that is none', fragment: 'view=kernel' },
  { why: 'a step that is no number', fragment: 'step=1e9' },
  { why: 'a step beyond all', fragment: 'step=99999999999999' },
  { why: 'a kernel that we do not have', fragment: 'kernel=1.0' },
  { why: 'a source that is a path', fragment: 'open=file:../../etc/passwd' },
  { why: 'a program that is not packed', fragment: 'program=%%%' },
  { why: 'MGLRU, and a process with a name', fragment: 'page=init:0x1000' },
]) {
  test(`url: ${why} is left out`, () => expect(readState(fragment)).toEqual(FIRST_STATE));
}

test('url: MGLRU on a kernel without it is left out', () => {
  expect(readState('kernel=3.16&mglru=1').choice.mglru).toBe(false);
  expect(readState('kernel=6.1&mglru=1').choice.mglru).toBe(true);
});

test('url: a packed program that unpacks to more than a page takes is refused', () => {
  expect(unpackText(packText('x'.repeat(1000)))).toBe('x'.repeat(1000));
  expect(unpackText(packText('x'.repeat((1 << 20) + 1))) === null).toBe(true);
});
