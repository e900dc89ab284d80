/**
 * Compares what the engine did with a memory program with what a kernel did (format 1, section 5).
 *
 * Owns      the rules: which fields are held to be exact, which have latitude, which are not compared.
 * Promises  1. Lines are compared in their order, and the first field that differs ends it.
 *           2. In a snapshot causes come before what they cause: regions, then pages, then the numbers that add them up, files.
 *           3. Frames and swap slots are compared up to renaming, over all processes of a snapshot together.
 */
import type { MmpCall, MmpProgram } from '../../syscalls/mmp.ts';
import {
  expandRuns,
  type FileRecord,
  type FullSnap,
  fullSnap,
  hasCachestat,
  isSnap,
  type OpRecord,
  type PageRun,
  type PageState,
  type ProcRecord,
  type Recording,
  RunReader,
  type SnapRecord,
  type VmaRecord,
} from './recording.ts';

export interface Difference {
  /** Number of the call, from 1. */
  readonly op: number;
  readonly call: string;
  /** The call itself, or a region, page or file of the snapshot behind it. */
  readonly where: string;
  readonly field: string;
  readonly kernel: string;
  readonly engine: string;
}

/** Where in a snapshot a difference is: show.ts draws it. */
export type Place =
  | { readonly kind: 'call' | 'line' | 'processes' | 'files' }
  | { readonly kind: 'regions'; readonly proc: string }
  | { readonly kind: 'region'; readonly proc: string; readonly row: number }
  | { readonly kind: 'page'; readonly proc: string; readonly page: number }
  | { readonly kind: 'file'; readonly name: string };

/** What both sides said there, and what they agreed on before. */
export interface Scene {
  readonly place: Place;
  readonly before: FullSnap | null;
  readonly kernel: FullSnap | null;
  readonly engine: FullSnap | null;
  /** Index of the differing line in both recordings. */
  readonly line: number;
}

export interface Comparison {
  readonly equal: boolean;
  readonly first: Difference | null;
  readonly scene: Scene | null;
  /** Call lines of the kernel's recording, and those before the first difference. */
  readonly calls: number;
  readonly callsBefore: number;
  /** Fields that were compared and found equal. */
  readonly equalFields: number;
}

export const OP_FIELDS = [
  'ret',
  'err',
  'sig',
  'code',
  'addr',
  'vec',
  'exit',
  'died',
  'skipped',
  'minflt',
  'majflt',
] as const;
export const VMA_TEXT: readonly string[] = ['start', 'end', 'perms', 'offset', 'name', 'VmFlags'];
export const VMA_KIB: readonly string[] =
  `Rss Pss Pss_Dirty Shared_Clean Shared_Dirty Private_Clean Private_Dirty Referenced Anonymous KSM LazyFree
  AnonHugePages ShmemPmdMapped FilePmdMapped Swap SwapPss Locked THPeligible`.split(/\s+/);
export const CORE_FLAGS: ReadonlySet<string> = new Set(
  `referenced uptodate dirty lru active writeback mmap anon swapcache swapbacked compound_head compound_tail unevictable ksm thp
  zero_page mlocked anon_exclusive`.split(/\s+/),
);

/** Files read through readahead: windows and folio orders depend on file system and device. */
const READAHEAD_FLAGS = new Set(['thp', 'compound_head', 'compound_tail', 'referenced']);
/** A locked area that shows only a part of a large folio leaves it on its LRU list, where it ages as any other. */
const PART_LOCKED_FLAGS = new Set([...READAHEAD_FLAGS, 'mlocked', 'unevictable', 'active']);
const NO_FLAGS: ReadonlySet<string> = new Set();
const READAHEAD_RSS_KIB = 128;
const READAHEAD_MINFLT = 8;
const READAHEAD_MAJFLT = 2;
/** Of a region that shows such a file, what does not follow from which of its pages are mapped. */
const READAHEAD_KIB: readonly string[] = ['Anonymous', 'KSM', 'LazyFree', 'AnonHugePages', 'Swap', 'SwapPss'];

const ARENA_START = 0x100000000000;
const PAGE = 4096;
/** Fields of a page that is not of such a file: state, ID, flags, mapcount, pm. */
const PAGE_FIELDS = 5;

export function compareRecordings(program: MmpProgram, kernel: Recording, engine: Recording): Comparison {
  const comparer = new Comparer(program, kernel.header.kernel);
  const rows = Math.max(kernel.lines.length, engine.lines.length);
  for (let i = 0; i < rows; i++) if (!comparer.line(i, kernel, engine)) break;
  let calls = 0;
  for (const line of kernel.lines) if (!isSnap(line)) calls += 1;
  return comparer.result(calls);
}

/** Each method says whether what it was given is equal; the first that is not stays in `first`. */
class Comparer {
  private readonly program: MmpProgram;
  private readonly cachestat: boolean;
  private readonly hugePages: boolean;
  private readonly readahead: ReadonlySet<string>;
  private row = 0;
  private op_ = 0;
  private call = '';
  private callsDone = 0;
  private first: Difference | null = null;
  private scene: Scene | null = null;
  private equalFields = 0;
  private before: FullSnap | null = null;
  private kernelSnap: FullSnap | null = null;
  private engineSnap: FullSnap | null = null;
  /** By process and page, the IDs of the snapshot before. */
  private ids: ReadonlyMap<string, PageIds> = new Map();

  constructor(program: MmpProgram, kernel: string) {
    this.program = program;
    this.cachestat = hasCachestat(kernel);
    this.hugePages = /(^|\/)thp-[^/]*$/.test(program.file);
    this.readahead = readaheadFiles(program);
  }

  result(calls: number): Comparison {
    const { first, scene, equalFields } = this;
    const callsBefore = first === null ? calls : Math.max(0, this.callsDone - 1);
    return { equal: first === null, first, scene, calls, callsBefore, equalFields };
  }

  line(row: number, kernel: Recording, engine: Recording): boolean {
    this.row = row;
    const want = kernel.lines[row];
    const got = engine.lines[row];
    const op = want ?? got;
    if (op !== undefined && !isSnap(op)) this.begin(op);
    const kind = want === undefined ? 'nothing' : isSnap(want) ? `snap ${want.snap}` : `op ${want.op}`;
    const engineKind = got === undefined ? 'nothing' : isSnap(got) ? `snap ${got.snap}` : `op ${got.op}`;
    if (want === undefined || got === undefined || kind !== engineKind)
      return this.differ({ kind: 'line' }, 'recording', 'line', kind, engineKind);
    return isSnap(want) ? this.snap(want, got as SnapRecord) : this.op(want, got as OpRecord);
  }

  private begin(op: OpRecord): void {
    this.op_ = op.op;
    this.call = op.call;
    this.callsDone += 1;
  }

  private differ(place: Place, where: string, field: string, kernel: string, engine: string): false {
    this.first = { op: this.op_, call: this.call, where, field, kernel, engine };
    const inSnap = place.kind !== 'call' && place.kind !== 'line';
    this.scene = {
      place,
      before: inSnap ? this.before : this.kernelSnap,
      kernel: inSnap ? this.kernelSnap : null,
      engine: inSnap ? this.engineSnap : null,
      line: this.row,
    };
    return false;
  }

  private text(place: Place, where: string, field: string, kernel: string, engine: string): boolean {
    if (kernel !== engine) return this.differ(place, where, field, kernel, engine);
    this.equalFields += 1;
    return true;
  }

  // calls

  private op(kernel: OpRecord, engine: OpRecord): boolean {
    for (const name of OP_FIELDS) {
      const want = kernel[name];
      const got = engine[name];
      if (want === undefined && got === undefined) continue;
      if (want !== got && !this.near(name, want, got))
        return this.differ({ kind: 'call' }, 'call', name, shown(want), shown(got));
      this.equalFields += 1;
    }
    return true;
  }

  private near(name: string, want: unknown, got: unknown): boolean {
    if (this.readahead.size === 0 || (name !== 'minflt' && name !== 'majflt')) return false;
    return Math.abs(Number(want) - Number(got)) <= (name === 'minflt' ? READAHEAD_MINFLT : READAHEAD_MAJFLT);
  }

  // snapshots

  private snap(kernel: SnapRecord, engine: SnapRecord): boolean {
    const want = fullSnap(kernel, this.kernelSnap);
    const got = fullSnap(engine, this.engineSnap);
    const wasKernel = this.kernelSnap;
    const wasEngine = this.engineSnap;
    this.before = wasKernel;
    this.kernelSnap = want;
    this.engineSnap = got;
    if (!this.text({ kind: 'processes' }, 'snapshot', 'processes', labelsOf(want), labelsOf(got))) return false;
    // What both say is as before has been compared before.
    const changed = [...want.procs.keys()].filter(
      (label) =>
        want.procs.get(label) !== wasKernel?.procs.get(label) || got.procs.get(label) !== wasEngine?.procs.get(label),
    );
    for (const label of changed) {
      if (!this.regions(label, want.procs.get(label)!.vmas, got.procs.get(label)!.vmas)) return false;
    }
    if (changed.length > 0 || want.procs.size !== wasKernel?.procs.size) {
      if (!this.allPages(want, got, new Set(changed))) return false;
    }
    for (const label of changed) {
      if (!this.numbers(label, want.procs.get(label)!.vmas, got.procs.get(label)!.vmas)) return false;
    }
    return this.files(want.files, got.files);
  }

  // regions

  private regions(label: string, kernel: readonly VmaRecord[], engine: readonly VmaRecord[]): boolean {
    const place: Place = { kind: 'regions', proc: label };
    if (!this.text(place, `process ${label}`, 'regions', rangesOf(kernel), rangesOf(engine))) return false;
    for (let row = 0; row < kernel.length; row++) {
      const want = kernel[row]!;
      const got = engine[row]!;
      for (const name of VMA_TEXT) {
        if (want[name] === got[name]) this.equalFields += 1;
        else return this.regionDiffers(label, row, want, name, shown(want[name]), shown(got[name]));
      }
    }
    return true;
  }

  private numbers(label: string, kernel: readonly VmaRecord[], engine: readonly VmaRecord[]): boolean {
    for (let row = 0; row < kernel.length; row++) {
      const want = kernel[row]!;
      const got = engine[row]!;
      const loose = this.throughReadahead(want);
      if (loose && Math.abs(numberOf(want, 'Rss') - numberOf(got, 'Rss')) > READAHEAD_RSS_KIB)
        return this.regionDiffers(label, row, want, 'Rss', String(numberOf(want, 'Rss')), String(numberOf(got, 'Rss')));
      for (const name of loose ? READAHEAD_KIB : VMA_KIB) {
        this.equalFields += 1;
        if (want[name] === got[name]) continue;
        const kib = numberOf(want, name);
        const engineKib = numberOf(got, name);
        if (kib !== engineKib) return this.regionDiffers(label, row, want, name, String(kib), String(engineKib));
      }
    }
    return true;
  }

  private regionDiffers(
    proc: string,
    row: number,
    vma: VmaRecord,
    field: string,
    kernel: string,
    engine: string,
  ): boolean {
    const where = `process ${proc}, ${vma['start']}-${vma['end']}`;
    return this.differ({ kind: 'region', proc, row }, where, field, kernel, engine);
  }

  private throughReadahead(vma: VmaRecord): boolean {
    if (this.readahead.size === 0) return false;
    const name = /^file:(.*?)( \(deleted\))?$/.exec(String(vma['name']))?.[1];
    return name !== undefined && this.readahead.has(name);
  }

  // pages

  /** All IDs of a snapshot belong together, so pages that did not change are looked at too, if any process did. */
  private allPages(kernel: FullSnap, engine: FullSnap, changed: ReadonlySet<string>): boolean {
    const names = new Renaming();
    const ids = new Map<string, PageIds>();
    const mapcounts = this.sameResidence(kernel, engine);
    for (const [label, proc] of kernel.procs) {
      const pair = new PagePair(label, proc, engine.procs.get(label)!, names, this.ids.get(label), mapcounts);
      ids.set(label, pair.ids);
      if (!this.pages(pair, !changed.has(label))) return false;
    }
    this.ids = ids;
    return true;
  }

  private pages(pair: PagePair, onlyIds: boolean): boolean {
    const { kernel, engine } = pair;
    const loose = this.looseRanges(pair.vmas);
    while (!kernel.atEnd || !engine.atEnd) {
      const page = Math.min(kernel.page, engine.page);
      const isLoose = loose.some(([from, to]) => page >= from && page < to);
      const want = kernel.page === page ? kernel.run : null;
      const got = engine.page === page ? engine.run : null;
      const latitude = isLoose && isFilePage(want) && isFilePage(got);
      if (latitude && (want === null || got === null)) {
        if (want === null) engine.skip(1);
        else kernel.skip(1);
        continue;
      }
      if (!onlyIds && stateOf(want) !== stateOf(got))
        return this.pageDiffers(pair, page, 'state', stateOf(want), stateOf(got));
      // Neighbours that are alike on both sides are compared as one.
      const pages = loose.length > 0 || this.hugePages ? 1 : Math.min(kernel.left, engine.left);
      if (!this.idsAgree(pair, page, pages)) return false;
      if (!onlyIds && !this.pageFields(pair, page, want!, got!, latitude)) return false;
      this.equalFields += pages * PAGE_FIELDS;
      kernel.skip(pages);
      engine.skip(pages);
    }
    return true;
  }

  private pageFields(pair: PagePair, page: number, want: PageRun, got: PageRun, latitude: boolean): boolean {
    const ignored = latitude ? ignoredFlags(want[4], got[4]) : NO_FLAGS;
    if (want[4] !== got[4] && coreFlags(want[4], ignored) !== coreFlags(got[4], ignored))
      return this.pageDiffers(pair, page, 'flags', coreFlags(want[4], ignored), coreFlags(got[4], ignored));
    // Who else maps the page of such a file depends on what was around it when they faulted.
    if (latitude && !pair.mapcounts) return true;
    if (want[3] !== got[3]) return this.pageDiffers(pair, page, 'mapcount', String(want[3]), String(got[3]));
    if (want[5] !== got[5]) return this.pageDiffers(pair, page, 'pm', want[5], got[5]);
    return true;
  }

  private idsAgree(pair: PagePair, page: number, pages: number): boolean {
    for (let i = 0; i < pages; i++) {
      const problem = pair.pairUp(page + i, i, this.hugePages);
      if (problem === null) continue;
      return this.pageDiffers(pair, page + i, 'id', ...problem);
    }
    return true;
  }

  private pageDiffers(pair: PagePair, page: number, field: string, kernel: string, engine: string): boolean {
    const where = `process ${pair.label}, page ${page} (0x${(ARENA_START + page * PAGE).toString(16)})`;
    return this.differ({ kind: 'page', proc: pair.label, page }, where, field, kernel, engine);
  }

  private looseRanges(vmas: readonly VmaRecord[]): [from: number, to: number][] {
    if (this.readahead.size === 0) return [];
    return vmas
      .filter((vma) => this.throughReadahead(vma))
      .map((vma) => [(Number(vma['start']) - ARENA_START) / PAGE, (Number(vma['end']) - ARENA_START) / PAGE]);
  }

  /** No process has a page of a file with latitude where the other side has none: then mapcounts are exact too. */
  private sameResidence(kernel: FullSnap, engine: FullSnap): boolean {
    if (this.readahead.size === 0) return true;
    return [...kernel.procs].every(([label, proc]) => {
      const want = expandRuns(proc.pages);
      const got = expandRuns(engine.procs.get(label)!.pages);
      return this.looseRanges(proc.vmas).every(([from, to]) => {
        for (let page = from; page < to; page++) if (want.has(page) !== got.has(page)) return false;
        return true;
      });
    });
  }

  // files

  private files(kernel: ReadonlyMap<string, FileRecord>, engine: ReadonlyMap<string, FileRecord>): boolean {
    if (!this.text({ kind: 'files' }, 'snapshot', 'files', fileNames(kernel), fileNames(engine))) return false;
    const engineFiles = new Map([...engine].map(([name, file]) => [plainName(name), file]));
    for (const [written, want] of kernel) {
      const name = plainName(written);
      const got = engineFiles.get(name)!;
      const place: Place = { kind: 'file', name };
      if (!this.text(place, `file ${name}`, 'size', String(want.size), String(got.size))) return false;
      if (this.readahead.has(name)) continue;
      const letters = this.letters(name, want.cache, got.cache);
      if (!this.text(place, `file ${name}`, 'cache', letters.kernel, letters.engine)) return false;
    }
    return true;
  }

  private letters(name: string, kernel: string, engine: string): { kernel: string; engine: string } {
    if (this.cachestat) return { kernel, engine };
    const tmpfs = this.program.files.find((f) => f.name === name)?.kind !== 'disk';
    const resident = (letter: string): string => ('cdw'.includes(letter) ? 'c' : '.');
    // mincore cannot tell a tmpfs page in swap from one in the swap cache; an engine that can is not held to it.
    const masked = [...kernel].map((letter, i) => (tmpfs && engine[i] === 'e' ? '.' : resident(letter))).join('');
    return { kernel: masked, engine: [...engine].map(resident).join('') };
  }
}

interface PageIds {
  readonly kernel: Map<number, string>;
  readonly engine: Map<number, string>;
}

/** The pages of one process on both sides. */
class PagePair {
  readonly label: string;
  readonly vmas: readonly VmaRecord[];
  readonly kernel: RunReader;
  readonly engine: RunReader;
  readonly ids: PageIds = { kernel: new Map(), engine: new Map() };
  /** Whether pages of files with latitude have comparable mapcounts. */
  readonly mapcounts: boolean;
  private readonly names: Renaming;
  private readonly before: PageIds | undefined;

  constructor(
    label: string,
    kernel: ProcRecord,
    engine: ProcRecord,
    names: Renaming,
    before: PageIds | undefined,
    mapcounts: boolean,
  ) {
    this.label = label;
    this.vmas = kernel.vmas;
    this.kernel = new RunReader(kernel.pages);
    this.engine = new RunReader(engine.pages);
    this.names = names;
    this.before = before;
    this.mapcounts = mapcounts;
  }

  /** The page `steps` behind where both readers are. What is wrong with its two IDs, or null. */
  pairUp(page: number, steps: number, hugePages: boolean): [kernel: string, engine: string] | null {
    const want = hugePages ? hugeId(this.kernel, this.ids.kernel) : this.kernel.id(steps);
    const got = hugePages ? hugeId(this.engine, this.ids.engine) : this.engine.id(steps);
    this.ids.kernel.set(page, want);
    this.ids.engine.set(page, got);
    if (!this.names.agrees(want, got)) return [want, got];
    const wasKernel = this.before?.kernel.get(page);
    const wasEngine = this.before?.engine.get(page);
    // Where the kernel's page is another now, the engine's must be; the reverse is the allocator's own affair.
    if (wasKernel === undefined || wasKernel === want || wasEngine !== got) return null;
    return [`${want}, was ${wasKernel}`, `${got} as before`];
  }
}

/** Of a huge page's tails only that they are of the same huge page: they get the ID of its head. */
function hugeId(reader: RunReader, ids: ReadonlyMap<number, string>): string {
  const before = reader.run[4].includes('compound_tail') ? ids.get(reader.page - 1) : undefined;
  return before ?? reader.id(0);
}

/** A bijection that grows as pairs are met. */
class Renaming {
  private readonly there: Map<string, string> = new Map();
  private readonly back: Map<string, string> = new Map();

  agrees(a: string, b: string): boolean {
    const known = this.there.get(a);
    const source = this.back.get(b);
    if (known === undefined && source === undefined) {
      this.there.set(a, b);
      this.back.set(b, a);
      return true;
    }
    return known === b && source === a;
  }
}

/** A memfd is named by some runners with, by others without what maps puts before it. */
function plainName(name: string): string {
  return name.replace(/^memfd:/, '');
}

function fileNames(files: ReadonlyMap<string, FileRecord>): string {
  return [...files.keys()].map(plainName).sort().join(' ');
}

function labelsOf(snap: FullSnap): string {
  return [...snap.procs.keys()].sort((a, b) => Number(a) - Number(b)).join(' ');
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : String(value);
}

function numberOf(vma: VmaRecord, name: string): number {
  return Number(vma[name] ?? 0);
}

function rangesOf(vmas: readonly VmaRecord[]): string {
  return vmas.map((vma) => `${vma['start']}-${vma['end']}`).join(' ');
}

function stateOf(run: PageRun | null): string {
  if (run === null) return 'none';
  return stateName(run[2]);
}

/** `present`, `swapped`, `zero` or `marker`, by the page's ID. */
export function stateName(id: PageState['id']): string {
  return { f: 'present', s: 'swapped', z: 'zero', m: 'marker' }[id[0] as 'f' | 's' | 'z' | 'm'];
}

/** Of the file itself, or not there: not a private copy. */
function isFilePage(run: PageRun | null): boolean {
  return run === null || run[5].includes('f');
}

/** Of a page of a file read through readahead. */
function ignoredFlags(kernel: string, engine: string): ReadonlySet<string> {
  const flags = kernel.split('|');
  const partLocked = flags.includes('thp') && !flags.includes('mlocked') && engine.split('|').includes('mlocked');
  return partLocked ? PART_LOCKED_FLAGS : READAHEAD_FLAGS;
}

function coreFlags(flags: string, ignored: ReadonlySet<string>): string {
  return flags
    .split('|')
    .filter((flag) => CORE_FLAGS.has(flag) && !ignored.has(flag))
    .join('|');
}

/**
 * Disk files that start outside the cache and are read through readahead, and those written by more than a page at a time: their
 * folios are as large as file system and device have it.
 */
export function readaheadFiles(program: MmpProgram): ReadonlySet<string> {
  const disk = program.files.filter((f) => f.kind === 'disk');
  if (disk.length === 0) return new Set();
  const calls = program.steps.filter((step): step is MmpCall => step !== 'snapshot');
  const named = filesByLabel(calls);
  const filesOf = (chosen: readonly MmpCall[]): Set<string> =>
    new Set(chosen.flatMap((call) => [...(named.get(numberAt(call, 0)) ?? [])]));
  const atRandom = filesOf(calls.filter((call) => call.name === 'fadvise64' && call.text.includes('FADV_RANDOM')));
  const mappedAtRandom = calls.some((call) => call.text.includes('MADV_RANDOM'));
  const writtenLong = filesOf(
    calls.filter((call) => (call.name === 'write' || call.name === 'pwrite64') && numberAt(call, 2) > PAGE),
  );
  const ahead = disk.filter((f) => !f.cached && !mappedAtRandom && !atRandom.has(f.name));
  return new Set([...ahead.map((f) => f.name), ...disk.map((f) => f.name).filter((name) => writtenLong.has(name))]);
}

/** The files that a descriptor's label stands for, in whatever process. */
function filesByLabel(calls: readonly MmpCall[]): Map<number, Set<string>> {
  const named = new Map<number, Set<string>>();
  for (const call of calls) {
    if (call.result === null) continue;
    const path = call.args[call.name === 'openat' ? 1 : 0];
    const opened = call.name === 'open' || call.name === 'openat';
    const names =
      opened && path?.kind === 'text' ? [path.value] : call.name === 'dup' ? named.get(numberAt(call, 0)) : [];
    for (const name of names ?? []) named.set(call.result, (named.get(call.result) ?? new Set()).add(name));
  }
  return named;
}

function numberAt(call: MmpCall, i: number): number {
  const argument = call.args[i];
  return argument?.kind === 'number' ? argument.value : 0;
}
