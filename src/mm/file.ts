/**
 * Inodes and open files: how they begin and end.
 *
 * Owns      Machine.inodes; reference counts of inodes and open files; the kernel objects behind them.
 * Promises  1. An inode lives while it has a name or a user; when it goes, its pages go.
 *           2. A mapping holds a reference to its open file, so a file may outlive its descriptor and its name.
 *           3. A new file on a disk has contents of its own: a fresh token for each page.
 * Linux     6.18 fs/file_table.c: alloc_empty_file fput; fs/inode.c: iput evict; fs/namei.c: vfs_unlink; fs/ext4/file.c: ext4_release_file;
 *           mm/shmem.c: __shmem_file_setup; mm/readahead.c: file_ra_state_init; mm/truncate.c: truncate_inode_pages_final
 *
 * DIFFERS: an open never fails for want of memory, and directories are not modelled.
 */
import { type BlockDevice, isHole } from './block.ts';
import { bugOn } from './bug.ts';
import { AddressSpace, type BackingKind, File, Inode } from './fs.ts';
import { __GFP_NOFAIL, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_NOFS } from './gfp.ts';
import type { Machine } from './machine.ts';
import { shmemEvictInode } from './shmem.ts';
import { TO_THE_END, truncateInodePagesRange } from './truncate.ts';
import { PAGE_SIZE, type Pgoff, pagesOf, type Token } from './units.ts';
import { forgetInode, writePages } from './writeback.ts';
import { PAGECACHE_TAG_DIRTY, XArray } from './xarray.ts';

/**
 * A new file of `size` bytes. On a disk, `disk` says what its pages hold; without it each gets a token of its own.
 */
export function newInode(machine: Machine, name: string, kind: BackingKind, size: number, disk?: Token[]): Inode {
  const inode = new Inode(machine.newId(), name, kind, kind === 'tmpfs' ? null : machine.disk);
  inode.size = size;
  const pages = new XArray(kind !== 'tmpfs');
  inode.mapping = new AddressSpace(inode, pages, machine.generation.newFileVmas(), GFP_HIGHUSER_MOVABLE);
  inode.mapping.id = machine.addMapping(inode.mapping);
  if (kind !== 'tmpfs') inode.disk = disk ?? Array.from({ length: pagesOf(size) }, () => machine.newToken());
  machine.inodes.set(inode.ino, inode);
  return inode;
}

/** The block device itself as a file: what file systems read their metadata through. */
export function newBdevInode(machine: Machine, device: BlockDevice, pages: number): Inode {
  const inode = newInode(machine, device.name, 'bdev', pages * PAGE_SIZE);
  // Not movable: the file system keeps pointers into these pages.
  inode.mapping.gfpMask = GFP_NOFS;
  return inode;
}

/** Opens the file. The caller has the only reference. */
export function openInode(machine: Machine, inode: Inode, readable: boolean, writable: boolean, append: boolean): File {
  const memcg = machine.current.memcg;
  inode.count += 1;
  if (writable) inode.writeCount += 1;
  lookup(machine, inode);
  machine.slab.alloc(machine, 'filp', memcg, GFP_KERNEL | __GFP_NOFAIL);
  const file = new File(inode, readable, writable, append);
  file.memcg = memcg;
  file.ra.raPages = raPages(machine, inode);
  return file;
}

/** What the device's read_ahead_kb allows, in pages. */
export function raPages(machine: Machine, inode: Inode): number {
  return inode.kind === 'tmpfs' ? 0 : Math.floor((machine.sysctl.readAheadKb * 1024) / PAGE_SIZE);
}

/** Finds the name and the inode in memory, or makes them again; whoever does so is charged. */
function lookup(machine: Machine, inode: Inode): void {
  const { vfs } = machine;
  const memcg = machine.current.memcg;
  const gfp = GFP_KERNEL | __GFP_NOFAIL;
  if (inode.dentry?.alive) {
    vfs.get(inode.dentry);
    return;
  }
  const known = inode.vfsInode?.alive ? inode.vfsInode : null;
  const cache = inode.kind === 'tmpfs' ? 'shmem_inode_cache' : 'ext4_inode_cache';
  const object = known ?? vfs.create(machine, cache, memcg, gfp, null, inode.mapping);
  if (object === null) return;
  inode.vfsInode = object;
  inode.dentry = vfs.create(machine, 'dentry', memcg, gfp, object, null);
  // The name holds the inode from now on.
  if (known === null) vfs.put(object);
}

export function getFile(file: File): void {
  file.count += 1;
}

/** The last reference closes the file. */
export function putFile(machine: Machine, file: File): void {
  bugOn(file.count <= 0, 'a file is put as often as it was got', file.inode.ino);
  file.count -= 1;
  if (file.count > 0) return;
  if (file.writable) file.inode.writeCount -= 1;
  if (file.inode.flushOnClose) flushEmptied(machine, file.inode);
  machine.slab.free(machine, 'filp', file.memcg ?? machine.rootMemcg);
  if (file.inode.dentry !== null) machine.vfs.put(file.inode.dentry);
  iput(machine, file.inode);
}

/** A file that was emptied and written again: if pages of it have no block yet, all that is dirty goes to the disk. */
function flushEmptied(machine: Machine, inode: Inode): void {
  const { pages } = inode.mapping;
  inode.flushOnClose = false;
  for (let at = pages.findMarked(0, TO_THE_END, PAGECACHE_TAG_DIRTY); at >= 0; ) {
    if (isHole(inode, at)) {
      writePages(machine, inode.mapping, 0 as Pgoff, TO_THE_END, Number.POSITIVE_INFINITY, false);
      return;
    }
    at = pages.findMarked(at + 1, TO_THE_END, PAGECACHE_TAG_DIRTY);
  }
}

/** One user less. */
export function iput(machine: Machine, inode: Inode): void {
  bugOn(inode.count <= 0, 'an inode is put as often as it was got', inode.ino);
  inode.count -= 1;
  if (inode.count === 0 && inode.nlink === 0) evict(machine, inode);
}

/** Removes the name; the file goes with its last user. */
export function unlink(machine: Machine, inode: Inode): void {
  bugOn(inode.nlink === 0, 'a name is removed once', inode.ino);
  inode.nlink -= 1;
  if (inode.count === 0 && inode.nlink === 0) evict(machine, inode);
}

function evict(machine: Machine, inode: Inode): void {
  const { mapping } = inode;
  mapping.exiting = true;
  if (inode.kind === 'tmpfs') {
    shmemEvictInode(machine, inode);
  } else {
    forgetInode(machine, inode);
    truncateInodePagesRange(machine, mapping, 0, TO_THE_END);
  }
  bugOn(mapping.nrpages !== 0 || mapping.iMmap.size !== 0, 'an inode goes when nobody uses its pages', inode.ino);
  if (inode.dentry?.alive) machine.vfs.drop(machine, inode.dentry);
  if (inode.vfsInode?.alive) machine.vfs.drop(machine, inode.vfsInode);
  machine.inodes.delete(inode.ino);
  machine.dropMapping(mapping.id);
}

/**
 * A tmpfs file without a name, open for reading and writing: shared anonymous memory, or a memfd. `noreserve`: its pages are
 * committed one by one; else `pages` are at once, and the caller has seen to it that they may be.
 */
export function newShmemFile(machine: Machine, name: string, pages: number, noreserve: boolean = false): File {
  const inode = newInode(machine, name, 'tmpfs', pages * PAGE_SIZE);
  inode.nlink = 0;
  inode.noreserve = noreserve;
  if (!noreserve) machine.committedPages += pages;
  return openInode(machine, inode, true, true, false);
}
