/**
 * The engine does what real kernels did: every memory program of the corpus against the recordings beside it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkLine, checkRun } from '../src/lab/check/check.ts';
import { programsIn, RecordingFinder } from '../src/lab/check/files.ts';
import { recordingText } from '../src/lab/check/recording.ts';
import { runMmp } from '../src/lab/check/run_mmp.ts';
import { parseMmp } from '../src/syscalls/mmp.ts';

const programs = programsIn([fileURLToPath(new URL('../oracle/corpus', import.meta.url))]);
const finder = new RecordingFinder();

test('the corpus is there', () => expect(programs.length).toBeGreaterThanOrEqual(300));

for (const { name, path } of programs) {
  test(name, () => {
    const program = parseMmp(readFileSync(path, 'utf8'), path);
    const recordings = finder.beside(path, undefined);
    expect(recordings.map(({ kernel }) => kernel)).toEqual(['6.18', '6.1']);
    for (const { recording, kernel, path: recorded } of recordings) {
      const result = checkRun(program, recording, runMmp(program, kernel), { program: name, recording: recorded });
      expect(result.equal, `${checkLine(result)}\n${result.picture}`).toBe(true);
      expect(result.equalFields).toBeGreaterThan(3 * result.calls);
    }
  });
}

test('the same program gives the same recording twice', () => {
  const path = programs.find((file) => file.name === '08-random.mmp')!.path;
  const once = (): string => recordingText(runMmp(parseMmp(readFileSync(path, 'utf8'), path), '6.18').recording);
  expect(once()).toBe(once());
});
