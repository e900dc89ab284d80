/** The one door: what an input is, how it comes in, and what a hostile one can do. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { Told } from '../../test/inputs/told.ts';
import { detect, INPUT_KINDS, parseFormat } from './detect.ts';
import { printable } from './error.ts';
import { readerOf } from './input.ts';
import { Keep } from './keep.ts';
import { LINE_BYTES } from './lines.ts';
import { formatHeader, parseHeader } from './recording.ts';
import { closeRecording, openBytes, openRecording } from './source.ts';
import { surveyRecording } from './survey.ts';

const samples = join(import.meta.dirname, '../../test/inputs');
const folder = mkdtempSync(join(tmpdir(), 'revmap-inputs-'));
afterAll(() => rmSync(folder, { recursive: true }));

function sample(name: string): Buffer {
  return readFileSync(join(samples, name));
}

function oracle(ids: number[]): Buffer {
  const bytes = Buffer.alloc(24 * ids.length);
  for (const [i, id] of ids.entries()) {
    bytes.writeUInt32LE(i, 24 * i);
    bytes.writeUInt32LE(id, 24 * i + 4);
    bytes.writeUInt32LE(512, 24 * i + 12);
    bytes.writeBigInt64LE(BigInt(i + 2), 24 * i + 16);
  }
  return bytes;
}

const vscsi = Buffer.alloc(120);
for (const at of [0, 40, 80]) vscsi.writeUInt16LE(0x200, at + 2);

for (const { why, bytes, want } of [
  { why: 'lackey', bytes: sample('lackey.txt'), want: 'lackey' },
  { why: 'lackey with -d', bytes: sample('lackey-d.txt'), want: 'lackey' },
  { why: 'lackey without its first lines', bytes: 'I  00401000,4\n', want: 'lackey' },
  { why: 'lackey behind what the program said', bytes: 'hello\nworld\n L 00401000,4\n', want: 'lackey' },
  { why: 'strace -f', bytes: sample('strace-f.txt'), want: 'strace' },
  { why: 'strace -y -tt -T', bytes: sample('strace-y-tt-T.txt'), want: 'strace' },
  { why: 'strace -ff -ttt', bytes: sample('strace-ff-ttt.txt'), want: 'strace' },
  { why: 'strace to a terminal', bytes: sample('strace-terminal-r.txt'), want: 'strace' },
  { why: 'strace cut at its front', bytes: '7 <... read resumed>"", 3) = 0\n', want: 'strace' },
  { why: 'oracleGeneral', bytes: oracle([1, 2, 3]), want: 'oracleGeneral' },
  { why: 'vscsi', bytes: vscsi, want: 'vscsi' },
  { why: 'csv', bytes: 'time,id,size\n1,2,3\n', want: 'csv' },
  { why: 'csv without a head', bytes: '1,2,3\n', want: 'csv' },
  { why: 'csv with tabs', bytes: '1\t2\r\n', want: 'csv' },
  { why: 'txt', bytes: '# ids\n\n17\n18\n', want: 'txt' },
  { why: 'txt of one line without an end', bytes: '17', want: 'txt' },
  { why: 'a text', bytes: 'The quick brown fox\njumps.\n', want: null },
  { why: 'a text with a number', bytes: 'Chapter 7\nThe quick brown fox.\n', want: null },
  { why: 'a program', bytes: sample('numbers-1.zst'), want: null },
  { why: 'nothing but NUL', bytes: Buffer.alloc(20), want: null },
  { why: 'much of nothing but NUL', bytes: Buffer.alloc(4800), want: null },
  { why: 'an invalid character', bytes: Buffer.from([0xff, 0xfe, 0x0a]), want: null },
]) {
  test(`detect: ${why}`, () => {
    const start = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    expect(detect(start.subarray(0, 1 << 16), true)).toBe(want);
  });
}

for (const { text, want } of [
  { text: 'oraclegeneral', want: { kind: 'oracleGeneral', columns: null } },
  { text: 'csv:id=5,size=4', want: { kind: 'csv', columns: { id: 5, size: 4 } } },
  { text: 'csv:id=1', want: { kind: 'csv', columns: { id: 1, size: 0 } } },
  { text: 'csv:size=1', want: 'csv may have columns' },
  { text: 'csv:id=0', want: 'csv may have columns' },
  { text: 'txt:id=1', want: 'csv may have columns' },
  { text: '__proto__', want: 'one of lackey, strace' },
  { text: '', want: 'one of lackey, strace' },
]) {
  test(`--format ${text}`, () => {
    const found = parseFormat(text);
    if (typeof want === 'string') expect(found).toContain(want);
    else expect(found).toEqual(want);
  });
}

test('open: every kind becomes a recording that can be surveyed, and whose header can be read back', async () => {
  for (const bytes of [
    sample('lackey-d.txt'),
    sample('strace-f.txt'),
    oracle([1, 2, 1]),
    vscsi.fill(1, 8, 9),
    Buffer.from('1\n2\n1\n'),
  ]) {
    for (const packed of [bytes, gzipSync(bytes)]) {
      const recording = await openBytes(packed, 'x');
      const header = parseHeader(formatHeader(recording.header), 'x');
      expect(header.ordered!.chunks).toEqual(recording.header.ordered!.chunks);
      const survey = surveyRecording(recording);
      expect(survey.syscalls).toBeGreaterThan(2);
      closeRecording(recording);
    }
  }
});

test('open: what is forced is read as that', async () => {
  const recording = await openBytes(Buffer.from('a b\na b\nc\n'), 'x', { kind: 'txt', columns: null });
  expect(recording.header.processes[0]!.stats).toBe('raw=3 requests=3 objects=2 pages=2');
  await expect(openBytes(oracle([1]), 'x', { kind: 'lackey', columns: null })).rejects.toThrow(
    'x: a lackey log without a line',
  );
  await expect(openBytes(Buffer.from('hello\n'), 'x', { kind: 'strace', columns: null })).rejects.toThrow(
    'x: a strace log without',
  );
});

for (const { why, bytes, want } of [
  { why: 'nothing', bytes: '', want: 'x: is empty' },
  {
    why: 'a text',
    bytes: 'hello, world\n',
    want: "x: line 1: not a recording: the first line is not 'revmap-recording 1' or 2, and no input of another kind that we know (lackey, strace",
  },
  { why: 'a line of 2 MiB of digits', bytes: '7'.repeat(2 ** 21), want: 'x: line 1: ' },
]) {
  test(`open refused: ${why}`, async () => expect(openBytes(Buffer.from(bytes), 'x')).rejects.toThrow(want));
}

test('open refused: bytes the other way round are recognised', async () => {
  const bytes = oracle([1, 2, 3]);
  for (let at = 0; at < bytes.length; at += 24) {
    bytes.subarray(at, at + 4).reverse();
    bytes.subarray(at + 4, at + 12).reverse();
    bytes.subarray(at + 12, at + 16).reverse();
    bytes.subarray(at + 16, at + 24).reverse();
  }
  await expect(openBytes(bytes, 'x')).rejects.toThrow('it looks like oracleGeneral with its bytes the other way round');
});

for (const kind of INPUT_KINDS) {
  test(`${kind}: a line of 100 MB costs one line of memory, and no time`, () => {
    const reader = readerOf({ kind, columns: null }, 'x', new Told());
    const piece = Buffer.alloc(2 ** 20, 'a');
    let pushed = 0;
    const all = () => {
      for (; pushed < 100; pushed++) reader.push(piece);
      reader.end();
    };
    // Binary kinds have no lines; for them it is nonsense.
    const isText = kind !== 'oracleGeneral' && kind !== 'vscsi';
    expect(all).toThrow(isText ? `x: line 1: longer than ${LINE_BYTES} bytes` : 'x: byte 0: ');
    expect(pushed).toBeLessThanOrEqual(1);
  });

  test(`${kind}: noise is refused in one line, whatever it is`, () => {
    let state = 7;
    for (let round = 0; round < 60; round++) {
      const bytes = Buffer.alloc(round * 40);
      for (let i = 0; i < bytes.length; i++) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        bytes[i] =
          round % 2 === 0 ? state >>> 16 : ' \n,0123456789abcdefILSM()="<>=[]-+x'.charCodeAt((state >>> 16) % 36);
      }
      try {
        const reader = readerOf({ kind, columns: null }, 'x', new Told());
        reader.push(bytes);
        reader.end();
      } catch (error) {
        expect((error as Error).name, String(error)).toBe('RecordingError');
        expect((error as Error).message).toBe(printable((error as Error).message));
      }
    }
  });
}

test('open: links and pipes are files, folders and links to themselves are not', async () => {
  const file = join(folder, 'a.txt');
  writeFileSync(file, '1\n2\n');
  const link = join(folder, 'link');
  symlinkSync(file, link);
  const loop = join(folder, 'loop');
  symlinkSync(loop, loop);
  mkdirSync(join(folder, 'sub'));
  closeRecording(await openRecording(link));
  await expect(openRecording(loop)).rejects.toThrow('loop: is a link that leads back to itself');
  await expect(openRecording(join(folder, 'sub'))).rejects.toThrow('sub: is a folder');
  await expect(openRecording(join(folder, 'none'))).rejects.toThrow('none: no such file');
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const writer = spawn('cp', [file, pipe]);
  const recording = await openRecording(pipe);
  expect(writer.pid).toBeGreaterThan(0);
  expect(recording.header.processes[0]!.stats).toContain('requests=2');
});

test('keep: what does not fit in memory is in a file without a name', () => {
  const keep = new Keep(8, 64);
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
  for (let at = 0; at < 60; at += 10) keep.add(bytes.subarray(at, at + 10));
  expect(Buffer.from(keep.kept().bytes!)).toEqual(bytes.subarray(0, 60));
  for (let at = 60; at < 200; at += 10) keep.add(bytes.subarray(at, at + 10));
  const { bytes: inMemory, fd } = keep.kept();
  expect(inMemory).toBe(null);
  expect(readFileSync(`/proc/self/fd/${fd}`)).toEqual(bytes);
  keep.close();
});
