import { expect, test } from 'vitest';
import { MACHINE_CHOICE } from '../../src/view/choice.ts';
import { FIRST_STATE, KEPT, type Kept, packText, readState, unpackText, writeState } from './url.ts';

test('url: what is as usual is left out', () => {
  expect(writeState(FIRST_STATE)).toBe('view=frames');
  expect(readState('')).toEqual(FIRST_STATE);
});

/** Everything that is a word by itself, and not as usual. */
const OTHERWISE: Kept = {
  view: 'reverse',
  beside: 'lists',
  lesson: 3,
  part: 2,
  kind: 'swap_out',
  unit: 'kind',
  speed: 10_000,
  until: { what: 'free', below: 'min', zone: 2 },
  axis: 'step',
  curveZone: 'free:1',
  colouring: 'age',
  onlyProcess: true,
  onlyChanges: true,
  near: [14, 3071],
  hidden: ['dirty', 'sharing'],
  walk: [3071, 2],
  listsPart: 'swap',
  listsPlace: '1:0',
  isWide: true,
  firstSlot: 2048,
  slot: [0, 17],
  pair: 'lists',
  parting: 'evict',
  withSame: true,
  limits: '64M..16M:4M',
  withAdvice: false,
  withCaches: true,
  withMeasured: false,
  otherKernels: ['3.16', '2.4.19'],
  hostPart: 'files',
  hostFile: 12,
  sort: 'mapped by',
  isUpwards: true,
  find: 'lib & ü%',
};

for (const key of KEPT) {
  test(`url: ${key} is written and read back`, () => {
    const state = { ...FIRST_STATE, [key]: OTHERWISE[key] };
    expect(state).not.toEqual(FIRST_STATE);
    expect(readState(`#${writeState(state)}`)).toEqual(state);
  });
}

for (const until of [
  { what: 'process', pid: 7 },
  { what: 'process', pid: null },
  { what: 'page' },
  { what: 'frame', change: 'unmapped' },
  { what: 'free', below: 1000, zone: null },
  { what: 'limit' },
] as const) {
  test(`url: run until ${JSON.stringify(until)} is written and read back`, () => {
    expect(readState(writeState({ ...FIRST_STATE, until }))).toEqual({ ...FIRST_STATE, until });
  });
}

test('url: what is written is read back, all of it at once', () => {
  const state = {
    ...OTHERWISE,
    opened: 'program',
    program: '%mmp 1\n1 mmap(…)\n',
    step: 12_345,
    since: 12_000,
    choice: { ...MACHINE_CHOICE, kernel: '2.4.19', limitBytes: 16 << 20, swapBytes: 0, programRamBytes: 12_603 * 1024 },
    selection: { by: 'page', pfn: null, pid: 7, address: 0x7ffc12345000 },
    other: { ...MACHINE_CHOICE, limitBytes: 24 << 20, swappiness: 0, mglru: true },
    otherStep: 0,
  } as const;
  expect(readState(`#${writeState(state)}`)).toEqual(state);
});

test('url: a frame, and a process alone, are written and read back', () => {
  for (const selection of [
    { by: 'frame', pfn: 3071, pid: null, address: null },
    { by: 'page', pfn: null, pid: 7, address: null },
  ] as const) {
    expect(readState(writeState({ ...FIRST_STATE, selection })).selection).toEqual(selection);
  }
});

test('url: the step before is the usual one to compare with, and none behind it can be', () => {
  for (const since of [null, 9, 10, 11]) {
    expect(writeState({ ...FIRST_STATE, step: 10, since })).toBe('view=frames&step=10');
  }
});

test('url: the other half of a choice is not written: it is of a machine', () => {
  const selection = { by: 'frame', pfn: 3071, pid: 1, address: 0x1000 } as const;
  expect(writeState({ ...FIRST_STATE, selection })).toBe('view=frames&frame=3071');
});

for (const { why, fragment } of [
  { why: 'a view that is none', fragment: 'view=kernel' },
  { why: 'a step that is no number', fragment: 'step=1e9' },
  { why: 'a step beyond all', fragment: 'step=99999999999999' },
  { why: 'a kernel that we do not have', fragment: 'kernel=1.0' },
  { why: 'a process with a name', fragment: 'page=init:0x1000' },
  { why: 'a step of a second machine that is none', fragment: 'b.step=7' },
  { why: 'a speed that cannot be chosen', fragment: 'speed=3' },
  { why: 'a flag that is neither', fragment: 'wide=yes' },
  { why: 'a condition that is none', fragment: 'until=magic' },
  { why: 'a process without a number', fragment: 'until=process:init' },
  { why: 'what no frame does', fragment: 'until=frame:toString' },
  { why: 'a mark that no zone has', fragment: 'until=free:most' },
  { why: 'a zone without a number', fragment: 'until=free:low:Normal' },
  { why: 'more than a condition has', fragment: 'until=limit:6M' },
  { why: 'one of several that is none', fragment: 'hide=young,old' },
  { why: 'a walk without its frame', fragment: 'walk=:2' },
  { why: 'a slot of three numbers', fragment: 'slot=0:1:2' },
  { why: 'a place that is no place', fragment: 'place=Normal' },
  { why: 'limits that are none', fragment: 'limits=much' },
  { why: 'a part of a host that is none', fragment: 'host=disks' },
  { why: 'a file by its path', fragment: 'file=/etc/passwd' },
]) {
  test(`url: ${why} is left out`, () => expect(readState(fragment)).toEqual(FIRST_STATE));
}

const packed = packText('%mmp 1\n1 brk(0)\n');
for (const { why, fragment } of [
  { why: 'a source that is a path', fragment: 'open=file:../../etc/passwd' },
  { why: 'the beginning of a name', fragment: 'open=exam' },
  { why: 'a program that is not packed', fragment: 'open=program&program=!!!!' },
  { why: 'the same without its name', fragment: 'program=%%%' },
  { why: 'a program that was cut', fragment: `open=program&program=${packed.slice(0, -10)}` },
  { why: 'a program that was cut off', fragment: 'open=program' },
]) {
  test(`url: ${why} is damage, not a first visit`, () => expect(readState(fragment).opened).toBeNull());
}

test('url: a program beside which its name was left out is a program', () => {
  expect(readState(`program=${packed}`)).toMatchObject({ opened: 'program', program: '%mmp 1\n1 brk(0)\n' });
});

test('url: MGLRU on a kernel without it is left out', () => {
  expect(readState('kernel=3.16&mglru=1').choice.mglru).toBe(false);
  expect(readState('kernel=6.1&mglru=1').choice.mglru).toBe(true);
});

test('url: a packed program that unpacks to more than a page takes is refused', () => {
  expect(unpackText(packText('x'.repeat(1000)))).toBe('x'.repeat(1000));
  expect(unpackText(packText('x'.repeat((1 << 20) + 1))) === null).toBe(true);
});
