import { expect, test, vi } from 'vitest';
import { MIB, type PhysicalMachine, physicalMachine } from '../../test/physical_machine.ts';
import {
  ALLOC_MIN_RESERVE,
  ALLOC_NON_BLOCK,
  ALLOC_OOM,
  minFreeKbytes,
  setupPerZoneWmarks,
  totalreservePages,
  zoneBatchsize,
  zoneWatermarkOk,
} from './watermark.ts';
import { MIGRATE_TYPES, NR_PAGE_ORDERS, ZONE_DMA, ZONE_MOVABLE, ZONE_NORMAL } from './zone.ts';

vi.mock('./oom.ts', () => ({ outOfMemory: () => false, memCgroupOutOfMemory: () => false }));

/** Zones of the sizes that a real machine's /proc/zoneinfo shows. */
function withManaged(built: PhysicalMachine, managed: number[]): PhysicalMachine {
  managed.forEach((pages, i) => {
    built.machine.zones[i]!.managedPages = pages;
  });
  setupPerZoneWmarks(built.machine);
  return built;
}

const host = withManaged(
  physicalMachine({ ramBytes: 6 * 1024 * MIB, cpus: 2 }, true, { thpEnabled: true }),
  [3840, 772915, 950272],
);
const debian = withManaged(physicalMachine({ ramBytes: 384 * MIB }, false, { minFreeKbytes: 2318 }), [3840, 81002]);

for (const { why, built, zone, want } of [
  { why: 'DMA of a 6.18 host', built: host, zone: 0, want: [37, 46, 55, 64, 1, 23, 240] },
  { why: 'DMA32 of a 6.18 host', built: host, zone: 1, want: [7561, 9451, 11341, 13231, 63, 4725, 48307] },
  { why: 'Normal of a 6.18 host', built: host, zone: 2, want: [9296, 11620, 13944, 16268, 63, 5810, 59392] },
  { why: 'DMA of Debian 6.1 in 384 MiB', built: debian, zone: 0, want: [26, 32, 38, 44, 1, 32, 32] },
  { why: 'DMA32 of Debian 6.1 in 384 MiB', built: debian, zone: 1, want: [552, 690, 828, 966, 15, 690, 690] },
]) {
  test(`[6.x watermarks] [6.x pcp] watermarks and per-CPU limits are those of ${why}`, () => {
    const { wmarkMin, wmarkLow, wmarkHigh, wmarkPromo, pcp } = built.machine.zones[zone]!;
    expect([wmarkMin, wmarkLow, wmarkHigh, wmarkPromo, pcp.batch, pcp.highMin, pcp.highMax]).toEqual(want);
  });
}

test('a large zone keeps 0.1 % between its watermarks, more than a quarter of its minimum', () => {
  const { machine } = physicalMachine({ ramBytes: 32 * 1024 * MIB });
  const zone = machine.zones[2]!;
  expect(zone.wmarkLow - zone.wmarkMin).toBe(Math.max(zone.wmarkMin >> 2, Math.floor(zone.managedPages / 1000)));
  expect(zone.wmarkLow - zone.wmarkMin).toBeGreaterThan(zone.wmarkMin >> 2);
});

test('a zone protects itself from those who could go higher', () => {
  expect([...host.machine.zones[0]!.lowmemReserve]).toEqual([0, 3019, 6731, 6731, 6731]);
  expect([...host.machine.zones[1]!.lowmemReserve]).toEqual([0, 0, 3712, 3712, 3712]);
});

test('what is reserved is the protection and the high watermark, at most the zone', () => {
  expect(totalreservePages(host.machine)).toBe(Math.min(3840, 6731 + 55) + 3712 + 11341 + 13944);
});

for (const { why, pages, want } of [
  { why: 'a tiny machine has 128 kB', pages: 100, want: 128 },
  { why: '16 MiB have 512 kB', pages: 4096, want: 512 },
  { why: 'a huge machine has 256 MiB', pages: 2 ** 33, want: 262144 },
])
  test(`min_free_kbytes: ${why}`, () => expect(minFreeKbytes(pages)).toBe(want));

for (const { why, ramBytes, want } of [
  { why: '11 pageblocks for each of 3 zones', ramBytes: 6 * 1024 * MIB, want: 67584 },
  { why: 'and of 2', ramBytes: 2 * 1024 * MIB, want: 45056 },
])
  test(`[6.x min_free_kbytes with THP] ${why}`, () => {
    const marks = (sysctl: { thpEnabled?: boolean; minFreeKbytes?: number }): number[] =>
      physicalMachine({ ramBytes }, true, sysctl).machine.zones.map((zone) => zone.wmarkMin);
    expect(marks({ thpEnabled: true })).toEqual(marks({ minFreeKbytes: want }));
    expect(marks({ thpEnabled: true })).not.toEqual(marks({}));
  });

for (const { managed, want } of [
  { managed: 100, want: 1 },
  { managed: 3840, want: 1 },
  { managed: 81002, want: 15 },
  { managed: 262144, want: 63 },
  { managed: 2 ** 24, want: 63 },
])
  test(`[6.x pcp] a zone of ${managed} pages moves ${want} at once`, () => expect(zoneBatchsize(managed)).toBe(want));

test('movable memory keeps little, since the kernel does not live in it', () => {
  const { machine } = physicalMachine({ ramBytes: 512 * MIB, movableBytes: 128 * MIB });
  const zone = machine.nodes[0]!.zones[ZONE_MOVABLE]!;
  expect([zone.managedPages, zone.wmarkMin]).toEqual([32768, 32]);
});

for (const { why, free, flags, order, want } of [
  { why: 'one page above the mark is enough', free: 101, flags: 0, order: 0, want: true },
  { why: 'the mark itself is not', free: 100, flags: 0, order: 0, want: false },
  { why: '__GFP_HIGH may use half', free: 51, flags: ALLOC_MIN_RESERVE, order: 0, want: true },
  { why: '__GFP_HIGH may not use more', free: 50, flags: ALLOC_MIN_RESERVE, order: 0, want: false },
  {
    why: 'an atomic request leaves three eighths',
    free: 39,
    flags: ALLOC_MIN_RESERVE | ALLOC_NON_BLOCK,
    order: 0,
    want: true,
  },
  { why: 'not to block alone is no reason', free: 100, flags: ALLOC_NON_BLOCK, order: 0, want: false },
  { why: 'an OOM victim may use half', free: 51, flags: ALLOC_OOM, order: 0, want: true },
  { why: 'a larger block must be there', free: 500, flags: 0, order: 4, want: false },
  { why: 'a block of that order is', free: 500, flags: 0, order: 3, want: true },
]) {
  test(`watermark check: ${why}`, () => {
    const { machine } = physicalMachine({ ramBytes: 64 * MIB });
    const zone = machine.zones[0]!;
    zone.freePages = free;
    zone.nrFree.fill(0, 4 * MIGRATE_TYPES, NR_PAGE_ORDERS * MIGRATE_TYPES);
    zone.nrFree[3 * MIGRATE_TYPES] = 1;
    expect(zoneWatermarkOk(machine, zone, order, 100, ZONE_DMA, flags)).toBe(want);
  });
}

test('what is kept from higher requests counts for them only', () => {
  const { machine } = physicalMachine({ ramBytes: 512 * MIB });
  const dma = machine.zones[0]!;
  dma.freePages = dma.lowmemReserve[ZONE_NORMAL]! + 10;
  expect(zoneWatermarkOk(machine, dma, 0, 10, ZONE_NORMAL, 0)).toBe(false);
  expect(zoneWatermarkOk(machine, dma, 0, 10, ZONE_DMA, 0)).toBe(true);
});
