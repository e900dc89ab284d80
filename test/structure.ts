/** How many objects of the reverse mapping the engine has while a memory program runs: counted at its `snapshot` lines. */
import type { Counts } from '../oracle/shapes.ts';
import { MmpRunner } from '../src/lab/check/run_mmp.ts';
import { parseMmp } from '../src/syscalls/mmp.ts';

/** Room for a thousand processes with their stacks and page tables. */
const RAM_BYTES: number = 256 * 2 ** 20;

export function engineCounts(text: string, kernel: string): Counts[] {
  const program = parseMmp(text, 'shape.mmp');
  const runner = new MmpRunner(program, kernel, RAM_BYTES);
  const { anon_vma, anon_vma_chain } = runner.machine.slab.caches;
  const counts: Counts[] = [];
  for (const step of program.steps) {
    if (step === 'snapshot') counts.push({ anonVmas: anon_vma.active, chains: anon_vma_chain.active });
    else runner.step(step);
  }
  return counts;
}
