/**
 * The cgroup that a frame is charged to: /proc/kpagecgroup says the inode of its directory.
 *
 * Promises  The cgroups of the processes asked about come first, then their parents: mostly the owner is one of them. Only then
 *           the whole tree is looked through.
 * Linux     6.18 mm/memcontrol.c: page_cgroup_ino
 */
import { dirname, join } from 'node:path';
import { belowMount, type CgroupMount, parseCgroup, parseCgroupMounts } from './cgroup_text.ts';
import { type HostFiles, Refusal } from './host_files.ts';

/** Below the mount of the memory controller; `inode:N` if no directory has the number. Null without such a mount. */
export function ownerCgroup(files: HostFiles, inode: number, pids: readonly number[]): string | null {
  const mountinfo = files.bytes(files.inProc('self', 'mountinfo'));
  const own = files.bytes(files.inProc('self', 'cgroup'));
  if (mountinfo instanceof Refusal || own instanceof Refusal) return null;
  const version = parseCgroup(own)?.version;
  const mount = parseCgroupMounts(mountinfo).find((each) => each.version === version);
  if (mount === undefined) return null;
  const is = (path: string): boolean => {
    const stat = files.stat(join(mount.point, path));
    return !(stat instanceof Refusal) && stat.inode === String(inode);
  };
  return firstThat(likely(files, mount, pids), is) ?? firstThat(everyPath(files, mount, '/'), is) ?? `inode:${inode}`;
}

const MOST_PROCESSES = 16;

function likely(files: HostFiles, mount: CgroupMount, pids: readonly number[]): Set<string> {
  const paths = new Set<string>();
  for (const pid of [...pids.slice(0, MOST_PROCESSES), 'self']) {
    const text = files.bytes(files.inProc(pid, 'cgroup'));
    const found = text instanceof Refusal ? null : parseCgroup(text);
    if (found === null || found.version !== mount.version) continue;
    for (let path = belowMount(found.path, mount); path.startsWith('/'); path = dirname(path)) {
      paths.add(path);
      if (path === '/') break;
    }
  }
  return paths;
}

function* everyPath(files: HostFiles, mount: CgroupMount, path: string): Generator<string> {
  yield path;
  const names = files.directories(join(mount.point, path));
  if (names instanceof Refusal) return;
  for (const name of names) yield* everyPath(files, mount, join(path, name));
}

function firstThat(paths: Iterable<string>, is: (path: string) => boolean): string | undefined {
  for (const path of paths) if (is(path)) return path;
  return undefined;
}
