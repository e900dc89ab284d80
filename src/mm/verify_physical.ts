/**
 * Physical memory, counted again: every frame is looked at, and only then the counters.
 *
 * Owns      nothing. Answers with sentences that name the frame and the promise that is broken; none is all right.
 * Promises  It changes nothing, and is right for a machine between two calls.
 */
import { buddyOrder, buddyType, MAX_PAGE_ORDER, pageblockType, spans } from './buddy.ts';
import type { Machine } from './machine.ts';
import { compoundOrder } from './page_alloc.ts';
import { PG_buddy, PG_head, PG_reserved, PG_table, PG_tail } from './page_flags.ts';
import { NR_PCP_LISTS, pcpOrder } from './pcp.ts';
import type { Pfn } from './units.ts';
import { NR_PAGETABLE } from './vmstat.ts';
import { zoneReserve } from './watermark.ts';
import { MIGRATE_HIGHATOMIC, MIGRATE_TYPES, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, type Zone } from './zone.ts';

const UNSEEN = 0;
const FREE = 1;
const ON_CPU = 2;
const STATE_NAMES = ['nowhere', 'free', 'on a per-CPU list'] as const;

/** Everything that is wrong with frames, free lists, per-CPU lists, zones, watermarks and slabs. */
export function verifyPhysical(
  m: Machine,
  checkZone: (zone: Zone, broken: string[]) => void = checkWatermarks,
): string[] {
  const broken: string[] = [];
  const state = new Uint8Array(m.frames.frames);
  for (const zone of m.zones) {
    checkFreeLists(m, zone, state, broken);
    checkPcp(m, zone, state, broken);
  }
  for (const zone of m.zones) {
    checkMerged(m, zone, broken);
    checkFrames(m, zone, state, broken);
    checkZone(zone, broken);
  }
  checkMachine(m, broken);
  broken.push(...m.slab.verify(m));
  return broken;
}

function claim(state: Uint8Array, pfn: number, order: number, as: number, broken: string[]): void {
  for (let at = pfn; at < pfn + (1 << order); at++) {
    if (state[at] !== UNSEEN) {
      broken.push(
        `frame ${at}: is ${STATE_NAMES[state[at]!]} and again ${STATE_NAMES[as]} (block ${pfn}, order ${order})`,
      );
    }
    state[at] = as;
  }
}

function checkFreeLists(m: Machine, zone: Zone, state: Uint8Array, broken: string[]): void {
  const { frames } = m;
  let pages = 0;
  let highatomic = 0;
  for (let list = 0; list < NR_PAGE_ORDERS * MIGRATE_TYPES; list++) {
    const order = Math.floor(list / MIGRATE_TYPES);
    const type = list % MIGRATE_TYPES;
    let length = 0;
    for (let pfn = frames.listFirst(zone.freeLists[list]!); pfn >= 0; pfn = frames.listNext(pfn)) {
      length += 1;
      checkFreeBlock(m, zone, pfn, order, type, broken);
      claim(state, pfn, order, FREE, broken);
    }
    if (length !== zone.nrFree[list]) {
      broken.push(
        `zone ${zone.name}: nrFree of order ${order}, type ${type} is ${zone.nrFree[list]}, its list has ${length}`,
      );
    }
    pages += length << order;
    if (type === MIGRATE_HIGHATOMIC) highatomic += length << order;
  }
  if (pages !== zone.freePages)
    broken.push(`zone ${zone.name}: freePages is ${zone.freePages}, its lists have ${pages}`);
  if (highatomic !== zone.nrFreeHighatomic) {
    broken.push(`zone ${zone.name}: nrFreeHighatomic is ${zone.nrFreeHighatomic}, its lists have ${highatomic}`);
  }
}

function checkFreeBlock(m: Machine, zone: Zone, pfn: Pfn, order: number, type: number, broken: string[]): void {
  const { frames } = m;
  const where = `frame ${pfn} (zone ${zone.name}, order ${order}, type ${type})`;
  if (pfn % (1 << order) !== 0) broken.push(`${where}: a free block is aligned to its size`);
  if (!spans(zone, pfn) || !spans(zone, pfn + (1 << order) - 1)) broken.push(`${where}: a free block lies in its zone`);
  if (!frames.has(pfn, PG_buddy)) broken.push(`${where}: a block on a free list carries PG_buddy`);
  if (buddyOrder(frames, pfn) !== order || buddyType(frames, pfn) !== type) {
    broken.push(`${where}: its private word says order ${buddyOrder(frames, pfn)}, type ${buddyType(frames, pfn)}`);
  }
  if (m.generation.switches.claimPageblocks && order <= PAGEBLOCK_ORDER && pageblockType(zone, pfn) !== type) {
    broken.push(`${where}: stands on the list of its pageblock's type, ${pageblockType(zone, pfn)}`);
  }
}

function checkPcp(m: Machine, zone: Zone, state: Uint8Array, broken: string[]): void {
  const { pcp } = zone;
  let pages = 0;
  for (let list = 0; list < NR_PCP_LISTS; list++) {
    const order = pcpOrder(list);
    for (let pfn = m.frames.listFirst(pcp.lists[list]!); pfn >= 0; pfn = m.frames.listNext(pfn)) {
      if (!spans(zone, pfn))
        broken.push(`frame ${pfn}: a page on a per-CPU list of zone ${zone.name} lies in that zone`);
      if (m.frames.has(pfn, PG_buddy)) broken.push(`frame ${pfn}: a page on a per-CPU list is not PG_buddy`);
      claim(state, pfn, order, ON_CPU, broken);
      pages += 1 << order;
    }
  }
  if (pages !== pcp.count) broken.push(`zone ${zone.name}: pcp.count is ${pcp.count}, its lists have ${pages} pages`);
  if (pcp.high !== 0 && (pcp.high < pcp.highMin || pcp.high > pcp.highMax)) {
    broken.push(`zone ${zone.name}: pcp.high ${pcp.high} is outside ${pcp.highMin}..${pcp.highMax}`);
  }
}

/** Two free buddies are one block; a pageblock kept for atomic requests stays apart from others. */
function checkMerged(m: Machine, zone: Zone, broken: string[]): void {
  const { frames } = m;
  for (let list = 0; list < MAX_PAGE_ORDER * MIGRATE_TYPES; list++) {
    const order = Math.floor(list / MIGRATE_TYPES);
    for (let pfn = frames.listFirst(zone.freeLists[list]!); pfn >= 0; pfn = frames.listNext(pfn)) {
      const buddy = (pfn ^ (1 << order)) as Pfn;
      if (buddy < pfn || !spans(zone, buddy) || !frames.has(buddy, PG_buddy)) continue;
      if (buddyOrder(frames, buddy) !== order) continue;
      const apart =
        (pageblockType(zone, pfn) === MIGRATE_HIGHATOMIC) !== (pageblockType(zone, buddy) === MIGRATE_HIGHATOMIC);
      if (order < PAGEBLOCK_ORDER || !apart) {
        broken.push(`frames ${pfn} and ${buddy}: free buddies of order ${order} are merged`);
      }
    }
  }
}

/** What is neither free nor on a per-CPU list is reserved, has a reference, or is the tail of a block that has one. */
export function checkFrames(m: Machine, zone: Zone, state: Uint8Array, broken: string[]): void {
  const { frames } = m;
  let managed = 0;
  let tailsLeft = 0;
  for (let at = zone.startPfn as number; at < zone.startPfn + zone.spannedPages; at++) {
    const pfn = at as Pfn;
    if (frames.zoneIndex(pfn) !== zone.index)
      broken.push(`frame ${at}: its flags name zone ${frames.zoneIndex(pfn)}, not ${zone.index}`);
    const reserved = frames.has(pfn, PG_reserved);
    if (!reserved) managed += 1;
    if (state[at] === UNSEEN) {
      tailsLeft = checkAllocated(m, pfn, reserved, tailsLeft, broken);
    } else {
      if (reserved) broken.push(`frame ${at}: a reserved frame is ${STATE_NAMES[state[at]!]}`);
      checkUnused(m, pfn, STATE_NAMES[state[at]!]!, broken);
    }
  }
  if (managed !== zone.managedPages) {
    broken.push(`zone ${zone.name}: managedPages is ${zone.managedPages}, ${managed} frames are not reserved`);
  }
}

function checkAllocated(m: Machine, pfn: Pfn, reserved: boolean, tailsLeft: number, broken: string[]): number {
  const { frames } = m;
  if (frames.has(pfn, PG_buddy)) broken.push(`frame ${pfn}: carries PG_buddy, and no free list has it`);
  if (tailsLeft > 0) {
    if (!frames.has(pfn, PG_tail) || frames.refcount(pfn) !== 0)
      broken.push(`frame ${pfn}: is a tail without reference`);
    return tailsLeft - 1;
  }
  if (frames.has(pfn, PG_tail)) broken.push(`frame ${pfn}: a tail follows its head`);
  if (frames.refcount(pfn) <= 0)
    broken.push(`frame ${pfn}: is free, on a per-CPU list, reserved or has a reference; it is lost`);
  if (reserved || !frames.has(pfn, PG_head)) return 0;
  return (1 << compoundOrder(m, pfn)) - 1;
}

function checkUnused(m: Machine, pfn: Pfn, where: string, broken: string[]): void {
  const { frames } = m;
  if (frames.refcount(pfn) !== 0) broken.push(`frame ${pfn}: is ${where} and has ${frames.refcount(pfn)} references`);
  if (frames.mapcount(pfn) !== 0) broken.push(`frame ${pfn}: is ${where} and mapped ${frames.mapcount(pfn)} times`);
  if (frames.memcg(pfn) !== 0) broken.push(`frame ${pfn}: is ${where} and charged to cgroup ${frames.memcg(pfn)}`);
  if (frames.mapping(pfn) !== 0) broken.push(`frame ${pfn}: is ${where} and has an owner`);
  const flags = frames.allFlags(pfn) & ~PG_buddy;
  if (flags !== 0) broken.push(`frame ${pfn}: is ${where} and has flags 0x${flags.toString(16)}`);
}

function checkWatermarks(zone: Zone, broken: string[]): void {
  const { wmarkMin, wmarkLow, wmarkHigh, wmarkPromo } = zone;
  const step = wmarkLow - wmarkMin;
  if (step < 0 || wmarkHigh - wmarkLow !== step || wmarkPromo - wmarkHigh !== step) {
    broken.push(`zone ${zone.name}: watermarks ${wmarkMin} ${wmarkLow} ${wmarkHigh} ${wmarkPromo} are one step apart`);
  }
  if (zone.watermarkBoost < 0) broken.push(`zone ${zone.name}: the boost is ${zone.watermarkBoost}`);
}

export function checkMachine(m: Machine, broken: string[]): void {
  const managed = m.zones.reduce((sum, zone) => sum + zone.managedPages, 0);
  if (managed !== m.totalPages) broken.push(`totalPages is ${m.totalPages}, the zones manage ${managed}`);
  for (const pgdat of m.nodes) {
    const tables = countFrames(m, pgdat.nid, PG_table);
    if (tables !== pgdat.stat[NR_PAGETABLE]) {
      broken.push(
        `node ${pgdat.nid}: nr_page_table_pages is ${pgdat.stat[NR_PAGETABLE]}, ${tables} frames carry PG_table`,
      );
    }
    const least = m.zones.reduce(
      (sum, zone) => (zone.pgdat === pgdat ? sum + zoneReserve(zone) - zone.watermarkBoost : sum),
      0,
    );
    if (pgdat.totalreservePages < least) {
      broken.push(`node ${pgdat.nid}: totalreservePages is ${pgdat.totalreservePages}, its zones reserve ${least}`);
    }
  }
}

function countFrames(m: Machine, nid: number, flag: number): number {
  let count = 0;
  for (const zone of m.zones) {
    if (zone.pgdat.nid !== nid) continue;
    for (let pfn = zone.startPfn as number; pfn < zone.startPfn + zone.spannedPages; pfn++) {
      if (m.frames.has(pfn as Pfn, flag)) count += 1;
    }
  }
  return count;
}
