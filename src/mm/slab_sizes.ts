/**
 * How big the kernel's objects are.
 *
 * Owns      the names of the slab caches, and for each release the bytes that one object takes in its slab.
 * Promises  1. A size is what /proc/slabinfo shows (objsize): padding and, where the kernel needs one, the free pointer included.
 *           2. How many pages a slab has follows from the size, as in SLUB.
 * Linux     6.1 (Debian, 1 CPU) and 6.18: /proc/slabinfo, /sys/kernel/slab; mm/slub.c: calculate_order calc_slab_order
 */
export type SlabName =
  | 'task_struct'
  | 'mm_struct'
  | 'vm_area_struct'
  | 'anon_vma'
  | 'anon_vma_chain'
  | 'maple_node'
  | 'filp'
  | 'dentry'
  | 'inode_cache'
  | 'ext4_inode_cache'
  | 'shmem_inode_cache'
  | 'proc_inode_cache'
  | 'sock_inode_cache'
  | 'radix_tree_node'
  | 'buffer_head'
  | 'cred_jar'
  | 'signal_cache'
  | 'sighand_cache'
  | 'files_cache'
  | 'fs_cache'
  | 'pid'
  | 'names_cache'
  | 'kmalloc-cg-16'
  | 'kmalloc-cg-32'
  | 'kmalloc-cg-64'
  | 'kmalloc-cg-96'
  | 'kmalloc-cg-128'
  | 'kmalloc-cg-192'
  | 'kmalloc-cg-256'
  | 'kmalloc-cg-512'
  | 'kmalloc-cg-1k'
  | 'kmalloc-cg-2k'
  | 'kmalloc-cg-4k'
  | 'kmalloc-cg-8k';

/** Bytes of one object in its slab. */
export type SlabSizes = Readonly<Record<SlabName, number>>;

export const slabSizes_6_1: SlabSizes = {
  task_struct: 6208,
  mm_struct: 1152,
  vm_area_struct: 152,
  anon_vma: 104,
  anon_vma_chain: 64,
  maple_node: 256,
  filp: 256,
  dentry: 192,
  inode_cache: 640,
  ext4_inode_cache: 1192,
  shmem_inode_cache: 784,
  proc_inode_cache: 712,
  sock_inode_cache: 832,
  radix_tree_node: 584,
  buffer_head: 104,
  cred_jar: 192,
  signal_cache: 1152,
  sighand_cache: 2112,
  files_cache: 704,
  fs_cache: 64,
  pid: 128,
  names_cache: 4096,
  'kmalloc-cg-16': 16,
  'kmalloc-cg-32': 32,
  'kmalloc-cg-64': 64,
  'kmalloc-cg-96': 96,
  'kmalloc-cg-128': 128,
  'kmalloc-cg-192': 192,
  'kmalloc-cg-256': 256,
  'kmalloc-cg-512': 512,
  'kmalloc-cg-1k': 1024,
  'kmalloc-cg-2k': 2048,
  'kmalloc-cg-4k': 4096,
  'kmalloc-cg-8k': 8192,
};

export const slabSizes_6_18: SlabSizes = {
  ...slabSizes_6_1,
  task_struct: 5952,
  mm_struct: 1600,
  vm_area_struct: 192,
  filp: 192,
  inode_cache: 624,
  ext4_inode_cache: 1128,
  shmem_inode_cache: 752,
  proc_inode_cache: 696,
  pid: 192,
};

/** Caches made with SLAB_RECLAIM_ACCOUNT: their pages count as reclaimable and lie in RECLAIMABLE pageblocks. */
const RECLAIMABLE: ReadonlySet<SlabName> = new Set<SlabName>([
  'dentry',
  'inode_cache',
  'ext4_inode_cache',
  'proc_inode_cache',
  'sock_inode_cache',
  'radix_tree_node',
  'buffer_head',
]);

/** Caches whose objects no cgroup is charged for, whoever asks. */
const UNACCOUNTED: ReadonlySet<SlabName> = new Set<SlabName>(['maple_node', 'names_cache']);

export function isReclaimable(name: SlabName): boolean {
  return RECLAIMABLE.has(name);
}

export function isAccounted(name: SlabName): boolean {
  return !UNACCOUNTED.has(name);
}

const SLUB_MAX_ORDER = 3;

/** Pages of a slab, as a power of two: enough objects for the CPUs, and little left over at its end. */
export function slabOrder(size: number, cpus: number): number {
  const wanted = 4 * (32 - Math.clz32(cpus) + 1);
  for (let objects = Math.min(wanted, Math.floor((4096 << SLUB_MAX_ORDER) / size)); objects > 1; objects--) {
    for (let fraction = 16; fraction >= 4; fraction /= 2) {
      for (let order = orderOf(objects * size); order <= SLUB_MAX_ORDER; order++) {
        if ((4096 << order) % size <= Math.floor((4096 << order) / fraction)) return order;
      }
    }
  }
  return orderOf(size);
}

/** The smallest block that holds so many bytes (get_order). */
export function orderOf(bytes: number): number {
  let order = 0;
  while (4096 << order < bytes) order += 1;
  return order;
}
