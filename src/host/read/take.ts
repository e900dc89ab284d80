/**
 * A HostSnapshot of the host that runs us: everything is read once, in the order in which it goes stale least.
 *
 * Owns      the order: cgroups, then process by process (read_process.ts), then the frames of what was found, then the rest.
 * Promises  1. No exception for what the kernel refuses or what ends meanwhile: `missing` and `changes` tell.
 *           2. The frames are read behind all entries, so an entry whose frame was freed meanwhile is found, and counted.
 *           3. Writes nothing anywhere (HostFiles).
 * Linux     6.18 Documentation/admin-guide/mm/pagemap.rst
 */
import { InputError } from '../../mm/bug.ts';
import { SnapshotBuilder } from '../builder.ts';
import { framesNamed } from '../frame_set.ts';
import { type EntryTable, type FrameTable, type HostSnapshot, isMapped } from '../snapshot.ts';
import { CgroupTable } from './cgroup_table.ts';
import { type HostFiles, Refusal } from './host_files.ts';
import { readFrames } from './kpage.ts';
import { MissingList } from './missing.ts';
import { ProcessReader } from './read_process.ts';
import type { TakeOptions } from './take_options.ts';

/** Below /proc, as they stand. */
const TEXTS = ['meminfo', 'vmstat', 'zoneinfo', 'buddyinfo', 'pagetypeinfo', 'swaps', 'slabinfo', 'uptime'];

export function takeSnapshot(files: HostFiles, options: TakeOptions = {}): HostSnapshot {
  refuseOtherPages(files);
  const takenAtMs = Date.now();
  const start = performance.now();
  const missing = new MissingList();
  const builder = new SnapshotBuilder();
  const cgroups = new CgroupTable(files, missing);
  const reader = new ProcessReader(files, options, builder, cgroups, missing);
  const pids = processList(files, options, missing);
  pids.forEach((pid, done) => {
    options.progress?.(done, pids.length);
    reader.read(pid);
  });
  options.progress?.(pids.length, pids.length);
  const { entriesSoFar } = builder;
  const frames = framesAsked(files, options, entriesSoFar, cgroups, missing);
  const texts = hostTexts(files, missing);
  const changes = {
    processesGone: reader.gone,
    processesReread: reader.reread,
    processesUnsteady: reader.unsteady,
    entriesStale: frames === null ? 0 : staleEntries(entriesSoFar, frames),
  };
  const facts = {
    source: 'live' as const,
    takenAtMs,
    tookMs: performance.now() - start,
    kernel: line(files, 'osrelease'),
    hostname: line(files, 'hostname'),
    redacted: false,
    texts,
    frames,
    cgroups: cgroups.cgroups,
    missing: missing.list(),
    changes,
  };
  return builder.finish(facts, reader.smapsColumns(), reader.vmFlagsColumn());
}

const AT_PAGESZ = 6n;
const PAGE_SIZE = 4096;

/** Kernels for arm64 and ppc64 may have larger pages; every number here would be another one. */
function refuseOtherPages(files: HostFiles): void {
  const auxv = files.bytes(files.inProc('self', 'auxv'));
  if (auxv instanceof Refusal) return;
  const words = new BigUint64Array(auxv.slice(0, auxv.length & ~15).buffer);
  for (let at = 0; at < words.length; at += 2)
    if (words[at] === AT_PAGESZ && words[at + 1] !== BigInt(PAGE_SIZE))
      throw new InputError(
        files.proc,
        0,
        `this kernel's pages have ${words[at + 1]} bytes; hosts with pages of ${PAGE_SIZE} are read`,
      );
}

function processList(files: HostFiles, { pids }: TakeOptions, missing: MissingList): number[] {
  if (pids !== undefined) return [...new Set(pids)].sort((a, b) => a - b);
  const names = files.list(files.inProc());
  if (names instanceof Refusal) {
    missing.add('processes', names.errno);
    return [];
  }
  return names
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function framesAsked(
  files: HostFiles,
  { frames = 'all' }: TakeOptions,
  entries: EntryTable,
  cgroups: CgroupTable,
  missing: MissingList,
): FrameTable | null {
  if (frames === 'none') return missing.add('frames', 'not asked for');
  return readFrames(files, frames === 'mapped' ? entries : null, (inode) => cgroups.rowOf(inode), missing);
}

function hostTexts(files: HostFiles, missing: MissingList): Map<string, string> {
  const texts = new Map<string, string>();
  for (const name of TEXTS) {
    const text = files.text(files.inProc(name));
    if (!(text instanceof Refusal)) texts.set(name, text);
    else missing.add(name, text.errno);
  }
  const iomem = files.text(files.inProc('iomem'));
  if (!(iomem instanceof Refusal)) texts.set('iomem', onlySystemRam(iomem));
  return texts;
}

/** Which frames are memory. The other lines tell where the kernel's code lies: nobody asks for that here. */
function onlySystemRam(iomem: string): string {
  const lines = iomem.split('\n').filter((line) => /^[0-9a-f]+-[0-9a-f]+ : System RAM$/.test(line));
  return lines.map((line) => `${line}\n`).join('');
}

/** One of /proc/sys/kernel, '' if it is not there. */
function line(files: HostFiles, name: string): string {
  const text = files.text(files.inProc('sys', 'kernel', name));
  return text instanceof Refusal ? '' : text.trimEnd();
}

const KPF_BUDDY = 1 << 10;
/** Frames that are in page tables without being counted: the kernel's own, the zero page, and what is no memory. */
const UNCOUNTED = (1 << 20) | (1 << 24);
const KPF_RESERVED_HIGH = 1;

/**
 * Entries whose frame was, a moment later, a free page, or one that nobody maps. The few frames that are so are looked for in
 * the order of the columns; only if there are some, the entries are asked one by one.
 */
function staleEntries(entries: EntryTable, frames: FrameTable): number {
  const { word, mapcount, wordsLow, wordsHigh } = frames;
  const isFree = wordsLow.map((low) => low & KPF_BUDDY);
  const isCounted = wordsLow.map((low, row) =>
    (low & UNCOUNTED) === 0 && (wordsHigh[row]! & KPF_RESERVED_HIGH) === 0 ? 1 : 0,
  );
  const stale = new Set<number>();
  framesNamed(entries, frames.count).each((pfn) => {
    if ((mapcount[pfn] === 0 ? isCounted : isFree)[word[pfn]!] !== 0) stale.add(pfn);
  });
  if (stale.size === 0) return 0;
  const { count, value, bits } = entries;
  let found = 0;
  for (let row = 0; row < count; row++) if (isMapped(bits[row]!) && stale.has(value[row]!)) found += 1;
  return found;
}
