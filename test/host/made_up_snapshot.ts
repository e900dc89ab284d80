/** Snapshots that nobody took: every column in use, names of any bytes. */
import fc from 'fast-check';
import { FrameTableBuilder, SnapshotBuilder } from '../../src/host/builder.ts';
import { type HostSnapshot, NO_ROW } from '../../src/host/snapshot.ts';
import { decodeName } from '../../src/host/text.ts';

const name = fc.oneof(
  fc.uint8Array({ maxLength: 12 }).map(decodeName),
  fc.constantFrom('__proto__', 'constructor', '/lib/a b\n.so (deleted)', '[heap]', '', '/a/\x1b[31m'),
);
const kB = fc.oneof(fc.nat(5), fc.nat(2 ** 30));
const fields = fc.uniqueArray(fc.tuple(name, kB), { maxLength: 5, selector: ([field]) => field });
const fieldMap = fields.map((pairs) => new Map(pairs));
const texts = fc.uniqueArray(fc.tuple(name, name), { maxLength: 4, selector: ([field]) => field });
const textMap = texts.map((pairs) => new Map(pairs));

const process = fc.record({
  sharesMmWith: fc.option(fc.nat(2 ** 22), { nil: undefined }),
  pid: fc.nat(2 ** 22),
  parentPid: fc.nat(2 ** 22),
  startTicks: fc.nat(),
  comm: name,
  command: fc.option(fc.array(name, { maxLength: 3 })),
  uid: fc.nat(),
  threads: fc.nat(9),
  state: fc.constantFrom('R', 'S', 'Z'),
  cgroup: name,
  isKernelThread: fc.boolean(),
  status: fieldMap,
  rollup: fc.option(fieldMap),
});
const entries = fc.uniqueArray(fc.tuple(fc.nat(600), fc.oneof(fc.nat(300), fc.nat(2 ** 31)), fc.nat(2 ** 16 - 1)), {
  maxLength: 12,
  selector: ([page]) => page,
});
const vma = fc.record({
  start: fc.oneof(fc.nat(2 ** 31), fc.constant(0xffff_ffff_ff600)),
  perms: fc.nat(31),
  file: fc.nat(4),
  pgoff: fc.oneof(fc.constant(0), fc.nat(2 ** 30)),
  name,
  entries,
});
const cached = fc.record({
  sizeBytes: fc.oneof(fc.nat(), fc.constant(2 ** 63 - 1024)),
  cachedPages: fc.nat(99),
  kind: fc.constantFrom('file' as const, 'shmem' as const, 'device' as const),
  dirtyPages: fc.option(fc.nat(9)),
  writebackPages: fc.option(fc.nat(9)),
  evictedPages: fc.option(fc.nat(9)),
  recentlyEvictedPages: fc.option(fc.nat(9)),
  openBy: fc.array(fc.nat(2 ** 22), { maxLength: 2 }),
  otherFiles: fc.array(fc.constant(0), { maxLength: 2 }),
  ranges: fc.option(fc.array(fc.tuple(fc.nat(99), fc.nat(9)), { maxLength: 3 })),
});
const frame = fc.tuple(fc.nat(7), fc.nat(3), fc.constantFrom(0, 1, 0xffff));

export function anySnapshot(): fc.Arbitrary<HostSnapshot> {
  return fc
    .record({
      processes: fc.array(fc.tuple(process, fc.array(vma, { maxLength: 3 })), { maxLength: 4 }),
      files: fc.array(fc.record({ path: name, deleted: fc.boolean() }), { minLength: 1, maxLength: 5 }),
      cgroups: fc.tuple(textMap, textMap),
      frames: fc.option(fc.array(fc.tuple(frame, fc.constantFrom(1, 2, 300)), { maxLength: 6 })),
      cache: fc.option(fc.array(cached, { maxLength: 4 })),
      texts: textMap,
      smaps: fc.option(fc.uniqueArray(name, { maxLength: 3 })),
      flags: fc.boolean(),
      hostname: name,
      numbers: fc.tuple(fc.nat(), fc.double({ min: 0, max: 1e6, noNaN: true }), fc.nat(9)),
      missing: fc.array(fc.record({ what: name, why: name, count: fc.nat(9) }), { maxLength: 2 }),
    })
    .map((made) => {
      const builder = new SnapshotBuilder();
      const rows = made.files.map(({ path, deleted }, i) =>
        builder.file({ device: '08:01', inode: String(2n ** 60n + BigInt(i)), path, deleted }),
      );
      let vmas = 0;
      for (const [facts, areas] of made.processes) {
        const { sharesMmWith, ...others } = facts;
        builder.addProcess(sharesMmWith === undefined ? others : { ...others, sharesMmWith });
        for (const area of areas) {
          const file = area.file === 4 ? NO_ROW : rows[area.file % rows.length]!;
          const endPage = area.start + Math.max(1, ...area.entries.map(([page]) => page + 1));
          builder.addVma({ ...area, startPage: area.start, endPage, file });
          vmas += 1;
          for (const [page, value, bits] of area.entries.toSorted(([a], [b]) => a - b)) {
            builder.addEntry(page, value, bits);
          }
        }
      }
      const column = (i: number) =>
        Float64Array.from({ length: vmas }, (_, v) => ((v + i) % 3 === 0 ? Number.NaN : v * i));
      const smaps = made.smaps === null ? null : new Map(made.smaps.map((title, i) => [title, column(i)]));
      builder.string('rd wr');
      return builder.finish(
        {
          source: 'live',
          takenAtMs: made.numbers[0],
          tookMs: made.numbers[1],
          kernel: '6.18',
          hostname: made.hostname,
          redacted: false,
          texts: made.texts,
          frames: made.frames === null ? null : framesOf(made.frames),
          cgroups: made.cgroups.map((files, i) => ({ inode: 2 ** 40 + i, path: `/c${i}`, texts: files })),
          missing: made.missing,
          changes: { processesGone: made.numbers[2], processesReread: 1, processesUnsteady: [7], entriesStale: 2 },
          ...(made.cache === null
            ? {}
            : { cache: made.cache.map((of, i) => ({ ...of, file: rows[i % rows.length]! })) }),
        },
        smaps,
        made.flags ? new Uint32Array(vmas) : null,
      );
    })
    .filter(({ strings, vmFlags }) => vmFlags === null || strings.length > 0);
}

function framesOf(runs: readonly (readonly [readonly [number, number, number], number])[]) {
  const table = new FrameTableBuilder(runs.reduce((sum, [, frames]) => sum + frames, 0));
  let pfn = 0;
  for (const [[word, mapcount, cgroup], frames] of runs) {
    for (let i = 0; i < frames; i++) table.set(pfn++, BigInt(word) << 31n, mapcount, cgroup);
  }
  return table.finish();
}
