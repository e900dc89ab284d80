/**
 * What the four texts that the project began with say, point by point, in our words: every structure, field, list, macro, function and
 * rule that they name, where it is here, and the tests that hold us to it. docs/coverage.md begins with these tables.
 *
 * A test is named by a part of its title, as scripts/titles.ts finds it.
 */

export interface Point {
  readonly what: string;
  /** Where it is, from src/ on. */
  readonly file: string;
  readonly tests: readonly string[];
  /** Why there is none. */
  readonly why?: string;
}

export interface Seed {
  readonly title: string;
  readonly kernel: string;
  readonly points: readonly Point[];
}

function point(what: string, file: string, ...tests: string[]): Point {
  return { what, file, tests };
}

/** What has no place in the engine: the reason stands where the tests would. */
function without(what: string, file: string, why: string): Point {
  return { what, file, tests: [], why };
}

const MAUERER: readonly Point[] = [
  point(
    '`page->mapping` of an anonymous page is the address of its anon_vma’s list head plus `PAGE_MAPPING_ANON`',
    'mm/rmap/anon_vma_list.ts',
    '[2.6 tag bit]',
  ),
  point('The lowest bit of `mapping` tells anonymous pages from those of files', 'mm/memmap.ts', '[2.6 tag bit]'),
  point('That bit is free because what is pointed at is aligned', 'mm/machine.ts', '[2.6 tag bit]'),
  point('`page_add_file_rmap` increments `_mapcount`', 'mm/rmap/rmap_2_6.ts', '[2.6 mapcount]'),
  point(
    '`atomic_inc_and_test`: `_mapcount` begins at −1, so only the first mapping is counted by the zone',
    'mm/memmap.ts',
    '[2.6 mapcount]',
  ),
  point('`__inc_zone_page_state`: `NR_FILE_MAPPED` of the page’s zone', 'mm/rmap/rmap_2_6.ts', '[2.6 NR_*]'),
  point(
    '`try_to_unmap` takes a page out of the tables of all processes that use it',
    'mm/rmap/rmap_2_6.ts',
    '[2.6 rmap]',
  ),
  point(
    '… and is what swapping rests on: entries become swap entries',
    'mm/rmap/rmap_2_6.ts',
    '[2.6 story Anonymous page]',
  ),
  point(
    '`page_referenced` counts who has used a page lately, which is not the number of its mappings',
    'mm/rmap/rmap_2_6.ts',
    '[2.6 rmap]',
  ),
  point('`page_referenced` asks `page_referenced_anon` or `page_referenced_file`', 'mm/rmap/rmap_2_6.ts', '[2.6 rmap]'),
  point(
    '`page_referenced_anon` goes through the anon_vma’s list of regions',
    'mm/rmap/anon_vma_list.ts',
    '[2.6 fork + exit]',
  ),
  point('`page_referenced_file` finds them by the file', 'mm/rmap/rmap_2_6.ts', '[2.6 vm_pgoff window]'),
  point('`page_lock_anon_vma` finds the `anon_vma` from a `page`', 'mm/rmap/anon_vma_list.ts', 'page_lock_anon_vma'),
  point('… and gives nothing when the tag is not set', 'mm/rmap/anon_vma_list.ts', 'page_lock_anon_vma'),
  point('`struct anon_vma` is a list of regions', 'mm/rmap/anon_vma_list.ts', '[2.6 fork + exit]'),
];

const BIG_PICTURE: readonly Point[] = [
  point('From an address to its `vm_area_struct`', 'mm/vma_tree.ts', 'find'),
  point('`vm_pgoff` is the offset that mmap was given, in pages', 'mm/mmap.ts', '[2.6 vma_address]'),
  point('`index = ((address − vm_start) >> PAGE_SHIFT) + vm_pgoff`', 'mm/vma.ts', '[2.6 vma_address]'),
  point('`PAGE_CACHE_SHIFT − PAGE_SHIFT` is nothing: pages of the cache are pages', 'mm/vma.ts', '[2.6 vma_address]'),
  point(
    'With the index the page is found in the `page_tree` of the file’s `address_space`, a radix tree',
    'mm/xarray.ts',
    'radix height',
  ),
  point('`page->index` is the page’s place in its file', 'mm/filemap.ts', '[2.6 vma_address]'),
  point('To free a page all entries that refer to it are found', 'mm/rmap/rmap_2_6.ts', '[2.6 rmap]'),
  point(
    '`mapping->i_mmap` has every `vm_area_struct` that maps the file, of all processes',
    'mm/prio_tree.ts',
    '[2.6 vm_pgoff window]',
  ),
  point('`vma_address()`: `address = vm_start + ((pgoff − vm_pgoff) << PAGE_SHIFT)`', 'mm/vma.ts', '[2.6 vma_address]'),
  point(
    'The address must lie inside: a file may be mapped several times, at other offsets',
    'mm/vma.ts',
    '[2.6 vm_pgoff window]',
  ),
  point(
    'Non-linear mappings: all entries of all VMAs on `mapping->i_mmap_nonlinear` are scanned',
    'mm/rmap/nonlinear.ts',
    '[2.6 nonlinear]',
  ),
  point(
    '`try_to_unmap_file`: linear mappings first, then the non-linear ones',
    'mm/rmap/rmap_2_6.ts',
    '[2.6 nonlinear]',
  ),
  point(
    'Unreclaimable: free pages, which are on buddy lists',
    'mm/page_alloc_2_6.ts',
    '[2.4 four types of pages ([BC] table)]',
  ),
  point('Unreclaimable: reserved pages (`PG_reserved`)', 'mm/page_flags.ts', '[2.4 four types of pages ([BC] table)]'),
  point(
    'Unreclaimable: pages that the kernel allocated for itself',
    'mm/slab.ts',
    '[2.4 four types of pages ([BC] table)]',
  ),
  point('Unreclaimable: kernel mode stacks', 'mm/fork.ts', 'kernel mode stack'),
  point(
    'Unreclaimable: temporarily locked pages (`PG_locked`)',
    'mm/reclaim/shrink_page_list_2_6.ts',
    '[2.6 shrink_page_list]',
  ),
  point('Unreclaimable: pages of `VM_LOCKED` regions', 'mm/reclaim/shrink_page_list_2_6.ts', '[2.6 shrink_page_list]'),
  point(
    'Swappable: anonymous pages of heap and stack go to a swap area',
    'mm/reclaim/shrink_page_list_2_6.ts',
    '[2.6 story Anonymous page]',
  ),
  point('Swappable: mapped pages of tmpfs, shared memory', 'mm/shmem.ts', '[2.4 four types of pages ([BC] table)]'),
  point('Syncable: mapped pages of files', 'mm/reclaim/shrink_page_list_2_6.ts', '[2.6 pageout]'),
  point('Syncable: page cache of disk files', 'mm/writeback.ts', '[2.6 pageout]'),
  point('Syncable: buffers of block devices', 'mm/buffer.ts', '[2.4 four types of pages ([BC] table)]'),
  point('Syncable: some pages of disk caches, such as the inode cache', 'mm/dcache.ts', '[2.4 dentry/inode shrink]'),
  point('Discardable: unused pages of the slab allocator', 'mm/slab.ts', '[2.4 slab reap]'),
  point('Discardable: unused pages of the dentry cache', 'mm/dcache.ts', '[2.4 dentry/inode shrink]'),
];

const GORMAN: readonly Point[] = [
  point(
    'Every frame has a `struct page`; `mem_map_t` is the same, and `mem_map` the array of them',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags]',
  ),
  point(
    '`list`: `clean_pages`, `dirty_pages` or `locked_pages` of the page’s `address_space`',
    'mm/page_hash.ts',
    '[2.4 mapping lists]',
  ),
  point('`list`: in a slab, pointers to its slab and cache', 'mm/struct_page_2_4.ts', '[2.4 struct page, flags]'),
  point('`list`: links free blocks of the buddy allocator', 'mm/page_alloc_2_4.ts', '[2.4 buddy]'),
  point(
    '`mapping`: the `address_space` of the file that the page belongs to',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags]',
  ),
  point(
    '`mapping`: `swapper_space` for an anonymous page in the swap cache',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags]',
  ),
  point('`index`: offset in the file', 'mm/struct_page_2_4.ts', '[2.4 struct page, flags]'),
  point(
    '`index`: in the swap cache, the offset in `swapper_space`',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags]',
  ),
  point(
    '`index`: the order of a block that is freed for a process, set by `__free_pages_ok()`',
    'mm/page_alloc_2_4.ts',
    'index',
  ),
  point('`next_hash`: pages of files are hashed on inode and offset', 'mm/page_hash.ts', '[2.4 page cache hash]'),
  point('`pprev_hash`: the way back', 'mm/page_hash.ts', '[2.4 page cache hash]'),
  point('`count`: users; at 0 the page may be freed', 'mm/memmap.ts', '[2.4 story'),
  point('`flags`: all of table 3.1', 'mm/page_flags_2_4.ts', '[2.4 struct page, flags]'),
  point('Macros of table 3.2: test, set, clear', 'mm/page_flags_2_4.ts', 'macro'),
  point('`lru`: on `active_list` or `inactive_list`', 'mm/reclaim/lru_2_4.ts', '[2.4 first/second touch]'),
  point('`buffers`: the page’s `buffer_head`s', 'mm/buffer.ts', 'buffer'),
  point(
    '`buffers`: an anonymous page may have them while it goes to a swap file',
    'mm/buffer.ts',
    '[2.4 story Anonymous page',
  ),
  point('`virtual`: only with `CONFIG_HIGHMEM` or `WANT_PAGE_VIRTUAL`', 'mm/highmem.ts', 'virtual'),
  point(
    'Only pages up to `ZONE_NORMAL` are mapped by the kernel; `kmap()` maps those of `ZONE_HIGHMEM`',
    'mm/highmem.ts',
    'kmap',
  ),
  point('… and there is a fixed number of places for them', 'mm/highmem.ts', 'kmap'),
  point(
    'Up to 2.4.18 each page has a pointer to its zone, and what that costs',
    'mm/struct_page_2_4.ts',
    'zone pointer',
  ),
  point(
    'Since then the top `ZONE_SHIFT` (8) bits of `flags` say which zone',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags]',
  ),
  point('`zone_table[MAX_NR_ZONES * MAX_NR_NODES]`, with up to 3 zones in a node', 'mm/zone_table.ts', 'zone_table'),
  point('`free_area_init_core()` fills `zone_table[nid * MAX_NR_ZONES + j]`', 'mm/zone_table.ts', 'zone_table'),
  point('`set_page_zone()` for each page', 'mm/zone_table.ts', 'zone_table'),
];

const LISTS: readonly Point[] = [
  point(
    'Anonymous pages are those of heap, stack and private memory, and of memory shared by relatives',
    'mm/faults_3.ts',
    '[3.x anon fault]',
  ),
  point('Anonymous regions map memory and no file', 'mm/mmap.ts', '[3.x anon fault]'),
  point(
    'Five lists: `LRU_INACTIVE_ANON`, `LRU_ACTIVE_ANON`, `LRU_INACTIVE_FILE`, `LRU_ACTIVE_FILE`, `LRU_UNEVICTABLE`, for each zone',
    'mm/reclaim/lru_3.ts',
    'five lists',
  ),
  point('Pages are added at the head', 'mm/reclaim/lru_3.ts', '[3.x pagevec]'),
  point(
    'The inactive anonymous list is about 25 % of a zone’s anonymous pages',
    'mm/reclaim/vmscan_3.ts',
    'inactive_ratio',
  ),
  point(
    'It is filled from the tail of the active list when it is shorter',
    'mm/reclaim/vmscan_3.ts',
    '[3.x shrink_active_list]',
  ),
  point('The two file lists are alike', 'mm/reclaim/vmscan_3.ts', '[3.x use-once]'),
  point('The unevictable list has pages that mlock has locked', 'mm/mlock_3.ts', '[3.x mlock]'),
  point(
    'Reclaim scans the inactive anonymous list and puts pages into swap',
    'mm/reclaim/shrink_page_list_3.ts',
    '[3.x try_to_unmap]',
  ),
  point(
    'From the page all VMAs and processes are found, and their tables marked that the page is swapped out',
    'mm/rmap/rmap_3.ts',
    '[3.x try_to_unmap]',
    '[3.x rmap walk]',
  ),
  point('The next access brings it back', 'mm/faults_3.ts', '[3.x COW of shared swap]'),
  point('Each process has an `mm_struct`; a kernel thread uses that of who ran before it', 'mm/lazy_mm.ts', 'lazy'),
  point('A light-weight process uses its parent’s', 'mm/lazy_mm.ts', 'mm_users'),
  point('All `mm_struct`s are on one list, and `init_mm` is its head', 'mm/mmlist.ts', 'mmlist'),
  point('`mmap`: the list of VMAs in order of addresses', 'mm/vma_list.ts', 'in order'),
  point('`mm_rb`: the same VMAs in a red-black tree', 'mm/vma_tree.ts', 'rb'),
  point('`vmacache_seqnum`', 'mm/vmacache.ts', 'vmacache'),
  point('`get_unmapped_area` finds a free range of a length', 'mm/unmapped_area_3.ts', '[3.x rb_subtree_gap]'),
  point(
    '`mmap_base`, `mmap_legacy_base`: where mappings begin, and where with the old layout',
    'mm/unmapped_area_3.ts',
    'mmap_base',
  ),
  point('`task_size`, `highest_vm_end`', 'mm/mm.ts', 'highest_vm_end'),
  point('`pgd`, `nr_ptes`', 'mm/page_table.ts', 'nr_ptes'),
  point('`mm_users` counts those who share it, and they are one in `mm_count`', 'mm/lazy_mm.ts', 'mm_users'),
  point('`mm_count`: at 0 the `mm_struct` goes', 'mm/lazy_mm.ts', 'mm_count'),
  point('`map_count`: how many VMAs', 'mm/mm.ts', 'map_count'),
  without('`page_table_lock`', 'mm/mm.ts', 'one CPU runs at a time: nobody would wait for it'),
  point('`mmlist`: who may have pages in swap', 'mm/mmlist.ts', 'mmlist'),
  point('`hiwater_rss`, `hiwater_vm`', 'mm/mm.ts', 'hiwater'),
  point('`total_vm`', 'mm/vm_account.ts', 'total_vm'),
  point('`locked_vm`', 'mm/mlock.ts', 'locked_vm'),
  point('`pinned_vm`', 'mm/mm.ts', 'pinned_vm'),
  point('`shared_vm`, `exec_vm`, `stack_vm`', 'mm/vm_account.ts', 'exec_vm'),
  point('`def_flags`', 'mm/mm.ts', 'def_flags'),
  point('`start_code` … `end_data`', 'mm/mm.ts', 'start_code'),
  point('`start_brk`, `brk`, `start_stack`', 'mm/mm.ts', 'start_brk'),
  point('`arg_start` … `env_end`', 'mm/mm.ts', 'arg_start'),
  point('`owner`, `exe_file`', 'mm/mm.ts', 'exe_file'),
  point('A new area is merged with its neighbour when their rights agree', 'mm/vma_merge_3.ts', '[3.x vma_merge 1–8]'),
  point('A page is made when it is touched first', 'mm/faults_3.ts', '[3.x anon fault]'),
  point('`vm_start`, `vm_end`, the first address and the first behind', 'mm/vma.ts', 'vm_start'),
  point('`vm_next`, `vm_prev`', 'mm/vma_list.ts', 'vm_prev'),
  point('`vm_rb`', 'mm/vma_tree.ts', 'rb'),
  point('`rb_subtree_gap`: the largest free range in a subtree', 'mm/vma_gap_tree.ts', '[3.x rb_subtree_gap]'),
  point('`vm_mm`', 'mm/vma.ts', 'vm_mm'),
  point('`vm_page_prot`, `vm_flags`: the rights that entries of a new page get', 'mm/vma.ts', 'vm_page_prot'),
  point('`shared.linear` (`rb`, `rb_subtree_last`): the file’s interval tree', 'mm/interval_tree.ts', 'subtreeLast'),
  point('`shared.nonlinear`: the file’s list of nonlinear VMAs', 'mm/rmap/nonlinear.ts', 'nonlinear'),
  point(
    '`anon_vma_chain`: the VMA’s list of links; empty as long as there is no `anon_vma`',
    'mm/rmap/anon_vma_3.ts',
    '[3.x anon_vma chains]',
  ),
  point('`anon_vma`', 'mm/rmap/anon_vma_3.ts', '[3.x anon_vma chains]'),
  point(
    '`struct anon_vma`, `struct anon_vma_chain`: from a page to its VMAs',
    'mm/rmap/anon_vma_3.ts',
    '[3.x rmap walk]',
  ),
  point('`vm_ops`: null for anonymous regions', 'mm/vma.ts', 'vm_ops'),
  point('`vm_pgoff`: offset in the file; for anonymous memory the page number of `vm_start`', 'mm/mmap.ts', 'vm_pgoff'),
  point('`vm_file`: null for private anonymous memory, the shmem file for shared', 'mm/mmap.ts', 'vm_file'),
  point('`vm_private_data`: the cursor of a nonlinear VMA', 'mm/rmap/nonlinear.ts', 'cursor'),
  without('`vm_region`', 'mm/vma.ts', 'only in kernels without an MMU'),
  point('`vm_policy`: NUMA policy', 'mm/mempolicy.ts', 'mempolicy'),
];

export const SEEDS: readonly Seed[] = [
  { title: 'Reverse mapping (Mauerer, Linux Kernel Architecture, 4.8)', kernel: '2.6.24', points: MAUERER },
  { title: 'Linux kernel: A Big Picture', kernel: '2.6.26', points: BIG_PICTURE },
  { title: 'Pages (Gorman, Understanding the Linux Virtual Memory Manager, 3.3)', kernel: '2.4', points: GORMAN },
  { title: 'Reverse mapping of anonymous pages, and five lists', kernel: '3.16', points: LISTS },
];
