/**
 * The verdict on each page at the tail of an inactive list, as 3.16 gave it.
 *
 * Owns      the ladder of decisions, and the count of its outcomes.
 * Promises  1. A page leaves here freed, culled to the unevictable list, or on `sc.isolated` again, with PG_active set if it
 *              should be activated.
 *           2. No page is lost: what goes to swap or back to its file is written before it is freed.
 * Linux     3.16 mm/vmscan.c: shrink_page_list page_check_references page_check_dirty_writeback pageout __remove_mapping
 * After     6.x gives anonymous pages a second chance, too, and activates what cannot be unmapped
 *
 *   rung                 may end in
 *   1 locked             kept: somebody reads it                7 references   activated, or kept for a second round
 *   3 unevictable        culled                                 8 swap slot    activated: there is none
 *   4 mapped             kept: this run must not unmap          9 unmap        activated: young again; kept; culled
 *   6 under writeback    kept, or a cgroup's reclaim waits     10 dirty        kept, or written
 *                                                              12 freed        kept: somebody holds it
 */
import { waitOnPageWriteback } from '../block.ts';
import { filemapReleaseFolio, removeMapping } from '../filemap.ts';
import { folioMapcount, folioPages, isLarge } from '../folio.ts';
import type { AddressSpace } from '../fs.ts';
import { __GFP_FS, __GFP_IO } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { countMemcgEvents, memcgOfPage, modPageState } from '../memcg.ts';
import { freeFolio } from '../page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PG_active,
  PG_dirty,
  PG_locked,
  PG_private,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_writeback,
} from '../page_flags.ts';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_MLOCK } from '../rmap/swap_verdict.ts';
import { shmemWritepage } from '../shmem.ts';
import { splitFolio } from '../split_folio.ts';
import { swapWritepage } from '../swap/page_io.ts';
import { addToSwap, removeSwapMapping } from '../swap/swap_state.ts';
import { folioFreeSwap, vmSwapFull } from '../swap/swapfile.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import { VM_EXEC, VM_LOCKED } from '../vm_flags.ts';
import { NR_VMSCAN_IMMEDIATE, NR_VMSCAN_WRITE, PGACTIVATE } from '../vmstat.ts';
import { clearPageDirtyForIo, writepage } from '../writeback.ts';
import type { Zone } from '../zone.ts';
import { isEvictable, isFileLru } from './lru.ts';
import type { ScanControl } from './scan_control.ts';

const PAGEREF_RECLAIM = 0;
const PAGEREF_RECLAIM_CLEAN = 1;
const PAGEREF_KEEP = 2;
const PAGEREF_ACTIVATE = 3;

const PAGE_KEEP = 0;
const PAGE_ACTIVATE = 1;
const PAGE_SUCCESS = 2;
const PAGE_CLEAN = 3;

export const FREED = 0;
export const ACTIVATED = 1;
export const KEPT = 2;
export const CULLED = 3;

/** Tries each page of `sc.isolated`, from the tail; what stays is on `sc.isolated` again afterwards. Returns how many were freed. */
export function shrinkPageList_3(machine: Machine, sc: ScanControl, zone: Zone): number {
  const { frames } = machine;
  const { stat } = sc;
  stat.reset();
  let reclaimed = 0;
  for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
    frames.listDel(pfn);
    sc.rung = 1;
    if (frames.testAndSet(pfn, PG_locked)) {
      trace(machine, sc, pfn, KEPT);
      frames.listAdd(pfn, sc.returned);
      continue;
    }
    const verdict = judge(machine, sc, zone, pfn);
    trace(machine, sc, pfn, verdict);
    if (verdict === FREED) {
      reclaimed += 1;
      continue;
    }
    if (verdict === CULLED) {
      if (frames.has(pfn, PG_swapcache)) folioFreeSwap(machine, pfn);
      frames.clear(pfn, PG_locked);
      machine.lru.putback(pfn);
      continue;
    }
    if (verdict === ACTIVATED) activate(machine, sc, pfn);
    frames.clear(pfn, PG_locked);
    frames.listAdd(pfn, sc.returned);
  }
  frames.listSplice(sc.returned, sc.isolated);
  machine.events[PGACTIVATE]! += stat.activateAnon + stat.activateFile;
  return reclaimed;
}

function trace(machine: Machine, sc: ScanControl, pfn: Pfn, verdict: number): void {
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'page_verdict', pfn, sc.rung, verdict);
}

function judge(machine: Machine, sc: ScanControl, zone: Zone, pfn: Pfn): number {
  const { frames } = machine;
  const { stat } = sc;
  sc.nrScanned += 1;
  sc.rung = 3;
  if (!isEvictable(machine, pfn)) return CULLED;
  sc.rung = 4;
  const mapped = folioMapcount(machine, pfn) > 0;
  if (!sc.mayUnmap && mapped) return KEPT;
  // Double the pressure on slab for pages that are harder to get.
  if (mapped || frames.has(pfn, PG_swapcache)) sc.nrScanned += 1;

  sc.rung = 6;
  const underWriteback = frames.has(pfn, PG_writeback);
  const congested = underWriteback && frames.has(pfn, PG_reclaim);
  // Anonymous pages are not counted: swap has no flusher that could be too slow.
  if (isFileLru(frames, pfn)) {
    const dirty = frames.has(pfn, PG_dirty);
    if (dirty || underWriteback) stat.dirty += 1;
    if (dirty && !underWriteback) stat.unqueuedDirty += 1;
    if (congested) stat.congested += 1;
  }
  if (underWriteback) {
    if (sc.isKswapd && congested && zone.manyWriteback) {
      stat.immediate += 1;
      return KEPT;
    }
    if (sc.targetMemcg === null || !congested || (sc.gfp & __GFP_IO) === 0) {
      frames.set(pfn, PG_reclaim);
      stat.writeback += 1;
      return KEPT;
    }
    // Nobody holds a cgroup back from dirtying too much, so its reclaim waits rather than to run out of pages.
    waitOnPageWriteback(machine, pfn);
  }

  sc.rung = 7;
  const references = checkReferences(machine, sc, pfn);
  if (references === PAGEREF_ACTIVATE) return ACTIVATED;
  if (references === PAGEREF_KEEP) {
    stat.refKeep += 1;
    return KEPT;
  }

  sc.rung = 8;
  if (frames.isAnon(pfn) && !frames.has(pfn, PG_swapcache)) {
    if ((sc.gfp & __GFP_IO) === 0) return KEPT;
    if (!addPageToSwap(machine, sc, pfn)) return ACTIVATED;
  }

  sc.rung = 9;
  if (folioMapcount(machine, pfn) > 0) {
    machine.rmap.tryToUnmap(pfn);
    const { unmapResult } = machine.rmap;
    if (unmapResult === SWAP_FAIL) return ACTIVATED;
    if (unmapResult === SWAP_AGAIN) return KEPT;
    if (unmapResult === SWAP_MLOCK) return CULLED;
  }

  sc.rung = 10;
  if (frames.has(pfn, PG_dirty)) {
    if (isFileLru(frames, pfn) && !(sc.isKswapd && zone.tailLruDirty)) {
      // The flusher writes better than we would, page by page; when it is done the page goes at once.
      modPageState(machine, pfn, NR_VMSCAN_IMMEDIATE, 1);
      frames.set(pfn, PG_reclaim);
      return KEPT;
    }
    if (references === PAGEREF_RECLAIM_CLEAN) return KEPT;
    const mayEnterFs = (sc.gfp & __GFP_FS) !== 0 || (frames.has(pfn, PG_swapcache) && (sc.gfp & __GFP_IO) !== 0);
    if (!mayEnterFs || !sc.mayWritepage) return KEPT;
    const written = pageout(machine, pfn);
    if (written === PAGE_KEEP) return KEPT;
    if (written === PAGE_ACTIVATE) return ACTIVATED;
    if (written === PAGE_SUCCESS) {
      stat.pageout += 1;
      // Done at once only on a memory-backed device; else the page is freed when the write has ended.
      if (frames.has(pfn, PG_writeback | PG_dirty)) return KEPT;
      frames.set(pfn, PG_locked);
    }
  }

  sc.rung = 11;
  if (frames.has(pfn, PG_private) && !frames.isAnon(pfn) && !filemapReleaseFolio(machine, pfn)) return ACTIVATED;
  sc.rung = 12;
  if (!removeFromCache(machine, pfn, zone)) return KEPT;
  frames.clear(pfn, PG_locked);
  frames.setRefcount(pfn, 0);
  freeFolio(machine, pfn);
  return FREED;
}

/** A slot for the page. A huge page is split, and `pfn` goes alone; the others are on the list of what is to be judged. */
function addPageToSwap(machine: Machine, sc: ScanControl, pfn: Pfn): boolean {
  if (isLarge(machine, pfn) && splitFolio(machine, pfn, sc.isolated) < 0) return false;
  return addToSwap(machine, pfn);
}

function activate(machine: Machine, sc: ScanControl, pfn: Pfn): void {
  const { frames } = machine;
  if (frames.has(pfn, PG_swapcache) && vmSwapFull(machine)) folioFreeSwap(machine, pfn);
  frames.set(pfn, PG_active);
  const pages = folioPages(machine, pfn);
  if (isFileLru(frames, pfn)) sc.stat.activateFile += pages;
  else sc.stat.activateAnon += pages;
  countMemcgEvents(memcgOfPage(machine, pfn), PGACTIVATE, pages);
}

/**
 * Anonymous memory that was used is active. A file's page is used once by the fault that maps it, so it gets a second round:
 * used again it is active, code at once.
 */
function checkReferences(machine: Machine, sc: ScanControl, pfn: Pfn): number {
  const { frames, rmap } = machine;
  const referencedEntries = rmap.pageReferenced(pfn, true, sc.targetMemcg);
  const vmFlags = rmap.referencedVmFlags;
  const referencedPage = frames.testAndClear(pfn, PG_referenced);
  // mlock lost the race for the page: unmapping will find out, and cull it.
  if ((vmFlags & VM_LOCKED) !== 0) return PAGEREF_RECLAIM;
  if (referencedEntries > 0) {
    if (frames.has(pfn, PG_swapbacked)) return PAGEREF_ACTIVATE;
    frames.set(pfn, PG_referenced);
    if (referencedPage || referencedEntries > 1) return PAGEREF_ACTIVATE;
    return (vmFlags & VM_EXEC) !== 0 ? PAGEREF_ACTIVATE : PAGEREF_KEEP;
  }
  return referencedPage && isFileLru(frames, pfn) ? PAGEREF_RECLAIM_CLEAN : PAGEREF_RECLAIM;
}

function pageout(machine: Machine, pfn: Pfn): number {
  const { frames } = machine;
  const buffers = frames.has(pfn, PG_private) && !frames.isAnon(pfn) ? 1 : 0;
  // The caller and the cache; anybody else may write to it.
  if (frames.refcount(pfn) - buffers !== 2) return PAGE_KEEP;
  if (frames.has(pfn, PG_swapcache)) {
    frames.clear(pfn, PG_dirty);
    frames.set(pfn, PG_reclaim);
    swapWritepage(machine, pfn);
  } else {
    if (frames.mapping(pfn) === 0) return PAGE_KEEP;
    if (!clearPageDirtyForIo(machine, pfn)) return PAGE_CLEAN;
    frames.set(pfn, PG_reclaim);
    const written = frames.has(pfn, PG_swapbacked) ? shmemWritepage(machine, pfn) : writepage(machine, pfn);
    if (!written) {
      frames.clear(pfn, PG_reclaim);
      return PAGE_ACTIVATE;
    }
  }
  if (!frames.has(pfn, PG_writeback)) frames.clear(pfn, PG_reclaim);
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_write_folio', pfn);
  modPageState(machine, pfn, NR_VMSCAN_WRITE, 1);
  return PAGE_SUCCESS;
}

/** The page leaves its cache; a file's leaves a shadow. False if somebody else still uses it. */
function removeFromCache(machine: Machine, pfn: Pfn, zone: Zone): boolean {
  const { frames } = machine;
  const word = frames.mapping(pfn);
  const swapcache = frames.has(pfn, PG_swapcache);
  if (!swapcache && (word === 0 || (word & PAGE_MAPPING_ANON) !== 0)) return false;
  if (frames.refcount(pfn) !== 2 || frames.has(pfn, PG_dirty)) return false;
  if (swapcache) {
    removeSwapMapping(machine, pfn, 0);
    return true;
  }
  const mapping = machine.mappings[word / 4] as AddressSpace;
  const leavesShadow = isFileLru(frames, pfn) && !mapping.exiting;
  const lruvec = machine.rootMemcg.lruvecs[zone.lruvec]!;
  removeMapping(machine, pfn, leavesShadow ? machine.workingset.eviction(pfn, lruvec) : 0);
  return true;
}
