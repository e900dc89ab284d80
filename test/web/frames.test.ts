/** Every frame as a picture: choosing by mouse and keys, the colour of a known frame, what a step changes, the same in a narrow window. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packText } from '../../web/app/url.ts';
import { CHROMIUM, holdLooks, openSite, type Site, settled } from './site.ts';

/** Eight pages of process 1, stored to one after the other; then a child that shares them. */
const PROGRAM = `%mmp 1
%title Eight pages, and a child
1 mmap(0x100000100000, 32768, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000100000, 4096, 1)
1 store(0x100000101000, 28672, 2)
1 fork() = 2
1 store(0x100000100000, 4096, 3)
`;

describe.skipIf(CHROMIUM === undefined)('the view of frames (skipped: there is no Chromium)', () => {
  let site: Site;
  const state = `view=frames&open=program&program=${packText(PROGRAM)}`;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test('its looks are well, with a frame chosen', async () => {
    const page = await site.open(`${state}&step=5&page=1%3A0x100000100000`);
    await page.locator('.frames-struct').waitFor();
    await holdLooks(page, 'frames');
    await page.close();
  });

  test('a click chooses a frame, and the pixel has the colour of what it is', async () => {
    const page = await site.open(`${state}&step=2&page=1%3A0x100000100000`);
    await drawn(page);
    const chosen = await chosenFrame(page);
    // The picture ends where its frames do.
    const last = Number((await page.locator('.frames-side h2').first().innerText()).replace(/\D/g, '')) - 1;
    const end = await placeIn(page, last);
    const high = await page.getByRole('application').evaluate(({ clientHeight }) => clientHeight);
    expect(Math.ceil(end.y + end.size / 2)).toBe(high);
    const ofProcess = await colourAt(page, chosen);
    expect(ofProcess).toBe(await variable(page, '--p1'));
    // Ten cells to the right, so that the new ring does not cover the old cell.
    const place = await placeIn(page, chosen);
    await page.locator('.frames-map canvas').click({ position: { x: place.x + 10 * place.size, y: place.y } });
    await page.locator('.frames-struct h2', { hasText: String(chosen + 10) }).waitFor();
    expect(await page.locator('.frames-struct').innerText()).toContain('_refcount');
    // By kind the same pixel is anonymous memory.
    await drawnAfter(page, () => page.getByLabel('Colour by').selectOption('kind'));
    expect(await colourAt(page, chosen)).toBe(await variable(page, '--p0'));
    await page.waitForFunction(() => location.hash.includes('colour=kind'));
    await page.close();
  });

  test('keys move from frame to frame, Enter chooses, z and x zoom, and other keys are still the page’s', async () => {
    const page = await site.open(`${state}&step=3&frame=5000`);
    await drawn(page);
    await page.getByRole('application').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.locator('.frames-looked', { hasText: 'Frame 5001' }).waitFor();
    await page.locator('.said[aria-live]', { hasText: 'Frame 5001' }).waitFor({ state: 'attached' });
    await page.keyboard.press('Enter');
    await page.locator('.frames-struct h2', { hasText: '5001' }).waitFor();
    await drawnAfter(page, () => page.keyboard.press('z'));
    await drawnAfter(page, () => page.keyboard.press('x'));
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog').innerText()).toContain('to the chosen frame');
    await page.keyboard.press('Escape');
    // Whoever has the link looks at the same frames, as near.
    await page.keyboard.press('c');
    await page.waitForFunction(() => /near=\d+%3A\d+/.test(location.hash));
    const whereOf = () => page.locator('.frames-map').getAttribute('data-tops');
    const where = await whereOf();
    await page.reload();
    await settled(page);
    await drawn(page);
    expect(await whereOf()).toBe(where);
    // Its place is told that it has no width any more.
    await page.getByRole('button', { name: 'Lists', exact: true }).click();
    await page.locator('.view-lists').waitFor();
    await page.close();
  });

  test('a step recolours what it changed, and nothing else is lit', async () => {
    const page = await site.open(`${state}&step=4&page=1%3A0x100000101000`);
    await drawn(page);
    const shared = await chosenFrame(page);
    const legend = page.locator('.frames-legend');
    expect(await legend.innerText()).toMatch(/shared by processes\s+8/);
    expect(await colourAt(page, shared)).toBe(await variable(page, '--frames-shared'));
    await page.getByRole('button', { name: 'What changed' }).click();
    await drawnAfter(page, () => page.keyboard.press('ArrowRight'));
    await settled(page);
    await page.locator('.note', { hasText: /frames? changed since/ }).waitFor();
    // The store copied the first page; this one is as it was, and so dimmed.
    expect(await legend.innerText()).toMatch(/shared by processes\s+7/);
    expect(await colourAt(page, shared)).not.toBe(await variable(page, '--frames-shared'));
    await page.close();
  });

  test('the table lists the frames of a category, and a neighbour on a list is a step away', async () => {
    const page = await site.open(`${state}&step=3`, 360);
    await page.getByRole('button', { name: 'process 1' }).click();
    const range = page.locator('.frames-ranges li button').first();
    const first = /\d+/.exec(await range.innerText())![0];
    await range.click();
    await page.locator('.frames-struct h2', { hasText: first }).waitFor();
    expect(await page.locator('.frames-zones').innerText()).toContain('marks: min, low, high');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide).toBeLessThanOrEqual(0);
    await page.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});

async function drawn(page: Page): Promise<void> {
  await page.waitForFunction(() => performance.getEntriesByName('frames drawn').length > 0);
  await page.locator('.frames-struct').waitFor();
}

/** Does it, and waits until the picture was drawn anew. */
async function drawnAfter(page: Page, act: () => Promise<unknown>): Promise<void> {
  const before = await page.evaluate(() => performance.getEntriesByName('frames drawn').length);
  await act();
  await page.waitForFunction((count) => performance.getEntriesByName('frames drawn').length > count, before);
}

async function chosenFrame(page: Page): Promise<number> {
  const title = await page.locator('.frames-struct h2').innerText();
  return Number(/frame (\d+)/.exec(title)![1]);
}

/** Middle of a frame's cell, by the layout that the picture says it has. */
async function placeIn(page: Page, pfn: number): Promise<{ x: number; y: number; size: number }> {
  const map = page.getByRole('application');
  const [columns, scale, tops] = await Promise.all(
    ['data-columns', 'data-scale', 'data-tops'].map((name) => map.getAttribute(name)),
  );
  const zone = JSON.parse(tops!).findLast(([first]: [number, number]) => first <= pfn) as [number, number];
  const at = pfn - zone[0];
  const size = Number(scale);
  return {
    x: ((at % Number(columns)) + 0.5) * size,
    y: zone[1] + (Math.floor(at / Number(columns)) + 0.5) * size,
    size,
  };
}

/** `#rrggbb` of the frame's cell, beside the ring. */
async function colourAt(page: Page, pfn: number): Promise<string> {
  const { x, y } = await placeIn(page, pfn);
  return page.evaluate(
    ([left, top]) => {
      const canvas = document.querySelector<HTMLCanvasElement>('.frames-map canvas')!;
      const [r, g, b] = canvas.getContext('2d')!.getImageData(left!, top!, 1, 1).data;
      return `#${[r, g, b].map((value) => value!.toString(16).padStart(2, '0')).join('')}`;
    },
    [Math.floor(x), Math.floor(y)],
  );
}

async function variable(page: Page, name: string): Promise<string> {
  return page.evaluate((of) => getComputedStyle(document.documentElement).getPropertyValue(of).trim(), name);
}
