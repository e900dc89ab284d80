/**
 * A process, as a program sees itself: a task with an address space and open files.
 *
 * Owns      the table of file descriptors, and who shares it.
 * Linux     6.18 fs/file.c: alloc_fd files_struct; kernel/fork.c: copy_files
 */
import { bugOn } from '../mm/bug.ts';
import { EMFILE } from '../mm/errno.ts';
import { getFile, putFile } from '../mm/file.ts';
import type { File, Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import type { Task } from '../mm/task.ts';

/** RLIMIT_NOFILE, the soft limit that a login gets. */
const RLIMIT_NOFILE = 1024;
/** 0, 1 and 2 are the terminal, which is no file of this machine. */
const FIRST_FD = 3;

export class FileTable {
  /** Processes that share it (clone with CLONE_FILES). */
  users = 1;
  private readonly files: (File | undefined)[] = [];
  private readonly closeOnExec: Set<number> = new Set();

  get(fd: number): File | undefined {
    return this.files[fd];
  }

  /** Is it open under any number? */
  holds(inode: Inode): boolean {
    return this.files.some((file) => file?.inode === inode);
  }

  /** Puts `file` at the lowest free number; the table takes over its reference. -EMFILE: the reference stays the caller's. */
  install(file: File, closeOnExec: boolean): number {
    let fd = FIRST_FD;
    while (this.files[fd] !== undefined) fd += 1;
    if (fd >= RLIMIT_NOFILE) return -EMFILE;
    this.set(fd, file, closeOnExec);
    return fd;
  }

  set(fd: number, file: File, closeOnExec: boolean): void {
    this.files[fd] = file;
    if (closeOnExec) this.closeOnExec.add(fd);
    else this.closeOnExec.delete(fd);
  }

  /** Takes the file out; its reference is the caller's then. */
  remove(fd: number): File | undefined {
    const file = this.files[fd];
    this.files[fd] = undefined;
    this.closeOnExec.delete(fd);
    return file;
  }

  /** fork: the same open files under the same numbers. */
  copy(): FileTable {
    const table = new FileTable();
    for (const [fd, file] of this.files.entries()) {
      if (file === undefined) continue;
      getFile(file);
      table.set(fd, file, this.closeOnExec.has(fd));
    }
    return table;
  }

  /** One process less; the last one closes everything. */
  put(machine: Machine): void {
    this.users -= 1;
    if (this.users > 0) return;
    for (const file of this.files) if (file !== undefined) putFile(machine, file);
    this.files.length = 0;
    this.closeOnExec.clear();
  }

  closeForExec(machine: Machine): void {
    for (const fd of [...this.closeOnExec]) {
      const file = this.remove(fd);
      if (file !== undefined) putFile(machine, file);
    }
  }
}

/** Is a descriptor that dup2 may use. */
export function isPossibleFd(fd: number): boolean {
  return fd >= 0 && fd < RLIMIT_NOFILE;
}

export class Process {
  readonly task: Task;
  files: FileTable;
  /** What it executes; null before its first exec. */
  exeFile: File | null = null;
  exited = false;

  constructor(task: Task, files: FileTable) {
    this.task = task;
    this.files = files;
  }

  get pid(): number {
    return this.task.pid;
  }
  get mm(): Mm {
    const { mm } = this.task;
    if (mm === null) bugOn(true, 'a process that exited makes no calls', this.task.pid);
    return mm!;
  }
}
