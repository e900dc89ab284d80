/** What real kernels did with the bundled recordings (oracle/truth), for the page. */
import sqliteUrl from '../../../oracle/truth/sqlite.truth.tsv?url';
import zipfUrl from '../../../oracle/truth/zipf.truth.tsv?url';
import { readAsset } from '../../app/assets.ts';

const TABLES: Readonly<Record<string, { readonly name: string; readonly url: string }>> = {
  'example:zipf': { name: 'zipf.truth.tsv', url: zipfUrl },
  'example:sqlite': { name: 'sqlite.truth.tsv', url: sqliteUrl },
};

/** `opened`: as state.ts has it. */
export function measuredNameOf(opened: string): string | null {
  return TABLES[opened]?.name ?? null;
}

export async function measuredOf(opened: string): Promise<{ name: string; text: string } | null> {
  const table = TABLES[opened];
  if (table === undefined) return null;
  return { name: table.name, text: new TextDecoder().decode(await readAsset(table.url)) };
}
