/**
 * Whose memory it is: each frame and each slot of swap by the set of processes that hold it.
 *
 *     frame 0x1e7fad   anonymous   mapped by {bash}              goes when bash does
 *     frame 0x00a2c1   file        mapped by {bash, sshd, cron}  shared by three
 *     frame 0x150e00   anonymous   mapped by {node}, and node maps 300 pages of its folio of 512:
 *                                  512 go when node does, not 300
 *     slot  0:1204     swap        held by {bash, its child}     one slot, though both show it as theirs
 *
 * A set comes once, with the bytes of all frames that have it: a host has hundreds of sets for hundreds of thousands of
 * frames, and every question (a process, a subtree, a cgroup, who shares most) is a walk over the sets.
 *
 * Promises  1. Each frame and each slot is in one set: their bytes add up to what the processes map, each byte once.
 *           2. `owners` are who maps it; `holders` who all must go before it can: they differ for a deleted file (whoever maps
 *              any part of it keeps all of it) and for a large folio (freed as a whole or not at all).
 *           3. `complete` is false where the kernel counts mappers that the snapshot does not show.
 */

import type { ReverseMap } from '../reverse.ts';
import {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_PRESENT,
  ENTRY_SWAP,
  type HostFile,
  type HostSnapshot,
  NO_CGROUP,
  NO_ROW,
} from '../snapshot.ts';
import { bitsOfWords, WORD_ANON, WORD_HEAD, WORD_HUGETLB, WORD_SWAPBACKED, WORD_TAIL, WORD_ZERO } from './kpf.ts';
import { isHidden, mmOwners, seenOf, slotOf } from './pss.ts';

/** Anonymous: its last mapper's exit frees it. */
export const ANONYMOUS_MEMORY = 0;
/** The page cache of a file that has a name: it stays there, unmapped, and reclaim may drop it. */
export const FILE_MEMORY = 1;
/** tmpfs, System V: stays too, but reclaim can only swap it. */
export const SHMEM_MEMORY = 2;
/** A deleted file: it goes with the last mapping (and the last descriptor). */
export const DELETED_FILE = 3;
/** The same in memory: memfd, shared anonymous memory. */
export const DELETED_SHMEM = 4;
export type MemoryKind = 0 | 1 | 2 | 3 | 4;

export interface OwnedMemory {
  /** Rows of `processes`, ascending. */
  readonly owners: readonly number[];
  readonly holders: readonly number[];
  readonly kind: MemoryKind;
  /** Row in `cgroups` of the one that is charged, or NO_CGROUP: whoever touched it first. */
  readonly chargedTo: number;
  /** Owners (and holders) are all there are. */
  readonly ownersComplete: boolean;
  readonly holdersComplete: boolean;
  /** Of frames that the owners map, each once. */
  bytes: number;
  /** Of their large folios, what nobody maps any more: it stays until the rest goes. */
  unmappedBytes: number;
}

export interface OwnedSlots {
  readonly owners: readonly number[];
  readonly complete: boolean;
  bytes: number;
}

export interface Ownership {
  readonly memory: readonly OwnedMemory[];
  readonly slots: readonly OwnedSlots[];
  /** Pages of processes whose frames were hidden: only "mapped once" is known of them. */
  readonly hasHidden: boolean;
}

const PAGE = 4096;

export function ownershipOf(reverse: ReverseMap): Ownership {
  return new OwnerCounter(reverse).count();
}

class OwnerCounter {
  private readonly snapshot: HostSnapshot;
  private readonly reverse: ReverseMap;
  private readonly wordKinds: Uint8Array;
  /** For each process with rows, who uses its address space: itself, mostly. */
  private readonly users: readonly (readonly number[])[];
  /** The process, and the VMA, of each row of `entries`. */
  private readonly processOf: Uint32Array;
  private readonly vmaOf: Uint32Array;
  private readonly fileHolders: readonly (readonly number[] | null)[];
  /** No process that was not looked at has slots of swap; without frames, every process was. */
  private readonly sawAllSlots: boolean;
  private readonly sawAll: boolean;
  private readonly memory = new Map<string, OwnedMemory>();
  /** The same of one process each: most frames are. */
  private readonly single = new Map<number, OwnedMemory>();
  private readonly slots = new Map<string, OwnedSlots>();
  private hasHidden = false;

  constructor(reverse: ReverseMap) {
    const { snapshot } = reverse;
    this.snapshot = snapshot;
    this.reverse = reverse;
    this.wordKinds = bitsOfWords(snapshot.frames);
    this.users = usersOf(snapshot);
    const { processes, vmas, entries } = snapshot;
    this.processOf = reverse.processOf;
    this.vmaOf = new Uint32Array(entries.count);
    for (let vma = 0; vma < vmas.count; vma++) this.vmaOf.fill(vma, vmas.firstEntry[vma], vmas.firstEntry[vma + 1]);
    this.fileHolders = holdersOfDeleted(snapshot, this.users);
    const seen = seenOf(snapshot);
    this.sawAll = processes.every((p, row) => seen[row] || p.isKernelThread || !p.status.has('VmRSS'));
    this.sawAllSlots = processes.every(
      (p, row) => seen[row] || p.isKernelThread || (p.status.get('VmSwap') ?? 0) === 0,
    );
  }

  count(): Ownership {
    const { reverse } = this;
    for (let pfn = 0; pfn < reverse.frameCount; ) pfn = reverse.countOf(pfn) === 0 ? pfn + 1 : this.addFolioOf(pfn);
    this.addSlots();
    this.addHidden();
    const { memory, slots, hasHidden } = this;
    return { memory: [...memory.values()], slots: [...slots.values()], hasHidden };
  }

  private word(pfn: number): number {
    const { frames } = this.snapshot;
    return frames === null || pfn >= frames.count ? 0 : this.wordKinds[frames.word[pfn]!]!;
  }

  /** Adds the folio of a frame that is mapped, none of whose frames before it is; the frame behind it. */
  private addFolioOf(pfn: number): number {
    const word = this.word(pfn);
    if ((word & (WORD_HEAD | WORD_TAIL)) === 0) {
      if ((word & WORD_ZERO) === 0) this.addFrame(pfn, word, this.chargedTo(pfn));
      return pfn + 1;
    }
    let head = pfn;
    while (head > 0 && (this.word(head) & WORD_TAIL) !== 0) head -= 1;
    let end = pfn + 1;
    while ((this.word(end) & WORD_TAIL) !== 0) end += 1;
    if ((word & (WORD_ZERO | WORD_HUGETLB)) !== 0) return end;
    if ((word & WORD_ANON) !== 0) this.addLargeAnonymous(head, end);
    else for (let frame = pfn; frame < end; frame++) this.addFrame(frame, this.word(head), this.chargedTo(head));
    return end;
  }

  /** The kernel shows it of a folio's first page. */
  private chargedTo(head: number): number {
    const { frames } = this.snapshot;
    return frames === null || head >= frames.count ? NO_CGROUP : frames.cgroup[head]!;
  }

  private addFrame(pfn: number, word: number, chargedTo: number): void {
    const rows = this.reverse.entriesOf(pfn);
    if (rows.length === 0 || this.mapcount(pfn, rows) === 0) return;
    const owners = this.ownersOf(rows);
    const complete = this.isComplete(pfn, rows);
    const file = this.snapshot.vmas.file[this.vmaOf[rows[0]!]!]!;
    const kind = this.kind(word, rows[0]!, file);
    const isDeleted = kind === DELETED_FILE || kind === DELETED_SHMEM;
    const holders = isDeleted ? (this.fileHolders[file] ?? owners) : owners;
    this.owned(owners, holders, kind, chargedTo, complete, complete).bytes += PAGE;
  }

  /** All its pages are freed together: nobody may map any of them. */
  private addLargeAnonymous(pfn: number, end: number): void {
    const everyRow: number[] = [];
    let complete = true;
    let unmapped = 0;
    for (let frame = pfn; frame < end; frame++) {
      const rows = this.reverse.entriesOf(frame);
      if (this.mapcount(frame, rows) === 0) unmapped += PAGE;
      complete &&= this.isComplete(frame, rows);
      for (const row of rows) everyRow.push(row);
    }
    if (everyRow.length === 0) return;
    const holders = this.ownersOf(everyRow.sort((a, b) => a - b));
    const chargedTo = this.chargedTo(pfn);
    for (let frame = pfn; frame < end; frame++) {
      const rows = this.reverse.entriesOf(frame);
      if (rows.length === 0 || this.mapcount(frame, rows) === 0) continue;
      const isComplete = this.isComplete(frame, rows);
      const some = this.ownersOf(rows);
      const owners = some.length === holders.length ? holders : some;
      const found = this.owned(owners, holders, ANONYMOUS_MEMORY, chargedTo, isComplete, complete);
      found.bytes += PAGE;
      found.unmappedBytes += unmapped;
      unmapped = 0;
    }
  }

  private kind(word: number, row: number, file: number): MemoryKind {
    const isAnonymous =
      this.snapshot.frames === null ? (this.snapshot.entries.bits[row]! & ENTRY_FILE) === 0 : (word & WORD_ANON) !== 0;
    return isAnonymous ? ANONYMOUS_MEMORY : this.fileKind((word & WORD_SWAPBACKED) !== 0, file);
  }

  private fileKind(isSwapBacked: boolean, file: number): MemoryKind {
    const of = file === NO_ROW ? null : this.snapshot.files[file]!;
    if (of !== null && goesWithItsMappings(of)) return isSwapBacked ? DELETED_SHMEM : DELETED_FILE;
    return isSwapBacked ? SHMEM_MEMORY : FILE_MEMORY;
  }

  private mapcount(pfn: number, rows: Uint32Array): number {
    const { frames } = this.snapshot;
    if (frames === null) return rows.length;
    return pfn < frames.count ? frames.mapcount[pfn]! : 0;
  }

  /** Whether the rows are all that the kernel counts. */
  private isComplete(pfn: number, rows: Uint32Array): boolean {
    return this.snapshot.frames === null ? this.sawAll : rows.length >= this.mapcount(pfn, rows);
  }

  /** Rows are sorted by process: each process once, and all that use its address space. */
  private ownersOf(rows: ArrayLike<number>): readonly number[] {
    if (rows.length === 1) return this.users[this.processOf[rows[0]!]!]!;
    const owners: number[] = [];
    let last = -1;
    for (let i = 0; i < rows.length; i++) {
      const process = this.processOf[rows[i]!]!;
      if (process === last) continue;
      last = process;
      for (const user of this.users[process]!) owners.push(user);
    }
    return owners;
  }

  private owned(
    owners: readonly number[],
    holders: readonly number[],
    kind: MemoryKind,
    chargedTo: number,
    ownersComplete: boolean,
    holdersComplete: boolean,
  ): OwnedMemory {
    const isOwn = holders === owners && ownersComplete === holdersComplete && owners.length === 1;
    const quick = isOwn ? quickKey(owners[0]!, kind, chargedTo, ownersComplete) : -1;
    const known = isOwn ? this.single.get(quick) : undefined;
    if (known !== undefined) return known;
    const own = `${kind}${ownersComplete ? 'o' : ''}${holdersComplete ? 'h' : ''}${chargedTo} ${owners.join(',')}`;
    const key = holders === owners ? own : `${own} ${holders.join(',')}`;
    let found = this.memory.get(key);
    if (found === undefined) {
      found = { owners, holders, kind, chargedTo, ownersComplete, holdersComplete, bytes: 0, unmappedBytes: 0 };
      this.memory.set(key, found);
    }
    if (isOwn) this.single.set(quick, found);
    return found;
  }

  private addSlots(): void {
    const { entries } = this.snapshot;
    const rowsOf = new Map<number, number[]>();
    for (let row = 0; row < entries.count; row++) {
      if ((entries.bits[row]! & ENTRY_SWAP) === 0 || isHidden(entries, row)) continue;
      const slot = slotOf(entries, row);
      const known = rowsOf.get(slot);
      if (known === undefined) rowsOf.set(slot, [row]);
      else known.push(row);
    }
    for (const rows of rowsOf.values()) this.ownedSlots(this.ownersOf(rows), this.sawAllSlots).bytes += PAGE;
  }

  private ownedSlots(owners: readonly number[], complete: boolean): OwnedSlots {
    const key = `${complete} ${owners.join(',')}`;
    let found = this.slots.get(key);
    if (found === undefined) {
      found = { owners, complete, bytes: 0 };
      this.slots.set(key, found);
    }
    return found;
  }

  /** Without frame numbers: what is mapped once is its own, the rest is shared with somebody, or is the zero page. */
  private addHidden(): void {
    const { entries, vmas } = this.snapshot;
    for (let row = 0; row < entries.count; row++) {
      if (!isHidden(entries, row)) continue;
      this.hasHidden = true;
      const bits = entries.bits[row]!;
      const owners = this.users[this.processOf[row]!]!;
      if ((bits & ENTRY_PRESENT) === 0) {
        this.ownedSlots(owners, false).bytes += PAGE;
        continue;
      }
      const isOnce = (bits & ENTRY_EXCLUSIVE) !== 0;
      const isFile = (bits & ENTRY_FILE) !== 0;
      if (!isOnce && !isFile) continue;
      const file = vmas.file[this.vmaOf[row]!]!;
      const kind = isFile ? this.fileKind(isInMemory(this.snapshot.files[file]), file) : ANONYMOUS_MEMORY;
      const isDeleted = kind === DELETED_FILE || kind === DELETED_SHMEM;
      const holders = isDeleted ? (this.fileHolders[file] ?? owners) : owners;
      this.owned(owners, holders, kind, NO_CGROUP, isOnce, isOnce).bytes += PAGE;
    }
  }
}

function quickKey(process: number, kind: MemoryKind, chargedTo: number, complete: boolean): number {
  return ((process * 8 + kind) * 2 ** 16 + chargedTo) * 2 + (complete ? 1 : 0);
}

/** System V segments are shown as deleted files, but stay until somebody removes them. */
function goesWithItsMappings({ deleted, path }: HostFile): boolean {
  return (deleted && !/^\/SYSV[0-9a-f]{8}/.test(path)) || isDescriptor(path);
}

/** Rings of perf, io_uring and the like: one inode for all of them, so it does not say who else has this one. */
function isDescriptor(path: string): boolean {
  return path.startsWith('anon_inode:');
}

/** Where frames are hidden: the names of files that only ever are in memory. */
function isInMemory(file: HostFile | undefined): boolean {
  return file !== undefined && /^\/(memfd:|dev\/zero|dev\/shm\/|SYSV)/.test(file.path);
}

function usersOf(snapshot: HostSnapshot): number[][] {
  const users: number[][] = snapshot.processes.map(() => []);
  for (const [row, owner] of mmOwners(snapshot).entries()) users[owner]!.push(row);
  return users;
}

/** For each deleted file who maps any of it. */
function holdersOfDeleted(
  { files, processes, vmas }: HostSnapshot,
  users: readonly (readonly number[])[],
): (readonly number[] | null)[] {
  const holders = files.map((file) =>
    goesWithItsMappings(file) && !isDescriptor(file.path) ? ([] as number[]) : null,
  );
  processes.forEach(({ firstVma, endVma }, row) => {
    for (let vma = firstVma; vma < endVma; vma++) {
      const of = vmas.file[vma] === NO_ROW ? null : holders[vmas.file[vma]!]!;
      if (of !== null && !of.includes(row)) of.push(...users[row]!);
    }
  });
  return holders;
}
