/**
 * A machine of 2.4 with one process, and short words for what its reclaim does.
 */
import { GFP_USER, type Gfp } from '../src/mm/gfp.ts';
import { PG_active, PG_lru, PG_private, PG_referenced } from '../src/mm/page_flags.ts';
import { shrinkCache } from '../src/mm/reclaim/shrink_cache.ts';
import { reclaim_2_4, type Vmscan_2_4 } from '../src/mm/reclaim/vmscan_2_4.ts';
import { swapMap } from '../src/mm/swap/swap_2_4.ts';
import type { Pfn, SwapEntry } from '../src/mm/units.ts';
import type { Zone } from '../src/mm/zone.ts';
import { Space, type SpaceConfig } from './space.ts';

export class Space_2_4 extends Space {
  constructor(config: SpaceConfig = {}) {
    super({ kernel: '2.4.19', ...config });
  }

  get reclaim(): Vmscan_2_4 {
    return reclaim_2_4(this.machine);
  }
  /** The highest zone with memory: where everything may come from. */
  get zone(): Zone {
    return this.machine.zones.findLast((zone) => zone.managedPages > 0)!;
  }
  /** References, without the one of buffers. */
  count(pfn: Pfn): number {
    return this.machine.frames.refcount(pfn) - (this.machine.frames.has(pfn, PG_private) ? 1 : 0);
  }
  sm(entry: SwapEntry): number {
    return swapMap(this.machine, entry);
  }
  /** `A` active, `I` inactive, `-` on no list; with R if it is referenced. */
  state(pfn: Pfn): string {
    const { frames } = this.machine;
    const list = !frames.has(pfn, PG_lru) ? '-' : frames.has(pfn, PG_active) ? 'A' : 'I';
    return frames.has(pfn, PG_referenced) ? `${list} R` : list;
  }
  inactive(): Pfn[] {
    return this.list('inactive_anon');
  }
  active(): Pfn[] {
    return this.list('active_anon');
  }
  swapOut(zone: Zone = this.zone): boolean {
    return this.reclaim.swapOut.swapOut(zone);
  }
  refill(pages: number): void {
    this.reclaim.refillInactive(this.zone, pages);
  }
  /** One pass; which step ended each page's visit, in the order of the visits, and how many pages are still wanted. */
  shrink(
    pages = 32,
    priority = 1,
    gfp: Gfp = GFP_USER,
    zone: Zone = this.zone,
  ): { steps: [pfn: number, step: number][]; wanted: number } {
    const steps: [number, number][] = [];
    const stop = this.machine.trace.listen((_at, name, values) => {
      if (name === 'shrink_cache') steps.push([values[0]!, values[1]!]);
    });
    const wanted = shrinkCache(this.machine, this.reclaim.swapOut, pages, zone, gfp, priority);
    stop();
    return { steps, wanted };
  }
  /** The swap entry at `page`. */
  entry(page: number): SwapEntry {
    return this.machine.pageTables.swapEntry(this.slot(page));
  }
}
