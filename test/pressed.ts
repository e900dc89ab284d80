/** A recording of few steps that puts a small machine under pressure from its first third on. */
import { KIND_READ, KIND_WRITE } from '../src/trace/decode.ts';
import { BodyWriter, encodeRecording } from '../src/trace/encode.ts';
import type { RecordingHeader } from '../src/trace/recording.ts';
import { SYS_exit_group, SYS_mmap } from '../src/trace/x86_64.ts';

const FIRST_PAGE = 0x7f0000000;

/** Writes and reads `pages` pages once, then most of them in no order, until there are `rounds` accesses. */
export function pressedRecording(pages: number, rounds: number): Uint8Array {
  const writer = new BodyWriter();
  writer.syscall(SYS_mmap, [0, pages * 4096, 3, 0x22, -1, 0], FIRST_PAGE * 4096);
  let seed = 1;
  for (let n = 0; n < rounds; n++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const page = n < pages ? n : Math.floor((seed / 2 ** 32) * pages * 0.9);
    writer.access(FIRST_PAGE + page, n % 3 === 0 ? KIND_READ : KIND_WRITE);
    if (n % 200 === 199) writer.tick(65_536);
  }
  writer.syscall(SYS_exit_group, [0], 0);
  return encodeRecording(HEADER, [writer.end()]);
}

const HEADER: RecordingHeader = {
  name: 'pressed',
  command: '/bin/pressed',
  recorder: 'a test',
  window: 32,
  elf: new Map([
    ['start_code', 0x401000],
    ['entry', 0x401000],
    ['start_data', 0x403100],
    ['end_data', 0x403800],
    ['brk', 0x404100],
    ['start_stack', 0x7fffffffe000],
  ]),
  maps: [
    { start: 0x401000, end: 0x403000, read: true, write: false, execute: true },
    { start: 0x403000, end: 0x405000, read: true, write: true, execute: false },
    { start: 0x7ffffffde000, end: 0x7ffffffff000, read: true, write: true, execute: false },
  ],
  processes: [{ pid: 0, bytes: 0, stats: '' }],
  other: new Map(),
};
