/**
 * What is chosen: a frame, and where it is mapped; a way to choose by number, and to the views that show more.
 */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { hex } from '../ui/format.ts';
import { useAnswer } from '../ui/use_answer.ts';
import type { Engine } from './engine.ts';
import { useKeys } from './keys.ts';
import { selectFrame, selectNothing, selectPage, selectProcess, view } from './state.ts';
import type { ViewId } from './views.ts';

export function Inspector({ engine }: { engine: Engine }) {
  const field = useRef<HTMLInputElement>(null);
  const wrong = useSignal<string | null>(null);
  useKeys('Choice', [{ key: '/', says: 'choose by number', run: () => field.current?.focus() }]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    wrong.value = choose(engine, field.current?.value ?? '');
  };
  const { by, pfn, pid } = engine.selection.value;
  return (
    <aside class="inspector" aria-label="What is chosen">
      <form onSubmit={submit}>
        <label>
          <span>Go to</span>
          <input
            ref={field}
            name="goto"
            placeholder="1234, pid:1, 1:0x1000"
            aria-describedby="goto-takes"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <button type="submit">Choose</button>
      </form>
      <p class="takes" id="goto-takes">
        A frame by its number (1234, 0x4d2), a process (pid:1), or a page of it (1:0x100000000000).
      </p>
      <p class="wrong" role="alert">
        {wrong.value}
      </p>
      {by !== 'none' && <ChosenFacts engine={engine} />}
      {by !== 'none' && (
        <p class="links">
          {pfn !== null && <ViewLink to="frames">its struct page</ViewLink>}
          {pfn !== null && <ViewLink to="reverse">who maps it</ViewLink>}
          {pid !== null && <ViewLink to="spaces">its address space</ViewLink>}
          {pfn !== null && <ViewLink to="lists">its list</ViewLink>}
        </p>
      )}
    </aside>
  );
}

function ChosenFacts({ engine }: { engine: Engine }) {
  const selection = engine.selection.value;
  const { by, pfn, pid, address } = selection;
  const facts = useAnswer(engine, 'chosen', selection).value;
  const frame = facts?.frame ?? null;
  const place = facts?.place ?? null;
  const lacksFrame = facts !== null && facts.pfn === pfn && pfn !== null && frame === null;
  const lacksProcess = facts !== null && facts.pid === pid && pid !== null && place === null;
  const isHost = engine.facts.value?.kind === 'host';
  return (
    <div class="chosen">
      <h2>{pfn === null ? 'No frame' : `${lacksFrame ? 'No frame' : 'Frame'} ${hex(pfn)}`}</h2>
      {lacksFrame && (
        <p>
          {isHost
            ? 'The snapshot says nothing of it.'
            : `This machine has frames 0 to ${hex((engine.now.value?.frames ?? 1) - 1)}.`}
        </p>
      )}
      {frame !== null && (
        <dl>
          <Fact name="number">{frame.pfn}</Fact>
          <Fact name="zone">{frame.zone}</Fact>
          <Fact name="belongs to">{frame.owner ?? 'nobody by its mapping'}</Fact>
          <Fact name="mapcount">{frame.mapcount}</Fact>
          <Fact name="refcount">{frame.refcount}</Fact>
          <Fact name="list">{frame.list ?? 'none'}</Fact>
          <Fact name="flags">{frame.flags?.join(' ') || 'none'}</Fact>
          <Fact name="reclaim">{frame.kind === null ? null : `${frame.kind}: ${frame.reason}`}</Fact>
        </dl>
      )}
      {!lacksFrame && <h2>{pid === null ? 'Mapped nowhere' : `${lacksProcess ? 'No process' : 'Process'} ${pid}`}</h2>}
      {lacksProcess && (
        <p>{isHost ? 'The snapshot has none of this number.' : 'None of this number lives at this step.'}</p>
      )}
      {place !== null && (
        <dl>
          <Fact name="name">{place.comm}</Fact>
          <Fact name="address">{address === null ? null : hex(address)}</Fact>
          <Fact name="region">
            {place.region &&
              `${hex(place.region.start)}–${hex(place.region.end)} ${place.region.perms} ${place.region.name}`}
          </Fact>
          <Fact name="entry">{place.entry}</Fact>
        </dl>
      )}
      <p class="follow">
        {by === 'frame' ? 'The frame is followed from step to step.' : 'The page is followed, whatever frame it is in.'}
      </p>
      <button type="button" onClick={selectNothing}>
        Choose nothing
      </button>
    </div>
  );
}

/** Nothing where nobody knows. */
function Fact({ name, children }: { name: string; children: string | number | null }) {
  if (children === null) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function ViewLink({ to, children }: { to: ViewId; children: string }) {
  return (
    <button
      type="button"
      class="link"
      onClick={() => {
        view.value = to;
      }}
    >
      {children}
    </button>
  );
}

/** What is wrong with it, or null. */
function choose(engine: Engine, text: string): string | null {
  const frame = /^(?:pfn:)?(0x[0-9a-f]{1,9}|\d{1,10})$/i.exec(text.trim());
  if (frame !== null) {
    const pfn = Number(frame[1]);
    const frames = engine.now.value?.frames ?? 0;
    if (pfn >= frames) return `There are frames 0 to ${frames - 1}.`;
    selectFrame(engine, pfn);
    return null;
  }
  const place = /^(?:pid:)?(\d{1,10})(?::(0x[0-9a-f]{1,12}))?$/i.exec(text.trim());
  if (place === null) return 'That is none of these.';
  if (place[2] === undefined) selectProcess(Number(place[1]));
  else selectPage(Number(place[1]), Math.floor(Number(place[2]) / 4096) * 4096);
  return null;
}
