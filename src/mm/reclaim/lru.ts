/**
 * The five LRU lists of 2.6.28 and later, and the batches in front of them.
 *
 * Owns      which list a page is on, PG_lru, PG_active, PG_unevictable, and the sizes of lists.
 * Promises  1. A page with PG_lru is on the list that its flags say (pageLru), in the lruvec that its memcg and node say.
 *           2. A page in a batch has a reference from it. A new page has no PG_lru until its batch is drained.
 *           3. Order within a batch is kept: the last page added is nearest to the list's head.
 * Linux     6.18 mm/swap.c: folio_add_lru folio_mark_accessed folio_activate lru_add_drain_cpu lru_deactivate_fn lru_lazyfree_fn
 *           folio_rotate_reclaimable deactivate_file_folio; mm/vmscan.c: folio_isolate_lru folio_putback_lru;
 *           include/linux/mm_inline.h: folio_lru_list update_lru_size lruvec_add_folio lruvec_del_folio; mm/internal.h: folio_evictable
 *
 *   unreferenced, inactive ──used──► referenced, inactive ──used──► unreferenced, active ──used──► referenced, active
 */
import { folioMapcount, folioPages } from '../folio.ts';
import type { AddressSpace } from '../fs.ts';
import { LRU_ACTIVE_FILE, LRU_INACTIVE_FILE, LRU_UNEVICTABLE, type LruList, type Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { countMemcgEvents, lruvecOf, memcgOfPage } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { NO_GEN } from '../mglru/folio_gens.ts';
import { lruGenAdd, lruGenDel, lruGenList, lruType, MAX_NR_GENS } from '../mglru/lru_gen.ts';
import type { MultiGen } from '../mglru/multi_gen.ts';
import { mlockDrainLocal, mlockNewPage } from '../mlock.ts';
import { putPage } from '../page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PG_active,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_lru,
  PG_mlocked,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
  PG_workingset,
  PG_writeback,
} from '../page_flags.ts';
import type { Lru, LruBatch } from '../parts.ts';
import type { Pfn } from '../units.ts';
import { VM_LOCKED, VM_SPECIAL } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import {
  PGACTIVATE,
  PGDEACTIVATE,
  PGLAZYFREE,
  PGROTATED,
  UNEVICTABLE_PGCULLED,
  UNEVICTABLE_PGRESCUED,
} from '../vmstat.ts';
import { MAX_NR_ZONES } from '../zone.ts';

export function newSplitLru(machine: Machine): Lru {
  return new SplitLru(machine);
}

/** Not swap-backed: a file's page, or an anonymous one that MADV_FREE gave up. */
export function isFileLru(frames: MemMap, pfn: Pfn): boolean {
  return !frames.has(pfn, PG_swapbacked);
}

/** The list that the page's flags name. */
export function pageLru(frames: MemMap, pfn: Pfn): LruList {
  if (frames.has(pfn, PG_unevictable)) return LRU_UNEVICTABLE;
  const active = frames.has(pfn, PG_active) ? 1 : 0;
  return (frames.has(pfn, PG_swapbacked) ? 0 : LRU_INACTIVE_FILE) + active;
}

/** Neither mlocked nor in a mapping whose pages must stay (folio_evictable). */
export function isEvictable(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  if (frames.has(pfn, PG_mlocked)) return false;
  const word = frames.mapping(pfn);
  if (word === 0 || (word & PAGE_MAPPING_ANON) !== 0) return true;
  return !(machine.mappings[word / 4] as AddressSpace).unevictable;
}

/** Pages of `lru` grow by `pages` in the page's zone, its lruvec and all above, and its node (update_lru_size). */
function updateLruSize(lruvec: Lruvec, lru: LruList, zoneType: number, pages: number): void {
  lruvec.zoneSize[lru * MAX_NR_ZONES + zoneType]! += pages;
  lruvec.pgdat.stat[lru]! += pages;
  for (let up: Lruvec | null = lruvec; up !== null; up = up.parent) up.stat[lru]! += pages;
}

export function lruvecAddPage(machine: Machine, lruvec: Lruvec, pfn: Pfn): void {
  const { frames, multiGen } = machine;
  if (multiGen !== null && !frames.has(pfn, PG_unevictable)) {
    lruGenAdd(machine, multiGen, lruvec, pfn, false);
    return;
  }
  const lru = pageLru(frames, pfn);
  const zone = machine.zones[frames.zoneIndex(pfn)]!;
  const pages = folioPages(machine, pfn);
  updateLruSize(lruvec, lru, zone.type, pages);
  zone.lruPages[lru]! += pages;
  frames.listAdd(pfn, lruvec.lists[lru]!);
}

export function lruvecAddPageTail(machine: Machine, lruvec: Lruvec, pfn: Pfn): void {
  const { frames, multiGen } = machine;
  if (multiGen !== null) {
    lruGenAdd(machine, multiGen, lruvec, pfn, true);
    return;
  }
  const lru = pageLru(frames, pfn);
  const zone = machine.zones[frames.zoneIndex(pfn)]!;
  const pages = folioPages(machine, pfn);
  updateLruSize(lruvec, lru, zone.type, pages);
  zone.lruPages[lru]! += pages;
  frames.listAddTail(pfn, lruvec.lists[lru]!);
}

export function lruvecDelPage(machine: Machine, lruvec: Lruvec, pfn: Pfn): void {
  const { frames, multiGen } = machine;
  if (multiGen !== null && lruGenDel(machine, multiGen, lruvec, pfn, false)) return;
  const lru = pageLru(frames, pfn);
  const zone = machine.zones[frames.zoneIndex(pfn)]!;
  const pages = folioPages(machine, pfn);
  frames.listDel(pfn);
  updateLruSize(lruvec, lru, zone.type, -pages);
  zone.lruPages[lru]! -= pages;
}

/** The sizes alone, for pages that a scan has taken from the list one by one. */
export function lruvecForgetPage(machine: Machine, lruvec: Lruvec, lru: LruList, pfn: Pfn): void {
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  const pages = folioPages(machine, pfn);
  updateLruSize(lruvec, lru, zone.type, -pages);
  zone.lruPages[lru]! -= pages;
}

/** One kind of move, and the pages that wait for it. */
class Batch {
  readonly pages: Int32Array;
  count = 0;
  constructor(size: number) {
    this.pages = new Int32Array(size);
  }
}

class SplitLru implements Lru {
  private readonly machine: Machine;
  private readonly frames: MemMap;
  private readonly lruAdd: Batch;
  private readonly lruRotate: Batch;
  private readonly lruDeactivateFile: Batch;
  private readonly lruDeactivate: Batch;
  private readonly lruLazyfree: Batch;
  private readonly lruActivate: Batch;

  constructor(machine: Machine) {
    const size = machine.generation.switches.lruBatch;
    this.machine = machine;
    this.frames = machine.frames;
    this.lruAdd = new Batch(size);
    this.lruRotate = new Batch(size);
    this.lruDeactivateFile = new Batch(size);
    this.lruDeactivate = new Batch(size);
    this.lruLazyfree = new Batch(size);
    this.lruActivate = new Batch(size);
  }

  add(pfn: Pfn): void {
    const { multiGen, current } = this.machine;
    if (multiGen !== null && current.inLruFault && !current.memalloc && !this.frames.has(pfn, PG_unevictable)) {
      this.frames.set(pfn, PG_active);
    }
    if (this.queue(this.lruAdd, pfn)) this.drainAdd();
  }

  addVma(pfn: Pfn, vma: Vma): void {
    if ((vma.vmFlags & (VM_LOCKED | VM_SPECIAL)) === VM_LOCKED) mlockNewPage(this.machine, pfn);
    else this.add(pfn);
  }

  markAccessed(pfn: Pfn): void {
    const { frames } = this;
    const { multiGen } = this.machine;
    if (multiGen !== null) {
      multiGen.rules.markAccessed(multiGen, pfn);
    } else if (!frames.has(pfn, PG_referenced)) {
      frames.set(pfn, PG_referenced);
    } else if (!frames.has(pfn, PG_unevictable | PG_active)) {
      if (frames.has(pfn, PG_lru)) this.activate(pfn);
      else if (this.isQueuedNew(pfn)) frames.set(pfn, PG_active);
      frames.clear(pfn, PG_referenced);
      this.machine.workingset.activation(pfn);
    }
  }

  activate(pfn: Pfn): void {
    if (!this.frames.has(pfn, PG_lru) || this.frames.has(pfn, PG_active | PG_unevictable)) return;
    if (this.queue(this.lruActivate, pfn)) this.drainActivate();
  }

  deactivate(pfn: Pfn): void {
    const { multiGen } = this.machine;
    if (!this.frames.has(pfn, PG_lru) || this.frames.has(pfn, PG_unevictable)) return;
    if (multiGen === null ? !this.frames.has(pfn, PG_active) : forgetUses(multiGen, pfn)) return;
    if (this.queue(this.lruDeactivate, pfn)) this.drainDeactivate();
  }

  deactivateFile(pfn: Pfn): void {
    const { multiGen } = this.machine;
    if (this.frames.has(pfn, PG_unevictable)) return;
    if (multiGen !== null && forgetUses(multiGen, pfn)) return;
    if (this.queue(this.lruDeactivateFile, pfn)) this.drainDeactivateFile();
  }

  lazyfree(pfn: Pfn): void {
    const { frames } = this;
    if (!frames.has(pfn, PG_lru) || !isPrivateAnon(frames, pfn)) return;
    if (this.queue(this.lruLazyfree, pfn)) this.drainLazyfree();
  }

  rotateReclaimable(pfn: Pfn): void {
    if (this.frames.has(pfn, PG_locked | PG_dirty | PG_unevictable) || !this.frames.has(pfn, PG_lru)) return;
    if (this.queue(this.lruRotate, pfn)) this.drainRotate();
  }

  drain(): void {
    if (this.lruAdd.count > 0) this.drainAdd();
    if (this.lruRotate.count > 0) this.drainRotate();
    if (this.lruDeactivateFile.count > 0) this.drainDeactivateFile();
    if (this.lruDeactivate.count > 0) this.drainDeactivate();
    if (this.lruLazyfree.count > 0) this.drainLazyfree();
    if (this.lruActivate.count > 0) this.drainActivate();
    mlockDrainLocal(this.machine);
  }

  isolate(pfn: Pfn): boolean {
    if (!this.frames.testAndClear(pfn, PG_lru)) return false;
    this.frames.get(pfn);
    lruvecDelPage(this.machine, lruvecOf(this.machine, pfn), pfn);
    return true;
  }

  putback(pfn: Pfn): void {
    this.add(pfn);
    putPage(this.machine, pfn);
  }

  remove(pfn: Pfn): void {
    lruvecDelPage(this.machine, lruvecOf(this.machine, pfn), pfn);
    this.frames.clear(pfn, PG_lru | PG_active | PG_unevictable);
  }

  listOf(pfn: Pfn): LruList {
    const { machine, frames } = this;
    const { multiGen } = machine;
    if (multiGen !== null && frames.has(pfn, PG_lru) && !frames.has(pfn, PG_unevictable)) {
      return lruGenList(machine, multiGen, lruvecOf(machine, pfn), pfn);
    }
    return pageLru(this.frames, pfn);
  }

  batches(): LruBatch[] {
    const told = (name: string, { pages, count }: Batch) => ({
      name,
      pages: pages.slice(0, count),
      room: pages.length,
    });
    return [
      told('lru_add', this.lruAdd),
      told('lru_move_tail', this.lruRotate),
      told('lru_deactivate_file', this.lruDeactivateFile),
      told('lru_deactivate', this.lruDeactivate),
      told('lru_lazyfree', this.lruLazyfree),
      told('lru_activate', this.lruActivate),
    ];
  }

  // batches

  /** True: the batch is full now. A large folio does not wait: it would keep too much memory from its list. */
  private queue(batch: Batch, pfn: Pfn): boolean {
    this.frames.get(pfn);
    batch.pages[batch.count] = pfn;
    batch.count += 1;
    return batch.count === batch.pages.length || this.frames.has(pfn, PG_head);
  }

  /** The page was added a moment ago and still waits for its list. */
  private isQueuedNew(pfn: Pfn): boolean {
    return this.lruAdd.pages.lastIndexOf(pfn, this.lruAdd.count - 1) >= 0 && this.lruAdd.count > 0;
  }

  private drainAdd(): void {
    const { machine, frames, lruAdd } = this;
    const count = lruAdd.count;
    lruAdd.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruAdd.pages[i]! as Pfn;
      const was = frames.testAndClear(pfn, PG_unevictable);
      if (isEvictable(machine, pfn)) {
        if (was) machine.events[UNEVICTABLE_PGRESCUED]! += folioPages(machine, pfn);
      } else {
        frames.clear(pfn, PG_active);
        frames.set(pfn, PG_unevictable);
        machine.mlockBatch.counts.delete(pfn);
        if (!was) machine.events[UNEVICTABLE_PGCULLED]! += folioPages(machine, pfn);
      }
      const lruvec = lruvecOf(machine, pfn);
      frames.set(pfn, PG_lru);
      lruvecAddPage(machine, lruvec, pfn);
      if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_lru_insertion', pfn, pageLru(frames, pfn));
    }
    this.release(lruAdd, count);
  }

  private drainRotate(): void {
    const { machine, frames, lruRotate } = this;
    const count = lruRotate.count;
    lruRotate.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruRotate.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_unevictable)) continue;
      const lruvec = lruvecOf(machine, pfn);
      lruvecDelPage(machine, lruvec, pfn);
      frames.clear(pfn, PG_active);
      lruvecAddPageTail(machine, lruvec, pfn);
      machine.events[PGROTATED]! += folioPages(machine, pfn);
    }
    this.release(lruRotate, count);
  }

  private drainDeactivateFile(): void {
    const { machine, frames, lruDeactivateFile } = this;
    const count = lruDeactivateFile.count;
    lruDeactivateFile.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruDeactivateFile.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_unevictable) || folioMapcount(machine, pfn) > 0) continue;
      const lruvec = lruvecOf(machine, pfn);
      const active = frames.has(pfn, PG_active) || (machine.multiGen?.rules.coldForgetsUses ?? false);
      lruvecDelPage(machine, lruvec, pfn);
      frames.clear(pfn, PG_active | PG_referenced);
      if (frames.has(pfn, PG_writeback | PG_dirty)) {
        // Its I/O is not done: it is freed when that ends, so it must not be at the tail before.
        lruvecAddPage(machine, lruvec, pfn);
        frames.set(pfn, PG_reclaim);
      } else {
        lruvecAddPageTail(machine, lruvec, pfn);
        machine.events[PGROTATED]! += 1;
      }
      if (active) this.countEvent(PGDEACTIVATE, pfn);
    }
    this.release(lruDeactivateFile, count);
  }

  private drainDeactivate(): void {
    const { machine, frames, lruDeactivate } = this;
    const count = lruDeactivate.count;
    lruDeactivate.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruDeactivate.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_unevictable)) continue;
      if (machine.multiGen === null && !frames.has(pfn, PG_active)) continue;
      const lruvec = lruvecOf(machine, pfn);
      lruvecDelPage(machine, lruvec, pfn);
      frames.clear(pfn, PG_active | PG_referenced);
      lruvecAddPage(machine, lruvec, pfn);
      this.countEvent(PGDEACTIVATE, pfn);
    }
    this.release(lruDeactivate, count);
  }

  private drainLazyfree(): void {
    const { machine, frames, lruLazyfree } = this;
    const count = lruLazyfree.count;
    lruLazyfree.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruLazyfree.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || !isPrivateAnon(frames, pfn)) continue;
      const lruvec = lruvecOf(machine, pfn);
      lruvecDelPage(machine, lruvec, pfn);
      // 6.18 with generations: the page has left its list by now, so its uses stay.
      const keepsUses = machine.multiGen?.rules.coldForgetsUses ?? false;
      frames.clear(pfn, PG_active | PG_swapbacked | (keepsUses ? 0 : PG_referenced));
      lruvecAddPage(machine, lruvec, pfn);
      this.countEvent(PGLAZYFREE, pfn);
    }
    this.release(lruLazyfree, count);
  }

  private drainActivate(): void {
    const { machine, frames, lruActivate } = this;
    const count = lruActivate.count;
    lruActivate.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruActivate.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_active | PG_unevictable)) continue;
      const lruvec = lruvecOf(machine, pfn);
      lruvecDelPage(machine, lruvec, pfn);
      frames.set(pfn, PG_active);
      lruvecAddPage(machine, lruvec, pfn);
      if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_lru_activate', pfn);
      this.countEvent(PGACTIVATE, pfn);
    }
    this.release(lruActivate, count);
  }

  private countEvent(event: number, pfn: Pfn): void {
    const pages = folioPages(this.machine, pfn);
    this.machine.events[event]! += pages;
    countMemcgEvents(memcgOfPage(this.machine, pfn), event, pages);
  }

  /** Drops the batch's references; a page that nobody else holds is freed here. */
  private release(batch: Batch, count: number): void {
    for (let i = 0; i < count; i++) putPage(this.machine, batch.pages[i]! as Pfn);
  }
}

/** The page is cold, somebody says. True: it is in the oldest generation already, or in none (lru_gen_clear_refs). */
function forgetUses({ machine, gens, rules }: MultiGen, pfn: Pfn): boolean {
  if (!rules.coldForgetsUses) return false;
  const gen = gens.gen(pfn);
  if (gen === NO_GEN) return true;
  gens.setRefs(pfn, 0);
  machine.frames.clear(pfn, PG_referenced | PG_workingset);
  const lruGen = lruvecOf(machine, pfn).lruGen!;
  return gen === lruGen.minSeq[lruType(machine.frames, pfn)]! % MAX_NR_GENS;
}

/** Anonymous, with no copy in swap: MADV_FREE may give it up. */
function isPrivateAnon(frames: MemMap, pfn: Pfn): boolean {
  return frames.isAnon(pfn) && frames.has(pfn, PG_swapbacked) && !frames.has(pfn, PG_swapcache | PG_unevictable);
}

export function isFileList(lru: LruList): boolean {
  return lru === LRU_INACTIVE_FILE || lru === LRU_ACTIVE_FILE;
}
