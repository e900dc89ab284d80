/**
 * A machine with one process in a cgroup, and short words for what tests of src/mm do to them. Pages are counted from ARENA.
 */
import { newInode, openInode } from '../src/mm/file.ts';
import { dupMm, exitTask, newMm, newTask } from '../src/mm/fork.ts';
import type { BackingKind, File } from '../src/mm/fs.ts';
import { GFP_KERNEL } from '../src/mm/gfp.ts';
import { LRU_NAMES, type Lruvec } from '../src/mm/lruvec.ts';
import { Machine, type MachineConfig } from '../src/mm/machine.ts';
import type { MemCgroup } from '../src/mm/memcg.ts';
import { loadPage, storePage } from '../src/mm/memory.ts';
import type { Mm } from '../src/mm/mm.ts';
import { doMmap } from '../src/mm/mmap.ts';
import { swapon } from '../src/mm/swap/swapfile.ts';
import type { Task } from '../src/mm/task.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../src/mm/uapi.ts';
import { NO_PFN, type Pfn, type Token, type Vpn } from '../src/mm/units.ts';
import type { Vma } from '../src/mm/vma.ts';

const MIB: number = 2 ** 20;
/** The first page of the arena; it begins 2 MiB. */
export const PAGE: number = 0x10000000;
export const RW: number = PROT_READ | PROT_WRITE;

export interface SpaceConfig extends Partial<MachineConfig> {
  /** Pages that the cgroup may have. */
  limit?: number;
  swap?: 'zram' | 'disk';
  swapBytes?: number;
}

export class Space {
  readonly machine: Machine;
  readonly memcg: MemCgroup;
  readonly task: Task;
  readonly mm: Mm;
  private nextPid = 101;

  constructor(config: SpaceConfig = {}) {
    const { limit, swap, swapBytes, ...rest } = config;
    this.machine = new Machine({ kernel: '6.18', ramBytes: 16 * MIB, ...rest });
    this.memcg = this.machine.generation.cgroups ? this.machine.newCgroup('test') : this.machine.rootMemcg;
    if (swap !== undefined) swapon(this.machine, { bytes: swapBytes ?? 16 * MIB, device: swap });
    if (limit !== undefined) this.memcg.memory.max = limit;
    this.mm = newMm(this.machine, this.memcg)!;
    this.task = newTask(this.machine, 100, 'test', this.mm, this.memcg, null)!;
    this.machine.current = this.task;
  }

  vpn(page: number): Vpn {
    return (PAGE + page) as Vpn;
  }

  /** Maps [page, page + pages): anonymous memory, or `file` from its page `pgoff`. */
  map(page: number, pages: number, flags = MAP_PRIVATE, prot = RW, file: File | null = null, pgoff = 0): Vma {
    const how = flags | MAP_FIXED | (file === null ? MAP_ANONYMOUS : 0);
    const at = doMmap(this.machine, this.mm, this.vpn(page) * 4096, pages * 4096, prot, how, file, pgoff);
    if (at < 0) throw new Error(`mmap: ${at}`);
    return this.vma(page);
  }

  file(kind: BackingKind, pages: number): File {
    return openInode(this.machine, newInode(this.machine, 'data', kind, pages * 4096), true, true, false);
  }

  vma(page: number, mm: Mm = this.mm): Vma {
    return mm.vmas.findExact(this.vpn(page))!;
  }

  /** 0, or the signal. */
  load(page: number, mm: Mm = this.mm): number {
    return loadPage(this.machine, mm, this.vpn(page));
  }

  store(page: number, mm: Mm = this.mm, token: Token = this.machine.newToken()): number {
    return storePage(this.machine, mm, this.vpn(page), token);
  }

  storeAll(page: number, pages: number, mm: Mm = this.mm): void {
    for (let i = page; i < page + pages; i++) {
      if (this.store(i, mm) !== 0) throw new Error(`no store to page ${i}`);
    }
  }

  loadAll(page: number, pages: number, mm: Mm = this.mm): void {
    for (let i = page; i < page + pages; i++) if (this.load(i, mm) !== 0) throw new Error(`no load of page ${i}`);
  }

  slot(page: number, mm: Mm = this.mm): number {
    return this.machine.pageTables.slotOf(mm.pageTables, this.vpn(page));
  }

  /** The frame at `page`; NO_PFN if none is present. */
  pfn(page: number, mm: Mm = this.mm): Pfn {
    const slot = this.slot(page, mm);
    const { pageTables } = this.machine;
    return slot >= 0 && pageTables.isPresent(slot) ? pageTables.pfn(slot) : NO_PFN;
  }

  /** Any of these PTE_ bits. */
  pte(page: number, bits: number, mm: Mm = this.mm): boolean {
    const slot = this.slot(page, mm);
    return slot >= 0 && this.machine.pageTables.has(slot, bits);
  }

  fork(parent: Mm = this.mm, memcg: MemCgroup = this.memcg): Task {
    const mm = dupMm(this.machine, parent, memcg)!;
    return newTask(this.machine, this.nextPid++, 'child', mm, memcg, null)!;
  }

  exit(task: Task): void {
    exitTask(this.machine, task);
  }

  lruvec(memcg: MemCgroup = this.memcg): Lruvec {
    return memcg.lruvecs[0]!;
  }

  /** The frames of a list, head first. */
  list(name: (typeof LRU_NAMES)[number], memcg: MemCgroup = this.memcg): Pfn[] {
    const { frames } = this.machine;
    const head = this.lruvec(memcg).lists[LRU_NAMES.indexOf(name)]!;
    const pages: Pfn[] = [];
    for (let pfn = frames.listFirst(head); pfn !== NO_PFN; pfn = frames.listNext(pfn)) pages.push(pfn);
    return pages;
  }

  /** MADV_PAGEOUT of single pages: isolated, then judged. How many were freed. */
  pageout(...pages: number[]): number {
    const { machine } = this;
    machine.lru.drain();
    const pfns = pages.map((page) => this.pfn(page)).filter((pfn) => machine.lru.isolate(pfn));
    return machine.reclaim.reclaimPages(pfns);
  }

  /** Reclaims from the cgroup until so many pages of the process are in swap; whatever the kernel makes of it. */
  reclaimToSwap(pages: number): void {
    const { machine, mm } = this;
    for (let round = 0; round < 64 && mm.rss[2]! < pages; round++) {
      // As if nobody had been here for long.
      machine.lru.drain();
      for (const { pageTables } of machine.mms) {
        const end = this.vpn(4096);
        for (let at = machine.pageTables.nextTable(pageTables, this.vpn(0), end); at < end; ) {
          const slot = machine.pageTables.slotOf(pageTables, at);
          if (machine.pageTables.isPresent(slot)) machine.pageTables.testAndClearYoung(slot);
          at = machine.pageTables.nextTable(pageTables, (at + 1) as Vpn, end);
        }
      }
      machine.reclaim.tryToFreeMemCgroupPages(this.memcg, 32, GFP_KERNEL, true);
      machine.advance(1_000_000);
    }
  }

  event(event: number): number {
    return this.machine.events[event]!;
  }

  /** Of the cgroup, all below it included. */
  stat(item: number): number {
    return this.lruvec().stat[item]!;
  }
}
