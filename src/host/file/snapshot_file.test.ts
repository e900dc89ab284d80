/** Snapshots as files: what was written is read again, and what is not a snapshot is refused. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { anySnapshot } from '../../../test/host/made_up_snapshot.ts';
import { crc32 } from '../../trace/crc32.ts';
import type { HostSnapshot } from '../snapshot.ts';
import { decodeColumn, encodeColumn, MOST_VALUE } from './columns.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot_file.ts';
import { readSnapshotFile, writeSnapshotFile } from './snapshot_store.ts';
import { readSnapshotBytes } from './snapshot_unpack.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-snapshot-'));
afterAll(() => rmSync(folder, { recursive: true }));

const whole = (snapshot: HostSnapshot) => Buffer.concat(encodeSnapshot(snapshot));
const read = (bytes: Uint8Array) => readSnapshotBytes([bytes], 'f');

test('columns: any numbers, in both codes', () => {
  const value = fc.oneof(fc.nat(3), fc.nat(), fc.constantFrom(0, MOST_VALUE, MOST_VALUE - 1, 2 ** 31, 2 ** 32));
  const run = fc.tuple(value, fc.nat(300), fc.integer({ min: -2, max: 2 }));
  fc.assert(
    fc.property(fc.array(run, { maxLength: 20 }), (runs) => {
      const values = runs.flatMap(([start, rows, step]) =>
        Array.from({ length: rows }, (_, i) => Math.min(MOST_VALUE, Math.max(0, start + i * step))),
      );
      for (const code of ['runs', 'steps'] as const) {
        const bytes = encodeColumn(values, code);
        const room = (rows: number) => new Float64Array(rows);
        expect(decodeColumn(bytes, code, values.length, MOST_VALUE + 1, room)).toEqual(Float64Array.from(values));
      }
    }),
  );
});

test('crc32: the sum of gzip, in pieces, too', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
  expect(crc32(Buffer.from('6789'), crc32(Buffer.from('12345')))).toBe(0xcbf43926);
});

test('a snapshot is read as it was written: as bytes, packed, and as a page would', async () => {
  await fc.assert(
    fc.asyncProperty(anySnapshot(), async (snapshot) => {
      const bytes = whole(snapshot);
      expect(decodeSnapshot(bytes, 'f')).toEqual(snapshot);
      expect(await read(gzipSync(bytes))).toEqual(snapshot);
      expect(await read(bytes)).toEqual(snapshot);
    }),
  );
});

const [SAMPLE] = fc.sample(
  anySnapshot().filter(
    ({ entries, frames, cache }) => entries.count > 9 && (frames?.count ?? 0) > 9 && (cache?.length ?? 0) > 1,
  ),
  { numRuns: 1, seed: 6 },
);
const REFUSED = /^InputError: f: [^\n]{1,400}$/;

test('a file cut off anywhere says so, packed or not', async () => {
  const bytes = whole(SAMPLE!);
  for (let length = 0; length < bytes.length; length += length < 40 ? 1 : 7) {
    const said = length === 0 ? 'f: is empty' : `f: byte ${length}: the file was cut off`;
    expect(() => decodeSnapshot(bytes.subarray(0, length), 'f')).toThrow(said);
  }
  const packed = gzipSync(bytes);
  for (let length = 2; length < packed.length; length += 31) {
    await expect(read(packed.subarray(0, length))).rejects.toThrow('the gzip file was cut off');
  }
  await expect(read(new Uint8Array(0))).rejects.toThrow('f: is empty');
});

test('no flipped bit passes', async () => {
  const bytes = whole(SAMPLE!);
  const packed = gzipSync(bytes);
  for (const [what, step] of [
    [bytes, 7],
    [packed, 23],
  ] as const) {
    for (let at = 0; at < what.length; at += step) {
      const damaged = Uint8Array.from(what);
      damaged[at]! ^= 1 << (at % 8);
      const result = await read(damaged).then((same) => same, String);
      // gzip's own header has bytes that mean nothing: time, system.
      if (typeof result === 'string') expect(result).toMatch(REFUSED);
      else expect(what === packed && at < 10, `byte ${at}`).toBe(true);
    }
  }
});

/** The sample with another header, or other columns, and a checksum that is right. */
function forged(change: (header: Record<string, unknown>) => void, columns?: Record<string, Uint8Array>): Uint8Array {
  const bytes = whole(SAMPLE!);
  const columnsAt = 22 + bytes.readUInt32LE(18);
  const header = JSON.parse(bytes.toString('utf8', 22, columnsAt)) as { columns: [string, number][] };
  let at = columnsAt;
  const parts = header.columns.map((column) => {
    at += column[1];
    const part = columns?.[column[0]] ?? bytes.subarray(at - column[1], at);
    column[1] = part.length;
    return part;
  });
  change(header as unknown as Record<string, unknown>);
  const text = Buffer.from(JSON.stringify(header));
  const file = Buffer.concat([bytes.subarray(0, 22), text, ...parts, Buffer.alloc(4)]);
  file.writeUInt32LE(text.length, 18);
  file.writeUInt32LE(crc32(file.subarray(0, -4)), file.length - 4);
  return file;
}

const { vmas, entries, frames, cache, processes } = SAMPLE!;
const runsOf = (rows: number, value: number) => encodeColumn(new Float64Array(rows).fill(value), 'runs');

for (const { why, header, columns, want } of [
  { why: 'a kernel that is a number', header: { kernel: 6 }, want: 'header: kernel is not a text' },
  { why: 'no kernel', header: { kernel: undefined }, want: 'header: kernel is not a text' },
  { why: 'another page size', header: { pageSize: 16384 }, want: 'header: pageSize is not 4096' },
  { why: 'a time before time', header: { tookMs: -1 }, want: 'header: tookMs is not a number from 0 on' },
  {
    why: 'half a process',
    header: { processes: processes.map(() => ['comm']) },
    want: 'header: processes[0] is not a list of 4',
  },
  { why: 'a string that is none', header: { strings: ['', 1] }, want: 'header: strings[1] is not a text' },
  { why: 'rows beyond memory', header: { rows: { ...rowsOf(), frames: 2 ** 31 } }, want: 'may ask for' },
  { why: 'rows beyond numbers', header: { rows: { ...rowsOf(), frames: 1e300 } }, want: 'header: rows.frames is not' },
  { why: 'more frames than runs', header: { rows: { ...rowsOf(), frames: 9e6 } }, want: 'rows instead of 9000000' },
  { why: 'a list that is an object', header: { files: { length: 2 ** 32 } }, want: 'header: files is not a list' },
  { why: 'a name of nothing', columns: { 'vma.name': runsOf(vmas.count, 2 ** 20) }, want: 'column vma.name: row 0 is' },
  { why: 'a file of nothing', columns: { 'vma.file': runsOf(vmas.count, 99) }, want: 'column vma.file: row 0 is 99' },
  { why: 'no pages', columns: { 'vma.pages': runsOf(vmas.count, 0) }, want: 'vma.pages: row 0 is no area' },
  { why: 'an end behind all', columns: { 'vma.pages': runsOf(vmas.count, 2 ** 52) }, want: 'vma.pages: row 0 is no' },
  { why: 'entries of no VMA', columns: { 'vma.entries': runsOf(vmas.count, 0) }, want: `entry 0 of ${entries.count}` },
  { why: 'VMAs of no process', columns: { 'process.vmas': runsOf(processes.length, 0) }, want: 'would be VMA 0 of' },
  {
    why: 'a page outside its VMA',
    columns: { 'entry.skipped': runsOf(entries.count, 2 ** 31) },
    want: 'column entry.skipped: row 0 is page 2147483648 of a VMA of',
  },
  { why: 'bits that are none', columns: { 'entry.bits': runsOf(entries.count, 2 ** 16) }, want: 'the limit is 65536' },
  { why: 'a word of nothing', columns: { 'frame.word': runsOf(frames!.count, 9) }, want: 'frame.word: row 0 is 9' },
  { why: 'an owner of nothing', columns: { 'frame.cgroup': runsOf(frames!.count, 2) }, want: 'row 0 is cgroup 2 of 2' },
  {
    why: 'a cached file of none',
    columns: { 'cache.file': runsOf(cache!.length, 198) },
    want: 'column cache.file: row',
  },
  { why: 'ranges of no file', columns: { 'cache.ranges': runsOf(cache!.length, 0) }, want: 'column cache.ranges: row' },
  { why: 'a column cut short', columns: { 'frame.word': Uint8Array.of(1, 0) }, want: 'rows instead of' },
  { why: 'a column without bytes', columns: { 'vma.perms': new Uint8Array(0) }, want: 'ends within a number' },
  { why: 'an endless number', columns: { 'vma.perms': new Uint8Array(40).fill(0x80) }, want: 'of more than 8 bytes' },
  {
    why: 'more behind the last row',
    columns: { 'vma.perms': Buffer.concat([runsOf(vmas.count, 1), Buffer.of(0)]) },
    want: 'more bytes follow behind its last row',
  },
] as { why: string; header?: object; columns?: Record<string, Uint8Array>; want: string }[]) {
  test(`refused: ${why}`, () => {
    const bytes = forged((claimed) => Object.assign(claimed, header), columns);
    let said = '';
    try {
      decodeSnapshot(bytes, 'f');
    } catch (error) {
      said = String(error);
    }
    expect(said).toMatch(REFUSED);
    expect(said).toContain(want);
  });
}

function rowsOf() {
  return { vmas: vmas.count, entries: entries.count, frames: 0, words: 0, ranges: 0 };
}

test('refused: another version, another kind of file, bytes behind the end', async () => {
  const other = Buffer.from(whole(SAMPLE!));
  other[16] = 0x32;
  for (const [bytes, want] of [
    [other, 'is a snapshot of format 2'],
    [Buffer.from('revmap-recording 1\nname x\n'), 'is no snapshot of a host'],
    [Buffer.from('\x7fELF'), 'is no snapshot of a host'],
    [Buffer.concat([whole(SAMPLE!), Buffer.of(0)]), 'more bytes follow behind the end'],
  ] as const) {
    await expect(read(bytes)).rejects.toThrow(want);
  }
});

test('refused on the way: a file that unpacks to far more than it is', async () => {
  const bomb = gzipSync(Buffer.alloc(2 ** 27));
  await expect(read(bomb)).rejects.toThrow(/f: byte \d+: it unpacks to more than the \d+ bytes/);
  const path = join(folder, 'bomb.rvh.gz');
  writeFileSync(path, bomb);
  await expect(readSnapshotFile(path)).rejects.toThrow('it unpacks to more than');
});

test('a file is whole or not there, for its owner only, and stays unless forced', async () => {
  const path = join(folder, 'a.rvh.gz');
  const { bytes } = await writeSnapshotFile(path, SAMPLE!);
  expect(statSync(path)).toMatchObject({ size: bytes, mode: 0o100600 });
  expect(await readSnapshotFile(path)).toEqual(SAMPLE);
  const before = readFileSync(path);
  const other = { ...SAMPLE!, kernel: '7.0' };
  await expect(writeSnapshotFile(path, other)).rejects.toThrow(`${path}: is there already (--force writes over it)`);
  expect(readFileSync(path)).toEqual(before);
  await writeSnapshotFile(path, other, true);
  expect((await readSnapshotFile(path)).kernel).toBe('7.0');
  expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
});

for (const { why, path, want } of [
  { why: 'no such file', path: join(folder, 'none'), want: 'no such file or folder' },
  { why: 'a folder', path: folder, want: 'is a folder' },
  { why: 'a file as a folder', path: join(import.meta.filename, 'x'), want: 'leads through a file' },
])
  test(`reading ${why} is said in one line`, async () => {
    await expect(readSnapshotFile(path)).rejects.toThrow(`${path}: ${want}`);
  });

for (const { why, path, want } of [
  { why: 'a folder', path: folder, want: 'is a folder' },
  { why: 'a device', path: '/dev/null', want: 'is no regular file' },
  { why: 'a folder that is not there', path: join(folder, 'no/x'), want: 'no such file or folder' },
])
  test(`writing to ${why} is refused, even by force`, async () => {
    await expect(writeSnapshotFile(path, SAMPLE!, true)).rejects.toThrow(`${path}: ${want}`);
  });
