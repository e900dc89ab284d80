/**
 * The built page in a real browser, for tests: a folder on loopback, one Chromium, and the four looks that every view is held to.
 *
 * `REVMAP_SHOTS=folder` keeps a picture of each look.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { CHROMIUM, CHROMIUM_ARGS } from '../browser/chromium.ts';

export { CHROMIUM } from '../browser/chromium.ts';

const folder = join(import.meta.dirname, '..', '..', 'dist', 'web');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
/** Slow machines are slow, and nothing else. */
const PATIENCE_MS = 60_000;

export interface Site {
  readonly url: string;
  readonly browser: Browser;
  /** A new page at this state, once its engine stands still. What it says on the console as an error is kept. */
  open(fragment: string, width?: number, from?: 'http' | 'file'): Promise<Page>;
  /** What pages said as errors. Empty if all is well. */
  readonly errors: string[];
  close(): Promise<void>;
}

export async function openSite(): Promise<Site> {
  const server = await serveFolder(folder);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  const errors: string[] = [];
  return {
    url,
    browser,
    errors,
    async open(fragment, width = 1440, from = 'http') {
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      await page.setViewportSize({ width, height: width < 500 ? 740 : 900 });
      await page.goto(`${from === 'http' ? url : pathToFileURL(join(folder, 'index.html'))}#${fragment}`);
      await settled(page);
      return page;
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** Until the engine has opened something and nothing is under way. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.documentElement.dataset['engine'] === 'still');
}

interface Look {
  readonly width: number;
  readonly scheme: 'light' | 'dark';
  readonly axe: boolean;
}

const LOOKS: readonly Look[] = [
  { width: 1440, scheme: 'light', axe: true },
  { width: 1440, scheme: 'dark', axe: false },
  { width: 360, scheme: 'light', axe: false },
  // Colours do not depend on the width, nor the order of things on the colours: two looks have all that axe can see.
  { width: 360, scheme: 'dark', axe: true },
];
/** For a second state of a view that is held to all of them. */
export const LAST_LOOK: readonly Look[] = LOOKS.slice(-1);

/**
 * A view at both widths, light and dark: nothing wider than the window, and no fault by axe. `name` is of the pictures; `only`, a selector,
 * leaves the rest of the page to its own test.
 */
export async function holdLooks(page: Page, name: string, only = '.view', looks = LOOKS): Promise<void> {
  for (const { width, scheme, axe } of looks) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: width < 500 ? 740 : 900 });
    // Canvases are drawn anew in the frame after they were told.
    await page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null)))),
    );
    const look = `${name}-${width}-${scheme}`;
    await keepShot(page, look);
    if (axe) expect(await faultsOf(page, only), look).toEqual([]);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide, `${look}: the page is wider than its window`).toBeLessThanOrEqual(0);
  }
}

/** What axe finds fault with, each with its element. */
async function faultsOf(page: Page, only: string): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).include(only).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary}`);
}

export async function keepShot(page: Page, name: string): Promise<void> {
  const shots = process.env['REVMAP_SHOTS'];
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

function serveFolder(served: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
    try {
      const body = readFileSync(join(served, path === '/' ? 'index.html' : path));
      response.writeHead(200, {
        'content-type': TYPES[path === '/' ? '.html' : extname(path)] ?? 'application/octet-stream',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}
