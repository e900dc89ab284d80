/**
 * What happened to pages on lists between two steps: scans, and the verdict on each page that they met.
 *
 * Owns      how tracepoints become scans: which verdicts belong together, and who scanned.
 * Promises  1. The machine that is looked at is not touched: a scratch run makes the steps again.
 *           2. At most `limit` verdicts and MOST_SCANS scans are kept, the last ones; `outcomes` count all of them.
 *           3. A scan's own numbers are the kernel's (mm_vmscan_lru_shrink_inactive), where it has the tracepoint.
 */
import type { Player } from '../lab/timeline.ts';
import type { Machine } from '../mm/machine.ts';
import { PG_swapbacked, PG_swapcache } from '../mm/page_flags.ts';
import type { TracepointName } from '../mm/tracepoints.ts';
import type { Pfn } from '../mm/units.ts';
import { FREED, KEPT, type Ladder, OUTCOMES, SORTED } from './lists_words.ts';
import type { Subject } from './subject.ts';

/** The kernel's own count of a scan of an inactive list. */
export interface ScanNumbers {
  readonly scanned: number;
  readonly reclaimed: number;
  readonly dirty: number;
  readonly writeback: number;
  readonly activated: number;
  readonly refKeep: number;
  readonly unmapFail: number;
}

export interface Scan {
  /** The state that has seen it first. */
  readonly step: number;
  readonly atNs: number;
  kind: 'inactive' | 'active' | 'cache' | 'pages';
  /** The list that was scanned; '' where all of a kernel's pages are on one. */
  list: string;
  /** `kswapd`, `limit of program`, `allocation`, or who asked for it himself. */
  readonly who: string;
  priority: number | null;
  /** Taken from the list's tail. */
  taken: number;
  numbers: ScanNumbers | null;
  /** Of an active list: to inactive, and those that stay active. */
  deactivated: number;
  stayed: number;
  /** By outcome, as in OUTCOMES. */
  readonly outcomes: number[];
  /** Its verdicts in the columns: from here, so many (those that were kept). */
  first: number;
  count: number;
}

export interface ListLog {
  readonly from: number;
  readonly to: number;
  readonly ladder: Ladder;
  readonly scans: readonly Scan[];
  readonly scansLeftOut: number;
  /** One row for each verdict, in the order in which they were given. */
  readonly pfns: Int32Array;
  readonly rungs: Uint8Array;
  readonly outcomesOf: Uint8Array;
  readonly anon: Uint8Array;
  readonly verdictsLeftOut: number;
  /** All verdicts, by outcome. */
  readonly outcomes: readonly number[];
  /** What else happened to pages on lists. */
  readonly counts: readonly { readonly what: string; readonly pages: number }[];
}

const MOST_SCANS = 300;
/** A longer stretch is made from its end. */
const MOST_STEPS = 200_000;

/** From behind step `from` to step `to`. null: a host has no time. */
export function listEvents(subject: Subject, from: number, to: number, limit: number): ListLog | null {
  if (subject.kind === 'host') return null;
  const start = Math.max(0, Math.min(from, to), to - MOST_STEPS);
  const player = subject.timeline.scratchAt(start);
  const log = new Log(player, Math.max(1, limit));
  player.machine.trace.listen((atNs, name, values) => log.hear(atNs, name, values));
  player.run(to);
  return log.told(start, player.events);
}

class Log {
  private readonly player: Player;
  private readonly machine: Machine;
  private readonly limit: number;
  private readonly ladder: Ladder;
  private readonly scans: Scan[] = [];
  private scansLeftOut = 0;
  /** The scan whose verdicts are coming in. */
  private current: Scan | null = null;
  /** Who reclaims, innermost last. */
  private readonly reclaimers: string[] = [];
  private readonly pfns: number[] = [];
  private readonly rungs: number[] = [];
  private readonly outcomesOf: number[] = [];
  private readonly anon: number[] = [];
  private verdictsLeftOut = 0;
  private readonly outcomes: number[] = OUTCOMES.map(() => 0);
  private readonly counts: Map<string, number> = new Map();
  /** By frame: its page was anonymous when it was last seen; a page that is free says nothing. */
  private readonly wasAnon: Uint8Array;

  constructor(player: Player, limit: number) {
    this.player = player;
    this.machine = player.machine;
    this.limit = limit;
    this.ladder = ladderOf(this.machine);
    this.wasAnon = Uint8Array.from({ length: this.machine.frames.frames }, (_, pfn) => this.isAnon(pfn));
  }

  told(from: number, to: number): ListLog {
    this.thinOut(this.limit, MOST_SCANS);
    return {
      from,
      to,
      ladder: this.ladder,
      scans: this.scans,
      scansLeftOut: this.scansLeftOut,
      pfns: Int32Array.from(this.pfns),
      rungs: Uint8Array.from(this.rungs),
      outcomesOf: Uint8Array.from(this.outcomesOf),
      anon: Uint8Array.from(this.anon),
      verdictsLeftOut: this.verdictsLeftOut,
      outcomes: this.outcomes,
      counts: [...this.counts].map(([what, pages]) => ({ what, pages })),
    };
  }

  hear(atNs: number, name: TracepointName, values: readonly number[]): void {
    switch (name) {
      case 'mm_vmscan_kswapd_wake':
        this.reclaimers.push('kswapd');
        break;
      case 'mm_vmscan_direct_reclaim_begin':
        this.reclaimers.push('allocation');
        break;
      case 'mm_vmscan_memcg_reclaim_begin':
        this.reclaimers.push(`limit of ${this.machine.memcgs[values[3]!]?.name ?? values[3]}`);
        break;
      case 'mm_vmscan_kswapd_sleep':
      case 'mm_vmscan_direct_reclaim_end':
      case 'mm_vmscan_memcg_reclaim_end':
        this.reclaimers.pop();
        this.current = null;
        break;
      case 'mm_vmscan_lru_isolate':
        this.isolated(atNs, values);
        break;
      case 'sort_folio':
        this.verdict(this.scanFor(atNs, false), values[0]!, values[1]!, SORTED, values[2] === 0 ? 1 : 0);
        break;
      case 'page_verdict':
      case 'shrink_page_list':
        this.judged(atNs, values);
        break;
      case 'shrink_cache':
        this.cacheStep(atNs, values);
        break;
      case 'mm_vmscan_lru_shrink_inactive':
        this.shrunkInactive(values);
        break;
      case 'mm_vmscan_lru_shrink_active':
        this.shrunkActive(values);
        break;
      case 'mm_lru_insertion':
        this.wasAnon[values[0]!] = this.isAnon(values[0]!);
        this.count(`new on ${this.machine.generation.lruNames[values[1]!] ?? 'a list'}`);
        break;
      case 'mm_lru_activate':
        this.count('activated by use');
        break;
      case 'mm_vmscan_write_folio':
        this.count(
          this.machine.frames.has(values[0] as Pfn, PG_swapcache) ? 'written to swap' : 'written to their file',
        );
        break;
      default:
        break;
    }
  }

  // scans

  /** The first state that has seen what happens now: a call is made, and time passes, before the next page event. */
  private get step(): number {
    return this.player.position.event + 1;
  }

  private begin(atNs: number, kind: Scan['kind']): Scan {
    const scan: Scan = {
      step: this.step,
      atNs,
      kind,
      list: '',
      who: this.reclaimers.at(-1) ?? 'madvise',
      priority: null,
      taken: 0,
      numbers: null,
      deactivated: 0,
      stayed: 0,
      outcomes: OUTCOMES.map(() => 0),
      first: this.pfns.length,
      count: 0,
    };
    this.scans.push(scan);
    this.current = scan;
    return scan;
  }

  /** The scan under way that waits for verdicts. `isTaken`: its pages are off the list already. */
  private scanFor(atNs: number, isTaken: boolean): Scan {
    const { current } = this;
    if (current !== null && (isTaken ? current.step === this.step : isSorting(current))) return current;
    return this.begin(atNs, isTaken ? 'pages' : 'inactive');
  }

  private isolated(atNs: number, values: readonly number[]): void {
    const lru = values[5]!;
    // Eviction of generations sorts first, and tells what it took behind that.
    const { current } = this;
    const scan = current !== null && isSorting(current) ? current : this.begin(atNs, 'inactive');
    scan.list = this.machine.generation.lruNames[lru] ?? '';
    scan.taken = values[4]!;
  }

  private shrunkInactive(values: readonly number[]): void {
    const { current } = this;
    if (current === null) return;
    const v = (n: number): number => values[n]!;
    current.priority = v(11);
    current.numbers = {
      scanned: v(1),
      reclaimed: v(2),
      dirty: v(3),
      writeback: v(4),
      activated: v(7) + v(8),
      refKeep: v(9),
      unmapFail: v(10),
    };
    this.current = null;
  }

  private shrunkActive(values: readonly number[]): void {
    const { current } = this;
    if (current === null) return;
    current.priority = values[5]!;
    current.stayed = values[2]!;
    current.deactivated = values[3]!;
    this.count('deactivated', values[3]!);
    current.kind = 'active';
    this.current = null;
  }

  private judged(atNs: number, [pfn, rung, outcome]: readonly number[]): void {
    const scan = this.scanFor(atNs, true);
    const anon = scan.list.endsWith('_anon') || (!scan.list.endsWith('_file') && this.anonNow(pfn!, outcome!) === 1);
    this.verdict(scan, pfn!, rung!, outcome!, anon ? 1 : 0);
  }

  /** 2.4: a pass over the inactive list has one priority. */
  private cacheStep(atNs: number, [pfn, step, priority]: readonly number[]): void {
    const known = this.current;
    const scan = known?.kind === 'cache' && known.priority === priority ? known : this.begin(atNs, 'cache');
    scan.priority = priority!;
    scan.list = this.machine.generation.lruNames[0]!;
    scan.taken += 1;
    const outcome = step === 9 ? FREED : KEPT;
    this.verdict(scan, pfn!, step!, outcome, this.anonNow(pfn!, outcome));
  }

  // verdicts

  private verdict(scan: Scan, pfn: number, rung: number, outcome: number, anon: number): void {
    scan.outcomes[outcome]! += 1;
    scan.count += 1;
    this.outcomes[outcome]! += 1;
    this.pfns.push(pfn);
    this.rungs.push(rung);
    this.outcomesOf.push(outcome);
    this.anon.push(anon);
    if (this.pfns.length > 2 * this.limit || this.scans.length > 2 * MOST_SCANS) this.thinOut(this.limit, MOST_SCANS);
  }

  /** Only the last stay. */
  private thinOut(verdicts: number, scans: number): void {
    const gone = Math.max(0, this.pfns.length - verdicts);
    for (const column of [this.pfns, this.rungs, this.outcomesOf, this.anon]) column.splice(0, gone);
    this.verdictsLeftOut += gone;
    const old = Math.max(0, this.scans.length - scans);
    this.scans.splice(0, old);
    this.scansLeftOut += old;
    for (const scan of this.scans) {
      const end = scan.first + scan.count - gone;
      scan.first = Math.max(0, scan.first - gone);
      scan.count = Math.max(0, end - scan.first);
    }
  }

  private anonNow(pfn: number, outcome: number): number {
    if (outcome !== FREED) this.wasAnon[pfn] = this.isAnon(pfn);
    return this.wasAnon[pfn]! | this.isAnon(pfn);
  }

  private isAnon(pfn: number): number {
    const { frames } = this.machine;
    return frames.isAnon(pfn as Pfn) || frames.has(pfn as Pfn, PG_swapbacked | PG_swapcache) ? 1 : 0;
  }

  private count(what: string, pages = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + pages);
  }
}

/** Eviction from generations sorts what is at the tail; what it took is told behind that. */
function isSorting(scan: Scan): boolean {
  return scan.kind === 'inactive' && scan.list === '';
}

/** Which ladder the kernel's verdicts stand on. */
function ladderOf({ generation }: Machine): Ladder {
  const { family } = generation;
  if (family === 'linux-6') return '6';
  if (family === 'linux-3') return '3.16';
  return family === 'linux-2.4' ? '2.4' : '2.6';
}
