/**
 * The readers of foreign data, each as a function of bytes, with inputs to begin with.
 *
 * Promises  Every reader of a file that a user may name is here.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parseRecording } from '../../src/lab/check/recording.ts';
import { parseLimits, parseSize } from '../../src/lab/options.ts';
import { parseMmp } from '../../src/syscalls/mmp.ts';
import { BodyDecoder, type BodySource, bodyOf, EVENT_END } from '../../src/trace/decode.ts';
import { BodyWriter, encodeRecording } from '../../src/trace/encode.ts';
import { formatHeader, parseHeader, type RecordingHeader } from '../../src/trace/recording.ts';
import { closeRecording, decoderOf, openRecording } from '../../src/trace/source.ts';
import { surveyRecording } from '../../src/trace/survey.ts';
import { INPUT_NAME } from './judge.ts';
import type { Target } from './loop.ts';
import { bytesOf } from './mutate.ts';

/** Of longer examples, the first so many bytes. */
const SEED_BYTES = 2048;

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export function targetsIn(root: string): Target[] {
  return [header(), body(), ...files(), mmp(root), kernelRecording(root), sizes()];
}

const HEADER: RecordingHeader = {
  name: 'made up',
  command: '/bin/true x',
  recorder: 'a test',
  window: 8,
  elf: new Map([
    ['entry', 0x401000],
    ['start_stack', 0x7ffffffde000],
  ]),
  maps: [
    { start: 0x400000, end: 0x402000, read: true, write: false, execute: true },
    { start: 0x7ffffffdd000, end: 0x7ffffffff000, read: true, write: true, execute: false },
  ],
  processes: [
    { pid: 0, bytes: 0, stats: 'raw=1' },
    { pid: 7, bytes: 0, stats: '' },
  ],
  other: new Map([['record_seconds', '1.5']]),
};

const HEADER_WORDS = [
  'name ',
  'command ',
  'arch x86_64',
  'pagesize 4096',
  'window ',
  'elf ',
  'map ',
  'process ',
  ' bytes ',
  'end\n',
  '0x',
  ' r-x',
];

function header(): Target {
  return {
    name: 'header',
    read: (bytes) => {
      parseHeader(textOf(bytes), INPUT_NAME);
    },
    seeds: [bytesOf(formatHeader(HEADER))],
    words: HEADER_WORDS,
  };
}

/** Events of every kind, and numbers of every length. */
function sampleBody(): Uint8Array {
  const w = new BodyWriter();
  for (const page of [0x401, 0x402, 0x7ffffffdd, 2 ** 34, 3]) w.access(page, page % 3);
  w.path('/data/x');
  w.syscall(257, [-100, 0x1000, 0o102, 0], 3);
  w.syscall(9, [0, 8192, 3, 1, 3, 0], 0x7ffff7000000);
  w.syscall(0, [3, 0x401000, 5000], 4096);
  w.syscall(8, [3, -10, 2], 90);
  w.syscall(57, [], 7);
  w.tick(65536);
  w.note('a note');
  w.syscall(231, [0], 0);
  return w.end();
}

/** In pieces of 64 bytes, as from a file. */
function inPieces(bytes: Uint8Array): BodySource {
  return {
    length: bytes.length,
    whole: null,
    read: (at, into) => {
      const part = bytes.subarray(at, at + Math.min(into.length, 64));
      into.set(part);
      return part.length;
    },
  };
}

function readBody(decoder: BodyDecoder): void {
  while (decoder.next() !== EVENT_END);
}

function body(): Target {
  const place = { file: INPUT_NAME, pid: 0, offset: 0 };
  return {
    name: 'body',
    read: (bytes) => {
      if (bytes.length % 4 === 0) readBody(new BodyDecoder(inPieces(bytes), place, 8192));
      else if (bytes.length % 4 === 1) {
        const decoder = new BodyDecoder(bodyOf(bytes), place);
        while (decoder.nextEvent() !== EVENT_END);
      } else readBody(new BodyDecoder(bodyOf(bytes), place));
    },
    seeds: [sampleBody(), Uint8Array.of(3)],
    words: [],
  };
}

/** Whole files; they go over a disk, so they are slow. */
function files(): Target[] {
  const folder = mkdtempSync(join(tmpdir(), 'revmap-fuzz-'));
  const path = join(folder, INPUT_NAME);
  const read = (bytes: Uint8Array) => readFile(path, bytes);
  const end = () => rmSync(folder, { recursive: true, force: true });
  const plain = encodeRecording(HEADER, [sampleBody(), Uint8Array.of(3)]);
  return [
    { name: 'file', read, seeds: [plain], words: HEADER_WORDS, end },
    { name: 'file gzip', read: (b) => read(gzipSync(b, { level: 1 })), seeds: [plain], words: HEADER_WORDS, end },
    { name: 'file packed', read, seeds: [gzipSync(plain)], words: [], end },
  ];
}

async function readFile(path: string, bytes: Uint8Array): Promise<void> {
  writeFileSync(path, bytes);
  const recording = await openRecording(path);
  try {
    surveyRecording(recording);
    for (const i of recording.header.processes.keys()) readBody(decoderOf(recording, i));
  } finally {
    closeRecording(recording);
  }
}

/** The first bytes of every `step`th file with that ending. */
function examples(root: string, ending: string, step: number): Uint8Array[] {
  const folder = join(root, 'oracle/corpus');
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return names.filter((_, i) => i % step === 0).map((name) => readFileSync(join(folder, name)).subarray(0, SEED_BYTES));
}

function mmp(root: string): Target {
  return {
    name: 'mmp',
    read: (bytes) => {
      parseMmp(textOf(bytes), INPUT_NAME);
    },
    seeds: examples(root, '.mmp', 20),
    words: [
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
      ' <unfinished ...>',
      '<... mmap resumed>',
      '[pid 3] ',
      '+1*',
      'PROT_READ|',
      '0x',
    ],
  };
}

function kernelRecording(root: string): Target {
  return {
    name: 'kernel recording',
    read: (bytes) => {
      parseRecording(textOf(bytes), INPUT_NAME);
    },
    seeds: examples(root, '.6.18.rec', 20),
    words: [
      '"rec":1',
      '"kernel":"',
      '"op":',
      '"call":',
      '"snap":',
      '"procs":',
      '"files":',
      '"="',
      '"vmas":',
      '"pages":',
      'null',
      '[]',
      '{}',
      '1e999',
    ],
  };
}

function sizes(): Target {
  return {
    name: 'sizes',
    read: (bytes) => {
      const text = textOf(bytes);
      parseSize(text);
      parseLimits(text);
    },
    seeds: ['64M', '1.5G', '12603K', '4096', '64M,48M', '64M..16M', '64M..16M:4M', '8'].map(bytesOf),
    words: ['K', 'MiB', '..', ':', ',', '0.000001', '256'],
  };
}
