/** The objects of the reverse mapping, counted: fork trees against closed forms, and areas up to their limit. */
import { expect, test } from 'vitest';
import { MAX_AREAS, reversedFile, reversedToTheLimit } from '../oracle/areas.ts';
import { SHAPES, shapeProgram } from '../oracle/shapes.ts';
import { isSnap, type OpRecord, type SnapRecord } from '../src/lab/check/recording.ts';
import { runMmp } from '../src/lab/check/run_mmp.ts';
import { type MmpProgram, parseMmp } from '../src/syscalls/mmp.ts';
import { engineCounts } from './structure.ts';

const REVERSED = parseMmp(reversedFile(16_384), 'reverse.mmp');
const LIMIT = parseMmp(reversedToTheLimit(), 'limit.mmp');

function run(program: MmpProgram, kernel: string): { calls: OpRecord[]; last: SnapRecord | undefined } {
  const { recording, failure } = runMmp(program, kernel);
  expect(failure).toBe(null);
  const calls = recording.lines.flatMap((line) => (isSnap(line) ? [] : [line]));
  return { calls, last: recording.lines.filter(isSnap).at(-1) };
}

for (const kernel of ['6.18', '6.1']) {
  for (const shape of SHAPES) {
    test(`${kernel}: ${shape.name}: ${shape.formula.anonVmas} anon_vmas, ${shape.formula.chains} links`, () => {
      const { text } = shapeProgram(shape, 1);
      expect(engineCounts(text, kernel)).toEqual([shape.want, { anonVmas: 0, chains: 0 }]);
    });
  }

  test(`${kernel}: a file of 16,384 pages in reverse: 16,383 new areas`, () => {
    const { calls, last } = run(REVERSED, kernel);
    expect(calls.filter(({ ret }) => ret === -1)).toEqual([]);
    const { vmas } = last!.procs['1'] as { vmas: readonly { offset?: unknown }[] };
    expect(vmas.map(({ offset }) => offset)).toEqual(Array.from({ length: 16_384 }, (_, i) => (16_383 - i) * 4096));
  });

  test(`${kernel}: one area above the limit, and no more`, () => {
    const { calls } = run(LIMIT, kernel);
    const remaps = calls.filter(({ call }) => call.startsWith('1 remap_file_pages'));
    // Each adds one to the first: there are MAX_AREAS + 1 when the next fails.
    expect(remaps.findIndex(({ ret }) => ret === -1)).toBe(MAX_AREAS);
    const behind = calls.slice(calls.indexOf(remaps.at(-2)!) + 1);
    expect(behind.map(({ call, ret, err }) => `${/ (\w+)/.exec(call)![1]} ${err ?? ret}`)).toEqual([
      'mmap ENOMEM',
      'mprotect ENOMEM',
      'madvise EAGAIN',
      'mlock ENOMEM',
      'munmap ENOMEM',
      'mremap ENOMEM',
      'munmap 0',
      'mremap ENOMEM',
      'munmap 0',
      'mprotect ENOMEM',
      'mmap 0x1ffffffff000',
      'mmap ENOMEM',
      'munmap 0',
      'mprotect 0',
      'mprotect 0',
      'munmap 0',
      'munmap 0',
      'mremap 0x1fffffffd000',
      'remap_file_pages EINVAL',
    ]);
  });
}
