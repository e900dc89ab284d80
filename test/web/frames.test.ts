/** Every frame as a picture: choosing by mouse and keys, the colour of a known frame, what a step changes, the same in a narrow window. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, holdLooks, openSite, type Site, settled } from './site.ts';

describe.skipIf(CHROMIUM === undefined)('the view of frames (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test('its looks are well, with a frame chosen', async () => {
    const page = await site.open('view=frames&step=12&page=1%3A0x100000100000');
    await page.locator('.frames-struct').waitFor();
    await holdLooks(page, 'frames');
    await page.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});
