import { expect, test } from 'vitest';
import { parseMmp } from '../../syscalls/mmp.ts';
import { type Comparison, compareRecordings } from './compare.ts';
import type { FileRecord, OpRecord, PageRun, Recording, VmaRecord } from './recording.ts';

const VMA = {
  start: '0x100000000000',
  end: '0x100000004000',
  perms: 'rw-p',
  offset: 0,
  name: '',
  Rss: 8,
  VmFlags: 'rd',
};
const PAGES: PageRun[] = [
  [0, 2, 'f1', 1, 'uptodate|lru|mmap|anon', 'x'],
  [2, 1, 's1', 0, '', ''],
  [3, 1, 'z', 0, 'zero_page', ''],
];

interface Parts {
  op?: Partial<OpRecord>;
  vma?: VmaRecord;
  pages?: PageRun[];
  later?: PageRun[];
  files?: Record<string, FileRecord>;
  kernel?: string;
}

/** One call with a snapshot, another with another. */
function recording(parts: Parts): Recording {
  const kernel = parts.kernel ?? '6.18.44';
  const header = { rec: 1, program: 'x', kernel, arch: 'x86_64', page: 4096, arena: ['', ''], uid: 0 } as const;
  const vmas = [{ ...VMA, ...parts.vma }];
  const files = parts.files ?? {};
  const op = { proc: 1, call: '1 brk(0)', ret: 0, minflt: 1, majflt: 0 };
  return {
    header,
    lines: [
      { op: 1, ...op, ...parts.op },
      { snap: 1, procs: { '1': { vmas, pages: parts.pages ?? PAGES } }, files },
      { op: 2, ...op },
      { snap: 2, procs: { '1': { vmas, pages: parts.later ?? parts.pages ?? PAGES } }, files: '=' },
    ],
  };
}

function compared(kernel: Parts, engine: Parts, directives = '', file = 'x.mmp'): Comparison {
  const program = parseMmp(`%mmp 1\n${directives}1 brk(0)\n`, file);
  return compareRecordings(program, recording(kernel), recording(engine));
}

test('a recording equals itself, and every field is counted', () => {
  const result = compared({}, {});
  expect(result).toMatchObject({ equal: true, first: null, scene: null, calls: 2, callsBefore: 2 });
  // Twice: a call's 3 fields, 2 of the snapshot, 24 of the region and 1 for its range, 5 of each of 4 pages.
  expect(result.equalFields).toBe(2 * (3 + 2 + 25 + 20));
});

const renamed: PageRun[] = [
  [0, 1, 'f8', 1, 'uptodate|lru|mmap|anon', 'x'],
  [1, 1, 'f3', 1, 'uptodate|lru|mmap|anon', 'x'],
  [2, 1, 's7', 0, '', ''],
  [3, 1, 'z', 0, 'zero_page', ''],
];
const alias: PageRun[] = [
  [0, 1, 'f1', 2, 'lru', ''],
  [1, 1, 'f1', 2, 'lru', ''],
];
const apart: PageRun[] = [
  [0, 1, 'f1', 2, 'lru', ''],
  [1, 1, 'f2', 2, 'lru', ''],
];
const rest = [1, 'uptodate|lru|mmap|anon', 'x'] as const;
const moved: PageRun[] = [[0, 2, 'f5', 1, 'uptodate|lru|mmap|anon', 'x'], ...PAGES.slice(1)];

for (const { why, kernel = {}, engine = {}, field } of [
  { why: 'a result', engine: { op: { ret: 1 } }, field: 'ret' },
  { why: 'an error that only one has', engine: { op: { err: 'EINVAL' } }, field: 'err' },
  { why: 'a fault more', engine: { op: { minflt: 2 } }, field: 'minflt' },
  { why: 'a region that ends elsewhere', engine: { vma: { end: '0x100000005000' } }, field: 'regions' },
  { why: 'a number of smaps', engine: { vma: { Pss: 4 } }, field: 'Pss' },
  { why: 'flags of a region', engine: { vma: { VmFlags: 'rd wr' } }, field: 'VmFlags' },
  { why: 'a page that is not there', engine: { pages: PAGES.slice(1) }, field: 'state' },
  {
    why: 'a page that is swapped out',
    engine: { pages: [[0, 2, 's5', 0, '', ''], ...PAGES.slice(1)] as PageRun[] },
    field: 'state',
  },
  {
    why: 'a flag of the core',
    engine: { pages: [[0, 2, 'f1', 1, 'uptodate|lru|active|mmap|anon', 'x'], ...PAGES.slice(1)] as PageRun[] },
    field: 'flags',
  },
  {
    why: 'a mapcount',
    engine: { pages: [[0, 2, 'f1', 2, 'uptodate|lru|mmap|anon', 'x'], ...PAGES.slice(1)] as PageRun[] },
    field: 'mapcount',
  },
  {
    why: 'letters of pagemap',
    engine: { pages: [[0, 2, 'f1', 1, 'uptodate|lru|mmap|anon', ''], ...PAGES.slice(1)] as PageRun[] },
    field: 'pm',
  },
  { why: 'two pages that share a frame', kernel: { pages: alias }, engine: { pages: apart }, field: 'id' },
  { why: 'a frame shared that is not', kernel: { pages: apart }, engine: { pages: alias }, field: 'id' },
  { why: 'a page that moved only in the kernel', kernel: { later: moved }, field: 'id' },
  {
    why: 'a size',
    kernel: { files: { A: { size: 1, cache: 'c' } } },
    engine: { files: { A: { size: 2, cache: 'c' } } },
    field: 'size',
  },
  {
    why: 'a letter of the cache',
    kernel: { files: { A: { size: 1, cache: 'c' } } },
    engine: { files: { A: { size: 1, cache: 'd' } } },
    field: 'cache',
  },
  { why: 'a file more', engine: { files: { A: { size: 1, cache: 'c' } } }, field: 'files' },
]) {
  test(`it differs: ${why}`, () => {
    const result = compared(kernel, engine);
    expect(result.equal).toBe(false);
    expect(result.first?.field).toBe(field);
    expect(result.calls).toBe(2);
    expect(result.callsBefore).toBe(result.first!.op - 1);
  });
}

for (const { why, kernel = {}, engine = {} } of [
  { why: 'frames and slots have other names', engine: { pages: renamed } },
  { why: 'a page moved only in the engine', engine: { later: moved } },
  {
    why: 'a page moved in both',
    kernel: { later: moved },
    engine: { later: [[0, 2, 'f7', ...rest], ...PAGES.slice(1)] as PageRun[] },
  },
  {
    why: 'runs are cut elsewhere',
    engine: {
      pages: [[0, 1, 'f1', ...rest] as PageRun, [1, 1, 'f2', ...rest] as PageRun, ...PAGES.slice(1)],
    },
  },
  {
    why: 'mincore cannot say whether a tmpfs page that is swapped out is in the swap cache',
    kernel: { kernel: '6.1.192', files: { m: { size: 1, cache: 'c' } } },
    engine: { kernel: '6.1', files: { m: { size: 1, cache: 'e' } } },
  },
  {
    why: 'flags of the file system are not compared',
    engine: { pages: [[0, 2, 'f1', 1, 'uptodate|lru|mmap|anon|private|reclaim', 'x'], ...PAGES.slice(1)] as PageRun[] },
  },
  {
    why: 'without cachestat dirty is as good as clean',
    kernel: { kernel: '6.1.192', files: { A: { size: 1, cache: 'c.' } } },
    engine: { kernel: '6.1', files: { A: { size: 1, cache: 'de' } } },
  },
]) {
  test(`it is equal: ${why}`, () => expect(compared(kernel, engine).first).toBeNull());
}

test('a file read through readahead has latitude, its layout has none', () => {
  const disk = '%file A 64 disk\n';
  const file = { name: 'file:A' };
  const page = (flags: string): PageRun[] => [[0, 1, 'f1', 1, flags, 'xf']];
  const kernel = { vma: { ...file, Rss: 64, Pss: 64 }, pages: page('referenced|lru|thp|compound_head') };
  const near = { vma: { ...file, Rss: 100, Pss: 1 }, pages: page('lru'), op: { minflt: 9 } };
  expect(compared(kernel, near, disk).first).toBeNull();
  expect(compared(kernel, { ...near, vma: { ...file, Rss: 300 } }, disk).first?.field).toBe('Rss');
  expect(compared(kernel, { ...near, vma: { ...file, Rss: 64, perms: 'r--p' } }, disk).first?.field).toBe('perms');
  expect(compared(kernel, { ...near, pages: page('lru|active') }, disk).first?.field).toBe('flags');
  const locked = 'lru|unevictable|mlocked';
  const small = { ...kernel, pages: page('lru|active') };
  expect(
    compared({ ...kernel, pages: page('lru|active|thp') }, { ...near, pages: page(locked) }, disk).first,
  ).toBeNull();
  expect(compared(small, { ...near, pages: page(locked) }, disk).first?.field).toBe('flags');
  expect(compared({ ...kernel, pages: page(`${locked}|thp`) }, near, disk).first?.field).toBe('flags');
  expect(compared(kernel, near, '%file A 64 disk cached\n').equal).toBe(false);
  expect(compared(kernel, { ...near, op: { minflt: 10 } }, disk).first?.field).toBe('minflt');
  expect(compared(kernel, { ...near, vma: { ...file, Rss: 64, Anonymous: 4 } }, disk).first?.field).toBe('Anonymous');
});

for (const { why, directives, call, latitude } of [
  {
    why: 'advised to be read at random',
    directives: '%file A 64 disk\n',
    call: '1 fadvise64(3, 0, 0, POSIX_FADV_RANDOM)',
    latitude: false,
  },
  {
    why: 'beside one that is',
    directives: '%file A 64 disk\n',
    call: '1 fadvise64(4, 0, 0, POSIX_FADV_RANDOM)',
    latitude: true,
  },
  {
    why: 'mapped at random, maybe',
    directives: '%file A 64 disk\n',
    call: '1 madvise(0, 4096, MADV_RANDOM)',
    latitude: false,
  },
  {
    why: 'cached, and written two pages at a time',
    directives: '%file A 64 disk cached\n',
    call: '1 pwrite64(3, "x", 8192, 0)',
    latitude: true,
  },
  {
    why: 'cached, and written page by page',
    directives: '%file A 64 disk cached\n',
    call: '1 pwrite64(3, "x", 4096, 0)',
    latitude: false,
  },
]) {
  test(`latitude of a file that is ${why}: ${latitude}`, () => {
    const vma = { name: 'file:A' };
    const page = (flags: string): PageRun[] => [[0, 1, 'f1', 1, flags, 'xf']];
    const text = `%mmp 1\n${directives}%file B 64 disk\n1 open("A", O_RDWR) = 3\n1 open("B", O_RDWR) = 4\n${call}\n`;
    const program = parseMmp(text, 'x.mmp');
    const result = compareRecordings(
      program,
      recording({ vma, pages: page('lru|thp|compound_head') }),
      recording({ vma, pages: page('lru') }),
    );
    expect(result.equal).toBe(latitude);
  });
}

test('who maps a page of such a file is exact while both sides have the same pages of it', () => {
  const disk = '%file A 64 disk\n';
  const vma = { name: 'file:A' };
  const page = (at: number, mapcount: number): PageRun => [at, 1, `f${at + 1}`, mapcount, 'lru', 'f'];
  const kernel = { vma, pages: [page(0, 2), page(1, 1)] };
  expect(compared(kernel, { vma, pages: [page(0, 1), page(1, 1)] }, disk).first?.field).toBe('mapcount');
  expect(compared(kernel, { vma, pages: [page(0, 1)] }, disk).first).toBeNull();
});

test('processes that did not change still share frames with those that did', () => {
  const proc = (id: string) => ({ vmas: [VMA], pages: [[0, 1, id, 1, 'lru', ''] as PageRun] });
  const shared = (id: string): Recording => {
    const { header, lines } = recording({});
    const [op, , op2] = lines as OpRecord[];
    const snaps = [
      { snap: 1, procs: { '1': proc('f1'), '2': proc('f2') }, files: {} },
      { snap: 2, procs: { '1': '=' as const, '2': proc(id) }, files: '=' as const },
    ];
    return { header, lines: [op!, snaps[0]!, op2!, snaps[1]!] };
  };
  const program = parseMmp('%mmp 1\n1 brk(0)\n', 'x');
  expect(compareRecordings(program, shared('f1'), shared('f9')).first).toMatchObject({ op: 2, field: 'id' });
  expect(compareRecordings(program, shared('f3'), shared('f9')).first).toBeNull();
});

test('what causes the rest is told first: a missing page, not the sum it is missing in', () => {
  const engine = { vma: { Rss: 4 }, pages: PAGES.slice(1) };
  expect(compared({}, engine).first).toMatchObject({ field: 'state', kernel: 'present', engine: 'none' });
});

test('of a huge page only the head has a frame of its own', () => {
  const whole: PageRun[] = [
    [0, 1, 'f1', 1, 'lru|compound_head', ''],
    [1, 2, 'f2', 1, 'lru|compound_tail', ''],
  ];
  const other: PageRun[] = [
    [0, 1, 'f7', 1, 'lru|compound_head', ''],
    [1, 1, 'f3', 1, 'lru|compound_tail', ''],
    [2, 1, 'f9', 1, 'lru|compound_tail', ''],
  ];
  expect(compared({ pages: whole }, { pages: other }, '', 'thp-basic.mmp').first).toBeNull();
});

test('a recording that ends early differs', () => {
  const program = parseMmp('%mmp 1\n1 brk(0)\n', 'x');
  const short = { ...recording({}), lines: recording({}).lines.slice(0, 2) };
  expect(compareRecordings(program, recording({}), short)).toMatchObject({
    first: { op: 2, kernel: 'op 2', engine: 'nothing' },
    callsBefore: 1,
  });
  expect(compareRecordings(program, short, recording({}))).toMatchObject({
    first: { op: 2, kernel: 'nothing', engine: 'op 2' },
    calls: 1,
    callsBefore: 1,
  });
});

test('a memfd has one name, however a runner writes it', () => {
  const file = { size: 1, cache: 'c' };
  expect(compared({ files: { m: file } }, { files: { 'memfd:m': file } }).first).toBeNull();
});
