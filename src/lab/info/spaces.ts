/**
 * What lies where in a recorded process, by its system calls alone.
 *
 * Owns      the ranges of one address space, what each is called, how much of each name was mapped at most.
 * Promises  Ranges never overlap and stand in ascending order.
 */

export type MappingKind = 'anonymous' | 'heap' | 'stack' | 'file' | 'shared' | 'not mapped';

/** Something that is mapped, or was: one for each name. */
export interface Named {
  readonly id: number;
  readonly name: string;
  readonly kind: MappingKind;
  /** Of a file: its number among TouchedPages' spaces; -1 if it has none. */
  readonly space: number;
  /** In all processes together. */
  bytes: number;
  mostBytes: number;
  /** How often it was mapped. */
  times: number;
  /** Its pages that were touched. */
  pages: number;
}

export interface Range {
  start: number;
  end: number;
  named: Named;
  /** Of a file: where in it `start` is, in pages. */
  index: number;
  /** Stores stay in the process. */
  isPrivate: boolean;
}

/** Linux's vm.max_map_count; what is beyond is as good as one range. */
const RANGES = 65530;
/** A stack grows by faults, without a call: up to its usual limit (RLIMIT_STACK). */
const STACK_BYTES = 8 * 2 ** 20;

export class AddressRanges {
  ranges: Range[];
  /** Goes up with every change. */
  generation = 0;
  /** Where the heap begins, and ends now. */
  heapStart = 0;
  heapEnd = 0;

  constructor(ranges: Range[] = []) {
    this.ranges = ranges;
  }

  /** A child's. */
  copy(): AddressRanges {
    const made = new AddressRanges(this.ranges.map((r) => ({ ...r })));
    made.heapStart = this.heapStart;
    made.heapEnd = this.heapEnd;
    for (const { named, start, end } of made.ranges) more(named, end - start);
    return made;
  }

  at(address: number): Range | null {
    const place = this.firstEndingBehind(address);
    const range = this.ranges[place];
    if (range === undefined) return null;
    const below = range.named.kind === 'stack' ? STACK_BYTES : 0;
    return range.start - below <= address ? range : null;
  }

  map(range: Range): void {
    this.unmap(range.start, range.end);
    if (this.ranges.length >= RANGES) return;
    this.ranges.splice(this.firstEndingBehind(range.start), 0, range);
    range.named.times += 1;
    more(range.named, range.end - range.start);
  }

  /** Takes out what lies there, and says what that was. */
  unmap(start: number, end: number): Range[] {
    this.generation += 1;
    const first = this.firstEndingBehind(start);
    let last = first;
    while (last < this.ranges.length && this.ranges[last]!.start < end) last += 1;
    if (first === last) return [];
    const kept: Range[] = [];
    const gone: Range[] = [];
    for (const range of this.ranges.slice(first, last)) {
      if (range.start < start) kept.push({ ...range, end: start });
      if (range.end > end) kept.push(part(range, end, range.end));
      const cut = part(range, Math.max(range.start, start), Math.min(range.end, end));
      gone.push(cut);
      cut.named.bytes -= cut.end - cut.start;
    }
    this.ranges.splice(first, last - first, ...kept);
    return gone;
  }

  /** Everything goes: exit, or another program. */
  clear(): void {
    this.unmap(0, 2 ** 47);
    this.heapStart = 0;
    this.heapEnd = 0;
  }

  private firstEndingBehind(address: number): number {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ranges[middle]!.end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function part(range: Range, start: number, end: number): Range {
  return { ...range, start, end, index: range.index + (start - range.start) / 4096 };
}

function more(named: Named, bytes: number): void {
  named.bytes += bytes;
  named.mostBytes = Math.max(named.mostBytes, named.bytes);
}
