/** The other texts of /proc/PID: stat, status, cgroup, smaps; and the mounts of the memory controller. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { belowMount, parseCgroup, parseCgroupMounts } from './cgroup_text.ts';
import { parseKbFields } from './fields_text.ts';
import { parseSmaps } from './smaps_columns.ts';
import { PF_KTHREAD, parseStat } from './stat_text.ts';
import { parseStatus } from './status_text.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const AFTER = 'S 7 12 12 0 -1 4194560 95 0 0 0 0 0 0 0 20 0 3 0 4711 2834432 345';
for (const { why, comm, want } of [
  { why: 'a plain name', comm: 'bash', want: 'bash' },
  { why: 'blanks', comm: 'a b', want: 'a b' },
  { why: 'what looks like the end of a name', comm: 'a) S 1 (b', want: 'a) S 1 (b' },
  { why: 'a newline', comm: 'a\nb', want: 'a\nb' },
  { why: 'an escape sequence', comm: '\x1b[31m', want: '\x1b[31m' },
  { why: 'bytes that are no UTF-8', comm: 'a\xff', want: 'a\udcff' },
  { why: 'no name', comm: '', want: '' },
])
  test(`parseStat: ${why}`, () => {
    const stat = parseStat(bytes(`12 (${comm}) ${AFTER}\n`));
    expect(stat).toEqual({ comm: want, state: 'S', parentPid: 7, flags: 4194560, threads: 3, startTicks: 4711 });
  });

test('parseStat: a kernel thread has PF_KTHREAD', () => {
  const stat = parseStat(bytes('2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0'));
  expect((stat!.flags & PF_KTHREAD) !== 0).toBe(true);
});

for (const text of ['', '12', '12 (bash', '12 (bash)', `12 (bash) ${AFTER.slice(0, 40)}`, '12 (bash) long 1 2'])
  test(`parseStat: no process in ${JSON.stringify(text)}`, () => expect(parseStat(bytes(text))).toBeNull());

test('parseStatus: the user, the threads, and what is in kB', () => {
  const text =
    'Name:\ta\\nUid:\t7\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nVmRSS:\t    3180 kB\nVmSwap:\t       0 kB\nThreads:\t4\nSigQ:\t3/9\n';
  const status = parseStatus(bytes(text));
  expect(status).toEqual({
    uid: 1000,
    threads: 4,
    fields: new Map([
      ['VmRSS', 3180],
      ['VmSwap', 0],
    ]),
  });
});

test('parseStatus: what is not there is not there', () => {
  expect(parseStatus(bytes(''))).toEqual({ uid: null, threads: null, fields: new Map() });
});

test('parseKbFields: letter for letter; a range in front is none', () => {
  const text =
    '00400000-7fff r--p 00000000 00:00 0                          [rollup]\nRss:                1456 kB\nPss_Anon:              0 kB\nx: 1 MB\n: kB\ny: kB\n';
  expect([...parseKbFields(bytes(text))]).toEqual([
    ['Rss', 1456],
    ['Pss_Anon', 0],
  ]);
});

test('parseSmaps: fields belong to the VMA above them', () => {
  const text = [
    '00400000-00401000 r--p 00000000 08:01 12                         /bin/x kB',
    'Size:                  4 kB',
    'Rss:                   4 kB',
    'THPeligible:           0',
    'ProtectionKey:         0',
    'VmFlags: rd mr mw me ',
    '00401000-00402000 rw-p 00000000 00:00 0 ',
    'Rss:                   8 kB',
    'VmFlags: rd wr',
  ].join('\n');
  const [first, second] = parseSmaps(bytes(text));
  expect(first!.line.name).toBe('/bin/x kB');
  expect([...first!.fields]).toEqual([
    ['Size', 4],
    ['Rss', 4],
  ]);
  expect(first!.vmFlags).toBe('rd mr mw me');
  expect([...second!.fields]).toEqual([['Rss', 8]]);
  expect(second!.vmFlags).toBe('rd wr');
});

for (const { why, text, want } of [
  {
    why: 'version 1 names the controller',
    text: '5:cpu:/x\n4:memory:/docker/3f\n0::/y\n',
    want: { version: 1, path: '/docker/3f' },
  },
  { why: 'controllers mounted together', text: '4:cpu,memory:/a\n', want: { version: 1, path: '/a' } },
  { why: 'version 2', text: '0::/system.slice/a.scope\n', want: { version: 2, path: '/system.slice/a.scope' } },
  { why: 'a hybrid without memory in version 1', text: '1:name=systemd:/s\n0::/u\n', want: { version: 2, path: '/u' } },
  { why: 'seen from a namespace beside it', text: '0::/../b\n', want: { version: 2, path: '/../b' } },
  { why: 'a name with colons', text: '0::/a:b:c\n', want: { version: 2, path: '/a:b:c' } },
  { why: 'a name that is no UTF-8', text: '0::/a\xff\n', want: { version: 2, path: '/a\udcff' } },
  { why: 'deleted', text: '0::/a (deleted)\n', want: { version: 2, path: '/a (deleted)' } },
  { why: 'nothing', text: '', want: null },
])
  test(`parseCgroup: ${why}`, () => expect(parseCgroup(bytes(text))).toEqual(want));

test('parseCgroupMounts: version 1 first, and of one version who shows most', () => {
  const text = [
    '22 1 0:20 / /proc rw - proc proc rw',
    '33 30 0:31 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu',
    '40 30 0:37 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw',
    '35 30 0:31 /docker/3f /mnt/a\\040b rw,relatime - cgroup cgroup rw,memory',
    '34 30 0:31 / /sys/fs/cgroup/memory rw,relatime master:3 shared:4 - cgroup cgroup rw,memory',
    '',
    'nonsense',
    ' - cgroup2',
  ].join('\n');
  expect(parseCgroupMounts(bytes(text))).toEqual([
    { version: 1, point: '/sys/fs/cgroup/memory', root: '/' },
    { version: 1, point: '/mnt/a b', root: '/docker/3f' },
    { version: 2, point: '/sys/fs/cgroup/unified', root: '/' },
  ]);
});

for (const { why, path, root, want } of [
  { why: 'the whole hierarchy is mounted', path: '/a/b', root: '/', want: '/a/b' },
  { why: 'a part is mounted', path: '/a/b/c', root: '/a/b', want: '/c' },
  { why: 'the part itself', path: '/a/b', root: '/a/b', want: '/' },
  { why: 'outside of the part', path: '/a/bc', root: '/a/b', want: '/a/bc' },
  { why: 'the mount was made outside of our namespace', path: '/x', root: '/../..', want: '/x' },
])
  test(`belowMount: ${why}`, () => expect(belowMount(path, { version: 2, point: '/m', root })).toBe(want));

test('any bytes: nothing throws', () => {
  const words = [
    'Uid:\t',
    '12 (',
    ') ',
    'VmFlags:',
    ' kB\n',
    '4:memory:',
    '0::/',
    ' - ',
    'cgroup2',
    '00400000-00401000 r--p 0000 08:01 12 x\n',
    '\n',
    '\xff',
  ];
  const near = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((all) => bytes(all.join('')));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), near), (text) => {
      parseStat(text);
      parseStatus(text);
      parseKbFields(text);
      parseSmaps(text);
      parseCgroup(text);
      parseCgroupMounts(text);
    }),
    { numRuns: 3000 },
  );
});
