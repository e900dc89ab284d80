/**
 * What one program is like: which calls, flags and sizes it may use at all.
 *
 * A generator that may do everything everywhere makes programs that are all alike: whatever one call builds, another tears
 * down soon. So each program gets a random part of the repertoire (swarm testing), and is deep where it is narrow.
 *
 * Owns      the repertoire: kinds of calls with their weights, protections, advices, flags of mmap.
 */
import type { MmpFile } from '../../syscalls/mmp.ts';
import { ARENA_START } from '../check/snapshot.ts';
import type { Random } from './random.ts';

/** How often each kind of call is made where everything is enabled. */
export const KINDS = {
  store: 150,
  load: 70,
  check: 30,
  mapAnon: 60,
  mapFile: 45,
  unmap: 30,
  protect: 45,
  remap: 45,
  advise: 110,
  lock: 25,
  unlock: 12,
  lockAll: 5,
  fork: 35,
  exit: 18,
  sync: 10,
  mincore: 12,
  brk: 14,
  remapFilePages: 8,
  open: 20,
  memfd: 6,
  dup: 4,
  close: 8,
  unlink: 2,
  seek: 3,
  read: 16,
  write: 22,
  truncate: 14,
  fallocate: 14,
  fsync: 8,
  fadvise: 10,
  swap: 5,
  grow: 4,
  wrong: 14,
} as const;
export type Kind = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as Kind[];
/** Without these a program has nothing to do. */
const NEEDED: readonly Kind[] = ['store', 'load', 'check', 'mapAnon'];

const PROTECTIONS = [
  'PROT_READ|PROT_WRITE',
  'PROT_READ',
  'PROT_NONE',
  'PROT_READ|PROT_EXEC',
  'PROT_READ|PROT_WRITE|PROT_EXEC',
  'PROT_WRITE',
] as const;
const MAP_EXTRAS = [
  'MAP_NORESERVE',
  'MAP_LOCKED',
  'MAP_POPULATE',
  'MAP_POPULATE|MAP_NONBLOCK',
  'MAP_GROWSDOWN',
  'MAP_STACK',
] as const;
const ADVICES: Readonly<Record<string, number>> = {
  MADV_PAGEOUT: 30,
  MADV_DONTNEED: 20,
  MADV_FREE: 14,
  MADV_COLD: 10,
  MADV_WILLNEED: 10,
  MADV_POPULATE_READ: 10,
  MADV_POPULATE_WRITE: 10,
  MADV_GUARD_INSTALL: 10,
  MADV_GUARD_REMOVE: 7,
  MADV_REMOVE: 7,
  MADV_DONTFORK: 4,
  MADV_DOFORK: 3,
  MADV_WIPEONFORK: 5,
  MADV_KEEPONFORK: 3,
  MADV_DONTNEED_LOCKED: 5,
  MADV_RANDOM: 4,
  MADV_SEQUENTIAL: 4,
  MADV_NORMAL: 3,
  MADV_DONTDUMP: 3,
  MADV_DODUMP: 2,
  MADV_MERGEABLE: 1,
  MADV_UNMERGEABLE: 1,
  MADV_HUGEPAGE: 2,
  MADV_NOHUGEPAGE: 2,
};

export interface Swarm {
  readonly calls: number;
  readonly snapshotEvery: number;
  readonly weights: ReadonlyMap<Kind, number>;
  readonly protections: readonly string[];
  readonly mapExtras: readonly string[];
  readonly advices: ReadonlyMap<string, number>;
  readonly files: readonly MmpFile[];
  readonly swapMib: number;
  readonly brk: number | null;
  /** Where MAP_FIXED maps. */
  readonly windowStart: number;
  readonly windowPages: number;
  /** Areas and ranges have up to so many pages. */
  readonly maxPages: number;
  readonly maxProcesses: number;
  readonly maxGenerations: number;
  /** Percent of mappings that are shared, of areas that the kernel places. */
  readonly shared: number;
  readonly unfixed: number;
  /** Percent of accesses that go where the last ones went. */
  readonly focus: number;
  /**
   * Disk files may lose pages from the cache, and so be read through readahead: only in programs whose files begin outside the
   * cache, since large folios decide then what is read.
   */
  readonly evicts: boolean;
}

const PAGE = 4096;
const MAX_SNAPSHOT_EVERY = 7;
/** Distances from the arena's start: a window within a table, over the end of one, and over the end of a table of tables. */
const WINDOW_OFFSETS = [0, 0, 0x200000 - 24 * PAGE, 0x40000000 - 40 * PAGE];

export function drawSwarm(random: Random, calls: number | null): Swarm {
  const uncached = random.chance(4);
  const weights = new Map<Kind, number>();
  for (const kind of KIND_NAMES) {
    if (NEEDED.includes(kind) || random.chance(72))
      weights.set(kind, Math.ceil(KINDS[kind] * random.pick([0.3, 1, 1, 3])));
  }
  const names = Object.keys(ADVICES).filter((name) => !(uncached && name === 'MADV_RANDOM'));
  const advices = new Map(
    random.some(names, random.pick([25, 50, 80]), 2).map((name) => [name, ADVICES[name]! * random.pick([1, 1, 4])]),
  );
  const windowStart = ARENA_START + random.pick(WINDOW_OFFSETS);
  const windowPages = random.pick([40, 64, 120, 250]);
  return {
    calls: calls ?? random.between(50, 300),
    snapshotEvery: random.between(1, MAX_SNAPSHOT_EVERY),
    weights,
    protections: ['PROT_READ|PROT_WRITE', ...random.some(PROTECTIONS, 45)],
    mapExtras: random.some(MAP_EXTRAS, 35),
    advices,
    files: drawFiles(random, uncached),
    swapMib: random.chance(80) ? 64 : 0,
    brk: random.chance(35) ? windowStart + (windowPages + random.between(0, 20)) * PAGE : null,
    windowStart,
    windowPages,
    maxPages: random.pick([4, 8, 16, 16, 40]),
    maxProcesses: random.pick([1, 2, 3, 4, 6, 8]),
    maxGenerations: random.between(1, 4),
    shared: random.pick([0, 15, 30, 60]),
    unfixed: random.pick([0, 20, 20, 60]),
    focus: random.pick([20, 50, 75]),
    evicts: uncached,
  };
}

function drawFiles(random: Random, uncached: boolean): MmpFile[] {
  const count = random.pick([0, 1, 1, 2, 2, 3]);
  return ['A', 'B', 'C'].slice(0, count).map((name) => {
    const kind = random.chance(60) ? 'disk' : 'tmpfs';
    return { name, pages: random.pick([1, 5, 16, 24, 40]), kind, cached: kind === 'disk' && !uncached };
  });
}
