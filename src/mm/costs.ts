/**
 * What things take on the machine's clock.
 *
 * Owns      the table. Counts are measured by the replay, times are not: this is an assumption about hardware, stated so that it
 *           can be argued with. Waits for a disk come from the disk's own configuration.
 *
 *   what                       ns    why so many
 *   access                      1    about 3 cycles: most hit a cache
 *   fault without I/O         500    entry, a page cleared, charged and mapped; a quarter to a whole µs is usual on x86
 *   page from zram           3000    4 KiB unpacked at 1.5 to 2 GB/s, and the fault around it
 *   page to zram             6000    4 KiB packed at 0.7 to 1 GB/s
 *   page scanned by reclaim   200    isolated, looked up in the page tables, put back
 *
 * The last line is what the clock takes. `compare` splits it, because there kernels differ; for a page that is mapped once it
 * comes to about the same:
 *
 *   page scanned              100    isolated, locked, put back
 *   address space walked      100    found on the list, its VMAs begun
 *   anon_vma met               20    locked
 *   link met                   10    an anon_vma_chain or pte_chain: one more line of memory
 *   VMA visited                50    the address in it, and four levels down to its table
 *   page-table entry visited   10    read; in a row eight of them share a line
 */
export const ACCESS_NS = 1;
export const FAULT_NS = 500;
export const ZRAM_IN_NS = 3000;
export const ZRAM_OUT_NS = 6000;
export const SCAN_NS = 200;
export const PAGE_SCAN_NS = 100;
export const MM_WALK_NS = 100;
export const ANON_VMA_NS = 20;
export const CHAIN_NS = 10;
export const VMA_VISIT_NS = 50;
export const PTE_VISIT_NS = 10;
