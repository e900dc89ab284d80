/**
 * Between the kernel and a program's memory: copy_to_user, copy_from_user.
 *
 * Promises  1. A page is faulted in when the copy reaches it, like an access of the program, and counted like one.
 *           2. A copy stops at the first page that cannot be had, and says how far it came.
 *           3. With ByteContents every byte arrives; without, a page copied whole keeps its token and others get a new one.
 * Linux     6.18 lib/iov_iter.c: copy_page_to_iter copy_folio_from_iter_atomic fault_in_iov_iter_readable
 */
import type { PageReader, PageWriter } from '../mm/filemap.ts';
import type { Machine } from '../mm/machine.ts';
import { loadPage, makeWritable, readToken } from '../mm/memory.ts';
import type { Mm } from '../mm/mm.ts';
import { PAGE_SIZE, type Token, type Vpn, vpnOf, ZERO_TOKEN } from '../mm/units.ts';
import { ByteContents } from './contents.ts';

/** No FAULT_FLAG_USER: the access is the kernel's own. */
const BY_KERNEL = 0;

/** Where a call finds or leaves data: an address of the process; memory that never faults; `bytes` repeated as often as needed. */
export type UserBuffer = number | 'outside' | Uint8Array;

/** The bytes behind tokens, if the machine keeps them. */
function bytesOf(machine: Machine): ByteContents | null {
  return machine.contents instanceof ByteContents ? machine.contents : null;
}

/** Where the data of a read goes, page after page of the file. */
export class UserReader implements PageReader {
  private readonly machine: Machine;
  private readonly mm: Mm;
  private addr: number;

  constructor(machine: Machine, mm: Mm, addr: number) {
    this.machine = machine;
    this.mm = mm;
    this.addr = addr;
  }

  /** Copies bytes [from, to) of a page that holds `token`; returns how many arrived. */
  page(token: Token, from: number, to: number): number {
    let at = from;
    while (at < to) {
      const vpn = vpnOf(this.addr);
      const start = this.addr % PAGE_SIZE;
      const bytes = Math.min(to - at, PAGE_SIZE - start);
      if (makeWritable(this.machine, this.mm, vpn, BY_KERNEL) !== 0) break;
      overwrite(this.machine, this.mm, vpn, start, bytes, token, at);
      at += bytes;
      this.addr += bytes;
    }
    return at - from;
  }
}

/** Bytes [start, start + bytes) of the page at `vpn`, which is present, become those of `token` from `from` on. */
function overwrite(machine: Machine, mm: Mm, vpn: Vpn, start: number, bytes: number, token: Token, from: number): void {
  const slot = machine.pageTables.slotOf(mm.pageTables, vpn);
  const pfn = machine.pageTables.pfn(slot);
  machine.frames.setToken(pfn, patched(machine, machine.frames.token(pfn), start, bytes, token, from));
}

function patched(machine: Machine, old: Token, start: number, bytes: number, token: Token, from: number): Token {
  if (bytes === PAGE_SIZE) return token;
  const contents = bytesOf(machine);
  if (contents === null) return machine.newToken();
  return contents.changed(machine, old, start, start + bytes, contents.bytes(token).slice(from, from + bytes));
}

/** Writes one byte at `addr`, as a store of the program. 0, or what faultIn says. */
export function storeByte(machine: Machine, mm: Mm, addr: number, byte: number): number {
  const vpn = vpnOf(addr);
  const failed = makeWritable(machine, mm, vpn);
  if (failed !== 0) return failed;
  const pfn = machine.pageTables.pfn(machine.pageTables.slotOf(mm.pageTables, vpn));
  const contents = bytesOf(machine);
  const at = addr % PAGE_SIZE;
  const old = machine.frames.token(pfn);
  const token = contents?.changed(machine, old, at, at + 1, new Uint8Array([byte])) ?? machine.newToken();
  machine.frames.setToken(pfn, token);
  return 0;
}

/** Where the data of a write comes from: at most one page of the file at a time. */
export class UserWriter implements PageWriter {
  private readonly machine: Machine;
  private readonly mm: Mm;
  private addr: number;
  /** What the next bytes hold: at most two pages. */
  private readonly tokens: Token[] = [];

  constructor(machine: Machine, mm: Mm, addr: number) {
    this.machine = machine;
    this.mm = mm;
    this.addr = addr;
  }

  /**
   * Faults in the next `bytes` bytes of the source; returns how many of them can be read. What they hold is remembered:
   * making the file's page may take the memory away again.
   */
  faultIn(bytes: number): number {
    this.tokens.length = 0;
    const end = this.addr + bytes;
    for (let at = this.addr; at < end; at = (vpnOf(at) + 1) * PAGE_SIZE) {
      if (loadPage(this.machine, this.mm, vpnOf(at), BY_KERNEL) !== 0) return at - this.addr;
      const token = readToken(this.machine, this.mm, vpnOf(at));
      this.tokens.push(token === -1 ? ZERO_TOKEN : token);
    }
    return bytes;
  }

  /** How many of the next `bytes` bytes are there; what they hold is remembered. */
  copyable(bytes: number): number {
    if (!this.machine.generation.switches.writeFaultsLate) return bytes;
    this.tokens.length = 0;
    const end = this.addr + bytes;
    for (let at = this.addr; at < end; at = (vpnOf(at) + 1) * PAGE_SIZE) {
      const token = readToken(this.machine, this.mm, vpnOf(at));
      if (token === -1 || loadPage(this.machine, this.mm, vpnOf(at), BY_KERNEL) !== 0) return at - this.addr;
      this.tokens.push(token);
    }
    return bytes;
  }

  page(old: Token, from: number, to: number): Token {
    const { machine } = this;
    let token = old;
    let at = from;
    for (const source of this.tokens) {
      const start = this.addr % PAGE_SIZE;
      const bytes = Math.min(to - at, PAGE_SIZE - start);
      token = patched(machine, token, at, bytes, source, start);
      at += bytes;
      this.addr += bytes;
    }
    return token;
  }
}

/** Data that does not lie in the program: known bytes, or any. */
export class OutsideWriter implements PageWriter {
  private readonly machine: Machine;
  private readonly bytes: Uint8Array;
  private written = 0;

  constructor(machine: Machine, bytes: Uint8Array) {
    this.machine = machine;
    this.bytes = bytes;
  }

  page(old: Token, from: number, to: number): Token {
    const { machine, bytes } = this;
    const contents = bytesOf(machine);
    if (contents === null) return machine.newToken();
    const turn = this.written % bytes.length;
    this.written += to - from;
    const turned = turn === 0 ? bytes : Uint8Array.from([...bytes.subarray(turn), ...bytes.subarray(0, turn)]);
    return contents.changed(machine, old, from, to, turned);
  }
}
