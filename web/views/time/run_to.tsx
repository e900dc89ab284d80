/** Runs to a condition, forward or back. */
import { useSignal } from '@preact/signals';
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
import { kind } from '../../app/clock.ts';
import type { Engine } from '../../app/engine.ts';
import { grouped, hex } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';

const WHATS = {
  happens: 'an event',
  process: 'a process faults',
  page: 'the chosen page faults',
  frame: 'the chosen frame',
  free: 'free memory falls below',
  limit: 'the limit is reached',
} as const;
type What = keyof typeof WHATS;

export function RunTo({ engine }: { engine: Engine }) {
  const what = useSignal<What>('happens');
  const pid = useSignal<string>('');
  const change = useSignal<FrameChange>('evicted');
  const zone = useSignal<number | null>(null);
  const below = useSignal<Mark | 'pages'>('low');
  const pages = useSignal('1000');
  const zones = useAnswer(engine, 'zoneMarks').value ?? [];
  const facts = engine.facts.value!;
  const busy = engine.busy.value !== null;
  const chosen = engine.selection.value;
  const condition = conditionOf(what.value, chosen, {
    pid: pid.value === '' ? String(engine.now.value?.pid ?? 1) : pid.value,
    change: change.value,
    zone: zone.value,
    below: below.value === 'pages' ? Number(pages.value) : below.value,
  });
  const isTold = what.value !== 'happens' || isKnown(kind.value, facts.family);
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
        <select value={what.value} onChange={({ currentTarget }) => (what.value = currentTarget.value as What)}>
          {Object.entries(WHATS).map(([name, says]) => (
            <option key={name} value={name}>
              {says}
            </option>
          ))}
        </select>
      </label>
      {what.value === 'happens' && (
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
      {what.value === 'process' && (
        <label>
          number{' '}
          <input
            inputMode="numeric"
            size={6}
            value={pid.value}
            placeholder={String(engine.now.value?.pid ?? 1)}
            onInput={({ currentTarget }) => (pid.value = currentTarget.value.replace(/\D/g, ''))}
          />
        </label>
      )}
      {what.value === 'frame' && (
        <label>
          <span class="said">What becomes of it</span>
          <select
            value={change.value}
            onChange={({ currentTarget }) => (change.value = currentTarget.value as FrameChange)}
          >
            {Object.entries(FRAME_CHANGES).map(([name, says]) => (
              <option key={name} value={name}>
                {says}
              </option>
            ))}
          </select>
        </label>
      )}
      {what.value === 'free' && <FreeFields zones={zones} zone={zone} below={below} pages={pages} />}
      <p class="soft why">{whyOf(what.value, chosen)}</p>
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

function FreeFields(props: {
  zones: readonly ZoneMarks[];
  zone: { value: number | null };
  below: { value: Mark | 'pages' };
  pages: { value: string };
}) {
  const { zones, zone, below, pages } = props;
  const markOf = (mark: Mark): number =>
    zones.filter(({ index }) => zone.value === null || index === zone.value).reduce((sum, one) => sum + one[mark], 0);
  return (
    <>
      <label>
        <span class="said">Below</span>
        <select value={below.value} onChange={({ currentTarget }) => (below.value = currentTarget.value as Mark)}>
          {MARKS.map((mark) => (
            <option key={mark} value={mark}>
              {mark} ({grouped(markOf(mark))} pages)
            </option>
          ))}
          <option value="pages">so many pages</option>
        </select>
      </label>
      {below.value === 'pages' && (
        <label>
          <span class="said">Pages</span>
          <input
            inputMode="numeric"
            size={8}
            value={pages.value}
            onInput={({ currentTarget }) => (pages.value = currentTarget.value.replace(/\D/g, ''))}
          />
        </label>
      )}
      <label>
        in{' '}
        <select
          value={String(zone.value)}
          onChange={({ currentTarget: { value } }) => (zone.value = value === 'null' ? null : Number(value))}
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

function conditionOf(
  what: What,
  { pfn, pid, address }: Selection,
  fields: { pid: string; change: FrameChange; zone: number | null; below: Mark | number },
): Condition | null {
  switch (what) {
    case 'happens':
      return { kind: 'happens', what: kind.value };
    case 'process':
      return { kind: 'process', pid: Number(fields.pid) };
    case 'page':
      return pid === null || address === null ? null : { kind: 'page', pid, address };
    case 'frame':
      return pfn === null ? null : { kind: 'frame', pfn, change: fields.change };
    case 'free':
      return { kind: 'free', zone: fields.zone, below: fields.below };
    case 'limit':
      return { kind: 'limit' };
  }
}

function whyOf(what: What, { pfn, pid, address }: Selection): string {
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
