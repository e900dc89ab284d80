/**
 * Real processes: names of any bytes, two processes in one address space, reservations of terabytes.
 * Where this machine does not allow it, a test is skipped, and its name says why.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { HostFiles, type OpenFile, Refusal } from '../src/host/read/host_files.ts';
import { mmCalls } from '../src/host/read/mm_calls.ts';
import { takeSnapshot } from '../src/host/read/take.ts';
import type { HostSnapshot } from '../src/host/snapshot.ts';
import { VMA_EXEC, VMA_SEEN } from '../src/host/snapshot.ts';
import { decodeName } from '../src/host/text.ts';
import { FaultyFiles } from './host/faulty_files.ts';
import { whyNoSharing } from './host/sharing.ts';

const folder = mkdtempSync(join(tmpdir(), 'host-collect-'));
const running: ChildProcess[] = [];
afterAll(async () => {
  for (const child of running) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(folder, { recursive: true });
});

const missing = whyNoSharing();
const named = (name: string) => (missing === null ? name : `${name} (skipped: ${missing})`);

/** Starts `sleep` under a name, given as `printf %b` has it, in our folder; afterwards the name goes, if asked. */
async function sleeper(escaped: string, thenGone: boolean): Promise<number> {
  const script = 'path="$(printf %b "$1")"; cp "$(command -v sleep)" "$path" && exec "$path" 1000';
  const child = spawn('sh', ['-c', script, 'sh', `${folder}/${escaped}`], { stdio: 'ignore' });
  running.push(child);
  const pid = child.pid!;
  const start = join(folder, '');
  while (!readlinkSync(`/proc/${pid}/exe`).startsWith(start)) {
    if (child.exitCode !== null) throw new Error(`${escaped}: sleep did not start`);
    await setTimeout(10);
  }
  if (thenGone) spawnSync('sh', ['-c', 'rm "$(printf %b "$1")"', 'sh', `${folder}/${escaped}`]);
  return pid;
}

const bytes = (latin1: string): string => decodeName(Buffer.from(latin1, 'latin1'));

for (const { why, escaped, name, isGone = false } of [
  { why: 'blanks', escaped: 'a  b c', name: 'a  b c' },
  { why: 'a newline', escaped: 'new\\nline', name: 'new\nline' },
  { why: 'what a newline is escaped as', escaped: 'lit\\\\012x', name: 'lit\\012x' },
  { why: 'an escape sequence', escaped: 'esc\\033[31m', name: 'esc\x1b[31m' },
  { why: 'no UTF-8', escaped: 'bad\\0377\\0303utf', name: 'bad\xff\xc3utf' },
  { why: 'a name that says deleted', escaped: 'real (deleted)', name: 'real (deleted)' },
  { why: 'deleted', escaped: 'gone', name: 'gone', isGone: true },
  { why: 'deleted, and so named', escaped: 'gone (deleted)', name: 'gone (deleted)', isGone: true },
  { why: 'parentheses and blanks, as in stat', escaped: 'a) S 1 (b', name: 'a) S 1 (b' },
])
  test.skipIf(missing !== null)(named(`a file and a process of hostile name: ${why}`), async () => {
    const pid = await sleeper(escaped, isGone);
    const { vmas, files, processes, strings } = takeSnapshot(new HostFiles(), { pids: [pid], frames: 'none' });
    const [process] = processes;
    expect(process!.comm).toBe(bytes(name.slice(0, 15)));
    const code = vmas.perms.findIndex((perms, vma) => (perms & VMA_EXEC) !== 0 && vmas.file[vma] !== -1);
    const file = files[vmas.file[code]!]!;
    expect(file.path).toBe(`${folder}/${bytes(name)}`);
    expect(file.deleted).toBe(isGone);
    expect(strings[vmas.name[code]!]).toBe(`${file.path}${isGone ? ' (deleted)' : ''}`);
  });

/** The program's answer: numbers. */
async function shape(...words: string[]): Promise<number[]> {
  const program = join(folder, 'address_spaces');
  const source = fileURLToPath(new URL('host/address_spaces.c', import.meta.url));
  const built = spawnSync('cc', ['-O1', '-Wall', '-Werror', '-o', program, source], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  running.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return String(line).split(' ').map(Number);
}

/** A kernel without kcmp. */
class NoKcmp extends HostFiles {
  override link(path: string): string | Refusal {
    return path.endsWith('/self') ? new Refusal('EACCES') : super.link(path);
  }
}

function rowsOf({ processes }: HostSnapshot): Record<number, [vmas: number, sharesMmWith: number | null]> {
  return Object.fromEntries(
    processes.map(({ pid, firstVma, endVma, sharesMmWith = null }) => [pid, [endVma - firstVma, sharesMmWith]]),
  );
}

for (const [how, files] of [
  ['kcmp', new HostFiles()],
  ['their rows', new NoKcmp()],
] as const)
  test.skipIf(missing !== null)(named(`one address space of two processes stands once: by ${how}`), async () => {
    const pids = await shape('share');
    const [parent, twin, child] = pids as [number, number, number];
    // The child has to come out of fork, and back to sleep.
    await setTimeout(200);
    const snapshot = takeSnapshot(files, { pids, frames: 'none' });
    const rows = rowsOf(snapshot);
    const [owner, other] = [Math.min(parent, twin), Math.max(parent, twin)];
    expect(rows[owner]![0]).toBeGreaterThan(10);
    expect(rows[owner]![1]).toBeNull();
    expect(rows[other]).toEqual([0, owner]);
    expect(rows[child]![0]).toBeGreaterThan(10);
    expect(rows[child]![1]).toBeNull();
  });

function hasPagemapScan(): boolean {
  const own = new HostFiles().open('/proc/self/pagemap');
  if (own instanceof Refusal) return false;
  const ranges = mmCalls()?.populated(own.fd, 0, 16) ?? null;
  own.close();
  return ranges !== null;
}

/** Counts the bytes of pagemap that are read. */
class Counting extends FaultyFiles {
  pagemapBytes = 0;

  constructor() {
    super({ proc: '/proc', sys: '/sys' }, () => null);
  }

  override open(path: string): OpenFile | Refusal {
    const file = super.open(path);
    if (file instanceof Refusal || !path.endsWith('pagemap')) return file;
    const readAt = file.readAt.bind(file);
    file.readAt = (into, position) => {
      const read = readAt(into, position);
      if (!(read instanceof Refusal)) this.pagemapBytes += read;
      return read;
    };
    return file;
  }
}

test.skipIf(missing !== null)(named('five tebibytes reserved cost what is in them'), async () => {
  const [pid, firstPage] = (await shape('huge')) as [number, number];
  const files = new Counting();
  const snapshot = takeSnapshot(files, { pids: [pid], frames: 'none' });
  const { vmas, entries } = snapshot;
  // The kernel may have joined it with a neighbour.
  const vma = vmas.startPage.findIndex((start, row) => start <= firstPage && vmas.endPage[row]! > firstPage);
  const first = vmas.firstEntry[vma]!;
  const offset = firstPage - vmas.startPage[vma]!;
  const places = [...entries.page.subarray(first, vmas.firstEntry[vma + 1]!)].map((page) => page - offset);
  const MIDDLE = 2 ** 27;
  expect(places).toEqual([0, MIDDLE, 2 * MIDDLE - 1]);
  expect((vmas.perms[vma]! & VMA_SEEN) !== 0).toBe(true);
  // Where the kernel is not asked by PAGEMAP_SCAN, a tebibyte that may be touched is read.
  if (hasPagemapScan()) expect(files.pagemapBytes).toBeLessThan(2 ** 24);
});

// The kernel hands out at most so many ranges at once, and in pieces of its own.
for (const pages of [511, 512, 513, 1000, 1023, 1024, 1025, 1536, 2048, 3000])
  test.skipIf(missing !== null)(named(`of 16 GiB with ${pages} pages here and there, each stands once`), async () => {
    const [pid, firstPage] = (await shape('scattered', String(pages))) as [number, number];
    const { vmas, entries } = takeSnapshot(new HostFiles(), { pids: [pid], frames: 'none' });
    const vma = vmas.startPage.findIndex((start, row) => start <= firstPage && vmas.endPage[row]! > firstPage);
    const offset = firstPage - vmas.startPage[vma]!;
    const places = [...entries.page.subarray(vmas.firstEntry[vma], vmas.firstEntry[vma + 1])];
    const step = Math.floor(2 ** 22 / pages);
    expect(places).toEqual(Array.from({ length: pages }, (_, i) => offset + i * step));
  });
