/**
 * libCacheSim, to compare with: its cachesim for time, and a program of ours on its library for exact counts.
 *
 * Its tree and its build folder are named by the user: `git clone https://github.com/1a1a11a/libCacheSim`, then in it
 * `cmake -S . -B build && make -C build cachesim`. It takes the small hash table (2^16 buckets) for a trace
 * whose path has `data/trace.` in it, and Belady only where the path has `oracleGeneral`.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NextUses } from '../../src/policy/opt.ts';
import { NEVER } from '../../src/policy/policy.ts';
import type { PageStream } from '../../src/policy/stream.ts';
import { RECORD_WORDS } from './oracle_general.ts';

const SOURCE = fileURLToPath(new URL('../bench/policies/misses.c', import.meta.url));

export interface Peer {
  tree: string;
  build: string;
  /** The program of ours, built in `scratch`. */
  counter: string;
}

export function peerIn(tree: string, build: string, scratch: string): Peer {
  if (!existsSync(join(build, 'bin', 'cachesim'))) throw new Error(`${build}: no bin/cachesim`);
  const counter = join(scratch, 'misses');
  const glib = run('pkg-config', ['--cflags', '--libs', 'glib-2.0']).trim().split(/\s+/);
  const includes = [`-I${join(tree, 'libCacheSim/include')}`, `-I${join(build, 'libCacheSim/include')}`];
  const libraries = readdirSync(build, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.a'));
  run('cc', [
    ...['-O2', '-w', '-o', counter, SOURCE, ...includes],
    ...['-Wl,--start-group', ...libraries.map((name) => join(build, name)), '-Wl,--end-group'],
    ...[...glib, '-lzstd', '-lm', '-lpthread', '-lstdc++', '-ldl'],
  ]);
  return { tree, build, counter };
}

/** By policy and capacity. */
export function countedMisses(
  peer: Peer,
  trace: string,
  policies: string[],
  capacities: number[],
): Map<string, number> {
  const said = run(peer.counter, [trace, ...capacities.map(String)], `${policies.join('\n')}\n`);
  const counts = new Map<string, number>();
  for (const line of said.split('\n')) {
    const [policy, capacity, misses] = line.split(' ');
    if (misses !== undefined && /^\d+$/.test(misses)) counts.set(`${policy} ${capacity}`, Number(misses));
  }
  return counts;
}

/** What it prints; with `both`, on stderr too, behind the rest. */
export function run(command: string, args: string[], input = '', both = false, cwd = '.'): string {
  const how = { encoding: 'utf8', input, cwd, maxBuffer: 2 ** 26 } as const;
  const { status, stdout, stderr, error } = spawnSync(command, args, how);
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr.trim()}`);
  return both ? stdout + stderr : stdout;
}

/** Page n is object n + 1; a request each microsecond; sizes of 1. */
export function writeOracleGeneral(path: string, stream: PageStream): void {
  const uses = NextUses.of(stream);
  if (uses === null) throw new Error(`${path}: too many accesses`);
  const file = openSync(path, 'w');
  let now = 0;
  stream.forEach((ids, _writes, count) => {
    const words = new Int32Array(RECORD_WORDS * count);
    for (let i = 0; i < count; i++, now++) {
      const next = uses.next[now]!;
      words[RECORD_WORDS * i] = Math.floor(now / 1e6);
      words[RECORD_WORDS * i + 1] = ids[i]! + 1;
      words[RECORD_WORDS * i + 3] = 1;
      words[RECORD_WORDS * i + 4] = next === NEVER ? -1 : next;
      words[RECORD_WORDS * i + 5] = next === NEVER ? -1 : 0;
    }
    writeSync(file, new Uint8Array(words.buffer));
  });
  closeSync(file);
}
