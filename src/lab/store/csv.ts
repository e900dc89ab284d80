/** Rows as CSV (RFC 4180): a line of names, quotes where a cell needs them, nothing for null. */
import { type Row, RUN_COLUMNS } from './columns.ts';

export function csvOf(rows: readonly Row[]): string {
  return csvLines(
    RUN_COLUMNS.map(({ name }) => name),
    rows.map((row) => RUN_COLUMNS.map(({ of }) => of(row))),
  );
}

export function csvLines(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return [head, ...rows].map((cells) => `${cells.map(cellText).join(',')}\r\n`).join('');
}

function cellText(cell: unknown): string {
  const text = cell === null || cell === undefined ? '' : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
