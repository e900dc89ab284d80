/** The engine needs neither Node nor a browser: it loads in a JavaScript that has nothing but the language. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { test } from 'vitest';

test('mm: bundles for a browser, and loads where there is no process, no timer and no clock but Date', async () => {
  const { outputFiles } = await build({
    absWorkingDir: join(import.meta.dirname, '..'),
    entryPoints: ['src/mm/index.ts'],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'mm',
  });
  const nothing = createContext(Object.create(null));
  const names = runInContext(`${outputFiles[0]?.text}; Object.keys(mm)`, nothing);
  assert.ok(Array.isArray([...names]));
});
