/**
 * Reverse map: from a frame to every entry that maps it, as this kernel goes.
 *
 * Owns      where the walk stands that one steps through; which node's fields are shown.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Cost, GraphNode, ReverseAnswer, Visit } from '../../../src/view/reverse_graph.ts';
import { NOTHING, type Selection } from '../../../src/view/selection.ts';
import type { Engine } from '../../app/engine.ts';
import { useKeys } from '../../app/keys.ts';
import type { ViewProps } from '../../app/page.tsx';
import { kept, selectFrame, selectPage } from '../../app/state.ts';
import { grouped, hex, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { CompareKernels } from './compare.tsx';
import { Graph, type NodeState } from './graph.tsx';
import './reverse.css';
import { Tables } from './tables.tsx';

const { walk } = kept;

export function ReverseView({ engine }: ViewProps) {
  const asked = question(engine.selection.value);
  const told = useAnswer(engine, 'reverseChosen', asked).value;
  const answer = told?.answer ?? null;
  if (told === null) return <p class="empty">{engine.busy.value ?? 'Asking …'}</p>;
  if (answer === null) return <Nothing engine={engine} chosen={told.chosen} />;
  return <Found key={`${answer.pfn} ${answer.kernel}`} engine={engine} answer={answer} chosen={told.chosen} />;
}

/** What is asked does not change when the page learns the frame of a page, or the page of a frame. */
function question({ by, pfn, pid, address }: Selection): Selection {
  if (by === 'frame') return { by, pfn, pid: null, address: null };
  return by === 'page' ? { by, pfn: null, pid, address } : NOTHING;
}

/** Nothing is chosen, or it is nowhere: what one could look at. */
function Nothing({ engine, chosen }: { engine: Engine; chosen: Selection }) {
  const frames = useAnswer(engine, 'interesting').value;
  const { by, pid, pfn, address } = chosen;
  const says =
    by === 'none'
      ? 'Choose a frame or a page: in another view, by its number beside, or one of these.'
      : by === 'frame'
        ? `There is no frame ${pfn}.`
        : address === null
          ? `Process ${pid} is chosen, and no page of it. Choose one in its address space, or one of these.`
          : `Page ${hex(address)} of process ${pid} has no frame at this step: it was not touched yet, is swapped out, or the process is not there. Step on, or choose one of these.`;
  return (
    <div class="rev">
      <h2>Who maps this page?</h2>
      <p class="rev-lead">{says}</p>
      <ul class="rev-offers">
        {frames?.map(({ pfn: frame, title, says: what }) => (
          <li key={title}>
            <button type="button" onClick={() => selectFrame(engine, frame)}>
              {title}
            </button>{' '}
            <span>
              frame {frame}: {what}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Found({ engine, answer, chosen }: { engine: Engine; answer: ReverseAnswer; chosen: Selection }) {
  const { visits, nodes } = answer;
  const made = visitsMade(walk.value, answer.pfn);
  const focused = useSignal(0);
  const count = made === null ? null : Math.min(made, visits.length);
  const stateOf = useMemo(() => statesAt(answer, count), [answer, count]);
  const chosenNodes = useMemo(() => new Set(chosenPath(answer, chosen)), [answer, chosen]);
  const current = count === null || count === 0 ? null : visits[count - 1]!;
  const choose = (node: GraphNode): void => {
    focused.value = node.id;
    if (node.page !== null) selectPage(node.page.pid, node.page.address);
  };
  return (
    <div class="rev">
      <div class="rev-top">
        <h2>Who maps frame {answer.pfn}?</h2>
        <p class="rev-lead">{answer.scheme}</p>
        {answer.notes.map((note) => (
          <p class="rev-note" key={note}>
            {note}
          </p>
        ))}
        {visits.length > 0 && answer.cost !== null && <p class="rev-cost">{costText(answer, answer.cost)}</p>}
      </div>
      {visits.length > 0 && answer.cost !== null && <Steps answer={answer} made={made} current={current} />}
      <Graph answer={answer} stateOf={stateOf} chosen={chosenNodes} focused={focused} onChoose={choose} />
      {visits.length > 0 && <Legend answer={answer} />}
      <Details node={nodes[Math.min(focused.value, nodes.length - 1)]!} />
      <Tables answer={answer} />
      <CompareKernels engine={engine} answer={answer} chosen={chosen} />
    </div>
  );
}

/** Visits that were made of the walk of this frame; null: the whole picture at once. */
function visitsMade(of: typeof walk.value, pfn: number): number | null {
  return of?.[0] === pfn ? of[1] : null;
}

/** How each node stands when so many visits were made. */
function statesAt({ visits }: ReverseAnswer, count: number | null): (node: number) => NodeState {
  if (count === null) return () => 'plain';
  const states = new Map<number, NodeState>([[0, 'done']]);
  for (const { path } of visits.slice(0, count)) for (const node of path) states.set(node, 'done');
  for (const node of visits[count - 1]?.path ?? []) states.set(node, 'now');
  return (node) => states.get(node) ?? 'later';
}

function chosenPath({ visits }: ReverseAnswer, { pid, address }: Selection): readonly number[] {
  return visits.find((visit) => visit.maps && visit.pid === pid && visit.address === address)?.path ?? [];
}

function costText(
  { mapcount, visits, moreVisits }: ReverseAnswer,
  { mms, vmas, links, entries, found, inVain }: Cost,
): string {
  const parts = [
    mms > 0 ? plural(mms, 'address space') : '',
    links > 0 ? plural(links, 'link') : '',
    plural(vmas, 'VMA'),
    plural(entries, 'entry', 'entries'),
  ].filter((part) => part !== '');
  const rest = visits.filter(({ behindTheEnd }) => behindTheEnd).length + (found === mapcount ? moreVisits.inVain : 0);
  const would = `${plural(rest, 'more VMA')} would be in vain`;
  const met = mapcount === 0 ? 'mapcount is 0' : `mapcount is ${mapcount}, and so many were met`;
  const end = rest === 0 ? '' : ` It ends there: ${met}; ${would}.`;
  return `The walk looks at ${parts.join(', ')}; ${found} ${found === 1 ? 'maps' : 'map'} the page, ${grouped(inVain)} in vain.${end}`;
}

interface StepsProps {
  readonly answer: ReverseAnswer;
  readonly made: number | null;
  readonly current: Visit | null;
}

/** The walk, visit by visit. */
function Steps({ answer, made, current }: StepsProps) {
  const { visits, moreVisits } = answer;
  const all = visits.length + moreVisits.maps + moreVisits.inVain;
  // Keys are registered once, and the walk is another one after each step of the machine.
  const most = useRef(0);
  most.current = visits.length;
  const { pfn } = answer;
  const next = (): void => {
    walk.value = [pfn, Math.min((visitsMade(walk.peek(), pfn) ?? 0) + 1, most.current)];
  };
  const previous = (): void => {
    const last = visitsMade(walk.peek(), pfn) ?? most.current;
    walk.value = [pfn, Math.max(Math.min(last, most.current) - 1, 0)];
  };
  useKeys('Reverse map', [
    { key: 'r', says: 'next visit of the walk', run: next },
    { key: 'R', says: 'visit before', run: previous },
  ]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const last = current?.path.at(-1);
    const view = box.current?.closest('.view');
    if (last !== undefined)
      view?.querySelector(`[data-node="${last}"]`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [current]);
  return (
    <div class="rev-steps" ref={box}>
      <div class="rev-buttons">
        <button type="button" onClick={previous} disabled={made === 0} aria-label="Visit before">
          ◀
        </button>
        <button type="button" onClick={next} disabled={made === visits.length}>
          ▶ next visit
        </button>
        <button
          type="button"
          aria-pressed={made === null}
          onClick={() => {
            walk.value = made === null ? [pfn, 0] : null;
          }}
        >
          whole walk
        </button>
        <span class="rev-at">
          {made === null
            ? `${plural(all, 'visit')} in all`
            : `visit ${Math.min(made, visits.length)} of ${grouped(all)}`}
        </span>
      </div>
      <p class="rev-now" role="status">
        {made === null ? '' : current === null ? 'The walk has not begun.' : visitText(current)}
      </p>
    </div>
  );
}

function visitText({ process, region, start, end, formulaText, maps, why, bits, behindTheEnd, number }: Visit): string {
  const place = `${number + 1}. ${process}, ${region} ${hex(start)}‥${hex(end)}: ${formulaText}.`;
  const outcome = maps ? `The entry maps it (${bits.join(', ')}).` : `In vain: ${why}.`;
  return `${place} ${outcome}${behindTheEnd ? ' The kernel’s walk ends before: it has met as many entries as mapcount says.' : ''}`;
}

function Legend({ answer }: { answer: ReverseAnswer }) {
  const hasVain = answer.nodes.some(({ inVain }) => inVain);
  return (
    <p class="rev-legend">
      {answer.columns.join(' → ')}. {hasVain && 'Dashed, ✗: looked at in vain. '}
      {answer.visits.some(({ formula }) => formula.kind === 'linear') && (
        <>
          Below each VMA: <code>address = vm_start + ((index − vm_pgoff) {'<<'} PAGE_SHIFT)</code>.{' '}
        </>
      )}
      A click on a VMA, process or entry chooses the page there.
    </p>
  );
}

function Details({ node }: { node: GraphNode }) {
  if (node.fields.length === 0) return null;
  return (
    <section class="rev-details" aria-label={`Fields of ${node.title}`}>
      <h3>{node.title}</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">field</th>
            <th scope="col">value</th>
            <th scope="col">what it says</th>
          </tr>
        </thead>
        <tbody>
          {node.fields.map(({ name, value, says }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td class="mono">{value}</td>
              <td>{says}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
