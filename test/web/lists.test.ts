/** Lists as queues in a real browser: scans, verdicts, the walk by keyboard, generations, swap. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packText } from '../../web/app/url.ts';
import { CHROMIUM, holdLooks, keepShot, LAST_LOOK, openSite, type Site, settled } from './site.ts';

/** More private memory than there is; the first pages are used again on the way. */
const PROGRAM = `%mmp 1
%title Memory is short
%swap 32
0 swapon()
1 mmap(0x100000000000, 33554432, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 4194304, 1)
1 store(0x100000400000, 8388608, 2)
1 load(0x100000000000, 1048576)
1 store(0x100000c00000, 12582912, 3)
1 load(0x100000000000, 1048576)
1 store(0x100001800000, 8388608, 4)
`;
const program = (more: string): string => `view=lists&open=program&program=${packText(PROGRAM)}&${more}`;
const recording = (more: string): string => `view=lists&open=example:zipf&limit=5M&ram=64M&swap=32M&${more}`;

describe.skipIf(CHROMIUM === undefined)('the view of lists (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test('the next scan shows its verdicts, and a verdict chooses its frame; every look is well', async () => {
    const page = await site.open(recording('step=5000'));
    await page.getByRole('button', { name: 'Next scan' }).click();
    await settled(page);
    const verdicts = page.getByRole('region', { name: 'Verdicts, page by page' });
    await verdicts.getByText('reclaimed: it is in swap').first().waitFor();
    await page.getByRole('heading', { name: 'inactive_anon' }).waitFor();
    await verdicts.getByRole('button').first().click();
    await page.locator('.chosen', { hasText: /Frame 0x/ }).waitFor();
    expect(await page.getByRole('region', { name: 'The rule in force' }).innerText()).toContain('get_scan_count');
    await holdLooks(page, 'lists');
    await page.close();
  });

  test('arrows walk along a list, Enter chooses, Home and End are head and tail', async () => {
    const page = await site.open(recording('step=5000'));
    const walk = page.getByRole('slider', { name: 'Place in inactive_anon' });
    await walk.focus();
    const told = (): Promise<string | null> => walk.getAttribute('aria-valuetext');
    expect(await told()).toContain('place 1 of');
    const paints = await countPaints(page);
    await page.keyboard.press('ArrowRight');
    expect(await told()).toContain('place 2 of');
    expect(await paints()).toBe(1);
    await page.keyboard.press('End');
    expect(await told()).toContain('next to be scanned');
    await page.keyboard.press('Home');
    expect(await told()).toContain('place 1 of');
    // Home and the arrows were the list's, not the clock's.
    expect(await page.locator('.where').innerText()).toContain('step 5,000');
    const frame = /frame (0x[0-9a-f]+)/.exec((await told())!)![1]!;
    await page.keyboard.press('Enter');
    await page.locator('.chosen', { hasText: frame }).waitFor();
    await page.locator('.queue summary').first().click();
    expect(await page.locator('.queue tbody tr').first().innerText()).toContain(frame);
    await page.close();
  });

  test('generations stand as queues, and swap tells who has a slot', async () => {
    const page = await site.open(recording('mglru=1&step=5000'));
    await page
      .getByRole('heading', { name: /generation \d+ anon/ })
      .first()
      .waitFor();
    await page.keyboard.press('l');
    await settled(page);
    await page.getByText(/Scans behind step/).waitFor();
    await keepShot(page, 'lists-mglru');
    await page.getByRole('button', { name: 'Swap', exact: true }).click();
    await page.getByText('Taken slots as a list').click();
    await page.locator('.swap details button').first().click();
    await page.locator('.slot-facts', { hasText: /has it at/ }).waitFor();
    await holdLooks(page, 'lists-swap', '.view', LAST_LOOK);
    // Whoever has the link sees the same.
    const slot = await page.locator('.slot-facts h2').innerText();
    await page.waitForFunction(() => /lists=swap/.test(location.hash) && /slot=0%3A\d+/.test(location.hash));
    await page.reload();
    await settled(page);
    await page.getByRole('heading', { name: slot }).waitFor();
    await page.getByRole('button', { name: 'Queues', exact: true }).click();
    await page.getByText('Scans behind step 5,000,').waitFor();
    await page.close();
  });

  test('a program on old kernels: a pass of shrink_cache, and nothing left to find is said', async () => {
    const page = await site.open(program('kernel=2.4.19&memory=24M'));
    await page.getByRole('button', { name: 'Next scan' }).click();
    await settled(page);
    await page.getByRole('heading', { name: 'shrink_cache' }).waitFor();
    await page
      .getByText(/kept: mapped/)
      .first()
      .waitFor();
    await keepShot(page, 'lists-2.4');
    await page.getByRole('button', { name: 'Previous scan' }).click();
    await page.getByText('No scan happened before this step').waitFor();
    await page.close();
  });

  test('no page said an error', () => expect(site.errors).toEqual([]));
});

/** How often canvases are painted from now on, a few frames behind the question. */
async function countPaints(page: Page): Promise<() => Promise<number>> {
  const counted = await page.evaluateHandle(async () => {
    // What the focus has changed is painted by then.
    for (let frame = 0; frame < 5; frame++) await new Promise(requestAnimationFrame);
    const count = { paints: 0 };
    const { prototype } = CanvasRenderingContext2D;
    const { setTransform } = prototype;
    prototype.setTransform = function (...args: unknown[]) {
      count.paints += 1;
      Reflect.apply(setTransform, this, args);
    };
    return count;
  });
  return () =>
    counted.evaluate(async (count) => {
      for (let frame = 0; frame < 5; frame++) await new Promise(requestAnimationFrame);
      return count.paints;
    });
}
