/** The page around its views: opening, stepping, choosing, keys, the address. */

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, holdLooks, LAST_LOOK, openSite, type Site, settled } from './site.ts';

describe.skipIf(CHROMIUM === undefined)('the page (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test('it opens with a small program, and every look of its frame is well', async () => {
    const page = await site.open('');
    expect(await page.locator('.what').innerText()).toContain('Linux 6.18');
    await holdLooks(page, 'shell', '#page');
    await page.close();
  });

  test('keys step forward and back, the address follows, and a reload comes back to it', async () => {
    const page = await site.open('view=lessons');
    await page.keyboard.press('ArrowRight');
    await settled(page);
    await page.keyboard.press('ArrowRight');
    await settled(page);
    expect(await page.locator('.where').innerText()).toContain('step 2');
    await page.waitForFunction(() => location.hash.includes('step=2'));
    await page.reload();
    await settled(page);
    expect(await page.locator('.where').innerText()).toContain('step 2');
    await page.keyboard.press('ArrowLeft');
    await settled(page);
    expect(await page.locator('.where').innerText()).toContain('step 1');
    await page.close();
  });

  test('the bar at the foot has one row, in a narrow window two, and what is behind More is reached by keys', async () => {
    const page = await site.open('open=example:zipf&limit=10M&step=1000');
    expect(await rowsOf(page)).toEqual({ rows: 1, small: [] });
    expect(await page.getByRole('button', { name: 'More' }).isVisible()).toBe(false);
    await page.getByLabel('One press is').selectOption('100 steps');
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await rowsOf(page)).toEqual({ rows: 2, small: [] });
    await page.getByRole('button', { name: 'On by one 100 steps' }).click();
    await page.locator('.where', { hasText: 'step 1,100 of' }).waitFor();
    const more = page.getByRole('button', { name: 'More' });
    await more.press('Enter');
    expect(await more.getAttribute('aria-expanded')).toBe('true');
    const names: string[] = [];
    for (let tab = 0; tab < 7; tab++) {
      await page.keyboard.press('Tab');
      names.push(await page.evaluate(() => document.activeElement!.closest('label, button')!.textContent!));
    }
    expect(names.map((name) => name.replace(/(1 step|1\/s|minor).*/, ''))).toEqual([
      '|◀',
      '▶|',
      'One press is',
      'Speed',
      '◀◀',
      'Kind of event',
      '▶▶',
    ]);
    expect((await rowsOf(page)).small).toEqual([]);
    await holdLooks(page, 'bar', '.transport', LAST_LOOK);
    await page.keyboard.press('Enter');
    await page.locator('.where', { hasText: /step (?!1,100)/ }).waitFor();
    await more.click();
    expect(await page.getByLabel('Speed').isVisible()).toBe(false);
    await page.close();
  });

  test('a page that is chosen by its address has a frame, and keeps it in the link', async () => {
    const page = await site.open('step=5');
    await page.getByLabel('Go to').fill('1:0x100000100000');
    await page.getByRole('button', { name: 'Choose', exact: true }).click();
    await page
      .locator('.chosen', { hasText: /Frame 0x.*swappable: anonymous.*present, writable, young, dirty/s })
      .waitFor();
    await page.waitForFunction(() => location.hash.includes('page=1%3A0x100000100000'));
    await page.getByLabel('Go to').fill('pid:1');
    await page.getByRole('button', { name: 'Choose', exact: true }).click();
    await page.waitForFunction(() => /page=1(&|$)/.test(location.hash));
    await page.close();
  });

  test('? lists the keys, and what is wrong is said in words', async () => {
    const page = await site.open('');
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog').innerText()).toContain('one step on');
    await page.keyboard.press('Escape');
    await page.getByLabel('Go to').fill('nonsense');
    await page.getByRole('button', { name: 'Choose', exact: true }).click();
    expect(await page.locator('.inspector .wrong').innerText()).toContain('none of these');
    await page.close();
  });

  test('opened as a file, without any server, it runs the same', async () => {
    const page = await site.open('open=example:zipf&limit=10M&step=1000', 1440, 'file');
    expect(await page.locator('.what').innerText()).toContain('zipf');
    expect(await page.locator('.where').innerText()).toContain('step 1,000');
    await page.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});

/** Of the bar: in how many rows its controls stand (what is in `.more` is above it or among them), and which are less than a finger's. */
function rowsOf(page: Page): Promise<{ rows: number; small: string[] }> {
  return page.evaluate(() => {
    const controls = [...document.querySelectorAll<HTMLElement>('.transport :is(button, select, input)')];
    const seen = controls.filter((one) => one.checkVisibility());
    const middles = seen.map((one) => one.getBoundingClientRect()).map(({ top, bottom }) => (top + bottom) / 2);
    const sorted = middles.sort((a, b) => a - b);
    return {
      rows: sorted.filter((y, n) => n === 0 || y - sorted[n - 1]! > 12).length,
      small: seen.filter((one) => one.offsetWidth < 24 || one.offsetHeight < 24).map((one) => one.outerHTML),
    };
  });
}
