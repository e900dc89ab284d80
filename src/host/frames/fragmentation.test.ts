/** Free blocks, the kernel's indices, and 2 MiB blocks, against the same found the slow way. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyFrames, anyZones, hostOfFrames } from '../../../test/host/made_up_frames.ts';
import {
  type BlockClass,
  type Fragmentation,
  fragmentationIndex,
  fragmentationOf,
  pageblocksOf,
  unusableFreeIndex,
} from './fragmentation.ts';
import { FRAME_KINDS, type FrameKinds } from './frame_kinds.ts';
import { frameKinds } from './frames.ts';

// What extfrag_index and unusable_index would print (debugfs), worked out by hand from the formulas of mm/vmstat.c.
for (const { why, blocks, order, unusable, index } of [
  { why: 'nothing is free', blocks: [0, 0, 0], order: 1, unusable: 1000, index: 0 },
  { why: 'a larger block serves too', blocks: [0, 0, 1], order: 1, unusable: 0, index: -1000 },
  { why: 'half of it is too small', blocks: [2, 1, 0], order: 1, unusable: 500, index: -1000 },
  { why: 'plenty, but in single pages', blocks: [1000, 0, 0, 0], order: 3, unusable: 1000, index: 874 },
  { why: 'there is little', blocks: [1, 0, 0, 0], order: 3, unusable: 1000, index: -125 },
  { why: 'a request of one page fails only if nothing is free', blocks: [0, 5], order: 0, unusable: 0, index: -1000 },
  { why: 'thousandths are cut, not rounded', blocks: [2, 2, 0], order: 1, unusable: 333, index: -1000 },
])
  test(`indices: ${why}`, () => {
    expect({ unusable: unusableFreeIndex(blocks, order), index: fragmentationIndex(blocks, order) }).toEqual({
      unusable,
      index,
    });
  });

/** The buddy system as it is: free pages come one by one, and two buddies become one block. */
function buddyBlocks(free: readonly boolean[], orders: number): number[] {
  const blocks = new Map<number, number>();
  free.forEach((isFree, pfn) => {
    if (!isFree) return;
    let [first, order] = [pfn, 0];
    for (; order < orders - 1; order++) {
      const buddy = first ^ (2 ** order);
      if (blocks.get(buddy) !== order) break;
      blocks.delete(buddy);
      first = Math.min(first, buddy);
    }
    blocks.set(first, order);
  });
  const counts = new Array<number>(orders).fill(0);
  for (const order of blocks.values()) counts[order]! += 1;
  return counts;
}

const fragmented = (free: readonly boolean[], orders: number, startPfn: number): Fragmentation => {
  const frames = [...new Array<boolean>(startPfn).fill(false), ...free].map((isFree) => ({
    word: isFree ? 0x400n : 0x80n,
  }));
  const zones = [{ node: 0, zone: 'Normal', startPfn, spanned: free.length }];
  const buddyinfo = `Node 0, zone   Normal ${new Array(orders).fill('0').join(' ')}\n`;
  const snapshot = hostOfFrames(frames, zones, { buddyinfo });
  return fragmentationOf(snapshot, frameKinds(snapshot));
};

test('blocks counted from free frames are those that a buddy system has', () => {
  const runs = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 90 })), { maxLength: 20 });
  fc.assert(
    fc.property(runs, fc.constantFrom(0, 1, 7, 64), fc.constantFrom(4, 11), (made, startPfn, orders) => {
      const free = made.flatMap(([isFree, n]) => new Array<boolean>(n).fill(isFree));
      if (free.length === 0) return;
      const want = buddyBlocks([...new Array<boolean>(startPfn).fill(false), ...free], orders);
      expect(fragmented(free, orders, startPfn).zones[0]!.counted).toEqual(want);
    }),
  );
});

test('where only the first page of a free block has the mark, buddyinfo tells the rest', () => {
  const runs = fc.array(fc.tuple(fc.constantFrom(0x400n, 0x400n, 0x80n, 0n), fc.integer({ min: 1, max: 90 })), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(runs, (made) => {
      const words = made.flatMap(([word, n]) => new Array<bigint>(n).fill(word));
      const free = words.map((word) => word === 0x400n);
      const counts = buddyBlocks(free, 11);
      // Free frames before each place: a block is free if there are as many behind it as it is long.
      const before = [0];
      for (const isFree of free) before.push(before.at(-1)! + Number(isFree));
      const isFreeBlock = (first: number, pages: number) => before[first + pages]! - before[first]! === pages;
      // A head is the first page of the largest aligned block that is free.
      const heads = words.map((word, pfn) => {
        const isInner = counts.some(
          (_, order) => pfn % 2 ** order > 0 && isFreeBlock(pfn - (pfn % 2 ** order), 2 ** order),
        );
        return word === 0x400n && isInner ? 0n : word;
      });
      const zones = words.length === 0 ? [] : [{ node: 0, zone: 'Normal', startPfn: 0, spanned: words.length }];
      const texts = { buddyinfo: `Node 0, zone   Normal ${counts.join(' ')}\n` };
      const shown = hostOfFrames(
        heads.map((word) => ({ word })),
        zones,
        texts,
      );
      const found = [...frameKinds(shown)!.kind].filter((place) => FRAME_KINDS[place]!.kind === 'free').length;
      const all = free.filter(Boolean).length;
      // Frames of the kernel that have no flag may look like the rest of a block; without such, it is exact.
      if (words.includes(0n)) expect(found).toBeLessThanOrEqual(all);
      else expect(found).toBe(all);
    }),
  );
});

/** One block after the other, each frame looked at on its own. */
function slowClasses({ kind, frames, spans }: FrameKinds): Record<BlockClass, number> {
  const classes = { free: 0, movable: 0, huge: 0, blocked: 0, deferred: 0, partial: 0 };
  const facts = (pfn: number) => FRAME_KINDS[kind[pfn]!]!;
  for (const { first, end, zone } of spans) {
    if (zone < 0 && spans.length > 1) continue;
    for (let block = Math.floor(first / 512); block * 512 < end; block++) {
      const pfns = Array.from({ length: 512 }, (_, i) => block * 512 + i).filter((pfn) => pfn >= first && pfn < end);
      const has = (name: string) => pfns.some((pfn) => facts(pfn).kind === name);
      const bits = pfns.map((pfn) => (frames.wordsLow[frames.word[pfn]!]! >>> 15) & 3);
      if (pfns.length < 512) classes.partial += 1;
      else if (pfns.every((pfn) => facts(pfn).kind === 'free')) classes.free += 1;
      else if (has('hole') || has('not_read')) classes.partial += 1;
      else if (pfns.some((pfn) => !facts(pfn).movable && facts(pfn).kind !== 'free')) classes.blocked += 1;
      else if (bits.every((of, i) => (i === 0 ? of > 0 : of >= 2))) classes.huge += 1;
      else classes.movable += 1;
    }
  }
  return classes;
}

test('pageblocks: each of one class, and the class is what a look at each frame says', () => {
  fc.assert(
    fc.property(anyFrames, anyZones, (frames, zones) => {
      const kinds = frameKinds(hostOfFrames(frames, zones))!;
      const { total, classes, blockers } = pageblocksOf(kinds);
      expect(classes).toEqual(slowClasses(kinds));
      expect(Object.values(classes).reduce((sum, n) => sum + n, 0)).toBe(total);
      for (const { kind, blocks, alone, frames: n } of blockers) {
        expect(FRAME_KINDS.find((facts) => facts.kind === kind)!.movable).toBe(false);
        expect(alone).toBeLessThanOrEqual(blocks);
        expect(n).toBeGreaterThanOrEqual(blocks);
        expect(blocks).toBeLessThanOrEqual(classes.blocked);
      }
    }),
  );
});

const run = (word: bigint, n: number) => Array.from({ length: n }, () => ({ word }));

test('pageblocks: who blocks, alone or not, and what else is in there', () => {
  const [free, anon, slab, table, head, tail] = [0x400n, 0x5828n, 0x80n, 0x4000000n, 0x40d828n, 0x415828n];
  const frames = [
    ...run(free, 512),
    ...run(free, 500),
    ...run(anon, 12),
    ...run(anon, 100),
    ...run(slab, 5),
    ...run(free, 407),
    ...run(slab, 511),
    ...run(table, 1),
    ...run(head, 1),
    ...run(tail, 511),
    ...run(free, 10),
  ];
  const snapshot = hostOfFrames(frames, [{ node: 0, zone: 'Normal', startPfn: 0, spanned: frames.length }]);
  expect(pageblocksOf(frameKinds(snapshot)!)).toEqual({
    total: 6,
    classes: { free: 1, movable: 1, huge: 1, blocked: 2, deferred: 0, partial: 1 },
    mixed: 1,
    mixedMovableFrames: 100,
    nearlyMovable: 1,
    blockers: [
      { kind: 'slab', blocks: 2, alone: 1, frames: 516 },
      { kind: 'pgtable', blocks: 1, alone: 0, frames: 1 },
    ],
  });
});

test('large folios by order: a head and its tails, under what is in them', () => {
  const frames = [
    ...run(0x40d828n, 1),
    ...run(0x415828n, 15),
    ...run(0x8080n, 1),
    ...run(0x10080n, 3),
    ...run(0x8080n, 1),
    ...run(0x10080n, 3),
    ...run(0x80n, 1),
    ...run(0x40802cn, 1),
    ...run(0x41002cn, 1),
    // Not read, and so neither head nor tail.
    ...run(2n ** 64n - 1n, 3),
  ];
  const snapshot = hostOfFrames(frames);
  expect(fragmentationOf(snapshot, frameKinds(snapshot)).folios).toEqual([
    { kind: 'anon_huge', orders: [0, 0, 0, 0, 1] },
    { kind: 'file', orders: [0, 1] },
    { kind: 'slab', orders: [0, 0, 2] },
  ]);
});

test('without kpageflags the kernel’s own counts are left', () => {
  const snapshot = {
    ...hostOfFrames([], [], { buddyinfo: 'Node 0, zone  Normal 4 0 0 0 0 0 0 0 0 1 1 \n' }),
    frames: null,
  };
  const { zones, hugeShare, pageblocks, folios } = fragmentationOf(snapshot, null);
  expect(zones).toMatchObject([{ counted: null, freeFrames: 1540, hugeFrames: 1536 }]);
  expect({ share: hugeShare!.toFixed(4), pageblocks, folios }).toEqual({
    share: '0.9974',
    pageblocks: null,
    folios: null,
  });
});
