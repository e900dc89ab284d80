/** By how much, how fast and to what one lets the machine go: what can be chosen, and how “Run until” stands in the address. */
import { FRAME_CHANGES, type FrameChange, MARKS, type Mark } from '../../src/view/conditions.ts';
import { type Word, wholeIn } from './url_words.ts';

/** Steps that one press makes; `kind`: to the next event of the chosen kind. */
export const UNITS = [1, 100, 10_000, 'kind'] as const;
export type Unit = (typeof UNITS)[number];
/** Steps a second. */
export const SPEEDS = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000] as const;

/** The page or the frame of a condition is the chosen one, and the kind of an event that of the bar at the foot. */
export type Until =
  | { readonly what: 'happens' | 'page' | 'limit' }
  /** null: whichever is next when it begins. */
  | { readonly what: 'process'; readonly pid: number | null }
  | { readonly what: 'frame'; readonly change: FrameChange }
  /** `zone` by its place in the machine; null: all. */
  | { readonly what: 'free'; readonly below: Mark | number; readonly zone: number | null };

/** Each as it is when it is chosen. */
export const UNTILS: Readonly<Record<Until['what'], Until>> = {
  happens: { what: 'happens' },
  process: { what: 'process', pid: null },
  page: { what: 'page' },
  frame: { what: 'frame', change: 'evicted' },
  free: { what: 'free', below: 'low', zone: null },
  limit: { what: 'limit' },
};

/** `process:7`, `frame:moved`, `free:1000:2`; what is as usual behind it is left out. */
export const untilWord: Word<Until> = {
  name: 'until',
  usual: UNTILS.happens,
  write: (until) => {
    switch (until.what) {
      case 'process':
        return until.pid === null ? 'process' : `process:${until.pid}`;
      case 'frame':
        return `frame:${until.change}`;
      case 'free':
        return until.zone === null ? `free:${until.below}` : `free:${until.below}:${until.zone}`;
      default:
        return until.what;
    }
  },
  read: (text) => {
    const [what, value, more, ...rest] = text.split(':');
    const number = value === undefined ? null : wholeIn(value, 0, 2 ** 40);
    if (rest.length > 0 || (more !== undefined && what !== 'free')) return undefined;
    switch (what) {
      case 'process':
        return value !== undefined && number === null ? undefined : { what, pid: number };
      case 'frame':
        return Object.hasOwn(FRAME_CHANGES, value ?? '') ? { what, change: value as FrameChange } : undefined;
      case 'free': {
        const below = MARKS.find((mark) => mark === value) ?? number;
        const zone = more === undefined ? null : wholeIn(more, 0, 64);
        return below === null || (more !== undefined && zone === null) ? undefined : { what, below, zone };
      }
      case 'happens':
      case 'page':
      case 'limit':
        return value === undefined ? { what } : undefined;
      default:
        return undefined;
    }
  },
};
