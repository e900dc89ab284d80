/**
 * `revmap frames` and `revmap diff` on the host that runs us: sums beside the kernel's own, without root, wrong questions.
 * Other processes come and go meanwhile, so sums are compared several times, and one of them must fit.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../scripts/setup.mjs';
import { fragmentationOf } from '../src/host/frames/fragmentation.ts';
import { frameKinds, frameTables } from '../src/host/frames/frames.ts';
import { LiveHost } from '../src/host/live_host.ts';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'revmap-frames-'));
const missing = process.getuid?.() === 0 ? null : 'frames take root';
const skipped = missing === null ? '' : ` (skipped: ${missing})`;

beforeAll(() => makeReady());
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(args: readonly string[], user: readonly string[] = []) {
  const command = [...user, process.execPath, join(root, 'bin', 'revmap'), ...args];
  const env = { ...process.env, NO_COLOR: '1' };
  return spawnSync(command[0]!, command.slice(1), { cwd: root, encoding: 'utf8', env, maxBuffer: 2 ** 28 });
}

/** A host is never still: what holds is true in one of a few looks. */
function oneOf<T>(looks: number, look: () => T, fits: (seen: T) => boolean): T {
  let seen = look();
  for (let i = 1; i < looks && !fits(seen); i++) seen = look();
  return seen;
}

test.skipIf(missing !== null)(`frames add up, and fit what meminfo has${skipped}`, () => {
  const look = () => {
    const snapshot = new LiveHost().snapshot({ pids: [], rollups: false });
    const kinds = frameKinds(snapshot)!;
    const tables = frameTables(snapshot, kinds, {});
    if (typeof tables === 'string') throw new Error(tables);
    return { tables, fragmentation: fragmentationOf(snapshot, kinds) };
  };
  const strays = ({ tables }: ReturnType<typeof look>) =>
    tables.meminfo!.flatMap(({ fields, counted, kernel }) => {
      const isSteady = ['Cached', 'Shmem', 'Unevictable', 'Active(file)', 'Inactive(file)', 'Slab'].includes(
        fields[0]!,
      );
      return isSteady && Math.abs(counted - kernel) > 0.05 * kernel + 8192
        ? [`${fields.join()}: ${counted}, ${kernel}`]
        : [];
    });
  const seen = oneOf(5, look, (one) => strays(one).length === 0);
  expect(strays(seen)).toEqual([]);
  const { tables, fragmentation } = seen;
  for (const rows of [tables.kinds, tables.flags, tables.lists, tables.zones, tables.mapcounts, tables.owners])
    expect((rows as readonly { frames: number }[]).reduce((sum, { frames }) => sum + frames, 0)).toBe(tables.frames);
  // What zones span is what they have: every frame that is memory is in a zone.
  const present = tables.zones.reduce((sum, zone) => sum + zone.present, 0);
  expect(Math.abs(tables.present - present)).toBeLessThanOrEqual(0.01 * present);
  const { pageblocks } = fragmentation;
  expect(Object.values(pageblocks!.classes).reduce((sum, n) => sum + n, 0)).toBe(pageblocks!.total);
});

test.skipIf(missing !== null)(`free blocks of large orders are counted as buddyinfo has them${skipped}`, () => {
  const look = () => {
    const snapshot = new LiveHost().snapshot({ pids: [], rollups: false });
    return fragmentationOf(snapshot, frameKinds(snapshot)).zones;
  };
  const differences = (zones: ReturnType<typeof look>) =>
    zones.map(({ blocks, counted, freeFrames }) => {
      const frames = counted!.reduce((sum, n, order) => sum + n * 2 ** order, 0);
      const large = blocks.slice(8).reduce((sum, n, i) => sum + Math.abs(n - counted![i + 8]!), 0);
      return { share: Math.abs(frames - freeFrames) / Math.max(1, freeFrames), large };
    });
  const isNear = (zones: ReturnType<typeof look>) =>
    differences(zones).every(({ share, large }) => share < 0.2 && large < 200);
  expect(differences(oneOf(6, look, isNear)).every(({ share, large }) => share < 0.2 && large < 200)).toBe(true);
});

test.skipIf(missing !== null)(`frames: a process's own, as ranges, as a picture, as JSON${skipped}`, () => {
  const pid = String(process.pid);
  const { status, stdout, stderr } = revmap(['frames', '--pid', pid, '--kind', 'anon', '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { tables, fragmentation } = JSON.parse(stdout);
  expect(tables.kinds.map(({ kind }: { kind: string }) => kind)).toEqual(['anon']);
  expect(tables.frames).toBeGreaterThan(1000);
  expect(tables.meminfo).toBeNull();
  expect(fragmentation.zones.length).toBeGreaterThan(0);
  const ranges = revmap(['frames', '--pid', pid, '--flag', 'anonymous,lru', '--pfns']);
  expect(ranges.stdout).toMatch(/^pfn\tframes\tkind\tflags\tnames\n(0x[0-9a-f]+\t\d+\t\w+\t[\w]+\t[\w,]+\n)+$/);
  const picture = revmap(['frames', '--map']);
  expect(picture.stdout).toContain('Each cell is ');
  expect(picture.stdout).not.toContain('\x1b');
  for (const line of picture.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  const map = JSON.parse(revmap(['frames', '--map', '--json']).stdout);
  expect(map.zones[0].lines[0].cells.length).toBeGreaterThan(0);
});

test.skipIf(missing !== null)(`frames: without root, what the kernel says of the whole${skipped}`, () => {
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const { status, stdout, stderr } = revmap(['frames'], nobody);
  if (stderr.includes('EACCES') || stderr.includes('Cannot find module')) return;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('cannot be read');
  expect(stdout).toContain('MemTotal');
  expect(stdout).toContain('free blocks by order');
  expect(stdout).toMatch(/not seen: .*kpageflags \(E(ACCES|PERM)\)/);
  const asked = revmap(['frames', '--map'], nobody);
  expect({ status: asked.status, lines: asked.stderr.trim().split('\n').length }).toEqual({ status: 1, lines: 1 });
});

test.skipIf(missing !== null)(`diff: a file against itself, and against this host${skipped}`, () => {
  const file = join(folder, 'a.rvh.gz');
  expect(revmap(['snapshot', '-o', file]).status).toBe(0);
  expect(revmap(['diff', file, file]).stdout).toContain('no difference');
  const { status, stdout, stderr } = revmap(['diff', file, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const diff = JSON.parse(stdout);
  expect(diff).toMatchObject({ unlike: [], before: { source: 'live' }, after: { source: 'live' } });
  expect(diff.processes.length).toBeGreaterThan(0);
  expect(diff.seconds).toBeGreaterThan(0);
  expect(revmap(['diff', file]).stdout).toMatch(/processes: \d+ came, \d+ went, \d+ changed/);
});

for (const { why, args, says, status } of [
  { why: 'no such table', args: ['frames', '--by', 'size'], says: "No table 'size'", status: 2 },
  { why: 'no such kind', args: ['frames', '--kind', 'anonymous'], says: "No kind 'anonymous'", status: 2 },
  {
    why: 'a flag that several names begin with',
    args: ['frames', '--flag', 'a'],
    says: "No flag begins with 'a' alone",
    status: 2,
  },
  {
    why: 'a range that goes backwards',
    args: ['frames', '--range', '9-3'],
    says: 'the second behind the last',
    status: 2,
  },
  { why: 'no such file', args: ['diff', '/no/such/file'], says: '/no/such/file', status: 1 },
  {
    why: 'a file that is none',
    args: ['frames', '--from', join(root, 'package.json')],
    says: 'package.json',
    status: 1,
  },
])
  test(`a wrong question is one line: ${why}`, () => {
    const { status: code, stdout, stderr } = revmap(args);
    expect({ code, stdout }).toEqual({ code: status, stdout: '' });
    expect(stderr).toContain(says);
    expect(stderr).toMatch(/^revmap: [^\n]+\n$/);
  });
