/**
 * A recording as one stream of page numbers, in the order of its replay: what textbook policies and curves are shown.
 *
 * Owns      what a page *is*: the frame that the entry points to at the moment of the access, on a machine that never has to
 *           take one back. Frames of files are named by file and offset.
 * Promises  1. Two accesses have the same id exactly when Linux without memory pressure would have made them to the same page: a
 *              child shares its parent's pages until one of them writes, a file's pages are everybody's, memory that was
 *              unmapped or given back (munmap, brk, MADV_DONTNEED, exit) comes back as other pages.
 *           2. Ids are 0, 1, 2 … in the order of the first access. What the replay drops, the stream drops.
 *           3. A read or write of a file is an access to each of its pages, and then to each page of the buffer.
 *
 *     process 0   load 0x4002892   store 0x4002892    fork            store 0x4002892
 *     child                                           load 0x4002892                    load 0x4002892
 *     frame       the zero page    77                 77              78                77
 *     id          0                1                  1               2                 1
 *
 * Why a machine, and not tables of our own: what fork, mremap, private file mappings, shared memory and MADV_DONTNEED do to pages is
 * the engine's business, and it knows it exactly. It is asked only at faults and system calls; between them an access is a look at
 * the page table, as in accessPages. Never-written anonymous memory is one page, the zero page, as in Linux.
 */
import { InputError } from '../mm/bug.ts';
import type { File } from '../mm/fs.ts';
import { Machine } from '../mm/machine.ts';
import { accessPages } from '../mm/memory.ts';
import type { Mm } from '../mm/mm.ts';
import { NO_SLOT, PTE_PRESENT, PTE_RW } from '../mm/page_table.ts';
import { PAGE_SIZE, type Pfn, type Vpn, vpnOf } from '../mm/units.ts';
import { PGSCAN_DIRECT, PGSCAN_KSWAPD } from '../mm/vmstat.ts';
import type { PageStream } from '../policy/stream.ts';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { MACHINE_DEFAULTS, machineConfig } from './options.ts';
import { Replay } from './replay.ts';

/** What a page is: memory of a process, a page of a file on a disk, or of shared memory. */
export type PageKind = 'anon' | 'file' | 'shmem';
const KINDS: readonly PageKind[] = ['anon', 'file', 'shmem'];

export interface RecordedStream extends PageStream {
  kindOf(id: number): PageKind;
}

/** Accesses of a batch. */
const BATCH = 1 << 16;
/** So many are kept, 4 bytes each; a longer recording is replayed for each forEach. */
const KEPT = 2 ** 27;
/** The id without the top bit, which says that it is a store. */
const ID_MASK = 0x7fffffff;
const NO_ID = -1;
/** What an entry must have, by kind of access: fetch, read, write. */
const WANTED: Uint8Array = Uint8Array.of(PTE_PRESENT, PTE_PRESENT, PTE_PRESENT | PTE_RW);
/** Beside the pages of the program: the kernel's, page tables, and room so that nothing is ever taken back. */
const SPARE_BYTES = 256 * 2 ** 20;
const MOST_BYTES = 64 * 2 ** 30;
/** Pages of a file whose ids lie side by side. */
const CHUNK = 512;

type Batch = Parameters<PageStream['forEach']>[0];

/** Replays once: to number the pages, and to keep the accesses if they are few enough. */
export function pageStream(recording: Recording, survey: Survey): RecordedStream {
  let kept: Int32Array[] | null = [];
  const first = streamOnce(recording, survey, (ids, writes, count) => {
    if (kept === null) return;
    const packed = new Int32Array(count);
    for (let i = 0; i < count; i++) packed[i] = ids[i]! | (writes[i]! << 31);
    kept.push(packed);
    if (kept.length * BATCH > KEPT) kept = null;
  });
  const { kinds, pages, accesses } = first;
  const batches = kept;
  return {
    pages,
    accesses,
    kindOf: (id) => KINDS[kinds[id]!]!,
    forEach: (batch) => {
      if (batches === null) streamOnce(recording, survey, batch);
      else unpack(batches, batch);
    },
  };
}

function unpack(batches: readonly Int32Array[], batch: Batch): void {
  const ids = new Int32Array(BATCH);
  const writes = new Uint8Array(BATCH);
  for (const packed of batches) {
    for (let i = 0; i < packed.length; i++) {
      ids[i] = packed[i]! & ID_MASK;
      writes[i] = packed[i]! >>> 31;
    }
    batch(ids, writes, packed.length);
  }
}

function streamOnce(recording: Recording, survey: Survey, batch: Batch): PageNumbers {
  const machine = new Machine(
    machineConfig({ ...MACHINE_DEFAULTS, ramBytes: enoughFor(recording, survey), swapBytes: 0 }),
  );
  machine.sysctl.thpEnabled = false;
  const numbers = new PageNumbers(machine, batch);
  // What is done before the program runs is nobody's access; its frames are numbered when they are met.
  const replay = new Replay(machine, machine.newCgroup('program'), recording, survey);
  replay.makeAccesses = (_machine, mm, vpns, kinds, from, to) => numbers.makeAccesses(mm, vpns, kinds, from, to);
  replay.onTransfer = (mm, file, at, buffer, bytes, writes) => numbers.transfer(mm, file, at, buffer, bytes, writes);
  replay.run();
  numbers.flush();
  if (replay.oomKilled || machine.events[PGSCAN_KSWAPD]! + machine.events[PGSCAN_DIRECT]! > 0) {
    throw new InputError(recording.file, 0, `its pages do not fit in ${MOST_BYTES / 2 ** 30} GiB`);
  }
  return numbers;
}

/** A page takes an access to be there, and an access a byte at least; of a file, all of it may be read ahead. */
function enoughFor(recording: Recording, survey: Survey): number {
  const events = recording.header.processes.reduce((sum, p) => sum + p.bytes, 0);
  const files = survey.files.reduce((sum, f) => sum + f.bytes, 0);
  const tables = survey.parents.length * 2 ** 20;
  return Math.min(MOST_BYTES, SPARE_BYTES + 1.5 * (events * PAGE_SIZE + files + tables));
}

class PageNumbers {
  pages = 0;
  accesses = 0;
  /** By id, index in KINDS. */
  kinds: Uint8Array = new Uint8Array(1 << 12);
  private readonly machine: Machine;
  private readonly batch: Batch;
  /** By frame; NO_ID since it was allocated. */
  private readonly idOf: Int32Array;
  /** By inode and CHUNK pages of it. */
  private readonly files: Map<number, Map<number, Int32Array>> = new Map();
  private readonly ids = new Int32Array(BATCH);
  private readonly writes = new Uint8Array(BATCH);
  private count = 0;

  constructor(machine: Machine, batch: Batch) {
    this.machine = machine;
    this.batch = batch;
    this.idOf = new Int32Array(machine.frames.frames).fill(NO_ID);
    machine.trace.listen((_at, name, values) => {
      if (name === 'mm_page_alloc') this.idOf.fill(NO_ID, values[0], values[0]! + 2 ** values[1]!);
    });
  }

  /** As accessPages: an access that needs no fault does nothing here but get its number. */
  makeAccesses(mm: Mm, vpns: Float64Array, kinds: Uint8Array, from: number, to: number): number {
    const { machine, idOf, ids, writes } = this;
    const { pageTables } = machine;
    const root = mm.pageTables;
    const { tag, base } = root.walks;
    machine.lastSignal = 0;
    let { bits, value } = pageTables;
    let at = from;
    while (at < to) {
      const room = Math.min(to, at + BATCH - this.count);
      let n = this.count;
      // The hot loop: an entry in a table that was met lately, with the right, and a frame that was met.
      for (; at < room; at++) {
        const vpn = vpns[at]!;
        const inTable = vpn & 511;
        const way = (vpn >>> 9) & 63;
        if (tag[way] !== vpn - inTable) break;
        const slot = base[way]! + inTable;
        const wanted = WANTED[kinds[at]!]!;
        if ((bits[slot]! & wanted) !== wanted) break;
        const id = idOf[value[slot]!]!;
        if (id === NO_ID) break;
        ids[n] = id;
        writes[n] = wanted >> 1; // PTE_RW is the second bit
        n += 1;
      }
      this.count = n;
      if (at < room) {
        if (!this.makeAccess(mm, vpns, kinds, at)) return at;
        at += 1;
        if (machine.clock.now >= machine.sliceEnd) return at;
        ({ bits, value } = pageTables);
      }
      if (this.count === BATCH) this.flush();
    }
    return to;
  }

  /** One access, with its fault if it takes one. False: it met a signal. */
  private makeAccess(mm: Mm, vpns: Float64Array, kinds: Uint8Array, at: number): boolean {
    const { machine } = this;
    const { pageTables } = machine;
    const wanted = WANTED[kinds[at]!]!;
    let slot = pageTables.slotOf(mm.pageTables, vpns[at]! as Vpn);
    if (slot === NO_SLOT || (pageTables.bits[slot]! & wanted) !== wanted) {
      if (accessPages(machine, mm, vpns, kinds, at, at + 1) === at) return false;
      slot = pageTables.slotOf(mm.pageTables, vpns[at]! as Vpn);
    }
    this.emit(this.idOfFrame(pageTables.pfn(slot)), wanted >> 1);
    return true;
  }

  transfer(mm: Mm, file: File, at: number, buffer: number, bytes: number, writes: boolean): void {
    const { pageTables } = this.machine;
    const last = Math.floor((at + bytes - 1) / PAGE_SIZE);
    for (let index = Math.floor(at / PAGE_SIZE); index <= last; index++) {
      this.emit(this.ofFile(file.inode.ino, index, file.inode.kind === 'tmpfs'), writes ? 1 : 0);
    }
    if (buffer <= 0) return;
    for (let vpn = vpnOf(buffer); vpn <= vpnOf(buffer + bytes - 1); vpn = (vpn + 1) as Vpn) {
      const slot = pageTables.slotOf(mm.pageTables, vpn);
      if (slot === NO_SLOT || !pageTables.has(slot, PTE_PRESENT)) continue;
      this.emit(this.idOfFrame(pageTables.pfn(slot)), writes ? 0 : 1);
    }
  }

  flush(): void {
    if (this.count === 0) return;
    this.accesses += this.count;
    this.batch(this.ids, this.writes, this.count);
    this.count = 0;
  }

  private emit(id: number, write: number): void {
    this.ids[this.count] = id;
    this.writes[this.count] = write;
    this.count += 1;
    if (this.count === BATCH) this.flush();
  }

  private idOfFrame(pfn: Pfn): number {
    const known = this.idOf[pfn]!;
    if (known !== NO_ID) return known;
    const { frames, mappings } = this.machine;
    const owner = frames.isAnon(pfn) ? null : mappings[frames.mapping(pfn) >>> 2];
    const id =
      owner !== null && owner !== undefined && 'host' in owner
        ? this.ofFile(owner.host.ino, frames.index(pfn), owner.host.kind === 'tmpfs')
        : this.newPage(0);
    this.idOf[pfn] = id;
    return id;
  }

  private ofFile(ino: number, index: number, shared: boolean): number {
    let chunks = this.files.get(ino);
    if (chunks === undefined) {
      chunks = new Map();
      this.files.set(ino, chunks);
    }
    const at = Math.floor(index / CHUNK);
    let chunk = chunks.get(at);
    if (chunk === undefined) {
      chunk = new Int32Array(CHUNK).fill(NO_ID);
      chunks.set(at, chunk);
    }
    const known = chunk[index % CHUNK]!;
    if (known !== NO_ID) return known;
    const id = this.newPage(shared ? 2 : 1);
    chunk[index % CHUNK] = id;
    return id;
  }

  private newPage(kind: number): number {
    if (this.pages === this.kinds.length) {
      const wider = new Uint8Array(this.kinds.length * 2);
      wider.set(this.kinds);
      this.kinds = wider;
    }
    this.kinds[this.pages] = kind;
    return this.pages++;
  }
}
