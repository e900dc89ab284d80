/**
 * With whom a process shares its pages: the same frame in both, by fork (copy-on-write), by a file, by shared memory, by KSM.
 *
 * Promises  1. A frame counts once for each other process, and once in the total, however often it is mapped.
 *           2. private + shared are all frames of the process whose number is known; `hiddenPages` are the others.
 *           3. Pure: no Node.
 */
import { LOW_KSM, LOW_SWAPBACKED, LOW_ZERO_PAGE } from '../frames/kpf_masks.ts';
import type { ReverseMap } from '../reverse.ts';
import { ENTRY_FILE, ENTRY_NO_FRAME, ENTRY_PRESENT, type HostSnapshot, isMapped, KPF_NOT_READ } from '../snapshot.ts';
import { PAGE, type Region, regionOf } from './who.ts';

/** How two processes come to have one frame. */
const SHARED_BY = ['fork', 'file', 'shared memory', 'ksm'] as const;
export type SharedBy = (typeof SHARED_BY)[number];
const [FORK, FILE, SHARED_MEMORY, KSM] = [0, 1, 2, 3] as const;

/** Of a region of the process asked about, what another has. */
interface RegionShare {
  readonly vma: number;
  readonly by: SharedBy;
  pages: number;
}

export interface SharedRegion extends Region {
  readonly by: SharedBy;
  readonly bytes: number;
}

export interface SharedWith {
  readonly pid: number;
  readonly comm: string;
  readonly bytes: number;
  /** Bytes by kind. */
  readonly by: Readonly<Record<SharedBy, number>>;
  /** Regions of the process asked about, largest share first. */
  readonly regions: readonly SharedRegion[];
}

export interface SharedAnswer {
  readonly pid: number;
  readonly comm: string;
  /** Frames that it maps, in bytes; the page of zeros is left out. */
  readonly mappedBytes: number;
  readonly privateBytes: number;
  readonly sharedBytes: number;
  readonly hiddenPages: number;
  /** Processes that use the very same address space: everything is theirs, too. */
  readonly sameAddressSpace: readonly { readonly pid: number; readonly comm: string }[];
  /** Who shares most comes first. */
  readonly with: readonly SharedWith[];
}

/** Null: no process has this pid. */
export function sharedWith(snapshot: HostSnapshot, reverse: ReverseMap, pid: number): SharedAnswer | null {
  const { processes, vmas, entries } = snapshot;
  const asked = processes.find((process) => process.pid === pid);
  if (asked === undefined) return null;
  const ownPid = asked.sharesMmWith ?? pid;
  const ownRow = processes.findIndex((process) => process.pid === ownPid);
  const own = processes[ownRow]!;
  const regionsOf = new Map<number, RegionShare[]>();
  const seen = new Set<number>();
  let shared = 0;
  let hiddenPages = 0;
  for (let vma = own.firstVma; vma < own.endVma; vma++) {
    /** What each of the others has of this region, by its row and how. */
    const here = new Map<number, RegionShare>();
    for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
      const bits = entries.bits[row]!;
      if ((bits & (ENTRY_PRESENT | ENTRY_NO_FRAME)) === (ENTRY_PRESENT | ENTRY_NO_FRAME)) hiddenPages += 1;
      const pfn = entries.value[row]!;
      const flags = flagsOf(snapshot, pfn);
      if (!isMapped(bits) || seen.has(pfn) || (flags & LOW_ZERO_PAGE) !== 0) continue;
      seen.add(pfn);
      if (reverse.countOf(pfn) === 1) continue;
      const by = sharedBy(bits, flags);
      let last = ownRow;
      let isShared = false;
      // Rows are sorted by process.
      for (const sharing of reverse.entriesOf(pfn)) {
        const other = reverse.processOf[sharing]!;
        if (other === last || other === ownRow) continue;
        last = other;
        isShared = true;
        const key = other * SHARED_BY.length + by;
        const region = here.get(key);
        if (region !== undefined) region.pages += 1;
        else here.set(key, { vma, by: SHARED_BY[by]!, pages: 1 });
      }
      if (isShared) shared += 1;
    }
    for (const [key, region] of here) {
      const other = Math.floor(key / SHARED_BY.length);
      const regions = regionsOf.get(other);
      if (regions === undefined) regionsOf.set(other, [region]);
      else regions.push(region);
    }
  }
  return {
    pid,
    comm: asked.comm,
    mappedBytes: seen.size * PAGE,
    privateBytes: (seen.size - shared) * PAGE,
    sharedBytes: shared * PAGE,
    hiddenPages,
    sameAddressSpace: processes
      .filter((process) => process.pid !== pid && (process.sharesMmWith ?? process.pid) === ownPid)
      .map(({ pid, comm }) => ({ pid, comm })),
    with: [...regionsOf]
      .map(([row, regions]) => withOne(snapshot, row, regions))
      .sort((a, b) => b.bytes - a.bytes || a.pid - b.pid),
  };
}

/** Place in SHARED_BY. */
function sharedBy(bits: number, flags: number): number {
  if ((bits & ENTRY_FILE) === 0) return (flags & LOW_KSM) !== 0 ? KSM : FORK;
  return (flags & LOW_SWAPBACKED) !== 0 ? SHARED_MEMORY : FILE;
}

/** The low half of a frame's word; 0 if it is not known. */
function flagsOf({ frames }: HostSnapshot, pfn: number): number {
  if (frames === null || pfn >= frames.count) return 0;
  const row = frames.word[pfn]!;
  return frames.wordsHigh[row] === KPF_NOT_READ ? 0 : frames.wordsLow[row]!;
}

function withOne(snapshot: HostSnapshot, row: number, regions: readonly RegionShare[]): SharedWith {
  const { pid, comm } = snapshot.processes[row]!;
  const by = { fork: 0, file: 0, 'shared memory': 0, ksm: 0 };
  for (const region of regions) by[region.by] += region.pages * PAGE;
  return {
    pid,
    comm,
    bytes: by.fork + by.file + by['shared memory'] + by.ksm,
    by,
    regions: regions
      .map((region) => ({ ...regionOf(snapshot, region.vma), by: region.by, bytes: region.pages * PAGE }))
      .sort((a, b) => b.bytes - a.bytes),
  };
}
