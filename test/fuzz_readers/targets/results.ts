/** Folders of results: an entry of the store, the end of a Parquet file. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CONFIGURATION_DEFAULTS } from '../../../src/lab/grid.ts';
import type { RunResult } from '../../../src/lab/result.ts';
import { checkParquet } from '../../../src/lab/store/footer.ts';
import { type Identity, keyOf } from '../../../src/lab/store/key.ts';
import { writeParquet } from '../../../src/lab/store/parquet.ts';
import { ResultStore } from '../../../src/lab/store/store.ts';
import { INPUT_NAME } from '../judge.ts';
import type { Target } from '../loop.ts';

const IDENTITY: Identity = {
  engine: 'x',
  recording: 'y',
  configuration: CONFIGURATION_DEFAULTS,
  policySha256: '',
  limitBytes: null,
};

const RESULT = {
  recording: 'made',
  family: 'linux-6',
  status: 'exited',
  counters: { pswpin: 1 },
  faults: { minor: 1, major: 2 },
  estimate: {},
  work: {},
  peak: {},
} as unknown as RunResult;

export function resultTargets(): Target[] {
  const folder = mkdtempSync(join(tmpdir(), 'revmap-fuzz-'));
  const end = () => rmSync(folder, { recursive: true, force: true });
  const store = new ResultStore(folder);
  store.put(IDENTITY, RESULT, 1.5);
  const key = keyOf(IDENTITY);
  const entry = join(folder, key.slice(0, 2), `${key}.json`);
  const entrySeed = readFileSync(entry);
  const parquetSeed = readFileSync(writeParquet(store, [IDENTITY]));
  const parquet = join(folder, INPUT_NAME);
  mkdirSync(dirname(entry), { recursive: true });
  return [
    {
      name: 'result',
      isSlow: true,
      read: (bytes) => {
        writeFileSync(entry, bytes);
        store.get(IDENTITY);
      },
      seeds: [entrySeed],
      words: ['"revmap_result":1', '"key":"', '"sha256":"', '"result":{', '"__proto__":{', 'null', '{}', '[]'],
      end,
    },
    {
      name: 'parquet',
      isSlow: true,
      read: (bytes) => {
        writeFileSync(parquet, bytes);
        checkParquet(parquet);
      },
      seeds: [parquetSeed],
      words: ['PAR1', 'key', 'engine'],
      end,
    },
  ];
}
