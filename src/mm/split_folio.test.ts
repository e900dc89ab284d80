import { expect, test } from 'vitest';
import { RW, Space } from '../../test/space.ts';
import { EAGAIN, EBUSY } from './errno.ts';
import { doMadvise } from './madvise.ts';
import { doMlock } from './mlock.ts';
import { doMunmap } from './munmap.ts';
import { PG_locked, PG_mlocked, PG_writeback } from './page_flags.ts';
import { SHRINK_STOP } from './slab.ts';
import { DeferredSplitShrinker, lockAndSplitFolio } from './split_folio.ts';
import { MADV_HUGEPAGE, MAP_PRIVATE } from './uapi.ts';
import { PAGE_SIZE, type Pfn } from './units.ts';

const HUGE_PAGES = 512;

/** Huge pages side by side, each mapped as a whole. */
function newSpace(kernel: string, count: number): Space {
  const s = new Space({ kernel, ramBytes: 32 * 2 ** 20 });
  s.map(0, count * HUGE_PAGES, MAP_PRIVATE, RW);
  doMadvise(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, count * HUGE_PAGES * PAGE_SIZE, MADV_HUGEPAGE);
  for (let i = 0; i < count; i++) s.store(i * HUGE_PAGES);
  return s;
}

/** Takes half of the n-th huge page away; its first frame. */
function halve(s: Space, n: number): Pfn {
  const head = s.pfn(n * HUGE_PAGES);
  doMunmap(s.machine, s.mm, s.vpn(n * HUGE_PAGES + 256) * PAGE_SIZE, 256 * PAGE_SIZE);
  return head;
}

for (const kernel of ['6.18', '6.1']) {
  test(`${kernel}: folios of which a part is unmapped are split by the shrinker, oldest first, as many as it is asked for`, () => {
    const s = newSpace(kernel, 4);
    const { machine, memcg } = s;
    const heads = [halve(s, 0), halve(s, 1), halve(s, 2)];
    const whole = s.pfn(3 * HUGE_PAGES);
    const shrinker = new DeferredSplitShrinker();
    const waiting = shrinker.count(machine, 0, memcg);
    expect([waiting >= 3, shrinker.count(machine, 0, machine.rootMemcg), shrinker.count(machine, 1, memcg)]).toEqual([
      true,
      0,
      0,
    ]);
    expect(shrinker.scan(machine, 0, machine.rootMemcg, 9)).toBe(SHRINK_STOP);

    // One that somebody has locked, and one that somebody has a reference to, wait for the next time.
    machine.frames.set(heads[0]!, PG_locked);
    machine.frames.get(heads[1]!);
    expect(shrinker.scan(machine, 0, memcg, waiting)).toBe(1);
    expect(heads.map((head) => machine.largeFolios.has(head))).toEqual([true, true, false]);
    machine.frames.clear(heads[0]!, PG_locked);
    machine.frames.putTestzero(heads[1]!);
    expect([shrinker.scan(machine, 0, memcg, 1), shrinker.scan(machine, 0, memcg, 9)]).toEqual([1, 1]);
    expect([machine.largeFolios.has(whole), machine.verify()]).toEqual([true, []]);
    // Half of each is free again. SINCE 6.13: and so is each page that holds nothing but zeros.
    expect(s.mm.rssPages).toBe(3 * (kernel === '6.18' ? 1 : 256) + HUGE_PAGES);
  });

  for (const { why, spoil, mend, want } of [
    { why: 'somebody works on it', spoil: PG_locked, mend: PG_locked, want: -EBUSY },
    { why: 'it is being written', spoil: PG_writeback, mend: PG_writeback, want: -EBUSY },
    { why: 'somebody has a reference', spoil: 0, mend: 0, want: -EAGAIN },
  ]) {
    test(`${kernel}: a folio stays whole while ${why}`, () => {
      const s = newSpace(kernel, 1);
      const { frames, largeFolios } = s.machine;
      const head = s.pfn(0);
      if (spoil !== 0) frames.set(head, spoil);
      else frames.get(head);
      expect([lockAndSplitFolio(s.machine, head), largeFolios.has(head)]).toEqual([want, true]);
      if (mend !== 0) frames.clear(head, mend);
      else frames.putTestzero(head);
      expect([lockAndSplitFolio(s.machine, head), largeFolios.has(head)]).toEqual([0, false]);
      expect(s.machine.verify()).toEqual([]);
    });
  }

  test(`${kernel}: where it was locked, each of its pages is locked afterwards`, () => {
    const s = newSpace(kernel, 1);
    const { machine } = s;
    doMlock(machine, s.mm, s.vpn(0) * PAGE_SIZE, HUGE_PAGES * PAGE_SIZE, false);
    const head = s.pfn(0);
    expect(lockAndSplitFolio(machine, head)).toBe(0);
    expect([0, 1, 511].map((i) => machine.frames.has((head + i) as Pfn, PG_mlocked))).toEqual([true, true, true]);
    expect(machine.verify()).toEqual([]);
  });
}
