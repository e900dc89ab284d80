/** `revmap frames`: what the frames of a host are used for, a picture of them, and fragmentation. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fragmentationOf } from '../host/frames/fragmentation.ts';
import { chooseFrames, type FrameFilter } from '../host/frames/frame_filter.ts';
import { FRAME_KINDS, type FrameKind, type FrameKinds, LRU_LISTS, type LruList } from '../host/frames/frame_kinds.ts';
import { type FrameMap, foldLines, mapFrames } from '../host/frames/frame_map.ts';
import { FLAG_NAMES, flagBit, flagHex, flagLetters, flagNames } from '../host/frames/frame_words.ts';
import { type FrameRange, frameKinds, frameRanges, frameTables } from '../host/frames/frames.ts';
import { kernelParts } from '../host/frames/meminfo_sums.ts';
import { parseZones } from '../host/kernel_texts.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { InputError } from '../mm/bug.ts';
import { wholeNumber } from './arguments.ts';
import { drawMap, mapColumns } from './frame_map_text.ts';
import { describeFrames, describeWithoutFrames, TABLES, type TableName } from './frames_text.ts';
import { addHostSource, type HostSourceFlags, hostFooter, hostSnapshot } from './host_source.ts';
import { columns, print, printJson } from './output.ts';
import { pc } from './terminal.ts';

interface FramesFlags extends HostSourceFlags {
  kind?: FrameKind[];
  flag?: string[];
  zone?: string[];
  cgroup?: string[];
  list?: LruList[];
  pid?: number[];
  range?: [number, number];
  by?: TableName[];
  raw?: boolean;
  pfns?: boolean;
  map?: boolean;
  json?: boolean;
}

/** With a filter, what is only known of the whole is left out. */
const SHOWN: readonly TableName[] = ['kind', 'list', 'zone', 'mapcount', 'cgroup', 'age', 'meminfo', 'fragmentation'];
const SHOWN_OF_A_PART: readonly TableName[] = ['kind', 'list', 'zone', 'mapcount', 'cgroup', 'age', 'flags'];
const MAP_LINES = 32;
const MOST_PID = 2 ** 22;

export function addFrames(program: Command): void {
  const pidOf = wholeNumber(1, MOST_PID);
  const command = program
    .command('frames')
    .description(
      'what the frames of a host are used for: by kind, flags, zone, list, cgroup; a picture; fragmentation',
    );
  addHostSource(command)
    .addOption(
      new Option('--by <tables>', `which tables: ${TABLES.join(', ')}, or all`).argParser((text: string) =>
        text === 'all' ? [...TABLES] : listOf(text, TABLES, 'table'),
      ),
    )
    .addOption(new Option('--map', 'a picture of all frames instead').conflicts(['pfns', 'by']))
    .addOption(new Option('--pfns', 'the frames themselves instead, as ranges').conflicts('by'))
    .option('--raw', "flags as page-types --raw has them: also the kernel developers' own")
    .option('--kind <kinds>', `only frames of these kinds: ${FRAME_KINDS.map(({ kind }) => kind).join(', ')}`, kindsOf)
    .option('--flag <flags>', 'only frames with all of these flags; ~dirty for not dirty', flagsOf)
    .option('--zone <zones>', 'only these zones: Normal, or 1:Normal for that of node 1', namesOf)
    .option(
      '--cgroup <paths>',
      'only frames charged to one of these cgroups or one below; none for uncharged ones',
      namesOf,
    )
    .option('--list <lists>', `only frames on these lists: ${LRU_LISTS.join(', ')}`, (text) =>
      listOf(text, LRU_LISTS, 'list'),
    )
    .option('--pid <pids>', 'only frames that one of these processes maps', (text) => text.split(',').map(pidOf))
    .option('--range <A-B>', 'only frames A to B - 1, decimal or 0x hexadecimal', rangeOf)
    .option('--json', 'the answer as JSON')
    .action(async (flags: FramesFlags) => {
      const snapshot = await hostSnapshot(flags, {
        frames: 'all',
        entries: flags.pid !== undefined,
        rollups: false,
        pids: flags.pid ?? [],
        // Frames take most of the time, not processes.
        progress: () => undefined,
      });
      const kinds = frameKinds(snapshot);
      if (flags.pfns === true) printRanges(snapshot, readable(snapshot, kinds, '--pfns'), flags);
      else if (flags.map === true) printMap(snapshot, readable(snapshot, kinds, '--map'), flags);
      else printTables(snapshot, kinds, flags);
    });
}

function listOf<T extends string>(text: string, known: readonly T[], what: string): T[] {
  return text.split(',').map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw new InvalidArgumentError(`No ${what} '${name}': ${known.join(', ')}.`);
    return found;
  });
}

function kindsOf(text: string): FrameKind[] {
  const names = FRAME_KINDS.map(({ kind }) => kind);
  return listOf(text, names, 'kind');
}

function flagsOf(text: string, before: readonly string[] = []): string[] {
  const flags = text.split(',');
  const wrong = flags.find((flag) => flagBit(flag.replace(/^~/, '')) === null);
  if (wrong !== undefined)
    throw new InvalidArgumentError(`No flag begins with '${wrong}' alone: ${FLAG_NAMES.join(', ')}.`);
  return [...before, ...flags];
}

function namesOf(text: string): string[] {
  return text.split(',').filter((name) => name !== '');
}

function rangeOf(text: string): [number, number] {
  const number = '(0x[0-9a-f]{1,12}|\\d{1,15})';
  const found = new RegExp(`^${number}-${number}$`, 'i').exec(text);
  const [first, end] = [Number(found?.[1]), Number(found?.[2])];
  if (!(first < end)) throw new InvalidArgumentError('Two frames, the second behind the last: 0x100000-0x100200.');
  return [first, end];
}

function filterOf({ kind, flag, zone, cgroup, list, pid, range }: FramesFlags): FrameFilter {
  return { kinds: kind, flags: flag, zones: zone, cgroups: cgroup, lists: list, pids: pid, range };
}

function isFilter(filter: FrameFilter): boolean {
  return Object.values(filter).some((part) => part !== undefined);
}

function readable(snapshot: HostSnapshot, kinds: FrameKinds | null, what: string): FrameKinds {
  if (kinds !== null) return kinds;
  const why = snapshot.missing.find((row) => row.what.startsWith('kpage') || row.what === 'frames')?.why ?? 'not there';
  throw new InputError(what, 0, `/proc/kpageflags was not read (${why})`);
}

/** A part of the question that names nothing is the user's to mend. */
function answered<T>(answer: T | string): T {
  if (typeof answer === 'string') throw new InputError('frames', 0, answer);
  return answer;
}

function printTables(snapshot: HostSnapshot, kinds: FrameKinds | null, flags: FramesFlags): void {
  const filter = filterOf(flags);
  const width = columns(100);
  const fragmentation = fragmentationOf(snapshot, kinds);
  if (kinds === null && isFilter(filter)) readable(snapshot, kinds, 'frames');
  if (kinds === null) {
    const zones = parseZones(snapshot.texts.get('zoneinfo'));
    if (flags.json === true) printJson({ ...aboutHost(snapshot), tables: null, zones, fragmentation });
    else
      print(
        `${describeWithoutFrames(zones, snapshot.texts.get('meminfo'), fragmentation, width)}\n${hostFooter(snapshot)}`,
      );
    return;
  }
  const tables = answered(frameTables(snapshot, kinds, filter));
  const ofKind = (name: FrameKind) => tables.kinds.find(({ kind }) => kind === name)?.frames ?? 0;
  const kernel = isFilter(filter) ? [] : kernelParts(snapshot, kinds, ofKind('kernel'), ofKind('slab'));
  if (flags.json === true) {
    printJson({ ...aboutHost(snapshot), tables, kernel, fragmentation });
    return;
  }
  const by = flags.by ?? (isFilter(filter) ? SHOWN_OF_A_PART : SHOWN);
  const text = describeFrames({ tables, fragmentation, kernel }, by, flags.raw === true, width);
  print(`${text}\n${hostFooter(snapshot)}`);
}

/** Under --json, beside the answer. */
export function aboutHost({ source, hostname, kernel, takenAtMs, missing, changes }: HostSnapshot): object {
  return { source, hostname, kernel, takenAtMs, missing, changes };
}

function printMap(snapshot: HostSnapshot, kinds: FrameKinds, flags: FramesFlags): void {
  const chosen = answered(chooseFrames(snapshot, kinds, filterOf(flags)));
  const width = columns(100);
  const colour = pc.isColorSupported && flags.json !== true;
  // Two lines of cells share one of the terminal.
  const map = mapFrames(kinds, chosen, mapColumns(width), colour ? 2 * MAP_LINES : MAP_LINES);
  if (flags.json === true) printJson({ ...aboutHost(snapshot), ...mapJson(map) });
  else print(`${drawMap(map, width, colour)}\n${hostFooter(snapshot)}`);
}

/** A run of cells that are alike is one element. */
function mapJson({ framesPerCell, columns, zones }: FrameMap): object {
  return {
    framesPerCell,
    zones: zones.map(({ node, zone, firstPfn, cells }) => ({
      node,
      zone,
      firstPfn,
      lines: foldLines(cells, columns).map(({ at, cells: line, same }) => ({
        firstPfn: firstPfn + at * framesPerCell,
        same,
        cells: line.map(({ kind }) => kind),
      })),
    })),
  };
}

/** Written as they come: there may be millions. */
function printRanges(snapshot: HostSnapshot, kinds: FrameKinds, flags: FramesFlags): void {
  const ranges = answered(frameRanges(snapshot, kinds, filterOf(flags)));
  if (flags.json === true) {
    printJson({ ...aboutHost(snapshot), ranges: [...ranges].map(rangeJson) });
    return;
  }
  print('pfn\tframes\tkind\tflags\tnames');
  let lines: string[] = [];
  const flush = () => {
    if (lines.length > 0) print(lines.join('\n'));
    lines = [];
  };
  for (const { first, frames, kind, word } of ranges) {
    lines.push(`0x${first.toString(16)}\t${frames}\t${kind}\t${flagLetters(word)}\t${flagNames(word)}`);
    if (lines.length === 4096) flush();
  }
  flush();
  process.stderr.write(hostFooter(snapshot));
}

function rangeJson({ first, frames, kind, word }: FrameRange): object {
  return {
    pfn: first,
    frames,
    kind,
    word: flagHex(word),
    flags: flagNames(word)
      .split(',')
      .filter((name) => name !== ''),
  };
}
