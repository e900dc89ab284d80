/**
 * What reverse walks and scans have cost: the figures in which kernels differ and which no kernel shows.
 *
 * Owns      the counters. Whoever walks or scans adds to them; nothing in the engine reads them.
 * Promises  They only grow.
 */
export class WorkCounts {
  /** Page-table entries that a search for the mappings of pages looked at. */
  ptesVisited = 0;
  /** VMAs that a reverse walk met, those in vain among them. */
  vmasVisited = 0;
  /** anon_vmas that reverse walks began at. */
  anonVmasMet = 0;
  /** Links (anon_vma_chain, pte_chain) that reverse walks met. */
  chainsMet = 0;
  /** Address spaces that swap_out went through (2.4). */
  mmsWalked = 0;
  /** Pages of inactive lists that a scan looked at, and those it freed. */
  pagesScanned = 0;
  pagesReclaimed = 0;
  /** Searches for a VMA that asked the task's cache first, and those that it answered. */
  vmacacheFindCalls = 0;
  vmacacheFindHits = 0;
}
