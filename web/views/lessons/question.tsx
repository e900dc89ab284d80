/** The question of a lesson: what is asked, what the reader did, and what the engine says to that. */
import { useSignal } from '@preact/signals';
import type { Verdict } from '../../../src/view/lessons_checks.ts';
import { MEMORY_STEP } from '../../../src/view/lessons_places.ts';
import type { Question as Asked } from '../../lessons/lesson.ts';
import { hex } from '../../ui/format.ts';
import { Listing } from './listing.tsx';
import { markDone } from './progress.ts';
import { Prose } from './prose.tsx';
import { choosePage, setStand, showBeside, shownBeside } from './stand.ts';
import { Facts, Heading, type LessonProps, ToView } from './tour.tsx';

const MIB = 2 ** 20;
const LEAST_MEMORY = 3 * MIB;
const MOST_MEMORY = 6 * MIB;

export function Question({ engine, lesson, number, onNext }: LessonProps & { onNext: (() => void) | null }) {
  const { question } = lesson;
  const numbers = useSignal<readonly (number | null)[]>(question.fields.map(() => null));
  const verdict = useSignal<Verdict | null>(null);
  const hint = useSignal(false);
  const solution = useSignal(false);
  const { by, pfn, pid, address } = engine.selection.value;

  const check = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const input = { numbers: numbers.value, selection: { by, pfn, pid, address } };
    verdict.value = await engine.ask('checkLesson', number, input);
    if (verdict.value.right) markDone(number);
    else hint.value = true;
  };
  const tryIt = async (): Promise<void> => {
    const { stand, numbers: values, page } = question.solution;
    verdict.value = null;
    numbers.value = values ?? numbers.value;
    await setStand(engine, { ...question.stand, ...stand }, null, question.beside);
    if (page !== undefined) await choosePage(engine, page);
  };
  const again = () => {
    verdict.value = null;
    void setStand(engine, question.stand, null, question.beside);
  };
  return (
    <>
      <p class="lesson-name">{lesson.title}</p>
      <Heading>Your turn</Heading>
      <div class="lesson-prose">
        <Prose text={question.text} />
      </div>
      <form class="lesson-question" onSubmit={(event) => void check(event)}>
        {question.by === 'program' && <Write />}
        {question.by === 'page' && <p class="lesson-answer">Chosen: {chosen(pfn, pid, address)}</p>}
        {question.by === 'memory' && <Memory engine={engine} question={question} />}
        {question.fields.map((says, n) => (
          <label key={says}>
            {says}
            <input
              type="number"
              min="0"
              max="999"
              value={numbers.value[n] ?? ''}
              onInput={(event) => {
                const value = event.currentTarget.value === '' ? null : event.currentTarget.valueAsNumber;
                numbers.value = numbers.value.map((old, at) => (at === n ? value : old));
              }}
            />
          </label>
        ))}
        <div class="question-buttons">
          <button type="submit" class="main">
            Check
          </button>
          <button type="button" aria-expanded={hint.value} onClick={() => (hint.value = !hint.value)}>
            Hint
          </button>
          <button type="button" aria-expanded={solution.value} onClick={() => (solution.value = !solution.value)}>
            Solution
          </button>
          <button type="button" onClick={again}>
            Begin again
          </button>
        </div>
        <p
          class={`lesson-verdict ${verdict.value === null ? '' : verdict.value.right ? 'right' : 'not-yet'}`}
          role="status"
        >
          {verdict.value !== null && (
            <>
              <strong>{verdict.value.right ? '✓ Right.' : '✗ Not yet.'}</strong> {verdict.value.says}
            </>
          )}
        </p>
        {hint.value && verdict.value?.right !== true && (
          <p class="lesson-hint">
            <strong>Hint.</strong> {question.hint}
          </p>
        )}
        {solution.value && (
          <div class="lesson-hint">
            <p>
              <strong>A solution.</strong> {question.solution.says}
            </p>
            <button type="button" onClick={() => void tryIt()}>
              Set it, to look and to check
            </button>
          </div>
        )}
        {verdict.value?.right === true && (
          <p class="onward">
            {onNext === null ? (
              'That was the last lesson.'
            ) : (
              <button type="button" class="main" onClick={onNext}>
                To lesson {number + 1}
              </button>
            )}
          </p>
        )}
      </form>
      <ToView />
      {question.by !== 'program' && <Listing engine={engine} text={question.stand.program} />}
    </>
  );
}

function Write() {
  return (
    <p class="lesson-answer">
      {shownBeside() === 'editor' ? (
        'Write into the program beside. It runs while you type.'
      ) : (
        <button type="button" onClick={() => showBeside('editor')}>
          Open the editor beside
        </button>
      )}
    </p>
  );
}

const OUT = [{ says: 'pages written to swap', ask: { of: 'event', name: 'pswpout' }, want: 0 }] as const;

function Memory({ engine, question }: Pick<LessonProps, 'engine'> & { question: Asked }) {
  const bytes = engine.choice.value.programRamBytes ?? question.stand.memory ?? LEAST_MEMORY;
  return (
    <>
      <label>
        Memory: {bytes / MIB} MiB
        <input
          type="range"
          min={LEAST_MEMORY}
          max={MOST_MEMORY}
          step={MEMORY_STEP}
          value={bytes}
          aria-valuetext={`${bytes / MIB} MiB`}
          onChange={(event) => {
            const stand = { ...question.stand, memory: event.currentTarget.valueAsNumber };
            void setStand(engine, stand, null, question.beside);
          }}
        />
      </label>
      <Facts engine={engine} facts={OUT} kernel={engine.facts.value?.kernel ?? ''} />
    </>
  );
}

function chosen(pfn: number | null, pid: number | null, address: number | null): string {
  const frame = pfn === null ? '' : `frame ${pfn}`;
  const place = pid === null || address === null ? '' : `process ${pid} at ${hex(address)}`;
  return [frame, place].filter((one) => one !== '').join(', ') || 'nothing';
}
