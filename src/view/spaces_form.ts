/**
 * What is said of address spaces, the same of a machine of any kernel and of a host's snapshot.
 *
 * Owns      the form of the answers. spaces_machine.ts and spaces_host.ts fill it.
 * Promises  What a kernel does not have, or a snapshot does not show, is null; nothing is 0 because nobody looked.
 */

/** A process, where it stands in the tree of forks. Memory is in pages. */
export interface SpaceProcess {
  readonly pid: number;
  readonly comm: string;
  /** Who forked it, if that one is in the list. */
  readonly parent: number | null;
  /** Steps from the first of its tree. */
  readonly depth: number;
  /** Number of its address space; null of a host. */
  readonly mm: number | null;
  /** It runs in the address space of this process (vfork, CLONE_VM); null: in its own. */
  readonly sharesMmWith: number | null;
  readonly vmas: number;
  readonly sizePages: number;
  readonly rssPages: number | null;
  readonly anonPages: number | null;
  readonly filePages: number | null;
  readonly shmemPages: number | null;
  readonly swapPages: number | null;
  readonly pssBytes: number | null;
  readonly minorFaults: number | null;
  readonly majorFaults: number | null;
}

export type Backing = 'file' | 'anon' | 'heap' | 'stack' | 'shmem' | 'hugetlb' | 'special';

/** Pages of a region by what their entries say. Each page that is anything is one of the first six. */
export interface PageCounts {
  readonly resident: number;
  readonly swapped: number;
  /** The page of zeros that stands for what was never written: no memory of anybody's. */
  readonly zero: number;
  /** A page of the file shall be here when somebody comes (nonlinear mapping). */
  readonly waiting: number;
  readonly guard: number;
  readonly moving: number;
  /** Resident, and mapped by more than one entry. */
  readonly shared: number;
  readonly young: number;
  readonly dirty: number;
  readonly huge: number;
  readonly ksm: number;
}

export interface Region {
  /** In bytes; `end` is the first outside. */
  readonly start: number;
  readonly end: number;
  readonly pages: number;
  /** `rw-p`, as in maps. */
  readonly perms: string;
  /** `locked`, `grows down` …: what maps does not show. null where nobody asked for it. */
  readonly flags: readonly string[] | null;
  /** As in the last column of maps; '' for memory without a name. */
  readonly name: string;
  readonly backing: Backing;
  /** In the file, in bytes; null without one. */
  readonly offset: number | null;
  /** vm_pgoff, which counts for anonymous memory too; null of a host. */
  readonly vmPgoff: number | null;
  /** Its anon_vma, and how many it is linked to; null without one, and where the kernel has none, or does not say. */
  readonly anonVma: { readonly id: number; readonly links: number } | null;
}

export interface SpaceVma extends Region {
  /** null: nobody let us see. */
  readonly counts: PageCounts | null;
  /** Numbers of smaps in kB, in the order of `smapsFields`; null where nobody asked. NaN: not printed for it. */
  readonly smaps: readonly number[] | null;
}

/** A place that the kernel remembers of an address space. */
export interface LayoutMark {
  readonly name: string;
  readonly address: number;
  readonly says: string;
}

/** The regions of a process, without what is in them. */
export interface Outline {
  readonly pid: number;
  readonly comm: string;
  readonly mm: number | null;
  readonly vmas: readonly Region[];
  readonly marks: readonly LayoutMark[];
}

export interface Space extends Outline {
  readonly vmas: readonly SpaceVma[];
  readonly smapsFields: readonly string[];
  /** About smaps: which release shows it like that, or that nobody asked; '' if there is nothing to say. */
  readonly smapsNote: string;
  readonly knows: Knowledge;
}

/** Where `young` and `dirty` come from: the page-table entry, or the frame's flags; null: nobody knows. */
export interface Knowledge {
  readonly young: 'entry' | 'frame' | null;
  readonly dirty: 'entry' | 'frame' | null;
  /** Whether an entry is writable. */
  readonly writable: boolean;
}

/*
 * One page in 16 bits:
 *
 *   15 … 10 | 9 ksm | 8 huge | 7 writable | 6 anonymous | 5 dirty | 4 young | 3 shared | 2 … 0 where it is
 */
export const PAGE_ABSENT = 0;
export const PAGE_RESIDENT = 1;
export const PAGE_SWAPPED = 2;
/** The page of zeros. */
export const PAGE_ZERO = 3;
/** Nothing may be there: whoever comes gets SIGSEGV. */
export const PAGE_GUARD = 4;
/** A page of the file shall be there (nonlinear). */
export const PAGE_WAITING = 5;
/** On its way to another frame. */
export const PAGE_MOVING = 6;
export const PAGE_WHERE = 7;
/** Another entry maps the same frame, or holds the same slot. */
export const PAGE_SHARED = 8;
export const PAGE_YOUNG = 16;
export const PAGE_DIRTY = 32;
/** No page of the file that the region shows: memory of the process's own. */
export const PAGE_ANON = 64;
export const PAGE_WRITABLE = 128;
export const PAGE_HUGE = 256;
export const PAGE_KSM = 512;

/** Pages of a region, row by row. */
export interface SpacePages {
  readonly pid: number;
  /** Of the region, in bytes; and the first page asked for, counted from there. */
  readonly start: number;
  readonly from: number;
  /** PAGE_ bits. */
  readonly states: Uint16Array;
  /** The frame of a resident page, the slot of a swapped one, the page of the file of a waiting one; −1. */
  readonly values: Int32Array;
  /** Entries that map the frame, or hold the slot; −1: unknown. */
  readonly mapcounts: Int32Array;
  readonly knows: Knowledge;
}

/** Cells of a picture, several pages each: of 0 to 255, how many of its pages are so. */
export interface Cells {
  readonly resident: Uint8Array;
  readonly swapped: Uint8Array;
  readonly shared: Uint8Array;
  readonly young: Uint8Array;
  readonly dirty: Uint8Array;
  /** What else is in it: a bit for each of PAGE_ZERO … PAGE_MOVING at its number. */
  readonly special: Uint8Array;
}

export function newCells(count: number): Cells {
  const column = () => new Uint8Array(count);
  return {
    resident: column(),
    swapped: column(),
    shared: column(),
    young: column(),
    dirty: column(),
    special: column(),
  };
}

/** Adds pages up: for a region, or for one cell of a picture. */
export class PageSums {
  resident = 0;
  swapped = 0;
  zero = 0;
  waiting = 0;
  guard = 0;
  moving = 0;
  shared = 0;
  young = 0;
  dirty = 0;
  huge = 0;
  ksm = 0;

  add(state: number): void {
    const where = state & PAGE_WHERE;
    if (where === PAGE_ABSENT) return;
    if (where === PAGE_RESIDENT) {
      this.resident += 1;
      if ((state & PAGE_SHARED) !== 0) this.shared += 1;
    } else if (where === PAGE_ZERO) this.zero += 1;
    else if (where === PAGE_SWAPPED) this.swapped += 1;
    else if (where === PAGE_GUARD) this.guard += 1;
    else if (where === PAGE_WAITING) this.waiting += 1;
    else this.moving += 1;
    if ((state & PAGE_YOUNG) !== 0) this.young += 1;
    if ((state & PAGE_DIRTY) !== 0) this.dirty += 1;
    if ((state & PAGE_HUGE) !== 0) this.huge += 1;
    if ((state & PAGE_KSM) !== 0) this.ksm += 1;
  }

  counts(): PageCounts {
    const { resident, swapped, zero, waiting, guard, moving, shared, young, dirty, huge, ksm } = this;
    return { resident, swapped, zero, waiting, guard, moving, shared, young, dirty, huge, ksm };
  }

  /** Into a cell of so many pages. What is there at all is seen: a share rounds up. */
  fill(cells: Cells, cell: number, pages: number): void {
    const share = (n: number) => Math.ceil((255 * n) / pages);
    cells.resident[cell] = share(this.resident);
    cells.swapped[cell] = share(this.swapped);
    cells.shared[cell] = share(this.shared);
    cells.young[cell] = share(this.young);
    cells.dirty[cell] = share(this.dirty);
    const bit = (n: number, where: number) => (n > 0 ? 1 << where : 0);
    cells.special[cell] =
      bit(this.zero, PAGE_ZERO) |
      bit(this.guard, PAGE_GUARD) |
      bit(this.waiting, PAGE_WAITING) |
      bit(this.moving, PAGE_MOVING);
  }
}

/** `processes` with each child behind its parent; whose parent is not among them begins a tree. */
export function inTreeOrder(processes: readonly Omit<SpaceProcess, 'depth'>[]): SpaceProcess[] {
  const children = new Map<number | null, Omit<SpaceProcess, 'depth'>[]>();
  const pids = new Set(processes.map(({ pid }) => pid));
  for (const process of processes) {
    const { parent, pid } = process;
    const key = parent !== null && pids.has(parent) && parent !== pid ? parent : null;
    const siblings = children.get(key);
    if (siblings === undefined) children.set(key, [process]);
    else siblings.push(process);
  }
  const ordered: SpaceProcess[] = [];
  const seen = new Set<number>();
  const put = (top: Omit<SpaceProcess, 'depth'>): void => {
    // A chain of forks may be longer than a stack of calls.
    const waiting = [{ process: top, depth: 0 }];
    while (waiting.length > 0) {
      const { process, depth } = waiting.pop()!;
      if (seen.has(process.pid)) continue;
      seen.add(process.pid);
      ordered.push({ ...process, parent: depth === 0 ? null : process.parent, depth });
      const below = children.get(process.pid) ?? [];
      for (let i = below.length - 1; i >= 0; i--) waiting.push({ process: below[i]!, depth: depth + 1 });
    }
  };
  for (const process of children.get(null) ?? []) put(process);
  // Pids that came again while a host was read may form a circle.
  for (const process of processes) if (!seen.has(process.pid)) put(process);
  return ordered;
}
