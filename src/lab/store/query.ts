/**
 * SQL over a folder of results: `runs` is a table with a row for each run, whichever sweep made it.
 *
 * Owns      the use of DuckDB, which is optional: it is loaded when a question is asked.
 * Promises  1. A question reads: one SELECT, no other statement; and of all files only those of the folder, which it cannot
 *              write to. No extension is loaded, no setting changed.
 *           2. A file that is no file of results is refused by name before DuckDB opens it.
 *           3. Numbers beyond 2**53 are given as text, and never rounded.
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { InputError } from '../../mm/bug.ts';
import { STORED_COLUMNS } from './columns.ts';
import { checkParquet } from './footer.ts';

export interface Answer {
  columns: string[];
  /** Text, number, boolean, null; lists and structs as JSON has them. */
  rows: unknown[][];
}

const MOST_ROWS = 1_000_000;
const SQL_TYPE = { text: 'VARCHAR', integer: 'BIGINT', number: 'DOUBLE', boolean: 'BOOLEAN' } as const;

export async function queryResults(folder: string, sql: string): Promise<Answer> {
  const files = resultFiles(folder);
  const columns = files.map(checkParquet);
  const duckdb = await loadDuckDb();
  const instance = await duckdb.DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await openRuns(connection, files, new Set(columns.flatMap((names) => [...names])));
    return await answer(connection, sql, duckdb.StatementType.SELECT);
  } catch (error) {
    // What DuckDB says has a first line with the reason, and then a picture of the place.
    throw error instanceof InputError ? error : new InputError('query', 0, firstLine((error as Error).message));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function firstLine(message: string): string {
  return message.split('\n')[0]!;
}

function resultFiles(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError(folder, 0, code === 'ENOENT' ? 'no such folder' : `cannot be read (${code})`);
  }
  const files = names.filter((name) => name.endsWith('.parquet') && !name.startsWith('.'));
  if (files.length === 0) throw new InputError(folder, 0, 'there are no results; `revmap sweep FILE` makes some');
  return files.sort().map((name) => resolve(join(folder, name)));
}

async function loadDuckDb(): Promise<typeof import('@duckdb/node-api')> {
  try {
    return await import('@duckdb/node-api');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' ? 'is not installed' : 'does not load';
    throw new InputError('query', 0, `the optional package @duckdb/node-api ${why}; npm install @duckdb/node-api`);
  }
}

async function openRuns(connection: DuckDBConnection, files: string[], columns: Set<string>): Promise<void> {
  const list = `[${files.map(quoted).join(', ')}]`;
  // Columns that only another revmap writes are not there; those that only this one knows are null.
  const selected = STORED_COLUMNS.map(({ name, type }) =>
    columns.has(name) ? `CAST("${name}" AS ${SQL_TYPE[type]}) AS "${name}"` : `NULL::${SQL_TYPE[type]} AS "${name}"`,
  );
  for (const statement of [
    "SET temp_directory = ''",
    'SET autoinstall_known_extensions = false',
    'SET autoload_known_extensions = false',
    `SET allowed_paths = ${list}`,
    'SET enable_external_access = false',
    // Sweeps that share runs have each written them.
    `CREATE VIEW runs AS SELECT DISTINCT ON (key) ${selected.join(', ')} FROM read_parquet(${list}, union_by_name = true)`,
    'SET lock_configuration = true',
  ]) {
    await connection.run(statement);
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

async function answer(connection: DuckDBConnection, sql: string, select: number): Promise<Answer> {
  if (sql.trim() === '') throw new InputError('query', 0, 'an empty question');
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) throw new InputError('query', 0, `one SELECT, not ${statements.count} statements`);
  const prepared = await statements.prepare(0);
  if (prepared.statementType !== select) throw new InputError('query', 0, 'a question is a SELECT');
  const reader = await prepared.streamAndReadUntil(MOST_ROWS + 1);
  if (reader.currentRowCount > MOST_ROWS) {
    throw new InputError('query', 0, `more than ${MOST_ROWS} rows; add a LIMIT`);
  }
  const asJson = reader.getRowsJson();
  return {
    columns: reader.deduplicatedColumnNames(),
    rows: reader.getRows().map((row, r) => row.map((cell, c) => plain(cell, asJson[r]![c]))),
  };
}

/** `json` is how DuckDB writes it. */
function plain(cell: unknown, json: unknown): unknown {
  if (typeof cell === 'bigint') return Number.isSafeInteger(Number(cell)) ? Number(cell) : String(cell);
  return typeof cell === 'object' && cell !== null ? json : cell;
}
