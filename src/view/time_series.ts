/**
 * What a run counts on its way from beginning to end: the curves of the Time view.
 *
 * Owns      the samples, at most MOST_ROWS of them, one for each so many steps. When there are more, every second goes.
 * Promises  1. Counters stand as they are at the sample, since the machine began, the program's start with it (as
 *              `revmap run` counts): what happened between two samples is their difference.
 *           2. What a kernel does not count has no column.
 *
 *   step      clock      minor  major  scanned  …  free of Normal  RSS of process 1
 *   0         0            0      0       0           89,120             0
 *   4,096     3.2 ms     410     11       0           88,707           400
 */
import { ProgramPlayer } from '../lab/program_player.ts';
import { Replay } from '../lab/replay.ts';
import type { Onlooker, Player } from '../lab/timeline.ts';
import type { Mm } from '../mm/mm.ts';
import { PSWPIN, PSWPOUT } from '../mm/vmstat.ts';
import { isKnown, type KindName } from './conditions.ts';
import { callsOf, EventWatch, refaultsOf } from './time_events.ts';

/** What a column is about: those of one group are drawn together. */
export const GROUPS = ['faults', 'reclaim', 'swap', 'free', 'usage', 'lists', 'rss', 'events'] as const;
export type Group = (typeof GROUPS)[number];

export interface Column {
  readonly id: string;
  readonly says: string;
  readonly group: Group;
  /** It only grows: its rate is what is looked at. */
  readonly counts: boolean;
}

/** Lines that columns are compared with, in pages. */
export interface Line {
  readonly group: Group;
  /** The column that it is for. */
  readonly id: string;
  readonly says: string;
  readonly pages: number;
}

const MOST_ROWS = 2048;
const MOST_PROCESSES = 12;
/** Events that have no counter, and are counted as they are told. */
const TOLD: readonly KindName[] = [
  'kswapd_wake',
  'kswapd_sleep',
  'direct_reclaim',
  'memcg_reclaim',
  'scan',
  'writeback',
  'oom_kill',
];
/** A list that a kernel does not have. */
const NO_LIST = '-';

export class Series {
  readonly columns: Column[] = [];
  readonly lines: Line[] = [];
  /** Steps between two samples. */
  every: number;
  /** It has been at the end. */
  done = false;
  /** Grows with each sample. */
  version = 0;
  private rows: number[][] = [];
  private readonly processes: Map<Mm, number> = new Map();

  constructor(every = 1) {
    this.every = every;
  }

  get length(): number {
    return this.rows.length;
  }

  /** The values of a column: of `step`, of `clock`, or the place among `columns`. */
  column(which: 'step' | 'clock' | number): Float64Array {
    const at = which === 'step' ? 0 : which === 'clock' ? 1 : which + 2;
    return Float64Array.from(this.rows, (row) => row[at] ?? Number.NaN);
  }

  /** Whoever runs `player` from its beginning to its end calls what this gives. */
  watch(player: Player): Onlooker {
    const told = new Map<KindName, number>(TOLD.map((kind) => [kind, 0]));
    const watch = new EventWatch(player, ({ kind }) => {
      const before = told.get(kind);
      if (before !== undefined) told.set(kind, before + 1);
    });
    const gauges = this.gauges(player, told);
    let next = 0;
    return {
      listen: () => watch.listen(),
      look: () => {
        this.sample(player, gauges);
        next = player.events - (player.events % this.every) + this.every;
      },
      get nextLook() {
        return next;
      },
    };
  }

  private sample(player: Player, gauges: readonly (() => number)[]): void {
    if (this.rows.at(-1)?.[0] === player.events) this.rows.pop();
    const row = [player.events, player.machine.clock.now, ...gauges.map((gauge) => gauge())];
    for (const { pid, mm } of addressSpaces(player)) {
      const column = this.columnOfProcess(mm, pid);
      if (column >= 0) row[column + 2] = mm.rssPages;
    }
    this.rows.push(row);
    this.version += 1;
    if (this.rows.length < MOST_ROWS) return;
    this.every *= 2;
    this.rows = this.rows.filter((_, n) => n % 2 === 0);
  }

  private columnOfProcess(mm: Mm, pid: number): number {
    const known = this.processes.get(mm);
    if (known !== undefined) return known;
    if (this.processes.size === MOST_PROCESSES) return -1;
    const at = this.columns.push({ id: `rss:${pid}`, says: `process ${pid}`, group: 'rss', counts: false }) - 1;
    this.processes.set(mm, at);
    return at;
  }

  /** What is read at each sample, in the order of the columns that it makes. */
  private gauges(player: Player, told: ReadonlyMap<KindName, number>): (() => number)[] {
    const { machine } = player;
    const { family, lruNames, cgroups } = machine.generation;
    const gauges: (() => number)[] = [];
    const add = (group: Group, id: string, says: string, counts: boolean, gauge: () => number): void => {
      this.columns.push({ id, says, group, counts });
      gauges.push(gauge);
    };
    add('faults', 'minor_fault', 'minor faults', true, () => player.faults.minor);
    add('faults', 'major_fault', 'major faults', true, () => player.faults.major);
    add('reclaim', 'scanned', 'pages scanned', true, () => machine.work.pagesScanned);
    add('reclaim', 'eviction', 'pages reclaimed', true, () => machine.work.pagesReclaimed);
    if (isKnown('refault', family)) add('reclaim', 'refault', 'refaults', true, () => refaultsOf(player));
    add('swap', 'swap_in', 'pages swapped in', true, () => machine.events[PSWPIN]!);
    add('swap', 'swap_out', 'pages swapped out', true, () => machine.events[PSWPOUT]!);
    for (const zone of machine.zones) {
      if (zone.managedPages === 0) continue;
      const id = `free:${zone.index}`;
      add('free', id, zone.name, false, () => zone.freePages);
      for (const [name, pages] of [
        ['min', zone.wmarkMin],
        ['low', zone.wmarkLow],
        ['high', zone.wmarkHigh],
      ] as const) {
        this.lines.push({ group: 'free', id, says: name, pages });
      }
    }
    if (cgroups && player instanceof Replay) {
      const { memory } = player.memcg;
      add('usage', 'usage', 'charged to the program’s cgroup', false, () => memory.usage);
      if (Number.isFinite(memory.max)) {
        this.lines.push({ group: 'usage', id: 'usage', says: 'limit', pages: memory.max });
      }
    }
    add('usage', 'swap_used', 'in swap', false, () => machine.swap.totalSwapPages - machine.swap.nrSwapPages);
    for (const [list, name] of lruNames.entries()) {
      if (name === NO_LIST) continue;
      add('lists', `list:${list}`, name, false, () =>
        machine.zones.reduce((sum, zone) => sum + zone.lruPages[list]!, 0),
      );
    }
    for (const kind of TOLD) {
      if (isKnown(kind, family)) add('events', kind, kind, true, () => told.get(kind)!);
    }
    add('events', 'call', 'call', true, () => callsOf(player));
    return gauges;
  }
}

function addressSpaces(player: Player): { pid: number; mm: Mm }[] {
  if (player instanceof Replay) return player.living().map(({ pid, process }) => ({ pid, mm: process.mm }));
  if (!(player instanceof ProgramPlayer)) return [];
  return player.living.map(({ label, process }) => ({ pid: label, mm: process.mm }));
}
