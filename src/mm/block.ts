/**
 * Block devices: requests that take time, and what happens to their pages when they are done.
 *
 * Owns      IoRequest and BlockDevice; how long a request takes; pgpgin and pgpgout (in KiB, as /proc/vmstat prints them).
 * Promises  1. A device serves one request after the other, in the order in which they were submitted.
 *           2. A page that is read stays locked until its request is done; a page that is written stays under writeback.
 *           3. What reaches the device is what the page held when it was submitted.
 *           4. Requests are plain data and are used again: waiting for I/O allocates nothing but the clock's event.
 * Linux     6.18 block/blk-core.c: submit_bio; fs/ext4/readpage.c: mpage_end_io; fs/ext4/page-io.c: ext4_end_bio;
 *           mm/filemap.c: folio_wait_locked folio_wait_writeback
 *
 * DIFFERS: no elevator and no parallel requests; elapsed time is only a rough guess, which no count of pages depends on.
 */
import { bugOn } from './bug.ts';
import { EVENT_IO_DONE } from './clock.ts';
import { endPageWriteback } from './filemap.ts';
import type { AddressSpace, Inode } from './fs.ts';
import type { DiskConfig, Machine } from './machine.ts';
import { PG_locked, PG_mappedtodisk, PG_uptodate, PG_writeback } from './page_flags.ts';
import { endSwapRead, endSwapWrite } from './swap/page_io.ts';
import { NO_SWAP, type Pfn, type SwapEntry, swpOffset, type Token, ZERO_TOKEN } from './units.ts';
import { PGPGIN, PGPGOUT } from './vmstat.ts';

/** Pages in one request (BIO_MAX_VECS). */
export const BIO_MAX_PAGES = 256;
const KIB_PER_PAGE = 4;
/** What a read may ask for at once beyond the readahead window: 1280 KiB (bdi->io_pages of a virtio disk). */
const IO_PAGES = 320;
const DEFAULT_REQUEST_NS = 100_000;
const DEFAULT_PAGE_NS = 4_000;

const READ_FILE = 0;
const WRITE_FILE = 1;
const READ_SWAP = 2;
const WRITE_SWAP = 3;

/** One request; its pages are neighbours on the device. */
export class IoRequest {
  readonly id: number;
  kind = READ_FILE;
  device: BlockDevice | null = null;
  count = 0;
  readonly pfns: Int32Array = new Int32Array(BIO_MAX_PAGES);
  /** What is written to each. */
  readonly tokens: Float64Array = new Float64Array(BIO_MAX_PAGES);
  entry: SwapEntry = NO_SWAP;
  /** It counts in its device's writesPending. */
  counted = false;

  constructor(id: number) {
    this.id = id;
  }
}

/** Every request there is: under way, or free to be used again. */
export class IoRequests {
  private readonly all: IoRequest[] = [];
  private readonly free: number[] = [];
  /** Under way. */
  pending = 0;

  take(kind: number, device: BlockDevice): IoRequest {
    let id = this.free.pop();
    if (id === undefined) {
      id = this.all.length;
      this.all.push(new IoRequest(id));
    }
    const request = this.all[id]!;
    request.kind = kind;
    request.device = device;
    request.count = 0;
    request.entry = NO_SWAP;
    request.counted = false;
    this.pending += 1;
    return request;
  }
  get(id: number): IoRequest {
    return this.all[id]!;
  }
  release(request: IoRequest): void {
    request.device = null;
    this.free.push(request.id);
    this.pending -= 1;
  }
}

export class BlockDevice {
  readonly name: string;
  readonly requestNs: number;
  readonly pageNs: number;
  /** bdi->io_pages. */
  readonly ioPages: number = IO_PAGES;
  /** When the last request submitted so far will be done. */
  busyUntil = 0;
  /** Writes under way; a page that joined the request before it is none of its own. */
  writesPending = 0;
  /** Writes that were under way and have ended. */
  writesEnded = 0;
  /** The last swap page submitted, and when: its neighbour, submitted at the same time, joins its request. */
  lastKind = -1;
  lastEntry = -1;
  lastAt = -1;

  constructor(name: string, requestNs: number, pageNs: number) {
    this.name = name;
    this.requestNs = requestNs;
    this.pageNs = pageNs;
  }
}

export function newDisk(name: string, config?: Partial<DiskConfig>): BlockDevice {
  return new BlockDevice(name, config?.requestNs ?? DEFAULT_REQUEST_NS, config?.pageNs ?? DEFAULT_PAGE_NS);
}

// files

/** What the device has for a page of a file; a hole reads as zeros. */
export function diskToken(inode: Inode, index: number): Token {
  return inode.disk[index] ?? ZERO_TOKEN;
}

/** No block stands behind the page. */
export function isHole(inode: Inode, index: number): boolean {
  return inode.disk[index] === undefined;
}

/** A read of locked pages that are neighbours in their file: begin, add each, submit. */
export function beginRead(machine: Machine, device: BlockDevice): IoRequest {
  return machine.io.take(READ_FILE, device);
}

/** A write of pages under writeback. */
export function beginWrite(machine: Machine, device: BlockDevice): IoRequest {
  return machine.io.take(WRITE_FILE, device);
}

export function addPage(machine: Machine, request: IoRequest, pfn: Pfn): void {
  request.pfns[request.count] = pfn;
  request.tokens[request.count] = machine.frames.token(pfn);
  request.count += 1;
}

/** Sends it off. An empty request is dropped. */
export function submit(machine: Machine, request: IoRequest): void {
  if (request.count === 0) {
    machine.io.release(request);
    return;
  }
  const hooks = machine.pageHooks;
  if (hooks !== null) for (let i = 0; i < request.count; i++) hooks.onIoStart(request.pfns[i]! as Pfn);
  const device = request.device!;
  const reads = request.kind === READ_FILE || request.kind === READ_SWAP;
  machine.events[reads ? PGPGIN : PGPGOUT]! += request.count * KIB_PER_PAGE;
  const joins = joinsLast(machine, device, request);
  const seek = joins ? 0 : device.requestNs;
  request.counted = !joins && !reads;
  if (request.counted) device.writesPending += 1;
  const start = Math.max(machine.clock.now, device.busyUntil);
  device.busyUntil = start + seek + request.count * device.pageNs;
  machine.clock.schedule(device.busyUntil, EVENT_IO_DONE, request.id, 0);
}

function joinsLast(machine: Machine, device: BlockDevice, request: IoRequest): boolean {
  const swap = request.kind === READ_SWAP || request.kind === WRITE_SWAP;
  const offset = swap ? swpOffset(request.entry) : -1;
  const joins =
    swap && device.lastKind === request.kind && device.lastEntry + 1 === offset && device.lastAt === machine.clock.now;
  device.lastKind = request.kind;
  device.lastEntry = offset;
  device.lastAt = machine.clock.now;
  return joins;
}

// swap

/** Reads a locked page of the swap cache; endSwapRead unlocks it. */
export function submitSwapRead(machine: Machine, device: BlockDevice, pfn: Pfn, entry: SwapEntry): void {
  submitSwap(machine, machine.io.take(READ_SWAP, device), pfn, entry);
}

/** Writes a page of the swap cache that is under writeback; endSwapWrite ends that. */
export function submitSwapWrite(machine: Machine, device: BlockDevice, pfn: Pfn, entry: SwapEntry): void {
  submitSwap(machine, machine.io.take(WRITE_SWAP, device), pfn, entry);
}

function submitSwap(machine: Machine, request: IoRequest, pfn: Pfn, entry: SwapEntry): void {
  request.entry = entry;
  addPage(machine, request, pfn);
  submit(machine, request);
}

// completion

/** The request with this id is done. */
export function runIoDone(machine: Machine, id: number): void {
  const request = machine.io.get(id);
  if (request.counted) {
    request.device!.writesPending -= 1;
    request.device!.writesEnded += 1;
  }
  for (let i = 0; i < request.count; i++) {
    const pfn = request.pfns[i]! as Pfn;
    machine.pageHooks?.onIoEnd(pfn);
    if (request.kind === READ_FILE) endFileRead(machine, pfn);
    else if (request.kind === WRITE_FILE) endFileWrite(machine, pfn, request.tokens[i]! as Token);
    else if (request.kind === READ_SWAP) endSwapRead(machine, pfn, request.entry);
    else endSwapWrite(machine, pfn, request.entry);
  }
  machine.io.release(request);
}

function endFileRead(machine: Machine, pfn: Pfn): void {
  const frames = machine.frames;
  bugOn(!frames.has(pfn, PG_locked), 'a page that is read stays locked until its request is done', pfn);
  const mapping = machine.mappings[frames.mapping(pfn) >>> 2] as AddressSpace;
  frames.setToken(pfn, diskToken(mapping.host, frames.index(pfn)));
  frames.set(pfn, PG_uptodate | PG_mappedtodisk);
  frames.clear(pfn, PG_locked);
}

function endFileWrite(machine: Machine, pfn: Pfn, token: Token): void {
  const frames = machine.frames;
  const mapping = machine.mappings[frames.mapping(pfn) >>> 2] as AddressSpace;
  mapping.host.disk[frames.index(pfn)] = token;
  endPageWriteback(machine, pfn);
}

// waiting

/** Lets time pass until nobody reads the page in (folio_wait_locked). */
export function waitOnPageLocked(machine: Machine, pfn: Pfn): void {
  waitOnFlag(machine, pfn, PG_locked);
}

/** Lets time pass until the page is written (folio_wait_writeback). */
export function waitOnPageWriteback(machine: Machine, pfn: Pfn): void {
  waitOnFlag(machine, pfn, PG_writeback);
}

/** The CPU goes elsewhere meanwhile, and comes back: the address space was switched to (mglru/mm_list.ts). */
function waitOnFlag(machine: Machine, pfn: Pfn, flag: number): void {
  const { mm } = machine.current;
  while (machine.frames.has(pfn, flag)) {
    if (mm !== null) mm.usedOn = -1;
    bugOn(machine.io.pending === 0, 'whoever waits for a page waits for a request that is under way', pfn);
    machine.runUntil(machine.clock.nextAt);
  }
}
