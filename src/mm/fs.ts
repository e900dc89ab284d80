/**
 * Files as the memory manager sees them: inode, open file, and the page cache of an inode.
 *
 * Owns      the fields. What is done with them: filemap.ts, shmem.ts, readahead.ts, writeback.ts, truncate.ts.
 * Linux     6.18 include/linux/fs.h: inode file address_space file_ra_state
 */
import type { BlockDevice } from './block.ts';
import type { VfsObject } from './dcache.ts';
import type { Gfp } from './gfp.ts';
import type { MemCgroup } from './memcg.ts';
import type { FileVmas } from './parts.ts';
import type { Token } from './units.ts';
import type { XArray } from './xarray.ts';

/** What backs an inode. */
export type BackingKind = 'disk' | 'tmpfs' | 'bdev';

/** One inode's page cache. In the XArray: a frame (>= 0 is stored as pfn + 1), a shadow or a swap entry (value entries). */
export class AddressSpace {
  /** Number in Machine.mappings; page->mapping is id * 4. */
  id = 0;
  readonly host: Inode;
  readonly pages: XArray;
  /** Every VMA that maps the file, by the range of pages that it shows. */
  readonly iMmap: FileVmas;
  /** Number of VM_SHARED|VM_MAYWRITE mappings (i_mmap_writable). */
  iMmapWritable = 0;
  nrpages = 0;
  writebackIndex = 0;
  gfpMask: Gfp;
  /** SHM_LOCK or ramfs: its pages are unevictable (AS_UNEVICTABLE). */
  unevictable = false;
  exiting = false;

  constructor(host: Inode, pages: XArray, iMmap: FileVmas, gfpMask: Gfp) {
    this.host = host;
    this.pages = pages;
    this.iMmap = iMmap;
    this.gfpMask = gfpMask;
  }

  /** Value entries: shadows, or in tmpfs swap entries. */
  get nrshadows(): number {
    return this.pages.values;
  }
}

export class Inode {
  readonly ino: number;
  /** Last name; shown by /proc/PID/maps. */
  name: string;
  readonly kind: BackingKind;
  /** Where its blocks are; null for tmpfs. */
  readonly device: BlockDevice | null;
  /** i_size, in bytes. */
  size = 0;
  nlink = 1;
  /** Open files that may write, or minus how many processes execute it (i_writecount). */
  writeCount = 0;
  /** Open files and other users; at 0 with nlink 0 the inode goes away. */
  count = 0;
  mapping!: AddressSpace;
  /** The kernel's objects for it, while they are in memory: its name, and the inode itself. */
  dentry: VfsObject | null = null;
  vfsInode: VfsObject | null = null;
  /** What is on the device: token of each page; a page without an element is a hole. tmpfs: unused. */
  disk: Token[] = [];
  /** tmpfs: pages charged to the inode, in the cache or swapped out. */
  shmemPages = 0;
  shmemSwapped = 0;
  /** tmpfs: memory is committed page by page (files, memfds), not for the whole size at once (shared anonymous memory). */
  noreserve = true;
  /** It has dirty pages, since when, and whose: the cgroup of the first page (inode->i_wb). */
  dirtiedWhenNs = 0;
  dirty = false;
  /** It was emptied: what is written now goes to the disk when somebody closes it (ext4's auto_da_alloc). */
  flushOnClose = false;
  dirtyMemcg: MemCgroup | null = null;
  /** The last transaction of the journal in which its size or blocks changed. */
  transaction = 0;

  constructor(ino: number, name: string, kind: BackingKind, device: BlockDevice | null) {
    this.ino = ino;
    this.name = name;
    this.kind = kind;
    this.device = device;
  }
}

/** Where readahead stands in an open file. All in pages, prevPos in bytes. */
export class FileRaState {
  start = 0;
  size = 0;
  asyncSize = 0;
  raPages = 32;
  mmapMiss = 0;
  prevPos = -1;
  /** 2.4: the first page not tried, how many were read last, how far back the window reaches, the most to read next. */
  raend = 0;
  ralen = 0;
  rawin = 0;
  ramax = 0;
}

/** An open file description. */
export class File {
  readonly inode: Inode;
  readonly mapping: AddressSpace;
  /** May read, may write: from the O_ access mode. */
  readonly readable: boolean;
  readonly writable: boolean;
  readonly append: boolean;
  pos = 0;
  count = 1;
  readonly ra: FileRaState = new FileRaState();
  /** O_DSYNC, O_SYNC: a write is over when it is on the disk. */
  sync = false;
  /** POSIX_FADV_RANDOM and _NOREUSE. */
  random = false;
  noreuse = false;
  /** Who is charged for the struct file. */
  memcg: MemCgroup | null = null;

  constructor(inode: Inode, readable: boolean, writable: boolean, append: boolean) {
    this.inode = inode;
    this.mapping = inode.mapping;
    this.readable = readable;
    this.writable = writable;
    this.append = append;
  }
}
