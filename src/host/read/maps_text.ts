/**
 * /proc/PID/maps: one line for each VMA, names of any bytes.
 *
 *     7f1c2a000000-7f1c2a021000 r--p 00002000 08:01 4194305                    /usr/lib/libc.so.6
 *     start        end          perm offset   dev   inode, then blanks to column 73, then the name to the end of the line
 *
 * Promises  1. Any bytes give lines or are passed over; nothing throws. A line that is no VMA is passed over.
 *           2. Addresses and offsets become pages by leaving out their last three digits, so vsyscall's, beyond 2^53, is exact.
 *           3. The name stands as the kernel wrote it: `\012` is a newline or those four characters (map_names.ts settles it),
 *              ` (deleted)` may be a part of it.
 * Linux     6.18 fs/proc/task_mmu.c: show_map_vma show_vma_header_prefix get_vma_name; fs/seq_file.c: mangle_path
 */

import { VMA_EXEC, VMA_READ, VMA_SHARED, VMA_WRITE } from '../snapshot.ts';
import { eachLine, hexNumber, NameCache, nextBlank, skipBlanks } from './bytes.ts';

export interface MapsLine {
  readonly startPage: number;
  readonly endPage: number;
  /** VMA_READ … VMA_SHARED. */
  readonly perms: number;
  /** Offset in pages. */
  readonly pgoff: number;
  /** `08:01`. */
  readonly device: string;
  /** Decimal, `0` for none. */
  readonly inode: string;
  /** The last column as it stands, '' for none. */
  readonly name: string;
}

export function parseMaps(bytes: Uint8Array, names = new NameCache()): MapsLine[] {
  const lines: MapsLine[] = [];
  eachLine(bytes, (start, end) => {
    const line = parseMapsLine(bytes, start, end, names);
    if (line !== null) lines.push(line);
  });
  return lines;
}

/** Null for a line of another kind: smaps has such between the VMAs. */
export function parseMapsLine(bytes: Uint8Array, start: number, end: number, names: NameCache): MapsLine | null {
  const dash = bytes.indexOf(DASH, start);
  const rangeEnd = nextBlank(bytes, start, end);
  if (dash < 0 || dash >= rangeEnd) return null;
  const startPage = pageNumber(bytes, start, dash);
  const endPage = pageNumber(bytes, dash + 1, rangeEnd);
  if (Number.isNaN(startPage) || Number.isNaN(endPage) || endPage < startPage) return null;
  const perms = skipBlanks(bytes, rangeEnd, end);
  const permsEnd = nextBlank(bytes, perms, end);
  if (permsEnd - perms !== 4) return null;
  const offset = skipBlanks(bytes, permsEnd, end);
  const offsetEnd = nextBlank(bytes, offset, end);
  const device = skipBlanks(bytes, offsetEnd, end);
  const deviceEnd = nextBlank(bytes, device, end);
  const inode = skipBlanks(bytes, deviceEnd, end);
  const inodeEnd = nextBlank(bytes, inode, end);
  const pgoff = pageNumber(bytes, offset, offsetEnd);
  if (Number.isNaN(pgoff) || inode === inodeEnd) return null;
  return {
    startPage,
    endPage,
    perms: permBits(bytes, perms),
    pgoff,
    device: names.text(bytes, device, deviceEnd),
    inode: names.text(bytes, inode, inodeEnd),
    name: names.text(bytes, skipBlanks(bytes, inodeEnd, end), end),
  };
}

const DASH = 0x2d;
const DIGITS_IN_PAGE = 3;

/** An address without the place in its page. */
function pageNumber(bytes: Uint8Array, start: number, end: number): number {
  return end - start > DIGITS_IN_PAGE ? hexNumber(bytes, start, end - DIGITS_IN_PAGE) : Number.NaN;
}

function permBits(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] === 0x72 ? VMA_READ : 0) |
    (bytes[at + 1] === 0x77 ? VMA_WRITE : 0) |
    (bytes[at + 2] === 0x78 ? VMA_EXEC : 0) |
    (bytes[at + 3] === 0x73 ? VMA_SHARED : 0)
  );
}
