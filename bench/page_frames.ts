/**
 * The view of frames with a million frames and with four million: colouring in the engine, and drawing in Chromium with software
 * rendering.
 *
 * Colouring is timed here, in the same V8 as the page's worker has it. The page is the built one (npm run build:web): it colours anew
 * 50 times, then goes through a recording in 40 jumps; it tells how long each drawing took, and which tasks of its thread were long.
 * A busy computer stretches those; what the page's thread worked for each picture (CPU time) says what a quiet one would show.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { openRecording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';
import { MACHINE_CHOICE } from '../src/view/choice.ts';
import { frames } from '../src/view/frames_colourings.ts';
import { COLOURINGS } from '../src/view/frames_legend.ts';
import { begin } from '../src/view/open.ts';
import type { MachineSubject } from '../src/view/subject.ts';
import { CHROMIUM, CHROMIUM_ARGS } from '../test/browser/chromium.ts';

const RECOLOURED = 50;
const JUMPS = 40;
const STEPS_PER_JUMP = 5000;
const FIRST_STEP = 200_000;
const GIB = 2 ** 30;
const root = join(import.meta.dirname, '..');
const folder = join(root, 'dist', 'web');
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const ms = (time: number): string => `${time.toFixed(0)} ms`;

function summary(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  return `median ${ms(sorted[sorted.length >> 1] ?? 0)}, longest ${ms(sorted.at(-1) ?? 0)} of ${sorted.length}`;
}

const recording = await openRecording(join(root, 'examples', 'zipf.rvm.gz'));
const survey = surveyRecording(recording);
for (const gib of [4, 16]) {
  const subject = begin(
    { kind: 'recording', recording, survey },
    { ...MACHINE_CHOICE, ramBytes: gib * GIB },
  ) as MachineSubject;
  subject.timeline.seek(FIRST_STEP);
  const times = COLOURINGS.map(({ id }) => {
    const runs = Array.from({ length: 7 }, () => {
      const from = process.cpuUsage();
      frames(subject, id);
      const { user, system } = process.cpuUsage(from);
      return (user + system) / 1000;
    });
    return `${id} ${ms(runs.sort((a, b) => a - b)[3]!)}`;
  });
  console.log(
    `${gib} GiB, ${subject.machine.frames.frames} frames, coloured in the engine (CPU time, median of 7): ${times.join(', ')}`,
  );
}

if (CHROMIUM === undefined || !existsSync(join(folder, 'index.html'))) {
  console.log('drawing: needs Chromium, and the page (npm run build:web)');
  process.exit(0);
}
const server = await serve();
const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
for (const ram of ['4G', '16G']) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(300_000);
  await page.addInitScript({
    content: `globalThis.tasks = [];
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) tasks.push(duration);
      }).observe({ type: 'longtask' });`,
  });
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  /** What the page's thread has done so far, in ms of CPU time. */
  const worked = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0);
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const state = `open=example:zipf&ram=${ram}`;
  await page.goto(`${url}#${state}&step=${FIRST_STEP}`);
  await drawnMore(page, 0);
  await forget(page);
  const idle = await worked();
  for (let turn = 0; turn < RECOLOURED; turn++) {
    const before = await drawnCount(page);
    await page.locator('.frames-tools select').selectOption(COLOURINGS[(turn + 1) % COLOURINGS.length]!.id);
    await drawnMore(page, before);
  }
  const redraws = await told(page);
  const redrawn = ((await worked()) - idle) / RECOLOURED;
  await page.locator('.frames-tools select').selectOption('kind');
  await forget(page);
  const began = performance.now();
  const before = await worked();
  for (let jump = 1; jump <= JUMPS; jump++) {
    const before = await drawnCount(page);
    const hash = `${state}&colour=kind&step=${FIRST_STEP + jump * STEPS_PER_JUMP}`;
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await drawnMore(page, before);
  }
  const perSecond = (1000 * JUMPS) / (performance.now() - began);
  const played = await told(page);
  const each = ((await worked()) - before) / JUMPS;
  console.log(
    `${ram}: a full recolour drawn in ${summary(redraws.drawn)}; the thread worked ${ms(redrawn)} for each; tasks over 50 ms: ${taskText(redraws.tasks)}`,
  );
  console.log(
    `${ram}: through the recording ${perSecond.toFixed(1)} pictures a second, each drawn in ${summary(played.drawn)}; the thread worked ${ms(each)} for each; tasks over 50 ms: ${taskText(played.tasks)}`,
  );
  await page.close();
}
await browser.close();
server.close();

function taskText(tasks: readonly number[]): string {
  return tasks.length === 0 ? 'none' : `${tasks.length}, the longest ${ms(Math.max(...tasks))}`;
}

function drawnCount(page: Page): Promise<number> {
  return page.evaluate(() => performance.getEntriesByName('frames drawn').length);
}

async function drawnMore(page: Page, before: number): Promise<void> {
  await page.waitForFunction((count) => performance.getEntriesByName('frames drawn').length > count, before);
}

async function forget(page: Page): Promise<void> {
  await page.evaluate('performance.clearMeasures(); tasks.length = 0');
}

function told(page: Page): Promise<{ drawn: number[]; tasks: number[] }> {
  return page.evaluate(`({
    drawn: performance.getEntriesByName('frames drawn').map(({ duration }) => duration),
    tasks: [...tasks],
  })`);
}

function serve(): Promise<Server> {
  const made = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
    const file = join(folder, path === '/' ? 'index.html' : path);
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    response.end(readFileSync(file));
  });
  return new Promise((done) => made.listen(0, '127.0.0.1', () => done(made)));
}
