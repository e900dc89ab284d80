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
 * How many were in use is counted as QEMU counts: one more for each entry filled, one less for each that makes room or is
 * invalidated. So an entry filled again, because a page that was only read is written now, counts twice; one that comes back from
 * the victims does not count; and what Linux unmaps in a block counts, for the flush behind it still finds it there.
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
  /** Entries in use, as QEMU counts them; and was one filled since the last flush? */
  private used = 0;
  private filled = false;
  /** Of `used`: changed with others, and the TLB will be told of all of them together. */
  private gathered = 0;
  /** Since `windowStart`, at a full flush. */
  private mostUsed = 0;
  private windowStart = 0;

  constructor(config: TlbConfig) {
    this.entries = new Int32Array(config.entries).fill(NO_SLOT);
    this.victims = new Int32Array(config.victims).fill(NO_SLOT);
    this.jumps = new Int32Array(config.jumps).fill(NO_SLOT);
  }

  /**
   * The entry of `vpn` is in the TLB from now on. True: it was already, among the victims or in its place, and had all of `rights`.
   */
  take(bits: Uint16Array, slot: number, vpn: Vpn, rights: number): boolean {
    const allows = (bits[slot]! & rights) === rights;
    if ((bits[slot]! & PTE_DTLB) !== 0) {
      this.used += allows ? 0 : 1;
      return allows;
    }
    const { entries, victims } = this;
    const place = vpn & (entries.length - 1);
    const old = entries[place]!;
    const evicted = old !== NO_SLOT && (bits[old]! & PTE_DTLB) !== 0 ? old : NO_SLOT;
    if (evicted !== NO_SLOT) bits[evicted]! &= ~PTE_DTLB;
    entries[place] = slot;
    bits[slot]! |= PTE_DTLB;
    const victim = victims.indexOf(slot);
    if (victim >= 0 && allows) {
      victims[victim] = evicted;
      return true;
    }
    if (victim >= 0) victims[victim] = NO_SLOT;
    this.filled = true;
    if (evicted === NO_SLOT) {
      this.used += 1;
      return false;
    }
    victims[this.nextVictim] = evicted;
    this.nextVictim = (this.nextVictim + 1) & (victims.length - 1);
    return false;
  }

  /** The entry allows more now. The TLB is not told: it has what was before, and fills it again at the next access. */
  outdate(bits: Uint16Array, slot: number): void {
    bits[slot]! &= ~PTE_DTLB;
    const victim = this.victims.indexOf(slot);
    if (victim >= 0) this.victims[victim] = NO_SLOT;
  }

  /** The entry is about to change with others: the TLB has it until it is told of all of them (settle, flush). */
  gather(bits: Uint16Array, slot: number): void {
    if ((bits[slot]! & PTE_DTLB) === 0) return;
    bits[slot]! &= ~PTE_DTLB;
    this.gathered += 1;
  }
  /** What was gathered is invalidated, page by page. */
  settle(): void {
    this.used -= this.gathered;
    this.gathered = 0;
  }

  /** Code of the page runs: until it is invalidated or another page of its class runs, fetches ask nobody. */
  jump(bits: Uint16Array, slot: number, vpn: Vpn): void {
    this.forgetJump(bits, vpn);
    this.jumps[this.classOf(vpn)] = slot;
    bits[slot]! |= PTE_ITLB;
  }

  /** The entry changes (INVLPG). */
  invalidate(bits: Uint16Array, slot: number, vpn: Vpn): void {
    if ((bits[slot]! & PTE_DTLB) !== 0) this.used -= 1;
    bits[slot]! &= ~PTE_DTLB;
    const victim = this.victims.indexOf(slot);
    if (victim >= 0) this.victims[victim] = NO_SLOT;
    this.forgetJump(bits, vpn);
    this.forgetJump(bits, (vpn - 1) as Vpn);
  }

  /** Everything out; how full it was says how large it is from now on. `now`: the machine's clock. */
  flush(bits: Uint16Array, now: number): void {
    for (const slot of this.entries) if (slot !== NO_SLOT) bits[slot]! &= ~PTE_DTLB;
    if (this.filled) this.resize(this.used, now);
    this.used = 0;
    this.filled = false;
    this.gathered = 0;
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
