/** Sizing: how little memory the recording needs, replayed in the page's own workers. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ViewProps } from '../../app/page.tsx';
import { Form, type Table, takeTable } from './form.tsx';
import { made } from './job.ts';
import { Result } from './result.tsx';
import './sizing.css';

export function SizingView({ engine }: ViewProps) {
  const table = useSignal<Table | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const kind = engine.facts.value?.kind;
  useEffect(() => {
    const take = (event: DragEvent) => {
      const file = event.dataTransfer?.files[0];
      // Any other file is opened by the page.
      if (file === undefined || !file.name.endsWith('.tsv')) return;
      event.preventDefault();
      event.stopPropagation();
      void takeTable(file, table);
    };
    const element = box.current;
    element?.addEventListener('drop', take);
    return () => element?.removeEventListener('drop', take);
  }, [kind]);
  if (kind !== 'recording') {
    return (
      <p class="empty">
        {kind === 'host'
          ? 'A snapshot is one moment; sizing needs a recording of a program from its beginning to its end.'
          : 'A memory program is a few calls; sizing needs a recording of a program at work.'}{' '}
        Make one with <code>revmap record -- PROGRAM</code> and drop it here, or open one of the examples.
      </p>
    );
  }
  const isOurs = made.value !== null && made.value.source === engine.source.value;
  return (
    <div class="sizing" ref={box}>
      <Form engine={engine} table={table} />
      {isOurs ? <Result engine={engine} made={made.value!} key={made.value!.asked} /> : <Nothing />}
    </div>
  );
}

function Nothing() {
  return (
    <p class="empty">
      Nothing was replayed yet. The curve will show what each limit costs: major faults, swap traffic, pages that come
      back, time; and which limit is the smallest that costs nothing.
    </p>
  );
}
