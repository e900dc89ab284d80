/**
 * The reverse map of a snapshot: which entries map a frame, or hold a slot of swap.
 *
 * Owns      the order of rows by frame (a counting sort: a number a row, a number a mapped frame). Built once, when somebody asks.
 * Promises  `entriesOf(pfn)` are exactly the rows of `entries` whose frame it is, in the order of the rows.
 */
import { FrameSet } from './frame_set.ts';
import { type EntryTable, type HostSnapshot, isMapped } from './snapshot.ts';

/** Without /proc/kpage* nobody says how many frames there are: so many may be, and more with the entries that name them. */
const FRAMES_FREE = 2 ** 25;
const FRAMES_PER_ENTRY = 1024;

export class ReverseMap {
  readonly snapshot: HostSnapshot;
  /** Frames that entries map. */
  private readonly mapped: FrameSet;
  /** By the place of a frame in `mapped`, and one more: where its rows begin in `rows`. */
  private readonly first: Uint32Array;
  private readonly rows: Uint32Array;
  /** Rows of frames behind the last of memory: a device's, or whatever a file claims. */
  private readonly far = new Map<number, number[]>();
  private processes: Uint32Array | null = null;

  constructor(snapshot: HostSnapshot) {
    this.snapshot = snapshot;
    const { entries } = snapshot;
    const mapped = new FrameSet(snapshot.frames?.count ?? lastNear(entries) + 1);
    const { value, bits, count } = entries;
    for (let row = 0; row < count; row++) {
      if (!isMapped(bits[row]!)) continue;
      if (value[row]! < mapped.count) mapped.add(value[row]!);
      else this.addFar(value[row]!, row);
    }
    this.first = rowEnds(entries, mapped);
    this.rows = sortRows(entries, mapped, this.first);
    this.mapped = mapped;
  }

  /** One more than the highest frame of memory that is known. */
  get frameCount(): number {
    return this.mapped.count;
  }

  /** The process (its row) of each row of `entries`. */
  get processOf(): Uint32Array {
    this.processes ??= processColumn(this.snapshot);
    return this.processes;
  }

  countOf(pfn: number): number {
    if (!this.isNear(pfn)) return this.far.get(pfn)?.length ?? 0;
    if (!this.mapped.has(pfn)) return 0;
    const place = this.mapped.placeOf(pfn);
    return this.first[place + 1]! - this.first[place]!;
  }

  entriesOf(pfn: number): Uint32Array {
    if (!this.isNear(pfn)) return Uint32Array.from(this.far.get(pfn) ?? []);
    if (!this.mapped.has(pfn)) return NO_ROWS;
    const place = this.mapped.placeOf(pfn);
    return this.rows.subarray(this.first[place], this.first[place + 1]);
  }

  private isNear(pfn: number): boolean {
    return pfn >= 0 && pfn < this.mapped.count;
  }

  private addFar(pfn: number, row: number): void {
    const rows = this.far.get(pfn);
    if (rows === undefined) this.far.set(pfn, [row]);
    else rows.push(row);
  }
}

const NO_ROWS = new Uint32Array(0);

/** The highest frame that may be memory; -1 if entries name none. */
function lastNear({ value, bits, count }: EntryTable): number {
  const limit = FRAMES_FREE + FRAMES_PER_ENTRY * count;
  let last = -1;
  for (let row = 0; row < count; row++)
    if (isMapped(bits[row]!) && value[row]! < limit) last = Math.max(last, value[row]!);
  return last;
}

/** Where the rows of each frame of `mapped` end, and a number behind them. */
function rowEnds({ value, bits, count }: EntryTable, mapped: FrameSet): Uint32Array {
  const ends = new Uint32Array(mapped.rank() + 1);
  for (let row = 0; row < count; row++)
    if (isMapped(bits[row]!) && value[row]! < mapped.count) ends[mapped.placeOf(value[row]!)]! += 1;
  let end = 0;
  for (let place = 0; place < ends.length; place++) {
    end += ends[place]!;
    ends[place] = end;
  }
  return ends;
}

/** Rows by frame. They are placed from the last on, and so each end in `ends` becomes a beginning. */
function sortRows({ value, bits, count }: EntryTable, mapped: FrameSet, ends: Uint32Array): Uint32Array {
  const rows = new Uint32Array(ends.at(-1)!);
  for (let row = count - 1; row >= 0; row--) {
    if (!isMapped(bits[row]!) || value[row]! >= mapped.count) continue;
    const place = mapped.placeOf(value[row]!);
    const at = ends[place]! - 1;
    ends[place] = at;
    rows[at] = row;
  }
  return rows;
}

function processColumn({ processes, vmas, entries }: HostSnapshot): Uint32Array {
  const column = new Uint32Array(entries.count);
  processes.forEach(({ firstVma, endVma }, row) => {
    column.fill(row, vmas.firstEntry[firstVma], vmas.firstEntry[endVma]);
  });
  return column;
}

/** The VMA of a row of `entries`. */
export function vmaOfEntry(snapshot: HostSnapshot, row: number): number {
  return lastAtMost(snapshot.vmas.firstEntry, row, snapshot.vmas.count);
}

/** The process (its row) of a VMA. */
export function processOfVma(snapshot: HostSnapshot, vma: number): number {
  const { processes } = snapshot;
  let low = 0;
  let high = processes.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (processes[middle]!.endVma > vma) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The last place of `sorted` among the first `count` whose number is at most `wanted`; VMAs without entries are passed over. */
function lastAtMost(sorted: Uint32Array, wanted: number, count: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle]! <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}
