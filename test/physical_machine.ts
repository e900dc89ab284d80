/**
 * A machine of frames, zones and cgroups only: enough for the allocator, and nothing that could hide its mistakes.
 */
import { Clock } from '../src/mm/clock.ts';
import { VfsCache } from '../src/mm/dcache.ts';
import { linux_6_1, linux_6_18 } from '../src/mm/generations/linux_6.ts';
import type { Machine, MachineConfig, Sysctl } from '../src/mm/machine.ts';
import { addLruvecs, MemCgroup, MemcgStock, newMemCgroup } from '../src/mm/memcg.ts';
import { MemMap } from '../src/mm/memmap.ts';
import { newPhysical_6 } from '../src/mm/page_alloc_6.ts';
import type { Physical } from '../src/mm/parts.ts';
import { SlabCaches } from '../src/mm/slab.ts';
import { slabSizes_6_1 } from '../src/mm/slab_sizes.ts';
import { Task } from '../src/mm/task.ts';
import { Tracepoints } from '../src/mm/tracepoints.ts';
import { NR_VM_EVENTS } from '../src/mm/vmstat.ts';
import type { Zone } from '../src/mm/zone.ts';

export const MIB: number = 1024 * 1024;

/** How reclaim answers, and how often it was asked. */
export class StubReclaim {
  kswapdWoken = 0;
  asked = 0;
  reclaimable = 0;
  /** Called for each direct reclaim; answers how many pages it freed. */
  reclaim: (machine: Machine) => number = () => 0;
  machine!: Machine;
  wakeupKswapd(): void {
    this.kswapdWoken += 1;
  }
  tryToFreePages(): number {
    this.asked += 1;
    return this.reclaim(this.machine);
  }
  tryToFreeMemCgroupPages(): number {
    return 0;
  }
  zoneReclaimablePages(_zone: Zone): number {
    return this.reclaimable;
  }
}

export interface PhysicalMachine {
  machine: Machine;
  reclaim: StubReclaim;
  memcg: MemCgroup;
  firstFree: number;
}

/** `modern`: the switches of 6.18; else those of 6.1. */
export function physicalMachine(
  config: Partial<MachineConfig>,
  modern = true,
  sysctl: Partial<Sysctl> = {},
): PhysicalMachine {
  const bytes = config.nodes?.reduce((sum, node) => sum + node.bytes, 0) ?? config.ramBytes ?? 64 * MIB;
  const frames = new MemMap(Math.floor(bytes / 4096));
  const root = new MemCgroup(1, '/', null, false, 60);
  const idle = new Task(0, 'swapper', null, root, null);
  const reclaim = new StubReclaim();
  const clock = new Clock();
  const parts = {
    config: { kernel: 'test', ramBytes: bytes, ...config },
    generation: { ...(modern ? linux_6_18 : linux_6_1), slabSizes: slabSizes_6_1 },
    sysctl: {
      minFreeKbytes: 0,
      watermarkScaleFactor: 10,
      watermarkBoostFactor: 15000,
      dirtyRatio: 20,
      vfsCachePressure: 100,
      thpEnabled: false,
      ...sysctl,
    },
    frames,
    clock,
    trace: new Tracepoints(),
    nodes: [],
    zones: [],
    events: new Float64Array(NR_VM_EVENTS),
    memcgs: [root, root],
    rootMemcg: root,
    memcgStock: new MemcgStock(),
    current: idle,
    idle,
    reclaim,
    vfs: new VfsCache(),
    multiGen: null,
    totalPages: 0,
    advance: (ns: number) => {
      clock.now += ns;
    },
  };
  const machine = parts as unknown as Machine;
  reclaim.machine = machine;
  (parts as { physical?: Physical }).physical = newPhysical_6(machine);
  const firstFree = machine.physical.buildZones();
  addLruvecs(machine, root);
  (parts as { slab?: SlabCaches }).slab = new SlabCaches(machine);
  machine.slab.registerShrinker(machine.vfs);
  return { machine, reclaim, memcg: newMemCgroup(machine, 'a', root), firstFree };
}
