/**
 * Hosts for tests, written down: who maps which frame. Mapcounts and "mapped once" follow from that, as in a kernel.
 */
import { FrameTableBuilder, SnapshotBuilder } from '../../src/host/builder.ts';
import {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_PRESENT,
  ENTRY_SWAP,
  ENTRY_SWAP_TYPE_SHIFT,
  type HostCgroup,
  type HostFile,
  type HostProcess,
  type HostSnapshot,
  NO_CGROUP,
  NO_ROW,
  VMA_READ,
  VMA_SEEN,
  VMA_SHARED,
  VMA_WRITE,
} from '../../src/host/snapshot.ts';

export const ANON = 1n << 12n;
export const SWAPBACKED = 1n << 14n;
export const LRU = 1n << 5n;
export const HEAD = 1n << 15n;
export const TAIL = 1n << 16n;
export const HUGE = 1n << 17n;
export const ZERO = 1n << 24n;

export interface MadeUpArea {
  /** First page; its pages follow: a frame's number, 'slot N', or null where nothing is. */
  readonly at: number;
  readonly pages: readonly (number | string | null)[];
  readonly file?: Partial<HostFile> & { readonly path: string };
  readonly pgoff?: number;
  readonly isShared?: boolean;
  readonly notSeen?: boolean;
  readonly isHidden?: boolean;
}

export interface MadeUpProcess extends Partial<HostProcess> {
  readonly pid: number;
  readonly areas?: readonly MadeUpArea[];
}

export interface MadeUpHost {
  readonly processes: readonly MadeUpProcess[];
  /** Flags of frames; without a row here a frame is anonymous. */
  readonly flags?: Readonly<Record<number, bigint>>;
  /** Mappers that no process here is: added to the mapcount. */
  readonly unseen?: Readonly<Record<number, number>>;
  readonly cgroups?: readonly HostCgroup[];
  /** Row of `cgroups` that is charged for a frame. */
  readonly charged?: Readonly<Record<number, number>>;
  readonly frames?: number;
  /** A kernel without /proc/kpage*. */
  readonly hasNoFrames?: boolean;
  readonly texts?: Readonly<Record<string, string>>;
}

export function madeUpHost(host: MadeUpHost): HostSnapshot {
  const count = host.frames ?? 1024;
  const mapcounts = new Map<number, number>(Object.entries(host.unseen ?? {}).map(([pfn, n]) => [Number(pfn), n]));
  for (const { areas = [] } of host.processes) {
    for (const pfn of areas.flatMap((area) => area.pages)) {
      if (typeof pfn === 'number') mapcounts.set(pfn, (mapcounts.get(pfn) ?? 0) + 1);
    }
  }
  const flagsOf = (pfn: number) => host.flags?.[pfn] ?? (mapcounts.has(pfn) ? ANON | SWAPBACKED | LRU : 0n);
  const builder = new SnapshotBuilder();
  for (const process of host.processes) {
    builder.addProcess({ ...NOBODY, ...process });
    for (const area of process.areas ?? []) addArea(builder, area, mapcounts, flagsOf);
  }
  const frames = new FrameTableBuilder(count);
  for (let pfn = 0; pfn < count; pfn++) {
    const isUncounted = (flagsOf(pfn) & ZERO) !== 0n;
    frames.set(pfn, flagsOf(pfn), isUncounted ? 0 : (mapcounts.get(pfn) ?? 0), host.charged?.[pfn] ?? NO_CGROUP);
  }
  const isHidden = host.processes.some(({ areas = [] }) => areas.some((area) => area.isHidden));
  return builder.finish({
    source: 'live',
    takenAtMs: 0,
    tookMs: 0,
    kernel: '6.18',
    hostname: 'made-up',
    redacted: false,
    texts: new Map(Object.entries(host.texts ?? {})),
    frames: isHidden || host.hasNoFrames === true ? null : frames.finish(),
    cgroups: host.cgroups ?? [],
  });
}

const NOBODY = {
  parentPid: 0,
  startTicks: 0,
  comm: 'program',
  command: null,
  uid: 0,
  threads: 1,
  state: 'S',
  cgroup: '/',
  isKernelThread: false,
  status: new Map([['VmRSS', 4]]),
  rollup: null,
};

function addArea(
  builder: SnapshotBuilder,
  area: MadeUpArea,
  mapcounts: ReadonlyMap<number, number>,
  flagsOf: (pfn: number) => bigint,
): void {
  const { at, pages, file } = area;
  builder.addVma({
    startPage: at,
    endPage: at + pages.length,
    pgoff: area.pgoff ?? 0,
    perms: VMA_READ | VMA_WRITE | (area.isShared ? VMA_SHARED : 0) | (area.notSeen ? 0 : VMA_SEEN),
    file: file === undefined ? NO_ROW : builder.file({ device: '08:01', inode: file.path, deleted: false, ...file }),
    name: file?.path ?? '',
  });
  if (area.notSeen) return;
  pages.forEach((page, i) => {
    if (page === null) return;
    if (typeof page === 'string') {
      const [type, offset] = slotNamed(page);
      builder.addEntry(i, area.isHidden ? 0 : offset, ENTRY_SWAP | (type << ENTRY_SWAP_TYPE_SHIFT));
      return;
    }
    const isFile = (flagsOf(page) & (ANON | ZERO)) === 0n;
    const isOnce = mapcounts.get(page) === 1 && (flagsOf(page) & ZERO) === 0n;
    const bits = ENTRY_PRESENT | (isFile ? ENTRY_FILE : 0) | (isOnce ? ENTRY_EXCLUSIVE : 0);
    builder.addEntry(i, area.isHidden ? 0 : page, area.isHidden ? bits | 64 : bits);
  });
}

/** 'slot 7' of area 0, 'slot 2:7' of area 2. */
function slotNamed(text: string): [type: number, offset: number] {
  const [, type = '0', offset] = /^slot (?:(\d+):)?(\d+)$/.exec(text)!;
  return [Number(type), Number(offset)];
}
