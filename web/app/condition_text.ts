/** Conditions in words. */
import { type Condition, FRAME_CHANGES, KINDS } from '../../src/view/conditions.ts';
import { grouped, hex } from '../ui/format.ts';

export function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case 'event':
      return condition.names.join(', ');
    case 'happens':
      return KINDS[condition.what].says;
    case 'process':
      return `process ${condition.pid} faults`;
    case 'page':
      return `process ${condition.pid} faults at ${hex(condition.address)}`;
    case 'frame':
      return `frame ${hex(condition.pfn)} ${FRAME_CHANGES[condition.change]}`;
    case 'free': {
      const mark =
        typeof condition.below === 'number' ? `${grouped(condition.below)} pages` : `the ${condition.below} mark`;
      return `free memory falls below ${mark}`;
    }
    case 'limit':
      return 'the limit is reached';
  }
}
