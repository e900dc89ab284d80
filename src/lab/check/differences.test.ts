/** All differences of two recordings, and what explains them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type MmpProgram, parseMmp } from '../../syscalls/mmp.ts';
import { compareRecordings } from './compare.ts';
import { differencesOf, type Observation } from './differences.ts';
import { explain, type Rule } from './explain.ts';
import { parseRecording, type Recording, recordingText } from './recording.ts';
import { RULES } from './rules.ts';
import { runMmp } from './run_mmp.ts';

const corpus = join(import.meta.dirname, '../../../oracle/corpus');

function program(text: string): MmpProgram {
  return parseMmp(`%mmp 1\n${text}`, 'made.mmp');
}

const TWO_PAGES = program(`
1 mmap(0x100000000000, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 8192, 1)
1 load(0x100000000000)
`);

function on61(made: MmpProgram): Recording {
  return runMmp(made, '6.1').recording;
}

function changed(recording: Recording, change: (text: string) => string): Recording {
  return parseRecording(change(recordingText(recording)), 'changed.rec');
}

function shortOf(o: Observation): string {
  return `${o.op} ${o.kind} ${o.pages === 0 ? '' : `${o.page}+${o.pages} `}${o.field}: ${o.newer} -> ${o.older}`;
}

test('a recording does not differ from itself, nor from one that compare.ts calls equal', () => {
  for (const name of ['03-cow-tree', '04-file-mappings', '07-swap']) {
    const made = parseMmp(readFileSync(join(corpus, `${name}.mmp`), 'utf8'), `${name}.mmp`);
    const recording = parseRecording(readFileSync(join(corpus, `${name}.6.1.rec`), 'utf8'), name);
    expect(differencesOf(made, recording, recording)).toEqual([]);
    const engine = on61(made);
    expect(compareRecordings(made, recording, engine).equal).toBe(true);
    expect(differencesOf(made, recording, engine).map(shortOf)).toEqual([]);
  }
});

for (const { why, change, want } of [
  {
    why: 'a flag, and a number',
    change: (t: string) => t.replace('|anon|swapbacked|', '|anon|'),
    want: ['2 page 0+1 flag:swapbacked: set -> clear', '2 page 1+1 flag:swapbacked: set -> clear'],
  },
  {
    why: 'a mapcount',
    change: (t: string) => t.replace(/"f1",1,/, '"f1",2,'),
    want: ['2 page 0+1 mapcount: 1 -> 2', '2 page 1+1 mapcount: 1 -> 2'],
  },
  {
    why: 'a code of VmFlags',
    change: (t: string) => t.replaceAll(' ac"', ' ac lo"'),
    want: ['1 region 0+2 VmFlags:lo: clear -> set'],
  },
  {
    why: 'a number, told once',
    change: (t: string) => t.replaceAll('"Referenced":8', '"Referenced":4'),
    want: ['2 number 0+2 Referenced: 8 -> 4'],
  },
  {
    why: 'faults of a call',
    change: (t: string) => t.replace('"ret":2,"minflt":2', '"ret":2,"minflt":1'),
    want: ['2 call minflt: 2 -> 1'],
  },
]) {
  test(`differences: ${why}`, () => {
    const newer = on61(TWO_PAGES);
    const older = changed(newer, change);
    expect(differencesOf(TWO_PAGES, newer, older).map(shortOf)).toEqual(want);
  });
}

const KERNEL = { version: '2.4.19', family: 'linux-2.4' };

function rule(more: Partial<Rule>): Rule {
  return { id: 'r', kernels: ['linux-2.4'], source: '2.4 §0', says: 'so', ...more };
}

function whys(made: MmpProgram, newer: Recording, older: Recording, rules: readonly Rule[]): (string | null)[] {
  return explain(differencesOf(made, newer, older), rules, KERNEL, made, newer).map(({ rule: found, follows }) =>
    found === null ? null : `${found.id}${follows ? ' follows' : ''}`,
  );
}

test('explain: a rule of another kernel explains nothing', () => {
  const newer = on61(TWO_PAGES);
  const older = changed(newer, (t) => t.replace(/"f1",1,/, '"f1",2,'));
  const fits = (o: Observation) => o.field === 'mapcount';
  expect(whys(TWO_PAGES, newer, older, [rule({ kernels: ['linux-3'], fits })])).toEqual([null, null]);
  expect(whys(TWO_PAGES, newer, older, [rule({ fits })])).toEqual(['r', 'r']);
});

test('explain: a number follows from the pages that it adds up, and from no other field', () => {
  const newer = on61(TWO_PAGES);
  const pages = (t: string) => t.replace(/"f1",1,/, '"f1",2,');
  const fits = (o: Observation) => o.field === 'mapcount';
  const shared = changed(newer, (t) => pages(t).replaceAll('"Pss":8', '"Pss":4'));
  expect(whys(TWO_PAGES, newer, shared, [rule({ fits })])).toEqual(['r', 'r', 'r follows']);
  const locked = changed(newer, (t) => pages(t).replaceAll('"Referenced":8', '"Referenced":4'));
  expect(whys(TWO_PAGES, newer, locked, [rule({ fits })])).toEqual(['r', 'r', null]);
});

test('explain: what a refused call would have done follows from it; what is elsewhere does not', () => {
  const made = program(`
1 mmap(0x100000000000, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 madvise(0x100000000000, 4096, MADV_POPULATE_WRITE)
1 store(0x100000000000)
`);
  const newer = on61(made);
  const older = runMmp(made, '2.4.19').recording;
  const all = explain(differencesOf(made, newer, older), RULES, KERNEL, made, newer);
  expect(all.length).toBeGreaterThan(3);
  const about = all.filter(({ observation }) => observation.op === 2 && observation.kind === 'call');
  expect(about.map(({ rule: found }) => found?.id)).toEqual(about.map(() => 'advice after 3.16'));
  expect(all.find(({ observation }) => observation.op === 2 && observation.field === 'state')?.rule?.id).toBe(
    'advice after 3.16',
  );
  const elsewhere = changed(newer, (t) => t.replace('"ret":"0x100000000000"', '"ret":"0x100000100000"'));
  expect(whys(made, newer, elsewhere, [])).toEqual([null]);
});

test('rules: none explains what no kernel does', () => {
  const [call] = TWO_PAGES.steps.filter((step) => step !== 'snapshot' && step.name === 'load');
  if (call === undefined || call === 'snapshot') throw new Error('the program loads');
  const page = { id: 'f1', mapcount: 1, flags: 'uptodate|lru|mmap|anon|swapbacked', pm: 'x' };
  const vma = { start: '0x100000000000', end: '0x100000002000', perms: 'rw-p', offset: 0, name: '', VmFlags: 'rd wr' };
  const at = {
    call,
    op: 3,
    proc: '1',
    page: 0,
    pages: 1,
    vma,
    newerPage: page,
    olderPage: page,
    partners: [],
    file: '',
  };
  const wrong: readonly Observation[] = [
    { ...at, kind: 'call', field: 'ret', newer: '1', older: '0' },
    { ...at, kind: 'call', field: 'sig', newer: 'nothing', older: 'SIGSEGV' },
    { ...at, kind: 'page', field: 'flag:uptodate', newer: 'set', older: 'clear' },
    { ...at, kind: 'page', field: 'flag:anon', newer: 'set', older: 'clear' },
    { ...at, kind: 'page', field: 'flag:dirty', newer: 'set', older: 'clear' },
    { ...at, kind: 'page', field: 'state', newer: 'present', older: 'none' },
    { ...at, kind: 'page', field: 'state', newer: 'present', older: 'zero' },
    { ...at, kind: 'page', field: 'mapcount', newer: '1', older: '2' },
    { ...at, kind: 'page', field: 'id', newer: '1 0', older: '1 1' },
    { ...at, kind: 'region', field: 'perms', newer: 'rw-p', older: 'r--p' },
    { ...at, kind: 'region', field: 'bounds', newer: '0x1-0x2', older: 'nothing' },
    { ...at, kind: 'number', field: 'Rss', newer: '8', older: '4' },
    { ...at, kind: 'file', file: 'A', field: 'size', newer: '1', older: '2' },
    { ...at, kind: 'process', field: 'lives', newer: 'lives', older: 'ended' },
  ];
  const recording = on61(TWO_PAGES);
  for (const kernel of [KERNEL, { version: '2.6.26', family: 'linux-2.6' }, { version: '3.16', family: 'linux-3' }]) {
    const found = explain(wrong, RULES, kernel, TWO_PAGES, recording);
    expect(found.map(({ rule: one }) => one?.id ?? null)).toEqual(wrong.map(() => null));
  }
});
