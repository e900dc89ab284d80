/**
 * Debian's 6.1 kernel for the virtual machine, unpacked from its package; nothing of it is installed.
 *
 * Owns      the folder ~/.cache/revmap/debian-6.1, which oracle/record-6.1.sh uses as well.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../mm/bug.ts';

export interface DebianKernel {
  /** `6.1.0-56-amd64`. */
  release: string;
  image: string;
  /** In the order in which they are inserted. */
  modules: string[];
}

const MODULES = [
  ...['drivers/virtio/virtio_ring', 'drivers/virtio/virtio', 'drivers/virtio/virtio_pci_legacy_dev'],
  ...['drivers/virtio/virtio_pci_modern_dev', 'drivers/virtio/virtio_pci', 'drivers/block/virtio_blk'],
  ...[
    'crypto/crc32c_generic',
    'lib/crc16',
    'fs/mbcache',
    'fs/jbd2/jbd2',
    'fs/ext4/ext4',
    'mm/zsmalloc',
    'drivers/block/zram/zram',
  ],
];

export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'revmap');
}

/** Downloads it if it is not there; `say` is told. */
export function debianKernel(say: (text: string) => void): DebianKernel {
  const folder = join(cacheFolder(), 'debian-6.1');
  const release = unpackedRelease(folder) ?? download(folder, say);
  const modules = MODULES.map((name) => join(folder, 'lib/modules', release, 'kernel', `${name}.ko`));
  const missing = modules.find((path) => !existsSync(path));
  if (missing !== undefined)
    throw new InputError(missing, 0, 'is missing; remove the folder to unpack the kernel anew');
  return { release, image: join(folder, 'boot', `vmlinuz-${release}`), modules };
}

function unpackedRelease(folder: string): string | null {
  const boot = join(folder, 'boot');
  const names = existsSync(boot) ? readdirSync(boot) : [];
  return names.find((name) => name.startsWith('vmlinuz-6.1.'))?.slice('vmlinuz-'.length) ?? null;
}

function download(folder: string, say: (text: string) => void): string {
  const depends = spawnSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8' }).stdout ?? '';
  const name = /Depends: (linux-image-6\.1\.\S*)/.exec(depends)?.[1];
  if (name === undefined)
    throw new InputError('linux-image-amd64', 0, "Debian 12's kernel package is not within reach of apt");
  say(`downloading ${name}`);
  mkdirSync(folder, { recursive: true });
  const steps: [string, string[]][] = [
    ['apt-get', ['download', '-qq', name]],
    ['sh', ['-c', `dpkg -x ${name}_*.deb . && rm -f ./*.deb`]],
  ];
  for (const [command, args] of steps) {
    const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
    if (status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    throw new InputError(name, 0, `cannot be fetched: ${(stderr ?? '').trim().split('\n').at(-1)}`);
  }
  const release = unpackedRelease(folder);
  if (release === null) throw new InputError(name, 0, 'has no kernel in it');
  return release;
}
