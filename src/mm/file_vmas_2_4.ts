/**
 * Which VMAs map a file, in 2.4: two lists without order, one of private and one of shared mappings.
 *
 *   i_mmap         ──► the last that was mapped ──► … ──► the first        fork puts a child's VMA right behind its parent's
 *   i_mmap_shared  ──► …                                                   truncate goes through both, private ones first
 *
 * Owns      vmNextShare and vmPrevShare of VMAs that are linked here (Linux: vm_next_share, vm_pprev_share).
 * Promises  1. A VMA with VM_SHARED is on the shared list, another on the private one, and each once.
 *           2. To insert and to remove takes one step; to find who shows a page takes as many as there are VMAs.
 * Linux     2.4.19 mm/mmap.c: __vma_link_file __remove_shared_vm_struct; kernel/fork.c: dup_mmap; mm/memory.c: vmtruncate_list
 *
 * DIFFERS: a VMA whose range changes goes to the head; 2.4 leaves it where it is. Nothing but the order of a walk shows it.
 */
import { bugOn } from './bug.ts';
import type { FileVmas } from './parts.ts';
import { VM_SHARED } from './vm_flags.ts';
import type { Vma } from './vma.ts';

export function newFileVmas_2_4(): FileVmas {
  return new FileVmas_2_4();
}

export class FileVmas_2_4 implements FileVmas {
  size = 0;
  iMmap: Vma | null = null;
  iMmapShared: Vma | null = null;

  insert(vma: Vma): void {
    const first = this.firstOf(vma);
    vma.vmPrevShare = null;
    vma.vmNextShare = first;
    if (first !== null) first.vmPrevShare = vma;
    this.setFirst(vma, vma);
    this.size += 1;
  }

  insertAfter(vma: Vma, before: Vma): void {
    bugOn(isShared(vma) !== isShared(before), "a child's VMA is on the list of its parent's", vma.vmStart);
    const next = before.vmNextShare;
    vma.vmPrevShare = before;
    vma.vmNextShare = next;
    before.vmNextShare = vma;
    if (next !== null) next.vmPrevShare = vma;
    this.size += 1;
  }

  remove(vma: Vma): void {
    const prev = vma.vmPrevShare;
    const next = vma.vmNextShare;
    if (prev !== null) {
      prev.vmNextShare = next;
    } else {
      bugOn(this.firstOf(vma) !== vma, 'a VMA is taken from the list that it is on', vma.vmStart);
      this.setFirst(vma, next);
    }
    if (next !== null) next.vmPrevShare = prev;
    vma.vmNextShare = null;
    vma.vmPrevShare = null;
    this.size -= 1;
  }

  firstIn(first: number, last: number): Vma | null {
    return this.from(this.iMmap, false, first, last);
  }

  nextIn(vma: Vma, first: number, last: number): Vma | null {
    return this.from(vma.vmNextShare, isShared(vma), first, last);
  }

  *[Symbol.iterator](): Generator<Vma> {
    for (let at = this.iMmap; at !== null; at = at.vmNextShare) yield at;
    for (let at = this.iMmapShared; at !== null; at = at.vmNextShare) yield at;
  }

  verify(): string[] {
    const wrong: string[] = [];
    let count = 0;
    for (const shared of [false, true]) {
      let prev: Vma | null = null;
      for (let at = shared ? this.iMmapShared : this.iMmap; at !== null; at = at.vmNextShare) {
        if (isShared(at) !== shared) wrong.push(`the VMA at page ${at.vmStart} is on the other list`);
        if (at.vmPrevShare !== prev) wrong.push(`the VMA at page ${at.vmStart} does not know who is before it`);
        prev = at;
        count += 1;
        if (count > this.size) return [...wrong, `more VMAs than ${this.size} are on the lists`];
      }
    }
    if (count !== this.size) wrong.push(`size is ${this.size}, ${count} VMAs are on the lists`);
    return wrong;
  }

  /** The next that shows a page of the range: the rest of this list, then the shared one. */
  private from(start: Vma | null, inShared: boolean, first: number, last: number): Vma | null {
    for (let at = start; at !== null; at = at.vmNextShare) if (shows(at, first, last)) return at;
    return inShared ? null : this.from(this.iMmapShared, true, first, last);
  }

  private firstOf(vma: Vma): Vma | null {
    return isShared(vma) ? this.iMmapShared : this.iMmap;
  }

  private setFirst(vma: Vma, first: Vma | null): void {
    if (isShared(vma)) this.iMmapShared = first;
    else this.iMmap = first;
  }
}

function isShared(vma: Vma): boolean {
  return (vma.vmFlags & VM_SHARED) !== 0;
}

function shows(vma: Vma, first: number, last: number): boolean {
  return vma.vmPgoff <= last && vma.vmPgoff + (vma.vmEnd - vma.vmStart) > first;
}
