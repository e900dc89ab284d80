/** The lessons in a browser: their list, a whole lesson by keyboard, its question, and what is remembered. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, holdLooks, keepShot, LAST_LOOK, openSite, type Site, settled } from './site.ts';

const VIEW = '.view-lessons';
/** Half a program: it never ran, so no address has it. */
const OWN = '%mmp 1\n1 mmap(';

describe.skipIf(CHROMIUM === undefined)('lessons (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  /** The facts of the part, once the engine has said them all. */
  async function facts(page: Page): Promise<Record<string, string>> {
    await page.waitForFunction(() => {
      const cells = [...document.querySelectorAll('.lesson-facts td')];
      return cells.length > 0 && cells.every((cell) => cell.textContent !== '…');
    });
    const rows = await page.locator('.lesson-facts tr').all();
    const pairs = await Promise.all(
      rows.map(async (row) => [await row.locator('th').innerText(), await row.locator('td').innerText()] as const),
    );
    return Object.fromEntries(pairs);
  }

  async function standsAt(page: Page, title: string, step: string): Promise<void> {
    await page.getByRole('heading', { name: title, exact: true }).waitFor();
    await page.locator('.where', { hasText: step }).waitFor();
    await settled(page);
    await page.locator('.lesson-moved').waitFor({ state: 'detached' });
  }

  test('the list has ten lessons, and looks well', async () => {
    const page = await site.open('view=lessons');
    expect(await page.locator('.lesson-card').count()).toBe(10);
    await holdLooks(page, 'lessons-list', VIEW, LAST_LOOK);
    await page.close();
  });

  test('a whole lesson by keyboard: parts, a wrong answer, a right one; and what the reader wrote before is kept', async () => {
    const page = await site.open('view=editor');
    const field = page.getByLabel('Memory program');
    await field.fill(OWN);
    await page.getByRole('button', { name: 'Lessons', exact: true }).click();
    await page.getByRole('button', { name: /Private pages and fork/ }).focus();
    await page.keyboard.press('Enter');
    await standsAt(page, 'An object for pages without one', 'step 2 ');
    expect(await facts(page)).toEqual({ 'mapping points to': 'anon_vma 1', 'regions that may have it': '1' });
    await page.keyboard.press(']');
    await standsAt(page, 'fork', 'step 3 ');
    expect(await facts(page)).toMatchObject({ 'entries that map the frame': '2' });
    await holdLooks(page, 'lesson-part', VIEW);
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.keyboard.press('[');
    await standsAt(page, 'An object for pages without one', 'step 2 ');
    for (let press = 0; press < 5; press++) await page.keyboard.press(']');
    await standsAt(page, 'Your turn', 'step 3 of 3');
    await page.waitForFunction(() => location.hash.includes('lesson=4&part=5'));
    await page.getByRole('button', { name: 'Check', exact: true }).press('Enter');
    await page.locator('.lesson-verdict', { hasText: 'They share 8 frames' }).waitFor();
    expect(await page.locator('.lesson-hint').innerText()).toContain('Hint');
    // At the end of the program, and it runs while one types.
    await field.focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('2 store(0x100000000000, 16384, 2)');
    await page.locator('.where', { hasText: 'step 4 of 4' }).waitFor();
    await settled(page);
    await page.getByRole('button', { name: 'Check', exact: true }).press('Enter');
    await page.locator('.lesson-verdict.right', { hasText: 'Four frames' }).waitFor();
    await page.getByRole('button', { name: 'All lessons' }).press('Enter');
    await page.getByText('1 of 10 done').waitFor();
    await page.keyboard.press('0');
    expect(await field.inputValue()).toBe(OWN);
    await page.keyboard.press('9');
    // The address follows a moment later.
    await page.waitForFunction(() => !location.hash.includes('lesson='));
    await page.reload();
    await settled(page);
    await page.getByText('1 of 10 done').waitFor();
    await page.getByRole('button', { name: 'Forget my progress' }).click();
    await page.getByText('0 of 10 done').waitFor();
    // The address has the program that ran last.
    await page.keyboard.press('0');
    await expect.poll(() => field.inputValue(), { timeout: 60_000 }).toContain('2 store(0x100000000000, 16384, 2)');
    await page.getByRole('button', { name: 'Back to your program' }).click();
    expect(await field.inputValue()).toBe(OWN);
    await page.close();
  });

  test('a link to a lesson sets its machine, and a solution can be set and checked', async () => {
    const page = await site.open('view=lessons&lesson=10&part=5', 360);
    await standsAt(page, 'Your turn', 'step 9 of 9');
    await page.getByText('Memory: 4 MiB').waitFor();
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('.lesson-verdict', { hasText: '256 pages went to swap' }).waitFor();
    await page.getByRole('button', { name: 'Solution' }).click();
    await page.getByRole('button', { name: 'Set it, to look and to check' }).click();
    await page.getByText('Memory: 4.5 MiB').waitFor();
    await page.locator('.where', { hasText: 'step 9 of 9' }).waitFor();
    await settled(page);
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('.lesson-verdict.right').waitFor();
    await keepShot(page, 'lesson-question');
    await page.getByRole('button', { name: /Look: Time/ }).click();
    expect(await page.evaluate(() => document.activeElement?.className)).toContain('view-time');
    // Another part is read from its beginning, also where the page scrolls and not the view.
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.keyboard.press('[');
    await page.waitForFunction(() => document.querySelector('.lesson h2')!.textContent !== 'Your turn');
    const heading = (await page.locator('.lesson h2').boundingBox())!;
    expect(heading.y).toBeGreaterThan(0);
    expect(heading.y).toBeLessThan(300);
    await page.close();
  });

  test('a machine that was moved is told, and is set again', async () => {
    const page = await site.open('view=lessons&lesson=6');
    await standsAt(page, 'Private memory', 'step 5 ');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('button', { name: 'Set it as this part wants it' }).click();
    await standsAt(page, 'Private memory', 'step 5 ');
    await page.close();
  });

  test('a lesson that stands beside another view stays there, and changes that one', async () => {
    const page = await site.open('view=frames&beside=lessons&lesson=4');
    await standsAt(page, 'An object for pages without one', 'step 2 ');
    expect(await page.locator('.views > .view-reverse + .view-lessons').count()).toBe(1);
    await page.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});
