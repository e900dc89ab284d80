/** Replays of what other tools recorded: programs that nobody described, buffers that nobody knows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openBytes } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { MACHINE_DEFAULTS } from './options.ts';
import { Replay } from './replay.ts';
import { buildMachine } from './run.ts';

const samples = join(import.meta.dirname, '../../test/inputs');

async function replayOf(input: string | Uint8Array, limitBytes: number | null = null): Promise<Replay> {
  const recording = await openBytes(Buffer.from(input), 'x');
  const { machine, memcg } = buildMachine({ ...MACHINE_DEFAULTS, ramBytes: 2 ** 26, limitBytes });
  const replay = new Replay(machine, memcg, recording, surveyRecording(recording));
  replay.run();
  expect([...machine.verify()]).toEqual([]);
  return replay;
}

test('lackey without a layout: the memory is the cgroup’s, and its limit holds', async () => {
  const stores = Array.from({ length: 300 }, (_, i) => ` S ${(0x4800000 + 4096 * i).toString(16)},1`).join('\n');
  const text = `SYSCALL[7,1](9) sys_mmap ( 0x0, 2097152, 3, 34, -1, 0 ) --> [pre-success] Success(0x4800000) \n${stores}\n${stores}\n`;
  const free = await replayOf(text);
  expect(free.memcg.memory.watermark).toBeGreaterThan(300);
  expect(free.memcg.memory.watermark).toBeLessThan(330);
  const limited = await replayOf(text, 200 * 4096);
  expect(limited.memcg.memory.watermark).toBe(200);
  expect(limited.unseenPages).toBe(0);
});

test('real logs: every call has the result that it had', async () => {
  for (const name of ['lackey.txt', 'lackey-d.txt', 'strace-f.txt', 'strace-y-tt-T.txt', 'strace-terminal-r.txt']) {
    const replay = await replayOf(readFileSync(join(samples, name)));
    expect(replay.differences, name).toEqual([]);
    expect([replay.processCount, replay.syscalls, replay.unstarted], name).toEqual([2, 15, 0]);
  }
});

test('a cache trace: each page is read once, in the order of its first use, and nothing else is in memory', async () => {
  const ids = Array.from({ length: 400 }, (_, i) => (i * 7) % 100).join('\n');
  const pages = (await replayOf(ids)).memcg.memory.usage;
  expect(pages).toBeGreaterThanOrEqual(100);
  expect(pages).toBeLessThan(140);
});

test('strace: a read moves the file on, a positioned one does not, and both bring pages in', async () => {
  const lines = [
    '7 execve("/bin/a", ["a"], 0x1 /* 1 var */) = 0',
    '7 openat(AT_FDCWD, "/data/x", O_RDONLY) = 3',
    '7 read(3, ""..., 8192) = 8192',
    '7 pread64(3, ""..., 4096, 40960) = 4096',
    '7 read(3, ""..., 8192) = 8192',
    '7 lseek(3, 0, SEEK_CUR) = 16384',
    '7 brk(NULL) = 0x55000000',
    '7 brk(0x55021000) = 0x55021000',
  ];
  const replay = await replayOf(`${lines.join('\n')}\n`);
  expect(replay.differences).toEqual([]);
});

test('strace: a pipe that took the place of a file is not written to it', async () => {
  const write = '7 write(3, ""..., 4096) = 4096';
  const log = (between: string) =>
    `7 open("/data/x", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 3\n${write}\n${between}\n${write}\n7 dup(3) = 6\n`;
  const sizeAfter = async (between: string) => {
    const { system } = await replayOf(log(between));
    return system.paths.get('/data/x')!.size;
  };
  expect(await sizeAfter('7 close(9) = -1 EBADF (Bad file descriptor)')).toBe(8192);
  expect(await sizeAfter('7 dup2(5, 3) = 3')).toBe(4096);
  expect(await sizeAfter('7 dup3(5, 3, O_CLOEXEC) = 3')).toBe(4096);
});
