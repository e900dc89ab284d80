import { expect, test } from 'vitest';
import { newMm } from './fork.ts';
import { Machine } from './machine.ts';
import { doMadvise } from './madvise.ts';
import { storePage } from './memory.ts';
import type { Mm } from './mm.ts';
import { doMmap } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { doMremap } from './mremap.ts';
import {
  MADV_DONTFORK,
  MADV_GUARD_INSTALL,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Vpn } from './units.ts';
import { verifyAddressSpace } from './verify_mm.ts';
import { VM_MAYBE_GUARD } from './vm_flags.ts';
import { splitVma } from './vma_merge.ts';

const BASE = 0x1000;
const RW = PROT_READ | PROT_WRITE;

function newSpace(kernel: string): { machine: Machine; mm: Mm } {
  const machine = new Machine({ kernel, ramBytes: 16 * 2 ** 20 });
  return { machine, mm: newMm(machine, machine.rootMemcg)! };
}

function map(machine: Machine, mm: Mm, page: number, pages: number, prot: number): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  expect(doMmap(machine, mm, (BASE + page) * 4096, pages * 4096, prot, flags, null, 0)).toBe((BASE + page) * 4096);
}

function touch(machine: Machine, mm: Mm, page: number): void {
  expect(storePage(machine, mm, (BASE + page) as Vpn, machine.newToken())).toBe(0);
}

/** `0-3w 3-6r`: pages and whether they may be written. */
function layout(mm: Mm): string {
  return [...mm.vmas].map((v) => `${v.vmStart - BASE}-${v.vmEnd - BASE}${(v.vmFlags & 2) !== 0 ? 'w' : 'r'}`).join(' ');
}

/** Three VMAs, 0-3w 3-6r 6-9w, before `from`..`to` becomes `prot`. The winner is the VMA that must still be there, and grown. */
for (const { why, start, end, prot, want, winner } of [
  { why: 'case 4: the end of a VMA goes to the next', start: 5, end: 6, prot: RW, want: '0-3w 3-5r 5-9w', winner: 6 },
  {
    why: 'case 5: the start of a VMA goes to the one before',
    start: 3,
    end: 4,
    prot: RW,
    want: '0-4w 4-6r 6-9w',
    winner: 0,
  },
  { why: 'case 6: all three become one, the first', start: 3, end: 6, prot: RW, want: '0-9w', winner: 0 },
  { why: 'no side is touched: a split', start: 4, end: 5, prot: RW, want: '0-3w 3-4r 4-5w 5-6r 6-9w', winner: 3 },
  { why: 'case 4 downwards from the first', start: 2, end: 3, prot: PROT_READ, want: '0-2w 2-6r 6-9w', winner: 3 },
]) {
  test(`[6.x merge 1–8] merge of a changed range, ${why}`, () => {
    const { machine, mm } = newSpace('6.18');
    map(machine, mm, 0, 9, RW);
    doMprotect(machine, mm, (BASE + 3) * 4096, 3 * 4096, PROT_READ);
    const object = mm.vmas.findExact((BASE + winner) as Vpn);
    expect(doMprotect(machine, mm, (BASE + start) * 4096, (end - start) * 4096, prot)).toBe(0);
    expect(layout(mm)).toBe(want);
    expect([...mm.vmas]).toContain(object);
    expect(verifyAddressSpace(machine, mm)).toEqual([]);
  });
}

for (const { why, others, want, winner } of [
  { why: 'case 7: the VMA joins the one before', others: [0], want: '0-6w', winner: 0 },
  { why: 'case 8: the next VMA takes it, and stays the object', others: [6], want: '3-9w', winner: 6 },
]) {
  test(`[6.x merge 1–8] merge of a whole changed VMA, ${why}`, () => {
    const { machine, mm } = newSpace('6.18');
    map(machine, mm, 3, 3, PROT_READ);
    for (const page of others) map(machine, mm, page, 3, RW);
    const object = mm.vmas.findExact((BASE + winner) as Vpn);
    doMprotect(machine, mm, (BASE + 3) * 4096, 3 * 4096, RW);
    expect(layout(mm)).toBe(want);
    expect(mm.vmas.first()).toBe(object);
    expect(verifyAddressSpace(machine, mm)).toEqual([]);
  });
}

for (const { why, kernel, touched, want, winner } of [
  { why: 'case 1: a filled hole makes one of three', kernel: '6.18', touched: [], want: '0-9w', winner: 0 },
  { why: 'only the left one was touched', kernel: '6.18', touched: [0], want: '0-9w', winner: 0 },
  { why: 'only the right one was touched', kernel: '6.18', touched: [6], want: '0-9w', winner: 0 },
  {
    why: 'two anon_vmas stay two VMAs, the left one grows',
    kernel: '6.18',
    touched: [0, 6],
    want: '0-6w 6-9w',
    winner: 0,
  },
  { why: 'untouched: the same', kernel: '6.1', touched: [], want: '0-9w', winner: 0 },
  { why: 'two anon_vmas: the right one grows', kernel: '6.1', touched: [0, 6], want: '0-3w 3-9w', winner: 6 },
  {
    why: 'an untouched left one cannot take up the touched',
    kernel: '6.1',
    touched: [6],
    want: '0-3w 3-9w',
    winner: 6,
  },
]) {
  test(`[6.x merge 1–8] ${kernel}: a new range between two, ${why}`, () => {
    const { machine, mm } = newSpace(kernel);
    map(machine, mm, 0, 3, RW);
    map(machine, mm, 6, 3, RW);
    for (const page of touched) touch(machine, mm, page);
    const object = mm.vmas.findExact((BASE + winner) as Vpn);
    map(machine, mm, 3, 3, RW);
    expect(layout(mm)).toBe(want);
    expect(mm.vmas.findExact((BASE + 4) as Vpn)).toBe(object);
    expect(verifyAddressSpace(machine, mm)).toEqual([]);
  });
}

for (const { kernel, want } of [
  { kernel: '6.18', want: '0-9w' },
  { kernel: '6.1', want: '0-3w 3-6w 6-9w' },
]) {
  test(`${kernel}: a touched part among untouched ones comes back, ${want}`, () => {
    const { machine, mm } = newSpace(kernel);
    map(machine, mm, 0, 9, RW);
    doMprotect(machine, mm, (BASE + 3) * 4096, 3 * 4096, RW | PROT_EXEC);
    touch(machine, mm, 4);
    doMprotect(machine, mm, (BASE + 3) * 4096, 3 * 4096, RW);
    expect(layout(mm)).toBe(want);
    expect(verifyAddressSpace(machine, mm)).toEqual([]);
  });
}

test('a split at the limit of VMAs is refused, and the VMA is as before', () => {
  const machine = new Machine({ kernel: '6.18', ramBytes: 16 * 2 ** 20, sysctl: { maxMapCount: 1 } });
  const mm = newMm(machine, machine.rootMemcg)!;
  map(machine, mm, 0, 9, RW);
  expect(splitVma(machine, mm.vmas.first()!, (BASE + 3) as Vpn, true)).toBeLessThan(0);
  // A flag advice says it in another way.
  expect(doMadvise(machine, mm, BASE * 4096, 4096, MADV_DONTFORK)).toBe(-11);
  expect(layout(mm)).toBe('0-9w');
});

/** Guards are in 3-6; then something merges with it. `g`: the VMA says that it may have guards. */
for (const { why, prot, action, want } of [
  { why: 'a new range behind it', prot: RW, action: 'map', want: '3-9g' },
  { why: 'a split', prot: RW, action: 'split', want: '3-4g 4-5g 5-6g' },
  { why: 'the one before, once it is alike', prot: RW | PROT_EXEC, action: 'protect', want: '0-6g' },
]) {
  test(`what may have guards says so in whatever it merges with: ${why}`, () => {
    const { machine, mm } = newSpace('6.18');
    if (action === 'protect') map(machine, mm, 0, 3, prot);
    map(machine, mm, 3, 3, RW);
    expect(doMadvise(machine, mm, (BASE + 3) * 4096, 4096, MADV_GUARD_INSTALL)).toBe(0);
    if (action === 'map') map(machine, mm, 6, 3, prot);
    if (action === 'split') doMprotect(machine, mm, (BASE + 4) * 4096, 4096, PROT_READ);
    if (action === 'protect') doMprotect(machine, mm, (BASE + 3) * 4096, 3 * 4096, prot);
    const guards = [...mm.vmas].map(
      (v) => `${v.vmStart - BASE}-${v.vmEnd - BASE}${(v.vmFlags & VM_MAYBE_GUARD) !== 0 ? 'g' : ''}`,
    );
    expect(guards.join(' ')).toBe(want);
    expect(verifyAddressSpace(machine, mm)).toEqual([]);
  });
}

for (const { kernel, want } of [
  { kernel: '6.18', want: '0-6w' },
  { kernel: '6.1', want: '0-3w 3-6w' },
]) {
  test(`${kernel}: an untouched VMA whose copy lies beside it, ${want}`, () => {
    const { machine, mm } = newSpace(kernel);
    map(machine, mm, 3, 3, RW);
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    expect(doMremap(machine, mm, (BASE + 3) * 4096, 3 * 4096, 3 * 4096, flags, BASE * 4096)).toBe(BASE * 4096);
    expect(layout(mm)).toBe(want);
    expect(verifyAddressSpace(machine, mm)).toEqual([]);
  });
}
