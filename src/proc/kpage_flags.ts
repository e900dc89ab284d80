/**
 * The KPF_ bits of /proc/kpageflags: the kernel's numbering for user space, which never changes, and what each bit says.
 *
 * Promises  It knows no machine: what reads a live host's words uses it, too.
 * Linux     6.18 include/uapi/linux/kernel-page-flags.h; Documentation/admin-guide/mm/pagemap.rst
 */

/** Bit by bit, from 0: its name, and what it says. Bit 34 depends on the page: see kpageFlagNames. */
const KPF_BITS: readonly (readonly [name: string, says: string])[] = [
  ['locked', 'somebody works on it: it is read or written'],
  ['error', 'reading or writing it failed'],
  ['referenced', 'was used since reclaim last looked'],
  ['uptodate', 'its content is valid'],
  ['dirty', 'changed since it was last written out'],
  ['lru', 'on a list of reclaim'],
  ['active', 'on the active list (MGLRU: in a young generation)'],
  ['slab', 'small objects of the kernel'],
  ['writeback', 'being written out'],
  ['reclaim', 'freed as soon as it is written'],
  ['buddy', 'free'],
  ['mmap', 'some page table maps it'],
  ['anon', 'anonymous memory: no file behind it'],
  ['swapcache', 'it has a slot in the swap area'],
  ['swapbacked', 'goes to swap, not to a file'],
  ['compound_head', 'the first page of a larger folio'],
  ['compound_tail', 'a further page of a larger folio'],
  ['huge', 'hugetlb: reserved huge pages'],
  ['unevictable', 'reclaim does not look at it'],
  ['hwpoison', 'broken memory: never used again'],
  ['nopage', 'no memory at this number'],
  ['ksm', 'one page in place of several equal ones (KSM)'],
  ['thp', 'part of a large folio (transparent huge page)'],
  ['offline', 'given back to the hypervisor'],
  ['zero_page', 'the page of zeros that stands for memory never written'],
  ['idle', 'not used since somebody marked it idle'],
  ['pgtable', 'a page table'],
  ['bit27', 'a flag this program does not know'],
  ['bit28', 'a flag this program does not know'],
  ['bit29', 'a flag this program does not know'],
  ['bit30', 'a flag this program does not know'],
  ['bit31', 'a flag this program does not know'],
  ['reserved', 'kept by the kernel since boot'],
  ['mlocked', 'locked into memory (mlock)'],
  ['owner_2', 'its owner uses this'],
  ['private', 'its file system keeps data with it (buffers)'],
  ['private_2', 'its file system uses this'],
  ['owner_private', 'its owner uses this'],
  ['arch', 'the architecture uses this (caches)'],
  ['uncached', 'mapped without caches'],
  ['softdirty', 'written since somebody cleared the soft-dirty bits'],
  ['arch_2', 'the architecture uses this'],
  ['arch_3', 'the architecture uses this'],
];

export const KPF_LOCKED = 0;
export const KPF_REFERENCED = 2;
export const KPF_UPTODATE = 3;
export const KPF_DIRTY = 4;
export const KPF_LRU = 5;
export const KPF_ACTIVE = 6;
export const KPF_SLAB = 7;
export const KPF_WRITEBACK = 8;
export const KPF_BUDDY = 10;
export const KPF_MMAP = 11;
export const KPF_ANON = 12;
export const KPF_SWAPCACHE = 13;
export const KPF_SWAPBACKED = 14;
export const KPF_COMPOUND_HEAD = 15;
export const KPF_COMPOUND_TAIL = 16;
export const KPF_HUGE = 17;
export const KPF_UNEVICTABLE = 18;
export const KPF_HWPOISON = 19;
export const KPF_NOPAGE = 20;
export const KPF_KSM = 21;
export const KPF_THP = 22;
export const KPF_OFFLINE = 23;
export const KPF_ZERO_PAGE = 24;
export const KPF_IDLE = 25;
export const KPF_PGTABLE = 26;
export const KPF_RESERVED = 32;
export const KPF_MLOCKED = 33;
export const KPF_OWNER_2 = 34;

/** Is the bit set in the word? Words are beyond 32 bits, so shifts do not see them whole. */
export function hasKpf(word: number, bit: number): boolean {
  return Math.floor(word / 2 ** bit) % 2 === 1;
}

/** `uptodate|lru|mmap|anon|swapbacked|anon_exclusive`. */
export function kpageFlagNames(word: number): string[] {
  return kpageFlagsInWords(word).map(({ name }) => name);
}

/** Each flag of the word, with what it says. */
export function kpageFlagsInWords(word: number): { readonly name: string; readonly says: string }[] {
  const found: { name: string; says: string }[] = [];
  for (let bit = 0, rest = word; rest > 0; bit++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 0) continue;
    if (bit === KPF_OWNER_2) found.push(owner2(hasKpf(word, KPF_ANON)));
    else {
      const [name, says] = KPF_BITS[bit] ?? [`bit${bit}`, UNKNOWN];
      found.push({ name, says });
    }
  }
  return found;
}

const UNKNOWN = 'a flag this program does not know';

/** One bit of the kernel's word, with two meanings. */
function owner2(anonymous: boolean): { name: string; says: string } {
  return anonymous
    ? { name: 'anon_exclusive', says: 'belongs to one process alone: a write needs no copy' }
    : { name: 'mappedtodisk', says: 'it has its blocks on the disk' };
}
