/**
 * A simulated machine as a HostSnapshot, so that whatever answers for a live host answers for it, too.
 *
 * Owns      the columns made from a machine. Numbers and texts are those of src/proc: what its kernel's files say.
 * Promises  1. Only looks: pages are as old and as referenced as before.
 *           2. Rows of `entries` are exactly the present and swapped entries of every address space that a task has.
 *           3. What the machine's kernel has no file for (kpageflags before 2.6.25, smaps_rollup before 4.14 …) is computed as a
 *              newer kernel would show it, and `missing` says `computed: Linux 2.4.19 has no such file`.
 *           4. Pure: no Node.
 */
import { AddressSpace, type BackingKind, type Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import type { Mm } from '../mm/mm.ts';
import { PG_dirty, PG_writeback } from '../mm/page_flags.ts';
import { isSince } from '../mm/release.ts';
import { PAGE_SIZE, type Pfn, type Vpn } from '../mm/units.ts';
import type { Vma } from '../mm/vma.ts';
import { isFreeBuddyPage, kpageCgroup, kpageCount, kpageFlags } from '../proc/kpage.ts';
import { maps } from '../proc/maps.ts';
import { memoryStat } from '../proc/memory_stat.ts';
import { pagemapEntry } from '../proc/pagemap.ts';
import { type ProcProcess, processes, taskStat, taskStatus } from '../proc/process.ts';
import { gatherSmaps, smapsFields, smapsRollup, vmFlagsText } from '../proc/smaps.ts';
import { cgroupPath, osrelease, sysctlKernel } from '../proc/system_files.ts';
import { procTree } from '../proc/tree.ts';
import type { System } from '../syscalls/system.ts';
import { FrameTableBuilder, SnapshotBuilder } from './builder.ts';
import { parseKbFields } from './read/fields_text.ts';
import { parseMaps } from './read/maps_text.ts';
import { parseStat } from './read/stat_text.ts';
import { parseStatus } from './read/status_text.ts';
import {
  type CachedFile,
  type CachedKind,
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_PRESENT,
  ENTRY_SWAP,
  ENTRY_SWAP_TYPE_SHIFT,
  type FrameTable,
  type HostCgroup,
  type HostSnapshot,
  type Missing,
  NO_CGROUP,
  NO_ROW,
  VMA_SEEN,
} from './snapshot.ts';
import { encodeName } from './text.ts';

/** Files that a later release brought, and which one. */
const SINCE = [
  ['pagemap', '2.6.25'],
  // 2.6.25 and 2.6.26 had it with bits of their own.
  ['kpageflags', '2.6.27'],
  ['kpagecount', '2.6.25'],
  ['kpagecgroup', '4.3'],
  ['smaps', '2.6.14'],
  ['smaps_rollup', '4.14'],
] as const;
const NS_PER_MS = 1_000_000;
const KPF_BUDDY = 2n ** 10n;
/** In the high half of a word of pagemap; below it stands the frame, or area and offset. */
const PRESENT = 2 ** 31;
const SWAPPED = 2 ** 30;
const FILE = 2 ** 29;
const EXCLUSIVE = 2 ** 24;
const FRAME = 2n ** 55n - 1n;
const SWAP_TYPES = 32;
/** Higher types are marks. */
const SWAP_AREAS = 23;
/** No file of a machine has as many pages. */
const LAST_PAGE = 2 ** 40;
/** Below /proc, of those that a snapshot has. */
const TEXTS: ReadonlySet<string> = new Set([
  'meminfo',
  'vmstat',
  'zoneinfo',
  'buddyinfo',
  'pagetypeinfo',
  'swaps',
  'slabinfo',
  'uptime',
]);
const KINDS: Readonly<Record<BackingKind, CachedKind>> = { disk: 'file', tmpfs: 'shmem', bdev: 'device' };
/** As maps shows them where nobody maps such a file. */
const DEVICES: Readonly<Record<BackingKind, string>> = { disk: 'fe:00', tmpfs: '00:01', bdev: 'fe:00' };
const V1_NO_LIMIT = '9223372036854771712';

/** `system` adds who has which file open. */
export function snapshotOfMachine(machine: Machine, system: System | null = null): HostSnapshot {
  const rows = new MachineRows(machine);
  const all = processes(machine);
  for (const process of all) rows.addProcess(process);
  const frames = framesOf(machine);
  const facts = {
    source: 'machine' as const,
    takenAtMs: machine.clock.now / NS_PER_MS,
    tookMs: 0,
    kernel: osrelease(machine),
    hostname: sysctlKernel(machine).get('hostname') ?? '',
    redacted: false,
    texts: textsOf(machine),
    frames,
    cgroups: cgroupsOf(machine),
    cache: rows.cache(system),
    missing: computed(machine),
  };
  return rows.finish(facts);
}

function computed({ generation }: Machine): Missing[] {
  const { version, cgroups } = generation;
  const missing: Missing[] = SINCE.filter(
    ([what, since]) => !isSince(version, since) && (what !== 'kpagecgroup' || cgroups),
  ).map(([what]) => ({ what, why: `computed: Linux ${version} has no such file`, count: 1 }));
  if (isSince(version, '2.6.27') && !isSince(version, '4.6')) {
    const why = `computed: Linux ${version} shows the first of each free block alone`;
    missing.push({ what: 'free pages', why, count: 1 });
  }
  return missing;
}

class MachineRows {
  private readonly machine: Machine;
  private readonly builder = new SnapshotBuilder();
  private readonly owners = new Map<Mm, number>();
  private readonly smaps = new Map<string, number[]>();
  private readonly vmFlags: number[] = [];
  private readonly devices = new Map<BackingKind, string>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  addProcess(process: ProcProcess): void {
    const { machine, builder } = this;
    const { leader } = process;
    const stat = parseStat(encodeName(taskStat(machine, process, leader)))!;
    const { uid, fields } = parseStatus(encodeName(taskStatus(machine, process, leader)));
    const { mm } = leader;
    const rollup = mm === null ? null : parseKbFields(encodeName(smapsRollup(machine, mm)));
    builder.addProcess({
      pid: leader.pid,
      parentPid: stat.parentPid,
      startTicks: stat.startTicks,
      comm: leader.comm,
      command: null,
      uid: uid ?? 0,
      threads: process.threads.length,
      state: stat.state,
      cgroup: machine.generation.cgroups ? cgroupPath(leader.memcg) : '',
      isKernelThread: mm === null,
      status: fields,
      rollup,
    });
    const owner = mm === null ? undefined : this.owners.get(mm);
    // 2.4 shows a thread as a process of its own.
    if (owner !== undefined) builder.shareMm(owner);
    else if (mm !== null) {
      this.owners.set(mm, leader.pid);
      this.addVmas(mm);
    }
  }

  private addVmas(mm: Mm): void {
    const { machine, builder } = this;
    const lines = parseMaps(encodeName(maps(machine, mm)));
    let row = 0;
    for (const vma of mm.vmas) {
      const line = lines[row++]!;
      const inode = vma.vmFile?.inode;
      if (inode !== undefined) this.devices.set(inode.kind, line.device);
      const file = inode === undefined ? NO_ROW : this.file(inode);
      const name = inode === undefined ? line.name : `${pathOf(inode)}${inode.nlink === 0 ? ' (deleted)' : ''}`;
      const { startPage, endPage } = line;
      const pgoff = inode === undefined ? 0 : line.pgoff;
      builder.addVma({ startPage, endPage, pgoff, perms: line.perms | VMA_SEEN, file, name });
      this.addEntries(mm, startPage as Vpn, endPage as Vpn);
      this.addSmaps(vma);
    }
  }

  private addEntries(mm: Mm, start: Vpn, end: Vpn): void {
    const { machine, builder } = this;
    const { pageTables } = machine;
    let at = pageTables.nextTable(mm.pageTables, start, end);
    while (at < end) {
      const entry = pagemapEntry(machine, mm, at);
      const high = Number(entry >> 32n);
      const bits = ((high & FILE) === 0 ? 0 : ENTRY_FILE) | ((high & EXCLUSIVE) === 0 ? 0 : ENTRY_EXCLUSIVE);
      const value = Number(entry & FRAME);
      const type = value % SWAP_TYPES;
      if (high >= PRESENT) builder.addEntry(at - start, value, bits | ENTRY_PRESENT);
      // A guard's mark stands in no swap area.
      else if ((high & SWAPPED) !== 0 && type < SWAP_AREAS) {
        const offset = Math.floor(value / SWAP_TYPES);
        builder.addEntry(at - start, offset, bits | ENTRY_SWAP | (type << ENTRY_SWAP_TYPE_SHIFT));
      }
      at = pageTables.nextTable(mm.pageTables, (at + 1) as Vpn, end);
    }
  }

  private addSmaps(vma: Vma): void {
    const { machine, builder, smaps } = this;
    const fields = [['Size', vma.pages * 4] as const, ...smapsFields(machine, gatherSmaps(machine, vma), false)];
    for (const [name, kib] of fields) {
      let column = smaps.get(name);
      if (column === undefined) smaps.set(name, (column = []));
      column.push(kib);
    }
    this.vmFlags.push(builder.string(vmFlagsText(machine, vma)));
  }

  private file(inode: Inode): number {
    const device = this.devices.get(inode.kind) ?? DEVICES[inode.kind];
    return this.builder.file({ device, inode: String(inode.ino), path: pathOf(inode), deleted: inode.nlink === 0 });
  }

  /** What each inode holds, of whatever kind, and who has it open. */
  cache(system: System | null): CachedFile[] {
    const cache: CachedFile[] = [];
    for (const mapping of this.machine.mappings) {
      if (!(mapping instanceof AddressSpace) || mapping.nrpages + mapping.nrshadows === 0) continue;
      const { host: inode } = mapping;
      const counts = this.counted(mapping);
      const isShmem = inode.kind === 'tmpfs';
      if (counts.cached === 0 && !isShmem) continue;
      cache.push({
        file: this.file(inode),
        kind: KINDS[inode.kind],
        sizeBytes: inode.size,
        cachedPages: counts.cached,
        dirtyPages: counts.dirty,
        writebackPages: counts.writeback,
        evictedPages: mapping.nrshadows,
        recentlyEvictedPages: null,
        ranges: counts.ranges,
        openBy: this.openBy(inode, system),
        otherFiles: [],
      });
    }
    return cache;
  }

  private counted({ pages }: AddressSpace) {
    const { frames } = this.machine;
    const ranges: [number, number][] = [];
    const counts = { cached: 0, dirty: 0, writeback: 0, ranges };
    for (let at = pages.find(0, LAST_PAGE); at >= 0 && at <= LAST_PAGE; at = pages.find(at + 1, LAST_PAGE)) {
      const entry = pages.load(at);
      // Values are shadows and slots of swap.
      if (entry <= 0) continue;
      const pfn = (entry - 1) as Pfn;
      counts.cached += 1;
      if (frames.has(pfn, PG_dirty)) counts.dirty += 1;
      if (frames.has(pfn, PG_writeback)) counts.writeback += 1;
      const last = ranges.at(-1);
      if (last !== undefined && last[0] + last[1] === at) last[1] += 1;
      else ranges.push([at, 1]);
    }
    return counts;
  }

  private openBy(inode: Inode, system: System | null): number[] {
    const pids = this.machine.tasks.filter(({ mm }) => mm?.exeFile?.inode === inode).map(({ pid }) => pid);
    for (const [pid, { files }] of system?.processes ?? []) if (files.holds(inode)) pids.push(pid);
    return [...new Set(pids)].sort((a, b) => a - b);
  }

  finish(facts: Parameters<SnapshotBuilder['finish']>[0]): HostSnapshot {
    const smaps = new Map([...this.smaps].map(([name, column]) => [name, Float64Array.from(column)]));
    return this.builder.finish(facts, smaps, Uint32Array.from(this.vmFlags));
  }
}

function pathOf({ name }: Inode): string {
  return name.startsWith('/') ? name : `/${name}`;
}

function framesOf(machine: Machine): FrameTable {
  const { frames } = machine.frames;
  const hasCgroups = machine.generation.cgroups;
  const table = new FrameTableBuilder(frames);
  for (let pfn = 0 as Pfn; pfn < frames; pfn = (pfn + 1) as Pfn) {
    const id = hasCgroups ? kpageCgroup(machine, pfn) : 0;
    const cgroup = id === 0 ? NO_CGROUP : id - 1;
    const free = isFreeBuddyPage(machine, pfn) ? KPF_BUDDY : 0n;
    table.set(pfn, BigInt(kpageFlags(machine, pfn)) | free, kpageCount(machine, pfn), cgroup);
  }
  return table.finish();
}

/** The root first; the row of a cgroup is its number less 1. */
function cgroupsOf(machine: Machine): HostCgroup[] {
  if (!machine.generation.cgroups) return [];
  return machine.memcgs.slice(1).map((memcg) => ({
    inode: memcg.id,
    path: cgroupPath(memcg),
    texts: new Map(memcg.v1 ? controlFiles_1(memcg) : controlFiles_2(machine, memcg)),
  }));
}

function controlFiles_2(machine: Machine, memcg: MemCgroup): [string, string][] {
  const { memory, swap, min, low, high } = memcg;
  const limit = (pages: number) => (Number.isFinite(pages) ? bytes(pages) : 'max\n');
  const files: [string, string][] = [['memory.stat', memoryStat(machine, memcg)]];
  // The root has no more.
  if (memcg.parent === null) return files;
  return [
    ['memory.current', bytes(memory.usage)],
    ['memory.min', bytes(min)],
    ['memory.low', bytes(low)],
    ['memory.high', limit(high)],
    ['memory.max', limit(memory.max)],
    ['memory.swap.current', bytes(swap.usage)],
    ['memory.swap.max', limit(swap.max)],
    ...files,
  ];
}

function controlFiles_1({ memory, memsw, softLimit }: MemCgroup): [string, string][] {
  const limit = (pages: number) => (Number.isFinite(pages) ? bytes(pages) : `${V1_NO_LIMIT}\n`);
  return [
    ['memory.usage_in_bytes', bytes(memory.usage)],
    ['memory.max_usage_in_bytes', bytes(memory.watermark)],
    ['memory.limit_in_bytes', limit(memory.max)],
    ['memory.soft_limit_in_bytes', limit(softLimit)],
    ['memory.memsw.usage_in_bytes', bytes(memsw.usage)],
    ['memory.memsw.limit_in_bytes', limit(memsw.max)],
  ];
}

function bytes(pages: number): string {
  return `${pages * PAGE_SIZE}\n`;
}

function textsOf(machine: Machine): Map<string, string> {
  const texts = new Map<string, string>();
  for (const node of procTree(machine)) {
    // Behind them come the files of frames, folders and processes.
    if (node.kind !== 'text') break;
    if (TEXTS.has(node.path)) texts.set(node.path, node.text);
  }
  return texts;
}
