/**
 * The picture itself, as SVG: text that can be selected, nodes that the keyboard reaches along the edges.
 */

import type { Signal } from '@preact/signals';
import { useSignal } from '@preact/signals';
import { useId, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { GraphNode, ReverseAnswer, TaggedWord } from '../../../src/view/reverse_graph.ts';
import { type Box, layOut, type Route, TEXT_LINE, TITLE_LINE } from './layout.ts';

/** How a node stands in the walk: not yet met, met, being visited; or in no walk at all. */
export type NodeState = 'later' | 'done' | 'now' | 'plain';

export interface GraphProps {
  readonly answer: ReverseAnswer;
  readonly stateOf: (node: number) => NodeState;
  readonly chosen: ReadonlySet<number>;
  /** Whose fields are shown. */
  readonly focused: Signal<number>;
  readonly onChoose: (node: GraphNode) => void;
}

export function Graph({ answer, stateOf, chosen, focused, onChoose }: GraphProps) {
  const frame = useRef<HTMLDivElement>(null);
  const room = useSignal(0);
  useLayoutEffect(() => {
    const element = frame.current!;
    const measure = (): void => {
      room.value = element.clientWidth;
    };
    measure();
    const size = new ResizeObserver(measure);
    size.observe(element);
    return () => size.disconnect();
  }, []);
  const layout = useMemo(() => layOut(answer.nodes, answer.edges, room.value), [answer, room.value]);
  const arrow = useId();
  const { width, height, boxes, routes } = layout;
  const focus = focused.value < boxes.length ? focused.value : 0;
  const keyed = (event: KeyboardEvent): void => {
    const next = neighbour(answer, focus, event.key);
    if (event.key === 'Enter' || event.key === ' ') onChoose(answer.nodes[focus]!);
    else if (next === null) return;
    event.preventDefault();
    if (next !== null) frame.current?.querySelector<SVGGElement>(`[data-node="${next}"]`)?.focus();
  };
  return (
    <div
      class="rev-graph"
      ref={frame}
      role="tree"
      aria-label={`The way from frame ${answer.pfn} to its page-table entries. Arrow keys follow it.`}
      onKeyDown={keyed}
    >
      {room.value > 0 && (
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="presentation">
          <defs>
            {(['plain', 'vain'] as const).map((kind) => (
              <marker
                key={kind}
                id={`${arrow}-${kind}`}
                viewBox="0 0 8 8"
                refX="5"
                refY="4"
                markerUnits="userSpaceOnUse"
                markerWidth="9"
                markerHeight="9"
                orient="auto"
              >
                <path class={`rev-head ${kind}`} d="M0 0.5L7 4L0 7.5Z" />
              </marker>
            ))}
          </defs>
          {routes.map((route) => (
            <Edge
              key={`${route.edge.from}-${route.edge.to}`}
              route={route}
              arrow={arrow}
              state={stateOf(route.edge.to)}
            />
          ))}
          {boxes.map((box) => (
            <Node
              key={box.node.id}
              box={box}
              state={stateOf(box.node.id)}
              isChosen={chosen.has(box.node.id)}
              isFocus={box.node.id === focus}
              onFocus={() => {
                focused.value = box.node.id;
              }}
              onChoose={() => onChoose(box.node)}
            />
          ))}
        </svg>
      )}
    </div>
  );
}

/** Along the edges with left and right, among those of one column with up and down; null: the key is none of these. */
function neighbour({ nodes, edges }: ReverseAnswer, at: number, key: string): number | null {
  const { column } = nodes[at]!;
  if (key === 'ArrowRight') return edges.find(({ from }) => from === at)?.to ?? at;
  if (key === 'ArrowLeft') return edges.find(({ to }) => to === at)?.from ?? at;
  if (key === 'ArrowDown') return nodes.find((node) => node.id > at && node.column === column)?.id ?? at;
  if (key === 'ArrowUp') return nodes.findLast((node) => node.id < at && node.column === column)?.id ?? at;
  return null;
}

function Edge({ route, arrow, state }: { route: Route; arrow: string; state: NodeState }) {
  const { edge, path, label } = route;
  const kind = edge.inVain ? 'vain' : 'plain';
  return (
    <g class={`rev-edge ${kind} ${state}`}>
      <path d={path} marker-end={`url(#${arrow}-${kind})`} />
      {label !== null && edge.label !== '' && (
        <text x={label.x} y={label.y}>
          {edge.label}
        </text>
      )}
    </g>
  );
}

interface NodeProps {
  readonly box: Box;
  readonly state: NodeState;
  readonly isChosen: boolean;
  readonly isFocus: boolean;
  readonly onFocus: () => void;
  readonly onChoose: () => void;
}

function Node({ box, state, isChosen, isFocus, onFocus, onChoose }: NodeProps) {
  const { node, x, y, width, height, title, lines, formula } = box;
  const tag = node.tag === null ? '' : `; mapping ${node.tag.pointer}, ${node.tag.says}`;
  const says = `${node.title}; ${node.lines.join('; ')}${tag}`;
  const top = y + (height > 30 ? 17 : 16);
  const linesTop = top + (title.length - 1) * TITLE_LINE + TEXT_LINE;
  return (
    <g
      class={`rev-node ${node.kind} ${state}${node.inVain ? ' vain' : ''}${isChosen ? ' chosen' : ''}`}
      role="treeitem"
      aria-level={node.column + 1}
      aria-selected={isChosen}
      tabindex={isFocus ? 0 : -1}
      data-node={node.id}
      aria-label={says}
      onFocus={onFocus}
      onClick={onChoose}
    >
      <rect x={x} y={y} width={width} height={height} rx="5" />
      {title.map((line, n) => (
        <text key={line} class="rev-title" x={x + 8} y={top + n * TITLE_LINE}>
          {line}
        </text>
      ))}
      {lines.map((line, n) => (
        <text key={`${n} ${line}`} x={x + 8} y={linesTop + n * TEXT_LINE}>
          {line}
        </text>
      ))}
      {node.tag !== null && <Word tag={node.tag} x={x + 8} y={y + height - 24} width={width - 16} />}
      {formula?.lines.map((line, n) => (
        <text key={line} class="rev-formula" x={formula.x} y={formula.y + (n + 1) * TEXT_LINE - 3}>
          {line}
        </text>
      ))}
    </g>
  );
}

const BIT = 14;

/** The mapping as a word: what it points to, and the low bits beside it, each in a place of its own. */
function Word({ tag, x, y, width }: { tag: TaggedWord; x: number; y: number; width: number }) {
  const bits = [...tag.bits];
  const body = width - bits.length * BIT;
  return (
    <g class="rev-word">
      <rect x={x} y={y} width={body} height={18} />
      <text x={x + 4} y={y + 13}>
        mapping {tag.pointer}
      </text>
      {bits.map((bit, n) => (
        <g key={`bit ${bits.length - n}`} class={bit === '1' ? 'rev-bit set' : 'rev-bit'}>
          <rect x={x + body + n * BIT} y={y} width={BIT} height={18} />
          <text x={x + body + n * BIT + 4} y={y + 13}>
            {bit}
          </text>
        </g>
      ))}
    </g>
  );
}
