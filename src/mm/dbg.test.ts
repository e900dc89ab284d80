import { test, vi } from 'vitest';
import { MIB, physicalMachine } from '../../test/physical_machine.ts';
import { allocPages } from './page_alloc.ts';
import { GFP_KERNEL, __GFP_NORETRY } from './gfp.ts';
vi.mock('./oom.ts', () => ({ outOfMemory: () => false, memCgroupOutOfMemory: () => false }));
test('x', () => {
  for (const killed of [false, true]) {
  const { machine } = physicalMachine({ ramBytes: killed ? 12*MIB : 24 * MIB }, false);
  machine.current.killed = killed;
  let n = 0;
  while (allocPages(machine, killed ? GFP_KERNEL : GFP_KERNEL | __GFP_NORETRY, 0) >= 0) n++;
  for (const z of machine.zones) console.log(z.name, n, z.managedPages, z.freePages, z.wmarkMin, z.wmarkLow, z.watermarkBoost, [...z.lowmemReserve], z.pcp.count, z.pcp.batch, [...z.nrFree].join(' '), z.nrReservedHighatomic);
  }
});
