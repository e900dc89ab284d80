/**
 * The clock of the page: where the machine is, and how it goes on.
 *
 * Owns      the bar at the foot: step forward and back, jump, play, to the next event of a kind.
 * Promises  1. One row, in a narrow window two; what is rarer stands there behind “More”.
 *           2. A move that is quick moves nothing in the bar.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { isKnown, KIND_NAMES, KINDS, type KindName } from '../../src/view/conditions.ts';
import type { Now } from '../../src/view/now.ts';
import { duration, grouped, plural } from '../ui/format.ts';
import { useAnswer } from '../ui/use_answer.ts';
import { kind, kindCondition, speed, stepBack, stepOn, togglePlay, unit } from './clock.ts';
import type { Engine } from './engine.ts';
import { useKeys } from './keys.ts';
import { SPEEDS, UNITS, type Unit } from './moves.ts';
import './transport.css';

export function Transport({ engine }: { engine: Engine }) {
  const now = engine.now.value;
  const facts = engine.facts.value;
  useKeys('Time', [
    { key: 'ArrowRight', says: 'on, by the chosen step', run: () => stepOn(engine) },
    { key: 'ArrowLeft', says: 'back, by the chosen step', run: () => stepBack(engine) },
    { key: '.', says: 'one step on', run: () => void engine.seek((engine.now.peek()?.step ?? 0) + 1) },
    { key: ',', says: 'one step back', run: () => void engine.seek((engine.now.peek()?.step ?? 0) - 1) },
    { key: 'n', says: 'next event of the chosen kind', run: () => void engine.next(kindCondition()) },
    { key: 'p', says: 'the one before', run: () => void engine.previous(kindCondition()) },
    { key: ' ', says: 'play, pause', run: () => togglePlay(engine) },
    { key: 'Home', says: 'to the beginning', run: () => void engine.seek(0) },
    { key: 'End', says: 'to the end', run: () => void engine.seek(Number.POSITIVE_INFINITY) },
  ]);
  useEscape(engine);
  // Nobody looks: a page that is not seen does not play.
  useEffect(() => {
    const pause = (): void => {
      if (document.hidden) engine.pause();
    };
    document.addEventListener('visibilitychange', pause);
    return () => document.removeEventListener('visibilitychange', pause);
  }, [engine]);
  const busy = useSlow(engine.busy.value);
  const hasClock = facts !== null && facts.kind !== 'host' && now !== null;
  return (
    <footer class="transport" data-playing={engine.playing.value}>
      {hasClock && (
        <>
          <Steps engine={engine} />
          <Slider engine={engine} />
        </>
      )}
      <div class="says">
        <p class="status" role="status">
          {busy ?? engine.said.value ?? ''}
        </p>
        {hasClock && busy === null && <p class="where">{whereOf(now)}</p>}
      </div>
      {busy !== null && (
        <button type="button" onClick={() => engine.cancel()}>
          Cancel <kbd>Esc</kbd>
        </button>
      )}
      {hasClock && <More engine={engine} family={facts.family} />}
      <p class="wrong" role="alert">
        {engine.error.value}
      </p>
    </footer>
  );
}

/** Sooner than this nobody reads what is under way. */
const QUICK_MS = 300;

function useSlow(busy: string | null): string | null {
  const isSlow = useSignal(false);
  const isBusy = busy !== null;
  useEffect(() => {
    if (!isBusy) return;
    const timer = setTimeout(() => (isSlow.value = true), QUICK_MS);
    return () => {
      clearTimeout(timer);
      isSlow.value = false;
    };
  }, [isBusy]);
  return isSlow.value ? busy : null;
}

/** Ends a search before it means anything else. */
function useEscape(engine: Engine): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || (engine.busy.value === null && !engine.playing.value)) return;
      event.stopPropagation();
      if (engine.playing.value) engine.pause();
      else engine.cancel();
    };
    document.addEventListener('keydown', listener, { capture: true });
    return () => document.removeEventListener('keydown', listener, { capture: true });
  }, [engine]);
}

function Steps({ engine }: { engine: Engine }) {
  const by = unit.value === 'kind' ? KINDS[kind.value].says : plural(unit.value, 'step');
  const playing = engine.playing.value;
  return (
    <div class="controls">
      <IconButton sign="◀" says={`Back by one ${by}`.replace('one 1 step', 'one step')} run={() => stepBack(engine)} />
      <button type="button" class="play" aria-pressed={playing} onClick={() => togglePlay(engine)} title="Space">
        {playing ? 'Pause' : 'Play'}
      </button>
      <IconButton sign="▶" says={`On by one ${by}`.replace('one 1 step', 'one step')} run={() => stepOn(engine)} />
    </div>
  );
}

function More({ engine, family }: { engine: Engine; family: string }) {
  const isOpen = useSignal(false);
  return (
    <>
      <button
        type="button"
        class="to-more"
        aria-expanded={isOpen.value}
        aria-controls="more"
        onClick={() => (isOpen.value = !isOpen.value)}
      >
        More
      </button>
      <div class="more" id="more" data-open={isOpen.value}>
        <div class="controls">
          <IconButton sign="|◀" says="To the beginning" run={() => void engine.seek(0)} />
          <IconButton sign="▶|" says="To the end" run={() => void engine.seek(Number.POSITIVE_INFINITY)} />
        </div>
        <label>
          <span class="said">One press is</span>
          <select
            value={String(unit.value)}
            onChange={({ currentTarget: { value } }) => {
              unit.value = value === 'kind' ? value : (Number(value) as Unit);
            }}
          >
            {UNITS.map((one) => (
              <option key={one} value={String(one)}>
                {one === 'kind' ? 'one event' : plural(one, 'step')}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="said">Speed</span>
          <select
            value={String(speed.value)}
            onChange={({ currentTarget: { value } }) => {
              speed.value = SPEEDS.find((one) => String(one) === value)!;
            }}
          >
            {SPEEDS.map((one) => (
              <option key={one} value={String(one)}>
                {grouped(one)}/s
              </option>
            ))}
          </select>
        </label>
        <Events engine={engine} family={family} />
      </div>
    </>
  );
}

function IconButton(props: { sign: string; says: string; disabled?: boolean; run: () => void }) {
  const { sign, says, disabled = false, run } = props;
  return (
    <button type="button" disabled={disabled} onClick={run} aria-label={says} title={says}>
      {sign}
    </button>
  );
}

function Events({ engine, family }: { engine: Engine; family: string }) {
  const { says, why } = KINDS[kind.value];
  const unknown = !isKnown(kind.value, family);
  const go = (way: 'next' | 'previous') => () => void engine[way](kindCondition());
  return (
    <div class="controls">
      <IconButton sign="◀◀" says={`Previous ${says} (p)`} disabled={unknown} run={go('previous')} />
      <label>
        <span class="said">Kind of event</span>
        <select
          class="kind"
          value={kind.value}
          title={why}
          onChange={({ currentTarget: { value } }) => {
            kind.value = value as KindName;
          }}
        >
          {KIND_NAMES.map((name) => (
            <option key={name} value={name} disabled={!isKnown(name, family)}>
              {KINDS[name].says}
              {isKnown(name, family) ? '' : ' (not told by this kernel)'}
            </option>
          ))}
        </select>
      </label>
      <IconButton sign="▶▶" says={`Next ${says} (n)`} disabled={unknown} run={go('next')} />
    </div>
  );
}

function whereOf({ step, length, most, ended, killed, clockNs }: Now): string {
  const of = most === null ? '' : ` of ${length === null ? 'at most ' : ''}${grouped(length ?? most)}`;
  const end = killed ? ' · out of memory: killed' : ended ? ' · ended' : '';
  return `step ${grouped(step)}${of}${end} · ${duration(clockNs)}`;
}

function Slider({ engine }: { engine: Engine }) {
  const now = engine.now.value!;
  const most = now.length ?? now.most ?? now.step;
  // A drag asks faster than a machine goes: the last wish counts.
  const wish = useRef<number | null>(null);
  const follow = async (step: number): Promise<void> => {
    const waits = wish.current !== null;
    wish.current = step;
    if (waits) return;
    while (wish.current !== null) {
      const to: number = wish.current;
      await engine.seek(to);
      if (wish.current === to) wish.current = null;
    }
  };
  return (
    <div class="track">
      <Marks engine={engine} most={most} />
      <input
        type="range"
        aria-label="Step"
        aria-valuetext={whereOf(now)}
        min={0}
        max={most}
        step={1}
        value={now.step}
        onInput={({ currentTarget }) => void follow(Number(currentTarget.value))}
      />
    </div>
  );
}

const MARKS = 400;

/** Where what is chosen happens. */
function Marks({ engine, most }: { engine: Engine; most: number }) {
  const answer = useAnswer(engine, 'marks', kind.value, most, MARKS, engine.looked.value);
  const marks = answer.value;
  if (marks === null) return null;
  const path = marks.at.map((n) => `M${n} 0v1h1v-1z`).join('');
  return (
    <svg
      class="marks"
      role="img"
      viewBox={`0 0 ${MARKS} 1`}
      preserveAspectRatio="none"
      aria-label={
        marks.first === null
          ? `${KINDS[kind.value].says}: nowhere so far`
          : `${KINDS[kind.value].says}: in ${marks.at.length} of ${MARKS} stretches, first about step ${grouped(marks.first)}`
      }
    >
      <path d={path} />
    </svg>
  );
}
