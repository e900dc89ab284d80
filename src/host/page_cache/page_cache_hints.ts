/**
 * Where the rest of the page cache may be: file systems that one could name, and how much is in those that are memory.
 *
 * Promises  Each file system once, by its shortest mount point. Those that a server answers for are named and not asked.
 */
import { statfsSync } from 'node:fs';
import type { HostFiles } from '../read/host_files.ts';
import { isMadeUp, isRemote, type Mount, Mounts } from './page_cache_mounts.ts';

export interface CacheHint {
  /** A directory to name. */
  readonly path: string;
  readonly type: string;
  /** What is in it, where it is memory (tmpfs): all of that is shared memory, or swapped out. Null for disks. */
  readonly usedBytes: number | null;
}

const IN_MEMORY = ['tmpfs', 'devtmpfs', 'ramfs'];

export function cacheHints(host: HostFiles): CacheHint[] {
  const byDevice = new Map<string, Mount>();
  for (const mount of new Mounts(host).of('self')) {
    if (isMadeUp(mount.type)) continue;
    const known = byDevice.get(mount.device);
    if (known === undefined || mount.point.length < known.point.length) byDevice.set(mount.device, mount);
  }
  return [...byDevice.values()]
    .map(({ point, type }) => ({ path: point, type, usedBytes: IN_MEMORY.includes(type) ? usedBytes(point) : null }))
    .filter(({ type, usedBytes }) => usedBytes !== 0 && !isRemote(type))
    .sort((a, b) => (b.usedBytes ?? 0) - (a.usedBytes ?? 0));
}

function usedBytes(point: string): number | null {
  try {
    const { bsize, blocks, bfree } = statfsSync(point);
    return bsize * (blocks - bfree);
  } catch {
    return null;
  }
}
