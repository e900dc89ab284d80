import { expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { filemapGetPage, filemapRead } from './filemap.ts';
import { doMadvise } from './madvise.ts';
import { PG_dirty, PG_swapcache } from './page_flags.ts';
import { MADV_DONTNEED, MADV_GUARD_INSTALL, MAP_PRIVATE, MAP_SHARED, PROT_READ } from './uapi.ts';
import type { Pgoff } from './units.ts';
import { frameAt, whoMaps } from './who.ts';

test('a page of its own: frame, anon_vma, one entry', () => {
  const s = new Space();
  s.map(0, 4);
  s.store(2);
  s.machine.lru.drain();
  const pfn = s.pfn(2);
  const who = whoMaps(s.machine, pfn);
  const { id } = s.vma(2).anonVma!;
  expect(who).toMatchObject({
    pfn,
    zone: s.machine.zones[s.machine.frames.zoneIndex(pfn)]!.name,
    refcount: 1,
    mapcount: 1,
    mapping: { word: id * 4 + 1, anonBit: 1, kind: 'anon_vma', id, name: '' },
    index: PAGE + 2,
    lru: 'inactive_anon',
    memcg: 'test',
    reclaim: { kind: 'swappable' },
    parents: [],
    inVain: [],
  });
  expect(who.flags).toEqual(['uptodate', 'lru', 'anon_exclusive', 'swapbacked']);
  expect(who.mappers).toEqual([
    {
      pid: 100,
      comm: 'test',
      mm: s.mm.id,
      start: PAGE * 4096,
      end: (PAGE + 4) * 4096,
      address: (PAGE + 2) * 4096,
      vmPgoff: PAGE,
      formula: '0x10000000000 + ((0x10000002 − 0x10000000) << 12) = 0x10000002000',
      anonVma: id,
      chainLength: 1,
      pte: { pfn, writable: true, young: true, dirty: true },
      why: '',
    },
  ]);
});

for (const { why, does, reason } of [
  {
    why: 'the child wrote',
    does: (s: Space, child: number) => s.store(0, s.machine.tasks[child]!.mm!),
    reason: 'maps frame',
  },
  {
    why: 'the child gave it up',
    does: (s: Space, child: number) =>
      doMadvise(s.machine, s.machine.tasks[child]!.mm!, PAGE * 4096, 4096, MADV_DONTNEED),
    reason: 'empty entry',
  },
  {
    why: 'the child guards its place',
    does: (s: Space, child: number) =>
      doMadvise(s.machine, s.machine.tasks[child]!.mm!, PAGE * 4096, 4096, MADV_GUARD_INSTALL),
    reason: 'a guard region',
  },
]) {
  test(`met in vain: ${why}`, () => {
    const s = new Space();
    s.map(0, 2);
    s.storeAll(0, 2);
    s.fork();
    does(s, 1);
    const who = whoMaps(s.machine, s.pfn(0));
    expect([who.mappers.map((m) => m.pid), who.inVain.map((m) => m.pid)]).toEqual([[100], [101]]);
    expect([who.inVain[0]!.pte, who.inVain[0]!.why.startsWith(reason)]).toEqual([null, true]);
    expect(who.inVain[0]!.address).toBe(PAGE * 4096);
  });
}

test('a page that both share: two entries, nobody in vain, and the child’s chain', () => {
  const s = new Space();
  s.map(0, 2);
  s.store(0);
  s.fork();
  const who = whoMaps(s.machine, s.pfn(0));
  expect(who.mappers.map((m) => [m.pid, m.chainLength, m.pte?.writable])).toEqual([
    [100, 1, false],
    [101, 2, false],
  ]);
  expect([who.mapcount, who.inVain]).toEqual([2, []]);
});

test('the child’s own page: its anon_vma, and whose child that is', () => {
  const s = new Space();
  s.map(0, 2);
  s.store(0);
  const child = s.fork().mm!;
  const grandchild = s.fork(child).mm!;
  s.store(0, grandchild);
  const who = whoMaps(s.machine, s.pfn(0, grandchild));
  expect(who.mapping.id).toBe(s.vma(0, grandchild).anonVma!.id);
  expect(who.parents).toEqual([s.vma(0, child).anonVma!.id, s.vma(0).anonVma!.id]);
  expect([who.mappers.map((m) => m.pid), who.inVain]).toEqual([[102], []]);
});

test('a file’s page: the inode, mappings that show it, and those that were never touched', () => {
  const s = new Space({ sysctl: { faultAroundBytes: 4096 } });
  const file = s.file('disk', 16);
  s.map(0, 8, MAP_SHARED, RW, file);
  s.map(16, 8, MAP_PRIVATE, PROT_READ, file, 4);
  s.map(32, 8, MAP_PRIVATE, PROT_READ, file, 8);
  s.load(5);
  const who = whoMaps(s.machine, s.pfn(5));
  expect(who.mapping).toMatchObject({ anonBit: 0, kind: 'inode', name: 'data' });
  expect([who.index, who.mappers.map((m) => m.address), who.inVain.map((m) => [m.address, m.why])]).toEqual([
    5,
    [(PAGE + 5) * 4096],
    [[(PAGE + 17) * 4096, 'empty entry']],
  ]);
  expect(who.parents).toEqual([]);
});

test('a cached page that nobody maps: the candidates are all in vain', () => {
  const s = new Space();
  const file = s.file('disk', 2);
  filemapRead(s.machine, file, 0, 4096, null);
  const pfn = filemapGetPage(s.machine, file.mapping, 0 as Pgoff);
  expect(whoMaps(s.machine, pfn)).toMatchObject({ mapcount: 0, mappers: [], inVain: [], mapping: { kind: 'inode' } });
  s.map(512 * 3, 2, MAP_SHARED, PROT_READ, file);
  expect(whoMaps(s.machine, pfn).inVain.map((m) => m.why)).toEqual(['no page table']);
});

test('swapped out meanwhile: the entry says so', () => {
  const s = new Space({ swap: 'disk' });
  s.map(0, 1);
  s.store(0);
  const child = s.fork().mm!;
  s.pageout(0);
  s.machine.advance(1e9);
  s.load(0, child);
  const who = whoMaps(s.machine, s.pfn(0, child));
  expect(who.mappers.map((m) => m.pid)).toEqual([101]);
  expect(who.inVain.map((m) => [m.pid, m.why])).toEqual([[100, 'swapped out']]);
});

test('a frame of nobody', () => {
  const s = new Space();
  s.map(0, 1);
  s.store(0);
  s.machine.lru.drain();
  const pfn = s.pfn(0);
  doMadvise(s.machine, s.mm, PAGE * 4096, 4096, MADV_DONTNEED);
  expect(whoMaps(s.machine, pfn)).toMatchObject({
    refcount: 0,
    lru: 'none',
    mapping: { kind: 'none', id: 0 },
    mappers: [],
  });
});

test('the frame at an address, or none', () => {
  const s = new Space();
  s.map(0, 2);
  s.store(0);
  expect([
    frameAt(s.machine, s.mm, s.vpn(0)),
    frameAt(s.machine, s.mm, s.vpn(1)),
    frameAt(s.machine, s.mm, s.vpn(5000)),
  ]).toEqual([s.pfn(0), null, null]);
});

for (const { kernel, flags, index } of [
  { kernel: '6.18', flags: ['uptodate', 'dirty', 'lru', 'swapcache', 'anon_exclusive', 'swapbacked'], index: PAGE },
  { kernel: '2.6.24', flags: ['uptodate', 'dirty', 'lru', 'active', 'swapcache'], index: PAGE },
  { kernel: '2.5.59', flags: ['uptodate', 'dirty', 'lru', 'active', 'direct'], index: 0x123 },
  { kernel: '2.4.19', flags: ['referenced', 'uptodate', 'dirty', 'lru'], index: 0x123 },
]) {
  test(`${kernel}: flags and index are those of its own struct page`, () => {
    const s = new Space({ kernel });
    s.map(0, 1);
    s.store(0);
    s.machine.lru.drain();
    const pfn = s.pfn(0);
    const { frames } = s.machine;
    const old = kernel < '2.6';
    expect(whoMaps(s.machine, pfn).index).toBe(old ? null : index);
    frames.set(pfn, PG_swapcache | PG_dirty);
    frames.setPrivate(pfn, 0x123);
    expect(whoMaps(s.machine, pfn)).toMatchObject({ flags, index });
  });
}
