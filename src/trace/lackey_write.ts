/**
 * A recording as lackey's text, for tools that read that.
 *
 * Owns      the lines: the reader of lackey.ts reads them back.
 * Promises  Accesses, system calls and the first program's layout are there, in the order of the recording. An access says no more
 *           than its page. Ticks, later programs and the recorder's own lines are not.
 */
import { EVENT_ACCESSES, EVENT_PATH, EVENT_SYSCALL } from './decode.ts';
import { printable } from './error.ts';
import { OrderedReader } from './order.ts';
import type { OutputFile } from './output.ts';
import type { MapRange } from './recording.ts';
import type { Recording } from './source.ts';
import { SYS_clone, syscallName } from './x86_64.ts';

const STARTS = ['I  ', ' L ', ' S '];
/** The first process has number 0 in a recording; no process has that in Linux. */
const FIRST_PID = 1;

export function writeLackey(recording: Recording, out: OutputFile): void {
  const { header } = recording;
  const { processes, ordered } = header;
  out.line(`==${FIRST_PID}== Lackey, written by revmap from ${printable(header.name)} (window ${header.window})`);
  out.line(`==${FIRST_PID}== Command: ${printable(header.command)}`);
  layout(header.maps, out);
  const reader = new OrderedReader(recording);
  const paths = new Map<number, string>();
  let speaker = 0;
  for (let event = reader.next(); event !== null; event = reader.next()) {
    const { decoder, body } = reader;
    const { pid } = processes[ordered === undefined ? body : ordered.threads[body]!.process]!;
    if (event === EVENT_PATH) paths.set(body, decoder.text);
    if (event !== EVENT_ACCESSES && event !== EVENT_SYSCALL) continue;
    // Access lines do not say whose they are.
    if (pid !== speaker && event === EVENT_ACCESSES) out.line(`==${pidOf(pid)}== `);
    speaker = pid;
    if (event === EVENT_SYSCALL) {
      out.line(callLine(pidOf(pid), decoder.call, paths.get(body) ?? null));
      paths.delete(body);
      continue;
    }
    for (let i = 0; i < decoder.count; i++) {
      const address = (decoder.vpns[i]! * 4096).toString(16).padStart(8, '0');
      out.line(`${STARTS[decoder.kinds[i]!]}${address},1`);
    }
  }
}

function pidOf(pid: number): number {
  return pid === 0 ? FIRST_PID : pid;
}

/** As valgrind -d writes it. */
function layout(maps: readonly MapRange[], out: OutputFile): void {
  if (maps.length === 0) return;
  const say = (text: string) => out.line(`--${FIRST_PID}:1: aspacem ${text}`);
  say(`<<< SHOW_SEGMENTS: Memory layout at client startup (${maps.length} segments)`);
  const names = [...new Set(maps.flatMap((map) => map.file?.path ?? []))];
  for (const [i, name] of names.entries()) say(`(${i},${i},1) ${printable(name)}`);
  for (const [i, { start, end, read, write, execute, file }] of maps.entries()) {
    const range = `${start.toString(16).padStart(10, '0')}-${(end - 1).toString(16).padStart(10, '0')}`;
    const prot = `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}--`;
    const name = file === undefined ? -1 : names.indexOf(file.path);
    const place = file === undefined ? '' : ` d=0x000 i=${file.inode} o=${file.offset} (${name},${name})`;
    say(`${String(i).padStart(3)}: ${file === undefined ? 'anon' : 'file'} ${range} ${end - start} ${prot}${place}`);
  }
  say('>>>');
}

function callLine(pid: number, call: Float64Array, path: string | null): string {
  const number = call[0]!;
  const result = call[7]!;
  const args = [...call.subarray(1, 7)].map((n, i) => (number === SYS_clone && i === 0 ? n.toString(16) : argument(n)));
  // lackey's reader takes the name from wherever it stands.
  if (path !== null) args[0] += `(${printable(path)})`;
  const ended = result < 0 ? `Failure(${hex(-result)})` : `Success(${hex(result)})`;
  return `SYSCALL[${pid},1](${number}) sys_${syscallName(number)} ( ${args.join(', ')} ) --> [pre-success] ${ended}`;
}

function argument(n: number): string {
  return n >= 4096 ? hex(n) : String(n);
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}
