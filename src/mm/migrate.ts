/**
 * Moving pages: the same content, owner and users, in another frame.
 *
 *     entry ──► frame 700                  entry = migration(700, w)              entry ──► frame 9000
 *     frame 700: mapcount 1        ──►     frame 700: mapcount 0          ──►     frame 9000: mapcount 1
 *     cache slot ──► frame 700             frame 700: held by us alone            cache slot ──► frame 9000, frame 700 is free
 *        unmap, through the reverse map       copy, replace in the cache             remove_migration_ptes, through it again
 *
 * Owns      migration entries in page tables, from unmapping to remapping: none is left when a call of the machine returns.
 * Promises  1. A page moves only when every reference is known: ours, the cache's, the buffers'. Else it stays what it was.
 *           2. Entries get back what they may do; they are old, and what they knew of stores is known to the page.
 *           3. An anonymous page in the swap cache moves, but its entries become swap entries: the next fault finds the new frame.
 * Linux     3.16 mm/migrate.c: migrate_pages unmap_and_move __unmap_and_move move_to_new_page migrate_page_move_mapping
 *           migrate_page_copy remove_migration_pte putback_movable_pages; mm/rmap.c: try_to_unmap_one (TTU_MIGRATION);
 *           include/linux/swapops.h: make_migration_entry
 *
 * DIFFERS: locks on buffers are not modelled; a page with buffers moves with them (buffer_migrate_page).
 */
import { waitOnPageLocked, waitOnPageWriteback } from './block.ts';
import { ENOMEM } from './errno.ts';
import { pageMapping } from './filemap.ts';
import { isLarge } from './folio.ts';
import { ksmMigratePage } from './ksm_page.ts';
import type { Machine } from './machine.ts';
import { modPageState } from './memcg.ts';
import { MM_ANONPAGES, MM_SWAPENTS } from './mm.ts';
import { mmlistAdd } from './mmlist.ts';
import { compoundHead, putPage } from './page_alloc.ts';
import {
  PG_active,
  PG_anon_exclusive,
  PG_dirty,
  PG_error,
  PG_locked,
  PG_lru,
  PG_mappedtodisk,
  PG_mlocked,
  PG_private,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
  PG_uptodate,
  PG_workingset,
  PG_writeback,
  PG_young,
} from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_MIGRATION, PTE_MIGRATION_WRITE, PTE_RW } from './page_table.ts';
import { lockAndSplitFolio } from './split_folio.ts';
import { swapDuplicate } from './swap/swapfile.ts';
import { NO_PFN, type Pfn, type SwapEntry, swpOffset, type Vpn } from './units.ts';
import { VM_WRITE } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import {
  NR_FILE_DIRTY,
  NR_FILE_PAGES,
  NR_MLOCK,
  NR_SHMEM,
  NR_SWAPCACHE,
  PGMIGRATE_FAIL,
  PGMIGRATE_SUCCESS,
} from './vmstat.ts';
import { folioMarkDirty } from './writeback.ts';
import { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_TOWRITE, xaPage } from './xarray.ts';

/** Waits for nothing; waits for locks; waits for writeback, too. */
export const MIGRATE_ASYNC = 0;
export const MIGRATE_SYNC_LIGHT = 1;
export const MIGRATE_SYNC = 2;
export type MigrateMode = number;

const MIGRATE_PASSES = 10;
/** From this pass on, a locked page is waited for. */
const FIRST_FORCED_PASS = 3;

const MOVED = 0;
const AGAIN = 1;
const FAILED = 2;

/** Where pages go. */
export interface MigrateTarget {
  /** A frame with one reference; NO_PFN ends the migration. */
  alloc(page: Pfn): Pfn;
  /** Was not needed after all. */
  free(page: Pfn): void;
}

/** What a new frame takes over. */
const COPIED =
  PG_error |
  PG_referenced |
  PG_uptodate |
  PG_active |
  PG_workingset |
  PG_mappedtodisk |
  PG_swapbacked |
  PG_unevictable |
  PG_anon_exclusive |
  PG_young;

/**
 * Moves isolated pages; those that moved, and those that never will, leave the list and go back to the LRU. Returns how many
 * did not move, or -ENOMEM if there was nowhere to go; the list then holds the rest (putbackMovablePages).
 */
export function migratePages(machine: Machine, pages: Pfn[], target: MigrateTarget, mode: MigrateMode): number {
  let failed = 0;
  let moved = 0;
  let retry = 1;
  let full = false;
  for (let pass = 0; pass < MIGRATE_PASSES && retry > 0 && !full; pass++) {
    retry = 0;
    for (let i = 0; i < pages.length; ) {
      const outcome = unmapAndMove(machine, pages[i]!, target, pass >= FIRST_FORCED_PASS, mode);
      if (outcome === AGAIN) {
        retry += 1;
        i += 1;
        continue;
      }
      if (outcome === -ENOMEM) {
        failed += 1;
        full = true;
        break;
      }
      pages.splice(i, 1);
      if (outcome === MOVED) moved += 1;
      else failed += 1;
    }
  }
  machine.events[PGMIGRATE_SUCCESS]! += moved;
  machine.events[PGMIGRATE_FAIL]! += failed;
  return full ? -ENOMEM : failed + retry;
}

/** Gives isolated pages back to the LRU. */
export function putbackMovablePages(machine: Machine, pages: Pfn[]): void {
  for (const pfn of pages) machine.lru.putback(pfn);
  pages.length = 0;
}

function unmapAndMove(machine: Machine, page: Pfn, target: MigrateTarget, force: boolean, mode: MigrateMode): number {
  const { frames, lru } = machine;
  const fresh = target.alloc(page);
  if (fresh === NO_PFN) return -ENOMEM;
  let outcome = FAILED;
  if (frames.refcount(page) === 1) {
    // Whoever had it has freed it meanwhile.
    target.free(fresh);
    lru.putback(page);
    return MOVED;
  }
  if (!isLarge(machine, page) || lockAndSplitFolio(machine, page) === 0) {
    outcome = moveLocked(machine, page, fresh, force, mode);
  }
  if (outcome === MOVED) {
    lru.putback(fresh);
    putPage(machine, page);
  } else {
    target.free(fresh);
    if (outcome === FAILED) lru.putback(page);
  }
  return outcome;
}

function moveLocked(machine: Machine, page: Pfn, fresh: Pfn, force: boolean, mode: MigrateMode): number {
  const { frames } = machine;
  if (frames.has(page, PG_locked)) {
    // Who frees memory may hold the lock of another page himself.
    if (!force || mode === MIGRATE_ASYNC || machine.current.memalloc) return AGAIN;
    waitOnPageLocked(machine, page);
  }
  frames.set(page, PG_locked);
  if (frames.has(page, PG_writeback)) {
    if (mode !== MIGRATE_SYNC || !force) {
      frames.clear(page, PG_locked);
      return mode !== MIGRATE_SYNC ? FAILED : AGAIN;
    }
    waitOnPageWriteback(machine, page);
  }
  const outcome = unmapCopyRemap(machine, page, fresh);
  frames.clear(page, PG_locked);
  return outcome;
}

function unmapCopyRemap(machine: Machine, page: Pfn, fresh: Pfn): number {
  const { frames } = machine;
  if (frames.mapping(page) === 0 && !frames.has(page, PG_swapcache)) return AGAIN;
  const mapped = frames.mapcount(page) > 0;
  if (mapped) setMigrationEntries(machine, page);
  if (frames.mapcount(page) > 0 || !allReferencesKnown(machine, page)) {
    if (mapped) removeMigrationPtes(machine, page, page);
    return AGAIN;
  }
  moveMapping(machine, page, fresh);
  migratePageCopy(machine, page, fresh);
  if (mapped) removeMigrationPtes(machine, page, fresh);
  frames.setMapping(page, 0);
  return MOVED;
}

/** Ours, the page cache's or swap cache's, the buffers'. */
function allReferencesKnown(machine: Machine, page: Pfn): boolean {
  const { frames } = machine;
  const cached = pageMapping(machine, page) !== null || frames.has(page, PG_swapcache);
  return frames.refcount(page) === 1 + (cached ? 1 : 0) + (frames.has(page, PG_private) ? 1 : 0);
}

// entries

/** Every entry that maps the page says instead where it will be. */
function setMigrationEntries(machine: Machine, page: Pfn): void {
  const { frames, pageTables } = machine;
  machine.rmap.walk(page, (vma, vpn) => {
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.pfn(slot) !== page) return true;
    const write = pageTables.has(slot, PTE_RW);
    if (pageTables.has(slot, PTE_DIRTY)) folioMarkDirty(machine, page);
    if (frames.isAnon(page) && frames.has(page, PG_swapcache)) {
      const entry = frames.private_(page) as SwapEntry;
      if (swapDuplicate(machine, entry) < 0) return false;
      pageTables.setSwap(slot, entry, frames.testAndClear(page, PG_anon_exclusive));
      vma.vmMm.rss[MM_ANONPAGES]! -= 1;
      vma.vmMm.rss[MM_SWAPENTS]! += 1;
      mmlistAdd(machine, vma.vmMm, null);
    } else {
      pageTables.setMigration(slot, page, write);
    }
    const exclusive = frames.has(page, PG_anon_exclusive);
    machine.rmap.remove(page, vma);
    if (exclusive) frames.set(page, PG_anon_exclusive);
    putPage(machine, page);
    return frames.mapcount(page) > 0;
  });
}

/** The way back: entries that wait for `old` map `fresh`. */
export function removeMigrationPtes(machine: Machine, old: Pfn, fresh: Pfn): void {
  machine.rmap.walk(fresh, (vma, vpn) => {
    removeMigrationPte(machine, vma, vpn, old, fresh);
    return true;
  });
}

function removeMigrationPte(machine: Machine, vma: Vma, vpn: Vpn, old: Pfn, fresh: Pfn): void {
  const { frames, pageTables } = machine;
  const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (slot === NO_SLOT || !pageTables.has(slot, PTE_MIGRATION) || pageTables.pfn(slot) !== old) return;
  const write = pageTables.has(slot, PTE_MIGRATION_WRITE) && (vma.vmFlags & VM_WRITE) !== 0;
  frames.get(fresh);
  const mapping = frames.mapping(fresh);
  const index = frames.index(fresh);
  if (frames.isAnon(fresh)) machine.rmap.addAnon(fresh, vma, vpn, false);
  else machine.rmap.addFile(fresh, vma);
  frames.setMapping(fresh, mapping);
  frames.setIndex(fresh, index);
  pageTables.setPresent(slot, fresh, vma.vmPageProt | (write ? PTE_RW : 0));
}

// the page itself

/** The new frame is the owner's from now on: page cache, swap cache, stable node, cgroup. */
function moveMapping(machine: Machine, page: Pfn, fresh: Pfn): void {
  const { frames } = machine;
  const mapping = pageMapping(machine, page);
  const shmem = frames.has(page, PG_swapbacked);
  const swapcache = frames.has(page, PG_swapcache);
  if (mapping !== null) countCached(machine, page, shmem, -1);
  if (swapcache) countSwapCached(machine, page, -1);
  frames.setMapping(fresh, frames.mapping(page));
  frames.setIndex(fresh, frames.index(page));
  frames.setMemcg(fresh, frames.memcg(page));
  frames.setMemcg(page, 0);
  if (mapping !== null) {
    const { pages } = mapping;
    const index = frames.index(page);
    const dirty = pages.getMark(index, PAGECACHE_TAG_DIRTY);
    const toWrite = pages.getMark(index, PAGECACHE_TAG_TOWRITE);
    pages.replace(machine, index, xaPage(fresh));
    if (dirty) pages.setMark(index, PAGECACHE_TAG_DIRTY);
    if (toWrite) pages.setMark(index, PAGECACHE_TAG_TOWRITE);
    countCached(machine, fresh, shmem, 1);
    moveDirty(machine, page, fresh, shmem);
    frames.get(fresh);
    frames.putTestzero(page);
  }
  if (swapcache) {
    const entry = frames.private_(page) as SwapEntry;
    frames.clear(page, PG_swapcache);
    frames.setPrivate(page, 0);
    machine.swap.areaOf(entry).setCached(swpOffset(entry), fresh);
    frames.set(fresh, PG_swapcache);
    frames.setPrivate(fresh, entry);
    countSwapCached(machine, fresh, 1);
    frames.get(fresh);
    frames.putTestzero(page);
  }
  if (frames.testAndClear(page, PG_private)) {
    frames.set(fresh, PG_private);
    frames.get(fresh);
    frames.putTestzero(page);
  }
  ksmMigratePage(machine, page, fresh);
}

function countCached(machine: Machine, pfn: Pfn, shmem: boolean, n: number): void {
  modPageState(machine, pfn, NR_FILE_PAGES, n);
  if (shmem) modPageState(machine, pfn, NR_SHMEM, n);
}

function countSwapCached(machine: Machine, pfn: Pfn, n: number): void {
  machine.zones[machine.frames.zoneIndex(pfn)]!.pgdat.stat[NR_FILE_PAGES]! += n;
  modPageState(machine, pfn, NR_SWAPCACHE, n);
}

/** A dirty page of a disk's file is counted where it is. The old frame has lost its cgroup already. */
function moveDirty(machine: Machine, page: Pfn, fresh: Pfn, shmem: boolean): void {
  const { frames, zones } = machine;
  if (shmem || !frames.has(page, PG_dirty)) return;
  const memcg = frames.memcg(fresh);
  frames.setMemcg(page, memcg);
  modPageState(machine, page, NR_FILE_DIRTY, -1);
  frames.setMemcg(page, 0);
  modPageState(machine, fresh, NR_FILE_DIRTY, 1);
  zones[frames.zoneIndex(page)]!.writePending -= 1;
  zones[frames.zoneIndex(fresh)]!.writePending += 1;
}

function migratePageCopy(machine: Machine, page: Pfn, fresh: Pfn): void {
  const { frames } = machine;
  frames.setToken(fresh, frames.token(page));
  frames.set(fresh, frames.allFlags(page) & (COPIED | PG_dirty));
  frames.clear(page, PG_active | PG_unevictable | PG_dirty | PG_anon_exclusive);
  if (frames.testAndClear(page, PG_mlocked)) {
    countMlocked(machine, page, -1);
    frames.set(fresh, PG_mlocked);
    countMlocked(machine, fresh, 1);
    const held = machine.mlockBatch.counts.get(page);
    if (held !== undefined) {
      machine.mlockBatch.counts.delete(page);
      machine.mlockBatch.counts.set(fresh, held);
    }
  }
}

function countMlocked(machine: Machine, pfn: Pfn, n: number): void {
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  zone.nrMlock += n;
  zone.pgdat.stat[NR_MLOCK]! += n;
}

/** Takes a page off the LRU for migration; false if it is on none, or is part of a huge page. */
export function isolateForMigration(machine: Machine, pfn: Pfn): boolean {
  return machine.frames.has(pfn, PG_lru) && compoundHead(machine, pfn) === pfn && machine.lru.isolate(pfn);
}
