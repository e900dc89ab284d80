import { expect, test } from 'vitest';
import { EACCES, EINVAL, ENOMEM } from './errno.ts';
import { newInode, openInode } from './file.ts';
import { dupMm, newMm, newTask } from './fork.ts';
import { Machine } from './machine.ts';
import { loadPage, storePage } from './memory.ts';
import { doMlock } from './mlock.ts';
import type { Mm } from './mm.ts';
import { doMmap } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { PTE_DIRTY, PTE_PROTNONE, PTE_RW, PTE_YOUNG } from './page_table.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_GROWSDOWN,
  PROT_GROWSUP,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Vpn } from './units.ts';
import { verify } from './verify.ts';
import { VM_ACCOUNT } from './vm_flags.ts';

const ARENA = 0x100000000000;
const PAGE = ARENA / 4096;
const RW = PROT_READ | PROT_WRITE;

/** Pages 0-8 private, 10-14 a file that is open for reading, shared. */
function newSpace(kernel = '6.18'): { machine: Machine; mm: Mm } {
  const machine = new Machine({ kernel, ramBytes: 16 * 2 ** 20 });
  const mm = newMm(machine, machine.rootMemcg)!;
  machine.current = newTask(machine, 1, 'test', mm, machine.rootMemcg, null)!;
  const file = openInode(machine, newInode(machine, 'file', 'disk', 8 * 4096), true, false, false);
  doMmap(machine, mm, ARENA, 8 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  doMmap(machine, mm, ARENA + 10 * 4096, 4 * 4096, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
  return { machine, mm };
}

for (const { why, at = 0, pages = 1, prot = PROT_READ, want } of [
  { why: 'grows both ways', prot: PROT_GROWSDOWN | PROT_GROWSUP, want: -EINVAL },
  { why: 'the address is inside a page', at: 0.5, want: -EINVAL },
  { why: 'nothing', at: 100, pages: 0, want: 0 },
  { why: 'a range that wraps', pages: 2 ** 52, want: -ENOMEM },
  { why: 'unknown protection', prot: 16, want: -EINVAL },
  { why: 'nothing is mapped', at: 100, want: -ENOMEM },
  { why: 'it begins in a hole', at: 9, pages: 2, want: -ENOMEM },
  { why: 'a hole behind', at: 7, pages: 2, want: -ENOMEM },
  { why: 'the file may not be written', at: 10, prot: RW, want: -EACCES },
  { why: 'down to the start of what is no stack', prot: PROT_READ | PROT_GROWSDOWN, want: -EINVAL },
  { why: 'no stack grows up', prot: PROT_READ | PROT_GROWSUP, want: -EINVAL },
]) {
  test(`mprotect: ${why}`, () => {
    const { machine, mm } = newSpace();
    expect(doMprotect(machine, mm, ARENA + at * 4096, pages * 4096, prot)).toBe(want);
    expect(verify(machine)).toEqual([]);
  });
}

test('an entry keeps what it knows, and a page that is exclusive may be written at once', () => {
  const { machine, mm } = newSpace();
  const { pageTables } = machine;
  storePage(machine, mm, PAGE as Vpn, machine.newToken());
  const slot = pageTables.slotOf(mm.pageTables, PAGE as Vpn);
  const pfn = pageTables.pfn(slot);
  doMprotect(machine, mm, ARENA, 8 * 4096, PROT_NONE);
  expect([pageTables.bits[slot], pageTables.pfn(slot)]).toEqual([PTE_PROTNONE | PTE_YOUNG | PTE_DIRTY, pfn]);
  expect(loadPage(machine, mm, PAGE as Vpn)).not.toBe(0);
  doMprotect(machine, mm, ARENA, 8 * 4096, PROT_READ);
  expect([pageTables.has(slot, PTE_RW), pageTables.has(slot, PTE_DIRTY)]).toEqual([false, true]);
  doMprotect(machine, mm, ARENA, 8 * 4096, RW);
  expect(pageTables.has(slot, PTE_RW)).toBe(true);
  expect(verify(machine)).toEqual([]);
});

test('a page that a child may see stays read-only; a clean one does in 6.1', () => {
  for (const [kernel, clean] of [
    ['6.18', true],
    ['6.1', false],
  ] as const) {
    const { machine, mm } = newSpace(kernel);
    const { pageTables } = machine;
    for (const i of [0, 1]) storePage(machine, mm, (PAGE + i) as Vpn, machine.newToken());
    dupMm(machine, mm, machine.rootMemcg);
    storePage(machine, mm, (PAGE + 1) as Vpn, machine.newToken());
    const shared = pageTables.slotOf(mm.pageTables, PAGE as Vpn);
    pageTables.clear(shared + 1, PTE_DIRTY);
    doMprotect(machine, mm, ARENA, 8 * 4096, PROT_READ);
    doMprotect(machine, mm, ARENA, 8 * 4096, RW);
    expect([pageTables.has(shared, PTE_RW), pageTables.has(shared + 1, PTE_RW)]).toEqual([false, clean]);
    expect(verify(machine)).toEqual([]);
  }
});

test('memory that was never touched and cannot be written needs no promise, since 6.7', () => {
  for (const [kernel, pages] of [
    ['6.18', 0],
    ['6.1', 8],
  ] as const) {
    const { machine, mm } = newSpace(kernel);
    doMprotect(machine, mm, ARENA, 8 * 4096, PROT_READ);
    expect([machine.committedPages, (mm.vmas.first()!.vmFlags & VM_ACCOUNT) !== 0]).toEqual([pages, pages > 0]);
    doMprotect(machine, mm, ARENA, 8 * 4096, RW);
    expect(machine.committedPages).toBe(8);
  }
});

test('locked memory that becomes writable gets its pages at once', () => {
  const { machine, mm } = newSpace();
  doMprotect(machine, mm, ARENA, 8 * 4096, PROT_READ);
  doMlock(machine, mm, ARENA, 8 * 4096, false);
  expect(mm.rssPages).toBe(0);
  doMprotect(machine, mm, ARENA, 8 * 4096, RW);
  expect(mm.rssPages).toBe(8);
  expect(verify(machine)).toEqual([]);
});
