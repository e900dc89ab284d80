import { describe, expect, test } from 'vitest';
import { RW, Space } from '../../test/space.ts';
import { EFAULT, ENOMEM } from './errno.ts';
import { filemapRead } from './filemap.ts';
import { faultinPageRange, populateRange } from './gup.ts';
import { MM_ANONPAGES } from './mm.ts';
import { PG_active, PG_dirty, PG_referenced } from './page_flags.ts';
import { PTE_DIRTY, PTE_SPECIAL } from './page_table.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_NONE, PROT_READ } from './uapi.ts';
import { verify } from './verify.ts';
import { VM_IO } from './vm_flags.ts';
import { PGFAULT } from './vmstat.ts';

/** Pages: 0-4 private, 4-8 a hole, 8-12 read-only, 12-16 without access, 16-20 shared. */
function space(): Space {
  const s = new Space();
  s.map(0, 4);
  s.map(8, 4, MAP_PRIVATE, PROT_READ);
  s.map(12, 4, MAP_PRIVATE, PROT_NONE);
  s.map(16, 4, MAP_SHARED);
  return s;
}

function present(s: Space): number[] {
  return Array.from({ length: 24 }, (_, i) => i).filter((page) => s.pfn(page) >= 0);
}

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('faulting a range in', () => {
  for (const { why, from, to, write = false, want, pages } of [
    { why: 'all of a VMA', from: 0, to: 4, want: 0, pages: upTo(0, 4) },
    { why: 'a part', from: 1, to: 3, write: true, want: 0, pages: upTo(1, 3) },
    { why: 'up to a hole', from: 2, to: 10, want: -ENOMEM, pages: upTo(2, 4) },
    { why: 'from a hole', from: 5, to: 10, want: -ENOMEM, pages: [] },
    { why: 'to write where one may not', from: 8, to: 10, write: true, want: -EFAULT, pages: [] },
    { why: 'to read where one may', from: 8, to: 10, want: 0, pages: upTo(8, 10) },
    { why: 'where one may do nothing', from: 10, to: 14, want: -EFAULT, pages: upTo(10, 12) },
    { why: 'shared memory', from: 16, to: 20, write: true, want: 0, pages: upTo(16, 20) },
    { why: 'nothing', from: 3, to: 3, want: 0, pages: [] },
  ]) {
    test(why, () => {
      const s = space();
      expect(faultinPageRange(s.machine, s.mm, s.vpn(from), s.vpn(to), write)).toBe(want);
      expect(present(s)).toEqual(pages);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('beyond the end of a file is a bad address, up to it is there', () => {
    const s = new Space();
    s.map(0, 4, MAP_SHARED, RW, s.file('disk', 2));
    expect(faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(4), false)).toBe(-EFAULT);
    expect(present(s)).toEqual([0, 1]);
  });

  test('what is killed meanwhile is told that there is no memory', () => {
    const s = new Space({ limit: 120 });
    s.map(0, 400);
    expect(faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(400), true)).toBe(-ENOMEM);
    expect(s.task.killed).toBe(true);
  });
});

describe('populating', () => {
  test('writes to private writable memory, reads the rest, passes over what it cannot', () => {
    const s = space();
    expect(populateRange(s.machine, s.mm, s.vpn(0), s.vpn(24))).toBe(0);
    expect(present(s)).toEqual([...upTo(0, 4), ...upTo(8, 12), ...upTo(16, 20)]);
    expect([s.mm.rss[MM_ANONPAGES], s.pte(0, PTE_DIRTY), s.pte(8, PTE_SPECIAL), s.pte(16, PTE_DIRTY)]).toEqual([
      4,
      true,
      true,
      false,
    ]);
    expect(verify(s.machine)).toEqual([]);
  });

  for (const [ignore, want] of [
    [true, 0],
    [false, -EFAULT],
  ] as const) {
    test(`an error ${ignore ? 'is passed over' : 'ends it'}`, () => {
      const s = space();
      expect(populateRange(s.machine, s.mm, s.vpn(12), s.vpn(24), ignore)).toBe(want);
      expect(present(s)).toEqual(ignore ? upTo(16, 20) : []);
    });
  }

  test('a device’s pages are not touched', () => {
    const s = space();
    s.vma(0).vmFlags |= VM_IO;
    populateRange(s.machine, s.mm, s.vpn(0), s.vpn(4));
    expect(present(s)).toEqual([]);
  });
});

describe('touching', () => {
  test('what is there already is no fault, but a use', () => {
    const s = new Space();
    s.map(0, 2);
    s.storeAll(0, 2);
    s.machine.lru.drain();
    const { frames } = s.machine;
    const before = s.event(PGFAULT);
    const touch = (): number => faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(2), true);
    expect([touch(), frames.has(s.pfn(0), PG_referenced), s.event(PGFAULT) - before]).toEqual([0, true, 0]);
    touch();
    s.machine.lru.drain();
    expect(frames.has(s.pfn(0), PG_active)).toBe(true);
  });

  test('a page is one use after it was faulted in', () => {
    const s = new Space();
    s.map(0, 1);
    faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(1), true);
    expect([s.machine.frames.has(s.pfn(0), PG_referenced), s.machine.frames.has(s.pfn(0), PG_active)]).toEqual([
      true,
      false,
    ]);
  });

  test('a page to be written by the kernel is dirty, whatever its entry says', () => {
    const s = new Space();
    const file = s.file('tmpfs', 1);
    s.map(0, 1, MAP_SHARED, RW, file);
    s.load(0);
    const pfn = s.pfn(0);
    s.machine.frames.clear(pfn, PG_dirty);
    s.machine.pageTables.clear(s.slot(0), PTE_DIRTY);
    faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(1), false);
    expect(s.machine.frames.has(pfn, PG_dirty)).toBe(false);
    faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(1), true);
    expect(s.machine.frames.has(pfn, PG_dirty)).toBe(true);
  });

  test('to read what fault-around mapped is no fault of its own', () => {
    const s = new Space();
    const file = s.file('disk', 16);
    filemapRead(s.machine, file, 0, 16 * 4096, null);
    s.map(0, 16, MAP_SHARED, PROT_READ, file);
    const before = s.event(PGFAULT);
    expect(faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(16), false)).toBe(0);
    expect(s.event(PGFAULT) - before).toBeLessThanOrEqual(2);
  });
});

/** Who waited for the disk faults again: as if for the first time for mlock, as one who tried for MADV_POPULATE_READ since 6.9. */
for (const { kernel, who, minor, major } of [
  { kernel: '6.18', who: 'mlock', minor: 1, major: 0 },
  { kernel: '6.1', who: 'mlock', minor: 1, major: 0 },
  { kernel: '6.18', who: 'madvise', minor: 0, major: 1 },
  { kernel: '6.1', who: 'madvise', minor: 1, major: 0 },
]) {
  test(`${kernel}: ${who} of a page that is not cached counts ${minor} minor and ${major} major faults`, () => {
    const s = new Space({ kernel });
    s.map(0, 4, MAP_SHARED, PROT_READ, s.file('disk', 4));
    if (who === 'mlock') expect(populateRange(s.machine, s.mm, s.vpn(0), s.vpn(4))).toBe(0);
    else expect(faultinPageRange(s.machine, s.mm, s.vpn(0), s.vpn(4), false)).toBe(0);
    expect([s.task.minFlt, s.task.majFlt]).toEqual([minor, major]);
    expect(present(s)).toEqual([0, 1, 2, 3]);
  });
}
