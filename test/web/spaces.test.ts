/** View 2: ribbons, regions and the tree of forks, driven as a reader drives them. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, holdLooks, openSite, type Site, settled } from './site.ts';

/** What the line below the pages says of the chosen one. */
async function said(page: Page, pattern: RegExp): Promise<string> {
  const line = page.locator('.spaces-page', { hasText: pattern });
  await line.waitFor();
  return line.innerText();
}

/** Keys in one moment: each goes on from where the one before has led, whatever is drawn by then. The process that has the focus. */
function atOnce(page: Page, keys: readonly string[]): Promise<string | null> {
  return page.evaluate((pressed) => {
    for (const key of pressed) {
      document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    }
    return document.activeElement?.getAttribute('data-pid') ?? null;
  }, keys);
}

describe.skipIf(CHROMIUM === undefined)('address spaces (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test('a fork shares every page, and the first write to one parts it', async () => {
    // Five lines are made: the file and eight private pages are there, and nobody has forked.
    const page = await site.open('view=spaces&step=5&page=1:0x100000100000');
    expect(await said(page, /resident/)).toContain('mapped 1 time');
    expect(await page.getByRole('treeitem').count()).toBe(1);
    await page.keyboard.press('ArrowRight');
    await settled(page);
    await page.getByRole('treeitem').nth(1).waitFor();
    expect(await said(page, /mapped 2 times/)).toMatch(/shared.*write-protected/);
    await page.getByRole('button', { name: 'process 2 at 0x100000100000' }).waitFor();
    expect(await page.getByRole('treeitem').nth(1).innerText()).toContain('◆');
    await page.keyboard.press('ArrowRight');
    await settled(page);
    expect(await said(page, /mapped 1 time/)).not.toContain('shared');
    await page.waitForFunction(() => !document.querySelectorAll('[role=treeitem]')[1]!.textContent!.includes('◆'));
    await page.close();
  });

  test('every look of it is well: with three processes, a chosen page and its tables', async () => {
    const page = await site.open('view=spaces&step=10&page=2:0x100000104000');
    await said(page, /mapped 3 times/);
    for (const name of ['These pages as a table', 'Layout of the address space']) {
      await page.locator('summary', { hasText: name }).click();
    }
    await holdLooks(page, 'spaces');
    await page.close();
  });

  test('it goes by keyboard: the tree, the ribbons, the pages of a region', async () => {
    const page = await site.open('view=spaces&step=10');
    const tree = page.getByRole('treeitem');
    await tree.first().focus();
    await page.keyboard.press('ArrowDown');
    await page.waitForFunction(() => document.activeElement?.getAttribute('data-pid') === '2');
    await page.keyboard.press('Home');
    await page.waitForFunction(() => document.activeElement?.getAttribute('data-pid') === '1');
    expect(await atOnce(page, ['ArrowDown', 'ArrowDown'])).toBe('3');
    await page.keyboard.press('Home');
    const ribbons = page.getByRole('slider', { name: 'Pages of processes 1, 2, 3' });
    await page.keyboard.press('a');
    await page.keyboard.press('ArrowRight');
    await said(page, /page 0 at 0x100000000000/);
    await page.keyboard.press('PageDown');
    await said(page, /page 0 at 0x100000100000/);
    await atOnce(page, ['ArrowDown', 'ArrowRight']);
    await said(page, /page 1 at 0x100000101000/);
    await page.waitForFunction(() => location.hash.includes('page=2%3A0x100000101000'));
    expect(await ribbons.getAttribute('aria-valuetext')).toMatch(/^process 2, 0x100000101000 in rw-p/);
    await page.getByRole('slider', { name: 'Page of the region' }).focus();
    await page.keyboard.press('End');
    await said(page, /page 7 at 0x100000107000/);
    // The clock stood still meanwhile.
    expect(await page.locator('.where').innerText()).toContain('step 10');
    await page.close();
  });

  test('a click on a ribbon chooses the page under it, and marks it where else it is', async () => {
    const page = await site.open('view=spaces&step=10');
    const ribbons = page.getByRole('slider', { name: 'Pages of processes 1, 2, 3' });
    const box = (await ribbons.boundingBox())!;
    // The cells of the first region of the second process, behind the column of names.
    await page.mouse.click(box.x + 64, box.y + 26 + 38 + 22);
    expect(await said(page, /page 0 at 0x100000000000/)).toContain('mapped 2 times');
    await page.waitForFunction(() => location.hash.includes('page=2%3A0x100000000000'));
    await page.getByRole('button', { name: 'process 1 at 0x100000000000' }).click();
    await page.waitForFunction(() => location.hash.includes('page=1%3A0x100000000000'));
    await page.close();
  });

  test('a recording of a real program under 2.4, where nobody forks and the layout is another', async () => {
    const page = await site.open('view=spaces&open=example:zipf&kernel=2.4.19&limit=10M&step=200000');
    await page.getByRole('treeitem').first().waitFor();
    await page.locator('summary', { hasText: 'Layout of the address space' }).click();
    expect(await page.locator('.spaces-marks').innerText()).toContain('TASK_UNMAPPED_BASE');
    await page.locator('summary', { hasText: 'Regions of process' }).click();
    expect(await page.locator('.spaces-tables').innerText()).toContain('has no /proc/PID/smaps');
    await page.close();
  });

  test('no page said an error', () => expect(site.errors).toEqual([]));
});
