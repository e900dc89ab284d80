/**
 * /proc/swaps: the swap areas.
 *
 * Linux     6.18 mm/swapfile.c: swap_show
 */
import type { Machine } from '../mm/machine.ts';
import type { SwapInfo } from '../mm/swap/area.ts';
import { procFormat } from './formats.ts';
import { sum } from './vmstat.ts';

/** Numbers this long take the place of a tab. */
const WIDE = 10000000;

export function swaps(machine: Machine): string {
  const { own } = procFormat(machine);
  if (own?.swaps !== undefined) return own.swaps(machine);
  let text = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
  for (const area of areasOf(machine)) {
    // A zram device is a disk without a seek; what lies on a machine's own disk is a file there.
    const isFile = area.device === machine.disk;
    const name = isFile
      ? `/swapfile${area.type}`
      : area.device === null
        ? `/dev/zram${area.type}`
        : `/dev/${area.device.name}`;
    const size = area.pages * 4;
    const used = area.inusePages * 4;
    text += `${name}${' '.repeat(name.length < 40 ? 40 - name.length : 1)}${isFile ? 'file\t' : 'partition'}\t`;
    text += `${size}\t${size < WIDE ? '\t' : ''}${used}\t${used < WIDE ? '\t' : ''}${area.prio}\n`;
  }
  return text;
}

/** In pages, over all areas. */
export function swapPages(machine: Machine): { total: number; used: number } {
  const areas = areasOf(machine);
  return { total: sum(areas, (area) => area.pages), used: sum(areas, (area) => area.inusePages) };
}

function areasOf(machine: Machine): SwapInfo[] {
  return machine.swap.areas.filter((area) => area !== null);
}
