import { expect, test } from 'vitest';
import { Machine } from '../mm/machine.ts';
import type { Vpn } from '../mm/units.ts';
import { frameAt } from '../mm/who.ts';
import type { Process } from '../syscalls/process.ts';
import { System } from '../syscalls/system.ts';
import { MADV_MERGEABLE, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../syscalls/uapi.ts';
import { kpageCount, kpageFlags } from './kpage.ts';
import { kpageFlagNames } from './kpage_flags.ts';
import { ksmFiles, pagemapEntry_3 } from './linux_3.ts';
import { meminfo } from './meminfo.ts';
import { pagemap } from './pagemap.ts';
import { pagetypeinfo } from './pagetypeinfo.ts';
import { smaps } from './smaps.ts';
import { vmstat } from './vmstat.ts';
import { zoneinfo } from './zoneinfo.ts';

const A = 0x100000000000;
const VPN = (A / 4096) as Vpn;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

function world(ramBytes: number = 64 * 2 ** 20): { machine: Machine; system: System; p: Process } {
  const machine = new Machine({ kernel: '3.16', ramBytes, sysctl: { thpEnabled: false } });
  const system = new System(machine);
  const p = system.newProcess();
  system.mmap(p, A, 4 * 4096, PROT_READ | PROT_WRITE, FIXED, -1, 0);
  system.store(p, A, 1);
  system.load(p, A + 4096);
  return { machine, system, p };
}

function names(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(/[ :]/)[0]!);
}

test.each(['6.18', '3.16', '2.6.24'])('pagetypeinfo of %s: memory that nobody used yet is movable', (kernel) => {
  const text = pagetypeinfo(new Machine({ kernel, ramBytes: 64 * 2 ** 20 }));
  const largest = (type: string) => Number(new RegExp(`zone +DMA32, type +${type} .* (\\d+) *\n`).exec(text)?.[1]);
  expect(largest('Movable')).toBeGreaterThan(0);
  expect(largest('Reclaimable')).toBe(0);
});

test('vmstat has the names of 3.16 in the order of 3.16', () => {
  const lines = names(vmstat(world().machine));
  expect(lines.slice(0, 4)).toEqual(['nr_free_pages', 'nr_alloc_batch', 'nr_inactive_anon', 'nr_active_anon']);
  expect(lines.indexOf('nr_shmem')).toBe(24);
  expect(lines.slice(lines.indexOf('pgmajfault'), lines.indexOf('pgmajfault') + 6)).toEqual([
    'pgmajfault',
    'pgrefill_dma',
    'pgrefill_dma32',
    'pgrefill_normal',
    'pgrefill_movable',
    'pgsteal_kswapd_dma',
  ]);
  expect(lines.slice(-4)).toEqual([
    'thp_collapse_alloc_failed',
    'thp_split',
    'thp_zero_page_alloc',
    'thp_zero_page_alloc_failed',
  ]);
  for (const later of ['pglazyfree', 'oom_kill', 'workingset_restore', 'workingset_refault_anon']) {
    expect(lines).not.toContain(later);
  }
  expect(new Set(lines).size).toBe(lines.length);
});

test('zoneinfo: pages, marks, counters, protection, pagesets and the inactive ratio', () => {
  const { machine } = world();
  const text = zoneinfo(machine);
  const [dma] = machine.zones;
  expect(
    text.startsWith(`Node 0, zone      DMA\n  pages free     ${dma!.freePages}\n        min      ${dma!.wmarkMin}\n`),
  ).toBe(true);
  expect(text).toContain(`\n        scanned  0\n        spanned  4096\n`);
  expect(text).toMatch(/\n {4}nr_alloc_batch \d+\n/);
  expect(text).toMatch(/protection: \(0, \d+, \d+, \d+\)\n {2}pagesets\n {4}cpu: 0\n {14}count: \d+\n/);
  expect(text.endsWith('  inactive_ratio:    1\n')).toBe(true);
});

test('[3.x lowmem_reserve] protection of DMA is a 256th of what lies above it', () => {
  const { machine } = world(64 * 2 ** 20);
  const [dma, dma32] = machine.zones;
  const kept = Math.floor(dma32!.managedPages / 256);
  expect(zoneinfo(machine)).toContain(`protection: (0, ${kept}, ${kept}, ${kept})`);
  expect([...dma!.lowmemReserve]).toEqual([0, kept, kept, kept, kept]);
  expect([...dma32!.lowmemReserve]).toEqual([0, 0, 0, 0, 0]);
});

test('meminfo: the lines of 3.16; MemAvailable leaves out the low marks', () => {
  const { machine } = world();
  const text = meminfo(machine);
  expect(names(text)).not.toContain('KReclaimable');
  expect(names(text).slice(-3)).toEqual(['Hugepagesize', 'DirectMap4k', 'DirectMap2M']);
  const low = machine.zones.reduce((sum, zone) => sum + zone.wmarkLow, 0);
  const free = machine.zones.reduce((sum, zone) => sum + zone.freePages, 0);
  const available = Number(/MemAvailable: +(\d+)/.exec(text)![1]);
  expect(available).toBeGreaterThanOrEqual((free - low) * 4);
});

test('smaps: its fields and codes, without what came later', () => {
  const { machine, system, p } = world();
  system.madvise(p, A, 4 * 4096, MADV_MERGEABLE);
  const lines = smaps(machine, p.mm).split('\n');
  expect(lines.slice(1, 15).map((line) => line.split(':')[0])).toEqual([
    'Size',
    'Rss',
    'Pss',
    'Shared_Clean',
    'Shared_Dirty',
    'Private_Clean',
    'Private_Dirty',
    'Referenced',
    'Anonymous',
    'AnonHugePages',
    'Swap',
    'KernelPageSize',
    'MMUPageSize',
    'Locked',
  ]);
  expect(lines[2]).toBe('Rss:                   4 kB');
  expect(lines[15]).toBe('VmFlags: rd wr mr mw me ac mg ');
});

test('pagemap: the page shift stands where later kernels have flags, even where nothing is mapped', () => {
  const { machine, p } = world();
  const shift = 12n << 55n;
  const frame = BigInt(frameAt(machine, p.mm, VPN)!);
  expect([...pagemap(machine, p.mm, VPN, 3)]).toEqual([
    (1n << 63n) | shift | frame,
    (1n << 63n) | shift | BigInt(machine.zeroPfn),
    shift,
  ]);
  expect(pagemapEntry_3(machine, p.mm, (VPN + 2) as Vpn, true)).toBe(0n);
});

test('kpageflags: no bit of later kernels; a merged page is KSM', () => {
  const { machine, system, p } = world();
  const frame = frameAt(machine, p.mm, VPN)!;
  machine.lru.drain();
  expect(
    kpageFlagNames(kpageFlags(machine, frame)).filter((name) => name !== 'active' && name !== 'referenced'),
  ).toEqual(['uptodate', 'lru', 'mmap', 'anon', 'swapbacked']);
  expect(kpageFlagNames(kpageFlags(machine, machine.zeroPfn))).toEqual(['uptodate', 'reserved']);
  system.madvise(p, A, 4 * 4096, MADV_MERGEABLE);
  expect(ksmFiles(machine)!.get('run')).toBe(0);
  expect(kpageCount(machine, frame)).toBe(1);
  expect(ksmFiles(new Machine({ kernel: '6.18', ramBytes: 16 * 2 ** 20 }))).toBeNull();
});
