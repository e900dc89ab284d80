/**
 * The reverse map of a snapshot: which entries map a frame, or hold a slot of swap.
 *
 * Owns      the order of rows by frame (a counting sort: two numbers a row, one a frame of memory). Built once, when somebody asks.
 * Promises  `entriesOf(pfn)` are exactly the rows of `entries` whose frame it is, in the order of the rows.
 */
import { ENTRY_NO_FRAME, ENTRY_PRESENT, type HostSnapshot } from './snapshot.ts';

/** Without /proc/kpage* nobody says how many frames there are: so many may be, and more with the entries that name them. */
const FRAMES_FREE = 2 ** 25;
const FRAMES_PER_ENTRY = 1024;

export class ReverseMap {
  readonly snapshot: HostSnapshot;
  private readonly first: Uint32Array;
  private readonly rows: Uint32Array;
  /** Rows of frames behind the last of memory: a device's, or whatever a file claims. */
  private readonly far = new Map<number, number[]>();

  constructor(snapshot: HostSnapshot) {
    this.snapshot = snapshot;
    const { value, bits, count } = snapshot.entries;
    const limit = snapshot.frames?.count ?? FRAMES_FREE + FRAMES_PER_ENTRY * count;
    let frames = snapshot.frames?.count ?? 0;
    for (let row = 0; row < count; row++) {
      if (!hasFrame(bits[row]!)) continue;
      if (value[row]! < limit) frames = Math.max(frames, value[row]! + 1);
      else this.addFar(value[row]!, row);
    }
    const isNear = (row: number) => value[row]! < frames && hasFrame(bits[row]!);
    const first = new Uint32Array(frames + 1);
    for (let row = 0; row < count; row++) if (isNear(row)) first[value[row]!]! += 1;
    // Each number becomes the end of its frame's rows; placing them from the last on makes it their beginning.
    let end = 0;
    for (let pfn = 0; pfn <= frames; pfn++) {
      end += first[pfn]!;
      first[pfn] = end;
    }
    const rows = new Uint32Array(end);
    for (let row = count - 1; row >= 0; row--)
      if (isNear(row)) {
        first[value[row]!]! -= 1;
        rows[first[value[row]!]!] = row;
      }
    this.first = first;
    this.rows = rows;
  }

  /** One more than the highest frame of memory that is known. */
  get frameCount(): number {
    return this.first.length - 1;
  }

  countOf(pfn: number): number {
    if (pfn >= 0 && pfn + 1 < this.first.length) return this.first[pfn + 1]! - this.first[pfn]!;
    return this.far.get(pfn)?.length ?? 0;
  }

  entriesOf(pfn: number): Uint32Array {
    if (pfn >= 0 && pfn + 1 < this.first.length) return this.rows.subarray(this.first[pfn], this.first[pfn + 1]);
    return Uint32Array.from(this.far.get(pfn) ?? []);
  }

  private addFar(pfn: number, row: number): void {
    const rows = this.far.get(pfn);
    if (rows === undefined) this.far.set(pfn, [row]);
    else rows.push(row);
  }
}

function hasFrame(bits: number): boolean {
  return (bits & (ENTRY_PRESENT | ENTRY_NO_FRAME)) === ENTRY_PRESENT;
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
