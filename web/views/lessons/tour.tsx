/** One part of a lesson: its text, what the engine says now, and the program. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Engine } from '../../app/engine.ts';
import { VIEWS } from '../../app/views.ts';
import type { Fact, Lesson, Part } from '../../lessons/lesson.ts';
import { grouped } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { Drawing } from './drawings.tsx';
import { Listing } from './listing.tsx';
import { Prose } from './prose.tsx';
import { setStand, shownBeside, standsAt } from './stand.ts';

export interface LessonProps {
  readonly engine: Engine;
  readonly lesson: Lesson;
  /** From 1. */
  readonly number: number;
}

export function Tour({ engine, lesson, part, children }: LessonProps & { part: Part; children: ComponentChildren }) {
  const again = () => void setStand(engine, part.stand, part.select, part.beside);
  const isMoved = engine.busy.value === null && !standsAt(engine, part.stand);
  return (
    <>
      <p class="lesson-name">{lesson.title}</p>
      <Heading>{part.title}</Heading>
      <div class="lesson-prose">
        <Prose text={part.text} facts={part.facts} />
      </div>
      {part.drawing !== undefined && <Drawing id={part.drawing} />}
      <Facts engine={engine} facts={part.facts} kernel={engine.facts.value?.kernel ?? part.stand.kernel} />
      {isMoved && (
        <p class="lesson-moved">
          The machine stands elsewhere by now.{' '}
          <button type="button" onClick={again}>
            Set it as this part wants it
          </button>
        </p>
      )}
      {children}
      <ToView />
      <Listing engine={engine} text={part.stand.program} />
    </>
  );
}

/** It is read out when the part changes. */
export function Heading({ children }: { children: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const element = heading.current!;
    const view = element.closest('.view')!;
    view.scrollTo({ top: 0 });
    // In a narrow window the page scrolls, and not the view.
    if (view.getBoundingClientRect().top < 0) view.scrollIntoView();
    // Who is typing, or opened the page just now, stays where he is.
    if (document.activeElement?.closest('.lesson, .lessons') != null || document.activeElement === document.body) {
      element.focus({ preventScroll: true });
    }
  }, []);
  return (
    <h2 ref={heading} tabIndex={-1}>
      {children}
    </h2>
  );
}

export function Facts({ engine, facts, kernel }: { engine: Engine; facts: readonly Fact[]; kernel: string }) {
  const told = useAnswer(
    engine,
    'lessonFacts',
    facts.map(({ ask }) => ask),
  ).value;
  return (
    <table class="lesson-facts">
      <caption>What Linux {kernel} says now</caption>
      <tbody>
        {facts.map(({ says }, n) => (
          <tr key={says}>
            <th scope="row">{says}</th>
            <td>{shown(told?.[n])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function shown(value: number | string | null | undefined): string {
  if (value === undefined) return '…';
  if (value === null) return 'none';
  return typeof value === 'number' ? grouped(value) : value;
}

/** Where the views stand below each other. */
export function ToView() {
  const id = shownBeside();
  if (id === null) return null;
  const { name } = VIEWS.find((one) => one.id === id)!;
  const go = () => {
    const view = document.querySelector<HTMLElement>(`.views > .view-${id}`);
    if (view === null) return;
    view.tabIndex = -1;
    view.focus({ preventScroll: true });
    view.scrollIntoView();
  };
  return (
    <button type="button" class="to-view" onClick={go}>
      Look: {name} ↓
    </button>
  );
}
