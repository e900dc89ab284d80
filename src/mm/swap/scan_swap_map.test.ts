/** Where the next slot is: kernels that scan the map. */
import { describe, expect, test } from 'vitest';
import type { Machine } from '../machine.ts';
import { NO_SWAP, type SwapEntry, swpOffset, swpType } from '../units.ts';
import { NO_OFFSET, SWAP_HAS_CACHE, SwapInfo } from './area.ts';
import {
  getSwapPage,
  type SwapScan,
  scanSwapMap,
  scanSwapMap_2_4,
  scanSwapMap_3,
  slotFreedInMap,
} from './scan_swap_map.ts';
import { SwapAreas, swapRangeFree } from './swapfile.ts';

interface Stub {
  readonly machine: Machine;
  readonly areas: SwapInfo[];
  /** The next `count` entries, as type:offset. */
  take(count: number): string[];
  free(area: SwapInfo, offset: number): void;
}

/** Areas of so many slots, the header included, with their priorities. */
function swapOf(scan: SwapScan, ...areas: { slots: number; prio: number }[]): Stub {
  const swap = new SwapAreas();
  const machine = {
    swap,
    generation: { switches: { swapScanMap: true, swapSlotsCache: false } },
  } as unknown as Machine;
  for (const { slots, prio } of areas) {
    const area = new SwapInfo(swap.areas.length, slots, prio, false, null, true);
    swap.areas.push(area);
    swap.enable(area);
  }
  return {
    machine,
    areas: swap.areas as SwapInfo[],
    take: (count) => {
      const got: string[] = [];
      for (let i = 0; i < count; i++) {
        const entry: SwapEntry = getSwapPage(machine, scan);
        got.push(entry === NO_SWAP ? 'none' : `${swpType(entry)}:${swpOffset(entry)}`);
      }
      return got;
    },
    free: (area, offset) => {
      area.setUsage(offset, 0);
      swapRangeFree(machine, area, offset);
      slotFreedInMap(machine, area, offset);
    },
  };
}

const SCANS: [string, SwapScan][] = [
  ['2.4', scanSwapMap_2_4],
  ['2.6', scanSwapMap],
  ['3.16', scanSwapMap_3],
];

describe.each(SCANS)('%s', (version, scan) => {
  test('an empty area is filled from its first slot on', () => {
    const { take, areas } = swapOf(scan, { slots: 1000, prio: 0 });
    expect(take(4)).toEqual(['0:1', '0:2', '0:3', '0:4']);
    take(252);
    expect(areas[0]!.clusterNext).toBe(257);
    expect(take(1)).toEqual(['0:257']);
  });

  test('a slot that was freed waits until the cluster is used up', () => {
    const { take, free, areas } = swapOf(scan, { slots: 1000, prio: 0 });
    take(10);
    free(areas[0]!, 3);
    expect(areas[0]!.lowestBit).toBe(3);
    expect(take(1)).toEqual(['0:11']);
  });

  test('the next cluster is the first run of 256 free slots, aligned or not', () => {
    const { take, free, areas } = swapOf(scan, { slots: 2000, prio: 0 });
    take(700);
    for (let offset = 100; offset < 355; offset++) free(areas[0]!, offset);
    // 255 in a row are one too few.
    const rest = take(1000);
    expect(rest).not.toContain('0:100');
    expect(rest.at(-1)).toBe('0:1700');
  });

  test('with less than a cluster free, single slots are looked for from the front', () => {
    const { take, free, areas } = swapOf(scan, { slots: 258, prio: 0 });
    expect(take(258).slice(255)).toEqual(['0:256', '0:257', 'none']);
    expect([areas[0]!.lowestBit, areas[0]!.highestBit]).toEqual([258, 0]);
    free(areas[0]!, 200);
    free(areas[0]!, 90);
    expect(take(3).sort()).toEqual(['0:200', '0:90', 'none']);
  });

  test('areas of one priority take turns; the next priority comes when both are full', () => {
    const { take } = swapOf(scan, { slots: 4, prio: 5 }, { slots: 4, prio: 5 }, { slots: 4, prio: 1 });
    expect(take(10)).toEqual(['0:1', '1:1', '0:2', '1:2', '0:3', '1:3', '2:1', '2:2', '2:3', 'none']);
  });

  test('a slot freed in an area of higher priority is the next to go', () => {
    const { take, free, areas } = swapOf(scan, { slots: 4, prio: 5 }, { slots: 9, prio: 1 });
    take(4);
    free(areas[0]!, 2);
    expect(take(2)).toEqual(['0:2', '1:2']);
  });

  test('bits and counts hold, whatever is taken and freed', () => {
    const { take, free, areas, machine } = swapOf(scan, { slots: 600, prio: 0 });
    const area = areas[0]!;
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    for (let step = 0; step < 5000; step++) {
      const offset = 1 + random(599);
      if (area.usage(offset) === SWAP_HAS_CACHE && random(2) === 0) free(area, offset);
      else take(1);
      const used = Array.from({ length: 599 }, (_, i) => area.usage(i + 1)).filter((usage) => usage !== 0).length;
      expect(used, `${version}, step ${step}`).toBe(area.inusePages);
      expect(machine.swap.nrSwapPages).toBe(599 - used);
      for (let i = 1; i < 600; i++) {
        if (area.usage(i) === 0 && (i < area.lowestBit || i > area.highestBit)) throw new Error(`slot ${i} is hidden`);
      }
    }
  });
});

test('an area that is switched off gives no slot', () => {
  const { areas, machine, take } = swapOf(scanSwapMap, { slots: 100, prio: 0 });
  take(3);
  areas[0]!.writeok = false;
  expect(scanSwapMap(machine, areas[0]!)).toBe(NO_OFFSET);
  expect(take(1)).toEqual(['none']);
});
