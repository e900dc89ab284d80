/**
 * Random programs on a tiny machine, beside a model of what each process must read.
 *
 * The model knows nothing of frames, swap or caches: a page of a process is a private token, or a page of a file or
 * shared object. Whatever reclaim, fork, copy-on-write, writeback and truncation do, a load must give the model's token.
 */

import { MIGRATE_MOVABLE_3 } from '../src/mm/buddy_3.ts';
import { WHOLE_ZONE } from '../src/mm/compaction.ts';
import { ENOMEM } from '../src/mm/errno.ts';
import { truncateSetsize } from '../src/mm/fallocate.ts';
import { newInode, openInode, putFile } from '../src/mm/file.ts';
import { filemapRead, filemapWrite } from '../src/mm/filemap.ts';
import { dupMm, exitTask, mmPut, newMm, newTask } from '../src/mm/fork.ts';
import type { File, Inode } from '../src/mm/fs.ts';
import { generationNamed } from '../src/mm/generations/index.ts';
import { __GFP_DIRECT_RECLAIM, GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../src/mm/gfp.ts';
import { KSM_RUN_MERGE } from '../src/mm/ksm.ts';
import { Machine } from '../src/mm/machine.ts';
import { doMadvise } from '../src/mm/madvise.ts';
import { loadPage, readToken, storePage } from '../src/mm/memory.ts';
import { isolateForMigration, migratePages, putbackMovablePages } from '../src/mm/migrate.ts';
import { doMlock, doMunlock } from '../src/mm/mlock.ts';
import { doMmap, doMunmap, doRemapFilePages } from '../src/mm/mmap.ts';
import { doMprotect } from '../src/mm/mprotect.ts';
import { doMremap } from '../src/mm/mremap.ts';
import { doMsync } from '../src/mm/msync.ts';
import { allocPages, putPage } from '../src/mm/page_alloc.ts';
import { physical_3 } from '../src/mm/page_alloc_3.ts';
import { NO_SLOT, PTE_FILE } from '../src/mm/page_table.ts';
import { swapoff, swapon } from '../src/mm/swap/swapfile.ts';
import type { Task } from '../src/mm/task.ts';
import { dropCaches } from '../src/mm/truncate.ts';
import {
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_MERGEABLE,
  MADV_PAGEOUT,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NONBLOCK,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  PROT_WRITE,
} from '../src/mm/uapi.ts';
import { NO_PFN, type Pfn, type Token, type Vpn, ZERO_TOKEN } from '../src/mm/units.ts';
import { verify } from '../src/mm/verify.ts';
import { linearPageIndex, type Vma } from '../src/mm/vma.ts';
import { frameAt } from '../src/mm/who.ts';
import { vfsFsync } from '../src/mm/writeback.ts';

/** Small, fast and the same everywhere (xorshift32). */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e3779b1) | 1;
  }
  next(below: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return (x >>> 0) % below;
  }
}

const ARENA = 0x10000;
const ARENA_PAGES = 96;
const FILE_PAGES = 24;
/** Contents that several pages may have: above every token that a store makes here. */
const EQUAL_TOKENS = 1_000_000_000;

/** What a page of an object holds; shared by everyone who maps it. */
class SharedObject {
  readonly tokens: Map<number, Token> = new Map();
  pages: number;
  constructor(pages: number) {
    this.pages = pages;
  }
}

/** What a process must see at a page. */
interface Cell {
  /** A page of its own; `maybeZero` after MADV_FREE: the old content, or zeros. */
  own: Token | null;
  maybeZero: boolean;
  object: SharedObject | null;
  index: number;
  shared: boolean;
  writable: boolean;
  /** May it be written at all (a private mapping, or one of a writable file)? */
  anonymous: boolean;
}

interface ModelFile {
  inode: Inode;
  file: File;
  object: SharedObject;
}

function describe(cell: Cell | undefined): string {
  if (cell === undefined) return 'not mapped';
  const object = cell.object === null ? '' : `page ${cell.index} of ${cell.object.pages}`;
  return `${cell.shared ? 'shared' : 'private'} ${object} own ${cell.own}${cell.writable ? ' writable' : ''}${cell.maybeZero ? ' maybe zero' : ''}`;
}

/** Every third machine of a kernel that has it sorts pages by generation. */
function hasGenerations(kernel: string, seed: number): boolean {
  return generationNamed(kernel).multiGen !== null && seed % 3 === 0;
}

/** MiB more for every second machine that moves pages: compaction needs a few pageblocks. */
function roomToMove(kernel: string, seed: number): number {
  return generationNamed(kernel).newKsm !== undefined && seed % 2 === 1 ? 4 : 0;
}

export class RandomProgram {
  readonly machine: Machine;
  private readonly random: Random;
  private readonly tasks: { task: Task; cells: Map<number, Cell> }[] = [];
  private readonly files: ModelFile[] = [];
  private nextPid = 100;
  private swapType = 0;
  readonly log: string[] = [];
  /** remap_file_pages changes the order of pages inside a VMA. */
  private readonly nonlinear: boolean;

  constructor(seed: number, kernel: string) {
    const random = new Random(seed);
    this.random = random;
    const disk = random.next(2) === 0;
    // Without cgroups the machine itself is as small as a limit would be.
    const ramBytes = generationNamed(kernel).cgroups
      ? (2 + random.next(3)) * 1024 * 1024
      : (12 + random.next(14)) * 64 * 1024;
    this.machine = new Machine({
      kernel,
      ramBytes: ramBytes + roomToMove(kernel, seed) * 1024 * 1024,
      reservedBytes: 256 * 1024,
      mglru: hasGenerations(kernel, seed),
      sysctl: {
        minFreeKbytes: 64,
        pageCluster: random.next(4),
        swappiness: [0, 60, 100, 200][random.next(4)]!,
        thpEnabled: false,
      },
    });
    const { machine } = this;
    if (roomToMove(kernel, seed) > 0) this.fragment();
    this.nonlinear = machine.generation.remapFilePages !== doRemapFilePages;
    this.swapType = swapon(machine, { bytes: 4 * 1024 * 1024, device: disk ? 'disk' : 'zram' });
    const memcg = machine.generation.cgroups ? machine.newCgroup('test') : machine.rootMemcg;
    // Where page tables and slab are charged too, they take most of it.
    const { chargesKernelMemory } = machine.generation.switches;
    if (random.next(3) > 0 && machine.generation.cgroups) {
      const extra = random.next(150);
      memcg.memory.max = chargesKernelMemory ? 100 + extra : 12 + Math.floor(extra / 4);
    }
    const mm = newMm(machine, memcg)!;
    const task = newTask(machine, this.nextPid++, 'init', mm, memcg, null)!;
    task.oomScoreAdj = -1000;
    this.tasks.push({ task, cells: new Map() });
    for (let i = 0; i < 2; i++) this.addFile(i);
  }

  /** A driver took most of memory page by page, and has given most of that back: what is free is in pieces. */
  private fragment(): void {
    const { machine, random } = this;
    const taken: Pfn[] = [];
    for (let left = Math.floor(machine.totalPages * 0.9); left > 0; left--) {
      const pfn = allocPages(machine, GFP_HIGHUSER_MOVABLE & ~__GFP_DIRECT_RECLAIM, 0);
      if (pfn !== NO_PFN) taken.push(pfn);
    }
    for (const pfn of taken) if (random.next(8) > 0) putPage(machine, pfn);
  }

  /** One random call or access. Throws, with what it found, when a promise is broken. */
  step(): void {
    const { random } = this;
    const at = random.next(this.tasks.length);
    const { task } = this.tasks[at]!;
    this.machine.current = task;
    if (this.nonlinear && random.next(16) === 0) {
      this.remapPages(at);
      this.machine.current = this.machine.idle;
      this.dropKilled();
      return;
    }
    const what = random.next(100);
    if (what < 16) this.map(at);
    else if (what < 52) this.touch(at, random.next(2) === 0);
    else if (what < 58) this.unmap(at);
    else if (what < 64) this.advise(at);
    else if (what < 70) this.fork(at);
    else if (what < 74) this.exit(at);
    else if (what < 78) this.remap(at);
    else if (what < 82) this.protect(at);
    else if (what < 86) this.readWrite();
    else if (what < 89) this.truncate();
    else if (what < 92) this.lock(at);
    else if (what < 94) this.machine.advance(random.next(7) * 1_000_000_000);
    else if (what < 96) this.sync(at);
    else if (what < 97) dropCaches(this.machine, 3);
    else if (what < 98) this.cycleSwap();
    else this.touchAll(at);
    this.machine.current = this.machine.idle;
    if (what >= 74 && what < 92) this.adoptCopies(at);
    this.dropKilled();
    if (this.machine.ksm !== null && random.next(4) === 0) this.mergeOrMove(random.next(this.tasks.length));
  }

  /** Locking a private writable mapping of a file copies its pages at once: from then on they are the process's own. */
  private adoptCopies(at: number): void {
    const { machine } = this;
    const { task, cells } = this.tasks[at]!;
    for (const [page, cell] of cells) {
      if (cell.own !== null || cell.shared || cell.object === null || task.mm === null) continue;
      const pfn = frameAt(machine, task.mm, (ARENA + page) as Vpn);
      if (pfn !== null && machine.frames.isAnon(pfn)) cell.own = cell.object.tokens.get(cell.index) ?? ZERO_TOKEN;
    }
  }

  /** Everything every process can see, compared with the model. */
  checkContents(): void {
    for (let at = 0; at < this.tasks.length; at++) {
      this.machine.current = this.tasks[at]!.task;
      this.touchAll(at);
      this.machine.current = this.machine.idle;
    }
    this.dropKilled();
  }

  verify(): string[] {
    return verify(this.machine);
  }

  // ways to go

  private map(at: number): void {
    const { random, machine } = this;
    const { task, cells } = this.tasks[at]!;
    const start = random.next(ARENA_PAGES - 1);
    const pages = 1 + random.next(Math.min(16, ARENA_PAGES - start));
    const writable = random.next(4) > 0;
    const prot = PROT_READ | (writable ? PROT_WRITE : 0);
    const shared = random.next(3) === 0;
    const flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE);
    const from = random.next(2) === 0 ? this.files[random.next(this.files.length)]! : null;
    const pgoff = from === null ? 0 : random.next(FILE_PAGES / 2);
    this.log.push(
      `${task.pid} mmap(${start}, ${pages}, ${prot}, ${shared ? 'shared' : 'private'}, ${from?.inode.name ?? 'anon'}, ${pgoff})`,
    );
    const addr = (ARENA + start) * 4096;
    const result =
      from === null
        ? doMmap(machine, task.mm!, addr, pages * 4096, prot, flags | MAP_ANONYMOUS, null, 0)
        : doMmap(machine, task.mm!, addr, pages * 4096, prot, flags, from.file, pgoff);
    if (result < 0) {
      // Out of memory may have unmapped what was there (6.1); the model learns it from the VMAs.
      this.forgetUnmapped(at);
      return;
    }
    const object = from?.object ?? (shared ? new SharedObject(pages) : null);
    for (let i = 0; i < pages; i++) {
      cells.set(start + i, {
        own: object === null ? ZERO_TOKEN : null,
        maybeZero: false,
        object,
        index: pgoff + i,
        shared,
        writable,
        anonymous: from === null && !shared,
      });
    }
  }

  private touch(at: number, write: boolean): void {
    const { random } = this;
    const start = random.next(ARENA_PAGES);
    const pages = 1 + random.next(12);
    this.log.push(`${this.tasks[at]!.task.pid} ${write ? 'store' : 'load'}(${start}, ${pages})`);
    for (let page = start; page < Math.min(ARENA_PAGES, start + pages); page++) {
      if (!this.touchPage(at, page, write)) return;
    }
  }

  private touchAll(at: number): void {
    for (const page of [...this.tasks[at]!.cells.keys()]) if (!this.touchPage(at, page, false)) return;
  }

  /** False: the task was killed. */
  private touchPage(at: number, page: number, write: boolean, content?: Token): boolean {
    const { machine } = this;
    const { task, cells } = this.tasks[at]!;
    const vpn = (ARENA + page) as Vpn;
    const cell = cells.get(page);
    const token = write ? (content ?? machine.newToken()) : ZERO_TOKEN;
    const failed = write ? storePage(machine, task.mm!, vpn, token) : loadPage(machine, task.mm!, vpn);
    if (task.killed) {
      // Killed on the way: the access may have been made all the same, and others may see it.
      if (write && failed === 0 && cell !== undefined) this.remember(cell, token);
      return false;
    }
    const beyond = cell?.own === null && cell.index >= cell.object!.pages;
    const wantFault = cell === undefined || beyond || (write && !cell.writable);
    if ((failed !== 0) !== wantFault) {
      throw new Error(
        `page ${page} of ${task.pid}: ${write ? 'store' : 'load'} met ${failed}, expected ${wantFault ? 'a signal' : 'none'} (${describe(cell)})`,
      );
    }
    if (failed !== 0) return true;
    if (write) this.remember(cell!, token);
    else this.compare(task, cell!, page, readToken(machine, task.mm!, vpn));
    return true;
  }

  private remember(cell: Cell, token: Token): void {
    cell.maybeZero = false;
    if (cell.shared) cell.object!.tokens.set(cell.index, token);
    else cell.own = token;
  }

  private compare(task: Task, cell: Cell, page: number, got: Token | -1): void {
    const want = cell.own ?? cell.object!.tokens.get(cell.index) ?? ZERO_TOKEN;
    if (got === want) return;
    if (cell.maybeZero && got === ZERO_TOKEN) {
      cell.own = ZERO_TOKEN;
      cell.maybeZero = false;
      return;
    }
    throw new Error(`page ${page} of ${task.pid} reads token ${got}, the model says ${want} (${describe(cell)})`);
  }

  private unmap(at: number): void {
    const { task, cells } = this.tasks[at]!;
    const [start, pages] = this.range();
    this.log.push(`${task.pid} munmap(${start}, ${pages})`);
    if (doMunmap(this.machine, task.mm!, (ARENA + start) * 4096, pages * 4096) < 0) return;
    for (let i = 0; i < pages; i++) cells.delete(start + i);
  }

  private advise(at: number): void {
    const { random, machine } = this;
    const { task, cells } = this.tasks[at]!;
    const [start, pages] = this.range();
    const advice = [MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED][random.next(5)]!;
    this.log.push(`${task.pid} madvise(${start}, ${pages}, ${advice})`);
    if (!machine.generation.knownAdvice.has(advice)) return;
    const locked = new Set<number>();
    for (const vma of task.mm!.vmas) {
      if ((vma.vmFlags & 0x2000) === 0) continue;
      for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn++) locked.add(vpn - ARENA);
    }
    doMadvise(machine, task.mm!, (ARENA + start) * 4096, pages * 4096, advice);
    // A call that stopped on the way has changed the pages before; a locked VMA or one of the wrong kind stops it.
    for (let page = start; page < start + pages; page++) {
      const cell = cells.get(page);
      if (cell === undefined) continue;
      if ((advice === MADV_DONTNEED || advice === MADV_FREE) && locked.has(page)) return;
      if (advice === MADV_FREE && !cell.anonymous) return;
      if (advice === MADV_DONTNEED && !cell.shared) cell.own = cell.object === null ? ZERO_TOKEN : null;
      if (advice === MADV_FREE) cell.maybeZero = true;
    }
  }

  private fork(at: number): void {
    if (this.tasks.length >= 6) return;
    const { machine } = this;
    const { task, cells } = this.tasks[at]!;
    const mm = dupMm(machine, task.mm!, task.memcg);
    this.log.push(`${task.pid} fork = ${this.nextPid}`);
    if (mm === null) return;
    const child = newTask(machine, this.nextPid++, 'child', mm, task.memcg, task);
    if (child === null) {
      mmPut(machine, mm);
      return;
    }
    const copy = new Map<number, Cell>();
    for (const [page, cell] of cells) copy.set(page, { ...cell });
    this.tasks.push({ task: child, cells: copy });
  }

  private exit(at: number): void {
    if (at === 0) return;
    this.log.push(`${this.tasks[at]!.task.pid} exit`);
    exitTask(this.machine, this.tasks[at]!.task);
    this.tasks.splice(at, 1);
  }

  private remap(at: number): void {
    const { task, cells } = this.tasks[at]!;
    const [start, pages] = this.range();
    const [target] = this.range();
    if (target + pages > ARENA_PAGES || (target < start + pages && start < target + pages)) return;
    this.log.push(`${task.pid} mremap(${start}, ${pages} -> ${target})`);
    doMremap(
      this.machine,
      task.mm!,
      (ARENA + start) * 4096,
      pages * 4096,
      pages * 4096,
      MREMAP_MAYMOVE | MREMAP_FIXED,
      (ARENA + target) * 4096,
    );
    // A move over several VMAs that fails has moved those before: the VMAs say which.
    const mapped = (page: number): boolean => task.mm!.vmas.findExact((ARENA + page) as Vpn) !== null;
    for (let i = 0; i < pages; i++) {
      const cell = cells.get(start + i);
      if (cell !== undefined && !mapped(start + i)) {
        cells.set(target + i, cell);
        cells.delete(start + i);
      } else if (!mapped(target + i)) {
        cells.delete(target + i);
      }
    }
  }

  private remapPages(at: number): void {
    const { random, machine } = this;
    const { task, cells } = this.tasks[at]!;
    // Somewhere inside a shared mapping, or nowhere.
    const sharedPages = [...cells].filter(([, cell]) => cell.shared).map(([page]) => page);
    const start = sharedPages.length > 0 ? sharedPages[random.next(sharedPages.length)]! : random.next(ARENA_PAGES);
    const pages = 1 + random.next(4);
    const pgoff = random.next(FILE_PAGES);
    this.log.push(`${task.pid} remap_file_pages(${start}, ${pages}, ${pgoff})`);
    const flags = random.next(2) === 0 ? MAP_NONBLOCK : 0;
    const addr = (ARENA + start) * 4096;
    const result = machine.generation.remapFilePages(machine, task.mm!, addr, pages * 4096, 0, pgoff, flags);
    for (let i = 0; i < pages; i++) {
      const cell = cells.get(start + i);
      if (cell === undefined) continue;
      const vma = task.mm!.vmas.findExact((ARENA + start + i) as Vpn);
      if (vma === null) cells.delete(start + i);
      else if (result === 0) cell.index = pgoff + i;
      else if (result === -ENOMEM) cell.index = this.indexAt(task, vma, start + i);
    }
  }

  /** A call that ran out of memory on the way has changed the first pages. */
  private indexAt(task: Task, vma: Vma, page: number): number {
    const { pageTables, frames } = this.machine;
    const vpn = (ARENA + page) as Vpn;
    const slot = pageTables.slotOf(task.mm!.pageTables, vpn);
    if (slot !== NO_SLOT && pageTables.has(slot, PTE_FILE)) return pageTables.filePgoff(slot);
    if (slot !== NO_SLOT && pageTables.isPresent(slot)) return frames.index(pageTables.pfn(slot));
    return linearPageIndex(vma, vpn);
  }

  private protect(at: number): void {
    const { task, cells } = this.tasks[at]!;
    const [start, pages] = this.range();
    const writable = this.random.next(2) === 0;
    this.log.push(`${task.pid} mprotect(${start}, ${pages}, ${writable ? 'rw' : 'r'})`);
    doMprotect(this.machine, task.mm!, (ARENA + start) * 4096, pages * 4096, PROT_READ | (writable ? PROT_WRITE : 0));
    // It stops at the first hole, and what stands before is changed.
    for (let page = start; page < start + pages; page++) {
      const vma = task.mm!.vmas.findExact((ARENA + page) as Vpn);
      const cell = cells.get(page);
      if (cell !== undefined && vma !== null) cell.writable = (vma.vmFlags & 2) !== 0;
    }
  }

  private readWrite(): void {
    const { random, machine } = this;
    const chosen = this.files[random.next(this.files.length)]!;
    const index = random.next(FILE_PAGES);
    const write = random.next(2) === 0;
    this.log.push(`${write ? 'write' : 'read'}(${chosen.inode.name}, ${index})`);
    if (write) {
      let token: Token = ZERO_TOKEN;
      const done = filemapWrite(machine, chosen.file, index * 4096, 4096, {
        page: () => {
          token = machine.newToken();
          return token;
        },
      });
      if (done <= 0) return;
      chosen.object.tokens.set(index, token);
      chosen.object.pages = Math.max(chosen.object.pages, index + 1);
    } else {
      let got: Token | -1 = -1;
      const done = filemapRead(machine, chosen.file, index * 4096, 4096, {
        page: (token, from, to) => {
          got = token;
          return to - from;
        },
      });
      if (done <= 0) return;
      const want = chosen.object.tokens.get(index) ?? ZERO_TOKEN;
      if (got !== want)
        throw new Error(`read of ${chosen.inode.name} page ${index} gives token ${got}, the model says ${want}`);
    }
  }

  private truncate(): void {
    const { random, machine } = this;
    const chosen = this.files[random.next(this.files.length)]!;
    const pages = random.next(FILE_PAGES + 1);
    this.log.push(`truncate(${chosen.inode.name}, ${pages})`);
    truncateSetsize(machine, chosen.inode, pages * 4096);
    chosen.object.pages = pages;
    for (const index of [...chosen.object.tokens.keys()]) if (index >= pages) chosen.object.tokens.delete(index);
    for (const { cells } of this.tasks) {
      for (const cell of cells.values()) if (cell.object === chosen.object && cell.index >= pages) cell.own = null;
    }
  }

  private lock(at: number): void {
    const { task } = this.tasks[at]!;
    const [start, pages] = this.range();
    const lock = this.random.next(2) === 0;
    this.log.push(`${task.pid} ${lock ? 'mlock' : 'munlock'}(${start}, ${pages})`);
    const addr = (ARENA + start) * 4096;
    if (lock) doMlock(this.machine, task.mm!, addr, Math.min(4, pages) * 4096, false);
    else doMunlock(this.machine, task.mm!, addr, pages * 4096);
  }

  private sync(at: number): void {
    const { task } = this.tasks[at]!;
    const [start, pages] = this.range();
    this.log.push(`${task.pid} msync(${start}, ${pages})`);
    doMsync(this.machine, task.mm!, (ARENA + start) * 4096, pages * 4096, 4);
    const { file } = this.files[this.random.next(this.files.length)]!;
    vfsFsync(this.machine, file, 0, Number.POSITIVE_INFINITY, false);
  }

  private cycleSwap(): void {
    const { machine } = this;
    this.log.push('swapoff, swapon');
    machine.current = machine.idle;
    if (swapoff(machine, this.swapType) < 0) return;
    this.swapType = swapon(machine, { bytes: 4 * 1024 * 1024, device: this.random.next(2) === 0 ? 'disk' : 'zram' });
  }

  /** Kernels that merge equal pages and move pages: neither may be seen by a program. */
  private mergeOrMove(at: number): void {
    const { random, machine } = this;
    const { task } = this.tasks[at]!;
    machine.current = task;
    const [start, pages] = this.range();
    const what = random.next(8);
    if (what < 2) {
      this.log.push(`${task.pid} store of equal content(${start}, ${pages})`);
      for (let page = start; page < start + pages; page++) {
        if (!this.touchPage(at, page, true, (EQUAL_TOKENS + random.next(3)) as Token)) break;
      }
    } else if (what < 4) {
      this.log.push(`${task.pid} madvise(${start}, ${pages}, mergeable)`);
      machine.ksm!.setRun(KSM_RUN_MERGE);
      const all = random.next(2) === 0;
      doMadvise(
        machine,
        task.mm!,
        (all ? ARENA : ARENA + start) * 4096,
        (all ? ARENA_PAGES : pages) * 4096,
        MADV_MERGEABLE,
      );
    } else if (what < 5) {
      this.log.push(`${task.pid} madvise(${start}, ${pages}, unmergeable)`);
      doMadvise(machine, task.mm!, (ARENA + start) * 4096, pages * 4096, MADV_UNMERGEABLE);
    } else if (what < 6) {
      this.log.push('ksmd runs');
      machine.advance((1 + random.next(10)) * 20_000_000);
    } else if (what < 7) {
      this.log.push(`${task.pid} migrate(${start}, ${pages})`);
      this.migrate(task, start, pages);
    } else if (random.next(2) === 0) {
      const order = 1 + random.next(4);
      this.log.push(`2**${order} pages`);
      const pfn = allocPages(machine, GFP_KERNEL, order);
      if (pfn !== NO_PFN) putPage(machine, pfn);
    } else {
      this.log.push('compact_memory');
      machine.current = machine.idle;
      for (const compaction of physical_3(machine).compaction) {
        compaction.compactZone(WHOLE_ZONE, MIGRATE_MOVABLE_3, random.next(3));
      }
    }
    machine.current = machine.idle;
    this.dropKilled();
  }

  /** Each page of the range goes to whatever frame is free. */
  private migrate(task: Task, start: number, pages: number): void {
    const { machine } = this;
    const isolated: Pfn[] = [];
    machine.lru.drain();
    for (let page = start; page < start + pages; page++) {
      const pfn = frameAt(machine, task.mm!, (ARENA + page) as Vpn);
      if (pfn !== null && isolateForMigration(machine, pfn)) isolated.push(pfn);
    }
    const target = {
      alloc: () => allocPages(machine, GFP_HIGHUSER_MOVABLE, 0),
      free: (pfn: Pfn) => putPage(machine, pfn),
    };
    migratePages(machine, isolated, target, this.random.next(3));
    putbackMovablePages(machine, isolated);
  }

  // helpers

  private addFile(i: number): void {
    const { machine } = this;
    const inode = newInode(machine, `file${i}`, i === 0 ? 'disk' : 'tmpfs', 0);
    const file = openInode(machine, inode, true, true, false);
    this.files.push({ inode, file, object: new SharedObject(0) });
  }

  private range(): [number, number] {
    const start = this.random.next(ARENA_PAGES - 1);
    return [start, 1 + this.random.next(Math.min(20, ARENA_PAGES - start))];
  }

  /** The OOM killer's victims leave. */
  private dropKilled(): void {
    for (let at = this.tasks.length - 1; at >= 0; at--) {
      const { task } = this.tasks[at]!;
      if (!task.killed) continue;
      exitTask(this.machine, task);
      this.tasks.splice(at, 1);
    }
    if (this.tasks.length > 0) return;
    const { machine } = this;
    const memcg = machine.generation.cgroups ? machine.newCgroup(`again${this.nextPid}`) : machine.rootMemcg;
    for (let tries = 0; tries < 8; tries++) {
      const mm = newMm(machine, memcg)!;
      const task = newTask(machine, this.nextPid++, 'init', mm, memcg, null);
      if (task !== null) {
        this.tasks.push({ task, cells: new Map() });
        return;
      }
      // Only the cache is left to be in the way of a stack.
      mmPut(machine, mm);
      dropCaches(machine, 3);
      machine.advance(1_000_000_000);
    }
    throw new Error('no memory for a process, though nobody is there');
  }

  private forgetUnmapped(at: number): void {
    const { task, cells } = this.tasks[at]!;
    for (const page of [...cells.keys()]) {
      if (task.mm!.vmas.findExact((ARENA + page) as Vpn) === null) cells.delete(page);
    }
  }

  /** Ends everything: afterwards nothing may be left charged or mapped. */
  end(): void {
    for (const { task } of this.tasks) exitTask(this.machine, task);
    this.tasks.length = 0;
    for (const { file } of this.files) putFile(this.machine, file);
  }
}
