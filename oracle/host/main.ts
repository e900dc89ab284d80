/**
 * `who` and `ps` on the kernel that runs: programs that share pages in known ways, and every process beside its smaps_rollup.
 *
 *     node main.js PROGRAM FOLDER     PROGRAM is test/host/sharing.c, built; FOLDER is for its files
 *
 * Ends with 1 if an answer is not what was built, or not what the kernel counts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HostFiles } from '../../src/host/read/host_files.ts';
import { whoLiveAddress } from '../../src/host/who/who_live.ts';
import { compareRounds } from '../../test/host/equal_to_kernel.ts';
import type { KnownPage } from '../../test/host/sharing.ts';

const KINDS = ['fork', 'file', 'deleted', 'memfd', 'shared', 'sysv', 'moved', 'locked', 'thp', 'one_mm'];
const ROUNDS = 5;
const [program = '', folder = ''] = process.argv.slice(2);
const files = new HostFiles();
/** They keep what they built until their PSS is known. */
const running: ChildProcess[] = [];

for (const kind of KINDS) {
  const child = spawn(program, [kind, join(folder, kind)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() => [null]),
  ]);
  if (line === null) {
    console.log(`${kind}: this kernel would not build it`);
    continue;
  }
  const pages = JSON.parse(String(line)) as KnownPage[];
  const wrong = pages.filter((page) => !isAsBuilt(page));
  console.log(`${kind}: ${pages.length - wrong.length} of ${pages.length} pages as they were built`);
  for (const { what, pid, address } of wrong) {
    console.log(JSON.stringify({ what, pid, address, answer: whoLiveAddress(files, pid, address) }));
    process.exitCode = 1;
  }
  running.push(child);
}

const { best } = compareRounds(ROUNDS, (left) => left.length === 0);
// Whoever reads /proc maps more from read to read: it is not held to one moment of its own.
const others = best.filter(({ pid }) => pid !== process.pid);
const equal = others.filter(({ verdict }) => verdict === 'equal').length;
console.log(`PSS and USS: ${equal} of ${others.length} processes equal to smaps_rollup`);
for (const one of others.filter(({ verdict }) => verdict !== 'equal')) console.log(JSON.stringify(one));
if (equal < others.length) process.exitCode = 1;
for (const child of running) child.stdin?.end();

function isAsBuilt({ pid, address, mappers }: KnownPage): boolean {
  const answer = whoLiveAddress(files, pid, address);
  const found = (answer?.frame?.mappers ?? []).map((mapper) => `${mapper.pid} ${mapper.address}`).sort();
  const built = mappers.map(([mapper, at]) => `${mapper} ${at}`).sort();
  if (found.join() !== built.join()) return false;
  const frame = answer?.frame ?? null;
  return frame === null || frame.agrees === true || frame.why.length > 0;
}
