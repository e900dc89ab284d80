import { expect, test } from 'vitest';
import { RW, Space } from '../../../test/space.ts';
import { AddressSpace } from '../fs.ts';
import { PAGE_MAPPING_ANON, PAGE_MAPPING_FLAGS } from '../page_flags.ts';
import { MAP_SHARED } from '../uapi.ts';
import { anonVmaListOf, pageLockAnonVma } from './anon_vma_list.ts';

const newSpace = (): Space => new Space({ kernel: '2.6.24' });

for (const { why, make, want } of [
  {
    why: 'a mapped anonymous page gives the anon_vma of its VMA',
    make: (s: Space) => {
      s.map(0, 1);
      s.store(0);
      return s.pfn(0);
    },
    want: true,
  },
  {
    why: 'a page of a file has no tag, and gives nothing',
    make: (s: Space) => {
      s.map(0, 1, MAP_SHARED, RW, s.file('tmpfs', 1));
      s.store(0);
      return s.pfn(0);
    },
    want: false,
  },
  {
    why: 'a page that nobody maps any more gives nothing, though it still names its anon_vma',
    make: (s: Space) => {
      s.map(0, 1);
      s.store(0);
      const pfn = s.pfn(0);
      s.machine.frames.get(pfn);
      s.exit(s.task);
      expect(s.machine.frames.mapping(pfn) & PAGE_MAPPING_ANON).toBe(PAGE_MAPPING_ANON);
      return pfn;
    },
    want: false,
  },
]) {
  test(`page_lock_anon_vma: ${why}`, () => {
    const s = newSpace();
    const found = pageLockAnonVma(s.machine, make(s));
    expect(found !== null).toBe(want);
    if (want) expect(found).toBe(anonVmaListOf(s.vma(0)));
  });
}

test('page_lock_anon_vma: what a page points at leaves the two lowest bits free', () => {
  const s = newSpace();
  const { frames, mappings } = s.machine;
  s.map(0, 1);
  s.store(0);
  s.map(8, 1, MAP_SHARED, RW, s.file('tmpfs', 1));
  s.store(8);
  const [anon, file] = [frames.mapping(s.pfn(0)), frames.mapping(s.pfn(8))];
  expect([anon & PAGE_MAPPING_FLAGS, file & PAGE_MAPPING_FLAGS]).toEqual([PAGE_MAPPING_ANON, 0]);
  expect(mappings[(anon - PAGE_MAPPING_ANON) / 4]).toBe(anonVmaListOf(s.vma(0)));
  expect(mappings[file / 4]).toBeInstanceOf(AddressSpace);
});
