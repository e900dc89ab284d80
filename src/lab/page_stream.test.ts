/** Which accesses are to the same page. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { KIND_READ, KIND_WRITE } from '../trace/decode.ts';
import { BodyWriter, encodeRecording } from '../trace/encode.ts';
import type { RecordingHeader } from '../trace/recording.ts';
import { openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { pageStream } from './page_stream.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-stream-'));
afterAll(() => rmSync(folder, { recursive: true }));

const header: RecordingHeader = {
  name: 'made',
  command: '/bin/made',
  recorder: 'a test',
  window: 0,
  elf: new Map(),
  maps: [],
  processes: [],
  other: new Map(),
};
const AT = 0x7ffff7000;
const PAGE = 4096;
const ANONYMOUS = 0x22;
const SHARED = 1;
const PRIVATE = 2;

function mmap(w: BodyWriter, page: number, pages: number, flags: number, fd = -1): void {
  w.syscall(9, [0, pages * PAGE, 3, flags, fd, 0], page * PAGE);
}

/** Makes the recording and gives its stream: `id`, with `w` behind it for a store, and the kinds of the ids. */
async function streamed(bodies: Record<number, (w: BodyWriter) => void>) {
  const path = join(folder, `${Math.random()}.rvm`);
  const processes = Object.keys(bodies).map((pid) => ({ pid: Number(pid), bytes: 0, stats: '' }));
  const written = Object.values(bodies).map((body) => {
    const w = new BodyWriter();
    body(w);
    return w.end();
  });
  writeFileSync(path, encodeRecording({ ...header, processes }, written));
  const recording = await openRecording(path);
  const stream = pageStream(recording, surveyRecording(recording));
  const words: string[] = [];
  stream.forEach((ids, writes, count) => {
    for (let i = 0; i < count; i++) words.push(`${ids[i]}${writes[i] === 1 ? 'w' : ''}`);
  });
  expect(stream.accesses).toBe(words.length);
  return {
    words: words.join(' '),
    kinds: Array.from({ length: stream.pages }, (_, id) => stream.kindOf(id)).join(' '),
  };
}

function open(w: BodyWriter, fd: number, path: string): void {
  w.path(path);
  w.syscall(257, [-100, 0x1000, 0o102, 0], fd);
}

for (const { why, body, words, kinds } of [
  {
    why: 'memory that was never written is the zero page',
    body: (w: BodyWriter) => {
      mmap(w, AT, 2, ANONYMOUS);
      w.access(AT, KIND_READ);
      w.access(AT + 1, KIND_READ);
      w.access(AT, KIND_WRITE);
      w.access(AT, KIND_READ);
    },
    words: '0 0 1w 1',
    kinds: 'anon anon',
  },
  {
    why: 'what was unmapped comes back as another page, what was moved stays the same',
    body: (w: BodyWriter) => {
      mmap(w, AT, 1, ANONYMOUS);
      w.access(AT, KIND_WRITE);
      w.syscall(25, [AT * PAGE, PAGE, PAGE, 3, (AT + 100) * PAGE], (AT + 100) * PAGE);
      w.access(AT + 100, KIND_WRITE);
      w.syscall(11, [(AT + 100) * PAGE, PAGE], 0);
      mmap(w, AT + 100, 1, ANONYMOUS);
      w.access(AT + 100, KIND_WRITE);
    },
    words: '0w 0w 1w',
    kinds: 'anon anon',
  },
  {
    why: 'a page given back with MADV_DONTNEED is gone',
    body: (w: BodyWriter) => {
      mmap(w, AT, 1, ANONYMOUS);
      w.access(AT, KIND_WRITE);
      w.syscall(28, [AT * PAGE, PAGE, 4], 0);
      w.access(AT, KIND_WRITE);
    },
    words: '0w 1w',
    kinds: 'anon anon',
  },
  {
    why: "read(2), a shared and a private mapping meet a file's page; a store makes a private one",
    body: (w: BodyWriter) => {
      open(w, 3, '/data/x');
      w.syscall(19, [3, 0, 1], 2 * PAGE);
      mmap(w, AT, 2, SHARED, 3);
      w.access(AT + 1, KIND_WRITE);
      mmap(w, AT + 100, 2, PRIVATE, 3);
      w.access(AT + 100, KIND_READ);
      w.access(AT + 101, KIND_WRITE);
      w.access(AT + 101, KIND_READ);
    },
    words: '0 1 1w 0 2w 2',
    kinds: 'file file anon',
  },
  {
    why: 'a call touches the pages of its buffer, behind those of the file',
    body: (w: BodyWriter) => {
      open(w, 3, '/data/x');
      mmap(w, AT, 2, ANONYMOUS);
      w.syscall(17, [3, AT * PAGE + 100, PAGE, 2 * PAGE], PAGE);
      w.access(AT + 1, KIND_READ);
    },
    words: '0 1w 2w 2',
    kinds: 'file anon anon',
  },
  {
    why: 'shared memory',
    body: (w: BodyWriter) => {
      open(w, 3, '/dev/shm/x');
      w.syscall(20, [3, 0, 1], PAGE);
      mmap(w, AT, 1, SHARED, 3);
      w.access(AT, KIND_READ);
    },
    words: '0w 0',
    kinds: 'shmem',
  },
]) {
  test(`pages: ${why}`, async () => expect(await streamed({ 0: body })).toEqual({ words, kinds }));
}

test('pages: a child shares what was there, until one of them writes', async () => {
  const parent = (w: BodyWriter) => {
    mmap(w, AT, 2, ANONYMOUS);
    w.access(AT, KIND_WRITE);
    w.access(AT + 1, KIND_WRITE);
    w.syscall(57, [], 7);
    w.syscall(61, [7, 0, 0, 0], 7);
    w.access(AT, KIND_WRITE);
    w.access(AT + 1, KIND_READ);
  };
  const child = (w: BodyWriter) => {
    w.access(AT, KIND_READ);
    w.access(AT, KIND_WRITE);
    w.access(AT + 1, KIND_READ);
  };
  expect(await streamed({ 0: parent, 7: child })).toMatchObject({ words: '0w 1w 0 2w 1 0w 1' });
});

test('pages: a second and third look bring the same, and every access of the recording is in it', async () => {
  const recording = await openRecording(join(import.meta.dirname, '../../examples/zipf.rvm.gz'));
  const stream = pageStream(recording, surveyRecording(recording));
  const sum = () => {
    let [accesses, total, writes, top] = [0, 0, 0, 0];
    stream.forEach((ids, stores, count) => {
      for (let i = 0; i < count; i++) {
        total += ids[i]! * ((accesses + i) % 977);
        writes += stores[i]!;
        top = Math.max(top, ids[i]!);
      }
      accesses += count;
    });
    return { accesses, total, writes, pages: top + 1 };
  };
  const first = sum();
  expect(first).toEqual(sum());
  expect(first).toMatchObject({ accesses: 685919, pages: stream.pages });
});
