import { expect, test } from 'vitest';
import { EACCES, EAGAIN, EBADF, EEXIST, EINVAL, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM } from './errno.ts';
import { newInode, openInode } from './file.ts';
import { newMm, newTask } from './fork.ts';
import type { File } from './fs.ts';
import { Machine, type MachineConfig } from './machine.ts';
import { doMadvise } from './madvise.ts';
import { loadPage, readToken, storePage } from './memory.ts';
import { doMlock, doMunlock } from './mlock.ts';
import type { Mm } from './mm.ts';
import { doBrk, doMmap, doMunmap, doRemapFilePages, exitMmap } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { doMremap } from './mremap.ts';
import {
  MADV_DONTFORK,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_STACK,
  MAP_SYNC,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import { PAGE_SIZE, type Token, type Vaddr, type Vpn } from './units.ts';
import { verify } from './verify.ts';
import { verifyAddressSpace } from './verify_mm.ts';
import { VM_ACCOUNT, VM_DONTCOPY, VM_LOCKED, VM_NOHUGEPAGE, VM_WRITE } from './vm_flags.ts';

const TOP = 0x200000000000;
const ARENA = 0x100000000000;
const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const SIGSEGV = 11;

function newSpace(config: Partial<MachineConfig> = {}): { machine: Machine; mm: Mm } {
  const machine = new Machine({ kernel: '6.18', ramBytes: 16 * 2 ** 20, ...config });
  const mm = newMm(machine, machine.rootMemcg)!;
  mm.mmapBase = TOP as Vaddr;
  machine.current = newTask(machine, 1, 'test', mm, machine.rootMemcg, null)!;
  return { machine, mm };
}

function openFile(machine: Machine, readable: boolean, writable: boolean): File {
  return openInode(machine, newInode(machine, 'file', 'disk', 64 * PAGE_SIZE), readable, writable, false);
}

for (const { why, length = 4096, flags, fd = 'none', pgoff = 0, want } of [
  { why: 'no file and not anonymous', flags: MAP_PRIVATE, want: -EBADF },
  { why: 'nothing to map', length: 0, flags: ANON, want: -EINVAL },
  { why: 'nothing to map, huge', length: 0, flags: ANON | MAP_HUGETLB, want: -EINVAL },
  { why: 'no huge pages', flags: ANON | MAP_HUGETLB, want: -ENOMEM },
  { why: 'neither private nor shared', flags: MAP_ANONYMOUS, want: -EINVAL },
  { why: 'shared and validated wants a file', flags: MAP_SHARED_VALIDATE | MAP_ANONYMOUS, want: -EINVAL },
  { why: 'a shared stack', flags: MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, want: -EINVAL },
  { why: 'larger than user space', length: 2 ** 47, flags: ANON, want: -ENOMEM },
  { why: 'larger than any address', length: 2 ** 64, flags: ANON, want: -ENOMEM },
  { why: 'a locked page may always be dropped', flags: MAP_DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, want: -EINVAL },
  { why: 'a file open for writing only', fd: 'w', flags: MAP_PRIVATE, want: -EACCES },
  { why: 'shared and writable, the file read-only', fd: 'r', flags: MAP_SHARED, want: -EACCES },
  { why: 'unknown flag, validated', fd: 'rw', flags: MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, want: -EPERM },
  { why: 'a file cannot grow down', fd: 'rw', flags: MAP_PRIVATE | MAP_GROWSDOWN, want: -EINVAL },
  { why: 'no persistent memory', fd: 'rw', flags: MAP_SHARED_VALIDATE | MAP_SYNC, want: -EOPNOTSUPP },
  { why: 'behind the largest file', fd: 'rw', flags: MAP_PRIVATE, pgoff: 2 ** 51, want: -EOVERFLOW },
]) {
  test(`mmap refuses: ${why}`, () => {
    const { machine, mm } = newSpace();
    const file = fd === 'none' ? null : openFile(machine, fd.includes('r'), fd.includes('w'));
    expect(doMmap(machine, mm, 0, length, RW, flags, file, pgoff)).toBe(want);
    expect(mm.vmas.size).toBe(0);
    expect(machine.committedPages).toBe(0);
  });
}

for (const { why, addr, length = 4096, flags = ANON, want } of [
  { why: 'without a hint at the top', addr: 0, length: 4 * 4096, want: TOP - 4 * 4096 },
  { why: 'a hint is rounded down to its page', addr: ARENA + 123, want: ARENA },
  { why: 'a hint below what may be mapped is raised', addr: 4096, want: 65536 },
  { why: 'a hint inside a mapping is ignored', addr: ARENA + 10 * 4096, want: TOP - 4096 },
  { why: 'a hint 255 pages below a stack is ignored', addr: ARENA + 744 * 4096, want: TOP - 4096 },
  { why: 'a hint 256 pages below a stack is honoured', addr: ARENA + 743 * 4096, want: ARENA + 743 * 4096 },
  { why: 'whole huge pages are aligned', addr: 0, length: 2 ** 22, want: TOP - 2 ** 22 },
  { why: 'what is no multiple of a huge page is not', addr: 0, length: 2 ** 21 + 4096, want: TOP - 2 ** 21 - 4096 },
  { why: 'an order at an odd address', addr: ARENA + 1, flags: ANON | MAP_FIXED, want: -EINVAL },
  { why: 'an order at page 0', addr: 0, flags: ANON | MAP_FIXED, want: -EPERM },
  { why: 'an order that must not replace', addr: ARENA + 10 * 4096, flags: ANON | MAP_FIXED_NOREPLACE, want: -EEXIST },
]) {
  test(`[6.x guard gap] mmap places: ${why}`, () => {
    const { machine, mm } = newSpace();
    doMmap(machine, mm, ARENA + 8 * 4096, 16 * 4096, RW, ANON | MAP_FIXED, null, 0);
    doMmap(machine, mm, ARENA + 1000 * 4096, 4096, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, null, 0);
    expect(doMmap(machine, mm, addr, length, RW, flags, null, 0)).toBe(want);
    expect(verify(machine)).toEqual([]);
  });
}

for (const { kernel, want } of [
  { kernel: '6.18', want: TOP - 2 ** 21 * 2 },
  { kernel: '6.1', want: TOP - 4096 - 2 ** 21 },
]) {
  test(`${kernel}: 2 MiB below one page`, () => {
    const { machine, mm } = newSpace({ kernel });
    doMmap(machine, mm, 0, 4096, RW, ANON, null, 0);
    expect(doMmap(machine, mm, 0, 2 ** 21, RW, ANON, null, 0)).toBe(want);
  });
}

test('when nothing is free below mmap_base, the search goes upwards from a third of user space', () => {
  const { machine, mm } = newSpace();
  mm.mmapBase = 0x20000 as Vaddr;
  expect(doMmap(machine, mm, 0, 2 ** 30 + 4096, PROT_READ, ANON, null, 0)).toBe(0x2aaaaaaab000);
});

test('a new mapping keeps clear of a stack: the gap below its guard is searched', () => {
  const { machine, mm } = newSpace();
  doMmap(machine, mm, TOP - 4096, 4096, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, null, 0);
  expect(doMmap(machine, mm, 0, 4096, RW, ANON, null, 0)).toBe(TOP - 258 * 4096);
});

test('MAP_STACK asks for no huge pages, since 6.7', () => {
  for (const [kernel, want] of [
    ['6.18', VM_NOHUGEPAGE],
    ['6.1', 0],
  ] as const) {
    const { machine, mm } = newSpace({ kernel });
    doMmap(machine, mm, ARENA, 4096, RW, ANON | MAP_STACK, null, 0);
    expect(mm.vmas.first()!.vmFlags & VM_NOHUGEPAGE).toBe(want);
  }
});

for (const { why, sysctl, flags, prot = RW, pages, want } of [
  { why: 'a guess refuses only what is more than there is', sysctl: 0, flags: ANON, pages: 5000, want: -ENOMEM },
  { why: 'unless it need not be reserved', sysctl: 0, flags: ANON | MAP_NORESERVE, pages: 5000, want: 0 },
  { why: 'what cannot be written needs no promise', sysctl: 0, flags: ANON, prot: PROT_READ, pages: 5000, want: 0 },
  { why: 'always', sysctl: 1, flags: ANON, pages: 5000, want: 0 },
  { why: 'strict: half of memory', sysctl: 2, flags: ANON, pages: 3000, want: -ENOMEM },
  { why: 'strict does not know NORESERVE', sysctl: 2, flags: ANON | MAP_NORESERVE, pages: 3000, want: -ENOMEM },
  {
    why: 'strict: shared memory is promised, too',
    sysctl: 2,
    flags: MAP_SHARED | MAP_ANONYMOUS,
    pages: 3000,
    want: -ENOMEM,
  },
] as const) {
  test(`overcommit ${sysctl}: ${why}`, () => {
    const { machine, mm } = newSpace({ sysctl: { overcommitMemory: sysctl } });
    expect(Math.min(0, doMmap(machine, mm, 0, pages * 4096, prot, flags, null, 0))).toBe(want);
    const accounted = [...mm.vmas].filter((v) => (v.vmFlags & VM_ACCOUNT) !== 0).reduce((sum, v) => sum + v.pages, 0);
    expect(machine.committedPages).toBe(accounted);
  });
}

for (const { why, limit, call, want } of [
  { why: 'RLIMIT_AS', limit: 'rlimitAs', call: RW, want: -ENOMEM },
  { why: 'RLIMIT_DATA counts private writable memory', limit: 'rlimitData', call: RW, want: -ENOMEM },
  { why: 'RLIMIT_DATA and memory that is only read', limit: 'rlimitData', call: PROT_READ, want: ARENA },
] as const) {
  test(`mmap at a limit: ${why}`, () => {
    const { machine, mm } = newSpace();
    mm[limit] = 4096;
    expect(doMmap(machine, mm, ARENA, 2 * 4096, call, ANON | MAP_FIXED, null, 0)).toBe(want);
  });
}

test('more VMAs than allowed are refused, and so is a hole that would make two of one', () => {
  const { machine, mm } = newSpace({ sysctl: { maxMapCount: 2 } });
  for (const page of [0, 4, 8])
    expect(doMmap(machine, mm, ARENA + page * 4096, 3 * 4096, RW, ANON | MAP_FIXED, null, 0)).toBeGreaterThan(0);
  expect(doMmap(machine, mm, 0, 4096, PROT_READ, ANON, null, 0)).toBe(-ENOMEM);
  expect(doMunmap(machine, mm, ARENA + 4096, 4096)).toBe(-ENOMEM);
  expect(doMunmap(machine, mm, ARENA, 4096)).toBe(0);
});

test('a refused MAP_FIXED leaves what was there; 6.1 leaves a hole', () => {
  for (const [kernel, left] of [
    ['6.18', 1],
    ['6.1', 0],
  ] as const) {
    const { machine, mm } = newSpace({ kernel, sysctl: { overcommitMemory: 2 } });
    doMmap(machine, mm, ARENA, 4096, RW, ANON | MAP_FIXED, null, 0);
    expect(doMmap(machine, mm, ARENA, 4000 * 4096, RW, ANON | MAP_FIXED, null, 0)).toBe(-ENOMEM);
    expect(mm.vmas.size).toBe(left);
    expect(machine.committedPages).toBe(left);
  }
});

for (const { why, addr, length, want } of [
  { why: 'the address is inside a page', addr: ARENA + 1, length: 4096, want: -EINVAL },
  { why: 'there is nothing to unmap', addr: ARENA, length: 0, want: -EINVAL },
  { why: 'it ends above user space', addr: ARENA, length: 2 ** 47, want: -EINVAL },
  { why: 'a hole is no error', addr: ARENA, length: 4096, want: 0 },
]) {
  test(`munmap: ${why}`, () => {
    const { machine, mm } = newSpace();
    expect(doMunmap(machine, mm, addr, length)).toBe(want);
  });
}

test('the heap grows, shrinks and keeps clear of what is above it', () => {
  const { machine, mm } = newSpace();
  mm.startBrk = ARENA as Vaddr;
  mm.brk = ARENA as Vaddr;
  doMmap(machine, mm, ARENA + 16 * 4096, 4096, RW, ANON | MAP_FIXED, null, 0);
  const calls: [number, number][] = [
    [0, ARENA],
    [ARENA + 100, ARENA + 100],
    [ARENA + 4 * 4096, ARENA + 4 * 4096],
    // One page must stay free between the heap and the next VMA.
    [ARENA + 16 * 4096, ARENA + 4 * 4096],
    [ARENA + 15 * 4096, ARENA + 15 * 4096],
    [ARENA + 2 * 4096, ARENA + 2 * 4096],
  ];
  for (const [brk, want] of calls) expect(doBrk(machine, mm, brk)).toBe(want);
  expect([...mm.vmas].map((v) => v.pages)).toEqual([2, 1]);
  expect(machine.committedPages).toBe(3);
  expect(verify(machine)).toEqual([]);
});

test('[6.x guard gap] a stack grows to the page that was touched, but not into the guard gap of what is below', () => {
  const { machine, mm } = newSpace();
  doMmap(machine, mm, ARENA, 4096, RW, ANON | MAP_FIXED, null, 0);
  doMmap(machine, mm, ARENA + 1000 * 4096, 4096, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, null, 0);
  const page = ARENA / 4096;
  const stack = mm.vmas.last()!;
  expect(loadPage(machine, mm, (page + 995) as Vpn)).toBe(0);
  expect([stack.vmStart - page, stack.pages]).toEqual([995, 6]);
  expect(loadPage(machine, mm, (page + 256) as Vpn) >> 8).toBe(SIGSEGV);
  expect(loadPage(machine, mm, (page + 257) as Vpn)).toBe(0);
  mm.rlimitStack = 0;
  expect(loadPage(machine, mm, (page + 300) as Vpn)).toBe(0);
  expect(verify(machine)).toEqual([]);
});

test('remap_file_pages shows another part of a shared file, of any other mapping it wants nothing', () => {
  const { machine, mm } = newSpace();
  const file = openFile(machine, true, true);
  doMmap(machine, mm, ARENA, 8 * 4096, RW, MAP_SHARED | MAP_FIXED, file, 0);
  doMmap(machine, mm, ARENA + 16 * 4096, 4096, RW, ANON | MAP_FIXED, null, 0);
  expect(doRemapFilePages(machine, mm, ARENA + 2 * 4096, 4096, PROT_READ, 9, 0)).toBe(-EINVAL);
  expect(doRemapFilePages(machine, mm, ARENA + 16 * 4096, 4096, 0, 9, 0)).toBe(-EINVAL);
  expect(doRemapFilePages(machine, mm, ARENA + 7 * 4096, 2 * 4096, 0, 9, 0)).toBe(-EINVAL);
  expect(doRemapFilePages(machine, mm, ARENA + 2 * 4096, 2 * 4096, 0, 40, 0)).toBe(0);
  expect([...mm.vmas].map((v) => [v.pages, v.vmFile === null ? 0 : v.vmPgoff])).toEqual([
    [2, 0],
    [2, 40],
    [4, 4],
    [1, 0],
  ]);
  expect(verify(machine)).toEqual([]);
});

test('populating a locked-out limit: EAGAIN for MAP_LOCKED over RLIMIT_MEMLOCK, EPERM without any', () => {
  const { machine, mm } = newSpace();
  mm.rlimitMemlock = 4096;
  expect(doMmap(machine, mm, 0, 2 * 4096, RW, ANON | MAP_LOCKED, null, 0)).toBe(-EAGAIN);
  mm.rlimitMemlock = 0;
  expect(doMmap(machine, mm, 0, 4096, RW, ANON | MAP_LOCKED, null, 0)).toBe(-EPERM);
});

/** What each page of the arena must be: unmapped, or these flags and this token. */
interface ModelPage {
  write: boolean;
  locked: boolean;
  dontfork: boolean;
  token: Token;
}

/** Pages that are not what the model says. Contents of every seventh page, from `from`. */
function differences(machine: Machine, mm: Mm, model: (ModelPage | null)[], from: number): string[] {
  const found: string[] = [];
  for (let i = 0; i < model.length; i++) {
    const vpn = (ARENA / 4096 + i) as Vpn;
    const flags = mm.vmas.findExact(vpn)?.vmFlags ?? null;
    const page = model[i] ?? null;
    if (flags === null || page === null) {
      if (flags !== page) found.push(`page ${i}: ${flags === null ? 'not mapped' : 'mapped'}`);
      continue;
    }
    if (((flags & VM_WRITE) !== 0) !== page.write) found.push(`page ${i}: writable ${!page.write}`);
    if (((flags & VM_LOCKED) !== 0) !== page.locked) found.push(`page ${i}: locked ${!page.locked}`);
    if (((flags & VM_DONTCOPY) !== 0) !== page.dontfork) found.push(`page ${i}: dontfork ${!page.dontfork}`);
    if (i % 7 !== from) continue;
    const token = Math.max(0, readToken(machine, mm, vpn));
    if (token !== page.token) found.push(`page ${i}: token ${token}, stored ${page.token}`);
  }
  return found;
}

test('whatever is mapped, moved, protected, locked and unmapped: each page is what the calls made of it', () => {
  const PAGES = 1200;
  for (const kernel of ['6.18', '6.1']) {
    for (let seed = 1; seed <= 3; seed++) {
      const { machine, mm } = newSpace({ kernel, ramBytes: 32 * 2 ** 20 });
      const model: (ModelPage | null)[] = new Array(PAGES).fill(null);
      let state = seed * 7919;
      const pick = (below: number): number => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        return (state >>> 8) % below;
      };
      for (let step = 0; step < 120; step++) {
        const why = `${kernel}, seed ${seed}, step ${step}`;
        const first = pick(PAGES - 40);
        const pages = 1 + pick(pick(8) === 0 ? 600 : 40);
        const last = Math.min(PAGES, first + pages);
        const addr = ARENA + first * 4096;
        const length = (last - first) * 4096;
        const whole = model.slice(first, last).every((p) => p !== null);
        switch (pick(9)) {
          case 0:
          case 1: {
            const prot = pick(4) === 0 ? PROT_READ : RW;
            const populate = pick(4) === 0 ? MAP_POPULATE : 0;
            expect(doMmap(machine, mm, addr, length, prot, ANON | MAP_FIXED | populate, null, 0), why).toBe(addr);
            for (let i = first; i < last; i++)
              model[i] = { write: prot === RW, locked: false, dontfork: false, token: 0 as Token };
            break;
          }
          case 2:
            expect(doMunmap(machine, mm, addr, length), why).toBe(0);
            model.fill(null, first, last);
            break;
          case 3: {
            const prot = [RW, PROT_READ, PROT_NONE][pick(3)]!;
            const result = doMprotect(machine, mm, addr, length, prot);
            expect(result, why).toBe(whole ? 0 : -ENOMEM);
            for (let i = first; i < last && model[i] != null; i++) model[i]!.write = prot === RW;
            break;
          }
          case 4: {
            const to = pick(PAGES - (last - first));
            const overlap = to < last && first < to + (last - first);
            const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
            const result = doMremap(machine, mm, addr, length, length, flags, ARENA + to * 4096);
            if (result >= 0) {
              expect(overlap, why).toBe(false);
              const moved = model.slice(first, last);
              // 6.18 leaves holes between the VMAs that it moves as they are, and what is under them.
              moved.forEach((page, i) => {
                if (page !== null) model[to + i] = page;
              });
              model.fill(null, first, last);
            } else if (!overlap && kernel === '6.1') {
              // Refused after the new place was unmapped.
              if (
                mm.vmas.findIntersection((ARENA / 4096 + to) as Vpn, (ARENA / 4096 + to + last - first) as Vpn) === null
              ) {
                const known = mm.vmas.findExact((ARENA / 4096 + first) as Vpn) !== null;
                if (known) model.fill(null, to, to + last - first);
              }
            }
            break;
          }
          case 5:
            doMlock(machine, mm, addr, Math.min(length, 20 * 4096), pick(2) === 0);
            for (let i = first; i < Math.min(last, first + 20) && model[i] != null; i++) model[i]!.locked = true;
            break;
          case 6:
            doMunlock(machine, mm, addr, length);
            for (let i = first; i < last && model[i] != null; i++) model[i]!.locked = false;
            break;
          case 7: {
            const result = doMadvise(machine, mm, addr, length, MADV_DONTFORK);
            expect(result, why).toBe(whole ? 0 : -ENOMEM);
            for (let i = first; i < last; i++) if (model[i] != null) model[i]!.dontfork = true;
            break;
          }
          default:
            if (pick(2) === 0 && model.slice(first, last).every((p) => !p?.locked)) {
              doMadvise(machine, mm, addr, length, MADV_DONTNEED);
              for (let i = first; i < last; i++) if (model[i] != null) model[i]!.token = 0 as Token;
            } else {
              for (let i = first; i < Math.min(last, first + 20); i++) {
                const token = machine.newToken();
                const result = storePage(machine, mm, (ARENA / 4096 + i) as Vpn, token);
                expect(result === 0, `${why}, page ${i}`).toBe(model[i]?.write ?? false);
                if (result === 0) model[i]!.token = token;
              }
            }
        }
        expect(differences(machine, mm, model, step % 7), why).toEqual([]);
        expect(verifyAddressSpace(machine, mm), why).toEqual([]);
        if (step % 25 === 0) expect(verify(machine), why).toEqual([]);
      }
      exitMmap(machine, mm);
      expect([machine.committedPages, mm.totalVm, mm.lockedVm, mm.vmas.size]).toEqual([0, 0, 0, 0]);
    }
  }
});
