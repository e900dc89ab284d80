import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { OUR_NAME, removeLeftOvers, Watchdog } from './watchdog.ts';

const temporary = mkdtempSync(join(tmpdir(), 'watchdog-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

test('what was made last is undone first, and all of it is when close resolves', async () => {
  const setting = join(temporary, 'setting');
  const folder = join(temporary, 'folder');
  mkdirSync(folder);
  const sleeper = spawn('sleep', ['1000']);
  const watchdog = new Watchdog();
  watchdog.undo({ what: 'write', path: setting, value: 'first' });
  watchdog.undo({ what: 'write', path: setting, value: 'second' });
  watchdog.undo({ what: 'folder', path: folder });
  watchdog.undo({ what: 'kill', pid: sleeper.pid! });
  const ended = once(sleeper, 'exit');
  await watchdog.close();
  expect(existsSync(folder)).toBe(false);
  expect(readFileSync(setting, 'utf8')).toBe('first');
  expect((await ended)[1]).toBe('SIGKILL');
});

for (const signal of ['SIGKILL', 'SIGINT'] as const) {
  test(`whoever has a watchdog is ended by ${signal}: it undoes all the same`, async () => {
    const folder = join(temporary, signal);
    const code = `
      import { mkdirSync } from 'node:fs';
      import { Watchdog } from ${JSON.stringify(join(import.meta.dirname, 'watchdog.ts'))};
      const watchdog = new Watchdog();
      watchdog.undo({ what: 'folder', path: ${JSON.stringify(folder)} });
      mkdirSync(${JSON.stringify(folder)});
      console.log('made');
      setInterval(() => {}, 1000);`;
    const script = join(temporary, `${signal}.mts`);
    writeFileSync(script, code);
    const child = spawn(process.execPath, ['--import', 'tsx', script], {
      cwd: join(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(existsSync(folder)).toBe(true);
    child.kill(signal);
    for (let tries = 0; existsSync(folder) && tries < 500; tries++) await setTimeout(20);
    expect(existsSync(folder)).toBe(false);
  });
}

test('what is left of processes that are no more is removed, what belongs to living ones is not', async () => {
  const gone = spawnSync('true').pid;
  const left = join(temporary, `${OUR_NAME}${gone}`);
  const ours = join(temporary, `${OUR_NAME}${process.pid}`);
  for (const folder of [left, ours]) mkdirSync(folder);
  expect(await removeLeftOvers(null, temporary)).toEqual([left]);
  expect([existsSync(left), existsSync(ours)]).toEqual([false, true]);
});
