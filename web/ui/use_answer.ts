/** Answers of an engine, for components: asked again whenever the machine moved or the question changed. */

import type { Signal } from '@preact/signals';
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Answer, QueryArgs, QueryName } from '../../src/view/queries.ts';
import type { Engine } from '../app/engine.ts';

/**
 * The last answer that came; null before the first. While the machine plays, questions are skipped rather than queued: the next
 * one is asked when the last is answered.
 */
export function useAnswer<K extends QueryName>(
  engine: Engine,
  name: K | null,
  ...args: QueryArgs<K>
): Signal<Answer<K> | null> {
  const answer = useSignal<Answer<K> | null>(null);
  const wanted = useRef({ name, args, under: false, again: false });
  const question = JSON.stringify(args);

  async function ask(): Promise<void> {
    const state = wanted.current;
    if (state.name === null || engine.facts.value === null) return;
    if (state.under) {
      state.again = true;
      return;
    }
    state.under = true;
    try {
      do {
        state.again = false;
        answer.value = await engine.ask(state.name, ...state.args);
      } while (state.again);
    } catch (error) {
      engine.error.value = (error as Error).message;
    } finally {
      state.under = false;
    }
  }

  wanted.current.name = name;
  wanted.current.args = args;
  useSignalEffect(() => {
    if (engine.changes.value > 0) void ask();
  });
  // biome's rule wants `ask` here, which is another function each time.
  useEffect(() => {
    if (name === null) answer.value = null;
    else void ask();
  }, [engine, name, question]);
  return answer;
}
