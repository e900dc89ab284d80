/**
 * Every physical frame, coloured by one question; zones with their watermarks; the chosen frame's struct page.
 *
 * Owns      which question is asked, and what is lit.
 */
import { useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { FramesAnswer } from '../../../src/view/frames_colourings.ts';
import { COLOURINGS, type Colouring } from '../../../src/view/frames_legend.ts';
import { changedFrames } from '../../../src/view/frames_ranges.ts';
import { useKeys } from '../../app/keys.ts';
import type { ViewProps } from '../../app/page.tsx';
import { kept, selectFrame } from '../../app/state.ts';
import { grouped, hex, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import './frames.css';
import { Legend } from './legend.tsx';
import { FrameMap, type MapControls } from './map.tsx';
import { StructPage } from './struct_page.tsx';
import { Zones } from './zones.tsx';

/** Of the picture, at most; a smaller window has a smaller one. */
const HEIGHT = 560;
const NARROW_HEIGHT = 360;

const { colouring, onlyProcess, onlyChanges } = kept;

export function FramesView({ engine }: ViewProps) {
  const answer = useAnswer(engine, 'frames', colouring.value).value;
  const zones = useAnswer(engine, 'zones').value;
  const { pfn, pid } = engine.selection.value;
  const choose = (frame: number): void => selectFrame(engine, frame);
  const page = useAnswer(engine, pfn === null ? null : 'structPage', pfn ?? 0).value;
  const mask = useAnswer(engine, onlyProcess.value && pid !== null ? 'framesOfProcess' : null, pid ?? 0).value;
  const looked = useSignal<number | null>(null);
  const cursor = useSignal<number | null>(null);
  const controls = useRef<MapControls | null>(null);
  const changes = useChanges(answer, onlyChanges.value);
  const lit = useMemo(() => both(mask, changes, answer?.frames ?? 0), [mask, changes, answer?.frames]);

  useKeys('Frames', [
    { key: 'z', says: 'nearer', run: () => controls.current?.zoom(1) },
    { key: 'x', says: 'further away', run: () => controls.current?.zoom(-1) },
    { key: 'c', says: 'to the chosen frame', run: () => controls.current?.centre() },
  ]);

  if (answer === null) return <p class="empty">Looking at the frames …</p>;
  return (
    <div class="frames">
      <div class="frames-main">
        <Tools hasProcess={pid !== null} pid={pid} controls={controls} hasChoice={pfn !== null} />
        {answer.missing !== null ? (
          <p class="empty">{answer.missing}</p>
        ) : (
          <>
            <p class="note">{answer.says}</p>
            <FrameMap
              answer={answer}
              label={labelOf(answer)}
              lit={lit}
              zones={zones?.zones ?? []}
              chosen={pfn}
              mostHeight={innerWidth < 500 ? NARROW_HEIGHT : HEIGHT}
              onChoose={choose}
              onLook={(at, by) => {
                looked.value = at;
                if (by === 'keyboard') cursor.value = at;
              }}
              controls={(given) => {
                controls.current = given;
              }}
            />
            <LookedAt engine={engine} answer={answer} pfn={looked.value ?? cursor.value ?? pfn} cursor={cursor.value} />
            {changes !== null && <p class="note">{changesText(changes)}</p>}
          </>
        )}
      </div>
      <div class="frames-side">
        {answer.missing === null && (
          <section aria-label="Legend">
            <h2>{grouped(answer.frames)} frames</h2>
            <Legend answer={answer} onChoose={choose} />
          </section>
        )}
        <section aria-label="Zones">
          <h2>Zones</h2>
          {zones !== null && <Zones answer={zones} />}
        </section>
      </div>
      <div class="frames-chosen">
        {pfn !== null && page !== null && <StructPage page={page} onChoose={choose} />}
        {pfn === null && answer.missing === null && (
          <p class="empty">Choose a frame in the picture to see its struct page, field by field.</p>
        )}
      </div>
    </div>
  );
}

interface ToolsProps {
  readonly hasProcess: boolean;
  readonly pid: number | null;
  readonly controls: { readonly current: MapControls | null };
  readonly hasChoice: boolean;
}

function Tools({ hasProcess, pid, controls, hasChoice }: ToolsProps) {
  return (
    <div class="frames-tools">
      <label>
        Colour by{' '}
        <select
          value={colouring.value}
          onChange={(event) => {
            colouring.value = event.currentTarget.value as Colouring;
          }}
        >
          {COLOURINGS.map(({ id, name, says }) => (
            <option key={id} value={id}>
              {name}: {says}
            </option>
          ))}
        </select>
      </label>
      <fieldset>
        <legend class="said">Zoom</legend>
        <button
          type="button"
          aria-label="Further away"
          title="Further away (x)"
          onClick={() => controls.current?.zoom(-1)}
        >
          −
        </button>
        <button type="button" aria-label="Nearer" title="Nearer (z)" onClick={() => controls.current?.zoom(1)}>
          +
        </button>
        <button type="button" onClick={() => controls.current?.whole()}>
          All
        </button>
        <button
          type="button"
          disabled={!hasChoice}
          title="To the chosen frame (c)"
          onClick={() => controls.current?.centre()}
        >
          Choice
        </button>
      </fieldset>
      <button
        type="button"
        aria-pressed={onlyProcess.value}
        disabled={!hasProcess}
        title={
          hasProcess ? 'Dims what the chosen process does not map' : 'Choose a process, or a frame that one maps, first'
        }
        onClick={() => {
          onlyProcess.value = !onlyProcess.value;
        }}
      >
        {pid === null ? 'Only the process' : `Only process ${pid}`}
      </button>
      <button
        type="button"
        aria-pressed={onlyChanges.value}
        title="Dims what is as it was a step ago"
        onClick={() => {
          onlyChanges.value = !onlyChanges.value;
        }}
      >
        What changed
      </button>
    </div>
  );
}

/** The frame below the pointer or the cursor, in a line; what the keyboard meets is said aloud. */
function LookedAt({
  engine,
  answer,
  pfn,
  cursor,
}: ViewProps & { answer: FramesAnswer; pfn: number | null; cursor: number | null }) {
  const line = useAnswer(engine, pfn === null ? null : 'frameLine', pfn ?? 0).value;
  const place = pfn === null ? undefined : answer.categories[pfn];
  const name = place === undefined ? '' : answer.legend[place]!.name;
  const more = line !== null && line.pfn === pfn ? line.text : '';
  const text =
    pfn === null
      ? 'Point at a frame, or move the cursor with the arrow keys.'
      : `Frame ${pfn} (${hex(pfn)}): ${more || name}`;
  return (
    <>
      <p class="frames-looked">{text}</p>
      <p class="said" aria-live="polite">
        {cursor === null || cursor !== pfn ? '' : text}
      </p>
    </>
  );
}

function labelOf({ frames, colouring: by, legend }: FramesAnswer): string {
  const largest = [...legend].sort((a, b) => b.count - a.count).slice(0, 4);
  const parts = largest.filter(({ count }) => count > 0).map(({ name, count }) => `${name} ${grouped(count)}`);
  return `${plural(frames, 'frame')} by ${COLOURINGS.find(({ id }) => id === by)!.name}: ${parts.join(', ')}`;
}

/** Frames that are in another category than in the answer before; null while nobody wants to know, or there was none before. */
function useChanges(answer: FramesAnswer | null, isWanted: boolean): Uint8Array | null {
  const last = useRef<FramesAnswer | null>(null);
  const before = useRef<FramesAnswer | null>(null);
  if (answer !== last.current) {
    before.current = last.current;
    last.current = answer;
  }
  return useMemo(() => {
    const old = before.current;
    if (!isWanted || answer === null || old === null) return null;
    if (old.colouring !== answer.colouring || old.frames !== answer.frames) return null;
    return changedFrames(old, answer);
  }, [answer, isWanted]);
}

function changesText(changes: Uint8Array): string {
  let count = 0;
  for (const one of changes) count += one;
  return count === 0
    ? 'Nothing changed since the step before.'
    : `${plural(count, 'frame')} changed since the step before.`;
}

/** Lit is what both ask for; null: everything. */
function both(mask: Uint8Array | null, changes: Uint8Array | null, frames: number): Uint8Array | null {
  if (mask === null || mask.length !== frames) return changes;
  if (changes === null) return mask;
  return mask.map((one, pfn) => one & changes[pfn]!);
}
