/**
 * The program that a recording starts with, as execve needs it.
 *
 * Owns      the guess at the ELF files behind the header's `elf` and `map` lines.
 * Promises  Every range of the header belongs to the program, its interpreter, the stack, or is listed as left over.
 *
 *   map 4000000000 4000008000 r--  ┐                          map 400284d000 400284e000 r--  ┐
 *   map 4000008000 4000036000 r-x  │ the program:             map 400284e000 4002874000 r-x  │ the interpreter: around `entry`
 *   map 4000036000 4000049000 r--  │ around `start_code`      map 4002874000 400287e000 r--  │
 *   map 4000049000 400004c000 rw-  ┘                          map 400287e000 4002882000 rw-  ┘
 *   map 400204d000 400284d000 rw-    the stack: around `start_stack`
 *
 * Format 2 says which file a range shows, and from where on. Format 1 does not: a segment is taken to lie in its file as far
 * from the start as in memory; where the linker let .data begin in the page in which .rodata ends, our file is a page longer than
 * the real one.
 */
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../mm/uapi.ts';
import type { ElfFile, ElfSegment, ExecImage } from '../syscalls/exec.ts';
import type { MapRange, ProgramImage } from '../trace/recording.ts';

const PAGE = 4096;
/** glibc's, on x86-64. */
const INTERPRETER_PATH = '/lib64/ld-linux-x86-64.so.2';
/** What gcc and ld of the last years make: PHDR INTERP LOAD×4 DYNAMIC NOTE×2 GNU_* …; a static program lacks three. */
const PROGRAM_HEADERS = { dynamic: 13, static: 10, interpreter: 11 } as const;
/** .interp follows the program headers: 64 + 13 × 56. */
const INTERP_OFFSET = 0x318;

export interface RecordedImage {
  image: ExecImage;
  /** Files that must exist, with their sizes. */
  files: { path: string; bytes: number }[];
  /** What the kernel or the recorder put there besides. */
  leftOver: MapRange[];
}

export function imageOf(header: ProgramImage & { name: string }, firstBrk: number): RecordedImage | null {
  const { elf } = header;
  const startCode = elf.get('start_code');
  const entry = elf.get('entry') ?? startCode;
  if (startCode === undefined || entry === undefined) return null;
  const startStack = elf.get('start_stack') ?? -1;
  const stack = header.maps.find((m) => m.start <= startStack && startStack < m.end);
  const others = header.maps.filter((m) => m !== stack);
  const program = rangesAround(others, startCode);
  if (program.length === 0) return null;
  const around = rangesAround(others, entry);
  const interpreter = around[0] === program[0] ? [] : around;
  const taken = new Set([...program, ...interpreter, ...(stack === undefined ? [] : [stack])]);

  const argv = header.command.split(' ').filter((word) => word !== '');
  const programHeaders = interpreter.length === 0 ? PROGRAM_HEADERS.static : PROGRAM_HEADERS.dynamic;
  const path = program.find((m) => m.file !== undefined)?.file?.path ?? argv[0] ?? `/${header.name}`;
  const programFile = programElf(path, program, elf, programHeaders);
  const interpreterFile = interpreter.length === 0 ? null : interpreterElf(interpreter);
  const files = [fileOf(programFile, program)];
  if (interpreterFile !== null) files.push(fileOf(interpreterFile, interpreter));
  const brk = firstBrk > 0 ? firstBrk : pageUp(elf.get('brk') ?? program.at(-1)!.end);
  return {
    image: {
      program: programFile,
      interpreter: interpreterFile === null ? null : { file: interpreterFile, nameOffset: INTERP_OFFSET },
      argv: [...argv.slice(0, countOf(elf, 'argv_start', 'env_start') ?? argv.length)],
      envp: environment(elf, stack?.end),
      layout: {
        brk,
        ...(interpreter[0] === undefined ? {} : { interpreterBase: interpreter[0].start }),
        ...(stack === undefined ? {} : { stackEnd: stack.end }),
      },
    },
    files,
    leftOver: header.maps.filter((m) => !taken.has(m)),
  };
}

/** The ranges without a gap between them, one of which holds `address`. */
function rangesAround(maps: readonly MapRange[], address: number): MapRange[] {
  const at = maps.findIndex((m) => m.start <= address && address < m.end);
  if (at < 0) return [];
  let first = at;
  while (first > 0 && maps[first - 1]!.end === maps[first]!.start) first -= 1;
  let last = at;
  while (last + 1 < maps.length && maps[last]!.end === maps[last + 1]!.start) last += 1;
  return maps.slice(first, last + 1);
}

/** Addresses stay as they were, so the program is one that cannot be moved. */
function programElf(
  path: string,
  ranges: readonly MapRange[],
  elf: ReadonlyMap<string, number>,
  programHeaders: number,
): ElfFile {
  const base = ranges[0]!.start;
  const startData = elf.get('start_data') ?? Number.POSITIVE_INFINITY;
  const segments: ElfSegment[] = [];
  for (const range of ranges) {
    const data = range.start <= startData && startData < range.end;
    // Behind the segment with .data there is only .bss, which belongs to that segment.
    if (!data && range.start > startData) continue;
    const vaddr = data ? startData : range.start;
    const fileEnd = data ? Math.max(startData + 1, elf.get('end_data') ?? range.end) : range.end;
    const memoryEnd = data ? Math.max(fileEnd, elf.get('brk') ?? range.end) : range.end;
    segments.push({
      vaddr,
      offset: range.file === undefined ? vaddr - base : range.file.offset + vaddr - range.start,
      fileBytes: Math.min(fileEnd, memoryEnd) - vaddr,
      memBytes: memoryEnd - vaddr,
      prot: protOf(range),
    });
  }
  return { path, positionIndependent: false, programHeaders, segments };
}

function interpreterElf(ranges: readonly MapRange[]): ElfFile {
  const base = ranges[0]!.start;
  const path = ranges[0]!.file?.path;
  const segments: ElfSegment[] = [];
  for (const range of ranges) {
    const bytes = range.end - range.start;
    const last = segments.at(-1);
    if (path !== undefined && range.file === undefined && last !== undefined) {
      // Its .bss is longer than the page in which .data ends.
      segments[segments.length - 1] = { ...last, memBytes: range.end - base - last.vaddr };
      continue;
    }
    // The last page of its data ends in .bss, so the kernel clears the rest of it.
    const tail = range.write ? 1 : 0;
    const vaddr = range.start - base;
    const offset = range.file?.offset ?? vaddr;
    const fileBytes = Math.min(bytes - tail, (range.file?.bytes ?? Number.POSITIVE_INFINITY) - offset);
    segments.push({ vaddr, offset, fileBytes, memBytes: bytes, prot: protOf(range) });
  }
  return {
    path: path ?? INTERPRETER_PATH,
    positionIndependent: true,
    programHeaders: PROGRAM_HEADERS.interpreter,
    segments,
  };
}

/** Format 2 knows how long the file is; else it ends with its last segment. */
function fileOf(elf: ElfFile, ranges: readonly MapRange[]): { path: string; bytes: number } {
  const known = ranges.find((m) => m.file !== undefined)?.file?.bytes;
  return { path: elf.path, bytes: known ?? Math.max(...elf.segments.map((s) => s.offset + s.fileBytes)) };
}

function protOf(range: MapRange): number {
  return (range.read ? PROT_READ : 0) | (range.write ? PROT_WRITE : 0) | (range.execute ? PROT_EXEC : 0);
}

/** Entries of a vector that ends with a null pointer where the next one begins. */
function countOf(elf: ReadonlyMap<string, number>, from: string, to: string): number | null {
  const start = elf.get(from);
  const end = elf.get(to);
  return start === undefined || end === undefined || end <= start ? null : (end - start) / 8 - 1;
}

/** As many strings as there were, together as long as the room above the vectors says. What stands in them is not recorded. */
function environment(elf: ReadonlyMap<string, number>, stackEnd: number | undefined): string[] {
  const count = countOf(elf, 'env_start', 'auxv_start') ?? 0;
  const room = (stackEnd ?? 0) - (elf.get('auxv_start') ?? 0);
  const each = Math.max(8, Math.floor((room - 512) / Math.max(1, count)));
  return Array.from({ length: Math.min(count, 4096) }, () => 'x'.repeat(Math.min(each, 2 ** 17)));
}

function pageUp(address: number): number {
  return Math.ceil(address / PAGE) * PAGE;
}
