/**
 * What happened, for whoever listens.
 *
 * Owns      the list of listeners. An event is emitted only when somebody listens: `if (trace.on) trace.emit(...)`.
 * Promises  A listener sees numbers only, named as in the kernel's TP_STRUCT__entry; it must not change the machine.
 *           page_verdict is ours: what became of a page at the tail of a list, and on which step (reclaim/shrink_page_list.ts,
 *           reclaim/shrink_page_list_3.ts); so is sort_folio: why eviction passed a page by (mglru/eviction.ts).
 * Linux     6.18 include/trace/events/vmscan.h, include/trace/events/filemap.h, include/trace/events/pagemap.h,
 *           include/trace/events/kmem.h, include/trace/events/oom.h, arch/x86/include/asm/trace/exceptions.h
 */
export const TRACEPOINTS = {
  mm_vmscan_kswapd_wake: ['nid', 'order', 'zid'],
  mm_vmscan_kswapd_sleep: ['nid'],
  mm_vmscan_wakeup_kswapd: ['nid', 'order', 'zid', 'gfp_flags'],
  mm_vmscan_direct_reclaim_begin: ['order', 'may_writepage', 'gfp_flags'],
  mm_vmscan_direct_reclaim_end: ['nr_reclaimed'],
  mm_vmscan_memcg_reclaim_begin: ['order', 'may_writepage', 'gfp_flags', 'memcg'],
  mm_vmscan_memcg_reclaim_end: ['nr_reclaimed'],
  // A shrinker is its place in the slab's list.
  mm_shrink_slab_start: [
    'shrinker',
    'nid',
    'nr_objects_to_shrink',
    'gfp_flags',
    'cache_items',
    'delta',
    'total_scan',
    'priority',
  ],
  mm_shrink_slab_end: ['shrinker', 'nid', 'unused_scan', 'new_scan', 'retval', 'total_scan'],
  mm_vmscan_lru_isolate: [
    'classzone',
    'nr_requested',
    'nr_scanned',
    'nr_skipped',
    'nr_taken',
    'lru',
    'order',
    'isolate_mode',
  ],
  mm_vmscan_lru_shrink_inactive: [
    'nid',
    'nr_scanned',
    'nr_reclaimed',
    'nr_dirty',
    'nr_writeback',
    'nr_congested',
    'nr_immediate',
    'nr_activate_anon',
    'nr_activate_file',
    'nr_ref_keep',
    'nr_unmap_fail',
    'priority',
    'file',
    'zid',
  ],
  mm_vmscan_lru_shrink_active: ['nid', 'nr_taken', 'nr_active', 'nr_deactivated', 'nr_referenced', 'priority', 'file'],
  mm_vmscan_write_folio: ['pfn'],
  // 2.4 has no tracepoints: the step of shrink_cache.ts at which a page's visit ended.
  shrink_cache: ['pfn', 'step', 'priority'],
  mm_vmscan_throttled: ['nid', 'usec_timeout', 'reason', 'usec_delayed'],
  mm_lru_insertion: ['pfn', 'lru'],
  mm_lru_activate: ['pfn'],
  mm_filemap_add_to_page_cache: ['ino', 'pfn', 'index'],
  mm_filemap_delete_from_page_cache: ['ino', 'pfn', 'index'],
  mm_page_alloc: ['pfn', 'order', 'migratetype', 'gfp_flags'],
  mm_page_free: ['pfn', 'order'],
  mm_page_alloc_extfrag: [
    'pfn',
    'alloc_order',
    'fallback_order',
    'alloc_migratetype',
    'fallback_migratetype',
    'moved',
    'change_ownership',
  ],
  zone_watermark_ok: ['zone', 'order', 'mark', 'min', 'reserve', 'free', 'failed_order'],
  shrink_page_list: ['pfn', 'step', 'verdict'],
  // Each attempt to resolve a fault, with FAULT_FLAG_ bits; and the exception that began them, with the bits that x86 pushes.
  page_fault_user: ['address', 'flags'],
  exception_page_fault: ['address', 'error_code'],
  major_fault: ['address'],
  // Somebody writes dirty pages in the background (a kworker, pdflush, kupdate).
  flusher_begin: [],
  flusher_end: ['pages'],
  oom_kill: ['pid'],
  page_verdict: ['pfn', 'rung', 'verdict'],
  sort_folio: ['pfn', 'why', 'type'],
} as const;
export type TracepointName = keyof typeof TRACEPOINTS;

/** Called with the values in the order of TRACEPOINTS[name]; `atNs` is the machine's clock. */
export type TraceListener = (atNs: number, name: TracepointName, values: readonly number[]) => void;

export class Tracepoints {
  /** Whoever listens is no part of the machine's state. */
  readonly isCache = true;
  /** Somebody listens. */
  on = false;
  /** Which access of the batch at hand is being made: the place in accessPages' columns. */
  access = 0;
  private readonly listeners: TraceListener[] = [];

  /** Returns what ends the listening. */
  listen(listener: TraceListener): () => void {
    this.listeners.push(listener);
    this.on = true;
    return () => {
      const at = this.listeners.indexOf(listener);
      if (at >= 0) this.listeners.splice(at, 1);
      this.on = this.listeners.length > 0;
    };
  }

  /** A program begins to reclaim itself: for `memcg`, which is at its limit, or with -1 for the machine. */
  reclaimBegin(atNs: number, order: number, mayWritepage: boolean, gfp: number, memcg: number): void {
    const may = mayWritepage ? 1 : 0;
    if (memcg < 0) this.emit(atNs, 'mm_vmscan_direct_reclaim_begin', order, may, gfp);
    else this.emit(atNs, 'mm_vmscan_memcg_reclaim_begin', order, may, gfp, memcg);
  }

  emit(atNs: number, name: TracepointName, ...values: number[]): void {
    for (const listener of this.listeners) listener(atNs, name, values);
  }
}
