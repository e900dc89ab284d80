/**
 * Processes that use one address space: after vfork until exec, and after clone with CLONE_VM but not CLONE_THREAD.
 * The kernel counts a page of theirs once, so its entries must be rows once.
 *
 * Promises  1. Two processes are taken for one address space only if kcmp(2) says so; where it does not answer, only if all
 *              their VMAs and entries are equal, a frame of anonymous memory among them. (A forked child has copied at
 *              least the page of its stack from which it returned.)
 *           2. Nobody is asked without a reason: candidates have their first VMA and their stack at the same random places.
 * Linux     6.18 kernel/kcmp.c: kcmp; kernel/fork.c: copy_mm
 */
import type { SnapshotBuilder } from '../builder.ts';
import { ENTRY_FILE, ENTRY_NO_FRAME, ENTRY_PRESENT, type VmaTable } from '../snapshot.ts';
import { type HostFiles, Refusal } from './host_files.ts';
import type { MapsLine } from './maps_text.ts';
import { type MmCalls, mmCalls } from './mm_calls.ts';

interface Owner {
  readonly pid: number;
  /** Its rows of VMAs: up to the first row behind them. */
  readonly firstVma: number;
  readonly endVma: number;
}

/** Who was forked from whom, in some order of the kernel's as long as it said so. */
interface Family {
  readonly owners: Owner[];
  isOrdered: boolean;
}

export class SharedMms {
  private readonly builder: SnapshotBuilder;
  private readonly families = new Map<string, Family>();
  private readonly isOurProc: () => boolean;
  private calls: MmCalls | null | undefined;
  /** Where in the order of its family the last process belongs; null if the kernel did not say. */
  private place: number | null = null;

  constructor(files: HostFiles, builder: SnapshotBuilder) {
    this.builder = builder;
    // Numbers of processes mean the same to the kernel and to this /proc only if it knows us by our number.
    this.isOurProc = () => {
      const self = files.link(files.inProc('self'));
      return !(self instanceof Refusal) && self === String(process.pid);
    };
  }

  /** Who has the address space of `pid`, if one of those before it does, and the kernel says so. */
  askKernel(pid: number, lines: readonly MapsLine[]): number | null {
    this.place = null;
    const family = this.families.get(layout(lines));
    if (family === undefined) return null;
    const { owners } = family;
    if (this.calls === undefined) this.calls = this.isOurProc() ? mmCalls() : null;
    if (this.calls === null) return null;
    // A family of a thousand workers is ten questions each: the owners are in the kernel's order.
    let low = 0;
    for (let high = family.isOrdered ? owners.length : 0; low < high; ) {
      const middle = (low + high) >> 1;
      const order = this.calls.compareMm(pid, owners[middle]!.pid);
      if (order === 0) return owners[middle]!.pid;
      // One of them is gone, and stands nowhere.
      if (order === null) family.isOrdered = false;
      if (order === null) break;
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    if (!family.isOrdered) return owners.find((owner) => this.calls?.compareMm(pid, owner.pid) === 0)?.pid ?? null;
    this.place = low;
    return null;
  }

  /** The same by the rows of `pid`, the last in the builder from `firstVma` on, where the kernel does not say. */
  compareRows(pid: number, lines: readonly MapsLine[], firstVma: number): number | null {
    const vmas = this.builder.vmasSoFar;
    for (const owner of this.families.get(layout(lines))?.owners ?? []) {
      if (!this.areEqual(owner, firstVma, vmas)) continue;
      if ((this.calls?.compareMm(pid, owner.pid) ?? null) === null) return owner.pid;
    }
    return null;
  }

  /** The last process that was asked about has an address space of its own. */
  add(pid: number, lines: readonly MapsLine[], firstVma: number): void {
    const key = layout(lines);
    const owner = { pid, firstVma, endVma: this.builder.vmaCount };
    const family = this.families.get(key);
    if (family === undefined) this.families.set(key, { owners: [owner], isOrdered: true });
    else {
      family.isOrdered &&= this.place !== null;
      family.owners.splice(this.place ?? family.owners.length, 0, owner);
    }
  }

  /** The entries first: those of a forked child soon differ, its VMAs seldom do. */
  private areEqual(owner: Owner, firstVma: number, vmas: VmaTable): boolean {
    const { count, startPage, endPage, pgoff, perms, file, name, firstEntry } = vmas;
    if (owner.endVma - owner.firstVma !== count - firstVma) return false;
    const left = firstEntry[owner.firstVma]!;
    const right = firstEntry[firstVma]!;
    const rightEnd = firstEntry[count]!;
    if (firstEntry[owner.endVma]! - left !== rightEnd - right || !this.haveEqualEntries(left, right, rightEnd))
      return false;
    return [startPage, endPage, pgoff, perms, file, name].every((column) => {
      for (let step = 0; firstVma + step < count; step++)
        if (column[owner.firstVma + step] !== column[firstVma + step]) return false;
      return true;
    });
  }

  private haveEqualEntries(left: number, right: number, rightEnd: number): boolean {
    const { page, value, bits } = this.builder.entriesSoFar;
    let anonymous = 0;
    for (let step = 0; right + step < rightEnd; step++) {
      const [a, b] = [left + step, right + step];
      if (page[a] !== page[b] || value[a] !== value[b] || bits[a] !== bits[b]) return false;
      if ((bits[a]! & (ENTRY_PRESENT | ENTRY_NO_FRAME | ENTRY_FILE)) === ENTRY_PRESENT) anonymous += 1;
    }
    return anonymous > 0;
  }
}

/** Where exec put things: equal in processes that were forked from each other, and seldom in others. */
function layout(lines: readonly MapsLine[]): string {
  const stack = lines.find(({ name }) => name === '[stack]');
  return `${lines[0]!.startPage} ${stack?.endPage ?? ''}`;
}
