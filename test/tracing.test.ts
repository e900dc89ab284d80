/**
 * `revmap run --trace-out`: what is written is what kernels write and what their tools read. Golden lines and formats are of Linux
 * 6.18.44: a program that fills a cgroup of 12 MiB, recorded through tracefs with the option nohash-ptr.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { afterAll, describe, expect, test } from 'vitest';
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import type { Replay } from '../src/lab/replay.ts';
import { runRecording } from '../src/lab/run.ts';
import {
  DEFAULT_TRACE_EVENTS,
  type TraceFormat,
  TraceOut,
  traceEventsNamed,
  traceFormatOf,
} from '../src/lab/trace_out.ts';
import { VM_EVENT_NAMES } from '../src/mm/vmstat.ts';
import { vmstat } from '../src/proc/vmstat.ts';
import { type FtraceEra, type FtraceEvent, ftraceEvents } from '../src/trace/ftrace_events.ts';
import {
  GFP_BITS_3,
  GFP_BITS_6,
  GFP_NAMES_3,
  GFP_NAMES_6_1,
  GFP_NAMES_6_18,
  printFlags,
} from '../src/trace/ftrace_gfp.ts';
import { closeRecording, openRecording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const data = join(root, 'test', 'tracing');
const folder = mkdtempSync(join(tmpdir(), 'revmap-tracing-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MIB = 2 ** 20;
const ALL = 'vmscan:*,oom:*,exceptions:*,writeback:*,filemap:*,pagemap:*,kmem:*';
let files = 0;

interface Traced {
  bytes: Buffer;
  path: string;
  hash: string;
  replay: Replay;
}

interface Asked {
  kernel?: string;
  format?: TraceFormat;
  events?: string;
  from?: number;
  to?: number;
  limit?: number | null;
  ram?: number;
  swap?: number;
  mglru?: boolean;
  ending?: string;
}

/** The events of a list that names some. */
function named(list: string): ReadonlySet<string> {
  const events = traceEventsNamed(list);
  if (typeof events === 'string') throw new Error(events);
  return events;
}

const USUAL = {
  kernel: '6.18',
  format: 'ftrace',
  events: ALL,
  from: 0,
  to: Number.POSITIVE_INFINITY,
  limit: 26 * MIB,
  ram: 64 * MIB,
  swap: 64 * MIB,
  mglru: false,
  ending: '',
} as const satisfies Asked;

const done: Map<string, Promise<Traced>> = new Map();

/** One run of an example, watched or not; who asks the same twice gets the same. */
function traced(asked: Asked, watched = true): Promise<Traced> {
  const key = JSON.stringify([{ ...USUAL, ...asked }, watched]);
  const found = done.get(key) ?? runTraced(asked, watched);
  done.set(key, found);
  return found;
}

async function runTraced(asked: Asked, watched = true): Promise<Traced> {
  const { kernel, format, events, from, to, limit, ram, swap, mglru, ending } = { ...USUAL, ...asked };
  const path = join(folder, `trace${files++}${ending}`);
  const recording = await openRecording(join(root, 'examples', 'zipf.rvm.gz'), null);
  const survey = surveyRecording(recording);
  const options = { ...MACHINE_DEFAULTS, kernel, ramBytes: ram, swapBytes: swap, mglru, limitBytes: limit };
  const trace = watched ? new TraceOut({ path, format, events: named(events), from, to }) : null;
  let replay: Replay | undefined;
  runRecording(recording, survey, options, undefined, (started) => {
    replay = started;
    trace?.watch(started, recording.header);
  });
  trace?.finish();
  closeRecording(recording);
  const bytes = watched ? readFileSync(path) : Buffer.alloc(0);
  return { bytes, path, hash: replay!.machine.stateHash(), replay: replay! };
}

interface Line {
  comm: string;
  pid: number;
  flags: string;
  usec: number;
  event: string;
  text: string;
}

const LINE = /^ *(.+)-(\d+) +\[(\d{3})\] ([dbX.][Nnp.LlB][hHsSzZ.][0-9a-f.][0-9a-f.]?) +(\d+)\.(\d{6}): (\w+): (.*)$/;

function lines(text: string): Line[] {
  const found: Line[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = LINE.exec(line);
    if (match === null) throw new Error(`no line of a trace: '${line}'`);
    const [, comm, pid, , flags, seconds, usec, event, rest] = match;
    found.push({
      comm: comm!,
      pid: Number(pid),
      flags: flags!,
      usec: Number(seconds) * 1e6 + Number(usec),
      event: event!,
      text: rest!,
    });
  }
  return found;
}

const golden = lines(readFileSync(join(data, 'ftrace-6.18.txt'), 'utf8'));

// the form of each event

/** What a conversion may look like. */
const SHAPES: Readonly<Record<string, string>> = {
  '%d': '-?\\d+',
  '%u': '\\d+',
  '%hd': '-?\\d+',
  '%ld': '-?\\d+',
  '%lu': '\\d+',
  '%lld': '-?\\d+',
  '%lx': '[0-9a-f]+',
  '%p': '[0-9a-f]{16}',
  '%ps': '(?:0x[0-9a-f]+|\\w+)',
  '%pf': '(?:0x[0-9a-f]+|\\w+)',
  '%pS': '\\w+\\+0x0(?:/0x[0-9a-f]+)?',
  '%s': '[ \\w|]+?',
};

function pattern({ print }: FtraceEvent): RegExp {
  const parts = print.split(/(%(?:hd|lld|l[dux]|p[Sfs]?|[dsu]))/);
  return new RegExp(
    `^${parts.map((part) => (part.startsWith('%') ? SHAPES[part] : part.replace(/[|~()]/g, '\\$&'))).join('')}$`,
  );
}

const byName = (era: FtraceEra): Map<string, FtraceEvent> =>
  new Map(ftraceEvents(era).map((event) => [event.name, event]));

describe('the events are the kernel’s', () => {
  test('every golden line has the form that we write, and the flags of its lock or fewer', () => {
    const events = byName('6.18');
    for (const { event, text } of golden) expect(text, event).toMatch(pattern(events.get(event)!));
    const seen = new Set(golden.map(({ event }) => event));
    expect(seen.size).toBeGreaterThan(15);
  });

  test('flags of allocations in golden lines are read and written again the same', () => {
    const bits = new Map(GFP_NAMES_6_18.map(([bit, name]) => [name, bit]));
    const found = golden.flatMap(({ text }) => /gfp_flags[= ]([\w|]+)/.exec(text)?.[1] ?? []);
    expect(found.length).toBeGreaterThan(10);
    for (const flags of found) {
      const value = flags.split('|').reduce((sum, name) => sum | bits.get(name)!, 0);
      expect(printFlags(value, GFP_NAMES_6_18)).toBe(flags);
    }
  });

  test('page addresses in golden lines are what their frames give', () => {
    for (const { event, text } of golden) {
      const match = /(?:page|folio)=([0-9a-f]{16}) pfn=0x([0-9a-f]+)/.exec(text);
      if (match === null) continue;
      const of = { pfn: Number.parseInt(match[2]!, 16), folio: Number.parseInt(match[2]!, 16) };
      const page = byName('6.18').get(event)!.args[0]!;
      expect(page.value(of)).toBe(match[1]);
    }
  });

  test('fields stand where 6.18 has them, and format strings are its own', () => {
    const wanted = readFileSync(join(data, 'formats-6.18.txt'), 'utf8');
    const ours = ftraceEvents('6.18').map(({ system, name, fields, print }) => {
      const rows = fields.map((f) => `  ${f.type} ${f.name} ${f.offset} ${f.bytes} ${f.signed ? 1 : 0}\n`).join('');
      return `${system}:${name}\n${rows}  "${print}"\n`;
    });
    expect(ours.join('')).toBe(wanted);
  });

  for (const { era, bits, want } of [
    { era: '6.1', bits: ['__GFP_HIGH', '__GFP_KSWAPD_RECLAIM'], want: 'GFP_NOWAIT|__GFP_HIGH' },
    { era: '3.16', bits: ['__GFP_DIRECT_RECLAIM', '__GFP_IO', '__GFP_FS', '__GFP_ZERO'], want: 'GFP_KERNEL|GFP_ZERO' },
    { era: '3.16', bits: ['__GFP_HIGH'], want: 'GFP_ATOMIC' },
    { era: '6.18', bits: ['__GFP_HIGH', '__GFP_KSWAPD_RECLAIM'], want: 'GFP_ATOMIC' },
  ] as const) {
    test(`${era} calls ${bits.join('|')} ${want}`, () => {
      const of = era === '3.16' ? GFP_BITS_3 : GFP_BITS_6;
      const names = era === '3.16' ? GFP_NAMES_3 : era === '6.1' ? GFP_NAMES_6_1 : GFP_NAMES_6_18;
      expect(
        printFlags(
          bits.reduce((sum, name) => sum | of[name]!, 0),
          names,
        ),
      ).toBe(want);
    });
  }

  test('what no name covers is printed in hexadecimal', () => {
    expect(printFlags(0x40000040, GFP_NAMES_6_18)).toBe('__GFP_IO|0x40000000');
  });
});

/** Why the running kernel's formats cannot be read, or null. */
function noTracefs(): string | null {
  if (!release().startsWith('6.18.')) return `this kernel is ${release()}`;
  if (process.getuid?.() !== 0) return 'not root';
  const failed = spawnSync('sh', ['-c', 'mount -t tracefs nodev "$0" && umount "$0"', folder], { encoding: 'utf8' });
  return failed.status === 0 ? null : 'tracefs cannot be mounted';
}

const without = noTracefs();
test.skipIf(without !== null)(
  `the running kernel's formats are ours${without === null ? '' : ` (skipped: ${without})`}`,
  () => {
    const mount = join(folder, 'tracefs');
    mkdirSync(mount);
    const mounted = spawnSync('sh', ['-c', 'mount -t tracefs nodev "$0"', mount], { encoding: 'utf8' });
    expect(mounted.stderr).toBe('');
    try {
      for (const { system, name, fields, print } of ftraceEvents('6.18')) {
        const path = join(mount, 'events', system, name, 'format');
        // A kernel may be built without one.
        if (!existsSync(path)) continue;
        const format = readFileSync(path, 'utf8');
        const theirs = [...format.matchAll(/\tfield:(.*?) ?(\w+);\toffset:(\d+);\tsize:(\d+);\tsigned:(\d);/g)].slice(
          4,
        );
        expect(
          theirs.map((m) => m.slice(1, 6).join(' ')),
          name,
        ).toEqual(fields.map((f) => `${f.type} ${f.name} ${f.offset} ${f.bytes} ${f.signed ? 1 : 0}`));
        expect(format, name).toContain(`print fmt: "${print}"`);
      }
    } finally {
      spawnSync('sh', ['-c', 'umount "$0"', mount]);
      rmdirSync(mount);
    }
  },
);

// the text

describe.each([
  { kernel: '6.18', era: '6.18', mglru: true },
  { kernel: '6.1', era: '6.1', mglru: false },
  { kernel: '3.16', era: '3.16', mglru: false },
  { kernel: '2.4.18', era: '3.16', mglru: false },
] as const)('text of $kernel (mglru $mglru)', ({ kernel, era, mglru }) => {
  test('each line has its event’s form; times never go back; the header counts them; nothing of the machine changes', async () => {
    const { bytes, hash } = await traced(mglru ? { kernel, mglru } : { kernel });
    const text = bytes.toString();
    const found = lines(text);
    const events = byName(era);
    const patterns = new Map([...events].map(([name, event]) => [name, pattern(event)]));
    const odd = found.filter(({ event, text: rest }) => patterns.get(event)?.test(rest) !== true);
    expect(odd.slice(0, 5)).toEqual([]);
    expect(text).toMatch(
      new RegExp(
        `^# tracer: nop\n#\n# entries-in-buffer/entries-written: ${found.length}/${found.length}   #P:1 +\n#\n`,
      ),
    );
    expect(found.every(({ usec }, i) => i === 0 || usec >= found[i - 1]!.usec)).toBe(true);
    const names = new Set(found.map(({ event }) => event));
    expect([...names]).toEqual(expect.arrayContaining(['page_fault_user', 'mm_page_alloc', 'mm_lru_insertion']));
    expect(new Set(found.map(({ pid, comm }) => `${comm}-${pid}`))).toContain('wl-1000');
    const unwatched = await traced({ kernel, mglru }, false);
    expect(hash).toBe(unwatched.hash);
  });
});

/** A line without its numbers. */
function skeleton(text: string): string {
  return text
    .replace(/\b[0-9a-f]{16}\b|0x[0-9a-f]+/g, '#')
    .replace(/ino [0-9a-f]+/, 'ino #')
    .replace(/-?\d+/g, '#')
    .replace(/\b(gfp_flags|flags|reason|lru)([= ])[ A-Za-z_|]+/, '$1$2#')
    .replace(/(ip|address)=\w+/g, '$1=#')
    .replace(/\w+\+#(\/#)?/, 'function');
}

test('lines of 6.18 read as golden lines do, but for their numbers', async () => {
  const { bytes } = await traced({ limit: 12 * MIB });
  const known = new Map<string, Set<string>>();
  for (const { event, text } of golden) known.set(event, (known.get(event) ?? new Set()).add(skeleton(text)));
  const alike = lines(bytes.toString()).filter(({ event }) => known.has(event));
  expect(alike.length).toBeGreaterThan(1000);
  const odd = alike.filter(({ event, text }) => !known.get(event)!.has(skeleton(text)));
  expect(odd.slice(0, 5)).toEqual([]);
});

test('the header of 6.18 is the kernel’s, but for the count', async () => {
  const { bytes } = await traced({ events: 'oom:*' });
  const header = (text: string): string[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith('#'))
      .map((line) => line.replace(/written: .*/, ''));
  expect(header(bytes.toString())).toEqual(header(readFileSync(join(data, 'ftrace-6.18.txt'), 'utf8')));
});

test('the OOM killer’s victim is named by its number in the recording, with its memory', async () => {
  const { bytes } = await traced({ limit: 6 * MIB, swap: 0, events: 'oom:*' });
  const [line, ...more] = lines(bytes.toString());
  expect(more).toEqual([]);
  expect(line).toMatchObject({ event: 'mark_victim', comm: 'wl', pid: 1000, flags: '...1.' });
  expect(line!.text).toMatch(
    /^pid=1000 comm=wl total-vm=\d{4,}kB anon-rss=\d{4}kB file-rss:\d+kB shmem-rss:0kB uid=0 pgtables=\d+kB oom_score_adj=0$/,
  );
});

test('begins and ends of reclaim are pairs, and kswapd speaks for itself', async () => {
  const { bytes } = await traced({ kernel: '2.6.24', limit: null, ram: 28 * MIB, events: 'vmscan:*' });
  const found = lines(bytes.toString());
  const count = (name: string): number => found.filter(({ event }) => event === name).length;
  expect(count('mm_vmscan_direct_reclaim_begin')).toBeGreaterThan(0);
  expect(count('mm_vmscan_direct_reclaim_begin')).toBe(count('mm_vmscan_direct_reclaim_end'));
  for (const { event, comm } of found) {
    if (event.startsWith('mm_vmscan_kswapd')) expect(comm).toBe('kswapd0');
    if (event.startsWith('mm_vmscan_direct')) expect(comm).toBe('wl');
  }
});

// how much

test('steps: only what happens between them', async () => {
  const all = lines((await traced({ events: 'exceptions:*' })).bytes.toString());
  const [from, to] = [100_000, 300_000];
  const some = lines((await traced({ events: 'exceptions:*', from, to })).bytes.toString());
  expect(some.length).toBeGreaterThan(0);
  expect(some.length).toBeLessThan(all.length);
  const at = all.findIndex(({ usec, text }) => usec === some[0]!.usec && text === some[0]!.text);
  expect(all.slice(at, at + some.length)).toEqual(some);
});

test('packed: the same text', async () => {
  const plain = await traced({ kernel: '6.18' });
  const packed = await traced({ ending: '.gz' });
  expect(gunzipSync(packed.bytes).equals(plain.bytes)).toBe(true);
});

test.each(['ftrace', 'dat', 'perfetto'] as const)('%s: the same run gives the same bytes', async (format) => {
  const hashes = [await traced({ format }), await runTraced({ format })].map(({ bytes }) =>
    createHash('sha256').update(bytes).digest('hex'),
  );
  expect(hashes[0]).toBe(hashes[1]);
});

test.each([
  ['a.txt', 'ftrace'],
  ['a.ftrace.gz', 'ftrace'],
  ['a.dat', 'dat'],
  ['a.pftrace', 'perfetto'],
  ['a.perfetto-trace.gz', 'perfetto'],
  ['a.json', null],
] as const)('the name %s means %s', (name, format) => {
  expect(traceFormatOf(name)).toBe(format);
});

test.each([
  { list: 'oom:*', want: ['mark_victim'] },
  { list: 'mm_vmscan_memcg_*', want: ['mm_vmscan_memcg_reclaim_begin', 'mm_vmscan_memcg_reclaim_end'] },
  { list: 'mm_page_fre?,oom:mark_victim', want: ['mm_page_free', 'mark_victim'] },
])('the list $list', ({ list, want }) => {
  expect([...named(list)]).toEqual(want);
});

test('a word that names no event is refused, and so is what is no file; nothing is left behind', () => {
  for (const list of ['vmscan:*,nothing', 'vmscan:*,']) expect(traceEventsNamed(list)).toMatch(/names no event/);
  const options = { format: 'ftrace', events: named(DEFAULT_TRACE_EVENTS), from: 0, to: 1 } as const;
  expect(() => new TraceOut({ ...options, path: '/dev/null' })).toThrow(/not a file/);
  const path = join(folder, 'abandoned');
  new TraceOut({ ...options, path }).abandon();
  expect(readdirSync(folder).filter((name) => name.startsWith('abandoned'))).toEqual([]);
});

// trace-cmd

const TRACE_CMD = 'trace-cmd';
const noTraceCmd = spawnSync(TRACE_CMD, ['--version']).status === null ? 'no trace-cmd' : null;
describe.skipIf(noTraceCmd !== null)(`trace-cmd${noTraceCmd === null ? '' : ` (skipped: ${noTraceCmd})`}`, () => {
  test.each(['6.18', '3.16', '2.4.18'])('report of %s is our text, line by line', async (kernel) => {
    const { path } = await traced({ kernel, format: 'dat', ending: '.dat' });
    const text = (await traced({ kernel })).bytes.toString();
    const { status, stdout, stderr } = spawnSync(TRACE_CMD, ['report', path], {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const reported = stdout
      .split('\n')
      .slice(1)
      .filter((line) => line !== '');
    // trace-cmd has its own columns, and its own way to print a pointer.
    const theirs = reported.map((line) =>
      line
        .replace(/: +/g, ': ')
        .replace(/ +/g, ' ')
        .replace(/=0x(ffff[0-9a-f]{12})/g, '=$1')
        .trim(),
    );
    const ours = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) =>
        line
          .replace(/(\[000\]) [d.][.\d]+ /, '$1 ')
          .replace(/: +/g, ': ')
          .replace(/ +/g, ' ')
          .trim(),
      );
    const pointers = (line: string): string => line.replace(/ (?:0x)?(ffff8881[0-9a-f]{8}): nid/, ' $1: nid');
    expect(theirs.length).toBe(ours.length);
    for (let i = 0; i < ours.length; i++)
      if (pointers(theirs[i]!) !== pointers(ours[i]!)) expect(theirs[i]).toBe(ours[i]);
  });
});

// Perfetto

/** What we write of perfetto's protos/perfetto/trace. */
const SCHEMA = `
syntax = "proto2";
message Trace { repeated TracePacket packet = 1; }
message TracePacket {
  optional uint64 timestamp = 8;
  optional uint32 trusted_packet_sequence_id = 10;
  optional TrackEvent track_event = 11;
  optional InternedData interned_data = 12;
  optional uint32 sequence_flags = 13;
  optional TrackDescriptor track_descriptor = 60;
}
message TrackDescriptor {
  optional uint64 uuid = 1;
  optional string name = 2;
  optional ProcessDescriptor process = 3;
  optional ThreadDescriptor thread = 4;
  optional uint64 parent_uuid = 5;
  optional CounterDescriptor counter = 8;
}
message ProcessDescriptor { optional int32 pid = 1; optional string process_name = 6; }
message ThreadDescriptor { optional int32 pid = 1; optional int64 tid = 2; optional string thread_name = 5; }
message CounterDescriptor { optional int32 unit = 3; }
message TrackEvent {
  repeated DebugAnnotation debug_annotations = 4;
  optional int32 type = 9;
  optional uint64 name_iid = 10;
  optional uint64 track_uuid = 11;
  optional int64 counter_value = 30;
}
message DebugAnnotation {
  optional uint64 name_iid = 1;
  optional int64 int_value = 4;
  optional string string_value = 6;
  optional uint64 pointer_value = 7;
}
message Name { optional uint64 iid = 1; optional string name = 2; }
message InternedData { repeated Name event_names = 2; repeated Name debug_annotation_names = 3; }
`;

interface Packet {
  timestamp: number;
  trusted_packet_sequence_id: number;
  sequence_flags: number;
  track_descriptor?: {
    uuid: number;
    name?: string;
    parent_uuid?: number;
    process?: { pid: number; process_name: string };
    thread?: { pid: number; tid: number; thread_name: string };
    counter?: { unit: number };
  };
  track_event?: {
    type: number;
    name_iid?: number;
    track_uuid: number;
    counter_value?: number;
    debug_annotations?: { name_iid: number; int_value?: number; pointer_value?: number; string_value?: string }[];
  };
  interned_data?: {
    event_names?: { iid: number; name: string }[];
    debug_annotation_names?: { iid: number; name: string }[];
  };
}

/** Every packet; one that has a field which the schema lacks does not come out the same. */
function packets(bytes: Buffer): Packet[] {
  const Trace = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('Trace');
  const decoded = Trace.decode(bytes);
  expect(Buffer.from(Trace.encode(decoded).finish()).length).toBe(bytes.length);
  return (Trace.toObject(decoded, { longs: Number }) as { packet: Packet[] }).packet;
}

interface Seen {
  tracks: Map<number, NonNullable<Packet['track_descriptor']>>;
  /** Slices and instants: name, and how deep. */
  slices: { track: number; name: string; depth: number; ns: number; notes: Record<string, number | string> }[];
  last: Map<string, number>;
}

/** Checks the order and nesting on the way. */
function read(all: readonly Packet[]): Seen {
  const seen: Seen = { tracks: new Map(), slices: [], last: new Map() };
  const names = new Map<number, string>();
  const noteNames = new Map<number, string>();
  const open = new Map<number, number>();
  let before = 0;
  for (const packet of all) {
    expect(packet.timestamp).toBeGreaterThanOrEqual(before);
    before = packet.timestamp;
    for (const { iid, name } of packet.interned_data?.event_names ?? []) names.set(iid, name);
    for (const { iid, name } of packet.interned_data?.debug_annotation_names ?? []) noteNames.set(iid, name);
    const { track_descriptor: track, track_event: event } = packet;
    if (track !== undefined) {
      expect(seen.tracks.has(track.uuid)).toBe(false);
      if (track.parent_uuid !== undefined) expect(seen.tracks.has(track.parent_uuid)).toBe(true);
      seen.tracks.set(track.uuid, track);
    }
    if (event === undefined) continue;
    const at = seen.tracks.get(event.track_uuid)!;
    const depth = open.get(event.track_uuid) ?? 0;
    if (event.type === 4) {
      expect(at.counter).toBeDefined();
      seen.last.set(at.name!, event.counter_value!);
      continue;
    }
    expect(at.thread).toBeDefined();
    if (event.type === 2) {
      expect(depth).toBeGreaterThan(0);
      open.set(event.track_uuid, depth - 1);
      continue;
    }
    const name = names.get(event.name_iid!)!;
    expect(name).toEqual(expect.any(String));
    const notes = (event.debug_annotations ?? []).map((note) => [
      noteNames.get(note.name_iid)!,
      note.int_value ?? note.pointer_value ?? note.string_value ?? 0,
    ]);
    seen.slices.push({ track: event.track_uuid, name, depth, ns: packet.timestamp, notes: Object.fromEntries(notes) });
    if (event.type === 1) open.set(event.track_uuid, depth + 1);
  }
  expect([...open.values()].every((depth) => depth === 0)).toBe(true);
  return seen;
}

describe.each([
  { kernel: '6.18', mglru: false, limit: 26 * MIB, ram: 64 * MIB, slices: ['memcg reclaim', 'major fault'] },
  { kernel: '6.18', mglru: true, limit: 26 * MIB, ram: 64 * MIB, slices: ['memcg reclaim', 'major fault'] },
  { kernel: '3.16', mglru: false, limit: null, ram: 33 * MIB, slices: ['kswapd awake', 'major fault'] },
  {
    kernel: '2.6.24',
    mglru: false,
    limit: null,
    ram: 28 * MIB,
    slices: ['direct reclaim', 'kswapd awake', 'major fault', 'writeback'],
  },
  {
    kernel: '2.4.18',
    mglru: false,
    limit: null,
    ram: 28 * MIB,
    slices: ['direct reclaim', 'kswapd awake', 'major fault'],
  },
])('Perfetto, $kernel (mglru $mglru)', ({ kernel, mglru, limit, ram, slices }) => {
  test('decodes; slices are nested and end; counters end where the machine does', async () => {
    const { bytes, replay } = await traced({ kernel, mglru, limit, ram, format: 'perfetto' });
    const all = packets(bytes);
    expect(new Set(all.map((packet) => packet.trusted_packet_sequence_id))).toEqual(new Set([1]));
    // The first says that nothing was said before, all others need what was.
    expect(all.map((packet) => packet.sequence_flags)).toEqual([3, ...all.slice(1).map(() => 2)]);
    const seen = read(all);
    expect([...new Set(seen.slices.map(({ name }) => name))].sort()).toEqual(expect.arrayContaining(slices));
    const { machine } = replay;
    const stat = (name: string): number => machine.events[(VM_EVENT_NAMES as readonly string[]).indexOf(name)]!;
    for (const name of ['pgfault', 'pgmajfault', 'pswpin', 'pswpout'])
      expect(seen.last.get(name), name).toBe(stat(name));
    for (const zone of machine.zones) {
      expect(seen.last.get(`nr_free_pages ${zone.name}`)).toBe((zone.freePages + zone.pcp.count) * 4096);
      expect(seen.last.get(`low ${zone.name}`)).toBe(zone.wmarkLow * 4096);
    }
    if (limit !== null) expect(seen.last.get('cgroup program: memory.current')).toBe(replay.memcg.memory.usage * 4096);
    const generations = [...seen.last.keys()].filter((name) => name.includes('generation'));
    expect(generations.length > 0).toBe(mglru);
    // kswapd has a thread of its own, of a process that stands for the kernel.
    for (const { track, name, notes } of seen.slices) {
      const { thread } = seen.tracks.get(track)!;
      expect(thread!.thread_name, name).toMatch(
        name === 'kswapd awake' ? /^kswapd/ : name === 'writeback' ? /^(pdflush|kupdated|kworker)/ : /./,
      );
      if (name === 'major fault') expect(notes['address'] as number).toBeGreaterThan(4095);
    }
  });
});

test('Perfetto’s counters of 6.18 are those of /proc/vmstat', async () => {
  const { bytes, replay } = await traced({ format: 'perfetto' });
  const { last } = read(packets(bytes));
  const shown = new Map(
    vmstat(replay.machine)
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  const names = [...last.keys()].filter((name) => name.startsWith('nr_') && !name.startsWith('nr_free'));
  expect(names.length).toBeGreaterThan(8);
  for (const name of names) expect(last.get(name), name).toBe(Number(shown.get(name)) * 4096);
  // The machine's clock, in nanoseconds.
  expect(packets(bytes).at(-1)!.timestamp).toBeLessThanOrEqual(replay.machine.clock.now);
});

test('a trace without any event still opens', async () => {
  const { bytes } = await traced({ format: 'perfetto', from: 999_999_999 });
  const seen = read(packets(bytes));
  expect(seen.slices).toEqual([]);
  expect(seen.last.get('pgfault')).toBeGreaterThan(0);
  writeFileSync(join(folder, 'empty'), bytes);
});
