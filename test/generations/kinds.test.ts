/**
 * The four kinds of pages that page frame reclaim knows (Bovet and Cesati, table 17-1; both old texts have it), on every kernel: each
 * kind is made, the machine is squeezed until nothing more comes, and then one looks at what became of the page.
 */
import { describe, expect, test } from 'vitest';
import { newBdevInode, openInode } from '../../src/mm/file.ts';
import { filemapGetPage, filemapRead, filemapWrite } from '../../src/mm/filemap.ts';
import type { File } from '../../src/mm/fs.ts';
import { GENERATIONS } from '../../src/mm/generations/index.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../src/mm/gfp.ts';
import { readToken } from '../../src/mm/memory.ts';
import { doMlock } from '../../src/mm/mlock.ts';
import { allocPages, nrFreePages, putPage } from '../../src/mm/page_alloc.ts';
import { PG_locked, PG_lru, PG_reserved } from '../../src/mm/page_flags.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_READ } from '../../src/mm/uapi.ts';
import { NO_PFN, type Pfn, type Pgoff } from '../../src/mm/units.ts';
import { PSWPIN, PSWPOUT } from '../../src/mm/vmstat.ts';
import { PAGE, RW, Space } from '../space.ts';

const PAGES = 512;
/** The last few pages of a list are not always scanned: kernels give up zones that seem to have nothing. */
const FEW: number = PAGES / 8;
/** Dentries that nobody uses. */
const UNUSED = 4000;
/** Rounds without a page after which nothing more is to be had. */
const PATIENCE = 24;

/** Direct reclaim, over and over, with time for its I/O between, until free memory grows no more: old kernels only say that they tried. */
function squeeze({ machine }: Space): void {
  let most = nrFreePages(machine);
  for (let vain = 0; vain < PATIENCE; vain++) {
    machine.reclaim.tryToFreePages(machine.nodes[0]!, 0, GFP_HIGHUSER_MOVABLE);
    // Less than ten seconds in vain: then somebody would be killed on 2.4, though there is swap.
    machine.advance(300_000_000);
    const free = nrFreePages(machine);
    if (free > most) vain = 0;
    most = Math.max(most, free);
  }
}

function cached(file: File, index: number, { machine }: Space): Pfn {
  return filemapGetPage(machine, file.mapping, index as Pgoff);
}

function resident(space: Space, file: File): number {
  let pages = 0;
  for (let index = 0; index < PAGES; index++) if (cached(file, index, space) !== NO_PFN) pages += 1;
  return pages;
}

function readAll(space: Space, file: File): void {
  for (let index = 0; index < PAGES; index++) filemapRead(space.machine, file, index * 4096, 4096, null);
  space.machine.lru.drain();
}

for (const { version, family } of GENERATIONS) {
  const row = family === 'linux-2.4' ? '[2.4 four types of pages ([BC] table)] ' : '';
  const newSpace = (): Space => new Space({ kernel: version, swap: 'disk', ramBytes: 16 * 2 ** 20 });

  describe(`${version}: what reclaim does with each kind of page`, () => {
    test(`${row}unreclaimable: free pages are on no list, and stay free`, () => {
      const s = newSpace();
      const { machine } = s;
      const free = nrFreePages(machine);
      squeeze(s);
      expect(nrFreePages(machine)).toBeGreaterThanOrEqual(free);
      const pfn = allocPages(machine, GFP_KERNEL, 0);
      expect(machine.frames.has(pfn, PG_lru)).toBe(false);
      putPage(machine, pfn);
      expect([machine.frames.has(pfn, PG_lru), machine.verify()]).toEqual([false, []]);
    });

    test(`${row}unreclaimable: reserved pages (PG_reserved)`, () => {
      const s = newSpace();
      const { frames } = s.machine;
      const reserved = (): number => {
        let pages = 0;
        for (let pfn = 0; pfn < frames.frames; pfn++) if (frames.has(pfn as Pfn, PG_reserved)) pages += 1;
        return pages;
      };
      const before = reserved();
      squeeze(s);
      expect([before > 0, reserved()]).toEqual([true, before]);
    });

    test(`${row}unreclaimable: what the kernel has allocated for itself`, () => {
      const s = newSpace();
      const { machine } = s;
      const pfn = allocPages(machine, GFP_KERNEL, 0);
      squeeze(s);
      expect([machine.frames.refcount(pfn), machine.frames.has(pfn, PG_lru)]).toEqual([1, false]);
      putPage(machine, pfn);
    });

    test(`${row}unreclaimable: kernel mode stacks`, () => {
      const s = newSpace();
      const stack = [...s.task.stack];
      squeeze(s);
      expect(stack.length).toBeGreaterThan(0);
      expect([...s.task.stack]).toEqual(stack);
      expect(stack.map((pfn) => s.machine.frames.refcount(pfn))).toEqual(stack.map(() => 1));
    });

    test(`${row}unreclaimable: a page that is locked (PG_locked), and only as long as it is`, () => {
      const s = newSpace();
      const { frames } = s.machine;
      const file = s.file('disk', PAGES);
      readAll(s, file);
      const pfn = cached(file, 5, s);
      frames.set(pfn, PG_locked);
      squeeze(s);
      expect([resident(s, file) < FEW, cached(file, 5, s)]).toEqual([true, pfn]);
      frames.clear(pfn, PG_locked);
      // Others behind it, so that there is something to scan for.
      readAll(s, s.file('disk', PAGES));
      squeeze(s);
      expect(cached(file, 5, s)).toBe(NO_PFN);
    });

    test(`${row}unreclaimable: pages of a locked region (VM_LOCKED)`, () => {
      const s = newSpace();
      s.map(0, PAGES);
      expect(doMlock(s.machine, s.mm, PAGE * 4096, PAGES * 4096, false)).toBe(0);
      s.storeAll(0, PAGES);
      const before = Array.from({ length: PAGES }, (_, page) => s.pfn(page));
      squeeze(s);
      expect(Array.from({ length: PAGES }, (_, page) => s.pfn(page))).toEqual(before);
    });

    test(`${row}swappable: anonymous pages go to a swap area, and come back with what they held`, () => {
      const s = newSpace();
      s.map(0, PAGES);
      s.storeAll(0, PAGES);
      const tokens = Array.from({ length: PAGES }, (_, page) => readToken(s.machine, s.mm, s.vpn(page)));
      squeeze(s);
      const left = Array.from({ length: PAGES }, (_, page) => s.pfn(page)).filter((pfn) => pfn !== NO_PFN);
      expect(left.length).toBeLessThan(FEW);
      expect(s.event(PSWPOUT)).toBeGreaterThan(PAGES - FEW);
      s.loadAll(0, PAGES);
      expect(s.event(PSWPIN)).toBeGreaterThan(0);
      expect(Array.from({ length: PAGES }, (_, page) => readToken(s.machine, s.mm, s.vpn(page)))).toEqual(tokens);
      expect(s.machine.verify()).toEqual([]);
    });

    test(`${row}swappable: pages of tmpfs and shared memory`, () => {
      const s = newSpace();
      const file = s.file('tmpfs', PAGES);
      s.map(0, PAGES, MAP_SHARED, RW, file);
      s.storeAll(0, PAGES);
      const tokens = Array.from({ length: PAGES }, (_, page) => readToken(s.machine, s.mm, s.vpn(page)));
      squeeze(s);
      expect([resident(s, file) < FEW, s.event(PSWPOUT) > PAGES - FEW]).toEqual([true, true]);
      s.loadAll(0, PAGES);
      expect(Array.from({ length: PAGES }, (_, page) => readToken(s.machine, s.mm, s.vpn(page)))).toEqual(tokens);
      expect(s.machine.verify()).toEqual([]);
    });

    test(`${row}syncable: mapped pages of a file are written if they are dirty, and dropped`, () => {
      const s = newSpace();
      const file = s.file('disk', PAGES);
      s.map(0, PAGES, MAP_SHARED, RW, file);
      s.storeAll(0, PAGES / 2);
      s.loadAll(PAGES / 2, PAGES / 2);
      const tokens = Array.from({ length: PAGES }, (_, page) => readToken(s.machine, s.mm, s.vpn(page)));
      s.machine.lru.drain();
      squeeze(s);
      expect([resident(s, file) < FEW, s.event(PSWPOUT)]).toEqual([true, 0]);
      s.loadAll(0, PAGES);
      expect(Array.from({ length: PAGES }, (_, page) => readToken(s.machine, s.mm, s.vpn(page)))).toEqual(tokens);
      expect(s.machine.verify()).toEqual([]);
    });

    test(`${row}syncable: pages of the page cache that write(2) has dirtied`, () => {
      const s = newSpace();
      const file = s.file('disk', PAGES);
      const tokens = Array.from({ length: PAGES }, (_, index) => {
        const token = s.machine.newToken();
        expect(filemapWrite(s.machine, file, index * 4096, 4096, { page: () => token })).toBe(4096);
        return token;
      });
      s.machine.lru.drain();
      squeeze(s);
      expect(resident(s, file)).toBeLessThan(FEW);
      s.map(0, PAGES, MAP_PRIVATE, PROT_READ, file);
      s.loadAll(0, PAGES);
      expect(Array.from({ length: PAGES }, (_, page) => readToken(s.machine, s.mm, s.vpn(page)))).toEqual(tokens);
    });

    test(`${row}syncable: buffers of a block device`, () => {
      const s = newSpace();
      const inode = newBdevInode(s.machine, s.machine.disk, PAGES);
      const file = openInode(s.machine, inode, true, false, false);
      readAll(s, file);
      const before = resident(s, file);
      squeeze(s);
      expect([before, resident(s, file) < FEW]).toEqual([PAGES, true]);
    });

    test(`${row}discardable: unused dentries and inodes, and the slabs that they leave empty`, () => {
      const s = newSpace();
      const { machine } = s;
      const { vfs } = machine;
      const { dentry } = machine.slab.caches;
      const before = dentry.active;
      for (let i = 0; i < UNUSED; i++) {
        const object = vfs.create(machine, 'dentry', s.memcg, GFP_KERNEL, null, null);
        if (object !== null) vfs.put(object);
      }
      expect(dentry.active).toBe(before + UNUSED);
      // Shrinkers have their share of what is scanned.
      for (let i = 0; i < 16 && dentry.active > before + UNUSED / 2; i++) {
        readAll(s, s.file('disk', PAGES));
        squeeze(s);
      }
      expect(dentry.active).toBeLessThanOrEqual(before + UNUSED / 2);
    });
  });
}
