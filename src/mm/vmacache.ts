/**
 * The VMAs that a task found last, so that most faults need no walk of the tree.
 *
 *     page 0x7f12 ──► slot 0x7f12 & 3 = 2        task.vmacache [ heap | – | libc | stack ]   task.vmacacheSeqnum 7
 *                                                 all of it counts only while mm.vmacacheSeqnum is 7, too
 *
 * Owns      Task.vmacache, Task.vmacacheSeqnum, Mm.vmacacheSeqnum.
 * Promises  A VMA that is found here is in the address space: whoever takes one out raises the address space's number.
 * Linux     3.16 mm/vmacache.c: vmacache_find vmacache_update vmacache_flush_all vmacache_valid;
 *           include/linux/vmacache.h: vmacache_invalidate; mm/mmap.c: find_vma
 * Before    2.6: one VMA for the whole address space (mmap_cache). 6.1 and later: none, the maple tree is fast enough
 */
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import type { Task } from './task.ts';
import type { Vpn } from './units.ts';
import type { Vma } from './vma.ts';

export const VMACACHE_SIZE = 4;
const VMACACHE_MASK = 3;
const SEQNUM_END = 2 ** 32;

/** find_vma: the first VMA that ends above `vpn`. */
export function findVma(machine: Machine, mm: Mm, vpn: Vpn): Vma | null {
  if (!machine.generation.switches.vmacache) return mm.vmas.find(vpn);
  const cached = vmacacheFind(machine, mm, vpn);
  if (cached !== null) return cached;
  const vma = mm.vmas.find(vpn);
  if (vma !== null) vmacacheUpdate(machine, mm, vpn, vma);
  return vma;
}

/** The VMA that holds `vpn`, if one of the four does. */
function vmacacheFind(machine: Machine, mm: Mm, vpn: Vpn): Vma | null {
  const { work, current: task } = machine;
  if (!vmacacheValid(task, mm)) return null;
  work.vmacacheFindCalls += 1;
  for (let i = 0; i < VMACACHE_SIZE; i++) {
    const vma = task.vmacache[i]!;
    if (vma === null || vpn < vma.vmStart || vpn >= vma.vmEnd) continue;
    work.vmacacheFindHits += 1;
    return vma;
  }
  return null;
}

/** Only the task that runs in the address space keeps what it found there. */
function vmacacheUpdate(machine: Machine, mm: Mm, vpn: Vpn, vma: Vma): void {
  if (machine.current.mm === mm) machine.current.vmacache[vpn & VMACACHE_MASK] = vma;
}

function vmacacheValid(task: Task, mm: Mm): boolean {
  if (task.mm !== mm) return false;
  if (task.vmacacheSeqnum === mm.vmacacheSeqnum) return true;
  task.vmacacheSeqnum = mm.vmacacheSeqnum;
  vmacacheFlush(task);
  return false;
}

export function vmacacheFlush(task: Task): void {
  task.vmacache.fill(null);
}

/** A VMA leaves the address space. When the number begins anew, an old cache could look fresh: all are emptied. */
export function vmacacheInvalidate(machine: Machine, mm: Mm): void {
  mm.vmacacheSeqnum += 1;
  if (mm.vmacacheSeqnum < SEQNUM_END) return;
  mm.vmacacheSeqnum = 0;
  for (const task of machine.tasks) if (task.mm === mm) vmacacheFlush(task);
}

/** A sentence for each cached VMA that is not in its task's address space. */
export function verifyVmacache(machine: Machine): string[] {
  const wrong: string[] = [];
  for (const { pid, mm, vmacache, vmacacheSeqnum } of machine.tasks) {
    if (mm === null || vmacacheSeqnum !== mm.vmacacheSeqnum) continue;
    for (const vma of vmacache) {
      if (vma !== null && mm.vmas.findExact(vma.vmStart) !== vma)
        wrong.push(`pid ${pid}: its vmacache holds a VMA at page 0x${vma.vmStart.toString(16)} that is gone`);
    }
  }
  return wrong;
}
