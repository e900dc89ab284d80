/** A file that is too long is refused before it is read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readText } from './text_file.ts';

test('text: up to so many bytes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'revmap-text-'));
  const path = join(folder, 'x');
  writeFileSync(path, 'four');
  expect(readText(path, 4)).toBe('four');
  expect(() => readText(path, 3)).toThrow('x: 4 bytes; 3 are the most for such a file');
  rmSync(folder, { recursive: true });
});
