import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Vpn, ZERO_TOKEN } from '../../mm/units.ts';
import { frameAt } from '../../mm/who.ts';
import { type MmpCall, parseMmp } from '../../syscalls/mmp.ts';
import type { LiveRun } from '../check/live.ts';
import { isSnap, type Recording, recordingText } from '../check/recording.ts';
import { MmpRunner, runMmp } from '../check/run_mmp.ts';
import { examine } from './examine.ts';
import { engineJudge, fuzz, type Judge, liveJudge } from './fuzz.ts';
import { Shadow } from './shadow.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-fuzz-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const OPTIONS = { seed: 100, seconds: 60, programs: 2, calls: 30, batch: 2, outDir: folder };

test('programs keep every promise of the engine, on both kernels', async () => {
  const summary = await fuzz(OPTIONS, engineJudge(['6.18', '6.1']));
  expect(summary).toMatchObject({ seed: 100, programs: 2, calls: 60, found: [], again: 0 });
  expect([...summary.kinds.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(50);
});

/** A kernel that does what the engine does, but for one field. */
function otherKernel(change: (recording: Recording) => void): Judge {
  return liveJudge(async (files, outDir): Promise<Pick<LiveRun, 'results'>> => {
    mkdirSync(outDir, { recursive: true });
    const results = files.map((program) => {
      const { recording } = runMmp(parseMmp(readFileSync(program, 'utf8'), program), '6.18');
      change(recording);
      const path = join(outDir, basename(program).replace('.mmp', '.rec'));
      writeFileSync(path, recordingText(recording));
      return { program, recording: path, skipped: null, failed: null };
    });
    return { results };
  });
}

test('a kernel that agrees in everything is equal', async () => {
  expect(
    (
      await fuzz(
        OPTIONS,
        otherKernel(() => {}),
      )
    ).found,
  ).toEqual([]);
});

test('one field that differs: the program is shrunk to the call, saved with its recording, and found once', async () => {
  const judge = otherKernel((recording) => {
    for (const line of recording.lines) {
      if (!isSnap(line) && /mprotect\(/.test(line.call)) (line as { minflt?: number }).minflt = 77;
    }
  });
  const told: string[] = [];
  const summary = await fuzz({ ...OPTIONS, programs: 8 }, judge, { found: ({ text }) => told.push(text) });
  expect(summary.found.length).toBe(1);
  const [found] = summary.found;
  const program = readFileSync(found!.program, 'utf8');
  expect(program.split('\n').filter((line) => line !== '' && !line.startsWith('%'))).toEqual([
    expect.stringMatching(/^\d+ mprotect\(/),
  ]);
  expect(readFileSync(found!.recording!, 'utf8')).toContain('"minflt":77');
  expect(told).toEqual([expect.stringContaining('minflt')]);
});

test('it stops when it is told to', async () => {
  let asked = 0;
  const isStopped = (): boolean => ++asked > 1;
  expect((await fuzz({ ...OPTIONS, programs: 100 }, async (p) => p.map(() => null), { isStopped })).programs).toBe(2);
});

test('what a program reads is held to what it wrote', () => {
  const text = `%mmp 1
%file A 2 disk cached
%swap 64
1 open("A", O_RDWR) = 3
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 mmap(0x100000010000, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_FIXED, 3, 0)
1 mmap(0x100000020000, 8192, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 store(0x100000000000+5, 8192, 7)
1 pread64(3, 0x100000002000+9, 4096, 100)
1 store(0x100000010000, 1, 8)
1 store(0x100000020000, 8192, 9)
1 pwrite64(3, 0x100000000000+3, 10, 4090)
1 fork() = 2
2 madvise(0x100000000000, 8192, MADV_PAGEOUT)
2 store(0x100000001000, 1, 44)
1 mremap(0x100000000000, 8192, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x100000030000)
1 ftruncate(3, 4095)
1 madvise(0x100000010000, 4096, MADV_DONTNEED)
1 check(0x100000030000, 8192)
1 check(0x100000010000, 4096)
2 check(0x100000000000, 12288)
`;
  for (const kernel of ['6.18', '6.1']) expect(examine(parseMmp(text, 'x.mmp'), kernel)).toBeNull();
});

test('a store behind the end of a file may be gone when the page was written back', () => {
  const text = `%mmp 1
%file C 1 disk cached
1 open("C", O_RDWR) = 12
1 ftruncate(12, 1)
1 mmap(0x100000000000, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 12, 0)
1 store(0x100000000000+192)
1 fdatasync(12)
`;
  for (const kernel of ['6.18', '6.1']) expect(examine(parseMmp(text, 'x.mmp'), kernel)).toBeNull();
});

test('a byte that changes behind the calls is noticed', () => {
  const program = parseMmp(
    `%mmp 1
1 mmap(0x100000000000, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 8192, 7)
1 load(0x100000000000)
`,
    'x.mmp',
  );
  const runner = new MmpRunner(program, '6.18', 32 * 2 ** 20);
  const shadow = new Shadow(runner, []);
  const told = program.steps.map((step, i) => {
    shadow.before(step as MmpCall);
    const record = runner.step(step)!;
    const pfn = i === 2 ? frameAt(runner.machine, runner.actors.get(1)!.process.mm, 0x100000001 as Vpn) : null;
    if (pfn !== null) runner.machine.frames.setToken(pfn, ZERO_TOKEN);
    return shadow.after(step as MmpCall, record);
  });
  expect(told).toEqual([null, null, 'process 1 reads 0 at 0x100000001000+0, the calls before say 7']);
});
