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
    'mm/rmap/rmap_2_6.ts',
    '[2.6 tag bit]',
  ),
  point(
    'The lowest bit of `mapping` tells anonymous pages from those of files',
    'mm/rmap/rmap_2_6.ts',
    '[2.6 tag bit]',
  ),
  point(
    'That bit is free because what is pointed at is aligned',
    'mm/machine.ts',
    'page_lock_anon_vma: what a page points at leaves the two lowest bits free',
  ),
  point('`page_add_file_rmap` increments `_mapcount`', 'mm/rmap/rmap_2_6.ts', '[2.6 mapcount]'),
  point(
    '`atomic_inc_and_test`: `_mapcount` begins at −1, so only the first mapping is counted by the zone',
    'mm/memmap.ts',
    '[2.6 story File page mapped by n tasks]',
  ),
  point(
    '`__inc_zone_page_state`: `NR_FILE_MAPPED` of the page’s zone',
    'mm/memcg.ts',
    '[2.6 NR_*]',
    'zone counters add up to those of the node',
  ),
  point(
    '`try_to_unmap` takes a page out of the tables of all processes that use it',
    'mm/rmap/rmap_2_6.ts',
    'of three who share it one used it: those before him on the list lose it',
    'nobody maps it: done',
  ),
  point(
    '… which is what swapping rests on: entries become swap entries',
    'mm/reclaim/shrink_page_list_2_6.ts',
    '[2.6 story Anonymous page]',
  ),
  point(
    '`page_referenced` counts who has used a page lately, which is not the number of its mappings',
    'mm/rmap/rmap_2_6.ts',
    'counts those who used the page, and clears what it counts',
  ),
  point(
    '`page_referenced` asks `page_referenced_anon` or `page_referenced_file`, by the tag',
    'mm/rmap/rmap_2_6.ts',
    '[2.6 rmap]',
  ),
  point(
    '`page_referenced_anon` goes through the anon_vma’s list of regions',
    'mm/rmap/anon_vma_list.ts',
    'the walk ends when as many entries were met as map the page',
  ),
  point(
    '`page_referenced_file` finds them by the file',
    'mm/rmap/rmap_2_6.ts',
    'a page of a file that somebody else has locked counts one, and is not looked at',
    '[2.6 vm_pgoff window] two mappings',
  ),
  point(
    '`page_lock_anon_vma` finds the list of regions from a `page`',
    'mm/rmap/anon_vma_list.ts',
    'page_lock_anon_vma: a page of a file has no tag',
  ),
  point(
    '… and gives nothing when the tag is not set',
    'mm/rmap/anon_vma_list.ts',
    'page_lock_anon_vma: a page of a file has no tag',
  ),
  point('`struct anon_vma` has the list of regions', 'mm/rmap/anon_vma_list.ts', '[2.6 fork + exit]'),
];

const BIG_PICTURE: readonly Point[] = [
  point('From an address to its `vm_area_struct`', 'mm/vma_tree.ts', 'the tree answers as a sorted array does'),
  point(
    '`vm_pgoff` is the offset that mmap was given, in pages',
    'mm/mmap.ts',
    'vm_area_struct.vm_pgoff',
    '[2.6 vm_pgoff window] two mappings',
  ),
  point('`index = ((address − vm_start) >> PAGE_SHIFT) + vm_pgoff`', 'mm/vma.ts', '[2.6 vector index]'),
  point('`PAGE_CACHE_SHIFT − PAGE_SHIFT` is nothing: pages of the cache are pages', 'mm/vma.ts', '[2.6 vector index]'),
  point(
    'With the index the page is found in the `page_tree` of the file’s `address_space`, a radix tree',
    'mm/xarray.ts',
    '[2.6 vector radix height]',
  ),
  point('`page->index` is the page’s place in its file', 'mm/filemap.ts', '[2.6 vma_address]'),
  point('To free a page all entries that refer to it are found', 'mm/rmap/rmap_2_6.ts', '[2.6 rmap]'),
  point(
    '`mapping->i_mmap` has every `vm_area_struct` that maps the file, of all processes',
    'mm/prio_tree.ts',
    '[2.6 vm_pgoff window] the tree finds',
  ),
  point('`vma_address()`: `address = vm_start + ((pgoff − vm_pgoff) << PAGE_SHIFT)`', 'mm/vma.ts', '[2.6 vma_address]'),
  point(
    'The address must lie inside: a file may be mapped several times, at other offsets',
    'mm/vma.ts',
    '[2.6 vma_address]',
    '[2.6 vm_pgoff window] two mappings',
  ),
  point(
    'Non-linear mappings: all entries of all VMAs on `mapping->i_mmap_nonlinear` are scanned',
    'mm/rmap/nonlinear.ts',
    '[2.6 nonlinear] cursors',
  ),
  point(
    '`try_to_unmap_file`: linear mappings first, then the non-linear ones',
    'mm/rmap/rmap_2_6.ts',
    'all are locked: SWAP_FAIL; one is: the others are swept',
    'a page of a file: dirty goes to the page, the entry is none',
  ),
  point(
    'Unreclaimable: free pages, which are on buddy lists',
    'mm/kinds.ts',
    'unreclaimable: free pages are on no list, and stay free',
  ),
  point('Unreclaimable: reserved pages (`PG_reserved`)', 'mm/kinds.ts', 'unreclaimable: reserved pages (PG_reserved)'),
  point(
    'Unreclaimable: pages that the kernel allocated for itself',
    'mm/kinds.ts',
    'unreclaimable: what the kernel has allocated for itself',
  ),
  point('Unreclaimable: kernel mode stacks', 'mm/page_alloc.ts', 'unreclaimable: kernel mode stacks'),
  point(
    'Unreclaimable: temporarily locked pages (`PG_locked`)',
    'mm/reclaim/shrink_page_list_2_6.ts',
    'unreclaimable: a page that is locked (PG_locked), and only as long as it is',
    '[2.6 shrink_page_list] step 1',
  ),
  point(
    'Unreclaimable: pages of `VM_LOCKED` regions',
    'mm/rmap/rmap_2_6.ts',
    'unreclaimable: pages of a locked region (VM_LOCKED)',
    'a locked VMA keeps it',
  ),
  point(
    'Swappable: anonymous pages go to a swap area',
    'mm/reclaim/shrink_page_list_2_6.ts',
    'swappable: anonymous pages go to a swap area',
    '[2.6 story Anonymous page]',
  ),
  point(
    'Swappable: mapped pages of tmpfs, shared memory',
    'mm/shmem.ts',
    'swappable: pages of tmpfs and shared memory',
    '[2.6 shrink_page_list] step 9: tmpfs',
  ),
  point(
    'Syncable: mapped pages of files',
    'mm/reclaim/shrink_page_list_2_6.ts',
    'syncable: mapped pages of a file are written if they are dirty, and dropped',
  ),
  point(
    'Syncable: page cache of disk files',
    'mm/writeback.ts',
    'syncable: pages of the page cache that write(2) has dirtied',
    '[2.6 pageout]',
  ),
  point('Syncable: buffers of block devices', 'mm/buffer.ts', 'syncable: buffers of a block device'),
  point(
    'Syncable: some pages of disk caches, such as the inode cache',
    'mm/dcache.ts',
    'discardable: unused dentries and inodes',
    '[2.4 dentry/inode shrink] inodes with pages',
  ),
  point('Discardable: unused pages of the slab allocator', 'mm/slab_2_4.ts', '[2.4 slab reap] the best of ten'),
  point(
    'Discardable: unused pages of the dentry cache',
    'mm/dcache.ts',
    'discardable: unused dentries and inodes',
    '[2.6 shrink_slab] dentries',
  ),
];

const GORMAN: readonly Point[] = [
  point(
    'Every frame has a `struct page`; `mem_map_t` is the same, and `mem_map` the array of them',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags] a free page',
  ),
  point(
    '`list`: `clean_pages`, `dirty_pages` or `locked_pages` of the page’s `address_space`',
    'mm/mapping_lists.ts',
    '[2.4 mapping lists]',
  ),
  point(
    '`list`: in a slab, pointers to its slab and cache',
    'mm/kmem_cache_2_4.ts',
    'a slab is on the list of what is used of it',
  ),
  point(
    '`list`: links free blocks of the buddy allocator',
    'mm/buddy_2_4.ts',
    '[2.4 buddy] what is freed goes to the head of its list',
  ),
  point(
    '`mapping`: the `address_space` of the file that the page belongs to',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags] a page of a file',
  ),
  point(
    '`mapping`: `swapper_space` for an anonymous page in the swap cache',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags] an anonymous page',
  ),
  point('`index`: offset in the file', 'mm/struct_page_2_4.ts', '[2.4 struct page, flags] a page of a file'),
  point(
    '`index`: in the swap cache, the offset in `swapper_space`',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags] an anonymous page',
  ),
  point(
    '`index`: the order of a block that is freed for a process, set by `__free_pages_ok()`',
    'mm/page_alloc_2_4.ts',
    '[2.4 buddy] a task that frees memory keeps the first block, whose order is in page->index',
  ),
  point(
    '`next_hash`: pages of files are hashed on inode and offset',
    'mm/page_hash.ts',
    '[2.4 page cache hash] [2.4 vector Hash]',
    '[2.4 page cache hash] every page is found',
  ),
  point(
    '`pprev_hash`: the way back',
    'mm/page_hash.ts',
    '[2.4 page cache hash] the last to come is the first of its chain, and pprev_hash',
  ),
  point(
    '`count`: users; at 0 the page may be freed',
    'mm/memmap.ts',
    '[2.4 story Mapped file page]',
    '[2.4 story fork]',
  ),
  point('`flags`: all of table 3.1', 'mm/page_flags_2_4.ts', '[2.4 struct page, flags] table 3.1'),
  point(
    'Macros of table 3.2: test, set, clear',
    'mm/page_flags_2_4.ts',
    '[2.4 struct page, flags] table 3.2',
    '[2.4 struct page, flags] the other macros',
  ),
  point(
    '`lru`: on `active_list` or `inactive_list`',
    'mm/reclaim/lru_2_4.ts',
    '[2.4 first/second touch]',
    '[2.4 refill]',
  ),
  point(
    '`buffers`: the page’s `buffer_head`s',
    'mm/buffer_2_4.ts',
    'a page that was written has a buffer',
    'blocks of the device lie in the page cache',
  ),
  point(
    '`buffers`: an anonymous page may have them while it goes to swap',
    'mm/buffer_2_4.ts',
    '[2.4 story Anonymous page, swapped out and in]',
  ),
  point(
    '`virtual`: only with `CONFIG_HIGHMEM` or `WANT_PAGE_VIRTUAL`, and what it costs',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags] what each field costs',
  ),
  point(
    'Only pages up to `ZONE_NORMAL` are mapped by the kernel; `kmap()` maps those of `ZONE_HIGHMEM`',
    'mm/highmem_2_4.ts',
    'low memory has its address for good; a high page has one while it is mapped',
  ),
  point(
    '… and there is a fixed number of places for them',
    'mm/highmem_2_4.ts',
    'with every slot in use kmap has to wait',
  ),
  point(
    'Up to 2.4.18 each page has a pointer to its zone, and what that costs',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags] 2.4.18 names the zone with a pointer',
    '[2.4 struct page, flags] what each field costs',
  ),
  point(
    'Since then the top `ZONE_SHIFT` (8) bits of `flags` say which zone',
    'mm/struct_page_2_4.ts',
    '[2.4 struct page, flags] the top 8 bits',
  ),
  point(
    '`zone_table[MAX_NR_ZONES * MAX_NR_NODES]`, with up to 3 zones in a node',
    'mm/zone_build_2_4.ts',
    'several nodes take turns, and zone_table has three zones of each',
  ),
  point(
    '`free_area_init_core()` fills `zone_table[nid * MAX_NR_ZONES + j]`',
    'mm/zone_build_2_4.ts',
    'several nodes take turns, and zone_table has three zones of each',
  ),
  point('`set_page_zone()` for each page', 'mm/zone_build_2_4.ts', '[2.4 struct page, flags] the top 8 bits'),
];

const LISTS: readonly Point[] = [
  point('Anonymous pages are those of heap, stack and private memory', 'mm/faults_3.ts', '[3.x anon fault]'),
  point('… and of memory that relatives share', 'mm/faults_3.ts', '[3.x fork]', '[3.x COW reuse]'),
  point('Anonymous regions map memory and no file', 'mm/vm_ops.ts', 'vm_area_struct.vm_file', 'vm_area_struct.vm_ops'),
  point(
    'Five lists: `LRU_INACTIVE_ANON`, `LRU_ACTIVE_ANON`, `LRU_INACTIVE_FILE`, `LRU_ACTIVE_FILE`, `LRU_UNEVICTABLE`, for each zone',
    'mm/reclaim/lru_3.ts',
    'five lists for each zone',
  ),
  point(
    'Pages are added at the head',
    'mm/reclaim/lru_3.ts',
    '[3.x pagevec]',
    'pages are added at the head, and are taken from the tail',
  ),
  point(
    'The inactive anonymous list is about 25 % of a zone’s anonymous pages: of a zone of 1 GB',
    'mm/reclaim/scan_count_3.ts',
    'inactive ratio: 1 below a GB, 3 at one (a quarter inactive), 10 at ten',
  ),
  point(
    'It is filled from the tail of the active list when it is shorter',
    'mm/reclaim/vmscan_3.ts',
    '[3.x shrink_active_list]',
  ),
  point('The two file lists are alike', 'mm/reclaim/vmscan_3.ts', '[3.x use-once]', '[3.x exec protection]'),
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
  point('The next access brings it back', 'mm/faults_3.ts', '[3.x COW of shared swap]', '[3.x swap half full]'),
  point(
    'Each process has an `mm_struct`; a kernel thread uses that of who ran before it',
    'mm/active_mm.ts',
    'a kernel thread borrows the address space of whoever ran before it',
  ),
  point(
    'A light-weight process uses its parent’s',
    'mm/active_mm.ts',
    'mm_struct.mm_users: each task that shares it counts',
  ),
  point(
    'All are on one list, and `init_mm` is its head',
    'mm/mmlist.ts',
    'mm_struct.mmlist',
    'at the start init_mm is loaded',
  ),
  point('`mmap`: the list of VMAs in order of addresses', 'mm/vma_tree.ts', 'mm_struct.mmap'),
  point('`mm_rb`: the same VMAs in a tree', 'mm/vma_tree.ts', 'mm_struct.mm_rb'),
  point('`vmacache_seqnum`', 'mm/vmacache.ts', 'mm_struct.vmacache_seqnum', 'four slots by page number'),
  point(
    '`get_unmapped_area` finds a free range of a length',
    'mm/unmapped_area_3.ts',
    '[3.x rb_subtree_gap]',
    'mm_struct.mmap_base, mmap_legacy_base, get_unmapped_area, task_size',
  ),
  point(
    '`mmap_base`, `mmap_legacy_base`, `task_size`',
    'mm/unmapped_area_3.ts',
    'mm_struct.mmap_base, mmap_legacy_base, get_unmapped_area, task_size',
  ),
  point('`highest_vm_end`', 'mm/mm.ts', 'mm_struct.highest_vm_end'),
  point('`pgd`', 'mm/mm.ts', 'mm_struct.pgd'),
  point('`nr_ptes`', 'mm/mm.ts', 'mm_struct.nr_ptes'),
  point(
    '`mm_users` counts those who share it, and they are one in `mm_count`',
    'mm/active_mm.ts',
    'mm_struct.mm_users: each task that shares it counts; mm_count',
  ),
  point(
    '`mm_count`: at 0 the `mm_struct` goes',
    'mm/active_mm.ts',
    'its last user gone, the object stays until the borrower has left',
  ),
  point('`map_count`: how many VMAs', 'mm/mm.ts', 'mm_struct.map_count'),
  without('`page_table_lock`', 'mm/mm.ts', 'one CPU runs at a time: nobody would wait for it'),
  point('`mmlist`: who may have pages in swap', 'mm/mmlist.ts', 'mm_struct.mmlist'),
  point('`hiwater_rss`', 'mm/mm.ts', 'mm_struct.hiwater_rss'),
  point('`hiwater_vm`', 'mm/mm.ts', 'mm_struct.hiwater_vm'),
  point('`total_vm`', 'mm/vm_account.ts', 'mm_struct.total_vm'),
  point('`locked_vm`', 'mm/mlock.ts', 'mm_struct.locked_vm'),
  point('`pinned_vm`', 'mm/mm.ts', 'mm_struct.pinned_vm'),
  point('`shared_vm`', 'mm/vm_account.ts', 'mm_struct.shared_vm'),
  point('`exec_vm`', 'mm/vm_account.ts', 'mm_struct.exec_vm'),
  point('`stack_vm`', 'mm/vm_account.ts', 'mm_struct.stack_vm'),
  point('`def_flags`', 'mm/mlock.ts', 'mm_struct.def_flags'),
  point(
    '`start_code`, `end_code`, `start_data`, `end_data`, `start_brk`, `brk`, `start_stack`, `arg_start` … `env_end`, `exe_file`',
    'mm/mm.ts',
    'mm_struct.start_code … env_end',
  ),
  point('`owner`', 'mm/mm.ts', 'mm_struct.owner'),
  point('A new area is merged with its neighbour when their rights agree', 'mm/vma_merge.ts', '[3.x vma_merge 1–8]'),
  point('A page is made when it is touched first', 'mm/faults_3.ts', '[3.x anon fault]'),
  point('`vm_start`, the first address; `vm_end`, the first behind', 'mm/vma.ts', 'vm_area_struct.vm_start, vm_end'),
  point('`vm_next`, `vm_prev`', 'mm/vma_tree.ts', 'vm_area_struct.vm_next, vm_prev'),
  point('`vm_rb`', 'mm/vma_tree.ts', 'vm_area_struct.vm_rb, rb_subtree_gap'),
  point(
    '`rb_subtree_gap`: the largest free range in a subtree',
    'mm/vma_tree.ts',
    'vm_area_struct.vm_rb, rb_subtree_gap',
    '[3.x rb_subtree_gap]',
  ),
  point('`vm_mm`', 'mm/vma.ts', 'vm_area_struct.vm_mm'),
  point('`vm_page_prot`: the rights that a new entry gets', 'mm/vm_ops.ts', 'vm_area_struct.vm_page_prot'),
  point('`vm_flags`', 'mm/vma.ts', 'vm_area_struct.vm_flags'),
  point(
    '`shared.linear` (`rb`, `rb_subtree_last`): the file’s interval tree',
    'mm/interval_tree.ts',
    'vm_area_struct.shared.linear',
  ),
  point(
    '`shared.nonlinear`: the file’s list of nonlinear VMAs',
    'mm/rmap/nonlinear.ts',
    '3.16: remap_file_pages keeps one VMA, on i_mmap_nonlinear',
  ),
  point(
    '`anon_vma_chain`: the VMA’s list of links; empty as long as there is no `anon_vma`',
    'mm/rmap/anon_vma.ts',
    'vm_area_struct.anon_vma, anon_vma_chain',
    '[3.x anon_vma chains]',
  ),
  point('`anon_vma`', 'mm/rmap/anon_vma.ts', 'vm_area_struct.anon_vma, anon_vma_chain'),
  point(
    '`struct anon_vma`, `struct anon_vma_chain`: from a page to its VMAs',
    'mm/rmap/rmap_3.ts',
    '[3.x rmap walk]',
    '[3.x anon_vma chains]',
  ),
  point('`vm_ops`: null for anonymous regions', 'mm/vm_ops.ts', 'vm_area_struct.vm_ops'),
  point(
    '`vm_pgoff`: offset in the file; for anonymous memory the page number of `vm_start`',
    'mm/mmap.ts',
    'vm_area_struct.vm_pgoff',
  ),
  point(
    '`vm_file`: null for private anonymous memory, an unnamed file for shared',
    'mm/vma.ts',
    'vm_area_struct.vm_file',
  ),
  point('`vm_private_data`', 'mm/vma.ts', 'vm_area_struct.vm_private_data'),
  without('`vm_region`', 'mm/vma.ts', 'only in kernels without an MMU'),
  point('`vm_policy`: NUMA policy', 'mm/mempolicy.ts', 'vm_area_struct.vm_policy', 'mbind: the mapping’s policy'),
  point(
    '“Memory compression” of the sibling text, which is compaction: pages move through the reverse map',
    'mm/compaction.ts',
    'a pass moves pages from the start of the zone to its end',
    '[3.x migration]',
  ),
];

export const SEEDS: readonly Seed[] = [
  { title: 'Reverse mapping (Mauerer, Linux Kernel Architecture, 4.8)', kernel: '2.6.24', points: MAUERER },
  { title: 'Linux kernel: A Big Picture', kernel: '2.6.26', points: BIG_PICTURE },
  { title: 'Pages (Gorman, Understanding the Linux Virtual Memory Manager, 3.3)', kernel: '2.4', points: GORMAN },
  { title: 'Reverse mapping of anonymous pages, and five lists', kernel: '3.16', points: LISTS },
];
