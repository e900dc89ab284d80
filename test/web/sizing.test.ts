/** Sizing in a browser: its numbers are those of `revmap sweep --json`, measurements beside them, and every look of it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, holdLooks, openSite, type Site, settled } from './site.ts';

const root = join(import.meta.dirname, '../..');
const LIMITS = '64M,32M,24M';

async function saved(page: Page, button: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button }).click(),
  ]);
  return readFileSync(await download.path(), 'utf8');
}

describe.skipIf(CHROMIUM === undefined)('sizing (skipped: there is no Chromium)', () => {
  let site: Site;
  /** On which three limits of zipf were replayed. */
  let page: Page;
  const folder = mkdtempSync(join(tmpdir(), 'revmap-sizing-'));
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(async () => {
    await site.close();
    rmSync(folder, { recursive: true });
  });

  test('three limits of zipf: the numbers of the command, what a real kernel did, the report', async () => {
    page = await site.open('view=sizing&open=example:zipf');
    await page.getByLabel('Limits', { exact: true }).fill(LIMITS);
    await page.getByLabel(/look for the smallest/).uncheck();
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    await page.locator('.sizing-result[data-done="3"]').waitFor();

    const ours = JSON.parse(await saved(page, 'Save the numbers (JSON)'));
    const truth = join(root, 'oracle/truth/zipf.truth.tsv');
    const example = join(root, 'examples/zipf.rvm.gz');
    const flags = ['--limits', LIMITS, '--limits-only', '--truth', truth, '--json', '--out', folder];
    const { stdout } = spawnSync(join(root, 'bin/revmap'), ['sweep', example, ...flags], { encoding: 'utf8' });
    const theirs = JSON.parse(stdout);
    expect(theirs.truth.judged).toBeGreaterThan(0);
    expect(ours).toEqual({ ...theirs, truth: { ...theirs.truth, file: 'zipf.truth.tsv' } });

    const { within, judged } = theirs.truth;
    const measured = page.locator('section', { hasText: 'What a real kernel did' }).last();
    expect(await measured.innerText()).toContain(`${within} of ${judged} counts`);
    expect(await page.locator('.sizing-plot .range').count()).toBeGreaterThan(0);
    const report = await saved(page, 'Save the report (HTML)');
    expect(report).toContain('How little memory does zipf need?');
    expect(report).toContain('revmap sweep zipf.rvm.gz --limits 67108864,33554432,25165824 --limits-only');

    await page.getByLabel('Limit', { exact: true }).focus();
    await page.keyboard.press('Home');
    for (let n = 0; n < 20; n++) {
      if ((await page.locator('.sizing-chosen strong').innerText()) === '24.0 MiB') break;
      await page.keyboard.press('ArrowRight');
    }
    const run = theirs.runs.at(-1);
    const faults = run.counters.pgmajfault.toLocaleString('en');
    expect(await page.locator('.sizing-legend button', { hasText: 'major faults' }).first().innerText()).toContain(
      faults,
    );
  });

  test('every look of it is well', () => holdLooks(page, 'sizing'));

  test('the run at a limit is looked at in the other views', async () => {
    await page.getByRole('button', { name: 'Look at this run: frames' }).click();
    await page.waitForFunction(() => location.hash.includes('limit=24M'));
    await settled(page);
    expect(await page.locator('.view-frames').count()).toBe(1);
    await page.close();
  });

  test('limits that are none are refused, a sweep can be ended, and a program has no sizing', async () => {
    page = await site.open('view=sizing&open=example:zipf');
    await page.getByLabel('Limits', { exact: true }).fill('much');
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    await page.locator('.sizing-form .wrong', { hasText: "'much' is no size" }).waitFor();
    await page.getByLabel('Limits', { exact: true }).fill('100');
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    await page.getByRole('button', { name: 'End it' }).click();
    await page.getByRole('button', { name: 'End it' }).waitFor({ state: 'detached' });
    expect(await page.locator('.sizing-result').count()).toBe(0);
    const errors = site.errors.length;
    await page.route('**/assets/**worker**', (route) => route.abort());
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    await page
      .locator('.sizing-form .wrong', { hasText: 'the server of this page does not answer any more' })
      .waitFor();
    await page.getByRole('button', { name: 'End it' }).waitFor({ state: 'detached' });
    // The browser's own words about what it could not load.
    expect(site.errors.splice(errors).filter((error) => !error.includes('Failed to load resource'))).toEqual([]);
    await page.close();
    const program = await site.open('view=sizing');
    await program.locator('.empty', { hasText: 'sizing needs a recording' }).waitFor();
    await program.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});
