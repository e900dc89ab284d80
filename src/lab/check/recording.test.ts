import { expect, test } from 'vitest';
import { addPage, expandRuns, fullSnap, type PageRun, parseRecording } from './recording.ts';

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
  { why: 'no JSON', text: '{"rec":1}\n{"op":', want: /^x:2: no JSON/ },
  { why: 'a list', text: '{"rec":1}\n[]', want: /^x:2: no JSON object/ },
  { why: 'a line of no kind', text: '{"rec":1}\n{"foo":1}', want: /^x:2: neither an op nor a snap/ },
]) {
  test(`a recording is refused: ${why}`, () => expect(() => parseRecording(text, 'x')).toThrow(want));
}
