import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/mm/machine.ts';
import { doMbind, MPOL_BIND } from '../../src/mm/mempolicy.ts';
import { doMlock } from '../../src/mm/mlock.ts';
import type { Mm } from '../../src/mm/mm.ts';
import { doMmap, doMunmap } from '../../src/mm/mmap.ts';
import { mmlist } from '../../src/mm/mmlist.ts';
import { doMprotect } from '../../src/mm/mprotect.ts';
import { PTE_PRESENT, PTE_PROTNONE, PTE_RW } from '../../src/mm/page_table.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_FUTURE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../src/mm/uapi.ts';
import { addrOf } from '../../src/mm/units.ts';
import { verify } from '../../src/mm/verify.ts';
import { VM_LOCKED } from '../../src/mm/vm_flags.ts';
import type { Vma } from '../../src/mm/vma.ts';
import { System } from '../../src/syscalls/system.ts';
import { Space } from '../space.ts';

const CONFIG = { kernel: '3.16', ramBytes: 32 * 2 ** 20, swap: 'zram', sysctl: { thpEnabled: false } } as const;
const CLONE_VM = 0x100;

/** Each field of struct mm_struct that the seed names: what it says before and after something happens. */
interface MmCase {
  field: string;
  why: string;
  of: (mm: Mm, s: Space) => unknown;
  before: unknown;
  act: (s: Space) => void;
  after: unknown;
}

const MM_FIELDS: MmCase[] = [
  {
    field: 'mmap',
    why: 'the list begins with the lowest VMA',
    of: (mm, s) => (mm.mmap?.vmStart ?? 0) - s.vpn(0),
    before: 8,
    act: (s) => s.map(2, 1),
    after: 2,
  },
  {
    field: 'mm_rb',
    why: 'the tree finds what is mapped',
    of: (mm, s) => mm.vmas.findExact(s.vpn(40)) !== null,
    before: false,
    act: (s) => s.map(40, 1),
    after: true,
  },
  {
    field: 'vmacache_seqnum',
    why: 'a VMA that goes makes every cache old',
    of: (mm) => mm.vmacacheSeqnum,
    before: 0,
    act: (s) => doMunmap(s.machine, s.mm, s.vpn(8) * 4096, 4096),
    after: 1,
  },
  {
    field: 'highest_vm_end',
    why: 'the end of the last VMA',
    of: (mm, s) => mm.highestVmEnd / 4096 - s.vpn(0),
    before: 12,
    act: (s) => s.map(100, 3),
    after: 103,
  },
  {
    field: 'pgd',
    why: 'the top table comes with the first page',
    of: (mm) => mm.pgd >= 0,
    before: false,
    act: (s) => s.store(8),
    after: true,
  },
  {
    field: 'nr_ptes',
    why: 'a table for each 2 MiB that something is in',
    of: (mm) => mm.nrPtes,
    before: 0,
    act: (s) => {
      s.map(1024, 1);
      s.store(8);
      s.store(1024);
    },
    after: 2,
  },
  { field: 'map_count', why: 'VMAs', of: (mm) => mm.mapCount, before: 1, act: (s) => s.map(20, 1), after: 2 },
  {
    field: 'mmlist',
    why: 'on the list of init_mm since one of its pages went to swap',
    of: (mm, s) => mmlist(s.machine.initMm).includes(mm),
    before: false,
    act: (s) => {
      s.store(8);
      s.reclaimToSwap(1);
    },
    after: true,
  },
  {
    field: 'hiwater_rss',
    why: 'the most resident pages, known when some go',
    of: (mm) => mm.hiwaterRss,
    before: 0,
    act: (s) => {
      s.storeAll(8, 3);
      doMunmap(s.machine, s.mm, s.vpn(8) * 4096, 4096);
    },
    after: 3,
  },
  {
    field: 'hiwater_vm',
    why: 'the most that was mapped, known when some goes',
    of: (mm) => mm.hiwaterVm,
    before: 0,
    act: (s) => doMunmap(s.machine, s.mm, s.vpn(8) * 4096, 4096),
    after: 4,
  },
  { field: 'total_vm', why: 'pages mapped', of: (mm) => mm.totalVm, before: 4, act: (s) => s.map(20, 5), after: 9 },
  {
    field: 'locked_vm',
    why: 'pages of locked VMAs',
    of: (mm) => mm.lockedVm,
    before: 0,
    act: (s) => doMlock(s.machine, s.mm, s.vpn(8) * 4096, 2 * 4096, false),
    after: 2,
  },
  {
    field: 'pinned_vm',
    why: 'no device holds pages here',
    of: (mm) => mm.pinnedVm,
    before: 0,
    act: (s) => s.storeAll(8, 4),
    after: 0,
  },
  {
    field: 'shared_vm',
    why: 'mappings of files and shared memory',
    of: (mm) => mm.sharedVm,
    before: 0,
    act: (s) => {
      s.map(20, 2, MAP_PRIVATE, PROT_READ, s.file('disk', 4));
      s.map(30, 3, MAP_SHARED);
    },
    after: 5,
  },
  {
    field: 'exec_vm',
    why: 'executable and not writable',
    of: (mm) => mm.execVm,
    before: 0,
    act: (s) => s.map(20, 2, MAP_PRIVATE, PROT_READ | PROT_EXEC, s.file('disk', 4)),
    after: 2,
  },
  {
    field: 'stack_vm',
    why: 'what grows down',
    of: (mm) => mm.stackVm,
    before: 0,
    act: (s) => s.map(20, 3, MAP_PRIVATE | MAP_GROWSDOWN),
    after: 3,
  },
  {
    field: 'owner',
    why: 'the task that made it',
    of: (mm, s) => mm.owner === s.task,
    before: true,
    act: (s) => s.exit(s.fork()),
    after: true,
  },
  {
    field: 'rss_stat',
    why: 'resident pages by kind',
    of: (mm) => [...mm.rss],
    before: [0, 0, 0, 0],
    act: (s) => {
      s.store(8);
      s.map(30, 1, MAP_SHARED);
      s.store(30);
    },
    after: [0, 1, 0, 1],
  },
];

describe('mm_struct', () => {
  for (const { field, why, of, before, act, after } of MM_FIELDS) {
    test(`mm_struct.${field}: ${why}`, () => {
      const s = new Space(CONFIG);
      s.map(8, 4);
      expect(of(s.mm, s)).toEqual(before);
      act(s);
      expect(of(s.mm, s)).toEqual(after);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('mm_struct.mmap_base, mmap_legacy_base, get_unmapped_area, task_size: downwards, or upwards with a stack without limit', () => {
    const machine = new Machine({ kernel: '3.16', ramBytes: 16 * 2 ** 20 });
    const { mm } = new System(machine).newProcess();
    expect(mm.taskSize).toBe(0x7ffffffff000);
    expect(mm.mmapBase).toBe(0x7ffffffff000 - 128 * 2 ** 20);
    expect(mm.mmapLegacyBase).toBe(0x2aaaaaaab000);
    expect(mm.getUnmappedArea).toBe('arch_get_unmapped_area_topdown');
    mm.rlimitStack = Number.POSITIVE_INFINITY;
    mm.mmapBase = machine.generation.pickMmapLayout!(mm);
    expect([mm.getUnmappedArea, mm.mmapBase]).toEqual(['arch_get_unmapped_area', 0x2aaaaaaab000]);
    const anon = MAP_PRIVATE | MAP_ANONYMOUS;
    expect(doMmap(machine, mm, 0, 4096, PROT_READ, anon, null, 0)).toBe(0x2aaaaaaab000);
    expect(doMmap(machine, mm, 0, 4096, PROT_READ, anon, null, 0)).toBe(0x2aaaaaaac000);
  });

  test('mm_struct.mm_users: each task that shares it counts; mm_count: all of them are one', () => {
    const machine = new Machine({ kernel: '3.16', ramBytes: 32 * 2 ** 20 });
    const system = new System(machine);
    const p = system.newProcess();
    system.store(p, 0, 1);
    const { mm } = p;
    expect([mm.mmUsers, mm.mmCount]).toEqual([1, 2]);
    const q = system.fork(p, CLONE_VM);
    if (typeof q === 'number') throw new Error('fork');
    expect([q.mm === mm, mm.mmUsers]).toEqual([true, 2]);
    system.exit(q);
    expect(mm.mmUsers).toBe(1);
  });

  test('mm_struct.def_flags: mlockall(MCL_FUTURE) locks what is mapped from then on', () => {
    const machine = new Machine({ kernel: '3.16', ramBytes: 32 * 2 ** 20 });
    const system = new System(machine);
    const p = system.newProcess();
    expect(p.mm.defFlags).toBe(0);
    system.mlockall(p, MCL_FUTURE);
    expect(p.mm.defFlags & VM_LOCKED).toBe(VM_LOCKED);
    const at = system.mmap(p, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(p.mm.vmas.findExact((at / 4096) as never)!.vmFlags & VM_LOCKED).toBe(VM_LOCKED);
  });

  test('mm_struct.start_code … env_end, start_brk, brk, start_stack, exe_file: exec sets them, fork copies them', () => {
    const machine = new Machine({ kernel: '3.16', ramBytes: 64 * 2 ** 20 });
    const system = new System(machine);
    system.paths.createFile('/bin/p', 0x5000, 'disk');
    const p = system.newProcess();
    const segment = { vaddr: 0x400000, offset: 0, fileBytes: 0x1000, memBytes: 0x1000, prot: PROT_READ | PROT_EXEC };
    const data = { vaddr: 0x600000, offset: 0x1000, fileBytes: 0x800, memBytes: 0x2000, prot: PROT_READ | PROT_WRITE };
    const program = {
      path: '/bin/p',
      positionIndependent: false,
      entry: 0x400000,
      programHeaders: 2,
      segments: [segment, data],
    };
    expect(system.exec(p, { program, interpreter: null, argv: ['p', 'arg'], envp: ['HOME=/'] } as never)).toBe(0);
    const q = system.fork(p);
    if (typeof q === 'number') throw new Error('fork');
    for (const mm of [p.mm, q.mm]) {
      expect([mm.startCode, mm.endCode, mm.startData, mm.endData]).toEqual([0x400000, 0x401000, 0x600000, 0x600800]);
      expect(mm.startBrk).toBeGreaterThanOrEqual(0x602000);
      expect(mm.brk).toBe(mm.startBrk);
      expect(mm.argEnd - mm.argStart).toBe('p arg '.length);
      expect(mm.envEnd - mm.envStart).toBe('HOME=/ '.length);
      expect([mm.startStack < mm.argStart, mm.argEnd === mm.envStart]).toEqual([true, true]);
      expect(mm.exeFile!.inode.name).toBe('/bin/p');
    }
  });
});

/** Each field of struct vm_area_struct that the seed names. */
const VMA_FIELDS: {
  field: string;
  why: string;
  act: (s: Space) => void;
  of: (vma: Vma, s: Space) => unknown;
  want: unknown;
}[] = [
  {
    field: 'vm_start, vm_end',
    why: 'the end is the first page outside; munmap of its head moves the start',
    act: (s) => doMunmap(s.machine, s.mm, s.vpn(8) * 4096, 4096),
    of: (_, s) => [s.vma(9).vmStart - s.vpn(0), s.vma(9).vmEnd - s.vpn(0)],
    want: [9, 12],
  },
  {
    field: 'vm_next, vm_prev',
    why: 'the neighbours by address',
    act: (s) => {
      s.map(2, 1);
      s.map(30, 1);
    },
    of: (vma, s) => [vma.vmPrev === s.vma(2), vma.vmNext === s.vma(30), s.vma(30).vmNext],
    want: [true, true, null],
  },
  {
    field: 'vm_rb, rb_subtree_gap',
    why: 'the widest gap below a VMA of its subtree',
    act: (s) => {
      s.map(2, 1);
      s.map(30, 1);
      doMunmap(s.machine, s.mm, s.vpn(2) * 4096, 4096);
    },
    of: (vma, s) => [vma.rbSubtreeGap === s.vpn(8), s.vma(30).rbSubtreeGap],
    want: [true, 18],
  },
  { field: 'vm_mm', why: 'whose it is', act: () => {}, of: (vma, s) => vma.vmMm === s.mm, want: true },
  {
    field: 'vm_page_prot',
    why: 'by protection: private pages are never writable at first, shared memory is, nothing is nothing',
    act: (s) => {
      s.map(20, 1, MAP_SHARED);
      s.map(21, 1, MAP_PRIVATE, 0);
      s.map(22, 1, MAP_SHARED, PROT_READ | PROT_WRITE, s.file('disk', 1));
    },
    of: (vma, s) => [vma, s.vma(20), s.vma(21), s.vma(22)].map((v) => v.vmPageProt),
    want: [PTE_PRESENT, PTE_PRESENT | PTE_RW, PTE_PROTNONE, PTE_PRESENT],
  },
  {
    field: 'vm_flags',
    why: 'mprotect changes them',
    act: (s) => doMprotect(s.machine, s.mm, s.vpn(8) * 4096, 4 * 4096, PROT_READ),
    of: (_, s) => s.vma(8).vmFlags & 3,
    want: 1,
  },
  {
    field: 'shared.linear',
    why: 'the file finds it by the pages it shows',
    act: (s) => s.map(20, 2, MAP_SHARED, PROT_READ, s.file('disk', 8), 3),
    of: (_, s) => {
      const { iMmap } = s.vma(20).vmFile!.mapping;
      return [iMmap.firstIn(4, 4) === s.vma(20), iMmap.firstIn(0, 2), iMmap.size];
    },
    want: [true, null, 1],
  },
  {
    field: 'anon_vma, anon_vma_chain',
    why: 'from the first anonymous page on',
    act: (s) => s.store(8),
    of: (vma) => [vma.anonVma !== null, vma.anonVmaChain.length, vma.anonVmaChain[0]!.anonVma === vma.anonVma],
    want: [true, 1, true],
  },
  {
    field: 'vm_ops',
    why: 'none for private anonymous memory, else by what is mapped',
    act: (s) => {
      s.map(20, 1, MAP_SHARED);
      s.map(22, 1, MAP_PRIVATE, PROT_READ, s.file('disk', 1));
    },
    of: (vma, s) => [vma, s.vma(20), s.vma(22)].map((v) => v.vmOps?.name ?? null),
    want: [null, 'shmem_vm_ops', 'ext4_file_vm_ops'],
  },
  {
    field: 'vm_pgoff',
    why: 'anonymous: the page number of its start; shared anonymous: 0; a file: where it begins there',
    act: (s) => {
      s.map(20, 1, MAP_SHARED);
      s.map(22, 1, MAP_PRIVATE, PROT_READ, s.file('disk', 8), 5);
    },
    of: (vma, s) => [vma.vmPgoff === (s.vpn(8) as number), s.vma(20).vmPgoff, s.vma(22).vmPgoff],
    want: [true, 0, 5],
  },
  {
    field: 'vm_file',
    why: 'none, an unnamed object, or the file',
    act: (s) => {
      s.map(20, 1, MAP_SHARED);
      s.map(22, 1, MAP_PRIVATE, PROT_READ, s.file('disk', 1));
    },
    of: (vma, s) => [vma.vmFile, s.vma(20).vmFile!.inode.kind, s.vma(22).vmFile!.inode.name],
    want: [null, 'tmpfs', 'data'],
  },
  {
    field: 'vm_private_data',
    why: 'only a nonlinear mapping has something to remember: how far reclaim has come',
    act: (s) => {
      s.map(20, 2);
      s.vma(20).nonlinearCursor = 1;
    },
    of: (vma, s) => [vma.vmPrivateData, s.vma(20).vmPrivateData],
    want: [0, 1],
  },
  {
    field: 'vm_policy',
    why: 'mbind sets it, and splits the VMA where it ends; fork copies it',
    act: (s) => doMbind(s.machine, s.mm, s.vpn(8) * 4096, 2 * 4096, MPOL_BIND, 1, 0),
    of: (_, s) => [s.vma(8).vmPolicy?.mode, s.vma(10).vmPolicy, s.mm.mapCount, s.vma(8, s.fork().mm!).vmPolicy?.nodes],
    want: [MPOL_BIND, null, 2, 1],
  },
];

describe('vm_area_struct', () => {
  for (const { field, why, act, of, want } of VMA_FIELDS) {
    test(`vm_area_struct.${field}: ${why}`, () => {
      const s = new Space(CONFIG);
      const vma = s.map(8, 4);
      act(s);
      expect(of(vma, s)).toEqual(want);
      expect(verify(s.machine)).toEqual([]);
    });
  }
});

describe('lazy mm', () => {
  test('a kernel thread borrows the address space of whoever ran before it', () => {
    const s = new Space(CONFIG);
    const { machine, mm, task } = s;
    expect([task.activeMm === mm, mm.mmCount, machine.idle.activeMm]).toEqual([true, 1, null]);
    machine.current = machine.idle;
    expect([machine.idle.activeMm === mm, mm.mmCount, mm.mmUsers]).toEqual([true, 2, 1]);
    const other = s.fork();
    machine.current = other;
    expect([machine.idle.activeMm, mm.mmCount, other.mm!.mmCount]).toEqual([null, 1, 1]);
  });

  test('its last user gone, the object stays until the borrower has left, and the VMAs do not', () => {
    const s = new Space(CONFIG);
    const { machine } = s;
    const child = s.fork();
    const mm = child.mm!;
    s.map(8, 1);
    machine.current = child;
    s.store(8, s.mm);
    machine.current = machine.idle;
    s.exit(child);
    expect([mm.mmUsers, mm.mmCount, mm.mapCount, machine.mms.includes(mm)]).toEqual([0, 1, 0, true]);
    expect(verify(machine)).toEqual([]);
    machine.current = s.task;
    expect([mm.mmCount, machine.mms.includes(mm)]).toEqual([0, false]);
  });

  test('at the start init_mm is loaded', () => {
    const machine = new Machine({ kernel: '3.16', ramBytes: 16 * 2 ** 20 });
    expect([machine.idle.activeMm === machine.initMm, machine.initMm.mmCount]).toEqual([true, 2]);
  });
});

describe('vmacache', () => {
  test('four slots by page number; a hit needs no tree; what went is not found', () => {
    const s = new Space(CONFIG);
    const { machine, task } = s;
    const { work } = machine;
    for (let i = 0; i < 5; i++) s.map(8 * i, 5);
    s.store(0);
    const calls = work.vmacacheFindCalls;
    s.store(1);
    s.store(2);
    expect([work.vmacacheFindCalls - calls, work.vmacacheFindHits]).toEqual([2, 2]);
    expect(task.vmacache.filter((vma) => vma !== null)).toHaveLength(1);
    // The pages of different slots fill the cache; page 4 of the next VMA takes slot 0.
    for (const page of [9, 18, 27, 36]) s.store(page);
    expect(task.vmacache.map((vma) => (vma!.vmStart - s.vpn(0)) / 8)).toEqual([4, 1, 2, 3]);
    doMunmap(machine, s.mm, s.vpn(8) * 4096, 5 * 4096);
    expect(s.load(9)).not.toBe(0);
    expect(verify(machine)).toEqual([]);
  });

  test('a child starts with an empty one, and the number that begins anew empties all', () => {
    const s = new Space(CONFIG);
    s.map(0, 4);
    s.store(0);
    const child = s.fork();
    expect(child.vmacache).toEqual([null, null, null, null]);
    s.mm.vmacacheSeqnum = 2 ** 32 - 1;
    s.task.vmacacheSeqnum = 2 ** 32 - 1;
    s.store(1);
    expect(s.task.vmacache.some((vma) => vma !== null)).toBe(true);
    doMunmap(s.machine, s.mm, s.vpn(0) * 4096, 4096);
    expect([s.mm.vmacacheSeqnum, s.task.vmacache]).toEqual([0, [null, null, null, null]]);
  });
});

test('[3.x rb_subtree_gap] top-down mmap takes the highest gap that fits, a hint is taken when it is free', () => {
  const machine = new Machine({ kernel: '3.16', ramBytes: 16 * 2 ** 20 });
  const { mm } = new System(machine).newProcess();
  const anon = MAP_PRIVATE | MAP_ANONYMOUS;
  const base = mm.mmapBase;
  const at = (pages: number): number => base - pages * 4096;
  const map = (pages: number, hint = 0, flags = anon): number =>
    doMmap(machine, mm, hint, pages * 4096, PROT_READ, flags, null, 0);
  // Another protection each, so that they do not merge: holes of 4 and of 2 pages.
  map(2, at(2), anon | MAP_FIXED);
  map(2, at(8), anon | MAP_FIXED);
  map(2, at(12), anon | MAP_FIXED);
  expect(map(3)).toBe(at(5));
  expect(map(2)).toBe(at(10));
  expect(map(1)).toBe(at(6));
  expect(map(1)).toBe(at(13));
  expect(map(1, at(100))).toBe(at(100));
  expect(map(1, at(100))).toBe(at(14));
  // No gap is kept below a stack.
  map(1, at(40), anon | MAP_FIXED | MAP_GROWSDOWN);
  expect(map(5, at(45))).toBe(at(45));
  expect(mm.vmas.last()!.vmEnd * 4096).toBe(mm.highestVmEnd);
  expect(addrOf(mm.vmas.last()!.vmEnd)).toBe(base);
  expect(verify(machine)).toEqual([]);
});
