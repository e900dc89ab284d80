/**
 * The questions at the end of the ten lessons: is what the reader did an answer?
 *
 * Owns      one check for each lesson. What the lessons say: web/lessons.
 * Promises  1. A check looks at the machine that is open, and at nothing that the lesson wrote down: another way to the same state
 *              is an answer too.
 *           2. An answer that is none is told what is missing.
 */
import { addrOf, type Pfn } from '../mm/units.ts';
import { atEnd, inodeNamed, type Told, told } from './lessons_ask.ts';
import { ANON, FILE, MEMORY_STEP, SHM } from './lessons_places.ts';
import type { Selection } from './selection.ts';
import type { MachineSubject, Subject } from './subject.ts';

export interface LessonInput {
  /** What was typed into the fields of the question. */
  readonly numbers: readonly (number | null)[];
  readonly selection: Selection;
}

export interface Verdict {
  readonly right: boolean;
  /** What is missing; what was found if nothing is. */
  readonly says: string;
}

const PAGE = 4096;

type Check = (subject: MachineSubject, input: LessonInput) => Verdict;

const right = (says: string): Verdict => ({ right: true, says });
const wrong = (says: string): Verdict => ({ right: false, says });

const CHECKS: readonly Check[] = [
  kinds,
  threeMappings,
  placeOfPage,
  shareFour,
  chains,
  nextFile,
  survives,
  swapCached,
  regions,
  least,
];

export function checkLesson(subject: Subject, lesson: number, input: LessonInput): Verdict {
  const check = CHECKS[lesson - 1];
  if (subject.kind === 'host' || check === undefined) return wrong('Open the program of the question first.');
  return check(subject, input);
}

function kinds(subject: MachineSubject): Verdict {
  const running = stillRuns(subject);
  if (running !== null) return running;
  const page = (word: 'kind' | 'flags') => String(told(subject, { of: 'page', page: [1, FILE], word }));
  const shared = told(subject, { of: 'page', page: [1, SHM], word: 'kind' });
  if (shared !== 'unreclaimable') return wrong(`The first page of notes is ${shared ?? 'not in memory'} still.`);
  if (page('kind') !== 'syncable') return wrong('The first page of book is not mapped by process 1 and syncable.');
  if (page('flags').split(' ').includes('dirty'))
    return wrong('The first page of book is dirty still: it has to be written.');
  return right('Notes is locked in memory, and book is equal to the disk again.');
}

function threeMappings(subject: MachineSubject): Verdict {
  const mapcount = told(subject, { of: 'page', page: [1, ANON], word: 'mapcount' });
  if (mapcount === null) return wrong('Process 1 has no page at 0x100000000000 at this step.');
  if (mapcount !== 3) return wrong(`The page is mapped ${times(Number(mapcount))} at this step.`);
  return right('Three entries show the frame: _mapcount is 2, one less than their number.');
}

function placeOfPage(subject: MachineSubject, { selection }: LessonInput): Verdict {
  const { pid, address } = selection;
  if (pid === null || address === null) return wrong('Choose a page of process 2: type 2:0x… into “Go to”.');
  if (pid !== 2) return wrong(`That is an address of process ${pid}.`);
  const index = told(subject, { of: 'place', pid, address, word: 'formulaIndex' });
  if (index === null) return wrong('Process 2 has nothing mapped there. Is the program at its end?');
  const vma = subject.living.find((one) => one.pid === 2)?.mm.vmas.find(Math.floor(address / PAGE) as never);
  if (vma?.vmFile?.inode.name !== 'map') return wrong('There is no page of the file map there.');
  if (index !== 9) return wrong(`There it has page ${index} of the file.`);
  return right(`(9 − ${vma.vmPgoff}) pages behind ${hex(addrOf(vma.vmStart))}: that is ${hex(address)}.`);
}

function shareFour(subject: MachineSubject): Verdict {
  const running = stillRuns(subject);
  if (running !== null) return running;
  const shared = told(subject, { of: 'shared', pids: [1, 2] });
  if (shared === null) return wrong('Both processes have to live at the end.');
  if (shared !== 4) return wrong(`They share ${plural(Number(shared), 'frame')} at the end.`);
  return right('Four frames are mapped by both, and each process has copies of its own of the rest.');
}

/** On both kernels, with the program that is open. */
function chains(subject: MachineSubject, { numbers }: LessonInput): Verdict {
  const [old, young] = numbers;
  if (old == null || young == null) return wrong('Two numbers are wanted.');
  const [inOld, inYoung] = ['2.6.24', '3.16'].map((kernel) => {
    const end = atEnd(subject, kernel);
    const last = end.living.at(-1)?.pid ?? 1;
    return told(end, { of: 'page', page: [last, ANON], word: 'visited' });
  });
  if (old !== inOld) return wrong('The first number is another. Whom does the one list of the anon_vma name?');
  if (young !== inYoung) return wrong('The second number is another. Whose anon_vma has the copy?');
  return right(`2.6.24 visits ${plural(old, 'VMA')}, 3.16 ${plural(young, 'VMA')}.`);
}

function nextFile({ machine }: MachineSubject, { selection }: LessonInput): Verdict {
  const { pfn } = selection;
  if (pfn === null || pfn >= machine.frames.frames) return wrong('Choose a frame, or a page that is in one.');
  const name = 'inactive_file';
  const list = machine.generation.lruNames.indexOf(name);
  const lists = machine.rootMemcg.lruvecs.map(({ lists: all }) => all[list]).filter((head) => head !== undefined);
  if (list < 0) return wrong(`Linux ${machine.generation.version} has no list of that name.`);
  const { frames } = machine;
  if (lists.some((head) => !frames.listEmpty(head) && frames.listLast(head) === pfn)) {
    return right('It is the last of the list: a scan begins there.');
  }
  const its = frames.onList(pfn as Pfn) && lists.length > 0 ? machine.lru.listOf(pfn as Pfn) : -1;
  if (its !== list) return wrong(`This frame is not on ${name}.`);
  return wrong('It is on the list, but others stand nearer to the tail.');
}

function survives(subject: MachineSubject): Verdict {
  const running = stillRuns(subject);
  if (running !== null) return running;
  const { machine } = subject;
  const stream = inodeNamed(machine, 'stream');
  const last = stream === null ? -1 : Math.floor(stream.size / PAGE) - 1;
  if (told(subject, { of: 'cache', file: 'stream', index: last }) !== 'a frame') {
    return wrong('The stream has to be read to its end.');
  }
  if (told(subject, { of: 'cache', file: 'book', index: 0 }) !== 'a frame') return wrong('The book was evicted again.');
  if (told(subject, { of: 'page', page: ['book', 0], word: 'kind' }) === 'unreclaimable') {
    return wrong('Locked it stays, but so it would without any second chance.');
  }
  const refaults = Number(told(subject, { of: 'refaults', word: 'refaults' }));
  if (refaults > 0)
    return wrong(`The book is there, but it was evicted before: ${plural(refaults, 'page')} came back.`);
  return right('It was used between two scans, moved to active_file, and the stream passed by.');
}

function swapCached(subject: MachineSubject): Verdict {
  const running = stillRuns(subject);
  if (running !== null) return running;
  const word = (name: 'mapcount' | 'flags'): Told => told(subject, { of: 'page', page: [1, ANON], word: name });
  const mapcount = word('mapcount');
  if (mapcount === null) return wrong('Process 1 has its first page in swap still, or nowhere.');
  if (mapcount !== 2) return wrong(`The frame is mapped ${times(Number(mapcount))}.`);
  if (!String(word('flags')).split(' ').includes('swapcache')) return wrong('The page has no slot of the swap area.');
  return right('One frame, two entries, and a good copy in the swap area: it is in the swap cache.');
}

/** On both kernels, with the program that is open. */
function regions(subject: MachineSubject, { numbers }: LessonInput): Verdict {
  const [old, young] = numbers;
  if (old == null || young == null) return wrong('Two numbers are wanted.');
  const [inOld, inYoung] = ['3.16', '6.18'].map((kernel) =>
    told(atEnd(subject, kernel), { of: 'vmas', pid: 1, from: FILE, to: SHM }),
  );
  if (old !== inOld) return wrong('In 3.16 it is another number. Does a nonlinear mapping need a second region?');
  if (young !== inYoung)
    return wrong('In 6.18 it is another number. Which neighbours can be one region, since their pages follow?');
  return right(`3.16 has ${plural(old, 'region')}, 6.18 ${young}.`);
}

function least(subject: MachineSubject): Verdict {
  const { machine } = subject;
  const { ramBytes, kernel } = machine.config;
  if (machine.generation.version !== '2.4.19') return wrong(`This is Linux ${kernel}; the question is about 2.4.19.`);
  const running = stillRuns(subject);
  if (running !== null) return running;
  const out = Number(told(subject, { of: 'event', name: 'pswpout' }));
  if (out > 0) return wrong(`${plural(out, 'page')} went to swap: it is too small.`);
  const smaller = atEnd(subject, kernel, ramBytes - MEMORY_STEP);
  if (told(smaller, { of: 'event', name: 'pswpout' }) === 0)
    return wrong('Nothing went to swap, but less memory does too.');
  return right('A quarter of a mebibyte less, and 2.4.19 swaps.');
}

function stillRuns({ timeline, stepsOfProgram }: MachineSubject): Verdict | null {
  if (stepsOfProgram === null) return wrong('Open the program of the question first.');
  return timeline.step === stepsOfProgram ? null : wrong('Run the program to its end first.');
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}

function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}
