import { expect, test } from 'vitest';
import { below } from '../read/path_below.ts';
import { isMadeUp, isRemote, layersOf, parseMounts } from './page_cache_mounts.ts';
import { segmentsIn } from './page_cache_sources.ts';

const MOUNTINFO = `21 26 0:20 / /proc rw,relatime - proc proc rw
26 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
66 26 0:38 / /m\\040x rw,relatime - overlay overlay rw,lowerdir=/l\\0401:/l2::/data,upperdir=/u,workdir=/w
67 26 0:39 /sub /n rw - overlay o rw,lowerdir+=/a,lowerdir+=/b,upperdir=/c\\054d
68 26 0:40 / /rel rw - overlay o rw,lowerdir=l/ABC:/odd\\134:name
this is no mount
69 26 0:41 / /cut
`;

test('parseMounts: optional fields, octal escapes, lines that are none', () => {
  const mounts = parseMounts(MOUNTINFO);
  expect(mounts.map(({ point }) => point)).toEqual(['/proc', '/', '/m x', '/n', '/rel']);
  expect(mounts[1]).toEqual({
    id: 26,
    device: 'fe:00',
    root: '/',
    point: '/',
    type: 'ext4',
    source: '/dev/vda',
    options: ['rw', 'discard'],
  });
});

for (const { why, device, path, want } of [
  { why: 'the upper one first', device: '00:26', path: '/m x/f', want: ['/u/f', '/l 1/f', '/l2/f', '/data/f'] },
  { why: 'a part of it is mounted', device: '00:27', path: '/n/f', want: ['/c,d/sub/f', '/a/sub/f', '/b/sub/f'] },
  { why: 'a relative layer means nothing to us', device: '00:28', path: '/rel/f', want: ['/odd:name/f'] },
  { why: 'another mount', device: '00:26', path: '/n/f', want: [] },
  { why: 'no overlay', device: 'fe:00', path: '/f', want: [] },
])
  test(`layersOf: ${why}`, () => expect(layersOf(parseMounts(MOUNTINFO), device, path)).toEqual(want));

for (const { why, folder, path, want } of [
  { why: 'the root has all', folder: '/', path: '/a/b', want: '/a/b' },
  { why: 'itself', folder: '/a', path: '/a', want: '' },
  { why: 'inside', folder: '/a', path: '/a/b', want: '/b' },
  { why: 'a longer name is another', folder: '/a', path: '/ab', want: null },
])
  test(`below: ${why}`, () => expect(below(folder, path)).toBe(want));

test('file systems of servers, and those without pages', () => {
  expect(['nfs4', 'fuse.sshfs', 'fuseblk', 'cifs', '9p', 'ceph'].filter((type) => !isRemote(type))).toEqual([]);
  expect(['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay', 'f2fs'].filter(isRemote)).toEqual([]);
  expect(['proc', 'sysfs', 'cgroup2', 'hugetlbfs'].filter((type) => !isMadeUp(type))).toEqual([]);
  expect(['tmpfs', 'ext4', 'overlay'].filter(isMadeUp)).toEqual([]);
});

test('segmentsIn: rss and swap at the end of a line', () => {
  const text = `       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
         0          0   600                 81920 14616 14616      1     0     0     0     0 1795954650          0 1795954650                 40960                  8192
 -17368576         12   600                  5000 14616 14616      0     0     0     0     0 1795954650          0 1795954650                  4096                     0
short line
`;
  expect(segmentsIn(text)).toEqual([
    {
      file: { device: '00:01', inode: '0', path: '/SYSV00000000', deleted: true },
      sizeBytes: 81920,
      cachedPages: 10,
      swappedPages: 2,
    },
    {
      file: { device: '00:01', inode: '12', path: '/SYSVfef6fa00', deleted: true },
      sizeBytes: 5000,
      cachedPages: 1,
      swappedPages: 0,
    },
  ]);
});
