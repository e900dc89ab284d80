/** Recordings: headers and bodies of both formats, whole ones plain and packed. */
import { crc32, gzipSync } from 'node:zlib';
import { BodyDecoder, type BodySource, bodyOf, EVENT_END, FILE_IN_MEMORY } from '../../../src/trace/decode.ts';
import { BodyWriter, encodeRecording } from '../../../src/trace/encode.ts';
import { RecordingError } from '../../../src/trace/error.ts';
import { formatHeader, parseHeader, type RecordingHeader } from '../../../src/trace/recording.ts';
import { closeRecording, decoderOf, openBytes } from '../../../src/trace/source.ts';
import { surveyRecording } from '../../../src/trace/survey.ts';
import { ChunkTable, ThreadWriter } from '../../../src/trace/write.ts';
import { ZstdError, ZstdFrames } from '../../../src/trace/zstd.ts';
import { INPUT_NAME } from '../judge.ts';
import type { Target } from '../loop.ts';
import { bytesOf, textOf } from '../mutate.ts';

const FACTS = {
  name: 'made up',
  command: '/bin/true x',
  recorder: 'a test',
  window: 8,
  elf: new Map([
    ['entry', 0x401000],
    ['start_code', 0x401000],
    ['brk', 0x404100],
    ['start_stack', 0x7ffffffde000],
  ]),
  maps: [
    { start: 0x400000, end: 0x402000, read: true, write: false, execute: true },
    { start: 0x7ffffffdd000, end: 0x7ffffffff000, read: true, write: true, execute: false },
  ],
  other: new Map([['record_seconds', '1.5']]),
};
export const HEADER: RecordingHeader = {
  ...FACTS,
  processes: [
    { pid: 0, bytes: 0, stats: 'raw=1' },
    { pid: 7, bytes: 0, stats: '' },
  ],
};

const HEADER_WORDS = [
  ...['revmap-recording 1\n', 'revmap-recording 2\n', 'end\n', 'name ', 'command ', 'arch x86_64', 'pagesize 4096'],
  ...[
    'window ',
    'elf ',
    'map ',
    'process ',
    ' bytes ',
    '0x',
    ' r-x',
    'image ',
    'file ',
    'thread ',
    'chunk ',
    'unseen ',
  ],
  ...[' parent ', 'cut ', ' - ', ' 8:1 '],
];

/** Events of format 1 of every kind, and numbers of every length. */
function events(w: BodyWriter): void {
  for (const page of [0x401, 0x402, 0x7ffffffdd, 2 ** 34, 3]) w.access(page, page % 3);
  w.path('/data/x');
  w.syscall(257, [-100, 0x1000, 0o102, 0], 3);
  w.syscall(9, [0, 8192, 3, 1, 3, 0], 0x7ffff7000000);
  w.syscall(0, [3, 0x401000, 5000], 4096);
  w.syscall(8, [3, -10, 2], 90);
  w.syscall(57, [], 7);
  w.tick(65536);
  w.note('a note');
}

function bodyOfFormat1(): Uint8Array {
  const w = new BodyWriter();
  events(w);
  w.syscall(231, [0], 0);
  return w.end();
}

/** The first process with two threads, and a child that starts another program. */
function recordingOfFormat2(): Uint8Array {
  const table = new ChunkTable();
  const parts: Uint8Array[] = [];
  const taker = {
    chunk(pid: number, tid: number, bytes: Uint8Array, clock: number, lastClock: number, count: number) {
      parts.push(bytes);
      table.add(pid, tid, bytes, bytes.length, clock, lastClock, count);
    },
  };
  const first = new ThreadWriter(taker, 0, 0, 10);
  const second = new ThreadWriter(taker, 0, 41, 20);
  const child = new ThreadWriter(taker, 7, 7, 40);
  events(first.body);
  first.body.clock(20);
  second.body.access(0xb, 1);
  second.cut(50);
  second.body.file({ kind: FILE_IN_MEMORY, device: 0x801, inode: 5, bytes: 12345 });
  second.body.syscall(257, [-100, 0, 0], 4);
  child.body.image(1);
  child.body.access(0xd, 0);
  for (const thread of [child, first, second]) thread.end();
  table.endBodies(taker);
  const file = { path: '/bin/a name', device: '8:1', inode: 77, offset: 0x3000, bytes: 21001 };
  const header = table.header({
    ...FACTS,
    maps: FACTS.maps.map((map, i) => (i === 0 ? { ...map, file } : map)),
    laterImages: [{ command: '/bin/sort -n', elf: new Map([['entry', 0x501000]]), maps: [] }],
    cutShort: 'SIGINT',
    unseen: ['the vdso'],
    parentOf: () => 0,
    statsOf: (pid) => `raw=${pid}`,
  });
  return Buffer.concat([bytesOf(formatHeader(header)), ...parts]);
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

function toTheEnd(decoder: BodyDecoder): void {
  while (decoder.next() !== EVENT_END);
}

/** The way of reading is chosen by the length, so that the same bytes are always read alike. */
function readBody(bytes: Uint8Array, format: 1 | 2): void {
  const place = { file: INPUT_NAME, pid: 0, offset: 0, ...(format === 2 ? { format, images: 2 } : {}) };
  const way = bytes.length % 4;
  const decoder = way === 0 ? new BodyDecoder(inPieces(bytes), place, 8192) : new BodyDecoder(bodyOf(bytes), place);
  if (way === 1) while (decoder.nextEvent() !== EVENT_END);
  else toTheEnd(decoder);
}

export async function readWhole(bytes: Uint8Array): Promise<void> {
  const recording = await openBytes(bytes, INPUT_NAME);
  try {
    surveyRecording(recording);
    const { ordered, processes } = recording.header;
    for (const i of (ordered?.threads ?? processes).keys()) toTheEnd(decoderOf(recording, i));
  } finally {
    closeRecording(recording);
  }
}

/** A damaged recording of format 2 whose checksums are right, as those of whoever means harm. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('\nend\n') + 5;
  const header = parseHeader(textOf(bytes.subarray(0, end)), INPUT_NAME);
  const { ordered } = header;
  if (end < 5 || ordered === undefined) return bytes;
  let at = end;
  const chunks = ordered.chunks.map((chunk) => {
    at += chunk.bytes;
    return { ...chunk, crc32: crc32(bytes.subarray(at - chunk.bytes, at)) };
  });
  return Buffer.concat([bytesOf(formatHeader({ ...header, ordered: { ...ordered, chunks } })), bytes.subarray(end)]);
}

/** Two lines, and many, as `zstd` packs them. */
const ZSTD = [
  '28b52ffd044871000068656c6c6f0a68656c6c6f0a6869a4b85ec8',
  '28b52ffd04587d000040312c320a332c340a010035530b17a79b5225',
].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));

/** The widest that unpacking takes. */
const ZSTD_WINDOW_BYTES = 2 ** 28;

function readZstd(bytes: Uint8Array): void {
  let seen = 0;
  const frames = new ZstdFrames((out) => {
    seen += out.length;
  });
  try {
    for (let at = 0; at < bytes.length && seen < 1 << 20; at += 512) frames.push(bytes.subarray(at, at + 512));
    frames.end();
  } catch (error) {
    // As unpack.ts does: fzstd meets damage with errors of its own and of the language.
    throw new RecordingError(INPUT_NAME, '', error instanceof ZstdError ? error.message : String(error));
  }
}

export function recordingTargets(): Target[] {
  const format2 = recordingOfFormat2();
  const header2 = format2.subarray(0, Buffer.from(format2).indexOf('\nend\n') + 5);
  const body2 = new BodyWriter();
  body2.chunk(5);
  body2.access(7, 1);
  body2.clock(3);
  body2.image(1);
  body2.file({ kind: FILE_IN_MEMORY, device: 0x801, inode: 5, bytes: 12345 });
  const plain = encodeRecording(HEADER, [bodyOfFormat1(), Uint8Array.of(3)]);
  return [
    {
      name: 'header',
      read: (bytes) => {
        parseHeader(textOf(bytes), INPUT_NAME);
      },
      seeds: [bytesOf(formatHeader(HEADER)), header2],
      words: HEADER_WORDS,
    },
    { name: 'body 1', read: (bytes) => readBody(bytes, 1), seeds: [bodyOfFormat1(), Uint8Array.of(3)], words: [] },
    { name: 'body 2', read: (bytes) => readBody(bytes, 2), seeds: [body2.end(), bodyOfFormat1()], words: [] },
    { name: 'recording', isSlow: true, read: readWhole, seeds: [plain, format2], words: HEADER_WORDS },
    {
      name: 'recording with checksums',
      isSlow: true,
      read: (bytes) => readWhole(withChecksums(bytes)),
      seeds: [format2],
      words: HEADER_WORDS,
    },
    {
      name: 'recording in gzip',
      isSlow: true,
      read: (bytes) => readWhole(gzipSync(bytes, { level: 1 })),
      seeds: [plain, format2],
      words: HEADER_WORDS,
    },
    { name: 'gzip', isSlow: true, read: readWhole, seeds: [gzipSync(plain), gzipSync(format2)], words: [] },
    { name: 'zstd', memoryBytes: ZSTD_WINDOW_BYTES, read: readZstd, seeds: ZSTD, words: ['(\xb5/\xfd'] },
    { name: 'zstd input', isSlow: true, memoryBytes: ZSTD_WINDOW_BYTES, read: readWhole, seeds: ZSTD, words: [] },
  ];
}
