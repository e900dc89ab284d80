/**
 * One machine: memory, devices, cgroups and processes, put together from a configuration and a generation.
 *
 * Owns      the parts and the order in which they are built; the current task, the counters of the whole machine.
 * Promises  1. All state hangs on this object, as typed arrays, plain objects and class instances: a snapshot is a copy of the graph.
 *           2. Same configuration and same calls give the same machine, to the bit.
 * Read      docs/architecture.md
 */
import { contextSwitch } from './active_mm.ts';
import { type BlockDevice, IoRequests, newDisk, runIoDone } from './block.ts';
import { Clock, EVENT_DAEMON, EVENT_FLUSHER, EVENT_IO_DONE, EVENT_KSWAPD } from './clock.ts';
import { VfsCache } from './dcache.ts';
import { VmFault } from './fault.ts';
import type { LargeFolio } from './folio.ts';
import type { AddressSpace, Inode } from './fs.ts';
import { generationNamed } from './generations/index.ts';
import type { Khugepaged } from './khugepaged_3.ts';
import type { Ksm } from './ksm.ts';
import type { StableNode } from './ksm_page.ts';
import { addLruvecs, MemCgroup, MemcgStock, newMemCgroup } from './memcg.ts';
import { MemMap } from './memmap.ts';
import { type MultiGen, newMultiGen } from './mglru/multi_gen.ts';
import { newGenWorkingset } from './mglru/workingset.ts';
import { MlockBatch } from './mlock_batch.ts';
import { Mm } from './mm.ts';
import { PG_reserved, PG_uptodate } from './page_flags.ts';
import { PageTables } from './page_table.ts';
import type {
  Daemon,
  Generation,
  GenerationState,
  Lru,
  PageHooks,
  Physical,
  Reclaim,
  Rmap,
  Slab,
  Workingset,
} from './parts.ts';
import type { AnonVma } from './rmap/anon_vma.ts';
import { restoreSnapshot, type Snapshot, stateHash, takeSnapshot } from './snapshot.ts';
import { DeferredSplitShrinker } from './split_folio.ts';
import { SwapAreas } from './swap/swapfile.ts';
import { Task } from './task.ts';
import type { TlbConfig } from './tlb.ts';
import { Tracepoints } from './tracepoints.ts';
import { NO_PFN, type Pfn, type Token, ZERO_TOKEN } from './units.ts';
import { verify } from './verify.ts';
import { NR_VM_EVENTS } from './vmstat.ts';
import { type WhoMaps, whoMaps } from './who.ts';
import { WorkCounts } from './work.ts';
import { Writeback } from './writeback.ts';
import { ShadowNodes } from './xarray.ts';
import type { PgData, Zone } from './zone.ts';

export interface NodeConfig {
  /** Bytes of memory of this node. */
  bytes: number;
}

export interface MachineConfig {
  /** `6.18`, `6.1`, or a family such as `linux-6`, which means its newest. */
  kernel: string;
  /** A recipe of one's own instead of the one that `kernel` names: a release with one part or switch exchanged. */
  generation?: Generation;
  /** Bytes of memory; one node. */
  ramBytes: number;
  /** Several nodes instead. */
  nodes?: NodeConfig[];
  /** Bytes at the top of the last node that become ZONE_MOVABLE. Default 0. */
  movableBytes?: number;
  /** Where ZONE_NORMAL ends and ZONE_HIGHMEM begins, in bytes (32-bit machines). Default: no high memory; 2.4: 896 MiB. */
  highmemFromBytes?: number;
  /** Part of each zone (DMA, Normal, HighMem) that must stay free, as its inverse (2.4's boot option memfrac). Default: 128 each. */
  memfrac?: readonly [number, number, number];
  /** Bytes that the kernel's image and boot data take. Default: a sixteenth of memory, at most 48 MiB, less than all of it. */
  reservedBytes?: number;
  /** CPUs that watermarks and per-CPU lists are sized for; one of them runs. Default 1. */
  cpus?: number;
  /** Translations that the CPU remembers, powers of two. Default: those of the machine that the engine is compared with. */
  tlb?: TlbConfig;
  /** Active file pages of others, who are on the real machine and not here: what comes back is compared with them too. Default 0. */
  othersActivePages?: number;
  /** cgroup v1 instead of v2. Default false. */
  cgroupV1?: boolean;
  /** /sys/kernel/mm/lru_gen/enabled: the multi-generational LRU instead of the active and inactive lists. Default false. */
  mglru?: boolean;
  sysctl?: Partial<Sysctl>;
  /** Disk of the file systems. */
  disk?: Partial<DiskConfig>;
}

/** What /proc/sys/vm and /sys set. */
export interface Sysctl {
  swappiness: number;
  pageCluster: number;
  /** In KiB; 0: by the kernel's formula. */
  minFreeKbytes: number;
  watermarkScaleFactor: number;
  watermarkBoostFactor: number;
  dirtyRatio: number;
  dirtyBackgroundRatio: number;
  dirtyExpireCentisecs: number;
  dirtyWritebackCentisecs: number;
  overcommitMemory: 0 | 1 | 2;
  overcommitRatio: number;
  maxMapCount: number;
  /** Pages between a stack and what lies below it. */
  stackGuardGap: number;
  faultAroundBytes: number;
  readAheadKb: number;
  laptopMode: boolean;
  vfsCachePressure: number;
  /** Transparent huge pages: for those who ask with MADV_HUGEPAGE (`madvise`), or never. They raise min_free_kbytes, too. */
  thpEnabled: boolean;
}

export const SYSCTL_DEFAULTS: Sysctl = {
  swappiness: 60,
  pageCluster: 3,
  minFreeKbytes: 0,
  watermarkScaleFactor: 10,
  watermarkBoostFactor: 15000,
  dirtyRatio: 20,
  dirtyBackgroundRatio: 10,
  dirtyExpireCentisecs: 3000,
  dirtyWritebackCentisecs: 500,
  overcommitMemory: 0,
  overcommitRatio: 50,
  maxMapCount: 65530,
  stackGuardGap: 256,
  faultAroundBytes: 65536,
  readAheadKb: 128,
  laptopMode: false,
  vfsCachePressure: 100,
  thpEnabled: true,
};

export interface DiskConfig {
  /** Time of one request, and of each page in it, in nanoseconds. */
  requestNs: number;
  pageNs: number;
  /** Its file systems have a journal, as mke2fs makes them. Default true. */
  journal: boolean;
}

/** QEMU's: CPU_TLB_DYN_DEFAULT_BITS, CPU_VTLB_SIZE, TB_JMP_PAGE_BITS. */
const EMULATED_TLB: TlbConfig = { entries: 256, victims: 8, jumps: 64 };

/** What an owner of pages is, behind the id in page->mapping. */
export type MappingOwner = AddressSpace | AnonVma | StableNode;

/** What pages hold, for those who need bytes; the default just counts stores. */
export interface Contents {
  /** What `old` becomes when bytes [from, to) of the page are set to zero (truncation inside a page). */
  zeroed(machine: Machine, old: Token, from: number, to: number): Token;
  /** All 4096 bytes are zero. */
  isZero(token: Token): boolean;
  /** `old` as it goes to the disk when the file ends at byte `end` of the page: nothing is behind it. */
  cutAt(machine: Machine, old: Token, end: number): Token;
}

const countStores: Contents = {
  zeroed: (machine) => machine.newToken(),
  isZero: (token) => token === ZERO_TOKEN,
  cutAt: (_machine, old) => old,
};

export class Machine {
  readonly config: MachineConfig;
  readonly generation: Generation;
  readonly sysctl: Sysctl;
  readonly frames: MemMap;
  readonly pageTables: PageTables;
  readonly nodes: PgData[] = [];
  /** By index: the number in the top 8 bits of a frame's flags. */
  readonly zones: Zone[] = [];
  readonly clock: Clock = new Clock();
  readonly trace: Tracepoints = new Tracepoints();
  /** vm_event_item counters. */
  readonly events: Float64Array = new Float64Array(NR_VM_EVENTS);
  /** Owners of pages by id; id 0 is nobody. */
  readonly mappings: (MappingOwner | null)[] = [null];
  private readonly freeMappings: number[] = [];
  /** By id; id 0 is nobody, 1 the root. */
  readonly memcgs: MemCgroup[] = [];
  readonly rootMemcg: MemCgroup;
  readonly memcgStock: MemcgStock = new MemcgStock();
  /** Pages that wait to be moved to or from the unevictable list. */
  readonly mlockBatch: MlockBatch = new MlockBatch();
  /** What is to be known of each large folio, by its first frame; and those that are worth splitting when memory is short. */
  readonly largeFolios: Map<Pfn, LargeFolio> = new Map();
  readonly deferredSplit: Set<Pfn> = new Set();
  readonly slab: Slab;
  /** Dentries and inodes that nobody uses any more. */
  readonly vfs: VfsCache;
  readonly swap: SwapAreas;
  readonly disk: BlockDevice;
  /** Requests of all devices. */
  readonly io: IoRequests = new IoRequests();
  readonly writeback: Writeback = new Writeback();
  readonly shadowNodes: ShadowNodes = new ShadowNodes();
  readonly inodes: Map<number, Inode> = new Map();
  readonly mms: Mm[] = [];
  readonly tasks: Task[] = [];
  readonly rmap: Rmap;
  readonly lru: Lru;
  readonly reclaim: Reclaim;
  readonly workingset: Workingset;
  /** Pages by generation; null: by active and inactive lists. */
  readonly multiGen: MultiGen | null;
  readonly physical: Physical;
  /** Looks for small pages that could be huge; null: not in this kernel. */
  readonly khugepaged: Khugepaged | null;
  /** Merges equal pages; null: not in this kernel. */
  readonly ksm: Ksm | null;
  /** What only this generation's machines have; null: nothing. */
  readonly state: GenerationState | null;
  readonly pageHooks: PageHooks | null;
  /** Kernel threads of the generation, by number. */
  private readonly daemons: Daemon[] = [];
  /** What walks and scans cost so far. */
  readonly work: WorkCounts = new WorkCounts();
  private running: Task;
  readonly idle: Task;
  /** What is loaded before anything runs, and the head of the list of address spaces that may have pages in swap. */
  readonly initMm: Mm;
  readonly fault: VmFault = new VmFault();
  /** What the last recorded access that failed met (see faultIn); 0 if none did. */
  lastSignal = 0;
  /** When the CPU goes to somebody else, at the next fault. */
  sliceEnd: number = Number.POSITIVE_INFINITY;
  contents: Contents = countStores;
  /** The shared zero page of 2 MiB, once somebody has needed it; NO_PFN before. */
  hugeZeroPfn: Pfn = NO_PFN;
  /** The shared zero page. */
  readonly zeroPfn: Pfn;
  totalPages = 0;
  /** Pages promised to private writable mappings (vm_committed_as). */
  committedPages = 0;
  private nextToken = 1;
  private nextId = 1;

  constructor(config: MachineConfig) {
    this.config = config;
    this.generation = config.generation ?? generationNamed(config.kernel);
    this.sysctl = { ...SYSCTL_DEFAULTS, ...this.generation.sysctl, ...config.sysctl };
    const bytes = config.nodes?.reduce((sum, node) => sum + node.bytes, 0) ?? config.ramBytes;
    this.frames = new MemMap(Math.floor(bytes / 4096));
    this.multiGen = newMultiGen(this);
    this.pageTables = new PageTables(config.tlb ?? EMULATED_TLB, this.multiGen !== null, this.clock);
    const cgroupV1 = this.generation.switches.cgroupV1Only || (config.cgroupV1 ?? false);
    this.rootMemcg = new MemCgroup(1, '/', null, cgroupV1, this.sysctl.swappiness);
    this.memcgs.push(this.rootMemcg, this.rootMemcg);
    this.idle = new Task(0, 'swapper', null, this.rootMemcg, null);
    this.running = this.idle;
    this.initMm = new Mm(0, this.rootMemcg);
    this.initMm.mmlistNext = this.initMm;
    this.initMm.mmlistPrev = this.initMm;
    this.idle.activeMm = this.initMm;
    this.initMm.mmCount += 1;
    this.physical = this.generation.newPhysical(this);
    const firstFree = this.physical.buildZones();
    if (this.generation.lruvecs === 'zone') for (const zone of this.zones) zone.lruvec = zone.index;
    addLruvecs(this, this.rootMemcg);
    this.zeroPfn = (firstFree - 1) as Pfn;
    this.frames.set(this.zeroPfn, PG_reserved | PG_uptodate);
    this.frames.setRefcount(this.zeroPfn, 1);
    this.vfs = new VfsCache(this.generation.switches.pagesPinInodes);
    this.slab = this.generation.newSlab(this);
    this.slab.registerShrinker(this.shadowNodes);
    this.slab.registerShrinker(this.vfs);
    this.slab.registerShrinker(new DeferredSplitShrinker());
    this.swap = new SwapAreas(this.generation.switches.swapLeastPriority);
    this.disk = newDisk('vda', config.disk);
    this.rmap = this.generation.newRmap(this);
    this.lru = this.generation.newLru(this);
    this.reclaim = this.generation.newReclaim(this);
    this.workingset = this.multiGen === null ? this.generation.newWorkingset(this) : newGenWorkingset(this.multiGen);
    this.khugepaged = this.generation.newKhugepaged?.(this) ?? null;
    this.ksm = this.generation.newKsm?.(this) ?? null;
    this.state = this.generation.newState?.(this) ?? null;
    this.pageHooks = this.state?.pageHooks ?? null;
    this.generation.writeback.startFlusher(this);
  }

  /** Who runs. Between calls: the idle task, in the root cgroup. */
  get current(): Task {
    return this.running;
  }
  set current(next: Task) {
    const prev = this.running;
    this.running = next;
    if (prev !== next && this.generation.switches.lazyMm) contextSwitch(this, prev, next);
  }

  newToken(): Token {
    return this.nextToken++ as Token;
  }

  newId(): number {
    return this.nextId++;
  }

  /** The id that the next owner of pages gets; page->mapping is id * 4 + its tag. */
  nextMappingId(): number {
    return this.freeMappings.at(-1) ?? this.mappings.length;
  }

  /** Takes up an owner under nextMappingId(); returns it. */
  addMapping(owner: MappingOwner): number {
    const id = this.freeMappings.pop() ?? this.mappings.length;
    this.mappings[id] = owner;
    return id;
  }

  dropMapping(id: number): void {
    this.mappings[id] = null;
    this.freeMappings.push(id);
  }

  /** Takes up a kernel thread; it runs when wakeDaemon says. */
  addDaemon(daemon: Daemon): number {
    return this.daemons.push(daemon) - 1;
  }

  wakeDaemon(id: number, at: number): void {
    this.clock.schedule(at, EVENT_DAEMON, id, 0);
  }

  newCgroup(name: string, parent: MemCgroup = this.rootMemcg): MemCgroup {
    // Without cgroups everybody is in the root's, which nothing is charged to.
    return this.generation.cgroups ? newMemCgroup(this, name, parent) : this.rootMemcg;
  }

  /** What is wrong: a line for each broken promise, and none if all is well. Counts everything again; changes nothing. */
  verify(): string[] {
    return verify(this);
  }

  /** Everything about a frame, with the whole way to each entry that maps it. */
  whoMaps(pfn: Pfn): WhoMaps {
    return whoMaps(this, pfn);
  }

  /** A copy at rest; Machine.restore makes machines of it that go on from here. */
  snapshot(): Snapshot {
    return takeSnapshot(this);
  }

  static restore(snapshot: Snapshot): Machine {
    return restoreSnapshot(snapshot);
  }

  /** 16 hex digits over all state: equal machines have equal hashes. */
  stateHash(): string {
    return stateHash(this);
  }

  /** Lets time pass, and what is due happen. */
  advance(ns: number): void {
    this.runUntil(this.clock.now + ns);
  }

  /** Moves time to `at` and runs what is due until then (waiting for I/O is this). */
  runUntil(at: number): void {
    for (let event = this.clock.takeDue(at); event !== null; event = this.clock.takeDue(at)) {
      if (event.kind === EVENT_KSWAPD) this.reclaim.runKswapd(this.nodes[event.a]!);
      else if (event.kind === EVENT_FLUSHER) this.generation.writeback.runFlusher(this);
      else if (event.kind === EVENT_IO_DONE) runIoDone(this, event.a);
      else if (event.kind === EVENT_DAEMON) this.daemons[event.a]!.run(this);
    }
    if (at > this.clock.now) this.clock.now = at;
  }
}
