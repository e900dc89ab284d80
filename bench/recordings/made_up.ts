/**
 * Long recordings for benches, of as many page events as one likes.
 *
 *     sqlite     the bundled recording of sqlite3, its accesses again and again before it exits: a program as programs are
 *     mixture    made up to be hard: a hot set, a loop and a scan over 96 MiB; each event is a page that is not among the last 32
 */
import { fileURLToPath } from 'node:url';
import {
  EVENT_ACCESSES,
  EVENT_END,
  EVENT_PATH,
  EVENT_SYSCALL,
  EVENT_TICK,
  KIND_READ,
  KIND_WRITE,
} from '../../src/trace/decode.ts';
import { BodyWriter, encodeRecording } from '../../src/trace/encode.ts';
import type { RecordingHeader } from '../../src/trace/recording.ts';
import { decoderOf, openRecording, type Recording } from '../../src/trace/source.ts';
import { SYS_exit_group, SYS_mmap } from '../../src/trace/x86_64.ts';

const PAGE = 4096;
/** Pages that a recorder leaves out, and accesses between its ticks. */
const WINDOW = 32;
const TICK = 65_536;

const MIXTURE: RecordingHeader = {
  name: 'mixture',
  command: '/bin/mixture',
  recorder: 'revmap bench',
  window: WINDOW,
  // A static program of four pages.
  elf: new Map([
    ['start_code', 0x401000],
    ['entry', 0x401000],
    ['start_data', 0x403100],
    ['end_data', 0x403800],
    ['brk', 0x404100],
    ['start_stack', 0x7fffffffe000],
  ]),
  maps: [
    { start: 0x400000, end: 0x401000, read: true, write: false, execute: false },
    { start: 0x401000, end: 0x403000, read: true, write: false, execute: true },
    { start: 0x403000, end: 0x405000, read: true, write: true, execute: false },
    { start: 0x7ffffffde000, end: 0x7ffffffff000, read: true, write: true, execute: false },
  ],
  processes: [{ pid: 0, bytes: 0, stats: '' }],
  other: new Map(),
};

/** The accesses of the first process once as recorded, and then again until there are enough; then it exits. */
export async function repeatedSqlite(most: number): Promise<Uint8Array> {
  const recording = await openRecording(fileURLToPath(new URL('../examples/sqlite.rvm.gz', import.meta.url)));
  const writer = new BodyWriter();
  let events = copyBody(recording, writer, true, most);
  while (events < most) events += copyBody(recording, writer, false, most - events);
  writer.syscall(SYS_exit_group, [0], 0);
  return encodeRecording(recording.header, [writer.end()]);
}

/** `whole`: with its calls, but for the exit. Gives the number of accesses. */
function copyBody(recording: Recording, writer: BodyWriter, whole: boolean, most: number): number {
  const decoder = decoderOf(recording, 0);
  let events = 0;
  for (let event = decoder.next(); event !== EVENT_END && events < most; event = decoder.next()) {
    if (event === EVENT_ACCESSES) {
      for (let i = 0; i < decoder.count; i++) writer.access(decoder.vpns[i]!, decoder.kinds[i]!);
      events += decoder.count;
    } else if (event === EVENT_TICK) writer.tick(decoder.ticks);
    else if (!whole || (event === EVENT_SYSCALL && decoder.call[0] === SYS_exit_group)) continue;
    else if (event === EVENT_PATH) writer.path(decoder.text);
    else if (event === EVENT_SYSCALL)
      writer.syscall(decoder.call[0]!, [...decoder.call.subarray(1, 7)], decoder.call[7]!);
  }
  return events;
}

/** Of 1000 accesses 990 to a hot set of 6 MiB, nine to a loop of 32 MiB, one to a scan; none to one of the last 32 pages. */
export function mixture(most: number): Uint8Array {
  const at = 0x7f0000000;
  const pages = 24_576;
  const writer = new BodyWriter();
  writer.syscall(SYS_mmap, [0, pages * PAGE, 3, 0x22, -1, 0], at * PAGE);
  for (let page = 0; page < pages; page++) writer.access(at + page, KIND_WRITE);
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  const lastUse = new Int32Array(pages).fill(-WINDOW);
  let loop = 0;
  let scan = 0;
  for (let events = pages; events < most; ) {
    const which = random();
    let page = Math.floor(1536 * random());
    if (which >= 0.999) page = scan = (scan + 1) % pages;
    else if (which >= 0.99) page = 1536 + (loop = (loop + 1) % 8192);
    if (events - lastUse[page]! <= WINDOW) continue;
    lastUse[page] = events;
    writer.access(at + page, random() < 0.3 ? KIND_WRITE : KIND_READ);
    events += 1;
    if (events % (TICK / 16) === 0) writer.tick(TICK);
  }
  return encodeRecording(MIXTURE, [writer.end()]);
}
