/** An archive as the kernel unpacks it into its first file system (cpio, format newc: Documentation/driver-api/early-userspace). */

export interface ArchiveEntry {
  /** Without a leading slash. */
  path: string;
  /** null: a folder. */
  bytes: Uint8Array | null;
  executable?: boolean;
}

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const TRAILER = 'TRAILER!!!';

export function cpioOf(entries: readonly ArchiveEntry[]): Buffer {
  const parts: Buffer[] = [];
  const add = (path: string, mode: number, bytes: Uint8Array, inode: number): void => {
    const name = Buffer.from(`${path}\0`);
    const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
    const head = `070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}`;
    parts.push(padded(Buffer.concat([Buffer.from(head), name])), padded(Buffer.from(bytes)));
  };
  for (const [i, { path, bytes, executable }] of entries.entries()) {
    const mode = bytes === null ? S_IFDIR | 0o755 : S_IFREG | (executable === true ? 0o755 : 0o644);
    add(path, mode, bytes ?? new Uint8Array(0), i + 1);
  }
  add(TRAILER, 0, new Uint8Array(0), 0);
  return Buffer.concat(parts);
}

/** To a whole number of words. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
