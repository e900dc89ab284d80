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
    // The open view's tab is in the strip's window, the last one too.
    await page.keyboard.press('0');
    await page.waitForFunction(() => {
      const { left, right } = document.querySelector('.tabs [aria-current]')!.getBoundingClientRect();
      return left >= 0 && right <= innerWidth;
    });
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

  test('what is not there is said to be not there', async () => {
    const page = await site.open('view=lessons&frame=999999999');
    await page.locator('.chosen', { hasText: /^No frame 0x3b9ac9ff\s*This machine has frames 0 to 0x/ }).waitFor();
    expect(await page.locator('.chosen').innerText()).not.toContain('Mapped nowhere');
    await page.getByLabel('Go to').fill('77:0x100000100000');
    await page.getByRole('button', { name: 'Choose', exact: true }).click();
    await page.locator('.chosen', { hasText: /No process 77\s*None of this number lives at this step/ }).waitFor();
    await page.close();
  });

  test('Back leads to the view and the file before, forward again, and steps are no places', async () => {
    const page = await site.open('view=lists&step=1');
    const places = () => page.evaluate(() => history.length);
    const at = (words: string) => page.waitForFunction((part) => location.hash.includes(part), words);
    await at('open=program');
    const before = await places();
    await page.keyboard.press('ArrowRight');
    await at('step=2');
    expect(await places()).toBe(before);
    await page.getByRole('button', { name: 'Reverse map', exact: true }).click();
    await at('view=reverse');
    await page.locator('summary', { hasText: 'Open' }).click();
    await page.getByRole('button', { name: /Zipf/ }).click();
    await at('open=example%3Azipf');
    expect(await places()).toBe(before + 2);
    await page.goBack();
    await page.locator('.what', { hasText: 'program.mmp' }).waitFor();
    await settled(page);
    expect(await page.locator('.where').innerText()).toContain('step 2');
    await page.goBack();
    await page.locator('.view-lists').waitFor();
    await page.goForward();
    await page.goForward();
    await page.locator('.what', { hasText: 'zipf' }).waitFor();
    await at('open=example%3Azipf');
    expect(await places()).toBe(before + 2);
    await page.close();
  });

  for (const { why, fragment, says } of [
    { why: 'a link that was cut', fragment: 'open=program&program=!!!!', says: 'This link is cut or damaged' },
    { why: 'a link to a host without one', fragment: 'open=live', says: 'no revmap serve --live is behind this page' },
    { why: 'a link to a dropped file', fragment: 'open=dropped', says: 'open the file again' },
  ]) {
    test(`${why} says so, opens nothing else, and stays in the address`, async () => {
      const page = await site.browser.newPage();
      await page.goto(`${site.url}#view=lists&${fragment}`);
      await page.locator('.view-lists', { hasText: says }).waitFor();
      await page.locator('.transport [role=alert]', { hasText: says }).waitFor();
      expect(await page.locator('.what').count()).toBe(0);
      expect(await page.evaluate(() => location.hash)).toBe(`#view=lists&${fragment}`);
      await page.close();
    });
  }

  test('what cannot be read any more is said, and nothing waits for it', async () => {
    const page = await site.open('view=reverse&step=7&page=1:0x100000100000');
    const errors = site.errors.length;
    await page.route('**/assets/**', (route) => route.abort());
    const gone = 'the server of this page does not answer any more';
    await page.getByRole('button', { name: 'Ask the other kernels' }).click();
    await page.locator('.rev-compare td', { hasText: gone }).first().waitFor();
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.locator('.compare-machines [role=alert]', { hasText: gone }).waitFor();
    await page.locator('summary', { hasText: 'Open' }).click();
    await page.getByRole('button', { name: /Zipf/ }).click();
    await page.locator('.transport [role=alert]', { hasText: gone }).waitFor();
    // The browser's own words about what it could not load.
    expect(site.errors.splice(errors).filter((error) => !error.includes('Failed to load resource'))).toEqual([]);
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
