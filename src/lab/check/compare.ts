/**
 * Compares what the engine did with a memory program with what a kernel did (format 1, section 5).
 *
 * Owns      the rules: which fields are held to be exact, which have latitude, which are not compared.
 * Promises  1. Every field that the format names is counted once a snapshot: equal, different, or left out.
 *           2. Frames and swap slots are compared up to renaming, over all processes of a snapshot together.
 */
import type { MmpProgram } from '../../syscalls/mmp.ts';
import {
  expandRuns,
  type FileRecord,
  type FullSnap,
  fullSnap,
  isSnap,
  type OpRecord,
  type PageState,
  type Recording,
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

export interface Comparison {
  readonly equal: boolean;
  readonly first: Difference | null;
  readonly equalFields: number;
  readonly differentFields: number;
  /** How often each field differed. */
  readonly byField: ReadonlyMap<string, number>;
}

const OP_FIELDS = ['ret', 'err', 'sig', 'code', 'addr', 'vec', 'exit', 'died', 'skipped', 'minflt', 'majflt'] as const;
const CORE_FLAGS = new Set(
  `referenced uptodate dirty lru active writeback mmap anon swapcache swapbacked compound_head compound_tail unevictable ksm thp
  zero_page mlocked anon_exclusive`.split(/\s+/),
);
const VMA_TEXT = ['start', 'end', 'perms', 'offset', 'name', 'VmFlags'];
const VMA_KIB =
  `Rss Pss Pss_Dirty Shared_Clean Shared_Dirty Private_Clean Private_Dirty Referenced Anonymous KSM LazyFree
  AnonHugePages ShmemPmdMapped FilePmdMapped Swap SwapPss Locked THPeligible`.split(/\s+/);

/** Files read through readahead: windows and folio orders depend on file system and device. */
const READAHEAD_FLAGS = new Set(['thp', 'compound_head', 'compound_tail', 'referenced']);
const READAHEAD_RSS_KIB = 128;
const READAHEAD_MINFLT = 8;
const READAHEAD_MAJFLT = 2;

export function compareRecordings(program: MmpProgram, kernel: Recording, engine: Recording): Comparison {
  const comparer = new Comparer(program, kernel.header.kernel);
  const rows = Math.max(kernel.lines.length, engine.lines.length);
  for (let i = 0; i < rows; i++) {
    const want = kernel.lines[i];
    const got = engine.lines[i];
    const kind = want === undefined ? 'nothing' : isSnap(want) ? `snap ${want.snap}` : `op ${want.op}`;
    const engineKind = got === undefined ? 'nothing' : isSnap(got) ? `snap ${got.snap}` : `op ${got.op}`;
    if (want === undefined || got === undefined || kind !== engineKind) {
      comparer.field('recording', 'line', kind, engineKind);
      break;
    }
    if (isSnap(want) && isSnap(got)) comparer.snap(want, got);
    else comparer.op(want as OpRecord, got as OpRecord);
  }
  return comparer.result();
}

class Comparer {
  private readonly program: MmpProgram;
  private readonly cachestat: boolean;
  private readonly hugePages: boolean;
  private readonly readahead: ReadonlySet<string>;
  private op_ = 0;
  private call = '';
  private first: Difference | null = null;
  private equalFields = 0;
  private differentFields = 0;
  private readonly byField: Map<string, number> = new Map();
  private kernelSnap: FullSnap | null = null;
  private engineSnap: FullSnap | null = null;
  /** IDs of the last snapshot: by process and page. */
  private kernelIds: Map<string, string> = new Map();
  private engineIds: Map<string, string> = new Map();

  constructor(program: MmpProgram, kernel: string) {
    this.program = program;
    this.cachestat = hasCachestat(kernel);
    this.hugePages = /(^|\/)thp-[^/]*$/.test(program.file);
    this.readahead = readaheadFiles(program);
  }

  result(): Comparison {
    const { first, equalFields, differentFields, byField } = this;
    return { equal: differentFields === 0, first, equalFields, differentFields, byField };
  }

  /** Counts one field; the texts are what is shown. */
  field(where: string, field: string, kernel: string, engine: string, equal: boolean = kernel === engine): void {
    if (equal) {
      this.equalFields += 1;
      return;
    }
    this.differentFields += 1;
    this.byField.set(field, (this.byField.get(field) ?? 0) + 1);
    this.first ??= { op: this.op_, call: this.call, where, field, kernel, engine };
  }

  op(kernel: OpRecord, engine: OpRecord): void {
    this.op_ = kernel.op;
    this.call = kernel.call;
    for (const name of OP_FIELDS) {
      const want = kernel[name];
      const got = engine[name];
      if (want === undefined && got === undefined) continue;
      const latitude =
        this.readahead.size === 0 ? 0 : name === 'minflt' ? READAHEAD_MINFLT : name === 'majflt' ? READAHEAD_MAJFLT : 0;
      const near = latitude > 0 && Math.abs(Number(want) - Number(got)) <= latitude;
      this.field('call', name, shown(want), shown(got), near || want === got);
    }
  }

  snap(kernel: Parameters<typeof fullSnap>[0], engine: Parameters<typeof fullSnap>[0]): void {
    const want = fullSnap(kernel, this.kernelSnap);
    const got = fullSnap(engine, this.engineSnap);
    this.kernelSnap = want;
    this.engineSnap = got;
    this.field(
      'snapshot',
      'processes',
      [...want.procs.keys()].sort().join(' '),
      [...got.procs.keys()].sort().join(' '),
    );
    const ids = new Renaming();
    const kernelIds: Map<string, string> = new Map();
    const engineIds: Map<string, string> = new Map();
    for (const [label, proc] of want.procs) {
      const other = got.procs.get(label);
      if (other === undefined) continue;
      this.vmas(label, proc.vmas, other.vmas);
      this.pages(label, proc.vmas, this.idsOf(expandRuns(proc.pages)), this.idsOf(expandRuns(other.pages)), {
        ids,
        kernelIds,
        engineIds,
      });
    }
    this.kernelIds = kernelIds;
    this.engineIds = engineIds;
    this.files(want.files, got.files);
  }

  // regions

  private vmas(label: string, kernel: readonly VmaRecord[], engine: readonly VmaRecord[]): void {
    this.field(`process ${label}`, 'regions', rangesOf(kernel), rangesOf(engine));
    if (rangesOf(kernel) !== rangesOf(engine)) return;
    for (const [i, want] of kernel.entries()) {
      const got = engine[i]!;
      const where = `process ${label} ${want['start']}-${want['end']}`;
      for (const name of VMA_TEXT) this.field(where, name, String(want[name]), String(got[name]));
      if (this.throughReadahead(want)) {
        const near = Math.abs(numberOf(want, 'Rss') - numberOf(got, 'Rss')) <= READAHEAD_RSS_KIB;
        this.field(where, 'Rss', String(numberOf(want, 'Rss')), String(numberOf(got, 'Rss')), near);
        continue;
      }
      for (const name of VMA_KIB) this.field(where, name, String(numberOf(want, name)), String(numberOf(got, name)));
    }
  }

  private throughReadahead(vma: VmaRecord): boolean {
    const name = /^file:(.*?)( \(deleted\))?$/.exec(String(vma['name']))?.[1];
    return name !== undefined && this.readahead.has(name);
  }

  // pages

  /** Of a huge page's tails only that they are of the same huge page: they get the ID of its head. */
  private idsOf(pages: Map<number, PageState>): Map<number, PageState> {
    if (!this.hugePages) return pages;
    for (const [page, state] of pages) {
      if (!state.flags.includes('compound_tail')) continue;
      const before = pages.get(page - 1);
      if (before !== undefined && /compound_(head|tail)/.test(before.flags))
        pages.set(page, { ...state, id: before.id });
    }
    return pages;
  }

  private pages(
    label: string,
    vmas: readonly VmaRecord[],
    kernel: ReadonlyMap<number, PageState>,
    engine: ReadonlyMap<number, PageState>,
    seen: { ids: Renaming; kernelIds: Map<string, string>; engineIds: Map<string, string> },
  ): void {
    const loose = this.looseRanges(vmas);
    for (const page of [...new Set([...kernel.keys(), ...engine.keys()])].sort((a, b) => a - b)) {
      const want = kernel.get(page);
      const got = engine.get(page);
      const isLoose = loose.some(([from, to]) => page >= from && page < to) && isFilePage(want) && isFilePage(got);
      if (isLoose && (want === undefined || got === undefined)) continue;
      const where = `process ${label} page ${page}`;
      this.field(where, 'state', stateOf(want), stateOf(got));
      if (want === undefined || got === undefined || stateOf(want) !== stateOf(got)) continue;
      const key = `${label} ${page}`;
      seen.kernelIds.set(key, want.id);
      seen.engineIds.set(key, got.id);
      this.field(where, 'id', want.id, got.id, seen.ids.agrees(want.id, got.id) && this.movedToo(key, want.id, got.id));
      this.field(where, 'flags', coreFlags(want.flags, isLoose), coreFlags(got.flags, isLoose));
      if (isLoose) continue;
      this.field(where, 'mapcount', String(want.mapcount), String(got.mapcount));
      this.field(where, 'pm', want.pm, got.pm);
    }
  }

  /** Where the kernel's page changed since the last snapshot, the engine's must have changed. */
  private movedToo(key: string, kernelId: string, engineId: string): boolean {
    const before = this.kernelIds.get(key);
    if (before === undefined || before === kernelId || kernelId[0] !== before[0]) return true;
    return this.engineIds.get(key) !== engineId;
  }

  private looseRanges(vmas: readonly VmaRecord[]): [from: number, to: number][] {
    if (this.readahead.size === 0) return [];
    const arena = 0x100000000000;
    return vmas
      .filter((vma) => this.throughReadahead(vma))
      .map((vma) => [(Number(vma['start']) - arena) / 4096, (Number(vma['end']) - arena) / 4096]);
  }

  // files

  private files(kernel: ReadonlyMap<string, FileRecord>, engine: ReadonlyMap<string, FileRecord>): void {
    const namesOf = (files: ReadonlyMap<string, FileRecord>): string =>
      [...files.keys()].map(plainName).sort().join(' ');
    this.field('snapshot', 'files', namesOf(kernel), namesOf(engine));
    const engineFiles = new Map([...engine].map(([name, file]) => [plainName(name), file]));
    for (const [shown, want] of kernel) {
      const name = plainName(shown);
      const got = engineFiles.get(name);
      if (got === undefined) continue;
      this.field(`file ${name}`, 'size', String(want.size), String(got.size));
      if (this.readahead.has(name)) continue;
      const { kernelCache, engineCache } = this.letters(name, want.cache, got.cache);
      this.field(`file ${name}`, 'cache', kernelCache, engineCache);
    }
  }

  private letters(name: string, kernel: string, engine: string): { kernelCache: string; engineCache: string } {
    if (this.cachestat) return { kernelCache: kernel, engineCache: engine };
    const tmpfs = this.program.files.find((f) => f.name === name)?.kind !== 'disk';
    const resident = (letter: string): string => ('cdw'.includes(letter) ? 'c' : '.');
    // mincore cannot tell a tmpfs page in swap from one in the swap cache.
    const kernelCache = [...kernel].map((letter, i) => (tmpfs && engine[i] === 'e' ? '.' : resident(letter))).join('');
    return { kernelCache, engineCache: [...engine].map(resident).join('') };
  }
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

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : String(value);
}

function numberOf(vma: VmaRecord, name: string): number {
  return Number(vma[name] ?? 0);
}

function rangesOf(vmas: readonly VmaRecord[]): string {
  return vmas.map((vma) => `${vma['start']}-${vma['end']}`).join(' ');
}

function stateOf(page: PageState | undefined): string {
  if (page === undefined) return 'none';
  return { f: 'present', s: 'swapped', z: 'zero', m: 'marker' }[page.id[0] as 'f' | 's' | 'z' | 'm'];
}

/** Of the file itself, or not there: not a private copy. */
function isFilePage(page: PageState | undefined): boolean {
  return page === undefined || page.pm.includes('f');
}

function coreFlags(flags: string, loose: boolean): string {
  return flags
    .split('|')
    .filter((flag) => CORE_FLAGS.has(flag) && !(loose && READAHEAD_FLAGS.has(flag)))
    .join('|');
}

/** cachestat(2) came with 6.5. */
function hasCachestat(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 5);
}

/** Disk files that start outside the cache and are read through readahead, or written by more than a page at a time. */
function readaheadFiles(program: MmpProgram): ReadonlySet<string> {
  const disk = program.files.filter((f) => f.kind === 'disk');
  const text = program.steps.map((step) => (step === 'snapshot' ? '' : step.text)).join('\n');
  const random = /FADV_RANDOM|MADV_RANDOM/.test(text);
  const longWrites = program.steps.some(
    (step) =>
      step !== 'snapshot' &&
      (step.name === 'write' || step.name === 'pwrite64') &&
      step.args[2]?.kind === 'number' &&
      step.args[2].value > 4096,
  );
  return new Set(disk.filter((f) => !f.cached && (longWrites || !random)).map((f) => f.name));
}
