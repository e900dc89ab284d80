/** Rules of 2.6 that no other test of this room names: what entries leave behind, what moves and splits keep. */
import { expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { clearRefs } from './clear_refs.ts';
import { doMunmap } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { PG_active, PG_dirty, PG_referenced } from './page_flags.ts';
import { PTE_YOUNG } from './page_table.ts';
import type { AnonVmaList } from './rmap/anon_vma_list.ts';
import { MAP_SHARED, PROT_READ } from './uapi.ts';
import { verify } from './verify.ts';

function space(): Space {
  return new Space({ kernel: '2.6.24', swap: 'zram' });
}

/** As smaps counts what is referenced. */
function young(s: Space): number {
  let pages = 0;
  for (let page = 0; page < 8; page++)
    if (s.pte(page, PTE_YOUNG) || s.machine.frames.has(s.pfn(page), PG_referenced)) pages += 1;
  return pages;
}

test('zap: a young entry of a file makes its page referenced, no more; a dirty one makes it dirty', () => {
  const s = space();
  const file = s.file('tmpfs', 4);
  s.map(0, 4, MAP_SHARED, RW, file);
  s.storeAll(0, 2);
  s.machine.lru.drain();
  const { frames, pageTables } = s.machine;
  const [young, old] = [s.pfn(0), s.pfn(1)];
  pageTables.clear(s.slot(1), PTE_YOUNG);
  // However often: only a use that is reported activates a page.
  for (const pfn of [young, old]) frames.clear(pfn, PG_active | PG_dirty);
  frames.set(young, PG_referenced);
  frames.clear(old, PG_referenced);
  doMunmap(s.machine, s.mm, PAGE * 4096, 4 * 4096);
  expect([young, old].map((pfn) => [frames.has(pfn, PG_referenced), frames.has(pfn, PG_active)])).toEqual([
    [true, false],
    [false, false],
  ]);
  expect([young, old].map((pfn) => frames.has(pfn, PG_dirty))).toEqual([true, true]);
});

test('split: both parts stay on the anon_vma, and the offset of the upper one goes on by the cut', () => {
  const s = space();
  s.map(0, 8);
  s.storeAll(0, 8);
  const anonVma = s.vma(0).anonVma as object as AnonVmaList;
  doMprotect(s.machine, s.mm, (PAGE + 3) * 4096, 2 * 4096, PROT_READ);
  expect([0, 3, 5].map((page) => s.vma(page).vmPgoff - PAGE)).toEqual([0, 3, 5]);
  expect(new Set(anonVma)).toEqual(new Set([0, 3, 5].map((page) => s.vma(page))));
  // And merge again, for they have the same one.
  doMprotect(s.machine, s.mm, (PAGE + 3) * 4096, 2 * 4096, RW);
  expect([s.mm.mapCount, [...anonVma]]).toEqual([1, [s.vma(0)]]);
  expect(verify(s.machine)).toEqual([]);
});

test('exit: the anon_vma goes with the last VMA on its list', () => {
  const s = space();
  s.map(0, 8);
  s.storeAll(0, 8);
  const child = s.fork();
  s.exit(s.task);
  expect(s.machine.slab.caches.anon_vma.active).toBe(1);
  s.exit(child);
  expect(s.machine.slab.caches.anon_vma.active).toBe(0);
});

test('clear_refs: only what was used since counts as referenced', () => {
  const s = space();
  s.map(0, 8);
  s.storeAll(0, 8);
  const referenced = (): number => young(s) * 4;
  expect(referenced()).toBe(32);
  clearRefs(s.machine, s.mm);
  expect(referenced()).toBe(0);
  s.load(3);
  expect(referenced()).toBe(4);
});
