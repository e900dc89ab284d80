/**
 * Where memory lay when the program began, as `valgrind -d` tells it.
 *
 * Owns      the table "Memory layout at client startup".
 * Promises  Only the client's segments come out: those in lower case, without the pages of lackey's own file that valgrind lends it
 *           and without the page that stands for an empty heap.
 *
 *     SHOW_SEGMENTS: Memory layout at client startup (34 segments)
 *     (1,49,7) /tmp/prog                                                     name 49 of the table
 *       1: file 0000108000-0000108fff    4096 r---- d=0xfe00 i=2163326 o=0       (1,49)
 *      13: FILE 0058000000-0058000fff    4096 r---- d=0xfe00 i=341618  o=0       (0,4)      valgrind's own
 *      25: anon 1ffefff000-1fff000fff    8192 rw---                                         the stack
 *     >>>
 */
import type { MapRange } from './recording.ts';

const USER_BYTES = 2 ** 47;
const SEGMENT =
  /^\d{1,6}: (file|FILE|anon|shm) {1,3}([0-9a-f]{1,16})-([0-9a-f]{1,16}) {1,10}\S{1,12} ([r-])([w-])([x-])\S{0,4}(?: {1,4}d=0x([0-9a-f]{1,8}) i=(\d{1,15}) {1,9}o=(\d{1,15}) {1,9}\(\d{1,9},(\d{1,9})\))?/;

export class LackeyLayout {
  /** All of it was there. */
  isDone = false;
  private isInside = false;
  /** Paths by their place in valgrind's table; which of them are valgrind's own. */
  private readonly names: Map<string, string> = new Map();
  private readonly own: Set<string> = new Set();
  private readonly segments: MapRange[] = [];

  /** A line of valgrind's, without its `--PID:1: `. True if it adds something that is kept. */
  line(text: string): boolean {
    const match = /^ *aspacem +(.*)$/.exec(text);
    if (match === null || this.isDone) return false;
    const said = match[1]!;
    if (said.includes('Memory layout at client startup')) this.isInside = true;
    else if (this.isInside && said.startsWith('>>>')) this.isDone = true;
    else if (this.isInside) return this.row(said);
    return false;
  }

  /** `firstBrk`: what the first brk returned, 0 if there was none. */
  image(firstBrk: number): { image: { elf: Map<string, number>; maps: MapRange[] }; unseen: string[] } {
    const elf = new Map<string, number>();
    if (!this.isDone) {
      const reason =
        'where the program, its stack and its heap lay: only valgrind -d says that; their pages count as anonymous';
      return { image: { elf, maps: [] }, unseen: [reason] };
    }
    const client = this.segments.filter(
      ({ file, start }) => (file === undefined || !this.own.has(file.path)) && start !== firstBrk,
    );
    const files = [...new Set(client.flatMap(({ file }) => file?.path ?? []))];
    const program = client.filter(({ file }) => file !== undefined && file.path === files[0]);
    const interpreter = client.filter(({ file }) => file !== undefined && file.path === files[1]);
    const code = program.find((s) => s.execute);
    if (code !== undefined) elf.set('start_code', code.start);
    const entry = interpreter.find((s) => s.execute) ?? code;
    if (entry !== undefined) elf.set('entry', entry.start);
    const data = program.find((s) => s.write);
    if (data !== undefined) elf.set('start_data', data.start).set('end_data', data.end);
    const stack = client.findLast((s) => s.file === undefined && s.write);
    if (stack !== undefined) elf.set('start_stack', stack.end - 16);
    if (firstBrk > 0) elf.set('start_brk', firstBrk);
    return { image: { elf, maps: this.withLengths(client) }, unseen: [] };
  }

  /** The table does not say how long a file is: so long at least. */
  private withLengths(ranges: readonly MapRange[]): MapRange[] {
    const lengths = new Map<string, number>();
    for (const { file, start, end } of this.segments) {
      if (file === undefined) continue;
      lengths.set(file.path, Math.max(lengths.get(file.path) ?? 0, file.offset + end - start));
    }
    return ranges.map((range) => {
      const { file } = range;
      return file === undefined ? range : { ...range, file: { ...file, bytes: lengths.get(file.path)! } };
    });
  }

  private row(said: string): boolean {
    const name = /^\(\d{1,9},(\d{1,9}),\d{1,9}\) (\/.*)$/.exec(said);
    if (name !== null) {
      this.names.set(name[1]!, name[2]!);
      return true;
    }
    const match = SEGMENT.exec(said);
    if (match === null) return false;
    const path = this.names.get(match[10] ?? '');
    if (match[1] === 'FILE') {
      if (path !== undefined) this.own.add(path);
      return false;
    }
    const start = Number.parseInt(match[2]!, 16);
    const end = Number.parseInt(match[3]!, 16) + 1;
    const before = this.segments.at(-1)?.end ?? 0;
    if (start % 4096 !== 0 || end % 4096 !== 0 || start < before || end <= start || end > USER_BYTES) return false;
    const range = { start, end, read: match[4] === 'r', write: match[5] === 'w', execute: match[6] === 'x' };
    const offset = Number(match[9]);
    if (path === undefined || offset % 4096 !== 0) this.segments.push(range);
    else {
      const device = Number.parseInt(match[7]!, 16);
      const major = ((device >>> 8) & 0xfff).toString(16);
      const minor = ((device & 0xff) | ((device >>> 12) & 0xfff00)).toString(16);
      const file = { path, device: `${major}:${minor}`, inode: Number(match[8]), offset, bytes: 0 };
      this.segments.push({ ...range, file });
    }
    return true;
  }
}
