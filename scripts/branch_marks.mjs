/**
 * Loaded before every program of a coverage run: keeps the marks that the program leaves (scripts/instrument.mjs).
 * One file for each process and thread, in the folder REVMAP_BRANCHES.
 */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const file = join(process.env['REVMAP_BRANCHES'] ?? '.', `${randomUUID()}.json`);

process.on('exit', () => {
  /** @type {Record<string, Uint8Array> | undefined} */
  const marks = Reflect.get(globalThis, 'revmapBranches');
  if (marks === undefined) return;
  const taken = Object.entries(marks).map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);
  writeFileSync(file, JSON.stringify(Object.fromEntries(taken)));
});
// vitest ends its workers with a signal, and no program of ours listens to it.
if (isMainThread) process.on('SIGTERM', () => process.exit(143));
