/**
 * What is chosen: a frame, and where it is mapped; a way to choose by number, and to the views that show more.
 */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { hex } from '../ui/format.ts';
import type { Engine } from './engine.ts';
import { useKeys } from './keys.ts';
import { hasSelection, selectFrame, selection, selectNothing, selectPage, selectProcess, view } from './state.ts';
import type { ViewId } from './views.ts';

export function Inspector({ engine }: { engine: Engine }) {
  const field = useRef<HTMLInputElement>(null);
  const wrong = useSignal<string | null>(null);
  useKeys('Choice', [{ key: '/', says: 'choose by number', run: () => field.current?.focus() }]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    wrong.value = choose(field.current?.value ?? '', engine.now.value?.frames ?? 0);
  };
  const { by, pfn, pid, address } = selection.value;
  return (
    <aside class="inspector" aria-label="What is chosen">
      <form onSubmit={submit}>
        <label>
          <span>Go to</span>
          <input ref={field} name="goto" placeholder="frame, or pid:0xaddress" autocomplete="off" spellcheck={false} />
        </label>
        <button type="submit">Choose</button>
      </form>
      <p class="wrong" role="alert">
        {wrong.value}
      </p>
      {hasSelection.value && (
        <p class="chosen">
          <span>
            {pfn === null ? (by === 'page' && address !== null ? 'no frame' : '') : `frame ${hex(pfn)} (${pfn})`}
          </span>{' '}
          <span>
            {pid === null ? 'mapped nowhere' : `process ${pid}${address === null ? '' : ` at ${hex(address)}`}`}
          </span>{' '}
          <span class="follow">{by === 'frame' ? 'the frame is followed' : 'the page is followed'}</span>
          <button type="button" onClick={selectNothing}>
            Clear
          </button>
        </p>
      )}
      {hasSelection.value && (
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
function choose(text: string, frames: number): string | null {
  const frame = /^(?:pfn:)?(0x[0-9a-f]{1,9}|\d{1,10})$/i.exec(text.trim());
  if (frame !== null) {
    const pfn = Number(frame[1]);
    if (pfn >= frames) return `There are frames 0 to ${frames - 1}.`;
    selectFrame(pfn);
    return null;
  }
  const place = /^(\d{1,10})(?::(0x[0-9a-f]{1,12}))?$/i.exec(text.trim());
  if (place === null) return 'A frame (1234, 0x4d2), or a process and an address (1:0x100000000000).';
  if (place[2] === undefined) selectProcess(Number(place[1]));
  else selectPage(Number(place[1]), Math.floor(Number(place[2]) / 4096) * 4096);
  return null;
}
