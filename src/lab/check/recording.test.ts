import { expect, test } from 'vitest';
import {
  addPage,
  expandRuns,
  fullSnap,
  type PageRun,
  parseRecording,
  RunReader,
  recordingText,
  sameProc,
} from './recording.ts';

const HEAD = '{"rec":1,"kernel":"6.18.44"}\n';

test('pages alike with IDs that count up become one run, and come out of it again', () => {
  const runs: PageRun[] = [];
  const f = (id: string) => ({ id, mapcount: 1, flags: 'lru', pm: 'x' });
  addPage(runs, 1, f('f1'));
  addPage(runs, 2, f('f2'));
  addPage(runs, 3, f('f9'));
  addPage(runs, 5, f('f10'));
  addPage(runs, 6, { ...f('f11'), mapcount: 2 });
  addPage(runs, 7, { id: 'z', mapcount: 0, flags: 'zero_page', pm: '' });
  addPage(runs, 8, { id: 'z', mapcount: 0, flags: 'zero_page', pm: '' });
  expect(runs).toEqual([
    [1, 2, 'f1', 1, 'lru', 'x'],
    [3, 1, 'f9', 1, 'lru', 'x'],
    [5, 1, 'f10', 1, 'lru', 'x'],
    [6, 1, 'f11', 2, 'lru', 'x'],
    [7, 2, 'z', 0, 'zero_page', ''],
  ]);
  expect([...expandRuns(runs)].map(([page, state]) => `${page} ${state.id}`)).toEqual([
    '1 f1',
    '2 f2',
    '3 f9',
    '5 f10',
    '6 f11',
    '7 z',
    '8 z',
  ]);
});

test('"=" stands for what the snapshot before said', () => {
  const one = { vmas: [], pages: [] };
  const first = fullSnap({ snap: 1, procs: { '1': one, '2': one }, files: { A: { size: 1, cache: 'c' } } }, null);
  const second = fullSnap({ snap: 2, procs: { '2': '=' }, files: '=' }, first);
  expect([...second.procs.keys()]).toEqual(['2']);
  expect(second.procs.get('2')).toBe(one);
  expect(second.files.get('A')).toEqual({ size: 1, cache: 'c' });
});

for (const { why, text, want } of [
  { why: 'nothing in it', text: '', want: /^x:1: the recording is empty/ },
  { why: 'no header', text: '{"op":1}', want: /^x:1: a recording starts with/ },
  { why: 'no JSON', text: `${HEAD}{"op":`, want: /^x:2: no JSON/ },
  { why: 'a list', text: `${HEAD}[]`, want: /^x:2: no JSON object/ },
  { why: 'a line of no kind', text: `${HEAD}{"foo":1}`, want: /^x:2: neither an op nor a snap/ },
  { why: 'a line of both kinds', text: `${HEAD}{"op":1,"call":"x","snap":1}`, want: /^x:2: neither an op nor a snap/ },
  { why: 'an op with a list', text: `${HEAD}{"op":1,"call":"x","ret":[]}`, want: /^x:2: op 1 has a list in it/ },
  {
    why: 'a region whose start is no address',
    text: `${HEAD}{"snap":1,"procs":{"1":{"vmas":[{"start":"0x1q","end":"0x2"}],"pages":[]}},"files":{}}`,
    want: /^x:2: process 1: a region has no start and end/,
  },
  {
    why: 'more pages than anybody has',
    text: `${HEAD}{"snap":1,"procs":{"1":{"vmas":[],"pages":[[0,1e15,"z",0,"",""]]}},"files":{}}`,
    want: /^x:2: snap 1 has 1000000000000000 pages; 1048576 are the most/,
  },
  { why: 'a header without a kernel', text: '{"rec":1}', want: /^x:1: the header names no kernel/ },
  { why: 'an op without a call', text: `${HEAD}{"op":1}`, want: /^x:2: op 1 has no call/ },
  { why: 'a snapshot without processes', text: `${HEAD}{"snap":1}`, want: /^x:2: snap 1 has no procs/ },
  {
    why: 'an unchanged process that nobody has seen',
    text: `${HEAD}{"snap":1,"procs":{"1":"="},"files":{}}`,
    want: /^x:2: process 1 is "=", and nothing stands before it/,
  },
  {
    why: 'pages that are no runs',
    text: `${HEAD}{"snap":1,"procs":{"1":{"vmas":[],"pages":[[0,1,"q1",1,"",""]]}},"files":{}}`,
    want: /^x:2: process 1: pages are no runs/,
  },
  {
    why: 'unchanged files that nobody has seen',
    text: `${HEAD}{"snap":1,"procs":{},"files":"="}`,
    want: /^x:2: files is "=", and nothing stands before it/,
  },
]) {
  test(`a recording is refused: ${why}`, () => expect(() => parseRecording(text, 'x')).toThrow(want));
}

test('a reader goes through runs a page or many at a time', () => {
  const reader = new RunReader([
    [1, 3, 'f7', 1, 'lru', 'x'],
    [9, 2, 'z', 0, 'zero_page', ''],
  ]);
  expect([reader.page, reader.left, reader.id(0), reader.id(2)]).toEqual([1, 3, 'f7', 'f9']);
  reader.skip(2);
  expect([reader.page, reader.left, reader.id(0)]).toEqual([3, 1, 'f9']);
  reader.skip(1);
  expect([reader.page, reader.left, reader.id(1), reader.run[4]]).toEqual([9, 2, 'z', 'zero_page']);
  reader.skip(2);
  expect([reader.atEnd, reader.page]).toEqual([true, Number.POSITIVE_INFINITY]);
});

test('two PROCs are the same in every field and page, or not', () => {
  const proc = (Rss: number, id: string) => ({
    vmas: [{ start: '0x1', Rss }],
    pages: [[0, 1, id, 1, '', ''] as PageRun],
  });
  expect(sameProc(proc(4, 'f1'), proc(4, 'f1'))).toBe(true);
  expect(sameProc(proc(4, 'f1'), proc(8, 'f1'))).toBe(false);
  expect(sameProc(proc(4, 'f1'), proc(4, 'f2'))).toBe(false);
  expect(sameProc(proc(4, 'f1'), { vmas: proc(4, 'f1').vmas, pages: [] })).toBe(false);
});

test('written and read again, a recording is the same, to the byte', () => {
  const text = `${HEAD}{"op":1,"proc":1,"call":"brk(0)","ret":0}\n{"snap":1,"procs":{},"files":{}}\n`;
  expect(recordingText(parseRecording(text, 'x'))).toBe(text);
});
