/**
 * Ten guided tours, or one of them.
 *
 * Owns      which lesson and which part is open: next, back, and the keys for it.
 */
import { useEffect } from 'preact/hooks';
import { FIRST_PROGRAM } from '../../app/first_program.ts';
import { useKeys } from '../../app/keys.ts';
import type { ViewProps } from '../../app/page.tsx';
import { beside, lesson, opened, part, program, selectNothing, view } from '../../app/state.ts';
import { LESSONS } from '../../lessons/index.ts';
import { takeBack } from '../editor/draft.ts';
import { done, forgetProgress } from './progress.ts';
import { Question } from './question.tsx';
import { setStand } from './stand.ts';
import { Tour } from './tour.tsx';
import './lessons.css';

export function LessonsView({ engine }: ViewProps) {
  const number = lesson.value;
  const one = LESSONS[number - 1];
  const at = Math.min(part.value, one?.parts.length ?? 0);

  const show = (n: number, to: number): void => {
    const wanted = LESSONS[n - 1];
    lesson.value = wanted === undefined ? 0 : n;
    part.value = wanted === undefined ? 0 : to;
    if (wanted === undefined) {
      takeBack();
      if (view.value === 'lessons') beside.value = null;
      return;
    }
    const { stand, beside: next } = wanted.parts[to] ?? wanted.question;
    void setStand(engine, stand, wanted.parts[to]?.select ?? null, next);
  };
  const move = (by: number): void => {
    const here = LESSONS[lesson.peek() - 1];
    if (here === undefined) return;
    const to = Math.min(part.peek(), here.parts.length) + by;
    if (to >= 0 && to <= here.parts.length) show(lesson.peek(), to);
  };
  useKeys('Lessons', [
    { key: '[', says: 'back in the lesson', run: () => move(-1) },
    { key: ']', says: 'on in the lesson', run: () => move(1) },
  ]);

  // A link that names a lesson and no program: what the lesson wants is set once the page has begun.
  const isIdle = engine.facts.value !== null && engine.busy.value === null;
  useEffect(() => {
    if (one === undefined || !isIdle) return;
    if (opened.value === 'program' && program.value === FIRST_PROGRAM) show(number, at);
  }, [number, isIdle]);

  if (one === undefined) return <List onOpen={(n) => show(n, 0)} />;
  const common = { engine, lesson: one, number };
  const moves = (
    <div class="lesson-move">
      <button type="button" disabled={at === 0} onClick={() => move(-1)}>
        Back <kbd>[</kbd>
      </button>
      {at < one.parts.length && (
        <button type="button" class="main" onClick={() => move(1)}>
          {at + 1 < one.parts.length ? 'Next' : 'To the question'} <kbd>]</kbd>
        </button>
      )}
    </div>
  );
  return (
    <article class="lesson">
      <nav class="lesson-where" aria-label="Lesson">
        <button type="button" class="link" onClick={() => show(0, 0)}>
          All lessons
        </button>
        <span>
          Lesson {number} of {LESSONS.length} ·{' '}
          {at < one.parts.length ? `part ${at + 1} of ${one.parts.length}` : 'question'}
        </span>
        <ol class="lesson-parts" aria-label="Parts">
          {[...one.parts.map(({ title }) => title), 'Question'].map((title, n) => (
            <li key={title}>
              <button
                type="button"
                aria-current={n === at ? 'step' : undefined}
                aria-label={title}
                title={title}
                onClick={() => show(number, n)}
              >
                {n < one.parts.length ? n + 1 : '?'}
              </button>
            </li>
          ))}
        </ol>
      </nav>
      {at < one.parts.length ? (
        <Tour key={`${number}.${at}`} {...common} part={one.parts[at]!}>
          {moves}
        </Tour>
      ) : (
        <>
          <Question
            key={`${number}.?`}
            {...common}
            onNext={number < LESSONS.length ? () => show(number + 1, 0) : null}
          />
          {moves}
        </>
      )}
    </article>
  );
}

function List({ onOpen }: { onOpen: (lesson: number) => void }) {
  const count = done.value.size;
  return (
    <div class="lessons">
      <header>
        <h2>Ten lessons</h2>
        <p>
          Each is a short tour on the running engine, with the views beside it, and ends in a question that you answer
          by trying.
        </p>
        <p class="lessons-count">
          {count} of {LESSONS.length} done
          {count > 0 && (
            <button type="button" class="link" onClick={forgetProgress}>
              Forget my progress
            </button>
          )}
        </p>
      </header>
      <ol class="lesson-cards">
        {LESSONS.map(({ title, learn, minutes }, n) => (
          <li key={title}>
            <button
              type="button"
              class="lesson-card"
              onClick={() => {
                selectNothing();
                onOpen(n + 1);
              }}
            >
              <span class="lesson-number">{n + 1}</span>
              <span class="lesson-title">{title}</span>
              <span class="lesson-learn">{learn}</span>
              <span class="lesson-time">
                {minutes} minutes{done.value.has(n + 1) && <strong> · ✓ done</strong>}
              </span>
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}
