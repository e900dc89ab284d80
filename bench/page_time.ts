/**
 * The page's clock in Chromium: jumps in a recording of ten million page events, and playing it.
 *
 * The built page's own worker opens the recording and looks it over, as when a user opens a file. Then 10,000 jumps to random steps; of every
 * hundredth the state hash is compared with that of a replay in Node that stops at each of these steps in turn. Then the page itself opens
 * the file and plays, and the longest task of its main thread is told.
 *
 *     npm run bench -- page_time --jumps=1000 --events=10000000 --play=10
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Page } from 'playwright-core';
import { startReplay } from '../src/lab/run.ts';
import { stateHash } from '../src/mm/snapshot.ts';
import { openBytes } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';
import { MACHINE_CHOICE } from '../src/view/choice.ts';
import { CHROMIUM, CHROMIUM_ARGS } from '../test/browser/chromium.ts';
import { mixture, repeatedSqlite } from './recordings/made_up.ts';

const MIB = 1024 * 1024;
const optionOf = (name: string, usual: number): number => {
  const word = process.argv.find((one) => one.startsWith(`--${name}=`));
  return word === undefined ? usual : Number(word.slice(name.length + 3));
};
const JUMPS = optionOf('jumps', 10_000);
const EVENTS = optionOf('events', 10e6);
const PLAY_SECONDS = optionOf('play', 10);
const COMPARED = 100;
/** A minute for the machine to be looked over, ten times. */
const PATIENCE_MS = 600_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'dist', 'web');

interface Jumped {
  readonly length: number;
  /** Milliseconds. */
  readonly opened: number;
  readonly lookedOver: number;
  readonly times: number[];
  readonly hashes: [step: number, hash: string][];
}

interface Played {
  readonly longest: number;
  readonly tasks: number;
  readonly steps: number;
}

/** In the page, which has Comlink: opens the recording in the worker that the page has, waits until it was looked over, and jumps. */
const JUMP = `async ({ worker, choice, name, jumps, every }) => {
  const { port1, port2 } = new MessageChannel();
  new Worker('assets/' + worker).postMessage(port2, [port2]);
  const remote = comlink.wrap(port1);
  const bytes = new Uint8Array(await (await fetch('offer')).arrayBuffer());
  const began = performance.now();
  await remote.open({ name, bytes }, choice);
  const opened = performance.now() - began;
  let length = null;
  while (length === null) {
    await new Promise((done) => setTimeout(done, 100));
    ({ length } = await remote.now());
  }
  const lookedOver = performance.now() - began;
  const times = [];
  const hashes = [];
  let seed = 7;
  for (let jump = 0; jump < jumps; jump++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const step = Math.floor((seed / 2 ** 32) * length);
    const from = performance.now();
    await remote.go(step);
    times.push(performance.now() - from);
    if (jump % every === 0) hashes.push([step, await remote.ask('hashOfState', [])]);
  }
  return { length, opened, lookedOver, times, hashes };
}`;

/** In the page: plays for so many seconds. */
const PLAY = `async (seconds) => {
  const stepOf = () => Number(document.querySelector('.track input').value);
  const found = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) found.push(duration);
  });
  observer.observe({ type: 'longtask' });
  const before = stepOf();
  const button = document.querySelector('.transport .play');
  button.click();
  await new Promise((done) => setTimeout(done, seconds * 1000));
  button.click();
  observer.disconnect();
  return { longest: Math.max(0, ...found), tasks: found.length, steps: stepOf() - before };
}`;

if (CHROMIUM === undefined) console.log('there is no Chromium');
else await main(CHROMIUM);

async function main(executablePath: string): Promise<void> {
  execFileSync('npm', ['run', '-s', 'build:web'], { cwd: root, stdio: 'ignore' });
  const scratch = mkdtempSync(join(tmpdir(), 'revmap-page-time-'));
  const server = await serve();
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_ARGS });
  try {
    for (const { name, make, limitBytes } of [
      { name: 'sqlite', make: repeatedSqlite, limitBytes: 12 * MIB },
      { name: 'mixture', make: mixture, limitBytes: 24 * MIB },
    ]) {
      const bytes = await make(EVENTS);
      const file = join(scratch, `${name}.rvm`);
      writeFileSync(file, bytes);
      for (const run of [
        (page: Page) => jumps(page, server, name, bytes, limitBytes),
        (page: Page) => play(page, server, name, file, limitBytes),
      ]) {
        const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
        page.setDefaultTimeout(PATIENCE_MS);
        await run(page);
        await page.close();
      }
    }
  } finally {
    await browser.close();
    server.close();
    rmSync(scratch, { recursive: true });
  }
}

async function jumps(page: Page, server: Offering, name: string, bytes: Uint8Array, limitBytes: number): Promise<void> {
  const url = addressOf(server);
  const { outputFiles } = await build({
    entryPoints: [join(root, 'node_modules', 'comlink', 'dist', 'esm', 'comlink.mjs')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'comlink',
  });
  await page.goto(`${url}empty`);
  await page.addScriptTag({ content: outputFiles[0]!.text });
  server.offer = bytes;
  const choice = { ...MACHINE_CHOICE, limitBytes, swapBytes: 256 * MIB };
  const worker = readdirSync(join(folder, 'assets')).find((one) => /^worker-.*\.js$/.test(one))!;
  const given = { worker, choice, name, jumps: JUMPS, every: Math.max(1, Math.floor(JUMPS / COMPARED)) };
  const answer = (await page.evaluate(`(${JUMP})(${JSON.stringify(given)})`)) as Jumped;
  const recording = await openBytes(bytes, name);
  const replay = startReplay(recording, surveyRecording(recording), choice);
  let equal = 0;
  for (const [step, hash] of answer.hashes.toSorted((a, b) => a[0] - b[0])) {
    replay.run(step);
    if (stateHash(replay.machine) === hash) equal += 1;
  }
  const times = answer.times.toSorted((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]!.toFixed(0);
  console.log(
    `${name.padEnd(8)} ${(answer.length / 1e6).toFixed(1)} M events; opened in ${(answer.opened / 1000).toFixed(1)} s, ` +
      `looked over in ${(answer.lookedOver / 1000).toFixed(1)} s; ${JUMPS} jumps in Chromium: median ${at(0.5)} ms, ` +
      `99 % ${at(0.99)} ms, longest ${at(1)} ms, ${times.filter((ms) => ms >= 200).length} of 200 ms or more; ` +
      `${equal} of ${answer.hashes.length} states equal to Node's`,
  );
  if (equal < answer.hashes.length) process.exitCode = 1;
}

async function play(page: Page, server: Offering, name: string, file: string, limitBytes: number): Promise<void> {
  const still = () => page.waitForFunction("document.documentElement.dataset.engine === 'still'");
  await page.goto(`${addressOf(server)}#view=time&limit=${limitBytes / MIB}M&swap=256M`);
  await still();
  await page.locator('input[type=file]').setInputFiles(file);
  await page.waitForFunction(`document.querySelector(".what")?.textContent.includes(${JSON.stringify(name)})`);
  await still();
  for (const view of ['Time', 'Frames']) {
    await page.getByRole('button', { name: view, exact: true }).click();
    await page.getByLabel('Speed').selectOption('1000000');
    await page.locator('body').press('Home');
    await still();
    const { longest, tasks, steps } = (await page.evaluate(`(${PLAY})(${PLAY_SECONDS})`)) as Played;
    console.log(
      `${name.padEnd(8)} played for ${PLAY_SECONDS} s beside ${view}: ${(steps / 1e6).toFixed(1)} M steps; ` +
        `${tasks} tasks of 50 ms or more on the main thread, the longest ${longest.toFixed(0)} ms`,
    );
  }
}

interface Offering extends ReturnType<typeof createServer> {
  /** What `offer` answers. */
  offer?: Uint8Array;
}

function addressOf(server: Offering): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** The built page; an empty page beside it, and the recording. */
function serve(): Promise<Offering> {
  const types: Readonly<Record<string, string>> = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.svg': 'image/svg+xml',
  };
  const made: Offering = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname.slice(1);
    try {
      const body =
        path === 'empty'
          ? Buffer.from('<!doctype html><title>bench</title>')
          : path === 'offer'
            ? Buffer.from(made.offer!)
            : readFileSync(join(folder, path === '' ? 'index.html' : path));
      response.writeHead(200, { 'content-type': types[extname(path) || '.html'] ?? 'application/octet-stream' });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((done) => made.listen(0, '127.0.0.1', () => done(made)));
}
