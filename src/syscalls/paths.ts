/**
 * Names of files, and who may write to what is executed.
 *
 * Owns      the one directory of the machine: path to inode.
 * Promises  1. A file that is executed cannot be opened for writing, nor one executed that is open for writing (ETXTBSY).
 *           2. A name holds its inode; without a name the inode lives as long as it is open or mapped.
 * Linux     6.18 include/linux/fs.h: deny_write_access allow_write_access; fs/namei.c: do_unlinkat
 */
import { ENOENT, type SysResult } from '../mm/errno.ts';
import { newInode, openInode, putFile, unlink } from '../mm/file.ts';
import { filemapWrite, type PageWriter } from '../mm/filemap.ts';
import type { Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import { PAGE_SIZE, pagesOf, type Token } from '../mm/units.ts';

/** What each page of a new file holds. */
export type PageTokens = (page: number) => Token;

export class Paths {
  private readonly machine: Machine;
  private readonly inodes: Map<string, Inode> = new Map();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get(path: string): Inode | undefined {
    return this.inodes.get(path);
  }

  /**
   * A file that is there already: on disk and out of the cache, or in tmpfs and therefore in memory, as whole-page
   * writes leave it. Without `tokens` every page holds something of its own.
   */
  createFile(path: string, bytes: number, kind: 'disk' | 'tmpfs', tokens?: PageTokens): Inode {
    const { machine } = this;
    const tokenOf = tokens ?? ((): Token => machine.newToken());
    const inode = newInode(machine, path, kind, kind === 'disk' ? bytes : 0);
    this.inodes.set(path, inode);
    const pages = pagesOf(bytes);
    if (kind === 'disk') {
      if (tokens !== undefined) for (let page = 0; page < pages; page++) inode.disk[page] = tokens(page);
      return inode;
    }
    const file = openInode(machine, inode, true, true, false);
    for (let page = 0; page < pages; page++) {
      const writer: PageWriter = { page: () => tokenOf(page) };
      filemapWrite(machine, file, page * PAGE_SIZE, Math.min(PAGE_SIZE, bytes - page * PAGE_SIZE), writer);
    }
    putFile(machine, file);
    return inode;
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
