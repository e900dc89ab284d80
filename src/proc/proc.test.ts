import { expect, test } from 'vitest';
import { Machine } from '../mm/machine.ts';
import { PG_anon_exclusive, PG_lru, PG_mappedtodisk, PG_referenced } from '../mm/page_flags.ts';
import type { Pfn } from '../mm/units.ts';
import { addrOf, vpnOf } from '../mm/units.ts';
import { NODE_STAT_NAMES, VM_EVENT_NAMES } from '../mm/vmstat.ts';
import type { Process } from '../syscalls/process.ts';
import { System } from '../syscalls/system.ts';
import {
  MADV_FREE,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from '../syscalls/uapi.ts';
import { buddyinfo } from './buddyinfo.ts';
import { procFormat } from './formats.ts';
import { kpageCgroup, kpageCount, kpageFile, kpageFlags } from './kpage.ts';
import { kpageFlagNames } from './kpage_flags.ts';
import { maps } from './maps.ts';
import { meminfo } from './meminfo.ts';
import { memoryStat } from './memory_stat.ts';
import { pagemap } from './pagemap.ts';
import { gatherSmaps, smaps, smapsRollup } from './smaps.ts';
import { swaps } from './swaps.ts';
import { vmstat } from './vmstat.ts';
import { zoneinfo } from './zoneinfo.ts';

const A = 0x100000000000;
const RW = PROT_READ | PROT_WRITE;

interface World {
  readonly machine: Machine;
  readonly system: System;
  readonly p: Process;
}

/** Four anonymous pages of which two are written, a file's page, shared memory, a heap. */
function world(kernel = '6.18'): World {
  const machine = new Machine({ kernel, ramBytes: 64 * 2 ** 20 });
  const system = new System(machine);
  const p = system.newProcess(machine.newCgroup('g'));
  system.paths.createFile('/lib/x', 5 * 4096, 'disk');
  const fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  system.mmap(p, A, 4 * 4096, RW, fixed, -1, 0);
  system.store(p, A, 1);
  system.store(p, A + 4096, 1);
  system.load(p, A + 2 * 4096);
  const fd = system.open(p, '/lib/x', 0);
  system.mmap(p, A + 0x100000, 2 * 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 4096);
  system.load(p, A + 0x100000);
  system.mmap(p, A + 0x200000, 4096, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  p.mm.startBrk = addrOf(vpnOf(A + 0x300000));
  p.mm.brk = p.mm.startBrk;
  system.brk(p, A + 0x301000);
  machine.lru.drain();
  return { machine, system, p };
}

const MAPS = `100000000000-100000004000 rw-p 00000000 00:00 0 
100000100000-100000102000 r--p 00001000 fe:00 1                          /lib/x
100000200000-100000201000 rw-s 00000000 00:01 2                          /dev/zero (deleted)
100000300000-100000301000 rw-p 00000000 00:00 0                          [heap]
`;

test('maps: names stand in column 74, a region without one ends in a blank', () => {
  const { machine, p } = world();
  const ino = (name: string) => [...machine.inodes.values()].find((inode) => inode.name.startsWith(name))?.ino;
  const text = maps(machine, p.mm)
    .replace(` ${ino('/lib/x')} `, ' 1 ')
    .replace(` ${ino('dev/zero') ?? ino('/dev/zero')} `, ' 2 ');
  expect(text).toBe(MAPS);
});

const SMAPS = `100000000000-100000004000 rw-p 00000000 00:00 0 
Size:                 16 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   8 kB
Pss:                   8 kB
Pss_Dirty:             8 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         8 kB
Referenced:            8 kB
Anonymous:             8 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
ProtectionKey:         0
VmFlags: rd wr mr mw me ac 
`;

test('smaps: a region as 6.18 prints it', () => {
  const { machine, p } = world();
  expect(smaps(machine, p.mm).startsWith(SMAPS)).toBe(true);
});

test('smaps: 6.1 knows no KSM line, and does not pad THPeligible', () => {
  const { machine, p } = world('6.1');
  const want = SMAPS.replace(/KSM.*\n/, '').replace('THPeligible:           0', 'THPeligible:    0');
  expect(smaps(machine, p.mm).startsWith(want)).toBe(true);
});

test('[6.x smaps/pagemap] smaps: shares of a page are rounded down once, at the end', () => {
  const { machine, system, p } = world();
  const children = [system.fork(p), system.fork(p)];
  expect(children.every((child) => typeof child !== 'number')).toBe(true);
  const stats = gatherSmaps(machine, p.mm.vmas.first()!);
  expect(stats.pss / 4096).toBeCloseTo((2 * 4096) / 3, 2);
  expect(smaps(machine, p.mm)).toContain('Pss:                   2 kB\n');
  expect([stats.sharedDirty, stats.privateDirty]).toEqual([8192, 0]);
});

test('[6.x MADV_FREE] smaps: what may be dropped is LazyFree until it is written again', () => {
  const { machine, system, p } = world();
  const lazyFree = (): string | undefined => /LazyFree: +(\d+ kB)/.exec(smaps(machine, p.mm))?.[1];
  system.madvise(p, A, 4 * 4096, MADV_FREE);
  machine.lru.drain();
  expect(lazyFree()).toBe('8 kB');
  system.store(p, A, 1);
  expect(lazyFree()).toBe('4 kB');
});

test('[6.x smaps/pagemap] smaps: what is swapped out is shared by who needs the slot', () => {
  const { machine, system, p } = world();
  system.swapon({ bytes: 2 ** 20, device: 'zram' });
  system.madvise(p, A, 4 * 4096, MADV_PAGEOUT);
  system.fork(p);
  const stats = gatherSmaps(machine, p.mm.vmas.first()!);
  expect([stats.resident, stats.swap, stats.swapPss / 4096]).toEqual([0, 8192, 4096]);
  expect(swaps(machine)).toBe(
    'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/zram0                              partition\t1020\t\t8\t\t-2\n',
  );
});

test('smaps: swapped-out shared memory counts for its region as a whole', () => {
  const { machine, system, p } = world();
  system.swapon({ bytes: 2 ** 20, device: 'zram' });
  system.store(p, A + 0x200000, 1);
  system.madvise(p, A + 0x200000, 4096, MADV_PAGEOUT);
  const shared = p.mm.vmas.find(vpnOf(A + 0x200000))!;
  expect(gatherSmaps(machine, shared)).toMatchObject({ resident: 0, swap: 4096, swapPss: 0 });
});

test('smaps_rollup adds up, and splits shares by kind', () => {
  const { machine, system, p } = world();
  system.store(p, A + 0x200000, 1);
  const lines = smapsRollup(machine, p.mm).split('\n');
  expect(lines[0]).toBe('100000000000-100000301000 ---p 00000000 00:00 0                          [rollup]');
  expect(lines.slice(1, 7)).toEqual([
    'Rss:                  20 kB',
    'Pss:                  20 kB',
    'Pss_Dirty:            12 kB',
    'Pss_Anon:              8 kB',
    'Pss_File:              8 kB',
    'Pss_Shmem:             4 kB',
  ]);
});

test('[6.x smaps/pagemap] pagemap: present, zero page, file, swapped, nothing', () => {
  const { machine, system, p } = world();
  const at = (vpn: number): bigint => pagemap(machine, p.mm, vpnOf(vpn), 1)[0]!;
  expect(at(A) >> 55n).toBe(0b1_0000_0010n);
  expect(at(A + 2 * 4096)).toBe((1n << 63n) | BigInt(machine.zeroPfn));
  expect(at(A + 3 * 4096)).toBe(0n);
  expect(at(A + 0x100000) >> 55n).toBe(0b1_0100_0010n);
  system.swapon({ bytes: 2 ** 20, device: 'zram' });
  system.madvise(p, A, 4096, MADV_PAGEOUT);
  expect(at(A) >> 55n).toBe(0b0_1000_0000n);
  expect(at(A) & 31n).toBe(0n);
  expect((at(A) >> 5n) & 0xffffn).toBeGreaterThan(0n);
});

test('[6.x zero page] kpageflags: bit 34 has two names, the zero page one flag of its own', () => {
  const { machine, p } = world();
  const { frames, pageTables } = machine;
  const pfn = pageTables.pfn(pageTables.slotOf(p.mm.pageTables, vpnOf(A)));
  const name = (frame: Pfn): string => kpageFlagNames(kpageFlags(machine, frame)).join('|');
  expect(name(pfn)).toBe('uptodate|lru|mmap|anon|swapbacked|anon_exclusive');
  expect(kpageCount(machine, pfn)).toBe(1);
  expect(kpageCgroup(machine, pfn)).toBe(2);
  frames.clear(pfn, PG_anon_exclusive | PG_lru);
  frames.set(pfn, PG_referenced);
  expect(name(pfn)).toBe('referenced|uptodate|mmap|anon|swapbacked');
  const file = pageTables.pfn(pageTables.slotOf(p.mm.pageTables, vpnOf(A + 0x100000)));
  frames.set(file, PG_mappedtodisk);
  expect(name(file)).toContain('|mappedtodisk');
  expect(name(machine.zeroPfn)).toContain('zero_page');
  const file8 = kpageFile(machine, kpageCount, pfn, 1);
  expect([...file8]).toEqual([1n]);
  expect(kpageFile(machine, kpageFlags, (frames.frames - 1) as Pfn, 9)).toHaveLength(1);
});

test('vmstat prints every counter that the engine keeps, by a name of the kernel', () => {
  for (const kernel of ['6.18', '6.1']) {
    const { machine } = world(kernel);
    const printed = new Map(
      vmstat(machine)
        .trimEnd()
        .split('\n')
        .map((line): [string, string] => [line.split(' ')[0]!, line.split(' ')[1]!]),
    );
    const absent = [...NODE_STAT_NAMES, ...VM_EVENT_NAMES].filter((name) => !printed.has(name));
    const since61 = ['swpin_zero', 'swpout_zero', 'thp_underused_split_page'];
    const shown = ['allocstall', 'pgskip', 'pgalloc_high', ...(kernel === '6.1' ? since61 : [])];
    expect(absent.sort()).toEqual(shown.sort());
    expect(printed.get('pgfault')).toBe(String(machine.events[VM_EVENT_NAMES.indexOf('pgfault')]));
    expect(Number(printed.get('nr_free_pages'))).toBe(machine.zones.reduce((sum, zone) => sum + zone.freePages, 0));
  }
});

test('meminfo: values end in column 24, but for the largest', () => {
  const { machine } = world();
  const lines = meminfo(machine).trimEnd().split('\n');
  expect(lines).toHaveLength(procFormat(machine).meminfo.length);
  expect(lines[0]).toBe(`MemTotal:       ${String(machine.totalPages * 4).padStart(8)} kB`);
  expect(lines.find((line) => line.startsWith('AnonPages'))).toBe('AnonPages:             8 kB');
  expect(lines.find((line) => line.startsWith('HugePages_Total'))).toBe('HugePages_Total:       0');
  expect(lines.filter((line) => line.replace(' kB', '').length !== 24)).toEqual(['VmallocTotal:   34359738367 kB']);
  expect(meminfo(world('6.1').machine)).toContain('\nHardwareCorrupted:     0 kB\n');
});

test('zoneinfo names every zone of a 64-bit kernel, and its node once', () => {
  const { machine } = world();
  const text = zoneinfo(machine);
  expect(text.match(/^Node 0, zone.*$/gm)).toEqual([
    'Node 0, zone      DMA',
    'Node 0, zone    DMA32',
    'Node 0, zone   Normal',
    'Node 0, zone  Movable',
    'Node 0, zone   Device',
  ]);
  expect(text.match(/per-node stats/g)).toHaveLength(1);
  const dma = machine.zones[0]!;
  expect(text).toContain(`\n  pages free     ${dma.freePages}\n        boost    0\n        min      ${dma.wmarkMin}\n`);
  expect(text).toContain('        promo    ');
  expect(zoneinfo(world('6.1').machine)).not.toContain('promo ');
});

test('buddyinfo: free blocks times their size are the free pages', () => {
  const { machine } = world();
  const rows = buddyinfo(machine).trimEnd().split('\n');
  expect(rows).toHaveLength(machine.zones.length);
  for (const [i, zone] of machine.zones.entries()) {
    const counts = rows[i]!.slice(`Node 0, zone ${zone.name.padStart(8)} `.length)
      .trim()
      .split(/ +/)
      .map(Number);
    expect(counts).toHaveLength(11);
    expect(counts.reduce((pages, count, order) => pages + count * 2 ** order, 0)).toBe(zone.freePages);
  }
});

test('memory.stat: pages are bytes, events are counts', () => {
  const { machine, p } = world();
  const lines = memoryStat(machine, p.mm.memcg).split('\n');
  expect(lines[0]).toBe('anon 8192');
  expect(lines).toContain('kernel_stack 16384');
  expect(lines).toContain(`pagetables ${p.mm.pageTables.tables * 4096}`);
  expect(lines).toContain('file_mapped 8192');
  expect(lines).toContain('pgfault 4');
  expect(lines).toContain('pswpin 0');
  expect(memoryStat(world('6.1').machine, machine.rootMemcg)).not.toContain('pswpin');
});
