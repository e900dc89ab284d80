/** What the text on five lists says of 3.16, where it takes the whole machine to see it. */
import { describe, expect, test } from 'vitest';
import { LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_NAMES } from '../../src/mm/lruvec.ts';
import { lruvecOf } from '../../src/mm/memcg.ts';
import { readToken } from '../../src/mm/memory.ts';
import { NonlinearFileVmas } from '../../src/mm/rmap/nonlinear.ts';
import { MAP_SHARED } from '../../src/mm/uapi.ts';
import { PAGE, RW, Space } from '../space.ts';

const KERNEL = '3.16';

describe('3.16: five lists for each zone', () => {
  test('inactive and active ones of anonymous memory and of files, and the unevictable one; each zone has its own', () => {
    const { machine, memcg } = new Space({ kernel: KERNEL, ramBytes: 64 * 2 ** 20 });
    expect(machine.generation.lruNames).toEqual([...LRU_NAMES]);
    expect(LRU_NAMES.length).toBe(5);
    const zones = machine.zones.filter((zone) => zone.managedPages > 0);
    expect(zones.length).toBeGreaterThan(1);
    for (const owner of [machine.rootMemcg, memcg]) {
      const lists = zones.flatMap((zone) => {
        const lruvec = owner.lruvecs[zone.lruvec]!;
        expect(lruvec.zone).toBe(zone);
        return lruvec.lists;
      });
      expect([lists.length, new Set(lists).size]).toEqual([5 * zones.length, 5 * zones.length]);
    }
  });

  test('pages are added at the head, and are taken from the tail', () => {
    const s = new Space({ kernel: KERNEL });
    const { machine } = s;
    const { frames } = machine;
    s.map(0, 4);
    s.storeAll(0, 4);
    s.map(8, 4, MAP_SHARED, RW, s.file('disk', 4));
    for (const page of [8, 9, 10, 11]) s.load(page);
    machine.lru.drain();
    const lists = lruvecOf(machine, s.pfn(0)).lists;
    expect(frames.listFirst(lists[LRU_ACTIVE_ANON]!)).toBe(s.pfn(3));
    expect(frames.listLast(lists[LRU_ACTIVE_ANON]!)).toBe(s.pfn(0));
    expect(frames.listFirst(lists[LRU_INACTIVE_FILE]!)).toBe(s.pfn(11));
    expect(frames.listLast(lists[LRU_INACTIVE_FILE]!)).toBe(s.pfn(8));
  });
});

test('3.16: remap_file_pages keeps one VMA, on i_mmap_nonlinear', () => {
  const s = new Space({ kernel: KERNEL });
  const { machine, mm } = s;
  const file = s.file('tmpfs', 8);
  s.map(0, 8, MAP_SHARED, RW, file);
  s.storeAll(0, 8);
  const tokens = Array.from({ length: 8 }, (_, page) => readToken(machine, mm, s.vpn(page)));
  const areas = mm.mapCount;
  for (let page = 0; page < 8; page++) {
    expect(machine.generation.remapFilePages(machine, mm, (PAGE + page) * 4096, 4096, 0, 7 - page, 0)).toBe(0);
  }
  expect(mm.mapCount).toBe(areas);
  const { iMmap } = file.mapping;
  expect(iMmap instanceof NonlinearFileVmas ? iMmap.nonlinear : []).toEqual([s.vma(0)]);
  s.loadAll(0, 8);
  expect(Array.from({ length: 8 }, (_, page) => readToken(machine, mm, s.vpn(page)))).toEqual(tokens.toReversed());
  expect(machine.verify()).toEqual([]);
});
