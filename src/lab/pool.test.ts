/** Threads that die, hang up and make mistakes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { Run } from './configuration_run.ts';
import { CONFIGURATION_DEFAULTS } from './grid.ts';
import { type Material, PoolClosed, WorkerPool } from './pool.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-pool-'));
afterAll(() => rmSync(folder, { recursive: true }));

const material = { recording: 'r', survey: 's' } as unknown as Material;
const run: Run = { ...CONFIGURATION_DEFAULTS, limitBytes: 2 ** 20 };

/** A pool of threads that do `body` with each task; `times` is how often any of them was asked. */
function poolThat(body: string, most = 1): WorkerPool {
  const script = join(folder, `${Math.random()}.mjs`);
  const counter = JSON.stringify(`${script}.count`);
  writeFileSync(
    script,
    `import { parentPort } from 'node:worker_threads';
     import { appendFileSync, readFileSync } from 'node:fs';
     let material = null;
     parentPort.on('message', (task) => {
       material = task.material ?? material;
       appendFileSync(${counter}, 'x');
       const times = readFileSync(${counter}).length;
       const say = (answer) => parentPort.postMessage(answer);
       ${body}
     });`,
  );
  return new WorkerPool(pathToFileURL(script), most);
}

const ask = (pool: WorkerPool, asked: Run = run) => pool.run(material, asked, () => {});

test('pool: a thread that dies is replaced, and its run made again', async () => {
  for (const death of ['process.exit(3)', "throw new Error('no more')"]) {
    const pool = poolThat(`if (times === 1) { ${death}; } say({ result: { times } });`);
    expect(await ask(pool)).toEqual({ times: 2 });
    await pool.close();
  }
});

test('pool: a run at which two threads die is an error that names it; other runs go on', async () => {
  const pool = poolThat("if (task.run.kernel === '6.1') process.exit(3); say({ result: 'made' });", 2);
  const dead = ask(pool, { ...run, kernel: '6.1', mglru: true });
  const others = [ask(pool), ask(pool), ask(pool)];
  await expect(dead).rejects.toThrow(
    'Linux 6.1, MGLRU, 512.0 MiB of swap on zram, swappiness 60, limit 1.0 MiB: its worker died twice (exit code 3)',
  );
  expect(await Promise.all(others)).toEqual(['made', 'made', 'made']);
  await pool.close();
});

test('pool: an error of the replay is not tried again; of the user it stays one line', async () => {
  const pool = poolThat("say({ error: { name: task.run.policy, message: 'wrong', stack: 'at here' } });");
  await expect(ask(pool, { ...run, policy: 'InputError' })).rejects.toThrow(/^wrong$/);
  await expect(ask(pool, { ...run, policy: 'Error' })).rejects.toThrow('Error, limit 1.0 MiB: wrong');
  await pool.close();
});

test('pool: a thread is sent a recording once', async () => {
  const pool = poolThat('say({ result: [task.material !== null, material] });');
  expect(await ask(pool)).toEqual([true, material]);
  expect(await ask(pool)).toEqual([false, material]);
  expect(await pool.run({ ...material }, run, () => {})).toEqual([true, material]);
  await pool.close();
});

test('pool: closing gives up what is under way and what waits', async () => {
  const pool = poolThat('');
  const left = [ask(pool), ask(pool)];
  const ends = Promise.allSettled(left);
  await pool.close();
  for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: expect.any(PoolClosed) });
});
