/**
 * What a limit is in each kernel: how a program is kept from using more memory than so much.
 *
 *   kernel       the limit is                     it holds
 *   6.x          memory.max of a cgroup           the program's pages, its page tables, stacks and slab objects
 *   3.16         memory.limit_in_bytes (v1)       the same pages; kernel memory is charged only if kmem accounting is on
 *   2.6, 2.4     the machine itself (`mem=`)      everything that is allocated once the kernel has booted
 *
 * Owns      the rule for kernels without memory cgroups: the machine gets as many frames as it takes until
 *
 *     free frames after boot, with swap on  -  those that no program gets (marks and reserves)  =  the limit
 *
 *           So the kernel's image, its tables and its emergency reserve stand beside the limit, as they do outside a cgroup.
 * Promises  The rule holds to the page, or to the nearest number of frames if none fits it.
 */
import { Machine, type MachineConfig } from '../mm/machine.ts';
import type { Generation } from '../mm/parts.ts';
import { PAGE_SIZE } from '../mm/units.ts';

export type LimitKind = 'memory.max' | 'memory.limit_in_bytes' | 'mem=';

/** Steps of the search; it is there after three or four. */
const MOST_STEPS = 16;
/** The smallest machine that boots. */
const LEAST_PAGES = 256;

export function limitKind(generation: Generation): LimitKind {
  if (!generation.cgroups) return 'mem=';
  return generation.switches.cgroupV1Only ? 'memory.limit_in_bytes' : 'memory.max';
}

export function freePages(machine: Machine): number {
  let pages = 0;
  for (const zone of machine.zones) pages += zone.freePages + zone.pcp.count;
  return pages;
}

/** Frames that are free and that no ordinary allocation of a program gets. */
export function withheldPages(machine: Machine): number {
  let pages = 0;
  const adds = machine.physical.marksAddUp === true;
  for (const pgdat of machine.nodes) {
    const zones = machine.zones.filter((zone) => zone.pgdat === pgdat).sort((a, b) => b.type - a.type);
    const top = zones[0]?.type ?? 0;
    let above = 0;
    for (const zone of zones) {
      pages += Math.min(zone.managedPages, above + zone.wmarkMin + (zone.lowmemReserve[top] ?? 0));
      if (adds) above += zone.wmarkMin;
    }
  }
  return pages;
}

/** Memory of a machine on which a program can use `limitBytes`. `ready`: brings it to where the program starts. */
export function ramForLimit(config: MachineConfig, limitBytes: number, ready: (machine: Machine) => void): number {
  const wanted = Math.floor(limitBytes / PAGE_SIZE);
  let best = { pages: 0, off: Number.POSITIVE_INFINITY };
  let pages = Math.max(LEAST_PAGES, wanted + (wanted >>> 3));
  for (let step = 0; step < MOST_STEPS && best.off !== 0; step++) {
    const machine = new Machine({ ...config, ramBytes: pages * PAGE_SIZE });
    ready(machine);
    const short = wanted - (freePages(machine) - withheldPages(machine));
    if (Math.abs(short) < best.off) best = { pages, off: Math.abs(short) };
    pages = Math.max(LEAST_PAGES, pages + short);
  }
  return best.pages * PAGE_SIZE;
}
