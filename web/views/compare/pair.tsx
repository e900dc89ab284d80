/** Any other view of both machines, next to each other. */
import type { ComponentType } from 'preact';
import type { Selection } from '../../../src/view/selection.ts';
import type { ViewProps } from '../../app/page.tsx';
import { pair } from '../../app/state.ts';
import type { ViewId } from '../../app/views.ts';
import { hex } from '../../ui/format.ts';
import { FramesView } from '../frames/view.tsx';
import { ListsView } from '../lists/view.tsx';
import { ReverseView } from '../reverse/view.tsx';
import { SpacesView } from '../spaces/view.tsx';
import { TimeView } from '../time/view.tsx';
import type { Both } from './machines.tsx';

const SHOWN: readonly { readonly id: ViewId; readonly name: string; readonly View: ComponentType<ViewProps> }[] = [
  { id: 'frames', name: 'Frames', View: FramesView },
  { id: 'spaces', name: 'Address spaces', View: SpacesView },
  { id: 'reverse', name: 'Reverse map', View: ReverseView },
  { id: 'lists', name: 'Lists', View: ListsView },
  { id: 'time', name: 'Time', View: TimeView },
];

export function Pair({ left, right }: Both) {
  const shown = SHOWN.find(({ id }) => id === pair.value);
  return (
    <section class="compare-pair" aria-label="A view of both">
      <label>
        Show of both{' '}
        <select
          value={pair.value ?? ''}
          onChange={(event) => {
            pair.value = (event.currentTarget.value || null) as ViewId | null;
          }}
        >
          <option value="">no other view</option>
          {SHOWN.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {shown !== undefined && (
        <>
          <Halves left={left} right={right} />
          <div class="compare-both">
            {[left, right].map((engine, n) => (
              <section key={n === 0 ? 'left' : 'right'} aria-label={`${n === 0 ? 'Left' : 'Right'}: ${shown.name}`}>
                <h3>
                  <span class="side">{n === 0 ? 'Left' : 'Right'}</span> Linux {engine.facts.value?.kernel}
                </h3>
                <shown.View engine={engine} />
              </section>
            ))}
          </div>
        </>
      )}
    </section>
  );
}

/** What is chosen has another half in each: a page another frame, a frame another page. */
function Halves({ left, right }: Both) {
  const mine = left.selection.value;
  const theirs = right.selection.value;
  const { by, pid, address } = mine;
  if (by === 'frame') {
    return (
      <p class="hint">
        Frame {hex(mine.pfn!)} is chosen by its number: on the left it has {pageText(mine)}, on the right{' '}
        {pageText(theirs)}. Choose a page to see the same one in both.
      </p>
    );
  }
  if (address === null) return null;
  return (
    <p class="hint">
      The chosen page, {pid}:{hex(address)}, is in {frameText(mine)} on the left and in {frameText(theirs)} on the
      right.
    </p>
  );
}

function frameText({ pfn }: Selection): string {
  return pfn === null ? 'no frame' : `frame ${hex(pfn)}`;
}

function pageText({ pid, address }: Selection): string {
  return address === null ? 'no page of a process' : `page ${pid}:${hex(address)}`;
}
