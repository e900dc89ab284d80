import { expect, test } from 'vitest';
import { explainCount } from './explain.ts';
import { identityOf, kindOfFrame, zoneOf } from './identity.ts';

const BITS = {
  locked: 0,
  referenced: 2,
  uptodate: 3,
  dirty: 4,
  lru: 5,
  active: 6,
  slab: 7,
  writeback: 8,
  buddy: 10,
  mmap: 11,
  anon: 12,
  swapcache: 13,
  swapbacked: 14,
  tail: 16,
  huge: 17,
  unevictable: 18,
  nopage: 20,
  ksm: 21,
  zero: 24,
  pgtable: 26,
  reserved: 32,
  mlocked: 33,
} as const;
const word = (...names: (keyof typeof BITS)[]) => names.reduce((sum, name) => sum + 2 ** BITS[name], 0);

for (const { why, flags, kind, says } of [
  { why: 'free', flags: ['buddy'], kind: 'free', says: /nothing/ },
  { why: 'no memory', flags: ['nopage'], kind: 'unreclaimable', says: /no memory/ },
  { why: 'anonymous', flags: ['lru', 'anon', 'swapbacked'], kind: 'swappable', says: /inactive list, not referenced/ },
  {
    why: 'anonymous, used',
    flags: ['lru', 'anon', 'swapbacked', 'active', 'referenced'],
    kind: 'swappable',
    says: /active list, referenced/,
  },
  {
    why: 'a good copy in swap',
    flags: ['lru', 'anon', 'swapbacked', 'swapcache'],
    kind: 'swappable',
    says: /copy in the swap area is good/,
  },
  { why: 'given up', flags: ['lru', 'anon'], kind: 'discardable', says: /MADV_FREE/ },
  { why: 'a clean file', flags: ['lru', 'uptodate'], kind: 'syncable', says: /clean/ },
  { why: 'a dirty file', flags: ['lru', 'dirty'], kind: 'syncable', says: /dirty/ },
  { why: 'a file being written', flags: ['lru', 'writeback'], kind: 'syncable', says: /being written/ },
  { why: 'shared memory', flags: ['lru', 'swapbacked'], kind: 'swappable', says: /shared memory/ },
  {
    why: 'locked',
    flags: ['lru', 'anon', 'swapbacked', 'unevictable', 'mlocked'],
    kind: 'unreclaimable',
    says: /mlock/,
  },
  { why: 'under I/O', flags: ['lru', 'locked'], kind: 'unreclaimable', says: /I\/O/ },
  { why: 'a slab whose word looks anonymous', flags: ['slab', 'anon', 'ksm'], kind: 'unreclaimable', says: /slab/ },
  { why: 'a page table', flags: ['pgtable'], kind: 'unreclaimable', says: /page table/ },
  { why: 'hugetlb', flags: ['huge', 'anon'], kind: 'unreclaimable', says: /hugetlb/ },
  { why: 'of the kernel', flags: [], kind: 'unreclaimable', says: /kernel/ },
  { why: 'of a file, on no list yet', flags: ['uptodate', 'mmap'], kind: 'syncable', says: /on no list yet/ },
  { why: 'of the kernel, mapped', flags: ['mmap', 'reserved'], kind: 'unreclaimable', says: /reserved/ },
] as const) {
  test(`kindOfFrame: ${why}`, () => {
    const found = kindOfFrame(word(...flags));
    expect(found.kind).toBe(kind);
    expect(found.reason).toMatch(says);
  });
}

test('kindOfFrame: without swap, the reason says that there is none', () => {
  expect(kindOfFrame(word('lru', 'anon', 'swapbacked'), false).reason).toMatch(/but there is none/);
  expect(kindOfFrame(word('lru', 'anon', 'swapbacked'), true).reason).toMatch(/goes to the swap area/);
});

const place = (path: string, deleted = false) => ({
  file: { device: '00:01', inode: '7', path, deleted },
  offset: 8192,
});
for (const { why, flags, at, kind, what } of [
  { why: 'slab before ksm', flags: ['slab', 'anon', 'ksm'], at: null, kind: 'kernel', what: 'slab' },
  { why: 'ksm before anonymous', flags: ['anon', 'ksm', 'lru'], at: null, kind: 'ksm', what: /KSM/ },
  { why: 'a file', flags: ['lru'], at: place('/bin/a'), kind: 'file', what: 'a file' },
  { why: 'a file, on no list yet', flags: ['uptodate', 'mmap'], at: place('/bin/a'), kind: 'file', what: 'a file' },
  { why: 'a file that nobody maps', flags: ['lru'], at: null, kind: 'file', what: /nobody maps/ },
  { why: 'memfd', flags: ['lru', 'swapbacked'], at: place('/memfd:x', true), kind: 'shmem', what: 'memfd' },
  { why: 'System V', flags: ['swapbacked'], at: place('/SYSV0000002a', true), kind: 'shmem', what: /System V/ },
  {
    why: 'shared anonymous',
    flags: ['lru', 'swapbacked'],
    at: place('/dev/zero', true),
    kind: 'shmem',
    what: /anonymous/,
  },
  { why: 'tmpfs', flags: ['lru', 'swapbacked'], at: place('/dev/shm/x'), kind: 'shmem', what: /tmpfs/ },
  { why: 'a driver', flags: ['mmap'], at: place('/dev/fb0'), kind: 'kernel', what: /driver/ },
] as const) {
  test(`identityOf: ${why}`, () => {
    const found = identityOf(word(...flags), at);
    expect(found.kind).toBe(kind);
    expect(found.what).toMatch(what);
    expect(found.offset).toBe(at === null ? null : 8192);
  });
}

const fact = {
  word: word('lru', 'anon', 'swapbacked'),
  mapcount: 2,
  folio: null,
  found: 2,
  sharing: 0,
  unreadable: 0,
  changed: [],
};
for (const { why, facts, want } of [
  { why: 'equal', facts: {}, want: [] },
  { why: 'equal, one address space', facts: { sharing: 1 }, want: ['one address space'] },
  { why: 'no count', facts: { mapcount: null }, want: ['no count'] },
  { why: 'changed', facts: { found: 1, changed: ['1 ended'] }, want: ['changed'] },
  { why: 'processes that we may not read', facts: { found: 1, unreadable: 3 }, want: ['not readable'] },
  { why: 'unreadable ones explain no entry too many', facts: { found: 3, unreadable: 3 }, want: ['unknown'] },
  { why: 'a larger folio', facts: { found: 1, folio: { pages: 512 } }, want: ['large folio'] },
  { why: 'the page of zeros', facts: { word: word('zero'), mapcount: 0 }, want: ['zero page'] },
  { why: 'memory of a device', facts: { word: 0, mapcount: 0, found: 1 }, want: ['not counted'] },
  { why: 'hugetlb', facts: { word: word('huge'), found: 3 }, want: ['hugetlb'] },
  { why: 'no reason is a reason that is told', facts: { found: 1 }, want: ['unknown'] },
]) {
  test(`explainCount: ${why}`, () => {
    expect(explainCount({ ...fact, ...facts }).map(({ what }) => what)).toEqual(want);
  });
}

test('zoneOf: by first frame and span', () => {
  const zone = (node: number, name: string, start: number, spanned: number) =>
    `Node ${node}, zone   ${name}\n  pages free     1\n        spanned  ${spanned}\n        present  1\n  start_pfn:           ${start}\n`;
  const text =
    zone(0, 'DMA', 1, 4095) + zone(0, 'Normal', 4096, 100) + zone(1, 'Normal', 5000, 10) + zone(1, 'Movable', 0, 0);
  expect([0, 1, 4095, 4096, 4196, 5009].map((pfn) => zoneOf(text, pfn))).toEqual([
    null,
    'DMA',
    'DMA',
    'Normal',
    null,
    'Normal (node 1)',
  ]);
});
