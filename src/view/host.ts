/**
 * Questions about a host: what it is, what its processes cost, where its memory is, who shares files, what changed.
 *
 * Owns      how much of each answer goes to the page: the largest rows, and how many there are.
 * Promises  1. Figures are those of src/host, as `revmap ps`, `frames`, `files` and `diff` print them.
 *           2. Of a machine every answer is null: it has its own views.
 */
import { type CgroupsAnswer, cgroupCosts } from '../host/cost/cgroups.ts';
import { ProcessCosts, type PsAnswer } from '../host/cost/ps.ts';
import { diffSnapshots, type SnapshotDiff } from '../host/diff/diff.ts';
import { FRAME_KINDS, type FrameKind } from '../host/frames/frame_kinds.ts';
import { frameTables } from '../host/frames/frames.ts';
import { type KernelPart, kernelParts, type MeminfoRow } from '../host/frames/meminfo_sums.ts';
import { parseCounters } from '../host/kernel_texts.ts';
import { fileRows } from '../host/page_cache/page_cache_rows.ts';
import {
  type CachedKind,
  type Changes,
  ENTRY_FILE,
  ENTRY_PRESENT,
  type HostSnapshot,
  type Missing,
} from '../host/snapshot.ts';
import { type FileAnswer, whoMapsFile } from '../host/who/who_file.ts';
import { type SharedAnswer, sharedWith } from '../host/who/who_shared.ts';
import type { HostSubject, Subject } from './subject.ts';

const KB_PER_FRAME = 4;
/** Rows of one list. */
const MOST_ROWS = 500;
const MOST_SHARERS = 40;
const MOST_REGIONS = 12;
const MOST_RANGES = 200;

export interface HostFacts {
  readonly hostname: string;
  readonly kernel: string;
  readonly source: 'live' | 'machine';
  readonly takenAtMs: number;
  readonly tookMs: number;
  readonly redacted: boolean;
  readonly processes: number;
  readonly regions: number;
  /** Page-table entries that are in it. */
  readonly entries: number;
  readonly frames: number | null;
  /** kB, of meminfo; null where it was not read. */
  readonly memTotalKb: number | null;
  readonly memAvailableKb: number | null;
  readonly swapTotalKb: number | null;
  readonly swapFreeKb: number | null;
  readonly missing: readonly Missing[];
  readonly changes: Changes;
  /** When the snapshot was taken that this one is compared with; null: there is none. */
  readonly beforeAtMs: number | null;
}

function hostFacts(subject: Subject): HostFacts | null {
  if (subject.kind !== 'host') return null;
  const { snapshot, before } = subject;
  const meminfo = parseCounters(snapshot.texts.get('meminfo'));
  const field = (name: string) => meminfo.get(name) ?? null;
  return {
    hostname: snapshot.hostname,
    kernel: snapshot.kernel,
    source: snapshot.source,
    takenAtMs: snapshot.takenAtMs,
    tookMs: snapshot.tookMs,
    redacted: snapshot.redacted,
    processes: snapshot.processes.length,
    regions: snapshot.vmas.count,
    entries: snapshot.entries.count,
    frames: snapshot.frames?.count ?? null,
    memTotalKb: field('MemTotal'),
    memAvailableKb: field('MemAvailable'),
    swapTotalKb: field('SwapTotal'),
    swapFreeKb: field('SwapFree'),
    missing: snapshot.missing,
    changes: snapshot.changes,
    beforeAtMs: before?.takenAtMs ?? null,
  };
}

/** Counted once for all questions about one snapshot. */
const counted = new WeakMap<HostSnapshot, ProcessCosts>();

function costsOf({ snapshot, reverse }: HostSubject): ProcessCosts {
  let costs = counted.get(snapshot);
  if (costs === undefined) {
    costs = new ProcessCosts(snapshot, reverse);
    counted.set(snapshot, costs);
  }
  return costs;
}

/** As `revmap ps --json` has it, in the order of pids. */
function hostPs(subject: Subject): PsAnswer | null {
  return subject.kind === 'host' ? costsOf(subject).answer() : null;
}

function hostCgroups(subject: Subject): CgroupsAnswer | null {
  return subject.kind === 'host' ? cgroupCosts(costsOf(subject)) : null;
}

/** With whom a process shares, and in which of its regions; null: no such process, or frames that nobody may know. */
function hostSharers(subject: Subject, pid: number): SharedAnswer | null {
  if (subject.kind !== 'host') return null;
  const answer = sharedWith(subject.snapshot, subject.reverse, pid);
  if (answer === null) return null;
  const others = answer.with
    .slice(0, MOST_SHARERS)
    .map((other) => ({ ...other, regions: other.regions.slice(0, MOST_REGIONS) }));
  return { ...answer, with: others };
}

// files

export interface HostFileRow {
  /** Its row in the snapshot, for `hostFile`. */
  readonly file: number;
  readonly path: string;
  readonly deleted: boolean;
  readonly kind: CachedKind | null;
  /** Processes that map it. */
  readonly mappers: number;
  /** Pages of it that any of them maps, each once. */
  readonly mappedPages: number | null;
  /** What as many copies would take, less the one that is there. */
  readonly savedPages: number | null;
  readonly cachedPages: number | null;
  readonly dirtyPages: number | null;
}

export interface HostFiles {
  readonly rows: readonly HostFileRow[];
  readonly total: number;
}

/** Files that are mapped or cached; who saves most by being shared comes first, then by how much of it is there. */
function hostFiles(subject: Subject): HostFiles | null {
  if (subject.kind !== 'host') return null;
  const { snapshot } = subject;
  const rowOf = new Map(snapshot.files.map((file, row) => [file, row]));
  const entries = entriesByFile(snapshot);
  const rows = fileRows(snapshot, { pids: null, cgroups: null, under: null, onlyAsked: false }).map(
    ({ file, cached, mappedBy, mappedPages }): HostFileRow => {
      const row = rowOf.get(file)!;
      const shown = [row, ...(cached?.otherFiles ?? [])].reduce((sum, other) => sum + entries[other]!, 0);
      return {
        file: row,
        path: file.path,
        deleted: file.deleted,
        kind: cached?.kind ?? null,
        mappers: mappedBy.length,
        mappedPages,
        savedPages: mappedPages === null ? null : Math.max(0, shown - mappedPages),
        cachedPages: cached?.cachedPages ?? null,
        dirtyPages: cached?.dirtyPages ?? null,
      };
    },
  );
  const size = (row: HostFileRow) => row.cachedPages ?? row.mappedPages ?? 0;
  rows.sort((a, b) => (b.savedPages ?? 0) - (a.savedPages ?? 0) || size(b) - size(a) || (a.path < b.path ? -1 : 1));
  return { rows: rows.slice(0, MOST_ROWS), total: rows.length };
}

/** Entries that show a page of each file. */
function entriesByFile({ files, vmas, entries }: HostSnapshot): Float64Array {
  const sums = new Float64Array(files.length);
  for (let vma = 0; vma < vmas.count; vma++) {
    const file = vmas.file[vma]!;
    if (file < 0) continue;
    for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++)
      if ((entries.bits[row]! & MAPS_A_FILE) === MAPS_A_FILE) sums[file]! += 1;
  }
  return sums;
}

const MAPS_A_FILE = ENTRY_PRESENT | ENTRY_FILE;

/** Who maps which part of one file; null: no such row. */
function hostFile(subject: Subject, file: number): (FileAnswer & { readonly left: number }) | null {
  if (subject.kind !== 'host' || subject.snapshot.files[file] === undefined) return null;
  const answer = whoMapsFile(subject.snapshot, file);
  const ranges = answer.ranges.slice(0, MOST_RANGES);
  return { ...answer, ranges, left: answer.ranges.length - ranges.length };
}

// memory

export interface HostUse {
  readonly kind: FrameKind;
  readonly label: string;
  /** One character of the picture. */
  readonly mark: string;
  readonly frames: number;
  readonly mapped: number;
  readonly dirty: number;
}

export interface HostMemory {
  /** What adds up to MemTotal; what is reserved at boot, and no memory at all, is not in it. */
  readonly uses: readonly HostUse[];
  readonly sum: number;
  /** Frames, of meminfo; null where it was not read. */
  readonly memTotal: number | null;
  readonly reserved: number;
  /** Beside the kernel's own sums; null where not all frames were read. */
  readonly meminfo: readonly MeminfoRow[] | null;
  /** What of the kernel's frames its counters name. */
  readonly kernel: readonly KernelPart[];
}

/** Null unless the word of every frame was read. */
function hostMemory(subject: Subject): HostMemory | null {
  if (subject.kind !== 'host' || subject.kinds === null) return null;
  const { snapshot, kinds } = subject;
  const tables = frameTables(snapshot, kinds, {});
  if (typeof tables === 'string' || tables.kinds.some(({ kind }) => kind === 'not_read')) return null;
  const looks = new Map(FRAME_KINDS.map((facts) => [facts.kind, facts]));
  const framesOf = (kind: FrameKind) => tables.kinds.find((row) => row.kind === kind)?.frames ?? 0;
  const uses = tables.kinds
    .filter(({ kind }) => kind !== 'hole' && kind !== 'reserved')
    .map(({ kind, frames, mapped, dirty }) => {
      const { label, mark } = looks.get(kind)!;
      return { kind, label, mark, frames, mapped, dirty };
    });
  const memTotalKb = parseCounters(snapshot.texts.get('meminfo')).get('MemTotal');
  return {
    uses,
    sum: uses.reduce((sum, { frames }) => sum + frames, 0),
    memTotal: memTotalKb === undefined ? null : memTotalKb / KB_PER_FRAME,
    reserved: framesOf('reserved'),
    meminfo: tables.meminfo,
    kernel: kernelParts(snapshot, kinds, framesOf('kernel'), framesOf('slab')),
  };
}

// changes

export interface HostChanges extends SnapshotDiff {
  readonly beforeAtMs: number;
  readonly beforeName: string;
  /** How many rows each list has that is cut off here. */
  readonly lengths: Readonly<Record<'processes' | 'mappings' | 'files' | 'meminfo', number>>;
}

/** From the snapshot that was open before to this one; null: there was none. */
function hostChanges(subject: Subject): HostChanges | null {
  if (subject.kind !== 'host' || subject.before === null) return null;
  const { before, snapshot } = subject;
  const diff = diffSnapshots(before, snapshot);
  return {
    ...diff,
    processes: diff.processes.slice(0, MOST_ROWS),
    mappings: diff.mappings?.slice(0, MOST_ROWS) ?? null,
    files: diff.files.slice(0, MOST_ROWS),
    beforeAtMs: before.takenAtMs,
    beforeName: before.hostname,
    lengths: {
      processes: diff.processes.length,
      mappings: diff.mappings?.length ?? 0,
      files: diff.files.length,
      meminfo: diff.meminfo.length,
    },
  };
}

export const hostQueries = {
  hostFacts,
  hostPs,
  hostCgroups,
  hostSharers,
  hostFiles,
  hostFile,
  hostMemory,
  hostChanges,
} as const;
