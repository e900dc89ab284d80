/** Which files and devices are asked at all, on made-up hosts. */
import { expect, test } from 'vitest';
import { SnapshotBuilder } from '../builder.ts';
import { HostFiles, Refusal } from '../read/host_files.ts';
import type { HostSnapshot } from '../snapshot.ts';
import { decodeName } from '../text.ts';
import type { CacheAsker } from './page_cache_asker.ts';
import { Mounts } from './page_cache_mounts.ts';
import { CacheSources } from './page_cache_sources.ts';

/** A host that is these texts, links and directories, and nothing else. */
class MadeUp extends HostFiles {
  private readonly texts: ReadonlyMap<string, string>;
  private readonly links: ReadonlyMap<string, string>;

  constructor(texts: Record<string, string>, links: Record<string, string> = {}) {
    super();
    this.texts = new Map(Object.entries(texts));
    this.links = new Map(Object.entries(links));
  }

  override text(path: string): string | Refusal {
    return this.texts.get(path) ?? new Refusal('ENOENT');
  }

  override link(path: string): string | Refusal {
    return this.links.get(path) ?? new Refusal('ENOENT');
  }

  override list(path: string): string[] | Refusal {
    const names = [...this.texts.keys(), ...this.links.keys()]
      .filter((known) => known.startsWith(`${path}/`))
      .map((known) => known.slice(path.length + 1).split('/')[0]!);
    return names.length === 0 ? new Refusal('ENOENT') : [...new Set(names)];
  }
}

/** What would have been asked. */
class Asked {
  readonly mounts: Mounts;
  readonly paths: string[] = [];
  readonly devices: string[] = [];
  readonly notes: string[] = [];
  readonly calls = { statAt: () => ({ device: '00:2e', inode: '5', kind: 'file' }) };

  constructor(host: HostFiles) {
    this.mounts = new Mounts(host);
  }

  look(_dir: number, path: Uint8Array): string {
    this.paths.push(decodeName(path.subarray(0, -1)));
    return 'nothing cached';
  }

  known(): null {
    return null;
  }

  askDevice(name: string, device: string): void {
    this.devices.push(`${name} ${device}`);
  }

  note(what: string, why: string): void {
    this.notes.push(`${what}: ${why}`);
  }
}

function sourcesOf(host: HostFiles, snapshot: HostSnapshot, remote = false): { asked: Asked; sources: CacheSources } {
  const asked = new Asked(host);
  return { asked, sources: new CacheSources(asked as unknown as CacheAsker, host, snapshot, remote) };
}

/** Process 7 maps /data/f on device 00:2e. */
function snapshotWithFile(): HostSnapshot {
  const builder = new SnapshotBuilder();
  const facts = { parentPid: 1, startTicks: 0, comm: 'p', command: null, uid: 0, threads: 1, state: 'S' };
  builder.addProcess({ pid: 7, ...facts, cgroup: '/', isKernelThread: false, status: new Map(), rollup: null });
  const file = builder.file({ device: '00:2e', inode: '5', path: '/data/f', deleted: false });
  builder.addVma({ startPage: 16, endPage: 32, pgoff: 0, perms: 17, file, name: '/data/f' });
  const host = { source: 'live' as const, takenAtMs: 0, tookMs: 0, kernel: '', hostname: '', redacted: false };
  return builder.finish({ ...host, texts: new Map(), frames: null, cgroups: [] });
}

const mountsWith = (type: string) =>
  `1 0 254:0 / / rw - ext4 /dev/vda rw\n9 1 0:46 / /data rw - ${type} server:/x rw\n`;
const OF_PROCESS = { '/proc/7/fd/3': '/data/f' };
const FDINFO = { '/proc/7/fdinfo/3': 'pos:\t0\nflags:\t0100000\nmnt_id:\t9\nino:\t5\n' };
const REACHED = ['/proc/7/map_files/10000-20000', '/proc/7/fd/3'];

for (const { why, type, remote, paths, notes } of [
  { why: 'a disk is asked', type: 'ext4', remote: false, paths: REACHED, notes: [] },
  {
    why: 'a server is not',
    type: 'nfs4',
    remote: false,
    paths: [],
    notes: Array(2).fill('files on nfs4: a server answers for them (--remote)'),
  },
  { why: 'unless it may', type: 'fuse.sshfs', remote: true, paths: REACHED, notes: [] },
])
  test(`mapped and open files: ${why}`, () => {
    const mountinfo = mountsWith(type);
    const host = new MadeUp(
      { '/proc/7/mountinfo': mountinfo, '/proc/self/mountinfo': mountinfo, ...FDINFO },
      OF_PROCESS,
    );
    const { asked, sources } = sourcesOf(host, snapshotWithFile(), remote);
    sources.askMapped(new Set([7]));
    sources.askOpen(7);
    expect(asked.paths).toEqual(paths);
    expect(asked.notes).toEqual(notes);
  });

test('our own root is asked, whoever serves it', () => {
  const mountinfo = '1 0 0:46 / / rw - 9p host rw\n';
  const host = new MadeUp({ '/proc/7/mountinfo': mountinfo, '/proc/self/mountinfo': mountinfo });
  const { asked, sources } = sourcesOf(host, snapshotWithFile());
  sources.askMapped(new Set([7]));
  expect(asked.paths).toEqual(REACHED.slice(0, 1));
});

const BLOCK = '/sys/class/block';
const DEVICES = {
  [`${BLOCK}/sda/dev`]: '8:0\n',
  [`${BLOCK}/sda1/dev`]: '8:1\n',
  [`${BLOCK}/sda2/dev`]: '8:2\n',
  [`${BLOCK}/sdb/dev`]: '8:16\n',
  [`${BLOCK}/sdb/holders/dm-0`]: '',
  [`${BLOCK}/sdc/dev`]: '8:32\n',
  [`${BLOCK}/sdd/dev`]: '8:48\n',
  [`${BLOCK}/cciss!c0d0/dev`]: '104:0\n',
  [`${BLOCK}/dm-0/dev`]: '253:0\n',
  '/proc/swaps': 'Filename Type Size Used Priority\n/dev/sdc partition 1 0 -2\n/swap\\040file file 1 0 -3\n',
  '/proc/self/mountinfo': `1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 253:0 / /b rw - xfs /dev/mapper/x rw
3 1 104:0 / /c rw - ext4 /dev/cciss/c0d0 rw
4 1 0:31 / /d rw - btrfs /dev/sdd rw
`,
};
const BLOCK_LINKS = {
  [`${BLOCK}/sda1`]: '../../devices/pci/block/sda/sda1',
  [`${BLOCK}/sda`]: '../../devices/pci/block/sda',
};

test('block devices: mounted, under another device, swap, with their disks; none that nobody uses', () => {
  const { asked, sources } = sourcesOf(new MadeUp(DEVICES, BLOCK_LINKS), snapshotWithFile());
  sources.askDevices();
  expect(new Set(asked.devices)).toEqual(
    new Set(['sda1 08:01', 'sda 08:00', 'sdb 08:10', 'sdc 08:20', 'sdd 08:30', 'cciss/c0d0 68:00', 'dm-0 fd:00']),
  );
});

test('what the kernel holds: swap files, and files behind loop devices', () => {
  const loop = { [`${BLOCK}/loop0/loop/backing_file`]: '/images/a b\n', [`${BLOCK}/loop1/dev`]: '7:1\n' };
  const { asked, sources } = sourcesOf(new MadeUp({ ...DEVICES, ...loop }), snapshotWithFile());
  sources.askKernels();
  expect(asked.paths).toEqual(['/swap file', '/images/a b']);
});
