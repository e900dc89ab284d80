/**
 * What a name in maps means: a file that is there, or one that is deleted; a newline, or a backslash and digits.
 *
 * Promises  1. ` (deleted)` is a part of the name only if a file of that whole name is there and is the one that is mapped
 *              (device and inode, asked through /proc/PID/map_files where we may).
 *           2. `\012` is a newline unless the link in map_files, which escapes nothing, shows otherwise.
 *           3. Each such name costs these questions once; plain names cost none.
 * Linux     6.18 fs/d_path.c: d_path; fs/seq_file.c: seq_file_path; fs/proc/base.c: map_files_get_link
 */
import type { SnapshotBuilder } from '../builder.ts';
import { NO_ROW } from '../snapshot.ts';
import { type HostFiles, Refusal } from './host_files.ts';
import type { MapsLine } from './maps_text.ts';

const DELETED = ' (deleted)';
const NEWLINE = /\\012/g;

export interface MapName {
  /** Row in `files`, or NO_ROW. */
  readonly file: number;
  /** As in maps, newlines as they are. */
  readonly name: string;
}

export class MapNames {
  private readonly files: HostFiles;
  private readonly builder: Pick<SnapshotBuilder, 'file'>;
  /** By the last column: most names are one file. */
  private readonly known = new Map<string, (MapName & Pick<MapsLine, 'device' | 'inode'>)[]>();

  constructor(files: HostFiles, builder: Pick<SnapshotBuilder, 'file'>) {
    this.files = files;
    this.builder = builder;
  }

  nameOf(pid: number, line: MapsLine): MapName {
    if (line.inode === '0') return { file: NO_ROW, name: line.name };
    const { device, inode } = line;
    const alike = this.known.get(line.name);
    for (const known of alike ?? []) if (known.inode === inode && known.device === device) return known;
    const settled = { device, inode, ...this.settled(pid, line) };
    if (alike === undefined) this.known.set(line.name, [settled]);
    else alike.push(settled);
    return settled;
  }

  private settled(pid: number, line: MapsLine): MapName {
    const { device, inode } = line;
    const isDoubtful = line.name.endsWith(DELETED) || line.name.includes('\\012');
    const name = isDoubtful ? this.unescaped(pid, line) : line.name;
    const deleted = name.endsWith(DELETED) && !this.isThere(pid, line, name);
    const path = deleted ? name.slice(0, -DELETED.length) : name;
    return { file: this.builder.file({ device, inode, path, deleted }), name };
  }

  private unescaped(pid: number, line: MapsLine): string {
    const plain = line.name.replace(NEWLINE, '\n');
    const link = this.files.link(this.mapFile(pid, line));
    // The range may show another file by now.
    return !(link instanceof Refusal) && link.replaceAll('\n', '\\012') === line.name ? link : plain;
  }

  /** Seen from our root, and from the process's. */
  private isThere(pid: number, line: MapsLine, path: string): boolean {
    if (!path.startsWith('/')) return false;
    const mapped = this.files.stat(this.mapFile(pid, line));
    const { device, inode } = mapped instanceof Refusal ? line : mapped;
    return [path, this.files.inProc(pid, 'root') + path].some((candidate) => {
      const stat = this.files.stat(candidate);
      return !(stat instanceof Refusal) && stat.device === device && stat.inode === inode;
    });
  }

  private mapFile(pid: number, { startPage, endPage }: MapsLine): string {
    return this.files.inProc(pid, 'map_files', `${address(startPage)}-${address(endPage)}`);
  }
}

/** The kernel's %lx: no zeros in front. */
function address(page: number): string {
  return page === 0 ? '0' : `${page.toString(16)}000`;
}
