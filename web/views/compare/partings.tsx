/** Runs both to where they part: the next step, or the last one, at which they do not do the same. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import {
  type Deed,
  deedTexts,
  isFault,
  nextParting,
  type Parting,
  type PartingKind,
  previousParting,
  type Search,
} from '../../../src/view/compare_partings.ts';
import type { Engine } from '../../app/engine.ts';
import { useKeys } from '../../app/keys.ts';
import { apart, kept, selectPage } from '../../app/state.ts';
import { grouped } from '../../ui/format.ts';
import type { Both } from './machines.tsx';

const KINDS: readonly { readonly id: PartingKind; readonly says: string }[] = [
  { id: 'fault', says: 'only one faults' },
  { id: 'major', says: 'only one has to wait for a disk or swap (a major fault)' },
  { id: 'evict', says: 'other pages leave memory' },
];

type Direction = 'first' | 'previous' | 'next';

const { parting: what } = kept;

export function Partings({ left, right }: Both) {
  const under = useSignal<string | null>(null);
  const said = useSignal<string | null>(null);
  const found = useSignal<Parting | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const look = async (direction: Direction) => {
    if (under.peek() !== null) return;
    const controller = new AbortController();
    stop.current = controller;
    const search: Search = {
      left: (from, to) => left.ask('compareHappened', from, to),
      right: (from, to) => right.ask('compareHappened', from, to),
      what: what.peek(),
      signal: controller.signal,
      onWindow: (from, to) => {
        under.value = `looking in steps ${grouped(from)} to ${grouped(to)}`;
      },
    };
    under.value = 'looking';
    said.value = null;
    found.value = null;
    try {
      const step = direction === 'first' ? 0 : (left.now.peek()?.step ?? 0);
      const parting = await (direction === 'previous' ? previousParting(search, step) : nextParting(search, step));
      found.value = parting;
      if (parting === null)
        said.value = direction === 'previous' ? 'No such step before this one.' : 'No such step any more.';
      else await goTo(left, right, parting.step);
    } catch (error) {
      said.value = controller.signal.aborted ? 'Ended.' : (error as Error).message;
    } finally {
      under.value = null;
    }
  };
  useKeys('Compare', [
    { key: 'd', says: 'next step at which they differ', run: () => void look('next') },
    { key: 'D', says: 'previous one', run: () => void look('previous') },
  ]);
  const isUnder = under.value !== null;
  const button = (direction: Direction, text: string) => (
    <button type="button" disabled={isUnder} onClick={() => void look(direction)}>
      {text}
    </button>
  );
  return (
    <section class="compare-partings" aria-label="Where they part">
      <div class="controls">
        <label>
          Step at which{' '}
          <select
            value={what.value}
            onChange={(event) => {
              what.value = event.currentTarget.value as PartingKind;
            }}
          >
            {KINDS.map(({ id, says }) => (
              <option key={id} value={id}>
                {says}
              </option>
            ))}
          </select>
        </label>
        {button('first', 'First')}
        {button('previous', '◀ Previous')}
        {button('next', 'Next ▶')}
        {isUnder && (
          <button type="button" onClick={() => stop.current?.abort()}>
            End the search
          </button>
        )}
        <span role="status">{under.value ?? said.value ?? ''}</span>
      </div>
      {found.value !== null && <Found parting={found.value} left={left} right={right} />}
    </section>
  );
}

async function goTo(left: Engine, right: Engine, step: number): Promise<void> {
  await left.seek(step);
  if (apart.peek() !== null) await right.seek(step);
}

function Found({ parting, left, right }: Both & { parting: Parting }) {
  const { step, ended } = parting;
  const kernel = (engine: Engine) => `Linux ${engine.facts.value?.kernel}`;
  return (
    <div class="compare-found">
      <p>
        Step {grouped(step)}
        {ended === null ? ':' : `: ${ended === 'left' ? 'the left' : 'the right'} one has ended, the other goes on.`}
      </p>
      {ended === null && (
        <ul>
          <Deeds of={`Left alone, ${kernel(left)}`} deeds={parting.left} />
          <Deeds of={`Right alone, ${kernel(right)}`} deeds={parting.right} />
        </ul>
      )}
    </div>
  );
}

function Deeds({ of, deeds }: { of: string; deeds: readonly Deed[] }) {
  const page = deeds.find(isFault);
  return (
    <li>
      {of}: {deeds.length === 0 ? 'nothing' : deedTexts(deeds).join('; ')}{' '}
      {page !== undefined && (
        <button type="button" class="link" onClick={() => selectPage(page.pid, page.page * 4096)}>
          choose this page
        </button>
      )}
    </li>
  );
}
