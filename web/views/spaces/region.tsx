/**
 * One region page by page: a cell for each, and what is known of the chosen one.
 *
 * Owns      which part of a large region is shown: the one around the chosen page.
 */
import { useMemo } from 'preact/hooks';
import type { Answer } from '../../../src/view/queries.ts';
import { PAGE_SWAPPED, PAGE_WHERE, type SpaceVma } from '../../../src/view/spaces_form.ts';
import type { Engine } from '../../app/engine.ts';
import { engine as first, selectFrame, selectPage } from '../../app/state.ts';
import { Canvas } from '../../ui/canvas.tsx';
import { grouped, hex, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { PageTable } from './page_table.tsx';
import { drawPages, pageCell, pagesHeight } from './pages_draw.ts';
import type { Chosen } from './ribbons.tsx';
import type { Shown } from './ribbons_draw.ts';
import { BACKINGS, marksText, regionName, valueText, whereText } from './words.ts';

/** Pages of a region that are shown at once. */
const WINDOW = 1024;

interface RegionProps {
  readonly engine: Engine;
  readonly pid: number;
  readonly chosen: Chosen | null;
  readonly width: number;
  readonly shown: Shown;
}

export function RegionPages({ engine, pid, chosen, width, shown }: RegionProps) {
  const space = useAnswer(engine, 'space', pid).value;
  const address = chosen?.pid === pid ? chosen.address : null;
  const vma =
    space?.pid === pid && address !== null
      ? space.vmas.find((one) => one.start <= address && address < one.end)
      : undefined;
  const page = vma === undefined ? 0 : (address! - vma.start) / 4096;
  const from = Math.floor(page / WINDOW) * WINDOW;
  const pages = useAnswer(engine, vma === undefined ? null : 'spacePages', pid, vma?.start ?? 0, from, WINDOW).value;
  if (vma === undefined) {
    return (
      <p class="note">
        {address === null
          ? 'Click a page of a ribbon, or go there with the arrow keys: its region opens here, page by page.'
          : `Process ${pid} maps nothing at ${hex(address)}.`}
      </p>
    );
  }
  const isHere = pages !== null && pages.pid === pid && pages.start === vma.start && pages.from === from;
  return (
    <section class="spaces-region" aria-labelledby="spaces-region-title">
      <h2 id="spaces-region-title">
        {regionName(vma.name, vma.backing)} <code>{vma.perms}</code>{' '}
        <span class="mono">
          {hex(vma.start)}–{hex(vma.end)}
        </span>
      </h2>
      <p class="note">{regionText(vma)}</p>
      {isHere && (
        <Window
          engine={engine}
          pid={pid}
          vma={vma}
          pages={pages}
          page={page}
          width={width}
          shown={shown}
          chosen={chosen}
        />
      )}
    </section>
  );
}

function regionText(vma: SpaceVma): string {
  const { pages, backing, offset, flags, anonVma, counts } = vma;
  const parts = [plural(pages, 'page'), BACKINGS[backing].says];
  if (offset !== null) parts.push(`from byte ${hex(offset)} of it`);
  if (flags !== null) parts.push(...flags);
  if (anonVma !== null) parts.push(`anon_vma ${anonVma.id}, ${plural(anonVma.links, 'link')}`);
  if (counts !== null) parts.push(`${grouped(counts.resident)} resident, ${grouped(counts.shared)} of them shared`);
  if (counts !== null && counts.swapped > 0) parts.push(`${grouped(counts.swapped)} swapped out`);
  return `${parts.join(' · ')}.`;
}

function countText(state: number, mapcount: number): string {
  if (mapcount < 0) return '';
  return (state & PAGE_WHERE) === PAGE_SWAPPED
    ? `held by ${plural(mapcount, 'entry', 'entries')}`
    : `mapped ${plural(mapcount, 'time')}`;
}

interface WindowProps {
  readonly engine: Engine;
  readonly pid: number;
  readonly vma: SpaceVma;
  readonly pages: NonNullable<Answer<'spacePages'>>;
  /** In the region. */
  readonly page: number;
  readonly width: number;
  readonly shown: Shown;
  readonly chosen: Chosen | null;
}

function Window({ engine, pid, vma, pages, page, width, shown, chosen }: WindowProps) {
  const { from, states, values, mapcounts, knows } = pages;
  const count = states.length;
  const columns = width >= 900 ? 64 : width >= 480 ? 32 : 16;
  const here = page - from;
  const draw = useMemo(
    () => (context: CanvasRenderingContext2D, canvasWidth: number) =>
      drawPages(context, canvasWidth, states, columns, shown, here),
    [states, columns, shown, here],
  );
  const go = (to: number): void => {
    if (to >= 0 && to < vma.pages) selectPage(pid, vma.start + to * 4096);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // What was chosen last: the answer about it may be still to come.
    const last = engine.selection.peek();
    const isHere = last.pid === pid && last.address !== null && vma.start <= last.address && last.address < vma.end;
    const at = isHere ? (last.address! - vma.start) / 4096 : page;
    const by = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -at,
      End: vma.pages - 1 - at,
      PageUp: -WINDOW,
      PageDown: WINDOW,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    go(at + by);
  };
  const state = states[here] ?? 0;
  const value = values[here] ?? -1;
  const mapcount = mapcounts[here] ?? -1;
  const said = [
    whereText(state),
    valueText(state, value),
    countText(state, mapcount),
    marksText(state, vma.offset !== null, knows),
  ].filter((text) => text !== '');
  const others = (chosen?.places ?? []).filter((place) => place.pid !== pid || place.address !== chosen?.address);
  return (
    <>
      <div
        class="spaces-canvas"
        role="slider"
        tabIndex={0}
        aria-label="Page of the region: arrow keys choose"
        aria-valuemin={0}
        aria-valuemax={vma.pages - 1}
        aria-valuenow={page}
        aria-valuetext={`page ${page} at ${hex(vma.start + page * 4096)}: ${said.join(', ')}`}
        onKeyDown={onKeyDown}
      >
        <Canvas
          label={`Pages ${from} to ${from + count - 1} of the region, ${columns} in a row`}
          height={pagesHeight(count, width, columns)}
          draw={draw}
          onPick={(x, y) => {
            const cell = pageCell(x, y, width, columns);
            if (cell < count) go(from + cell);
          }}
        />
      </div>
      {vma.pages > WINDOW && (
        <p class="spaces-window">
          <button type="button" disabled={from === 0} onClick={() => go(from - WINDOW)}>
            Pages before
          </button>
          <span>
            pages {grouped(from)} to {grouped(from + count - 1)} of {grouped(vma.pages)}
          </span>
          <button type="button" disabled={from + count >= vma.pages} onClick={() => go(from + WINDOW)}>
            Pages behind
          </button>
        </p>
      )}
      <p class="spaces-page" role="status">
        <b>
          page {grouped(page)} at {hex(vma.start + page * 4096)}
        </b>
        : {said.join(' · ')}
        {others.length > 0 && `; ${plural(others.length, 'other entry maps', 'other entries map')} the same frame:`}
      </p>
      {others.length > 0 && (
        <ul class="spaces-others">
          {others.slice(0, 24).map((place) => (
            <li key={`${place.pid} ${place.address}`}>
              <button type="button" onClick={() => selectPage(place.pid, place.address)}>
                process {place.pid} at {hex(place.address)}
              </button>
            </li>
          ))}
          {others.length > 24 && <li>and {others.length - 24} more</li>}
        </ul>
      )}
      {engine === first && chosen?.pfn !== null && chosen?.pfn !== undefined && chosen.by === 'page' && (
        <p>
          <button type="button" class="link" onClick={() => selectFrame(engine, chosen.pfn!)}>
            Follow the frame instead of the page
          </button>
        </p>
      )}
      <PageTable pid={pid} vma={vma} pages={pages} />
    </>
  );
}
