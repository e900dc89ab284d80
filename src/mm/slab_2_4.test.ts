import { expect, test } from 'vitest';
import { Random } from '../../test/random_machine.ts';
import { nrUnusedDentries, nrUnusedInodes, pruneIcache, shrinkDcacheMemory, shrinkIcacheMemory } from './dcache_2_4.ts';
import { newInode, openInode, putFile } from './file.ts';
import { filemapRead } from './filemap.ts';
import { __GFP_DMA, __GFP_FS, GFP_KERNEL } from './gfp.ts';
import { alignedSize, type KmemCache, type SlabObject, slabLayout } from './kmem_cache_2_4.ts';
import { Machine } from './machine.ts';
import { pageZone } from './page_flags_2_4.ts';
import { reapScore, type Slab_2_4, slab_2_4 } from './slab_2_4.ts';
import { structPage } from './struct_page_2_4.ts';
import type { Pfn } from './units.ts';

function world(mib = 64): { machine: Machine; slab: Slab_2_4 } {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: mib * 2 ** 20 });
  return { machine, slab: slab_2_4(machine) };
}

/** Makes `slabs` slabs of a cache, and frees what is in them. */
function freeSlabs({ machine, slab }: ReturnType<typeof world>, cache: KmemCache, slabs: number): void {
  const objects: SlabObject[] = [];
  for (let i = 0; i < slabs * cache.num; i++) objects.push(slab.kmemCacheAlloc(machine, cache, GFP_KERNEL)!);
  for (const object of objects) slab.kmemCacheFree(machine, cache, object);
  cache.grown = false;
}

test('sizes: words, then lines of 32 bytes; at most an eighth of a slab is lost', () => {
  expect([alignedSize(92), alignedSize(68), alignedSize(12), alignedSize(5), alignedSize(480)]).toEqual([
    96, 96, 16, 16, 480,
  ]);
  expect(slabLayout(128, false, 2)).toEqual({ order: 0, num: 30, left: 96 });
  expect(slabLayout(131072, true, 2)).toMatchObject({ order: 5, num: 1 });
  expect(slabLayout(1344, true, 2)).toEqual({ order: 0, num: 3, left: 64 });
});

test('general caches are the powers of two from 32 to 131072, each with one for DMA; the last made is first in the chain', () => {
  const { machine, slab } = world();
  const names = slab.chain.map((cache) => cache.name);
  expect([names[0], names[1], names.at(-1), names.at(-2), names.at(-26)]).toEqual([
    'kmem_cache',
    'inode_cache',
    'size-32',
    'size-32(DMA)',
    'size-131072(DMA)',
  ]);
  expect([
    slab.generalCache(33, false)?.name,
    slab.generalCache(131072, true)?.name,
    slab.generalCache(131073, false),
  ]).toEqual(['size-64', 'size-131072(DMA)', null]);
  const dma = slab.kmalloc(machine, 100, GFP_KERNEL | __GFP_DMA)!;
  expect(pageZone(machine, dma.cache.slabOf(dma.object.slab).pfn).name).toBe('DMA');
  const usual = slab.kmalloc(machine, 100, GFP_KERNEL)!;
  expect(pageZone(machine, usual.cache.slabOf(usual.object.slab).pfn).name).toBe('Normal');
});

test('a slab is on the list of what is used of it; the free objects are a chain', () => {
  const s = world();
  const cache = s.slab.cache('mm_struct');
  const take = () => s.slab.kmemCacheAlloc(s.machine, cache, GFP_KERNEL)!;
  const objects = Array.from({ length: cache.num + 1 }, take);
  const counts = () => [cache.slabsFull.count, cache.slabsPartial.count, cache.slabsFree.count];
  expect([counts(), objects[0], objects[1]?.index]).toEqual([[1, 1, 0], { slab: 0, index: 0 }, 1]);
  s.slab.kmemCacheFree(s.machine, cache, objects[3]!);
  expect([counts(), cache.slabOf(0).free]).toEqual([[0, 2, 0], 3]);
  // The slab that has just become partial is the first.
  expect(take()).toEqual({ slab: 0, index: 3 });
  s.slab.kmemCacheFree(s.machine, cache, objects[cache.num]!);
  expect([counts(), s.machine.verify()]).toEqual([[1, 0, 1], []]);
  const page = structPage(s.machine, cache.slabOf(0).pfn);
  expect([page.list, page.flagNames, page.count]).toEqual([`cache mm_struct, slab ${page.pfn}`, ['PG_slab'], 1]);
});

test('large objects keep the descriptor of their slab in a general cache, and give it back', () => {
  const s = world();
  const cache = s.slab.cache('size-4096');
  const keeper = s.slab.generalCache(cache.offSlabBytes, false)!;
  freeSlabs(s, cache, 3);
  expect([cache.offSlabBytes > 0, keeper.active]).toEqual([true, 3]);
  expect(s.slab.kmemCacheShrink(s.machine, cache)).toBe(3);
  expect([keeper.active, s.machine.verify()]).toEqual([0, []]);
});

test('[2.4 slab reap] the best of ten gives half of its free slabs, rounded up; a cache that has grown is passed over once', () => {
  const s = world();
  freeSlabs(s, s.slab.cache('filp'), 5);
  freeSlabs(s, s.slab.cache('inode_cache'), 6);
  expect([reapScore(s.slab.cache('filp')), reapScore(s.slab.cache('inode_cache'))]).toEqual([5, 5]);
  s.slab.cache('filp').grown = true;
  expect(s.slab.kmemCacheReap(s.machine)).toBe(3);
  expect([s.slab.lastReap.chosen, s.slab.lastReap.slabs, s.slab.cache('inode_cache').slabsFree.count]).toEqual([
    'inode_cache',
    3,
    3,
  ]);
  expect([s.slab.cache('filp').grown, s.slab.cache('filp').slabsFree.count]).toEqual([false, 5]);
  // The next ten are others: filp is not among them, and neither has anything free.
  expect(s.slab.lastReap.scores.length).toBe(9);
  expect(s.slab.kmemCacheReap(s.machine)).toBe(0);
  expect(s.machine.verify()).toEqual([]);
});

for (const { why, name, slabs, want } of [
  { why: 'one page each, no constructor', name: 'dentry_cache', slabs: 7, want: 7 },
  { why: 'a constructor costs a fifth', name: 'buffer_head', slabs: 7, want: 5 },
  { why: 'slabs of several pages cost a fifth', name: 'size-8192', slabs: 4, want: 6 },
]) {
  test(`[2.4 slab reap] score: ${why}`, () => {
    const s = world();
    freeSlabs(s, s.slab.cache(name), slabs);
    expect(reapScore(s.slab.cache(name))).toBe(want);
  });
}

test('[2.4 slab reap] ten pages are enough: the search ends there, and the next begins behind', () => {
  const s = world();
  freeSlabs(s, s.slab.cache('dentry_cache'), 11);
  freeSlabs(s, s.slab.cache('names_cache'), 30);
  s.slab.kmemCacheShrink(s.machine, s.slab.cache('size-64'));
  expect([s.slab.kmemCacheReap(s.machine), s.slab.lastReap.chosen]).toEqual([6, 'dentry_cache']);
  expect([s.slab.kmemCacheReap(s.machine), s.slab.lastReap.chosen]).toEqual([15, 'names_cache']);
});

test('[2.4 slab reap] kmem_cache gives nothing', () => {
  const s = world();
  const kmemCache = s.slab.chain[0]!;
  kmemCache.grow(s.machine, GFP_KERNEL);
  kmemCache.grown = false;
  for (let i = 0; i < 8; i++) expect(s.slab.kmemCacheReap(s.machine)).toBe(0);
  expect(kmemCache.slabsFree.count).toBe(1);
});

test('random objects of random caches: lists and chains hold', () => {
  const random = new Random(5);
  const s = world(16);
  const held: { cache: KmemCache; object: SlabObject }[] = [];
  for (let step = 0; step < 4000; step++) {
    if (random.next(100) < 55) {
      const got = s.slab.kmalloc(s.machine, 1 + random.next(3000), GFP_KERNEL);
      if (got !== null) held.push(got);
    } else if (held.length > 0) {
      s.slab.kfree(s.machine, held.splice(random.next(held.length), 1)[0]!);
    }
    if (random.next(50) === 0) s.slab.kmemCacheReap(s.machine);
    if (step % 200 === 0) expect(s.machine.verify()).toEqual([]);
  }
});

test('buffer heads: 100 are kept, 80 of them for those who find no memory', () => {
  const s = world();
  const { machine, slab } = s;
  const root = machine.rootMemcg;
  for (let i = 0; i < 150; i++) slab.alloc(machine, 'buffer_head', root, GFP_KERNEL);
  for (let i = 0; i < 150; i++) slab.free(machine, 'buffer_head', root);
  expect([slab.unusedBuffers.count, slab.cache('buffer_head').active]).toEqual([100, 100]);
  for (let i = 0; i < 30; i++) slab.alloc(machine, 'buffer_head', root, GFP_KERNEL);
  expect([slab.unusedBuffers.count, slab.cache('buffer_head').active]).toEqual([80, 110]);
  expect(machine.verify()).toEqual([]);
});

// dentries and inodes

function files(machine: Machine, count: number, pages: number): void {
  for (let i = 0; i < count; i++) {
    const inode = newInode(machine, `/d${i}`, 'disk', pages * 4096);
    const file = openInode(machine, inode, true, false, false);
    if (pages > 0) filemapRead(machine, file, 0, pages * 4096, null);
    putFile(machine, file);
  }
}

for (const { priority, want } of [
  { priority: 6, want: 50 },
  { priority: 5, want: 48 },
  { priority: 1, want: 0 },
]) {
  test(`[2.4 dentry/inode shrink] priority ${priority} drops nr_unused / ${priority} dentries`, () => {
    const { machine } = world();
    files(machine, 60, 0);
    expect(nrUnusedDentries(machine)).toBe(60);
    expect(shrinkDcacheMemory(machine, priority, GFP_KERNEL & ~__GFP_FS)).toBe(0);
    expect(nrUnusedDentries(machine)).toBe(60);
    shrinkDcacheMemory(machine, priority, GFP_KERNEL);
    expect([nrUnusedDentries(machine), nrUnusedInodes(machine)]).toEqual([want, 60 - want]);
    expect(machine.verify()).toEqual([]);
  });
}

test('[2.4 dentry/inode shrink] a dentry that was used again goes round once; then it goes', () => {
  const { machine } = world();
  files(machine, 6, 0);
  const inodes = [...machine.inodes.values()].filter(({ name }) => name.startsWith('/d'));
  putFile(machine, openInode(machine, inodes[0]!, true, false, false));
  // It is the youngest now, and marked; so all others go before it does.
  machine.vfs.dentries[1]!.remove(inodes[0]!.dentry!);
  const list = machine.vfs.dentries[1]!;
  const rest = [...Array(5).keys()].map(() => {
    const first = list.first!;
    list.remove(first);
    return first;
  });
  for (const dentry of [inodes[0]!.dentry!, ...rest]) list.add(dentry);
  expect(list.first).toBe(inodes[0]!.dentry);
  shrinkDcacheMemory(machine, 6, GFP_KERNEL);
  expect([inodes[0]!.dentry!.alive, inodes[0]!.dentry!.referenced, inodes[1]!.dentry!.alive]).toEqual([
    true,
    false,
    false,
  ]);
  expect(list.last).toBe(inodes[0]!.dentry);
  shrinkDcacheMemory(machine, 1, GFP_KERNEL);
  expect(inodes[0]!.dentry!.alive).toBe(false);
});

test('[2.4 dentry/inode shrink] inodes with pages are counted, and passed over; free slabs go at once', () => {
  const { machine, slab } = world();
  files(machine, 4, 2);
  files(machine, 40, 0);
  shrinkDcacheMemory(machine, 1, GFP_KERNEL);
  expect([nrUnusedInodes(machine), slab.cache('dentry_cache').slabs.length]).toEqual([44, 0]);
  expect(pruneIcache(machine, 5)).toBe(5);
  expect(nrUnusedInodes(machine)).toBe(39);
  const pages = shrinkIcacheMemory(machine, 1, GFP_KERNEL);
  expect([nrUnusedInodes(machine), slab.cache('inode_cache').active, pages]).toEqual([4, 4, 5]);
  expect(machine.verify()).toEqual([]);
});

test('what 2.4 has no cache for is counted and costs nothing', () => {
  const { machine, slab } = world();
  const free = machine.zones.reduce((sum, zone) => sum + zone.freePages, 0);
  for (let i = 0; i < 1000; i++) slab.alloc(machine, 'anon_vma', machine.rootMemcg, GFP_KERNEL);
  expect([slab.caches.anon_vma.active, machine.zones.reduce((sum, zone) => sum + zone.freePages, 0)]).toEqual([
    1000,
    free,
  ]);
  for (let i = 0; i < 1000; i++) slab.free(machine, 'anon_vma', machine.rootMemcg);
  expect([slab.caches.anon_vma.active, slab.isReclaimable(0 as Pfn)]).toEqual([0, false]);
});

test('what is wrong is said', () => {
  const s = world();
  const cache = s.slab.cache('filp');
  freeSlabs(s, cache, 1);
  const slab = cache.slabsFree.first!;
  slab.inuse = 2;
  cache.active = 1;
  cache.room = 7;
  s.machine.frames.clear(slab.pfn, 0xffffff);
  const said = s.slab.verify(s.machine).join('\n');
  for (const want of [
    'and on another list',
    'free objects, 2 of',
    'carries PG_slab',
    'active is 1, its slabs have 2',
    'room is 7',
  ])
    expect(said).toContain(want);
});
