/**
 * What a program wrote, from the lines of `strace -f -y`.
 *
 * Promises  A call that opens for writing, changes a name or writes is reported with its line, wherever below one of `places` it was:
 *           by the path in its arguments, by the path of its descriptors, and by that of the descriptor it gave.
 */

/** Traced: what can write, and what can open to write. */
export const CALLS = [
  ...['open', 'openat', 'openat2', 'creat', 'truncate', 'ftruncate', 'fallocate'],
  ...['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendfile', 'splice', 'copy_file_range'],
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'symlink', 'symlinkat', 'unlink', 'unlinkat'],
  ...['mkdir', 'mkdirat', 'rmdir', 'mknod', 'mknodat', 'mount', 'umount2', 'move_mount', 'fsconfig'],
  ...[
    'chmod',
    'fchmod',
    'fchmodat',
    'chown',
    'lchown',
    'fchown',
    'fchownat',
    'utime',
    'utimes',
    'futimesat',
    'utimensat',
  ],
  ...['setxattr', 'lsetxattr', 'fsetxattr', 'removexattr', 'lremovexattr', 'fremovexattr'],
] as const;

const OPENS = /^(open|openat|openat2)$/;
const FOR_WRITING = /\bO_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)\b/;
/** `12345 openat(AT_FDCWD</tmp>, "x", O_RDONLY) = 3</tmp/x>`; the number is there with -f. */
const CALL = /^(?:\[pid +)?(?:\d+\]? +)?([a-z0-9_]+)\((.*)$/;
const STRINGS = /"((?:[^"\\]|\\.)*)"/g;
const DESCRIPTORS = /(?:AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>/g;

/** The lines of `trace` that write below one of `places` (absolute, without a slash at their end). */
export function writesBelow(trace: string, places: readonly string[]): string[] {
  return wholeCalls(trace.split('\n')).filter((line) => {
    const found = CALL.exec(line);
    if (found === null || !(CALLS as readonly string[]).includes(found[1]!)) return false;
    const rest = found[2]!;
    if (OPENS.test(found[1]!) && !FOR_WRITING.test(rest)) return false;
    return pathsOf(found[1]!, rest).some((path) =>
      places.some((place) => path === place || path.startsWith(`${place}/`)),
    );
  });
}

/** A call that another thread interrupted stands in two lines. */
function wholeCalls(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  const whole: string[] = [];
  for (const line of lines) {
    const pid = /^(?:\[pid +)?(\d+)/.exec(line)?.[1] ?? '';
    const resumed = /<\.\.\. [a-z0-9_]+ resumed>(.*)$/.exec(line);
    if (line.endsWith('<unfinished ...>')) begun.set(pid, line.slice(0, -'<unfinished ...>'.length));
    else if (resumed !== null) whole.push(`${begun.get(pid) ?? ''}${resumed[1]}`);
    else whole.push(line);
    if (resumed !== null) begun.delete(pid);
  }
  // What never ended was called all the same.
  return [...whole, ...begun.values()];
}

function pathsOf(call: string, rest: string): string[] {
  const folders = [...rest.matchAll(DESCRIPTORS)].map(([, path]) => path!);
  // Bytes that are written are no paths.
  if (/^(p?write|sendfile|splice|copy_file)/.test(call)) return folders;
  const names = [...rest.matchAll(STRINGS)].map(([, name]) => name!);
  const joined = names.flatMap((name) =>
    name.startsWith('/') ? [name] : folders.map((folder) => `${folder}/${name}`),
  );
  return [...joined, ...folders].map(plainPath);
}

function plainPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Where the kernel shows itself: /proc, /sys, and every mount of a cgroup or of such a file system, from mountinfo. */
export function kernelPlaces(mountinfo: string): string[] {
  const kinds = ['proc', 'sysfs', 'cgroup', 'cgroup2', 'debugfs', 'tracefs', 'securityfs', 'bpf', 'configfs'];
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [front, back] = line.split(' - ');
    return kinds.includes(back?.split(' ')[0] ?? '') ? [front!.split(' ')[4]!] : [];
  });
  return [...new Set(['/proc', '/sys', ...mounts])];
}
