/**
 * The memory cgroups of a host: their directories, and what their control files say.
 *
 * Promises  1. Every directory below the memory controller's mount is a row, its parent before it. The first is the root.
 *           2. An inode that /proc/kpagecgroup shows and that no directory has (made or seen meanwhile, or outside of what
 *              the mount shows) becomes a row, too: its path is `inode:123`.
 *           3. At most NO_CGROUP rows: more (the kernel itself has no more than 65,535 at a time) have the row NO_CGROUP.
 * Linux     6.18 mm/memcontrol.c: memory_files mem_cgroup_legacy_files; fs/proc/page.c: kpagecgroup
 */
import { join } from 'node:path';
import { type HostCgroup, NO_CGROUP } from '../snapshot.ts';
import { belowMount, type CgroupMount, parseCgroup, parseCgroupMounts } from './cgroup_text.ts';
import { type HostFiles, Refusal } from './host_files.ts';
import type { MissingList } from './missing.ts';

/** Of version 2, then those of version 1. */
const CONTROL_FILES = {
  2: [
    'memory.current',
    'memory.peak',
    'memory.min',
    'memory.low',
    'memory.high',
    'memory.max',
    'memory.swap.current',
    'memory.swap.max',
    'memory.zswap.current',
    'memory.stat',
    'memory.events',
  ],
  1: [
    'memory.usage_in_bytes',
    'memory.max_usage_in_bytes',
    'memory.limit_in_bytes',
    'memory.soft_limit_in_bytes',
    'memory.memsw.usage_in_bytes',
    'memory.memsw.limit_in_bytes',
    'memory.kmem.usage_in_bytes',
    'memory.failcnt',
    'memory.stat',
  ],
} as const;

export class CgroupTable {
  readonly cgroups: HostCgroup[] = [];
  private readonly rows = new Map<number, number>();
  private readonly mount: CgroupMount | null;

  constructor(files: HostFiles, missing: MissingList) {
    this.mount = memoryMount(files, missing);
    if (this.mount !== null) this.walk(files, missing, this.mount, '/');
  }

  /** From the text of /proc/PID/cgroup; '' without a memory controller. */
  pathOf(text: Uint8Array): string {
    const found = parseCgroup(text);
    if (found === null || this.mount === null || found.version !== this.mount.version) return '';
    return belowMount(found.path, this.mount);
  }

  rowOf(inode: number): number {
    const row = this.rows.get(inode);
    if (row !== undefined) return row;
    return this.add({ inode, path: `inode:${inode}`, texts: new Map() });
  }

  private add(cgroup: HostCgroup): number {
    if (this.cgroups.length >= NO_CGROUP) return NO_CGROUP;
    this.rows.set(cgroup.inode, this.cgroups.length);
    return this.cgroups.push(cgroup) - 1;
  }

  private walk(files: HostFiles, missing: MissingList, mount: CgroupMount, path: string): void {
    const folder = join(mount.point, path);
    const stat = files.stat(folder);
    const below = files.directories(folder);
    // Ended since its parent was listed.
    if (stat instanceof Refusal || below instanceof Refusal) {
      const { errno } = stat instanceof Refusal ? stat : (below as Refusal);
      if (errno !== 'ENOENT' && errno !== 'ENODEV') missing.add('cgroup', errno);
      return;
    }
    const texts = new Map<string, string>();
    for (const name of CONTROL_FILES[mount.version]) {
      const text = files.text(join(folder, name));
      if (!(text instanceof Refusal)) texts.set(name, text);
      // The root has few of them, and EOPNOTSUPP is a file whose feature is off.
      else if (!['ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP'].includes(text.errno)) missing.add(name, text.errno);
    }
    this.add({ inode: Number(stat.inode), path, texts });
    for (const name of below.sort()) this.walk(files, missing, mount, join(path, name));
  }
}

function memoryMount(files: HostFiles, missing: MissingList): CgroupMount | null {
  const own = files.bytes(files.inProc('self', 'cgroup'));
  const mounts = files.bytes(files.inProc('self', 'mountinfo'));
  if (own instanceof Refusal) return missing.add('cgroup', own.errno);
  if (mounts instanceof Refusal) return missing.add('mountinfo', mounts.errno);
  const version = parseCgroup(own)?.version;
  const mount = parseCgroupMounts(mounts).find((m) => m.version === version);
  return mount ?? missing.add('cgroup', 'no memory controller is mounted');
}
