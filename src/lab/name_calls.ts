/**
 * Calls that give files names, take names away, or copy between files: format 2 writes down which names.
 *
 * Owns      what they do to the files of a replay.
 * Linux     6.18 fs/namei.c: do_renameat2 do_linkat do_unlinkat; fs/read_write.c: vfs_copy_file_range do_sendfile
 *
 * DIFFERS: folders are not files here; moving one is not replayed, and what is opened in it afterwards counts as another file.
 */
import { filemapRead, filemapWrite } from '../mm/filemap.ts';
import type { Machine } from '../mm/machine.ts';
import type { Process } from '../syscalls/process.ts';
import type { System } from '../syscalls/system.ts';
import * as nr from '../trace/x86_64.ts';

const UNLINK: ReadonlySet<number> = new Set([nr.SYS_unlink, nr.SYS_unlinkat]);
const RENAME: ReadonlySet<number> = new Set([nr.SYS_rename, nr.SYS_renameat, nr.SYS_renameat2]);
const LINK: ReadonlySet<number> = new Set([nr.SYS_link, nr.SYS_linkat]);

export function namesFiles(number: number): boolean {
  return UNLINK.has(number) || RENAME.has(number) || LINK.has(number);
}

/** Makes a call that succeeded, with the paths that were written before it: one, or the old and the new one. Its result. */
export function nameCall(system: System, p: Process, number: number, from: string, path: string): number {
  if (UNLINK.has(number)) return system.paths.get(path) === undefined ? 0 : system.unlink(p, path);
  if (system.paths.get(from) === undefined) return 0;
  if (RENAME.has(number)) return system.rename(p, from, path);
  // It is there because it was opened by this name later; then it was not.
  if (system.paths.get(path) !== undefined) system.unlink(p, path);
  return system.link(p, from, path);
}

/** copy_file_range and sendfile at the files' own places, with `bytes`, not 0, as their result. Null if a place is not known, or a file. */
export function copyCall(
  machine: Machine,
  p: Process,
  number: number,
  call: Float64Array,
  bytes: number,
): number | null {
  const sends = number === nr.SYS_sendfile;
  const from = p.files.get(call[sends ? 2 : 1]!);
  const to = p.files.get(call[sends ? 1 : 3]!);
  const ownPlaces = sends ? call[3] === 0 : call[2] === 0 && call[4] === 0;
  if (!ownPlaces || from === undefined) return null;
  machine.current = p.task;
  const read = filemapRead(machine, from, from.pos, bytes, null);
  from.pos += Math.max(0, read);
  let written = read;
  if (to !== undefined) {
    written = filemapWrite(machine, to, to.append ? to.inode.size : to.pos, read, null);
    to.pos += Math.max(0, written);
  }
  machine.current = machine.idle;
  return written;
}
