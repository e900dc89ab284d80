/** Names in cgroup paths, and what cgroups cost and are charged for on hosts that are written down. */
import { expect, test } from 'vitest';
import { ANON, HEAD, LRU, madeUpHost, SWAPBACKED, TAIL } from '../../../test/host/made_up.ts';
import type { HostCgroup } from '../snapshot.ts';
import { cgroupName } from './cgroup_names.ts';
import { type CgroupsAnswer, cgroupCosts } from './cgroups.ts';
import { ProcessCosts } from './ps.ts';

const PAGE = 4096;
const ID = '3f2ab1c04d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8';
const UID = '4e1b0c2d-1111-2222-3333-444455556666';
const SLICE_UID = UID.replaceAll('-', '_');
const SHORT = '3f2ab1c04d5e';

for (const { path, want } of [
  { path: '/', want: ['cgroup', '/', null] },
  { path: '/build/job 7', want: ['cgroup', '/build/job 7', null] },
  { path: `/docker/${ID}`, want: ['docker', SHORT, null] },
  { path: `/system.slice/docker-${ID}.scope`, want: ['docker', SHORT, null] },
  { path: `/system.slice/docker-${ID}.scope/init.scope`, want: ['unit', 'init.scope', null] },
  { path: `/system.slice/docker-${ID}.scope/worker`, want: ['docker', SHORT, null] },
  { path: `/machine.slice/libpod-${ID}.scope/container`, want: ['podman', SHORT, null] },
  { path: `/libpod_parent/libpod-${ID}`, want: ['podman', SHORT, null] },
  { path: `/machine.slice/libpod-conmon-${ID}.scope`, want: ['unit', `libpod-conmon-${ID}.scope`, null] },
  {
    path: `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`,
    want: ['podman', SHORT, null],
  },
  {
    path: `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICE_UID}.slice/cri-containerd-${ID}.scope`,
    want: ['containerd', SHORT, UID],
  },
  { path: `/kubepods.slice/kubepods-pod${SLICE_UID}.slice/crio-${ID}.scope`, want: ['cri-o', SHORT, UID] },
  { path: `/kubepods/besteffort/pod${UID}/${ID}`, want: ['container', SHORT, UID] },
  { path: `/kubepods/besteffort/pod${UID}`, want: ['pod', UID, UID] },
  {
    path: `/system.slice/containerd.service/kubepods-pod${SLICE_UID}.slice:cri-containerd:${ID}`,
    want: ['containerd', SHORT, UID],
  },
  { path: `/kubepods.slice/kubepods-pod${SLICE_UID}.slice`, want: ['pod', UID, UID] },
  { path: '/lxc.payload.web/system.slice/ssh.service', want: ['unit', 'ssh.service', null] },
  { path: '/lxc.payload.web', want: ['lxc', 'web', null] },
  { path: '/lxc/web', want: ['lxc', 'web', null] },
  { path: '/machine.slice/machine-deb\\x2d12.scope', want: ['machine', 'deb-12', null] },
  { path: '/system.slice/ssh.service', want: ['unit', 'ssh.service', null] },
  { path: '/user.slice/user-0.slice/session-3.scope', want: ['unit', 'session-3.scope', null] },
  { path: '/system.slice', want: ['unit', 'system.slice', null] },
  { path: `/podcast/${'a'.repeat(63)}`, want: ['cgroup', `/podcast/${'a'.repeat(63)}`, null] },
] as const)
  test(`cgroupName: ${path}`, () => {
    const { kind, name, pod } = cgroupName(path);
    expect([kind, name, pod]).toEqual(want);
  });

function cgroup(path: string, texts: Record<string, string>): HostCgroup {
  return { inode: path.length, path, texts: new Map(Object.entries(texts)) };
}

const host = madeUpHost({
  frames: 64,
  cgroups: [
    cgroup('/', { 'memory.usage_in_bytes': `${30 * PAGE}\n` }),
    cgroup('/a', { 'memory.current': `${20 * PAGE}\n`, 'memory.max': 'max\n', 'memory.swap.current': '8192\n' }),
    cgroup('/a/b', {
      'memory.usage_in_bytes': `${8 * PAGE}\n`,
      'memory.memsw.usage_in_bytes': `${9 * PAGE}\n`,
      'memory.limit_in_bytes': '9223372036854771712\n',
    }),
    cgroup('/empty', { 'memory.current': '0\n', 'memory.max': '1048576\n' }),
  ],
  // 10 /a, 11 both, 20 file mapped by both and charged to /a/b, 30 cache, 31 kernel, 40-41 a large page cache folio.
  charged: { 10: 1, 11: 1, 12: 2, 13: 2, 20: 2, 30: 2, 31: 2, 32: 2, 40: 1 },
  flags: {
    20: LRU,
    30: LRU,
    31: 0n,
    32: ANON | SWAPBACKED,
    40: LRU | HEAD,
    41: LRU | TAIL,
  },
  processes: [
    {
      pid: 1,
      cgroup: '/a',
      areas: [
        { at: 0, pages: [10, 11, 'slot 1'] },
        { at: 9, pages: [20], file: { path: '/f' } },
      ],
    },
    { pid: 2, cgroup: '/a/b', areas: [{ at: 0, pages: [11, 12, 'slot 1'] }] },
    { pid: 3, cgroup: '/a/b', areas: [{ at: 0, pages: [12, 13] }] },
    { pid: 4, cgroup: '/../other', areas: [{ at: 0, pages: [14] }] },
    { pid: 5, cgroup: '/a', isKernelThread: true, status: new Map() },
  ],
});

function answer(all = false): CgroupsAnswer {
  return cgroupCosts(new ProcessCosts(host), all);
}

test('cgroups: what is mapped, by whom alone, and who pays for it', () => {
  const rows = answer().cgroups.map((row) => ({
    path: row.path,
    processes: row.processes,
    rss: row.rss_bytes! / PAGE,
    unique: row.unique_bytes! / PAGE,
    mappedElsewhere: row.mapped_charged_elsewhere_bytes! / PAGE,
    chargedElsewhere: row.charged_mapped_elsewhere_bytes === null ? null : row.charged_mapped_elsewhere_bytes / PAGE,
    swap: row.swap_bytes! / PAGE,
    parent: row.parent,
  }));
  expect(rows).toEqual([
    { path: '/', processes: 0, rss: 0, unique: 0, mappedElsewhere: 0, chargedElsewhere: 0, swap: 0, parent: null },
    { path: '/a', processes: 1, rss: 3, unique: 2, mappedElsewhere: 1, chargedElsewhere: 0, swap: 1, parent: '/' },
    { path: '/a/b', processes: 2, rss: 3, unique: 2, mappedElsewhere: 1, chargedElsewhere: 1, swap: 1, parent: '/a' },
    {
      path: '/../other',
      processes: 1,
      rss: 1,
      unique: 1,
      mappedElsewhere: 1,
      chargedElsewhere: null,
      swap: 0,
      parent: '/',
    },
  ]);
});

test('cgroups: a charge is the sum of its parts and the rest', () => {
  const { cgroups } = answer();
  expect(cgroups.map((row) => [row.path, row.charged_own_bytes, row.limit_bytes, row.charged_swap_bytes])).toEqual([
    ['/', null, null, null],
    ['/a', 12 * PAGE, null, 8192],
    ['/a/b', 8 * PAGE, null, PAGE],
    ['/../other', null, null, null],
  ]);
  expect(cgroups[2]!.charged).toEqual({
    anonymous_bytes: 2 * PAGE,
    anonymous_unmapped_bytes: PAGE,
    file_mapped_bytes: PAGE,
    cache_unmapped_bytes: PAGE,
    kernel_bytes: PAGE,
    rest_bytes: 2 * PAGE,
  });
  // Both pages of the large folio are its first one's owner's.
  expect(cgroups[1]!.charged).toMatchObject({ cache_unmapped_bytes: 2 * PAGE, rest_bytes: 8 * PAGE });
});

test('cgroups: sums of rows, and what lies between them', () => {
  const { total, cgroups } = answer();
  const costs = new ProcessCosts(host).answer();
  expect(total.sum_pss_bytes).toBe(costs.total.sum_pss_bytes);
  expect(total.charged_own_bytes).toBe(20 * PAGE);
  // Frame 11 is mapped by two cgroups.
  expect(total).toMatchObject({ processes: 4, sum_unique_bytes: 5 * PAGE, between_cgroups_bytes: PAGE });
  expect(cgroups.find((row) => row.path === '/')!.with_children).toMatchObject({
    processes: 4,
    rss_bytes: 6 * PAGE,
    unique_bytes: 6 * PAGE,
    swap_bytes: PAGE,
    sum_pss_bytes: total.sum_pss_bytes,
  });
});

test('cgroups: one without processes and charge is shown if asked for', () => {
  expect(answer().cgroups.map((row) => row.path)).not.toContain('/empty');
  expect(answer(true).cgroups.find((row) => row.path === '/empty')).toMatchObject({
    limit_bytes: 1048576,
    processes: 0,
  });
});
