/**
 * Where the memory controller is: /proc/PID/cgroup, and the cgroup lines of /proc/self/mountinfo.
 *
 *     4:memory:/docker/3f…      version 1: the line that names the controller        (and hybrids: v1 memory, v2 the rest)
 *     0::/system.slice/a.scope  version 2: the line without names, if no other line has memory
 *
 * Promises  A path is below the mount (`/` is the mount's own root) where it can be. What lies outside of what the mount
 *           shows stays as the kernel shows it: `/../b` seen from inside a cgroup namespace.
 * Linux     6.18 kernel/cgroup/cgroup.c: proc_cgroup_show cgroup_path_ns_locked; fs/proc_namespace.c: show_mountinfo
 */
import { decodeName } from '../text.ts';

/** The process's path in the hierarchy that has memory, or null without one. */
export function parseCgroup(bytes: Uint8Array): { readonly version: 1 | 2; readonly path: string } | null {
  let unified: string | null = null;
  for (const line of decodeName(bytes).split('\n')) {
    const [hierarchy, controllers, ...path] = line.split(':');
    if (controllers === undefined || path.length === 0) continue;
    if (controllers.split(',').includes('memory')) return { version: 1, path: path.join(':') };
    if (hierarchy === '0' && controllers === '') unified = path.join(':');
  }
  return unified === null ? null : { version: 2, path: unified };
}

export interface CgroupMount {
  readonly version: 1 | 2;
  /** The directory where it is mounted. */
  readonly point: string;
  /** The cgroup that is its root. */
  readonly root: string;
}

/** The mounts of a memory controller; with several of one hierarchy the one that shows most is first. */
export function parseCgroupMounts(bytes: Uint8Array): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of decodeName(bytes).split('\n')) {
    const [front, back] = halves(line);
    const [, , , root, point] = front.split(' ');
    const [type, , options] = back.split(' ');
    if (root === undefined || point === undefined) continue;
    if (type === 'cgroup2') mounts.push({ version: 2, point: unescaped(point), root: unescaped(root) });
    if (type === 'cgroup' && options?.split(',').includes('memory') === true)
      mounts.push({ version: 1, point: unescaped(point), root: unescaped(root) });
  }
  return mounts.sort((a, b) => a.version - b.version || a.root.length - b.root.length);
}

/** mountinfo has optional fields up to a lone dash. */
function halves(line: string): readonly [string, string] {
  const dash = line.indexOf(' - ');
  return dash < 0 ? [line, ''] : [line.slice(0, dash), line.slice(dash + 3)];
}

/** Blanks, tabs, newlines and backslashes of a path stand as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The path below the mount. */
export function belowMount(path: string, mount: CgroupMount): string {
  if (mount.root === '/' || mount.root.startsWith('/..')) return path;
  if (path === mount.root) return '/';
  return path.startsWith(`${mount.root}/`) ? path.slice(mount.root.length) : path;
}
