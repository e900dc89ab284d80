import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { encodeSnapshot } from '../host/file/snapshot_file.ts';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { stateHash } from '../mm/snapshot.ts';
import { MACHINE_CHOICE } from './choice.ts';
import { chosen } from './chosen.ts';
import { nowOf } from './now.ts';
import { begin, open, unpacked } from './open.ts';
import { resolve } from './selection.ts';
import { Session } from './session.ts';

const root = join(import.meta.dirname, '..', '..');
const zipf = readFileSync(join(root, 'examples', 'zipf.rvm.gz'));
const bytesOf = (text: string) => new TextEncoder().encode(text);
const PROGRAM = `%mmp 1
1 mmap(0x100000000000, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 8192, 1)

1 fork() = 7
`;

describe('open: what it is taken for', () => {
  for (const { why, name, bytes, kind } of [
    { why: 'a packed recording', name: 'zipf.rvm.gz', bytes: zipf, kind: 'recording' },
    { why: 'the same unpacked', name: 'zipf.rvm', bytes: gunzipSync(zipf), kind: 'recording' },
    { why: 'a program', name: 'a.mmp', bytes: bytesOf(PROGRAM), kind: 'program' },
    { why: 'a packed program', name: 'a.mmp.gz', bytes: gzipSync(PROGRAM), kind: 'program' },
    {
      why: 'a program under another name',
      name: 'notes.txt',
      bytes: bytesOf(`# of ours\n${PROGRAM}`),
      kind: 'program',
    },
  ]) {
    test(why, async () => expect((await open({ name, bytes })).kind).toBe(kind));
  }

  for (const { why, name, bytes, want } of [
    { why: 'nothing', name: 'x', bytes: new Uint8Array(0), want: /^x: is empty$/ },
    { why: 'an image', name: 'x.png', bytes: Uint8Array.of(0x89, 0x50, 0x4e, 0x47), want: /^x\.png: is none of what/ },
    {
      why: 'a cut recording',
      name: 'z',
      bytes: gunzipSync(zipf).subarray(0, 90_000),
      want: /^z: byte 90000: the file was cut off/,
    },
    { why: 'a cut packed file', name: 'z', bytes: zipf.subarray(0, 9000), want: /^z/ },
    {
      why: 'gzip that is none',
      name: 'z',
      bytes: Uint8Array.of(0x1f, 0x8b, 7, 7, 7, 7),
      want: /^z: the packed file is damaged/,
    },
    {
      why: 'bytes behind the end of a packed file',
      name: 'z',
      bytes: Buffer.concat([zipf, Buffer.from('more')]),
      want: /^z/,
    },
  ]) {
    test(`${why} is refused by name`, async () => {
      await expect(open({ name, bytes: Uint8Array.from(bytes) })).rejects.toThrow(want);
    });
  }

  test('a file that was packed piece by piece is one file', () => {
    const parts = ['one, ', 'two, ', 'three'].map((text) => gzipSync(text));
    expect(new TextDecoder().decode(unpacked(Buffer.concat(parts), 'x'))).toBe('one, two, three');
  });

  const TOO_LARGE = 2 ** 46;
  for (const { name, bytes, choice } of [
    { name: 'ram', bytes: zipf, choice: { ramBytes: TOO_LARGE } },
    { name: 'swap', bytes: zipf, choice: { swapBytes: TOO_LARGE } },
    { name: 'limit', bytes: zipf, choice: { kernel: '2.4.19', limitBytes: TOO_LARGE } },
    { name: 'memory', bytes: bytesOf(PROGRAM), choice: { programRamBytes: TOO_LARGE } },
  ]) {
    test(`more memory than a page can hold the frames of is refused in words: ${name}`, async () => {
      const opened = await open({ name: 'x.mmp', bytes });
      expect(() => begin(opened, { ...MACHINE_CHOICE, ...choice })).toThrow(
        `${name}: 65536.0 GiB cannot be had here: 64.0 GiB is the most`,
      );
    });
  }

  test('a program is refused at its line, when a machine is made for it', async () => {
    const opened = await open({ name: 'a.mmp', bytes: bytesOf('%mmp 1\n1 mmap(') });
    expect(() => begin(opened, MACHINE_CHOICE)).toThrow(/^a\.mmp:2: /);
  });
});

describe('a session', () => {
  test('a program goes forward and back, line by line', async () => {
    const session = new Session();
    const facts = await session.open({ name: 'a.mmp', bytes: bytesOf(PROGRAM) }, MACHINE_CHOICE);
    expect(facts).toMatchObject({ kind: 'program', name: 'a.mmp', kernel: '6.18' });
    expect(session.now()).toMatchObject({ step: 0, length: 3, line: 2 });
    expect(session.seek(2)).toMatchObject({ step: 2, line: 5, minorFaults: 2 });
    expect(session.seek(3)).toMatchObject({ step: 3, line: null });
    expect(session.seek(1)).toMatchObject({ step: 1, line: 3, minorFaults: 0 });
  });

  test('a recording that is killed at once says so', async () => {
    const session = new Session();
    await session.open({ name: 'zipf', bytes: zipf }, { ...MACHINE_CHOICE, limitBytes: 4096 });
    expect(session.seek(Number.POSITIVE_INFINITY)).toMatchObject({ step: 0, ended: true, killed: true });
    await session.open({ name: 'zipf', bytes: zipf }, MACHINE_CHOICE);
    expect(session.seek(100)).toMatchObject({ ended: false, killed: false });
  });

  test('a program that takes more than there is was killed, and before that was not', async () => {
    const program = PROGRAM.replaceAll('8192', String(15 * 2 ** 20));
    const session = new Session();
    await session.open(
      { name: 'a.mmp', bytes: bytesOf(program) },
      { ...MACHINE_CHOICE, programRamBytes: 16 * 2 ** 20 },
    );
    expect([1, 2, 1].map((step) => session.seek(step).killed)).toEqual([false, true, false]);
  });

  test('what cannot be opened leaves what was open', async () => {
    const session = new Session();
    await session.open({ name: 'a.mmp', bytes: bytesOf(PROGRAM) }, MACHINE_CHOICE);
    await expect(session.open({ name: 'x', bytes: Uint8Array.of(1, 2) }, MACHINE_CHOICE)).rejects.toThrow(/^x: /);
    await expect(session.open({ name: 'b.mmp', bytes: bytesOf('%mmp 2') }, MACHINE_CHOICE)).rejects.toThrow(
      /^b.mmp:1: /,
    );
    expect(session.facts().name).toBe('a.mmp');
  });

  test('it may have nothing open, and says so', () => {
    expect(() => new Session().now()).toThrow('nothing is open');
  });

  test('the two names of a page follow each other, in a machine and in its snapshot', async () => {
    const opened = await open({ name: 'a.mmp', bytes: bytesOf(PROGRAM) });
    const subject = begin(opened, MACHINE_CHOICE);
    if (subject.kind !== 'machine') throw new Error('a program runs');
    subject.timeline.seek(3);
    const before = stateHash(subject.machine);
    const address = 0x100000001000;
    const chosen7 = resolve(subject, { by: 'page', pfn: null, pid: 7, address });
    expect(chosen7.pfn).not.toBeNull();
    expect(resolve(subject, { by: 'frame', pfn: chosen7.pfn, pid: 7, address: null })).toMatchObject({
      pid: 1,
      address,
    });
    expect(resolve(subject, { by: 'frame', pfn: chosen7.pfn, pid: 7, address })).toMatchObject({ pid: 7, address });
    expect(resolve(subject, { by: 'page', pfn: 5, pid: 8, address })).toMatchObject({ pfn: null });
    expect(chosen(subject, chosen7)).toMatchObject({
      frame: { pfn: chosen7.pfn, mapcount: 2, list: 'inactive_anon', kind: 'swappable' },
      place: { pid: 7, region: { start: 0x100000000000, perms: 'rw-p' }, entry: 'present, read-only, old, dirty' },
    });
    expect(chosen(subject, { ...chosen7, address: address + 8192 }).place?.entry).toBe('nothing is mapped there');
    expect(chosen(subject, { ...chosen7, pid: 9 })).toMatchObject({ pid: 9, place: null });
    expect(stateHash(subject.machine)).toBe(before);

    const pieces = encodeSnapshot(snapshotOfMachine(subject.machine));
    const host = begin(await open({ name: 'host', bytes: Buffer.concat(pieces) }), MACHINE_CHOICE);
    expect(nowOf(host).frames).toBe(subject.machine.frames.frames);
    const [first] = subject.machine.tasks;
    expect(resolve(host, { by: 'page', pfn: null, pid: first!.pid, address }).pfn).toBe(chosen7.pfn);
    expect(resolve(host, { by: 'frame', pfn: chosen7.pfn, pid: null, address: null })).toMatchObject({ address });
    const session = new Session();
    await session.open({ name: 'host', bytes: Buffer.concat(pieces) }, MACHINE_CHOICE);
    expect(chosen(host, { ...chosen7, pid: first!.pid })).toMatchObject({
      frame: { pfn: chosen7.pfn, mapcount: 2, refcount: null, kind: 'swappable' },
      place: { pid: first!.pid, region: { perms: 'rw-p' }, entry: 'a frame is mapped there' },
    });
    expect(() => session.seek(1)).toThrow('a snapshot is one moment');
  });
});
