/** What a recording says without a replay, as far as the advice needs it: the working set, and what the recorder missed. */
import { ACCESS_NS } from '../mm/costs.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import type { Recording } from '../trace/source.ts';
import { infoOf } from './info/info.ts';
import type { Recorded } from './result.ts';

/** Windows of a recording that are told: each four times as long as the one before. */
const EVERY = 2;

export function recordedOf(recording: Recording): Recorded {
  const { working_set, pages, unseen, cut_short } = infoOf(recording);
  const { windows } = working_set;
  return {
    touched_bytes: pages.total * PAGE_SIZE,
    working_set: windows
      .filter((_, i) => i % EVERY === 0 || i === windows.length - 1)
      .map(({ length, mean, most }) => ({
        accesses: length,
        seconds: (length * ACCESS_NS) / 1e9,
        mean_bytes: Math.round(mean * PAGE_SIZE),
        most_bytes: most * PAGE_SIZE,
      })),
    unseen: cut_short === '' ? unseen : [`It ends before the program did: ${cut_short}.`, ...unseen],
  };
}
