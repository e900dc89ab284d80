/** `revmap query SQL`: a question to the results of all sweeps. */
import { type Command, Option } from 'commander';
import { csvLines } from '../lab/store/csv.ts';
import { type Answer, queryResults } from '../lab/store/query.ts';
import { cacheFolder } from '../lab/store/store.ts';
import { grouped, print, printJson, table } from './output.ts';

interface QueryFlags {
  results?: string;
  csv?: boolean;
  json?: boolean;
}

const HELP = `
The table is called runs: a row for each run of each sweep. DESCRIBE runs lists its columns.

  revmap query 'SELECT kernel, limit_bytes, pswpin FROM runs ORDER BY ALL'
  revmap query 'SELECT recording, min(limit_bytes) FROM runs WHERE pswpin = 0 GROUP BY recording'

It needs DuckDB, an optional package: npm install @duckdb/node-api`;

export function addQuery(program: Command): void {
  program
    .command('query')
    .description('ask the results of sweeps in SQL')
    .argument('<sql>', 'a SELECT from runs')
    .option('--results <folder>', 'what `sweep --out` named; its default without it')
    .addOption(new Option('--csv', 'the answer as CSV').conflicts('json'))
    .option('--json', 'the answer as JSON: a list of rows')
    .addHelpText('after', HELP)
    .action(async (sql: string, flags: QueryFlags) => {
      const found = await queryResults(flags.results ?? cacheFolder('results'), sql);
      if (flags.json === true) printJson(asObjects(found));
      else if (flags.csv === true) process.stdout.write(csvLines(found.columns, found.rows));
      else
        print(
          table(
            found.columns,
            found.rows.map((row) => row.map(shown)),
          ),
        );
    });
}

function asObjects({ columns, rows }: Answer): Record<string, unknown>[] {
  return rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
}

function shown(cell: unknown): string {
  if (cell === null) return '–';
  if (typeof cell === 'number') return Number.isInteger(cell) ? grouped(cell) : String(cell);
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}
