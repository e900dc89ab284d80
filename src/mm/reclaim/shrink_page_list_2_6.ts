/**
 * The verdict on each page from the tail of an inactive list, in 2.6.
 *
 *   step                                                          then
 *    1  somebody has its lock                                     kept
 *    3  it is mapped, and nothing may be swapped                  kept
 *    5  it is being written                                       kept (a large block is wanted: waited for)
 *    6  it was used, and somebody maps it or its file             activated
 *    7  anonymous, and there is no swap slot                      activated
 *    8  it cannot be unmapped (locked or used) / not yet          activated / kept
 *    9  dirty: used, or may not be written, or others hold it     kept; the disk has enough to write: kept
 *       written by now                                            kept until the write has ended, then on
 *   10  its buffers stay / it has neither owner nor users         activated / freed
 *   11  out of its cache; somebody holds it or dirtied it         freed; kept
 *
 * Owns      the ladder of decisions.
 * Promises  A page leaves here freed, or on `sc.returned` with PG_active set if it should be activated. No page is lost.
 * Linux     2.6.24 mm/vmscan.c: shrink_page_list pageout remove_mapping page_mapping_inuse is_page_cache_freeable
 *           may_write_to_queue; mm/shmem.c: shmem_writepage
 */
import { bdiWriteCongested } from '../backing_dev.ts';
import { type BlockDevice, waitOnPageWriteback } from '../block.ts';
import { filemapReleaseFolio, pageMapping, removeMapping } from '../filemap.ts';
import type { AddressSpace } from '../fs.ts';
import { __GFP_FS, __GFP_IO } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { memCgroupUncharge, modPageState } from '../memcg.ts';
import { freeColdPage, PAGE_ALLOC_COSTLY_ORDER } from '../page_alloc_2_6.ts';
import {
  PG_active,
  PG_dirty,
  PG_locked,
  PG_private,
  PG_reclaim,
  PG_referenced,
  PG_swapcache,
  PG_writeback,
} from '../page_flags.ts';
import type { Rmap } from '../parts.ts';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS } from '../rmap/swap_verdict.ts';
import { shmemWritepage } from '../shmem.ts';
import { swapWritepage } from '../swap/page_io.ts';
import { addToSwap, removeSwapMapping } from '../swap/swap_state.ts';
import { NO_PFN, type Pfn, type SwapEntry } from '../units.ts';
import { NR_VMSCAN_WRITE, PGACTIVATE } from '../vmstat.ts';
import { clearPageDirtyForIo, writepage } from '../writeback.ts';
import type { ScanControl_2_6 } from './scan_control_2_6.ts';

/** A verdict is step * VERDICTS + one of these. */
const VERDICTS = 4;
export const FREED = 0;
export const ACTIVATED = 1;
export const KEPT = 2;
/** Kept, and unlocked already: a write has begun. */
const KEPT_UNLOCKED = 3;

const PAGE_KEEP = 0;
const PAGE_ACTIVATE = 1;
const PAGE_SUCCESS = 2;
const PAGE_CLEAN = 3;

/** Tries each page of `sc.isolated`, from the tail; what stays is on `sc.isolated` again afterwards. How many were freed. */
export function shrinkPageList_2_6(machine: Machine, sc: ScanControl_2_6, sync: boolean): number {
  const { frames } = machine;
  let reclaimed = 0;
  let activated = 0;
  for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
    frames.listDel(pfn);
    const verdict = frames.testAndSet(pfn, PG_locked) ? VERDICTS + KEPT_UNLOCKED : judge(machine, sc, pfn, sync);
    const outcome = verdict % VERDICTS;
    if (machine.trace.on) {
      const told = outcome === KEPT_UNLOCKED ? KEPT : outcome;
      machine.trace.emit(machine.clock.now, 'shrink_page_list', pfn, Math.floor(verdict / VERDICTS), told);
    }
    if (outcome !== KEPT_UNLOCKED) frames.clear(pfn, PG_locked);
    if (outcome === FREED) {
      reclaimed += 1;
      queueFreed(machine, sc, pfn);
      continue;
    }
    if (outcome === ACTIVATED) {
      frames.set(pfn, PG_active);
      activated += 1;
    }
    frames.listAdd(pfn, sc.returned);
  }
  frames.listSplice(sc.returned, sc.isolated);
  releaseFreed(machine, sc);
  machine.events[PGACTIVATE]! += activated;
  return reclaimed;
}

function judge(machine: Machine, sc: ScanControl_2_6, pfn: Pfn, sync: boolean): number {
  const { frames, rmap } = machine;
  sc.nrScanned += 1;
  if (!sc.maySwap && frames.mapcount(pfn) > 0) return 3 * VERDICTS + KEPT;
  // What is mapped or in swap costs more to get back: more pressure on the slab.
  if (frames.mapcount(pfn) > 0 || frames.has(pfn, PG_swapcache)) sc.nrScanned += 1;
  const mayEnterFs = (sc.gfp & __GFP_FS) !== 0 || (frames.has(pfn, PG_swapcache) && (sc.gfp & __GFP_IO) !== 0);
  if (frames.has(pfn, PG_writeback)) {
    if (!sync || !mayEnterFs) return 5 * VERDICTS + KEPT;
    waitOnPageWriteback(machine, pfn);
  }
  const small = sc.order <= PAGE_ALLOC_COSTLY_ORDER;
  const referenced = pageReferenced_2_6(machine, pfn, true) > 0;
  if (small && referenced && pageMappingInuse(machine, pfn)) return 6 * VERDICTS + ACTIVATED;
  if (frames.isAnon(pfn) && !frames.has(pfn, PG_swapcache) && !addToSwap(machine, pfn)) return 7 * VERDICTS + ACTIVATED;

  const swapcache = frames.has(pfn, PG_swapcache);
  const mapping = pageMapping(machine, pfn);
  const owned = swapcache || mapping !== null;
  if (frames.mapcount(pfn) > 0 && owned) {
    const unmapped = tryToUnmap(rmap, pfn);
    if (unmapped !== SWAP_SUCCESS) return 8 * VERDICTS + (unmapped === SWAP_AGAIN ? KEPT : ACTIVATED);
  }
  if (frames.has(pfn, PG_dirty)) {
    if ((small && referenced) || !mayEnterFs || !sc.mayWritepage) return 9 * VERDICTS + KEPT;
    const written = pageout(machine, sc, pfn, mapping, sync);
    if (written === PAGE_KEEP) return 9 * VERDICTS + KEPT;
    if (written === PAGE_ACTIVATE) return 9 * VERDICTS + ACTIVATED;
    if (written === PAGE_SUCCESS) {
      if (frames.has(pfn, PG_writeback | PG_dirty)) return 9 * VERDICTS + KEPT_UNLOCKED;
      // Written at once, to memory: the page may go.
      if (frames.testAndSet(pfn, PG_locked)) return 9 * VERDICTS + KEPT_UNLOCKED;
    }
  }
  if (frames.has(pfn, PG_private) && !frames.isAnon(pfn)) {
    if (!filemapReleaseFolio(machine, pfn)) return 10 * VERDICTS + ACTIVATED;
    if (!owned && frames.refcount(pfn) === 1) return 10 * VERDICTS + FREED;
  }
  return 11 * VERDICTS + (removeMapping_2_6(machine, pfn) ? FREED : KEPT);
}

/** How it ended. A reverse map that does not tell: some entry must stay. */
function tryToUnmap(rmap: Rmap, pfn: Pfn): number {
  if (rmap.tryToUnmap(pfn)) return SWAP_SUCCESS;
  return rmap.unmapResult ?? SWAP_FAIL;
}

/** The referenced bit, and every mapping that used the page since the last time. */
export function pageReferenced_2_6(machine: Machine, pfn: Pfn, locked: boolean): number {
  const entries = machine.frames.mapcount(pfn) > 0 ? Math.abs(machine.rmap.pageReferenced(pfn, locked, null)) : 0;
  return entries + (machine.frames.testAndClear(pfn, PG_referenced) ? 1 : 0);
}

/** A use counts where the page, or another page of its file, is mapped: a page that is only read gets no second round here. */
function pageMappingInuse(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  if (frames.mapcount(pfn) > 0 || frames.has(pfn, PG_swapcache)) return true;
  const mapping = pageMapping(machine, pfn);
  return mapping !== null && mapping.iMmap.size > 0;
}

/** Writes a dirty, locked page that only its cache and we hold. After PAGE_SUCCESS it is unlocked. */
function pageout(machine: Machine, sc: ScanControl_2_6, pfn: Pfn, mapping: AddressSpace | null, sync: boolean): number {
  const { frames } = machine;
  const swapcache = frames.has(pfn, PG_swapcache);
  const buffers = frames.has(pfn, PG_private) && !frames.isAnon(pfn) ? 1 : 0;
  if (frames.refcount(pfn) - buffers !== 2) return PAGE_KEEP;
  if (mapping === null && !swapcache) return buffers > 0 && filemapReleaseFolio(machine, pfn) ? PAGE_CLEAN : PAGE_KEEP;
  if (!sc.isKswapd && bdiWriteCongested(deviceOf(machine, pfn, mapping))) return PAGE_KEEP;
  if (swapcache) {
    frames.clear(pfn, PG_dirty);
    frames.set(pfn, PG_reclaim);
    swapWritepage(machine, pfn);
  } else {
    if (!clearPageDirtyForIo(machine, pfn)) return PAGE_CLEAN;
    frames.set(pfn, PG_reclaim);
    if (mapping!.host.kind !== 'tmpfs') {
      if (!writepage(machine, pfn)) {
        frames.clear(pfn, PG_reclaim);
        return PAGE_ACTIVATE;
      }
    } else if (!shmemWritepage(machine, pfn)) {
      frames.clear(pfn, PG_reclaim);
      return PAGE_ACTIVATE;
    }
    frames.clear(pfn, PG_locked);
  }
  if (sync && frames.has(pfn, PG_writeback)) waitOnPageWriteback(machine, pfn);
  if (!frames.has(pfn, PG_writeback)) frames.clear(pfn, PG_reclaim);
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_write_folio', pfn);
  modPageState(machine, pfn, NR_VMSCAN_WRITE, 1);
  return PAGE_SUCCESS;
}

/** Where the page would go; tmpfs goes to the swap cache first, which is memory. */
function deviceOf(machine: Machine, pfn: Pfn, mapping: AddressSpace | null): BlockDevice | null {
  if (!machine.frames.has(pfn, PG_swapcache)) return mapping?.host.device ?? null;
  return machine.swap.areaOf(machine.frames.private_(pfn) as SwapEntry).device;
}

/** Out of its cache, if only that and we hold it and nobody dirtied it meanwhile. */
function removeMapping_2_6(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  const swapcache = frames.has(pfn, PG_swapcache);
  if (!swapcache && pageMapping(machine, pfn) === null) return false;
  if (frames.refcount(pfn) !== 2 || frames.has(pfn, PG_dirty)) return false;
  if (swapcache) removeSwapMapping(machine, pfn, 0);
  else removeMapping(machine, pfn, 0);
  frames.setRefcount(pfn, 1);
  return true;
}

// freeing by 14

function queueFreed(machine: Machine, sc: ScanControl_2_6, pfn: Pfn): void {
  sc.freed[sc.freedCount] = pfn;
  sc.freedCount += 1;
  if (sc.freedCount === sc.freed.length) releaseFreed(machine, sc);
}

/** To the CPU's cold list, the last of the batch first. */
function releaseFreed(machine: Machine, sc: ScanControl_2_6): void {
  const { frames } = machine;
  const count = sc.freedCount;
  sc.freedCount = 0;
  for (let i = count - 1; i >= 0; i--) {
    const pfn = sc.freed[i]! as Pfn;
    if (!frames.putTestzero(pfn)) continue;
    frames.clear(pfn, PG_active);
    memCgroupUncharge(machine, pfn);
    freeColdPage(machine, pfn);
  }
}
