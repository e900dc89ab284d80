/**
 * With whom a process shares its pages: the same frame in both, by fork (copy-on-write), by a file, by shared memory, by KSM.
 *
 * Promises  1. A frame counts once for each other process, and once in the total, however often it is mapped.
 *           2. private + shared are all frames of the process whose number is known; `hiddenPages` are the others.
 *           3. Pure: no Node.
 */
import { hasKpf, KPF_KSM, KPF_SWAPBACKED, KPF_ZERO_PAGE } from '../../proc/kpage_flags.ts';
import { processOfVma, type ReverseMap, vmaOfEntry } from '../reverse.ts';
import { ENTRY_FILE, ENTRY_NO_FRAME, ENTRY_PRESENT, type HostSnapshot, isMapped } from '../snapshot.ts';
import { PAGE, type Region, regionOf, wordOfFrame } from './who.ts';

/** How two processes come to have one frame. */
export type SharedBy = 'fork' | 'file' | 'shared memory' | 'ksm';

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
  const others = new Map<number, Map<string, { vma: number; by: SharedBy; pages: number }>>();
  const seen = new Set<number>();
  let shared = 0;
  let hiddenPages = 0;
  for (let vma = own.firstVma; vma < own.endVma; vma++) {
    for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
      const bits = entries.bits[row]!;
      if ((bits & (ENTRY_PRESENT | ENTRY_NO_FRAME)) === (ENTRY_PRESENT | ENTRY_NO_FRAME)) hiddenPages += 1;
      const pfn = entries.value[row]!;
      const word = wordOfFrame(snapshot, pfn) ?? 0;
      if (!isMapped(bits) || seen.has(pfn) || hasKpf(word, KPF_ZERO_PAGE)) continue;
      seen.add(pfn);
      const by = sharedBy(bits, word);
      let isShared = false;
      for (const other of othersOf(snapshot, reverse, pfn, ownRow)) {
        isShared = true;
        const regions = others.get(other) ?? new Map();
        others.set(other, regions);
        const key = `${vma} ${by}`;
        const region = regions.get(key) ?? { vma, by, pages: 0 };
        region.pages += 1;
        regions.set(key, region);
      }
      if (isShared) shared += 1;
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
    with: [...others]
      .map(([row, regions]) => withOne(snapshot, row, [...regions.values()]))
      .sort((a, b) => b.bytes - a.bytes || a.pid - b.pid),
  };
}

function sharedBy(bits: number, word: number): SharedBy {
  if ((bits & ENTRY_FILE) === 0) return hasKpf(word, KPF_KSM) ? 'ksm' : 'fork';
  return hasKpf(word, KPF_SWAPBACKED) ? 'shared memory' : 'file';
}

/** Rows of other processes that map the frame, each once. */
function othersOf(snapshot: HostSnapshot, reverse: ReverseMap, pfn: number, own: number): Set<number> {
  const rows = new Set<number>();
  for (const row of reverse.entriesOf(pfn)) {
    const process = processOfVma(snapshot, vmaOfEntry(snapshot, row));
    if (process !== own) rows.add(process);
  }
  return rows;
}

function withOne(
  snapshot: HostSnapshot,
  row: number,
  regions: readonly { vma: number; by: SharedBy; pages: number }[],
): SharedWith {
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
