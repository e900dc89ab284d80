/**
 * Puts a HostSnapshot together, row by row, in its order: a process, its VMAs, their entries.
 *
 * Promises  Columns grow by doubling; an entry costs ten bytes, a VMA 41, and nothing else is allocated for them.
 */
import {
  type CachedFile,
  type Changes,
  type EntryTable,
  type FrameTable,
  type HostFile,
  type HostProcess,
  type HostSnapshot,
  type Missing,
  NO_ROW,
  type VmaTable,
} from './snapshot.ts';

/** What a process is made of, before its VMAs are known. */
export type ProcessFacts = Omit<HostProcess, 'firstVma' | 'endVma'>;

export interface VmaFacts {
  readonly startPage: number;
  readonly endPage: number;
  readonly pgoff: number;
  readonly perms: number;
  /** From `file()`, or NO_ROW. */
  readonly file: number;
  readonly name: string;
}

/** What is not made of rows. */
export type HostFacts = Pick<
  HostSnapshot,
  'source' | 'takenAtMs' | 'tookMs' | 'kernel' | 'hostname' | 'redacted' | 'texts' | 'frames' | 'cgroups'
> & { readonly cache?: readonly CachedFile[]; readonly missing?: readonly Missing[]; readonly changes?: Changes };

/** Entries that fit at first, and after the first growth: memory that nobody writes to costs nothing, copies do. */
const ROOM = 2 ** 10;
const GROWN_ROOM = 2 ** 22;

const QUIET: Changes = { processesGone: 0, processesReread: 0, processesUnsteady: [], entriesStale: 0 };

/** VMAs that fit at first. */
const VMA_ROOM = 2 ** 10;

export class SnapshotBuilder {
  private readonly processes: (ProcessFacts & { firstVma: number; endVma: number })[] = [];
  private readonly files: HostFile[] = [];
  private readonly fileRows = new Map<string, number>();
  private readonly strings: string[] = [];
  private readonly stringRows = new Map<string, number>();
  private vmas = vmaColumns(VMA_ROOM);
  private vmaRows = 0;
  private page = new Uint32Array(ROOM);
  private value = new Uint32Array(ROOM);
  private bits = new Uint16Array(ROOM);
  private entryCount = 0;

  /** The rows after it are its VMAs. */
  addProcess(facts: ProcessFacts): void {
    this.endProcess();
    this.processes.push({ ...facts, firstVma: this.vmaCount, endVma: this.vmaCount });
  }

  /** The rows after it are its entries. */
  addVma(facts: VmaFacts): void {
    const row = this.vmaRows;
    // One more number of firstEntry stands behind the last row.
    if (row + 1 === this.vmas.firstEntry.length) this.vmas = grownVmas(this.vmas);
    const { vmas } = this;
    vmas.startPage[row] = facts.startPage;
    vmas.endPage[row] = facts.endPage;
    vmas.pgoff[row] = facts.pgoff;
    vmas.perms[row] = facts.perms;
    vmas.file[row] = facts.file;
    vmas.name[row] = this.string(facts.name);
    vmas.firstEntry[row] = this.entryCount;
    this.vmaRows = row + 1;
  }

  addEntry(page: number, value: number, bits: number): void {
    if (this.entryCount === this.page.length) this.grow();
    this.page[this.entryCount] = page;
    this.value[this.entryCount] = value;
    this.bits[this.entryCount] = bits;
    this.entryCount += 1;
  }

  /** As entriesSoFar. The end of the last VMA's entries is the number of all of them. */
  get vmasSoFar(): VmaTable {
    this.vmas.firstEntry[this.vmaRows] = this.entryCount;
    return { count: this.vmaRows, ...this.vmas };
  }

  /** The rows so far, not copied: what was added is at most read, and only until the next row. */
  get entriesSoFar(): EntryTable {
    return { count: this.entryCount, page: this.page, value: this.value, bits: this.bits };
  }

  get vmaCount(): number {
    return this.vmaRows;
  }

  /** A process whose reading has to begin again: its VMAs and entries go. */
  dropProcess(): void {
    const last = this.processes.pop();
    if (last !== undefined) this.dropVmas(last.firstVma);
  }

  /** The last process uses the address space of another one: it has no rows of its own. */
  shareMm(pid: number): void {
    const last = this.processes.at(-1);
    if (last === undefined) return;
    this.dropVmas(last.firstVma);
    this.processes[this.processes.length - 1] = { ...last, sharesMmWith: pid };
  }

  /** The VMAs from this row on, and their entries, go. */
  dropVmas(firstVma: number): void {
    if (firstVma >= this.vmaRows) return;
    this.entryCount = this.vmas.firstEntry[firstVma]!;
    this.vmaRows = firstVma;
  }

  /** The row of an inode, new or known. */
  file(file: HostFile): number {
    const key = `${file.device} ${file.inode}`;
    const known = this.fileRows.get(key);
    if (known !== undefined) return known;
    this.fileRows.set(key, this.files.length);
    return this.files.push(file) - 1;
  }

  string(text: string): number {
    const known = this.stringRows.get(text);
    if (known !== undefined) return known;
    this.stringRows.set(text, this.strings.length);
    return this.strings.push(text) - 1;
  }

  /** `smaps` and `vmFlags` are columns over the VMAs added so far. */
  finish(facts: HostFacts, smaps: ReadonlyMap<string, Float64Array> | null = null, vmFlags: Uint32Array | null = null) {
    this.endProcess();
    const { cache = null, missing = [], changes = QUIET, ...rest } = facts;
    return {
      ...rest,
      pageSize: 4096,
      processes: this.processes,
      vmas: this.vmaTable(),
      entries: this.entryTable(),
      files: this.files,
      strings: this.strings,
      smaps,
      vmFlags,
      cache,
      missing,
      changes,
    } satisfies HostSnapshot;
  }

  private endProcess(): void {
    const last = this.processes.at(-1);
    if (last !== undefined) last.endVma = this.vmaCount;
  }

  private vmaTable(): VmaTable {
    const { count, startPage, endPage, pgoff, perms, file, name, firstEntry } = this.vmasSoFar;
    return {
      count,
      startPage: startPage.slice(0, count),
      endPage: endPage.slice(0, count),
      pgoff: pgoff.slice(0, count),
      perms: perms.slice(0, count),
      file: file.slice(0, count),
      name: name.slice(0, count),
      firstEntry: firstEntry.slice(0, count + 1),
    };
  }

  /** Not copied: the room behind the last entry was never written to. */
  private entryTable(): EntryTable {
    const count = this.entryCount;
    return {
      count,
      page: this.page.subarray(0, count),
      value: this.value.subarray(0, count),
      bits: this.bits.subarray(0, count),
    };
  }

  private grow(): void {
    const room = Math.max(GROWN_ROOM, 2 * this.page.length);
    this.page = grown(this.page, new Uint32Array(room));
    this.value = grown(this.value, new Uint32Array(room));
    this.bits = grown(this.bits, new Uint16Array(room));
  }
}

type VmaColumns = Omit<VmaTable, 'count'>;

function vmaColumns(rows: number): VmaColumns {
  return {
    startPage: new Float64Array(rows),
    endPage: new Float64Array(rows),
    pgoff: new Float64Array(rows),
    perms: new Uint8Array(rows),
    file: new Int32Array(rows),
    name: new Uint32Array(rows),
    firstEntry: new Uint32Array(rows),
  };
}

function grownVmas(old: VmaColumns): VmaColumns {
  const room = vmaColumns(2 * old.perms.length);
  return {
    startPage: grown(old.startPage, room.startPage),
    endPage: grown(old.endPage, room.endPage),
    pgoff: grown(old.pgoff, room.pgoff),
    perms: grown(old.perms, room.perms),
    file: grown(old.file, room.file),
    name: grown(old.name, room.name),
    firstEntry: grown(old.firstEntry, room.firstEntry),
  };
}

type Column = Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

function grown<T extends Column>(old: T, room: T): T {
  room.set(old);
  return room;
}

/** The frames of a whole host, from its words one by one. */
export class FrameTableBuilder {
  private readonly rows = new Map<bigint, number>();
  private readonly word: Uint16Array;
  private readonly mapcount: Uint32Array;
  private readonly cgroup: Uint16Array;

  readonly count: number;

  constructor(count: number) {
    this.count = count;
    this.word = new Uint16Array(count);
    this.mapcount = new Uint32Array(count);
    this.cgroup = new Uint16Array(count).fill(0xffff);
  }

  set(pfn: number, flags: bigint, mapcount: number, cgroupRow = 0xffff): void {
    let row = this.rows.get(flags);
    if (row === undefined) {
      row = this.rows.size;
      this.rows.set(flags, row);
    }
    this.word[pfn] = row;
    this.mapcount[pfn] = mapcount;
    this.cgroup[pfn] = cgroupRow;
  }

  finish(): FrameTable {
    const words = [...this.rows.keys()];
    return {
      count: this.count,
      wordsLow: Uint32Array.from(words, (w) => Number(w & 0xffff_ffffn)),
      wordsHigh: Uint32Array.from(words, (w) => Number(w >> 32n)),
      word: this.word,
      mapcount: this.mapcount,
      cgroup: this.cgroup,
    };
  }
}

/** No file. */
export const ANONYMOUS = { pgoff: 0, file: NO_ROW } as const;
