/**
 * The page cache of 2.4: hash table, lists of each mapping, and the order in which fsync writes.
 *
 * Owns      PageHash and MappingLists, and when a page moves in them.
 * Promises  1. Just the pages of the page cache and of the swap cache are in the table, under their mapping and index; what is in
 *              the swap cache belongs to swapper_space, number 0.
 *           2. A page enters clean_pages; set_page_dirty puts it on dirty_pages, from whichever list it was on.
 *           3. A page of a file that set_page_dirty was called for, and that was not written since, is on dirty_pages.
 * Linux     2.4.19 mm/filemap.c: __add_to_page_cache __remove_inode_page set_page_dirty filemap_fdatasync filemap_fdatawait;
 *           mm/swap_state.c: swapper_space; fs/buffer.c: __block_commit_write
 *
 * DIFFERS: neighbours that stand next to each other on dirty_pages are written as one request at once; 2.4 starts them one by
 *          one, and its elevator joins them.
 */
import { waitOnPageWriteback } from './block.ts';
import { BufferStates } from './buffer_state_2_4.ts';
import type { AddressSpace } from './fs.ts';
import type { Machine } from './machine.ts';
import { CLEAN_PAGES, DIRTY_PAGES, LOCKED_PAGES, MappingLists } from './mapping_lists.ts';
import { putPage } from './page_alloc.ts';
import { PG_dirty, PG_swapcache } from './page_flags.ts';
import { PageHash } from './page_hash.ts';
import type { PageHooks } from './parts.ts';
import { NO_PFN, type Pfn, type Pgoff } from './units.ts';
import { folioMarkDirty, writePages } from './writeback.ts';
import { xaIsPage, xaToPfn } from './xarray.ts';

/** swapper_space, where mappings have numbers. */
export const SWAPPER_SPACE = 0;

export class PageCache_2_4 implements PageHooks {
  readonly hash: PageHash;
  readonly lists: MappingLists;
  readonly buffers: BufferStates;
  private readonly machine: Machine;
  /** Told of each page that the kernel copies to or from, or a device: highmem_2_4.ts. */
  private readonly highmem: Pick<PageHooks, 'onCopy' | 'onIoStart' | 'onIoEnd'>;
  /** swapper_space.nrpages. */
  swapcachePages = 0;

  constructor(machine: Machine, highmem: Pick<PageHooks, 'onCopy' | 'onIoStart' | 'onIoEnd'>) {
    this.machine = machine;
    this.highmem = highmem;
    this.hash = new PageHash(machine.frames.frames);
    this.lists = new MappingLists(machine.frames.frames);
    this.buffers = new BufferStates(machine.frames);
  }

  /** page_cache_size: swap cache and block devices included. */
  get size(): number {
    return this.hash.size;
  }

  onInsert(pfn: Pfn, mappingId: number, index: number): void {
    // tmpfs: on its way from the file to the swap cache, or back.
    if (this.hash.has(pfn)) this.takeOut(pfn);
    this.hash.add(pfn, mappingId, index);
    this.lists.add(pfn, mappingId, CLEAN_PAGES);
    if (mappingId === SWAPPER_SPACE) this.swapcachePages += 1;
  }

  onRemove(pfn: Pfn, mappingId: number, index: number): void {
    if (this.hash.isAt(pfn, mappingId, index)) this.takeOut(pfn);
  }

  onFind(mappingId: number, index: number): void {
    this.hash.find(mappingId, index);
  }

  onSetPageDirty(pfn: Pfn): void {
    this.buffers.setPageDirty(pfn);
    const mappingId = this.hash.mappingOf(pfn);
    if (mappingId >= 0 && this.lists.listOf(pfn) !== DIRTY_PAGES) this.lists.move(pfn, mappingId, DIRTY_PAGES);
  }

  /** Not a matter of the mapping's lists: the buffer is on those of buffers. */
  onMarkBufferDirty(pfn: Pfn): void {
    this.buffers.markBufferDirty(pfn);
  }

  onStartWrite(pfn: Pfn): void {
    this.buffers.startWrite(pfn);
  }

  onDropBuffers(pfn: Pfn): void {
    this.buffers.drop(pfn);
  }

  onCopy(pfn: Pfn): void {
    this.highmem.onCopy(pfn);
  }

  onIoStart(pfn: Pfn): void {
    this.highmem.onIoStart(pfn);
  }

  onIoEnd(pfn: Pfn): void {
    this.highmem.onIoEnd(pfn);
  }

  fsync(mapping: AddressSpace): void {
    filemapFdatasync(this.machine, this, mapping);
    filemapFdatawait(this.machine, this, mapping);
  }

  private takeOut(pfn: Pfn): void {
    if (this.hash.mappingOf(pfn) === SWAPPER_SPACE) this.swapcachePages -= 1;
    this.hash.remove(pfn);
    this.lists.del(pfn);
  }

  verify(): string[] {
    const { frames } = this.machine;
    const wrong: string[] = [];
    const found = new Map<Pfn, string>();
    wrong.push(
      ...this.hash.verify((pfn, mappingId, index) => {
        if (found.has(pfn)) wrong.push(`frame ${pfn}: is in the page hash twice`);
        found.set(pfn, `${mappingId} ${index}`);
        if (this.lists.listOf(pfn) < 0) wrong.push(`frame ${pfn}: is in the page hash and on no list of its mapping`);
      }),
    );
    const expected = this.expected();
    for (const [pfn, key] of expected) {
      if (found.get(pfn) !== key) wrong.push(`frame ${pfn}: is cached as ${key}, the page hash has ${found.get(pfn)}`);
    }
    for (const pfn of found.keys())
      if (!expected.has(pfn)) wrong.push(`frame ${pfn}: is in the page hash and in no cache`);
    let swapcache = 0;
    for (let id = 0; id < this.machine.mappings.length; id++) {
      for (const list of [CLEAN_PAGES, DIRTY_PAGES, LOCKED_PAGES]) {
        for (const pfn of this.lists.pages(id, list)) {
          if (id === SWAPPER_SPACE) swapcache += 1;
          if (this.hash.mappingOf(pfn) !== id) wrong.push(`frame ${pfn}: is on a list of mapping ${id}`);
          const dirty = id !== SWAPPER_SPACE && frames.has(pfn, PG_dirty) && this.buffers.pageDirty(pfn);
          if (dirty && list !== DIRTY_PAGES) wrong.push(`frame ${pfn}: PageDirty, and not on dirty_pages`);
        }
      }
    }
    if (swapcache !== this.swapcachePages)
      wrong.push(`swapper_space.nrpages is ${this.swapcachePages}, its lists have ${swapcache}`);
    return wrong;
  }

  /** What is in the caches, from the XArrays and the flags alone. */
  private expected(): Map<Pfn, string> {
    const { frames } = this.machine;
    const pages = new Map<Pfn, string>();
    for (let n = 0; n < frames.frames; n++) {
      const pfn = n as Pfn;
      if (frames.has(pfn, PG_swapcache)) pages.set(pfn, `${SWAPPER_SPACE} ${frames.private_(pfn)}`);
    }
    for (const { mapping } of this.machine.inodes.values()) {
      const last = Number.MAX_SAFE_INTEGER;
      for (let at = mapping.pages.find(0, last); at >= 0; at = mapping.pages.find(at + 1, last)) {
        const entry = mapping.pages.load(at);
        if (xaIsPage(entry)) pages.set(xaToPfn(entry), `${mapping.id} ${at}`);
      }
    }
    return pages;
  }
}

/** set_page_dirty: the bit, the mapping's dirty list, and the inode is dirty. Any page of a cache. */
export function setPageDirty(machine: Machine, pfn: Pfn): void {
  folioMarkDirty(machine, pfn);
}

/** Starts to write what is on dirty_pages: from the tail, what became dirty first. */
export function filemapFdatasync(machine: Machine, cache: PageCache_2_4, mapping: AddressSpace): void {
  const { lists, buffers } = cache;
  let first = -1;
  let last = -1;
  for (;;) {
    const pfn = lists.last(mapping.id, DIRTY_PAGES);
    const index = pfn === NO_PFN ? -1 : machine.frames.index(pfn);
    const joins = first >= 0 && index === last + 1;
    if (first >= 0 && !joins) writePages(machine, mapping, first as Pgoff, last, Number.POSITIVE_INFINITY, true);
    if (pfn === NO_PFN) return;
    // To write took time, and the page may have gone.
    if (!joins) {
      first = -1;
      if (lists.last(mapping.id, DIRTY_PAGES) !== pfn) continue;
    }
    lists.move(pfn, mapping.id, LOCKED_PAGES);
    if (!buffers.pageDirty(pfn)) {
      if (joins) writePages(machine, mapping, first as Pgoff, last, Number.POSITIVE_INFINITY, true);
      first = -1;
      continue;
    }
    if (!joins) first = index;
    last = index;
  }
}

/** Waits for what is on locked_pages; it is clean then. */
export function filemapFdatawait(machine: Machine, cache: PageCache_2_4, mapping: AddressSpace): void {
  const { lists } = cache;
  for (;;) {
    const pfn = lists.last(mapping.id, LOCKED_PAGES);
    if (pfn === NO_PFN) return;
    lists.move(pfn, mapping.id, CLEAN_PAGES);
    machine.frames.get(pfn);
    waitOnPageWriteback(machine, pfn);
    putPage(machine, pfn);
  }
}
