/**
 * All differences between two recordings of a program, not only the first.
 *
 * Owns      the list. A flag, a pagemap letter or a VmFlags code is an observation of its own; one that lasts over several
 *           snapshots is told once, where it begins.
 * Promises  1. What compare.ts does not compare is not here either: flags outside the core set, cache letters that one side cannot
 *              tell, numbers within the latitude of a file read ahead.
 *           2. Causes come before what they cause: in a snapshot regions, then which pages are there, what
 *              they are, the numbers that add them up, files.
 *           3. Nothing on the list: compare.ts finds the recordings equal.
 */
import type { MmpCall, MmpProgram } from '../../syscalls/mmp.ts';
import { CORE_FLAGS, OP_FIELDS, readaheadFiles, stateName, VMA_KIB } from './compare.ts';
import {
  expandRuns,
  type FileRecord,
  type FullSnap,
  fullSnap,
  isSnap,
  type OpRecord,
  type PageState,
  type ProcRecord,
  type Recording,
  type SnapRecord,
  type VmaRecord,
} from './recording.ts';

export type ObservationKind = 'call' | 'process' | 'region' | 'number' | 'page' | 'file';

/** One thing that `newer` and `older` show differently. */
export interface Observation {
  readonly kind: ObservationKind;
  /** The call, or the last one before the snapshot. */
  readonly call: MmpCall;
  readonly op: number;
  readonly proc: string;
  /** Pages of the arena that it is about; none for a call or a file. For `bounds`, of the regions of both sides. */
  readonly page: number;
  readonly pages: number;
  /** `ret`, `bounds`, `perms`, `VmFlags:lo`, `Rss`, `state`, `mapcount`, `flag:active`, `pm:x`, `id`, `cache` ... */
  readonly field: string;
  readonly newer: string;
  readonly older: string;
  /** The region around it on the newer side, or on the older if there is none there. */
  readonly vma: VmaRecord | null;
  /** The page on both sides, if it is about one. */
  readonly newerPage: PageState | null;
  readonly olderPage: PageState | null;
  /** Pages that show the same frame on either side, some of them, in whatever process. */
  readonly partners: readonly number[];
  /** The file, if it is about one. */
  readonly file: string;
}

export const ARENA_PAGE: number = 0x100000000000 / 4096;
const READAHEAD_MINFLT = 8;
const READAHEAD_MAJFLT = 2;
const READAHEAD_RSS_KIB = 128;
const MOST_PARTNERS = 16;
const LOOSE_FLAGS = new Set(['thp', 'compound_head', 'compound_tail', 'referenced']);
const VMA_FIELDS = ['perms', 'offset', 'name'] as const;

export function differencesOf(program: MmpProgram, newer: Recording, older: Recording): Observation[] {
  return new Collector(program).all(newer, older);
}

class Collector {
  private readonly found: Observation[] = [];
  private readonly calls: readonly MmpCall[];
  private readonly readahead: ReadonlySet<string>;
  private readonly kinds: ReadonlyMap<string, string>;
  private call: MmpCall;
  private op = 0;
  /** What the last snapshot showed differently, by place and field. */
  private before: ReadonlyMap<string, string> = new Map();
  private now: Map<string, string> = new Map();
  private ids: ReadonlyMap<string, Partners> = new Map();

  constructor(program: MmpProgram) {
    this.calls = program.steps.filter((step): step is MmpCall => step !== 'snapshot');
    this.readahead = readaheadFiles(program);
    this.kinds = new Map(program.files.map((file) => [file.name, file.kind]));
    this.call = this.calls[0]!;
  }

  all(newer: Recording, older: Recording): Observation[] {
    let wasNewer: FullSnap | null = null;
    let wasOlder: FullSnap | null = null;
    for (let row = 0; row < newer.lines.length; row++) {
      const want = newer.lines[row]!;
      const got = older.lines[row];
      if (got === undefined || isSnap(want) !== isSnap(got)) {
        this.add('call', { field: 'line', newer: isSnap(want) ? 'snapshot' : 'call', older: 'nothing' });
        break;
      }
      if (isSnap(want)) {
        wasNewer = fullSnap(want, wasNewer);
        wasOlder = fullSnap(got as SnapRecord, wasOlder);
        this.snapshot(wasNewer, wasOlder);
      } else this.opLine(want, got as OpRecord);
    }
    return this.found;
  }

  private add(
    kind: ObservationKind,
    rest: Partial<Observation> & Pick<Observation, 'field' | 'newer' | 'older'>,
  ): void {
    const { call, op } = this;
    this.found.push({
      kind,
      call,
      op,
      proc: String(call.proc),
      page: 0,
      pages: 0,
      vma: null,
      newerPage: null,
      olderPage: null,
      partners: [],
      file: '',
      ...rest,
    });
  }

  /** In a snapshot: unless the last one showed the same. */
  private seen(
    kind: ObservationKind,
    rest: Partial<Observation> & Pick<Observation, 'field' | 'newer' | 'older' | 'proc'>,
  ): void {
    const key = `${rest.proc} ${kind} ${rest.file ?? ''} ${rest.page ?? 0} ${rest.pages ?? 0} ${rest.field}`;
    const value = `${rest.newer} / ${rest.older}`;
    this.now.set(key, value);
    if (this.before.get(key) !== value) this.add(kind, rest);
  }

  // calls

  private opLine(want: OpRecord, got: OpRecord): void {
    this.call = this.calls[want.op - 1] ?? this.call;
    this.op = want.op;
    for (const field of OP_FIELDS) {
      if (want[field] === got[field]) continue;
      const off = Math.abs(Number(want[field]) - Number(got[field]));
      if (this.readahead.size > 0 && field === 'minflt' && off <= READAHEAD_MINFLT) continue;
      if (this.readahead.size > 0 && field === 'majflt' && off <= READAHEAD_MAJFLT) continue;
      this.add('call', { field, newer: shown(want[field]), older: shown(got[field]) });
    }
  }

  // snapshots

  private snapshot(newer: FullSnap, older: FullSnap): void {
    this.now = new Map();
    const ids = new Map<string, Partners>();
    const names = new Shared(newer, older);
    const alike: RegionPair[] = [];
    const pairs = new Map<string, PagePair[]>();
    for (const proc of new Set([...newer.procs.keys(), ...older.procs.keys()])) {
      const want = newer.procs.get(proc);
      const got = older.procs.get(proc);
      if (want === undefined || got === undefined) {
        const lives = (record: ProcRecord | undefined) => (record === undefined ? 'ended' : 'lives');
        this.seen('process', { proc, field: 'lives', newer: lives(want), older: lives(got) });
        continue;
      }
      alike.push(...this.regions(proc, want.vmas, got.vmas));
      pairs.set(proc, this.states(proc, want, got, names));
    }
    for (const [proc, alikePages] of pairs) ids.set(proc, this.pages(proc, alikePages, names));
    // They add up pages, so they come behind them.
    for (const pair of alike) this.numbers(pair.at, pair.newer, pair.older);
    this.ids = ids;
    this.files(newer.files, older.files);
    this.before = this.now;
  }

  /** Gives the pairs of regions that have the same bounds. */
  private regions(proc: string, newer: readonly VmaRecord[], older: readonly VmaRecord[]): RegionPair[] {
    const alike: RegionPair[] = [];
    for (const vma of newer) {
      const [page, pages] = rangeOf(vma);
      const over = older.filter((other) => overlaps(other, page, pages));
      const bounds = over.map(boundsText).join(' ') || 'nothing';
      const same = over.length === 1 && bounds === boundsText(vma);
      const at = { proc, page, pages, vma };
      if (!same) {
        const span = spanOf([vma, ...over]);
        this.seen('region', { ...at, ...span, field: 'bounds', newer: boundsText(vma), older: bounds });
      }
      const first = over.find((other) => rangeOf(other)[0] === page);
      if (first === undefined) continue;
      this.regionFields(at, vma, first);
      if (same) alike.push({ at, newer: vma, older: first });
    }
    for (const vma of older) {
      const [page, pages] = rangeOf(vma);
      if (newer.some((other) => overlaps(other, page, pages))) continue;
      this.seen('region', { proc, page, pages, vma, field: 'bounds', newer: 'nothing', older: boundsText(vma) });
    }
    return alike;
  }

  private regionFields(
    at: { proc: string; page: number; pages: number; vma: VmaRecord },
    want: VmaRecord,
    got: VmaRecord,
  ): void {
    for (const field of VMA_FIELDS) {
      if (want[field] !== got[field])
        this.seen('region', { ...at, field, newer: shown(want[field]), older: shown(got[field]) });
    }
    for (const [code, there] of changed(String(want['VmFlags']), String(got['VmFlags']), ' ')) {
      this.seen('region', { ...at, field: `VmFlags:${code}`, ...there });
    }
  }

  private numbers(
    at: { proc: string; page: number; pages: number; vma: VmaRecord },
    want: VmaRecord,
    got: VmaRecord,
  ): void {
    const loose = this.readahead.has(fileOf(want));
    for (const field of VMA_KIB) {
      const newer = Number(want[field] ?? 0);
      const older = Number(got[field] ?? 0);
      if (newer === older) continue;
      if (loose && (field !== 'Rss' || Math.abs(newer - older) <= READAHEAD_RSS_KIB)) continue;
      this.seen('number', { ...at, field, newer: String(newer), older: String(older) });
    }
  }

  /** Where a page is on one side only, or is something else there. Gives the others. */
  private states(proc: string, newer: ProcRecord, older: ProcRecord, names: Shared): PagePair[] {
    const want = expandRuns(newer.pages);
    const got = expandRuns(older.pages);
    const alike: PagePair[] = [];
    for (const page of [...new Set([...want.keys(), ...got.keys()])].sort((a, b) => a - b)) {
      const newerPage = want.get(page) ?? null;
      const olderPage = got.get(page) ?? null;
      const vma = regionAt(newer.vmas, page) ?? regionAt(older.vmas, page);
      const loose = vma !== null && this.readahead.has(fileOf(vma));
      const partners = names.partners(newerPage, olderPage);
      const at = { proc, page, pages: 1, vma, newerPage, olderPage, partners };
      const [newerState, olderState] = [newerPage, olderPage].map((p) => (p === null ? 'none' : stateName(p.id)));
      if (newerState === olderState) alike.push({ at, loose });
      else if (!loose) this.seen('page', { ...at, field: 'state', newer: newerState!, older: olderState! });
    }
    return alike;
  }

  private pages(proc: string, pairs: readonly PagePair[], names: Shared): Partners {
    const ids: Partners = { newer: new Map(), older: new Map() };
    const was = this.ids.get(proc);
    for (const { at, loose } of pairs) {
      const { page, newerPage, olderPage } = at;
      if (newerPage === null || olderPage === null) continue;
      this.pageFields(at, newerPage, olderPage, loose);
      if (loose) continue;
      const [newerId, olderId] = names.of(proc, page);
      if (newerId !== olderId) this.seen('page', { ...at, field: 'id', newer: newerId, older: olderId });
      ids.newer.set(page, newerPage.id);
      ids.older.set(page, olderPage.id);
      const moved = was?.newer.get(page) !== undefined && was.newer.get(page) !== newerPage.id;
      if (moved && was.older.get(page) === olderPage.id) {
        this.add('page', { ...at, field: 'moved', newer: 'another page', older: 'as before' });
      }
    }
    return ids;
  }

  private pageFields(at: PagePair['at'], want: PageState, got: PageState, loose: boolean): void {
    for (const [flag, there] of changed(want.flags, got.flags, '|')) {
      if (CORE_FLAGS.has(flag) && !(loose && LOOSE_FLAGS.has(flag)))
        this.seen('page', { ...at, newerPage: want, olderPage: got, field: `flag:${flag}`, ...there });
    }
    if (loose) return;
    const both = { ...at, newerPage: want, olderPage: got };
    if (want.mapcount !== got.mapcount)
      this.seen('page', { ...both, field: 'mapcount', newer: String(want.mapcount), older: String(got.mapcount) });
    for (const [letter, there] of changed(want.pm, got.pm, ''))
      this.seen('page', { ...both, field: `pm:${letter}`, ...there });
  }

  private files(newer: ReadonlyMap<string, FileRecord>, older: ReadonlyMap<string, FileRecord>): void {
    const plain = (files: ReadonlyMap<string, FileRecord>) =>
      new Map([...files].map(([name, file]) => [name.replace(/^memfd:/, ''), file]));
    const want = plain(newer);
    const got = plain(older);
    for (const file of new Set([...want.keys(), ...got.keys()])) {
      const a = want.get(file);
      const b = got.get(file);
      const at = { proc: '', file };
      if (a?.size !== b?.size)
        this.seen('file', { ...at, field: 'size', newer: shown(a?.size), older: shown(b?.size) });
      if (a === undefined || b === undefined || this.readahead.has(file)) continue;
      const letters = this.letters(file, a.cache, b.cache);
      if (letters.newer !== letters.older) this.seen('file', { ...at, field: 'cache', ...letters });
    }
  }

  /** No old kernel has cachestat: in the cache, or not. Of tmpfs nobody can tell the cache from swap. */
  private letters(file: string, newer: string, older: string): { newer: string; older: string } {
    const tmpfs = this.kinds.get(file) !== 'disk';
    const inCache = (letter: string, other: string) =>
      tmpfs && other === 'e' ? '.' : 'cdw'.includes(letter) ? 'c' : '.';
    return {
      newer: [...newer].map((letter, i) => inCache(letter, older[i] ?? '')).join(''),
      older: [...older].map((letter) => inCache(letter, '')).join(''),
    };
  }
}

/** A region, and what both sides say of it. */
interface RegionPair {
  readonly at: { proc: string; page: number; pages: number; vma: VmaRecord };
  readonly newer: VmaRecord;
  readonly older: VmaRecord;
}

/** A page that is in the same state on both sides; `loose`: of a file with latitude. */
interface PagePair {
  readonly at: Pick<Observation, 'page' | 'pages' | 'vma' | 'newerPage' | 'olderPage' | 'partners' | 'proc'>;
  readonly loose: boolean;
}

/** By page, the IDs of both sides. */
interface Partners {
  readonly newer: Map<number, string>;
  readonly older: Map<number, string>;
}

/** For each page the first page of the snapshot that shows the same frame or slot: what IDs say, without their numbers. */
class Shared {
  private readonly newer: ReadonlyMap<string, string>;
  private readonly older: ReadonlyMap<string, string>;
  private readonly newerPages: ReadonlyMap<string, number[]>;
  private readonly olderPages: ReadonlyMap<string, number[]>;

  constructor(newer: FullSnap, older: FullSnap) {
    this.newerPages = pagesById(newer);
    this.olderPages = pagesById(older);
    // Only pages that both sides have in the same state can be partners of each other.
    const both = new Set<string>();
    for (const [proc, record] of newer.procs) {
      const other = older.procs.get(proc);
      if (other === undefined) continue;
      const there = expandRuns(other.pages);
      for (const [page, { id }] of expandRuns(record.pages)) {
        if (there.get(page)?.id[0] === id[0]) both.add(`${proc} ${page}`);
      }
    }
    this.newer = firstWithSameId(newer, both);
    this.older = firstWithSameId(older, both);
  }

  /** The pages of both sides that show the same frame as these two. */
  partners(newer: PageState | null, older: PageState | null): number[] {
    const pages = [
      ...(newer === null ? [] : (this.newerPages.get(newer.id) ?? [])),
      ...(older === null ? [] : (this.olderPages.get(older.id) ?? [])),
    ];
    return [...new Set(pages)];
  }

  of(proc: string, page: number): [newer: string, older: string] {
    const key = `${proc} ${page}`;
    return [this.newer.get(key) ?? key, this.older.get(key) ?? key];
  }
}

/** By frame or slot, up to MOST_PARTNERS pages that show it. */
function pagesById(snap: FullSnap): Map<string, number[]> {
  const pages = new Map<string, number[]>();
  for (const record of snap.procs.values()) {
    for (const [page, { id }] of expandRuns(record.pages)) {
      if (id === 'z' || id === 'm') continue;
      const known = pages.get(id);
      if (known === undefined) pages.set(id, [page]);
      else if (known.length < MOST_PARTNERS) known.push(page);
    }
  }
  return pages;
}

function firstWithSameId(snap: FullSnap, both: ReadonlySet<string>): Map<string, string> {
  const firsts = new Map<string, string>();
  const partners = new Map<string, string>();
  for (const [proc, record] of snap.procs) {
    for (const [page, { id }] of expandRuns(record.pages)) {
      const key = `${proc} ${page}`;
      if (!both.has(key) || id === 'z' || id === 'm') continue;
      const first = firsts.get(id) ?? key;
      firsts.set(id, first);
      partners.set(key, first);
    }
  }
  return partners;
}

function rangeOf(vma: VmaRecord): [page: number, pages: number] {
  const start = Number(vma['start']) / 4096 - ARENA_PAGE;
  return [start, Number(vma['end']) / 4096 - ARENA_PAGE - start];
}

function spanOf(vmas: readonly VmaRecord[]): { page: number; pages: number } {
  const page = Math.min(...vmas.map((vma) => rangeOf(vma)[0]));
  const end = Math.max(...vmas.map((vma) => rangeOf(vma)[0] + rangeOf(vma)[1]));
  return { page, pages: end - page };
}

function overlaps(vma: VmaRecord, page: number, pages: number): boolean {
  const [from, length] = rangeOf(vma);
  return from < page + pages && page < from + length;
}

function boundsText(vma: VmaRecord): string {
  return `${vma['start']}-${vma['end']}`;
}

function regionAt(vmas: readonly VmaRecord[], page: number): VmaRecord | null {
  return vmas.find((vma) => overlaps(vma, page, 1)) ?? null;
}

/** Of a region that shows a file of the program: its name. */
export function fileOf(vma: VmaRecord): string {
  return /^(?:file|memfd):(.*?)( \(deleted\))?$/.exec(String(vma['name']))?.[1] ?? '';
}

/** What stands in one list and not in the other. */
function* changed(
  newer: string,
  older: string,
  by: string,
): Generator<[item: string, there: { newer: string; older: string }]> {
  const a = newer.split(by).filter((item) => item !== '');
  const b = older.split(by).filter((item) => item !== '');
  for (const item of a) if (!b.includes(item)) yield [item, { newer: 'set', older: 'clear' }];
  for (const item of b) if (!a.includes(item)) yield [item, { newer: 'clear', older: 'set' }];
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : String(value);
}
