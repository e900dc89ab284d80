/** A recording that is read is replayed, too: what its calls claim is the machine's to refuse. */
import { MACHINE_DEFAULTS } from '../../../src/lab/options.ts';
import { runRecording } from '../../../src/lab/run.ts';
import { BodyWriter, encodeRecording } from '../../../src/trace/encode.ts';
import { openBytes } from '../../../src/trace/source.ts';
import { surveyRecording } from '../../../src/trace/survey.ts';
import { INPUT_NAME } from '../judge.ts';
import type { Target } from '../loop.ts';
import { HEADER } from './recordings.ts';

const OPTIONS = {
  ...MACHINE_DEFAULTS,
  ramBytes: 32 * 2 ** 20,
  swapBytes: 8 * 2 ** 20,
  limitBytes: null,
};
const AT = 0x7ffff7000000;
const PAGE = 4096;

/** Calls on memory and files, as programs make them. */
function calls(): Uint8Array[] {
  const files = new BodyWriter();
  files.path('/data/x');
  files.syscall(257, [-100, 0x1000, 0o102, 0], 3);
  files.syscall(9, [0, 8 * PAGE, 3, 0x22, -1, 0], AT);
  files.syscall(1, [3, AT, 5000], 5000);
  files.syscall(17, [3, AT, 5000, 100], 4900);
  files.syscall(9, [0, 2 * PAGE, 3, 1, 3, 0], AT + 100 * PAGE);
  files.access(AT / PAGE + 100, 2);
  files.syscall(26, [AT + 100 * PAGE, PAGE, 4], 0);
  files.syscall(77, [3, 10], 0);
  files.syscall(285, [3, 0, 0, 20000], 0);
  files.syscall(221, [3, 0, 0, 4], 0);
  files.syscall(3, [3], 0);
  const memory = new BodyWriter();
  memory.syscall(12, [0], 0x500000);
  memory.syscall(12, [0x520000], 0x520000);
  memory.access(0x510, 2);
  memory.syscall(9, [0, 8 * PAGE, 3, 0x22, -1, 0], AT);
  for (let i = 0; i < 4; i++) memory.access(AT / PAGE + i, 2);
  memory.syscall(10, [AT, PAGE, 1], 0);
  memory.syscall(28, [AT, 2 * PAGE, 4], 0);
  memory.syscall(25, [AT, 2 * PAGE, 4 * PAGE, 1], AT + 64 * PAGE);
  memory.syscall(149, [AT + 4 * PAGE, PAGE], 0);
  memory.syscall(27, [AT, PAGE, AT + 5 * PAGE], 0);
  memory.syscall(57, [], 7);
  memory.syscall(11, [AT, 8 * PAGE], 0);
  memory.tick(1000);
  memory.syscall(231, [0], 0);
  return [files.end(), memory.end()];
}

export function replayTarget(): Target {
  const child = new BodyWriter();
  child.access(AT / PAGE + 3, 2);
  const end = child.end();
  return {
    name: 'replay',
    isVerySlow: true,
    // Of files that are claimed to be larger, 64 GiB have blocks.
    memoryBytes: 2 ** 28,
    read: async (bytes) => {
      const recording = await openBytes(encodeRecording(HEADER, [bytes, end]), INPUT_NAME);
      runRecording(recording, surveyRecording(recording), OPTIONS);
    },
    seeds: calls(),
    words: [],
  };
}
