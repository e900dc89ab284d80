/**
 * The swap token: one address space whose pages are left alone, so that of several that thrash at least one gets on.
 *
 *   on a swap-in fault:   interval = faults of all since its last one
 *      holder             priority + 2
 *      another            shorter interval than the last time: priority + 1, else - 1; above the holder's: takes it, + 2
 *
 * Owns      who holds the token; Mm.tokenPriority, faultstamp and lastInterval.
 * Promises  One address space holds it, or none; it is given up at exit, and when reclaim is at the end of its means.
 * Linux     2.6.24 mm/thrash.c: grab_swap_token __put_swap_token; include/linux/swap.h: has_swap_token disable_swap_token
 */
import type { Machine } from '../machine.ts';
import type { Mm } from '../mm.ts';

export class SwapToken {
  holder: Mm | null = null;
  globalFaults = 0;
  /** Whom kswapd has interrupted: its mmap_sem is taken. */
  interrupted: Mm | null = null;

  /** `mm` is about to read a page in from swap. */
  grab(mm: Mm): void {
    this.globalFaults += 1;
    const interval = this.globalFaults - mm.faultstamp;
    const { holder } = this;
    if (holder === null || holder === mm) {
      mm.tokenPriority += 2;
      this.holder = mm;
    } else {
      if (interval < mm.lastInterval) mm.tokenPriority += 1;
      else if (mm.tokenPriority > 0) mm.tokenPriority -= 1;
      if (mm.tokenPriority > holder.tokenPriority) {
        mm.tokenPriority += 2;
        this.holder = mm;
      }
    }
    mm.faultstamp = this.globalFaults;
    mm.lastInterval = interval;
  }

  /** `mm` ends. */
  put(mm: Mm): void {
    if (this.holder === mm) this.holder = null;
  }

  disable(): void {
    this.holder = null;
  }

  /** A mapping of `mm` counts as used: it holds the token, is not who reclaims, and waits in a fault of its own. */
  protects(mm: Mm, reclaimer: Mm | null): boolean {
    return this.holder === mm && mm !== reclaimer && this.interrupted === mm;
  }
}

/** The machine's token; null in kernels that have none. */
export function swapTokenOf(machine: Machine): SwapToken | null {
  return machine.state?.swapToken ?? null;
}
