/**
 * A snapshot of a host that moves while it is read: whatever is refused, gone, cut short or changed, at any read, there is no
 * exception, nothing is zero because it was not seen, and what is not there is named.
 */
import { afterAll, expect, test } from 'vitest';
import { HostFiles } from '../src/host/read/host_files.ts';
import { takeSnapshot } from '../src/host/read/take.ts';
import type { TakeOptions } from '../src/host/read/take_options.ts';
import {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_PRESENT,
  ENTRY_SOFT_DIRTY,
  ENTRY_SWAP,
  ENTRY_SWAP_TYPE_SHIFT,
  ENTRY_UFFD_WP,
  type HostSnapshot,
  NO_CGROUP,
  VMA_SEEN,
} from '../src/host/snapshot.ts';
import { FRAMES, fakeProc } from './host/fake_proc.ts';
import { type Fault, FaultyFiles } from './host/faulty_files.ts';

const fake = fakeProc();
afterAll(() => fake.remove());
const ALL: TakeOptions = { smaps: true, commands: true };
const take = (fault: Fault, options = ALL) => takeSnapshot(new FaultyFiles(fake, fault), options);
const quiet = takeSnapshot(new HostFiles(fake.proc, fake.sys), ALL);
const ERRNOS = ['ESRCH', 'ENOENT', 'EPERM', 'EACCES', 'EIO'];
const DATA = [
  'processes',
  'vmas',
  'entries',
  'frames',
  'files',
  'cgroups',
  'strings',
  'smaps',
  'vmFlags',
  'texts',
] as const;

/** What a snapshot holds, without its times and its remarks. */
function data(snapshot: HostSnapshot): unknown {
  return DATA.map((name) => snapshot[name]);
}

/** Everything that a form with columns promises. */
function verify(snapshot: HostSnapshot): void {
  const { vmas, entries, processes, frames } = snapshot;
  let vma = 0;
  for (const process of processes) {
    expect(process.firstVma).toBe(vma);
    vma = process.endVma;
  }
  expect(vmas.count).toBe(vma);
  for (let row = 0; row < vmas.count; row++) {
    expect(vmas.firstEntry[row]! <= vmas.firstEntry[row + 1]!).toBe(true);
    if ((vmas.perms[row]! & VMA_SEEN) === 0) expect(vmas.firstEntry[row]).toBe(vmas.firstEntry[row + 1]);
    for (let entry = vmas.firstEntry[row]!; entry < vmas.firstEntry[row + 1]!; entry++)
      expect(entries.page[entry]! < vmas.endPage[row]! - vmas.startPage[row]!).toBe(true);
  }
  expect(vmas.firstEntry[vmas.count]).toBe(entries.count);
  for (const column of snapshot.smaps?.values() ?? []) expect(column.length).toBe(vmas.count);
  if (frames !== null)
    for (const word of frames.word) if (word >= frames.wordsLow.length) throw new Error('no such word');
}

test('nothing moves: everything is as it was written', () => {
  verify(quiet);
  expect(quiet.missing).toEqual([]);
  expect(quiet.changes).toEqual({ processesGone: 0, processesReread: 0, processesUnsteady: [], entriesStale: 0 });
  expect(
    quiet.processes.map(({ pid, isKernelThread, uid, cgroup, startTicks }) => [
      pid,
      isKernelThread,
      uid,
      cgroup,
      startTicks,
    ]),
  ).toEqual([
    [2, true, 2, '/', 200],
    [10, false, 10, '/box', 1000],
    [20, false, 20, '/box', 2000],
  ]);
  expect(quiet.processes[1]!.command).toEqual(['task', '--of']);
  expect(quiet.processes[0]!.rollup).toBeNull();
  const { page, value, bits, count } = quiet.entries;
  const swapped = ENTRY_SWAP | (1 << ENTRY_SWAP_TYPE_SHIFT);
  const mapped = ENTRY_PRESENT | ENTRY_FILE;
  expect(Array.from({ length: count }, (_, row) => [page[row], value[row], bits[row]])).toEqual([
    [0, 100, mapped],
    [1, 101, mapped],
    [0, 200, ENTRY_PRESENT],
    [2, 77, swapped],
    [0, 100, mapped],
    [1, 101, mapped],
    [0, 200, ENTRY_PRESENT],
    [1, 201, ENTRY_PRESENT | ENTRY_EXCLUSIVE],
    [2, 77, swapped],
  ]);
  expect(quiet.frames!.count).toBe(FRAMES);
  expect([...quiet.frames!.mapcount].map((n, pfn) => [pfn, n]).filter(([, n]) => n !== 0)).toEqual([
    [100, 2],
    [101, 2],
    [200, 2],
    [201, 1],
  ]);
  expect(quiet.cgroups.map(({ path }) => path)).toEqual(['/', '/box', `inode:${2 ** 40}`]);
  expect([quiet.frames!.cgroup[100], quiet.frames!.cgroup[99]]).toEqual([2, NO_CGROUP]);
  expect([...quiet.smaps!.get('Rss')!]).toEqual([0, 4, 8, 0, 4, 8]);
  expect([quiet.kernel, quiet.hostname]).toEqual(['6.18.5', 'fake']);
});

for (const errno of ERRNOS)
  test(`${errno} at any one read: no exception, and no difference without a word`, () => {
    const count = new FaultyFiles(fake, () => null);
    takeSnapshot(count, ALL);
    expect(count.reads).toBeGreaterThan(50);
    for (let n = 1; n <= count.reads; n++) {
      let path = '';
      const snapshot = take((read, at) => {
        if (read !== n) return null;
        path = at;
        return errno;
      });
      verify(snapshot);
      const { processesGone, processesReread, processesUnsteady } = snapshot.changes;
      const isSaid = snapshot.missing.length + processesGone + processesReread + processesUnsteady.length > 0;
      // The release and the name of the host are '' where they are not shown, and a cgroup or a file of its may be gone.
      const isShown = /osrelease|hostname|cgroup\/|cgroup$/.test(path);
      if (!isSaid && !isShown) expect(data(snapshot), `read ${n} of ${path}`).toEqual(data(quiet));
    }
  });

for (const errno of ERRNOS)
  for (const name of [
    'stat',
    'status',
    'cgroup',
    'cmdline',
    'maps',
    'smaps',
    'smaps_rollup',
    'pagemap',
    'kpageflags',
    'kpagecount',
    'kpagecgroup',
    'meminfo',
  ])
    test(`${errno} at every read of ${name}: it is missing, and never zero`, () => {
      const snapshot = take((_, path) => (path.endsWith(`/${name}`) && !path.includes('self') ? errno : null));
      verify(snapshot);
      const { processesGone } = snapshot.changes;
      const isGone = errno === 'ESRCH' || errno === 'ENOENT';
      if (name === 'maps' && isGone) expect(snapshot.vmas.count).toBe(0);
      else if (processesGone === 0) expect(snapshot.missing.map(({ what }) => what)).toContain(name);
      if (name === 'kpageflags' || name === 'kpagecount') expect(snapshot.frames).toBeNull();
      if (name === 'kpagecgroup') expect(snapshot.frames!.cgroup.every((row) => row === NO_CGROUP)).toBe(true);
      if (name === 'smaps_rollup') expect(snapshot.processes.every(({ rollup }) => rollup === null)).toBe(true);
      if (name === 'pagemap') expect(snapshot.vmas.perms.every((perms) => (perms & VMA_SEEN) === 0)).toBe(true);
      if (name === 'smaps')
        expect([...snapshot.smaps!.values()].flatMap((column) => [...column]).every(Number.isNaN)).toBe(true);
      if (name === 'stat') expect(snapshot.processes).toEqual([]);
    });

/** Bytes of a file at the n-th of its own reads. */
function nth(name: string, instead: (n: number) => Uint8Array | string | null): Fault {
  let n = 0;
  return (_, path) => (path.endsWith(name) ? instead(++n) : null);
}

const OTHER_MAPS = Buffer.from('00400000-00401000 r-xp 00000000 08:01 12                                 /bin/a\n');

test('maps that read otherwise after the pages are read again, and then all is well', () => {
  const snapshot = take(nth('/10/maps', (n) => (n === 1 ? OTHER_MAPS : null)));
  verify(snapshot);
  expect(data(snapshot)).toEqual(data(quiet));
  expect(snapshot.changes).toMatchObject({ processesReread: 1, processesUnsteady: [] });
});

test('maps that never read twice alike: the process is there, and called unsteady', () => {
  const snapshot = take(nth('/10/maps', (n) => (n % 2 === 1 ? OTHER_MAPS : null)));
  verify(snapshot);
  expect(snapshot.changes).toMatchObject({ processesReread: 1, processesUnsteady: [10] });
  expect(snapshot.processes.map(({ pid }) => pid)).toEqual([2, 10, 20]);
});

test('smaps of other VMAs than maps: read again', () => {
  const snapshot = take(nth('/10/smaps', (n) => (n === 1 ? OTHER_MAPS : null)));
  expect(snapshot.changes.processesReread).toBe(1);
  expect(data(snapshot)).toEqual(data(quiet));
});

test('another process under the same pid: the one that was meant is gone', () => {
  const other = Buffer.from('10 (other) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n');
  const snapshot = take(nth('/10/stat', (n) => (n > 1 ? other : null)));
  verify(snapshot);
  expect(snapshot.processes.map(({ pid }) => pid)).toEqual([2, 20]);
  expect(snapshot.changes.processesGone).toBe(1);
});

test('a process whose pages cannot be read has none; one that ended has no rows at all', () => {
  const snapshot = take((_, path) => (path.endsWith('/20/pagemap') ? 'ESRCH' : null));
  verify(snapshot);
  expect(snapshot.missing).toContainEqual({ what: 'pagemap', why: 'ESRCH', count: 1 });
  const gone = take(nth('/20/stat', (n) => (n > 1 ? 'ESRCH' : null)));
  expect(gone.processes.map(({ pid }) => pid)).toEqual([2, 10]);
  expect(gone.entries.count).toBe(4);
});

test('reads that bring little at a time bring everything', () => {
  const few = new Uint8Array(24);
  const snapshot = take((_, path) => (/pagemap$|kpage/.test(path) ? few : null));
  verify(snapshot);
  expect(data(snapshot)).toEqual(data(quiet));
});

test('a file that ends early is missing, not empty', () => {
  const nothing = new Uint8Array(0);
  let reads = 0;
  const snapshot = take((_, path) => (path.endsWith('/10/pagemap') && ++reads > 1 ? nothing : null));
  verify(snapshot);
  expect(snapshot.missing).toContainEqual({ what: 'pagemap', why: 'ESRCH', count: 1 });
  for (const name of ['kpageflags', 'kpagecount', 'kpagecgroup']) {
    let blocks = 0;
    // Room for the search of its end.
    const cut = take((_, path) =>
      path.endsWith(name) && ++blocks > (name === 'kpageflags' ? 41 : 1) ? nothing : null,
    );
    expect(cut.missing.map(({ what }) => what)).toEqual([name]);
  }
});

test('texts cut at any byte: no exception', () => {
  const files = new HostFiles(fake.proc, fake.sys);
  for (const name of ['10/stat', '10/status', '10/maps', '10/smaps', '10/cgroup', 'self/mountinfo', 'self/cgroup']) {
    const whole = files.bytes(files.inProc(name)) as Uint8Array;
    for (let length = 0; length < whole.length; length += 3)
      verify(take((_, path) => (path.endsWith(`/${name}`) ? whole.subarray(0, length) : null)));
  }
});

test('a frame that is free by the time we look is counted as stale', () => {
  const free = fakeProc();
  const flags = new BigUint64Array(FRAMES).fill(1n << 10n);
  free.write('proc/kpageflags', new Uint8Array(flags.buffer));
  free.write('proc/kpagecount', new Uint8Array(8 * FRAMES));
  const snapshot = takeSnapshot(new HostFiles(free.proc, free.sys));
  free.remove();
  expect(snapshot.changes.entriesStale).toBe(7);
});

test('a kernel whose pages have another size is refused in one line', () => {
  const auxv = new BigUint64Array([3n, 4096n, 6n, 65_536n, 0n, 0n]);
  const fault: Fault = (_, path) => (path.endsWith('self/auxv') ? new Uint8Array(auxv.buffer) : null);
  expect(() => take(fault)).toThrow("this kernel's pages have 65536 bytes");
});

test('each bit of a pagemap word has its place', () => {
  const words = new BigUint64Array(0x1010);
  const PRESENT = 1n << 63n;
  words.set(
    [PRESENT | (1n << 57n) | 5n, PRESENT | (1n << 55n) | 6n, (1n << 62n) | (1n << 61n) | (3n << 5n) | 2n],
    0x1000,
  );
  const other = fakeProc();
  other.write('proc/10/pagemap', new Uint8Array(words.buffer));
  const { entries } = takeSnapshot(new HostFiles(other.proc, other.sys), { pids: [10] });
  other.remove();
  const swapped = ENTRY_SWAP | ENTRY_FILE | (2 << ENTRY_SWAP_TYPE_SHIFT);
  expect([...entries.bits]).toEqual([ENTRY_PRESENT | ENTRY_UFFD_WP, ENTRY_PRESENT | ENTRY_SOFT_DIRTY, swapped]);
  expect([...entries.value]).toEqual([5, 6, 3]);
});

test('guards and markers have no entry; pages of devices have none, and are missing', () => {
  const words = new BigUint64Array(0x1010);
  const SWAPPED = 1n << 62n;
  words.set(
    [SWAPPED | (1n << 58n) | 31n | (4n << 5n), SWAPPED | 31n | (1n << 5n), SWAPPED | 29n | (77_777n << 5n)],
    0x1000,
  );
  const other = fakeProc();
  other.write('proc/10/pagemap', new Uint8Array(words.buffer));
  const { entries, missing } = takeSnapshot(new HostFiles(other.proc, other.sys), { pids: [10] });
  other.remove();
  expect(entries.count).toBe(0);
  expect(missing).toEqual([{ what: 'pagemap', why: 'entries of devices, poisoned or moving pages', count: 1 }]);
});
