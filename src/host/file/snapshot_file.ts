/**
 * A snapshot as bytes, and back: what stands in a .rvh.gz file before gzip packed it.
 *
 * Owns      the format (docs/snapshot.md has it byte by byte).
 * Promises  1. What was encoded is decoded again, column for column.
 *           2. Every row that names another row names one that exists, every page is inside its VMA, every VMA has pages:
 *              whoever answers from a snapshot need not ask again.
 *           3. A damaged file is refused in one line, with the place. None is believed about its size before the bytes are there,
 *              and no more memory is taken than MEMORY_FREE and MEMORY_PER_BYTE for each byte of the packed file.
 *           4. Pure: no Node. The page reads it with DecompressionStream.
 */
import { bugOn, InputError } from '../../mm/bug.ts';
import { crc32 } from '../../trace/crc32.ts';
import {
  type CachedFile,
  type CachedKind,
  type EntryTable,
  type FrameTable,
  type HostProcess,
  type HostSnapshot,
  NO_CGROUP,
  type VmaTable,
} from '../snapshot.ts';
import { type Code, ColumnError, decodeColumn, encodeColumn, MOST_VALUE, type Numbers } from './columns.ts';
import { Fields } from './json_fields.ts';

const MAGIC = 'revmap-snapshot ';
const FIRST_LINE = `${MAGIC}1\n`;
/** The header's length, behind the first line. */
const HEADER_AT: number = FIRST_LINE.length + 4;
const SUM_BYTES = 4;
const U32 = 2 ** 32;

/** A host of 128 GiB that holds nothing would need this much … */
const MEMORY_FREE = 2 ** 28;
/** … and a real one of a TiB, with 2 GiB of frames' rows, is a file of a MiB at least. */
const MEMORY_PER_BYTE = 8192;

/** How a snapshot's processes are one column for each field. */
const PROCESS_COLUMNS = ['pid', 'parentPid', 'startTicks', 'uid', 'threads'] as const;
/** Null where nobody could say. */
const CACHE_COLUMNS = ['dirtyPages', 'writebackPages', 'evictedPages', 'recentlyEvictedPages'] as const;
const CACHED_KINDS: readonly CachedKind[] = ['file', 'shmem', 'device'];

type Column = readonly [name: string, code: Code, values: Numbers];

/** By the first bytes behind gzip, of any version. */
export function isSnapshot(start: Uint8Array): boolean {
  return latin1(start.subarray(0, MAGIC.length)) === MAGIC;
}

/** The file's parts, one behind the other, not packed. */
export function encodeSnapshot(snapshot: HostSnapshot): Uint8Array[] {
  const statusNames = namesOf(snapshot.processes.map(({ status }) => status));
  const rollupNames = namesOf(snapshot.processes.flatMap(({ rollup }) => (rollup === null ? [] : [rollup])));
  const columns: (readonly [string, Uint8Array])[] = [
    ...processColumns(snapshot, statusNames, rollupNames),
    ...vmaColumns(snapshot),
    ...entryColumns(snapshot),
    ...(snapshot.frames === null ? [] : frameColumns(snapshot.frames)),
    ...(snapshot.cache === null ? [] : cacheColumns(snapshot.cache)),
  ].map(([name, code, values]) => [name, encodeColumn(values, code)]);
  const sizes = columns.map(([name, bytes]) => [name, bytes.length]);
  const header = { ...headerOf(snapshot, statusNames, rollupNames), columns: sizes };
  const line = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, line.length, true);
  const parts = [new TextEncoder().encode(FIRST_LINE), length, line, ...columns.map(([, bytes]) => bytes)];
  const sum = new Uint8Array(SUM_BYTES);
  new DataView(sum.buffer).setUint32(
    0,
    parts.reduce((crc, part) => crc32(part, crc), 0),
    true,
  );
  return [...parts, sum];
}

function headerOf(snapshot: HostSnapshot, statusNames: readonly string[], rollupNames: readonly string[]): object {
  const { frames, cache, smaps } = snapshot;
  return {
    source: snapshot.source,
    takenAtMs: snapshot.takenAtMs,
    tookMs: snapshot.tookMs,
    kernel: snapshot.kernel,
    hostname: snapshot.hostname,
    redacted: snapshot.redacted,
    pageSize: snapshot.pageSize,
    texts: [...snapshot.texts],
    rows: {
      vmas: snapshot.vmas.count,
      entries: snapshot.entries.count,
      frames: frames?.count ?? null,
      words: frames?.wordsLow.length ?? 0,
      ranges: cache?.reduce((sum, { ranges }) => sum + (ranges?.length ?? 0), 0) ?? 0,
    },
    processes: snapshot.processes.map(({ comm, state, cgroup, command }) => [comm, state, cgroup, command]),
    status: statusNames,
    rollup: rollupNames,
    smaps: smaps === null ? null : [...smaps.keys()],
    vmFlags: snapshot.vmFlags !== null,
    files: snapshot.files.map(({ device, inode, path, deleted }) => [device, inode, path, deleted]),
    cached: cache?.map(({ kind, openBy, otherFiles }) => [kind, openBy, otherFiles]) ?? null,
    cgroups: snapshot.cgroups.map(({ inode, path, texts }) => [inode, path, [...texts]]),
    strings: snapshot.strings,
    missing: snapshot.missing.map(({ what, why, count }) => [what, why, count]),
    changes: snapshot.changes,
  };
}

/** All names in use, in an order that keeps each map's own where it can. */
function namesOf(maps: readonly ReadonlyMap<string, number>[]): string[] {
  const names: string[] = [];
  const known = new Set<string>();
  for (const map of maps) {
    let at = 0;
    for (const name of map.keys()) {
      if (!known.has(name)) {
        known.add(name);
        names.splice(at, 0, name);
      }
      at = names[at] === name ? at + 1 : names.indexOf(name) + 1;
    }
  }
  return names;
}

function processColumns(
  snapshot: HostSnapshot,
  statusNames: readonly string[],
  rollupNames: readonly string[],
): Column[] {
  const { processes } = snapshot;
  let vmas = 0;
  for (const { firstVma, endVma } of processes) {
    bugOn(firstVma !== vmas || endVma < firstVma, 'rows of vmas are sorted by process', firstVma);
    vmas = endVma;
  }
  bugOn(vmas !== snapshot.vmas.count, 'each VMA has a process', vmas);
  const column = (name: string, code: Code, value: (process: HostProcess) => number): Column => [
    `process.${name}`,
    code,
    processes.map(value),
  ];
  return [
    ...PROCESS_COLUMNS.map((name) => column(name, 'steps', (process) => process[name])),
    column('isKernelThread', 'runs', ({ isKernelThread }) => Number(isKernelThread)),
    column('sharesMmWith', 'runs', ({ sharesMmWith }) => known(sharesMmWith)),
    column('vmas', 'runs', ({ firstVma, endVma }) => endVma - firstVma),
    ...statusNames.map((name) => column(`status.${name}`, 'runs', ({ status }) => known(status.get(name)))),
    column('rollup', 'runs', ({ rollup }) => Number(rollup !== null)),
    ...rollupNames.map((name) => column(`rollup.${name}`, 'runs', ({ rollup }) => known(rollup?.get(name)))),
  ];
}

/** A number that may be missing: 0 is none. */
function known(value: number | undefined): number {
  return value === undefined || Number.isNaN(value) ? 0 : value + 1;
}

function vmaColumns({ vmas, smaps, vmFlags }: HostSnapshot): Column[] {
  const rows = Array.from({ length: vmas.count }, (_, v) => v);
  return [
    ['vma.startPage', 'steps', vmas.startPage],
    ['vma.pages', 'runs', rows.map((v) => vmas.endPage[v]! - vmas.startPage[v]!)],
    ['vma.pgoff', 'runs', vmas.pgoff],
    ['vma.perms', 'runs', vmas.perms],
    ['vma.file', 'runs', rows.map((v) => vmas.file[v]! + 1)],
    ['vma.name', 'runs', vmas.name],
    ['vma.entries', 'runs', rows.map((v) => vmas.firstEntry[v + 1]! - vmas.firstEntry[v]!)],
    ...[...(smaps ?? [])].map(([name, kB]): Column => [`smaps.${name}`, 'runs', Array.from(kB, known)]),
    ...(vmFlags === null ? [] : [['vma.vmFlags', 'runs', vmFlags] as const]),
  ];
}

function entryColumns({ vmas, entries }: HostSnapshot): Column[] {
  return [
    ['entry.skipped', 'runs', skippedPages(vmas, entries)],
    ['entry.value', 'steps', entries.value],
    ['entry.bits', 'runs', entries.bits],
  ];
}

/** How many pages of its VMA stand without an entry before each one: mostly none. */
function skippedPages(vmas: VmaTable, entries: EntryTable): Uint32Array {
  const skipped = new Uint32Array(entries.count);
  for (let v = 0; v < vmas.count; v++) {
    let next = 0;
    for (let row = vmas.firstEntry[v]!; row < vmas.firstEntry[v + 1]!; row++) {
      bugOn(entries.page[row]! < next, 'rows of entries are sorted by page', row);
      skipped[row] = entries.page[row]! - next;
      next = entries.page[row]! + 1;
    }
  }
  return skipped;
}

function frameColumns(frames: FrameTable): Column[] {
  return [
    ['word.low', 'runs', frames.wordsLow],
    ['word.high', 'runs', frames.wordsHigh],
    ['frame.word', 'runs', frames.word],
    ['frame.mapcount', 'runs', frames.mapcount],
    ['frame.cgroup', 'runs', frames.cgroup],
  ];
}

function cacheColumns(cache: readonly CachedFile[]): Column[] {
  const ranges = cache.flatMap((cached) => cached.ranges ?? []);
  const column = (name: string, value: (cached: CachedFile) => number): Column => [
    `cache.${name}`,
    'runs',
    cache.map(value),
  ];
  return [
    ['cache.file', 'steps', cache.map(({ file }) => file)],
    // A sparse file may claim more bytes than a column's number holds.
    column('sizePages', ({ sizeBytes }) => Math.floor(sizeBytes / 4096)),
    column('sizeRest', ({ sizeBytes }) => sizeBytes % 4096),
    column('cachedPages', ({ cachedPages }) => cachedPages),
    ...CACHE_COLUMNS.map((name) => column(name, (cached) => known(cached[name] ?? undefined))),
    column('ranges', ({ ranges }) => known(ranges?.length)),
    ['range.first', 'steps', ranges.map(([first]) => first)],
    ['range.pages', 'runs', ranges.map(([, pages]) => pages)],
  ];
}

/** `name` is for messages. `packedBytes`: of the file that they came from. */
export function decodeSnapshot(bytes: Uint8Array, name: string, packedBytes: number = bytes.length): HostSnapshot {
  const { header, columnsAt } = readHeader(bytes, name);
  const file = new Columns(bytes, columnsAt, header.at('columns'), name);
  const count = header.at('rows');
  const rows = {
    vmas: count.at('vmas').whole(U32),
    entries: count.at('entries').whole(U32),
    frames: count.at('frames').isNull ? null : count.at('frames').whole(U32),
    words: count.at('words').whole(2 ** 16),
    ranges: count.at('ranges').whole(U32),
  };
  const smapsNames = header.at('smaps').isNull ? null : header.at('smaps').texts();
  const perProcess = 8 * (header.at('status').texts().length + header.at('rollup').texts().length);
  const wanted =
    (rows.frames ?? 0) * 8 +
    rows.entries * 10 +
    rows.vmas * (42 + 8 * (smapsNames?.length ?? 0)) +
    rows.ranges * 64 +
    header.at('processes').list().length * (64 + perProcess);
  const most = MEMORY_FREE + MEMORY_PER_BYTE * packedBytes;
  if (wanted > most) {
    const allowed = `more than the ${most} that a file of ${packedBytes} bytes may ask for`;
    throw new InputError(name, 0, `header: its rows need ${wanted} bytes of memory, ${allowed}`);
  }
  const strings = header.at('strings').texts();
  const files = header
    .at('files')
    .list()
    .map((row) => {
      const [device, inode, path, deleted] = row.row(4);
      return { device: device!.text(), inode: inode!.text(), path: path!.text(), deleted: deleted!.flag() };
    });
  const cgroups = header
    .at('cgroups')
    .list()
    .map((row) => {
      const [inode, path, texts] = row.row(3);
      return { inode: inode!.whole(), path: path!.text(), texts: texts!.named() };
    });
  const processes = readProcesses(header, file, rows.vmas);
  const vmas = readVmas(file, rows.vmas, rows.entries, files.length, strings.length);
  const source = header.at('source').text();
  const changes = header.at('changes');
  const snapshot: HostSnapshot = {
    source: source === 'live' || source === 'machine' ? source : header.at('source').refuse('live or machine'),
    takenAtMs: header.at('takenAtMs').number(),
    tookMs: header.at('tookMs').number(),
    kernel: header.at('kernel').text(),
    hostname: header.at('hostname').text(),
    redacted: header.at('redacted').flag(),
    pageSize: header.at('pageSize').whole() === 4096 ? 4096 : header.at('pageSize').refuse('4096'),
    texts: header.at('texts').named(),
    frames: rows.frames === null ? null : readFrames(file, rows.frames, rows.words, cgroups.length),
    processes,
    vmas,
    entries: readEntries(file, vmas, rows.entries),
    files,
    cgroups,
    strings,
    smaps: smapsNames === null ? null : readSmaps(file, smapsNames, rows.vmas),
    vmFlags: header.at('vmFlags').flag() ? file.u32('vma.vmFlags', 'runs', rows.vmas, strings.length) : null,
    cache: header.at('cached').isNull ? null : readCache(header, file, rows.ranges, files.length),
    missing: header
      .at('missing')
      .list()
      .map((row) => {
        const [what, why, count] = row.row(3);
        return { what: what!.text(), why: why!.text(), count: count!.whole() };
      }),
    changes: {
      processesGone: changes.at('processesGone').whole(),
      processesReread: changes.at('processesReread').whole(),
      processesUnsteady: changes
        .at('processesUnsteady')
        .list()
        .map((pid) => pid.whole()),
      entriesStale: changes.at('entriesStale').whole(),
    },
  };
  return snapshot;
}

/** Looks at the first line, the lengths and the checksum. */
function readHeader(bytes: Uint8Array, name: string): { header: Fields; columnsAt: number } {
  const start = latin1(bytes.subarray(0, FIRST_LINE.length));
  const cut = (needed: number) =>
    new InputError(
      name,
      0,
      `byte ${bytes.length}: the file was cut off: ${needed - bytes.length} of ${needed} bytes are missing`,
    );
  if (bytes.length === 0) throw new InputError(name, 0, 'is empty');
  if (start !== FIRST_LINE) {
    if (FIRST_LINE.startsWith(start)) throw cut(HEADER_AT);
    const version = /^revmap-snapshot (\d+)\n?$/.exec(start)?.[1];
    const reason =
      version === undefined
        ? 'is no snapshot of a host (revmap snapshot -o FILE makes one)'
        : `is a snapshot of format ${version}, and this revmap reads 1`;
    throw new InputError(name, 0, reason);
  }
  if (bytes.length < HEADER_AT) throw cut(HEADER_AT);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const columnsAt = HEADER_AT + view.getUint32(FIRST_LINE.length, true);
  if (bytes.length < columnsAt + SUM_BYTES) throw cut(columnsAt + SUM_BYTES);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(HEADER_AT, columnsAt)));
  } catch (error) {
    throw new InputError(name, 0, `byte ${HEADER_AT}: the header is no JSON: ${(error as Error).message}`);
  }
  const header = new Fields(name, '', parsed);
  let end = columnsAt + SUM_BYTES;
  for (const column of header.at('columns').list()) end += column.row(2)[1]!.whole(U32);
  if (bytes.length < end) throw cut(end);
  if (bytes.length > end) throw new InputError(name, 0, `byte ${end}: more bytes follow behind the end`);
  const sum = crc32(bytes.subarray(0, end - SUM_BYTES));
  const said = view.getUint32(end - SUM_BYTES, true);
  if (sum !== said) {
    throw new InputError(name, 0, `is damaged: its checksum is ${hex8(sum)}, and its last bytes say ${hex8(said)}`);
  }
  return { header, columnsAt };
}

function hex8(n: number): string {
  return n.toString(16).padStart(8, '0');
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}

/** The columns of a file by name. One that is not asked for is passed over: a later revmap may know more. */
class Columns {
  private readonly name: string;
  private readonly places = new Map<string, { at: number; bytes: Uint8Array }>();

  constructor(bytes: Uint8Array, columnsAt: number, columns: Fields, name: string) {
    this.name = name;
    let at = columnsAt;
    for (const column of columns.list()) {
      const [title, length] = column.row(2);
      const end = at + length!.whole();
      this.places.set(title!.text(), { at, bytes: bytes.subarray(at, end) });
      at = end;
    }
  }

  u8(column: string, code: Code, rows: number, limit: number): Uint8Array {
    return this.read(column, () => decodeColumn(this.bytes(column), code, rows, limit, (n) => new Uint8Array(n)));
  }

  u16(column: string, code: Code, rows: number, limit: number): Uint16Array {
    return this.read(column, () => decodeColumn(this.bytes(column), code, rows, limit, (n) => new Uint16Array(n)));
  }

  u32(column: string, code: Code, rows: number, limit: number): Uint32Array {
    return this.read(column, () => decodeColumn(this.bytes(column), code, rows, limit, (n) => new Uint32Array(n)));
  }

  numbers(column: string, code: Code, rows: number, limit: number = MOST_VALUE + 1): Float64Array {
    return this.read(column, () => decodeColumn(this.bytes(column), code, rows, limit, (n) => new Float64Array(n)));
  }

  refuse(column: string, row: number, reason: string): never {
    throw new InputError(this.name, 0, `column ${column}: row ${row} ${reason}`);
  }

  private bytes(column: string): Uint8Array {
    const place = this.places.get(column);
    if (place === undefined) throw new InputError(this.name, 0, `header: has no column ${column}`);
    return place.bytes;
  }

  private read<T>(column: string, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof ColumnError)) throw error;
      const at = (this.places.get(column)?.at ?? 0) + error.at;
      throw new InputError(this.name, 0, `byte ${at}: column ${column}: ${error.message}`);
    }
  }
}

function readProcesses(header: Fields, file: Columns, vmas: number): HostProcess[] {
  const named = header.at('processes').list();
  const rows = named.length;
  const columns = PROCESS_COLUMNS.map((name) => file.numbers(`process.${name}`, 'steps', rows));
  const [pid, parentPid, startTicks, uid, threads] = columns as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const isKernelThread = file.u8('process.isKernelThread', 'runs', rows, 2);
  const sharesMmWith = file.numbers('process.sharesMmWith', 'runs', rows);
  const vmaCounts = file.u32('process.vmas', 'runs', rows, vmas + 1);
  const hasRollup = file.u8('process.rollup', 'runs', rows, 2);
  const maps = (field: 'status' | 'rollup') =>
    header
      .at(field)
      .texts()
      .map((name) => [name, file.numbers(`process.${field}.${name}`, 'runs', rows)] as const);
  const status = maps('status');
  const rollup = maps('rollup');
  let firstVma = 0;
  const processes = named.map((row, i): HostProcess => {
    const [comm, state, cgroup, command] = row.row(4);
    const endVma = firstVma + vmaCounts[i]!;
    const process = {
      pid: pid[i]!,
      parentPid: parentPid[i]!,
      startTicks: startTicks[i]!,
      comm: comm!.text(),
      command: command!.isNull ? null : command!.texts(),
      uid: uid[i]!,
      threads: threads[i]!,
      state: state!.text(),
      cgroup: cgroup!.text(),
      isKernelThread: isKernelThread[i] === 1,
      ...(sharesMmWith[i] === 0 ? {} : { sharesMmWith: sharesMmWith[i]! - 1 }),
      status: mapOf(status, i),
      rollup: hasRollup[i] === 1 ? mapOf(rollup, i) : null,
      firstVma,
      endVma,
    };
    firstVma = endVma;
    return process;
  });
  if (firstVma !== vmas) file.refuse('process.vmas', rows, `would be VMA ${firstVma} of ${vmas}`);
  return processes;
}

function mapOf(columns: readonly (readonly [string, Float64Array])[], row: number): Map<string, number> {
  const map = new Map<string, number>();
  for (const [name, values] of columns) if (values[row]! > 0) map.set(name, values[row]! - 1);
  return map;
}

function readVmas(file: Columns, count: number, entries: number, files: number, strings: number): VmaTable {
  const startPage = file.numbers('vma.startPage', 'steps', count);
  const pages = file.numbers('vma.pages', 'runs', count);
  const endPage = new Float64Array(count);
  for (let v = 0; v < count; v++) {
    endPage[v] = startPage[v]! + pages[v]!;
    if (pages[v] === 0 || endPage[v]! > MOST_VALUE) file.refuse('vma.pages', v, 'is no area of an address space');
  }
  const counts = file.u32('vma.entries', 'runs', count, entries + 1);
  const firstEntry = new Uint32Array(count + 1);
  let first = 0;
  for (let v = 0; v < count; v++) {
    first += counts[v]!;
    if (first > entries) break;
    firstEntry[v + 1] = first;
  }
  if (first !== entries) file.refuse('vma.entries', count, `would be entry ${first} of ${entries}`);
  const fileRows = file.u32('vma.file', 'runs', count, files + 1);
  return {
    count,
    startPage,
    endPage,
    pgoff: file.numbers('vma.pgoff', 'runs', count),
    perms: file.u8('vma.perms', 'runs', count, 256),
    file: Int32Array.from(fileRows, (row) => row - 1),
    name: file.u32('vma.name', 'runs', count, strings),
    firstEntry,
  };
}

function readEntries(file: Columns, vmas: VmaTable, count: number): EntryTable {
  const page = file.u32('entry.skipped', 'runs', count, U32);
  for (let v = 0; v < vmas.count; v++) {
    const pages = vmas.endPage[v]! - vmas.startPage[v]!;
    let next = 0;
    for (let row = vmas.firstEntry[v]!; row < vmas.firstEntry[v + 1]!; row++) {
      next += page[row]!;
      if (next >= pages || next >= U32) file.refuse('entry.skipped', row, `is page ${next} of a VMA of ${pages}`);
      page[row] = next;
      next += 1;
    }
  }
  return {
    count,
    page,
    value: file.u32('entry.value', 'steps', count, U32),
    bits: file.u16('entry.bits', 'runs', count, 2 ** 16),
  };
}

function readFrames(file: Columns, count: number, words: number, cgroups: number): FrameTable {
  const cgroup = file.u16('frame.cgroup', 'runs', count, NO_CGROUP + 1);
  for (let pfn = 0; pfn < count; pfn++) {
    if (cgroup[pfn]! >= cgroups && cgroup[pfn] !== NO_CGROUP) {
      file.refuse('frame.cgroup', pfn, `is cgroup ${cgroup[pfn]} of ${cgroups}`);
    }
  }
  return {
    count,
    wordsLow: file.u32('word.low', 'runs', words, U32),
    wordsHigh: file.u32('word.high', 'runs', words, U32),
    word: file.u16('frame.word', 'runs', count, words),
    mapcount: file.u32('frame.mapcount', 'runs', count, U32),
    cgroup,
  };
}

function readSmaps(file: Columns, names: readonly string[], vmas: number): Map<string, Float64Array> {
  return new Map(
    names.map((name) => {
      const kB = file.numbers(`smaps.${name}`, 'runs', vmas);
      for (let v = 0; v < vmas; v++) kB[v] = kB[v] === 0 ? Number.NaN : kB[v]! - 1;
      return [name, kB];
    }),
  );
}

function readCache(header: Fields, file: Columns, ranges: number, files: number): CachedFile[] {
  const named = header.at('cached').list();
  const count = named.length;
  const fileRows = file.u32('cache.file', 'steps', count, files);
  const sizePages = file.numbers('cache.sizePages', 'runs', count);
  const sizeRest = file.u16('cache.sizeRest', 'runs', count, 4096);
  const cachedPages = file.numbers('cache.cachedPages', 'runs', count);
  const columns = CACHE_COLUMNS.map((name) => [name, file.numbers(`cache.${name}`, 'runs', count)] as const);
  const rangeCounts = file.numbers('cache.ranges', 'runs', count, ranges + 2);
  const firsts = file.numbers('range.first', 'steps', ranges);
  const pages = file.numbers('range.pages', 'runs', ranges);
  let next = 0;
  const cache = named.map((row, i): CachedFile => {
    const [kind, openBy, otherFiles] = row.row(3);
    const counts = mapOf(columns, i);
    const countOf = (name: (typeof CACHE_COLUMNS)[number]) => counts.get(name) ?? null;
    const first = next;
    next += Math.max(0, rangeCounts[i]! - 1);
    const rows = Array.from({ length: Math.min(next, ranges) - first }, (_, k) => first + k);
    return {
      file: fileRows[i]!,
      kind: CACHED_KINDS.find((known) => known === kind!.text()) ?? kind!.refuse('file, shmem or device'),
      sizeBytes: sizePages[i]! * 4096 + sizeRest[i]!,
      cachedPages: cachedPages[i]!,
      dirtyPages: countOf('dirtyPages'),
      writebackPages: countOf('writebackPages'),
      evictedPages: countOf('evictedPages'),
      recentlyEvictedPages: countOf('recentlyEvictedPages'),
      ranges: rangeCounts[i] === 0 ? null : rows.map((row) => [firsts[row]!, pages[row]!] as const),
      openBy: openBy!.list().map((pid) => pid.whole()),
      otherFiles: otherFiles!.list().map((other) => other.whole(files - 1)),
    };
  });
  if (next !== ranges) file.refuse('cache.ranges', count, `would be range ${next} of ${ranges}`);
  return cache;
}
