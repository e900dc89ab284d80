/**
 * Who is running: struct task_struct, as far as memory goes.
 *
 * Linux     6.18, 3.16 include/linux/sched.h: task_struct
 */
import type { MemCgroup } from './memcg.ts';
import type { Mempolicy } from './mempolicy.ts';
import type { MmWalk } from './mglru/lru_gen.ts';
import type { Mm } from './mm.ts';
import type { Pfn } from './units.ts';
import type { Vma } from './vma.ts';

export class Task {
  readonly pid: number;
  comm: string;
  /** null for a kernel thread. */
  mm: Mm | null;
  /** The address space whose tables are loaded while the task runs: its own, or a borrowed one (active_mm.ts). */
  activeMm: Mm | null = null;
  /** The VMAs it found last, as long as the number is that of its address space (vmacache.ts). */
  readonly vmacache: (Vma | null)[] = [null, null, null, null];
  vmacacheSeqnum = 0;
  memcg: MemCgroup;
  /** Who was charged for the task itself: the cgroup it was made in. */
  readonly payer: MemCgroup;
  parent: Task | null;
  minFlt = 0;
  majFlt = 0;
  oomScoreAdj = 0;
  /** When it began, and CPU time that it used, in nanoseconds of the machine's clock: 2.4's OOM killer spares who ran long. */
  startNs = 0;
  cpuNs = 0;
  nice = 0;
  /** Capabilities that 2.4's OOM killer asks for (CAP_SYS_ADMIN or user 0, CAP_SYS_RAWIO). */
  capSysAdmin = false;
  capSysRawio = false;
  /** 2.4: it was told to end with SIGTERM, not SIGKILL. */
  oomSigterm = false;
  /** A fatal signal is pending: SIGKILL by the OOM killer, or SIGSEGV/SIGBUS that nobody handles. */
  killed = false;
  /** The OOM killer chose it (TIF_MEMDIE): it may use the reserves, and nobody else is killed before its memory is free. */
  oomVictim = false;
  isKswapd = false;
  /** It runs swapoff (PF_SWAPOFF). */
  swapoff = false;
  /** PF_MEMALLOC: it frees memory, so it may use the reserves and must not reclaim again. */
  memalloc = false;
  /** It handles a fault of a mapping whose use tells something; and the walk of its reclaim that counts pages (mglru). */
  inLruFault = false;
  mmWalk: MmWalk | null = null;
  /** PF_MEMALLOC_NOFS. */
  nofs = false;
  /** Where its memory comes from (mempolicy.ts); null: from the CPU's node. And the node that is next, if by turns. */
  mempolicy: Mempolicy | null = null;
  ilNext = 0;
  /** Pages dirtied since the last look at the dirty limits, and at how many the next look is due. */
  nrDirtied = 0;
  nrDirtiedPause = 32;
  /** The frames of its kernel stack. */
  readonly stack: Pfn[] = [];

  constructor(pid: number, comm: string, mm: Mm | null, memcg: MemCgroup, parent: Task | null) {
    this.pid = pid;
    this.comm = comm;
    this.mm = mm;
    this.memcg = memcg;
    this.payer = memcg;
    this.parent = parent;
  }
}
