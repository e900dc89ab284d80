/**
 * Bodies that are too long for memory, in a temporary file.
 *
 * Owns      the one thing for which a recording in use needs Node. In a browser all bodies are in memory.
 */
import { readSync } from 'node:fs';

/** Copies `count` bytes from `at` on to the begin of `into`, and says how many there were. */
export function readBodyFile(fd: number, into: Uint8Array, count: number, at: number): number {
  return readSync(fd, into, 0, count, at);
}
