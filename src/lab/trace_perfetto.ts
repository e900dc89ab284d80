/**
 * A replay as Perfetto shows it: who reclaims and for how long, faults that read the disk, and the machine's counters.
 *
 * Owns      which tracks there are. By thread: slices of direct reclaim and of a cgroup's, major faults and OOM kills as instants;
 *           kswapd and who writes back are threads, too. Under "memory": a counter each.
 * Promises  1. A counter is sampled at an event, at most once in SAMPLE_NS of the machine's time, and written when it has changed;
 *              first at the first event, last at the end.
 *           2. Counters are what /proc/vmstat and /proc/zoneinfo show.
 */
import { LRU_NAMES } from '../mm/lruvec.ts';
import type { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import { genIndex, LRU_GEN_ANON, LRU_GEN_FILE, MAX_NR_GENS } from '../mm/mglru/lru_gen.ts';
import type { TracepointName } from '../mm/tracepoints.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import { NODE_STAT_NAMES, PGFAULT, VM_EVENT_NAMES } from '../mm/vmstat.ts';
import { MAX_NR_ZONES } from '../mm/zone.ts';
import { IDLE_TASK, type TraceTask } from '../trace/ftrace.ts';
import type { FieldValues } from '../trace/ftrace_events.ts';
import type { OutputFile } from '../trace/output.ts';
import { type Notes, PerfettoTrace, type Track } from '../trace/perfetto.ts';

const SAMPLE_NS = 1_000_000;
const NS_PER_SECOND = 1e9;
const LRU_COUNTERS = LRU_NAMES.map((name) => `nr_${name}`);
/** Until 2.6.27 files and anonymous memory share the lists; here they are counted as the first two. */
const SHARED_LISTS: Readonly<Record<string, string>> = { nr_inactive_anon: 'nr_inactive', nr_active_anon: 'nr_active' };
const OTHER_COUNTERS = ['nr_anon_pages', 'nr_mapped', 'nr_file_pages', 'nr_shmem', 'nr_dirty', 'nr_writeback'];
const EVENT_COUNTERS = ['pgfault', 'pgmajfault', 'pswpin', 'pswpout'];
const RECLAIM: Readonly<Partial<Record<TracepointName, [name: string, begins: boolean]>>> = {
  mm_vmscan_direct_reclaim_begin: ['direct reclaim', true],
  mm_vmscan_direct_reclaim_end: ['direct reclaim', false],
  mm_vmscan_memcg_reclaim_begin: ['memcg reclaim', true],
  mm_vmscan_memcg_reclaim_end: ['memcg reclaim', false],
  mm_vmscan_kswapd_wake: ['kswapd awake', true],
  mm_vmscan_kswapd_sleep: ['kswapd awake', false],
  flusher_begin: ['writeback', true],
  flusher_end: ['writeback', false],
};

/** What it is called, and which fields stand beside it. */
const INSTANTS: Readonly<Partial<Record<TracepointName, readonly [name: string, ...fields: string[]]>>> = {
  major_fault: ['major fault', 'address'],
  oom_kill: ['OOM kill', 'pid', 'comm', 'anon_rss'],
  mm_vmscan_throttled: ['throttled', 'usec_timeout'],
};

interface Counter {
  readonly track: Track;
  /** NaN: never written. */
  last: number;
  read(): number;
}

export class PerfettoWatch {
  private readonly machine: Machine;
  private readonly kernelPid: number;
  private readonly trace: PerfettoTrace;
  private readonly processes: Map<number, Track> = new Map();
  private readonly threads: Map<number, Track> = new Map();
  private readonly counters: Counter[] = [];
  private sampledNs: number = Number.NEGATIVE_INFINITY;

  /** `kernelPid`: what no process of the recording has. */
  constructor(machine: Machine, memcg: MemCgroup, out: OutputFile, kernelPid: number) {
    this.machine = machine;
    this.kernelPid = kernelPid;
    this.trace = new PerfettoTrace(out);
    this.addCounters(memcg);
  }

  sampleIfDue(ns: number): void {
    if (ns - this.sampledNs >= SAMPLE_NS) this.sample(ns);
  }

  shows(name: TracepointName): boolean {
    return RECLAIM[name] !== undefined || INSTANTS[name] !== undefined;
  }

  /** `of` are the event's fields. */
  hear(ns: number, name: TracepointName, task: TraceTask, of: FieldValues): void {
    const reclaim = RECLAIM[name];
    const instant = INSTANTS[name];
    if (reclaim !== undefined) this.slice(ns, task, reclaim, of);
    else if (instant !== undefined)
      this.trace.instant(ns, this.threadOf(task), instant[0], notes(of, instant.slice(1)));
  }

  finish(ns: number): void {
    this.sample(ns);
    this.trace.finish(ns);
  }

  private slice(ns: number, task: TraceTask, [name, begins]: [string, boolean], of: FieldValues): void {
    const track = this.threadOf(task);
    if (!begins) this.trace.endSlice(ns, track, name, notes(of, ['nr_reclaimed', 'pages']));
    // kswapd may go on after a nap without having slept.
    else if (!this.trace.isOpen(track, name))
      this.trace.beginSlice(ns, track, name, notes(of, ['order', 'memcg', 'nid']));
  }

  // tracks

  private threadOf(task: TraceTask): Track {
    let track = this.threads.get(task.tid);
    if (track === undefined) {
      const pid = task.tgid === 0 ? this.kernelPid : task.tgid;
      let process = this.processes.get(pid);
      if (process === undefined) {
        process = this.trace.process(pid, task.tgid === 0 ? 'kernel' : task.comm);
        this.processes.set(pid, process);
      }
      track = this.trace.thread(process, pid, task.tid, task === IDLE_TASK ? 'idle' : task.comm);
      this.threads.set(task.tid, track);
    }
    return track;
  }

  // counters

  private addCounters(memcg: MemCgroup): void {
    const { machine, trace } = this;
    const group = trace.group(`memory of Linux ${machine.generation.version}`);
    const pages = (name: string, read: () => number): void =>
      this.add(trace.counter(group, name, 'bytes'), () => read() * PAGE_SIZE);
    for (const zone of machine.zones) {
      pages(`nr_free_pages ${zone.name}`, () => zone.freePages + zone.pcp.count);
      pages(`min ${zone.name}`, () => zone.wmarkMin);
      pages(`low ${zone.name}`, () => zone.wmarkLow);
      pages(`high ${zone.name}`, () => zone.wmarkHigh);
    }
    const shared = machine.generation.family.startsWith('linux-2');
    for (const name of [...(shared ? Object.keys(SHARED_LISTS) : LRU_COUNTERS), ...OTHER_COUNTERS]) {
      const item = (NODE_STAT_NAMES as readonly string[]).indexOf(name);
      pages((shared ? SHARED_LISTS[name] : undefined) ?? name, () =>
        machine.nodes.reduce((sum, { stat }) => sum + stat[item]!, 0),
      );
    }
    pages('swap used', () => machine.swap.totalSwapPages - machine.swap.nrSwapPages);
    if (machine.generation.cgroups) pages(`cgroup ${memcg.name}: memory.current`, () => memcg.memory.usage);
    for (const name of EVENT_COUNTERS) {
      const event = (VM_EVENT_NAMES as readonly string[]).indexOf(name);
      this.add(trace.counter(group, name, 'count'), () => machine.events[event]!);
    }
    this.add(trace.counter(group, 'faults/s', 'count'), this.faultRate());
    this.addGenerations(group, memcg);
  }

  private addGenerations(group: Track, memcg: MemCgroup): void {
    if (this.machine.multiGen === null) return;
    for (const { lruGen } of memcg.lruvecs) {
      if (lruGen === null) continue;
      for (const [type, kind] of [
        [LRU_GEN_ANON, 'anon'],
        [LRU_GEN_FILE, 'file'],
      ] as const) {
        for (let age = 0; age < MAX_NR_GENS; age++) {
          // The youngest is 0.
          const read = (): number => {
            const seq = lruGen.maxSeq - age;
            if (seq < lruGen.minSeq[type]!) return 0;
            let pages = 0;
            for (let zone = 0; zone < MAX_NR_ZONES; zone++)
              pages += lruGen.pages[genIndex(seq % MAX_NR_GENS, type, zone)]!;
            return pages * PAGE_SIZE;
          };
          this.add(this.trace.counter(group, `${kind} of generation max_seq-${age}`, 'bytes'), read);
        }
      }
    }
  }

  /** Since the last sample. */
  private faultRate(): () => number {
    const { machine } = this;
    let faults = machine.events[PGFAULT]!;
    let ns = machine.clock.now;
    return () => {
      const passed = machine.clock.now - ns;
      const rate = passed === 0 ? 0 : Math.round(((machine.events[PGFAULT]! - faults) * NS_PER_SECOND) / passed);
      faults = machine.events[PGFAULT]!;
      ns = machine.clock.now;
      return rate;
    };
  }

  private add(track: Track, read: () => number): void {
    this.counters.push({ track, last: Number.NaN, read });
  }

  private sample(ns: number): void {
    this.sampledNs = ns;
    for (const counter of this.counters) {
      const value = counter.read();
      if (value === counter.last) continue;
      counter.last = value;
      this.trace.count(ns, counter.track, value);
    }
  }
}

function notes(of: FieldValues, names: readonly string[]): Notes {
  return Object.fromEntries(names.flatMap((name) => (of[name] === undefined ? [] : [[name, of[name]]])));
}
