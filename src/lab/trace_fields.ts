/**
 * What the engine emits, as fields of the kernel's tracepoints.
 *
 * Owns      the way from an emission to an event's name and values: numbers of zones, migrate types and flags as that kernel counts
 *           them; what the machine knows and the emission does not say (flags of a page, who was killed).
 * Promises  Looks only. Constants that stand for what no engine knows: the program's instruction pointer is 0 (at a fetch: the
 *           address), a fault's address is that of its page, user 0, CPU 0.
 */
import { folioPages } from '../mm/folio.ts';
import * as gfp from '../mm/gfp.ts';
import type { Machine } from '../mm/machine.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES } from '../mm/mm.ts';
import { PG_mappedtodisk, PG_private, PG_swapbacked, PG_swapcache } from '../mm/page_flags.ts';
import type { Task } from '../mm/task.ts';
import { TRACEPOINTS, type TracepointName } from '../mm/tracepoints.ts';
import type { Pfn } from '../mm/units.ts';
import { ZONE_HIGHMEM, ZONE_MOVABLE } from '../mm/zone.ts';
import type { FieldValue, FieldValues, FtraceEra } from '../trace/ftrace_events.ts';
import { GFP_BITS_3, GFP_BITS_6 } from '../trace/ftrace_gfp.ts';

const KIB_PER_PAGE = 4;
/** MAJOR and MINOR of the disk and of tmpfs, as /proc/PID/maps prints them. */
const DISK_DEVICE = 0xfe << 20;
const TMPFS_DEVICE = 1;
const ASYNC = 8;
const OF_FILES = 2;
const OF_ANON = 1;
const FETCH = 16;
/** Of emission mm_vmscan_throttled: no progress, writeback, congested; bits of VMSCAN_THROTTLE_. */
const THROTTLE_BITS = [4, 1, 8];
const ATOMIC_6_1 = 0x200;
/** Where the kernel's own objects are said to lie. */
const SHRINKERS = 0xffff8881;

/** Who was killed may be known by another number than the machine's. */
export type NumberOf = (task: Task) => number;

/** A pair of the tracepoint's name and its fields; null: no kernel has such an event. */
export class TraceFields {
  readonly era: FtraceEra;
  private readonly machine: Machine;
  private readonly numberOf: NumberOf;
  /** The machine's allocation flags and the kernel's. */
  private readonly gfpBits: readonly (readonly [ours: number, theirs: number])[];
  /** A cgroup's reclaim is under way: it takes pages of all zones. */
  private forMemcg = false;

  constructor(machine: Machine, numberOf: NumberOf) {
    const { family, version } = machine.generation;
    this.machine = machine;
    this.numberOf = numberOf;
    this.era = family !== 'linux-6' ? '3.16' : version === '6.1' ? '6.1' : '6.18';
    const theirs = this.era === '3.16' ? GFP_BITS_3 : GFP_BITS_6;
    const ours = gfp as unknown as Readonly<Record<string, number>>;
    this.gfpBits = Object.entries(theirs).flatMap(([name, bit]) =>
      ours[name] === undefined ? [] : [[ours[name], bit] as const],
    );
  }

  /** The name of the kernel's tracepoint in 6.18; null if what was emitted is ours alone. */
  nameOf(name: TracepointName, values: readonly number[]): string | null {
    switch (name) {
      case 'exception_page_fault':
        return (values[1]! & 4) !== 0 ? 'page_fault_user' : 'page_fault_kernel';
      case 'oom_kill':
        return 'mark_victim';
      case 'flusher_end':
        return values[0]! > 0 ? 'writeback_pages_written' : null;
      case 'mm_vmscan_memcg_reclaim_begin':
        this.forMemcg = true;
        return name;
      case 'mm_vmscan_memcg_reclaim_end':
        this.forMemcg = false;
        return name;
      default:
        return OURS.has(name) ? null : name;
    }
  }

  fields(name: TracepointName, values: readonly number[]): FieldValues {
    const names: readonly string[] = TRACEPOINTS[name];
    const of: Record<string, FieldValue> = {};
    for (let i = 0; i < names.length; i++) of[names[i]!] = values[i] ?? 0;
    this.complete(name, of);
    return of;
  }

  private complete(name: TracepointName, of: Record<string, FieldValue>): void {
    if (of['gfp_flags'] !== undefined) of['gfp_flags'] = this.gfp(of['gfp_flags'] as number);
    if (of['zid'] !== undefined) of['zid'] = this.zone(of['zid'] as number);
    switch (name) {
      case 'mm_vmscan_lru_isolate':
        of['highest_zoneidx'] =
          this.forMemcg && !this.machine.current.isKswapd ? ZONE_MOVABLE : this.zone(of['classzone'] as number);
        of['file'] = (of['lru'] as number) >= 2 ? 1 : 0;
        break;
      case 'mm_vmscan_lru_shrink_inactive':
      case 'mm_vmscan_lru_shrink_active':
        of['nr_activate0'] = of['nr_activate_anon'] ?? 0;
        of['nr_activate1'] = of['nr_activate_file'] ?? 0;
        of['reclaim_flags'] = (of['file'] === 0 ? OF_ANON : OF_FILES) | ASYNC;
        break;
      case 'mm_vmscan_write_folio':
        of['reclaim_flags'] = (this.machine.frames.has(of['pfn'] as Pfn, PG_swapbacked) ? OF_ANON : OF_FILES) | ASYNC;
        break;
      case 'mm_vmscan_throttled':
        of['reason'] = THROTTLE_BITS[of['reason'] as number]!;
        break;
      case 'mm_shrink_slab_start':
      case 'mm_shrink_slab_end':
        this.shrinker(of);
        break;
      case 'mm_filemap_add_to_page_cache':
      case 'mm_filemap_delete_from_page_cache':
        this.pageCache(of);
        break;
      case 'mm_lru_insertion':
        of['flags'] = this.pageFlags(of['pfn'] as Pfn);
        break;
      case 'mm_page_alloc':
        of['migratetype'] = this.migratetype(of['migratetype'] as number);
        break;
      case 'mm_page_alloc_extfrag':
        of['alloc_migratetype'] = this.migratetype(of['alloc_migratetype'] as number);
        of['fallback_migratetype'] = this.migratetype(of['fallback_migratetype'] as number);
        break;
      case 'exception_page_fault':
        of['ip'] = ((of['error_code'] as number) & FETCH) !== 0 ? of['address']! : 0;
        break;
      case 'oom_kill':
        this.victim(of);
        break;
    }
    // A record has the frame's number, or a pointer to its struct page or folio.
    const pfn = of['pfn'];
    if (pfn !== undefined) {
      of['page'] = pfn;
      of['folio'] = pfn;
    }
  }

  private gfp(ours: number): number {
    let bits = 0;
    for (const [our, their] of this.gfpBits) if ((ours & our) !== 0) bits |= their;
    const isAtomic = (ours & (gfp.__GFP_HIGH | gfp.__GFP_RECLAIM)) === gfp.GFP_ATOMIC;
    return this.era === '6.1' && isAtomic ? bits | ATOMIC_6_1 : bits;
  }

  /** x86-64 has no zone of high memory, so the movable one has its number. */
  private zone(type: number): number {
    return type === ZONE_MOVABLE ? ZONE_HIGHMEM : type;
  }

  /** SINCE 4.8 movable comes before reclaimable. */
  private migratetype(type: number): number {
    return this.era === '3.16' && (type === 1 || type === 2) ? 3 - type : type;
  }

  /** PAGEMAP_ bits. */
  private pageFlags(pfn: Pfn): number {
    const { frames } = this.machine;
    const isAnon = frames.isAnon(pfn);
    return (
      (frames.mapcount(pfn) > 0 ? 1 : 0) |
      (isAnon ? 2 : 4) |
      (frames.has(pfn, PG_swapcache) ? 8 : 0) |
      (frames.has(pfn, PG_swapbacked) ? 16 : 0) |
      (frames.has(pfn, PG_mappedtodisk) ? 32 : 0) |
      (frames.has(pfn, PG_private) ? 64 : 0)
    );
  }

  private pageCache(of: Record<string, FieldValue>): void {
    const inode = this.machine.inodes.get(of['ino'] as number);
    of['i_ino'] = of['ino']!;
    of['s_dev'] = inode?.kind === 'tmpfs' ? TMPFS_DEVICE : DISK_DEVICE;
    of['order'] = Math.log2(folioPages(this.machine, of['pfn'] as Pfn));
  }

  private shrinker(of: Record<string, FieldValue>): void {
    const at = of['shrinker'] as number;
    of['shrink'] = this.machine.slab.shrinkers[at]?.ops.scanName ?? 'do_shrink_slab';
    of['shr'] = `${SHRINKERS.toString(16)}${(at * 256).toString(16).padStart(8, '0')}`;
  }

  private victim(of: Record<string, FieldValue>): void {
    const task = this.machine.tasks.find((one) => one.pid === of['pid']);
    const mm = task?.mm;
    const kib = (pages: number | undefined): number => (pages ?? 0) * KIB_PER_PAGE;
    if (task !== undefined) of['pid'] = this.numberOf(task);
    of['comm'] = task?.comm ?? '';
    of['total_vm'] = kib(mm?.totalVm);
    of['anon_rss'] = kib(mm?.rss[MM_ANONPAGES]);
    of['file_rss'] = kib(mm?.rss[MM_FILEPAGES]);
    of['shmem_rss'] = kib(mm?.rss[MM_SHMEMPAGES]);
    of['uid'] = 0;
    of['pgtables'] = kib(mm?.nrPtes);
    of['oom_score_adj'] = task?.oomScoreAdj ?? 0;
  }
}

/** Emissions that are for ourselves. */
const OURS: ReadonlySet<string> = new Set([
  'page_fault_user',
  'major_fault',
  'flusher_begin',
  'shrink_cache',
  'zone_watermark_ok',
  'shrink_page_list',
  'page_verdict',
  'sort_folio',
]);

/** Kernel functions that fields of records point to. */
export const SHRINKER_FUNCTIONS: readonly string[] = [
  'scan_shadow_nodes',
  'super_cache_scan',
  'deferred_split_scan',
  'do_shrink_slab',
];
