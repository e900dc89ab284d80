import { expect, test } from 'vitest';
import { newMm } from './fork.ts';
import { Machine } from './machine.ts';
import { storePage } from './memory.ts';
import type { Mm } from './mm.ts';
import { doMmap } from './mmap.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from './uapi.ts';
import type { Pgoff, Vpn } from './units.ts';
import { verifyAddressSpace } from './verify_mm.ts';
import type { Vma } from './vma.ts';

const ARENA = 0x100000000000;

/** What verify must see: each case breaks one promise by hand. */
for (const { why, damage, want } of [
  { why: 'nothing', damage: () => {}, want: '' },
  { why: 'a total', damage: (mm: Mm) => (mm.totalVm += 1), want: 'totalVm is 13, counted 12' },
  { why: 'locked pages', damage: (mm: Mm) => (mm.lockedVm += 1), want: 'lockedVm is 1, counted 0' },
  { why: 'a gap', damage: (_: Mm, vma: Vma) => (vma.tree.gap = 5), want: 'gap 0x5' },
  {
    why: 'bounds that the tree was not told of',
    damage: (_: Mm, vma: Vma) => (vma.vmEnd = (vma.vmEnd + 1) as Vpn),
    want: 'tree node',
  },
  {
    why: 'an offset under the reverse map',
    damage: (_: Mm, vma: Vma) => (vma.vmPgoff = 7 as Pgoff),
    want: 'subtreeLast',
  },
  {
    why: 'a VMA that its file forgot',
    damage: (mm: Mm) => mm.vmas.last()!.vmFile!.mapping.iMmap.remove(mm.vmas.last()!),
    want: '0 VMAs in i_mmap, 1',
  },
  { why: 'an entry outside', damage: (mm: Mm, vma: Vma) => mm.vmas.remove(vma), want: 'outside every VMA' },
]) {
  test(`verifyAddressSpace sees: ${why}`, () => {
    const machine = new Machine({ kernel: '6.18', ramBytes: 16 * 2 ** 20 });
    const mm = newMm(machine, machine.rootMemcg)!;
    doMmap(machine, mm, ARENA, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
    doMmap(machine, mm, ARENA + 16 * 4096, 4 * 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, null, 0);
    storePage(machine, mm, (ARENA / 4096) as Vpn, machine.newToken());
    damage(mm, mm.vmas.first()!);
    const found = verifyAddressSpace(machine, mm).join('\n');
    if (want === '') expect(found).toBe('');
    else expect(found).toContain(want);
  });
}
