/**
 * Buffers: what a file system hangs on a cached page to know its block, and pages of a block device itself.
 *
 * Owns      PG_private of file pages, and the reference and the buffer_head that go with it.
 * Promises  1. A page has buffers once it was written to (write(2), page_mkwrite, a read inside a block) or came through bread.
 *           2. Buffers are charged to the cgroup of their page, and go with it.
 * Linux     6.1 fs/buffer.c: create_empty_buffers try_to_free_buffers drop_buffers grow_dev_page __getblk_gfp __bread_gfp;
 *           fs/ext4/inode.c: ext4_da_write_begin ext4_release_folio
 *
 * Blocks are as large as pages, so a page has one buffer.
 */
import { isHole, waitOnPageLocked } from './block.ts';
import { filemapAllocAndAdd, filemapGetPage, lockPage, unlockPage } from './filemap.ts';
import type { AddressSpace, Inode } from './fs.ts';
import { __GFP_ACCOUNT, __GFP_FS, __GFP_NOFAIL, GFP_NOFS } from './gfp.ts';
import type { Machine } from './machine.ts';
import { memcgOfPage } from './memcg.ts';
import { putPage } from './page_alloc.ts';
import { PG_dirty, PG_private, PG_uptodate, PG_writeback } from './page_flags.ts';
import { readFolio } from './readahead.ts';
import { NO_PFN, type Pfn, type Pgoff } from './units.ts';

/** Of a locked page. */
export function createEmptyBuffers(machine: Machine, pfn: Pfn): void {
  const frames = machine.frames;
  if (frames.has(pfn, PG_private)) return;
  machine.slab.alloc(machine, 'buffer_head', memcgOfPage(machine, pfn), GFP_NOFS | __GFP_ACCOUNT | __GFP_NOFAIL);
  frames.get(pfn);
  frames.set(pfn, PG_private);
}

/** False if a buffer is dirty or being written. */
export function tryToFreeBuffers(machine: Machine, pfn: Pfn): boolean {
  if (machine.frames.has(pfn, PG_dirty | PG_writeback)) return false;
  dropBuffers(machine, pfn);
  return true;
}

/** The page is being truncated: what its buffers say does not matter any more. */
export function dropBuffers(machine: Machine, pfn: Pfn): void {
  if (!machine.frames.has(pfn, PG_private)) return;
  machine.pageHooks?.onDropBuffers(pfn);
  machine.frames.clear(pfn, PG_private);
  machine.slab.free(machine, 'buffer_head', memcgOfPage(machine, pfn));
  putPage(machine, pfn);
}

/** A write of part of this page needs the rest from the device. */
export function needsReadForWrite(mapping: AddressSpace, index: Pgoff): boolean {
  return !isHole(mapping.host, index);
}

/** The page of a block device that holds `block`, read, without a reference: how file systems read their metadata. NO_PFN: no memory. */
export function bread(machine: Machine, bdev: Inode, block: Pgoff): Pfn {
  const frames = machine.frames;
  const mapping = bdev.mapping;
  let pfn = filemapGetPage(machine, mapping, block);
  if (pfn >= 0) {
    frames.get(pfn);
    lockPage(machine, pfn);
  } else {
    const gfp = (mapping.gfpMask & ~__GFP_FS) | __GFP_NOFAIL;
    pfn = filemapAllocAndAdd(machine, mapping, block, gfp, gfp);
    if (pfn < 0) return NO_PFN;
  }
  createEmptyBuffers(machine, pfn);
  if (frames.has(pfn, PG_uptodate)) {
    unlockPage(machine, pfn);
  } else {
    readFolio(machine, mapping, pfn);
    waitOnPageLocked(machine, pfn);
  }
  machine.lru.markAccessed(pfn);
  putPage(machine, pfn);
  return pfn;
}
