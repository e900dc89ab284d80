/**
 * The outcome of a run, as it is printed with --json.
 *
 * Owns      the shape. Names in it are the user's: those of the issue, and the kernel's own for counters.
 */
import type { Counters } from './counters.ts';
import type { LimitKind } from './limit.ts';
import type { MissRatioResult } from './miss_ratio.ts';
import type { MachineOptions } from './options.ts';
import type { Story } from './story.ts';

export type RunStatus = 'exited' | 'oom-killed';

/** Where the memory was when there was most of it; bytes. */
export interface PeakBreakdown {
  /** Page event at which it was taken; the sum may lie a little below the peak itself. */
  at_event: number;
  bytes: number;
  anonymous: number;
  /** Files on disk, mapped or only cached. */
  file: number;
  /** tmpfs and shared anonymous memory. */
  shared_memory: number;
  page_tables: number;
  kernel_stack: number;
  slab: number;
  /** Charged ahead by the CPU, pages on their way: what is left. */
  other: number;
  /** Who was alive, and their resident memory (VmRSS) added up: what several of them map is in it several times. */
  processes: number;
  rss: number;
  /** Pages of files and shared memory that somebody maps, each once. */
  mapped_files: number;
  /** The largest first. */
  mappings: PeakMapping[];
}

export interface PeakMapping {
  /** Path, `[heap]`, `[stack]`, or the address of anonymous memory. */
  name: string;
  kind: 'anonymous' | 'file' | 'shared_memory';
  /** Process; 0 for a file, which belongs to all. */
  pid: number;
  bytes: number;
  /** Of a file, what somebody maps; the rest is cache only. */
  mapped_bytes: number;
}

/** A system call whose result here was another one than in the recording. */
export interface CallDifference {
  pid: number;
  call: string;
  recorded: string;
  here: string;
}

export interface RunResult {
  recording: string;
  kernel: string;
  family: string;
  limit_bytes: number | null;
  /** What a limit is in this kernel; `pages` for a policy, which has no machine. */
  limited_by: LimitKind | 'pages';
  status: RunStatus;
  /**
   * Over the run. pgscan and the like as the cgroup counts them, where it does; faults and swap traffic of the whole machine.
   * null: this kernel does not count it.
   */
  counters: Counters;
  /** Of all processes, as getrusage counts them: 2.4 calls every fault of a file major. */
  faults: { minor: number; major: number };
  /** What reclaim and its search for mappings looked at. No kernel shows it. */
  work: WorkResult;
  /** Evicted pages of files that came back, as the replay saw it; null where the kernel itself counts refaults of all pages. */
  read_again: number | null;
  /** What happened, if it was asked for. */
  story: Story | null;
  /** memory.peak; without cgroups the most that was allocated beside what the kernel had at boot. */
  peak_bytes: number;
  /** Most resident memory of one process. */
  rss_peak_bytes: number;
  /** Page events replayed. */
  events: number;
  /** Accesses that the recorder saw; the window left most of them out. */
  raw_accesses: number;
  /** How long the program would take, by the stated prices (mm/costs.ts). */
  estimate: TimeEstimate;
  /** memory.events; null in kernels without that file. */
  memory_events: { low: number; high: number; max: number; oom: number; oom_kill: number } | null;
  peak: PeakBreakdown;
  machine: MachineResult;
  syscalls: number;
  syscalls_different: number;
  /** The first of them. */
  differences: CallDifference[];
  /** Calls that are not replayed though they may touch memory, by name. */
  syscalls_unknown: Record<string, number>;
  /** Pages that were used though nothing we saw had mapped them; anonymous memory was put there. */
  unseen_pages: number;
  /** Accesses that met a signal though their page was mapped (a file that was longer, another protection). */
  refused_accesses: number;
  processes: number;
  /** Processes in the recording that nobody in it forks. */
  processes_unstarted: number;
}

/** The only thing about a run that is another one each time. */
export interface TimedResult extends RunResult {
  /** Wall time of the replay, here and now. */
  seconds: number;
}

export interface MachineResult {
  ram_bytes: number;
  /** Free when the program started. */
  free_bytes: number;
  swap_bytes: number;
  swap_device: string;
  swappiness: number;
  page_cluster: number;
  /** As it was set; 0: by the kernel's formula. */
  min_free_kbytes: number;
  mglru: boolean;
}

/** mm/work.ts. */
export interface WorkResult {
  ptes_visited: number;
  vmas_visited: number;
  anon_vmas_met: number;
  chains_met: number;
  mms_walked: number;
  pages_scanned: number;
  pages_reclaimed: number;
}

export interface TimeEstimate {
  seconds: number;
  /** Its parts. */
  accesses: number;
  faults: number;
  swap: number;
  disk: number;
  reclaim: number;
}

export interface SweepResult {
  recording: string;
  command: string;
  kernel: string;
  options: MachineOptions;
  /** Without a limit. */
  unlimited: RunResult;
  /** From the widest limit to the narrowest. */
  runs: RunResult[];
  /** More limits, where the bisection looked; from the widest to the narrowest. */
  refined: RunResult[];
  advice: Advice;
  /** null: not tried. */
  alternatives: Alternatives | null;
  /** What the recording itself says; null: not asked for. */
  recorded: Recorded | null;
  /** What textbook caches make of the same accesses; null: not asked for. */
  miss_ratio: MissRatioResult | null;
  /** null: there was no table. */
  truth: TruthBeside | null;
}

export interface Advice {
  /** One sentence or two. */
  headline: string;
  /** The reasons, with their numbers. */
  reasons: string[];
  /** The wider of `smallest_limit` and `same_time_limit`, and `margin_share` more; null if a limit was not found. */
  recommended_limit_bytes: number | null;
  margin_share: number;
  /** Where, and at every wider limit, there are at most `major_faults_allowed` of them (terms.ts has the rules). */
  smallest_limit: LimitFound | null;
  /** Where, and at every wider limit, it takes at most 5 % more time. */
  same_time_limit: LimitFound | null;
  /** null: the curve has no bend, or too few points to tell. */
  knee: LimitFound | null;
  /** The widest limit that was seen to be too small for it. */
  thrashing_point: LimitFound | null;
  major_faults_allowed: number;
}

/** A limit that has a name, and what was counted there. */
export interface LimitFound {
  limit_bytes: number;
  /** The next narrower limit that was replayed, where the rule no longer holds; null if none was, or the rule is none of these. */
  fails_at_bytes: number | null;
  /** It lies between limits that were asked for. */
  by_bisection: boolean;
  status: RunStatus;
  major_faults: number;
  /** Evicted pages that came back, from swap or a file. */
  refaulted_pages: number;
  swapped_in_pages: number;
  swapped_out_pages: number;
  /** By the stated prices; `times_the_time` of the run without a limit. */
  estimated_seconds: number;
  times_the_time: number;
}

/** What other settings would change. */
export interface Alternatives {
  recommended_limit_bytes: number;
  tighter_limit_bytes: number;
  /** The machine that was asked for, and others of which one thing differs. */
  settings: Alternative[];
  /** What differs by more than the noise, a sentence each. */
  findings: string[];
}

export interface Alternative {
  name: string;
  options: MachineOptions;
  at_recommended: AlternativeRun;
  at_tighter: AlternativeRun;
}

export interface AlternativeRun {
  status: RunStatus;
  /** False: it must be killed, for its anonymous memory alone is more than the limit and may not be swapped. */
  replayed: boolean;
  major_faults: number | null;
  refaulted_pages: number | null;
  swapped_in_pages: number | null;
  swapped_out_pages: number | null;
  estimated_seconds: number | null;
  /** Of the run without a limit on the machine that was asked for. */
  times_the_time: number | null;
}

export interface Recorded {
  /** All that was touched, pages of files by read(2) included. */
  touched_bytes: number;
  /** From the shortest windows to the whole run. */
  working_set: WorkingSetWindow[];
  /** What the recorder did not see, a sentence each. */
  unseen: string[];
}

/** Memory touched in a window, over windows side by side. */
export interface WorkingSetWindow {
  accesses: number;
  /** By the price of an access. */
  seconds: number;
  mean_bytes: number;
  most_bytes: number;
}

/** What a real kernel did, beside what was predicted. */
export interface TruthBeside {
  file: string;
  /** As the table spells it: z-n-3. */
  mode: string;
  /** Kernels of the rows. */
  measured_on: string[];
  /** From the widest limit to the narrowest. */
  points: TruthPoint[];
  /** How many counters the rule is about, and how many of them keep to it. */
  judged: number;
  within: number;
  /** Between which measured limits the smallest one lies; null if there was no run without a limit. */
  smallest_limit: { holds_bytes: number | null; fails_bytes: number | null; predicted_bytes: number | null } | null;
}

export interface TruthPoint {
  /** null: none. */
  limit_bytes: number | null;
  runs: number;
  /** Those that ended by themselves, with 0. */
  exited_runs: number;
  predicted_status: RunStatus;
  counters: TruthCounter[];
}

export interface TruthCounter {
  name: string;
  /** Of the runs. */
  low: number;
  high: number;
  predicted: number;
  /** How far outside of the range; 0 inside. */
  off: number;
  /** How far it may be; null: no rule is about it. */
  allowed: number | null;
  within: boolean;
}
