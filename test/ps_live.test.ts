/**
 * What `ps` says of this host, held against the kernel: PSS and USS against smaps_rollup, and what an exit would free against
 * the counters of a memory cgroup when a program of known shape (host/ps_shape.c) really exits.
 * Where this machine does not allow it, a test is skipped, and its name says why.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { ProcessCosts, type PsTreeNode } from '../src/host/cost/ps.ts';
import { HostFiles } from '../src/host/read/host_files.ts';
import { takeSnapshot } from '../src/host/read/take.ts';
import type { TakeOptions } from '../src/host/read/take_options.ts';
import { hostCgroups } from '../src/measure/host.ts';
import { compareRounds, wrongTwice } from './host/equal_to_kernel.ts';

const MIB = 2 ** 20;
/** The program's own data, its stack, what libc allocates. */
const SMALL = MIB / 2;
const OURS = 'revmap-test-ps';

const folder = mkdtempSync(join(tmpdir(), 'revmap-ps-'));
const program = join(folder, 'ps_shape');
const shm = `/dev/shm/${OURS}-${process.pid}`;
const cgroups = hostCgroups();
const cgroup = join(cgroups?.root ?? '', `${OURS}-${process.pid}`);
const missing = whatIsMissing();
const swapFile = join(folder, 'swap');

afterAll(async () => {
  // A file that is swap cannot be removed; if it is none, this does nothing.
  if (existsSync(swapFile)) spawnSync('swapoff', [swapFile]);
  rmSync(folder, { recursive: true });
  rmSync(shm, { force: true });
  for (let tries = 0; existsSync(cgroup) && cgroups !== null && tries < 100; tries++) {
    try {
      rmdirSync(cgroup);
    } catch {
      await setTimeout(50);
    }
  }
});

function whatIsMissing(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  if (cgroups === null) return 'no memory cgroups';
  if (!existsSync('/proc/kpagecount')) return 'no /proc/kpagecount';
  return compiled('ps_shape') ? null : 'no C compiler with a static libc';
}

function compiled(name: string): boolean {
  const source = fileURLToPath(new URL(`host/${name}.c`, import.meta.url));
  return spawnSync('cc', ['-O1', '-static', '-o', join(folder, name), source]).status === 0;
}

/** Swap of our own for a while: on file systems that cannot have any, no test. */
function withSwap(): boolean {
  writeFileSync(swapFile, '');
  const commands = [
    ['chmod', '600', swapFile],
    ['fallocate', '-l', String(64 * MIB), swapFile],
    ['mkswap', swapFile],
    ['swapon', swapFile],
  ] as const;
  return commands.every(([command, ...args]) => spawnSync(command, args).status === 0);
}

function named(name: string): string {
  return missing === null ? name : `${name} (skipped: ${missing})`;
}

interface Shape {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly forked: number;
}

/** Runs in a cgroup of its own. */
async function startShape(): Promise<Shape> {
  mkdirSync(cgroup);
  const script = 'echo $$ > "$1"/cgroup.procs && exec "$2" "$3" "$4"';
  const child = spawn('sh', ['-c', script, 'sh', cgroup, program, join(folder, 'file'), shm], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout!.setEncoding('utf8'), 'data');
  const [pid, forked] = String(line).split(' ').map(Number);
  return { child, pid: pid!, forked: forked! };
}

/** What the cgroup is charged for; the kernel adds its CPUs' counts up every two seconds. */
function charged(): { anonymous: number; shmem: number; all: number } {
  const stat = readFileSync(join(cgroup, 'memory.stat'), 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)![1]);
  const usage = cgroups!.version === 1 ? 'memory.usage_in_bytes' : 'memory.current';
  return {
    anonymous: field(cgroups!.version === 1 ? 'rss' : 'anon'),
    shmem: field('shmem'),
    all: Number(readFileSync(join(cgroup, usage), 'utf8')),
  };
}

async function settled(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !isSo(); tries++) await setTimeout(100);
}

/** The program does nothing, so a round in which the kernel says otherwise is one that something else disturbed. */
function quietCosts(pids: readonly number[], options: TakeOptions = {}): ProcessCosts {
  for (let tries = 0; ; tries++) {
    const costs = new ProcessCosts(takeSnapshot(new HostFiles(), options));
    const rows = pids.map((pid) => costs.rows.find((row) => row.pid === pid));
    if (rows.every((row) => row !== undefined && row.differs.length === 0 && !row.unsteady) || tries === 10)
      return costs;
  }
}

function rowOf(costs: ProcessCosts, pid: number) {
  return costs.rows.find((row) => row.pid === pid)!;
}

function nodeOf(nodes: readonly PsTreeNode[], pid: number): PsTreeNode | undefined {
  for (const node of nodes) {
    const found = node.pid === pid ? node : nodeOf(node.children, pid);
    if (found !== undefined) return found;
  }
  return undefined;
}

test.skipIf(missing !== null)(
  named('ps: a program of known shape, and what is freed when it really exits'),
  async () => {
    const { child, pid, forked } = await startShape();
    let isForkedAlive = true;
    try {
      const costs = quietCosts([pid, forked]);
      const row = rowOf(costs, pid);
      const { exit } = row;
      expect([row.differs, rowOf(costs, forked).differs]).toEqual([[], []]);
      // 32 and 8 MiB of its own; 8 MiB are its child's too; 6 MiB and again 1 MiB of the file; 5 and 3 of shared memory.
      expect(exit!.freed_bytes).toBeGreaterThanOrEqual(40 * MIB);
      expect(exit!.freed_bytes).toBeLessThan(40 * MIB + SMALL);
      expect(exit!.freed_with_file_bytes).toBe(5 * MIB);
      expect(exit!.becomes_shmem_bytes).toBe(3 * MIB);
      expect(exit!.becomes_cache_bytes).toBeGreaterThanOrEqual(6 * MIB);
      expect(exit!.becomes_cache_bytes).toBeLessThan(6 * MIB + 2 * SMALL);
      expect(exit!.stays_shared_bytes).toBeGreaterThanOrEqual(8 * MIB);
      expect(exit!.stays_shared_bytes).toBeLessThan(8 * MIB + 2 * SMALL);
      const parts =
        exit!.freed_bytes +
        exit!.freed_with_file_bytes +
        exit!.becomes_shmem_bytes +
        exit!.becomes_cache_bytes +
        exit!.stays_shared_bytes;
      expect(row.rss_bytes! - parts).toBe(MIB);
      expect(row.uss_bytes!).toBe(
        exit!.freed_bytes + exit!.freed_with_file_bytes + exit!.becomes_shmem_bytes + exit!.becomes_cache_bytes - MIB,
      );
      // Eight half huge pages, each with as much that nobody maps, if there were huge pages.
      expect(exit!.freed_unmapped_bytes % MIB).toBe(0);
      expect(exit!.freed_unmapped_bytes).toBeLessThanOrEqual(8 * MIB);
      expect(row.shares_most_with).toMatchObject({ pid: forked });
      const both = nodeOf(costs.tree(), pid)!;
      expect(both.processes).toBe(2);
      expect(
        both.exit!.freed_bytes - exit!.freed_bytes - rowOf(costs, forked).exit!.freed_bytes,
      ).toBeGreaterThanOrEqual(8 * MIB);

      await settled(() => Math.abs(charged().shmem - 8 * MIB) < SMALL && charged().anonymous >= 50 * MIB);
      const before = charged();
      child.stdin!.write('\n');
      await once(child, 'exit');
      await settled(() => Math.abs(before.anonymous - charged().anonymous - exit!.freed_bytes) < SMALL / 8);
      const after = charged();
      expect(Math.abs(before.anonymous - after.anonymous - exit!.freed_bytes)).toBeLessThan(SMALL);
      expect(Math.abs(before.shmem - after.shmem - exit!.freed_with_file_bytes)).toBeLessThan(SMALL);
      // In pages of every kind; CPUs hold some in advance.
      const gone =
        exit!.freed_bytes + exit!.freed_unmapped_bytes + exit!.freed_with_file_bytes + exit!.freed_page_tables_bytes!;
      expect(Math.abs(before.all - after.all - gone)).toBeLessThan(2 * MIB);

      // The child has alone now what both had, and it goes as the tree said.
      const later = rowOf(quietCosts([forked]), forked);
      expect(later.exit!.freed_bytes).toBe(both.exit!.freed_bytes - exit!.freed_bytes);
      process.kill(forked, 'SIGKILL');
      isForkedAlive = false;
      await settled(() => charged().anonymous < SMALL / 8);
      expect(charged().anonymous).toBeLessThan(SMALL);
      expect(Math.abs(before.anonymous - charged().anonymous - both.exit!.freed_bytes)).toBeLessThan(SMALL);
    } finally {
      child.kill('SIGKILL');
      if (isForkedAlive) process.kill(forked, 'SIGKILL');
    }
  },
  // The counters of a cgroup are added up every two seconds, and the whole host is read several times.
  300_000,
);

test.skipIf(missing !== null)(named('ps: PSS and USS equal smaps_rollup to the kB, wherever it stood still'), () => {
  const tally = compareRounds(8, (left) => left.every(({ verdict }) => verdict === 'moved'));
  const { best, rounds } = tally;
  expect(rounds[0]!.compared.length).toBeGreaterThan(1);
  expect(wrongTwice(tally)).toEqual([]);
  expect(best.filter(({ verdict }) => verdict === 'equal').length).toBeGreaterThan(0);
});

test.skipIf(missing !== null)(
  named('ps: swap that two processes hold is one slot, and shared memory is in it once'),
  async (context) => {
    if (!compiled('ps_swap') || !withSwap()) return context.skip('no swap can be made here');
    const child = spawn(join(folder, 'ps_swap'), { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
    const [pid, forked] = String(line).split(' ').map(Number) as [number, number];
    try {
      const costs = quietCosts([pid, forked], { smaps: true });
      const [own, its] = [rowOf(costs, pid), rowOf(costs, forked)];
      // Pages in use while they should go out stay: on a busy host not all are out.
      const out = own.swap_bytes!;
      expect(out).toBeGreaterThan(MIB);
      expect(out).toBeLessThanOrEqual(2 * MIB + SMALL);
      expect(its.swap_bytes!).toBeLessThan(out);
      expect(its.swap_bytes!).toBeGreaterThan(0);
      expect([own.swap_pss_bytes, its.swap_pss_bytes]).toEqual([
        own.kernel!.swap_pss_bytes,
        its.kernel!.swap_pss_bytes,
      ]);
      expect(own.swap_pss_bytes).toBe(out - its.swap_bytes! / 2);
      expect(own.exit!.freed_swap_bytes).toBe(out - its.swap_bytes!);
      expect(its.exit!.freed_swap_bytes).toBe(0);
      // Both show the object's pages; the host has them once.
      const { swap } = costs.answer();
      expect(own.shared_swap_bytes).toBeGreaterThan(2 * MIB);
      expect(its.shared_swap_bytes).toBe(own.shared_swap_bytes);
      expect(swap.shared_bytes![0]).toBe(swap.shared_bytes![1]);
      expect(swap.shared_bytes![0]).toBeGreaterThanOrEqual(own.shared_swap_bytes!);
      expect(swap.shared_bytes![0]).toBeLessThan(2 * own.shared_swap_bytes!);
      expect(Math.abs(swap.held_bytes! + swap.shared_bytes![0] + swap.rest_bytes! - swap.used_bytes!)).toBeLessThan(
        SMALL,
      );
    } finally {
      child.kill('SIGKILL');
      process.kill(forked, 'SIGKILL');
      spawnSync('swapoff', [swapFile]);
    }
  },
  300_000,
);
