/**
 * Ribbons: the regions of several address spaces, a cell for each page or for so many as fit.
 *
 * Owns      the keys on a picture: one page on or back, to the neighbouring region, to the neighbouring process.
 */
import { useMemo } from 'preact/hooks';
import type { Answer } from '../../../src/view/queries.ts';
import type { Selection } from '../../../src/view/selection.ts';
import type { RibbonGroup } from '../../../src/view/spaces_ribbons.ts';
import type { Engine } from '../../app/engine.ts';
import { selectPage } from '../../app/state.ts';
import { Canvas } from '../../ui/canvas.tsx';
import { hex, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { drawRibbons, GUTTER, type Mark, pageUnder, ribbonsHeight, type Shown, vmaAt } from './ribbons_draw.ts';
import { BACKINGS } from './words.ts';

export type Chosen = Answer<'spaceChosen'>;

interface RibbonsProps {
  readonly engine: Engine;
  readonly pids: readonly number[];
  /** Shown if they are alike. */
  readonly relatives: readonly number[];
  readonly current: number;
  readonly chosen: Chosen | null;
  readonly width: number;
  readonly shown: Shown;
  /** Processes in all. */
  readonly of: number;
}

export function Ribbons({ engine, pids, relatives, current, chosen, width, shown, of }: RibbonsProps) {
  const focus = focusOf(chosen, pids);
  const question = { pids, relatives, width: width - GUTTER - 2, focus };
  const groups = useAnswer(engine, 'spaceRibbons', question).value ?? [];
  const ribbons = groups.flatMap((group) => group.ribbons);
  const leftOut = ribbons.filter((ribbon) => ribbon.leftOut > 0);
  return (
    <section aria-label="Ribbons of address spaces" class="spaces-ribbons">
      <Backings groups={groups} />
      {groups.map((group, i) => (
        <Group
          // The first stays, whoever comes to stand in it: it has the focus of who walks there.
          key={i === 0 ? 'own' : group.ribbons.map(({ pid }) => pid).join()}
          engine={engine}
          group={group}
          current={current}
          chosen={chosen}
          shown={shown}
        />
      ))}
      {of > ribbons.length && ribbons.length > 0 && (
        <p class="note">
          {ribbons.length} of {plural(of, 'process', 'processes')}: the chosen one, who maps the chosen frame, and of
          its family who has the same layout.
        </p>
      )}
      {leftOut.length > 0 && (
        <p class="note">
          Regions that are not in the picture:{' '}
          {leftOut.map(({ pid, leftOut: n }) => `${n} of process ${pid}`).join(', ')}. The table has them.
        </p>
      )}
    </section>
  );
}

/** The chosen page, then those with the same frame in who is shown. */
function focusOf(chosen: Chosen | null, pids: readonly number[]) {
  if (chosen === null || chosen.pid === null || chosen.address === null) return [];
  const { pid, address, places } = chosen;
  const others = places.filter((place) => pids.includes(place.pid) && (place.pid !== pid || place.address !== address));
  return [{ pid, address }, ...others.slice(0, MOST_FOCUS)];
}

/** A frame may be mapped a thousand times in one process. */
const MOST_FOCUS = 32;

/** The letters that occur. */
function Backings({ groups }: { groups: readonly RibbonGroup[] }) {
  const used = new Set(
    groups.flatMap(({ ribbons }) => ribbons.flatMap(({ vmas }) => vmas.map(({ backing }) => backing))),
  );
  return (
    <p class="spaces-backings">
      {[...used].map((backing) => (
        <span key={backing}>
          <i class="letter" style={{ borderTopColor: `var(${BACKINGS[backing].colour})` }}>
            {BACKINGS[backing].letter}
          </i>{' '}
          {BACKINGS[backing].says}
        </span>
      ))}
    </p>
  );
}

interface GroupProps {
  readonly engine: Engine;
  readonly group: RibbonGroup;
  readonly current: number;
  readonly chosen: Chosen | null;
  readonly shown: Shown;
}

function Group({ engine, group, current, chosen, shown }: GroupProps) {
  const marks = marksOf(chosen);
  const key = JSON.stringify(marks);
  const draw = useMemo(
    () => (context: CanvasRenderingContext2D) => drawRibbons(context, group, shown, marks),
    [group, shown, key],
  );
  const { ribbons } = group;
  if (ribbons.every(({ vmas }) => vmas.length === 0)) {
    return <p class="note">Of process {ribbons[0]!.pid} no region could be read, or it has none.</p>;
  }
  const own = ribbons.find(({ pid }) => pid === (chosen?.pid ?? current)) ?? ribbons[0]!;
  const page = chosen?.address === null || chosen === null ? null : chosen.address / 4096;
  const region = page === null ? null : vmaAt(own.vmas, page);
  const first = own.vmas[0]?.startPage ?? 0;
  const last = (own.vmas.at(-1)?.endPage ?? 1) - 1;
  const names = ribbons.map(({ pid }) => pid).join(', ');
  const onKeyDown = (event: KeyboardEvent): void => {
    const from = lastChosen(group, engine.selection.peek()) ?? { pid: own.pid, page: region === null ? null : page };
    const to = moved(group, from.pid, from.page, event.key);
    if (to === undefined) return;
    event.preventDefault();
    if (to !== null) selectPage(to.pid, to.page * 4096);
  };
  return (
    <div
      class="spaces-canvas"
      role="slider"
      tabIndex={0}
      aria-label={`Pages of ${ribbons.length === 1 ? 'process' : 'processes'} ${names}: arrow keys choose`}
      aria-valuemin={first}
      aria-valuemax={last}
      aria-valuenow={region === null ? first : page!}
      aria-valuetext={
        region === null
          ? `process ${own.pid}, no page is chosen`
          : `process ${own.pid}, ${hex(page! * 4096)} in ${region.perms} ${region.name || region.backing}`
      }
      onKeyDown={onKeyDown}
    >
      <Canvas
        label={`Address space of ${names}: ${ribbons.map(({ pid, vmas }) => `process ${pid} has ${plural(vmas.length, 'region')}`).join(', ')}`}
        height={ribbonsHeight(group)}
        draw={draw}
        onPick={(x, y) => {
          const under = pageUnder(group, x, y);
          if (under !== null) selectPage(under.pid, under.page * 4096);
        }}
      />
    </div>
  );
}

function marksOf(chosen: Chosen | null): Mark[] {
  if (chosen === null || chosen.address === null || chosen.pid === null) return [];
  const { pid, address, places } = chosen;
  const others = places.filter((place) => place.pid !== pid || place.address !== address);
  return [
    ...others.map((place) => ({ pid: place.pid, page: place.address / 4096, isChosen: false })),
    { pid, page: address / 4096, isChosen: true },
  ];
}

/** What was chosen last, of which the answer may be still to come; null: nobody of this picture. */
function lastChosen(
  { ribbons }: RibbonGroup,
  { pid, address }: Selection,
): { pid: number; page: number | null } | null {
  const ribbon = ribbons.find((one) => one.pid === pid);
  if (ribbon === undefined) return null;
  const page = address === null ? null : address / 4096;
  return { pid: ribbon.pid, page: page === null || vmaAt(ribbon.vmas, page) === null ? null : page };
}

/** Where a key leads; null: nowhere further; undefined: the key is another's. */
function moved(
  { ribbons }: RibbonGroup,
  pid: number,
  page: number | null,
  key: string,
): { pid: number; page: number } | null | undefined {
  if (!/^(Arrow(Left|Right|Up|Down)|Page(Up|Down)|Home|End)$/.test(key)) return undefined;
  const row = ribbons.findIndex((ribbon) => ribbon.pid === pid);
  const { vmas } = ribbons[row]!;
  const at = page === null ? 0 : vmas.findIndex(({ endPage }) => endPage > page);
  const vma = vmas[at];
  if (vma === undefined) return null;
  if (page === null) return { pid, page: vma.startPage };
  const to = (target: number | undefined) => (target === undefined ? null : { pid, page: target });
  switch (key) {
    case 'ArrowRight':
      return page + 1 < vma.endPage ? to(page + 1) : to(vmas[at + 1]?.startPage);
    case 'ArrowLeft':
      return page > vma.startPage ? to(page - 1) : to(at === 0 ? undefined : vmas[at - 1]!.endPage - 1);
    case 'PageDown':
      return to(vmas[at + 1]?.startPage);
    case 'PageUp':
      return to(vmas[at - 1]?.startPage);
    case 'Home':
      return to(vma.startPage);
    case 'End':
      return to(vma.endPage - 1);
    default: {
      const other = ribbons[row + (key === 'ArrowDown' ? 1 : -1)];
      if (other === undefined) return null;
      // The same address, or the next one that is mapped there.
      const there = other.vmas.find(({ endPage }) => endPage > page) ?? other.vmas.at(-1);
      return there === undefined
        ? null
        : { pid: other.pid, page: Math.max(there.startPage, Math.min(page, there.endPage - 1)) };
    }
  }
}
