import { expect, test } from 'vitest';
import { RW, Space } from '../../test/space.ts';
import { newBdevInode, openInode } from './file.ts';
import { filemapGetPage, filemapRead } from './filemap.ts';
import { GENERATIONS } from './generations/index.ts';
import { __GFP_COMP, GFP_KERNEL } from './gfp.ts';
import { kindOfPage } from './kinds.ts';
import { doMadvise } from './madvise.ts';
import { allocPages } from './page_alloc.ts';
import {
  PG_dirty,
  PG_locked,
  PG_mlocked,
  PG_slab,
  PG_swapbacked,
  PG_swapcache,
  PG_table,
  PG_unevictable,
  PG_writeback,
} from './page_flags.ts';
import { PTE_DIRTY } from './page_table.ts';
import { stateHash } from './snapshot.ts';
import { MADV_HUGEPAGE, MAP_SHARED } from './uapi.ts';
import type { Pfn, Pgoff } from './units.ts';

/** Each makes a page and says which. */
function anon(s: Space): Pfn {
  s.map(0, 1);
  s.store(0);
  return s.pfn(0);
}

function cached(s: Space): Pfn {
  const file = s.file('disk', 1);
  filemapRead(s.machine, file, 0, 4096, null);
  return filemapGetPage(s.machine, file.mapping, 0 as Pgoff);
}

function shared(s: Space): Pfn {
  s.map(0, 1, MAP_SHARED);
  s.store(0);
  return s.pfn(0);
}

function buffer(s: Space): Pfn {
  const inode = newBdevInode(s.machine, s.machine.disk, 4);
  filemapRead(s.machine, openInode(s.machine, inode, true, false, false), 0, 4096, null);
  return filemapGetPage(s.machine, inode.mapping, 0 as Pgoff);
}

const withFlags =
  (make: (s: Space) => Pfn, set: number, clear = 0) =>
  (s: Space): Pfn => {
    const pfn = make(s);
    s.machine.frames.set(pfn, set);
    s.machine.frames.clear(pfn, clear);
    return pfn;
  };

/** The frame of a slab of this cache, found by its flag and what the cache says of it. */
function slabOf(name: 'task_struct' | 'dentry'): (s: Space) => Pfn {
  return (s) => {
    s.file('disk', 1);
    const { machine } = s;
    for (let pfn = 0; pfn < machine.frames.frames; pfn++) {
      const at = pfn as Pfn;
      if (machine.frames.has(at, PG_slab) && machine.slab.isReclaimable(at) === (name === 'dentry')) return at;
    }
    throw new Error(`no slab of ${name}`);
  };
}

function tableOf(s: Space): Pfn {
  anon(s);
  for (let pfn = 0; pfn < s.machine.frames.frames; pfn++)
    if (s.machine.frames.has(pfn as Pfn, PG_table)) return pfn as Pfn;
  throw new Error('no page table');
}

for (const { of, kind, reason } of [
  {
    of: (s: Space) => (allocPages(s.machine, GFP_KERNEL | __GFP_COMP, 1) + 1) as Pfn,
    kind: 'unreclaimable',
    reason: 'its head: allocated by the kernel',
  },
  {
    of: (s: Space) => {
      const pfn = anon(s);
      s.machine.lru.drain();
      s.exit(s.task);
      return pfn;
    },
    kind: 'unreclaimable',
    reason: 'free',
  },
  { of: () => 0 as Pfn, kind: 'unreclaimable', reason: 'PG_reserved' },
  { of: (s: Space) => s.machine.zeroPfn, kind: 'unreclaimable', reason: 'PG_reserved' },
  { of: slabOf('dentry'), kind: 'discardable', reason: 'dentries, inodes' },
  { of: slabOf('task_struct'), kind: 'unreclaimable', reason: '(slab)' },
  { of: tableOf, kind: 'unreclaimable', reason: 'a page table' },
  { of: withFlags(cached, PG_locked), kind: 'unreclaimable', reason: 'PG_locked' },
  { of: withFlags(anon, PG_mlocked | PG_unevictable), kind: 'unreclaimable', reason: 'VM_LOCKED' },
  { of: withFlags(shared, PG_unevictable), kind: 'unreclaimable', reason: 'PG_unevictable' },
  { of: (s: Space) => allocPages(s.machine, GFP_KERNEL, 0), kind: 'unreclaimable', reason: 'allocated by the kernel' },
  { of: withFlags(anon, 0, PG_swapbacked), kind: 'discardable', reason: 'MADV_FREE' },
  { of: anon, kind: 'swappable', reason: 'anonymous: its content goes to the swap area' },
  { of: withFlags(anon, PG_swapcache | PG_dirty), kind: 'swappable', reason: 'its content goes to the swap area' },
  { of: withFlags(anon, PG_swapcache | PG_writeback), kind: 'swappable', reason: 'its content goes to the swap area' },
  { of: shared, kind: 'swappable', reason: 'shared memory or tmpfs' },
  { of: cached, kind: 'syncable', reason: 'a page of a file on disk: clean' },
  { of: withFlags(cached, PG_dirty), kind: 'syncable', reason: 'a page of a file on disk: dirty' },
  { of: withFlags(cached, PG_writeback), kind: 'syncable', reason: 'a page of a file on disk: being written' },
  { of: withFlags(cached, PG_dirty | PG_writeback), kind: 'syncable', reason: 'dirty' },
  { of: buffer, kind: 'syncable', reason: 'a buffer page of a block device: clean' },
]) {
  test(`${kind}: ${reason}`, () => {
    const s = new Space();
    const got = kindOfPage(s.machine, of(s));
    expect([got.kind, got.reason]).toEqual([kind, expect.stringContaining(reason)]);
  });
}

// Where the kernel is told of no first store (2.4 and 2.5), and where it is.
for (const kernel of ['6.18', '3.16', '2.6.24', '2.5.59', '2.4.19']) {
  test(`${kernel}: what a dirty entry knows alone is known here, too`, () => {
    const s = new Space({ kernel, swap: 'disk' });
    const { machine } = s;
    s.map(100, 2, MAP_SHARED, RW, s.file('disk', 2));
    const ends = (page: number) => kindOfPage(machine, s.pfn(page)).reason.split(': ').at(-1);
    s.load(100);
    s.store(101);
    expect([ends(100), ends(101)]).toEqual(['clean, equal to the disk', 'dirty, must be written first']);
    const pfn = anon(s);
    machine.frames.set(pfn, PG_swapcache);
    machine.frames.clear(pfn, PG_dirty);
    expect(s.pte(0, PTE_DIRTY)).toBe(true);
    expect(ends(0)).toBe('its content goes to the swap area');
    machine.pageTables.clear(s.slot(0), PTE_DIRTY);
    expect(ends(0)).toBe('it goes without a write');
  });
}

test('every frame of a busy machine is of one kind', () => {
  const s = new Space({ swap: 'zram', limit: 300 });
  s.map(0, 400);
  s.storeAll(0, 400);
  s.map(1000, 4, MAP_SHARED, RW, s.file('disk', 4));
  s.store(1001);
  const kinds = new Map<string, number>();
  for (let pfn = 0; pfn < s.machine.frames.frames; pfn++) {
    const { kind } = kindOfPage(s.machine, pfn as Pfn);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  expect([...kinds.keys()].toSorted()).toEqual(['discardable', 'swappable', 'syncable', 'unreclaimable']);
  expect([...kinds.values()].reduce((sum, n) => sum + n, 0)).toBe(4096);
});

for (const kernel of ['6.18', '6.1', '3.16'])
  test(`${kernel}: the pages of a huge page are what its head is`, () => {
    const s = new Space({ kernel, ramBytes: 64 * 2 ** 20 });
    s.map(0, 512);
    doMadvise(s.machine, s.mm, s.vpn(0) * 4096, 512 * 4096, MADV_HUGEPAGE);
    s.store(0);
    const head = s.pfn(0);
    const own = { kind: 'swappable', reason: 'anonymous: its content goes to the swap area' };
    expect(kindOfPage(s.machine, head)).toEqual(own);
    for (const tail of [head + 1, head + 511])
      expect(kindOfPage(s.machine, tail as Pfn)).toEqual({
        ...own,
        reason: `as frame ${head}, its head: ${own.reason}`,
      });
  });

for (const { version } of GENERATIONS)
  test(`${version}: asking changes nothing, no count either`, () => {
    const s = new Space({ kernel: version });
    s.map(0, 4);
    s.storeAll(0, 4);
    s.fork();
    const before = stateHash(s.machine);
    for (let pfn = 0; pfn < s.machine.frames.frames; pfn++) kindOfPage(s.machine, pfn as Pfn);
    expect(stateHash(s.machine)).toBe(before);
  });
