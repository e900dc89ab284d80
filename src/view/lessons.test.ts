/** What lessons ask, of a machine of each kind and of a host. */
import { expect, test } from 'vitest';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { stateHash } from '../mm/snapshot.ts';
import { KERNELS, MACHINE_CHOICE } from './choice.ts';
import { type Ask, lessonFacts, type PageWord, type PlaceWord } from './lessons_ask.ts';
import { checkLesson } from './lessons_checks.ts';
import { begin } from './open.ts';
import { programLines } from './program.ts';
import { NOTHING } from './selection.ts';
import { HostSubject, type MachineSubject } from './subject.ts';

const A = 0x1000_0000_0000;
const TEXT = `%mmp 1
%snapshot manual
%swap 16
%file data 4 disk cached
# a remark
1 open("data", O_RDWR) = 3
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 16384, 1)
snapshot
1 fork() = 2
1 munmap(0x100000000001, 4096)
1 load(0x100000008000)
`;

function opened(kernel: string): MachineSubject {
  const choice = { ...MACHINE_CHOICE, kernel };
  const subject = begin({ kind: 'program', name: 'x.mmp', text: TEXT }, choice) as MachineSubject;
  subject.timeline.seek(5);
  return subject;
}

const PAGE_WORDS: readonly PageWord[] = [
  ...(['mapcount', 'refcount', 'kind', 'list', 'tag', 'owner', 'index', 'visited', 'mappers', 'inVain'] as const),
  ...(['ptesSearched', 'mmsSearched', 'flags', 'pfn'] as const),
];
const PLACE_WORDS: readonly PlaceWord[] = [
  ...(['state', 'slot', 'slotUsers', 'inSwapCache', 'writable', 'young', 'dirty', 'chain', 'formulaIndex'] as const),
];
const ASKS: readonly Ask[] = [
  ...PAGE_WORDS.map((word): Ask => ({ of: 'page', page: [1, A], word })),
  ...PAGE_WORDS.map((word): Ask => ({ of: 'page', page: ['data', 1], word })),
  ...PLACE_WORDS.map((word): Ask => ({ of: 'place', pid: 1, address: A, word })),
  { of: 'cache', file: 'data', index: 0 },
  { of: 'list', name: 'inactive_anon' },
  { of: 'event', name: 'pgfault' },
  { of: 'refaults', word: 'refaults' },
  { of: 'refaults', word: 'activated' },
  { of: 'shared', pids: [1, 2] },
  { of: 'vmas', pid: 1, from: A, to: A + 2 ** 30 },
  { of: 'free' },
  { of: 'swapUsed' },
  { of: 'work', word: 'ptesVisited' },
  { of: 'line', step: 3, word: 'minflt' },
  { of: 'other', kernel: '6.18', name: 'pgfault' },
];

test.each(KERNELS)('whoever asks or checks only looks: Linux $version', ({ version }) => {
  const subject = opened(version);
  const before = stateHash(subject.machine);
  const told = lessonFacts(subject, ASKS);
  for (let lesson = 1; lesson <= 10; lesson++) {
    const selection = { by: 'page', pfn: 1, pid: 1, address: A } as const;
    checkLesson(subject, lesson, { numbers: [1, 1], selection });
  }
  expect(stateHash(subject.machine)).toBe(before);
  const of = (word: PageWord): unknown => told[PAGE_WORDS.indexOf(word)];
  expect([of('mapcount'), of('mappers'), of('kind')]).toEqual([2, 2, 'swappable']);
});

test.each([
  { why: 'an address where nothing is', ask: { of: 'page', page: [1, A + 2 ** 20], word: 'mapcount' }, want: null },
  { why: 'a process that there is none of', ask: { of: 'place', pid: 7, address: A, word: 'state' }, want: null },
  { why: 'a file that there is none of', ask: { of: 'cache', file: 'other', index: 0 }, want: null },
  { why: 'a page behind the end of a file', ask: { of: 'cache', file: 'data', index: 9 }, want: 'nothing' },
  { why: 'a list of another kernel', ask: { of: 'list', name: 'inactive' }, want: null },
  { why: 'a line that is not made yet', ask: { of: 'line', step: 7, word: 'minflt' }, want: null },
] as const)('$why', ({ ask, want }) => expect(lessonFacts(opened('6.18'), [ask])).toEqual([want]));

test('of a host a lesson asks in vain, and says so', () => {
  const host = new HostSubject(snapshotOfMachine(opened('6.18').machine));
  expect(lessonFacts(host, [{ of: 'free' }])).toEqual([null]);
  expect(checkLesson(host, 1, { numbers: [], selection: NOTHING })).toMatchObject({ right: false });
  expect(programLines(host)).toBeNull();
});

test('a program line by line: what is done has an outcome, a refusal is one, and a fault says where', () => {
  const subject = opened('6.18');
  expect(programLines(subject)!.map(({ line }) => line)).toEqual([6, 7, 8, 9, 10, 11, 12]);
  expect(programLines(subject)!.map(({ outcome }) => outcome?.ret)).toEqual([
    3,
    '0x100000000000',
    4,
    undefined,
    2,
    undefined,
    undefined,
  ]);
  subject.timeline.seek(7);
  const [refused, faulted] = programLines(subject)!.slice(5);
  expect(refused!.outcome).toMatchObject({ ret: -1, err: 'EINVAL' });
  expect(faulted!.outcome).toMatchObject({ sig: 'SIGSEGV', code: 'SEGV_MAPERR', addr: '0x100000008000' });
});
