/**
 * How the transport bar and the Time view go on: by how much, how fast, and to what.
 *
 * Owns      the chosen kind of event, the chosen condition, the size of a step and the speed; both places show the same ones.
 */
import { type Signal, signal } from '@preact/signals';
import type { Condition, KindName } from '../../src/view/conditions.ts';
import type { Engine } from './engine.ts';

/** Steps that one press makes; `kind`: to the next event of the chosen kind. */
export type Unit = 1 | 100 | 10_000 | 'kind';
export const UNITS: readonly Unit[] = [1, 100, 10_000, 'kind'];
export const SPEEDS = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000] as const;

export const kind: Signal<KindName> = signal('major_fault');
export const unit: Signal<Unit> = signal(1);
/** Steps a second. */
export const speed: Signal<number> = signal(100);

/** More events a second nobody sees. */
const EVENTS_PER_SECOND = 20;

export function kindCondition(): Condition {
  return { kind: 'happens', what: kind.value };
}

export function stepOn(engine: Engine): void {
  if (unit.value === 'kind') void engine.next(kindCondition());
  else void engine.seek((engine.now.peek()?.step ?? 0) + unit.value);
}

export function stepBack(engine: Engine): void {
  const now = engine.now.peek();
  if (unit.value === 'kind') void engine.previous(kindCondition());
  // From behind the last step one goes back to it.
  else void engine.seek(Math.max(0, (now?.step ?? 0) + (now?.ended === true && unit.value === 1 ? 1 : 0) - unit.value));
}

export function togglePlay(engine: Engine): void {
  if (engine.playing.value) engine.pause();
  else {
    void engine.play(
      () => (unit.value === 'kind' ? Math.min(speed.value, EVENTS_PER_SECOND) : speed.value),
      () => (unit.value === 'kind' ? kindCondition() : null),
    );
  }
}
