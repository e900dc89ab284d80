/**
 * Pages to and from their slots.
 *
 * Owns      what a slot holds (its token, its zero bit); pswpin, pswpout, swpin_zero, swpout_zero.
 * Promises  1. What is read back is what the page held when it was written.
 *           2. zram: done when the call returns. A disk: the page stays locked (read) or under writeback (write) until the
 *              device is done with it.
 * Linux     6.18 mm/page_io.c: swap_writeout swap_read_folio swap_zeromap_folio_set __end_swap_bio_read __end_swap_bio_write
 *           6.1 mm/page_io.c: swap_writepage swap_readpage
 */
import { submitSwapRead, submitSwapWrite } from '../block.ts';
import { ZRAM_IN_NS, ZRAM_OUT_NS } from '../costs.ts';
import { endPageWriteback } from '../filemap.ts';
import { folioPages } from '../folio.ts';
import type { Machine } from '../machine.ts';
import { countMemcgEvents, memcgOfPage } from '../memcg.ts';
import { PG_locked, PG_uptodate } from '../page_flags.ts';
import { type Pfn, type SwapEntry, swpOffset } from '../units.ts';
import { PGPGIN, PGPGOUT, PSWPIN, PSWPOUT, SWPIN_ZERO, SWPOUT_ZERO, THP_SWPOUT } from '../vmstat.ts';
import { setPageWriteback } from '../writeback.ts';
import { folioFreeSwap } from './swapfile.ts';

const KIB_PER_PAGE = 4;

/** Writes a locked, clean page of the swap cache, and unlocks it. A page whose slot nobody needs is not written but dirty. */
export function swapWritepage(machine: Machine, pfn: Pfn): void {
  const frames = machine.frames;
  if (folioFreeSwap(machine, pfn)) {
    frames.clear(pfn, PG_locked);
    return;
  }
  const entry = frames.private_(pfn) as SwapEntry;
  const area = machine.swap.areaOf(entry);
  const offset = swpOffset(entry);
  const pages = folioPages(machine, pfn);
  let zero = machine.generation.switches.swapZeromap;
  for (let i = 0; i < pages; i++) {
    const token = frames.token((pfn + i) as Pfn);
    area.setToken(offset + i, token);
    if (zero && !machine.contents.isZero(token)) zero = false;
  }
  for (let i = 0; i < pages; i++) area.setZero(offset + i, zero);
  if (pages > 1) machine.events[THP_SWPOUT]! += 1;
  if (zero) {
    countSwap(machine, pfn, SWPOUT_ZERO);
    frames.clear(pfn, PG_locked);
    return;
  }
  countSwap(machine, pfn, PSWPOUT);
  setPageWriteback(machine, pfn);
  frames.clear(pfn, PG_locked);
  if (area.device !== null) {
    submitSwapWrite(machine, area.device, pfn, entry);
    return;
  }
  machine.clock.spend(ZRAM_OUT_NS);
  if (machine.generation.switches.swapSyncBio) machine.events[PGPGOUT]! += KIB_PER_PAGE;
  endPageWriteback(machine, pfn);
}

/** Fills a locked page from its slot, and unlocks it when it is uptodate. */
export function swapReadpage(machine: Machine, pfn: Pfn, entry: SwapEntry): void {
  const area = machine.swap.areaOf(entry);
  if (area.isZero(swpOffset(entry))) {
    countSwap(machine, pfn, SWPIN_ZERO);
    endSwapRead(machine, pfn, entry);
    return;
  }
  countSwap(machine, pfn, PSWPIN);
  if (area.device !== null) {
    submitSwapRead(machine, area.device, pfn, entry);
    return;
  }
  machine.clock.spend(ZRAM_IN_NS);
  if (machine.generation.switches.swapSyncBio) machine.events[PGPGIN]! += KIB_PER_PAGE;
  endSwapRead(machine, pfn, entry);
}

/** The device has read the slot. */
export function endSwapRead(machine: Machine, pfn: Pfn, entry: SwapEntry): void {
  const frames = machine.frames;
  frames.setToken(pfn, machine.swap.areaOf(entry).token(swpOffset(entry)));
  frames.set(pfn, PG_uptodate);
  frames.clear(pfn, PG_locked);
}

/** The device has written the slot; what it holds was noted when the write was submitted. */
export function endSwapWrite(machine: Machine, pfn: Pfn, _entry: SwapEntry): void {
  endPageWriteback(machine, pfn);
}

function countSwap(machine: Machine, pfn: Pfn, event: number): void {
  const pages = folioPages(machine, pfn);
  machine.events[event]! += pages;
  countMemcgEvents(memcgOfPage(machine, pfn), event, pages);
}
