/**
 * /proc/zoneinfo: nodes and zones with their counters, watermarks and per-CPU lists.
 *
 * Linux     6.18 mm/vmstat.c: zoneinfo_show_print calculate_normal_threshold
 */
import type { Machine } from '../mm/machine.ts';
import { type PgData, ZONE_DMA, ZONE_DMA32, ZONE_HIGHMEM, ZONE_MOVABLE, ZONE_NORMAL, type Zone } from '../mm/zone.ts';
import { procFormat } from './formats.ts';
import { nodeCounter, zoneCounter } from './vmstat.ts';

/** Zones of a 64-bit kernel in order; the last is for device memory, which this machine never has. */
const ZONES: ReadonlyArray<readonly [name: string, type: number]> = [
  ['DMA', ZONE_DMA],
  ['DMA32', ZONE_DMA32],
  ['Normal', ZONE_NORMAL],
  ['HighMem', ZONE_HIGHMEM],
  ['Movable', ZONE_MOVABLE],
  ['Device', -1],
];
const MAX_RECLAIM_RETRIES = 16;
/** An empty zone has no watermarks but the least that ZONE_MOVABLE and ZONE_HIGHMEM get. */
const LEAST_WMARK_MOVABLE = 32;

export function zoneinfo(machine: Machine): string {
  const { own } = procFormat(machine);
  if (own?.zoneinfo !== undefined) return own.zoneinfo(machine);
  let text = '';
  for (const pgdat of machine.nodes) {
    let first = true;
    for (const [name, type] of ZONES) {
      const zone = pgdat.zones.find((z) => z.type === type);
      if (zone === undefined && type === ZONE_HIGHMEM) continue;
      text += `Node ${pgdat.nid}, zone ${name.padStart(8)}`;
      if (zone !== undefined && first) {
        first = false;
        text += nodeText(machine, pgdat);
      }
      text += zone === undefined ? emptyZoneText(machine, type) : zoneText(machine, zone);
    }
  }
  return text;
}

function counterLine(name: string, value: number): string {
  return `\n      ${name.padEnd(12)} ${value}`;
}

function nodeText(machine: Machine, pgdat: PgData): string {
  let text = '\n  per-node stats';
  for (const name of procFormat(machine).vmstat.node) text += counterLine(name, nodeCounter(pgdat, name));
  return text;
}

interface Pages {
  free: number;
  boost: number;
  min: number;
  low: number;
  high: number;
  promo: number;
  spanned: number;
  present: number;
  managed: number;
  protection: readonly number[];
}

function pagesText(machine: Machine, pages: Pages): string {
  const { zoneinfoPromo } = procFormat(machine);
  return (
    `\n  pages free     ${pages.free}` +
    `\n        boost    ${pages.boost}` +
    `\n        min      ${pages.min}` +
    `\n        low      ${pages.low}` +
    `\n        high     ${pages.high}` +
    (zoneinfoPromo ? `\n        promo    ${pages.promo}` : '') +
    `\n        spanned  ${pages.spanned}` +
    `\n        present  ${pages.present}` +
    `\n        managed  ${pages.managed}` +
    '\n        cma      0' +
    `\n        protection: (${pages.protection.join(', ')})`
  );
}

function emptyZoneText(machine: Machine, type: number): string {
  const least = type === ZONE_MOVABLE ? LEAST_WMARK_MOVABLE : 0;
  const protection = [0, 0, 0, 0, 0];
  const none = { free: 0, boost: 0, spanned: 0, present: 0, managed: 0, protection };
  return `${pagesText(machine, { ...none, min: least, low: least, high: least, promo: least })}\n`;
}

function zoneText(machine: Machine, zone: Zone): string {
  const { zoneinfoPromo, vmstat } = procFormat(machine);
  const reserve = zone.lowmemReserve;
  const boost = zone.watermarkBoost;
  let text = pagesText(machine, {
    free: zone.freePages,
    boost,
    min: zone.wmarkMin + boost,
    low: zone.wmarkLow + boost,
    high: zone.wmarkHigh + boost,
    promo: zone.wmarkPromo + boost,
    spanned: zone.spannedPages,
    present: zone.presentPages,
    managed: zone.managedPages,
    // Nothing can ask for device memory, so it is kept from like the zone before.
    protection: [ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE, ZONE_MOVABLE].map((type) => reserve[type]!),
  });
  for (const name of vmstat.zone) text += counterLine(name, zoneCounter(zone, name));
  text += '\n  pagesets';
  const cpus = machine.config.cpus ?? 1;
  for (let cpu = 0; cpu < cpus; cpu++) {
    // One CPU runs; the others' lists stay as they were set up.
    const count = cpu === 0 ? zone.pcp.count : 0;
    text += `\n    cpu: ${cpu}`;
    text += zoneinfoPromo
      ? `\n              count:    ${count}` +
        `\n              high:     ${zone.pcp.high}` +
        `\n              batch:    ${zone.pcp.batch}` +
        `\n              high_min: ${zone.pcp.highMin}` +
        `\n              high_max: ${zone.pcp.highMax}`
      : `\n              count: ${count}\n              high:  ${zone.pcp.high}\n              batch: ${zone.pcp.batch}`;
    text += `\n  vm stats threshold: ${statThreshold(zone, cpus)}`;
  }
  const hopeless = zone.pgdat.kswapdFailures >= MAX_RECLAIM_RETRIES ? 1 : 0;
  return `${text}\n  node_unreclaimable:  ${hopeless}\n  start_pfn:           ${zone.startPfn}\n`;
}

/** How far a CPU's own counters may run before they are folded into the zone's. */
function statThreshold(zone: Zone, cpus: number): number {
  const fls = (n: number): number => 32 - Math.clz32(n);
  return Math.min(125, 2 * fls(cpus) * (1 + fls(zone.managedPages >>> 15)));
}
