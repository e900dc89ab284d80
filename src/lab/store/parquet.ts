/**
 * Results as Parquet: one file for each finished sweep, one row for each run.
 *
 * Promises  The same sweep writes the same file, under the same name; sweeps that share runs repeat their rows, and `key` tells
 *           them apart.
 */
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { type Cell, type ColumnType, STORED_COLUMNS } from './columns.ts';
import { type Identity, keyOf, sha256 } from './key.ts';
import type { Entry, ResultStore } from './store.ts';

const PARQUET_TYPE = { text: 'STRING', integer: 'INT64', number: 'DOUBLE', boolean: 'BOOLEAN' } as const;

/** The entries of `identities` that are in the store, as one file; its path. */
export function writeParquet(store: ResultStore, identities: readonly Identity[]): string {
  const entries = identities.map((identity) => store.get(identity)).filter((e): e is Entry => isEntry(e));
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  const name = sha256(identities.map(keyOf).sort().join('\n')).slice(0, 32);
  return store.write(`runs-${name}.parquet`, parquetOf(entries));
}

function isEntry(found: Entry | string | null): boolean {
  return found !== null && typeof found !== 'string';
}

function parquetOf(entries: readonly Entry[]): Uint8Array {
  const rows = entries.map(({ key, identity, seconds, result }) => ({
    stored: { key, engine: identity.engine, recordingSha256: identity.recording, seconds },
    configuration: identity.configuration,
    limitBytes: identity.limitBytes,
    result,
  }));
  const writer = new ByteWriter();
  parquetWrite({
    writer,
    columnData: STORED_COLUMNS.map(({ name, type, of }) => ({
      name,
      type: PARQUET_TYPE[type],
      data: rows.map((row) => cellFor(type, of(row))),
    })),
  });
  return new Uint8Array(writer.getBuffer());
}

function cellFor(type: ColumnType, cell: Cell): Cell | bigint {
  return type === 'integer' && typeof cell === 'number' ? BigInt(cell) : cell;
}
