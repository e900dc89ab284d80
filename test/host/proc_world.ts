/**
 * A machine with what /proc shows in interesting ways, for tests of what reads it.
 */
import { Machine } from '../../src/mm/machine.ts';
import { isSince } from '../../src/mm/release.ts';
import { PAGE_SIZE } from '../../src/mm/units.ts';
import type { Process } from '../../src/syscalls/process.ts';
import { System } from '../../src/syscalls/system.ts';
import {
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from '../../src/syscalls/uapi.ts';

const MIB = 2 ** 20;
const A = 0x100000000000;
const RW = PROT_READ | PROT_WRITE;
export const HOSTILE = '/lib/a \n\t\u001b[31m b (deleted)';

function ok<T>(result: T | number): T {
  if (typeof result === 'number' && result < 0) throw new Error(`errno ${-result}`);
  return result as T;
}

/** A fork tree of three with what each has of its own; a file with a hostile name, one that is deleted, shared memory, swap. */
export function procWorld(kernel: string): { machine: Machine; root: Process } {
  const machine = new Machine({ kernel, ramBytes: 32 * MIB });
  const system = new System(machine);
  ok(system.swapon({ bytes: 8 * MIB, device: 'zram' }));
  const root = system.newProcess(machine.newCgroup('g'), 'a) R 7 (b\nc');
  const anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  ok(system.mmap(root, A, 64 * PAGE_SIZE, RW, anon, -1, 0));
  for (let i = 0; i < 32; i++) system.store(root, A + i * PAGE_SIZE, 1);
  // The zero page.
  system.load(root, A + 40 * PAGE_SIZE);
  for (const [n, path] of [HOSTILE, '/lib/gone'].entries()) {
    system.paths.createFile(path, 8 * PAGE_SIZE, 'disk');
    const fd = ok(system.open(root, path, 0));
    const at = A + (n + 1) * MIB;
    ok(system.mmap(root, at, 8 * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0));
    for (let i = 0; i < 6; i++) system.load(root, at + i * PAGE_SIZE);
  }
  system.unlink(root, '/lib/gone');
  ok(system.mmap(root, A + 4 * MIB, 16 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  for (let i = 0; i < 16; i++) system.store(root, A + 4 * MIB + i * PAGE_SIZE, 1);
  const child = ok(system.fork(root)) as Process;
  for (let i = 0; i < 8; i++) system.store(child, A + i * PAGE_SIZE, 2);
  const grandchild = ok(system.fork(child)) as Process;
  system.store(grandchild, A + 63 * PAGE_SIZE, 3);
  for (let i = 16; i < 24; i++) system.store(root, A + i * PAGE_SIZE, 4);
  // Advice takes pages of one process only. Kernels without it have to fill memory.
  if (isSince(kernel, '5.4')) ok(system.madvise(root, A + 16 * PAGE_SIZE, 8 * PAGE_SIZE, MADV_PAGEOUT));
  else {
    ok(system.mmap(grandchild, A + 64 * MIB, 32 * MIB, RW, anon, -1, 0));
    for (let i = 0; i < 30 * 256; i++) system.store(grandchild, A + 64 * MIB + i * PAGE_SIZE, 1);
    ok(system.munmap(grandchild, A + 64 * MIB, 32 * MIB));
  }
  while (machine.io.pending > 0) machine.runUntil(machine.clock.nextAt);
  machine.lru.drain();
  return { machine, root };
}
