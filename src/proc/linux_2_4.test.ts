import { expect, test } from 'vitest';
import { bread } from '../mm/buffer.ts';
import { newBdevInode } from '../mm/file.ts';
import { Machine } from '../mm/machine.ts';
import { addrOf, type Pgoff, vpnOf } from '../mm/units.ts';
import { System } from '../syscalls/system.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../syscalls/uapi.ts';
import { slabinfo_2_4, stat_2_4, statm_2_4, status_2_4, sysctlVm_2_4 } from './linux_2_4.ts';
import { maps } from './maps.ts';
import { meminfo } from './meminfo.ts';
import { swaps } from './swaps.ts';

const MIB = 2 ** 20;
const A = 0x40000000;
const RW = PROT_READ | PROT_WRITE;

/** Four anonymous pages: two written, one read. Three pages of a file, two touched. A shared page, written. A heap of a page. */
function world(cpus = 1) {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: 32 * MIB, highmemFromBytes: 24 * MIB, cpus });
  const system = new System(machine);
  const p = system.newProcess();
  system.paths.createFile('/lib/x', 5 * 4096, 'disk');
  const anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  system.mmap(p, A, 4 * 4096, RW, anonymous, -1, 0);
  system.store(p, A, 1);
  system.store(p, A + 4096, 1);
  system.load(p, A + 2 * 4096);
  const fd = system.open(p, '/lib/x', 0);
  system.mmap(p, 0x70000000, 3 * 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 4096);
  system.load(p, 0x70000000);
  system.load(p, 0x70001000);
  system.mmap(p, 0x50000000, 4096, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  system.store(p, 0x50000000, 7);
  p.mm.startBrk = addrOf(vpnOf(0x08050000));
  p.mm.brk = p.mm.startBrk;
  system.brk(p, 0x08051000);
  return { machine, system, p };
}

test('[2.4 /proc] maps: no names but paths, which begin in column 49', () => {
  const { machine, p } = world();
  const ino = (name: string) => String([...machine.inodes.values()].find((inode) => inode.name.includes(name))?.ino);
  const line = (head: string, path: string) => head.padEnd(49) + path;
  expect(maps(machine, p.mm)).toBe(
    [
      '08050000-08051000 rw-p 00000000 00:00 0',
      '40000000-40004000 rw-p 00000000 00:00 0',
      line(`50000000-50001000 rw-s 00000000 00:04 ${ino('zero')}`, '/dev/zero (deleted)'),
      line(`70000000-70003000 r-xp 00001000 03:00 ${ino('lib/x')}`, '/lib/x'),
      '',
    ].join('\n'),
  );
});

test('[2.4 /proc] meminfo: the table in bytes, the lines in kB; buffers are pages of block devices, cached is the rest', () => {
  const { machine, system, p } = world();
  const device = newBdevInode(machine, machine.disk, 100);
  bread(machine, device, 3 as Pgoff);
  system.swapon({ bytes: 8 * MIB, device: 'disk' });
  const cached = [...machine.inodes.values()].reduce((sum, { mapping }) => sum + mapping.nrpages, 0);
  const buffers =
    device.mapping.nrpages +
    [...machine.inodes.values()].reduce(
      (sum, inode) => sum + (inode.kind === 'bdev' && inode !== device ? inode.mapping.nrpages : 0),
      0,
    );
  const text = meminfo(machine);
  const total = machine.totalPages;
  const free = machine.zones.reduce((sum, zone) => sum + zone.freePages, 0);
  const high = machine.zones[2]!;
  const b = (pages: number) => String(pages * 4096).padStart(8);
  const kb = (pages: number) => String(pages * 4).padStart(8);
  const [active, inactive] = [1, 0].map((list) => machine.rootMemcg.lruvecs[0]!.stat[list]!);
  expect(text).toBe(`        total:    used:    free:  shared: buffers:  cached:
Mem:  ${b(total)} ${b(total - free)} ${b(free)}        0 ${b(buffers)} ${b(cached - buffers)}
Swap: ${b(2047)}        0 ${b(2047)}
MemTotal:     ${kb(total)} kB
MemFree:      ${kb(free)} kB
MemShared:           0 kB
Buffers:      ${kb(buffers)} kB
Cached:       ${kb(cached - buffers)} kB
SwapCached:          0 kB
Active:       ${kb(active!)} kB
Inactive:     ${kb(inactive!)} kB
HighTotal:    ${kb(high.managedPages)} kB
HighFree:     ${kb(high.freePages)} kB
LowTotal:     ${kb(total - high.managedPages)} kB
LowFree:      ${kb(free - high.freePages)} kB
SwapTotal:        8188 kB
SwapFree:         8188 kB
`);
  expect(active! + inactive!).toBe(2 + cached);
  expect(p.mm.rssPages).toBe(5);
});

test('[2.4 /proc] status: anonymous memory is data or stack, of files only code counts', () => {
  const { p } = world();
  expect(status_2_4(p.task)).toBe(`Name:\t${p.task.comm}
State:\tR (running)
Tgid:\t${p.task.pid}
Pid:\t${p.task.pid}
PPid:\t0
TracerPid:\t0
Uid:\t0\t0\t0\t0
Gid:\t0\t0\t0\t0
FDSize:\t32
Groups:\t
VmSize:\t      36 kB
VmLck:\t       0 kB
VmRSS:\t      20 kB
VmData:\t      20 kB
VmStk:\t       0 kB
VmExe:\t       0 kB
VmLib:\t      12 kB
SigPnd:\t0000000000000000
SigBlk:\t0000000000000000
SigIgn:\t0000000000000000
SigCgt:\t0000000000000000
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
`);
});

test('[2.4 /proc] statm: from the page tables; the zero page counts in size alone; above 0x60000000 is library', () => {
  const { machine, p } = world();
  // size: 3 anonymous entries, 2 of the file, 1 shared. Shared with the cache: 3. Dirty: 3.
  expect(statm_2_4(machine, p.mm)).toBe('6 5 3 0 2 3 3\n');
});

test('[2.4 /proc] slabinfo: version 1.1, kmem_cache first, size-32 last', () => {
  const { machine } = world();
  const lines = slabinfo_2_4(machine).split('\n');
  expect([lines[0], lines[1], lines.at(-2), lines.at(-1)]).toEqual([
    'slabinfo - version: 1.1',
    'kmem_cache             0      0    128    0    0    1',
    'size-32                0      0     32    0    0    1',
    '',
  ]);
  const areas = lines.find((line) => line.startsWith('vm_area_struct'));
  expect(areas).toBe('vm_area_struct         4     40     96    1    1    1');
  expect(slabinfo_2_4(world(2).machine).split('\n')[0]).toBe('slabinfo - version: 1.1 (SMP)');
  expect(slabinfo_2_4(world(2).machine)).toMatch(/^dentry_cache +\d+ +\d+ +128 +\d+ +\d+ +1 : {2}252 {2}126$/m);
});

test('[2.4 /proc] swaps: a partition, and a file of the disk; sizes in kB', () => {
  const { machine, system } = world();
  expect(swaps(machine)).toBe('Filename\t\t\tType\t\tSize\tUsed\tPriority\n');
  system.swapon({ bytes: 4 * MIB, device: 'disk' });
  expect(swaps(machine)).toMatch(/^Filename.*\n\S+ +(partition\t|file\t\t)4092\t0\t-1\n$/);
});

test('[2.4 /proc] stat and the files of sys/vm', () => {
  const { machine } = world();
  const kb = machine.events[0]!;
  expect(stat_2_4(machine)).toMatch(
    new RegExp(`^cpu  \\d+ 0 0 \\d+\ncpu0 \\d+ 0 0 \\d+\npage ${kb} 0\nswap 0 0\nintr 0\n`),
  );
  expect([...sysctlVm_2_4(machine)]).toEqual([
    ['bdflush', '30\t500\t0\t0\t500\t3000\t60\t20\t0'],
    ['overcommit_memory', '0'],
    ['kswapd', '512\t32\t8'],
    ['pagetable_cache', '25\t50'],
    ['page-cluster', '3'],
    ['min-readahead', '3'],
    ['max-readahead', '31'],
    ['max_map_count', '65536'],
  ]);
});
