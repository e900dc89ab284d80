/**
 * Why the entries that were found are more or fewer than the kernel counts.
 *
 * Promises  1. Nothing to say where both are equal and each process has its own address space.
 *           2. A difference always has at least one reason; `unknown` says so itself.
 * Linux     6.18 fs/proc/page.c: get_kpage_count; mm/rmap.c: folio_add_file_rmap_ptes; mm/hugetlb.c: huge_pmd_share
 */
import { hasKpf, KPF_ANON, KPF_HUGE, KPF_LRU, KPF_ZERO_PAGE } from '../../proc/kpage_flags.ts';

export interface Why {
  readonly what:
    | 'one address space'
    | 'changed'
    | 'not readable'
    | 'zero page'
    | 'not counted'
    | 'hugetlb'
    | 'large folio'
    | 'no count'
    | 'unknown';
  /** Entries or processes that it is about; null where nobody can say. */
  readonly count: number | null;
  readonly says: string;
}

interface Facts {
  readonly word: number | null;
  readonly mapcount: number | null;
  readonly folio: { readonly pages: number } | null;
  readonly found: number;
  /** Processes that were found to use the address space of another. */
  readonly sharing: number;
  readonly unreadable: number;
  readonly changed: readonly string[];
}

export function explainCount(facts: Facts): Why[] {
  const { mapcount, found, sharing } = facts;
  const why: Why[] = [];
  if (sharing > 0) {
    why.push({
      what: 'one address space',
      count: sharing,
      says: 'use the address space of another: one entry for both',
    });
  }
  if (mapcount === null) {
    why.push({ what: 'no count', count: null, says: '/proc/kpagecount may not be read (CAP_SYS_ADMIN)' });
  } else if (found !== mapcount) why.push(...reasons(facts, mapcount));
  return why;
}

function reasons({ word, folio, found, unreadable, changed }: Facts, mapcount: number): Why[] {
  const apart = Math.abs(found - mapcount);
  const why: Why[] = changed.map((says) => ({ what: 'changed', count: null, says }));
  if (word !== null && hasKpf(word, KPF_ZERO_PAGE)) {
    why.push({ what: 'zero page', count: apart, says: 'the kernel does not count who maps the page of zeros' });
  } else if (word !== null && hasKpf(word, KPF_HUGE)) {
    why.push({
      what: 'hugetlb',
      count: apart,
      says: 'processes that share a page table of a huge page are counted once',
    });
  } else if (folio !== null) {
    const says = `part of a folio of ${folio.pages} pages: kernels may count a folio as a whole, not page by page`;
    why.push({ what: 'large folio', count: apart, says });
  } else if (found > mapcount && word !== null && !hasKpf(word, KPF_LRU) && !hasKpf(word, KPF_ANON)) {
    const says = 'entries of memory of the kernel or of a device are not counted (VM_PFNMAP)';
    why.push({ what: 'not counted', count: apart, says });
  }
  if (found < mapcount && unreadable > 0) {
    why.push({ what: 'not readable', count: unreadable, says: 'processes whose mappings we may not read' });
  }
  if (why.length > 0) return why;
  const says =
    found < mapcount
      ? 'entries of processes that /proc does not show: ending, just being made, or of another namespace'
      : 'entries more than the kernel counts';
  return [{ what: 'unknown', count: apart, says }];
}
