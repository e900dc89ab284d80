/** What `revmap info` counts, against counts made another way. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openBytes } from '../../trace/source.ts';
import { RecordingWriter, ThreadWriter } from '../../trace/write.ts';
import { type InfoResult, infoOf } from './info.ts';
import { TouchedPages } from './touched.ts';

const samples = join(import.meta.dirname, '../../../test/inputs');

async function info(input: string | Uint8Array): Promise<InfoResult> {
  return infoOf(await openBytes(Buffer.from(input), 'x'));
}

function lackey(...lines: string[]): string {
  return `==7== Lackey, made up\n${lines.join('\n')}\n`;
}

test('info: a real log has the accesses, calls and pages that somebody else counts in it', async () => {
  const text = readFileSync(join(samples, 'lackey-d.txt'), 'utf8');
  const pages = new Map<string, Set<number>>();
  let speaker = '';
  let child = '';
  let accesses = 0;
  const calls = new Map<string, number>();
  for (const line of text.split('\n')) {
    speaker = /^(?:SYSCALL\[|--)(\d+)/.exec(line)?.[1] ?? speaker;
    child = /created child (\d+)/.exec(line)?.[1] ?? child;
    const name = /^SYSCALL\[.*\) (?:sys_)?([a-z_0-9]+) ?\(/.exec(line)?.[1];
    if (name !== undefined) calls.set(name, (calls.get(name) ?? 0) + 1);
    const match = /^(?:I {2}| [LSM] )([0-9a-f]+),/.exec(line);
    if (match === null) continue;
    accesses += 1;
    pages.set(speaker, (pages.get(speaker) ?? new Set()).add(Number.parseInt(match[1]!, 16) >> 12));
  }
  const found = await info(text);
  expect(found.raw_accesses).toBe(accesses);
  expect(found.processes.map((p) => p.pages)).toEqual([...pages.values()].map((set) => set.size));
  expect(found.processes.map((p) => [p.pid, p.parent])).toEqual([
    [0, -1],
    [Number(child), 0],
  ]);
  expect(Object.values(found.syscalls_by_name).reduce((sum, n) => sum + n, 0)).toBe(
    [...calls.values()].reduce((sum, n) => sum + n, 0),
  );
  for (const [name, n] of calls)
    expect(found.syscalls_by_name[name === 'exit_group' ? 'exit_group' : name], name).toBe(n);
  expect(found.pages.total).toBe(found.pages.own + found.pages.file);
  expect(found.mappings.find((m) => m.kind === 'stack')!.pages).toBeGreaterThan(0);
  expect(found.mappings.find((m) => m.name === '/etc/passwd')).toMatchObject({ kind: 'file', pages: 2 });
});

const open = 'SYSCALL[7,1](257) sys_openat ( -100, 0x1(/data/x), 2 ) --> [pre-success] Success(0x3) ';
const shared = 'SYSCALL[7,1](9) sys_mmap ( 0x0, 8192, 3, 1, 3, 4096 ) --> [pre-success] Success(0x100000) ';
const owned = 'SYSCALL[7,1](9) sys_mmap ( 0x0, 8192, 3, 2, 3, 0 ) --> [pre-success] Success(0x200000) ';
const memory = 'SYSCALL[7,1](9) sys_mmap ( 0x0, 8192, 3, 34, -1, 0 ) --> [pre-success] Success(0x300000) ';

for (const { why, lines, want } of [
  { why: 'memory that nothing mapped', lines: [' S 00500000,1'], want: { total: 1, own: 1, file: 0 } },
  { why: 'memory of its own', lines: [memory, ' S 00300000,1', ' L 00301000,1'], want: { total: 2, own: 2, file: 0 } },
  {
    why: "a file's page, mapped shared, is the file's, and read(2) meets the same",
    lines: [
      open,
      shared,
      ' S 00100000,1',
      'SYSCALL[7,1](17) sys_pread64 ( 3, 0x0, 4096, 4096 )[sync] --> Success(0x1000) ',
    ],
    want: { total: 1, own: 0, file: 1 },
  },
  {
    why: 'a private page is the file’s until it is stored to',
    lines: [open, owned, ' L 00200000,1', ' S 00201000,1'],
    want: { total: 2, own: 1, file: 1 },
  },
  {
    why: 'and then both',
    lines: [open, owned, ' L 00200000,1', ' S 00200000,1', ' L 00200000,1'],
    want: { total: 2, own: 1, file: 1 },
  },
  {
    why: 'two mappings of one page',
    lines: [open, owned, shared, ' L 00201000,1', ' L 00100000,1'],
    want: { total: 1, own: 0, file: 1 },
  },
  {
    why: 'a pipe that took the place of a file has none',
    lines: [
      open,
      'SYSCALL[7,1](33) sys_dup2 ( 9, 3 )[sync] --> Success(0x3) ',
      'SYSCALL[7,1](0) sys_read ( 3, 0x0, 8192 )[sync] --> Success(0x2000) ',
    ],
    want: { total: 0, own: 0, file: 0 },
  },
  {
    why: 'a device has none',
    lines: [
      open.replace('/data/x', '/dev/zero'),
      'SYSCALL[7,1](0) sys_read ( 3, 0x0, 8192 )[sync] --> Success(0x2000) ',
    ],
    want: { total: 0, own: 0, file: 0 },
  },
  {
    why: 'a read over three pages',
    lines: [open, 'SYSCALL[7,1](0) sys_read ( 3, 0x0, 8194 )[sync] --> Success(0x2002) '],
    want: { total: 3, own: 0, file: 3 },
  },
  {
    why: 'a mapping that moved',
    lines: [
      open,
      shared,
      'SYSCALL[7,1](25) sys_mremap ( 0x100000, 8192, 8192, 3, 0x400000 )[sync] --> Success(0x400000) ',
      ' L 00401000,1',
      ' L 00100000,1',
    ],
    want: { total: 2, own: 1, file: 1 },
  },
  {
    why: 'a hole in a mapping',
    lines: [
      memory,
      'SYSCALL[7,1](11) sys_munmap ( 0x300000, 4096 )[sync] --> Success(0x0) ',
      ' L 00300000,1',
      ' L 00301000,1',
    ],
    want: { total: 2, own: 2, file: 0 },
  },
]) {
  test(`info, pages: ${why}`, async () => expect((await info(lackey(...lines))).pages).toEqual(want));
}

test('info: the heap and the mappings by name', async () => {
  const found = await info(
    lackey(
      'SYSCALL[7,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4000000) ',
      'SYSCALL[7,1](12) sys_brk ( 0x4003000 ) --> [pre-success] Success(0x4003000) ',
      ' S 04000000,1',
      ' S 04002000,1',
      'SYSCALL[7,1](12) sys_brk ( 0x4001000 ) --> [pre-success] Success(0x4001000) ',
      memory,
      memory.replace('0x300000', '0x310000'),
      'SYSCALL[7,1](11) sys_munmap ( 0x300000, 8192 )[sync] --> Success(0x0) ',
      memory.replace('0x300000', '0x320000'),
    ),
  );
  expect(found.mappings).toEqual([
    { name: '[heap]', kind: 'heap', most_bytes: 12288, times: 1, pages: 2 },
    { name: 'anonymous', kind: 'anonymous', most_bytes: 16384, times: 3, pages: 0 },
  ]);
});

test('info: a file called __proto__, and one called constructor', async () => {
  const found = await info(
    lackey(open.replace('/data/x', '__proto__'), open.replace('/data/x', 'constructor'), shared),
  );
  expect(found.mappings.map((m) => m.name).sort()).toEqual(['__proto__', 'constructor']);
});

test('info: working sets of a cache trace, counted the slow way', async () => {
  let state = 5;
  const ids: number[] = [];
  for (let i = 0; i < 5000; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    ids.push((state >>> 16) % (1 + (i % 700)));
  }
  const { working_set, pages } = await info(`${ids.join('\n')}\n`);
  expect(pages.total).toBe(new Set(ids).size);
  // Two calls come before the first request: time 1 and 2.
  for (const { length, mean, most } of working_set.windows) {
    const windows: Set<number>[] = [];
    for (const [i, id] of ids.entries()) (windows[Math.floor((i + 2) / length)] ??= new Set()).add(id);
    const sizes = Array.from(windows, (set) => set?.size ?? 0);
    expect(most).toBe(Math.max(...sizes));
    // The exit after the last one may begin a window.
    expect(mean * Math.ceil(5003 / length)).toBeCloseTo(
      sizes.reduce((sum, n) => sum + n, 0),
      0,
    );
  }
  expect(working_set.new_pages.reduce((sum, n) => sum + n, 0)).toBe(pages.total);
});

test('info: a thread that ends leaves what its process has mapped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'revmap-info-'));
  const path = join(folder, 'threads.rvm.gz');
  const writer = new RecordingWriter(path);
  const main = new ThreadWriter(writer, 0, 0, 1);
  const second = new ThreadWriter(writer, 0, 9, 2);
  main.body.access(0x400, 2);
  second.body.access(0x400, 1);
  second.end();
  main.cut(4);
  main.body.access(0x401, 2);
  main.end();
  writer.finish({
    name: 'threads',
    command: 'threads',
    recorder: 'a test',
    window: 0,
    elf: new Map(),
    maps: [{ start: 0x400000, end: 0x402000, read: true, write: true, execute: false }],
    other: new Map(),
    laterImages: [],
    cutShort: '',
    unseen: [],
    parentOf: () => -1,
    statsOf: () => '',
  });
  const { mappings, processes } = await info(readFileSync(path));
  rmSync(folder, { recursive: true });
  expect(processes.map(({ threads, pages }) => ({ threads, pages }))).toEqual([{ threads: 2, pages: 2 }]);
  expect(mappings.map(({ name, pages }) => ({ name, pages }))).toEqual([{ name: 'mapped at the start', pages: 2 }]);
});

test('touched pages: halving the time keeps what was touched', () => {
  const touched = new TouchedPages('x');
  const times = new Map<number, number[]>();
  for (let now = 1; now < 20_000; now += 1 + (now % 3)) {
    touched.advance(now);
    const page = (now * 7919) % 97;
    touched.touch(page % 3, page);
    times.set(page, [...(times.get(page) ?? []), now]);
  }
  for (let row = 0; row < touched.count; row++) {
    const want = new Set(times.get(touched.pageOf(row))!.map((now) => Math.floor(now / touched.columnLength)));
    const found = new Set<number>();
    for (let column = 0; column < touched.columns; column++) if (touched.wasTouched(row, column)) found.add(column);
    expect([...found]).toEqual([...want].sort((a, b) => a - b));
    expect(touched.spaceOf(row)).toBe(touched.pageOf(row) % 3);
  }
  expect(touched.columns).toBeLessThanOrEqual(128);
});
