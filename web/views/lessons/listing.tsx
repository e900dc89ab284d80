/** The program beside a lesson's text: which lines are done, and which is next. */

import type { Engine } from '../../app/engine.ts';
import { programLines } from './lines.ts';

export function Listing({ engine, text }: { engine: Engine; text: string }) {
  const now = engine.now.value;
  const isOpen = engine.facts.value?.lines?.join('\n') === text;
  const lines = programLines(text);
  const done = isOpen ? (now?.step ?? 0) : 0;
  return (
    <details class="lesson-listing" open>
      <summary>The program</summary>
      <ol>
        {lines.map(({ text: line, step }, n) => (
          <li key={n} class={lineClass(step, done)}>
            <span class="mark" aria-hidden="true">
              {step === null || step > done ? '' : step === done ? '▶' : '✓'}
            </span>
            {step === null ? (
              <code>{line}</code>
            ) : (
              <button
                type="button"
                class="link"
                disabled={!isOpen}
                aria-current={step === done ? 'step' : undefined}
                title={`Go to the state before this line (step ${step})`}
                onClick={() => void engine.seek(step)}
              >
                <code>{line}</code>
              </button>
            )}
          </li>
        ))}
      </ol>
    </details>
  );
}

function lineClass(step: number | null, done: number): string {
  if (step === null) return 'note';
  return step < done ? 'done' : step === done ? 'next' : 'later';
}
