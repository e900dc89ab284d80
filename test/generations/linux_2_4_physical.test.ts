/** Whole machines of 2.4 under random programs: the buddy lists, page hash, mapping lists and slabs hold after every step. */
import { expect, test } from 'vitest';
import { Machine } from '../../src/mm/machine.ts';
import { state_2_4 } from '../../src/mm/state_2_4.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../../src/mm/uapi.ts';
import type { Process } from '../../src/syscalls/process.ts';
import { System } from '../../src/syscalls/system.ts';
import { Random, RandomProgram } from '../random_machine.ts';

for (const kernel of ['2.4.19', '2.4.18']) {
  test(`${kernel}: every promise holds after each step of random programs`, () => {
    for (let seed = 1; seed <= 8; seed++) {
      const program = new RandomProgram(seed, kernel);
      for (let step = 0; step < 120; step++) {
        program.step();
        expect(program.machine.verify(), `seed ${seed}, step ${step}`).toEqual([]);
      }
    }
  });
}

const MIB = 2 ** 20;
const PAGE = 4096;

test('three zones under pressure: high memory is used first, each page is read back, every promise holds', () => {
  for (let seed = 1; seed <= 3; seed++) {
    const random = new Random(seed);
    const machine = new Machine({ kernel: '2.4.19', ramBytes: 24 * MIB, highmemFromBytes: 20 * MIB });
    const system = new System(machine);
    system.swapon({ bytes: 40 * MIB, device: 'disk' });
    system.paths.createFile('/f', 600 * PAGE, 'disk');
    const processes: { p: Process; pages: Map<number, number> }[] = [];
    for (let i = 0; i < 3; i++) {
      const p = system.newProcess();
      const fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
      system.mmap(p, 0x10000000, 3000 * PAGE, PROT_READ | PROT_WRITE, fixed, -1, 0);
      system.mmap(p, 0x20000000, 600 * PAGE, PROT_READ | PROT_WRITE, 1 | MAP_FIXED, system.open(p, '/f', 2), 0);
      processes.push({ p, pages: new Map() });
    }
    for (let step = 0; step < 60; step++) {
      const { p, pages } = processes[random.next(3)]!;
      const start = random.next(2900);
      for (let i = 0; i < 300 + random.next(500); i++) {
        const page = (start + i) % 3000;
        const addr = 0x10000000 + page * PAGE;
        if (random.next(2) === 0 || !pages.has(page)) {
          system.store(p, addr, step * 10000 + i + 1);
          pages.set(page, system.load(p, addr));
        } else {
          expect(system.load(p, addr)).toBe(pages.get(page));
        }
      }
      const at = 0x20000000 + random.next(600) * PAGE;
      if (random.next(2) === 0) system.store(p, at, step);
      else system.load(p, at);
      if (step % 10 === 9) expect(machine.verify(), `seed ${seed}, step ${step}`).toEqual([]);
    }
    for (const { p, pages } of processes) {
      for (const [page, token] of pages) expect(system.load(p, 0x10000000 + page * PAGE)).toBe(token);
    }
    expect(machine.swap.nrSwapPages).toBeLessThan(machine.swap.totalSwapPages);
    const { hash } = state_2_4(machine).pageCache;
    expect(hash.steps).toBeLessThan(hash.searches * 4);
    for (const { p } of processes) system.exit(p);
    expect(machine.verify()).toEqual([]);
  }
});
