/** The engine in a browser: the same recording, the same machine, the same state to the bit. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { browserOptions } from '../scripts/build.mjs';
import { CHROMIUM, CHROMIUM_ARGS } from './browser/chromium.ts';
import { hashesAfter } from './browser/engine.ts';

/** The bundle's, in the page. */
declare const engine: { hashesAfter: typeof hashesAfter };

const root = join(import.meta.dirname, '..');
const STEPS = [200_000, 1000, 123_456];

test.skipIf(CHROMIUM === undefined)(
  'Node and Chromium reach the same states, in four kernels (skipped: there is no Chromium)',
  async () => {
    const entry = join(root, 'test', 'browser', 'engine.ts');
    const { outputFiles } = await build({
      ...browserOptions,
      entryPoints: [entry],
      write: false,
      format: 'iife',
      globalName: 'engine',
      sourcemap: false,
    });
    const packed = readFileSync(join(root, 'examples', 'zipf.rvm.gz'));
    const unpacked = gunzipSync(packed);
    const browser = await chromium.launch({ executablePath: CHROMIUM!, args: CHROMIUM_ARGS });
    try {
      const page = await browser.newPage();
      await page.addScriptTag({ content: outputFiles[0]!.text });
      for (const kernel of ['6.18', '3.16', '2.6.24', '2.4.19']) {
        const here = await hashesAfter(unpacked, kernel, STEPS);
        const there = await page.evaluate(
          async ([base64, kernel, steps]) => {
            const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
            return await engine.hashesAfter(bytes, kernel, steps);
          },
          [unpacked.toString('base64'), kernel, STEPS] as const,
        );
        expect(there, kernel).toEqual(here);
        expect(new Set(here).size, kernel).toBe(STEPS.length);
      }
    } finally {
      await browser.close();
    }
  },
);
