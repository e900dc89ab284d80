/**
 * Where files are met that may be cached: what processes map, run and have open, and what the kernel itself holds.
 *
 * Promises  1. The inode that a process has is the one that is asked, whatever its name means to us: mount namespaces,
 *              deleted files and memfds are reached through /proc/PID/map_files and /proc/PID/fd.
 *           2. What a server answers for (NFS, FUSE …) is not touched unless allowed: it may never answer.
 * Linux     fs/proc/base.c: proc_map_files_get_link (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), fs/proc/fd.c
 */
import { type HostFiles, Refusal } from '../read/host_files.ts';
import { AT_FDCWD, cPath, type Inode } from '../read/syscalls.ts';
import { type HostFile, type HostSnapshot, NO_ROW } from '../snapshot.ts';
import type { CacheAsker, Outcome, Place } from './page_cache_asker.ts';
import { isRemote } from './page_cache_mounts.ts';

/** Two areas of a file are two chances to reach it: a process may end meanwhile. */
const WAYS_TO_A_FILE = 4;
const PAGE = 4096;

interface Mapped {
  readonly row: number;
  readonly name: string;
  /** A process, and the address range in it. */
  readonly areas: { readonly pid: number; readonly range: string }[];
}

export class CacheSources {
  private readonly asker: CacheAsker;
  private readonly host: HostFiles;
  private readonly snapshot: HostSnapshot;
  private readonly remote: boolean;
  private readonly openDevices = new Set<string>();

  constructor(asker: CacheAsker, host: HostFiles, snapshot: HostSnapshot, remote: boolean) {
    this.asker = asker;
    this.host = host;
    this.snapshot = snapshot;
    this.remote = remote;
  }

  /** What these processes map. */
  askMapped(pids: ReadonlySet<number>): void {
    for (const mapped of this.mappedBy(pids)) this.askOneMapped(mapped);
  }

  /** What a process has open, and what it runs. */
  askOpen(pid: number): void {
    this.askLink(pid, 'exe');
    const descriptors = this.host.list(this.host.inProc(pid, 'fd'));
    if (descriptors instanceof Refusal) {
      // A process that has ended has nothing open.
      if (descriptors.errno !== 'ENOENT' && descriptors.errno !== 'ESRCH')
        this.asker.note('open files of processes', descriptors.errno);
      return;
    }
    for (const fd of descriptors) this.askLink(pid, `fd/${fd}`);
  }

  /** Of files that were asked already: who else has them open. Nothing new is asked. */
  noteOpeners(pid: number): void {
    const descriptors = this.host.list(this.host.inProc(pid, 'fd'));
    if (descriptors instanceof Refusal) return;
    for (const name of ['exe', ...descriptors.map((fd) => `fd/${fd}`)]) {
      const met = this.meet(pid, name);
      if (met === null) continue;
      const known = this.asker.known(met.inode, { ...met.place, isWanted: false });
      if (known !== null) addOpener(known, pid);
    }
  }

  /** Files that no process need have open: swap files, and what lies behind loop devices. */
  askKernels(): void {
    for (const path of [...this.swapFiles(), ...this.loopFiles()]) {
      const outcome = this.asker.look(AT_FDCWD, cPath(path), true, { ...NAMED, path });
      if (outcome instanceof Refusal) this.asker.note('swap and loop files', outcome.errno);
    }
  }

  /** Segments of System V shared memory that nobody has attached, and so no maps shows. Of our IPC namespace. */
  addSegments(): void {
    const text = this.host.text(this.host.inProc('sysvipc', 'shm'));
    if (text instanceof Refusal) return;
    for (const { file, sizeBytes, cachedPages, swappedPages } of segmentsIn(text)) {
      const inode = { ...file, kind: 'file', sizeBytes, uid: 0, links: 0, ofDevice: '' } satisfies Inode;
      if (this.asker.known(inode, { ...NAMED, path: file.path }) !== null) continue;
      const counts = { dirtyPages: cachedPages, writebackPages: 0, recentlyEvictedPages: 0 };
      this.asker.addUnasked(file, 'shmem', sizeBytes, { ...counts, cachedPages, evictedPages: swappedPages });
    }
  }

  /**
   * Block devices, whose own pages hold a file system's metadata. Only those in use: nobody's pages of another one are
   * left, and to open it would be news to it.
   */
  askDevices(): void {
    this.asker.mounts.of('self');
    const names = this.host.list(this.host.inSys('class', 'block'));
    if (names instanceof Refusal) {
      this.asker.note('block devices', names.errno);
      return;
    }
    const mounts = this.asker.mounts.seen();
    const inUse = new Set([...this.openDevices, ...mounts.map((mount) => mount.device)]);
    const sources = new Set(mounts.map((mount) => mount.source));
    const devices = new Map<string, string>();
    for (const name of names) {
      const device = this.deviceNumber(name);
      const isUsed = inUse.has(device) || sources.has(`/dev/${name}`) || this.isHeld(name);
      if (isUsed) for (const used of [name, ...this.diskOf(name)]) devices.set(used, this.deviceNumber(used));
    }
    for (const [name, device] of devices) this.asker.askDevice(name.replaceAll('!', '/'), device);
  }

  private mappedBy(pids: ReadonlySet<number>): Iterable<Mapped> {
    const { vmas, strings, processes } = this.snapshot;
    const found = new Map<string, Mapped>();
    for (const { pid, firstVma, endVma } of processes) {
      if (!pids.has(pid)) continue;
      for (let vma = firstVma; vma < endVma; vma++) {
        const row = vmas.file[vma]!;
        const name = strings[vmas.name[vma]!]!;
        // shmid 0 is an inode number, too.
        if (row === NO_ROW && !name.startsWith('/SYSV')) continue;
        const key = `${row} ${name}`;
        const known = found.get(key);
        const area = { pid, range: rangeText(vmas.startPage[vma]!, vmas.endPage[vma]!) };
        if (known === undefined) found.set(key, { row, name, areas: [area] });
        else if (known.areas.length < WAYS_TO_A_FILE && known.areas.at(-1)!.pid !== pid) known.areas.push(area);
      }
    }
    return found.values();
  }

  private askOneMapped({ row, name, areas }: Mapped): void {
    const file = row === NO_ROW ? null : this.snapshot.files[row]!;
    if (file !== null && this.isLeftOut(areas[0]!.pid, file.device)) return;
    let refused = new Refusal('ENOENT');
    for (const { pid, range } of areas) {
      const place: Place = { pid, folder: null, path: name, row: file === null ? null : row, isWanted: true };
      const way = cPath(this.host.inProc(pid, 'map_files', range));
      let outcome = this.asker.look(AT_FDCWD, way, true, place);
      if (outcome instanceof Refusal && file !== null) outcome = this.askByPath(pid, file, place, outcome);
      if (!(outcome instanceof Refusal)) return;
      refused = outcome;
    }
    this.asker.note('mapped files', refused.errno);
  }

  /** For who may not use map_files: by the path that maps shows, if it still leads to the same inode. */
  private askByPath(pid: number, file: HostFile, place: Place, refused: Refusal): Outcome {
    if (file.deleted || !file.path.startsWith('/')) return refused;
    for (const path of [this.host.inProc(pid, 'root') + file.path, file.path]) {
      const way = cPath(path);
      const inode = this.asker.calls.statAt(way);
      if (inode instanceof Refusal || !this.isSame(pid, inode, file)) continue;
      return this.asker.look(AT_FDCWD, way, true, place);
    }
    return refused;
  }

  /** maps shows a file system's own device, stat that of a subvolume of btrfs; and before 6.8, an overlay's layer. */
  private isSame(pid: number, inode: Inode, file: HostFile): boolean {
    if (inode.inode === file.inode && inode.device === file.device) return true;
    const type = this.asker.mounts.typeOf(pid, inode.device);
    return type === 'overlay' || (type === 'btrfs' && inode.inode === file.inode);
  }

  private askLink(pid: number, name: string): void {
    const met = this.meet(pid, name);
    if (met === null) return;
    const outcome = this.asker.known(met.inode, met.place) ?? this.asker.look(AT_FDCWD, met.way, true, met.place);
    if (outcome instanceof Refusal) this.noteUnlessGone('open files', outcome);
    else addOpener(outcome, pid);
  }

  /** The file behind a link of /proc/PID; null if it is none, or a server's. */
  private meet(pid: number, name: string): { inode: Inode; way: Uint8Array; place: Place } | null {
    const path = this.host.inProc(pid, ...name.split('/'));
    const shown = this.host.link(path);
    // socket:[1], pipe:[2], anon_inode:[eventfd]; kernel threads run nothing.
    if (shown instanceof Refusal || !shown.startsWith('/')) return null;
    if (this.someRemote(pid) && this.isRemoteDescriptor(pid, name)) return null;
    const way = cPath(path);
    const inode = this.asker.calls.statAt(way);
    if (inode instanceof Refusal) return null;
    if (inode.kind === 'block device') this.openDevices.add(inode.ofDevice);
    if (inode.kind !== 'file') return null;
    return { inode, way, place: { pid, folder: null, path: shown, row: null, isWanted: true } };
  }

  private noteUnlessGone(what: string, { errno }: Refusal): void {
    if (errno !== 'ENOENT' && errno !== 'ESRCH') this.asker.note(what, errno);
  }

  private someRemote(pid: number): boolean {
    return !this.remote && this.asker.mounts.hasRemote(pid);
  }

  /** By the number of its mount, which the kernel knows without asking the server. */
  private isRemoteDescriptor(pid: number, name: string): boolean {
    if (!name.startsWith('fd/')) return false;
    const info = this.host.text(this.host.inProc(pid, 'fdinfo', name.slice('fd/'.length)));
    const id = info instanceof Refusal ? null : /^mnt_id:\s*(\d+)/m.exec(info)?.[1];
    const mount = this.asker.mounts.of(pid).find((m) => m.id === Number(id));
    return mount !== undefined && this.isLeftOut(pid, mount.device);
  }

  private isLeftOut(pid: number, device: string): boolean {
    if (this.remote) return false;
    const type = this.asker.mounts.typeOf(pid, device);
    // Whoever serves our root has answered already.
    if (!isRemote(type) || device === this.asker.mounts.rootDevice()) return false;
    this.asker.note(`files on ${type}`, 'a server answers for them (--remote)');
    return true;
  }

  private swapFiles(): string[] {
    const text = this.host.text(this.host.inProc('swaps'));
    if (text instanceof Refusal) return [];
    return [...text.matchAll(/^(\/.*?)\s+file\s/gm)].map(([, path]) => octalUnescaped(path!));
  }

  private loopFiles(): string[] {
    const names = this.host.list(this.host.inSys('class', 'block'));
    if (names instanceof Refusal) return [];
    return names.flatMap((name) => {
      if (!name.startsWith('loop')) return [];
      const path = this.host.text(this.host.inSys('class', 'block', name, 'loop', 'backing_file'));
      return path instanceof Refusal ? [] : [path.replace(/\n$/, '')];
    });
  }

  /** As maps has it. */
  private deviceNumber(name: string): string {
    const text = this.host.text(this.host.inSys('class', 'block', name, 'dev'));
    if (text instanceof Refusal) return '';
    const [major, minor] = text.trim().split(':').map(Number);
    return `${major!.toString(16).padStart(2, '0')}:${minor!.toString(16).padStart(2, '0')}`;
  }

  /** By a device on top of it, or as swap. */
  private isHeld(name: string): boolean {
    const holders = this.host.list(this.host.inSys('class', 'block', name, 'holders'));
    if (!(holders instanceof Refusal) && holders.length > 0) return true;
    const swaps = this.host.text(this.host.inProc('swaps'));
    return !(swaps instanceof Refusal) && swaps.includes(`/dev/${name} `);
  }

  /** Of a partition: its name is in its link, …/block/sda/sda1. */
  private diskOf(name: string): string[] {
    const link = this.host.link(this.host.inSys('class', 'block', name));
    const parent = link instanceof Refusal ? undefined : link.split('/').at(-2);
    return parent === undefined || parent === 'block' ? [] : [parent];
  }
}

function addOpener(outcome: Outcome, pid: number): void {
  if (typeof outcome === 'string' || outcome instanceof Refusal) return;
  if (outcome.openBy.at(-1) !== pid) outcome.openBy.push(pid);
}

const NAMED: Place = { pid: 'self', folder: null, path: null, row: null, isWanted: true };

function rangeText(startPage: number, endPage: number): string {
  return `${(startPage * PAGE).toString(16)}-${(endPage * PAGE).toString(16)}`;
}

function octalUnescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

interface Segment {
  readonly file: HostFile;
  readonly sizeBytes: number;
  readonly cachedPages: number;
  readonly swappedPages: number;
}

/** /proc/sysvipc/shm: key, shmid, perms, size …, and rss and swap (in bytes) at the end. */
export function segmentsIn(text: string): Segment[] {
  return text
    .trim()
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      if (fields.length < 16) return [];
      const [key, shmid, , size] = fields;
      const path = `/SYSV${(Number(key) >>> 0).toString(16).padStart(8, '0')}`;
      const [rss, swap] = fields.slice(-2).map(Number);
      const file = { device: '00:01', inode: shmid!, path, deleted: true };
      return [{ file, sizeBytes: Number(size), cachedPages: rss! / PAGE, swappedPages: swap! / PAGE }];
    });
}
