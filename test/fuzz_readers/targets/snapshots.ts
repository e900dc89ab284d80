/** Snapshots of hosts: with a length and a checksum that are right, as whoever means harm would make them, and packed. */
import { crc32, gzipSync } from 'node:zlib';
import { ANONYMOUS, FrameTableBuilder, SnapshotBuilder } from '../../../src/host/builder.ts';
import { decodeSnapshot, encodeSnapshot } from '../../../src/host/file/snapshot_file.ts';
import { readSnapshotBytes } from '../../../src/host/file/snapshot_unpack.ts';
import { ReverseMap } from '../../../src/host/reverse.ts';
import { ENTRY_PRESENT, ENTRY_SWAP, type HostSnapshot } from '../../../src/host/snapshot.ts';
import { INPUT_NAME } from '../judge.ts';
import type { Target } from '../loop.ts';

/** Behind the first line stands the header's length, then the header, a line. */
const LENGTH_AT = 18;
const HEADER_AT = 22;
/** Frames of an idle host of a few GiB are a small file, and the reader lets it have them (docs/snapshot.md). */
const MEMORY_BYTES = 2 ** 28;

const WORDS = [
  ...['revmap-snapshot 1\n', '"rows":', '"frames":', '"vmas":', '"entries":', '"columns":', '"strings":', '"files":'],
  ...[
    '"processes":',
    '"cached":',
    '"smaps":',
    '"missing":',
    '"changes":',
    'null',
    'true',
    '[]',
    '{}',
    '["",""]',
    '1e999',
  ],
  ...['"vma.pages"', '"entry.skipped"', '"frame.word"', '4294967296', '"__proto__":'],
];

function small(isFull: boolean): HostSnapshot {
  const builder = new SnapshotBuilder();
  const process = { parentPid: 1, startTicks: 77, uid: 0, threads: 1, state: 'S', cgroup: '/a', isKernelThread: false };
  for (const pid of [7, 300]) {
    const status = new Map([['VmRSS', 8]]);
    builder.addProcess({
      ...process,
      pid,
      comm: 'x',
      command: isFull ? ['x'] : null,
      status,
      rollup: new Map([['Pss', 3]]),
    });
    const file = builder.file({ device: '08:01', inode: '5', path: '/lib/c', deleted: false });
    builder.addVma({ startPage: 16, endPage: 24, pgoff: 2, perms: 21, file, name: '/lib/c' });
    for (const page of [0, 1, 5]) builder.addEntry(page, 100 + page, ENTRY_PRESENT);
    builder.addVma({ ...ANONYMOUS, startPage: 2 ** 35, endPage: 2 ** 35 + 3, perms: 19, name: '[heap]' });
    builder.addEntry(2, pid, pid === 7 ? ENTRY_PRESENT : ENTRY_SWAP);
  }
  const frames = new FrameTableBuilder(300);
  for (let pfn = 0; pfn < 300; pfn++) frames.set(pfn, BigInt(pfn % 3) << 31n, pfn % 2, pfn < 9 ? 0 : 0xffff);
  const counts = { cachedPages: 3, dirtyPages: 1, writebackPages: null, evictedPages: 0, recentlyEvictedPages: 0 };
  const ranges = [[0, 2] as const, [7, 1] as const];
  return builder.finish(
    {
      ...{ source: 'live', takenAtMs: 1e12, tookMs: 2.5, kernel: '6.18', hostname: 'h', redacted: false },
      texts: new Map([['meminfo', 'MemTotal: 1 kB\n']]),
      frames: isFull ? frames.finish() : null,
      cgroups: [{ inode: 1, path: '/', texts: new Map([['memory.max', 'max\n']]) }],
      ...(isFull
        ? { cache: [{ file: 0, kind: 'file', sizeBytes: 9999, ...counts, ranges, openBy: [7], otherFiles: [0] }] }
        : {}),
      missing: [{ what: 'smaps', why: 'EACCES', count: 1 }],
    },
    isFull ? new Map([['Rss', Float64Array.of(4, 0, Number.NaN, 8)]]) : null,
    isFull ? new Uint32Array(4) : null,
  );
}

/** Its header's length, what its last column lacks, and its checksum are made right. */
function sealed(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(10, HEADER_AT) + 1;
  if (end < HEADER_AT || bytes.length < end + 4) return bytes;
  const columns = bytes.subarray(end, bytes.length - 4);
  const header = fitted(Buffer.from(bytes.subarray(HEADER_AT, end)), columns.length);
  const file = Buffer.concat([bytes.subarray(0, HEADER_AT), header, columns, new Uint8Array(4)]);
  file.writeUInt32LE(header.length, LENGTH_AT);
  file.writeUInt32LE(crc32(file.subarray(0, -4)), file.length - 4);
  return file;
}

function fitted(header: Buffer, length: number): Buffer {
  try {
    const claimed = JSON.parse(header.toString()) as { columns: [string, number][] };
    const before = claimed.columns.slice(0, -1).reduce((sum, [, bytes]) => sum + bytes, 0);
    claimed.columns.at(-1)![1] = length - before;
    return Buffer.from(`${JSON.stringify(claimed)}\n`);
  } catch {
    return header;
  }
}

/** What is read is used, too: places that it names are there. */
function readPlain(bytes: Uint8Array): void {
  const snapshot = decodeSnapshot(sealed(bytes), INPUT_NAME);
  const { count, value } = snapshot.entries;
  const reverse = new ReverseMap(snapshot);
  if (count > 0) reverse.entriesOf(value[0]!);
}

async function readPacked(bytes: Uint8Array): Promise<void> {
  await readSnapshotBytes([bytes], INPUT_NAME);
}

export function snapshotTargets(): Target[] {
  const seeds = [small(true), small(false)].map((snapshot) => Uint8Array.from(Buffer.concat(encodeSnapshot(snapshot))));
  return [
    { name: 'snapshot', isSlow: true, memoryBytes: MEMORY_BYTES, read: readPlain, seeds, words: WORDS },
    {
      name: 'snapshot in gzip',
      isSlow: true,
      memoryBytes: MEMORY_BYTES,
      read: readPacked,
      seeds: seeds.map((seed) => gzipSync(seed)),
      words: [],
    },
  ];
}
