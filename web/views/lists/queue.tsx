/**
 * One list as a queue: head first, the tail last, a cell for each page; what came and went since the last look.
 */
import { useSignal } from '@preact/signals';
import { useCallback } from 'preact/hooks';
import type { ListView } from '../../../src/view/lists.ts';
import {
  FROM_NONE,
  kindWord,
  STATE_ANON,
  STATE_DIRTY,
  STATE_MLOCKED,
  STATE_PROMOTED,
  STATE_REFERENCED,
  STATE_SHMEM,
  STATE_SWAPCACHE,
  STATE_WRITEBACK,
  STATE_YOUNG,
  STAYED,
  stateWords,
} from '../../../src/view/lists_words.ts';
import type { Engine } from '../../app/engine.ts';
import { selectFrame } from '../../app/state.ts';
import { grouped, hex, plural } from '../../ui/format.ts';
import { colourOf, colours } from '../../ui/palette.ts';
import { Scroll } from '../../ui/scroll.tsx';
import { Grid, type Stretch } from './grid.tsx';

const CELL = 22;
const TABLE_ROWS = 200;

export interface QueueProps {
  readonly engine: Engine;
  readonly list: ListView;
  /** Names of lists that `list.from` means. */
  readonly names: readonly string[];
  readonly since: number | null;
}

export function Queue({ engine, list, names, since }: QueueProps) {
  const { window: shown } = list;
  const { frames, states } = shown;
  const chosen = engine.selection.value.pfn;
  const end = tailWords(list);
  const length = frames.length + shown.hidden;
  const drawCell = useCallback(
    (context: CanvasRenderingContext2D, n: number, x: number, y: number, size: number) => {
      drawPage(context, x, y, size, states[n]!, moveLetter(list, names, n), frames[n] === chosen);
    },
    [list, names, chosen],
  );
  const place = (n: number): number => (n < shown.fromHead ? n + 1 : n + 1 + shown.hidden);
  const words = (n: number): string => {
    const came = cameFrom(list, names, n);
    const where = `place ${grouped(place(n))} of ${grouped(length)}`;
    const next = end !== '' && n === frames.length - 1 ? `, ${end}` : '';
    return `${where}${next}: frame ${hex(frames[n]!)}, ${stateWords(states[n]!)}${came === '' ? '' : `; ${came}`}`;
  };
  return (
    <section class="queue" aria-label={listName(list)}>
      <h2>
        {listName(list)} <span class="count">{plural(list.pages, 'page')}</span>
      </h2>
      {list.says !== '' && <p class="says">{list.says}</p>}
      <Flows list={list} since={since} />
      {frames.length === 0 ? (
        <p class="none">Nobody stands here.</p>
      ) : (
        <>
          <p class="ends">
            <span>head: newest</span>
            <span>{end === '' ? 'tail' : `tail: ${end} →`}</span>
          </p>
          <Grid
            label={`${listName(list)}: ${plural(length, 'page')} from head to tail; ${summary(states)}`}
            name={`Place in ${listName(list)}`}
            stretches={stretchesOf(list)}
            cell={CELL}
            drawCell={drawCell}
            words={words}
            onChoose={(n) => selectFrame(engine, frames[n]!)}
          />
          <QueueTable engine={engine} list={list} names={names} place={place} />
        </>
      )}
    </section>
  );
}

/** What becomes of the page at the tail. */
function tailWords({ name, seq, says }: ListView): string {
  if (seq !== null) return says.startsWith('oldest') ? 'evicted next' : '';
  if (name.startsWith('inactive')) return 'next to be scanned';
  return name.startsWith('active') ? 'next to be aged' : '';
}

export function listName({ name, zone }: ListView): string {
  return zone === null ? name : `${name}, zone ${zone}`;
}

function stretchesOf({ window: { frames, fromHead, hidden } }: ListView): Stretch[] {
  if (hidden === 0) return [{ from: 0, to: frames.length, above: '' }];
  return [
    { from: 0, to: fromHead, above: '' },
    { from: fromHead, to: frames.length, above: `⋮ ${grouped(hidden)} more pages between ⋮` },
  ];
}

function Flows({ list, since }: { list: ListView; since: number | null }) {
  if (since === null) return null;
  const came = list.flows.filter(({ to }) => to === list.name);
  const went = list.flows.filter(({ from }) => from === list.name);
  const isEmpty = list.window.frames.length === 0;
  if (came.length + went.length === 0)
    return isEmpty ? null : <p class="flows">Nobody came or went since step {grouped(since)}.</p>;
  return (
    <p class="flows">
      {came.map(({ from, pages }) => (
        <span key={`in ${from}`}>
          → {grouped(pages)} {from === '' ? 'came in' : `from ${from}`}
        </span>
      ))}
      {went.map(({ to, pages }) => (
        <span key={`out ${to}`}>
          ← {grouped(pages)} {to === '' ? 'left (freed, or on the way)' : `to ${to}`}
        </span>
      ))}
    </p>
  );
}

function QueueTable(props: { engine: Engine; list: ListView; names: readonly string[]; place: (n: number) => number }) {
  const { engine, list, names, place } = props;
  const isOpen = useSignal(false);
  const rows = useSignal(TABLE_ROWS);
  const { frames, states } = list.window;
  return (
    <details
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>As a table</summary>
      {isOpen.value && (
        <Scroll label={`Pages of ${listName(list)}`}>
          <table>
            <thead>
              <tr>
                <th class="number">Place</th>
                <th>Frame</th>
                <th>State</th>
                <th>Moved</th>
              </tr>
            </thead>
            <tbody>
              {[...frames.subarray(0, rows.value)].map((pfn, n) => (
                <tr key={pfn}>
                  <td class="number">{grouped(place(n))}</td>
                  <td>
                    <button type="button" class="link mono" onClick={() => selectFrame(engine, pfn)}>
                      {hex(pfn)}
                    </button>
                  </td>
                  <td>{stateWords(states[n]!)}</td>
                  <td>{cameFrom(list, names, n)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {rows.value < frames.length && (
            <button
              type="button"
              onClick={() => {
                rows.value += TABLE_ROWS;
              }}
            >
              More
            </button>
          )}
        </Scroll>
      )}
    </details>
  );
}

function cameFrom(list: ListView, names: readonly string[], n: number): string {
  const from = list.from[n]!;
  if (from === STAYED) return '';
  return from === FROM_NONE ? 'new on the lists' : `came from ${names[from] ?? 'another list'}`;
}

/** + came from nowhere, ↑ became active or younger, ↓ the other way, → else. */
function moveLetter(list: ListView, names: readonly string[], n: number): string {
  const from = list.from[n]!;
  if (from === STAYED) return '';
  if (from === FROM_NONE) return '+';
  const was = names[from] ?? '';
  const isActive = list.name.startsWith('active');
  if (list.seq !== null) return '↑';
  if (isActive && was.startsWith('inactive')) return '↑';
  if (!isActive && was.startsWith('active')) return '↓';
  return '→';
}

/** Which letter stands for how the page is used, and which for where its contents are. */
function letterOfUse(state: number): string {
  if ((state & STATE_PROMOTED) !== 0) return 'G';
  if ((state & STATE_YOUNG) !== 0) return (state & STATE_REFERENCED) !== 0 ? 'B' : 'Y';
  return (state & STATE_REFERENCED) !== 0 ? 'R' : '';
}

function letterOfContents(state: number): string {
  if ((state & STATE_WRITEBACK) !== 0) return 'w';
  if ((state & STATE_MLOCKED) !== 0) return 'm';
  if ((state & STATE_DIRTY) !== 0) return 'd';
  return (state & STATE_SWAPCACHE) !== 0 ? 's' : '';
}

/** Colours of cells, read from the style sheet once for each theme. */
interface Paint {
  readonly version: number;
  readonly anon: string;
  readonly shmem: string;
  readonly file: string;
  readonly ink: string;
  readonly under: string;
  readonly mark: string;
  readonly paper: string;
}

let paint: Paint | null = null;

function paintNow(): Paint {
  const version = colours.peek();
  if (paint?.version === version) return paint;
  paint = {
    version,
    anon: colourOf('--p0'),
    shmem: colourOf('--p3'),
    file: colourOf('--p2'),
    ink: colourOf('--ink'),
    under: colourOf('--bg-2'),
    mark: colourOf('--wrong'),
    paper: colourOf('--bg'),
  };
  return paint;
}

/** A page: kind and use above, contents and move below. */
function drawPage(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  size: number,
  state: number,
  move: string,
  isChosen: boolean,
): void {
  const { anon, shmem, file, ink, under, mark, paper } = paintNow();
  context.fillStyle = under;
  context.fillRect(x, y, size, size);
  const used = (state & (STATE_YOUNG | STATE_REFERENCED)) !== 0;
  context.globalAlpha = used ? 0.45 : 0.2;
  context.fillStyle = (state & STATE_ANON) !== 0 ? anon : (state & STATE_SHMEM) !== 0 ? shmem : file;
  context.fillRect(x, y, size, size);
  context.globalAlpha = 1;
  context.fillRect(x, y, 3, size);
  context.fillStyle = ink;
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  context.font = '10px ui-monospace, "DejaVu Sans Mono", monospace';
  const [left, right, upper, lower] = [x + 7.5, x + 15.5, y + 6.5, y + 15.5];
  context.fillText(kindWord(state)[0]!, left, upper);
  context.fillText(letterOfUse(state), right, upper);
  context.fillText(letterOfContents(state), left, lower);
  if (move !== '') {
    context.fillStyle = ink;
    context.fillRect(x + 11, y + 11, size - 11, size - 11);
    context.fillStyle = paper;
    context.font = 'bold 10px ui-monospace, "DejaVu Sans Mono", monospace';
    context.fillText(move, right, lower);
  }
  if (!isChosen) return;
  context.lineWidth = 3;
  context.strokeStyle = mark;
  context.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
}

function summary(states: Uint16Array): string {
  const of = (bit: number): number => states.reduce((sum, state) => sum + ((state & bit) === 0 ? 0 : 1), 0);
  return `of those drawn ${of(STATE_ANON)} anonymous, ${of(STATE_YOUNG)} young, ${of(STATE_REFERENCED)} referenced, ${of(STATE_DIRTY)} dirty, ${of(STATE_SWAPCACHE)} in the swap cache`;
}

const LETTERS: readonly (readonly [string, string])[] = [
  ['a f t', 'anonymous, file, tmpfs'],
  ['Y', 'young: a page table says it was used'],
  ['R', 'referenced: the page says so'],
  ['B', 'both'],
  ['G', 'young: of a younger generation by now'],
  ['d', 'dirty'],
  ['w', 'being written'],
  ['s', 'in the swap cache'],
  ['m', 'mlocked'],
  ['+', 'new'],
  ['↑ ↓', 'activated, deactivated'],
];

export function Legend({ generations }: { generations: boolean }) {
  const letters = LETTERS.filter(([letter]) => generations || letter !== 'G');
  return (
    <p class="letters">
      {letters.map(([letter, says]) => (
        <span key={letter}>
          <kbd>{letter}</kbd> {says}
        </span>
      ))}
    </p>
  );
}
