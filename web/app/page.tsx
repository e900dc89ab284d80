/**
 * The page: head, tabs, one or two views, what is chosen, and the clock.
 *
 * Owns      the layout. What a view shows is its own.
 */
import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { CompareView } from '../views/compare/view.tsx';
import { EditorView } from '../views/editor/view.tsx';
import { FramesView } from '../views/frames/view.tsx';
import { HostView } from '../views/host/view.tsx';
import { LessonsView } from '../views/lessons/view.tsx';
import { ListsView } from '../views/lists/view.tsx';
import { ReverseView } from '../views/reverse/view.tsx';
import { SizingView } from '../views/sizing/view.tsx';
import { SpacesView } from '../views/spaces/view.tsx';
import { TimeView } from '../views/time/view.tsx';
import type { Engine } from './engine.ts';
import { Head } from './head.tsx';
import { Inspector } from './inspector.tsx';
import { KeyList, showKeys } from './key_list.tsx';
import { useKeys } from './keys.ts';
import { beside, engine, selectNothing, view } from './state.ts';
import { Transport } from './transport.tsx';
import { VIEWS, type ViewId } from './views.ts';

export interface ViewProps {
  /** Whose state it shows. */
  readonly engine: Engine;
}

const COMPONENTS: Readonly<Record<ViewId, ComponentType<ViewProps>>> = {
  frames: FramesView,
  spaces: SpacesView,
  reverse: ReverseView,
  lists: ListsView,
  time: TimeView,
  compare: CompareView,
  sizing: SizingView,
  host: HostView,
  lessons: LessonsView,
  editor: EditorView,
};

export function Page() {
  useKeys('Views', [
    ...VIEWS.map(({ id, name }, n) => ({
      key: String((n + 1) % 10),
      says: name,
      run: () => {
        view.value = id;
      },
    })),
    { key: 'Escape', says: 'choose nothing', run: selectNothing },
    { key: '?', says: 'this list', run: showKeys },
  ]);
  return (
    <div class="page">
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the view
      </button>
      <Head />
      <Tabs />
      <main id="main" tabIndex={-1} class={beside.value === null ? 'views' : 'views two'}>
        <Panel id={view.value} />
        {beside.value !== null && beside.value !== view.value && <Panel id={beside.value} />}
      </main>
      <Inspector engine={engine} />
      <Transport engine={engine} />
      <KeyList />
    </div>
  );
}

function Panel({ id }: { id: ViewId }) {
  const Component = COMPONENTS[id];
  const { name } = VIEWS.find((one) => one.id === id)!;
  return (
    <section class={`view view-${id}`} aria-label={name} key={id}>
      {engine.facts.value === null && id !== 'lessons' && id !== 'editor' ? (
        <p class="empty">{engine.error.value ?? engine.busy.value ?? 'Nothing is open.'}</p>
      ) : (
        <Component engine={engine} />
      )}
    </section>
  );
}

function Tabs() {
  const strip = useRef<HTMLElement>(null);
  const open = view.value;
  useEffect(() => {
    // On a telephone there are more of them than fit.
    const { clientWidth, children } = strip.current!;
    const { offsetLeft, offsetWidth } = children[VIEWS.findIndex(({ id }) => id === open)] as HTMLElement;
    strip.current!.scrollLeft = offsetLeft - (clientWidth - offsetWidth) / 2;
  }, [open]);
  return (
    <nav class="tabs" aria-label="Views" ref={strip}>
      {VIEWS.map(({ id, name, says }) => (
        <span class="tab" key={id}>
          <button
            type="button"
            aria-current={view.value === id ? 'page' : undefined}
            title={says}
            onClick={() => {
              if (beside.value === id) beside.value = null;
              view.value = id;
            }}
          >
            {name}
          </button>
          <button
            type="button"
            class="beside"
            aria-pressed={beside.value === id}
            aria-label={`${name} beside the open view`}
            title={`${name} beside the open view`}
            disabled={view.value === id}
            onClick={() => {
              beside.value = beside.value === id ? null : id;
            }}
          >
            ◫
          </button>
        </span>
      ))}
    </nav>
  );
}
