/**
 * The calls on files, behind the class System: checks in the kernel's order, then the engine.
 *
 * Linux     6.18 fs/open.c: do_sys_openat2 do_dentry_open vfs_fallocate do_sys_ftruncate; fs/read_write.c: vfs_read vfs_write
 *           rw_verify_area generic_write_checks ksys_lseek; mm/memfd.c: memfd_create; fs/file.c: ksys_dup3; mm/filemap.c:
 *           generic_perform_write
 */
import { isHole } from '../mm/block.ts';
import {
  EBADF,
  EEXIST,
  EFAULT,
  EFBIG,
  EINVAL,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  ETXTBSY,
  type SysResult,
} from '../mm/errno.ts';
import { doFadvise } from '../mm/fadvise.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  truncateSetsize,
  vfsFallocate,
} from '../mm/fallocate.ts';
import { getFile, newShmemFile, openInode, putFile } from '../mm/file.ts';
import { filemapRead, filemapWrite } from '../mm/filemap.ts';
import type { File, Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import { type Mm, TASK_SIZE } from '../mm/mm.ts';
import { PG_dirty, PG_uptodate } from '../mm/page_flags.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import { vfsFsync } from '../mm/writeback.ts';
import { xaIsPage, xaIsValue, xaToPfn } from '../mm/xarray.ts';
import type { Paths } from './paths.ts';
import { type FileTable, isPossibleFd } from './process.ts';
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_UNSHARE_RANGE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
  MFD_NOEXEC_SEAL,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
} from './uapi.ts';
import { OutsideWriter, type UserBuffer, UserReader, UserWriter } from './user_copy.ts';

/** The most that one read or write moves (MAX_RW_COUNT). */
const MAX_RW_COUNT = 0x7ffff000;
/** Bytes of the largest file: ext4 with 4 KiB blocks; tmpfs, which has no end that a double could tell. */
const MAX_DISK_BYTES = 2 ** 44 - PAGE_SIZE;
const LOFF_END = 2 ** 63;
const LONGEST_MEMFD_NAME = 249;

function maxBytes(inode: Inode): number {
  return inode.kind === 'tmpfs' ? LOFF_END : MAX_DISK_BYTES;
}

// descriptors

export function open(machine: Machine, paths: Paths, table: FileTable, path: string, flags: number): SysResult {
  const mode = flags & O_ACCMODE;
  const writable = mode === O_WRONLY || mode === O_RDWR;
  let inode = paths.lookup(path);
  if (inode === undefined) {
    if ((flags & O_CREAT) === 0) return -ENOENT;
    inode = paths.createFile(path, 0, 'disk');
  } else if ((flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL)) {
    return -EEXIST;
  }
  if ((flags & O_DIRECTORY) !== 0) return -ENOTDIR;
  if ((writable || (flags & O_TRUNC) !== 0) && inode.writeCount < 0) return -ETXTBSY;
  const readable = mode === O_RDONLY || mode === O_RDWR;
  const file = openInode(machine, inode, readable, writable, (flags & O_APPEND) !== 0);
  file.sync = (flags & O_DSYNC) !== 0;
  if ((flags & O_TRUNC) !== 0) truncateSetsize(machine, inode, 0);
  return install(machine, table, file, (flags & O_CLOEXEC) !== 0);
}

function install(machine: Machine, table: FileTable, file: File, closeOnExec: boolean): SysResult {
  const fd = table.install(file, closeOnExec);
  if (fd < 0) putFile(machine, file);
  return fd;
}

export function memfdCreate(machine: Machine, table: FileTable, name: string, flags: number): SysResult {
  let known = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  if (machine.generation.switches.memfdExec) known |= MFD_NOEXEC_SEAL | MFD_EXEC;
  // DIFFERS: MFD_HUGETLB is refused, as no huge pages are set aside; a user sees EINVAL where Linux says ENOMEM or ENOSPC.
  if ((flags & ~known) !== 0) return -EINVAL;
  if ((flags & MFD_EXEC) !== 0 && (flags & MFD_NOEXEC_SEAL) !== 0) return -EINVAL;
  if (name.length > LONGEST_MEMFD_NAME) return -EINVAL;
  return install(machine, table, newShmemFile(machine, `memfd:${name}`, 0, true), (flags & MFD_CLOEXEC) !== 0);
}

export function close(machine: Machine, table: FileTable, fd: number): SysResult {
  const file = table.remove(fd);
  if (file === undefined) return -EBADF;
  putFile(machine, file);
  return 0;
}

export function dup(machine: Machine, table: FileTable, fd: number): SysResult {
  const file = table.get(fd);
  if (file === undefined) return -EBADF;
  getFile(file);
  return install(machine, table, file, false);
}

export function dup2(machine: Machine, table: FileTable, fd: number, newFd: number): SysResult {
  const file = table.get(fd);
  if (file === undefined || !isPossibleFd(newFd)) return -EBADF;
  if (fd === newFd) return fd;
  const old = table.remove(newFd);
  getFile(file);
  table.set(newFd, file, false);
  if (old !== undefined) putFile(machine, old);
  return newFd;
}

// reading and writing

/** Whether `count` bytes at `buffer` and at `pos` of a file are possible at all: 0 or -errno. */
function verifyArea(buffer: UserBuffer, count: number, pos: number): number {
  if (typeof buffer === 'number' && (buffer < 0 || count < 0 || buffer + count > TASK_SIZE)) return -EFAULT;
  if (count < 0 || pos < 0 || pos + count >= LOFF_END) return -EINVAL;
  return 0;
}

export function read(machine: Machine, mm: Mm, file: File | undefined, buffer: UserBuffer, count: number): SysResult {
  if (file === undefined) return -EBADF;
  const done = readAt(machine, mm, file, buffer, count, file.pos);
  if (done > 0) file.pos += done;
  return done;
}

export function pread64(
  machine: Machine,
  mm: Mm,
  file: File | undefined,
  buffer: UserBuffer,
  count: number,
  pos: number,
): SysResult {
  if (pos < 0) return -EINVAL;
  if (file === undefined) return -EBADF;
  return readAt(machine, mm, file, buffer, count, pos);
}

function readAt(machine: Machine, mm: Mm, file: File, buffer: UserBuffer, count: number, pos: number): SysResult {
  if (!file.readable) return -EBADF;
  const refused = verifyArea(buffer, count, pos);
  if (refused < 0) return refused;
  if (pos >= maxBytes(file.inode)) return 0;
  const reader = typeof buffer === 'number' ? new UserReader(machine, mm, buffer) : null;
  return filemapRead(machine, file, pos, Math.min(count, MAX_RW_COUNT), reader);
}

export function write(machine: Machine, mm: Mm, file: File | undefined, buffer: UserBuffer, count: number): SysResult {
  if (file === undefined) return -EBADF;
  const pos = file.append ? file.inode.size : file.pos;
  const done = writeAt(machine, mm, file, buffer, count, pos);
  if (done > 0) file.pos = pos + done;
  return done;
}

export function pwrite64(
  machine: Machine,
  mm: Mm,
  file: File | undefined,
  buffer: UserBuffer,
  count: number,
  pos: number,
): SysResult {
  if (pos < 0) return -EINVAL;
  if (file === undefined) return -EBADF;
  // As Linux does, against POSIX: an append-only descriptor appends here, too.
  return writeAt(machine, mm, file, buffer, count, file.append ? file.inode.size : pos);
}

function writeAt(machine: Machine, mm: Mm, file: File, buffer: UserBuffer, count: number, pos: number): SysResult {
  if (!file.writable) return -EBADF;
  const refused = verifyArea(buffer, count, pos);
  if (refused < 0) return refused;
  if (count === 0) return 0;
  const most = maxBytes(file.inode);
  if (pos >= most) return -EFBIG;
  const bytes = Math.min(count, MAX_RW_COUNT, most - pos);
  const written = copyIn(machine, mm, file, buffer, bytes, pos);
  if (file.sync && written > 0) vfsFsync(machine, file, pos, pos + written - 1, true);
  return written;
}

function copyIn(machine: Machine, mm: Mm, file: File, buffer: UserBuffer, bytes: number, pos: number): SysResult {
  if (typeof buffer === 'number') return writeFromUser(machine, mm, file, buffer, bytes, pos);
  const writer = buffer === 'outside' || buffer.length === 0 ? null : new OutsideWriter(machine, buffer);
  return filemapWrite(machine, file, pos, bytes, writer);
}

function writeFromUser(machine: Machine, mm: Mm, file: File, addr: number, bytes: number, pos: number): SysResult {
  const writer = new UserWriter(machine, mm, addr);
  if (machine.generation.switches.writeFaultsLate) return filemapWrite(machine, file, pos, bytes, writer);
  // Page by page of the file, each time with the source faulted in first.
  let done = 0;
  while (done < bytes) {
    const chunk = Math.min(bytes - done, PAGE_SIZE - ((pos + done) % PAGE_SIZE));
    const ready = writer.faultIn(chunk);
    if (ready === 0) return done > 0 ? done : -EFAULT;
    const written = filemapWrite(machine, file, pos + done, ready, writer);
    if (written <= 0) return done > 0 ? done : written;
    done += written;
  }
  return done;
}

// the rest

export function lseek(machine: Machine, file: File | undefined, offset: number, whence: number): SysResult {
  if (file === undefined) return -EBADF;
  const { inode } = file;
  let pos: number;
  if (whence === SEEK_DATA || whence === SEEK_HOLE) {
    pos = seekHoleData(machine, inode, offset, whence);
    if (pos < 0) return pos;
  } else {
    if (whence < 0 || whence > SEEK_END) return -EINVAL;
    pos = offset + (whence === SEEK_CUR ? file.pos : whence === SEEK_END ? inode.size : 0);
  }
  if (pos < 0 || pos > maxBytes(inode)) return -EINVAL;
  file.pos = pos;
  return pos;
}

/** The next byte from `offset` on that is data, or hole; the end of the file is a hole. */
function seekHoleData(machine: Machine, inode: Inode, offset: number, whence: number): number {
  if (offset < 0 || offset >= inode.size) return -ENXIO;
  const wantData = whence === SEEK_DATA;
  for (let at = offset; at < inode.size; at = (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE) {
    if (isData(machine, inode, Math.floor(at / PAGE_SIZE)) === wantData) return at;
  }
  return wantData ? -ENXIO : inode.size;
}

function isData(machine: Machine, inode: Inode, page: number): boolean {
  const entry = inode.mapping.pages.load(page);
  // A page of tmpfs that fallocate made is data once it is written or mapped.
  if (inode.kind === 'tmpfs')
    return xaIsValue(entry) || (xaIsPage(entry) && machine.frames.has(xaToPfn(entry), PG_uptodate));
  return !isHole(inode, page) || (xaIsPage(entry) && machine.frames.has(xaToPfn(entry), PG_dirty));
}

export function ftruncate(machine: Machine, file: File | undefined, length: number): SysResult {
  if (length < 0) return -EINVAL;
  if (file === undefined) return -EBADF;
  if (!file.writable) return -EINVAL;
  if (length > maxBytes(file.inode)) return -EFBIG;
  return truncateSetsize(machine, file.inode, length);
}

const FALLOC_MODES =
  FALLOC_FL_PUNCH_HOLE |
  FALLOC_FL_COLLAPSE_RANGE |
  FALLOC_FL_ZERO_RANGE |
  FALLOC_FL_INSERT_RANGE |
  FALLOC_FL_UNSHARE_RANGE;

export function fallocate(
  machine: Machine,
  file: File | undefined,
  mode: number,
  offset: number,
  length: number,
): SysResult {
  if (file === undefined) return -EBADF;
  if (offset < 0 || length <= 0) return -EINVAL;
  if ((mode & ~(FALLOC_MODES | FALLOC_FL_KEEP_SIZE)) !== 0) return -EOPNOTSUPP;
  const refused = clashOfModes(machine, mode);
  if (refused < 0) return refused;
  if (!file.writable) return -EBADF;
  if (offset + length > maxBytes(file.inode)) return -EFBIG;
  return vfsFallocate(machine, file, mode, offset, length);
}

/** Modes that do not go together: 0 or -errno. */
function clashOfModes(machine: Machine, mode: number): number {
  const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  const kinds = mode & FALLOC_MODES;
  const several = (kinds & (kinds - 1)) !== 0;
  const shifts = (kinds & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) !== 0;
  // SINCE 6.12: every clash is EOPNOTSUPP; before, some were EINVAL.
  if (machine.generation.switches.fallocateOneMode) {
    if (several || (shifts && keepsSize)) return -EOPNOTSUPP;
    return kinds === FALLOC_FL_PUNCH_HOLE && !keepsSize ? -EOPNOTSUPP : 0;
  }
  const both = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  if ((kinds & both) === both) return -EOPNOTSUPP;
  if ((kinds & FALLOC_FL_PUNCH_HOLE) !== 0 && !keepsSize) return -EOPNOTSUPP;
  return several || (shifts && keepsSize) ? -EINVAL : 0;
}

/** fsync, or fdatasync. */
export function fsync(machine: Machine, file: File | undefined, dataOnly: boolean): SysResult {
  if (file === undefined) return -EBADF;
  return vfsFsync(machine, file, 0, LOFF_END, dataOnly);
}

export function fadvise64(
  machine: Machine,
  file: File | undefined,
  offset: number,
  length: number,
  advice: number,
): SysResult {
  if (file === undefined) return -EBADF;
  if (length < 0) return -EINVAL;
  return doFadvise(machine, file, offset, length, advice);
}
