/**
 * A /proc, a /sys and a cgroup mount in a directory, for tests: three processes and 512 frames that are always the same.
 *
 *     pid 10   program 2 pages of /bin/a (frames 100, 101), heap 3 pages: frame 200, nothing, swap area 1 at 77
 *     pid 20   its forked child: the same program, heap: frame 200 shared, 201 its own, swapped
 *     pid 2    a kernel thread
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const FRAMES = 512;
const PROGRAM_PAGE = 0x400;
const HEAP_PAGE = 0x1000;
const PRESENT = 1n << 63n;
const SWAPPED = 1n << 62n;
const FILE = 1n << 61n;
const EXCLUSIVE = 1n << 56n;
const KPF = { uptodate: 3n, lru: 5n, buddy: 10n, mmap: 11n, anon: 12n };

const PROGRAM = [PRESENT | FILE | 100n, PRESENT | FILE | 101n];
const SWAPPED_PAGE = SWAPPED | (77n << 5n) | 1n;
const HEAPS: Record<number, bigint[]> = {
  10: [PRESENT | 200n, 0n, SWAPPED_PAGE],
  20: [PRESENT | 200n, PRESENT | EXCLUSIVE | 201n, SWAPPED_PAGE],
};
const MAPS = [
  '00400000-00402000 r-xp 00000000 08:01 12                                 /bin/a',
  '01000000-01003000 rw-p 00000000 00:00 0                                  [heap]',
  'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
  '',
].join('\n');
const ROLLUP = 'Rss:                  12 kB\nPss:                   8 kB\nSwap:                  4 kB\n';
const SMAPS = MAPS.split('\n')
  .filter((line) => line !== '')
  .map((line, at) => `${line}\nRss:                   ${4 * at} kB\nVmFlags: rd ex \n`)
  .join('');

export interface FakeProc {
  readonly proc: string;
  readonly sys: string;
  write(name: string, content: string | Uint8Array): void;
  remove(): void;
}

export function fakeProc(): FakeProc {
  const folder = mkdtempSync(join(tmpdir(), 'fake-proc-'));
  const write = (name: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  };
  for (const pid of [2, 10, 20]) {
    const flags = pid === 2 ? 0x200000 : 0;
    write(`proc/${pid}/stat`, `${pid} (task ${pid}) S 1 0 0 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 1 0 ${pid * 100} 0 0\n`);
    write(
      `proc/${pid}/status`,
      `Name:\ttask\nUid:\t${pid}\t0\t0\t0\n${pid === 2 ? '' : 'VmRSS:\t      12 kB\n'}Threads:\t1\n`,
    );
    write(`proc/${pid}/cgroup`, pid === 2 ? '0::/\n' : '0::/box\n');
    write(`proc/${pid}/cmdline`, pid === 2 ? '' : 'task\0--of\0');
    write(`proc/${pid}/maps`, pid === 2 ? '' : MAPS);
    if (pid === 2) continue;
    write(`proc/${pid}/smaps_rollup`, ROLLUP);
    write(`proc/${pid}/smaps`, SMAPS);
    const words = new BigUint64Array(HEAP_PAGE + 16);
    words.set(PROGRAM, PROGRAM_PAGE);
    words.set(HEAPS[pid]!, HEAP_PAGE);
    write(`proc/${pid}/pagemap`, new Uint8Array(words.buffer));
  }
  const flags = new BigUint64Array(FRAMES).fill(1n << KPF.buddy);
  const counts = new BigUint64Array(FRAMES);
  const owners = new BigUint64Array(FRAMES);
  for (const [pfn, count] of [
    [100, 2n],
    [101, 2n],
    [200, 2n],
    [201, 1n],
  ] as const) {
    flags[pfn] = (1n << KPF.uptodate) | (1n << KPF.lru) | (1n << KPF.mmap) | (pfn >= 200 ? 1n << KPF.anon : 0n);
    counts[pfn] = count;
    owners[pfn] = 2n ** 40n;
  }
  write('proc/kpageflags', new Uint8Array(flags.buffer));
  write('proc/kpagecount', new Uint8Array(counts.buffer));
  write('proc/kpagecgroup', new Uint8Array(owners.buffer));
  write('proc/self/cgroup', '0::/\n');
  write('proc/self/mountinfo', `30 1 0:26 / ${join(folder, 'sys/fs/cgroup')} rw - cgroup2 cgroup2 rw\n`);
  write('proc/sys/kernel/osrelease', '6.18.5\n');
  write('proc/sys/kernel/hostname', 'fake\n');
  for (const name of ['meminfo', 'vmstat', 'zoneinfo', 'buddyinfo', 'pagetypeinfo', 'swaps', 'slabinfo', 'uptime'])
    write(`proc/${name}`, `${name}\n`);
  write('sys/fs/cgroup/memory.stat', 'anon 0\n');
  write('sys/fs/cgroup/box/memory.current', '16384\n');
  return {
    proc: join(folder, 'proc'),
    sys: join(folder, 'sys'),
    write,
    remove: () => rmSync(folder, { recursive: true }),
  };
}
