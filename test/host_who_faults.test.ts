/**
 * Who maps a page, from snapshots that are written down, and from a /proc in which any read may be refused or cut short: never an
 * exception, never an entry that does not map the frame, and what was not seen is named.
 */
import { afterAll, expect, test } from 'vitest';
import { HostFiles } from '../src/host/read/host_files.ts';
import { ReverseMap } from '../src/host/reverse.ts';
import type { HostSnapshot } from '../src/host/snapshot.ts';
import { placeIn, whoHasSlot, whoMapsFrame } from '../src/host/who/who.ts';
import { filesNamed, whoMapsFile } from '../src/host/who/who_file.ts';
import { pidsWithFile, whoLiveAddress, whoLiveFile, whoLiveFrame } from '../src/host/who/who_live.ts';
import { sharedWith } from '../src/host/who/who_shared.ts';
import { fakeProc } from './host/fake_proc.ts';
import { type Fault, FaultyFiles } from './host/faulty_files.ts';
import { LRU, madeUpHost, SWAPBACKED, ZERO } from './host/made_up.ts';

const fake = fakeProc();
afterAll(() => fake.remove());
const quiet = new HostFiles(fake.proc, fake.sys);
const BIN = { inode: { device: '08:01', inode: '12' }, names: ['/bin/a'] };
const PROGRAM = 0x400000;
const HEAP = 0x1000000;

// from snapshots

const LIBRARY = { path: '/lib/c', device: '08:01', inode: '5' };
const SHARED = { path: '/memfd:x', device: '00:01', inode: '9', deleted: true };
const host = madeUpHost({
  processes: [
    {
      pid: 10,
      comm: 'a',
      areas: [
        { at: 16, pages: [1, 2, null], file: LIBRARY, pgoff: 4 },
        { at: 100, pages: [3, 4, 'slot 7', 9] },
      ],
    },
    {
      pid: 20,
      comm: 'b',
      areas: [
        { at: 32, pages: [1, 2, 5], file: LIBRARY, pgoff: 4 },
        { at: 100, pages: [3, 6, 'slot 7', 9] },
      ],
    },
    {
      pid: 30,
      comm: 'c',
      areas: [
        { at: 64, pages: [2], file: LIBRARY, pgoff: 5 },
        { at: 200, pages: [7, 7], file: SHARED, isShared: true },
      ],
    },
    { pid: 50, comm: 'e', sharesMmWith: 10 },
  ],
  flags: { 1: LRU, 2: LRU, 5: LRU, 7: LRU | SWAPBACKED, 9: ZERO },
  unseen: { 4: 1 },
  frames: 64,
});
/** Read by somebody who may not see frames. */
const hidden = madeUpHost({
  processes: [
    { pid: 40, comm: 'd', areas: [{ at: 200, pages: [7, 11], file: SHARED, isShared: true, isHidden: true }] },
  ],
});
/** Read by somebody who may not see what it maps. */
const secret = madeUpHost({ processes: [{ pid: 60, comm: 'f', status: new Map([['VmRSS', 400]]) }] });
const reverse = new ReverseMap(host);
const mappersOf = (pfn: number) =>
  whoMapsFrame(host, reverse, pfn)!.mappers.map(({ pid, address }) => [pid, address / 4096]);

test('from a snapshot: a page of a file, with the process that uses the same address space', () => {
  expect(mappersOf(2)).toEqual([
    [10, 17],
    [50, 17],
    [20, 33],
    [30, 64],
  ]);
  const frame = whoMapsFrame(host, reverse, 2)!;
  expect(frame).toMatchObject({
    found: 3,
    mapcount: 3,
    agrees: true,
    identity: { kind: 'file', path: '/lib/c', offset: 5 * 4096 },
  });
  expect(frame.why).toMatchObject([{ what: 'one address space', count: 1 }]);
});

test('from a snapshot: an entry that the kernel counts and nobody shows', () => {
  expect(whoMapsFrame(host, reverse, 4)).toMatchObject({
    found: 1,
    mapcount: 2,
    agrees: false,
    why: [{ what: 'one address space' }, { what: 'unknown', count: 1 }],
  });
  expect(whoMapsFrame(host, reverse, 9)).toMatchObject({ identity: { kind: 'zero' } });
  expect(whoMapsFrame(host, reverse, 10 ** 6)).toBeNull();
});

for (const { why, pid, page, state } of [
  { why: 'a frame', pid: 10, page: 16, state: 'frame' },
  { why: 'of the one address space of two', pid: 50, page: 16, state: 'frame' },
  { why: 'nothing there', pid: 10, page: 18, state: 'not present' },
  { why: 'before the first region', pid: 10, page: 1, state: 'no region' },
  { why: 'behind a region', pid: 10, page: 19, state: 'no region' },
  { why: 'behind the last', pid: 10, page: 104, state: 'no region' },
  { why: 'swapped', pid: 20, page: 102, state: 'swapped' },
]) {
  test(`placeIn: ${why}`, () => expect(placeIn(host, pid, page * 4096 + 5)!.place.state).toBe(state));
}

test('placeIn: a number that is hidden', () => {
  expect(placeIn(hidden, 40, 200 * 4096)!.place).toMatchObject({ state: 'frame hidden', pfn: null });
});

test('placeIn: it has memory, and nobody saw its regions', () => {
  expect(placeIn(secret, 60, 4096)!.place).toMatchObject({ state: 'not read', region: null });
});

test('placeIn: no such process', () => expect(placeIn(host, 60, 0)).toBeNull());

test('a slot of swap: who else holds it', () => {
  const { slot } = placeIn(host, 10, 102 * 4096)!;
  expect(whoHasSlot(host, slot!.area, slot!.offset).holders.map(({ pid }) => pid)).toEqual([10, 50, 20]);
});

test('a file: ranges that the same entries map', () => {
  const [row] = filesNamed(host, ['/lib/c'], null);
  const { ranges, mappedPages, processes } = whoMapsFile(host, row!);
  expect(
    ranges.map(({ offset, pages, frames, mappers }) => [offset / 4096, pages, frames, mappers.map(({ pid }) => pid)]),
  ).toEqual([
    [4, 1, [[1, 1]], [10, 20]],
    [5, 1, [[2, 1]], [10, 20, 30]],
    [6, 1, [[5, 1]], [20]],
  ]);
  expect([mappedPages, processes]).toEqual([3, 3]);
});

test('shared with: each frame once for each other process', () => {
  const answer = sharedWith(host, reverse, 10)!;
  expect(answer.with.map(({ pid, by }) => [pid, by.fork / 4096, by.file / 4096])).toEqual([
    [20, 1, 2],
    [30, 0, 1],
  ]);
  expect(answer).toMatchObject({ mappedBytes: 4 * 4096, sharedBytes: 3 * 4096, sameAddressSpace: [{ pid: 50 }] });
  expect(sharedWith(host, reverse, 50)).toMatchObject({
    pid: 50,
    mappedBytes: 4 * 4096,
    sameAddressSpace: [{ pid: 10 }],
  });
  // Twice in one process is one frame, and not shared.
  expect(sharedWith(host, reverse, 30)).toMatchObject({ mappedBytes: 2 * 4096, sharedBytes: 4096, hiddenPages: 0 });
  expect(sharedWith(hidden, new ReverseMap(hidden), 40)).toMatchObject({ mappedBytes: 0, hiddenPages: 2 });
  expect(sharedWith(host, reverse, 60)).toBeNull();
});

test('mappers are the rows that name the frame, whatever the host', () => {
  for (let pfn = 0; pfn < 12; pfn++) {
    const slow = entriesSlowly(host, pfn);
    expect(mappersOf(pfn).filter(([pid]) => pid !== 50)).toEqual(slow);
  }
});

function entriesSlowly({ processes, vmas, entries }: HostSnapshot, pfn: number): number[][] {
  return processes.flatMap(({ pid, firstVma, endVma }) => {
    const found: number[][] = [];
    for (let vma = firstVma; vma < endVma; vma++) {
      for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
        const isOne = (entries.bits[row]! & 1) !== 0 && (entries.bits[row]! & 64) === 0 && entries.value[row] === pfn;
        if (isOne) found.push([pid, vmas.startPage[vma]! + entries.page[row]!]);
      }
    }
    return found;
  });
}

// from a /proc that is refused

test('a /proc that stands still: a file, anonymous memory, swap', () => {
  const file = whoLiveAddress(quiet, 10, PROGRAM)!;
  expect(file.frame!.mappers.map(({ pid, comm, address }) => [pid, comm, address])).toEqual([
    [10, 'task 10', PROGRAM],
    [20, 'task 20', PROGRAM],
  ]);
  expect(file).toMatchObject({ tries: 1, moved: 0, changed: [], frame: { found: 2, mapcount: 2, agrees: true } });
  expect(whoLiveFile(quiet, BIN, 4096)!.frame).toMatchObject({ pfn: 101, found: 2, agrees: true });
  expect(pidsWithFile(quiet, BIN)).toEqual({ pids: [10, 20], missing: [] });
  expect(whoLiveFile(quiet, { inode: null, names: ['/none'] }, 0)).toBeNull();
  expect(whoLiveFrame(quiet, 200)!.frame).toMatchObject({ found: 2, agrees: true, identity: { kind: 'anonymous' } });
  expect(whoLiveFrame(quiet, 5)!.frame).toMatchObject({ found: 0, reclaim: { kind: 'free' } });
  expect(whoLiveAddress(quiet, 10, HEAP + 0x2000)!.slot).toMatchObject({
    area: 1,
    offset: 77,
    holders: [{ pid: 10 }, { pid: 20 }],
  });
  expect(whoLiveAddress(quiet, 99, 0)).toBeNull();
});

test('maps that may not be read: no word that nothing is mapped', () => {
  const files = new FaultyFiles(fake, (_, path) => (path.endsWith('10/maps') ? 'EACCES' : null));
  expect(whoLiveAddress(files, 10, HEAP)!.place).toMatchObject({ state: 'not read', region: null, pfn: null });
});

test('maps that may not be read: who has the file is not known', () => {
  const files = new FaultyFiles(fake, (_, path) => (path.endsWith('10/maps') ? 'EACCES' : null));
  const missing = [{ what: 'maps', why: 'EACCES', count: 1 }];
  expect(pidsWithFile(files, BIN)).toEqual({ pids: [20], missing });
});

for (const { why, word, state } of [
  { why: 'a guard', word: (1n << 58n) | 31n | (4n << 5n), state: 'guard' },
  { why: 'a guard before Linux 6.15', word: 31n | (4n << 5n), state: 'guard' },
  { why: 'protected by userfaultfd before it came', word: 31n | (1n << 5n), state: 'not present' },
  { why: 'poisoned', word: 31n | (2n << 5n), state: 'moving' },
  { why: 'of a device', word: 29n | (77_777n << 5n), state: 'moving' },
]) {
  test(`a mark in the place of an entry: ${why}`, () => {
    const other = fakeProc();
    other.write('proc/10/pagemap', new Uint8Array(new BigUint64Array(0x1010).fill((1n << 62n) | word).buffer));
    const answer = whoLiveAddress(new HostFiles(other.proc, other.sys), 10, HEAP);
    other.remove();
    expect(answer).toMatchObject({ place: { state, pfn: null }, frame: null, slot: null });
  });
}

const QUESTIONS = [
  { name: 'a page of a file', ask: (files: HostFiles) => whoLiveAddress(files, 10, PROGRAM), pfn: 100, all: 2 },
  { name: 'an anonymous page', ask: (files: HostFiles) => whoLiveAddress(files, 20, HEAP), pfn: 200, all: 2 },
  { name: 'a frame', ask: (files: HostFiles) => whoLiveFrame(files, 200), pfn: 200, all: 2 },
];

function readsOf(ask: (files: HostFiles) => unknown): number {
  const files = new FaultyFiles(fake, () => null);
  ask(files);
  return files.reads;
}

for (const { name, ask, pfn, all } of QUESTIONS) {
  const reads = readsOf(ask);
  const cases: [string, (read: number) => Fault][] = [
    ...['ESRCH', 'EACCES', 'EIO'].map((errno): [string, (read: number) => Fault] => [
      errno,
      (at) => (read) => (read === at ? errno : null),
    ]),
    ['EPERM from then on', (at) => (read) => (read >= at ? 'EPERM' : null)],
    ['cut short', (at) => (read) => (read === at ? new Uint8Array(5) : null)],
  ];
  for (const [fault, faultAt] of cases) {
    test(`${name}: ${fault} at any read`, () => {
      for (let at = 1; at <= reads; at++) {
        const answer = ask(new FaultyFiles(fake, faultAt(at)));
        if (answer?.frame === null || answer === null) continue;
        const { frame, changed, missing } = answer;
        for (const { address } of frame!.mappers) expect([PROGRAM, HEAP], `read ${at}`).toContain(address);
        expect(frame!.pfn, `read ${at}`).toBe(pfn);
        if (frame!.found === all) continue;
        // Fewer than there are: it says so itself, by the count, by what changed, or by what was refused.
        const said =
          frame!.why.length > 0 || changed.length > 0 || missing.length > 0 || frame!.mapcount === frame!.found;
        expect(said, `read ${at}: ${JSON.stringify(answer)}`).toBe(true);
      }
    });
  }
}
