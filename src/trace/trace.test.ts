/** What is written is read, and what is damaged is refused with its place. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import {
  BodyDecoder,
  type BodySource,
  bodyOf,
  EVENT_ACCESSES,
  EVENT_END,
  EVENT_PATH,
  EVENT_SYSCALL,
  EVENT_TEXT,
  EVENT_TICK,
} from './decode.ts';
import { BodyWriter, encodeRecording } from './encode.ts';
import { formatHeader, parseHeader, type RecordingHeader } from './recording.ts';
import { closeRecording, decoderOf, openRecording } from './source.ts';

const header: RecordingHeader = {
  name: 'made up',
  command: '/bin/true',
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
  processes: [{ pid: 0, bytes: 0, stats: '' }],
  other: new Map([['record_seconds', '1.5']]),
};

const folder = mkdtempSync(join(tmpdir(), 'revmap-trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

function saved(bytes: Uint8Array): string {
  const path = join(folder, `${Math.random()}.rvm`);
  writeFileSync(path, bytes);
  return path;
}

/** Everything a decoder says, in words. */
function told(decoder: BodyDecoder): string[] {
  const words: string[] = [];
  for (;;) {
    const kind = decoder.next();
    if (kind === EVENT_END) return words;
    if (kind === EVENT_ACCESSES) {
      for (let i = 0; i < decoder.count; i++) words.push(`${'frw'[decoder.kinds[i]!]} ${decoder.vpns[i]}`);
    } else if (kind === EVENT_TICK) words.push(`tick ${decoder.ticks}`);
    else if (kind === EVENT_SYSCALL) words.push(`call ${decoder.call.join(' ')}`);
    else if (kind === EVENT_PATH) words.push(`path ${decoder.text}`);
    else words.push(`text ${decoder.text}`);
  }
}

const place = { file: 'x.rvm', pid: 0, offset: 100 };

/** A body that is handed out piece by piece, as from a file. */
function inPieces(bytes: Uint8Array): BodySource {
  return {
    length: bytes.length,
    whole: null,
    read(at, into) {
      const n = Math.min(into.length, bytes.length - at, 100);
      into.set(bytes.subarray(at, at + n));
      return n;
    },
  };
}

/** A body with numbers of every length and events of every kind; the same seed gives the same body. */
function randomBody(seed: number, steps: number): { bytes: Uint8Array; words: string[] } {
  const writer = new BodyWriter();
  const words: string[] = [];
  let state = seed;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let i = 0; i < steps; i++) {
    const what = random(40);
    if (what === 0) {
      const n = random(2 ** 31) * 1000;
      writer.tick(n);
      words.push(`tick ${n}`);
    } else if (what === 1) {
      const args = [random(400), -random(4096), random(2 ** 31) * 2 ** 15, 0, -1, 2 ** 53, 7, -(2 ** 40)];
      writer.syscall(args[0]!, args.slice(1, 7), args[7]!);
      words.push(`call ${args.join(' ')}`);
    } else if (what === 2) {
      const text = 'ä'.repeat(random(500));
      writer.path(text);
      words.push(`path ${text}`);
    } else if (what === 3) {
      writer.note('öö');
      words.push('text öö');
    } else {
      const page = Math.floor(2 ** (random(3500) / 100));
      const kind = random(3);
      writer.access(page, kind);
      words.push(`${'frw'[kind]} ${page}`);
    }
  }
  return { bytes: writer.end(), words };
}

test('body: what is written is read, value for value', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { bytes, words } = randomBody(seed, 400);
    expect(told(new BodyDecoder(bodyOf(bytes), place)), `seed ${seed}`).toEqual(words);
  }
});

test('body: a window moving over it reads the same as all of it at once', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { bytes, words } = randomBody(seed, 3000);
    expect(told(new BodyDecoder(inPieces(bytes), place, 2048)), `seed ${seed}`).toEqual(words);
  }
});

test('body: events are found without decoding the accesses between them', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { bytes, words } = randomBody(seed, 3000);
    for (const source of [bodyOf(bytes), bodyOf(Uint8Array.of(1, 2, 3, ...bytes).subarray(3)), inPieces(bytes)]) {
      const decoder = new BodyDecoder(source, place, 2048);
      let events = 0;
      while (decoder.nextEvent() !== EVENT_END) events += 1;
      expect(events, `seed ${seed}`).toBe(words.filter((w) => !/^[frw] /.test(w)).length);
    }
  }
});

test('body: pages above 2**31 keep every bit', () => {
  const writer = new BodyWriter();
  const pages = [2 ** 35 - 1, 0, 2 ** 31 + 1, 2 ** 34 + 12345, 2 ** 34 + 12344];
  for (const page of pages) writer.access(page, 2);
  expect(told(new BodyDecoder(bodyOf(writer.end()), place))).toEqual(pages.map((page) => `w ${page}`));
});

for (const { why, bytes, want } of [
  { why: 'no end', bytes: [8], want: 'x.rvm: byte 101: the body ends without its end event' },
  { why: 'nothing at all', bytes: [], want: 'x.rvm: byte 100: the body ends without its end event' },
  { why: 'cut inside a number', bytes: [0x84], want: 'a number without its last byte' },
  { why: 'cut inside a system call', bytes: [19, 9, 1, 2], want: 'a number without its last byte' },
  {
    why: 'a number of eleven bytes',
    bytes: [...Array(10).fill(0x80), 0, 3],
    want: 'byte 100: a number of more than 10 bytes',
  },
  {
    why: 'the same inside the loop',
    bytes: [...Array(10).fill(0x80), 0, ...Array(40).fill(4), 3],
    want: 'a number of more than 10',
  },
  { why: 'a number of 65 bits', bytes: [19, ...Array(9).fill(0xff), 0x02], want: 'a number of more than 64 bits' },
  { why: 'an event that does not exist', bytes: [15], want: 'byte 100: event 3, which format 1 does not have' },
  { why: 'an event with a long code', bytes: [0x83, 0x01, 3], want: 'an event with a code of two bytes' },
  {
    why: 'the same inside the loop',
    bytes: [0x83, 0x01, ...Array(40).fill(4), 3],
    want: 'an event with a code of two bytes',
  },
  { why: 'a page below 0', bytes: [4, 3], want: 'page 0x1 below 0 is outside of user space' },
  { why: 'the same inside the loop', bytes: [4, ...Array(40).fill(0), 3], want: 'page 0x1 below 0' },
  {
    why: 'a page of the kernel',
    bytes: [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 3],
    want: 'page 0x8000000000 is outside',
  },
  {
    why: 'a path that is too long',
    bytes: [23, 0x81, 0x40, 3],
    want: 'byte 100: a text of 8193 bytes; 4096 is the most',
  },
  { why: 'a path over the end', bytes: [23, 9, 65, 3], want: 'a text of 9 bytes runs over the end' },
  { why: 'a tick of years', bytes: [7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 3], want: 'a tick of' },
  {
    why: 'something behind the end',
    bytes: [3, 4],
    want: 'byte 101: the process ends here, and 1 bytes of its body follow',
  },
]) {
  test(`body refused: ${why}`, () => {
    const body = Uint8Array.from(bytes);
    expect(() => told(new BodyDecoder(bodyOf(body), place))).toThrow(want);
    expect(() => told(new BodyDecoder(inPieces(body), place))).toThrow(want);
  });
}

test('body: no damage hangs or crashes the reader', () => {
  const { bytes } = randomBody(7, 300);
  for (let at = 0; at < bytes.length; at += 3) {
    for (const change of [0xff, 0x80, 0x01]) {
      const damaged = bytes.slice();
      damaged[at]! ^= change;
      try {
        told(new BodyDecoder(bodyOf(damaged), place));
      } catch (error) {
        expect((error as Error).name, String(error)).toBe('RecordingError');
      }
    }
  }
});

test('header: what is formatted is parsed', () => {
  expect(parseHeader(formatHeader(header), 'x')).toEqual(header);
});

const good = formatHeader(header);
for (const { why, text, want } of [
  {
    why: 'another file',
    text: 'hello\n',
    want: "x.rvm: line 1: not a recording: the first line is not 'revmap-recording 1'",
  },
  { why: 'a newer format', text: good.replace('recording 1', 'recording 3'), want: 'line 1: recording format 3' },
  { why: 'no end', text: good.replace('end\n', ''), want: "line 13: the header does not end with 'end'" },
  { why: 'another architecture', text: good.replace('x86_64', 'arm'), want: "line 5: architecture 'arm'" },
  { why: 'another page size', text: good.replace('4096', '16384'), want: 'line 6: pages of 16384 bytes' },
  { why: 'no page size', text: good.replace('pagesize 4096\n', ''), want: "line 13: no 'pagesize' line" },
  { why: 'a name twice', text: good.replace('name', 'name a\nname'), want: "line 3: a second 'name'" },
  { why: 'a half page', text: good.replace('400000', '400100'), want: 'line 11: ' },
  { why: 'an empty range', text: good.replace('402000', '400000'), want: 'line 11: ' },
  {
    why: 'maps out of order',
    text: good.replace('400000 402000', '7ffffffde000 7ffffffdf000'),
    want: 'line 12: maps overlap',
  },
  { why: 'an address of the kernel', text: good.replace('7ffffffde000', 'ffff7ffffffde000'), want: 'line 10: ' },
  { why: 'an address twice', text: good.replace('entry', 'start_stack'), want: "line 10: a second 'elf start_stack'" },
  { why: 'no process', text: good.replace(/process.*\n/, ''), want: "line 13: no 'process' line" },
  { why: 'only a child', text: good.replace('process 0', 'process 7'), want: "line 14: no 'process 0'" },
  { why: 'a process twice', text: good.replace(/(process.*\n)/, '$1$1'), want: 'line 14: a second process 0' },
  {
    why: 'a length that is no number',
    text: good.replace('bytes 0', 'bytes many'),
    want: "line 13: 'process PID bytes N' expected",
  },
  { why: 'a colour', text: good.replace('made up', 'made\x1b[31m'), want: 'line 2: control character' },
  { why: 'a long line', text: good.replace('made up', 'x'.repeat(20000)), want: 'line 2: longer than' },
]) {
  test(`header refused: ${why}`, () => {
    expect(() => parseHeader(text, 'x.rvm')).toThrow(want);
  });
}

test('file: packed or not, it is the same recording, and each process has its own body', async () => {
  const bodies = [randomBody(1, 500), randomBody(2, 700)];
  const processes = [0, 41].map((pid) => ({ pid, bytes: 0, stats: '' }));
  const plain = encodeRecording(
    { ...header, processes },
    bodies.map((b) => b.bytes),
  );
  for (const bytes of [plain, gzipSync(plain)]) {
    const recording = await openRecording(saved(bytes));
    expect(recording.header.processes.map((p) => p.pid)).toEqual([0, 41]);
    for (const [i, body] of bodies.entries()) expect(told(decoderOf(recording, i))).toEqual(body.words);
    closeRecording(recording);
  }
});

test('file refused: cut off or damaged, with the byte', async () => {
  const { bytes } = randomBody(3, 20000);
  const plain = encodeRecording(header, [bytes]);
  const packed = gzipSync(plain);
  const at = plain.length - bytes.length;
  const broken = packed.slice();
  broken.fill(0xaa, packed.length >> 1, (packed.length >> 1) + 20);
  for (const { why, file, want } of [
    { why: 'empty', file: new Uint8Array(0), want: 'is empty' },
    { why: 'one byte', file: Uint8Array.of(0x1f), want: 'line 1: not a recording' },
    { why: 'half a header', file: plain.slice(0, 50), want: "line 3: the header does not end with 'end'" },
    {
      why: 'half a body',
      file: plain.slice(0, at + 100),
      want: `byte ${at + 100}: the file was cut off: ${bytes.length - 100} of`,
    },
    {
      why: 'more than the bodies',
      file: Buffer.concat([plain, Buffer.from('x')]),
      want: `byte ${plain.length}: more bytes follow`,
    },
    { why: 'half a gzip file', file: packed.slice(0, packed.length >> 1), want: 'the gzip file was cut off' },
    { why: 'a damaged gzip file', file: broken, want: 'the gzip file is damaged' },
    { why: 'another gzip file', file: gzipSync('hello, this is no recording at all'), want: 'line 1: not a recording' },
    {
      why: 'a header without end',
      file: Buffer.concat([Buffer.from('revmap-recording 1\n'), Buffer.alloc(2 ** 21, 'a')]),
      want: "no line 'end'",
    },
  ]) {
    await expect(openRecording(saved(file)), why).rejects.toThrow(want);
  }
  await expect(openRecording(join(folder, 'none'))).rejects.toThrow('no such file');
  await expect(openRecording(folder)).rejects.toThrow('is a folder');
});

test('file: the bundled recordings are read to their ends', async () => {
  for (const { name, accesses, calls } of [
    { name: 'sqlite', accesses: 14111634, calls: 212 },
    { name: 'zipf', accesses: 685919, calls: 15 },
  ]) {
    const recording = await openRecording(join(import.meta.dirname, '../../examples', `${name}.rvm.gz`));
    const decoder = decoderOf(recording, 0);
    const seen = { accesses: 0, calls: 0 };
    for (let kind = decoder.next(); kind !== EVENT_END; kind = decoder.next()) {
      if (kind === EVENT_ACCESSES) seen.accesses += decoder.count;
      if (kind === EVENT_SYSCALL) seen.calls += 1;
      expect(kind === EVENT_TEXT).toBe(false);
    }
    expect({ name, ...seen }).toEqual({ name, accesses, calls });
  }
});
