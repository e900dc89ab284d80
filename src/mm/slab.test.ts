import { expect, test, vi } from 'vitest';
import { MIB, physicalMachine } from '../../test/physical_machine.ts';
import { VfsCache } from './dcache.ts';
import type { AddressSpace } from './fs.ts';
import { GFP_KERNEL, GFP_NOFS } from './gfp.ts';
import { drainStock } from './memcg.ts';
import { shrinkSlab } from './slab.ts';
import { type SlabName, slabOrder, slabSizes_6_1, slabSizes_6_18 } from './slab_sizes.ts';
import { verifyPhysical } from './verify_physical.ts';
import { NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE, SLABS_SCANNED } from './vmstat.ts';

vi.mock('./oom.ts', () => ({ outOfMemory: () => false, memCgroupOutOfMemory: () => false }));

/** As /proc/slabinfo shows them: Debian 6.1 with one CPU, 6.18 with two. */
for (const { name, sizes, cpus, objects, order } of [
  { name: 'task_struct', sizes: slabSizes_6_1, cpus: 1, objects: 5, order: 3 },
  { name: 'mm_struct', sizes: slabSizes_6_1, cpus: 1, objects: 14, order: 2 },
  { name: 'vm_area_struct', sizes: slabSizes_6_1, cpus: 1, objects: 26, order: 0 },
  { name: 'radix_tree_node', sizes: slabSizes_6_1, cpus: 1, objects: 14, order: 1 },
  { name: 'inode_cache', sizes: slabSizes_6_1, cpus: 1, objects: 12, order: 1 },
  { name: 'ext4_inode_cache', sizes: slabSizes_6_1, cpus: 1, objects: 13, order: 2 },
  { name: 'sock_inode_cache', sizes: slabSizes_6_1, cpus: 1, objects: 19, order: 2 },
  { name: 'kmalloc-cg-8k', sizes: slabSizes_6_1, cpus: 1, objects: 4, order: 3 },
  { name: 'mm_struct', sizes: slabSizes_6_18, cpus: 2, objects: 20, order: 3 },
  { name: 'proc_inode_cache', sizes: slabSizes_6_18, cpus: 2, objects: 23, order: 2 },
  { name: 'shmem_inode_cache', sizes: slabSizes_6_18, cpus: 2, objects: 21, order: 2 },
  { name: 'vm_area_struct', sizes: slabSizes_6_18, cpus: 2, objects: 21, order: 0 },
] as const) {
  test(`a slab of ${name}, ${sizes[name]} bytes, ${cpus} CPUs, holds ${objects}`, () => {
    expect(slabOrder(sizes[name], cpus)).toBe(order);
    expect(Math.floor((4096 << order) / sizes[name])).toBe(objects);
  });
}

test('objects are charged by the byte, slabs are counted in pages', () => {
  const { machine, memcg } = physicalMachine({});
  for (let i = 0; i < 26; i++) expect(machine.slab.alloc(machine, 'vm_area_struct', memcg, GFP_KERNEL)).toBe(0);
  const stat = machine.nodes[0]!.stat;
  expect(memcg.slabBytes).toBe(26 * 160);
  expect(memcg.lruvecs[0]!.stat[NR_SLAB_UNRECLAIMABLE]).toBe(26 * 160);
  expect(memcg.kmem.usage).toBe(2);
  expect(stat[NR_SLAB_UNRECLAIMABLE]).toBe(1);
  machine.slab.alloc(machine, 'dentry', memcg, GFP_KERNEL);
  expect([stat[NR_SLAB_UNRECLAIMABLE], stat[NR_SLAB_RECLAIMABLE]]).toEqual([1, 1]);
  for (let i = 0; i < 26; i++) machine.slab.free(machine, 'vm_area_struct', memcg);
  machine.slab.free(machine, 'dentry', memcg);
  drainStock(machine);
  expect([memcg.slabBytes, memcg.lruvecs[0]!.stat[NR_SLAB_UNRECLAIMABLE], memcg.memory.usage]).toEqual([0, 0, 0]);
  expect(verifyPhysical(machine)).toEqual([]);
});

test('objects of the root and of caches without accounting cost nobody anything', () => {
  const { machine, memcg } = physicalMachine({});
  machine.slab.alloc(machine, 'dentry', machine.rootMemcg, GFP_KERNEL);
  machine.slab.alloc(machine, 'maple_node', memcg, GFP_KERNEL);
  expect([memcg.slabBytes, memcg.memory.usage]).toEqual([0, 0]);
});

test('a cgroup at its limit gets no object, and nothing stays charged', () => {
  const { machine, memcg } = physicalMachine({});
  memcg.memory.max = 0;
  expect(machine.slab.alloc(machine, 'task_struct', memcg, GFP_KERNEL)).toBeLessThan(0);
  expect([memcg.slabBytes, machine.slab.caches.task_struct.active, memcg.memory.usage]).toEqual([0, 0, 0]);
});

test('slabs are given back when many objects were freed, a few empty ones are kept', () => {
  const { machine } = physicalMachine({});
  const root = machine.rootMemcg;
  for (let i = 0; i < 2600; i++) machine.slab.alloc(machine, 'vm_area_struct', root, GFP_KERNEL);
  expect(machine.slab.caches.vm_area_struct.slabs.length).toBe(100);
  for (let i = 0; i < 2600; i++) machine.slab.free(machine, 'vm_area_struct', root);
  expect(machine.slab.caches.vm_area_struct.slabs.length).toBe(6);
  expect(verifyPhysical(machine)).toEqual([]);
});

test('slabs of every size fill the memory there is, the last ones with fewer pages', () => {
  const { machine } = physicalMachine({ ramBytes: 12 * MIB });
  const names: SlabName[] = ['mm_struct', 'task_struct', 'dentry', 'sighand_cache', 'filp'];
  let allocated = 0;
  for (let i = 0; i < 100000; i++) {
    if (machine.slab.alloc(machine, names[i % names.length]!, machine.rootMemcg, GFP_KERNEL) < 0) break;
    allocated += 1;
  }
  expect(allocated).toBeGreaterThan(1000);
  expect(verifyPhysical(machine)).toEqual([]);
});

class Counted {
  readonly seeks: number;
  readonly batch = 0;
  readonly memcgAware = true;
  objects: number;
  calls: number[] = [];
  constructor(objects: number, seeks: number) {
    this.objects = objects;
    this.seeks = seeks;
  }
  count(): number {
    return this.objects;
  }
  scan(_machine: unknown, _nid: number, _memcg: unknown, toScan: number): number {
    this.calls.push(toScan);
    this.objects -= toScan;
    return toScan;
  }
}

for (const { why, objects, seeks, priorities, calls } of [
  { why: 'at priority 12 a small cache is left alone', objects: 1000, seeks: 2, priorities: [12], calls: [] },
  {
    why: 'two 4096ths of a large one, in batches',
    objects: 2 ** 20,
    seeks: 2,
    priorities: [12],
    calls: [128, 128, 128, 128],
  },
  {
    why: 'what is less than a batch waits for the next time',
    objects: 40960,
    seeks: 2,
    priorities: [10, 10],
    calls: [],
  },
  {
    why: 'and is done when enough has come together',
    objects: 3000,
    seeks: 2,
    priorities: [5, 1],
    calls: [...Array(23).fill(128)],
  },
  { why: 'objects without cost go by halves', objects: 1000, seeks: 0, priorities: [12], calls: [128, 128, 128] },
  {
    why: 'at priority 0 twice as many as there are, but no rest',
    objects: 300,
    seeks: 2,
    priorities: [0],
    calls: [128, 128, 128, 128],
  },
]) {
  test(`shrinkSlab: ${why}`, () => {
    const { machine, memcg } = physicalMachine({});
    const ops = new Counted(objects, seeks);
    machine.slab.registerShrinker(ops);
    for (const priority of priorities) shrinkSlab(machine, GFP_KERNEL, 0, memcg, priority);
    expect(ops.calls).toEqual(calls);
    expect(machine.events[SLABS_SCANNED]).toBe(calls.reduce((sum, n) => sum + n, 0));
  });
}

test('a closed file leaves dentry and inode behind; the shrinker takes the name first, then the inode', () => {
  const { machine, memcg } = physicalMachine({});
  const vfs = new VfsCache();
  const mapping = { nrpages: 1 } as AddressSpace;
  const inode = vfs.create(machine, 'ext4_inode_cache', memcg, GFP_KERNEL, null, mapping)!;
  const dentry = vfs.create(machine, 'dentry', memcg, GFP_KERNEL, inode, null)!;
  vfs.put(inode);
  expect(vfs.count(machine, 0, memcg)).toBe(0);
  vfs.put(dentry);
  expect(vfs.count(machine, 0, memcg)).toBe(1);
  expect(vfs.scan(machine, 0, memcg, 10, GFP_NOFS)).toBe(-1);
  expect([vfs.scan(machine, 0, memcg, 10, GFP_KERNEL), dentry.alive, inode.alive]).toEqual([1, false, true]);
  expect(vfs.count(machine, 0, memcg)).toBe(0);
  mapping.nrpages = 0;
  vfs.pagesGone(inode);
  expect([vfs.scan(machine, 0, memcg, 10, GFP_KERNEL), inode.alive]).toEqual([1, false]);
  expect(machine.slab.caches.dentry.active + machine.slab.caches.ext4_inode_cache.active).toBe(0);
  expect(() => vfs.get(inode)).toThrow('made anew');
});

test('an object that was used again may stay one round more', () => {
  const { machine, memcg } = physicalMachine({});
  const vfs = new VfsCache();
  const dentry = vfs.create(machine, 'dentry', memcg, GFP_KERNEL, null, null)!;
  const other = vfs.create(machine, 'dentry', memcg, GFP_KERNEL, null, null)!;
  vfs.put(dentry);
  vfs.put(other);
  vfs.get(dentry);
  vfs.put(dentry);
  expect(vfs.scan(machine, 0, memcg, 2, GFP_KERNEL)).toBe(1);
  expect([dentry.alive, other.alive]).toEqual([true, false]);
});
