/** Short forms of what lessons ask. */
import type { Ask, PageName, PageWord, PlaceWord } from '../../src/view/lessons_ask.ts';
import type { Fact } from './lesson.ts';

export { ANON as A, FILE as F, SHM as S } from '../../src/view/lessons_places.ts';

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
