/**
 * The verdict on each page at the tail of an inactive list.
 *
 *   rung                                                          then
 *    1  somebody has its lock                                     kept
 *    2  mlocked, or its mapping's pages must stay                 activated, to be put on the unevictable list
 *    3  mapped, and this run must not unmap                       kept
 *    4  a walk found it young since it was isolated (6.1 MGLRU)   kept
 *    5  it is being written                                       activated: it is freed when the write has ended
 *    6  used, by whom and how often                               activated, or kept for another round
 *    7  anonymous, and there is no swap slot                      activated; no I/O allowed: kept
 *    8  an entry cannot be taken away                             activated
 *    9  dirty: the flusher writes it; may not be written          activated; kept
 *       written by now                                            kept until the write has ended, then on
 *   10  its buffers stay                                          activated
 *   11  out of its cache; somebody holds it                       freed; kept
 *
 * Owns      the ladder of decisions, and the count of its outcomes.
 * Promises  A page leaves here freed, or on `sc.returned` with PG_active set if it should be activated.
 *           No page is lost: what goes to swap or back to its file is written before it is freed.
 * Linux     6.18 mm/vmscan.c: shrink_folio_list folio_check_references pageout __remove_mapping
 */
import { filemapReleaseFolio, removeMapping } from '../filemap.ts';
import { folioMapcount, folioPages } from '../folio.ts';
import type { AddressSpace } from '../fs.ts';
import { __GFP_FS, __GFP_IO } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { countMemcgEvents, memcgOfPage, modPageState } from '../memcg.ts';
import type { MultiGen } from '../mglru/multi_gen.ts';
import { freeFolio } from '../page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PG_active,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_mlocked,
  PG_private,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_writeback,
} from '../page_flags.ts';
import { shmemWritepage } from '../shmem.ts';
import { canSplitFolio, splitFolio } from '../split_folio.ts';
import { swapWritepage } from '../swap/page_io.ts';
import { addToSwap, removeSwapMapping } from '../swap/swap_state.ts';
import { folioFreeSwap, memCgroupSwapFull } from '../swap/swapfile.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import { VM_EXEC, VM_LOCKED } from '../vm_flags.ts';
import { NR_VMSCAN_IMMEDIATE, NR_VMSCAN_WRITE, PGACTIVATE, PGLAZYFREED, THP_SWPOUT_FALLBACK } from '../vmstat.ts';
import { clearPageDirtyForIo, writepage } from '../writeback.ts';
import type { PgData } from '../zone.ts';
import { isEvictable, isFileLru } from './lru.ts';
import type { ScanControl } from './scan_control.ts';

const ACTIVATE = 0;
const KEEP = 1;
const RECLAIM = 2;
const RECLAIM_CLEAN = 3;
type References = number;

const PAGE_KEEP = 0;
const PAGE_ACTIVATE = 1;
const PAGE_SUCCESS = 2;
const PAGE_CLEAN = 3;

/** A verdict is rung * VERDICTS + one of these. */
const VERDICTS = 4;
const FREED = 0;
const ACTIVATE_LOCKED = 1;
const KEEP_LOCKED = 2;
/** Activated, but mlocked: for the unevictable list. */
const CULLED = 3;

/** Tries each page of `sc.isolated`, from the tail; what stays is on `sc.isolated` again afterwards. Returns how many were freed. */
export function shrinkPageList(machine: Machine, sc: ScanControl, pgdat: PgData): number {
  const { frames } = machine;
  const { stat } = sc;
  stat.reset();
  let reclaimed = 0;
  for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
    frames.listDel(pfn);
    if (frames.testAndSet(pfn, PG_locked)) {
      // Under read: not ours to judge.
      trace(machine, pfn, VERDICTS + KEEP_LOCKED);
      frames.listAdd(pfn, sc.returned);
      continue;
    }
    const pages = folioPages(machine, pfn);
    sc.nrScanned += pages;
    const verdict = judge(machine, sc, pgdat, pfn);
    // It was split on the way: the others are judged on their own.
    const outcome = verdict % VERDICTS;
    const left = outcome === FREED ? sc.freedPages : folioPages(machine, pfn);
    sc.nrScanned -= pages - left;
    if (outcome === FREED) {
      trace(machine, pfn, verdict);
      reclaimed += left;
      continue;
    }
    if (outcome === ACTIVATE_LOCKED) activate(machine, sc, pfn);
    const culled = outcome === ACTIVATE_LOCKED && !frames.has(pfn, PG_active);
    trace(machine, pfn, culled ? verdict + CULLED - ACTIVATE_LOCKED : verdict);
    frames.clear(pfn, PG_locked);
    frames.listAdd(pfn, sc.returned);
  }
  frames.listSplice(sc.returned, sc.isolated);
  machine.events[PGACTIVATE]! += stat.activateAnon + stat.activateFile;
  return reclaimed;
}

function trace(machine: Machine, pfn: Pfn, verdict: number): void {
  if (!machine.trace.on) return;
  machine.trace.emit(machine.clock.now, 'page_verdict', pfn, Math.floor(verdict / VERDICTS), verdict % VERDICTS);
}

function judge(machine: Machine, sc: ScanControl, pgdat: PgData, pfn: Pfn): number {
  const { frames } = machine;
  const { stat } = sc;
  if (!isEvictable(machine, pfn)) return 2 * VERDICTS + ACTIVATE_LOCKED;
  if (!sc.mayUnmap && folioMapcount(machine, pfn) > 0) return 3 * VERDICTS + KEEP_LOCKED;
  if (machine.multiGen !== null && wasPromoted(machine.multiGen, sc, pfn)) return 4 * VERDICTS + KEEP_LOCKED;

  let pages = folioPages(machine, pfn);
  const file = isFileLru(frames, pfn);
  const underWriteback = frames.has(pfn, PG_writeback);
  // Anonymous pages are not counted: swap has no flusher that could be too slow.
  if (!frames.isAnon(pfn) && file) {
    const dirty = frames.has(pfn, PG_dirty);
    if (dirty || underWriteback) stat.dirty += pages;
    if (dirty && !underWriteback) stat.unqueuedDirty += pages;
    if (underWriteback && frames.has(pfn, PG_reclaim)) stat.congested += pages;
  }
  if (underWriteback) {
    if (sc.isKswapd && frames.has(pfn, PG_reclaim) && pgdat.manyWriteback) {
      stat.immediate += pages;
      return 5 * VERDICTS + ACTIVATE_LOCKED;
    }
    // DIFFERS: a v1 cgroup waits here for the write to end; we pass on as v2 does. A v1 user sees more pages scanned.
    frames.set(pfn, PG_reclaim);
    stat.writeback += pages;
    return 5 * VERDICTS + ACTIVATE_LOCKED;
  }

  const references = sc.ignoreReferences ? RECLAIM : checkReferences(machine, sc, pfn);
  if (references === ACTIVATE) return 6 * VERDICTS + ACTIVATE_LOCKED;
  if (references === KEEP) {
    stat.refKeep += pages;
    return 6 * VERDICTS + KEEP_LOCKED;
  }

  if (frames.isAnon(pfn) && frames.has(pfn, PG_swapbacked) && !frames.has(pfn, PG_swapcache)) {
    if ((sc.gfp & __GFP_IO) === 0) return 7 * VERDICTS + KEEP_LOCKED;
    const refused = pages > 1 ? !addLargeToSwap(machine, sc, pfn) : !addToSwap(machine, pfn);
    if (refused) return 7 * VERDICTS + ACTIVATE_LOCKED;
    pages = folioPages(machine, pfn);
  }

  if (folioMapcount(machine, pfn) > 0 && !machine.rmap.tryToUnmap(pfn)) {
    stat.unmapFail += pages;
    return 8 * VERDICTS + ACTIVATE_LOCKED;
  }

  if (frames.has(pfn, PG_dirty)) {
    // Memory that is dropped comes by here, too: mapped by nobody any more, it is freed when it is put back.
    if (isFileLru(frames, pfn)) {
      const mayWrite = sc.isKswapd && frames.has(pfn, PG_reclaim) && pgdat.manyDirty;
      if (!mayWrite) {
        // The flusher writes better than we would, page by page; when it is done the page goes at once.
        modPageState(machine, pfn, NR_VMSCAN_IMMEDIATE, pages);
        frames.set(pfn, PG_reclaim);
        return 9 * VERDICTS + ACTIVATE_LOCKED;
      }
    }
    if (references === RECLAIM_CLEAN) return 9 * VERDICTS + KEEP_LOCKED;
    const mayEnterFs = (sc.gfp & __GFP_FS) !== 0 || (frames.has(pfn, PG_swapcache) && (sc.gfp & __GFP_IO) !== 0);
    if (!mayEnterFs || !sc.mayWritepage) return 9 * VERDICTS + KEEP_LOCKED;
    const written = pageout(machine, pfn);
    if (written === PAGE_KEEP) return 9 * VERDICTS + KEEP_LOCKED;
    if (written === PAGE_ACTIVATE) return 9 * VERDICTS + ACTIVATE_LOCKED;
    if (written === PAGE_SUCCESS) {
      stat.pageout += pages;
      // Done at once only on a memory-backed device; else the page is freed when the write has ended.
      if (frames.has(pfn, PG_writeback | PG_dirty)) return 9 * VERDICTS + KEEP_LOCKED;
    }
  }

  if (frames.has(pfn, PG_private) && !frames.isAnon(pfn) && !filemapReleaseFolio(machine, pfn)) {
    return 10 * VERDICTS + ACTIVATE_LOCKED;
  }

  if (frames.isAnon(pfn) && !frames.has(pfn, PG_swapbacked)) {
    if (frames.refcount(pfn) !== 1) return 11 * VERDICTS + KEEP_LOCKED;
    machine.events[PGLAZYFREED]! += pages;
    countMemcgEvents(memcgOfPage(machine, pfn), PGLAZYFREED, pages);
  } else if (!removeFromCache(machine, sc, pgdat, pfn)) {
    return 11 * VERDICTS + KEEP_LOCKED;
  }
  frames.clear(pfn, PG_locked);
  frames.setRefcount(pfn, 0);
  frames.clear(pfn, PG_active);
  sc.freedPages = pages;
  freeFolio(machine, pfn);
  return 11 * VERDICTS + FREED;
}

/**
 * A huge page goes to as many slots side by side, or it is split and `pfn` goes alone; the others are on the list of what is
 * to be judged. One that is partly mapped is split first: the rest of it needs no swap. False: no slot.
 */
function addLargeToSwap(machine: Machine, sc: ScanControl, pfn: Pfn): boolean {
  if (!canSplitFolio(machine, pfn, 1)) return false;
  if (isWorthSplitting(machine, pfn) && splitFolio(machine, pfn, sc.isolated) < 0) return false;
  if (addToSwap(machine, pfn)) return true;
  if (!machine.frames.has(pfn, PG_head) || splitFolio(machine, pfn, sc.isolated) < 0) return false;
  machine.events[THP_SWPOUT_FALLBACK]! += 1;
  countMemcgEvents(memcgOfPage(machine, pfn), THP_SWPOUT_FALLBACK, 1);
  return addToSwap(machine, pfn);
}

/** SINCE 6.13: when a part is known to be unmapped. Before: when it is nowhere mapped as a whole. */
function isWorthSplitting(machine: Machine, head: Pfn): boolean {
  const large = machine.largeFolios.get(head)!;
  if (!machine.generation.switches.hugeFolios) return large.entireMapcount === 0;
  return large.partiallyMapped && machine.deferredSplit.has(head);
}

function activate(machine: Machine, sc: ScanControl, pfn: Pfn): void {
  const { frames } = machine;
  if (frames.has(pfn, PG_swapcache) && (memCgroupSwapFull(machine, pfn) || frames.has(pfn, PG_mlocked))) {
    folioFreeSwap(machine, pfn);
  }
  if (frames.has(pfn, PG_mlocked)) return;
  frames.set(pfn, PG_active);
  const pages = folioPages(machine, pfn);
  if (isFileLru(frames, pfn)) sc.stat.activateFile += pages;
  else sc.stat.activateAnon += pages;
  countMemcgEvents(memcgOfPage(machine, pfn), PGACTIVATE, pages);
}

/** A page used once gets another round, a page used twice is active, and code is active at once. */
function checkReferences(machine: Machine, sc: ScanControl, pfn: Pfn): References {
  const { frames, rmap } = machine;
  const referencedEntries = rmap.pageReferenced(pfn, true, sc.targetMemcg);
  const vmFlags = rmap.referencedVmFlags;
  const { multiGen } = machine;
  if (multiGen !== null && multiGen.rules.activates !== null) {
    if ((vmFlags & VM_LOCKED) !== 0) return ACTIVATE;
    if (referencedEntries === 0) return RECLAIM;
    return referencedEntries > 0 && multiGen.rules.activates(multiGen, pfn) ? ACTIVATE : KEEP;
  }
  const referencedPage = frames.testAndClear(pfn, PG_referenced);
  if ((vmFlags & VM_LOCKED) !== 0) return ACTIVATE;
  if (referencedEntries < 0) return KEEP;
  if (referencedEntries > 0) {
    frames.set(pfn, PG_referenced);
    if (referencedPage || referencedEntries > 1) return ACTIVATE;
    if ((vmFlags & VM_EXEC) !== 0 && isFileLru(frames, pfn)) return ACTIVATE;
    return KEEP;
  }
  return referencedPage && isFileLru(frames, pfn) ? RECLAIM_CLEAN : RECLAIM;
}

/** A walk, or a look around, found the page young after it was isolated (6.1). */
function wasPromoted({ machine, rules }: MultiGen, sc: ScanControl, pfn: Pfn): boolean {
  if (!rules.keepsReferenced || sc.ignoreReferences) return false;
  return machine.frames.has(pfn, PG_referenced) && folioMapcount(machine, pfn) > 0;
}

function pageout(machine: Machine, pfn: Pfn): number {
  const { frames } = machine;
  const holders = frames.refcount(pfn) - (frames.has(pfn, PG_private) && !frames.isAnon(pfn) ? 1 : 0);
  // The caller and the cache; anybody else may write to it.
  if (holders !== 1 + folioPages(machine, pfn)) return PAGE_KEEP;
  if (frames.has(pfn, PG_swapcache)) {
    frames.clear(pfn, PG_dirty);
    frames.set(pfn, PG_reclaim);
    swapWritepage(machine, pfn);
  } else {
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
  modPageState(machine, pfn, NR_VMSCAN_WRITE, folioPages(machine, pfn));
  return PAGE_SUCCESS;
}

/** The page leaves its cache, and a shadow takes its place. False if somebody else still uses it. */
function removeFromCache(machine: Machine, sc: ScanControl, pgdat: PgData, pfn: Pfn): boolean {
  const { frames } = machine;
  const swapcache = frames.has(pfn, PG_swapcache);
  const word = frames.mapping(pfn);
  const fileMapping = (word & PAGE_MAPPING_ANON) === 0 && word !== 0;
  if (!swapcache && !fileMapping) return false;
  if (frames.refcount(pfn) !== 1 + folioPages(machine, pfn) || frames.has(pfn, PG_dirty)) return false;
  const target = (sc.targetMemcg ?? machine.rootMemcg).lruvecs[pgdat.nid]!;
  if (swapcache) {
    removeSwapMapping(machine, pfn, machine.workingset.eviction(pfn, target));
    return true;
  }
  const mapping = machine.mappings[word / 4] as AddressSpace;
  const leavesShadow = isFileLru(frames, pfn) && !mapping.exiting;
  removeMapping(machine, pfn, leavesShadow ? machine.workingset.eviction(pfn, target) : 0);
  return true;
}
