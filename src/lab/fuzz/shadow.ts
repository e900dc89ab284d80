/**
 * What every process must read: bytes that a program's calls say, beside an engine that runs it.
 *
 * It knows nothing of frames, swap, caches or writeback: a page is a private one of a process, or one of a file or shared
 * object. Which object an area shows it takes from the engine's VMAs; the bytes it keeps on its own.
 *
 * Owns      private pages by process, pages of objects by inode.
 * Promises  What the calls leave open (MADV_FREE, a call that failed half-way, bytes behind the end of a file) is taken over
 *           when it is next seen, and held to from then on.
 */
import type { Inode } from '../../mm/fs.ts';
import { readToken } from '../../mm/memory.ts';
import type { Mm } from '../../mm/mm.ts';
import { PAGE_SIZE, pagesOf, type Token, type Vpn, vpnOf } from '../../mm/units.ts';
import { VM_MAYSHARE, VM_WIPEONFORK } from '../../mm/vm_flags.ts';
import { linearPageIndex, type Vma } from '../../mm/vma.ts';
import { frameAt } from '../../mm/who.ts';
import { Fnv1a } from '../../syscalls/contents.ts';
import type { MmpCall, MmpFile } from '../../syscalls/mmp.ts';
import {
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_REMOVE,
  MREMAP_DONTUNMAP,
} from '../../syscalls/uapi.ts';
import type { OpRecord } from '../check/recording.ts';
import type { MmpRunner } from '../check/run_mmp.ts';
import { areasOf, hexOf } from './view.ts';

/** Never written to: a change makes a new one. */
type Bytes = Uint8Array;
/** `null`: whatever is there. */
interface Content {
  readonly bytes: Bytes | null;
  /** After MADV_FREE: those bytes, or zeros. */
  readonly maybeZero?: boolean;
}

const ZEROS: Bytes = new Uint8Array(PAGE_SIZE);
const ANYTHING: Content = { bytes: null };
const PAGE_STEP = 37;

export class Shadow {
  private readonly runner: MmpRunner;
  private readonly processes: Map<number, Map<Vpn, Content>> = new Map([[1, new Map()]]);
  private readonly objects: Map<Inode, Map<number, Content>> = new Map();
  /** Token and bytes that were found equal. */
  private readonly known: Map<Token, Bytes> = new Map();
  private brkBefore = 0;
  /** Areas of the caller before the call: [start, end). */
  private areasBefore: [start: number, end: number][] = [];

  constructor(runner: MmpRunner, files: readonly MmpFile[]) {
    this.runner = runner;
    for (const [k, file] of files.entries()) {
      const pages = new Map<number, Content>();
      for (let page = 0; page < file.pages; page++) {
        pages.set(page, { bytes: Uint8Array.from({ length: PAGE_SIZE }, (_, o) => PAGE_STEP * page + o + k) });
      }
      this.objects.set(runner.files.get(file.name)!, pages);
    }
  }

  /** To be called before each call that `after` is called for. */
  before(call: MmpCall): void {
    const mm = this.runner.actors.get(call.proc)?.process.mm;
    this.brkBefore = mm?.brk ?? 0;
    this.areasBefore =
      mm === undefined || call.name !== 'mremap' ? [] : areasOf(mm).map((vma) => [vma.vmStart, vma.vmEnd]);
  }

  /** What the call did to bytes. What is wrong with what it read, or null. */
  after(call: MmpCall, record: OpRecord): string | null {
    const actor = this.runner.actors.get(call.proc);
    if (record.exit === true || record.died === true) this.processes.delete(call.proc);
    if (actor === undefined || record.skipped === true) return null;
    const { mm } = actor.process;
    const failed = this.apply(call, record, mm);
    this.adoptCopies();
    return failed ?? this.wrongPage();
  }

  private apply(call: MmpCall, record: OpRecord, mm: Mm): string | null {
    const n = (i: number): number => numberAt(call, i);
    const ret = typeof record.ret === 'string' ? Number(record.ret) : (record.ret ?? 0);
    const done = record.err === undefined;
    switch (call.name) {
      case 'mmap':
        if (done) this.dropPrivate(call.proc, ret, n(1));
        // Out of memory may have taken away what was there.
        else this.dropUnmapped(call.proc, mm);
        return null;
      case 'munmap':
        if (done) this.dropPrivate(call.proc, n(0), n(1));
        return null;
      case 'mremap':
        this.remapped(call, done, ret, mm);
        return null;
      case 'brk':
        if (mm.brk < this.brkBefore) this.dropPrivate(call.proc, mm.brk, this.brkBefore - mm.brk, true);
        return null;
      case 'madvise':
        this.advised(call, done, mm);
        return null;
      case 'fork':
        if (done) this.forked(call.proc, ret);
        return null;
      case 'store':
        this.stored(call, mm, ret, record.sig !== undefined);
        return null;
      case 'check':
        return done && record.sig === undefined ? this.checked(call, mm, String(record.ret)) : null;
      case 'read':
      case 'pread64':
        if (ret > 0) this.readInto(call, mm, ret);
        return null;
      case 'write':
      case 'pwrite64':
        if (ret > 0) this.written(call, mm, ret);
        return null;
      case 'open':
        if (done && (n(1) & 0o1000) !== 0) this.truncated(this.inodeOf(call.proc, ret));
        return null;
      case 'ftruncate':
        if (done) this.truncated(this.inodeOf(call.proc, n(0)));
        return null;
      case 'fallocate':
        if (done && (n(1) & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0)
          this.zeroed(this.inodeOf(call.proc, n(0)), n(2), n(2) + n(3));
        return null;
      default:
        return null;
    }
  }

  // pages

  private pageOf(proc: number, vma: Vma, vpn: Vpn): Content {
    const own = isShared(vma) ? undefined : this.processes.get(proc)?.get(vpn);
    return own ?? this.objectPage(vma, vpn) ?? { bytes: ZEROS };
  }

  private objectPage(vma: Vma, vpn: Vpn): Content | undefined {
    return vma.vmFile === null ? undefined : this.object(vma.vmFile.inode).get(linearPageIndex(vma, vpn));
  }

  private object(inode: Inode): Map<number, Content> {
    let pages = this.objects.get(inode);
    if (pages === undefined) {
      pages = new Map();
      this.objects.set(inode, pages);
    }
    return pages;
  }

  private setPage(proc: number, vma: Vma, vpn: Vpn, content: Content): void {
    if (isShared(vma)) this.object(vma.vmFile!.inode).set(linearPageIndex(vma, vpn), content);
    else this.processes.get(proc)!.set(vpn, content);
  }

  /** Bytes [from, to) of a page become `value(i)`. Unknown stays unknown. */
  private change(proc: number, mm: Mm, vpn: Vpn, from: number, to: number, value: (i: number) => number | null): void {
    const vma = mm.vmas.findExact(vpn);
    if (vma === null) return;
    const old = this.pageOf(proc, vma, vpn);
    const behindEnd = vma.vmFile !== null && linearPageIndex(vma, vpn) * PAGE_SIZE + to > vma.vmFile.inode.size;
    this.setPage(proc, vma, vpn, behindEnd && isShared(vma) ? ANYTHING : changed(old, from, to, value));
  }

  // calls

  /** Private pages of the range are gone; `whole` rounds its ends up, as brk does. */
  private dropPrivate(proc: number, addr: number, length: number, whole = false): void {
    const pages = this.processes.get(proc)!;
    const first = whole ? pagesOf(addr) : Math.floor(addr / PAGE_SIZE);
    for (let vpn = first; vpn < pagesOf(addr + length); vpn++) pages.delete(vpn as Vpn);
  }

  private remapped(call: MmpCall, done: boolean, ret: number, mm: Mm): void {
    const pages = this.processes.get(call.proc)!;
    const from = vpnOf(numberAt(call, 0));
    const oldPages = pagesOf(numberAt(call, 1));
    const newPages = pagesOf(numberAt(call, 2));
    if (!done) {
      // Some areas may have moved, and the target may be gone.
      for (let i = 0; i < oldPages; i++) pages.set((from + i) as Vpn, ANYTHING);
      for (let i = 0; i < newPages; i++) pages.set((vpnOf(numberAt(call, 4)) + i) as Vpn, ANYTHING);
      this.dropUnmapped(call.proc, mm);
      return;
    }
    const to = vpnOf(ret);
    const moved = new Map<number, Content>();
    for (let i = 0; i < Math.min(oldPages, newPages); i++) {
      const content = pages.get((from + i) as Vpn);
      if (content !== undefined) moved.set(i, content);
    }
    for (let i = 0; i < oldPages; i++) pages.delete((from + i) as Vpn);
    for (let i = 0; i < newPages; i++) {
      // Several areas that move at once leave alone what stands at the holes between them.
      if (oldPages !== newPages || this.wasMapped(from + i)) pages.delete((to + i) as Vpn);
    }
    for (const [i, content] of moved) pages.set((to + i) as Vpn, content);
    if ((numberAt(call, 3) & MREMAP_DONTUNMAP) === 0) this.dropUnmapped(call.proc, mm);
  }

  private wasMapped(page: number): boolean {
    return this.areasBefore.some(([start, end]) => page >= start && page < end);
  }

  private dropUnmapped(proc: number, mm: Mm): void {
    const pages = this.processes.get(proc)!;
    for (const vpn of [...pages.keys()]) if (mm.vmas.findExact(vpn) === null) pages.delete(vpn);
  }

  private advised(call: MmpCall, done: boolean, mm: Mm): void {
    const advice = numberAt(call, 2);
    const start = vpnOf(numberAt(call, 0));
    const end = (start + pagesOf(numberAt(call, 1))) as Vpn;
    const pages = this.processes.get(call.proc)!;
    for (const vma of areasOf(mm)) {
      for (let vpn = Math.max(start, vma.vmStart) as Vpn; vpn < Math.min(end, vma.vmEnd); vpn++) {
        if (advice === MADV_REMOVE && isShared(vma) && vma.vmFile !== null)
          this.object(vma.vmFile.inode).set(linearPageIndex(vma, vpn), done ? { bytes: ZEROS } : ANYTHING);
        if (isShared(vma)) continue;
        if (advice === MADV_DONTNEED || advice === MADV_DONTNEED_LOCKED || advice === MADV_GUARD_INSTALL) {
          if (done) pages.delete(vpn);
          else pages.set(vpn, ANYTHING);
        }
        const own = pages.get(vpn);
        if (advice === MADV_FREE && own !== undefined) pages.set(vpn, { ...own, maybeZero: true });
      }
    }
  }

  private forked(proc: number, child: number): void {
    const copy = new Map(this.processes.get(proc));
    this.processes.set(child, copy);
    const { mm } = this.runner.actors.get(child)!.process;
    this.dropUnmapped(child, mm);
    for (const vpn of [...copy.keys()]) {
      if ((mm.vmas.findExact(vpn)!.vmFlags & VM_WIPEONFORK) !== 0) copy.delete(vpn);
    }
  }

  private stored(call: MmpCall, mm: Mm, done: number, signal: boolean): void {
    const addr = numberAt(call, 0);
    const byte = call.args.length > 2 ? numberAt(call, 2) & 0xff : 0x5a;
    const first = vpnOf(addr);
    for (let i = 0; i < done; i++) {
      const at = i === 0 ? addr % PAGE_SIZE : 0;
      this.change(call.proc, mm, (first + i) as Vpn, at, at + 1, () => byte);
    }
    if (signal) this.dropUnmapped(call.proc, mm);
  }

  private checked(call: MmpCall, mm: Mm, hash: string): string | null {
    const addr = numberAt(call, 0);
    const end = addr + (call.args.length > 1 ? numberAt(call, 1) : PAGE_SIZE);
    const wanted = new Fnv1a();
    for (let at = addr; at < end; ) {
      const vpn = vpnOf(at);
      const wrong = this.wrongAt(call.proc, mm, vpn);
      if (wrong !== null) return wrong;
      const { bytes } = this.pageOf(call.proc, mm.vmas.findExact(vpn)!, vpn);
      if (bytes === null) return null;
      const from = at % PAGE_SIZE;
      const to = Math.min(PAGE_SIZE, from + end - at);
      wanted.add(bytes, from, to);
      at += to - from;
    }
    return wanted.text === hash ? null : `check read bytes of ${hash}, the calls before say ${wanted.text}`;
  }

  private readInto(call: MmpCall, mm: Mm, count: number): void {
    const buffer = call.args[1];
    if (buffer?.kind !== 'number') return;
    const file = this.fileOf(call.proc, numberAt(call, 0));
    const pos = call.name === 'pread64' ? numberAt(call, 3) : file.pos - count;
    const source = new Map(this.object(file.inode));
    for (let done = 0; done < count; ) {
      const at = buffer.value + done;
      const from = at % PAGE_SIZE;
      const to = Math.min(PAGE_SIZE, from + count - done);
      const shift = pos + done - from;
      this.change(call.proc, mm, vpnOf(at), from, to, (i) => byteAt(source, shift + i));
      done += to - from;
    }
  }

  private written(call: MmpCall, mm: Mm, count: number): void {
    const file = this.fileOf(call.proc, numberAt(call, 0));
    const pos = call.name === 'pwrite64' && !file.append ? numberAt(call, 3) : endOfWrite(call, file) - count;
    const buffer = call.args[1]!;
    const valueAt = this.valuesOf(call.proc, mm, buffer);
    const pages = this.object(file.inode);
    for (let done = 0; done < count; ) {
      const at = pos + done;
      const from = at % PAGE_SIZE;
      const to = Math.min(PAGE_SIZE, from + count - done);
      const index = Math.floor(at / PAGE_SIZE);
      const shift = done - from;
      pages.set(
        index,
        changed(pages.get(index) ?? { bytes: ZEROS }, from, to, (i) => valueAt(shift + i)),
      );
      done += to - from;
    }
  }

  /** Byte `i` of what a write writes, as it was before the call. */
  private valuesOf(proc: number, mm: Mm, buffer: MmpCall['args'][number]): (i: number) => number | null {
    if (buffer.kind === 'text' && buffer.value !== '') {
      const text = new TextEncoder().encode(buffer.value);
      return (i) => text[i % text.length]!;
    }
    if (buffer.kind !== 'number') return () => 0;
    const seen = new Map<Vpn, Content>();
    return (i) => {
      const vpn = vpnOf(buffer.value + i);
      let content = seen.get(vpn);
      if (content === undefined) {
        const vma = mm.vmas.findExact(vpn);
        content = vma === null ? ANYTHING : this.pageOf(proc, vma, vpn);
        seen.set(vpn, content);
      }
      // What MADV_FREE left open the write has settled, and nobody told.
      if (content.maybeZero === true) return null;
      return content.bytes?.[(buffer.value + i) % PAGE_SIZE] ?? null;
    };
  }

  /** The file has its new size: what is behind it is gone, private copies too. */
  private truncated(inode: Inode): void {
    const { size } = inode;
    const pages = this.object(inode);
    for (const index of [...pages.keys()]) if (index >= pagesOf(size)) pages.delete(index);
    this.zeroTail(inode);
    for (const [label, own] of this.processes) {
      for (const vma of areasOf(this.runner.actors.get(label)!.process.mm)) {
        if (vma.vmFile?.inode !== inode || isShared(vma)) continue;
        for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn++) {
          if (linearPageIndex(vma, vpn) >= pagesOf(size)) own.delete(vpn);
        }
      }
    }
  }

  private zeroTail(inode: Inode): void {
    const { size } = inode;
    const index = Math.floor(size / PAGE_SIZE);
    const pages = this.object(inode);
    const last = pages.get(index);
    if (last === undefined || size % PAGE_SIZE === 0) return;
    pages.set(
      index,
      changed(last, size % PAGE_SIZE, PAGE_SIZE, () => 0),
    );
  }

  private zeroed(inode: Inode, from: number, to: number): void {
    const pages = this.object(inode);
    for (const [index, content] of [...pages]) {
      const start = Math.max(0, from - index * PAGE_SIZE);
      const end = Math.min(PAGE_SIZE, to - index * PAGE_SIZE);
      if (start >= end) continue;
      pages.set(index, start === 0 && end === PAGE_SIZE ? { bytes: ZEROS } : changed(content, start, end, () => 0));
    }
  }

  // looking

  /** A private page of a file that the kernel copied without a store (a lock, a populate) does not follow the file any more. */
  private adoptCopies(): void {
    const { machine, actors } = this.runner;
    for (const [label, { process }] of actors) {
      const own = this.processes.get(label)!;
      for (const vma of areasOf(process.mm)) {
        if (vma.vmFile === null || isShared(vma)) continue;
        for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn++) {
          if (own.has(vpn)) continue;
          const pfn = frameAt(machine, process.mm, vpn);
          if (pfn !== null && machine.frames.isAnon(pfn)) own.set(vpn, this.objectPage(vma, vpn) ?? { bytes: ZEROS });
        }
      }
    }
  }

  /** The first present page whose bytes are not what they must be. */
  private wrongPage(): string | null {
    for (const [label, { process }] of this.runner.actors) {
      for (const vma of areasOf(process.mm)) {
        for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn++) {
          const wrong = this.wrongAt(label, process.mm, vpn);
          if (wrong !== null) return wrong;
        }
      }
    }
    return null;
  }

  private wrongAt(label: number, mm: Mm, vpn: Vpn): string | null {
    const { machine, contents } = this.runner;
    const token = readToken(machine, mm, vpn);
    if (token === -1) return null;
    const vma = mm.vmas.findExact(vpn)!;
    this.forgetLost(label, mm, vma, vpn);
    const content = this.pageOf(label, vma, vpn);
    if (content.bytes !== null && this.known.get(token) === content.bytes) return null;
    const got = contents.bytes(token);
    const settled = content.bytes === null || (content.maybeZero === true && isEqual(got, ZEROS)) ? got : content.bytes;
    if (!isEqual(got, settled)) {
      const at = got.findIndex((byte, i) => byte !== settled[i]);
      return `process ${label} reads ${got[at]} at ${hexOf(vpn)}+${at}, the calls before say ${settled[at]}`;
    }
    // What lies behind the end of a file is zeroed when the page is written back, whenever that is.
    if (settled !== content.bytes && !holdsEnd(vma, vpn)) this.setPage(label, vma, vpn, { bytes: settled });
    this.known.set(token, settled);
    return null;
  }

  /** A call that failed half-way may have dropped a private page of a file: what is there now is the file's. */
  private forgetLost(label: number, mm: Mm, vma: Vma, vpn: Vpn): void {
    const own = this.processes.get(label)!;
    if (vma.vmFile === null || own.get(vpn) !== ANYTHING) return;
    const pfn = frameAt(this.runner.machine, mm, vpn);
    if (pfn !== null && !this.runner.machine.frames.isAnon(pfn)) own.delete(vpn);
  }

  private fileOf(proc: number, label: number): { inode: Inode; pos: number; append: boolean } {
    const { process, fds } = this.runner.actors.get(proc)!;
    return process.files.get(fds.get(label)!)!;
  }

  private inodeOf(proc: number, label: number): Inode {
    return this.fileOf(proc, label).inode;
  }
}

function isShared(vma: Vma): boolean {
  return (vma.vmFlags & VM_MAYSHARE) !== 0;
}

/** pwrite on an append-only descriptor goes to the end and leaves the position. */
function endOfWrite(call: MmpCall, file: { inode: Inode; pos: number }): number {
  return call.name === 'pwrite64' ? file.inode.size : file.pos;
}

function numberAt(call: MmpCall, i: number): number {
  const argument = call.args[i];
  return argument?.kind === 'number' ? argument.value : 0;
}

function byteAt(pages: ReadonlyMap<number, Content>, pos: number): number | null {
  const content = pages.get(Math.floor(pos / PAGE_SIZE));
  if (content === undefined) return 0;
  return content.bytes?.[pos % PAGE_SIZE] ?? null;
}

function changed(old: Content, from: number, to: number, value: (i: number) => number | null): Content {
  if (old.bytes === null || old.maybeZero === true) return ANYTHING;
  const bytes = Uint8Array.from(old.bytes);
  for (let i = from; i < to; i++) {
    const byte = value(i);
    if (byte === null) return ANYTHING;
    bytes[i] = byte;
  }
  return { bytes };
}

function isEqual(a: Bytes, b: Bytes): boolean {
  return a === b || Buffer.compare(a, b) === 0;
}

/** A page of a shared mapping in which its file ends. */
function holdsEnd(vma: Vma, vpn: Vpn): boolean {
  return vma.vmFile !== null && isShared(vma) && (linearPageIndex(vma, vpn) + 1) * PAGE_SIZE > vma.vmFile.inode.size;
}
