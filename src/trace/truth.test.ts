import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatMode, formatTruthHead, formatTruthRow, parseMode, parseTruth, type TruthRow } from './truth.ts';

const folder = join(import.meta.dirname, '../../oracle/truth');

for (const { text, mode, limited } of [
  { text: 'z-n-3', mode: { device: 'zram', mglru: false, pageCluster: 3, swappiness: 60 }, limited: true },
  { text: 'v-y-0-s100', mode: { device: 'disk', mglru: true, pageCluster: 0, swappiness: 100 }, limited: true },
  { text: 'z-y-3-peak', mode: { device: 'zram', mglru: true, pageCluster: 3, swappiness: 60 }, limited: false },
  { text: 'host', mode: { device: 'host', mglru: false, pageCluster: 3, swappiness: 60 }, limited: false },
  { text: 'host-y-0', mode: { device: 'host', mglru: true, pageCluster: 0, swappiness: 60 }, limited: true },
] as const) {
  test(`mode ${text}: both ways`, () => {
    expect(parseMode(text)).toEqual(mode);
    expect(formatMode(mode, limited)).toBe(text);
  });
}

for (const text of ['', 'z', 'z-n', 'q-n-3', 'z-x-3', 'z-n-3-x', 'z-n-3-s', 'host-peak']) {
  test(`mode '${text}' is none`, () => expect(parseMode(text)).toBeNull());
}

test('tables measured long ago are read, and what is written is read back', () => {
  for (const name of readdirSync(folder)) {
    const rows = parseTruth(readFileSync(join(folder, name), 'utf8'), name);
    expect(rows.length).toBeGreaterThan(5);
    const again = parseTruth(formatTruthHead() + rows.map(formatTruthRow).join(''), name);
    expect(again).toEqual(rows);
  }
});

test('a limit is whole pages, and a counter that was not taken is null', () => {
  const head = 'program\tmode\tlimit_kib\tstatus\tpswpin\tm.pgscan\n';
  const [row] = parseTruth(`${head}a\tz-n-3\t25\t-9\t7\t\n`, 'made') as [TruthRow];
  expect(row.limitBytes).toBe(6 * 4096);
  expect(row.status).toBe(-9);
  expect(row.counts['pswpin']).toBe(7);
  expect(row.counts['m.pgscan']).toBeNull();
});

for (const { why, text, want } of [
  {
    why: 'no column mode',
    text: 'program\tlimit_kib\tstatus\n',
    want: "made: line 1: no truth table: the first line has no column 'mode'",
  },
  {
    why: 'no number',
    text: 'program\tmode\tlimit_kib\tstatus\na\tz-n-3\tx\t0\n',
    want: "made: line 2: 'limit_kib' is no number: 'x'",
  },
  {
    why: 'no mode',
    text: 'program\tmode\tlimit_kib\tstatus\na\tz\t1\t0\n',
    want: "made: line 2: 'z' is no mode (z-n-3, v-y-0, host)",
  },
  {
    why: 'no status',
    text: 'program\tmode\tlimit_kib\tstatus\na\tz-n-3\t1\n',
    want: 'made: line 2: limit_kib and status are needed',
  },
]) {
  test(`refused: ${why}`, () => expect(() => parseTruth(text, 'made')).toThrow(want));
}
