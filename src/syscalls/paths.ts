/**
 * Names of files, and who may write to what is executed.
 *
 * Owns      which path names which inode, and what a walk along a path reads.
 * Promises  1. A file that is executed cannot be opened for writing, nor one executed that is open for writing (ETXTBSY).
 *           2. A name holds its inode; without a name the inode lives as long as it is open or mapped.
 * Linux     6.18 include/linux/fs.h: deny_write_access allow_write_access; fs/namei.c: do_unlinkat link_path_walk;
 *           fs/ext4/namei.c: ext4_lookup; fs/ext4/inode.c: __ext4_get_inode_loc
 */
import { bread } from '../mm/buffer.ts';
import { EEXIST, ENOENT, type SysResult } from '../mm/errno.ts';
import { newBdevInode, newInode, openInode, putFile, unlink } from '../mm/file.ts';
import { filemapWrite, type PageWriter } from '../mm/filemap.ts';
import type { Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import { PAGE_SIZE, type Pgoff, pagesOf, type Token } from '../mm/units.ts';

/** What each page of a new file holds. */
export type PageTokens = (page: number) => Token;

/** ext4 inodes of 256 bytes in a block of the inode table. */
const INODES_PER_BLOCK = 16;

/** Where a file or directory stands in the file system; where on the device that is makes no difference. */
interface Place {
  /** Block of its inode, and of its names if it is a directory. */
  inodeBlock: number;
  namesBlock: number;
}

export class Paths {
  private readonly machine: Machine;
  private readonly inodes: Map<string, Inode> = new Map();
  private readonly places: Map<string, Place> = new Map();
  private readonly directories: Map<string, Inode> = new Map();
  /** The block device itself: metadata is read through its page cache. */
  private device: Inode | null = null;
  // DIFFERS: what files hold beyond the disk's 64 GiB are holes: a recording may claim any size, and a page's token takes memory.
  private blocksLeft = 2 ** 24;
  /** Of tmpfs, mounted without size=: half of the memory. */
  private tmpfsLeft: number;

  constructor(machine: Machine) {
    this.machine = machine;
    this.tmpfsLeft = Math.floor(machine.totalPages / 2);
  }

  get(path: string): Inode | undefined {
    return this.inodes.get(path);
  }

  /**
   * The walk to a file that is about to be opened: whatever name is not in the dentry cache is looked up in its directory's
   * block, and its inode read from the inode table, at the reader's charge.
   */
  lookup(path: string): Inode | undefined {
    const inode = this.inodes.get(path);
    if (inode === undefined || inode.kind !== 'disk') return inode;
    let parent = '/';
    for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
      const name = path.slice(0, at);
      let directory = this.directories.get(name);
      if (directory === undefined) {
        directory = newInode(this.machine, name, 'disk', 0);
        this.directories.set(name, directory);
      }
      this.readEntry(parent, name, directory);
      parent = name;
    }
    this.readEntry(parent, path, inode);
    return inode;
  }

  private readEntry(parent: string, name: string, inode: Inode): void {
    const { machine } = this;
    if (inode.dentry?.alive) return;
    this.readBlock(this.placeOf(parent).namesBlock);
    this.readBlock(this.placeOf(name).inodeBlock);
    // Looking a name up leaves its dentry and its inode in their caches.
    putFile(machine, openInode(machine, inode, true, false, false));
  }

  private placeOf(name: string): Place {
    let place = this.places.get(name);
    if (place === undefined) {
      const count = this.places.size;
      place = { inodeBlock: 2 * Math.floor(count / INODES_PER_BLOCK), namesBlock: 2 * count + 1 };
      this.places.set(name, place);
    }
    return place;
  }

  private readBlock(block: number): void {
    const { machine } = this;
    this.device ??= newBdevInode(machine, machine.disk, 0);
    this.device.size = Math.max(this.device.size, (block + 1) * PAGE_SIZE);
    this.device.disk[block] ??= machine.newToken();
    bread(machine, this.device, block as Pgoff);
  }

  /**
   * A file that is there already: on disk and out of the cache, or in tmpfs and therefore in memory, as whole-page
   * writes leave it. Without `tokens` every page holds something of its own.
   */
  createFile(path: string, bytes: number, kind: 'disk' | 'tmpfs', tokens?: PageTokens): Inode {
    const { machine } = this;
    const tokenOf = tokens ?? ((): Token => machine.newToken());
    const pages = pagesOf(bytes);
    if (kind === 'disk') {
      const blocks = Math.min(pages, this.blocksLeft);
      this.blocksLeft -= blocks;
      const disk = new Array<Token>(blocks);
      for (let page = 0; page < blocks; page++) disk[page] = tokenOf(page);
      const inode = newInode(machine, path, kind, bytes, disk);
      this.inodes.set(path, inode);
      return inode;
    }
    const inode = newInode(machine, path, kind, 0);
    this.inodes.set(path, inode);
    const file = openInode(machine, inode, true, true, false);
    const held = Math.min(pages, this.tmpfsLeft);
    this.tmpfsLeft -= held;
    for (let page = 0; page < held; page++) {
      const writer: PageWriter = { page: () => tokenOf(page) };
      filemapWrite(machine, file, page * PAGE_SIZE, Math.min(PAGE_SIZE, bytes - page * PAGE_SIZE), writer);
    }
    putFile(machine, file);
    return inode;
  }

  /** `to` may have been another file's name, which loses it. */
  rename(from: string, to: string): SysResult {
    const inode = this.inodes.get(from);
    if (inode === undefined) return -ENOENT;
    if (this.inodes.get(to) === inode) return 0;
    this.unlink(to);
    this.inodes.delete(from);
    this.inodes.set(to, inode);
    return 0;
  }

  /** A second name. */
  link(from: string, to: string): SysResult {
    const inode = this.inodes.get(from);
    if (inode === undefined) return -ENOENT;
    if (this.inodes.has(to)) return -EEXIST;
    inode.nlink += 1;
    this.inodes.set(to, inode);
    return 0;
  }

  unlink(path: string): SysResult {
    const inode = this.inodes.get(path);
    if (inode === undefined) return -ENOENT;
    this.inodes.delete(path);
    unlink(this.machine, inode);
    return 0;
  }
}

/** The inode is executed from now on. False: somebody may write to it. */
export function denyWriteAccess(inode: Inode): boolean {
  if (inode.writeCount > 0) return false;
  inode.writeCount -= 1;
  return true;
}

export function allowWriteAccess(inode: Inode): void {
  inode.writeCount += 1;
}
