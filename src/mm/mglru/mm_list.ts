/**
 * The address spaces of each cgroup, for walks over their page tables.
 *
 * Owns      the order: a new one goes to the end. Mm.usedOn: the nodes whose walk has not been there since the program last ran.
 * Promises  1. An address space is on the list of its cgroup from its first moment to its last.
 *           2. A walk leaves out one that has not run since the last walk, unless it is new.
 * Linux     6.18 mm/vmscan.c: lru_gen_add_mm lru_gen_del_mm get_next_mm; include/linux/mm_types.h: lru_gen_use_mm
 *
 * DIFFERS: Linux notes that a program ran when the CPU switches to it; we, when it waited for a disk (block.ts), and at each of its
 * faults, for between two walks there is a switch by a kernel thread in any case. And a new address space is listed when it is
 * made, not when its exec or fork is over.
 */
import type { MemCgroup } from '../memcg.ts';
import type { Mm } from '../mm.ts';
import type { LruGen } from './lru_gen.ts';

export class MmLists {
  /** By the id of the cgroup. */
  private readonly lists: (Mm[] | undefined)[] = [];

  of(memcg: MemCgroup): readonly Mm[] {
    return this.lists[memcg.id] ?? [];
  }

  add(mm: Mm): void {
    const list = this.lists[mm.memcg.id];
    if (list === undefined) this.lists[mm.memcg.id] = [mm];
    else list.push(mm);
  }

  remove(mm: Mm): void {
    const list = this.lists[mm.memcg.id];
    const at = list?.indexOf(mm) ?? -1;
    if (list === undefined || at < 0) return;
    list.splice(at, 1);
    for (const { lruGen } of mm.memcg.lruvecs) if (lruGen !== null) forgetKnown(lruGen, at);
  }
}

function forgetKnown(lruGen: LruGen, at: number): void {
  if (at < lruGen.mmState.known) lruGen.mmState.known -= 1;
}
