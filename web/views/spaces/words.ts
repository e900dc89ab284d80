/**
 * Pages and regions in words.
 *
 * Owns      the letters, colours and words of backings and of page states: the picture, its legend and the tables say the same.
 */
import {
  type Backing,
  type Knowledge,
  PAGE_ABSENT,
  PAGE_ANON,
  PAGE_DIRTY,
  PAGE_GUARD,
  PAGE_HUGE,
  PAGE_KSM,
  PAGE_MOVING,
  PAGE_RESIDENT,
  PAGE_SHARED,
  PAGE_SWAPPED,
  PAGE_WAITING,
  PAGE_WHERE,
  PAGE_WRITABLE,
  PAGE_YOUNG,
  PAGE_ZERO,
} from '../../../src/view/spaces_form.ts';
import { hex } from '../../ui/format.ts';

export interface BackingLook {
  readonly letter: string;
  readonly colour: string;
  readonly says: string;
}

export const BACKINGS: Readonly<Record<Backing, BackingLook>> = {
  file: { letter: 'F', colour: '--p0', says: 'a file' },
  anon: { letter: 'A', colour: '--p7', says: 'anonymous memory: no file behind it' },
  heap: { letter: 'H', colour: '--p6', says: 'the heap (brk)' },
  stack: { letter: 'S', colour: '--p4', says: 'the stack' },
  shmem: { letter: 'M', colour: '--p3', says: 'shared memory (tmpfs)' },
  hugetlb: { letter: 'G', colour: '--p8', says: 'hugetlb: reserved huge pages' },
  special: { letter: 'K', colour: '--p9', says: 'the kernel’s own (vdso, vvar)' },
};

export const STATE_COLOURS = { own: '--p2', shared: '--p5', swapped: '--p1' } as const;

const WHERE: Readonly<Record<number, string>> = {
  [PAGE_ABSENT]: 'not there: never touched, or given back',
  [PAGE_RESIDENT]: 'resident',
  [PAGE_SWAPPED]: 'swapped out',
  [PAGE_ZERO]: 'the page of zeros: read, never written',
  [PAGE_GUARD]: 'a guard: whoever comes gets SIGSEGV',
  [PAGE_WAITING]: 'waits for a page of the file (nonlinear)',
  [PAGE_MOVING]: 'on its way to another frame',
};

export function whereText(state: number): string {
  return WHERE[state & PAGE_WHERE] ?? '';
}

/** `in frame 0x3f2`, `in slot 12`. */
export function valueText(state: number, value: number): string {
  if (value < 0) return '';
  const where = state & PAGE_WHERE;
  if (where === PAGE_RESIDENT || where === PAGE_MOVING) return `frame ${hex(value)}`;
  if (where === PAGE_SWAPPED) return `slot ${value}`;
  return where === PAGE_WAITING ? `page ${value} of the file` : '';
}

/** `young, dirty, a copy of its own`. */
export function marksText(state: number, isFileRegion: boolean, knows: Knowledge): string {
  const where = state & PAGE_WHERE;
  if (where !== PAGE_RESIDENT) return where === PAGE_SWAPPED && (state & PAGE_SHARED) !== 0 ? 'slot shared' : '';
  const marks: string[] = [];
  if ((state & PAGE_SHARED) !== 0) marks.push('shared');
  if (isFileRegion && (state & PAGE_ANON) !== 0) marks.push('private copy');
  if ((state & PAGE_YOUNG) !== 0) marks.push(knows.young === 'frame' ? 'referenced (frame)' : 'young');
  if ((state & PAGE_DIRTY) !== 0) marks.push(knows.dirty === 'frame' ? 'dirty (frame)' : 'dirty');
  if (knows.writable) marks.push((state & PAGE_WRITABLE) !== 0 ? 'writable' : 'write-protected');
  if ((state & PAGE_HUGE) !== 0) marks.push('part of a huge page');
  if ((state & PAGE_KSM) !== 0) marks.push('merged (KSM)');
  return marks.join(', ');
}

/** For regions that maps gives no name. */
export function regionName(name: string, backing: Backing): string {
  if (name !== '') return name;
  return backing === 'anon' ? 'anonymous' : `[${backing}]`;
}

/** `960 KiB`, `1.5 TiB`: emptiness between regions, in as few letters as a gap has room for. */
export function gapText(pages: number): string {
  let size = pages * 4;
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let unit = 0;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1024;
  return `${size < 10 && size % 1 !== 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}
