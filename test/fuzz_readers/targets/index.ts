/**
 * The readers of foreign data, each as a function of bytes, with inputs to begin with.
 *
 * Promises  Every reader of a file that a user may name is here, and every word of the command line that is more than a number.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkRun } from '../../../src/lab/check/check.ts';
import { parseRecording } from '../../../src/lab/check/recording.ts';
import { parseLimits, parseSize } from '../../../src/lab/options.ts';
import { parseMeasureLimits } from '../../../src/measure/plan.ts';
import { parseMmp } from '../../../src/syscalls/mmp.ts';
import { parseFormat } from '../../../src/trace/detect.ts';
import { parseTruth } from '../../../src/trace/truth.ts';
import { INPUT_NAME } from '../judge.ts';
import type { Target } from '../loop.ts';
import { bytesOf, textOf } from '../mutate.ts';
import { inputTargets } from './inputs.ts';
import { recordingTargets } from './recordings.ts';
import { replayTarget } from './replay.ts';
import { resultTargets } from './results.ts';
import { snapshotTargets } from './snapshots.ts';

/** Of longer examples, the first so many bytes. */
const SEED_BYTES = 2048;

/** `root`: of the project, where the examples are. */
export function targetsIn(root: string): Target[] {
  return [
    ...recordingTargets(),
    replayTarget(),
    ...inputTargets(),
    truth(root),
    mmp(root),
    kernelRecording(root),
    ...resultTargets(),
    ...snapshotTargets(),
    words(),
  ];
}

function start(path: string): Uint8Array {
  return readFileSync(path).subarray(0, SEED_BYTES);
}

/** The first bytes of every `step`th file of the corpus with that ending. */
function examples(root: string, ending: string, step: number): Uint8Array[] {
  const folder = join(root, 'oracle/corpus');
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return names.filter((_, i) => i % step === 0).map((name) => start(join(folder, name)));
}

function truth(root: string): Target {
  return {
    name: 'truth',
    read: (bytes) => {
      parseTruth(textOf(bytes), INPUT_NAME);
    },
    seeds: [
      start(join(root, 'oracle/truth/zipf.truth.tsv')),
      bytesOf('program\tmode\tlimit_kib\tstatus\nx\tz-n-3\t0\t0\n'),
    ],
    words: ['\t', '\n', 'program\t', 'mode\t', 'limit_kib\t', 'status', 'z-n-3', 'v-y-0-s100', 'host', '-peak'],
  };
}

function mmp(root: string): Target {
  return {
    name: 'mmp',
    read: (bytes) => {
      parseMmp(textOf(bytes), INPUT_NAME);
    },
    seeds: examples(root, '.mmp', 20),
    words: [
      ...[
        '%mmp 1\n',
        '%file ',
        '%swap ',
        '%brk ',
        '%snapshot ',
        '%needs ',
        ' disk',
        ' shm',
        ' cached',
        'mmap(',
        ') = ',
      ],
      ...[' <unfinished ...>', '<... mmap resumed>', '[pid 3] ', '+1*', 'PROT_READ|', '0x'],
    ],
  };
}

const PROGRAM = '01-anon-basics';

/** Read, and held against what the engine did, which is what this kernel did. */
function kernelRecording(root: string): Target {
  const at = (ending: string) => join(root, 'oracle/corpus', `${PROGRAM}${ending}`);
  const program = parseMmp(readFileSync(at('.mmp'), 'utf8'), `${PROGRAM}.mmp`);
  const run = { recording: parseRecording(readFileSync(at('.6.18.rec'), 'utf8'), PROGRAM), failure: null };
  return {
    name: 'kernel recording',
    read: (bytes) => {
      const recording = parseRecording(textOf(bytes), INPUT_NAME);
      checkRun(program, recording, run, { program: PROGRAM, recording: INPUT_NAME });
    },
    seeds: [readFileSync(at('.6.18.rec')), ...examples(root, '.6.18.rec', 50)],
    words: [
      ...['"rec":1', '"kernel":"', '"op":', '"call":', '"snap":', '"procs":', '"files":', '"="', '"vmas":', '"pages":'],
      ...['null', '[]', '{}', '1e999', '"f1"', '"cache":"', '"VmFlags":"'],
    ],
  };
}

/** Words of the command line. */
function words(): Target {
  return {
    name: 'words',
    read: (bytes) => {
      const text = textOf(bytes);
      parseSize(text);
      parseLimits(text);
      parseMeasureLimits(text);
      parseFormat(text);
    },
    seeds: ['64M', '1.5G', '64M,48M', '64M..16M:4M', '8', '75%,60%', 'csv:id=2,size=3', 'strace'].map(bytesOf),
    words: ['K', 'MiB', '..', ':', ',', '%', '0.000001', '256', 'csv:', 'id='],
  };
}
