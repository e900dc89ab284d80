import { describe, expect, test } from 'vitest';
import { Random } from '../../test/random_machine.ts';
import { RW, Space } from '../../test/space.ts';
import { ENOMEM } from './errno.ts';
import { TASK_SIZE } from './mm.ts';
import { doMmap, doMunmap } from './mmap.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE } from './uapi.ts';
import type { Vaddr } from './units.ts';
import { pickMmapLayout_2_6 } from './unmapped_area_2_6.ts';

const MIB = 2 ** 20;
const BASE = TASK_SIZE - 128 * MIB;
const LEGACY = Math.ceil(TASK_SIZE / 3 / 4096) * 4096;

function space(stack = 8 * MIB): Space {
  const s = new Space({ kernel: '2.6.24' });
  s.mm.rlimitStack = stack;
  s.mm.mmapBase = pickMmapLayout_2_6(s.mm);
  return s;
}
/** Without hint; each with rights that do not merge with its neighbours’. */
let flip = 0;
function map(s: Space, pages: number, addr = 0): number {
  flip = (flip + 1) % 3;
  return doMmap(s.machine, s.mm, addr, pages * 4096, [RW, 1, 5][flip]!, MAP_PRIVATE | MAP_ANONYMOUS, null, 0);
}
function unmap(s: Space, addr: number, pages: number): void {
  expect(doMunmap(s.machine, s.mm, addr, pages * 4096)).toBe(0);
}

describe('mmap_base', () => {
  for (const { why, stack, want } of [
    { why: 'a small stack: 128 MiB below the top', stack: 8 * MIB, want: BASE },
    { why: 'a stack of 1 GiB', stack: 1024 * MIB, want: TASK_SIZE - 1024 * MIB },
    {
      why: 'never more than five sixths',
      stack: TASK_SIZE,
      want: Math.ceil((TASK_SIZE - Math.floor(TASK_SIZE / 6) * 5) / 4096) * 4096,
    },
    { why: 'no limit: upwards from a third', stack: Number.POSITIVE_INFINITY, want: LEGACY },
  ]) {
    test(why, () => expect(space(stack).mm.mmapBase).toBe(want));
  }
});

describe('top-down', () => {
  test('one below the other, and free_area_cache remembers', () => {
    const s = space();
    expect([map(s, 4), map(s, 2), map(s, 1)]).toEqual([BASE - 4 * 4096, BASE - 6 * 4096, BASE - 7 * 4096]);
    expect(s.mm.freeAreaCache! * 4096).toBe(BASE - 7 * 4096);
  });

  test('munmap moves the cache up to what is above the hole', () => {
    const s = space();
    const [a, b] = [map(s, 4), map(s, 4)];
    map(s, 4);
    unmap(s, b, 4);
    expect(s.mm.freeAreaCache! * 4096).toBe(a);
    expect(map(s, 4)).toBe(b);
  });

  test('a hole that is too small is remembered; what fits there starts over', () => {
    const s = space();
    const a = map(s, 4);
    const b = map(s, 2);
    const c = map(s, 4);
    unmap(s, b, 2);
    // Too large for the hole: the walk ends in it, passes on, and notes as much of it as it saw.
    const d = map(s, 5);
    expect([d, s.mm.cachedHoleSize]).toEqual([c - 5 * 4096, 1]);
    // Two pages would fit, and go on below the last one all the same; one page starts over.
    expect(map(s, 2)).toBe(d - 2 * 4096);
    expect(map(s, 1)).toBe(b + 4096);
    expect([a > b, s.mm.cachedHoleSize]).toEqual([true, 0]);
  });

  test('a hint that is free is taken, and nothing is remembered', () => {
    const s = space();
    expect([map(s, 1, 0x10000000), s.mm.freeAreaCache]).toEqual([0x10000000, null]);
    expect(map(s, 1, 0x10000000)).toBe(BASE - 4096);
  });

  test('nothing below: upwards, between the base and the stack', () => {
    const s = space();
    s.mm.mmapBase = (LEGACY + 16 * 4096) as Vaddr;
    expect(map(s, 16 + 32)).toBe(LEGACY - 32 * 4096);
    s.mm.mmapBase = (64 * 4096) as Vaddr;
    s.mm.freeAreaCache = null;
    expect(map(s, 80)).toBe(LEGACY + 16 * 4096);
  });
});

describe('bottom-up', () => {
  test('one above the other; munmap moves the cache down', () => {
    const s = space(Number.POSITIVE_INFINITY);
    const [a, b, c] = [map(s, 4), map(s, 2), map(s, 1)];
    expect([a, b, c]).toEqual([LEGACY, LEGACY + 4 * 4096, LEGACY + 6 * 4096]);
    unmap(s, b, 2);
    expect(s.mm.freeAreaCache! * 4096).toBe(b);
    expect(map(s, 1)).toBe(b);
    // Behind the one page that is left of the hole.
    expect(map(s, 3)).toBe(c + 4096);
    expect(s.mm.cachedHoleSize).toBe(1);
    expect(map(s, 1)).toBe(b + 4096);
  });

  test('at the end of user space the search begins anew, once', () => {
    const s = space(Number.POSITIVE_INFINITY);
    s.mm.taskSize = (LEGACY + 16 * 4096) as Vaddr;
    const first = map(s, 8);
    map(s, 8);
    expect(map(s, 1)).toBe(-ENOMEM);
    unmap(s, first, 8);
    s.mm.freeAreaCache = null;
    s.mm.cachedHoleSize = 0;
    expect(map(s, 8)).toBe(first);
  });
});

test('whatever is mapped and unmapped: what is found is free, and what is free is found', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const s = space(seed % 2 === 0 ? 8 * MIB : Number.POSITIVE_INFINITY);
    s.mm.taskSize = (LEGACY + 64 * 4096) as Vaddr;
    if (seed % 2 === 0) s.mm.mmapBase = s.mm.taskSize;
    const mapped: [number, number][] = [];
    for (let step = 0; step < 120; step++) {
      if (random.next(3) > 0 || mapped.length === 0) {
        const pages = 1 + random.next(12);
        const at = map(s, pages);
        if (at >= 0) mapped.push([at, pages]);
        else if (seed % 2 === 1) {
          let gap = 0;
          for (let page = 0; page < 64; page++) {
            gap = s.mm.vmas.findExact((LEGACY / 4096 + page) as never) === null ? gap + 1 : 0;
            expect(gap).toBeLessThan(pages);
          }
        }
      } else {
        const [at, pages] = mapped.splice(random.next(mapped.length), 1)[0]!;
        unmap(s, at, pages);
      }
    }
    expect(s.mm.vmas.verify()).toEqual([]);
  }
});
