/** `ps` of simulated machines: equal to the machine's own smaps_rollup, and what an exit frees is what is gone after it. */
import { expect, test } from 'vitest';
import { runRandom } from '../../../test/random_run.ts';
import { exitTask } from '../../mm/fork.ts';
import { snapshotOfMachine } from '../of_machine.ts';
import { ANONYMOUS_MEMORY, DELETED_FILE, DELETED_SHMEM } from './owners.ts';
import { ProcessCosts } from './ps.ts';

const KERNELS = ['2.4.19', '2.6.24', '3.16', '6.1', '6.18'];
const SEEDS = [11, 12, 13];

/** Bytes that stand in page tables: anonymous, of deleted files, and slots of swap. */
function held(costs: ProcessCosts): { anonymous: number; deleted: number; slots: number } {
  const { memory, slots } = costs.ownership;
  const sum = (kinds: readonly number[]) =>
    memory.reduce((bytes, each) => (kinds.includes(each.kind) ? bytes + each.bytes : bytes), 0);
  return {
    anonymous: sum([ANONYMOUS_MEMORY]),
    deleted: sum([DELETED_FILE, DELETED_SHMEM]),
    slots: slots.reduce((bytes, each) => bytes + each.bytes, 0),
  };
}

for (const kernel of KERNELS)
  for (const seed of SEEDS)
    test(`ps: a machine with Linux ${kernel}, seed ${seed}: the kernel's figures, and one exit after the other`, () => {
      const { machine } = runRandom(seed, kernel, false);
      let costs = new ProcessCosts(snapshotOfMachine(machine));
      expect(costs.rows.filter((row) => row.kernel !== null).length).toBeGreaterThan(0);
      for (const task of [...machine.tasks]) {
        expect(costs.rows.flatMap((row) => row.differs)).toEqual([]);
        const row = costs.rows.find(({ pid }) => pid === task.pid);
        if (row?.exit == null) continue;
        const before = held(costs);
        exitTask(machine, task);
        costs = new ProcessCosts(snapshotOfMachine(machine));
        const after = held(costs);
        expect(before.anonymous - after.anonymous).toBe(row.exit.freed_bytes);
        expect(before.slots - after.slots).toBe(row.exit.freed_swap_bytes);
        expect(before.deleted - after.deleted).toBeGreaterThanOrEqual(row.exit.freed_with_file_bytes);
      }
      expect(held(costs)).toEqual({ anonymous: 0, deleted: 0, slots: 0 });
    });
