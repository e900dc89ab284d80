/** Format 2: written in chunks, read in order, held to its checksums. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import {
  EVENT_ACCESSES,
  EVENT_END,
  EVENT_FILE,
  EVENT_IMAGE,
  EVENT_SYSCALL,
  FILE_IN_MEMORY,
  type FILE_ON_DISK,
} from './decode.ts';
import { hex8 } from './header_fields.ts';
import { OrderedReader } from './order.ts';
import { formatHeader, parseHeader } from './recording.ts';
import { closeRecording, decoderFrom, decoderOf, openRecording, type Recording } from './source.ts';
import { surveyRecording } from './survey.ts';
import { type RecordingFacts, RecordingWriter, ThreadWriter } from './write.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-format2-'));
afterAll(() => rmSync(folder, { recursive: true }));

const facts: RecordingFacts = {
  name: 'made up',
  command: '/bin/true',
  recorder: 'a test',
  window: 8,
  elf: new Map([['entry', 0x401000]]),
  maps: [
    {
      start: 0x400000,
      end: 0x402000,
      read: true,
      write: false,
      execute: true,
      file: { path: '/bin/a name', device: '8:1', inode: 77, offset: 0x3000, bytes: 21001 },
    },
    { start: 0x7ffffffdd000, end: 0x7ffffffff000, read: true, write: true, execute: false },
  ],
  other: new Map([['record_seconds', '1.5']]),
  laterImages: [{ command: '/bin/sort -n', elf: new Map([['entry', 0x501000]]), maps: [] }],
  cutShort: 'SIGINT',
  unseen: ['the vdso: reading the clock is not seen', 'something else'],
  parentOf: () => 0,
  statsOf: (pid) => `raw=${pid}`,
};

/** Two threads of the first process and a child, in time: 0:a 41:b 0:c 7:d 41:e 0:f. */
function writeThree(path: string): number {
  const writer = new RecordingWriter(path);
  const [root, second, child] = [
    [0, 0, 10],
    [0, 41, 20],
    [7, 7, 40],
  ].map(([pid, tid, clock]) => new ThreadWriter(writer, pid!, tid!, clock!)) as [
    ThreadWriter,
    ThreadWriter,
    ThreadWriter,
  ];
  root.body.access(0xa, 1);
  second.body.access(0xb, 1);
  root.body.clock(20);
  root.body.access(0xc, 2);
  root.body.syscall(57, [], 7);
  child.body.access(0xd, 0);
  child.body.image(1);
  second.cut(50);
  second.body.access(0xe, 1);
  second.body.path('/tmp/x');
  second.body.file({ kind: FILE_IN_MEMORY, device: 0x801, inode: 5, bytes: 12345 });
  second.body.syscall(257, [-100, 0, 0], 3);
  root.body.clock(30);
  root.body.access(0xf, 1);
  for (const thread of [child, root, second]) thread.end();
  return writer.finish(facts);
}

const path = join(folder, 'three.rvm.gz');
writeThree(path);

/** Thread and page of every access, and the calls. */
function inOrder(recording: Recording): string[] {
  const reader = new OrderedReader(recording);
  const words: string[] = [];
  for (let event = reader.next(); event !== null; event = reader.next()) {
    const { decoder, body } = reader;
    for (let i = 0; i < decoder.count; i++) words.push(`${body}:${decoder.vpns[i]!.toString(16)}`);
    if (event === EVENT_SYSCALL) words.push(`${body}:call ${decoder.call[0]}`);
    if (event === EVENT_FILE) words.push(`${body}:file ${Object.values(decoder.file).join(' ')}`);
    if (event === EVENT_IMAGE) words.push(`${body}:image ${decoder.image}`);
    if (event === EVENT_END) words.push(`${body}:end`);
  }
  return words;
}

test('format 2: what is written is read, and nothing is left beside it', async () => {
  const recording = await openRecording(path);
  const { ordered, ...header } = recording.header;
  expect(header.processes.map(({ pid, stats }) => ({ pid, stats }))).toEqual([
    { pid: 0, stats: 'raw=0' },
    { pid: 7, stats: 'raw=7' },
  ]);
  expect({ elf: header.elf, maps: header.maps }).toEqual({ elf: facts.elf, maps: facts.maps });
  expect(ordered?.images.map((i) => i.command)).toEqual(['/bin/true', '/bin/sort -n']);
  expect(ordered?.parents).toEqual([-1, 0]);
  expect(ordered?.threads.map(({ process, tid }) => [process, tid])).toEqual([
    [0, 0],
    [0, 41],
    [1, 7],
  ]);
  expect([ordered?.cutShort, ordered?.unseen]).toEqual([facts.cutShort, facts.unseen]);
  expect(parseHeader(formatHeader(recording.header), 'x')).toEqual(recording.header);
  expect(readdirSync(folder)).toEqual(['three.rvm.gz']);
  closeRecording(recording);
});

test('format 2: threads and processes come in the order in which they ran', async () => {
  const recording = await openRecording(path);
  const want = '0:a 1:b 0:c 0:call_57 2:d 2:image_1 2:end 1:e 1:file_1_2049_5_12345 1:call_257 1:end 0:f 0:end';
  expect(inOrder(recording).map((word) => word.replaceAll(' ', '_'))).toEqual(want.split(' '));
  closeRecording(recording);
});

test('format 2: a body can be read from any of its chunks on, and their places in the packed file are known', async () => {
  const recording = await openRecording(path);
  const decoder = decoderFrom(recording, 1, 1);
  decoder.next();
  expect(decoder.clock).toBe(50);
  expect(decoder.next()).toBe(EVENT_ACCESSES);
  expect(decoder.vpns[0]).toBe(0xe);
  const file = readFileSync(path);
  const { chunks } = recording.header.ordered!;
  let end = file.length;
  for (const chunk of [...chunks].reverse()) {
    const member = gunzipSync(file.subarray(end - chunk.packedBytes, end));
    expect([member.length, crc32(member)]).toEqual([chunk.bytes, chunk.crc32]);
    end -= chunk.packedBytes;
  }
  expect(gunzipSync(file.subarray(0, end)).toString()).toBe(formatHeader(recording.header));
  closeRecording(recording);
});

test('survey of format 2: a file is as long as it was when it was opened; a child has a parent', async () => {
  const recording = await openRecording(path);
  const survey = surveyRecording(recording);
  expect(survey.files).toEqual([{ path: '/tmp/x', kind: 'tmpfs', bytes: 12345 }]);
  expect(survey.parents).toEqual([-1, 0]);
  expect(survey.syscalls).toBe(2);
  closeRecording(recording);
});

test('format 1 in order: one body behind the other', async () => {
  const recording = await openRecording(join(import.meta.dirname, '../../examples/zipf.rvm.gz'));
  const reader = new OrderedReader(recording);
  let accesses = 0;
  while (reader.next() !== null) accesses += reader.decoder.count;
  expect(accesses).toBe(685919);
});

test('chunks: a long body is cut, whatever its order with others', async () => {
  const long = join(folder, 'long.rvm.gz');
  const writer = new RecordingWriter(long);
  const threads = [0, 1].map((tid) => new ThreadWriter(writer, 0, tid, tid + 1));
  for (let i = 0; i < 400_000; i++) {
    threads[i & 1]!.body.access((i * 7919) % 2 ** 30, i % 3);
    if (i % 1000 >= 998) threads[i & 1]!.at(i + 10);
  }
  for (const thread of threads) thread.end();
  writer.finish({ ...facts, cutShort: '' });
  const recording = await openRecording(long);
  const { ordered } = recording.header;
  expect(ordered!.chunks.length).toBeGreaterThan(6);
  for (const tid of [0, 1]) {
    const decoder = decoderOf(recording, tid);
    let i = tid;
    for (let event = decoder.next(); event !== EVENT_END; event = decoder.next()) {
      for (let n = 0; n < decoder.count; n++, i += 2) {
        if (decoder.vpns[n] !== (i * 7919) % 2 ** 30 || decoder.kinds[n] !== i % 3) expect.fail(`access ${i}`);
      }
    }
    expect(i).toBe(400_000 + tid);
  }
  closeRecording(recording);
  rmSync(long);
});

test('a recording that is given up leaves nothing, and the old file as it was', () => {
  const kept = join(folder, 'kept.rvm.gz');
  writeFileSync(kept, 'old');
  const writer = new RecordingWriter(kept);
  new ThreadWriter(writer, 0, 0, 1).end();
  writer.abandon();
  expect(readdirSync(folder)).toEqual(['kept.rvm.gz', 'three.rvm.gz']);
  expect(readFileSync(kept, 'utf8')).toBe('old');
  rmSync(kept);
});

const plain = gunzipSync(readFileSync(path));
const headerBytes = plain.indexOf('\nend\n') + 5;
const text = plain.toString('utf8', 0, headerBytes);

/** The header with a line changed, and a checksum that is right again. */
function changed(from: string | RegExp, to: string): string {
  const body = text.replace(from, to).replace(/crc32 [0-9a-f]{8}\nend\n$/, '');
  return `${body}crc32 ${hex8(crc32(body))}\nend\n`;
}

for (const { why, header, want } of [
  {
    why: 'a bit of the header',
    header: text.replace('made up', 'made uq'),
    want: 'the header is damaged: its checksum',
  },
  { why: 'no checksum', header: text.replace(/crc32 .*\n/, ''), want: "no 'crc32' line right before 'end'" },
  { why: 'half a page of a file', header: changed(' 3000 8:1', ' 3001 8:1'), want: 'not a whole page' },
  { why: 'a file of 2**60 bytes', header: changed('77 21001', '77 1152921504606846976'), want: "'map START END rwx'" },
  { why: 'programs out of order', header: changed('image 1', 'image 2'), want: "'image 1 COMMAND' expected" },
  { why: 'a parent that is not there', header: changed('parent 7 0', 'parent 7 8'), want: "'parent PID PID' expected" },
  { why: 'a child before its parent', header: changed('parent 7 0', 'parent 0 7'), want: 'stands before its parent' },
  { why: 'a thread of nobody', header: changed('thread 7 7', 'thread 8 7'), want: "'thread PID TID' expected" },
  { why: 'a thread twice', header: changed('thread 0 41', 'thread 0 0'), want: 'process 0 has thread 0 twice' },
  { why: 'no first thread', header: changed('thread 7 7', 'thread 7 9'), want: 'process 7 has no thread 7' },
  { why: 'a chunk of nobody', header: changed('chunk 2', 'chunk 3'), want: "'chunk THREAD BYTES" },
  { why: 'a clock that stands', header: changed(/(chunk 1 .*\n)/, '$1$1'), want: 'does not go forward' },
  { why: 'a chunk less', header: changed(/chunk 1 .*\n/, ''), want: 'the chunks of process 0 have' },
  { why: 'more accesses than bytes', header: changed(/(chunk 1 \d+ \d+ \d+) \d+/, '$1 99999'), want: '99999 accesses' },
  {
    why: 'a chunk of 100 MB',
    header: changed(/chunk 1 \d+/, 'chunk 1 100000000'),
    want: 'a chunk of 100000000 bytes; 16777216 is the most',
  },
]) {
  test(`format 2 refused: ${why}`, () => {
    expect(() => parseHeader(header, 'x.rvm')).toThrow(want);
  });
}

test('format 2 refused: any byte of a body that changed, with its chunk; a file that was cut off', async () => {
  const bad = join(folder, 'bad.rvm');
  for (let at = headerBytes; at < plain.length; at += 3) {
    const damaged = Buffer.from(plain);
    damaged[at]! ^= 4;
    writeFileSync(bad, at % 2 === 0 ? damaged : gzipSync(damaged));
    await expect(openRecording(bad), `byte ${at}`).rejects.toThrow(/bad\.rvm: byte \d+: chunk \d \(process \d, thread/);
  }
  writeFileSync(bad, plain.subarray(0, plain.length - 5));
  await expect(openRecording(bad)).rejects.toThrow('the file was cut off: 5 of');
  const packed = readFileSync(path);
  writeFileSync(bad, packed.subarray(0, packed.length - 30));
  await expect(openRecording(bad)).rejects.toThrow('cut off');
  rmSync(bad);
});

test('format 2 refused: events that cannot be', async () => {
  for (const { why, spoil, want } of [
    { why: 'a program that the header does not have', spoil: (w: ThreadWriter) => w.body.image(2), want: 'program 2' },
    {
      why: 'a file of an unknown kind',
      spoil: (w: ThreadWriter) => w.body.file({ kind: 3 as typeof FILE_ON_DISK, device: 0, inode: 0, bytes: 0 }),
      want: 'a file of kind 3',
    },
    { why: 'a clock of years', spoil: (w: ThreadWriter) => w.body.clock(2 ** 49), want: 'a clock of' },
  ]) {
    const file = join(folder, 'events.rvm.gz');
    const writer = new RecordingWriter(file);
    const thread = new ThreadWriter(writer, 0, 0, 5);
    spoil(thread);
    thread.end();
    writer.finish(facts);
    const recording = await openRecording(file);
    expect(() => surveyRecording(recording), why).toThrow(want);
    closeRecording(recording);
    rmSync(file);
  }
});
