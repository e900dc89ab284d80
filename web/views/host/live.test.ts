import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LiveSource, LiveWatch } from './live.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function hostOf(answers: readonly (number | string)[]): LiveSource & { asked: number } {
  const host = {
    live: true,
    frames: true,
    asked: 0,
    async fetchLive(): Promise<Uint8Array> {
      const answer = answers[Math.min(host.asked++, answers.length - 1)]!;
      if (typeof answer === 'string') throw new Error(answer);
      return Uint8Array.of(answer);
    },
  };
  return host;
}

const screenOf = (open: (bytes: Uint8Array) => Promise<boolean>, isOurs = () => true) =>
  new LiveWatch({ open, isOurs });

test('a watch looks at once and then every so many seconds, until it is paused', async () => {
  const seen: number[] = [];
  const watch = screenOf(async ([byte]) => seen.push(byte!) > 0);
  const host = hostOf([1, 2, 3]);
  watch.start(host, 5);
  await vi.advanceTimersByTimeAsync(4000);
  expect(seen).toEqual([1]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(seen).toEqual([1, 2]);
  watch.pause();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen).toEqual([1, 2]);
});

test('a look that is not over is not begun again', async () => {
  let drawn = () => {};
  const watch = screenOf(
    () =>
      new Promise((done) => {
        drawn = () => done(true);
      }),
  );
  const host = hostOf([1]);
  watch.start(host, 1);
  await vi.advanceTimersByTimeAsync(10_000);
  void watch.look(host);
  expect(host.asked).toBe(1);
  drawn();
  await vi.advanceTimersByTimeAsync(1000);
  expect(host.asked).toBe(2);
});

test('what goes wrong stops the watch and is said', async () => {
  const watch = screenOf(async () => true);
  const host = hostOf([1, 'revmap serve does not answer any more.']);
  watch.start(host, 2);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(host.asked).toBe(2);
  expect(watch.every.value).toBe(null);
  expect(watch.error.value).toBe('revmap serve does not answer any more.');
});

test('a snapshot that cannot be opened stops it, too', async () => {
  const watch = screenOf(async () => false);
  const host = hostOf([1]);
  watch.start(host, 2);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(host.asked).toBe(1);
});

test('who opens something else keeps it', async () => {
  let isOurs = true;
  const watch = screenOf(
    async () => true,
    () => isOurs,
  );
  const host = hostOf([1]);
  watch.start(host, 2);
  await vi.advanceTimersByTimeAsync(2000);
  expect(host.asked).toBe(2);
  isOurs = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(host.asked).toBe(2);
  expect(watch.every.value).toBe(null);
});
