/** What the colours mean, how many frames have each, and a list of them to choose from: the table behind the picture. */

import { useSignal } from '@preact/signals';
import type { FramesAnswer } from '../../../src/view/frames_colourings.ts';
import type { Category, Tone } from '../../../src/view/frames_legend.ts';
import { countsByZone, rangesOf } from '../../../src/view/frames_ranges.ts';
import { grouped, pagesAsSize } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

/** Rows of ranges that come at once. */
const PAGE = 200;

interface LegendProps {
  readonly answer: FramesAnswer;
  readonly onChoose: (pfn: number) => void;
}

function colourVariable(tone: Tone): string {
  return tone.startsWith('p') ? `var(--${tone})` : `var(--frames-${tone})`;
}

function Swatch({ category: { tone, mark } }: { category: Category }) {
  return (
    <span class="frames-swatch" aria-hidden="true">
      <span class="colour" style={{ background: colourVariable(tone) }} />
      <span class="mark">{mark}</span>
    </span>
  );
}

export function Legend({ answer, onChoose }: LegendProps) {
  /** Key of the category whose frames are listed. */
  const listed = useSignal<string | null>(null);
  const { legend, frames } = answer;
  const shown = legend.flatMap((category, place) => (category.count > 0 ? [{ category, place }] : []));
  const open = shown.find(({ category }) => category.key === listed.value);
  return (
    <div class="frames-legend">
      <table>
        <caption class="said">Frames by {answer.colouring}</caption>
        <thead>
          <tr>
            <th scope="col">Category</th>
            <th scope="col" class="number">
              Frames
            </th>
            <th scope="col" class="number">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ category }) => (
            <tr key={category.key}>
              <th scope="row">
                <button
                  type="button"
                  class="link"
                  title={`${category.says} Lists its frames.`}
                  aria-expanded={listed.value === category.key}
                  onClick={() => {
                    listed.value = listed.value === category.key ? null : category.key;
                  }}
                >
                  <Swatch category={category} />
                  {category.name}
                </button>
              </th>
              <td class="number">{grouped(category.count)}</td>
              <td class="number">{share(category.count, frames)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {open !== undefined && (
        <Ranges
          key={open.category.key}
          answer={answer}
          place={open.place}
          category={open.category}
          onChoose={onChoose}
        />
      )}
      {answer.zones.length > 1 && <ByZone answer={answer} />}
    </div>
  );
}

function share(count: number, all: number): string {
  const percent = (100 * count) / all;
  return percent > 0 && percent < 0.1 ? '< 0.1 %' : `${percent.toFixed(1)} %`;
}

function Ranges({ answer, place, category, onChoose }: LegendProps & { place: number; category: Category }) {
  const most = useSignal(PAGE);
  const { ranges, next } = rangesOf(answer.categories, place, 0, most.value);
  return (
    <section class="frames-ranges" aria-label={`Frames: ${category.name}`}>
      <h3>{category.name}</h3>
      <p>{category.says}</p>
      <Scroll label={`Ranges of frames: ${category.name}`}>
        <ul>
          {ranges.map(({ first, last }) => (
            <li key={first}>
              <button type="button" class="link mono" onClick={() => onChoose(first)}>
                {first === last ? first : `${first}–${last}`}
              </button>
              {last > first && <span class="note"> {pagesAsSize(last - first + 1)}</span>}
            </li>
          ))}
        </ul>
        {next !== null && (
          <button
            type="button"
            onClick={() => {
              most.value += PAGE;
            }}
          >
            {PAGE} more
          </button>
        )}
      </Scroll>
    </section>
  );
}

function ByZone({ answer }: { answer: FramesAnswer }) {
  const isOpen = useSignal(false);
  return (
    <details
      onToggle={(event) => {
        isOpen.value = (event.currentTarget as HTMLDetailsElement).open;
      }}
    >
      <summary>By zone</summary>
      {isOpen.value && <ZoneCounts answer={answer} />}
    </details>
  );
}

function ZoneCounts({ answer: { categories, zones, legend } }: { answer: FramesAnswer }) {
  const counts = countsByZone(categories, zones, legend.length);
  const shown = legend.flatMap((category, place) => (category.count > 0 ? [{ category, place }] : []));
  return (
    <Scroll label="Frames by category and zone">
      <table>
        <thead>
          <tr>
            <th scope="col">Category</th>
            {zones.map(({ name, first }) => (
              <th scope="col" class="number" key={first}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map(({ category, place }) => (
            <tr key={category.key}>
              <th scope="row">{category.name}</th>
              {zones.map(({ first }, n) => (
                <td class="number" key={first}>
                  {grouped(counts[n]![place]!)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
