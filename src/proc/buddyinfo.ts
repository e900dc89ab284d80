/**
 * /proc/buddyinfo: free blocks of each order.
 *
 * Linux     6.18 mm/vmstat.c: frag_show_print
 */
import type { Machine } from '../mm/machine.ts';
import { freeBlocks, NR_PAGE_ORDERS } from '../mm/zone.ts';

export function buddyinfo(machine: Machine): string {
  let text = '';
  for (const zone of machine.zones) {
    text += `Node ${zone.pgdat.nid}, zone ${zone.name.padStart(8)} `;
    for (let order = 0; order < NR_PAGE_ORDERS; order++) text += `${String(freeBlocks(zone, order)).padStart(6)} `;
    text += '\n';
  }
  return text;
}
