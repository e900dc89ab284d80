/** An answer for the step at which the machine stands: asked once when it has moved, with the questions of that step. */

import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Answer, QueryArgs, QueryName } from '../../../src/view/queries.ts';
import type { Engine } from '../../app/engine.ts';

/** The last answer that came; null before the first. A question that comes while one is asked waits, and takes the place of one that waits. */
export function useAt<K extends QueryName>(engine: Engine, name: K, ...args: QueryArgs<K>): Signal<Answer<K> | null> {
  const answer = useSignal<Answer<K> | null>(null);
  const state = useRef({ args, asking: false, waits: false });
  const changes = engine.changes.value;
  state.current.args = args;

  async function ask(): Promise<void> {
    const { current } = state;
    current.waits = true;
    if (current.asking) return;
    current.asking = true;
    try {
      while (current.waits) {
        current.waits = false;
        answer.value = await engine.ask(name, ...current.args);
      }
    } catch (error) {
      engine.error.value = (error as Error).message;
    } finally {
      current.asking = false;
    }
  }

  useEffect(() => {
    if (changes > 0) void ask();
  }, [engine, changes, name, JSON.stringify(args)]);
  return answer;
}
