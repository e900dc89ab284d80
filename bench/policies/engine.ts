/** The engine on a stream: one process that stores to anonymous memory, in a cgroup of so many pages, with swap on zram. */
import { countersOf } from '../../src/lab/counters.ts';
import { MACHINE_DEFAULTS } from '../../src/lab/options.ts';
import { buildMachine } from '../../src/lab/run.ts';
import { ACCESS_NS } from '../../src/mm/costs.ts';
import { ACCESS_WRITE, accessPages } from '../../src/mm/memory.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../../src/mm/uapi.ts';
import { PAGE_SIZE, vpnOf } from '../../src/mm/units.ts';
import type { PageStream } from '../../src/policy/stream.ts';
import { System } from '../../src/syscalls/system.ts';

const BATCH = 8192;
const SLICE_NS = 65536;
/** Of the machine, beside the cgroup. */
const SPARE_BYTES = 2 ** 30;

/** Linux 6.18's lists; how many faults there were. */
export function runEngine(stream: PageStream, capacity: number): string {
  const bytes = stream.pages * PAGE_SIZE + SPARE_BYTES;
  const { machine, memcg } = buildMachine({
    ...MACHINE_DEFAULTS,
    kernel: '6.18',
    limitBytes: capacity * PAGE_SIZE,
    ramBytes: bytes,
    swapBytes: bytes,
  });
  const system = new System(machine);
  const process = system.newProcess(memcg);
  const prot = PROT_READ | PROT_WRITE;
  const at = system.mmap(process, 0, stream.pages * PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const first = vpnOf(at);
  const vpns = new Float64Array(BATCH);
  const kinds = new Uint8Array(BATCH).fill(ACCESS_WRITE);
  machine.current = process.task;
  stream.forEach((ids, _writes, count) => {
    for (let i = 0; i < count; i++) vpns[i] = first + ids[i]!;
    for (let done = 0; done < count; ) {
      machine.sliceEnd = machine.clock.now + SLICE_NS;
      const next = accessPages(machine, process.mm, vpns, kinds, done, count);
      if (next === done) throw new Error(`signal ${machine.lastSignal}`);
      done = next;
    }
    machine.advance(count * ACCESS_NS);
  });
  return String(countersOf(machine, memcg)['pgfault']);
}
