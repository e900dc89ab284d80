import { expect, test } from 'vitest';
import { FileVmas_2_4 } from './file_vmas_2_4.ts';
import type { Mm } from './mm.ts';
import type { Pgoff, Vpn } from './units.ts';
import { VM_READ, VM_SHARED } from './vm_flags.ts';
import { Vma } from './vma.ts';

function vma(at: number, pages: number, pgoff: number, shared = false): Vma {
  const flags = shared ? VM_READ | VM_SHARED : VM_READ;
  return new Vma({} as Mm, at as Vpn, (at + pages) as Vpn, flags, pgoff as Pgoff, null);
}

test('private and shared mappings stand apart, the last to come first; a child behind its parent', () => {
  const vmas = new FileVmas_2_4();
  const [a, b, s, child] = [vma(1, 4, 0), vma(10, 4, 2), vma(20, 4, 0, true), vma(1, 4, 0)];
  for (const one of [a, b, s]) vmas.insert(one);
  vmas.insertAfter(child, b);
  expect([...vmas]).toEqual([b, child, a, s]);
  expect([vmas.iMmap, vmas.iMmapShared, vmas.size, vmas.verify()]).toEqual([b, s, 4, []]);
  vmas.remove(b);
  vmas.remove(a);
  expect([[...vmas], vmas.iMmap, vmas.verify()]).toEqual([[child, s], child, []]);
});

test('a search walks the private list, then the shared one, and passes over who shows other pages', () => {
  const vmas = new FileVmas_2_4();
  const [a, b, s, far] = [vma(1, 4, 0), vma(10, 4, 2), vma(20, 4, 0, true), vma(30, 4, 90, true)];
  for (const one of [a, b, s, far]) vmas.insert(one);
  const found: Vma[] = [];
  for (let at = vmas.firstIn(1, 3); at !== null; at = vmas.nextIn(at, 1, 3)) found.push(at);
  expect(found).toEqual([b, a, s]);
  expect([vmas.firstIn(93, 93), vmas.firstIn(94, 99), vmas.nextIn(far, 0, 200)]).toEqual([far, null, s]);
});

test('what is wrong is said', () => {
  const vmas = new FileVmas_2_4();
  const [a, b] = [vma(1, 4, 0), vma(10, 4, 2)];
  vmas.insert(a);
  vmas.insert(b);
  a.vmPrevShare = null;
  b.vmFlags |= VM_SHARED;
  vmas.size = 5;
  expect(vmas.verify()).toEqual([
    'the VMA at page 10 is on the other list',
    'the VMA at page 1 does not know who is before it',
    'size is 5, 2 VMAs are on the lists',
  ]);
});
