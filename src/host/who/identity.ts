/**
 * What a frame is, told from its word of /proc/kpageflags: its kind in the reclaim algorithm, its list, whose page it is.
 *
 * Promises  1. Every word is of exactly one kind, with the reason, in the words of mm/kinds.ts.
 *           2. A page of a file is named by what the kernel finds it by: device, inode and offset. Anonymous memory has no
 *              name; only the entries that map it say where it is.
 *           3. Pure: no Node.
 * Linux     6.18 fs/proc/page.c: stable_page_flags; include/linux/mm_inline.h: folio_lru_list; mm/vmscan.c: shrink_folio_list
 */
import {
  hasKpf,
  KPF_ACTIVE,
  KPF_ANON,
  KPF_BUDDY,
  KPF_DIRTY,
  KPF_HUGE,
  KPF_HWPOISON,
  KPF_KSM,
  KPF_LOCKED,
  KPF_LRU,
  KPF_MLOCKED,
  KPF_MMAP,
  KPF_NOPAGE,
  KPF_OFFLINE,
  KPF_PGTABLE,
  KPF_REFERENCED,
  KPF_RESERVED,
  KPF_SLAB,
  KPF_SWAPBACKED,
  KPF_SWAPCACHE,
  KPF_UNEVICTABLE,
  KPF_UPTODATE,
  KPF_WRITEBACK,
  KPF_ZERO_PAGE,
} from '../../proc/kpage_flags.ts';
import { parseZones } from '../kernel_texts.ts';
import type { HostFile } from '../snapshot.ts';

export type FrameKind = 'free' | 'unreclaimable' | 'swappable' | 'syncable' | 'discardable';

export interface KindOfFrame {
  readonly kind: FrameKind;
  readonly reason: string;
}

/** What reclaim could do with the frame. `hasSwap`: null where nobody knows. */
export function kindOfFrame(word: number, hasSwap: boolean | null = null): KindOfFrame {
  const never = unreclaimableReason(word);
  if (hasKpf(word, KPF_BUDDY)) return { kind: 'free', reason: 'nothing to reclaim' };
  if (never !== null) return { kind: 'unreclaimable', reason: never };
  if (hasKpf(word, KPF_ANON)) return kindOfAnonymous(word, hasSwap);
  if (hasKpf(word, KPF_SWAPBACKED)) return swappable(word, hasSwap, 'shared memory or tmpfs');
  const ending = hasKpf(word, KPF_DIRTY)
    ? 'dirty, must be written first'
    : hasKpf(word, KPF_WRITEBACK)
      ? 'being written'
      : 'clean, equal to the disk';
  return { kind: 'syncable', reason: `a page of a file on disk, ${whereText(word)}: ${ending}` };
}

/** Why the frame stays whatever reclaim wants; null if it can go. */
function unreclaimableReason(word: number): string | null {
  for (const [bit, reason] of NEVER) if (hasKpf(word, bit)) return reason;
  if (hasKpf(word, KPF_ANON) || isCached(word)) return null;
  if (hasKpf(word, KPF_MMAP)) return 'mapped, and on no list: memory of the kernel or of a driver';
  return 'allocated by the kernel, or free on a list of one CPU';
}

const NEVER: readonly (readonly [bit: number, reason: string])[] = [
  [KPF_NOPAGE, 'no memory has this number'],
  [KPF_HWPOISON, 'broken memory, never used again'],
  [KPF_OFFLINE, 'given back to the hypervisor'],
  [KPF_ZERO_PAGE, 'the page of zeros: there is one for all'],
  [KPF_SLAB, 'allocated by the kernel (slab); the cache may shrink, the flags do not tell'],
  [KPF_PGTABLE, 'a page table'],
  [KPF_RESERVED, 'reserved for the kernel'],
  [KPF_HUGE, 'hugetlb: reserved huge pages are never reclaimed'],
  [KPF_MLOCKED, 'locked into memory (mlock)'],
  [KPF_UNEVICTABLE, 'in a mapping whose pages must stay'],
  [KPF_LOCKED, 'locked for I/O at this moment'],
];

function kindOfAnonymous(word: number, hasSwap: boolean | null): KindOfFrame {
  if (!hasKpf(word, KPF_SWAPBACKED)) return { kind: 'discardable', reason: 'anonymous, given up with MADV_FREE' };
  return swappable(word, hasSwap, hasKpf(word, KPF_KSM) ? 'anonymous, one for several equal ones (KSM)' : 'anonymous');
}

function swappable(word: number, hasSwap: boolean | null, what: string): KindOfFrame {
  const hasCopy = hasKpf(word, KPF_SWAPCACHE) && !hasKpf(word, KPF_DIRTY) && !hasKpf(word, KPF_WRITEBACK);
  const ending = hasKpf(word, KPF_WRITEBACK)
    ? 'being written to the swap area'
    : hasCopy
      ? 'its copy in the swap area is good'
      : hasSwap === false
        ? 'it could go to a swap area, but there is none'
        : 'its content goes to the swap area';
  return { kind: 'swappable', reason: `${what}, ${whereText(word)}: ${ending}` };
}

function whereText(word: number): string {
  const list = !hasKpf(word, KPF_LRU)
    ? 'on no list yet'
    : hasKpf(word, KPF_ACTIVE)
      ? 'on the active list'
      : 'on the inactive list';
  return `${list}, ${hasKpf(word, KPF_REFERENCED) ? 'referenced' : 'not referenced'}`;
}

export interface Identity {
  readonly kind: 'anonymous' | 'ksm' | 'file' | 'shmem' | 'hugetlb' | 'zero' | 'kernel' | 'free' | 'none';
  /** The same in words: `shared anonymous memory`, `memfd`, `page table` … */
  readonly what: string;
  /** Of a file, also one of shared memory; null where none is known. */
  readonly device: string | null;
  readonly inode: string | null;
  readonly path: string | null;
  readonly deleted: boolean;
  /** In bytes. */
  readonly offset: number | null;
}

/** Where in a file a page stands, as an entry that maps it shows. */
export interface FilePlace {
  readonly file: Pick<HostFile, 'device' | 'inode' | 'path' | 'deleted'>;
  /** In bytes. */
  readonly offset: number;
}

/** On a list of reclaim, or on its way there on a CPU's batch: then its content tells. */
function isCached(word: number): boolean {
  return [KPF_LRU, KPF_UPTODATE, KPF_DIRTY, KPF_WRITEBACK].some((bit) => hasKpf(word, bit));
}

const NOWHERE = { device: null, inode: null, path: null, deleted: false, offset: null };

/** `place` is where an entry that maps the frame says it is; null if nobody maps it, or no file. */
export function identityOf(word: number, place: FilePlace | null): Identity {
  const own = ownKind(word);
  if (own !== null) return { ...own, ...NOWHERE };
  const isHuge = hasKpf(word, KPF_HUGE);
  const isShmem = hasKpf(word, KPF_SWAPBACKED);
  if (place === null) {
    if (isHuge) return { kind: 'hugetlb', what: 'a huge page of hugetlb', ...NOWHERE };
    if (isCached(word)) {
      return isShmem
        ? { kind: 'shmem', what: 'shared memory or tmpfs', ...NOWHERE }
        : { kind: 'file', what: 'page cache: nobody maps it, so nothing here tells of which file', ...NOWHERE };
    }
    return { kind: 'kernel', what: 'of the kernel or a driver', ...NOWHERE };
  }
  const { device, inode, path, deleted } = place.file;
  const where = { device, inode, path, deleted, offset: place.offset };
  if (isHuge) return { kind: 'hugetlb', what: 'a huge page of hugetlb', ...where };
  if (isShmem) return { kind: 'shmem', what: shmemName(path, deleted), ...where };
  if (!isCached(word)) return { kind: 'kernel', what: 'of the kernel or a driver, mapped through a file', ...where };
  return { kind: 'file', what: deleted ? 'a deleted file' : 'a file', ...where };
}

/** What is told by the flags alone. */
function ownKind(word: number): Pick<Identity, 'kind' | 'what'> | null {
  for (const [bit, kind, what] of OWN) if (hasKpf(word, bit)) return { kind, what };
  return null;
}

const OWN: readonly (readonly [bit: number, kind: Identity['kind'], what: string])[] = [
  [KPF_NOPAGE, 'none', 'no memory'],
  [KPF_BUDDY, 'free', 'free'],
  [KPF_ZERO_PAGE, 'zero', 'the page of zeros'],
  // A slab's page keeps other things where a user's has its mapping: its word may say anon and ksm too.
  [KPF_SLAB, 'kernel', 'slab'],
  [KPF_PGTABLE, 'kernel', 'a page table'],
  [KPF_KSM, 'ksm', 'one page for several equal ones (KSM)'],
  [KPF_ANON, 'anonymous', 'anonymous memory'],
  [KPF_OFFLINE, 'none', 'given back to the hypervisor'],
  [KPF_HWPOISON, 'none', 'broken memory'],
];

/** What made the object, by the name that maps shows. */
function shmemName(path: string, deleted: boolean): string {
  if (path.startsWith('/memfd:')) return 'memfd';
  if (/^\/SYSV[0-9a-f]{8}$/.test(path)) return 'System V shared memory';
  if (path === '/dev/zero' && deleted) return 'shared anonymous memory';
  return 'shared memory or a file on tmpfs';
}

/** The zone that holds the frame, by /proc/zoneinfo; null if none says so. */
export function zoneOf(zoneinfo: string, pfn: number): string | null {
  const zone = parseZones(zoneinfo).find(({ startPfn, spanned }) => pfn >= startPfn && pfn < startPfn + spanned);
  if (zone === undefined) return null;
  return zone.node === 0 ? zone.zone : `${zone.zone} (node ${zone.node})`;
}
