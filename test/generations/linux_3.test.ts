import { expect, test } from 'vitest';
import { MAP_GROWSDOWN, MAP_PRIVATE } from '../../src/mm/uapi.ts';
import { maps } from '../../src/proc/maps.ts';
import { RandomProgram } from '../random_machine.ts';
import { PAGE, Space } from '../space.ts';

const SEEDS = 40;
const STEPS = 200;

test(`random programs on 3.16 keep every promise and read back every token (${SEEDS} seeds x ${STEPS} steps)`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const program = new RandomProgram(seed, '3.16');
    for (let step = 0; step < STEPS; step++) {
      program.step();
      if (step % 10 === 9) expect(program.verify(), `seed ${seed}, step ${step}`).toEqual([]);
    }
    program.checkContents();
    program.end();
    expect(program.verify(), `seed ${seed}, at the end`).toEqual([]);
  }
}, 60_000);

test('[3.x stack guard] /proc/PID/maps shows one page less than the VMA has', () => {
  const s = new Space({ kernel: '3.16' });
  const stack = s.map(100, 4, MAP_PRIVATE | MAP_GROWSDOWN);
  const range = (): string => maps(s.machine, s.mm).split(' ')[0]!;
  const hex = (page: number): string => ((PAGE + page) * 4096).toString(16);
  expect(range()).toBe(`${hex(101)}-${hex(104)}`);
  s.load(100);
  expect(stack.vmStart - PAGE).toBe(99);
  expect(range()).toBe(`${hex(100)}-${hex(104)}`);
});
