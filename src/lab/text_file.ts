/** Text of the user's, read at once: not more of it than fits in memory many times over. */
import { readFileSync, statSync } from 'node:fs';
import { InputError } from '../mm/bug.ts';

const MOST_BYTES = 2 ** 28;

export function readText(path: string, mostBytes: number = MOST_BYTES): string {
  const { size } = statSync(path);
  if (size > mostBytes) throw new InputError(path, 0, `${size} bytes; ${mostBytes} are the most for such a file`);
  return readFileSync(path, 'utf8');
}
