/**
 * Perfetto's trace format, as far as tracks of slices, instants and counters need it.
 *
 *   Trace { packet = 1 }
 *   TracePacket { timestamp = 8, trusted_packet_sequence_id = 10, track_event = 11, interned_data = 12, sequence_flags = 13,
 *                 track_descriptor = 60 }
 *   TrackDescriptor { uuid = 1, name = 2, process = 3, thread = 4, parent_uuid = 5, counter = 8 }
 *   TrackEvent { debug_annotations = 4, type = 9, name_iid = 10, track_uuid = 11, counter_value = 30 }
 *
 * Owns      the numbers of fields, and how they become bytes.
 * Promises  1. One sequence, times never go back. The first packet says that nothing was said before.
 *           2. A name is spelled out once, in the packet that needs it first, and is a number from then on.
 *           3. Every slice that begins ends; within a track they are nested.
 */
import type { OutputFile } from './output.ts';

const SEQUENCE = 1;
const STATE_CLEARED = 1;
const NEEDS_STATE = 2;
const SLICE_BEGIN = 1;
const SLICE_END = 2;
const INSTANT = 3;
const COUNTER = 4;
const UNIT_COUNT = 2;
const UNIT_SIZE_BYTES = 3;

/** A track's uuid. */
export type Track = number;
/** Beside a slice or an instant. */
export type Notes = Readonly<Record<string, number | string>>;
const NO_NOTES: Notes = {};

interface Slice {
  readonly name: string;
}

export class PerfettoTrace {
  private readonly out: OutputFile;
  private readonly packet: Proto = new Proto();
  private readonly inner: Proto = new Proto();
  private readonly nested: Proto = new Proto();
  private readonly eventNames: Map<string, number> = new Map();
  private readonly noteNames: Map<string, number> = new Map();
  private readonly open: Map<Track, Slice[]> = new Map();
  private nextTrack = 1;
  private isFirst = true;
  private lastNs = 0;

  constructor(out: OutputFile) {
    this.out = out;
  }

  // tracks

  process(pid: number, name: string): Track {
    return this.track(0, '', (descriptor, part) => {
      part.clear();
      part.int(1, pid);
      part.string(6, name);
      descriptor.message(3, part);
    });
  }

  thread(process: Track, pid: number, tid: number, name: string): Track {
    return this.track(process, '', (descriptor, part) => {
      part.clear();
      part.int(1, pid);
      part.int(2, tid);
      part.string(5, name);
      descriptor.message(4, part);
    });
  }

  group(name: string): Track {
    return this.track(0, name, () => undefined);
  }

  counter(parent: Track, name: string, unit: 'bytes' | 'count'): Track {
    return this.track(parent, name, (descriptor, part) => {
      part.clear();
      part.int(3, unit === 'bytes' ? UNIT_SIZE_BYTES : UNIT_COUNT);
      descriptor.message(8, part);
    });
  }

  private track(parent: Track, name: string, describe: (descriptor: Proto, part: Proto) => void): Track {
    const { inner, nested } = this;
    const uuid = this.nextTrack++;
    inner.clear();
    inner.int(1, uuid);
    if (parent !== 0) inner.int(5, parent);
    if (name !== '') inner.string(2, name);
    describe(inner, nested);
    this.begin(this.lastNs);
    this.packet.message(60, inner);
    this.end();
    return uuid;
  }

  // events

  /** `ns` that lies before the last event's is its time: two clocks do not run here, but rounding may. */
  beginSlice(ns: number, track: Track, name: string, notes: Notes = NO_NOTES): void {
    const slices = this.open.get(track) ?? [];
    slices.push({ name });
    this.open.set(track, slices);
    this.event(ns, track, SLICE_BEGIN, name, notes);
  }

  /** Ends the innermost slice of that name, and what is open inside it; nothing if none is. */
  endSlice(ns: number, track: Track, name: string, notes: Notes = NO_NOTES): void {
    const slices = this.open.get(track) ?? [];
    if (!slices.some((slice) => slice.name === name)) return;
    for (;;) {
      const inner = slices.pop()!;
      this.event(ns, track, SLICE_END, '', inner.name === name ? notes : NO_NOTES);
      if (inner.name === name) return;
    }
  }

  isOpen(track: Track, name: string): boolean {
    return this.open.get(track)?.some((slice) => slice.name === name) ?? false;
  }

  instant(ns: number, track: Track, name: string, notes: Notes = NO_NOTES): void {
    this.event(ns, track, INSTANT, name, notes);
  }

  count(ns: number, track: Track, value: number): void {
    const { inner } = this;
    inner.clear();
    inner.int(9, COUNTER);
    inner.int(11, track);
    inner.int(30, value);
    this.begin(ns);
    this.packet.message(11, inner);
    this.end();
  }

  /** Ends what is still open, and gives the file its name. */
  finish(ns: number): void {
    for (const [track, slices] of this.open) {
      for (let slice = slices.pop(); slice !== undefined; slice = slices.pop())
        this.event(ns, track, SLICE_END, '', NO_NOTES);
    }
    this.out.finish();
  }

  private event(ns: number, track: Track, type: number, name: string, notes: Notes): void {
    const { inner, nested } = this;
    const learned: [field: number, id: number, name: string][] = [];
    inner.clear();
    inner.int(9, type);
    inner.int(11, track);
    if (name !== '') inner.int(10, idOf(this.eventNames, name, 2, learned));
    for (const [key, value] of Object.entries(notes)) {
      nested.clear();
      nested.int(1, idOf(this.noteNames, key, 3, learned));
      if (typeof value === 'string') nested.string(6, value);
      else nested.int(key === 'address' ? 7 : 4, value);
      inner.message(4, nested);
    }
    this.begin(ns);
    this.packet.message(11, inner);
    if (learned.length > 0) this.teach(learned);
    this.end();
  }

  private teach(learned: readonly (readonly [field: number, id: number, name: string])[]): void {
    const { inner, nested } = this;
    inner.clear();
    for (const [field, id, name] of learned) {
      nested.clear();
      nested.int(1, id);
      nested.string(2, name);
      inner.message(field, nested);
    }
    this.packet.message(12, inner);
  }

  private begin(ns: number): void {
    const { packet } = this;
    this.lastNs = Math.max(this.lastNs, Math.floor(ns));
    packet.clear();
    packet.int(8, this.lastNs);
    packet.int(10, SEQUENCE);
    packet.int(13, this.isFirst ? STATE_CLEARED | NEEDS_STATE : NEEDS_STATE);
    this.isFirst = false;
  }

  private end(): void {
    const { packet, nested } = this;
    nested.clear();
    nested.message(1, packet);
    const { piece, at } = this.out.room(nested.length);
    nested.copyTo(piece, at);
  }
}

/** The number of a name; a new one is learned. */
function idOf(names: Map<string, number>, name: string, field: number, learned: [number, number, string][]): number {
  let id = names.get(name);
  if (id === undefined) {
    id = names.size + 1;
    names.set(name, id);
    learned.push([field, id, name]);
  }
  return id;
}

/** One message in the making. Numbers are below 2**53, and not negative but for counters. */
class Proto {
  length = 0;
  private bytes: Buffer = Buffer.alloc(256);

  clear(): void {
    this.length = 0;
  }

  int(field: number, value: number): void {
    this.varint(field * 8);
    if (value >= 0) this.varint(value);
    else this.negative(value);
  }

  string(field: number, text: string): void {
    const bytes = Buffer.byteLength(text);
    this.varint(field * 8 + 2);
    this.varint(bytes);
    this.reserve(bytes);
    this.length += this.bytes.write(text, this.length);
  }

  message(field: number, inner: Proto): void {
    this.varint(field * 8 + 2);
    this.varint(inner.length);
    this.reserve(inner.length);
    inner.copyTo(this.bytes, this.length);
    this.length += inner.length;
  }

  copyTo(target: Buffer, at: number): void {
    this.bytes.copy(target, at, 0, this.length);
  }

  private varint(value: number): void {
    this.reserve(10);
    let left = value;
    while (left >= 128) {
      this.bytes[this.length++] = (left % 128) + 128;
      left = Math.floor(left / 128);
    }
    this.bytes[this.length++] = left;
  }

  /** Ten bytes: the two's complement in 64 bits. */
  private negative(value: number): void {
    this.reserve(10);
    let left = BigInt.asUintN(64, BigInt(value));
    for (; left >= 128n; left >>= 7n) this.bytes[this.length++] = Number(left & 127n) + 128;
    this.bytes[this.length++] = Number(left);
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const wider = Buffer.alloc(2 * (this.length + bytes));
    this.bytes.copy(wider, 0, 0, this.length);
    this.bytes = wider;
  }
}
