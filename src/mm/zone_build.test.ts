import { expect, test, vi } from 'vitest';
import { MIB, physicalMachine } from '../../test/physical_machine.ts';
import { PG_reserved } from './page_flags.ts';
import type { Pfn } from './units.ts';
import { verifyPhysical } from './verify_physical.ts';

vi.mock('./oom.ts', () => ({ outOfMemory: () => false, memCgroupOutOfMemory: () => false }));

const GIB = 1024 * MIB;

for (const { why, config, want } of [
  { why: 'less than 16 MiB is all DMA', config: { ramBytes: 8 * MIB }, want: ['0 DMA 0+2048'] },
  { why: '64 MiB have two zones', config: { ramBytes: 64 * MIB }, want: ['0 DMA 0+4096', '0 DMA32 4096+12288'] },
  {
    why: 'Normal begins at 4 GiB',
    config: { ramBytes: 5 * GIB },
    want: ['0 DMA 0+4096', '0 DMA32 4096+1044480', '0 Normal 1048576+262144'],
  },
  {
    why: 'a 32-bit machine has high memory and no DMA32',
    config: { ramBytes: GIB, highmemFromBytes: 896 * MIB },
    want: ['0 DMA 0+4096', '0 Normal 4096+225280', '0 HighMem 229376+32768'],
  },
  {
    why: 'movable memory is the end of the last node',
    config: { ramBytes: 0, nodes: [{ bytes: 64 * MIB }, { bytes: 64 * MIB }], movableBytes: 16 * MIB },
    want: ['0 DMA 0+4096', '0 DMA32 4096+12288', '1 DMA32 16384+12288', '1 Movable 28672+4096'],
  },
]) {
  test(`zones: ${why}`, () => {
    const { machine } = physicalMachine(config);
    expect(machine.zones.map((z) => `${z.pgdat.nid} ${z.name} ${z.startPfn}+${z.spannedPages}`)).toEqual(want);
    expect(verifyPhysical(machine)).toEqual([]);
  });
}

test('a request looks in its own node first, from its highest zone down', () => {
  const { machine } = physicalMachine({ nodes: [{ bytes: 64 * MIB }, { bytes: 64 * MIB }, { bytes: 64 * MIB }] });
  const names = machine.nodes[1]!.zonelists[4]!.map((z) => `${z.name} ${z.pgdat.nid}`);
  expect(names).toEqual(['DMA32 1', 'DMA32 2', 'DMA32 0', 'DMA 0']);
});

test('the kernel lies at 16 MiB, so that DMA is left for devices', () => {
  const { machine, firstFree } = physicalMachine({ ramBytes: GIB });
  expect(firstFree).toBe(4096 + 47 * 256);
  expect(machine.zones[0]!.managedPages).toBe(3840);
  expect(machine.frames.has((firstFree - 1) as Pfn, PG_reserved)).toBe(true);
  expect(machine.totalPages).toBe(262144 - 48 * 256);
});

for (const bytes of [4096 * 2, 4096 * 3, 100 * 4096, 1 * MIB, 17 * MIB + 4096 * 5, 33 * MIB]) {
  test(`a machine of ${bytes / 4096} pages can be built`, () => {
    const { machine } = physicalMachine({ ramBytes: bytes });
    expect(machine.totalPages).toBeGreaterThan(0);
    expect(verifyPhysical(machine)).toEqual([]);
  });
}

test('64 GiB are 16,777,216 frames', () => {
  const { machine } = physicalMachine({ ramBytes: 64 * GIB });
  expect(machine.frames.frames).toBe(16777216);
});
