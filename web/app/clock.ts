/**
 * How the transport bar and the Time view go on: by how much, how fast, and to what.
 *
 * Owns      what a press and a second of playing do, by the chosen kind of event, size of a step and speed; both places show the same ones.
 */
import type { Condition } from '../../src/view/conditions.ts';
import type { Engine } from './engine.ts';
import { kept } from './state.ts';

/** The kind of event; steps that one press makes; steps a second. */
export const { kind, unit, speed } = kept;

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
