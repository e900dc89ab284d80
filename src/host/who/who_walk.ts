/**
 * The processes of a live host for one look at a page: their mappings and single words of their page tables.
 *
 * Owns      the open pagemap files of a look, and the maps that it read; `close` lets go of all.
 * Promises  1. A process is asked for nothing that the question does not need: a word costs one read, no maps.
 *           2. What ends meanwhile is empty; what may not be read is counted by its errno.
 *           3. A leader that has ended while its threads run is seen through one of them.
 * Linux     6.18 fs/proc/task_mmu.c: pagemap_read; fs/proc/base.c: proc_pid_readdir
 */
import { NameCache } from '../read/bytes.ts';
import { type HostFiles, type OpenFile, Refusal } from '../read/host_files.ts';
import { type MapsLine, parseMaps } from '../read/maps_text.ts';
import type { MissingList } from '../read/missing.ts';
import { parseStat } from '../read/stat_text.ts';

const WORD_BYTES = 8;
const BLOCK_WORDS = 65_536;
/** vsyscall and what else is no page table's. */
const TASK_END_PAGE = 2 ** 45;

/** Bits of a word's high half: pagemap.ts has the drawing. */
const PRESENT = 1 << 31;
const SWAPPED = 1 << 30;
const FILE = 1 << 29;
const GUARD = 1 << 26;
const EXCLUSIVE = 1 << 24;
const FRAME_HIGH = (1 << 23) - 1;
const SWAP_TYPE_BITS = 5;
const SWAP_TYPE = (1 << SWAP_TYPE_BITS) - 1;
/** Entries of higher types are pages under way, poisoned ones, devices' and markers. */
const SWAP_AREAS = 23;
const MARKER_TYPE = 31;
/** userfaultfd protects what is not there yet. */
const MARKER_UFFD_WP = 1;
const MARKER_GUARD = 4;

/** What one word says. */
export type PageWord =
  | { readonly state: 'frame'; readonly pfn: number; readonly isFile: boolean; readonly isExclusive: boolean }
  | { readonly state: 'swapped'; readonly area: number; readonly offset: number }
  | { readonly state: 'frame hidden' | 'moving' | 'guard' | 'not present' };

function decodeWord(low: number, high: number): PageWord {
  if ((high & PRESENT) !== 0) {
    const pfn = (low >>> 0) + (high & FRAME_HIGH) * 2 ** 32;
    if (pfn === 0) return { state: 'frame hidden' };
    return { state: 'frame', pfn, isFile: (high & FILE) !== 0, isExclusive: (high & EXCLUSIVE) !== 0 };
  }
  if ((high & SWAPPED) === 0) return { state: (high & GUARD) !== 0 ? 'guard' : 'not present' };
  const area = low & SWAP_TYPE;
  if (area >= SWAP_AREAS) return { state: markerState(low, high) ?? 'moving' };
  return {
    state: 'swapped',
    area,
    offset: (low >>> SWAP_TYPE_BITS) + (high & FRAME_HIGH) * 2 ** (32 - SWAP_TYPE_BITS),
  };
}

/** A mark in the place of an entry. Since 6.15 bit 58 says guard, too. */
function markerState(low: number, high: number): 'guard' | 'not present' | null {
  if ((low & SWAP_TYPE) !== MARKER_TYPE || (high & FRAME_HIGH) !== 0) return null;
  const marker = low >>> SWAP_TYPE_BITS;
  return marker === MARKER_GUARD ? 'guard' : marker === MARKER_UFFD_WP ? 'not present' : null;
}

/** Two words that say the same of what is mapped. */
export function isSamePage(a: PageWord | null, b: PageWord): boolean {
  if (a === null || a.state !== b.state) return false;
  if (a.state === 'frame' && b.state === 'frame') return a.pfn === b.pfn;
  if (a.state === 'swapped' && b.state === 'swapped') return a.area === b.area && a.offset === b.offset;
  return true;
}

/** All processes, as /proc lists them. */
export class Look {
  readonly files: HostFiles;
  processes: ProcessLook[];
  readonly names = new NameCache();
  private room: { readonly bytes: Uint8Array; readonly words: Int32Array } | undefined;
  private readonly missing: MissingList;
  private readonly refused = new Set<string>();
  private readonly replaced: ProcessLook[] = [];

  constructor(files: HostFiles, missing: MissingList) {
    this.files = files;
    this.missing = missing;
    this.processes = pidsOf(files).map((pid) => new ProcessLook(this, pid));
  }

  /** Room for many words; a question about single ones needs none. */
  get block(): { readonly bytes: Uint8Array; readonly words: Int32Array } {
    if (this.room === undefined) {
      const bytes = new Uint8Array(BLOCK_WORDS * WORD_BYTES);
      this.room = { bytes, words: new Int32Array(bytes.buffer) };
    }
    return this.room;
  }

  process(pid: number): ProcessLook | null {
    return this.processes.find((process) => process.pid === pid) ?? null;
  }

  /** Once for each file of each process; what is gone is no refusal. */
  refusal(pid: number, what: string, { errno }: Refusal): void {
    if (errno === 'ENOENT' || errno === 'ESRCH' || this.refused.has(`${pid} ${what}`)) return;
    this.refused.add(`${pid} ${what}`);
    this.missing.add(what, errno);
  }

  /** The processes of this moment. `young` are new, or made a short while ago: these may have become another program since. */
  refresh(): { readonly young: readonly ProcessLook[]; readonly came: number; readonly ended: number } {
    const known = new Map(this.processes.map((process) => [process.pid, process]));
    const pids = pidsOf(this.files);
    const firstYoung = pids.length - YOUNG;
    const young: ProcessLook[] = [];
    let came = 0;
    const before = this.processes.length;
    this.processes = pids.map((pid, at) => {
      const old = known.get(pid);
      if (old !== undefined && at < firstYoung) return old;
      if (old === undefined) came += 1;
      else this.replaced.push(old);
      const process = new ProcessLook(this, pid);
      young.push(process);
      return process;
    });
    for (const [pid, process] of known) if (!pids.includes(pid)) this.replaced.push(process);
    return { young, came, ended: before + came - pids.length };
  }

  close(): void {
    for (const process of [...this.processes, ...this.replaced]) process.close();
  }
}

/** Numbers of processes grow: the last ones are the youngest, but for a wrap. */
const YOUNG = 16;

export function pidsOf(files: HostFiles): number[] {
  const names = files.list(files.inProc());
  if (names instanceof Refusal) return [];
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

export class ProcessLook {
  readonly pid: number;
  private readonly look: Look;
  private readonly single = new Int32Array(2);
  private readonly singleBytes = new Uint8Array(this.single.buffer);
  private folder: string;
  private pagemap: OpenFile | null | undefined;
  private mapsBytes: Uint8Array | undefined;
  private lines: MapsLine[] | undefined;
  /** The kernel would not show its maps: that they are empty means nothing. */
  isMapsRefused = false;
  private readonly own: { witness?: number | null; comm?: string; isAlone?: boolean } = {};

  constructor(look: Look, pid: number) {
    this.look = look;
    this.pid = pid;
    this.folder = look.files.inProc(pid);
  }

  /** The word of a page; null if it may not be read, or nobody is there any more. */
  word(page: number): PageWord | null {
    if (page >= TASK_END_PAGE) return null;
    const read = this.read(this.singleBytes, page);
    return read === WORD_BYTES ? decodeWord(this.single[0]!, this.single[1]!) : null;
  }

  /** Does the page's word name this frame? Without an object for each that does not. */
  hasFrame(page: number, low: number, high: number): boolean {
    if (this.read(this.singleBytes, page) !== WORD_BYTES) return false;
    return this.single[0] === low && matches(this.single[1]!, high);
  }

  /** Calls back with each page of the range whose word is that of `wanted`, until it says true. */
  walk(startPage: number, endPage: number, low: number, high: number, found: (page: number) => boolean): boolean {
    const { bytes: block, words } = this.look.block;
    for (let page = startPage; page < Math.min(endPage, TASK_END_PAGE); ) {
      const bytes = Math.min(endPage - page, BLOCK_WORDS) * WORD_BYTES;
      const read = this.read(block.subarray(0, bytes), page);
      const count = Math.floor(read / WORD_BYTES);
      if (count === 0) return false;
      for (let at = 0; at < count; at++) {
        if (words[2 * at] === low && matches(words[2 * at + 1]!, high) && found(page + at)) return true;
      }
      page += count;
    }
    return false;
  }

  /** /proc/PID/maps as it stood when it was first asked for; empty without an address space. */
  mapsText(): Uint8Array {
    this.mapsBytes ??= this.readMaps();
    return this.mapsBytes;
  }

  maps(): MapsLine[] {
    this.lines ??= parseMaps(this.mapsText(), this.look.names);
    return this.lines;
  }

  /** The region that holds the page. */
  lineAt(page: number): MapsLine | null {
    return lineAt(this.maps(), page);
  }

  /** Reads maps once more. True: they say something else now; then that stands, if the page is still in it. */
  readAgain(page: number): boolean {
    const again = this.readMaps();
    if (Buffer.compare(again, this.mapsText()) === 0) return false;
    const lines = parseMaps(again, this.look.names);
    if (lineAt(lines, page) === null) return true;
    this.mapsBytes = again;
    this.lines = lines;
    return true;
  }

  comm(): string {
    if (this.own.comm === undefined) {
      const bytes = this.look.files.bytes(this.look.files.inProc(this.pid, 'stat'));
      const stat = bytes instanceof Refusal ? null : parseStat(bytes);
      this.own.comm = stat?.comm ?? '';
    }
    return this.own.comm;
  }

  /** An anonymous page that is mapped once: who shows it at the same address uses this address space. Null: none was found. */
  witness(): number | null {
    if (this.own.witness === undefined) this.own.witness = this.findWitness();
    return this.own.witness;
  }

  close(): void {
    this.pagemap?.close();
    this.pagemap = null;
  }

  /** From the stack downwards: what a process has written last is its own. */
  private findWitness(): number | null {
    const writable = this.maps().filter(({ perms }) => (perms & WRITE_SHARED) === WRITE);
    for (const { startPage, endPage } of writable.reverse()) {
      for (let page = endPage - 1; page >= Math.max(startPage, endPage - WITNESS_PAGES); page--) {
        const word = this.word(page);
        if (word?.state === 'frame' && word.isExclusive && !word.isFile) return page;
      }
    }
    return null;
  }

  /** Words from this page on: how many bytes; 0 where nothing may be read any more. */
  private read(into: Uint8Array, page: number): number {
    if (this.pagemap === undefined) this.pagemap = this.openPagemap();
    let read = this.pagemap?.readAt(into, page * WORD_BYTES) ?? 0;
    if (read === 0 && this.pagemap !== null && this.throughThread()) {
      this.pagemap.close();
      this.pagemap = this.openPagemap();
      read = this.pagemap?.readAt(into, page * WORD_BYTES) ?? 0;
    }
    if (!(read instanceof Refusal)) return read;
    this.look.refusal(this.pid, 'pagemap', read);
    return 0;
  }

  private openPagemap(): OpenFile | null {
    const opened = this.look.files.open(`${this.folder}/pagemap`);
    if (!(opened instanceof Refusal)) return opened;
    this.look.refusal(this.pid, 'pagemap', opened);
    return null;
  }

  private readMaps(): Uint8Array {
    const { files } = this.look;
    let bytes = files.bytes(`${this.folder}/maps`);
    if (bytes instanceof Uint8Array && bytes.length === 0 && this.throughThread()) {
      bytes = files.bytes(`${this.folder}/maps`);
    }
    if (!(bytes instanceof Refusal)) return bytes;
    this.isMapsRefused = bytes.errno !== 'ENOENT' && bytes.errno !== 'ESRCH';
    this.look.refusal(this.pid, 'maps', bytes);
    return new Uint8Array(0);
  }

  /** Without an address space of its own: a kernel thread, or a leader that has ended while others run. True: one is there. */
  private throughThread(): boolean {
    if (this.own.isAlone === true) return false;
    const { files } = this.look;
    const threads = files.list(files.inProc(this.pid, 'task'));
    const other = threads instanceof Refusal ? undefined : threads.find((thread) => thread !== String(this.pid));
    const folder = other === undefined ? this.folder : files.inProc(this.pid, 'task', other);
    this.own.isAlone = folder === this.folder;
    this.folder = folder;
    return !this.own.isAlone;
  }
}

const WRITE = 2;
const WRITE_SHARED = 2 | 8;
const WITNESS_PAGES = 64;

/** The halves of a word as `walk` compares them: of a frame, or of a slot of a swap area. */
export function halvesOf(
  page: { pfn: number } | { area: number; offset: number },
): readonly [low: number, high: number] {
  const [number, bit] = 'pfn' in page ? [page.pfn, PRESENT] : [page.offset * 2 ** SWAP_TYPE_BITS + page.area, SWAPPED];
  return [(number % 2 ** 32) | 0, Math.floor(number / 2 ** 32) | bit];
}

function matches(high: number, wanted: number): boolean {
  return (high & (PRESENT | SWAPPED | FRAME_HIGH)) === wanted;
}

function lineAt(lines: readonly MapsLine[], page: number): MapsLine | null {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle]!.endPage <= page) low = middle + 1;
    else high = middle;
  }
  const line = lines[low];
  return line !== undefined && line.startPage <= page ? line : null;
}

/**
 * Which processes use one address space (vfork, clone with CLONE_VM without CLONE_THREAD): among those that look alike, as after
 * many forks, one is asked for one word for each page that tells others apart, not once for each other.
 */
export class AddressSpaces {
  private readonly alike = new Map<string, Alike>();

  /** A process named before that uses the address space of this one. */
  sameAs(process: ProcessLook): ProcessLook | null {
    const maps = process.mapsText();
    const key = Buffer.from(maps.buffer, maps.byteOffset, maps.length).toString('latin1');
    const alike = this.alike.get(key);
    if (alike === undefined) {
      this.alike.set(key, { last: process, known: new Map() });
      return null;
    }
    enter(alike);
    for (const [page, byFrame] of alike.known) {
      const owner = byFrame.get(ownFrame(process, page));
      if (owner !== undefined && useOneMm(owner, process)) return owner;
    }
    alike.last = process;
    return null;
  }
}

/** Processes whose maps are equal to the byte, and whose address spaces are not one. */
interface Alike {
  /** The last to come: where it differs is of interest when the next one comes. */
  last: ProcessLook | null;
  /** By witness, then by the frame there. */
  readonly known: Map<number, Map<number, ProcessLook>>;
}

function enter(alike: Alike): void {
  const page = alike.last?.witness() ?? null;
  if (alike.last === null || page === null) return;
  const byFrame = alike.known.get(page) ?? new Map<number, ProcessLook>();
  alike.known.set(page, byFrame.set(ownFrame(alike.last, page), alike.last));
  alike.last = null;
}

/** The frame at a page, if nobody else maps it; -1 if not. */
function ownFrame(process: ProcessLook, page: number): number {
  const word = process.word(page);
  return word?.state === 'frame' && word.isExclusive ? word.pfn : -1;
}

function useOneMm(a: ProcessLook, b: ProcessLook): boolean {
  const page = a.witness();
  if (page === null) return false;
  const [mine, other] = [ownFrame(a, page), ownFrame(b, page)];
  return mine >= 0 && mine === other;
}
