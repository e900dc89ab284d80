/**
 * Does it add up? The files that were found, beside what /proc/meminfo says, and beside a count of all frames.
 *
 *     Cached  = files found + shared memory found + the rest of each: files that nobody maps, has open or named
 *     Buffers = block devices asked + the rest
 *     Cached + Buffers = frames on a list of reclaim that are neither anonymous nor in the swap cache
 *
 * Promises  1. Pure. Each line of meminfo is the sum of its parts and its rest, exactly; a rest below zero is what came or
 *              went between the two looks.
 *           2. Fields that a kernel does not print are null.
 * Linux     6.18 fs/proc/meminfo.c: Cached is NR_FILE_PAGES without the swap cache and without block devices' pages
 */
import {
  KPF_ACTIVE,
  KPF_ANON,
  KPF_DIRTY,
  KPF_LRU,
  KPF_MMAP,
  KPF_SWAPBACKED,
  KPF_SWAPCACHE,
  KPF_UNEVICTABLE,
  KPF_WRITEBACK,
} from '../../proc/kpage_flags.ts';
import { parseKbFields } from '../read/fields_text.ts';
import { type CachedKind, type FrameTable, type HostSnapshot, KPF_NOT_READ, NO_CGROUP } from '../snapshot.ts';

export interface CacheSums {
  /** Of meminfo, in pages. */
  readonly cachedPages: number;
  readonly buffersPages: number;
  readonly shmemPages: number;
  readonly found: { readonly [kind in CachedKind]: FoundSum };
  /** Cached without Shmem, less the files found. */
  readonly restFilePages: number;
  /** Shmem, less the shared memory found. */
  readonly restShmemPages: number;
  /** Buffers, less the block devices found. */
  readonly restBuffersPages: number;
  readonly frames: CacheFrames | null;
}

export interface FoundSum {
  readonly files: number;
  readonly pages: number;
}

/** Frames of the page cache: on a list of reclaim, not anonymous, not in the swap cache. */
export interface CacheFrames {
  readonly pages: number;
  readonly filePages: number;
  readonly shmemPages: number;
  readonly mappedPages: number;
  readonly activePages: number;
  readonly inactivePages: number;
  readonly unevictablePages: number;
  /** Of files; shared memory is dirty all its life. */
  readonly dirtyPages: number;
  readonly writebackPages: number;
  /** Less Cached + Buffers of meminfo. */
  readonly difference: number;
  /** Of those that nobody maps: whom they are charged to, the most first. '' stands for nobody. */
  readonly unmappedByCgroup: readonly { readonly cgroup: string; readonly pages: number }[];
}

const ACTIVE = 1 << KPF_ACTIVE;
const ANON = 1 << KPF_ANON;
const DIRTY = 1 << KPF_DIRTY;
const LRU = 1 << KPF_LRU;
const MMAP = 1 << KPF_MMAP;
const SWAPBACKED = 1 << KPF_SWAPBACKED;
const SWAPCACHE = 1 << KPF_SWAPCACHE;
const UNEVICTABLE = 1 << KPF_UNEVICTABLE;
const WRITEBACK = 1 << KPF_WRITEBACK;
const KB_PER_PAGE = 4;

/**
 * Null without meminfo or without cachestat. `meminfo` is what stood there when the files had been asked; the frames are
 * compared with what stood there when they were read.
 */
export function cacheSums(snapshot: HostSnapshot, meminfo: string | null): CacheSums | null {
  const before = snapshot.texts.get('meminfo');
  const after = meminfo ?? before;
  if (after === undefined || snapshot.cache === null) return null;
  const { cachedPages, buffersPages, shmemPages } = meminfoPages(after);
  const found = { file: foundOf(snapshot, 'file'), shmem: foundOf(snapshot, 'shmem') };
  const device = foundOf(snapshot, 'device');
  return {
    cachedPages,
    buffersPages,
    shmemPages,
    found: { ...found, device },
    restFilePages: cachedPages - shmemPages - found.file.pages,
    restShmemPages: shmemPages - found.shmem.pages,
    restBuffersPages: buffersPages - device.pages,
    frames: snapshot.frames === null ? null : cacheFrames(snapshot, snapshot.frames, before ?? after),
  };
}

function meminfoPages(text: string): Pick<CacheSums, 'cachedPages' | 'buffersPages' | 'shmemPages'> {
  const fields = parseKbFields(new TextEncoder().encode(text));
  const pagesOf = (field: string) => (fields.get(field) ?? 0) / KB_PER_PAGE;
  return { cachedPages: pagesOf('Cached'), buffersPages: pagesOf('Buffers'), shmemPages: pagesOf('Shmem') };
}

function foundOf({ cache }: HostSnapshot, kind: CachedKind): FoundSum {
  const files = (cache ?? []).filter((file) => file.kind === kind);
  return { files: files.length, pages: files.reduce((sum, file) => sum + file.cachedPages, 0) };
}

/** Null where only some frames were read. */
function cacheFrames(snapshot: HostSnapshot, frames: FrameTable, meminfo: string): CacheFrames | null {
  const { wordsLow, word, count } = frames;
  if (wordsLow.includes(KPF_NOT_READ)) return null;
  const ofWord = new Uint32Array(wordsLow.length);
  for (let pfn = 0; pfn < count; pfn++) ofWord[word[pfn]!]! += 1;
  const pagesWith = (flag: number, unwanted = 0) => {
    let pages = 0;
    wordsLow.forEach((low, row) => {
      if (isCache(low) && (flag === 0 || (low & flag) !== 0) && (low & unwanted) === 0) pages += ofWord[row]!;
    });
    return pages;
  };
  const pages = pagesWith(0);
  const { cachedPages, buffersPages } = meminfoPages(meminfo);
  return {
    pages,
    filePages: pagesWith(0, SWAPBACKED),
    shmemPages: pagesWith(SWAPBACKED),
    mappedPages: pagesWith(MMAP),
    activePages: pagesWith(ACTIVE, UNEVICTABLE),
    inactivePages: pagesWith(0, ACTIVE | UNEVICTABLE),
    unevictablePages: pagesWith(UNEVICTABLE),
    dirtyPages: pagesWith(DIRTY, SWAPBACKED),
    writebackPages: pagesWith(WRITEBACK),
    difference: pages - cachedPages - buffersPages,
    unmappedByCgroup: unmappedByCgroup(snapshot, frames),
  };
}

function isCache(low: number): boolean {
  return (low & (LRU | ANON | SWAPCACHE)) === LRU;
}

export interface ChargedSum {
  readonly pages: number;
  readonly mappedPages: number;
}

/** What a cgroup holds of the page cache, by the owner of each frame. */
export function chargedPages({ frames }: HostSnapshot, cgroups: ReadonlySet<number>): ChargedSum | null {
  if (frames === null) return null;
  const { word, cgroup, count, wordsLow } = frames;
  const kinds = Uint8Array.from(wordsLow, (low) => (!isCache(low) ? 0 : (low & MMAP) === 0 ? 1 : 2));
  let pages = 0;
  let mappedPages = 0;
  for (let pfn = 0; pfn < count; pfn++) {
    const kind = kinds[word[pfn]!]!;
    if (kind === 0 || cgroup[pfn] === NO_CGROUP || !cgroups.has(cgroup[pfn]!)) continue;
    pages += 1;
    if (kind === 2) mappedPages += 1;
  }
  return { pages, mappedPages };
}

function unmappedByCgroup({ cgroups }: HostSnapshot, { word, cgroup, count, wordsLow }: FrameTable) {
  const isUnmapped = Uint8Array.from(wordsLow, (low) => (isCache(low) && (low & MMAP) === 0 ? 1 : 0));
  const pagesOf = new Uint32Array(NO_CGROUP + 1);
  for (let pfn = 0; pfn < count; pfn++) pagesOf[cgroup[pfn]!]! += isUnmapped[word[pfn]!]!;
  const found: { cgroup: string; pages: number }[] = [];
  pagesOf.forEach((pages, row) => {
    if (pages > 0) found.push({ cgroup: row === NO_CGROUP ? '' : (cgroups[row]?.path ?? ''), pages });
  });
  return found.sort((a, b) => b.pages - a.pages);
}
