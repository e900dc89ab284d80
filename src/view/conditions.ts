/**
 * To what a machine can be run: an event of the kernel's, by kind, or a state.
 *
 * Owns      the conditions, as data that a page can send to its worker, and what each listens for.
 */
import type { Player, Wanted } from '../lab/timeline.ts';
import type { TracepointName } from '../mm/tracepoints.ts';

export type Condition =
  /** One of these tracepoints fires. */
  { readonly kind: 'event'; readonly names: readonly TracepointName[] };

export function wantedOf(condition: Condition): Wanted<Player> {
  const names = new Set(condition.names);
  return (name) => names.has(name);
}
