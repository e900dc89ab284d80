/** Answers of an engine, for components: asked again whenever the machine moved or the question changed. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Answer, QueryArgs, QueryName } from '../../src/view/queries.ts';
import type { Engine } from '../app/engine.ts';
import { oneAtATime } from './one_at_a_time.ts';

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
  const now = useRef({ engine, name, args });
  now.current = { engine, name, args };
  const ask = useMemo(
    () =>
      oneAtATime(async () => {
        const { engine: of, name: what, args: about } = now.current;
        try {
          answer.value = what === null || of.facts.value === null ? null : await of.ask(what, ...about);
        } catch (error) {
          of.error.value = (error as Error).message;
        }
      }),
    [],
  );
  const changes = engine.changes.value;
  useEffect(() => void ask(), [engine, changes, name, JSON.stringify(args)]);
  return answer;
}
