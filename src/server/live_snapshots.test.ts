import { afterAll, expect, test, vi } from 'vitest';
import { fakeProc } from '../../test/host/fake_proc.ts';
import { readSnapshotBytes } from '../host/file/snapshot_unpack.ts';
import { LiveHost } from '../host/live_host.ts';
import type { CacheAnswer } from '../host/page_cache/page_cache.ts';
import type { TakeOptions } from '../host/read/take_options.ts';
import { type HostSnapshot, isMapped } from '../host/snapshot.ts';
import { canReadFrameNumbers, KEPT_MS, LiveSnapshots } from './live_snapshots.ts';

const fake = fakeProc();
afterAll(() => fake.remove());

/** Counts, and fails when it shall. What the page cache of this machine holds is another test's. */
class MadeUpHost extends LiveHost {
  taken = 0;
  fails = false;

  override snapshot(options: TakeOptions = {}): HostSnapshot {
    this.taken += 1;
    if (this.fails) throw new Error('once');
    return super.snapshot(options);
  }

  override async cachedFiles({ files }: HostSnapshot): Promise<CacheAnswer> {
    return { files, missing: [], cache: null, meminfo: null, askedFiles: 0, refused: [] };
  }
}

for (const frames of [true, false])
  test(`a snapshot file ${frames ? 'with' : 'without'} frame numbers`, async () => {
    const host = new MadeUpHost(fake);
    const bytes = await new LiveSnapshots(host, frames).bytes();
    const snapshot = await readSnapshotBytes([bytes], 'live');
    expect(snapshot.processes.map(({ pid }) => pid)).toEqual(host.snapshot().processes.map(({ pid }) => pid));
    expect(snapshot.entries.count).toBeGreaterThan(0);
    expect([...snapshot.entries.bits].some(isMapped)).toBe(frames);
    expect(snapshot.frames !== null).toBe(frames);
    expect(snapshot.processes.every(({ command }) => command === null)).toBe(true);
  });

test('who asks meanwhile, or at once again, gets the same one; later another is taken; a failure is not kept', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const host = new MadeUpHost(fake);
  const live = new LiveSnapshots(host, false);
  const [first, second] = await Promise.all([live.bytes(), live.bytes()]);
  expect(second).toBe(first);
  expect(await live.bytes()).toBe(first);
  vi.advanceTimersByTime(KEPT_MS - 1);
  expect(await live.bytes()).toBe(first);
  expect(host.taken).toBe(1);
  vi.advanceTimersByTime(1);
  host.fails = true;
  await expect(live.bytes()).rejects.toThrow('once');
  host.fails = false;
  expect(await live.bytes()).not.toBe(first);
  expect(host.taken).toBe(3);
  vi.useRealTimers();
});

test('where no process shows us a frame, we cannot read them', () => {
  expect(canReadFrameNumbers(new LiveHost({ ...fake, proc: '/none' }))).toBe(false);
});
