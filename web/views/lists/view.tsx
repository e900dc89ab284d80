/**
 * The LRU lists as queues: who stands where, what moved since the last step, the verdict of each scan, and swap.
 *
 * Owns      which place is shown, and with which step it is compared.
 */
import { useSignal } from '@preact/signals';
import type { Condition } from '../../../src/view/conditions.ts';
import type { Engine } from '../../app/engine.ts';
import { useKeys } from '../../app/keys.ts';
import type { ViewProps } from '../../app/page.tsx';
import { kept } from '../../app/state.ts';
import { grouped } from '../../ui/format.ts';
import './lists.css';
import { useAnswer } from '../../ui/use_answer.ts';
import { Legend, listName, Queue } from './queue.tsx';
import { Batches, Counters, GenerationsBox, RuleBox } from './rule.tsx';
import { SwapBox } from './swap.tsx';
import { Verdicts } from './verdicts.tsx';

/** Each kernel has one of them: with tracepoints of its own, or ours. */
const SCAN: Condition = { kind: 'event', names: ['mm_vmscan_lru_shrink_inactive', 'shrink_cache'] };
/** From each end of a list: as a rule, and when more is asked for. */
const WINDOW = 80;
const WIDE_WINDOW = 512;
const VERDICTS = 2000;
/** A longer way is not made again to see what moved on it. */
const LONGEST_STRETCH = 50_000;

const { listsPart: part, listsPlace: place, isWide } = kept;

export function ListsView({ engine }: ViewProps) {
  const isHost = engine.facts.value?.kind === 'host';
  if (isHost) {
    return (
      <p class="empty">
        A host shows which list a page is on (see Frames), but not the order of its lists. Open a recording or a memory
        program to see them as queues.
      </p>
    );
  }
  return (
    <div class="lists">
      <Tools engine={engine} />
      {part.value === 'queues' ? <Queues engine={engine} /> : <SwapBox engine={engine} />}
    </div>
  );
}

function Tools({ engine }: { engine: Engine }) {
  const none = useSignal('');
  const toScan = async (forward: boolean): Promise<void> => {
    none.value = '';
    const found = await (forward ? engine.next(SCAN) : engine.previous(SCAN));
    if (found || engine.error.value !== null) return;
    none.value = forward
      ? 'No scan happens from here on: memory is not short. Choose less memory or a limit under Machine.'
      : 'No scan happened before this step.';
  };
  useKeys('Lists', [
    { key: 'l', says: 'run to the next scan', run: () => void toScan(true) },
    { key: 'L', says: 'back to the scan before', run: () => void toScan(false) },
  ]);
  return (
    <div class="tools">
      <span class="parts">
        <button type="button" aria-pressed={part.value === 'queues'} onClick={() => (part.value = 'queues')}>
          Queues
        </button>
        <button type="button" aria-pressed={part.value === 'swap'} onClick={() => (part.value = 'swap')}>
          Swap
        </button>
      </span>
      <button type="button" onClick={() => void toScan(false)}>
        ◀ Previous scan
      </button>
      <button type="button" onClick={() => void toScan(true)}>
        Next scan ▶
      </button>
      <p role="status">{none.value}</p>
    </div>
  );
}

/** The step before the one that is shown: where one was, if that is not far behind, or one step back. */
function sinceOf(step: number, before: number | null): number | null {
  if (step === 0) return null;
  return before !== null && before < step && step - before <= LONGEST_STRETCH ? before : step - 1;
}

function Queues({ engine }: { engine: Engine }) {
  const step = engine.now.value?.step ?? 0;
  const since = sinceOf(step, engine.before.value);
  const window = isWide.value ? WIDE_WINDOW : WINDOW;
  const view = useAnswer(engine, 'lists', { place: place.value || null, window, since }).value;
  const log = useAnswer(engine, 'listEvents', since ?? 0, step, VERDICTS).value;
  if (view === null) return <p class="empty">…</p>;
  const shown = view.lists.filter(
    ({ pages, window: { frames }, seq }) => pages > 0 || frames.length > 0 || seq !== null,
  );
  const empty = view.lists.filter((list) => !shown.includes(list));
  return (
    <div class="columns">
      <div class="queues">
        <p class="of">
          {view.places.length > 1 && (
            <label>
              Lists of{' '}
              <select value={view.place} onChange={(event) => (place.value = event.currentTarget.value)}>
                {view.places.map(({ id, words, pages }) => (
                  <option key={id} value={id}>
                    {words}: {grouped(pages)} pages
                  </option>
                ))}
              </select>
            </label>
          )}
          <button type="button" aria-pressed={isWide.value} onClick={() => (isWide.value = !isWide.value)}>
            More pages of each
          </button>
          {view.since !== null && <span>Moves since step {grouped(view.since)}.</span>}
        </p>
        <Legend generations={view.generations !== null} />
        {shown.map((list) => (
          <Queue key={listName(list)} engine={engine} list={list} names={view.names} since={view.since} />
        ))}
        {empty.length > 0 && (
          <p class="none">
            Empty: {empty.map(({ name, says }) => `${name}${says === '' ? '' : ` (${says})`}`).join('; ')}.
          </p>
        )}
        <Batches engine={engine} batches={view.batches} />
      </div>
      <div class="aside">
        {log !== null && <Verdicts engine={engine} log={log} />}
        <RuleBox view={view} />
        {view.generations !== null && <GenerationsBox generations={view.generations} />}
        <Counters view={view} />
      </div>
    </div>
  );
}
