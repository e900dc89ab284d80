/**
 * /proc/vmstat, and the counters that zoneinfo shares with it.
 *
 * Owns      which number stands behind each name. A counter of something that this machine does not have is 0.
 * Linux     6.18 mm/vmstat.c: vmstat_text vmstat_start
 *
 * DIFFERS: the numa_ counters are 0, as nobody counts where allocations were served; allocstall and pgskip are one number
 *          each, shown with the zone that user pages ask for (movable) and where skipped pages lie (normal).
 */

import { dirtyLimits } from '../mm/flusher.ts';
import { HPAGE_PMD_NR } from '../mm/folio.ts';
import type { Machine } from '../mm/machine.ts';
import { NODE_STAT_NAMES, NR_ANON_THPS, VM_EVENT_NAMES } from '../mm/vmstat.ts';
import { freeBlocks, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, type PgData, type Zone } from '../mm/zone.ts';
import { procFormat } from './formats.ts';

const STRUCT_PAGE_BYTES = 64;

export function vmstat(machine: Machine): string {
  const { vmstat: names, own } = procFormat(machine);
  if (own?.vmstat !== undefined) return own.vmstat(machine);
  let text = '';
  const show = (name: string, value: number): void => {
    text += `${name} ${value}\n`;
  };
  for (const name of names.zone)
    show(
      name,
      sum(machine.zones, (zone) => zoneCounter(zone, name)),
    );
  for (const name of names.node)
    show(
      name,
      sum(machine.nodes, (pgdat) => nodeCounter(pgdat, name)),
    );
  for (const name of names.global) show(name, globalCounter(machine, name));
  for (const name of names.events) show(name, eventCounter(machine, name));
  return text;
}

const ZONE_LRU = [
  'nr_zone_inactive_anon',
  'nr_zone_active_anon',
  'nr_zone_inactive_file',
  'nr_zone_active_file',
  'nr_zone_unevictable',
];

export function zoneCounter(zone: Zone, name: string): number {
  switch (name) {
    case 'nr_free_pages':
      return zone.freePages;
    case 'nr_free_pages_blocks':
      return freePagesInBlocks(zone);
    case 'nr_zone_write_pending':
      return zone.writePending;
    case 'nr_mlock':
      return zone.nrMlock;
    default:
      return zone.lruPages[ZONE_LRU.indexOf(name)] ?? 0;
  }
}

/** Free pages in blocks that fill a pageblock or more. */
function freePagesInBlocks(zone: Zone): number {
  let pages = 0;
  for (let order = PAGEBLOCK_ORDER; order < NR_PAGE_ORDERS; order++) pages += freeBlocks(zone, order) * 2 ** order;
  return pages;
}

const NODE_STATS: ReadonlyMap<string, number> = new Map(NODE_STAT_NAMES.map((name, item) => [name, item]));

export function nodeCounter(pgdat: PgData, name: string): number {
  const item = NODE_STATS.get(name);
  if (item === NR_ANON_THPS) return Math.floor(pgdat.stat[item]! / HPAGE_PMD_NR);
  return item === undefined ? 0 : pgdat.stat[item]!;
}

/** What a task that dirties a page would find; whoever only looks leaves the last such task's numbers where they are. */
export function shownDirtyLimits(machine: Machine): { readonly thresh: number; readonly bgThresh: number } {
  const before = { ...machine.writeback.global };
  const { thresh, bgThresh } = dirtyLimits(machine);
  Object.assign(machine.writeback.global, before);
  return { thresh, bgThresh };
}

function globalCounter(machine: Machine, name: string): number {
  switch (name) {
    case 'nr_dirty_threshold':
      return shownDirtyLimits(machine).thresh;
    case 'nr_dirty_background_threshold':
      return shownDirtyLimits(machine).bgThresh;
    case 'nr_memmap_boot_pages':
      return Math.ceil((machine.frames.frames * STRUCT_PAGE_BYTES) / 4096);
    default:
      return 0;
  }
}

const EVENTS: ReadonlyMap<string, number> = new Map<string, number>([
  ...VM_EVENT_NAMES.map((name, event): [string, number] => [name, event]),
  ['allocstall_movable', VM_EVENT_NAMES.indexOf('allocstall')],
  ['pgskip_normal', VM_EVENT_NAMES.indexOf('pgskip')],
]);

export function eventCounter(machine: Machine, name: string): number {
  const event = EVENTS.get(name);
  return event === undefined ? 0 : machine.events[event]!;
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
