/**
 * Who maps a file: each range of its pages that the same entries map, in order.
 *
 * Promises  1. A page of the file is in one range at most. A page that nobody maps is in none: whether it is in the page cache
 *              all the same is `cached`'s to say, if somebody asked.
 *           2. Copies that a process made of its private mapping are no pages of the file; they are counted by process.
 *           3. Pure: no Node.
 */
import { processOfVma } from '../reverse.ts';
import { ENTRY_FILE, type HostFile, type HostSnapshot, isMapped } from '../snapshot.ts';
import { PAGE, type Region, regionOf } from './who.ts';

/** A region of a process that maps a range of the file. */
export interface RangeMapper extends Region {
  readonly pid: number;
  readonly comm: string;
  /** Of the first page of the range. */
  readonly address: number;
}

export interface FileRange {
  /** In bytes. */
  readonly offset: number;
  readonly pages: number;
  /** Its frames, as runs: first frame, and how many. Empty where their numbers are hidden. */
  readonly frames: readonly (readonly [pfn: number, pages: number])[];
  readonly mappers: readonly RangeMapper[];
}

export interface FileAnswer {
  readonly file: HostFile;
  readonly ranges: readonly FileRange[];
  readonly mappedPages: number;
  /** Of the file in the page cache, mapped or not: ranges of pages; null where nobody asked, or the kernel does not say. */
  readonly cached: {
    readonly pages: number;
    readonly ranges: readonly (readonly [first: number, pages: number])[] | null;
  } | null;
  /** Processes that have regions of it. */
  readonly processes: number;
  /** Private copies of its pages: what a process wrote into a private mapping. */
  readonly copies: readonly { readonly pid: number; readonly comm: string; readonly pages: number }[];
}

/** One entry that shows a page of the file. */
interface Shown {
  readonly pgoff: number;
  readonly pfn: number;
  readonly vma: number;
}

export function whoMapsFile(snapshot: HostSnapshot, file: number): FileAnswer {
  const { vmas, entries } = snapshot;
  const shown: Shown[] = [];
  const copies = new Map<number, number>();
  const processes = new Set<number>();
  for (let vma = 0; vma < vmas.count; vma++) {
    if (vmas.file[vma] !== file) continue;
    const process = processOfVma(snapshot, vma);
    processes.add(process);
    for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
      const bits = entries.bits[row]!;
      if ((bits & ENTRY_FILE) === 0) copies.set(process, (copies.get(process) ?? 0) + 1);
      else
        shown.push({
          pgoff: vmas.pgoff[vma]! + entries.page[row]!,
          pfn: isMapped(bits) ? entries.value[row]! : -1,
          vma,
        });
    }
  }
  const ranges = rangesOf(snapshot, shown);
  const cached = snapshot.cache?.find((each) => each.file === file);
  return {
    file: snapshot.files[file]!,
    ranges,
    mappedPages: ranges.reduce((sum, { pages }) => sum + pages, 0),
    cached: cached === undefined ? null : { pages: cached.cachedPages, ranges: cached.ranges },
    processes: processes.size,
    copies: [...copies].map(([row, pages]) => {
      const { pid, comm } = snapshot.processes[row]!;
      return { pid, comm, pages };
    }),
  };
}

function rangesOf(snapshot: HostSnapshot, shown: Shown[]): FileRange[] {
  shown.sort((a, b) => a.pgoff - b.pgoff || a.vma - b.vma);
  const ranges: { first: number; vmas: readonly number[]; pfns: number[] }[] = [];
  for (let at = 0; at < shown.length; ) {
    const { pgoff, pfn } = shown[at]!;
    const here: number[] = [];
    for (; at < shown.length && shown[at]!.pgoff === pgoff; at++) here.push(shown[at]!.vma);
    const last = ranges.at(-1);
    if (last !== undefined && last.first + last.pfns.length === pgoff && isSame(last.vmas, here)) last.pfns.push(pfn);
    else ranges.push({ first: pgoff, vmas: here, pfns: [pfn] });
  }
  return ranges.map(({ first, vmas, pfns }) => ({
    offset: first * PAGE,
    pages: pfns.length,
    frames: runsOf(pfns),
    mappers: vmas.map((vma) => rangeMapper(snapshot, vma, first)),
  }));
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((vma, i) => vma === b[i]);
}

/** Frames that follow each other are one run. */
function runsOf(pfns: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const pfn of pfns) {
    const last = runs.at(-1);
    if (pfn < 0) continue;
    if (last !== undefined && last[0] + last[1] === pfn) last[1] += 1;
    else runs.push([pfn, 1]);
  }
  return runs;
}

function rangeMapper(snapshot: HostSnapshot, vma: number, first: number): RangeMapper {
  const { pid, comm } = snapshot.processes[processOfVma(snapshot, vma)]!;
  const region = regionOf(snapshot, vma);
  return { pid, comm, ...region, address: region.start + (first - snapshot.vmas.pgoff[vma]!) * PAGE };
}

/** Rows of the files that have one of these names, those that are there first; `inode` finds one that has other names, too. */
export function filesNamed(
  { files }: HostSnapshot,
  names: readonly string[],
  inode: { readonly device: string; readonly inode: string } | null,
): number[] {
  const rows = files.flatMap((file, row) => {
    const isIt = inode !== null && file.device === inode.device && file.inode === inode.inode;
    return isIt || names.includes(file.path) ? [row] : [];
  });
  return rows.sort((a, b) => Number(files[a]!.deleted) - Number(files[b]!.deleted));
}
