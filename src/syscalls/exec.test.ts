import { expect, test } from 'vitest';
import { E2BIG, ENOENT, ETXTBSY } from '../mm/errno.ts';
import { Machine } from '../mm/machine.ts';
import { addrOf } from '../mm/units.ts';
import { verify } from '../mm/verify.ts';
import { VM_EXEC, VM_GROWSDOWN, VM_WRITE } from '../mm/vm_flags.ts';
import type { ElfFile, ExecImage } from './exec.ts';
import type { Process } from './process.ts';
import { System } from './system.ts';
import { O_CLOEXEC, O_RDONLY, O_RDWR, PROT_EXEC, PROT_READ, PROT_WRITE } from './uapi.ts';

const RX = PROT_READ | PROT_EXEC;
const RW = PROT_READ | PROT_WRITE;

/** Headers and code, then data that ends inside a page, then .bss. */
function elf(path: string, positionIndependent: boolean, base: number): ElfFile {
  return {
    path,
    positionIndependent,
    programHeaders: 9,
    segments: [
      { vaddr: base, offset: 0, fileBytes: 0x800, memBytes: 0x800, prot: PROT_READ },
      { vaddr: base + 0x1000, offset: 0x1000, fileBytes: 0x2345, memBytes: 0x2345, prot: RX },
      { vaddr: base + 0x4e00, offset: 0x3e00, fileBytes: 0x400, memBytes: 0x3000, prot: RW },
    ],
  };
}

const PROGRAM = elf('/bin/p', true, 0);
const LOADER = elf('/lib/ld.so', true, 0);
const IMAGE: ExecImage = {
  program: PROGRAM,
  interpreter: { file: LOADER, nameOffset: 0x318 },
  argv: ['p', 'x'],
  envp: ['HOME=/'],
};

function world(): { machine: Machine; system: System; p: Process } {
  const machine = new Machine({ kernel: '6.18', ramBytes: 64 * 2 ** 20 });
  const system = new System(machine);
  for (const path of ['/bin/p', '/lib/ld.so', '/bin/static']) system.paths.createFile(path, 0x5000, 'disk');
  return { machine, system, p: system.newProcess(machine.newCgroup('g')) };
}

/** `555555554000-555555555000 r-- /bin/p`. */
function layoutOf(p: Process): string[] {
  return [...p.mm.vmas].map((vma) => {
    const range = `${addrOf(vma.vmStart).toString(16)}-${addrOf(vma.vmEnd).toString(16)}`;
    const perms = `r${(vma.vmFlags & VM_WRITE) !== 0 ? 'w' : '-'}${(vma.vmFlags & VM_EXEC) !== 0 ? 'x' : '-'}`;
    const what =
      vma.vmFile === null
        ? (vma.vmFlags & VM_GROWSDOWN) !== 0
          ? 'stack'
          : 'memory'
        : `${vma.vmFile.inode.name} ${vma.vmPgoff}`;
    return `${range} ${perms} ${what}`;
  });
}

test('a program and its loader lie where Linux puts them without randomization', () => {
  const { machine, system, p } = world();
  expect(system.exec(p, IMAGE)).toBe(0);
  expect(layoutOf(p)).toEqual([
    '555555554000-555555555000 r-- /bin/p 0',
    '555555555000-555555558000 r-x /bin/p 1',
    '555555558000-55555555a000 rw- /bin/p 3',
    '55555555a000-55555555c000 rw- memory',
    '7ffff7ff7000-7ffff7ff8000 r-- /lib/ld.so 0',
    '7ffff7ff8000-7ffff7ffb000 r-x /lib/ld.so 1',
    '7ffff7ffb000-7ffff7ffd000 rw- /lib/ld.so 3',
    '7ffff7ffd000-7ffff7fff000 rw- memory',
    '7ffffffde000-7ffffffff000 rw- stack',
  ]);
  expect(p.mm.brk).toBe(0x55555555c000);
  expect(p.task.comm).toBe('p');
  expect(verify(machine)).toEqual([]);
});

test('the kernel touches the arguments, and the last data page of program and loader', () => {
  const { machine, system, p } = world();
  system.exec(p, IMAGE);
  const { minFlt, majFlt } = p.task;
  // One page of stack, two of data that are copied; the headers were read before, the data comes from disk.
  expect(p.mm.rss[1]).toBe(3);
  expect(minFlt + majFlt).toBe(3);
  expect(machine.disk.busyUntil).toBeGreaterThan(0);
});

test('arguments that fill pages have their pages', () => {
  const { system, p } = world();
  expect(system.exec(p, { ...IMAGE, argv: ['p', 'x'.repeat(100_000)] })).toBe(0);
  expect(p.mm.rss[1]).toBe(2 + Math.ceil(100_000 / 4096));
  expect(p.mm.stackVm).toBe(25 + 32);
});

test('a static program stays at its address; a recorder says where other things were', () => {
  const { system, p } = world();
  const image = {
    program: elf('/bin/static', false, 0x400000),
    interpreter: null,
    argv: [],
    envp: [],
    layout: { stackEnd: 0x4000801000, mmapBase: 0x4000000000, brk: 0x4b0000 },
  };
  expect(system.exec(p, image)).toBe(0);
  const lines = layoutOf(p);
  expect(lines[0]).toBe('400000-401000 r-- /bin/static 0');
  expect(lines.at(-1)).toBe('40007e0000-4000801000 rw- stack');
  expect(system.brk(p, 0)).toBe(0x4b0000);
});

for (const { why, image, want } of [
  { why: 'there is no such program', image: { ...IMAGE, program: { ...PROGRAM, path: '/bin/q' } }, want: -ENOENT },
  {
    why: 'its loader is missing',
    image: { ...IMAGE, interpreter: { file: { ...LOADER, path: '/x' }, nameOffset: 0 } },
    want: -ENOENT,
  },
  { why: 'the arguments are too long', image: { ...IMAGE, argv: ['x'.repeat(3 * 2 ** 20)] }, want: -E2BIG },
]) {
  test(`the old program goes on: ${why}`, () => {
    const { machine, system, p } = world();
    const { mm } = p;
    expect(system.exec(p, image)).toBe(want);
    expect(p.mm).toBe(mm);
    expect(p.exited).toBe(false);
    expect(machine.mms).toHaveLength(1);
    expect(system.open(p, '/bin/p', O_RDWR)).toBe(3);
    expect(verify(machine)).toEqual([]);
  });
}

test('what is executed is not written, what is written is not executed', () => {
  const { system, p } = world();
  const writer = system.newProcess();
  const fd = system.open(writer, '/bin/p', O_RDWR);
  expect(system.exec(p, IMAGE)).toBe(-ETXTBSY);
  system.close(writer, fd);
  expect(system.exec(p, IMAGE)).toBe(0);
  const child = system.fork(p) as Process;
  system.exit(p);
  expect(system.open(writer, '/bin/p', O_RDWR)).toBe(-ETXTBSY);
  system.exit(child);
  expect(system.open(writer, '/bin/p', O_RDWR)).toBe(3);
});

test('exec closes what says so, and leaves the old address space to who shares it', () => {
  const { machine, system, p } = world();
  const kept = system.open(p, '/lib/ld.so', O_RDONLY);
  const closed = system.open(p, '/lib/ld.so', O_RDONLY | O_CLOEXEC);
  expect(system.exec(p, IMAGE)).toBe(0);
  expect(p.files.get(kept)).toBeDefined();
  expect(p.files.get(closed)).toBeUndefined();
  system.exit(p);
  expect(machine.mms).toHaveLength(0);
  expect(verify(machine)).toEqual([]);
});
