/**
 * /proc/pagetypeinfo: free blocks and pageblocks by mobility.
 *
 * Linux     6.18, 3.16, 2.6.24 mm/vmstat.c: pagetypeinfo_show pagetypeinfo_showfree_print pagetypeinfo_showblockcount_print
 */
import { MIGRATE_MOVABLE_3, MIGRATE_RECLAIMABLE_3, MIGRATE_RESERVE_3 } from '../mm/buddy_3.ts';
import type { Machine } from '../mm/machine.ts';
import { isSince } from '../mm/release.ts';
import {
  MIGRATE_HIGHATOMIC,
  MIGRATE_MOVABLE,
  MIGRATE_RECLAIMABLE,
  MIGRATE_TYPES,
  MIGRATE_UNMOVABLE,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  type Zone,
} from '../mm/zone.ts';

/** Rows in the kernel's order, each kernel with its own numbers; -1 is a type that this machine never has. What was reserved once is kept for atomic requests now. */
type Types = readonly (readonly [name: string, type: number])[];

const TYPES_6: Types = [
  ['Unmovable', MIGRATE_UNMOVABLE],
  ['Movable', MIGRATE_MOVABLE],
  ['Reclaimable', MIGRATE_RECLAIMABLE],
  ['HighAtomic', MIGRATE_HIGHATOMIC],
  ['Isolate', -1],
];
const TYPES_3: Types = [
  ['Unmovable', MIGRATE_UNMOVABLE],
  ['Reclaimable', MIGRATE_RECLAIMABLE_3],
  ['Movable', MIGRATE_MOVABLE_3],
  ['Reserve', MIGRATE_RESERVE_3],
  ['Isolate', -1],
];
const TYPES_2_6: Types = [
  ['Unmovable', MIGRATE_UNMOVABLE],
  ['Reclaimable', MIGRATE_RECLAIMABLE],
  ['Movable', MIGRATE_MOVABLE],
  ['Reserve', MIGRATE_HIGHATOMIC],
  ['Isolate', -1],
];
/** Before 2.6.31 a pageblock was the largest block. */
const PAGEBLOCK_ORDER_2_6 = 10;

export function pagetypeinfo(machine: Machine): string {
  const { version } = machine.generation;
  const order = isSince(version, '2.6.31') ? PAGEBLOCK_ORDER : PAGEBLOCK_ORDER_2_6;
  const types = isSince(version, '4.4') ? TYPES_6 : isSince(version, '3.0') ? TYPES_3 : TYPES_2_6;
  let text = `Page block order: ${order}\nPages per block:  ${2 ** order}\n\n`;
  text += 'Free pages count per migrate type at order '.padEnd(44);
  for (let o = 0; o < NR_PAGE_ORDERS; o++) text += `${String(o).padStart(6)} `;
  text += '\n';
  for (const zone of machine.zones) {
    for (const [name, type] of types) {
      text += `Node ${String(zone.pgdat.nid).padStart(4)}, ${where(zone)}, type ${name.padStart(12)} `;
      for (let o = 0; o < NR_PAGE_ORDERS; o++) {
        const blocks = type < 0 ? 0 : zone.nrFree[o * MIGRATE_TYPES + type]!;
        text += `${String(blocks).padStart(6)} `;
      }
      text += '\n';
    }
  }
  text += `\n${'Number of blocks type '.padEnd(23)}${types.map(([name]) => `${name.padStart(12)} `).join('')}\n`;
  for (const zone of machine.zones)
    text += `Node ${zone.pgdat.nid}, ${where(zone)} ${blockCounts(zone, order, types)}\n`;
  return text;
}

function where(zone: Zone): string {
  return `zone ${zone.name.padStart(8)}`;
}

function blockCounts(zone: Zone, order: number, types: Types): string {
  const count = new Map<number, number>();
  const first = Math.floor(zone.startPfn / 2 ** order);
  const last = Math.ceil((zone.startPfn + zone.spannedPages) / 2 ** order);
  for (let block = 0; block < last - first; block++) {
    const type = zone.pageblockType[block]!;
    count.set(type, (count.get(type) ?? 0) + 1);
  }
  return types.map(([, type]) => `${String(count.get(type) ?? 0).padStart(12)} `).join('');
}
