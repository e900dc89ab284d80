/**
 * A host at one moment: its frames, its processes and what they map, as columns.
 *
 * Owns      the form. A live host (take.ts), a file (snapshot_file.ts) and a simulated machine (of_machine.ts) all become
 *           one of these, and `who`, `ps`, `files`, `frames`, `diff` and `proc` answer from it and from nothing else.
 * Promises  1. Rows of `vmas` are sorted by process, then by address; rows of `entries` by VMA, then by page.
 *           2. What could not be read is null, and `missing` says what and why. Nothing is zero because it was not seen.
 *           3. No page contents and no environment is ever in it.
 *           4. Pure: no Node. The page in the browser reads it too.
 * Linux     Documentation/admin-guide/mm/pagemap.rst, Documentation/filesystems/proc.rst (6.18)
 */

/** Page numbers and byte offsets in pages: below 2^53, so exact as numbers. */
export interface VmaTable {
  readonly count: number;
  /** First page, and the page behind the last. vsyscall's is 0xffffffffff600: shown, never in a table of pages. */
  readonly startPage: Float64Array;
  readonly endPage: Float64Array;
  /** Offset in the file, in pages, as in /proc/PID/maps; 0 for anonymous memory. */
  readonly pgoff: Float64Array;
  /** VMA_ bits. */
  readonly perms: Uint8Array;
  /** Row in `files`, or NO_ROW where maps shows inode 0. */
  readonly file: Int32Array;
  /** Place in `strings` of the last column of maps: '' for anonymous memory, `[heap]`, `[anon:name]`, or a path. */
  readonly name: Uint32Array;
  /** Rows firstEntry[v] … firstEntry[v + 1] − 1 of `entries` are its pages. count + 1 numbers. */
  readonly firstEntry: Uint32Array;
}

export const VMA_READ = 1;
export const VMA_WRITE = 2;
export const VMA_EXEC = 4;
/** `s` in maps: the others write what this one writes. */
export const VMA_SHARED = 8;
/** Its pagemap was read. Without this bit it has no entries because nobody looked. */
export const VMA_SEEN = 16;

/** Page-table entries that are present or swapped out; others have no row. */
export interface EntryTable {
  readonly count: number;
  /** Its place in its VMA, in pages. */
  readonly page: Uint32Array;
  /** The frame's number, or with ENTRY_SWAP the offset in the swap area. 0 with ENTRY_NO_FRAME. */
  readonly value: Uint32Array;
  /** ENTRY_ bits; the swap area's number stands from ENTRY_SWAP_TYPE_SHIFT on. */
  readonly bits: Uint16Array;
}

/** Bits of /proc/PID/pagemap (6.18), moved together. */
export const ENTRY_PRESENT = 1;
export const ENTRY_SWAP = 2;
/** Bit 61: a page of a file, or shared anonymous memory. */
export const ENTRY_FILE = 4;
/** Bit 56: mapped once, exactly. */
export const ENTRY_EXCLUSIVE = 8;
/** Bit 55. */
export const ENTRY_SOFT_DIRTY = 16;
/** Bit 57. */
export const ENTRY_UFFD_WP = 32;
/** The kernel hid the frame's number: who read had no CAP_SYS_ADMIN. */
export const ENTRY_NO_FRAME = 64;
export const ENTRY_SWAP_TYPE_SHIFT = 8;

/** An entry of a frame whose number is known. */
export function isMapped(bits: number): boolean {
  return (bits & (ENTRY_PRESENT | ENTRY_NO_FRAME)) === ENTRY_PRESENT;
}

/** What /proc/kpage* show; the row is the frame's number. */
export interface FrameTable {
  readonly count: number;
  /** The different words of /proc/kpageflags that occur: bits 0-31, and 32-63. */
  readonly wordsLow: Uint32Array;
  readonly wordsHigh: Uint32Array;
  /** Row in the words. A frame that has no struct page has the word KPF_NOPAGE. */
  readonly word: Uint16Array;
  /** /proc/kpagecount: page-table entries that map it. */
  readonly mapcount: Uint32Array;
  /** Row in `cgroups` of its owner (/proc/kpagecgroup), or NO_CGROUP. */
  readonly cgroup: Uint16Array;
}

/** Both halves of the word of a frame that nobody asked for (`frames: 'mapped'`): no frame has all flags. */
export const KPF_NOT_READ = 0xffff_ffff;

export const NO_ROW = -1;
export const NO_CGROUP = 0xffff;

/** A file that is mapped, or whose pages were counted. Two paths of one inode are one row. */
export interface HostFile {
  /** As in maps: `08:01`, hexadecimal. */
  readonly device: string;
  /** Decimal: it may be beyond 2^53. */
  readonly inode: string;
  /** As first seen; bytes that are no UTF-8 stand as U+DC80 … U+DCFF (text.ts). */
  readonly path: string;
  readonly deleted: boolean;
}

/** What the page cache holds of a file: cachestat(2) in pages; ranges are mincore(2)'s. */
export interface CachedFile {
  /** Row in `files`. */
  readonly file: number;
  readonly kind: CachedKind;
  readonly sizeBytes: number;
  readonly cachedPages: number;
  /** These four are null where only mincore(2) could be asked: a kernel before 6.5, or overlayfs. */
  readonly dirtyPages: number | null;
  readonly writebackPages: number | null;
  /** Of shared memory: swapped out. */
  readonly evictedPages: number | null;
  readonly recentlyEvictedPages: number | null;
  /** First page and number of pages of each resident range, in order; null where nobody asked. */
  readonly ranges: readonly (readonly [firstPage: number, pages: number])[] | null;
  /** Processes that have it open or run it; who maps it stands in `vmas`. */
  readonly openBy: readonly number[];
  /** Other rows of `files` that are the same file: an overlay of it, another name under which maps shows it. */
  readonly otherFiles: readonly number[];
}

/** Of a disk's file system; of tmpfs, memfd and the like (Shmem in meminfo); a block device's own (Buffers). */
export type CachedKind = 'file' | 'shmem' | 'device';

export interface HostProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** Field 22 of stat: with the pid, it names a process for good. */
  readonly startTicks: number;
  readonly comm: string;
  /** Only if asked for. */
  readonly command: readonly string[] | null;
  readonly uid: number;
  readonly threads: number;
  /** R, S, D, Z … */
  readonly state: string;
  /** Its memory cgroup, below the mount as in HostCgroup ('/' is the root; '' if there is none or it could not be read). */
  readonly cgroup: string;
  /** It has no address space of its own. */
  readonly isKernelThread: boolean;
  /**
   * The process whose address space this one uses, too (vfork, clone with CLONE_VM): the rows stand there, and here are
   * none, because the kernel counts such a mapping once. Not there: its address space is its own.
   */
  readonly sharesMmWith?: number;
  /** Fields of /proc/PID/status in kB (VmRSS, VmSwap, RssAnon …), letter for letter. */
  readonly status: ReadonlyMap<string, number>;
  /** Fields of /proc/PID/smaps_rollup in kB (Rss, Pss, Pss_Anon, Swap, SwapPss …); null where we may not read it. */
  readonly rollup: ReadonlyMap<string, number> | null;
  /** Its rows of `vmas`: firstVma … endVma − 1. */
  readonly firstVma: number;
  readonly endVma: number;
}

export interface HostCgroup {
  /** The inode of its directory: what /proc/kpagecgroup shows. */
  readonly inode: number;
  /** Below the mount of the memory controller: '/' is the root. */
  readonly path: string;
  /** Its control files that were read, by name (memory.current, memory.stat, memory.max …), as they stood there. */
  readonly texts: ReadonlyMap<string, string>;
}

/** Something that was not read, and why; shown under every answer that it could change. */
export interface Missing {
  /** 'pagemap', 'kpageflags', 'smaps_rollup', 'cachestat' … */
  readonly what: string;
  /** An errno's name: EPERM, EACCES, ENOENT … or 'not asked for'. */
  readonly why: string;
  /** Of so many processes or files; 1 for a file of the whole host. */
  readonly count: number;
}

/** What moved while we read. */
export interface Changes {
  /** Gone between the list of processes and the end of reading them. */
  readonly processesGone: number;
  /** Their maps read otherwise after the pages than before, and were read again … */
  readonly processesReread: number;
  /** … and still moved at the last try: their rows may be a mix. Pids. */
  readonly processesUnsteady: readonly number[];
  /** Entries whose frame was another thing when we looked at /proc/kpage*: in a page table, and yet free or mapped by nobody. */
  readonly entriesStale: number;
}

export interface HostSnapshot {
  readonly source: 'live' | 'machine';
  /** Milliseconds since 1970, and how long it took. A machine's are its own clock's. */
  readonly takenAtMs: number;
  readonly tookMs: number;
  /** `uname -r`, and the host's name ('' if redacted). */
  readonly kernel: string;
  readonly hostname: string;
  readonly redacted: boolean;
  readonly pageSize: 4096;
  /** Files of the whole host as they stood: meminfo, vmstat, zoneinfo, buddyinfo, swaps … (names below /proc). */
  readonly texts: ReadonlyMap<string, string>;
  /** Null where /proc/kpage* may not be read. */
  readonly frames: FrameTable | null;
  readonly processes: readonly HostProcess[];
  readonly vmas: VmaTable;
  readonly entries: EntryTable;
  readonly files: readonly HostFile[];
  readonly cgroups: readonly HostCgroup[];
  readonly strings: readonly string[];
  /** Fields of /proc/PID/smaps in kB, one column by name, a row for each VMA; null where nobody asked. */
  readonly smaps: ReadonlyMap<string, Float64Array> | null;
  /** VmFlags of each VMA (`rd wr mr`), as places in `strings`; null where nobody asked. */
  readonly vmFlags: Uint32Array | null;
  /** Null where nobody asked. */
  readonly cache: readonly CachedFile[] | null;
  readonly missing: readonly Missing[];
  readonly changes: Changes;
}
