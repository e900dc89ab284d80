/** Who forked whom: a tree one walks with the arrow keys. */
import { useRef } from 'preact/hooks';
import type { SpaceProcess } from '../../../src/view/spaces_form.ts';
import { selectProcess } from '../../app/state.ts';
import { pagesAsSize } from '../../ui/format.ts';

interface TreeProps {
  readonly processes: readonly SpaceProcess[];
  readonly current: number | null;
  /** Who maps the chosen frame. */
  readonly mapping: ReadonlySet<number>;
}

/** More stand in the table. */
const MOST_ROWS = 400;

export function ProcessTree({ processes, current, mapping }: TreeProps) {
  const list = useRef<HTMLDivElement>(null);
  const rows = processes.slice(0, MOST_ROWS);
  const move = (event: KeyboardEvent): void => {
    // From where the focus is: what is current is told by an answer that may be still to come.
    const from = (event.target as HTMLElement).dataset['pid'];
    const at = rows.findIndex(({ pid }) => String(pid) === from);
    const here = rows[at];
    if (here === undefined) return;
    const to = {
      ArrowDown: rows[at + 1],
      ArrowUp: rows[at - 1],
      Home: rows[0],
      End: rows.at(-1),
      ArrowLeft: rows.find(({ pid }) => pid === here.parent),
      ArrowRight: rows[at + 1]?.parent === here.pid ? rows[at + 1] : undefined,
    }[event.key];
    if (!/^(Arrow|Home|End)/.test(event.key)) return;
    event.preventDefault();
    if (to === undefined) return;
    selectProcess(to.pid);
    list.current?.querySelector<HTMLElement>(`[data-pid="${to.pid}"]`)?.focus();
  };
  return (
    <section class="spaces-tree">
      <h2 id="spaces-tree-title">Processes</h2>
      <div ref={list} role="tree" aria-labelledby="spaces-tree-title" onKeyDown={move}>
        {rows.map(({ pid, comm, depth, rssPages, swapPages, sharesMmWith }) => (
          <div
            key={pid}
            role="treeitem"
            aria-level={depth + 1}
            aria-selected={pid === current}
            tabIndex={pid === current ? 0 : -1}
            data-pid={pid}
            style={{ paddingLeft: `${0.4 + Math.min(depth, 8)}rem` }}
            onClick={() => selectProcess(pid)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' && event.key !== ' ') return;
              event.preventDefault();
              selectProcess(pid);
            }}
          >
            <span class="who">
              {depth > 0 && <span aria-hidden="true">└ </span>}
              <b>{pid}</b> {comm.startsWith('process ') ? '' : comm}
              {mapping.has(pid) && (
                <span class="maps" title="maps the chosen frame">
                  {' '}
                  ◆<span class="said"> maps the chosen frame</span>
                </span>
              )}
            </span>
            <span class="how-much">
              {rssPages === null ? 'unknown' : pagesAsSize(rssPages)}
              {swapPages !== null && swapPages > 0 && ` + ${pagesAsSize(swapPages)} in swap`}
              {sharesMmWith !== null && ` · the memory of ${sharesMmWith}`}
            </span>
          </div>
        ))}
      </div>
      {processes.length > rows.length && <p>and {processes.length - rows.length} more, in the table of processes</p>}
    </section>
  );
}
