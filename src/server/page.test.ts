import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readPage } from './page.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-page-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('what is in the folder, and what leads out of it', () => {
  expect(() => readPage(join(folder, 'none'))).toThrow(/the page is not built: npm run build:web builds it$/);
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'assets', 'a b.js'), '1');
  writeFileSync(join(folder, 'assets', 'z.gz'), '2');
  expect(() => readPage(folder)).toThrow(/is not built/);
  writeFileSync(join(folder, 'index.html'), '<p>');
  symlinkSync('/etc/passwd', join(folder, 'passwd'));
  symlinkSync('/etc', join(folder, 'etc'));
  const page = readPage(folder);
  expect([...page].map(([path, { type, bytes }]) => [path, type, String(bytes)]).sort()).toEqual([
    ['/', 'text/html; charset=utf-8', '<p>'],
    ['/assets/a%20b.js', 'text/javascript; charset=utf-8', '1'],
    ['/assets/z.gz', 'application/octet-stream', '2'],
    ['/index.html', 'text/html; charset=utf-8', '<p>'],
  ]);
  expect(page.get('/')).toBe(page.get('/index.html'));
  expect(new Set([...page.values()].map(({ etag }) => etag)).size).toBe(3);
});
