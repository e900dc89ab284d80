/** The built page behind `revmap serve`, under its headers: what a user gets who clicks the link. */
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { CHROMIUM, CHROMIUM_ARGS } from '../browser/chromium.ts';
import { Serving } from './serving.ts';
import { settled } from './site.ts';

const root = join(import.meta.dirname, '../..');

test.skipIf(CHROMIUM === undefined)(
  'the link opens the first file, the menu has the others, a reload goes on, and nothing is against the policy (skipped: there is no Chromium)',
  async () => {
    const program = join(tmpdir(), `revmap-served-${process.pid}.mmp`);
    writeFileSync(
      program,
      '%mmp 1\n1 mmap(0x100000000000, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)\n',
    );
    const args = ['bin/revmap', 'serve', 'examples/zipf.rvm.gz', program];
    const serving = new Serving(spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] }));
    const browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
    try {
      await serving.started();
      const page = await browser.newPage();
      const errors: string[] = [];
      const hosts = new Set<string>();
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      page.on('request', (request) => hosts.add(new URL(request.url()).host));
      await page.goto(serving.url);
      await settled(page);
      expect(await page.locator('.what').innerText()).toContain('zipf');
      await page.waitForFunction(() => location.hash.includes('open=file%3A0'));
      expect(page.url()).not.toContain(serving.token);
      await page.getByText('Open', { exact: true }).click();
      await page.getByRole('button', { name: `program: ${program.split('/').at(-1)}` }).click();
      await page.waitForFunction(() => location.hash.includes('open=file%3A1'));
      await page.reload();
      await settled(page);
      expect(await page.locator('.what').innerText()).toContain('.mmp');
      const other = await (await browser.newContext()).newPage();
      await other.goto(serving.url);
      const used = "This page's link was used already. Run revmap serve again for a new one.";
      await other.locator('.view', { hasText: used }).waitFor();
      await other.locator('.transport [role=alert]', { hasText: used }).waitFor();
      expect(errors).toEqual([]);
      expect([...hosts]).toEqual([`127.0.0.1:${serving.port}`]);
    } finally {
      await browser.close();
      await serving.end();
      rmSync(program);
    }
  },
);
