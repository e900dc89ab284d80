/** Short forms of what lessons ask. */
import type { Ask, PageName, PageWord, PlaceWord } from '../../src/view/lessons_ask.ts';
import type { Fact } from './lesson.ts';

/** Where the programs of the lessons have private memory, a mapped file, and shared memory. */
export const A = 0x1000_0000_0000;
export const F = 0x1000_0100_0000;
export const S = 0x1000_0200_0000;
export const PAGE = 4096;

export function page(says: string, name: PageName, word: PageWord, want: Fact['want']): Fact {
  return { says, ask: { of: 'page', page: name, word }, want };
}

export function place(says: string, pid: number, address: number, word: PlaceWord, want: Fact['want']): Fact {
  return { says, ask: { of: 'place', pid, address, word }, want };
}

export function list(name: string, want: number): Fact {
  return { says: `pages on ${name}`, ask: { of: 'list', name }, want };
}

export function event(says: string, name: Extract<Ask, { of: 'event' }>['name'], want: number): Fact {
  return { says, ask: { of: 'event', name }, want };
}

export function cached(says: string, file: string, index: number, want: string): Fact {
  return { says, ask: { of: 'cache', file, index }, want };
}
