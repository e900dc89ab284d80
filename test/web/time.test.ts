/** The Time view and the transport bar: looks, play, jumps, conditions there and back. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packText } from '../../web/app/url.ts';
import { pressedRecording } from '../pressed.ts';
import { CHROMIUM, holdLooks, LAST_LOOK, openSite, type Site, settled } from './site.ts';

/** Slow machines are slow, and nothing else. */
const PATIENCE_MS = 300_000;
const MACHINE = 'limit=1536K&ram=64M&swap=16M&view=time';
/** A small recording under pressure. */
async function openPressed(site: Site): Promise<Page> {
  const page = await site.open(MACHINE);
  const file = {
    name: 'pressed.rvm',
    mimeType: 'application/octet-stream',
    buffer: Buffer.from(pressedRecording(600, 4000)),
  };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.locator('.what', { hasText: 'pressed' }).waitFor();
  await settled(page);
  await page.getByText('Whole run (4,000 steps').waitFor();
  return page;
}
const PROGRAM = `%mmp 1
1 mmap(0x100000100000, 32768, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000100000, 32768, 1)
1 munmap(0x100000100001, 4096)
1 fork() = 2
2 store(0x100000100000, 8192, 2)
2 exit_group(0)
`;

async function stepOf(page: Page): Promise<number> {
  const text = await page.locator('.transport .where').innerText();
  return Number(/step ([\d,]+)/.exec(text)![1]!.replaceAll(',', ''));
}

describe.skipIf(CHROMIUM === undefined)('the Time view (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test(
    'a recording under pressure: curves, events, and every look of them is well',
    async () => {
      const page = await openPressed(site);
      await page.keyboard.press('End');
      await settled(page);
      await page.locator('.time-log tbody tr').nth(50).waitFor();
      await holdLooks(page, 'time', '.view, .transport');
      await page.close();
    },
    PATIENCE_MS,
  );

  test(
    'a program: the line that is next is marked, what lines returned stands beside them, a click goes to a line',
    async () => {
      const page = await site.open(`open=program&program=${packText(PROGRAM)}&view=time&step=4`);
      await page.locator('.listing .next', { hasText: 'store(0x100000100000, 8192, 2)' }).waitFor();
      expect(await page.locator('.listing .result.wrong').innerText()).toBe('EINVAL');
      await holdLooks(page, 'time-program', '.time-source', LAST_LOOK);
      await page.getByRole('button', { name: '1 store(0x100000100000, 32768, 1)' }).click();
      await settled(page);
      expect(await stepOf(page)).toBe(1);
      await page.close();
    },
    PATIENCE_MS,
  );

  test('it plays and pauses, goes by slider and keys, runs to a condition and back', async () => {
    const page = await openPressed(site);
    await page.keyboard.press('Space');
    await page.waitForFunction(() => Number(document.querySelector<HTMLInputElement>('.track input')?.value) > 20);
    await page.keyboard.press('Space');
    await page.waitForFunction(() => document.querySelector('.transport')?.getAttribute('data-playing') === 'false');
    const paused = await stepOf(page);
    expect(paused).toBeGreaterThan(20);
    const slider = page.getByLabel('Step', { exact: true });
    await slider.focus();
    await page.keyboard.press('ArrowRight');
    await settled(page);
    expect(await stepOf(page)).toBe(paused + 1);
    await page.keyboard.press('End');
    await settled(page);
    expect(await stepOf(page)).toBe(Number(await slider.getAttribute('max')));
    await slider.blur();
    await page.keyboard.press('Home');
    await settled(page);
    // The first page that goes to swap, the second, and back to the first.
    await page.getByLabel('Kind of event').selectOption('swap_out');
    await page.getByLabel('Kind of event').blur();
    const found: number[] = [];
    for (const key of ['n', 'n', 'p']) {
      await page.keyboard.press(key);
      await settled(page);
      found.push(await stepOf(page));
    }
    expect(found[1]).toBeGreaterThan(found[0]!);
    expect(found[2]).toBe(found[0]);
    // Nothing is swapped before that: the machine stays, and the bar says so.
    await page.keyboard.press('p');
    await page.getByRole('status').getByText('Not found before this step').waitFor();
    expect(await stepOf(page)).toBe(found[0]);
    expect(await page.locator('.present-row').last().innerText()).toContain('here');
    // To a condition, which the link has, too.
    await page.getByLabel('Run until').selectOption('free');
    await page.locator('.run-to select').nth(1).selectOption('pages');
    await page.getByLabel('Pages', { exact: true }).fill('1000000');
    await page.waitForFunction(() => location.hash.includes('until=free%3A1000000'));
    await page.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});
