/**
 * View 2: address spaces. The tree of forks, the regions of processes as ribbons, one region page by page.
 *
 * Owns      which process is shown where nobody chose one, and which others stand beside it.
 */
import { useMemo, useRef } from 'preact/hooks';
import type { SpaceProcess } from '../../../src/view/spaces_form.ts';
import { useKeys } from '../../app/keys.ts';
import type { ViewProps } from '../../app/page.tsx';
import { kept } from '../../app/state.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { RegionPages } from './region.tsx';
import { Ribbons } from './ribbons.tsx';
import type { Shown } from './ribbons_draw.ts';
import './spaces.css';
import { SpaceTables } from './tables.tsx';
import { ProcessTree } from './tree.tsx';
import { useWidth } from './use_width.ts';

/** More ribbons are no picture: the chosen process, its family and whoever maps the chosen frame are. */
const MOST_RIBBONS = 8;

const { hidden } = kept;

export function SpacesView({ engine }: ViewProps) {
  const main = useRef<HTMLDivElement>(null);
  useKeys('Address spaces', [
    {
      key: 'a',
      says: 'to the ribbons; arrows move there',
      run: () => main.current?.querySelector<HTMLElement>('[role=slider]')?.focus(),
    },
  ]);
  const shown = useMemo(() => shownBut(hidden.value), [hidden.value]);
  const width = useWidth(main).value;
  const processes = useAnswer(engine, 'spaceProcesses').value ?? [];
  const { by, pfn, pid, address } = engine.selection.value;
  const chosen = useAnswer(engine, 'spaceChosen', { by, pfn, pid, address }).value;
  const places = chosen?.places ?? [];
  const wanted = chosen?.pid ?? engine.now.value?.pid ?? null;
  const current =
    processes.find((one) => one.pid === wanted) ?? processes.find(({ vmas }) => vmas > 0) ?? processes[0] ?? null;
  const mapping = places.map((place) => place.pid);
  return (
    <div class="spaces">
      <ProcessTree processes={processes} current={current?.pid ?? null} mapping={new Set(mapping)} />
      <div class="spaces-main" ref={main}>
        {current === null ? (
          <p class="empty">
            No process is alive at this step. Step on with <kbd>→</kbd>, or open a program or a recording that runs one.
          </p>
        ) : (
          <>
            <Legend shown={shown} />
            {width > 0 && (
              <Ribbons
                engine={engine}
                {...ribbonsFor(processes, current, mapping)}
                current={current.pid}
                chosen={chosen}
                width={width}
                shown={shown}
                of={processes.length}
              />
            )}
            <RegionPages engine={engine} pid={current.pid} chosen={chosen} width={width} shown={shown} />
            <SpaceTables engine={engine} pid={current.pid} processes={processes} chosen={chosen} />
          </>
        )}
      </div>
    </div>
  );
}

/** All in the order of the tree if they are few; else the chosen one, who maps the chosen frame, and its family. */
function ribbonsFor(
  processes: readonly SpaceProcess[],
  current: SpaceProcess,
  mapping: readonly number[],
): { pids: number[]; relatives: number[] } {
  if (processes.length <= MOST_RIBBONS) return { pids: processes.map(({ pid }) => pid), relatives: [] };
  const pids = [...new Set([current.pid, ...mapping])].slice(0, MOST_RIBBONS);
  const family = processes.filter(({ pid, parent }) => pid === current.parent || parent === current.pid);
  const relatives = family.map(({ pid }) => pid).filter((pid) => !pids.includes(pid));
  return { pids, relatives: relatives.slice(0, MOST_RIBBONS - pids.length) };
}

function shownBut(names: readonly (keyof Shown)[]): Shown {
  return { sharing: !names.includes('sharing'), young: !names.includes('young'), dirty: !names.includes('dirty') };
}

function Legend({ shown }: { shown: Shown }) {
  const toggle = (name: keyof Shown) => () => {
    const others = hidden.value.filter((one) => one !== name);
    hidden.value = shown[name] ? [...others, name] : others;
  };
  return (
    <div class="spaces-legend">
      <fieldset>
        <legend>Pages</legend>
        <span>
          <i class="swatch own" /> its own
        </span>
        <label>
          <input type="checkbox" checked={shown.sharing} onChange={toggle('sharing')} />
          <i class="swatch shared" /> shared: others map the same frame
        </label>
        <span>
          <i class="swatch swapped" /> swapped out
        </span>
        <label title="Used since the kernel looked last: the young (accessed) bit">
          <input type="checkbox" checked={shown.young} onChange={toggle('young')} />
          <i class="swatch young" /> young
        </label>
        <label title="Written since it was last cleaned">
          <input type="checkbox" checked={shown.dirty} onChange={toggle('dirty')} />
          <i class="swatch dirty" /> dirty
        </label>
        <span>0 zeros, never written</span>
        <span>× guard</span>
      </fieldset>
    </div>
  );
}
