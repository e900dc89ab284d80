/** What other tools record: lackey, strace, cache traces; each reader alone, and all behind the guess which it is. */
import { RecordingBuilder } from '../../../src/trace/builder.ts';
import { type InputFormat, parseFormat } from '../../../src/trace/detect.ts';
import { readerOf } from '../../../src/trace/input.ts';
import { formatHeader } from '../../../src/trace/recording.ts';
import { ChunkTable } from '../../../src/trace/write.ts';
import { INPUT_NAME } from '../judge.ts';
import type { Target } from '../loop.ts';
import { bytesOf } from '../mutate.ts';
import { readWhole } from './recordings.ts';

const STRACE = `12152 08:32:07.414873 execve("/bin/cat", ["cat", "a b"], 0x7ffd4 /* 12 vars */) = 0
12152 brk(NULL) = 0x564030be8000
12152 openat(AT_FDCWD, "/lib/libc.so.6", O_RDONLY|O_CLOEXEC) = 3
12152 read(3, "\\177ELF\\2\\1"..., 832) = 832
12152 mmap(NULL, 2125824, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_DENYWRITE, 3, 0x1000) = 0x7f95130bc000
12152 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f95) = 12155
[pid 12155] wait4(-1,  <unfinished ...>
12155 <... wait4 resumed>[{WIFEXITED(s)}], 0, NULL) = 12157 <0.000231>
12155 --- SIGCHLD {si_signo=SIGCHLD, si_pid=1} ---
12155 pwrite64(3</tmp/x>, "abc", 3, 4096) = 3
12155 close(3) = -1 EBADF (Bad file descriptor)
12155 +++ exited with 3 +++
`;
const STRACE_WORDS = [
  ...['execve(', 'openat(AT_FDCWD, "', 'mmap(NULL, ', 'mremap(', 'munmap(', 'brk(', 'clone(', 'vfork(', 'exit_group('],
  ...[
    ') = ',
    ' = -1 ENOENT (No such file or directory)',
    ' = ?',
    ' <unfinished ...>',
    '<... read resumed>',
    '[pid 7] ',
  ],
  ...[
    '"..., ',
    '\\"',
    '\\177',
    '[{',
    '}]',
    '/* 3 vars */',
    '|',
    '0x7f',
    'PROT_READ',
    'MAP_FIXED',
    '3</tmp/x>',
    '<0.1>',
  ],
];

const LACKEY = `==12163== Lackey, an example Valgrind tool
==12163== Command: ./prog a
I  04222c4a,3
 L 1ffeffed38,8
 S 04026ffc,8
 M 0402a010,4
SYSCALL[12163,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000)
SYSCALL[12163,1](257) sys_openat ( 4294967196, 0x10a004(/etc/passwd), 0 ) --> [async] ...
SYSCALL[12163,1](257) ... [async] --> Success(0x4)
SYSCALL[12163,1](9) sys_mmap ( 0x0, 8192, 3, 34, 4294967295, 0 ) --> [pre-success] Success(0x4a00000)
SYSCALL[12163,1](56) sys_clone ( 1200011, 0x0, 0x0, 0x4a, 0x0 )   clone(fork): process 12163 created child 12176
 --> [pre-success] Success(0x2f90)
--12163:1: debuglog layout
`;
const LACKEY_WORDS = [
  'I  ',
  ' L ',
  ' S ',
  ' M ',
  ',8',
  'SYSCALL[',
  ',1](',
  ') sys_',
  ' --> ',
  '[pre-success] Success(0x',
  '[async] ...',
  'Failure(0x',
  '==',
  'Command: ',
];

/** Records of oracleGeneral: time, object, bytes, next access. */
function oracle(): Uint8Array {
  const view = new DataView(new ArrayBuffer(24 * 6));
  for (let i = 0; i < 6; i++) {
    view.setUint32(i * 24, 100 + i, true);
    view.setBigUint64(i * 24 + 4, BigInt(i % 3) * 2n ** 40n, true);
    view.setUint32(i * 24 + 12, 4096 * (1 + (i % 3)), true);
    view.setBigInt64(i * 24 + 16, i < 3 ? BigInt(i + 3) : -1n, true);
  }
  return new Uint8Array(view.buffer);
}

function vscsi(version: 1 | 2): Uint8Array {
  const bytes = version === 1 ? 32 : 40;
  const view = new DataView(new ArrayBuffer(bytes * 5));
  for (let i = 0; i < 5; i++) {
    const at = i * bytes;
    view.setUint16(at + (version === 1 ? 14 : 2), version << 8, true);
    view.setUint32(at + (version === 1 ? 4 : 8), 4096, true);
    view.setBigUint64(at + 16, BigInt(i * 8), true);
    view.setBigUint64(at + 24, BigInt(1000 + i), true);
  }
  return new Uint8Array(view.buffer);
}

const CSV = 'version,time,op,size,lbn\n1,5633898,2a,512,42932745\n1,5633899,28,4096,42932745\n1,5633900,28,8192,7\n';
const TXT = '1\n2\n1\n18446744073709551615\n7\n';
const CSV_WORDS = ['\n', ',', '\t', ';', '|', 'id', 'size', 'lbn', '"', '#', '0x', '1,2,3\n'];

/** In two pieces, so that lines and records are cut. */
function readAs(format: InputFormat): (bytes: Uint8Array) => void {
  return (bytes) => {
    const table = new ChunkTable();
    const taker = {
      chunk(pid: number, tid: number, part: Uint8Array, clock: number, lastClock: number, events: number) {
        table.add(pid, tid, part, part.length, clock, lastClock, events);
      },
    };
    const builder = new RecordingBuilder(taker);
    const reader = readerOf(format, INPUT_NAME, builder);
    const middle = bytes.length >> 1;
    reader.push(bytes.subarray(0, middle));
    reader.push(bytes.subarray(middle));
    const facts = builder.finish(reader.end());
    table.endBodies(taker);
    formatHeader(table.header(facts));
  };
}

function alone(kind: string, seeds: readonly (string | Uint8Array)[], words: readonly string[]): Target {
  const format = parseFormat(kind);
  if (typeof format === 'string') throw new Error(format);
  return {
    name: kind.split(':')[0]!,
    read: readAs(format),
    seeds: seeds.map((seed) => (typeof seed === 'string' ? bytesOf(seed) : seed)),
    words,
  };
}

export function inputTargets(): Target[] {
  const all = [STRACE, LACKEY, CSV, TXT].map(bytesOf);
  return [
    alone('strace', [STRACE], STRACE_WORDS),
    alone('lackey', [LACKEY], LACKEY_WORDS),
    alone('oracleGeneral', [oracle()], []),
    alone('vscsi', [vscsi(1), vscsi(2)], []),
    alone('csv', [CSV, '1,2\n3,4\n', 'a b\nc d\n'], CSV_WORDS),
    { ...alone('csv:id=2,size=3', [CSV, '1,2,3\n'], CSV_WORDS), name: 'csv with columns' },
    alone('txt', [TXT, 'a\nb\na\n'], CSV_WORDS),
    {
      name: 'any input',
      isSlow: true,
      read: readWhole,
      seeds: [...all, oracle(), vscsi(1), vscsi(2)],
      words: ['revmap-recording 1\n', 'SYSCALL[', 'I  ', 'openat('],
    },
  ];
}
