/** Runs to a condition, forward or back. */
import {
  type Condition,
  FRAME_CHANGES,
  type FrameChange,
  isKnown,
  KIND_NAMES,
  KINDS,
  type KindName,
  MARKS,
  type Mark,
} from '../../../src/view/conditions.ts';
import type { Selection } from '../../../src/view/selection.ts';
import type { ZoneMarks } from '../../../src/view/time.ts';
import { kind, kindCondition } from '../../app/clock.ts';
import type { Engine } from '../../app/engine.ts';
import { UNTILS, type Until } from '../../app/moves.ts';
import { kept } from '../../app/state.ts';
import { grouped, hex } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';

const WHATS = {
  happens: 'an event',
  process: 'a process faults',
  page: 'the chosen page faults',
  frame: 'the chosen frame',
  free: 'free memory falls below',
  limit: 'the limit is reached',
} as const satisfies Record<Until['what'], string>;

const { until: chosenUntil } = kept;

/** Where one begins who says how many pages. */
const FIRST_PAGES = 1000;

export function RunTo({ engine }: { engine: Engine }) {
  const zones = useAnswer(engine, 'zoneMarks').value ?? [];
  const until = untilIn(zones);
  const facts = engine.facts.value!;
  const busy = engine.busy.value !== null;
  const chosen = engine.selection.value;
  const next = engine.now.value?.pid ?? 1;
  const condition = conditionOf(until, chosen, next);
  const isTold = until.what !== 'happens' || isKnown(kind.value, facts.family);
  const run = (way: 'next' | 'previous'): void => {
    if (condition !== null) void engine[way](condition);
  };
  return (
    <form
      class="run-to"
      aria-label="Run to a condition"
      onSubmit={(event) => {
        event.preventDefault();
        run('next');
      }}
    >
      <label>
        Run until{' '}
        <select
          value={until.what}
          onChange={({ currentTarget }) => (chosenUntil.value = UNTILS[currentTarget.value as Until['what']])}
        >
          {Object.entries(WHATS).map(([name, says]) => (
            <option key={name} value={name}>
              {says}
            </option>
          ))}
        </select>
      </label>
      {until.what === 'happens' && (
        <label>
          <span class="said">Kind</span>
          <select value={kind.value} onChange={({ currentTarget }) => (kind.value = currentTarget.value as KindName)}>
            {KIND_NAMES.map((name) => (
              <option key={name} value={name} disabled={!isKnown(name, facts.family)}>
                {KINDS[name].says}
              </option>
            ))}
          </select>
        </label>
      )}
      {until.what === 'process' && (
        <label>
          number{' '}
          <input
            inputMode="numeric"
            size={6}
            value={until.pid ?? ''}
            placeholder={String(next)}
            onInput={({ currentTarget: { value } }) => {
              chosenUntil.value = { ...until, pid: numberIn(value) };
            }}
          />
        </label>
      )}
      {until.what === 'frame' && (
        <label>
          <span class="said">What becomes of it</span>
          <select
            value={until.change}
            onChange={({ currentTarget: { value } }) => {
              chosenUntil.value = { ...until, change: value as FrameChange };
            }}
          >
            {Object.entries(FRAME_CHANGES).map(([name, says]) => (
              <option key={name} value={name}>
                {says}
              </option>
            ))}
          </select>
        </label>
      )}
      {until.what === 'free' && <FreeFields zones={zones} until={until} />}
      <p class="soft why">{whyOf(until.what, chosen)}</p>
      <div class="controls">
        <button type="button" disabled={busy || condition === null || !isTold} onClick={() => run('previous')}>
          ◀ back to it
        </button>
        <button type="submit" disabled={busy || condition === null || !isTold}>
          run to it ▶
        </button>
      </div>
    </form>
  );
}

/** A zone of another machine is none here. */
function untilIn(zones: readonly ZoneMarks[]): Until {
  const until = chosenUntil.value;
  const isKnownZone = until.what !== 'free' || zones.some(({ index }) => index === until.zone);
  return isKnownZone ? until : { ...until, zone: null };
}

function FreeFields({ zones, until }: { zones: readonly ZoneMarks[]; until: Extract<Until, { what: 'free' }> }) {
  const { zone, below } = until;
  const isPages = typeof below === 'number';
  const markOf = (mark: Mark): number =>
    zones.filter(({ index }) => zone === null || index === zone).reduce((sum, one) => sum + one[mark], 0);
  return (
    <>
      <label>
        <span class="said">Below</span>
        <select
          value={isPages ? 'pages' : below}
          onChange={({ currentTarget: { value } }) => {
            chosenUntil.value = { ...until, below: value === 'pages' ? FIRST_PAGES : (value as Mark) };
          }}
        >
          {MARKS.map((mark) => (
            <option key={mark} value={mark}>
              {mark} ({grouped(markOf(mark))} pages)
            </option>
          ))}
          <option value="pages">so many pages</option>
        </select>
      </label>
      {isPages && (
        <label>
          <span class="said">Pages</span>
          <input
            inputMode="numeric"
            size={8}
            value={below === 0 ? '' : below}
            onInput={({ currentTarget: { value } }) => {
              chosenUntil.value = { ...until, below: numberIn(value) ?? 0 };
            }}
          />
        </label>
      )}
      <label>
        in{' '}
        <select
          value={String(zone)}
          onChange={({ currentTarget: { value } }) => {
            chosenUntil.value = { ...until, zone: value === 'null' ? null : Number(value) };
          }}
        >
          <option value="null">all zones</option>
          {zones.map(({ index, name }) => (
            <option key={index} value={String(index)}>
              zone {name}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

function conditionOf(until: Until, { pfn, pid, address }: Selection, next: number): Condition | null {
  switch (until.what) {
    case 'happens':
      return kindCondition();
    case 'process':
      return { kind: 'process', pid: until.pid ?? next };
    case 'page':
      return pid === null || address === null ? null : { kind: 'page', pid, address };
    case 'frame':
      return pfn === null ? null : { kind: 'frame', pfn, change: until.change };
    case 'free':
      return { kind: 'free', zone: until.zone, below: until.below };
    case 'limit':
      return { kind: 'limit' };
  }
}

function numberIn(text: string): number | null {
  const digits = text.replace(/\D/g, '').slice(0, 9);
  return digits === '' ? null : Number(digits);
}

function whyOf(what: Until['what'], { pfn, pid, address }: Selection): string {
  switch (what) {
    case 'happens':
      return KINDS[kind.value].why;
    case 'process':
      return 'It touches a page that has no entry, or not the one it needs.';
    case 'page':
      return pid === null || address === null
        ? 'No page is chosen. Choose one: process:address in “Go to”, or a click in any view.'
        : `Process ${pid} touches ${hex(address)} and faults.`;
    case 'frame':
      return pfn === null
        ? 'No frame is chosen. Choose one by its number in “Go to”, or by a click in any view.'
        : `Frame ${hex(pfn)}.`;
    case 'free':
      return 'The step in which it falls below; it may rise and fall again.';
    case 'limit':
      return 'A page does not fit under the limit of the program’s cgroup. Without one it never happens.';
  }
}
