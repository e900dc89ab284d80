/**
 * Accesses of programs, and the faults that they meet.
 *
 * Owns      the way from an access to a fault and back: who may access what, how often a fault starts again, what is counted.
 *           What a fault does to an entry differs between kernels: generation.handlePteFault (faults.ts for 6.x).
 * Promises  1. After a fault that reports no error the access can go on, or the entry changed meanwhile and it is tried again.
 *           2. A recording's access that the TLB answers costs no call.
 * Linux     6.18 mm/memory.c: handle_mm_fault; arch/x86/mm/fault.c: do_user_addr_fault access_error
 */

import { FAULT_NS } from './costs.ts';
import {
  BUS_ADRERR,
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_INSTRUCTION,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_USER,
  FAULT_FLAG_WRITE,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIGBUS,
  SIGKILL,
  SIGSEGV,
  VM_FAULT_ERROR,
  VM_FAULT_MAJOR,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
} from './fault.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents } from './memcg.ts';
import type { MultiGen } from './mglru/multi_gen.ts';
import { hasRecency } from './mglru/walk.ts';
import type { Mm } from './mm.ts';
import { expandStack } from './mmap.ts';
import { NO_SLOT, PTE_DIRTY, PTE_PRESENT, PTE_RW, PTE_YOUNG } from './page_table.ts';
import type { Task } from './task.ts';
import type { Token, Vpn } from './units.ts';
import { VM_ACCESS_FLAGS, VM_EXEC, VM_GROWSDOWN, VM_READ, VM_WRITE } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { findVma } from './vmacache.ts';
import { PGFAULT } from './vmstat.ts';

/** A program that faults for ever without being killed is stuck in the engine, not in the program. */
const MAX_FAULT_RETRIES = 64;

/**
 * A fault of the program at `vpn`. Returns 0 when the access can be tried again, else the signal;
 * `SIG * 256 + code`, so that nothing is allocated. SIGKILL has code 0.
 */
export function faultIn(machine: Machine, mm: Mm, vpn: Vpn, flags: number): number {
  const task = machine.current;
  if (machine.trace.on) traceException(machine, mm, vpn, flags);
  for (let tries = 0; tries < MAX_FAULT_RETRIES; tries++) {
    if (task.killed) return SIGKILL * 256;
    let vma = findVma(machine, mm, vpn);
    if (vma === null) return SIGSEGV * 256 + SEGV_MAPERR;
    if (vma.vmStart > vpn) {
      if ((vma.vmFlags & VM_GROWSDOWN) === 0 || expandStack(machine, vma, vpn) < 0) return SIGSEGV * 256 + SEGV_MAPERR;
      vma = findVma(machine, mm, vpn)!;
    }
    if (accessError(vma, flags)) return SIGSEGV * 256 + SEGV_ACCERR;
    let result = handleMmFault(machine, vma, vpn, flags | FAULT_FLAG_ALLOW_RETRY);
    // SINCE 6.4: a program's access first tries with the lock of the VMA alone. That was no try, unless it read from disk.
    const vmaLock = machine.generation.switches.perVmaLock && (flags & FAULT_FLAG_USER) !== 0;
    if (vmaLock && startsAgain(result) && (result & VM_FAULT_MAJOR) === 0) {
      result = handleMmFault(machine, vma, vpn, flags | FAULT_FLAG_ALLOW_RETRY);
    }
    if (startsAgain(result))
      result = handleMmFault(machine, vma, vpn, flags | FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED);
    if ((result & VM_FAULT_ERROR) === 0) return 0;
    if ((result & VM_FAULT_SIGSEGV) !== 0) return SIGSEGV * 256 + SEGV_MAPERR;
    if ((result & VM_FAULT_SIGBUS) !== 0) return SIGBUS * 256 + BUS_ADRERR;
    // Out of memory: somebody was killed, perhaps us, or memory comes free; the access is tried again.
  }
  task.killed = true;
  return SIGKILL * 256;
}

/** The bits that x86 pushes: an entry was there, write, by the program, instruction fetch. */
function traceException(machine: Machine, mm: Mm, vpn: Vpn, flags: number): void {
  const slot = machine.pageTables.slotOf(mm.pageTables, vpn);
  const code =
    (slot !== NO_SLOT && machine.pageTables.isPresent(slot) ? 1 : 0) |
    ((flags & FAULT_FLAG_WRITE) !== 0 ? 2 : 0) |
    ((flags & FAULT_FLAG_USER) !== 0 ? 4 : 0) |
    ((flags & FAULT_FLAG_INSTRUCTION) !== 0 ? 16 : 0);
  machine.trace.emit(machine.clock.now, 'exception_page_fault', vpn * 4096, code);
}

function startsAgain(result: number): boolean {
  return (result & (VM_FAULT_ERROR | VM_FAULT_RETRY)) === VM_FAULT_RETRY;
}

function accessError(vma: Vma, flags: number): boolean {
  if ((flags & FAULT_FLAG_WRITE) !== 0) return (vma.vmFlags & VM_WRITE) === 0;
  if ((flags & FAULT_FLAG_INSTRUCTION) !== 0) return (vma.vmFlags & (VM_EXEC | VM_READ)) === 0;
  return (vma.vmFlags & VM_ACCESS_FLAGS) === 0;
}

/** Resolves one fault, and counts it. VM_FAULT_ bits. */
export function handleMmFault(machine: Machine, vma: Vma, vpn: Vpn, flags: number): number {
  const task = machine.current;
  machine.clock.spend(FAULT_NS);
  task.cpuNs += FAULT_NS;
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'page_fault_user', vpn * 4096, flags);
  if (machine.multiGen !== null) enterLruFault(machine.multiGen, task, vma);
  const result = machine.generation.handlePteFault(machine, vma, vpn, flags);
  task.inLruFault = false;
  // SINCE 6.5: a fault that starts again is counted once. Before, each attempt was.
  if ((result & VM_FAULT_RETRY) === 0 || machine.generation.switches.countsRetriedFaults) {
    machine.events[PGFAULT]! += 1;
    countMemcgEvents(vma.vmMm.memcg, PGFAULT, 1);
  }
  if ((result & (VM_FAULT_ERROR | VM_FAULT_RETRY)) === 0) {
    if ((result & VM_FAULT_MAJOR) === 0 && (flags & FAULT_FLAG_TRIED) === 0) {
      task.minFlt += 1;
    } else {
      task.majFlt += 1;
      if (machine.trace.on) machine.trace.emit(machine.clock.now, 'major_fault', vpn * 4096);
    }
  }
  return result;
}

/** What comes in by this fault is in use, unless the mapping is read once from end to end, or here and there. */
function enterLruFault(multiGen: MultiGen, task: Task, vma: Vma): void {
  task.inLruFault = hasRecency(multiGen, vma);
  vma.vmMm.usedOn = -1;
}

// accesses

/** Loads the page at `vpn`, for the program or, with `by` 0, for a copy of the kernel's: 0, or what faultIn says. */
export function loadPage(machine: Machine, mm: Mm, vpn: Vpn, by: number = FAULT_FLAG_USER): number {
  const { pageTables } = machine;
  for (;;) {
    const slot = pageTables.slotOf(mm.pageTables, vpn);
    if (slot !== NO_SLOT && (pageTables.bits[slot]! & PTE_PRESENT) !== 0) {
      pageTables.bits[slot]! |= PTE_YOUNG;
      pageTables.touchTable(slot);
      return 0;
    }
    const failed = faultIn(machine, mm, vpn, by);
    if (failed !== 0) return failed;
  }
}

/** Makes the page at `vpn` writable and marks it written; its content is `token` then. 0, or what faultIn says. */
export function storePage(machine: Machine, mm: Mm, vpn: Vpn, token: Token): number {
  const failed = makeWritable(machine, mm, vpn);
  if (failed !== 0) return failed;
  const { pageTables } = machine;
  machine.frames.setToken(pageTables.pfn(pageTables.slotOf(mm.pageTables, vpn)), token);
  return 0;
}

/** The first half of a store, for who must know the old content: the entry is writable, young and dirty. */
export function makeWritable(machine: Machine, mm: Mm, vpn: Vpn, by: number = FAULT_FLAG_USER): number {
  const { pageTables } = machine;
  for (;;) {
    const slot = pageTables.slotOf(mm.pageTables, vpn);
    if (slot !== NO_SLOT && (pageTables.bits[slot]! & (PTE_PRESENT | PTE_RW)) === (PTE_PRESENT | PTE_RW)) {
      pageTables.bits[slot]! |= PTE_YOUNG | PTE_DIRTY;
      pageTables.touchTable(slot);
      return 0;
    }
    const failed = faultIn(machine, mm, vpn, by | FAULT_FLAG_WRITE);
    if (failed !== 0) return failed;
  }
}

/** What the process would read at `vpn` if it is present; -1 if it is not. No access is made. */
export function readToken(machine: Machine, mm: Mm, vpn: Vpn): Token | -1 {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  if (slot === NO_SLOT || !pageTables.isPresent(slot)) return -1;
  return machine.frames.token(pageTables.pfn(slot));
}

/** Kinds of recorded accesses. */
export const ACCESS_FETCH = 0;
export const ACCESS_READ = 1;
export const ACCESS_WRITE = 2;

/** By kind: the bits of an entry with which the CPU's TLB answers, and nothing else happens. */
// Literals: page_table.ts loads us, so its constants may not be there yet when this line runs.
const TLB_HIT = new Uint16Array([
  /* PTE_ITLB */ 1024,
  /* PTE_DTLB */ 512,
  /* PTE_DTLB | PTE_RW | PTE_DIRTY */ 512 | 2 | 8,
]);

/**
 * Makes the accesses [from, to) of a recording. Returns `to`, or where it stopped: behind a fault at which the time slice ended
 * (`machine.lastSignal` is 0), or at the access that met a signal (`machine.lastSignal` says which, as faultIn does).
 *
 * DIFFERS: a store that the TLB answers keeps the token of the store before. Whoever takes the page from the process, cleans it or
 * runs in another address space flushes the entry first, so only a read(2) of a shared page between two such stores could tell.
 */
export function accessPages(
  machine: Machine,
  mm: Mm,
  vpns: Float64Array,
  kinds: Uint8Array,
  from: number,
  to: number,
): number {
  const { pageTables } = machine;
  const root = mm.pageTables;
  const { tag, base } = root.walks;
  machine.lastSignal = 0;
  pageTables.switchTo(root);
  let bits = pageTables.bits;
  for (let i = from; i < to; i++) {
    const vpn = vpns[i]! as Vpn;
    const inTable = vpn & 511;
    const way = (vpn >>> 9) & 63;
    const hit = TLB_HIT[kinds[i]!]!;
    if (tag[way] === vpn - inTable && (bits[base[way]! + inTable]! & hit) === hit) continue;
    if (machine.trace.on) machine.trace.access = i;
    if (!accessPage(machine, mm, vpn, kinds[i]!)) return i;
    bits = pageTables.bits;
    if (machine.clock.now >= machine.sliceEnd) return i + 1;
  }
  return to;
}

/** One access that the TLB does not answer: a page walk, or a fault. False: it met a signal. */
function accessPage(machine: Machine, mm: Mm, vpn: Vpn, kind: number): boolean {
  const { pageTables, clock } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  const entry = slot === NO_SLOT ? 0 : pageTables.bits[slot]!;
  const wanted = kind === ACCESS_WRITE ? PTE_PRESENT | PTE_RW : PTE_PRESENT;
  if ((entry & wanted) === wanted) {
    if (kind === ACCESS_FETCH) {
      pageTables.fetched(slot, vpn);
    } else if (kind === ACCESS_READ) {
      pageTables.walked(slot, vpn, 0);
    } else {
      pageTables.walked(slot, vpn, PTE_DIRTY);
      machine.frames.setToken(pageTables.pfn(slot), machine.newToken());
    }
    return true;
  }
  machine.lastSignal =
    kind === ACCESS_WRITE
      ? storePage(machine, mm, vpn, machine.newToken())
      : kind === ACCESS_FETCH
        ? fetchPage(machine, mm, vpn)
        : loadPage(machine, mm, vpn);
  if (machine.lastSignal === 0) {
    // The CPU makes the access again, and remembers where the page is now.
    const now = pageTables.slotOf(mm.pageTables, vpn);
    if (kind === ACCESS_FETCH) pageTables.fetched(now, vpn);
    else pageTables.walked(now, vpn, kind === ACCESS_WRITE ? PTE_DIRTY : 0);
  }
  if (clock.nextAt <= clock.now) machine.advance(0);
  return machine.lastSignal === 0;
}

function fetchPage(machine: Machine, mm: Mm, vpn: Vpn): number {
  const { pageTables } = machine;
  const failed = faultIn(machine, mm, vpn, FAULT_FLAG_USER | FAULT_FLAG_INSTRUCTION);
  if (failed !== 0) return failed;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  return slot !== NO_SLOT && pageTables.has(slot, PTE_PRESENT) ? 0 : loadPage(machine, mm, vpn);
}
