import { expect, test } from 'vitest';
import { newMm } from './fork.ts';
import { Machine } from './machine.ts';
import { storePage } from './memory.ts';
import type { Mm } from './mm.ts';
import { doMmap } from './mmap.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from './uapi.ts';
import type { Pgoff, Vpn } from './units.ts';
import { verifyAddressSpace } from './verify_mm.ts';
import { VM_LOCKONFAULT, VM_MAYREAD, VM_SHARED } from './vm_flags.ts';
import type { Vma } from './vma.ts';

const ARENA = 0x100000000000;

/** Takes all VMAs away, and leaves what they mapped. */
function removeAll(mm: Mm, first: Vma): void {
  mm.vmas.remove(mm.vmas.last()!);
  mm.vmas.remove(first);
}

/** The VMA below the tree's root. */
function inner(mm: Mm): Vma {
  return [...mm.vmas].find((vma) => vma.tree.parent !== null)!;
}

/** What verify must see: each case breaks one promise by hand. */
for (const { why, kernel = '6.18', damage, want } of [
  { why: 'nothing', damage: () => {}, want: '' },
  { why: 'a total', damage: (mm: Mm) => (mm.totalVm += 1), want: 'totalVm is 13, counted 12' },
  { why: 'locked pages', damage: (mm: Mm) => (mm.lockedVm += 1), want: 'lockedVm is 1, counted 0' },
  { why: 'a gap', damage: (_: Mm, vma: Vma) => (vma.tree.rbSubtreeGap = 5), want: 'gap 0x5' },
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
  {
    why: 'a VMA of others',
    damage: (_: Mm, vma: Vma) => Object.assign(vma, { vmMm: { id: 9 } }),
    want: 'belongs to mm 9',
  },
  {
    why: 'a place outside user space',
    damage: (mm: Mm) => Object.assign(mm, { taskSize: ARENA }),
    want: 'over the end',
  },
  { why: 'sharing nothing', damage: (_: Mm, vma: Vma) => (vma.vmFlags |= VM_SHARED), want: 'no object behind it' },
  {
    why: 'a lock on fault alone',
    damage: (_: Mm, vma: Vma) => (vma.vmFlags |= VM_LOCKONFAULT),
    want: 'locked on fault, but not locked',
  },
  { why: 'memory for nobody', damage: (_: Mm, vma: Vma) => (vma.vmFlags &= ~VM_MAYREAD), want: 'may never be read' },
  {
    why: 'untouched memory of elsewhere',
    kernel: '6.1',
    damage: (_: Mm, vma: Vma) => Object.assign(vma, { anonVma: null, anonVmaChain: [], vmPgoff: 7 }),
    want: 'it would not merge',
  },
  {
    why: 'links without an anon_vma',
    damage: (_: Mm, vma: Vma) => (vma.anonVma = null),
    want: 'links to anon_vmas, and none of its own',
  },
  {
    why: 'an anon_vma without its link',
    damage: (_: Mm, vma: Vma) => vma.anonVmaChain.pop(),
    want: 'not linked to its own',
  },
  {
    why: 'a link of another VMA',
    damage: (mm: Mm, vma: Vma) => Object.assign(vma.anonVmaChain[0]!, { vma: mm.vmas.last()! }),
    want: 'leads to another VMA',
  },
  {
    why: 'a VMA that its anon_vma forgot',
    damage: (_: Mm, vma: Vma) => vma.anonVma!.tree.remove(vma.anonVmaChain[0]!),
    want: 'does not find it',
  },
  { why: 'a table that nobody needs', damage: (mm: Mm, vma: Vma) => removeAll(mm, vma), want: 'where no VMA is' },
  { why: 'tables', damage: (mm: Mm) => (mm.pageTables.leafTables += 1), want: '2 leaf tables by count, 1 found' },
  {
    why: 'a file that keeps a VMA which is gone',
    damage: (mm: Mm) => mm.vmas.remove(mm.vmas.last()!),
    want: 'i_mmap holds a VMA of mm',
  },
  {
    why: 'who may write a file',
    damage: (mm: Mm) => (mm.vmas.last()!.vmFile!.mapping.iMmapWritable += 1),
    want: /iMmapWritable is \d, counted/,
  },
  { why: 'an empty VMA', damage: (_: Mm, vma: Vma) => (vma.vmEnd = vma.vmStart), want: 'is empty' },
  {
    why: 'VMAs that overlap',
    damage: (mm: Mm, vma: Vma) => (vma.vmEnd = (mm.vmas.last()!.vmStart + 1) as Vpn),
    want: 'overlaps the one before',
  },
  { why: 'how many VMAs', damage: (mm: Mm) => Object.assign(mm.vmas, { size: 9 }), want: 'size is 9, 2 VMAs' },
  { why: 'a way up', damage: (mm: Mm) => Object.assign(inner(mm).tree, { parent: null }), want: 'the parent link' },
  { why: 'a tree out of balance', damage: (mm: Mm) => (inner(mm).tree.height = 5), want: 'out of balance' },
  { why: 'a height', damage: (_: Mm, vma: Vma) => (vma.tree.height = 5), want: 'height' },
  { why: 'the list', damage: (_: Mm, vma: Vma) => (vma.vmNext!.vmPrev = null), want: 'vmPrev is not the one before' },
  {
    why: 'members out of order',
    damage: (mm: Mm, vma: Vma) => {
      const { iMmap } = mm.vmas.last()!.vmFile!.mapping;
      iMmap.insert(vma);
      vma.vmPgoff = 100 as Pgoff;
    },
    want: /stands behind one at|subtreeLast/,
  },
  {
    why: 'how many members',
    damage: (mm: Mm) => Object.assign(mm.vmas.last()!.vmFile!.mapping.iMmap, { size: 5 }),
    want: 'size is 5, 1 members',
  },
  { why: 'an entry outside', damage: (mm: Mm, vma: Vma) => mm.vmas.remove(vma), want: 'outside every VMA' },
]) {
  test(`verifyAddressSpace sees: ${why}`, () => {
    const machine = new Machine({ kernel, ramBytes: 16 * 2 ** 20 });
    const mm = newMm(machine, machine.rootMemcg)!;
    doMmap(machine, mm, ARENA, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
    doMmap(machine, mm, ARENA + 16 * 4096, 4 * 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, null, 0);
    storePage(machine, mm, (ARENA / 4096) as Vpn, machine.newToken());
    damage(mm, mm.vmas.first()!);
    const found = verifyAddressSpace(machine, mm).join('\n');
    if (want === '') expect(found).toBe('');
    else expect(found).toMatch(want);
  });
}
