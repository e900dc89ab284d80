/** Areas that are refused, that are full, that go; and who pays for a slot when its cgroup is gone. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { EINVAL, ENOENT, ENOMEM, EPERM } from '../errno.ts';
import { GFP_KERNEL } from '../gfp.ts';
import { doMadvise } from '../madvise.ts';
import { MADV_PAGEOUT, MAP_SHARED } from '../uapi.ts';
import { PAGE_SIZE, swpEntry, swpOffset, swpType } from '../units.ts';
import { COUNT_CONTINUED, SWAP_MAP_BAD, SWAP_MAP_MAX } from './area.ts';
import { swapcachePrepare, swapoff, swapon } from './swapfile.ts';

const MIB: number = 2 ** 20;
const STRICT = 2;

/** MADV_PAGEOUT of pages, and time for the disk. */
function out(s: Space, page: number, pages: number, mm = s.mm): void {
  doMadvise(s.machine, mm, s.vpn(page) * PAGE_SIZE, pages * PAGE_SIZE, MADV_PAGEOUT);
  s.machine.advance(10e9);
}

function entry(s: Space, page: number): { type: number; offset: number } | null {
  const { pageTables } = s.machine;
  if (!pageTables.isSwap(s.slot(page))) return null;
  const at = pageTables.swapEntry(s.slot(page));
  return { type: swpType(at), offset: swpOffset(at) };
}

describe('swapon and swapoff refuse', () => {
  test('an area without a slot', () =>
    expect(swapon(new Space().machine, { bytes: 2 * PAGE_SIZE - 1, device: 'zram' })).toBe(-EINVAL));

  test('a 24th area', () => {
    const { machine } = new Space();
    const types = Array.from({ length: 24 }, () => swapon(machine, { bytes: 8 * PAGE_SIZE, device: 'zram' }));
    expect([types[22], types[23]]).toEqual([22, -EPERM]);
    expect(swapoff(machine, 5)).toBe(0);
    expect([swapoff(machine, 5), swapoff(machine, 99)]).toEqual([-EINVAL, -EINVAL]);
    expect(swapon(machine, { bytes: 8 * PAGE_SIZE, device: 'disk', diskConfig: { requestNs: 5 } })).toBe(5);
    expect(machine.verify()).toEqual([]);
  });

  test('to take away what was promised, where promises are kept', () => {
    const s = new Space({ swap: 'zram', swapBytes: MIB });
    s.map(0, 100);
    Object.assign(s.machine.sysctl, { overcommitMemory: STRICT, overcommitRatio: 0 });
    expect(swapoff(s.machine, 0)).toBe(-ENOMEM);
    s.machine.sysctl.overcommitRatio = 50;
    expect(swapoff(s.machine, 0)).toBe(0);
    expect(s.machine.verify()).toEqual([]);
  });
});

for (const kernel of ['6.18', '6.1']) {
  for (const device of ['zram', 'disk'] as const) {
    describe(`${kernel}, swap on ${device}`, () => {
      const small = (): Space => {
        const s = new Space({ kernel });
        for (const priority of [5, 5, 1]) swapon(s.machine, { bytes: 16 * PAGE_SIZE, device, priority });
        return s;
      };

      test('areas are filled by priority; when all are full, pages stay', () => {
        const s = small();
        s.map(0, 64);
        s.storeAll(0, 64);
        out(s, 0, 64);
        const used = s.machine.swap.areas.map((area) => area!.inusePages);
        expect(used).toEqual([15, 15, 15]);
        expect(s.machine.swap.avail).toEqual([]);
        expect(s.machine.verify()).toEqual([]);
        // A slot that comes free is there for the next page.
        const gone = [...Array(64).keys()].find((page) => entry(s, page)?.type === 1)!;
        s.store(gone);
        const kept = [...Array(64).keys()].find((page) => entry(s, page) === null && page !== gone)!;
        out(s, kept, 1);
        expect(entry(s, kept)?.type).toBe(1);
        expect(s.machine.verify()).toEqual([]);
      });

      test('swapoff brings everything back: pages of a fork, of tmpfs, and those that nobody has in memory', () => {
        const s = new Space({ kernel, swap: device, swapBytes: MIB });
        s.map(0, 8);
        s.storeAll(0, 8);
        const file = s.file('tmpfs', 8);
        s.map(16, 8, MAP_SHARED, undefined, file);
        s.storeAll(16, 8);
        s.fork();
        out(s, 0, 8);
        out(s, 16, 8);
        s.load(2);
        expect(swapoff(s.machine, 0)).toBe(0);
        expect([...Array(8).keys()].map((page) => entry(s, page))).toEqual(Array(8).fill(null));
        expect([file.inode.shmemSwapped, s.machine.swap.totalSwapPages]).toEqual([0, 0]);
        expect(s.machine.verify()).toEqual([]);
      });

      test('slots that only pages in memory keep are given up when swap is getting full', () => {
        const s = new Space({ kernel, ramBytes: 32 * MIB, swap: device, swapBytes: 1200 * PAGE_SIZE });
        s.map(0, 2000);
        s.storeAll(0, 2000);
        out(s, 0, 590);
        s.loadAll(0, 590);
        out(s, 600, 1100);
        expect(s.machine.verify()).toEqual([]);
        const swapped = [...Array(2000).keys()].filter((page) => entry(s, page) !== null);
        expect(swapped.length).toBeGreaterThan(1000);
        s.storeAll(0, 2000);
        expect(s.machine.verify()).toEqual([]);
      });

      test('a slot may be wanted by more entries than its byte can count', () => {
        const s = new Space({ kernel, swap: device, swapBytes: MIB });
        s.map(0, 1);
        s.store(0);
        out(s, 0, 1);
        const area = s.machine.swap.areas[0]!;
        const { offset } = entry(s, 0)!;
        const children = Array.from({ length: SWAP_MAP_MAX + 70 }, () => s.fork());
        expect(area.exactCount(offset)).toBe(1 + children.length);
        expect(area.count(offset) & COUNT_CONTINUED).toBe(COUNT_CONTINUED);
        for (const child of children) s.exit(child);
        expect(area.exactCount(offset)).toBe(1);
        expect(s.machine.verify()).toEqual([]);
      });

      for (const cgroupV1 of [false, true]) {
        test(`cgroup v${cgroupV1 ? 1 : 2}: the slots of a cgroup that is gone are its parent's`, () => {
          const s = new Space({ kernel, cgroupV1, swap: device, swapBytes: MIB });
          const child = s.machine.newCgroup('child', s.memcg);
          s.map(0, 8);
          const task = s.fork(s.mm, child);
          const mm = task.mm!;
          s.machine.current = task;
          s.storeAll(0, 8, mm);
          out(s, 0, 4, mm);
          child.online = false;
          out(s, 4, 4, mm);
          s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 8, GFP_KERNEL, true);
          // v1 charges a slot when its page leaves memory: on a disk that is when it has been written and is reclaimed.
          expect([child.swap.usage, s.memcg.swap.usage]).toEqual([cgroupV1 && device === 'disk' ? 0 : 4, 8]);
          // Who was charged for the first four is gone: who wants them now is charged.
          s.machine.current = s.task;
          s.loadAll(0, 8, mm);
          expect(s.machine.verify()).toEqual([]);
          expect(swapoff(s.machine, 0)).toBe(0);
          expect(s.memcg.swap.usage).toBe(0);
        });
      }
    });
  }
}

for (const { why, usage, want } of [
  { why: 'nobody needs', usage: 0, want: -ENOENT },
  { why: 'is bad', usage: SWAP_MAP_BAD, want: -ENOENT },
]) {
  test(`a slot that ${why} is not read ahead`, () => {
    const s = new Space({ swap: 'zram', swapBytes: MIB });
    s.machine.swap.areas[0]!.setUsage(9, usage);
    expect(swapcachePrepare(s.machine, swpEntry(0, 9))).toBe(want);
  });
}
