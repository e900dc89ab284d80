/** Pictures are golden: what a reader sees at a difference. */
import { expect, test } from 'vitest';
import { parseMmp } from '../../syscalls/mmp.ts';
import { compareRecordings } from './compare.ts';
import type { PageRun, ProcRecord, Recording, RecordingLine, VmaRecord } from './recording.ts';
import { drawScene } from './show.ts';

const HEADER = {
  rec: 1,
  program: 'x.mmp',
  kernel: '6.18.44',
  arch: 'x86_64',
  page: 4096,
  arena: ['0x100000000000', '0x200000000000'],
  uid: 0,
} as const;
const PRESENT: PageRun = [0, 1, 'f1', 1, 'uptodate|lru|mmap|anon|swapbacked|anon_exclusive', 'x'];

function vma(start: number, pages: number, more: VmaRecord = {}): VmaRecord {
  const at = (page: number): string => `0x${(0x100000000000 + page * 4096).toString(16)}`;
  return { start: at(start), end: at(start + pages), perms: 'rw-p', offset: 0, name: '', VmFlags: 'rd wr mr', ...more };
}

interface Side {
  readonly vmas?: VmaRecord[];
  readonly pages?: PageRun[];
  readonly cache?: string;
  readonly minflt?: number;
  readonly procs?: Record<string, ProcRecord>;
}

/** Two calls; the snapshot behind the second is this side's. */
function recording(side: Side): Recording {
  const before = { vmas: [vma(0, 4)], pages: [PRESENT] };
  const { vmas = before.vmas, pages = before.pages, cache = 'cc', minflt = 0, procs = {} } = side;
  const lines: RecordingLine[] = [
    { op: 1, proc: 1, call: 'store(0x100000000000)', ret: 1, minflt: 1, majflt: 0 },
    { snap: 1, procs: { '1': before }, files: { A: { size: 8192, cache: 'cc' } } },
    { op: 2, proc: 1, call: 'load(0x100000000000)', ret: 1, minflt, majflt: 0 },
    { snap: 2, procs: { '1': { vmas, pages }, ...procs }, files: { A: { size: 8192, cache } } },
  ];
  return { header: HEADER, lines };
}

function picture(kernel: Side, engine: Side): string[] {
  const program = parseMmp('%mmp 1\nstore(0x100000000000)\nload(0x100000000000)\n', 'x.mmp');
  const [a, b] = [recording(kernel), recording(engine)];
  return drawScene(compareRecordings(program, a, b), a, b).split('\n');
}

test('nothing is drawn where all is equal', () => expect(picture({}, {})).toEqual(['']));

for (const { why, kernel = {}, engine = {}, want } of [
  {
    why: 'a call: its fields, and the address space that it met',
    engine: { minflt: 1 },
    want: [
      '      1  store(0x100000000000)                                                1',
      '>     2  load(0x100000000000)                                                 1',
      '',
      'the call',
      '                              kernel                 engine',
      '  ret                         1                      1',
      '> minflt                      0                      1',
      '  majflt                      0                      0',
      '',
      'process 1 at the last snapshot',
      '  100000000000-100000004000 rw-p',
    ],
  },
  {
    why: 'regions: two lists, those that start together in one row',
    kernel: { vmas: [vma(0, 1), vma(1, 3, { perms: 'r--p' }), vma(8, 1, { name: 'file:A', offset: 4096 })] },
    engine: { vmas: [vma(0, 4), vma(8, 1, { name: 'file:A', offset: 4096 })] },
    want: [
      'process 1: the kernel has 3 regions, the engine 2 regions',
      '  kernel                                        | engine',
      '> 100000000000-100000001000 rw-p                | 100000000000-100000004000 rw-p',
      '> 100000001000-100000004000 r--p                |',
      '  100000008000-100000009000 rw-p file:A+1000    | 100000008000-100000009000 rw-p file:A+1000',
    ],
  },
  {
    why: 'a region: its fields, and what the region was before the call',
    kernel: { vmas: [vma(0, 2), vma(2, 2, { VmFlags: 'rd mr lo', Locked: 4 })] },
    engine: { vmas: [vma(0, 2), vma(2, 2, { VmFlags: 'rd mr nh', Locked: 4 })] },
    want: [
      'process 1, 100000002000-100000004000 rw-p',
      '  before the call: 100000000000-100000004000 rw-p',
      '                              before the call        kernel                 engine',
      '  perms                       rw-p                   rw-p                   rw-p',
      '  offset                      0                      0                      0',
      '> VmFlags                     rd wr mr -- --         rd -- mr -- lo         rd -- mr nh --',
      '  Locked                      -                      4                      4',
    ],
  },
  {
    why: 'a page: its state and each flag, those that do not count too',
    kernel: { pages: [[0, 1, 'f1', 1, 'uptodate|lru|mmap|anon|private', 'x'] as PageRun] },
    want: [
      'process 1, page 0 (100000000000), in 100000000000-100000004000 rw-p',
      '                              before the call        kernel                 engine',
      '  state                       present                present                present',
      '  id                          f1                     f1                     f1',
      '  mapcount                    1                      1                      1',
      '  pm                          x                      x                      x',
      '  uptodate                    yes                    yes                    yes',
      '  lru                         yes                    yes                    yes',
      '  mmap                        yes                    yes                    yes',
      '  anon                        yes                    yes                    yes',
      '> swapbacked                  yes                    -                      yes',
      '> anon_exclusive              yes                    -                      yes',
      '  private (not compared)      -                      yes                    -',
      "  the kernel's f1 is page 0 of process 1",
      "  the engine's f1 is page 0 of process 1",
    ],
  },
  {
    why: 'a page that is on one side only',
    kernel: { pages: [PRESENT, [3, 1, 's1', 0, '', ''] as PageRun] },
    want: [
      'process 1, page 3 (100000003000), in 100000000000-100000004000 rw-p',
      '                              before the call        kernel                 engine',
      '> state                       none                   swapped                none',
      '  id                          -                      s1                     -',
      '> mapcount                    -                      0                      -',
      '  pm                          -                      -                      -',
      "  the kernel's s1 is page 3 of process 1",
    ],
  },
  {
    why: 'a file: a mark under each letter that differs',
    kernel: { cache: 'cd' },
    want: [
      'file A, letters from page 0 (. not cached, e evicted, c clean, d dirty, w under writeback)',
      '                              before the call        kernel                 engine',
      '  size                        8192                   8192                   8192',
      '  before  cc',
      '  kernel  cd',
      '  engine  cc',
      '           ^',
    ],
  },
  {
    why: 'processes: who lives',
    kernel: { procs: { '2': { vmas: [], pages: [] } } },
    want: ['processes', '> kernel  1 2', '> engine  1'],
  },
]) {
  test(`it draws ${why}`, () => {
    const drawn = picture(kernel, engine);
    const start = want[0]!.startsWith(' ') ? 0 : drawn.indexOf('') + 1;
    expect(drawn.slice(start)).toEqual(want);
  });
}

test('a COW that did not happen: the frame stayed, and it says whose else it is', () => {
  const second = { '2': { vmas: [vma(0, 4)], pages: [PRESENT] } };
  const moved: PageRun = [0, 1, 'f2', 1, PRESENT[4], 'x'];
  const drawn = picture({ pages: [moved] }, { pages: [PRESENT] });
  expect(drawn).toContain('> id                          f1                     f2                     f1');
  const alias = picture({ pages: [moved], procs: second }, { procs: second });
  expect(alias.at(-1)).toBe("  the engine's f1 is page 0 of process 1, page 0 of process 2");
});

test('long lists are cut around what differs, and no line is longer than 100 columns', () => {
  const list = (skip: number): VmaRecord[] =>
    Array.from({ length: 40 }, (_, i) =>
      vma(2 * i, 1, { name: 'file:A-LONG-NAME-THAT-ENDS-NOWHERE (deleted)' }),
    ).filter((_, i) => i !== skip);
  const drawn = picture({ vmas: list(20) }, { vmas: list(-1) });
  expect(drawn).toContain('  … 16 before');
  expect(drawn).toContain('  … 12 more');
  const flags = Array.from({ length: 60 }, (_, i) => String.fromCharCode(97 + (i % 26), 97 + (i >> 2))).join(' ');
  const long = picture({ vmas: [vma(0, 4, { VmFlags: flags })] }, {});
  expect(Math.max(...[...drawn, ...long].map((line) => line.length))).toBeLessThanOrEqual(100);
});
