import { afterEach, expect, test, vi } from 'vitest';
import { parseMmp } from '../../syscalls/mmp.ts';
import { System } from '../../syscalls/system.ts';
import { checkLine, checkProgram, generationOf } from './check.ts';
import { parseRecording, recordingText } from './recording.ts';
import { runMmp } from './run_mmp.ts';

afterEach(() => void vi.restoreAllMocks());

const PROGRAM = `%mmp 1
%file A 2 disk cached
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 memfd_create("m", 0) = 5
1 store(0x100000000000, 8192)
1 fork() = 2
2 store(0x100000000000)
2 munmap(0x100000000000, 4096)
1 mincore(0x100000000000, 0x100000000000, 0)
`;

function recordingOf(text: string): string {
  return recordingText(runMmp(parseMmp(text, 'p.mmp'), '6.18').recording);
}

test('a program that does what the recording says is equal, all calls counted', () => {
  const result = checkProgram(PROGRAM, recordingOf(PROGRAM), '6.18');
  expect(result).toMatchObject({ equal: true, first: null, picture: '', calls: 7, callsBefore: 7, kernel: '6.18' });
  expect(checkLine(result)).toMatch(/^program\.mmp on 6\.18: equal \(7 calls, \d{3} fields\)$/);
});

test('a bug of the engine is a difference at the call that met it, unless one came before', () => {
  const recording = recordingOf(PROGRAM);
  vi.spyOn(System.prototype, 'munmap').mockImplementation(() => {
    throw new Error('broken promise: a frame is unmapped only while it is mapped (at 7)');
  });
  const result = checkProgram(PROGRAM, recording, '6.18');
  expect(result).toMatchObject({ equal: false, calls: 7, callsBefore: 5 });
  expect(result.first).toEqual({
    op: 6,
    call: '2 munmap(0x100000000000, 4096)',
    where: 'call',
    field: 'engine',
    kernel: 'op 6',
    engine: 'broken promise: a frame is unmapped only while it is mapped (at 7)',
  });
  expect(result.picture).toMatch(/^> {5}6 {2}2 munmap/m);
  expect(result.picture).toMatch(/^the engine broke off: broken promise/m);
  expect(checkLine(result)).toBe('program.mmp on 6.18: differs at call 6 of 7: call, engine');
  const other = recording.replace('"ret":2,"minflt":2', '"ret":2,"minflt":3');
  expect(checkProgram(PROGRAM, other, '6.18').first).toMatchObject({ op: 3, field: 'minflt', kernel: '3' });
});

test('a program that is wrong is the user’s to mend, not a difference', () => {
  const wrong = '%mmp 1\n0 munmap(0, 4096)\n';
  expect(() => checkProgram(wrong, recordingOf(PROGRAM), '6.18')).toThrow(
    'program.mmp:2: process 0 has no call munmap',
  );
});

test('a recording says with its kernel which generation is held to it', () => {
  const of = (kernel: string): string =>
    generationOf(parseRecording(`{"rec":1,"kernel":"${kernel}"}`, 'x.rec'), 'x.rec');
  expect([of('6.18.44'), of('6.18'), of('6.1.192')]).toEqual(['6.18', '6.18', '6.1']);
  expect(() => of('5.10.3')).toThrow('x.rec:1: recorded on Linux 5.10.3, and the engine has 6.18, 6.1');
  expect(() => of('6.17.1')).toThrow('recorded on Linux 6.17.1');
});

test("the engine's recording is one as a kernel's", () => {
  const lines = recordingOf(PROGRAM).split('\n');
  expect(lines[0]).toBe(
    '{"rec":1,"program":"p.mmp","kernel":"6.18","arch":"x86_64","page":4096,"arena":["0x100000000000","0x200000000000"],"uid":0}',
  );
  // A memfd is listed by its plain name; what did not change is written "=".
  expect(lines[3]).toBe('{"op":2,"proc":1,"call":"1 memfd_create(\\"m\\", 0) = 5","ret":5,"minflt":0,"majflt":0}');
  expect(lines[4]).toBe(
    '{"snap":2,"procs":{"1":"="},"files":{"A":{"size":8192,"cache":"cc"},"m":{"size":0,"cache":""}}}',
  );
  expect(lines.at(-1)).toBe('');
});

test('before cachestat a file has two letters only', () => {
  const text = '%mmp 1\n%snapshot 2\n%file A 2 disk cached\n1 open("A", O_RDWR) = 3\n1 pwrite64(3, "x", 1, 0) = 1\n';
  const cacheOn = (kernel: string): string => {
    const last = runMmp(parseMmp(text, 'p.mmp'), kernel).recording.lines.at(-1);
    return JSON.stringify(last).replace(/.*"cache":"(.*?)".*/, '$1');
  };
  expect([cacheOn('6.18'), cacheOn('6.1')]).toEqual(['dc', 'cc']);
});

test('a frame that was given back and handed out again has a new name', () => {
  const area = '1 mmap(0x100000000000, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)\n';
  const text = `%mmp 1\n%snapshot 2\n${`${area}1 store(0x100000000000)\n`.repeat(2)}`;
  const snaps = runMmp(parseMmp(text, 'p.mmp'), '6.18').recording.lines.filter((line) => 'snap' in line);
  const ids = snaps.map((snap) => /\[0,1,"(f\d+)"/.exec(JSON.stringify(snap))?.[1]);
  expect(ids).toEqual(['f1', 'f2']);
});
