/**
 * Who maps a page, on the kernel that runs here: programs that share pages in known ways, compared entry by entry, from /proc
 * at once and from a snapshot. The product writes nothing; this test switches KSM, huge pages and swap on and off again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { LiveHost } from '../src/host/live_host.ts';
import { HostFiles } from '../src/host/read/host_files.ts';
import { ReverseMap } from '../src/host/reverse.ts';
import type { HostSnapshot } from '../src/host/snapshot.ts';
import { type Mapper, placeIn, type WhoAnswer, whoHasSlot, whoMapsFrame } from '../src/host/who/who.ts';
import { filesNamed, whoMapsFile } from '../src/host/who/who_file.ts';
import { whoLiveAddress, whoLiveFile, whoLiveFrame } from '../src/host/who/who_live.ts';
import { sharedWith } from '../src/host/who/who_shared.ts';
import { type KnownPage, Sharing, whyNoSharing } from './host/sharing.ts';

const missing = whyNoSharing();
const files = new HostFiles();
let sharing: Sharing;

beforeAll(() => {
  if (missing === null) sharing = new Sharing();
});
afterEach(() => sharing?.end());
afterAll(() => sharing?.remove());

function kernelTest(name: string, body: () => Promise<void>, why = missing): void {
  test.skipIf(why !== null)(why === null ? name : `${name} (skipped: ${why})`, body, 120_000);
}

/** In one order: numbers of processes may wrap. */
function placesOf(mappers: readonly Mapper[]): [number, number][] {
  return inOrder(mappers.map(({ pid, address }) => [pid, address]));
}

function inOrder(places: readonly (readonly [number, number])[]): [number, number][] {
  return places.map(([pid, address]): [number, number] => [pid, address]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** Compaction may move a page at any time; then the answer says so, and the next one is asked. */
async function settled(ask: () => WhoAnswer | null): Promise<WhoAnswer> {
  for (let i = 0; ; i++) {
    const answer = ask();
    if (answer !== null && (answer.changed.length === 0 || i === 20)) return answer;
    await setTimeout(100);
  }
}

async function expectFound(
  pages: readonly KnownPage[],
  found: (page: KnownPage) => number = (page) => page.mappers.length,
) {
  for (const page of pages) {
    const { frame, place } = await settled(() => whoLiveAddress(files, page.pid, page.address));
    expect(place?.state, page.what).toBe('frame');
    expect(placesOf(frame!.mappers), page.what).toEqual(inOrder(page.mappers));
    expect(frame!.found, page.what).toBe(found(page));
    expect(frame!.mapcount, page.what).toBe(found(page));
    // The same by its number alone, without a hint of where to look.
    const byNumber = await settled(() => whoLiveFrame(files, frame!.pfn));
    expect(placesOf(byNumber.frame!.mappers), `${page.what}, by number`).toEqual(inOrder(page.mappers));
  }
}

function expectInSnapshot(snapshot: HostSnapshot, pages: readonly KnownPage[]): void {
  const reverse = new ReverseMap(snapshot);
  for (const page of pages) {
    const at = placeIn(snapshot, page.pid, page.address);
    expect(at?.place.state, page.what).toBe('frame');
    const frame = whoMapsFrame(snapshot, reverse, at!.place.pfn!)!;
    expect(placesOf(frame.mappers), `${page.what}, in a snapshot`).toEqual(inOrder(page.mappers));
    expect(frame.agrees, page.what).toBe(true);
  }
}

for (const kind of ['fork', 'file', 'deleted', 'memfd', 'shared', 'sysv', 'moved', 'locked', 'thp']) {
  kernelTest(`who: ${kind}: every entry and no other, as many as the kernel counts`, async () => {
    const pages = (await sharing.start(kind))!;
    await expectFound(pages);
    expectInSnapshot(new LiveHost().snapshot({ frames: 'mapped', rollups: false }), pages);
  });
}

kernelTest('who: two processes with one address space are one entry, and both are named', async () => {
  const [page] = (await sharing.start('one_mm'))!;
  await expectFound([page!], () => 1);
  const { frame } = await settled(() => whoLiveAddress(files, page!.pid, page!.address));
  expect(frame!.mappers.filter(({ sameMmAs }) => sameMmAs !== null)).toHaveLength(1);
  expect(frame!.why).toMatchObject([{ what: 'one address space', count: 1 }]);
  expectInSnapshot(new LiveHost().snapshot({ frames: 'mapped', rollups: false }), [page!]);
});

for (const { what, kind, named } of [
  { what: 'a file', kind: 'file', named: /\/file$/ },
  { what: 'a deleted file', kind: 'deleted', named: /\/deleted$/ },
  { what: 'memfd', kind: 'memfd', named: /^\/memfd:a name$/ },
  { what: 'shared anonymous memory', kind: 'shared', named: /^\/dev\/zero$/ },
  { what: 'System V shared memory', kind: 'sysv', named: /^\/SYSV00000000$/ },
]) {
  kernelTest(`who: ${kind}: identity, owner and kind`, async () => {
    const [page] = (await sharing.start(kind))!;
    // A file that was just made may be on its way to the disk: reclaim cannot take it then.
    const { frame } = await settled(() => {
      const answer = whoLiveAddress(files, page!.pid, page!.address);
      return answer?.frame?.flags?.some(({ name }) => name === 'writeback' || name === 'locked') ? null : answer;
    });
    expect(frame!.identity).toMatchObject({ what, offset: 0 });
    expect(frame!.identity!.path).toMatch(named);
    expect(frame!.identity!.deleted).toBe(kind !== 'file');
    expect(frame!.cgroup).toMatch(/^\//);
    expect(frame!.reclaim!.kind).toBe(kind === 'file' || kind === 'deleted' ? 'syncable' : 'swappable');
    expect(frame!.flags!.map(({ name }) => name)).toContain('uptodate');
    expect(frame!.zone).not.toBeNull();
  });
}

kernelTest('who: what was locked stays, and says why', async () => {
  const [page] = (await sharing.start('locked'))!;
  const { frame } = await settled(() => whoLiveAddress(files, page!.pid, page!.address));
  expect(frame!.reclaim).toEqual({ kind: 'unreclaimable', reason: 'locked into memory (mlock)' });
});

kernelTest('who: a file by its path and offset, and all of its ranges', async () => {
  const pages = (await sharing.start('file'))!;
  const path = join(sharing.folder, 'file');
  const wanted = { inode: files.stat(path) as { device: string; inode: string }, names: [path] };
  for (const [at, page] of pages.slice(0, 2).entries()) {
    const { frame } = await settled(() => whoLiveFile(files, wanted, at * 4096 + 7));
    expect(placesOf(frame!.mappers)).toEqual(inOrder(page.mappers));
  }
  const pids = [...new Set(pages.flatMap(({ mappers }) => mappers.map(([pid]) => pid)))];
  const snapshot = new LiveHost().snapshot({ frames: 'none', rollups: false, pids });
  const answer = whoMapsFile(snapshot, filesNamed(snapshot, [path], null)[0]!);
  expect(answer.ranges[0]).toMatchObject({ offset: 0, pages: 1 });
  expect(inOrder(answer.ranges[0]!.mappers.map(({ pid, address }) => [pid, address]))).toEqual(
    inOrder(pages[0]!.mappers),
  );
  expect(answer.copies).toEqual([{ pid: pages[2]!.pid, comm: 'sharing', pages: 1 }]);
});

kernelTest('who: with whom a process shares: by fork, with its children', async () => {
  const pages = (await sharing.start('fork'))!;
  const snapshot = new LiveHost().snapshot({ frames: 'mapped', rollups: false });
  const answer = sharedWith(snapshot, new ReverseMap(snapshot), pages[0]!.pid)!;
  const children = pages[0]!.mappers.slice(1).map(([pid]) => pid);
  for (const pid of children) {
    const other = answer.with.find((each) => each.pid === pid)!;
    const region = other.regions.find(
      ({ start, end, by }) => by === 'fork' && start <= pages[0]!.address && pages[0]!.address < end,
    );
    expect(region!.bytes, `with ${pid}`).toBeGreaterThanOrEqual(2 * 4096);
  }
  expect(answer.privateBytes + answer.sharedBytes).toBe(answer.mappedBytes);
});

kernelTest('who: where no frame is', async () => {
  const pages = (await sharing.start('places'))!;
  const at = (what: string) => pages.find((page) => page.what === what)!;
  const ask = (what: string) => settled(() => whoLiveAddress(files, at(what).pid, at(what).address));
  expect((await ask('PROT_NONE')).place).toMatchObject({
    state: 'not present',
    says: expect.stringContaining('PROT_NONE'),
  });
  expect((await ask('untouched')).place).toMatchObject({
    state: 'not present',
    says: expect.stringContaining('nothing was written'),
  });
  expect((await ask('hole')).place).toMatchObject({ state: 'no region', region: null });
  expect((await ask('file')).place).toMatchObject({
    state: 'not present',
    says: expect.stringContaining('the first access maps'),
  });
  const zero = await ask('zero page');
  // Some virtual machines give each reader a page of its own.
  if (zero.frame!.identity!.kind === 'anonymous') expect(zero.frame!.agrees).toBe(true);
  else {
    expect(zero.frame!.identity!.kind).toBe('zero');
    expect(zero.frame!.why.map(({ what }) => what)).toEqual(['zero page']);
  }
  expect(whoLiveAddress(files, 2 ** 22 + 1, 0)).toBeNull();
  expect(whoLiveFrame(files, 2 ** 40)).toBeNull();
});

/** Changes a setting of the kernel for the time of `body`. */
async function withSetting(path: string, value: string, body: () => Promise<void>): Promise<void> {
  const before = readFileSync(path, 'utf8').trim();
  writeFileSync(path, value);
  try {
    await body();
  } finally {
    writeFileSync(path, before);
  }
}

const KSM = '/sys/kernel/mm/ksm';
const noKsm = missing ?? (existsSync(`${KSM}/run`) ? null : 'no KSM');
kernelTest(
  'who: pages that KSM made one, at any address',
  () =>
    withSetting(`${KSM}/pages_to_scan`, '10000', () =>
      withSetting(`${KSM}/run`, '1', async () => {
        const [page] = (await sharing.start('ksm'))!;
        for (let i = 0; i < 300; i++) {
          const { frame } = whoLiveAddress(files, page!.pid, page!.address)!;
          if (frame?.identity?.kind === 'ksm' && frame.mapcount === 3) break;
          await setTimeout(100);
        }
        await expectFound([page!]);
        const { frame } = await settled(() => whoLiveAddress(files, page!.pid, page!.address));
        expect(frame!.identity!.kind).toBe('ksm');
      }),
    ),
  noKsm,
);

const HUGE = '/proc/sys/vm/nr_hugepages';
kernelTest('who: hugetlb, where the kernel has such pages to give', () =>
  withSetting(HUGE, '2', async () => {
    const pages = await sharing.start('hugetlb');
    if (pages === null) return;
    await expectFound(pages);
    const { frame } = await settled(() => whoLiveAddress(files, pages[1]!.pid, pages[1]!.address));
    expect(frame).toMatchObject({
      identity: { kind: 'hugetlb' },
      reclaim: { kind: 'unreclaimable' },
      folio: { pages: 512 },
    });
    await sharing.end();
  }),
);

kernelTest('who: a page in a swap area, and who else holds its slot', async () => {
  const area = join(sharing.folder, 'area');
  const ran = (...command: string[]) => spawnSync(command[0]!, command.slice(1)).status === 0;
  const made =
    ran('dd', 'if=/dev/zero', `of=${area}`, 'bs=1M', 'count=16') &&
    ran('chmod', '600', area) &&
    ran('mkswap', area) &&
    ran('swapon', area);
  if (!made) return;
  try {
    const [page] = (await sharing.start('swap'))!;
    const { place, slot } = await settled(() => whoLiveAddress(files, page!.pid, page!.address));
    // Under no pressure the kernel may keep it.
    if (place!.state !== 'swapped') return;
    expect(placesOf(slot!.holders)).toEqual(inOrder(page!.mappers));
    const snapshot = new LiveHost().snapshot({ frames: 'none', rollups: false });
    const saved = placeIn(snapshot, page!.pid, page!.address)!;
    expect(placesOf(whoHasSlot(snapshot, saved.slot!.area, saved.slot!.offset).holders)).toEqual(
      inOrder(page!.mappers),
    );
  } finally {
    await sharing.end();
    ran('swapoff', area);
  }
});
