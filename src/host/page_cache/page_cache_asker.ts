/**
 * Asks the kernel what it caches of one file after the other.
 *
 * Owns      the list of files that were asked, each inode once, whatever its names, descriptors and mounts.
 * Promises  1. Only regular files are opened (and block devices, where they are named): a handle (O_PATH) comes first, and
 *              what it is on is looked at before it is opened. FIFOs, sockets, devices never are.
 *           2. What was refused is counted under the errno's name.
 *           3. An overlay has no page cache of its own, and cachestat says 0 for its files: the layer's file is asked if
 *              it can be found, and counted once for all overlays; else mincore says what is resident, and no more.
 * Linux     fs/overlayfs/file.c, mm/filemap.c: cachestat, can_do_cachestat; mm/mincore.c: can_do_mincore
 */
import { accessSync, constants } from 'node:fs';
import { type HostFiles, Refusal } from '../read/host_files.ts';
import { MissingList } from '../read/missing.ts';
import { AT_FDCWD, type CacheCounts, cPath, type Inode, type Syscalls } from '../read/syscalls.ts';
import type { CachedFile, CachedKind, HostFile, Missing } from '../snapshot.ts';
import { decodeName } from '../text.ts';
import { layersOf, Mounts } from './page_cache_mounts.ts';

/** Where a file was met: what to show, and whose mounts its path belongs to. */
export interface Place {
  readonly pid: number | 'self';
  /** With it, names are relative to it. */
  readonly folder: string | null;
  /** Its path where that is another than what is opened: /proc/12/fd/3 shows /tmp/x. */
  readonly path: string | null;
  /** Its row of the snapshot's files, where maps has shown it. */
  readonly row: number | null;
  /** It becomes a row of the answer even if nothing of it is cached. */
  readonly isWanted: boolean;
}

/** One file of the answer, while it is made. */
export interface AskedFile {
  readonly row: number;
  readonly kind: CachedKind;
  readonly sizeBytes: number;
  readonly counts: CacheCounts | null;
  /** By mincore, where `counts` is null. */
  readonly residentPages: number;
  readonly ranges: readonly Range[] | null;
  /** In the order of asking: process by process. */
  readonly openBy: number[];
  readonly otherRows: number[];
}

/** First page, and how many. */
type Range = readonly [firstPage: number, pages: number];

export type Outcome = AskedFile | 'nothing cached' | 'no file' | Refusal;

const TMPFS_MAGIC = 0x01021994;
const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
/** Its pages are no part of Cached. */
const HUGETLBFS_MAGIC = 0x958458f6;
/** proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, bpf, configfs, pstore, efivarfs, selinuxfs, nsfs: files that are made up when read. */
const MADE_UP_MAGICS = [
  0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0xcafe4a11, 0x62656570, 0x6165676c,
  0xde5e81e4, 0xf97cff8c, 0x6e736673,
];
const NO_COUNTS: CacheCounts = {
  cachedPages: 0,
  dirtyPages: 0,
  writebackPages: 0,
  evictedPages: 0,
  recentlyEvictedPages: 0,
};
const CAP_FOWNER = 3;
/** Whom cachestat refuses and mincore lies to. */
const NOT_OURS = 'EPERM: not ours, and not ours to write';

export class CacheAsker {
  readonly calls: Syscalls;
  readonly files: HostFile[];
  readonly mounts: Mounts;
  /** Inodes that were looked at. */
  askedFiles = 0;
  private readonly host: HostFiles;
  private readonly withRanges: boolean;
  private readonly byIdentity = new Map<string, AskedFile | 'nothing cached'>();
  private readonly asked: AskedFile[] = [];
  private readonly rowsByIdentity = new Map<string, number>();
  private readonly missing = new MissingList();
  private readonly magics = new Map<string, number>();
  private readonly ownsAll: boolean;

  constructor(host: HostFiles, calls: Syscalls, files: readonly HostFile[], withRanges: boolean) {
    this.host = host;
    this.calls = calls;
    this.files = [...files];
    this.mounts = new Mounts(host);
    this.withRanges = withRanges;
    this.ownsAll = ownsEveryFile(host);
    files.forEach((file, row) => {
      this.rowsByIdentity.set(identityOf(file, file.path), row);
    });
  }

  /** A path, or a name in an open directory. What was refused is noted, too. */
  ask(dir: number, path: Uint8Array, follow: boolean, place: Place): Outcome {
    const outcome = this.look(dir, path, follow, place);
    if (outcome instanceof Refusal) this.note('files', outcome.errno);
    return outcome;
  }

  /** The same, and a refusal is the caller's. */
  look(dir: number, path: Uint8Array, follow: boolean, place: Place): Outcome {
    const handle = this.calls.openPath(dir, path, follow);
    if (handle instanceof Refusal) return handle;
    try {
      const inode = this.calls.statOf(handle);
      if (inode instanceof Refusal) return inode;
      if (inode.kind !== 'file') return 'no file';
      return this.known(inode, place) ?? this.askNew(handle, inode, path, place);
    } finally {
      this.calls.close(handle);
    }
  }

  /** A file that was asked already is not asked again: it gets this place's row. */
  known(inode: Inode, { path, row, isWanted }: Place): AskedFile | 'nothing cached' | null {
    const known = this.byIdentity.get(identityOf(inode, path));
    if (known === undefined || (known === 'nothing cached' && isWanted)) return null;
    if (known !== 'nothing cached' && row !== null && row !== known.row && !known.otherRows.includes(row))
      known.otherRows.push(row);
    return known;
  }

  /** A block device's own pages: what meminfo calls Buffers. */
  askDevice(name: string, device: string): void {
    const path = `/dev/${name}`;
    const handle = this.calls.openPath(AT_FDCWD, cPath(path), true);
    const refused = handle instanceof Refusal ? handle : this.askOpenedDevice(handle, path, device);
    if (refused !== null) this.note('block devices', refused.errno);
  }

  private askOpenedDevice(handle: number, path: string, device: string): Refusal | null {
    try {
      const inode = this.calls.statOf(handle);
      if (inode instanceof Refusal) return inode;
      if (inode.kind !== 'block device' || inode.ofDevice !== device) return new Refusal('ENODEV');
      const counts = this.opened(handle, (fd) => this.calls.cachestat(fd));
      if (counts instanceof Refusal) return counts;
      const row = this.files.push({ device, inode: '0', path, deleted: false }) - 1;
      this.add({ ...NEW, row, kind: 'device', counts, openBy: [], otherRows: [] });
      return null;
    } finally {
      this.calls.close(handle);
    }
  }

  /** What is known without asking: a segment of System V shared memory that nobody has attached. */
  addUnasked(file: HostFile, kind: CachedKind, sizeBytes: number, counts: CacheCounts): void {
    const row = this.files.push(file) - 1;
    this.add({ ...NEW, row, kind, sizeBytes, counts, openBy: [], otherRows: [] });
  }

  note(what: string, why: string, count = 1): void {
    this.missing.add(what, why, count);
  }

  answer(): { cache: CachedFile[]; missing: Missing[] } {
    return { cache: this.asked.map(cachedFileOf), missing: this.missing.list() };
  }

  /** Whether files below a directory can have pages at all. */
  isMadeUp(fd: number, device: string): boolean {
    const magic = this.magicOf(fd, device);
    return MADE_UP_MAGICS.includes(magic) || magic === HUGETLBFS_MAGIC;
  }

  private askNew(handle: number, inode: Inode, path: Uint8Array, place: Place): Outcome {
    const magic = this.magicOf(handle, inode.device);
    if (magic === HUGETLBFS_MAGIC || MADE_UP_MAGICS.includes(magic)) return 'no file';
    if (magic !== OVERLAYFS_SUPER_MAGIC)
      return this.counted(handle, inode, magic === TMPFS_MAGIC ? 'shmem' : 'file', path, place);
    return this.layer(inode, path, place) ?? this.counted(handle, inode, 'file', path, place, true);
  }

  /** The file of a layer that an overlay's file is; null if no layer can be seen from here. */
  private layer(inode: Inode, path: Uint8Array, place: Place): AskedFile | 'nothing cached' | null {
    const shown = shownPath(path, place);
    for (const layer of layersOf(this.mounts.of(place.pid), inode.device, shown)) {
      const seen = place.pid === 'self' ? layer : this.host.inProc(place.pid, `root${layer}`);
      for (const way of new Set([layer, seen])) {
        const found = this.layerFile(cPath(way), inode, { ...place, folder: null, path: shown });
        if (found === null) continue;
        this.byIdentity.set(identityOf(inode, place.path), found);
        return found;
      }
    }
    return null;
  }

  private layerFile(way: Uint8Array, inOverlay: Inode, place: Place): AskedFile | 'nothing cached' | null {
    const handle = this.calls.openPath(AT_FDCWD, way, false);
    if (handle instanceof Refusal) return null;
    try {
      const inode = this.calls.statOf(handle);
      if (inode instanceof Refusal || inode.kind !== 'file' || inode.sizeBytes !== inOverlay.sizeBytes) return null;
      if (this.magicOf(handle, inode.device) === OVERLAYFS_SUPER_MAGIC) return null;
      const outcome = this.known(inode, place) ?? this.counted(handle, inode, 'file', way, place);
      return outcome instanceof Refusal || outcome === 'no file' ? null : outcome;
    } finally {
      this.calls.close(handle);
    }
  }

  private counted(
    handle: number,
    inode: Inode,
    kind: CachedKind,
    path: Uint8Array,
    place: Place,
    isOverlay = false,
  ): Outcome {
    this.askedFiles += 1;
    // An empty file has no pages, and nothing that was evicted.
    const told = inode.sizeBytes === 0 ? NOTHING : this.opened(handle, (fd) => this.countsOf(fd, inode, isOverlay));
    if (told instanceof Refusal) return told;
    const { counts, residentPages, ranges } = told;
    const isEmpty = residentPages === 0 && (counts === null || counts.evictedPages === 0);
    if (isEmpty && !place.isWanted) {
      this.byIdentity.set(identityOf(inode, place.path), 'nothing cached');
      return 'nothing cached';
    }
    const file: AskedFile = {
      row: place.row ?? this.rowFor(inode, path, place),
      kind,
      sizeBytes: inode.sizeBytes,
      counts,
      residentPages,
      ranges,
      openBy: [],
      otherRows: [],
    };
    this.byIdentity.set(identityOf(inode, place.path), file);
    return this.add(file);
  }

  private countsOf(fd: number, inode: Inode, isOverlay: boolean): Told | Refusal {
    const counts = isOverlay ? new Refusal('EOPNOTSUPP') : this.calls.cachestat(fd);
    const ranges: Range[] | null = this.withRanges ? [] : null;
    const onRange = (first: number, pages: number) => void ranges?.push([first, pages]);
    if (counts instanceof Refusal) {
      // Before 6.5 there is no cachestat. mincore would lie about files of others.
      if (!this.isToldTheTruth(fd, inode)) return new Refusal(NOT_OURS);
      const resident = this.calls.resident(fd, inode.sizeBytes, onRange);
      if (resident instanceof Refusal) return resident;
      if (isOverlay) this.note('cachestat of overlays', 'no layer is seen, so by mincore');
      else this.note('cachestat', `${counts.errno}, so by mincore`);
      return { counts: null, residentPages: resident, ranges };
    }
    const told = { counts, residentPages: counts.cachedPages, ranges };
    if (!this.withRanges || counts.cachedPages === 0) return told;
    const isTold = this.isToldTheTruth(fd, inode);
    const resident = isTold ? this.calls.resident(fd, inode.sizeBytes, onRange) : new Refusal(NOT_OURS);
    if (!(resident instanceof Refusal)) return told;
    this.note('ranges (mincore)', resident.errno);
    return { ...told, ranges: null };
  }

  private opened<T>(handle: number, ask: (fd: number) => T | Refusal): T | Refusal {
    const fd = this.calls.reopen(handle);
    if (fd instanceof Refusal) return fd;
    const answer = ask(fd);
    this.calls.close(fd);
    return answer;
  }

  private isToldTheTruth(fd: number, inode: Inode): boolean {
    if (this.ownsAll || inode.uid === process.geteuid?.()) return true;
    try {
      accessSync(`/proc/self/fd/${fd}`, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  private magicOf(handle: number, device: string): number {
    const known = this.magics.get(device);
    if (known !== undefined) return known;
    const fileSystem = this.calls.fileSystemOf(handle);
    const magic = fileSystem instanceof Refusal ? 0 : fileSystem.magic;
    this.magics.set(device, magic);
    return magic;
  }

  private rowFor(inode: Inode, path: Uint8Array, place: Place): number {
    const identity = identityOf(inode, place.path);
    const known = this.rowsByIdentity.get(identity);
    if (known !== undefined) return known;
    const row = this.files.push(fileOf(inode, shownPath(path, place))) - 1;
    this.rowsByIdentity.set(identity, row);
    return row;
  }

  private add(file: AskedFile): AskedFile {
    this.asked.push(file);
    return file;
  }
}

interface Told {
  readonly counts: CacheCounts | null;
  readonly residentPages: number;
  readonly ranges: readonly Range[] | null;
}

const NOTHING: Told = { counts: NO_COUNTS, residentPages: 0, ranges: null };
const NEW = { sizeBytes: 0, residentPages: 0, ranges: null };

/**
 * Of an inode, by what is shown of it. A segment of System V shared memory has its shmid for an inode number, on the
 * device on which memfds and /dev/zero count theirs.
 */
function identityOf({ device, inode }: { device: string; inode: string }, shown: string | null): string {
  return shown?.startsWith('/SYSV') === true ? `${device} shmid ${inode}` : `${device} ${inode}`;
}

const DELETED = ' (deleted)';

/** The kernel writes ` (deleted)` behind the name of what has no name any more; a file may also be called so. */
function fileOf({ device, inode, links }: Inode, shown: string): HostFile {
  const deleted = links === 0;
  const path = deleted && shown.endsWith(DELETED) ? shown.slice(0, -DELETED.length) : shown;
  return { device, inode, path, deleted };
}

function shownPath(path: Uint8Array, { folder, path: shown }: Place): string {
  if (shown !== null) return shown;
  const name = decodeName(path.subarray(0, -1));
  return folder === null ? name : `${folder === '/' ? '' : folder}/${name}`;
}

function cachedFileOf(file: AskedFile): CachedFile {
  const { counts } = file;
  return {
    file: file.row,
    kind: file.kind,
    sizeBytes: file.sizeBytes,
    cachedPages: counts?.cachedPages ?? file.residentPages,
    dirtyPages: counts?.dirtyPages ?? null,
    writebackPages: counts?.writebackPages ?? null,
    evictedPages: counts?.evictedPages ?? null,
    recentlyEvictedPages: counts?.recentlyEvictedPages ?? null,
    ranges: file.ranges,
    openBy: file.openBy,
    otherFiles: file.otherRows,
  };
}

/** CAP_FOWNER, and no user namespace in which it would not reach everybody's files. */
function ownsEveryFile(host: HostFiles): boolean {
  const status = host.text(host.inProc('self', 'status'));
  const users = host.text(host.inProc('self', 'uid_map'));
  if (status instanceof Refusal || users instanceof Refusal) return false;
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const isWhole = /^\s*0\s+0\s+4294967295\s*$/.test(users);
  return isWhole && ((capabilities >> BigInt(CAP_FOWNER)) & 1n) === 1n;
}
