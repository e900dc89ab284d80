/**
 * Which files hold the page cache: a row for each file that is cached, mapped or open, from a snapshot.
 *
 * Promises  1. Pure: it answers from what the snapshot holds, a live host's or a file's.
 *           2. A page that several processes map is one page of its file; copies that processes made of it (MAP_PRIVATE) are
 *              theirs and none of the file's.
 *           3. What nobody counted is null.
 * Linux     6.18 fs/proc/page.c (flags of a frame), fs/proc/task_mmu.c: bit 61 of pagemap
 */
import { KPF_ACTIVE, KPF_LRU, KPF_UNEVICTABLE } from '../../proc/kpage_flags.ts';
import { below } from '../read/path_below.ts';
import {
  type CachedFile,
  ENTRY_FILE,
  ENTRY_NO_FRAME,
  ENTRY_PRESENT,
  type FrameTable,
  type HostFile,
  type HostSnapshot,
  KPF_NOT_READ,
  NO_CGROUP,
  NO_ROW,
  VMA_SEEN,
} from '../snapshot.ts';

export interface FileQuestion {
  /** Only files that these processes map or have open; null for all. */
  readonly pids: ReadonlySet<number> | null;
  /** Rows of `cgroups`: mapped pages that are charged to them are counted apart. */
  readonly cgroups: ReadonlySet<number> | null;
  /** Only these files, and what lies below these directories; null for all. */
  readonly under: readonly string[] | null;
  /** Not those that are mapped and were not asked. */
  readonly onlyAsked: boolean;
}

export interface FileRow {
  readonly file: HostFile;
  /** Null where it was not asked. */
  readonly cached: CachedFile | null;
  /** Cached pages of all that the size has room for, 0 to 1; null for an empty file and for devices. */
  readonly share: number | null;
  /** All processes that map it, also those that nobody asked about. */
  readonly mappedBy: readonly number[];
  /** Pages of it that those asked about map; null where no pagemap was read. */
  readonly mappedPages: number | null;
  /** Of the mapped pages, by what /proc/kpageflags says; null where no frame is known. */
  readonly activePages: number | null;
  readonly inactivePages: number | null;
  readonly unevictablePages: number | null;
  /** Of the mapped pages, those charged to the cgroup asked about; null where none was. */
  readonly chargedPages: number | null;
}

const ACTIVE = 1 << KPF_ACTIVE;
const LRU = 1 << KPF_LRU;
const UNEVICTABLE = 1 << KPF_UNEVICTABLE;
const PAGE = 4096;

/** In no order. */
export function fileRows(snapshot: HostSnapshot, question: FileQuestion): FileRow[] {
  const mapped = new MappedFiles(snapshot, question);
  const cachedOf = new Map<number, CachedFile>();
  for (const cached of snapshot.cache ?? [])
    for (const file of [cached.file, ...cached.otherFiles]) cachedOf.set(file, cached);
  const rows: FileRow[] = [];
  for (const cached of snapshot.cache ?? []) {
    const files = [cached.file, ...cached.otherFiles];
    if (!isUnder(snapshot.files[cached.file]!.path, question)) continue;
    if (question.pids === null || mapped.isAsked(files) || cached.openBy.some((pid) => question.pids?.has(pid)))
      rows.push(rowOf(snapshot.files[cached.file]!, cached, mapped.sumOf(files)));
  }
  if (question.onlyAsked) return rows;
  // Mapped, and not asked, or refused.
  for (const file of mapped.files())
    if (!cachedOf.has(file) && (question.pids === null || mapped.isAsked([file])))
      if (isUnder(snapshot.files[file]!.path, question))
        rows.push(rowOf(snapshot.files[file]!, null, mapped.sumOf([file])));
  return rows;
}

function isUnder(path: string, { under }: FileQuestion): boolean {
  return under === null || under.some((folder) => below(folder, path) !== null);
}

function rowOf(file: HostFile, cached: CachedFile | null, mapped: MappedSum): FileRow {
  const pages = cached === null || cached.kind === 'device' ? 0 : Math.ceil(cached.sizeBytes / PAGE);
  return { file, cached, share: pages === 0 ? null : cached!.cachedPages / pages, ...mapped };
}

type MappedSum = Omit<FileRow, 'file' | 'cached' | 'share'>;

/** Counts of one row of `files`. */
interface MappedCount {
  readonly pids: number[];
  isAsked: boolean;
  isSeen: boolean;
  hasFrames: boolean;
  pages: number;
  active: number;
  inactive: number;
  unevictable: number;
  charged: number;
}

class MappedFiles {
  private readonly snapshot: HostSnapshot;
  private readonly question: FileQuestion;
  private readonly counts = new Map<number, MappedCount>();

  constructor(snapshot: HostSnapshot, question: FileQuestion) {
    this.snapshot = snapshot;
    this.question = question;
    const { vmas, processes } = snapshot;
    const pages = new DistinctPages(snapshot);
    for (const { pid, firstVma, endVma } of processes) {
      const isAsked = question.pids === null || question.pids.has(pid);
      for (let vma = firstVma; vma < endVma; vma++) {
        const file = vmas.file[vma]!;
        if (file === NO_ROW) continue;
        const count = this.countOf(file);
        if (count.pids.at(-1) !== pid) count.pids.push(pid);
        count.isAsked ||= isAsked;
        if (isAsked) this.addPages(count, file, vma, pages);
      }
    }
  }

  files(): Iterable<number> {
    return this.counts.keys();
  }

  isAsked(files: readonly number[]): boolean {
    return files.some((file) => this.counts.get(file)?.isAsked === true);
  }

  sumOf(files: readonly number[]): MappedSum {
    const counts = files.flatMap((file) => this.counts.get(file) ?? []);
    const sum = (of: (count: MappedCount) => number) => counts.reduce((total, count) => total + of(count), 0);
    const pids = counts.length === 1 ? counts[0]!.pids : [...new Set(counts.flatMap((count) => count.pids))];
    const isSeen = counts.every((count) => count.isSeen);
    const hasFrames = isSeen && counts.every((count) => count.hasFrames || count.pages === 0);
    const framesKnown = hasFrames && this.snapshot.frames !== null;
    return {
      mappedBy: [...pids].sort((a, b) => a - b),
      mappedPages: isSeen ? sum((count) => count.pages) : null,
      activePages: framesKnown ? sum((count) => count.active) : null,
      inactivePages: framesKnown ? sum((count) => count.inactive) : null,
      unevictablePages: framesKnown ? sum((count) => count.unevictable) : null,
      chargedPages: framesKnown && this.question.cgroups !== null ? sum((count) => count.charged) : null,
    };
  }

  private countOf(file: number): MappedCount {
    let count = this.counts.get(file);
    if (count === undefined) {
      const none = { pages: 0, active: 0, inactive: 0, unevictable: 0, charged: 0 };
      count = { pids: [], isAsked: false, isSeen: false, hasFrames: false, ...none };
      this.counts.set(file, count);
    }
    return count;
  }

  private addPages(count: MappedCount, file: number, vma: number, pages: DistinctPages): void {
    const { vmas, entries, frames } = this.snapshot;
    count.isSeen ||= (vmas.perms[vma]! & VMA_SEEN) !== 0;
    for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
      const bits = entries.bits[row]!;
      if ((bits & MAPS_A_FILE) !== MAPS_A_FILE) continue;
      const hasFrame = (bits & ENTRY_NO_FRAME) === 0;
      const isNew = hasFrame
        ? pages.addFrame(entries.value[row]!)
        : pages.addPage(file, vmas.pgoff[vma]! + entries.page[row]!);
      if (!isNew) continue;
      count.pages += 1;
      if (hasFrame && frames !== null) this.addFrame(count, frames, entries.value[row]!);
    }
  }

  private addFrame(count: MappedCount, frames: FrameTable, pfn: number): void {
    const low = frames.wordsLow[frames.word[pfn]!];
    if (low === undefined || low === KPF_NOT_READ) return;
    count.hasFrames = true;
    const owner = frames.cgroup[pfn]!;
    if (owner !== NO_CGROUP && this.question.cgroups?.has(owner) === true) count.charged += 1;
    if ((low & UNEVICTABLE) !== 0) count.unevictable += 1;
    else if ((low & LRU) === 0) return;
    else if ((low & ACTIVE) !== 0) count.active += 1;
    else count.inactive += 1;
  }
}

const MAPS_A_FILE = ENTRY_PRESENT | ENTRY_FILE;

/** A frame is one page of one file, however many entries map it; where frames are hidden, the place in the file tells. */
class DistinctPages {
  /** Frames of memory, and the few beyond its end (devices): a number in a file costs no memory by itself. */
  private readonly frames: Uint8Array;
  private readonly beyond = new Set<number>();
  private readonly ofFile = new Map<number, Set<number>>();

  constructor({ frames }: HostSnapshot) {
    this.frames = new Uint8Array(frames?.count ?? 0);
  }

  addFrame(pfn: number): boolean {
    if (pfn >= this.frames.length) return added(this.beyond, pfn);
    if (this.frames[pfn] !== 0) return false;
    this.frames[pfn] = 1;
    return true;
  }

  addPage(file: number, page: number): boolean {
    let pages = this.ofFile.get(file);
    if (pages === undefined) {
      pages = new Set();
      this.ofFile.set(file, pages);
    }
    return added(pages, page);
  }
}

/** Was it not there before? */
function added(set: Set<number>, value: number): boolean {
  const before = set.size;
  return set.add(value).size > before;
}
