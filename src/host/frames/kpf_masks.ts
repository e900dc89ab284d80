/** Flags of /proc/kpageflags as masks over the two halves of a word, for columns of them. The numbering is src/proc's. */
import {
  KPF_ACTIVE,
  KPF_ANON,
  KPF_BUDDY,
  KPF_COMPOUND_HEAD,
  KPF_COMPOUND_TAIL,
  KPF_DIRTY,
  KPF_HUGE,
  KPF_HWPOISON,
  KPF_IDLE,
  KPF_KSM,
  KPF_LRU,
  KPF_MLOCKED,
  KPF_NOPAGE,
  KPF_OFFLINE,
  KPF_PGTABLE,
  KPF_REFERENCED,
  KPF_RESERVED,
  KPF_SLAB,
  KPF_SWAPBACKED,
  KPF_SWAPCACHE,
  KPF_THP,
  KPF_UNEVICTABLE,
  KPF_UPTODATE,
  KPF_WRITEBACK,
  KPF_ZERO_PAGE,
} from '../../proc/kpage_flags.ts';

/** Bits 0 to 31. */
export const LOW_REFERENCED: number = 1 << KPF_REFERENCED;
export const LOW_UPTODATE: number = 1 << KPF_UPTODATE;
export const LOW_DIRTY: number = 1 << KPF_DIRTY;
export const LOW_LRU: number = 1 << KPF_LRU;
export const LOW_ACTIVE: number = 1 << KPF_ACTIVE;
export const LOW_SLAB: number = 1 << KPF_SLAB;
export const LOW_WRITEBACK: number = 1 << KPF_WRITEBACK;
export const LOW_BUDDY: number = 1 << KPF_BUDDY;
export const LOW_ANON: number = 1 << KPF_ANON;
export const LOW_SWAPCACHE: number = 1 << KPF_SWAPCACHE;
export const LOW_SWAPBACKED: number = 1 << KPF_SWAPBACKED;
export const LOW_COMPOUND_HEAD: number = 1 << KPF_COMPOUND_HEAD;
export const LOW_COMPOUND_TAIL: number = 1 << KPF_COMPOUND_TAIL;
export const LOW_HUGE: number = 1 << KPF_HUGE;
export const LOW_UNEVICTABLE: number = 1 << KPF_UNEVICTABLE;
export const LOW_HWPOISON: number = 1 << KPF_HWPOISON;
export const LOW_NOPAGE: number = 1 << KPF_NOPAGE;
export const LOW_KSM: number = 1 << KPF_KSM;
export const LOW_THP: number = 1 << KPF_THP;
export const LOW_OFFLINE: number = 1 << KPF_OFFLINE;
export const LOW_ZERO_PAGE: number = 1 << KPF_ZERO_PAGE;
export const LOW_IDLE: number = 1 << KPF_IDLE;
export const LOW_PGTABLE: number = 1 << KPF_PGTABLE;
/** Bits 32 to 63. */
export const HIGH_RESERVED: number = 1 << (KPF_RESERVED - 32);
export const HIGH_MLOCKED: number = 1 << (KPF_MLOCKED - 32);
