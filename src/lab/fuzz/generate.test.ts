import { expect, test } from 'vitest';
import { parseMmp } from '../../syscalls/mmp.ts';
import { isSnap } from '../check/recording.ts';
import { runMmp } from '../check/run_mmp.ts';
import { type Generated, generate } from './generate.ts';

const SEEDS = 50;
const CALLS = 60;
const programs: Generated[] = Array.from({ length: SEEDS }, (_, seed) => generate({ seed, calls: CALLS }));

test('the same seed makes the same program, another seed another', () => {
  for (const { seed, text } of programs.slice(0, 5)) expect(generate({ seed, calls: CALLS }).text).toBe(text);
  expect(new Set(programs.map(({ text }) => text)).size).toBe(SEEDS);
});

test('programs have 50 to 300 calls, and none breaks the engine', () => {
  for (const { failure, text } of programs) expect([failure, parseMmp(text, '').steps.length]).toEqual([null, CALLS]);
  const { calls } = generate({ seed: 7 });
  expect(calls).toBeGreaterThanOrEqual(50);
  expect(calls).toBeLessThanOrEqual(300);
});

test('few calls fail', () => {
  const ops = programs.flatMap(({ recording }) => recording.lines.filter((line) => !isSnap(line)));
  const share = (of: (line: object) => boolean): number => ops.filter(of).length / ops.length;
  for (const field of ['err', 'sig']) {
    const failed = share((line) => field in line);
    expect(failed, field).toBeLessThan(0.03);
    expect(failed, field).toBeGreaterThan(0);
  }
});

test('every kind of call is made by some of them', () => {
  const names = new Set(
    programs.flatMap(({ text }) => parseMmp(text, '').steps.map((s) => (s as { name: string }).name)),
  );
  const wanted = `mmap munmap mprotect mremap madvise mlock munlock mlockall msync mincore brk remap_file_pages memfd_create open
    close dup unlink read write pread64 pwrite64 lseek ftruncate fallocate fsync fadvise64 fork exit_group load store check
    swapon swapoff`;
  expect(wanted.split(/\s+/).filter((name) => !names.has(name))).toEqual([]);
});

test('what the engine did while a program was made is what it does when the program is run', () => {
  for (const { text, recording, seed } of programs.slice(0, 10)) {
    const { lines } = runMmp(parseMmp(text, `fuzz-${seed}.mmp`), '6.18').recording;
    expect(lines).toEqual(recording.lines);
  }
});
