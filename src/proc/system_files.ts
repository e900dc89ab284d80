/**
 * The files of /proc that are not about memory, as far as tools need them to start: stat, uptime, loadavg, version, cpuinfo,
 * filesystems, mounts, cgroups, sys/vm and sys/kernel.
 *
 * Owns      their text. What is not modelled (interrupts, context switches, load) is 0, the figure of a machine that just began.
 * Promises  Only looks.
 * Linux     6.18, 3.16 fs/proc/stat.c: show_stat; fs/proc/uptime.c, loadavg.c, version.c; kernel/cgroup/cgroup-v1.c:
 *           proc_cgroupstats_show; kernel/cgroup/cgroup.c: proc_cgroup_show; kernel/sysctl.c, mm/page-writeback.c: vm_table
 *
 * DIFFERS: time of the CPU is all user time, of the tasks that live; what ended took its share with it, and shows as idle.
 * DIFFERS: min_free_kbytes that nobody set is what its pages came to when the zones shared them: up to 4 kB a zone less.
 */
import type { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import { MMAP_MIN_ADDR } from '../mm/mm.ts';
import { isSince } from '../mm/release.ts';
import { ZONE_NORMAL } from '../mm/zone.ts';
import { stat_2_4, sysctlVm_2_4 } from './linux_2_4.ts';

const NS_PER_TICK = 10_000_000;
const NS_PER_SECOND = 1_000_000_000;
const SOFTIRQS = 10;

/** `6.18.0`: what `uname -r` says. */
export function osrelease(machine: Machine): string {
  const { version } = machine.generation;
  return version.split('.').length < 3 ? `${version}.0` : version;
}

export function versionText(machine: Machine): string {
  return `Linux version ${osrelease(machine)} (revmap@revmap) (a simulated machine) #1\n`;
}

/** Ticks that the CPU had, and those that tasks used. */
function cpuTicks(machine: Machine): { all: number; used: number } {
  const all = Math.floor(machine.clock.now / NS_PER_TICK);
  const used = machine.tasks.reduce((sum, task) => sum + task.cpuNs, 0);
  return { all, used: Math.min(all, Math.floor(used / NS_PER_TICK)) };
}

export function statFile(machine: Machine): string {
  const { version } = machine.generation;
  if (!isSince(version, '2.5.0')) return stat_2_4(machine);
  const { all, used } = cpuTicks(machine);
  // User, nice, system, idle; I/O, interrupts, stolen, guests.
  const rest = ' 0'.repeat(isSince(version, '2.6.33') ? 6 : 5);
  const cpus = machine.config.cpus ?? 1;
  let text = `cpu  ${used} 0 0 ${all * cpus - used}${rest}\n`;
  // One of them runs.
  for (let cpu = 0; cpu < cpus; cpu++) {
    const busy = cpu === 0 ? used : 0;
    text += `cpu${cpu} ${busy} 0 0 ${all - busy}${rest}\n`;
  }
  const { length } = machine.tasks;
  text += `intr 0\nctxt 0\nbtime 0\nprocesses ${length}\nprocs_running ${length}\nprocs_blocked 0\n`;
  return isSince(version, '2.6.31') ? `${text}softirq${' 0'.repeat(SOFTIRQS + 1)}\n` : text;
}

/** Since boot, and how much of that the CPUs had nothing to do. */
export function uptime(machine: Machine): string {
  const { all, used } = cpuTicks(machine);
  const idle = all * (machine.config.cpus ?? 1) - used;
  return `${(machine.clock.now / NS_PER_SECOND).toFixed(2)} ${(idle / 100).toFixed(2)}\n`;
}

export function loadavg(machine: Machine): string {
  const { tasks } = machine;
  const last = tasks.reduce((most, task) => Math.max(most, task.pid), 0);
  return `0.00 0.00 0.00 ${tasks.length}/${tasks.length} ${last}\n`;
}

export function cpuinfo(machine: Machine): string {
  let text = '';
  for (let cpu = 0; cpu < (machine.config.cpus ?? 1); cpu++) {
    text += `processor\t: ${cpu}\nvendor_id\t: revmap\nmodel name\t: a simulated CPU\n`;
    text += 'address sizes\t: 46 bits physical, 48 bits virtual\n\n';
  }
  return text;
}

/** The disk's file system is the one of its time. */
function diskType(machine: Machine): string {
  const { version } = machine.generation;
  return isSince(version, '2.6.28') ? 'ext4' : isSince(version, '2.4.15') ? 'ext3' : 'ext2';
}

export function filesystems(machine: Machine): string {
  const cgroup = machine.generation.cgroups ? `nodev\tcgroup${machine.rootMemcg.v1 ? '' : '2'}\n` : '';
  return `nodev\tproc\nnodev\ttmpfs\n${cgroup}\t${diskType(machine)}\n`;
}

export function mounts(machine: Machine): string {
  const { v1 } = machine.rootMemcg;
  const cgroup = v1 ? 'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n' : 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n';
  return (
    `/dev/${machine.disk.name} / ${diskType(machine)} rw 0 0\nproc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n` +
    (machine.generation.cgroups ? cgroup : '')
  );
}

export function cgroups(machine: Machine): string {
  const count = new Set(machine.memcgs).size;
  return `#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t${machine.rootMemcg.v1 ? 1 : 0}\t${count}\t1\n`;
}

/** From the root, which is '/'. */
export function cgroupPath(memcg: MemCgroup): string {
  if (memcg.parent === null) return '/';
  const above = cgroupPath(memcg.parent);
  return `${above === '/' ? '' : above}/${memcg.name}`;
}

/** /proc/PID/cgroup. */
export function taskCgroup(memcg: MemCgroup): string {
  return memcg.v1 ? `1:memory:${cgroupPath(memcg)}\n` : `0::${cgroupPath(memcg)}\n`;
}

/** A file of /proc/sys/vm, since when, and what it says. */
type VmSysctl = readonly [name: string, since: string, value: (machine: Machine) => number];

const VM: readonly VmSysctl[] = [
  ['dirty_background_bytes', '2.6.29', () => 0],
  ['dirty_background_ratio', '2.5.0', ({ sysctl }) => sysctl.dirtyBackgroundRatio],
  ['dirty_bytes', '2.6.29', () => 0],
  ['dirty_expire_centisecs', '2.5.0', ({ sysctl }) => sysctl.dirtyExpireCentisecs],
  ['dirty_ratio', '2.5.0', ({ sysctl }) => sysctl.dirtyRatio],
  ['dirty_writeback_centisecs', '2.5.0', ({ sysctl }) => sysctl.dirtyWritebackCentisecs],
  ['laptop_mode', '2.6.6', ({ sysctl }) => Number(sysctl.laptopMode)],
  ['max_map_count', '2.5.0', ({ sysctl }) => sysctl.maxMapCount],
  ['min_free_kbytes', '2.5.71', (machine) => minFreeKbytes(machine)],
  ['mmap_min_addr', '2.6.23', () => MMAP_MIN_ADDR],
  ['nr_hugepages', '2.5.0', () => 0],
  ['overcommit_kbytes', '3.14', () => 0],
  ['overcommit_memory', '2.5.0', ({ sysctl }) => sysctl.overcommitMemory],
  ['overcommit_ratio', '2.5.0', ({ sysctl }) => sysctl.overcommitRatio],
  ['page-cluster', '2.5.0', ({ sysctl }) => sysctl.pageCluster],
  ['swappiness', '2.5.39', ({ sysctl }) => sysctl.swappiness],
  ['vfs_cache_pressure', '2.6.0', ({ sysctl }) => sysctl.vfsCachePressure],
  ['watermark_boost_factor', '5.0', ({ sysctl }) => sysctl.watermarkBoostFactor],
  ['watermark_scale_factor', '4.6', ({ sysctl }) => sysctl.watermarkScaleFactor],
];

/** /proc/sys/vm: its files by name. */
export function sysctlVm(machine: Machine): ReadonlyMap<string, string> {
  const { version } = machine.generation;
  if (!isSince(version, '2.5.0')) return sysctlVm_2_4(machine);
  return new Map(
    VM.filter(([, since]) => isSince(version, since)).map(([name, , value]) => [name, String(value(machine))]),
  );
}

/** What was set, or what the kernel's formula came to: the least marks of the zones that the kernel itself uses. */
function minFreeKbytes(machine: Machine): number {
  const { minFreeKbytes: set } = machine.sysctl;
  if (set > 0) return set;
  return machine.zones.reduce((sum, zone) => sum + (zone.type <= ZONE_NORMAL ? zone.wmarkMin : 0), 0) * 4;
}

/** /proc/sys/kernel: what tools ask for. */
export function sysctlKernel(machine: Machine): ReadonlyMap<string, string> {
  return new Map([
    ['hostname', 'revmap'],
    ['osrelease', osrelease(machine)],
    ['ostype', 'Linux'],
    ['pid_max', '32768'],
    ['version', '#1'],
  ]);
}
