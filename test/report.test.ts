/**
 * The report in a browser: what a hand, a finger and a key do; on a phone, on paper, without a network.
 *
 * Skipped where there is no Chromium (`npm test` installs one where root may).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeReady } from '../scripts/setup.mjs';
import { CHROMIUM, CHROMIUM_ARGS } from './browser/chromium.ts';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'revmap-report-'));
const single = join(folder, 'single.html');
const grid = join(folder, 'grid.html');

let browser: Browser;
/** What a page must not do: write to the console, ask for something. */
const complaints: string[] = [];
let pages: Page[] = [];

async function open(file: string, width: number, options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height: 844 }, ...options });
  pages.push(page);
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(file).href) complaints.push(request.url());
  });
  await page.goto(pathToFileURL(file).href);
  return page;
}

describe.skipIf(CHROMIUM === undefined)('report in Chromium (skipped: there is none here)', () => {
  beforeAll(async () => {
    await makeReady();
    const sweep = (...args: string[]) =>
      spawnSync(
        process.execPath,
        [join(root, 'dist', 'cli.js'), 'sweep', join(root, 'examples', 'zipf.rvm.gz'), '--out', folder, ...args],
        {
          encoding: 'utf8',
        },
      );
    const truth = join(root, 'oracle', 'truth', 'zipf.truth.tsv');
    const made = [
      sweep('--kernel', '6.1', '--limits', '5', '--truth', truth, '--miss-ratio', '--report', single),
      sweep('--kernel', '3.16,6.1', '--limits', '5', '--report', grid),
    ];
    for (const { status, stderr } of made) expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: CHROMIUM_ARGS });
  });

  afterEach(async () => {
    expect(complaints).toEqual([]);
    await Promise.all(pages.map((page) => page.close()));
    pages = [];
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  for (const file of [single, grid]) {
    for (const width of [1280, 390, 320]) {
      test(`${file === grid ? 'grid' : 'single'}: nothing is wider than ${width} pixels`, async () => {
        const page = await open(file, width);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        const shown = await page.locator('figure.plot svg.wide').first().isVisible();
        expect(shown).toBe(width > 640);
        expect(await page.locator('figure.plot svg.narrow').first().isVisible()).toBe(width <= 640);
      });
    }
  }

  test('pointer: the values of the limit under it, in every plot', async () => {
    const page = await open(single, 1280, { reducedMotion: 'reduce' });
    const plot = page.locator('#plot-pages');
    const key = plot.locator('button.key').first();
    const before = await key.locator('output').textContent();
    expect(before).toMatch(/^\d/);
    const box = (await plot.locator('svg.wide').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
    expect(await key.locator('output').textContent()).not.toBe(before);
    const where = await page.locator('figure.plot .where').allTextContents();
    expect(where.length).toBe(4);
    expect(where[0]).toBe(where[1]);
    const cursor = (await plot.locator('svg.wide .cursor').boundingBox())!;
    expect(Math.abs(cursor.x - (box.x + box.width * 0.2))).toBeLessThan(0.15 * box.width);
    expect(
      await page.evaluate(`getComputedStyle(document.querySelector('#plot-pages svg.wide .cursor')).visibility`),
    ).toBe('visible');
  });

  test('finger: a tap chooses a limit', async () => {
    const page = await open(single, 390, { hasTouch: true, isMobile: true });
    const plot = page.locator('#plot-pages');
    const before = await plot.locator('.where').textContent();
    const svg = plot.locator('svg.narrow');
    await svg.scrollIntoViewIfNeeded();
    const box = (await svg.boundingBox())!;
    await page.touchscreen.tap(box.x + box.width * 0.25, box.y + box.height / 2);
    expect(await plot.locator('.where').textContent()).not.toBe(before);
  });

  test('keys: the slider is reached by Tab, moves, and says what it shows', async () => {
    const page = await open(single, 1280);
    const slider = page.locator('#plot-pages input[type=range]');
    for (let i = 0; i < 40 && !(await page.evaluate(FOCUSED)); i++) {
      await page.keyboard.press('Tab');
    }
    expect(await page.evaluate(FOCUSED)).toBe(true);
    await page.keyboard.press('Home');
    const narrowest = await slider.getAttribute('aria-valuetext');
    await page.keyboard.press('ArrowRight');
    const next = await slider.getAttribute('aria-valuetext');
    expect(narrowest).toMatch(/^[\d.]+ MiB, major faults [\d,]+, swapped in /);
    expect(next).not.toBe(narrowest);
    await page.keyboard.press('End');
    expect(await page.locator('#plot-pages button.key output').first().textContent()).toBe('6');
  });

  test('series: switched off and on by keyboard, and the slider no longer names it', async () => {
    const page = await open(single, 1280);
    const plot = page.locator('#plot-pages');
    const line = plot.locator('svg.wide .linear [data-series="0"]');
    const key = plot.locator('button.key').first();
    await key.focus();
    await page.keyboard.press('Space');
    expect(await key.getAttribute('aria-pressed')).toBe('false');
    expect(await line.isVisible()).toBe(false);
    expect(await plot.locator('input').getAttribute('aria-valuetext')).not.toContain('major faults');
    await page.keyboard.press('Enter');
    expect(await line.isVisible()).toBe(true);
  });

  test('axis: logarithmic and back', async () => {
    const page = await open(grid, 1280);
    const plot = page.locator('#plot-major-faults');
    await plot.getByRole('button', { name: 'logarithmic axis' }).click();
    expect(await plot.locator('svg.wide g.log').isVisible()).toBe(true);
    expect(await plot.locator('svg.wide g.linear').isVisible()).toBe(false);
    await plot.getByRole('button', { name: 'logarithmic axis' }).click();
    expect(await plot.locator('svg.wide g.linear').isVisible()).toBe(true);
  });

  test('every control and picture has a name, every table a caption', async () => {
    const page = await open(single, 1280);
    const nameless =
      await page.evaluate(`[...document.querySelectorAll('button, input, svg[role=img], [tabindex]')].filter((element) =>
      !(element.getAttribute('aria-label') ?? element.closest('label')?.textContent ?? element.textContent).trim()).length`);
    expect(nameless).toBe(0);
    expect(await page.locator('table').count()).toBe(await page.locator('table > caption').count());
    expect(await page.locator('svg[aria-describedby="numbers"]').count()).toBeGreaterThan(0);
    expect(await page.locator('#numbers table').count()).toBe(1);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${colorScheme}: text stands out from what is behind it, 4.5 to 1`, async () => {
      const page = await open(single, 1280, { colorScheme });
      const worst = await page.evaluate(CONTRAST);
      expect(worst).toBeGreaterThanOrEqual(4.5);
    });
  }

  test('motion: none for those who want none', async () => {
    const page = await open(single, 1280, { reducedMotion: 'reduce' });
    const duration = await page.evaluate(
      `getComputedStyle(document.querySelector('svg.wide .cursor')).transitionDuration`,
    );
    expect(duration).toBe('0s');
  });

  test('without scripts: the same curves and tables, and no dead control', async () => {
    const page = await open(single, 1280, { javaScriptEnabled: false });
    expect(await page.locator('figure.plot svg.wide').first().isVisible()).toBe(true);
    expect(await page.locator('.controls').first().isVisible()).toBe(false);
  });

  test('paper: black on white, no controls, no plot across two pages', async () => {
    const page = await open(single, 720, { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const style = await page.evaluate(
      '[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]',
    );
    expect(style).toEqual(['rgb(0, 0, 0)', 'rgb(255, 255, 255)']);
    expect(await page.locator('.controls').first().isVisible()).toBe(false);
    expect(await page.locator('figure.plot svg.wide').first().isVisible()).toBe(true);
    const kept = await page.evaluate(
      "[...document.querySelectorAll('figure')].map((f) => getComputedStyle(f).breakInside)",
    );
    expect(new Set(kept as string[])).toEqual(new Set(['avoid']));
    const wide = await page.evaluate(
      "Math.max(...[...document.querySelectorAll('table, svg')].map((e) => e.getBoundingClientRect().right))",
    );
    expect(wide).toBeLessThanOrEqual(720);
    expect((await page.pdf({ format: 'A4' })).subarray(0, 5).toString()).toBe('%PDF-');
  });
});

const FOCUSED = `document.activeElement === document.querySelector('#plot-pages input[type=range]')`;

/** The least contrast of any visible text of the page, by WCAG's formula. */
const CONTRAST = `(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let worst = 21;
  for (const element of document.querySelectorAll('main *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!own || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const text = rgb(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(text), light(behind(element))];
    worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return worst;
})()`;
