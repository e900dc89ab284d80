/**
 * Zones: how large, how much is free, where the watermarks are, and in what pieces free memory lies.
 *
 * Promises  1. What a kernel does not have, or a host does not show, is null.
 *           2. Of a machine the numbers are its zones'; of a host those of /proc/zoneinfo, buddyinfo and pagetypeinfo.
 */
import { type MigrateTypes, parseFreeBlocks, parseMigrateTypes, parseZones } from '../host/kernel_texts.ts';
import type { Machine } from '../mm/machine.ts';
import { isSince } from '../mm/release.ts';
import { MAX_NR_ZONES, MIGRATE_TYPES, NR_PAGE_ORDERS, type Zone } from '../mm/zone.ts';
import type { Subject } from './subject.ts';

export interface ZoneFacts {
  readonly node: number;
  readonly name: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  /** Without what boot took (3.11); null: this kernel does not count it. */
  readonly managed: number | null;
  readonly free: number;
  /** Watermarks in pages, without the boost. */
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** What is added to all three for a while after fragmentation (5.0); null: not in this kernel. */
  readonly boost: number | null;
  /** Free pages that CPUs keep for themselves; null: no CPU does (2.4). */
  readonly cpuPages: number | null;
  /** Pages on the lists of reclaim. */
  readonly lists: readonly { readonly name: string; readonly pages: number }[];
  /** Free blocks by order; null: not shown. */
  readonly blocks: readonly number[] | null;
  /** The same by migrate type; null: this kernel has none, or they are not shown. */
  readonly types: readonly { readonly type: string; readonly blocks: readonly number[] }[] | null;
  /** Pages that allocations which could use a higher zone must leave; 2.4 adds low marks up instead. */
  readonly reserve: number | null;
}

export interface ZonesAnswer {
  /** How this kernel uses the marks. */
  readonly says: string;
  readonly zones: readonly ZoneFacts[];
}

export function zones(subject: Subject): ZonesAnswer {
  if (subject.kind === 'machine') return { says: saysOf(subject.machine), zones: zonesOfMachine(subject.machine) };
  return {
    says: 'Below low, kswapd wakes and works until high; at min, whoever allocates reclaims himself.',
    zones: zonesOfTexts(subject.snapshot.texts),
  };
}

function saysOf({ generation }: Machine): string {
  if (generation.family === 'linux-2.4') {
    return 'pages_min, pages_low, pages_high. A request that falls back from a higher zone must find the sum of the low marks so far; below that kswapd wakes, and whoever waits frees pages himself.';
  }
  const boost = isSince(generation.version, '5.0')
    ? ' The boost raises all three for a while after a pageblock was taken over.'
    : '';
  return `Below low, kswapd wakes and works until high; at min, whoever allocates reclaims himself.${boost}`;
}

function zonesOfMachine(machine: Machine): ZoneFacts[] {
  const { generation, physical } = machine;
  const is24 = generation.family === 'linux-2.4';
  const names = migrateTypes(machine);
  const orders = is24 ? NR_PAGE_ORDERS - 1 : NR_PAGE_ORDERS;
  return machine.zones
    .filter(({ spannedPages }) => spannedPages > 0)
    .map((zone) => ({
      node: zone.pgdat.nid,
      name: zone.name,
      startPfn: zone.startPfn,
      spanned: zone.spannedPages,
      present: zone.presentPages,
      managed: isSince(generation.version, '3.11') ? zone.managedPages : null,
      free: zone.freePages,
      min: zone.wmarkMin,
      low: zone.wmarkLow,
      high: zone.wmarkHigh,
      boost: isSince(generation.version, '5.0') ? zone.watermarkBoost : null,
      cpuPages: is24 ? null : zone.pcp.count,
      lists: generation.lruNames.flatMap((name, list) => (name === '-' ? [] : [{ name, pages: zone.lruPages[list]! }])),
      blocks: Array.from({ length: orders }, (_, order) => physical.freeBlocks(zone, order)),
      types: names?.map((type, t) => ({ type, blocks: blocksOfType(zone, t) })) ?? null,
      reserve: is24 ? null : reserveOf(zone),
    }));
}

/** By number. 3.16 numbers them otherwise than the engine's other kernels; 2.4 has none. */
export function migrateTypes({ generation }: Machine): readonly string[] | null {
  if (generation.family === 'linux-2.4') return null;
  if (generation.family === 'linux-3') return ['Unmovable', 'Reclaimable', 'Movable', 'Reserve'];
  const last = generation.family === 'linux-6' ? 'HighAtomic' : 'Reserve';
  return ['Unmovable', 'Movable', 'Reclaimable', last];
}

function blocksOfType({ nrFree }: Zone, type: number): number[] {
  return Array.from({ length: NR_PAGE_ORDERS }, (_, order) => nrFree[order * MIGRATE_TYPES + type]!);
}

function reserveOf({ lowmemReserve }: Zone): number {
  let most = 0;
  for (let type = 0; type < MAX_NR_ZONES; type++) most = Math.max(most, lowmemReserve[type]!);
  return most;
}

function typesOf(all: readonly MigrateTypes[], node: number, name: string): ZoneFacts['types'] {
  const found = all.find((one) => one.node === node && one.zone === name);
  return found === undefined ? null : found.types.map(({ type, freeBlocks }) => ({ type, blocks: freeBlocks }));
}

function zonesOfTexts(texts: ReadonlyMap<string, string>): ZoneFacts[] {
  const zoneinfo = texts.get('zoneinfo') ?? '';
  const blocks = parseFreeBlocks(texts.get('buddyinfo'));
  const types = parseMigrateTypes(texts.get('pagetypeinfo'));
  return parseZones(zoneinfo).map((zone) => {
    const part = partOf(zoneinfo, zone.node, zone.zone);
    const boost = /^\s+boost\s+(\d+)$/m.exec(part);
    const added = boost === null ? 0 : Number(boost[1]);
    const protection = /protection: \(([\d, ]+)\)/.exec(part)?.[1];
    return {
      node: zone.node,
      name: zone.zone,
      startPfn: zone.startPfn,
      spanned: zone.spanned,
      present: zone.present,
      managed: /^\s+managed\s/m.test(part) ? zone.managed : null,
      free: zone.free,
      // The file has them with the boost.
      min: zone.min - added,
      low: zone.low - added,
      high: zone.high - added,
      boost: boost === null ? null : added,
      cpuPages: zone.perCpuFree,
      lists: [...part.matchAll(/^\s+nr_(?:zone_)?((?:in)?active(?:_anon|_file)?|unevictable)\s+(\d+)$/gm)].map(
        ([, name, pages]) => ({ name: name!, pages: Number(pages) }),
      ),
      blocks: blocks.find((one) => one.node === zone.node && one.zone === zone.zone)?.blocks ?? null,
      types: typesOf(types, zone.node, zone.zone),
      reserve: protection === undefined ? null : Math.max(...protection.split(',').map(Number)),
    };
  });
}

/** What zoneinfo says of one zone; the first zone of a node has the node's counters before it. */
function partOf(zoneinfo: string, node: number, name: string): string {
  const parts = zoneinfo.split(/^(?=Node )/m);
  const part = parts.find((one) => new RegExp(`^Node ${node}, zone\\s+${name}$`, 'm').test(one)) ?? '';
  const at = part.search(/^\s+pages free/m);
  return at < 0 ? part : part.slice(at);
}
