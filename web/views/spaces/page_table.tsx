/** The pages of a region as a table: each that is anything, and what is not there in runs. */
import { useSignal } from '@preact/signals';
import {
  PAGE_ABSENT,
  PAGE_RESIDENT,
  PAGE_WHERE,
  type SpacePages,
  type SpaceVma,
} from '../../../src/view/spaces_form.ts';
import { selectPage } from '../../app/state.ts';
import { grouped, hex, plural } from '../../ui/format.ts';
import { marksText, valueText, whereText } from './words.ts';

const FIRST_ROWS = 200;

interface Row {
  readonly page: number;
  readonly pages: number;
}

export function PageTable({ pid, vma, pages }: { pid: number; vma: SpaceVma; pages: SpacePages }) {
  const isOpen = useSignal(false);
  const most = useSignal(FIRST_ROWS);
  const rows = isOpen.value ? rowsOf(pages) : [];
  const { states, values, mapcounts, from, knows } = pages;
  return (
    <details
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>These pages as a table</summary>
      <section class="table-box" aria-label="Pages of the region">
        <table>
          <thead>
            <tr>
              <th>address</th>
              <th>what is there</th>
              <th>where</th>
              <th class="number">mapped</th>
              <th>marks</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, most.value).map(({ page, pages: run }) => {
              const state = states[page]!;
              const at = vma.start + (from + page) * 4096;
              const isResident = (state & PAGE_WHERE) === PAGE_RESIDENT;
              return (
                <tr key={page}>
                  <td class="mono">
                    <button type="button" class="link" onClick={() => selectPage(pid, at)}>
                      {hex(at)}
                    </button>
                  </td>
                  <td>{run > 1 ? `${plural(run, 'page')}: ${whereText(state)}` : whereText(state)}</td>
                  <td class="mono">{valueText(state, values[page]!)}</td>
                  <td class="number">{isResident && mapcounts[page]! >= 0 ? grouped(mapcounts[page]!) : '–'}</td>
                  <td>{marksText(state, vma.offset !== null, knows)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </section>
      {rows.length > most.value && (
        <button
          type="button"
          onClick={() => {
            most.value += FIRST_ROWS;
          }}
        >
          {grouped(rows.length - most.value)} more
        </button>
      )}
    </details>
  );
}

function rowsOf({ states }: SpacePages): Row[] {
  const rows: { page: number; pages: number }[] = [];
  states.forEach((state, page) => {
    const last = rows.at(-1);
    const isRun = last !== undefined && state === PAGE_ABSENT && states[last.page] === PAGE_ABSENT;
    if (isRun) last.pages += 1;
    else rows.push({ page, pages: 1 });
  });
  return rows;
}
