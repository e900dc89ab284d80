/**
 * Swap areas as maps of slots; a slot tells who has it.
 */
import { useSignal } from '@preact/signals';
import { useCallback } from 'preact/hooks';
import type { SwapAreaView } from '../../../src/view/lists_swap.ts';
import { SLOT_BAD, SLOT_CACHE_ONLY, SLOT_CACHED, SLOT_FREE, SLOT_WORDS } from '../../../src/view/lists_words.ts';
import type { Engine } from '../../app/engine.ts';
import { kept, selectFrame, selectPage } from '../../app/state.ts';
import { grouped, hex, pagesAsSize, plural } from '../../ui/format.ts';
import { colourOf } from '../../ui/palette.ts';
import { Scroll } from '../../ui/scroll.tsx';
import { useAnswer } from '../../ui/use_answer.ts';
import { Grid, type Stretch } from './grid.tsx';

const SLOTS = 2048;
const CELL = 14;
/** By kind: colour and letter. */
const LOOKS: readonly (readonly [string, string])[] = [
  ['--bg-3', ''],
  ['--p0', '1'],
  ['--p4', 'c'],
  ['--p1', 'o'],
  ['--p3', 't'],
  ['--p8', 'r'],
  ['--p9', '×'],
];

const { firstSlot: from, slot: chosen } = kept;

export function SwapBox({ engine }: { engine: Engine }) {
  const answer = useAnswer(engine, 'swap', from.value, SLOTS).value;
  if (answer === null) return <p class="empty">…</p>;
  if (answer.areas.length === 0) {
    return (
      <p class="empty">This machine has no swap. Give it some under Machine: then anonymous pages can be reclaimed.</p>
    );
  }
  const longest = Math.max(...answer.areas.map(({ pages }) => pages + 1));
  const first = Math.min(from.value, longest - 1);
  const firstUsed = answer.areas.flatMap(({ slots }) => [...slots.keys()].filter((n) => isTaken(slots[n]!)));
  return (
    <section class="swap" aria-label="Swap">
      <p>
        {grouped(answer.totalPages - answer.freePages)} of {plural(answer.totalPages, 'slot')} taken (
        {pagesAsSize(answer.totalPages)}). A slot holds one page; the swap map counts the page-table entries that need
        it. A page in the swap cache has its slot and its frame at once.
      </p>
      <p class="pager">
        <button type="button" disabled={first === 0} onClick={() => (from.value = Math.max(0, first - SLOTS))}>
          ← earlier slots
        </button>
        <span>
          slots {grouped(first)} to {grouped(Math.min(longest, first + SLOTS) - 1)}
        </span>
        <button type="button" disabled={first + SLOTS >= longest} onClick={() => (from.value = first + SLOTS)}>
          later slots →
        </button>
      </p>
      {answer.areas.map((area) => (
        <Area
          key={area.type}
          engine={engine}
          area={area}
          usesClusters={answer.usesClusters}
          chosen={chosen.value?.[0] === area.type ? chosen.value[1] : null}
          onChoose={(slot) => {
            chosen.value = [area.type, slot];
          }}
        />
      ))}
      {chosen.value !== null && <Slot engine={engine} type={chosen.value[0]} slot={chosen.value[1]} />}
      {firstUsed.length === 0 && <p class="none">Nothing here is in swap yet.</p>}
    </section>
  );
}

function isTaken(kind: number): boolean {
  return kind !== SLOT_FREE && kind !== SLOT_BAD;
}

interface AreaProps {
  readonly engine: Engine;
  readonly area: SwapAreaView;
  readonly usesClusters: boolean;
  readonly chosen: number | null;
  readonly onChoose: (slot: number) => void;
}

function Area({ engine, area, usesClusters, chosen, onChoose }: AreaProps) {
  const { slots, counts, cached, first, clusterSlots, clusters } = area;
  const pfn = engine.selection.value.pfn;
  const drawCell = useCallback(
    (context: CanvasRenderingContext2D, n: number, x: number, y: number, size: number) => {
      const kind = slots[n]!;
      const [colour, letter] = LOOKS[kind]!;
      context.fillStyle = colourOf(colour);
      context.fillRect(x, y, size, size);
      const many = kind === 1 && counts[n]! > 1;
      if (letter !== '' && (kind !== 1 || many)) {
        context.fillStyle = colourOf('--bg');
        context.font = '10px ui-monospace, "DejaVu Sans Mono", monospace';
        context.textAlign = 'center';
        context.fillText(many ? (counts[n]! > 9 ? '+' : String(counts[n])) : letter, x + size / 2, y + size / 2 + 0.5);
      }
      if (first + n !== chosen && (pfn === null || cached[n] !== pfn)) return;
      context.lineWidth = 3;
      context.strokeStyle = colourOf('--wrong');
      context.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
    },
    [slots, counts, cached, chosen, pfn],
  );
  const stretches: Stretch[] = clusters.map(({ taken, list }, k) => {
    const cluster = Math.floor(first / clusterSlots) + k;
    const from = Math.max(0, cluster * clusterSlots - first);
    const above = usesClusters
      ? `cluster ${cluster}: ${taken} of ${clusterSlots} taken${list === 'none' ? '' : `, ${list}`}`
      : '';
    return { from, to: Math.min(slots.length, (cluster + 1) * clusterSlots - first), above };
  });
  const words = (n: number): string => {
    const kind = slots[n]!;
    const where = kind === SLOT_CACHED || kind === SLOT_CACHE_ONLY ? `, frame ${hex(cached[n]!)}` : '';
    const needs = counts[n]! > 0 ? `, needed by ${plural(counts[n]!, 'entry', 'entries')}` : '';
    return `slot ${grouped(first + n)}: ${SLOT_WORDS[kind]}${where}${needs}`;
  };
  return (
    <section class="area" aria-label={`Swap area ${area.type}`}>
      <h2>
        Area {area.type} on {area.device}{' '}
        <span class="count">
          priority {area.priority}
          {area.isOn ? '' : ', off'}
        </span>
      </h2>
      <p class="letters">
        {SLOT_WORDS.map((word, kind) =>
          area.totals[kind] === 0 ? null : (
            <span key={word}>
              <i class={`slot slot-${kind}`} aria-hidden="true">
                {kind === 1 ? '' : LOOKS[kind]![1]}
              </i>{' '}
              {grouped(area.totals[kind]!)} {word}
            </span>
          ),
        )}
        {area.shadows > 0 && <span>{grouped(area.shadows)} with a shadow</span>}
      </p>
      <Grid
        label={`Slots ${first} to ${first + slots.length - 1} of swap area ${area.type}: ${area.totals.map((n, kind) => `${n} ${SLOT_WORDS[kind]}`).join(', ')}`}
        name={`Slot of swap area ${area.type}`}
        stretches={stretches}
        cell={CELL}
        drawCell={drawCell}
        words={words}
        onChoose={(n) => onChoose(first + n)}
      />
      <SlotTable area={area} words={words} onChoose={onChoose} />
    </section>
  );
}

function SlotTable(props: { area: SwapAreaView; words: (n: number) => string; onChoose: (slot: number) => void }) {
  const { area, words, onChoose } = props;
  const isOpen = useSignal(false);
  const used = isOpen.value ? [...area.slots.keys()].filter((n) => isTaken(area.slots[n]!)).slice(0, 200) : [];
  return (
    <details
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>Taken slots as a list (the first 200)</summary>
      <Scroll label={`Taken slots of area ${area.type}`}>
        {used.map((n) => (
          <p key={n}>
            <button type="button" class="link" onClick={() => onChoose(area.first + n)}>
              {words(n)}
            </button>
          </p>
        ))}
      </Scroll>
    </details>
  );
}

function Slot({ engine, type, slot }: { engine: Engine; type: number; slot: number }) {
  const answer = useAnswer(engine, 'swapSlot', type, slot).value;
  if (answer === null || answer.slot !== slot || answer.type !== type) return null;
  const { pfn, owners } = answer;
  return (
    <section class="slot-facts" aria-label={`Slot ${slot}`} aria-live="polite">
      <h2>
        Slot {grouped(slot)} of area {type}: {SLOT_WORDS[answer.kind]}
      </h2>
      {pfn !== null && (
        <p>
          Its page is in{' '}
          <button type="button" class="link mono" onClick={() => selectFrame(engine, pfn)}>
            frame {hex(pfn)}
          </button>{' '}
          too.
        </p>
      )}
      {owners.map(({ pid, comm, address }) => (
        <p key={`${pid} ${address}`}>
          {comm} (process {pid}) has it at{' '}
          <button type="button" class="link mono" onClick={() => selectPage(pid, address)}>
            {hex(address)}
          </button>
        </p>
      ))}
      {owners.length === 0 && answer.count > 0 && (
        <p>No living process has an entry for it: tmpfs, or one that ends.</p>
      )}
      {answer.count === 0 && pfn === null && <p>Nobody needs it.</p>}
      {answer.hasShadow && <p>Its page left a shadow: when it comes back, the kernel knows how long it was away.</p>}
      {answer.zero && <p>The page was all zeros: nothing was written.</p>}
    </section>
  );
}
