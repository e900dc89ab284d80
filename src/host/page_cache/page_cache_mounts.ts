/**
 * What is mounted where, in every mount namespace whose processes we see.
 *
 * Owns      the reading of mountinfo, and what the page cache has to know of a file system: whether a server answers for
 *           it, whether it has pages at all, and of which layers an overlay is made.
 * Linux     Documentation/filesystems/proc.rst 3.5 (mountinfo); Documentation/filesystems/overlayfs.rst
 */
import { type HostFiles, Refusal } from '../read/host_files.ts';
import { below } from '../read/path_below.ts';

export interface Mount {
  readonly id: number;
  /** As in maps. */
  readonly device: string;
  /** What of the file system is mounted, and where. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly source: string;
  /** The file system's own options. */
  readonly options: readonly string[];
}

/** Another machine or a process answers for them, and may never answer. */
const REMOTE = /^(nfs|cifs|smb|fuse|9p|ceph|afs|coda|lustre|gluster|orangefs|gfs2|ocfs2|virtiofs)/;
/** Their files are made up when somebody reads them: no page cache. */
const MADE_UP = new Set(
  `proc sysfs cgroup cgroup2 debugfs tracefs securityfs bpf configfs pstore efivarfs devpts mqueue selinuxfs smackfs
   binfmt_misc autofs fusectl nsfs rpc_pipefs hugetlbfs resctrl sockfs pipefs anon_inodefs`.split(/\s+/),
);

export function isRemote(type: string): boolean {
  return REMOTE.test(type);
}

export function isMadeUp(type: string): boolean {
  return MADE_UP.has(type);
}

export class Mounts {
  private readonly files: HostFiles;
  private readonly ofNamespace = new Map<string, readonly Mount[]>();
  private readonly ofProcess = new Map<number | 'self', readonly Mount[]>();

  constructor(files: HostFiles) {
    this.files = files;
  }

  /** Of this process, or ours; a process that is gone has none. */
  of(pid: number | 'self'): readonly Mount[] {
    const known = this.ofProcess.get(pid);
    if (known !== undefined) return known;
    const namespace = this.files.link(this.files.inProc(pid, 'ns', 'mnt'));
    const key = namespace instanceof Refusal ? `pid ${pid}` : namespace;
    let mounts = this.ofNamespace.get(key);
    if (mounts === undefined) {
      const text = this.files.text(this.files.inProc(pid, 'mountinfo'));
      mounts = text instanceof Refusal ? [] : parseMounts(text);
      this.ofNamespace.set(key, mounts);
    }
    this.ofProcess.set(pid, mounts);
    return mounts;
  }

  /** All that were read so far, each once. */
  seen(): Mount[] {
    return [...new Set([...this.ofNamespace.values()].flat())];
  }

  /** The type of the file system that a process sees under this device; '' if it is not among its mounts. */
  typeOf(pid: number | 'self', device: string): string {
    return this.of(pid).find((mount) => mount.device === device)?.type ?? '';
  }

  /** Whether this process sees a file system of another machine. */
  hasRemote(pid: number | 'self'): boolean {
    return this.of(pid).some((mount) => isRemote(mount.type));
  }

  /** Of our own root. */
  rootDevice(): string {
    return this.of('self').findLast((mount) => mount.point === '/')?.device ?? '';
  }
}

/** Fields up to ` - ` vary in number; names have octal escapes for space, tab, newline and backslash. */
export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const [before = '', after] = line.split(' - ');
    const [id, , device, root, point] = before.split(' ');
    if (after === undefined || point === undefined) continue;
    const [type = '', source = '', options = ''] = after.split(' ');
    mounts.push({
      id: Number(id),
      device: deviceOf(device!),
      root: unescaped(root!),
      point: unescaped(point),
      type,
      source: unescaped(source),
      options: options.split(',').map(unescaped),
    });
  }
  return mounts;
}

/** mountinfo has decimal numbers, maps hexadecimal ones. */
function deviceOf(text: string): string {
  return text
    .split(':')
    .map((n) => Number(n).toString(16).padStart(2, '0'))
    .join(':');
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/**
 * Where a file of an overlay may really be: its path in each layer, the upper one first. A layer's name is the path by
 * which it was mounted, so it may mean nothing in our namespace.
 */
export function layersOf(mounts: readonly Mount[], device: string, path: string): string[] {
  const mount = mounts
    .filter((m) => m.device === device && m.type === 'overlay' && below(m.point, path) !== null)
    .sort((a, b) => b.point.length - a.point.length)[0];
  if (mount === undefined) return [];
  const inside = `${mount.root === '/' ? '' : mount.root}${below(mount.point, path)}`;
  return layerFolders(mount.options).map((folder) => `${folder}${inside}`);
}

function layerFolders(options: readonly string[]): string[] {
  const folders: string[] = [];
  for (const option of options) {
    const [, key, value] = /^(upperdir|lowerdir\+?|datadir\+)=(.*)$/s.exec(option) ?? [];
    if (value === undefined) continue;
    const named = key === 'lowerdir' ? value.split(/(?<!\\):+/) : [value];
    const plain = named.map((name) => name.replace(/\\(.)/g, '$1'));
    if (key === 'upperdir') folders.unshift(...plain);
    else folders.push(...plain);
  }
  return folders.filter((folder) => folder.startsWith('/'));
}
