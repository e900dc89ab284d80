/**
 * Taking pages out of the cache on purpose: truncation, which must, and invalidation, which may.
 *
 * Owns      the walks; a page leaves the cache through filemap.ts.
 * Promises  1. After a truncation no page, shadow or mapping of the range is left, and the partial pages at its ends are zero there.
 *           2. Invalidation drops only what is clean, unmapped and unlocked, never waits, and leaves no shadow.
 * Linux     6.1 mm/truncate.c: truncate_inode_pages_range truncate_inode_folio truncate_cleanup_folio truncate_inode_partial_folio
 *           invalidate_mapping_pagevec mapping_evict_folio truncate_pagecache truncate_pagecache_range clear_shadow_entry;
 *           fs/drop_caches.c: drop_pagecache_sb drop_caches_sysctl_handler
 */
import { waitOnPageWriteback } from './block.ts';
import { dropBuffers } from './buffer.ts';
import {
  filemapGetPage,
  filemapReleaseFolio,
  filemapRemoveFolio,
  lockPage,
  removeMapping,
  trylockPage,
  unlockPage,
} from './filemap.ts';
import type { AddressSpace } from './fs.ts';
import { GFP_KERNEL } from './gfp.ts';
import type { Machine } from './machine.ts';
import { putPage } from './page_alloc.ts';
import { PG_dirty, PG_mappedtodisk, PG_private, PG_writeback } from './page_flags.ts';
import { shrinkSlab } from './slab.ts';
import { PAGE_SIZE, type Pfn, type Pgoff } from './units.ts';
import { DROP_PAGECACHE, DROP_SLAB } from './vmstat.ts';
import { cancelDirtyPage } from './writeback.ts';
import { XA_NONE, xaIsPage, xaToPfn } from './xarray.ts';
import { unmapMappingRange } from './zap.ts';

/** The end of any file. */
export const TO_THE_END: number = Number.MAX_SAFE_INTEGER;

// truncation

/** A locked page of which the caller has a reference goes, mapped, dirty or not. */
export function truncateInodeFolio(machine: Machine, mapping: AddressSpace, pfn: Pfn): void {
  const frames = machine.frames;
  if (frames.mapcount(pfn) > 0) {
    const index = frames.index(pfn);
    unmapMappingRange(machine, mapping, index, index + 1, false);
  }
  dropBuffers(machine, pfn);
  cancelDirtyPage(machine, pfn);
  frames.clear(pfn, PG_mappedtodisk);
  filemapRemoveFolio(machine, pfn);
}

/** Bytes [start, end] of a locked page become zero, as far as they lie in it. */
export function truncatePartialFolio(machine: Machine, pfn: Pfn, start: number, end: number): void {
  const frames = machine.frames;
  const pos = frames.index(pfn) * PAGE_SIZE;
  if (frames.has(pfn, PG_writeback)) waitOnPageWriteback(machine, pfn);
  const from = Math.max(0, start - pos);
  const to = Math.min(PAGE_SIZE, end + 1 - pos);
  frames.setToken(pfn, machine.contents.zeroed(machine, frames.token(pfn), from, to));
}

/** Takes bytes [start, end] of a disk file out of the cache. `end` may be TO_THE_END. */
export function truncateInodePagesRange(machine: Machine, mapping: AddressSpace, start: number, end: number): void {
  if (mapping.pages.empty()) return;
  const first = Math.ceil(start / PAGE_SIZE);
  const behind = end === TO_THE_END ? TO_THE_END : Math.floor((end + 1) / PAGE_SIZE);
  // What can be had without waiting goes first: the fewer pages are left to be written meanwhile.
  removePages(machine, mapping, first, behind, false);
  const firstPartial = Math.floor(start / PAGE_SIZE);
  const lastPartial = Math.floor(end / PAGE_SIZE);
  if (firstPartial < first) zeroPartial(machine, mapping, firstPartial, start, end);
  if (lastPartial >= behind && lastPartial !== firstPartial) zeroPartial(machine, mapping, lastPartial, start, end);
  removePages(machine, mapping, first, behind, true);
}

function removePages(machine: Machine, mapping: AddressSpace, first: number, behind: number, wait: boolean): void {
  const pages = mapping.pages;
  for (let at = pages.find(first, behind - 1); at >= 0; at = pages.find(at + 1, behind - 1)) {
    const entry = pages.load(at);
    if (!xaIsPage(entry)) {
      pages.replace(machine, at, XA_NONE);
      continue;
    }
    const pfn = xaToPfn(entry);
    if (!wait && machine.frames.has(pfn, PG_writeback)) continue;
    machine.frames.get(pfn);
    if (wait) lockPage(machine, pfn);
    if (wait || trylockPage(machine, pfn)) {
      if (machine.frames.has(pfn, PG_writeback)) waitOnPageWriteback(machine, pfn);
      truncateInodeFolio(machine, mapping, pfn);
      unlockPage(machine, pfn);
    }
    putPage(machine, pfn);
  }
}

function zeroPartial(machine: Machine, mapping: AddressSpace, index: number, start: number, end: number): void {
  const pfn = filemapGetPage(machine, mapping, index as Pgoff);
  if (pfn < 0) return;
  machine.frames.get(pfn);
  lockPage(machine, pfn);
  truncatePartialFolio(machine, pfn, start, end);
  unlockPage(machine, pfn);
  putPage(machine, pfn);
}

/** The file ends at `size` now: what lies behind goes from mappings and cache (truncate_pagecache). */
export function truncatePagecache(machine: Machine, mapping: AddressSpace, size: number): void {
  const hole = Math.ceil(size / PAGE_SIZE) as Pgoff;
  unmapMappingRange(machine, mapping, hole, TO_THE_END, true);
  truncateInodePagesRange(machine, mapping, size, TO_THE_END);
  // Private copies made while we waited for the disk.
  unmapMappingRange(machine, mapping, hole, TO_THE_END, true);
}

/** Bytes [start, end] become a hole: shared mappings and cache lose them, private copies stay (truncate_pagecache_range). */
export function truncatePagecacheRange(machine: Machine, mapping: AddressSpace, start: number, end: number): void {
  const first = Math.ceil(start / PAGE_SIZE) as Pgoff;
  const behind = Math.floor((end + 1) / PAGE_SIZE);
  if (behind > first) unmapMappingRange(machine, mapping, first, behind, false);
  truncateInodePagesRange(machine, mapping, start, end);
}

/**
 * A hole that ends inside page 0: Linux takes the whole pages in it to end before page 0, that is at the end of all pages, and
 * unmaps everything from the first whole page on.
 */
export function unmapBehindFirstPage(machine: Machine, mapping: AddressSpace, first: Pgoff): void {
  unmapMappingRange(machine, mapping, first, TO_THE_END, false);
}

// invalidation

/** Drops the clean, unused pages of [from, to], and all shadows; how many of both. What is busy moves to where reclaim looks first. */
export function invalidateMapping(machine: Machine, mapping: AddressSpace, from: Pgoff, to: number): number {
  const pages = mapping.pages;
  let dropped = 0;
  for (let at = pages.find(from, to); at >= 0; at = pages.find(at + 1, to)) {
    const entry = pages.load(at);
    if (!xaIsPage(entry)) {
      if (mapping.host.kind !== 'tmpfs') pages.replace(machine, at, XA_NONE);
      dropped += 1;
      continue;
    }
    const pfn = xaToPfn(entry);
    if (machine.frames.has(pfn, PG_writeback) || !trylockPage(machine, pfn)) continue;
    machine.frames.get(pfn);
    const gone = mappingEvictFolio(machine, pfn);
    unlockPage(machine, pfn);
    if (gone) dropped += 1;
    else machine.lru.deactivateFile(pfn);
    putPage(machine, pfn);
  }
  return dropped;
}

/** Of a locked page; the caller has a reference. */
function mappingEvictFolio(machine: Machine, pfn: Pfn): boolean {
  const frames = machine.frames;
  if (frames.has(pfn, PG_dirty | PG_writeback)) return false;
  // The cache's reference, the caller's, the buffers': any other means that somebody uses it.
  if (frames.refcount(pfn) > 2 + (frames.has(pfn, PG_private) ? 1 : 0)) return false;
  if (!filemapReleaseFolio(machine, pfn)) return false;
  removeMapping(machine, pfn, 0);
  putPage(machine, pfn);
  return true;
}

/** /proc/sys/vm/drop_caches: 1 clean page cache, 2 reclaimable slab, 3 both. */
export function dropCaches(machine: Machine, what: number): void {
  if ((what & 1) !== 0) {
    machine.lru.drain();
    for (const inode of machine.inodes.values()) {
      if (inode.mapping.nrpages > 0) invalidateMapping(machine, inode.mapping, 0 as Pgoff, TO_THE_END);
    }
    machine.events[DROP_PAGECACHE]! += 1;
  }
  if ((what & 2) !== 0) {
    dropSlab(machine);
    machine.events[DROP_SLAB]! += 1;
  }
}

/** All the shrinkers, for every node and cgroup, at full pressure, until little is freed. */
function dropSlab(machine: Machine): void {
  for (let round = 0; ; round++) {
    let freed = 0;
    for (const pgdat of machine.nodes) {
      for (let id = 1; id < machine.memcgs.length; id++) {
        freed += shrinkSlab(machine, GFP_KERNEL, pgdat.nid, machine.memcgs[id]!, 0);
      }
    }
    if (Math.floor(freed / 2 ** round) <= 1) return;
  }
}
