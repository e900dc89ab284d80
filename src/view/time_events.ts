/**
 * What happens in a run, as it happens: tracepoints and counters put together to events that people know.
 *
 * Owns      which tracepoints are which kind of event (conditions.ts), whose they are, and what no tracepoint tells: minor faults,
 *           swap-ins, refaults, forks, exits and calls are seen by their counters, after each step.
 * Promises  It only looks. Two runs that are watched tell the same.
 */
import { ProgramPlayer } from '../lab/program_player.ts';
import { Replay } from '../lab/replay.ts';
import type { Player } from '../lab/timeline.ts';
import { PG_swapcache } from '../mm/page_flags.ts';
import type { Task } from '../mm/task.ts';
import type { TracepointName } from '../mm/tracepoints.ts';
import type { Pfn } from '../mm/units.ts';
import { PSWPIN, WORKINGSET_REFAULT_ANON, WORKINGSET_REFAULT_FILE } from '../mm/vmstat.ts';
import { MADV_PAGEOUT } from '../syscalls/uapi.ts';
import { SYS_madvise } from '../trace/x86_64.ts';
import type { KindName } from './conditions.ts';

export interface Happening {
  readonly kind: KindName;
  readonly atNs: number;
  /** Whose; null: nobody's of the program. */
  readonly pid: number | null;
  readonly address: number | null;
  readonly pfn: number | null;
  /** Pages, or how often. */
  count: number;
  /** Which list or cgroup, or the name of a call; '': there is none. */
  readonly of: string;
}

interface PendingFault {
  readonly task: Task;
  readonly minFlt: number;
  readonly address: number;
  readonly pid: number | null;
  readonly atNs: number;
}

/** Tracepoints that mean one thing, whatever else is going on. */
const BEGINNINGS: Readonly<Partial<Record<TracepointName, KindName>>> = {
  mm_vmscan_kswapd_wake: 'kswapd_wake',
  mm_vmscan_kswapd_sleep: 'kswapd_sleep',
  mm_vmscan_direct_reclaim_begin: 'direct_reclaim',
  mm_vmscan_memcg_reclaim_begin: 'memcg_reclaim',
};
const MADVISE_ARGUMENTS = 3;

export class EventWatch {
  private readonly player: Player;
  private readonly tell: (happening: Happening) => void;
  private pending: PendingFault | null = null;
  /** Direct reclaim and reclaim at a limit that are under way, one in the other. */
  private reclaims = 0;
  private shrinkers = 0;
  /** Who faulted last in the step that is being made. */
  private actedIn: number | null = null;
  /** 2.4 tells of each page that a scan looks at. */
  private scan: { happening: Happening; priority: number; event: number } | null = null;
  private swappedIn: number;
  private refaults: number;
  private calls: number;
  private tasks: number;
  private lastPid: number;

  constructor(player: Player, tell: (happening: Happening) => void) {
    this.player = player;
    this.tell = tell;
    this.swappedIn = player.machine.events[PSWPIN]!;
    this.refaults = refaultsOf(player);
    this.calls = callsOf(player);
    this.tasks = player.machine.tasks.length;
    this.lastPid = player.machine.tasks.at(-1)?.pid ?? 0;
  }

  listen(): () => void {
    return this.player.machine.trace.listen((atNs, name, values) => this.hear(atNs, name, values));
  }

  /** What the counters say of the step that was made. */
  afterStep(): void {
    const { machine } = this.player;
    this.settle();
    const now = machine.clock.now;
    const pid = this.actedIn;
    this.actedIn = null;
    const swappedIn = machine.events[PSWPIN]!;
    if (swappedIn > this.swappedIn) this.say('swap_in', now, pid, { count: swappedIn - this.swappedIn });
    this.swappedIn = swappedIn;
    const refaults = refaultsOf(this.player);
    if (refaults > this.refaults) this.say('refault', now, pid, { count: refaults - this.refaults });
    this.refaults = refaults;
    const calls = callsOf(this.player);
    if (calls > this.calls) {
      const { of, by } = callOf(this.player);
      this.say('call', now, by, { count: calls - this.calls, of });
    }
    this.calls = calls;
    this.lookAtTasks(now);
  }

  private lookAtTasks(now: number): void {
    const { tasks } = this.player.machine;
    const last = tasks.at(-1)?.pid ?? 0;
    if (tasks.length === this.tasks && last <= this.lastPid) return;
    let born = 0;
    for (let n = tasks.length - 1; n >= 0 && tasks[n]!.pid > this.lastPid; n--) born += 1;
    const gone = this.tasks + born - tasks.length;
    if (born > 0) this.say('fork', now, callOf(this.player).by, { count: born });
    if (gone > 0) this.say('exit', now, null, { count: gone });
    this.tasks = tasks.length;
    this.lastPid = Math.max(last, this.lastPid);
  }

  private hear(atNs: number, name: TracepointName, values: readonly number[]): void {
    const kind = BEGINNINGS[name];
    if (kind !== undefined) {
      this.scan = null;
      this.say(kind, atNs, this.actor(), {});
    }
    switch (name) {
      case 'page_fault_user':
        this.settle();
        this.fault(atNs, values[0]!);
        break;
      case 'major_fault':
        this.say('major_fault', atNs, this.actor(), { address: values[0]! });
        break;
      case 'mm_vmscan_direct_reclaim_begin':
      case 'mm_vmscan_memcg_reclaim_begin':
        this.reclaims += 1;
        break;
      case 'mm_vmscan_direct_reclaim_end':
      case 'mm_vmscan_memcg_reclaim_end':
        this.reclaims -= 1;
        break;
      case 'mm_shrink_slab_start':
        this.shrinkers += 1;
        break;
      case 'mm_shrink_slab_end':
        this.shrinkers -= 1;
        break;
      case 'mm_vmscan_lru_isolate':
        this.say('scan', atNs, this.actor(), { count: values[2]!, of: this.listName(values[5]!) });
        break;
      case 'shrink_cache':
        this.scanOf_2_4(atNs, values[2]!);
        break;
      case 'mm_vmscan_write_folio':
        this.written(atNs, values[0]! as Pfn);
        break;
      case 'mm_page_free':
        if (this.isReclaiming()) {
          this.say('eviction', atNs, null, { pfn: values[0]!, count: 2 ** values[1]! });
        }
        break;
      case 'flusher_end':
        if (values[0]! > 0) this.say('writeback', atNs, null, { count: values[0]! });
        break;
      case 'oom_kill':
        this.say('oom_kill', atNs, this.pidOfTask(values[0]!), {});
        break;
    }
  }

  private say(
    kind: KindName,
    atNs: number,
    pid: number | null,
    { address = null, pfn = null, count = 1, of = '' }: Partial<Omit<Happening, 'kind' | 'atNs' | 'pid'>>,
  ): Happening {
    const happening: Happening = { kind, atNs, pid, address, pfn, count, of };
    this.tell(happening);
    return happening;
  }

  // faults

  private fault(atNs: number, address: number): void {
    const task = this.player.machine.current;
    this.actedIn = this.actor();
    this.pending = { task, minFlt: task.minFlt, address, pid: this.actedIn, atNs };
  }

  /** What has become of the last fault. */
  private settle(): void {
    const { pending } = this;
    if (pending === null) return;
    this.pending = null;
    const { task, address, pid, atNs } = pending;
    const swappedIn = this.player.machine.events[PSWPIN]!;
    if (swappedIn > this.swappedIn) this.say('swap_in', atNs, pid, { address, count: swappedIn - this.swappedIn });
    this.swappedIn = swappedIn;
    if (task.minFlt > pending.minFlt) this.say('minor_fault', atNs, pid, { address });
  }

  // reclaim

  private isReclaiming(): boolean {
    if (this.shrinkers > 0) return false;
    return this.reclaims > 0 || this.player.machine.current.isKswapd || isPageout(this.player);
  }

  private written(atNs: number, pfn: Pfn): void {
    const swaps = this.player.machine.frames.has(pfn, PG_swapcache);
    this.say(swaps ? 'swap_out' : 'writeback', atNs, null, { pfn });
  }

  private listName(list: number): string {
    return this.player.machine.generation.lruNames[list] ?? '';
  }

  private scanOf_2_4(atNs: number, priority: number): void {
    const { event } = this.player.position;
    if (this.scan?.priority === priority && this.scan.event === event) this.scan.happening.count += 1;
    else this.scan = { happening: this.say('scan', atNs, this.actor(), { of: this.listName(0) }), priority, event };
  }

  // who

  private actor(): number | null {
    return actorOf(this.player);
  }

  private pidOfTask(pid: number): number | null {
    const { player } = this;
    if (player instanceof Replay) return player.living().find(({ process }) => process.pid === pid)?.pid ?? null;
    if (player instanceof ProgramPlayer) {
      return player.living.find(({ process }) => process.pid === pid)?.label ?? null;
    }
    return null;
  }
}

/** Who runs, by the number that people know; null: a thread of the kernel, or nobody. */
export function actorOf(player: Player): number | null {
  if (player.machine.current.isKswapd) return null;
  if (player instanceof Replay) return player.position.pid;
  if (!(player instanceof ProgramPlayer)) return null;
  const step = player.program.steps[player.position.event];
  return step === undefined || step === 'snapshot' ? null : step.proc;
}

/** Pages that came back of all memory, since the machine was built. */
export function refaultsOf({ machine }: Player): number {
  let refaults = 0;
  for (const { stat } of machine.rootMemcg.lruvecs) {
    refaults += stat[WORKINGSET_REFAULT_ANON]! + stat[WORKINGSET_REFAULT_FILE]!;
  }
  return refaults;
}

/** System calls that were made. */
export function callsOf(player: Player): number {
  if (player instanceof Replay) return player.syscalls;
  return player instanceof ProgramPlayer ? player.calls : 0;
}

/** The call of the step that was made last, and whose; a recording has often several in one step, and they are not named here. */
function callOf(player: Player): { of: string; by: number | null } {
  if (player instanceof Replay) return { of: '', by: player.position.pid };
  const step = player instanceof ProgramPlayer ? player.program.steps[player.events - 1] : undefined;
  return step === undefined || step === 'snapshot' ? { of: '', by: null } : { of: step.name, by: step.proc };
}

/** madvise(MADV_PAGEOUT) is being made: it reclaims without saying that it begins. */
function isPageout(player: Player): boolean {
  if (player instanceof Replay) {
    const { call } = player.running.decoder;
    return player.callUnderway === SYS_madvise && call[MADVISE_ARGUMENTS] === MADV_PAGEOUT;
  }
  if (!(player instanceof ProgramPlayer)) return false;
  const step = player.program.steps[player.events];
  if (step === undefined || step === 'snapshot' || step.name !== 'madvise') return false;
  const advice = step.args[MADVISE_ARGUMENTS - 1];
  return advice?.kind === 'number' && advice.value === MADV_PAGEOUT;
}
