/** Answers of an engine, for components: asked again whenever the machine moved or the question changed. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Answer, QueryArgs, QueryName } from '../../src/view/queries.ts';
import type { Engine } from '../app/engine.ts';

/**
 * The last answer that came; null before the first, and while there is no question. A question that comes while one is asked waits, and
 * takes the place of one that waits: while the machine plays, answers are left out, never queued.
 */
export function useAnswer<K extends QueryName>(
  engine: Engine,
  name: K | null,
  ...args: QueryArgs<K>
): Signal<Answer<K> | null> {
  const answer = useSignal<Answer<K> | null>(null);
  const state = useRef({ name, args, asking: false, waits: false });
  const changes = engine.changes.value;
  state.current.name = name;
  state.current.args = args;

  async function ask(): Promise<void> {
    const { current } = state;
    current.waits = true;
    if (current.asking) return;
    current.asking = true;
    try {
      while (current.waits) {
        current.waits = false;
        const isAsked = current.name !== null && engine.facts.value !== null;
        answer.value = isAsked ? await engine.ask(current.name!, ...current.args) : null;
      }
    } catch (error) {
      engine.error.value = (error as Error).message;
    } finally {
      current.asking = false;
    }
  }

  useEffect(() => void ask(), [engine, changes, name, JSON.stringify(args)]);
  return answer;
}
