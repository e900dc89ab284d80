/** Whole machines of 2.4 under random programs: the buddy lists, page hash, mapping lists and slabs hold after every step. */
import { expect, test } from 'vitest';
import { RandomProgram } from '../random_machine.ts';

for (const kernel of ['2.4.19', '2.4.18']) {
  test(`${kernel}: every promise holds after each step of random programs`, () => {
    for (let seed = 1; seed <= 12; seed++) {
      const program = new RandomProgram(seed, kernel);
      for (let step = 0; step < 120; step++) {
        program.step();
        expect(program.machine.verify(), `seed ${seed}, step ${step}`).toEqual([]);
      }
    }
  });
}
