/** No name is left in a redacted file, and what was one thing still is one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anySnapshot } from '../../../test/host/made_up_snapshot.ts';
import { ANONYMOUS, SnapshotBuilder } from '../builder.ts';
import type { HostSnapshot } from '../snapshot.ts';
import { encodeName } from '../text.ts';
import { KEPT_NAMES, redactSnapshot } from './redact.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot_file.ts';

const BRACKETS = new Set(['[heap]', '']);

/** Whoever looks at a snapshot's names: whole ones, their parts, and those without an ending. */
function namesIn(snapshot: HostSnapshot): Set<string> {
  const names = new Set<string>([snapshot.hostname]);
  for (const { comm, cgroup, command } of snapshot.processes)
    for (const n of [comm, cgroup, ...(command ?? [])]) names.add(n);
  for (const { path } of [...snapshot.files, ...snapshot.cgroups]) names.add(path);
  for (let v = 0; v < snapshot.vmas.count; v++) names.add(snapshot.strings[snapshot.vmas.name[v]!]!);
  for (const name of [...names]) {
    for (const part of name.replace(/ \(deleted\)$/, '').split('/')) names.add(part).add(part.replace(/\.\w*$/, ''));
  }
  // Bytes that are no letters stand in columns by chance: fast-check likes 0 and 255.
  const isName = (name: string) => /[\p{L}\p{N}_]{4}/u.test(name);
  return new Set([...names].filter((name) => isName(name) && !KEPT_NAMES.has(name) && !BRACKETS.has(name)));
}

function holds(file: Buffer, name: string): boolean {
  const escaped = JSON.stringify(name).slice(1, -1);
  return [Buffer.from(encodeName(name)), Buffer.from(escaped), Buffer.from(name, 'latin1')].some((bytes) =>
    file.includes(bytes),
  );
}

test('no name longer than three characters is left anywhere in the file', () => {
  fc.assert(
    fc.property(anySnapshot(), fc.string(), (made, salt) => {
      // Names of fields are the kernel's.
      const processes = made.processes.map((process) => ({ ...process, status: new Map(), rollup: null }));
      const texts = new Map([
        ['swaps', `Filename\tType\n/swap/${made.hostname}\tfile 1 0 -2\n`],
        ['mounts', made.hostname],
      ]);
      const cgroups = made.cgroups.map((cgroup) => ({
        ...cgroup,
        texts: new Map([
          ['memory.max', made.hostname],
          ['io.max', 'max'],
        ]),
      }));
      const snapshot = { ...made, processes, cgroups, texts, smaps: null, missing: [] };
      const redacted = redactSnapshot(snapshot, salt);
      const file = Buffer.concat(encodeSnapshot(redacted));
      for (const name of namesIn(snapshot)) expect(holds(file, name), JSON.stringify(name)).toBe(false);
      expect(decodeSnapshot(file, 'f')).toEqual(redacted);
      expect(redacted.processes.every(({ command }) => command === null)).toBe(true);
    }),
  );
});

const PATHS = [
  '/home/anna/secret plans.sqlite',
  '/home/anna/other.sqlite (deleted)',
  '/home/berta/secret plans.sqlite',
  '/usr/lib/x86_64-linux-gnu/libc.so.6',
  '/usr/lib/x86_64-linux-gnu/libacme.so.3.1',
  '/memfd:acme (deleted)',
  '[heap]',
  '[anon:acme pool]',
  '/dev/zero (deleted)',
  'anon_inode:[io_uring]',
  '',
];

function withNames(paths: readonly string[]): HostSnapshot {
  const builder = new SnapshotBuilder();
  builder.addProcess({
    ...{
      pid: 7,
      parentPid: 1,
      startTicks: 0,
      comm: 'acme',
      command: ['acme', '--key'],
      uid: 1003,
      threads: 1,
      state: 'S',
    },
    ...{ cgroup: '/system.slice/acme.service', isKernelThread: false, status: new Map(), rollup: null },
  });
  for (const [i, name] of paths.entries()) {
    builder.addVma({ ...ANONYMOUS, startPage: i, endPage: i + 1, perms: 1, name });
  }
  const flags = builder.string('rd mr');
  const texts = new Map([
    ['meminfo', 'MemTotal: 1 kB\n'],
    ['slabinfo', 'slabinfo - version: 2.1\nkmalloc-64 1 2\nacme_request 3 4\nanon_vma 1 1\n'],
    ['acme', 'secret'],
  ]);
  const cgroups = [{ inode: 5, path: '/system.slice/acme.service', texts: new Map([['memory.max', 'max\n']]) }];
  const facts = {
    takenAtMs: 1,
    tookMs: 1,
    kernel: '6.18.1-acme+',
    hostname: 'acme',
    redacted: false,
    texts,
    frames: null,
    cgroups,
  };
  const missing = [{ what: 'smaps_rollup', why: 'EACCES', count: 3 }];
  return builder.finish({ source: 'live', ...facts, missing }, null, new Uint32Array(paths.length).fill(flags));
}

const namesOf = ({ vmas, strings }: HostSnapshot) => [...vmas.name].map((at) => strings[at]!);

test('what was one name is one hash, folders and endings stay', () => {
  const old = withNames(PATHS);
  const redacted = redactSnapshot(old, 'salt');
  const [first, other, third, libc, acme, memfd, heap, pool, zero, ring, nothing] = namesOf(redacted);
  expect(first).toMatch(/^\/home\/[0-9a-f]{12}\/[0-9a-f]{12}\.sqlite$/);
  expect(other).toMatch(/^\/home\/[0-9a-f]{12}\/[0-9a-f]{12}\.sqlite \(deleted\)$/);
  expect(first!.split('/')[2]).toBe(other!.split('/')[2]);
  expect(first!.split('/')[2]).not.toBe(third!.split('/')[2]);
  expect(first!.split('/')[3]).toBe(third!.split('/')[3]);
  expect([libc, heap, zero, ring, nothing]).toEqual([PATHS[3], PATHS[6], PATHS[8], PATHS[9], '']);
  expect(acme).toMatch(/^\/usr\/lib\/x86_64-linux-gnu\/[0-9a-f]{12}\.so$/);
  expect(memfd).toMatch(/^\/memfd:[0-9a-f]{12} \(deleted\)$/);
  expect(pool).toMatch(/^\[anon:[0-9a-f]{12}\]$/);
  const [process] = redacted.processes;
  expect(process!.comm).toBe(memfd!.slice(7, 19));
  expect(process!.cgroup).toBe(redacted.cgroups[0]!.path);
  expect(process!.cgroup).toMatch(/^\/system\.slice\/[0-9a-f]{12}\.service$/);
  expect(process).toMatchObject({ pid: 7, command: null });
  expect(process!.uid).not.toBe(1003);
  expect(redacted).toMatchObject({ hostname: '', kernel: '6.18.1', redacted: true });
  expect(redacted.texts.get('meminfo')).toBe(old.texts.get('meminfo'));
  expect(redacted.texts.get('slabinfo')).toMatch(
    /^slabinfo - version: 2.1\nkmalloc-64 1 2\n[0-9a-f]{12} 3 4\nanon_vma 1 1\n$/,
  );
  expect(redacted.missing).toEqual([...old.missing, { what: 'acme', why: 'redacted', count: 1 }]);
  expect(redacted.strings[redacted.vmFlags![0]!]).toBe('rd mr');
  expect(redacted.vmas.startPage).toEqual(old.vmas.startPage);
});

test('hashes compare under one salt, and under no other', () => {
  const old = withNames(PATHS);
  const [a, b, c] = ['x', 'x', 'y'].map((salt) => namesOf(redactSnapshot(old, salt)));
  expect(a).toEqual(b);
  expect(a![0]).not.toEqual(c![0]);
});
