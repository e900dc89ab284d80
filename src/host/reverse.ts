/**
 * The reverse map of a snapshot: which entries map a frame, or hold a slot of swap.
 *
 * Owns      the order of rows by frame (a counting sort: two numbers a row, one a frame). Built once, when somebody asks.
 * Promises  `entriesOf(pfn)` are exactly the rows of `entries` whose frame it is, in the order of the rows.
 */
import { ENTRY_NO_FRAME, ENTRY_PRESENT, type HostSnapshot } from './snapshot.ts';

export class ReverseMap {
  readonly snapshot: HostSnapshot;
  private readonly first: Uint32Array;
  private readonly rows: Uint32Array;

  constructor(snapshot: HostSnapshot) {
    this.snapshot = snapshot;
    const { value, bits, count } = snapshot.entries;
    let frames = snapshot.frames?.count ?? 0;
    for (let row = 0; row < count; row++) if (hasFrame(bits[row]!)) frames = Math.max(frames, value[row]! + 1);
    const first = new Uint32Array(frames + 1);
    for (let row = 0; row < count; row++) if (hasFrame(bits[row]!)) first[value[row]! + 1]! += 1;
    for (let pfn = 0; pfn < frames; pfn++) first[pfn + 1]! += first[pfn]!;
    const rows = new Uint32Array(first[frames]!);
    const next = first.slice();
    for (let row = 0; row < count; row++) if (hasFrame(bits[row]!)) rows[next[value[row]!]!++] = row;
    this.first = first;
    this.rows = rows;
  }

  /** One more than the highest frame that is known. */
  get frameCount(): number {
    return this.first.length - 1;
  }

  countOf(pfn: number): number {
    return pfn < 0 || pfn + 1 >= this.first.length ? 0 : this.first[pfn + 1]! - this.first[pfn]!;
  }

  entriesOf(pfn: number): Uint32Array {
    if (pfn < 0 || pfn + 1 >= this.first.length) return this.rows.subarray(0, 0);
    return this.rows.subarray(this.first[pfn], this.first[pfn + 1]);
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
