/**
 * What the CPU remembers of page tables, so that it does not look there again, and sets no young bit.
 *
 * Owns      PTE_DTLB and PTE_ITLB of every entry: is it in the TLB, is code of its page found without the TLB.
 * Promises  1. An entry has PTE_DTLB only while a place of the TLB holds its slot; PTE_ITLB, while a jump does.
 *           2. Whoever takes an entry away or changes its rights calls `invalidate`, as Linux calls flush_tlb_page.
 *
 * The CPU is the one that the measurements in oracle/ were made on: QEMU's emulated one (accel/tcg/cputlb.c, tb-jmp-cache.h).
 *
 *   entries   direct-mapped by the low bits of the page number, for data and code alike
 *   victims   the last ones that had to make room; from here an entry comes back without a page walk
 *   jumps     translated code is found by its address, without a look at the TLB; a class holds a page's
 *
 *   fetch ──► jumps ──no──► entries ──no──► victims ──no──► page walk: young
 *   load, store ──────────► entries ──no──► victims ──no──► page walk: young;   store to an entry not dirty ──► page walk: dirty
 *
 * Linux flushes what it unmaps, write-protects or cleans; it does not flush when it clears a young bit. So a page that the
 * program uses all the time can look idle to reclaim, here as there. Invalidating a page lets go of all jumps of its class and of the
 * class before, whosever they are: where pages are evicted, code is looked up in the TLB again and again.
 *
 * The number of entries changes when everything is flushed, as in QEMU: it doubles when more than 70 % were in use at a flush, and
 * becomes the next power of two that holds them when for a tenth of a second less than 30 % were. One CPU flushes everything
 * when it changes the address space, at a fork, and when more than 33 pages are unmapped at once; so a program that frees large
 * blocks gets a large TLB, and its pages look idle for longer.
 *
 * DIFFERS: the kernel's own accesses to user memory go past it.
 */
import { NO_SLOT, PTE_DTLB, PTE_ITLB } from './page_table.ts';
import type { Vpn } from './units.ts';

/** Shares of its entries. */
const FULL = 0.7;
const EMPTY = 0.3;
const LEAST_ENTRIES = 64;
/** A tenth of a second of the emulator's, in which the machine gets a sixteenth as far as its clock says. */
const WINDOW_NS = 6e6;

/** How many of each; powers of two. */
export interface TlbConfig {
  readonly entries: number;
  readonly victims: number;
  readonly jumps: number;
}

export class Tlb {
  private entries: Int32Array;
  private readonly victims: Int32Array;
  private readonly jumps: Int32Array;
  private nextVictim = 0;
  /** Since `windowStart`, at a full flush. */
  private mostUsed = 0;
  private windowStart = 0;

  constructor(config: TlbConfig) {
    this.entries = new Int32Array(config.entries).fill(NO_SLOT);
    this.victims = new Int32Array(config.victims).fill(NO_SLOT);
    this.jumps = new Int32Array(config.jumps).fill(NO_SLOT);
  }

  /** The entry of `vpn` is in the TLB from now on. True: it was already, among the victims or in its place. */
  take(bits: Uint16Array, slot: number, vpn: Vpn): boolean {
    if ((bits[slot]! & PTE_DTLB) !== 0) return true;
    const { entries, victims } = this;
    const place = vpn & (entries.length - 1);
    const old = entries[place]!;
    const evicted = old !== NO_SLOT && (bits[old]! & PTE_DTLB) !== 0 ? old : NO_SLOT;
    if (evicted !== NO_SLOT) bits[evicted]! &= ~PTE_DTLB;
    entries[place] = slot;
    bits[slot]! |= PTE_DTLB;
    const victim = victims.indexOf(slot);
    if (victim >= 0) {
      victims[victim] = evicted;
      return true;
    }
    if (evicted !== NO_SLOT) {
      victims[this.nextVictim] = evicted;
      this.nextVictim = (this.nextVictim + 1) & (victims.length - 1);
    }
    return false;
  }

  /** Code of the page runs: until it is invalidated or another page of its class runs, fetches ask nobody. */
  jump(bits: Uint16Array, slot: number, vpn: Vpn): void {
    this.forgetJump(bits, vpn);
    this.jumps[this.classOf(vpn)] = slot;
    bits[slot]! |= PTE_ITLB;
  }

  /** The entry changes (INVLPG). */
  invalidate(bits: Uint16Array, slot: number, vpn: Vpn): void {
    bits[slot]! &= ~PTE_DTLB;
    const victim = this.victims.indexOf(slot);
    if (victim >= 0) this.victims[victim] = NO_SLOT;
    this.forgetJump(bits, vpn);
    this.forgetJump(bits, (vpn - 1) as Vpn);
  }

  /** Everything out; how full it was says how large it is from now on. `now`: the machine's clock. */
  flush(bits: Uint16Array, now: number): void {
    let used = 0;
    for (const slot of this.entries) {
      if (slot === NO_SLOT || (bits[slot]! & PTE_DTLB) === 0) continue;
      used += 1;
      bits[slot]! &= ~PTE_DTLB;
    }
    this.resize(used, now);
    for (const slot of this.jumps) if (slot !== NO_SLOT) bits[slot]! &= ~PTE_ITLB;
    this.entries.fill(NO_SLOT);
    this.victims.fill(NO_SLOT);
    this.jumps.fill(NO_SLOT);
  }

  private resize(used: number, now: number): void {
    const size = this.entries.length;
    const expired = now > this.windowStart + WINDOW_NS;
    this.mostUsed = Math.max(this.mostUsed, used);
    const share = this.mostUsed / size;
    let wanted = size;
    if (share > FULL) wanted = size * 2;
    else if (share < EMPTY && expired) {
      const fits = 2 ** Math.ceil(Math.log2(Math.max(1, this.mostUsed)));
      wanted = Math.max(LEAST_ENTRIES, this.mostUsed / fits > FULL ? fits * 2 : fits);
    }
    if (wanted !== size) this.entries = new Int32Array(wanted);
    if (wanted === size && !expired) return;
    this.windowStart = now;
    this.mostUsed = wanted === size ? used : 0;
  }

  private forgetJump(bits: Uint16Array, vpn: Vpn): void {
    const place = this.classOf(vpn);
    const old = this.jumps[place]!;
    if (old !== NO_SLOT) bits[old]! &= ~PTE_ITLB;
    this.jumps[place] = NO_SLOT;
  }

  private classOf(vpn: Vpn): number {
    return (vpn ^ (vpn >>> 6)) & (this.jumps.length - 1);
  }
}
