/** The four types of pages on a machine of 2.4, and that reclaim does to each what its type says. */
import { expect, test } from 'vitest';
import { bread } from '../../src/mm/buffer.ts';
import { newBdevInode, openInode } from '../../src/mm/file.ts';
import { filemapGetPage, filemapRead, filemapWrite } from '../../src/mm/filemap.ts';
import type { File } from '../../src/mm/fs.ts';
import { GFP_KERNEL, GFP_USER } from '../../src/mm/gfp.ts';
import { kindOfPage } from '../../src/mm/kinds.ts';
import { Machine } from '../../src/mm/machine.ts';
import { allocPages } from '../../src/mm/page_alloc.ts';
import { PG_buddy, PG_locked, PG_reserved, PG_slab, PG_table } from '../../src/mm/page_flags.ts';
import { slab_2_4 } from '../../src/mm/slab_2_4.ts';
import { structPage } from '../../src/mm/struct_page_2_4.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from '../../src/mm/uapi.ts';
import { NO_PFN, type Pfn, type Pgoff, vpnOf } from '../../src/mm/units.ts';
import { frameAt } from '../../src/mm/who.ts';
import { System } from '../../src/syscalls/system.ts';

const A = 0x7000000;
const FIXED = MAP_ANONYMOUS | MAP_FIXED;

function world() {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: 16 * 2 ** 20 });
  const system = new System(machine);
  system.swapon({ bytes: 8 * 2 ** 20, device: 'disk' });
  const p = system.newProcess();
  system.paths.createFile('/x', 4 * 4096, 'disk');
  return { machine, system, p };
}
type World = ReturnType<typeof world>;

function mapped({ machine, system, p }: World, flags: number): Pfn {
  system.mmap(p, A, 4096, PROT_READ | PROT_WRITE, flags | FIXED, -1, 0);
  system.store(p, A, 1);
  return frameAt(machine, p.mm, vpnOf(A)) ?? NO_PFN;
}

function cachedFile({ machine }: World): File {
  const inode = [...machine.inodes.values()].find(({ name }) => name.includes('x'))!;
  const file = openInode(machine, inode, true, true, false);
  filemapRead(machine, file, 0, 4096, null);
  return file;
}

function frameWith({ machine }: World, flag: number, from = 0): Pfn {
  for (let pfn = from; pfn < machine.frames.frames; pfn++) if (machine.frames.has(pfn as Pfn, flag)) return pfn as Pfn;
  return NO_PFN;
}

for (const { why, of, kind } of [
  { why: 'free', of: (s: World) => frameWith(s, PG_buddy), kind: 'unreclaimable' },
  { why: 'reserved', of: (s: World) => frameWith(s, PG_reserved), kind: 'unreclaimable' },
  { why: "the kernel's own", of: (s: World) => allocPages(s.machine, GFP_KERNEL, 0), kind: 'unreclaimable' },
  {
    why: 'a page table',
    of: (s: World) => {
      mapped(s, MAP_PRIVATE);
      return frameWith(s, PG_table);
    },
    kind: 'unreclaimable',
  },
  {
    why: 'locked for I/O',
    of: (s: World) => {
      const pfn = filemapGetPage(s.machine, cachedFile(s).mapping, 0 as Pgoff);
      s.machine.frames.set(pfn, PG_locked);
      return pfn;
    },
    kind: 'unreclaimable',
  },
  {
    why: 'in a locked region, which no flag of the page says',
    of: (s: World) => {
      const pfn = mapped(s, MAP_PRIVATE);
      s.system.mlock(s.p, A, 4096);
      return pfn;
    },
    kind: 'unreclaimable',
  },
  { why: 'anonymous', of: (s: World) => mapped(s, MAP_PRIVATE), kind: 'swappable' },
  { why: 'shared memory', of: (s: World) => mapped(s, MAP_SHARED), kind: 'swappable' },
  {
    why: 'of a file',
    of: (s: World) => filemapGetPage(s.machine, cachedFile(s).mapping, 0 as Pgoff),
    kind: 'syncable',
  },
  {
    why: 'a buffer of a block device',
    of: (s: World) => bread(s.machine, newBdevInode(s.machine, s.machine.disk, 8), 3 as Pgoff),
    kind: 'syncable',
  },
  {
    why: 'a slab of dentries',
    of: (s: World) => {
      cachedFile(s);
      const dentries = slab_2_4(s.machine).cache('dentry_cache');
      return dentries.slabs[0]!;
    },
    kind: 'discardable',
  },
  {
    why: 'a slab of address spaces',
    of: (s: World) => slab_2_4(s.machine).cache('mm_struct').slabs[0]!,
    kind: 'unreclaimable',
  },
]) {
  test(`[2.4 four types of pages ([BC] table)] ${why}: ${kind}`, () => {
    const s = world();
    const pfn = of(s);
    expect([pfn >= 0, kindOfPage(s.machine, pfn).kind]).toEqual([true, kind]);
  });
}

test('[2.4 four types of pages ([BC] table)] under pressure anonymous pages are swapped, file pages written and dropped, dentries dropped', () => {
  const s = world();
  const { machine, system, p } = s;
  const anon = mapped(s, MAP_PRIVATE);
  const locked = A + 2 ** 20;
  system.mmap(p, locked, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | FIXED, -1, 0);
  system.store(p, locked, 3);
  system.mlock(p, locked, 4096);
  const file = cachedFile(s);
  filemapWrite(machine, file, 0, 4096, null);
  const written = machine.frames.token(filemapGetPage(machine, file.mapping, 0 as Pgoff));
  for (let i = 0; i < 200; i++) system.close(p, system.open(p, `/n${i}`, 0o102));
  const dentries = slab_2_4(machine).cache('dentry_cache').active;
  const used = machine.frames.frames;
  for (let i = 0; i < 12; i++) machine.reclaim.tryToFreePages(machine.nodes[0]!, 0, GFP_USER);
  machine.advance(1e9);
  for (let i = 0; i < 12; i++) machine.reclaim.tryToFreePages(machine.nodes[0]!, 0, GFP_USER);
  expect(used).toBe(4096);
  expect(frameAt(machine, p.mm, vpnOf(A))).toBe(null);
  expect(structPage(machine, anon).count).toBe(0);
  expect([filemapGetPage(machine, file.mapping, 0 as Pgoff), file.inode.disk[0]]).toEqual([NO_PFN, written]);
  expect(frameAt(machine, p.mm, vpnOf(locked))).not.toBe(null);
  expect(slab_2_4(machine).cache('dentry_cache').active).toBeLessThan(dentries);
  expect(frameWith(s, PG_slab)).toBeGreaterThan(0);
  expect(machine.verify()).toEqual([]);
});
