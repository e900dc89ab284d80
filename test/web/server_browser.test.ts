/**
 * `revmap serve` and a real browser: the good link works, and no other page in the same browser gets anything, neither one whose name
 * was pointed at us in the meantime (rebinding), nor one of another server on this machine.
 */
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Served } from '../../web/app/served.ts';
import { CHROMIUM, CHROMIUM_ARGS } from '../browser/chromium.ts';
import { Installed, Serving } from './serving.ts';

const root = join(import.meta.dirname, '../..');
/** Chromium of today keeps pages of the Internet from this machine. Others do not; here we are alone. */
const NO_HELP = '--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessRespectPreflightResults';
const SECRET = '%mmp 1\n# what nobody else may read\n1 brk(0)\n';

/** What the page of these tests leaves for them. */
declare const seen: { served: Served | null; error: string | null; fragment: string };
/** In a page of somebody else: what came of each try. */
declare function tryAll(urls: readonly string[], own: boolean): Promise<Record<string, string>>;

const OUR_PAGE = `
import { connectToServer } from './web/app/served.ts';
const seen = { served: null, error: null, fragment: '' };
globalThis.seen = seen;
const connected = connectToServer();
seen.fragment = location.hash;
connected.then((served) => { seen.served = served; }, (error) => { seen.error = error.message; })
  .finally(() => { document.documentElement.dataset.seen = 'yes'; });
`;

/** Everything that a page can load with, at each of \`urls\`; 'read' and 'loaded' are what must not come. */
const TRIES = `
globalThis.tryAll = async (urls, own) => {
  const tried = {};
  const note = (name, url, outcome) => { tried[name + ' ' + url] = outcome; };
  const within = (work) => Promise.race([work, new Promise((done) => setTimeout(done, 30000, 'nothing'))]);
  const element = (make) => within(new Promise((done) => {
    const one = make();
    one.onload = () => done('loaded');
    one.onerror = () => done('refused');
    document.body.append(one);
  }));
  const make = (tag, values) => () => Object.assign(document.createElement(tag), values);
  await Promise.all(urls.map(async (url) => {
    for (const mode of ['cors', 'no-cors', 'same-origin'])
      note('fetch ' + mode, url, await fetch(url, { mode, credentials: 'include' })
        .then(async (answer) => answer.type === 'opaque' || !answer.ok ? 'refused' : 'read ' + await answer.text(), () => 'refused'));
    note('fetch with a header', url, await fetch(url, { headers: { Authorization: 'Bearer x' } })
      .then((answer) => answer.ok ? 'read' : 'refused', () => 'refused'));
    note('script', url, await element(make('script', { src: url })));
    note('module', url, await element(make('script', { src: url, type: 'module' })));
    note('image', url, await element(make('img', { src: url })));
    note('style', url, await element(make('link', { rel: 'stylesheet', href: url })));
    note('worker', url, await within(new Promise((done) => {
      try {
        const worker = new Worker(url, { type: 'module' });
        worker.onmessage = () => done('read');
        worker.onerror = () => done('refused');
      } catch { done('refused'); }
    })));
    const frame = make('iframe', { src: url })();
    note('frame', url, await within(new Promise((done) => {
      frame.onload = () => { try { done(own ? 'refused' : 'read ' + frame.contentDocument.body.innerText); } catch { done('refused'); } };
      document.body.append(frame);
    })));
    note('WebSocket', url, await within(new Promise((done) => {
      const socket = new WebSocket(url.replace('http', 'ws'));
      socket.onopen = () => done('read');
      socket.onerror = () => done('refused');
    })));
    note('EventSource', url, await within(new Promise((done) => {
      const source = new EventSource(url);
      source.onopen = () => done('read');
      source.onerror = () => { source.close(); done('refused'); };
    })));
  }));
  return tried;
};
`;

let installed: Installed;
let serving: Serving;
let browser: Browser;
let mine: BrowserContext;
/** What a stranger's server was asked, with its headers. */
let stranger: Server;
const asked: { url: string; cookie: string }[] = [];
let strangerPort = 0;
let api = '';

describe.skipIf(CHROMIUM === undefined)('in Chromium (skipped: there is none)', () => {
  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: { contents: OUR_PAGE, resolveDir: root, loader: 'ts' },
      bundle: true,
      write: false,
      format: 'esm',
    });
    installed = Installed.make(outputFiles[0]!.text);
    serving = await installed.serve([installed.file('secret.mmp', SECRET)]);
    stranger = createServer((request, response) => {
      asked.push({ url: request.url ?? '', cookie: request.headers.cookie ?? '' });
      response.writeHead(200, { 'Content-Type': 'text/html', 'Set-Cookie': 'theirs=1; Path=/' });
      response.end(`<!doctype html><title>stranger</title><body><script>${TRIES}</script>`);
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    strangerPort = (stranger.address() as AddressInfo).port;
    const args = [...CHROMIUM_ARGS, '--host-resolver-rules=MAP evil.test 127.0.0.1', NO_HELP];
    browser = await chromium.launch({ executablePath: CHROMIUM!, args });
    mine = await browser.newContext();
  });
  afterAll(async () => {
    await browser.close();
    stranger.close();
    await installed.remove();
  });

  async function opened(url: string, context = mine): Promise<{ page: Page; said: string[] }> {
    const page = await context.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    await page.goto(url);
    await page.waitForFunction(() => document.documentElement.dataset['seen'] === 'yes');
    return { page, said };
  }

  const filesOf = (page: Page) => page.evaluate(() => seen.served?.files ?? null);
  const FILES = [{ number: 0, name: 'secret.mmp', bytes: SECRET.length, kind: 'program' }];

  test('the link works; the token is out of the address before the exchange, and nowhere in the history', async () => {
    const { page, said } = await opened(serving.url);
    expect(await filesOf(page)).toEqual(FILES);
    api = await page.evaluate(() => localStorage.getItem('revmap.api')!);
    expect(await page.evaluate(() => seen.fragment)).toBe('');
    const { origin } = new URL(serving.url);
    expect(page.url()).toBe(`${origin}/`);
    expect(await page.evaluate(() => [history.length, document.cookie, document.referrer])).toEqual([2, '', '']);
    const bytes = await page.evaluate(async () => [...(await seen.served!.fetchFile(0))]);
    expect(Buffer.from(bytes).toString()).toBe(SECRET);
    expect(await page.evaluate(() => seen.served!.fetchLive().catch((error) => error.message))).toBe(
      'Nothing is there.',
    );
    expect(said.filter((line) => !/404/.test(line))).toEqual([]);
    const [cookie, ...others] = await mine.cookies(`${origin}${api}/`);
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({ name: 'revmap', httpOnly: true, sameSite: 'Strict', path: api, expires: -1 });
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  });

  test('after a reload, in a second tab, and by the same link again, the session is still there', async () => {
    const { page } = await opened(serving.url.split('#')[0]!);
    expect(await filesOf(page)).toEqual(FILES);
    await page.reload();
    await page.waitForFunction(() => document.documentElement.dataset['seen'] === 'yes');
    expect(await filesOf(page)).toEqual(FILES);
    const again = await opened(serving.url);
    expect(await filesOf(again.page)).toEqual(FILES);
    expect(again.page.url()).not.toContain('token');
  });

  test('in another browser the link is used up, and says so; without it there is no session', async () => {
    const other = await browser.newContext();
    const used = await opened(serving.url, other);
    expect(await used.page.evaluate(() => seen.error)).toBe(
      "This page's link was used already. Run revmap serve again for a new one.",
    );
    expect(used.page.url()).not.toContain('token');
    const wrong = await opened(`${serving.url.split('#')[0]}#token=${'0'.repeat(32)}`, other);
    expect(await wrong.page.evaluate(() => seen.error)).toMatch(/^This link is of another revmap serve\./);
    const none = await opened(`${serving.url.split('#')[0]}#view=frames`, other);
    expect(await none.page.evaluate(() => [seen.served, seen.error, location.hash])).toEqual([
      null,
      null,
      '#view=frames',
    ]);
    await other.close();
  });

  test('when the server has gone, the page says what to do', async () => {
    const second = await installed.serve();
    const { page } = await opened(second.url);
    await second.end();
    const sentence = await page.evaluate(() => seen.served!.fetchFile(0).catch((error) => error.message));
    expect(sentence).toBe('revmap serve does not answer any more. Run it again, and open the new link.');
  });

  /** What a page of somebody else gets when it tries all it can. `own`: it believes that it is of one origin with us. */
  async function triedFrom(
    page: Page,
    origin: string,
    own: boolean,
    paths = ['/', '/session', `${api}/file/0`],
  ): Promise<string[]> {
    const urls = paths.map((path) => `${origin}${path}`);
    const outcomes = await page.evaluate(([urls, own]) => tryAll(urls, own), [urls, own] as const);
    expect(Object.keys(outcomes)).toHaveLength(12 * urls.length);
    return Object.entries(outcomes).flatMap(([name, outcome]) =>
      outcome === 'refused' ? [] : [`${name}: ${outcome}`],
    );
  }

  test('rebinding: a page whose name is pointed at us later reads nothing, although its browser calls it the same origin', async () => {
    const origin = `http://evil.test:${serving.port}`;
    const page = await mine.newPage();
    // The name's first address is a server of theirs; from here on it is ours.
    await page.route(`${origin}/theirs`, (route) =>
      route.fulfill({ contentType: 'text/html', body: `<!doctype html><body><script>${TRIES}</script>` }),
    );
    await page.goto(`${origin}/theirs`);
    expect(await triedFrom(page, origin, true)).toEqual([]);
    const answer = await page.evaluate(async (path) => {
      const { status } = await fetch(path);
      return [status, await (await fetch(path)).text()];
    }, `${api}/file/0`);
    expect(answer).toEqual([403, 'This Host is none of ours.\n']);
    expect((await page.goto(`${origin}/`))?.status()).toBe(403);
    await page.close();
  });

  for (const { why, host } of [
    { why: 'another server of this machine, in the same browser', host: '127.0.0.1' },
    { why: 'the same under a name of its own', host: 'evil.test' },
  ])
    test(`${why}: nothing is read, framed or run, and the cookie does not come to it`, async () => {
      const page = await mine.newPage();
      await page.goto(`http://${host}:${strangerPort}/`);
      // It would see what it may see: what its own server answers, and its own cookie.
      const own = await page.evaluate(async () => [(await fetch('/own')).status, document.cookie]);
      expect(own).toEqual([200, 'theirs=1']);
      expect(await triedFrom(page, `http://${host}:${strangerPort}`, true, ['/session'])).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^fetch cors .*\/session: read/),
          expect.stringMatching(/^script .*: loaded/),
        ]),
      );
      expect(await triedFrom(page, new URL(serving.url).origin, false)).toEqual([]);
      // Nor by a window of its own.
      const [popup] = await Promise.all([
        page.waitForEvent('popup'),
        page.evaluate((url) => void window.open(url), new URL(serving.url).origin),
      ]);
      await popup.waitForLoadState();
      expect(await popup.evaluate(() => document.body.innerText)).toMatch(/^revmap answers only its own page/);
      expect(await page.evaluate(() => document.title)).toBe('stranger');
      await popup.close();
      await page.close();
      expect(asked.filter(({ url }) => url === '/own').at(-1)?.cookie).toContain('theirs=1');
      expect(asked.filter(({ cookie }) => cookie.includes('revmap='))).toEqual([]);
    });

  test('the page that is built works under our headers, and says nothing against them', async () => {
    const real = new Serving(spawn(process.execPath, [join(root, 'dist', 'cli.js'), 'serve']));
    await real.started();
    const page = await mine.newPage();
    const said: string[] = [];
    page.on('console', (message) => /error|warning/.test(message.type()) && said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    await page.goto(real.url);
    await page.waitForFunction(() => document.documentElement.dataset['engine'] === 'still');
    expect(said).toEqual([]);
    await page.close();
    expect(await real.end('SIGINT')).toBe(0);
  });

  test('after all of this the page works as before', async () => {
    const { page } = await opened(serving.url.split('#')[0]!);
    expect(await filesOf(page)).toEqual(FILES);
  });
});
