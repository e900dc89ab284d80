/** Results on disk: what is stored comes back, what was damaged does not; files of results, and questions to them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, expect, test } from 'vitest';
import { openBytes, openRecording, type Recording } from '../../trace/source.ts';
import { surveyRecording } from '../../trace/survey.ts';
import type { Run } from '../configuration_run.ts';
import { CONFIGURATION_DEFAULTS } from '../grid.ts';
import { Identities, localRunner, type Outcome, type Runner, StoredRunner } from '../runner.ts';
import { sweepRecording } from '../sweep.ts';
import { RUN_COLUMNS, rowsOf, STORED_COLUMNS } from './columns.ts';
import { csvLines, csvOf } from './csv.ts';
import { checkParquet } from './footer.ts';
import { contentOf, type Identity, keyOf, recordingHash } from './key.ts';
import { writeParquet } from './parquet.ts';
import { queryResults } from './query.ts';
import { ResultStore } from './store.ts';

const MiB = 2 ** 20;
const zipf = join(import.meta.dirname, '../../../examples/zipf.rvm.gz');
const folder = mkdtempSync(join(tmpdir(), 'revmap-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

const recording: Recording = await openRecording(zipf);
const survey = surveyRecording(recording);
const hash = recordingHash(recording);
const run: Run = { ...CONFIGURATION_DEFAULTS, kernel: '6.1', limitBytes: 30 * MiB };

/** Replays, and counts how often it was asked. */
class Counting implements Runner {
  asked = 0;
  private readonly inner = localRunner({ recording, survey }, 0);
  run(asked: Run, onShare: (share: number) => void): Promise<Outcome> {
    this.asked += 1;
    return this.inner.run(asked, onShare);
  }
  close(): Promise<void> {
    return this.inner.close();
  }
}

function newStore(): ResultStore {
  return new ResultStore(mkdtempSync(join(folder, 's-')));
}

/** The one entry of a store. */
function entryPath(store: ResultStore): string {
  const names = readdirSync(store.folder, { recursive: true, encoding: 'utf8' });
  return join(store.folder, names.find((name) => name.endsWith('.json'))!);
}

async function ask(store: ResultStore, fresh = false) {
  const inner = new Counting();
  const notes: string[] = [];
  const outcome = await new StoredRunner(store, new Identities(hash), inner, fresh, (note) => notes.push(note)).run(
    run,
    () => {},
  );
  return { outcome, notes, asked: inner.asked };
}

test('store: a result is made once, and comes back as it was', async () => {
  const store = newStore();
  const first = await ask(store);
  const second = await ask(store);
  expect([first.asked, second.asked]).toEqual([1, 0]);
  expect(second.outcome).toEqual({ ...first.outcome, stored: true });
  expect(JSON.stringify(second.outcome.result)).toBe(JSON.stringify(first.outcome.result));
  expect((await ask(store, true)).asked).toBe(1);
});

for (const { why, damage, said } of [
  { why: 'cut off', damage: (t: string) => t.slice(0, t.length - 100), said: 'not whole' },
  { why: 'empty', damage: () => '', said: 'not whole' },
  {
    why: 'a number changed',
    damage: (t: string) => t.replace(/"pswpin":\d+/, '"pswpin":7'),
    said: 'its checksum differs',
  },
  { why: 'of another run', damage: (t: string) => t.replace(/"key":"./, '"key":"x'), said: 'of another run' },
  {
    why: 'of another version',
    damage: (t: string) => t.replace('"revmap_result":1', '"revmap_result":2'),
    said: 'version',
  },
  { why: 'null', damage: () => 'null', said: 'no entry of a result' },
  { why: 'a key that is a prototype', damage: () => '{"__proto__":{"revmap_result":1}}', said: 'version' },
  { why: 'no result', damage: (t: string) => t.replace('"result":', '"other":'), said: 'a field is missing' },
  { why: 'huge', damage: () => ' '.repeat(5 * MiB), said: 'longer than 4194304 bytes' },
]) {
  test(`store: an entry that is damaged (${why}) is made again, and said`, async () => {
    const store = newStore();
    const first = await ask(store);
    const path = entryPath(store);
    writeFileSync(path, damage(readFileSync(path, 'utf8')));
    const second = await ask(store);
    expect(second.asked).toBe(1);
    expect(second.notes.join()).toContain(said);
    expect(second.notes.join()).toContain(path);
    expect(second.outcome.result).toEqual(first.outcome.result);
    expect((await ask(store)).asked).toBe(0);
  });
}

test('store: an entry that is a folder is no entry', async () => {
  const store = newStore();
  await ask(store);
  const path = entryPath(store);
  rmSync(path);
  mkdirSync(path);
  await expect(ask(store)).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
});

test('store: a folder that cannot be is the error of the user', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => new ResultStore(join(folder, 'file', 'x'))).toThrow(/results cannot be kept here \(ENOTDIR\)/);
});

test('key: everything that makes a difference is in it, and nothing else', async () => {
  const unpacked = join(folder, 'zipf.rvm');
  writeFileSync(unpacked, gunzipSync(readFileSync(zipf)));
  expect(recordingHash(await openRecording(unpacked))).toBe(hash);
  const identity: Identity = {
    engine: '1',
    recording: hash,
    configuration: CONFIGURATION_DEFAULTS,
    policySha256: '',
    limitBytes: 1,
  };
  const others: Partial<Identity>[] = [
    { engine: '2' },
    { recording: 'x' },
    { limitBytes: null },
    { policySha256: 'a' },
    ...Object.keys(CONFIGURATION_DEFAULTS).map((option) => ({
      configuration: { ...CONFIGURATION_DEFAULTS, [option]: 'another' },
    })),
  ];
  const keys = others.map((other) => keyOf({ ...identity, ...other }));
  expect(new Set([keyOf(identity), ...keys]).size).toBe(others.length + 1);
  const reordered = Object.fromEntries(Object.entries(CONFIGURATION_DEFAULTS).reverse());
  expect(keyOf({ ...identity, configuration: reordered as unknown as typeof CONFIGURATION_DEFAULTS })).toBe(
    keyOf(identity),
  );
});

test('key: what was made of another format is written and read back as the same recording', async () => {
  const lines = Array.from({ length: 5000 }, (_, i) => `${(i * 7919) % 400}\n`).join('');
  const made = await openBytes(Buffer.from(lines), 'trace.txt', { kind: 'txt', columns: null });
  const content = Buffer.concat([...contentOf(made)].map((piece) => Buffer.from(piece)));
  const again = await openBytes(content, 'again');
  expect(recordingHash(again)).toBe(recordingHash(made));
  expect(surveyRecording(again)).toEqual(surveyRecording(made));
});

async function sweepInto(store: ResultStore, limits: number[]) {
  const work = { limits: { bytes: limits.map((m) => m * MiB) }, limitsOnly: true, workers: 0, store };
  return sweepRecording(recording, survey, { ...CONFIGURATION_DEFAULTS, ...work });
}

test('parquet: a row for each run; the same sweep writes the same bytes', async () => {
  const store = newStore();
  const sweep = await sweepInto(store, [30, 20]);
  const [name] = readdirSync(store.folder).filter((file) => file.endsWith('.parquet'));
  const path = join(store.folder, name!);
  const bytes = readFileSync(path);
  const rows = await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
  expect(rows.length).toBe(3);
  expect(Object.keys(rows[0]!)).toEqual(STORED_COLUMNS.map((column) => column.name));
  const narrow = rows.find((row) => row['limit_bytes'] === BigInt(20 * MiB))!;
  expect(narrow['pswpin']).toBe(BigInt(sweep.runs[1]!.counters['pswpin']!));
  expect(narrow['estimate_seconds']).toBe(sweep.runs[1]!.estimate.seconds);
  await sweepInto(store, [20, 30]);
  expect(readdirSync(store.folder).filter((file) => file.endsWith('.parquet'))).toEqual([name]);
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test('csv: a line for each run, cells quoted where they must be', async () => {
  const sweep = await sweepInto(newStore(), [30]);
  const curve = { configuration: CONFIGURATION_DEFAULTS, unlimited: sweep.unlimited, runs: sweep.runs };
  const lines = csvOf(rowsOf([curve])).split('\r\n');
  expect(lines.length).toBe(4);
  expect(lines[0]!.split(',')).toEqual(RUN_COLUMNS.map((column) => column.name));
  expect(lines[1]).toMatch(/^zipf,kernel,6\.18,linux-6,false,402653184,536870912,zram,60,3,0,,memory\.max,exited,/);
  expect(
    csvLines(
      ['a', 'b'],
      [
        ['x,y', 'say "no"'],
        [null, 'two\nlines'],
      ],
    ),
  ).toBe('a,b\r\n"x,y","say ""no"""\r\n,"two\nlines"\r\n');
});

test('query: runs that two sweeps share are there once; answers are exact', async () => {
  const store = newStore();
  await sweepInto(store, [30, 20]);
  await sweepInto(store, [20, 10]);
  const ask = (sql: string) => queryResults(store.folder, sql);
  expect(await ask('SELECT limit_bytes / 1048576 AS mib FROM runs ORDER BY 1')).toEqual({
    columns: ['mib'],
    rows: [[10], [20], [30], [null]],
  });
  expect(await ask('SELECT 9007199254740993 AS a, 2 AS b, true AS b, NULL, [1, 2], 0.5::DOUBLE')).toEqual({
    columns: ['a', 'b', 'b:1', 'NULL', expect.any(String), expect.any(String)],
    rows: [['9007199254740993', 2, true, null, [1, 2], 0.5]],
  });
  expect((await ask('SELECT sum(pswpin) FROM runs')).rows[0]![0]).toBeGreaterThan(0);
  expect((await ask('DESCRIBE runs')).rows.length).toBe(STORED_COLUMNS.length);
});

for (const { sql, said } of [
  { sql: '', said: 'an empty question' },
  { sql: 'SELECT 1; SELECT 2', said: 'one SELECT, not 2 statements' },
  { sql: 'SELEC 1', said: 'Parser Error' },
  { sql: 'SELECT nothing FROM runs', said: 'Binder Error' },
  { sql: "SELECT * FROM read_csv('/etc/passwd')", said: 'Permission Error' },
  { sql: "SELECT * FROM read_text('/etc/passwd')", said: 'Permission Error' },
  { sql: "SELECT * FROM glob('/etc/*')", said: 'Permission Error' },
  { sql: "COPY (SELECT 1) TO 'x.csv'", said: 'Permission Error' },
  { sql: "COPY runs TO 'SELF'", said: 'a question is a SELECT' },
  { sql: "ATTACH 'x.db'", said: 'a question is a SELECT' },
  { sql: 'INSTALL httpfs', said: 'a question is a SELECT' },
  { sql: 'LOAD httpfs', said: 'a question is a SELECT' },
  { sql: 'SET enable_external_access = true', said: 'a question is a SELECT' },
  { sql: 'CREATE TABLE x AS FROM runs', said: 'a question is a SELECT' },
  { sql: 'SELECT * FROM range(2000000)', said: 'more than 1000000 rows' },
]) {
  test(`query: refused: ${sql || 'nothing'}`, async () => {
    const store = newStore();
    await ask(store);
    const file = writeParquet(store, []);
    const before = statSync(file).size;
    await expect(queryResults(store.folder, sql.replace('SELF', file))).rejects.toThrow(said);
    expect(statSync(file).size).toBe(before);
  });
}

const good = await (async () => {
  const store = newStore();
  await sweepInto(store, [30]);
  const [name] = readdirSync(store.folder).filter((file) => file.endsWith('.parquet'));
  return readFileSync(join(store.folder, name!));
})();

/** The good file with another footer. */
function withFooter(footer: Uint8Array, length = footer.length): Buffer {
  const tail = Buffer.alloc(8, 'xxxxPAR1');
  tail.writeUInt32LE(length, 0);
  return Buffer.concat([good.subarray(0, 100), footer, tail]);
}

for (const { why, bytes, said } of [
  { why: 'empty', bytes: Buffer.alloc(0), said: 'no Parquet file: it has 0 bytes' },
  { why: 'text', bytes: Buffer.from('this is no Parquet file'), said: "does not begin with 'PAR1'" },
  { why: 'cut off', bytes: good.subarray(0, good.length - 9), said: "does not end with 'PAR1'" },
  {
    why: 'a footer longer than the file',
    bytes: withFooter(Buffer.alloc(4), 2 ** 31),
    said: 'a footer of 2147483648 bytes',
  },
  { why: 'a footer of zeros', bytes: withFooter(Buffer.alloc(64)), said: 'damaged: -1 rows' },
  {
    why: 'a footer of 0xff',
    bytes: withFooter(Buffer.concat([Buffer.of(0x16), Buffer.alloc(1 << 20, 0xff)])),
    said: 'a number of more than 10 bytes',
  },
  {
    why: 'a list of 2**32',
    bytes: withFooter(Buffer.from([0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f])),
    said: 'a list of 4294967295',
  },
  { why: 'lists in lists', bytes: withFooter(Buffer.alloc(1 << 16, 0x19)), said: 'damaged' },
  {
    why: '2**40 rows',
    bytes: withFooter(Buffer.from([0x36, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0])),
    said: '1099511627776 rows',
  },
  { why: 'other columns', bytes: withFooter(Buffer.from([0x36, 2, 0])), said: "there is no column 'key'" },
]) {
  test(`query: a file that is no file of results (${why}) is refused by name`, async () => {
    const bad = mkdtempSync(join(folder, 'bad-'));
    const path = join(bad, 'runs-x.parquet');
    writeFileSync(path, bytes);
    await expect(queryResults(bad, 'SELECT 1')).rejects.toThrow(`${path}: `);
    await expect(queryResults(bad, 'SELECT 1')).rejects.toThrow(said);
  });
}

test('query: any byte of a file may be wrong: it is refused with its name, or read', async () => {
  const bad = mkdtempSync(join(folder, 'flip-'));
  const path = join(bad, 'runs-x.parquet');
  let random = 1;
  for (let i = 0; i < 300; i++) {
    random = (random * 48271) % 2147483647;
    const bytes = Buffer.from(good);
    bytes[random % bytes.length] = random & 255;
    writeFileSync(path, bytes);
    try {
      checkParquet(path);
    } catch (error) {
      expect((error as Error).name).toBe('InputError');
    }
  }
});

test('query: a folder without results, and none', async () => {
  await expect(queryResults(mkdtempSync(join(folder, 'none-')), 'SELECT 1')).rejects.toThrow('there are no results');
  await expect(queryResults(join(folder, 'nowhere'), 'SELECT 1')).rejects.toThrow('no such folder');
});
