import { setEnvironmentData } from 'node:worker_threads';
import { afterAll, expect, test, vi } from 'vitest';
import { fakeProc } from '../../test/host/fake_proc.ts';
import { readSnapshotBytes } from '../host/file/snapshot_unpack.ts';
import { LiveHost } from '../host/live_host.ts';
import { isMapped } from '../host/snapshot.ts';
import { canReadFrameNumbers, KEPT_MS, LiveSnapshots } from './live_snapshots.ts';

const fake = fakeProc();
afterAll(() => fake.remove());

for (const frames of [true, false])
  test(`a snapshot file ${frames ? 'with' : 'without'} frame numbers`, async () => {
    const { proc, sys } = fake;
    const bytes = await new LiveSnapshots(frames, { proc, sys }).bytes();
    const snapshot = await readSnapshotBytes([bytes], 'live');
    const { processes, entries } = snapshot;
    expect(processes.map(({ pid }) => pid)).toEqual([2, 10, 20]);
    expect(entries.count).toBeGreaterThan(0);
    expect([...entries.bits].some(isMapped)).toBe(frames);
    expect(snapshot.frames !== null).toBe(frames);
    expect(processes.every(({ command }) => command === null)).toBe(true);
  });

/** Threads that do `body`. */
function threadsThat(body: string): LiveSnapshots {
  const script = `import { getEnvironmentData, parentPort } from 'node:worker_threads'; ${body}`;
  return new LiveSnapshots(false, {}, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
}

test('who asks meanwhile, or at once again, gets the same one; later another is taken; a failure is not kept', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const live = threadsThat(
    "if (getEnvironmentData('fails')) throw new Error('once'); parentPort.postMessage(new Uint8Array(8));",
  );
  const [first, second] = await Promise.all([live.bytes(), live.bytes()]);
  expect(second).toBe(first);
  expect(await live.bytes()).toBe(first);
  vi.advanceTimersByTime(KEPT_MS - 1);
  expect(await live.bytes()).toBe(first);
  vi.advanceTimersByTime(1);
  setEnvironmentData('fails', true);
  await expect(live.bytes()).rejects.toThrow('once');
  setEnvironmentData('fails', undefined);
  expect(await live.bytes()).not.toBe(first);
  vi.useRealTimers();
});

test('a thread that ends without a word is an error', async () => {
  await expect(threadsThat('process.exit(3)').bytes()).rejects.toThrow('exit code 3');
});

test('where no process shows us a frame, we cannot read them', () => {
  expect(canReadFrameNumbers(new LiveHost({ ...fake, proc: '/none' }))).toBe(false);
});
