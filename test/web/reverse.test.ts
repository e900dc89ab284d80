/** Who maps a frame, in four kernels: the picture, the walk step by step, and a choice that all views follow. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packText } from '../../web/app/url.ts';
import { CHROMIUM, holdLooks, openSite, type Site, settled } from './site.ts';

const FORK = `%mmp 1
%title A page from before a fork, of which the child makes a copy
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 16384, 1)
1 fork() = 2
2 store(0x100000000000, 8192, 2)
`;
const at = (kernel: string, page: string): string =>
  `view=reverse&open=program&program=${packText(FORK)}&kernel=${kernel}&step=4&page=${encodeURIComponent(page)}`;
const PAGE = '0x100000000000';

describe.skipIf(CHROMIUM === undefined)('the reverse map (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  for (const { kernel, page, cost, inVain } of [
    {
      kernel: '2.4.19',
      page: `2:${PAGE}`,
      cost: /2 address spaces, 2 VMAs, 8 entries; 1 maps the page, 1 in vain/,
      inVain: 1,
    },
    { kernel: '2.5.59', page: `2:${PAGE}`, cost: /1 link, 1 VMA, 1 entry; 1 maps the page, 0 in vain/, inVain: 0 },
    { kernel: '2.6.24', page: `2:${PAGE}`, cost: /at 2 VMAs, 2 entries; 1 maps the page, 1 in vain/, inVain: 1 },
    { kernel: '3.16', page: `2:${PAGE}`, cost: /at 1 link, 1 VMA, 1 entry; 1 maps the page, 0 in vain/, inVain: 0 },
    {
      kernel: '6.18',
      page: `1:${PAGE}`,
      cost: /at 1 link, 1 VMA, 1 entry; 1 maps the page, 0 in vain\. It ends there: mapcount is 1/,
      inVain: 1,
    },
  ]) {
    test(`Linux ${kernel}: what the walk looks at, and what of it in vain`, async () => {
      const view = await site.open(at(kernel, page));
      await view.locator('.rev-cost', { hasText: cost }).waitFor();
      expect(await view.locator('.rev-node.pte.vain').count()).toBe(inVain);
      expect(await view.locator('.rev-node.pte.chosen').count()).toBe(1);
      if (kernel === '2.6.24') await holdLooks(view, 'reverse');
      await view.close();
    });
  }

  test('the walk goes visit by visit, arrows follow the edges, and who is clicked is chosen', async () => {
    const view = await site.open(at('2.6.24', `1:${PAGE}`));
    await view.locator('.rev-graph svg').waitFor();
    await view.keyboard.press('r');
    const now = view.locator('.rev-now');
    await now.filter({ hasText: 'The entry maps it' }).waitFor();
    expect(await now.innerText()).toContain('0x100000000000 + ((0x100000000 − 0x100000000) << 12) = 0x100000000000');
    await view.getByRole('button', { name: 'next visit' }).click();
    await now.filter({ hasText: 'In vain: maps frame' }).waitFor();
    expect(await view.locator('.rev-node.pte.now').getAttribute('aria-label')).toContain('in vain');
    await view.getByRole('treeitem', { name: /^frame/ }).focus();
    for (let right = 0; right < 4; right++) await view.keyboard.press('ArrowRight');
    expect(await view.locator(':focus').getAttribute('aria-label')).toMatch(/^process 1/);
    await view.getByRole('treeitem', { name: /^process 2/ }).click();
    await view.waitForFunction(() => location.hash.includes('page=2%3A0x100000000000'));
    await view.close();
  });

  test('nothing chosen: frames worth a look are offered', async () => {
    const view = await site.open('view=reverse&step=12');
    await view.getByRole('button', { name: 'The most shared anonymous page' }).click();
    await view.locator('.rev-node.pte').first().waitFor();
    await view.close();
  });

  test('the other kernels are asked the same', async () => {
    const view = await site.open(at('6.18', `2:${PAGE}`));
    await view.getByRole('button', { name: 'Ask the other kernels' }).click();
    const rows = view.locator('.rev-compare tbody tr');
    await view.getByRole('button', { name: 'Ask the other kernels' }).waitFor();
    await expect.poll(() => rows.count(), { timeout: 60_000 }).toBe(5);
    expect((await rows.allInnerTexts()).map((row) => row.split(/\s+/).join(' '))).toEqual([
      '2.4.19 2 0 2 8 1 1',
      '2.5.59 0 1 1 1 1 0',
      '2.6.24 0 0 2 2 1 1',
      '3.16 0 1 1 1 1 0',
      '6.18 0 1 1 1 1 0',
    ]);
    // A file of one's own is kept, too.
    await view
      .getByLabel('File', { exact: true })
      .setInputFiles(join(import.meta.dirname, '../../examples/zipf.rvm.gz'));
    await view.locator('.head', { hasText: 'zipf' }).waitFor();
    for (let step = 1; step <= 3; step++) {
      await settled(view);
      await view.keyboard.press('.');
      await view.locator('.where', { hasText: `step ${step} of` }).waitFor();
    }
    await view.getByLabel('Go to').fill('0:0x4000800000');
    await view.keyboard.press('Enter');
    await view.getByRole('button', { name: 'Ask the other kernels' }).click();
    await expect.poll(() => rows.count(), { timeout: 60_000 }).toBe(5);
    await view.close();
  });

  test('no page said an error', () => expect(site.errors).toEqual([]));
});
