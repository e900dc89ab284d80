/**
 * /proc/kpageflags, kpagecount and kpagecgroup: what each frame is.
 *
 * Owns      which of a frame's flags are shown as which bit (their names: kpage_flags.ts).
 * Linux     6.18 fs/proc/page.c: stable_page_flags get_kpage_count; include/uapi/linux/kernel-page-flags.h
 */

import { buddyOrder, MAX_PAGE_ORDER } from '../mm/buddy.ts';
import { folioMapcount } from '../mm/folio.ts';
import type { Machine } from '../mm/machine.ts';
import { compoundHead } from '../mm/page_alloc.ts';
import {
  PAGE_MAPPING_KSM,
  type PageFlags,
  PG_active,
  PG_anon_exclusive,
  PG_buddy,
  PG_dirty,
  PG_error,
  PG_head,
  PG_locked,
  PG_lru,
  PG_mappedtodisk,
  PG_mlocked,
  PG_private,
  PG_reclaim,
  PG_referenced,
  PG_reserved,
  PG_slab,
  PG_swapbacked,
  PG_swapcache,
  PG_table,
  PG_tail,
  PG_unevictable,
  PG_uptodate,
  PG_writeback,
} from '../mm/page_flags.ts';
import type { Pfn } from '../mm/units.ts';
import { procFormat } from './formats.ts';
import {
  KPF_ANON,
  KPF_BUDDY,
  KPF_KSM,
  KPF_MMAP,
  KPF_OWNER_2,
  KPF_SWAPCACHE,
  KPF_THP,
  KPF_ZERO_PAGE,
} from './kpage_flags.ts';

/** Flags that are shown as they are. Bit 34 is one bit of the kernel's word with two meanings. */
const COPIED: ReadonlyArray<{ readonly flag: number; readonly value: number }> = (
  [
    [PG_locked, 0],
    [PG_error, 1],
    [PG_referenced, 2],
    [PG_uptodate, 3],
    [PG_dirty, 4],
    [PG_lru, 5],
    [PG_active, 6],
    [PG_slab, 7],
    [PG_writeback, 8],
    [PG_reclaim, 9],
    [PG_buddy, 10],
    [PG_swapbacked, 14],
    [PG_head, 15],
    [PG_tail, 16],
    [PG_unevictable, 18],
    [PG_table, 26],
    [PG_reserved, 32],
    [PG_mlocked, 33],
    [PG_mappedtodisk | PG_anon_exclusive, KPF_OWNER_2],
    [PG_private, 35],
    [PG_swapcache, 37],
  ] as const
).map(([flag, bit]) => ({ flag, value: 2 ** bit }));

/** The word of one frame: a whole number below 2**40. */
export function kpageFlags(machine: Machine, pfn: Pfn): number {
  const { own } = procFormat(machine);
  if (own?.kpageFlags !== undefined) return own.kpageFlags(machine, pfn);
  const { frames } = machine;
  const folio = compoundHead(machine, pfn);
  // SINCE 6.11: a tail shows the flags of its head.
  const flags =
    machine.generation.switches.hugeFolios && folio !== pfn ? tailFlags(frames.allFlags(folio)) : frames.allFlags(pfn);
  let word = 0;
  for (let i = 0; i < COPIED.length; i++) if ((flags & COPIED[i]!.flag) !== 0) word += COPIED[i]!.value;
  if (folioMapcount(machine, folio) > 0) word += 2 ** KPF_MMAP;
  if (frames.isAnon(pfn)) word += 2 ** KPF_ANON;
  if ((frames.mapping(pfn) & PAGE_MAPPING_KSM) === PAGE_MAPPING_KSM) word += 2 ** KPF_KSM;
  // A page of a file may carry the bit for its own purposes.
  if (frames.has(folio, PG_swapcache) && frames.has(folio, PG_swapbacked)) word += 2 ** KPF_SWAPCACHE;
  const isPage = frames.has(folio, PG_lru) || frames.isAnon(folio);
  if (frames.has(folio, PG_head) && isPage && !frames.has(folio, PG_slab)) word += 2 ** KPF_THP;
  if (pfn === machine.zeroPfn) word += 2 ** KPF_ZERO_PAGE;
  // SINCE 4.6: before, only the first page of a free block was shown as free (linux_3.ts).
  if (!frames.has(pfn, PG_buddy) && isFreeBuddyPage(machine, pfn)) word += 2 ** KPF_BUDDY;
  return word;
}

/** In a free block of the buddy system, the first of it or another. */
export function isFreeBuddyPage(machine: Machine, pfn: Pfn): boolean {
  const { frames, zones } = machine;
  if (frames.refcount(pfn) > 0) return false;
  const first = zones[frames.zoneIndex(pfn)]!.startPfn;
  for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
    const head = (pfn - ((pfn - first) % 2 ** order)) as Pfn;
    if (frames.has(head, PG_buddy)) return head + 2 ** buddyOrder(frames, head) > pfn;
  }
  return false;
}

function tailFlags(head: PageFlags): PageFlags {
  return (head & ~PG_head) | PG_tail;
}

/** How many page-table entries map the frame. */
export function kpageCount(machine: Machine, pfn: Pfn): number {
  return machine.frames.mapcount(pfn);
}

/** The cgroup that the frame is charged to, by id (the kernel: by inode number); 0 is none. */
export function kpageCgroup(machine: Machine, pfn: Pfn): number {
  return machine.frames.memcg(pfn);
}

/** One of the three files as it is read: eight bytes a frame. */
export function kpageFile(
  machine: Machine,
  word: (machine: Machine, pfn: Pfn) => number,
  first: Pfn,
  frames: number,
): BigUint64Array {
  const words = new BigUint64Array(Math.max(0, Math.min(frames, machine.frames.frames - first)));
  for (let i = 0; i < words.length; i++) words[i] = BigInt(word(machine, (first + i) as Pfn));
  return words;
}
