/**
 * Inputs worth keeping: those that once broke a reader, and those that run what no example does.
 *
 * Owns      test/corpus/readers/NAME.jsonl: a line for each input, its bytes as the characters U+0000 to U+00FF.
 *
 *     {"why":"control character in the message, from MmpParser.refuse","bytes":"%mmp 1\n\u0000"}
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Kept {
  why: string;
  bytes: Uint8Array;
}

const folder = 'test/corpus/readers';
/** Longer ones are not kept: a repository is no dump. */
const MOST_BYTES = 1 << 12;

function fileOf(root: string, target: string): string {
  return join(root, folder, `${target.replaceAll(' ', '_')}.jsonl`);
}

export function corpusOf(root: string, target: string): Kept[] {
  const file = fileOf(root, target);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const { why, bytes } = JSON.parse(line) as { why: string; bytes: string };
      return { why, bytes: Uint8Array.from(bytes, (c) => c.charCodeAt(0)) };
    });
}

export function keepInCorpus(root: string, target: string, why: string, bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString('latin1');
  const known = corpusOf(root, target).some((kept) => Buffer.from(kept.bytes).toString('latin1') === text);
  if (known || bytes.length > MOST_BYTES) return;
  mkdirSync(join(root, folder), { recursive: true });
  appendFileSync(fileOf(root, target), `${JSON.stringify({ why, bytes: text })}\n`);
}
