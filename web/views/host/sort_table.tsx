/**
 * A table that sorts by any of its columns, shows its first rows and more when asked, and finds rows by a word.
 *
 * Promises  What is not known comes last, whichever way it sorts, and stands there as a dash.
 */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { kept } from '../../app/state.ts';
import { grouped } from '../../ui/format.ts';

export interface Column<T> {
  readonly head: string;
  /** What it means, for who does not know the word. */
  readonly says: string;
  /** What it sorts by: numbers most first, words from the beginning; null is unknown. */
  readonly by: (row: T) => number | string | null;
  /** What stands there; left out: the number or word itself. */
  readonly shown?: (row: T) => ComponentChildren;
}

interface SortTableProps<T> {
  readonly label: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  /** The column that it begins with. */
  readonly sort: string;
  readonly keyOf: (row: T) => string | number;
  /** What a word is looked for in; left out: there is no field for it. */
  readonly words?: (row: T) => string;
  readonly isCurrent?: (row: T) => boolean;
}

const FIRST_ROWS = 100;

const { sort: by, isUpwards: upwards, find: wanted } = kept;

export function SortTable<T>({ label, rows, columns, sort, keyOf, words, isCurrent }: SortTableProps<T>) {
  const most = useSignal(FIRST_ROWS);
  const column = columns.find(({ head }) => head === by.value) ?? columns.find(({ head }) => head === sort)!;
  const word = wanted.value.trim().toLowerCase();
  const found =
    word === '' || words === undefined ? rows : rows.filter((row) => words(row).toLowerCase().includes(word));
  const sorted = sortedBy(found, column.by, upwards.value);
  return (
    <>
      {words !== undefined && (rows.length > 8 || word !== '') && (
        <label class="host-find">
          Find{' '}
          <input
            type="search"
            value={wanted.value}
            onInput={(event) => {
              wanted.value = event.currentTarget.value;
            }}
          />{' '}
          {word !== '' && `${grouped(found.length)} of ${grouped(rows.length)}`}
        </label>
      )}
      <section class="host-table" aria-label={label}>
        <table>
          <thead>
            <tr>
              {columns.map(({ head, says }) => (
                <th
                  key={head}
                  aria-sort={head !== column.head ? undefined : upwards.value ? 'ascending' : 'descending'}
                >
                  <button
                    type="button"
                    class="sort"
                    title={says}
                    onClick={() => {
                      upwards.value = head === column.head && !upwards.value;
                      by.value = head;
                    }}
                  >
                    {head}
                    {head === column.head ? (upwards.value ? ' ▴' : ' ▾') : ''}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, most.value).map((row) => (
              <tr key={keyOf(row)} aria-current={isCurrent?.(row) === true ? 'true' : undefined}>
                {columns.map(({ head, by: value, shown }) => {
                  const is = value(row);
                  const isNumber = typeof is === 'number' || is === null;
                  const cell = is === null ? '–' : shown !== undefined ? shown(row) : isNumber ? grouped(is) : is;
                  return (
                    <td key={head} class={isNumber ? 'number' : 'name'}>
                      {cell}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {sorted.length > most.value && (
        <button
          type="button"
          onClick={() => {
            most.value += FIRST_ROWS;
          }}
        >
          {grouped(sorted.length - most.value)} more
        </button>
      )}
    </>
  );
}

function sortedBy<T>(rows: readonly T[], by: Column<T>['by'], upwards: boolean): T[] {
  const sign = upwards ? -1 : 1;
  return [...rows].sort((left, right) => {
    const a = by(left);
    const b = by(right);
    if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
    if (typeof a === 'number' && typeof b === 'number') return sign * (b - a);
    return sign * (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);
  });
}
