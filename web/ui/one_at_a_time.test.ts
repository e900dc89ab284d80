import { expect, test } from 'vitest';
import { oneAtATime } from './one_at_a_time.ts';

test('what is asked for while an answer is under way is answered behind it, once', async () => {
  const asked: string[] = [];
  let now = 'begun';
  const ask = oneAtATime(async () => {
    asked.push(now);
    await Promise.resolve();
  });
  const first = ask();
  now = 'half';
  void ask();
  now = 'done';
  void ask();
  await first;
  expect(asked).toEqual(['begun', 'done']);
});

test('after a failure it can be asked again', async () => {
  let fails = true;
  const ask = oneAtATime(async () => {
    if (fails) throw new Error('gone');
  });
  await expect(ask()).rejects.toThrow('gone');
  fails = false;
  await expect(ask()).resolves.toBeUndefined();
});
