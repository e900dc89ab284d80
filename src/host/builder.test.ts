/** The tables of a snapshot, and the way back from a frame, against the same found the slow way. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ANONYMOUS, FrameTableBuilder, SnapshotBuilder } from './builder.ts';
import { processOfVma, ReverseMap, vmaOfEntry } from './reverse.ts';
import { ENTRY_NO_FRAME, ENTRY_PRESENT, ENTRY_SWAP } from './snapshot.ts';

const PROCESS = {
  parentPid: 0,
  startTicks: 0,
  comm: 'p',
  command: null,
  uid: 0,
  threads: 1,
  state: 'S',
  cgroup: '/',
  isKernelThread: false,
  status: new Map(),
  rollup: null,
};
const HOST = {
  source: 'live' as const,
  takenAtMs: 0,
  tookMs: 0,
  kernel: '6.18',
  hostname: '',
  redacted: false,
  texts: new Map(),
  frames: null,
  cgroups: [],
};

test('ReverseMap: a frame has the rows that name it, and each row its VMA and process', () => {
  const bits = fc.constantFrom(ENTRY_PRESENT, ENTRY_SWAP, ENTRY_PRESENT | ENTRY_NO_FRAME);
  const vma = fc.array(fc.tuple(fc.nat(30), bits), { maxLength: 6 });
  fc.assert(
    fc.property(fc.array(fc.array(vma, { maxLength: 4 }), { maxLength: 6 }), (processes) => {
      const builder = new SnapshotBuilder();
      const rows: { pid: number; start: number; pfn: number; bits: number }[] = [];
      processes.forEach((vmas, pid) => {
        builder.addProcess({ ...PROCESS, pid });
        vmas.forEach((entries, i) => {
          builder.addVma({ ...ANONYMOUS, startPage: 100 * i, endPage: 100 * i + 10, perms: 0, name: '' });
          entries.forEach(([pfn, bits], page) => {
            builder.addEntry(page, pfn, bits);
            rows.push({ pid, start: 100 * i, pfn, bits });
          });
        });
      });
      const snapshot = builder.finish(HOST);
      expect(snapshot.entries.count).toBe(rows.length);
      rows.forEach((row, i) => {
        const vma = vmaOfEntry(snapshot, i);
        expect(snapshot.vmas.startPage[vma]).toBe(row.start);
        expect(snapshot.processes[processOfVma(snapshot, vma)]!.pid).toBe(row.pid);
      });
      const reverse = new ReverseMap(snapshot);
      for (let pfn = 0; pfn <= 31; pfn++) {
        const want = rows.flatMap((row, i) => (row.pfn === pfn && row.bits === ENTRY_PRESENT ? [i] : []));
        expect([...reverse.entriesOf(pfn)]).toEqual(want);
      }
    }),
  );
});

test('ReverseMap: a frame far behind memory takes no table as long as that', () => {
  const builder = new SnapshotBuilder();
  builder.addProcess({ ...PROCESS, pid: 1 });
  builder.addVma({ ...ANONYMOUS, startPage: 0, endPage: 3, perms: 0, name: '' });
  for (const [page, pfn] of [2 ** 32 - 1, 5, 2 ** 32 - 1].entries()) builder.addEntry(page, pfn, ENTRY_PRESENT);
  const reverse = new ReverseMap(builder.finish(HOST));
  expect([...reverse.entriesOf(2 ** 32 - 1)]).toEqual([0, 2]);
  expect([...reverse.entriesOf(5)]).toEqual([1]);
  expect(reverse.frameCount).toBe(6);
  expect(reverse.countOf(2 ** 32 - 1)).toBe(2);
});

test('SnapshotBuilder: what is dropped leaves nothing, and the columns grow', () => {
  const builder = new SnapshotBuilder();
  for (const [pid, keep] of [
    [1, true],
    [2, false],
    [3, true],
  ] as const) {
    builder.addProcess({ ...PROCESS, pid });
    builder.addVma({ ...ANONYMOUS, startPage: 0, endPage: 5000, perms: 0, name: 'x' });
    for (let page = 0; page < 5000; page++) builder.addEntry(page, pid, ENTRY_PRESENT);
    if (!keep) builder.dropProcess();
  }
  const snapshot = builder.finish(HOST);
  expect(snapshot.processes.map((p) => [p.pid, p.firstVma, p.endVma])).toEqual([
    [1, 0, 1],
    [3, 1, 2],
  ]);
  expect([...snapshot.vmas.firstEntry]).toEqual([0, 5000, 10000]);
  expect(snapshot.entries.value[4999]).toBe(1);
  expect(snapshot.entries.value[5000]).toBe(3);
});

test('FrameTableBuilder: each different word once', () => {
  const builder = new FrameTableBuilder(4);
  builder.set(1, 1n << 40n, 7, 3);
  builder.set(2, (1n << 40n) | 5n, 8);
  builder.set(3, 1n << 40n, 9);
  builder.set(0, 1n << 20n, 0);
  const table = builder.finish();
  expect([...table.word]).toEqual([2, 0, 1, 0]);
  expect([...table.wordsLow]).toEqual([0, 5, 1 << 20]);
  expect([...table.wordsHigh]).toEqual([256, 256, 0]);
  expect([...table.mapcount]).toEqual([0, 7, 8, 9]);
  expect([...table.cgroup]).toEqual([0xffff, 3, 0xffff, 0xffff]);
});
