/**
 * execve: a new program in an old process.
 *
 * Owns      what of an ELF file matters to memory, and the order in which the kernel reads, maps and touches it.
 * Promises  1. A program that cannot be started leaves the old one as it was; once the old one is gone, failure kills.
 *           2. Every page that the kernel itself touches is touched: headers, arguments, the ends of .data, the vectors on the stack.
 * Linux     6.18 fs/exec.c: bprm_mm_init get_arg_page bprm_stack_limits setup_arg_pages begin_new_exec;
 *           fs/binfmt_elf.c: load_elf_binary elf_load padzero create_elf_tables load_elf_interp
 *
 *   end of stack ─► 8 zero bytes │ file name │ environment │ arguments │ platform, random bytes │ auxv, envp, argv ◄─ sp
 *
 * DIFFERS: [vdso] and [vvar] are not mapped; a user sees two or three regions fewer in maps, none of which is charged.
 *          The stack is made where it ends up, not moved there.
 */

import { execMmap } from '../mm/active_mm.ts';
import { E2BIG, ENOENT, ENOMEM, ETXTBSY, type SysResult } from '../mm/errno.ts';
import { openInode, putFile } from '../mm/file.ts';
import { filemapRead } from '../mm/filemap.ts';
import { mmPut, newMm } from '../mm/fork.ts';
import type { File } from '../mm/fs.ts';
import { faultinPageRange } from '../mm/gup.ts';
import type { Machine } from '../mm/machine.ts';
import { storePage } from '../mm/memory.ts';
import { type Mm, TASK_SIZE } from '../mm/mm.ts';
import { doMmap, doMunmap, expandStack, vmEnoughMemory, vmStatAccount } from '../mm/mmap.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../mm/uapi.ts';
import { PAGE_SIZE, type Pgoff, type Vaddr, type Vpn, vpnOf } from '../mm/units.ts';
import { VM_ACCOUNT, VM_GROWSDOWN, VM_MAYEXEC, VM_MAYREAD, VM_MAYWRITE, VM_READ, VM_WRITE } from '../mm/vm_flags.ts';
import type { Vma } from '../mm/vma.ts';
import { newVma } from '../mm/vma_merge.ts';
import { ELF_ET_DYN_BASE, mmapBase, pageAlign, pageStart } from './layout.ts';
import { allowWriteAccess, denyWriteAccess, type Paths } from './paths.ts';
import type { Process } from './process.ts';

/** A PT_LOAD program header. */
export interface ElfSegment {
  readonly vaddr: number;
  readonly offset: number;
  readonly fileBytes: number;
  readonly memBytes: number;
  /** PROT_ bits. */
  readonly prot: number;
}

export interface ElfFile {
  readonly path: string;
  /** ET_DYN: it can be put anywhere. */
  readonly positionIndependent: boolean;
  /** Number of program headers; they stand behind the 64 bytes of the ELF header. */
  readonly programHeaders: number;
  readonly segments: readonly ElfSegment[];
}

export interface ExecImage {
  readonly program: ElfFile;
  /** ld.so, and where in the program its name stands. */
  readonly interpreter: { readonly file: ElfFile; readonly nameOffset: number } | null;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  /** Where things went when a program was recorded; what is left out goes where Linux puts it without randomization. */
  readonly layout?: {
    readonly programBase?: number;
    readonly interpreterBase?: number;
    readonly stackEnd?: number;
    readonly mmapBase?: number;
    readonly brk?: number;
  };
}

/** The first bytes of every file that is executed (BINPRM_BUF_SIZE); an ELF header, and one program header. */
const BINPRM_BYTES = 256;
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const POINTER_BYTES = 8;
/** The stack starts out this much longer than what stands on it. */
const STACK_EXPAND = 128 * 1024;
const LEAST_ARGUMENT_LIMIT = 128 * 1024;
const MOST_ARGUMENT_LIMIT = 6 * 2 ** 20;
/** AT_PLATFORM ("x86_64") and AT_RANDOM on the stack, and the pairs of the auxiliary vector. */
const PLATFORM_BYTES = 7;
const RANDOM_BYTES = 16;
const AUXV_PAIRS = 22;

const VM_STACK_FLAGS = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN | VM_ACCOUNT;

/** 0 or -errno. After a failure the process is either unchanged, or killed. */
export function execve(machine: Machine, paths: Paths, p: Process, image: ExecImage): SysResult {
  const program = openExec(machine, paths, image.program.path);
  if (typeof program === 'number') return program;
  const old = p.mm;
  const mm = newMm(machine, p.task.memcg, old);
  if (mm === null) return giveUp(machine, program, -ENOMEM);
  copyLimits(mm, old);
  mm.owner = p.task;
  const stack = new ArgumentStack(machine, mm, image.layout?.stackEnd ?? TASK_SIZE);
  const failed = stack.copyArguments(image);
  const interpreter = failed < 0 ? failed : readHeaders(machine, paths, program, image);
  if (typeof interpreter === 'number') {
    mmPut(machine, mm);
    return giveUp(machine, program, interpreter);
  }

  // From here on there is no way back.
  execMmap(machine, p.task, mm);
  mm.exeFile = program;
  if (old.owner === p.task) old.owner = null;
  mmPut(machine, old);
  if (p.exeFile !== null) endExe(machine, p.exeFile);
  p.exeFile = program;
  p.task.comm = image.program.path.split('/').at(-1)!.slice(0, 15);
  const files = p.files.users > 1 ? p.files.copy() : p.files;
  if (files !== p.files) {
    p.files.put(machine);
    p.files = files;
  }
  p.files.closeForExec(machine);
  mm.mmapBase = (image.layout?.mmapBase ?? mmapBase(machine, mm)) as Vaddr;
  const result = loadProgram(machine, mm, stack, program, interpreter, image);
  if (interpreter !== null) endExe(machine, interpreter);
  if (result < 0) p.task.killed = true;
  return result;
}

/** The program of a process that forked is executed by its child, too. */
export function shareExe(from: Process, to: Process): void {
  if (from.exeFile === null) return;
  from.exeFile.count += 1;
  denyWriteAccess(from.exeFile.inode);
  to.exeFile = from.exeFile;
}

/** Nobody executes the file through this open of it any more. */
export function endExe(machine: Machine, file: File): void {
  allowWriteAccess(file.inode);
  putFile(machine, file);
}

function giveUp(machine: Machine, program: File, errno: number): number {
  endExe(machine, program);
  return errno;
}

function openExec(machine: Machine, paths: Paths, path: string): File | number {
  const inode = paths.lookup(path);
  if (inode === undefined) return -ENOENT;
  if (!denyWriteAccess(inode)) return -ETXTBSY;
  return openInode(machine, inode, true, false, false);
}

function copyLimits(mm: Mm, old: Mm): void {
  mm.rlimitStack = old.rlimitStack;
  mm.rlimitAs = old.rlimitAs;
  mm.rlimitData = old.rlimitData;
  mm.rlimitMemlock = old.rlimitMemlock;
}

/** Reads what the kernel must know of program and interpreter; returns the interpreter, open, if there is one. */
function readHeaders(machine: Machine, paths: Paths, program: File, image: ExecImage): File | null | number {
  filemapRead(machine, program, 0, BINPRM_BYTES, null);
  filemapRead(machine, program, ELF_HEADER_BYTES, image.program.programHeaders * PROGRAM_HEADER_BYTES, null);
  if (image.interpreter === null) return null;
  const { file, nameOffset } = image.interpreter;
  filemapRead(machine, program, nameOffset, file.path.length + 1, null);
  const interpreter = openExec(machine, paths, file.path);
  if (typeof interpreter === 'number') return interpreter;
  filemapRead(machine, interpreter, 0, ELF_HEADER_BYTES, null);
  filemapRead(machine, interpreter, ELF_HEADER_BYTES, file.programHeaders * PROGRAM_HEADER_BYTES, null);
  return interpreter;
}

// the stack

/** The new stack while it is filled, downwards. */
class ArgumentStack {
  private readonly machine: Machine;
  private readonly mm: Mm;
  private readonly end: number;
  private vma: Vma | null = null;
  /** Everything above is in use. */
  private sp: number;

  constructor(machine: Machine, mm: Mm, end: number) {
    this.machine = machine;
    this.mm = mm;
    this.end = end;
    this.sp = end - POINTER_BYTES;
  }

  /** File name, environment, arguments. 0 or -errno. */
  copyArguments(image: ExecImage): number {
    const { machine, mm } = this;
    const start = vpnOf(this.end - PAGE_SIZE);
    this.vma = newVma(machine, mm, start, (start + 1) as Vpn, VM_STACK_FLAGS, start as number as Pgoff, null);
    if (this.vma === null || vmEnoughMemory(machine, mm, 1) < 0) return -ENOMEM;
    mm.vmas.insert(this.vma);
    vmStatAccount(mm, VM_STACK_FLAGS, 1, null);

    const pointers = (Math.max(1, image.argv.length) + image.envp.length) * POINTER_BYTES;
    const limit = Math.max(Math.min(MOST_ARGUMENT_LIMIT, Math.floor(mm.rlimitStack / 4)), LEAST_ARGUMENT_LIMIT);
    const lowest = this.sp - (limit - pointers);
    for (const strings of [[image.program.path], image.envp, image.argv]) {
      const bytes = strings.reduce((sum, text) => sum + text.length + 1, 0);
      if (this.sp - bytes < lowest) return -E2BIG;
      if (strings === image.envp) mm.envEnd = this.sp as Vaddr;
      const failed = this.push(bytes);
      if (failed < 0) return failed;
      if (strings === image.envp) mm.envStart = this.sp as Vaddr;
    }
    mm.argStart = this.sp as Vaddr;
    mm.argEnd = mm.envStart;
    return 0;
  }

  /** Faults in every page that the next `bytes` bytes reach, from above. 0 or -errno. */
  private push(bytes: number): number {
    if (bytes === 0) return 0;
    const { machine, mm } = this;
    const last = vpnOf(this.sp - 1);
    this.sp -= bytes;
    for (let vpn = last; vpn >= vpnOf(this.sp); vpn = (vpn - 1) as Vpn) {
      if (vpn < this.vma!.vmStart && expandStack(machine, this.vma!, vpn) < 0) return -E2BIG;
      if (faultinPageRange(machine, mm, vpn, (vpn + 1) as Vpn, true) < 0) return -E2BIG;
      machine.frames.setToken(
        machine.pageTables.pfn(machine.pageTables.slotOf(mm.pageTables, vpn)),
        machine.newToken(),
      );
    }
    return 0;
  }

  /** Makes room for the program to start in. 0 or -errno. */
  expand(): number {
    const vma = this.vma!;
    const size = vma.pages * PAGE_SIZE + STACK_EXPAND;
    const limit = pageStart(Math.min(this.mm.rlimitStack, TASK_SIZE));
    const bottom = size > limit ? this.end - limit : this.end - size;
    this.mm.startStack = this.sp as Vaddr;
    return vpnOf(bottom) < vma.vmStart ? expandStack(this.machine, vma, vpnOf(bottom)) : 0;
  }

  /** Writes the vectors that main() gets, upwards from where the program's stack begins. 0 or -errno. */
  writeVectors(image: ExecImage): number {
    const { machine, mm } = this;
    const strings = this.sp - (this.sp % 16) - PLATFORM_BYTES - RANDOM_BYTES;
    const words = 1 + image.argv.length + 1 + image.envp.length + 1 + 2 * AUXV_PAIRS;
    const start = strings - words * POINTER_BYTES;
    for (let vpn = vpnOf(strings); vpn <= vpnOf(this.sp - 1); vpn = (vpn + 1) as Vpn) {
      if (storePage(machine, mm, vpn, machine.newToken()) !== 0) return -ENOMEM;
    }
    this.sp = start - (start % 16);
    for (let vpn = vpnOf(this.sp); vpn <= vpnOf(strings); vpn = (vpn + 1) as Vpn) {
      if (storePage(machine, mm, vpn, machine.newToken()) !== 0) return -ENOMEM;
    }
    mm.startStack = this.sp as Vaddr;
    return 0;
  }
}

// the segments

function loadProgram(
  machine: Machine,
  mm: Mm,
  stack: ArgumentStack,
  program: File,
  interpreter: File | null,
  image: ExecImage,
): number {
  const { layout } = image;
  const expanded = stack.expand();
  if (expanded < 0) return expanded;
  const base = layout?.programBase ?? (interpreter === null ? null : ELF_ET_DYN_BASE);
  const bias = loadElf(machine, mm, program, image.program, base);
  if (bias < 0) return bias;
  noteBounds(mm, image.program, bias, layout?.brk);
  if (interpreter !== null) {
    const loaded = loadElf(machine, mm, interpreter, image.interpreter!.file, layout?.interpreterBase ?? null);
    if (loaded < 0) return loaded;
  }
  return stack.writeVectors(image);
}

/** Maps every segment, at `base` if the file may lie anywhere (null: where mmap finds room). What to add to its addresses, or -errno. */
function loadElf(machine: Machine, mm: Mm, file: File, elf: ElfFile, base: number | null): number {
  const first = elf.segments[0];
  const last = elf.segments.at(-1);
  if (first === undefined || last === undefined) return -ENOMEM;
  const span = elf.positionIndependent ? last.vaddr + last.memBytes - pageStart(first.vaddr) : 0;
  let bias = elf.positionIndependent && base !== null ? base - pageStart(first.vaddr) : 0;
  for (const segment of elf.segments) {
    const isFirst = segment === first;
    const anywhere = isFirst && elf.positionIndependent && base === null;
    const fixed = anywhere ? 0 : isFirst ? MAP_FIXED_NOREPLACE : MAP_FIXED;
    const addr = anywhere ? 0 : pageStart(segment.vaddr + bias);
    const at = loadSegment(machine, mm, file, segment, addr, MAP_PRIVATE | fixed, isFirst ? span : 0);
    if (at < 0) return at;
    if (anywhere) bias = at - pageStart(segment.vaddr);
  }
  return bias;
}

/** The first segment reserves the whole span, so that the others find room behind it. Its address, or -errno. */
function loadSegment(
  machine: Machine,
  mm: Mm,
  file: File,
  segment: ElfSegment,
  addr: number,
  flags: number,
  span: number,
): number {
  const inPage = segment.vaddr % PAGE_SIZE;
  let start = addr;
  if (segment.fileBytes > 0) {
    const bytes = pageAlign(segment.fileBytes + inPage);
    const wanted = Math.max(bytes, pageAlign(span));
    const pgoff = (segment.offset - inPage) / PAGE_SIZE;
    start = doMmap(machine, mm, addr, wanted, segment.prot, flags, file, pgoff);
    if (start < 0) return start;
    if (wanted > bytes) doMunmap(machine, mm, start + bytes, wanted - bytes);
  }
  if (segment.memBytes <= segment.fileBytes) return start;
  const zeroStart = start + inPage + segment.fileBytes;
  const zeroEnd = pageAlign(start + inPage + segment.memBytes);
  if (zeroStart % PAGE_SIZE !== 0) {
    const failed = clearTail(machine, mm, zeroStart);
    if (failed < 0 && (segment.prot & PROT_WRITE) !== 0) return failed;
  }
  const bss = pageAlign(zeroStart);
  if (zeroEnd <= bss) return start;
  const prot = segment.prot | PROT_READ | PROT_WRITE;
  const mapped = doMmap(machine, mm, bss, zeroEnd - bss, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  return mapped < 0 ? mapped : start;
}

/** From the end of the data to the end of its page there are zeros: the page becomes the program's own. */
function clearTail(machine: Machine, mm: Mm, from: number): number {
  return storePage(machine, mm, vpnOf(from), machine.newToken()) === 0 ? 0 : -ENOMEM;
}

function noteBounds(mm: Mm, elf: ElfFile, bias: number, brk: number | undefined): void {
  const ends = elf.segments.map((segment) => segment.vaddr + segment.memBytes + bias);
  mm.startBrk = (brk ?? pageAlign(Math.max(...ends))) as Vaddr;
  mm.brk = mm.startBrk;
  const data = elf.segments.at(-1)!;
  mm.startData = (data.vaddr + bias) as Vaddr;
  mm.endData = (data.vaddr + data.fileBytes + bias) as Vaddr;
  const code = elf.segments.filter((segment) => (segment.prot & PROT_EXEC) !== 0);
  mm.startCode = ((code[0]?.vaddr ?? 0) + bias) as Vaddr;
  mm.endCode = ((code.at(-1)?.vaddr ?? 0) + (code.at(-1)?.fileBytes ?? 0) + bias) as Vaddr;
}
