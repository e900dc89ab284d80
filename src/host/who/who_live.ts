/**
 * Who maps a page of a live host, found through the page's own identity, without an index of the host.
 *
 *     file, shared memory   regions of its device and inode that hold its offset       one word each
 *                           then regions of other files at that offset (overlays)      one word each
 *     anonymous             its address in every process: fork keeps it                one word each
 *                           then all private regions, until the kernel's count is met  (mremap, KSM)
 *
 * Promises  1. Every entry in the answer was read, and read again after the last was found. What changed between is in
 *              `changed`, after so many tries; nothing is mixed silently.
 *           2. A search ends early only when as many are found as the kernel counts.
 *           3. Nothing is written, and no page is touched: pages of files that nobody maps stay as they are.
 * Linux     6.18 mm/rmap.c: rmap_walk_file rmap_walk_anon; fs/proc/page.c
 */
import { hasKpf, KPF_ANON, KPF_ZERO_PAGE } from '../../proc/kpage_flags.ts';
import { ownerCgroup } from '../read/cgroup_owner.ts';
import { type HostFiles, type OpenFile, Refusal } from '../read/host_files.ts';
import { MapNames } from '../read/map_names.ts';
import type { MapsLine } from '../read/maps_text.ts';
import { MissingList } from '../read/missing.ts';
import { type HostFile, type Missing, VMA_SHARED } from '../snapshot.ts';
import type { FilePlace } from './identity.ts';
import {
  answerOf,
  type FrameAnswer,
  folioOf,
  type Mapper,
  PAGE,
  type PlaceAnswer,
  permsText,
  placeText,
  type Region,
  type SlotAnswer,
  swapAreas,
  type WhoAnswer,
} from './who.ts';
import { AddressSpaces, halvesOf, isSamePage, Look, type PageWord, type ProcessLook } from './who_walk.ts';

/** What changes under us is looked at again so often: from the start, and in each of these in short rounds. */
const TRIES = 2;
const ROUNDS = 8;

/** Who maps what stands at this address of this process. Null: no such process. */
export function whoLiveAddress(files: HostFiles, pid: number, address: number): WhoAnswer | null {
  const page = Math.floor(address / PAGE);
  return tried(files, (search) => {
    const process = search.look.process(pid);
    if (process === null) return null;
    const word = process.word(page);
    const line = process.lineAt(page);
    const region = line === null ? null : regionOf(line);
    // A page without a region: it was unmapped between the two reads.
    if (line === null && word !== null && word.state !== 'not present') search.changed.push(`${pid} unmapped the page`);
    const state = line !== null ? (word?.state ?? 'not read') : process.isMapsRefused ? 'not read' : 'no region';
    const pfn = word?.state === 'frame' && line !== null ? word.pfn : null;
    const place: PlaceAnswer = {
      pid,
      comm: process.comm(),
      address,
      region,
      state,
      says: placeText(state, region),
      pfn,
    };
    const hint = { process, page };
    if (state === 'not read' && search.look.processes.every((other) => other.pid !== pid)) return null;
    const frame = pfn === null ? null : search.frame(pfn, hint);
    const slot = word?.state === 'swapped' ? search.slot(word, page) : null;
    // The frame went elsewhere meanwhile: what was found is of a page that is no longer there.
    if (word !== null && !isSamePage(process.word(page), word)) search.changed.push(`${pid} changed the page`);
    return { place, frame, slot };
  });
}

/** Who maps the frame. Null: no frame has this number. */
export function whoLiveFrame(files: HostFiles, pfn: number): WhoAnswer | null {
  return tried(files, (search) => {
    const frame = search.frame(pfn, null);
    return frame === null ? null : { place: null, frame, slot: null };
  });
}

/** Who maps this page of a file: by inode, and by the names that maps may have for it. `frame` is null if nobody does. */
export function whoLiveFile(files: HostFiles, wanted: WantedFile, offset: number): WhoAnswer | null {
  const pgoff = Math.floor(offset / PAGE);
  return tried(files, (search) => {
    let isMapped = false;
    for (const process of search.look.processes) {
      for (const line of process.maps()) {
        if (!isOfFile(line, wanted)) continue;
        isMapped = true;
        const page = pageAt(line, pgoff);
        const word = page < 0 ? null : process.word(page);
        // A private copy is another page.
        if (word?.state !== 'frame' || !word.isFile) continue;
        return { place: null, frame: search.frame(word.pfn, { process, page }), slot: null };
      }
    }
    return wanted.inode === null && !isMapped ? null : { place: null, frame: null, slot: null };
  });
}

/** Processes that have regions of the file, and whose regions could not be seen. */
export function pidsWithFile(
  files: HostFiles,
  wanted: WantedFile,
): { readonly pids: readonly number[]; readonly missing: readonly Missing[] } {
  const missing = new MissingList();
  const look = new Look(files, missing);
  try {
    const pids = look.processes
      .filter((process) => process.maps().some((line) => isOfFile(line, wanted)))
      .map(({ pid }) => pid);
    return { pids, missing: missing.list() };
  } finally {
    look.close();
  }
}

/** As maps shows it. */
export interface Inode {
  readonly device: string;
  readonly inode: string;
}

export interface WantedFile {
  /** Null if no file of this name is there. */
  readonly inode: Inode | null;
  readonly names: readonly string[];
}

function isOfFile({ device, inode, name }: MapsLine, wanted: WantedFile): boolean {
  if (inode === '0') return false;
  if (wanted.inode !== null && inode === wanted.inode.inode && device === wanted.inode.device) return true;
  return (
    wanted.names.includes(name) || (wanted.inode === null && wanted.names.some((each) => name === `${each} (deleted)`))
  );
}

type Found = Pick<WhoAnswer, 'place' | 'frame' | 'slot'>;

function tried(files: HostFiles, ask: (search: Search) => Found | null): WhoAnswer | null {
  for (let tries = 1; ; tries++) {
    const search = new Search(files);
    try {
      const found = ask(search);
      if (search.changed.length > 0 && tries < TRIES) continue;
      if (found === null) return null;
      return { ...found, tries, moved: search.moved, changed: search.changed, missing: search.missing.list() };
    } finally {
      search.close();
    }
  }
}

/** An entry that maps the frame. */
interface Entry {
  readonly process: ProcessLook;
  readonly page: number;
}

class Search {
  readonly files: HostFiles;
  readonly missing = new MissingList();
  readonly look: Look;
  readonly changed: string[] = [];
  /** Entries and regions that came, went or changed while we looked, and stand in the answer as they are now. */
  moved = 0;
  private readonly kpage = new Map<string, OpenFile | Refusal>();
  private entries: Entry[] = [];
  private readonly seen = new Set<string>();
  /** Of processes that use the address space of another: whose. */
  private readonly owners = new Map<ProcessLook, ProcessLook>();

  constructor(files: HostFiles) {
    this.files = files;
    this.look = new Look(files, this.missing);
  }

  /** `hint` is an entry that is known to map it. Null: there is no such frame. */
  frame(pfn: number, hint: Entry | null): FrameAnswer | null {
    const word = this.kpageWord('kpageflags', pfn);
    const before = this.kpageWord('kpagecount', pfn);
    if (word === null && hint === null) return null;
    this.find(pfn, word, before, hint);
    const mapcount = this.settle(pfn, word, hint);
    const wordAfter = this.kpageWord('kpageflags', pfn);
    if (word !== null && wordAfter !== null && isAnon(word) !== isAnon(wordAfter))
      this.changed.push('it became another page');
    this.readRegionsAgain();
    return answerOf({
      pfn,
      zoneinfo: this.procText('zoneinfo'),
      swaps: this.procText('swaps'),
      word: wordAfter,
      mapcount,
      cgroup: this.cgroupOf(pfn),
      folio: folioOf(pfn, (frame) => this.kpageWord('kpageflags', frame)),
      place: this.filePlace(),
      mappers: this.mappers(),
      unreadable: this.unreadable(),
      changed: this.changed,
    });
  }

  /** Who else has the page in this slot. There is no count to end the search. */
  slot(word: PageWord & { state: 'swapped' }, page: number): SlotAnswer {
    const halves = halvesOf(word);
    this.findAtAddress(page, halves);
    this.findEverywhere(halves, isPrivate, null);
    if (this.dropGone(halves) > 0) this.changed.push('the page came back from swap');
    this.readRegionsAgain();
    const path = swapAreas(this.procText('swaps') ?? '')[word.area] ?? null;
    return { area: word.area, path, offset: word.offset, holders: this.mappers() };
  }

  /** Where processes show this page of the file. */
  placesOfFile(file: Inode, pgoff: number): Entry[] {
    return this.look.processes.flatMap((process) => placesIn(process, file, pgoff).map((page) => ({ process, page })));
  }

  // the stages

  private find(pfn: number, word: number | null, mapcount: number | null, hint: Entry | null): void {
    const halves = halvesOf({ pfn });
    if (hint !== null) this.add(hint.process, hint.page);
    const hintLine = hint?.process.lineAt(hint.page) ?? null;
    const anonymous = word === null ? hintLine?.inode === '0' : isAnon(word);
    // Everybody maps the page of zeros, and nobody counts.
    if (word !== null && hasKpf(word, KPF_ZERO_PAGE)) return;
    if (mapcount === 0 && hint === null) return;
    if (anonymous) this.findAnonymous(halves, mapcount, hint);
    else this.findFile(halves, mapcount, hint);
  }

  private findAnonymous(halves: Halves, mapcount: number | null, hint: Entry | null): void {
    if (hint !== null) this.findAtAddress(hint.page, halves);
    this.findEverywhere(halves, isPrivate, mapcount);
  }

  private findFile(halves: Halves, mapcount: number | null, hint: Entry | null): void {
    if (hint === null) {
      const isOne = () => true;
      const first = this.firstOf(halves, (line) => line.inode !== '0', isOne) ?? this.firstOf(halves, isOne, isOne);
      if (first === null) return;
      this.add(first.process, first.page);
      this.findFile(halves, mapcount, first);
      return;
    }
    const line = hint.process.lineAt(hint.page);
    if (line === null) return;
    const pgoff = line.pgoff + hint.page - line.startPage;
    if (line.inode !== '0') {
      for (const { process, page } of this.placesOfFile(line, pgoff)) this.addIf(process, page, halves);
    } else this.findAtName(line, hint.page - line.startPage, halves, this.look.processes);
    if (this.isComplete(mapcount)) return;
    // Files of an overlay have numbers of their own and the pages of the file below.
    for (const process of this.look.processes) {
      for (const other of process.maps()) {
        if (other.inode !== '0') this.addIf(process, pageAt(other, pgoff), halves);
      }
    }
    this.findEverywhere(halves, () => true, mapcount);
  }

  /** Regions of the kernel's own making, such as [vdso]: by name. */
  private findAtName({ name }: MapsLine, place: number, halves: Halves, processes: readonly ProcessLook[]): void {
    if (name === '') return;
    for (const process of processes) {
      for (const line of process.maps()) {
        const page = line.startPage + place;
        if (line.name === name && page < line.endPage) this.addIf(process, page, halves);
      }
    }
  }

  private findAtAddress(page: number, halves: Halves): void {
    for (const process of this.look.processes) this.addIf(process, page, halves);
  }

  /** All regions of a kind, until the count is met. */
  private findEverywhere(halves: Halves, isWanted: (line: MapsLine) => boolean, mapcount: number | null): void {
    if (this.isComplete(mapcount)) return;
    this.firstOf(halves, isWanted, ({ process, page }) => {
      if (!this.add(process, page)) return false;
      // Who shares it by fork, or uses the same address space, has it there, too.
      this.findAtAddress(page, halves);
      return this.isComplete(mapcount);
    });
  }

  private firstOf(
    [low, high]: Halves,
    isWanted: (line: MapsLine) => boolean,
    isLast: (entry: Entry) => boolean,
  ): Entry | null {
    for (const process of this.look.processes) {
      for (const line of process.maps()) {
        if (!isWanted(line)) continue;
        let last: Entry | null = null;
        process.walk(line.startPage, line.endPage, low, high, (page) => {
          last = { process, page };
          return isLast(last);
        });
        if (last !== null && isLast(last)) return last;
      }
    }
    return null;
  }

  private addIf(process: ProcessLook, page: number, [low, high]: Halves): void {
    if (page >= 0 && process.hasFrame(page, low, high)) this.add(process, page);
  }

  /** False: it was known. */
  private add(process: ProcessLook, page: number): boolean {
    const key = keyOf(process, page);
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    this.entries.push({ process, page });
    return true;
  }

  private isComplete(mapcount: number | null): boolean {
    return mapcount !== null && this.entries.length >= mapcount && this.count() >= mapcount;
  }

  /** Entries found, those of one address space once. */
  private count(): number {
    this.settleOwners();
    return this.entries.filter(({ process }) => !this.owners.has(process)).length;
  }

  /** Processes that have the page at the same address may be one address space: then their maps are equal to the byte. */
  private settleOwners(): void {
    const byPage = new Map<number, ProcessLook[]>();
    for (const { process, page } of this.entries) {
      if (this.owners.has(process)) continue;
      const others = byPage.get(page);
      if (others === undefined) byPage.set(page, [process]);
      else others.push(process);
    }
    for (const processes of byPage.values()) {
      if (processes.length === 1) continue;
      const spaces = new AddressSpaces();
      for (const process of processes) {
        const owner = this.owners.has(process) ? null : spaces.sameAs(process);
        if (owner !== null) this.owners.set(process, owner);
      }
    }
  }

  // looking again

  /**
   * Until as many entries stand at one moment as the kernel counts then, or nothing moves any more. Each round is short: entries
   * that went are dropped, and only processes that are new or young are looked at. Gives the count.
   */
  private settle(pfn: number, word: number | null, hint: Entry | null): number | null {
    const halves = halvesOf({ pfn });
    for (let round = 1; ; round++) {
      this.readRegions();
      const before = this.kpageWord('kpagecount', pfn);
      const went = this.dropGone(halves);
      const found = this.count();
      const after = this.kpageWord('kpagecount', pfn);
      if (before === after && (after === null || after === found)) return after;
      if (word !== null && hasKpf(word, KPF_ZERO_PAGE)) return after;
      const { young, came, ended } = this.look.refresh();
      const known = this.entries.length;
      this.findIn(young, word, halves, hint);
      const added = this.entries.length - known;
      if (before === after && went + added + came + ended === 0) return after;
      if (round === ROUNDS) {
        if (before !== after) this.changed.push(`its count went from ${before} to ${after}`);
        if (went + added > 0) this.changed.push(`${went} entries went and ${added} came`);
        if (came + ended > 0) this.changed.push(`${came} processes came and ${ended} went`);
        return after;
      }
    }
  }

  /** The same stages in few processes: where the page may have come to meanwhile. */
  private findIn(young: readonly ProcessLook[], word: number | null, halves: Halves, hint: Entry | null): void {
    const at = this.entries[0] ?? hint;
    if (at === null) return;
    const line = at.process.lineAt(at.page);
    const isOfFile = line !== null && line.inode !== '0' && (word === null || !isAnon(word));
    const pages = new Set(this.entries.map(({ page }) => page));
    for (const process of young) {
      if (isOfFile)
        for (const page of placesIn(process, line, line.pgoff + at.page - line.startPage))
          this.addIf(process, page, halves);
      else if (line?.name.startsWith('[v') === true) this.findAtName(line, at.page - line.startPage, halves, young);
      else for (const page of pages) this.addIf(process, page, halves);
    }
  }

  private dropGone([low, high]: Halves): number {
    const still = this.entries.filter(({ process, page }) => process.hasFrame(page, low, high));
    const went = this.entries.length - still.length;
    if (went > 0) {
      this.entries = still;
      this.seen.clear();
      for (const { process, page } of still) this.seen.add(keyOf(process, page));
    }
    this.moved += went;
    return went;
  }

  /** Its region and name are known before its word is read again: so they are of a process that had the page then. */
  private readRegions(): void {
    for (const { process, page } of this.entries) {
      if (process.lineAt(page) === null) process.readAgain(page);
      process.comm();
    }
    this.entries = this.entries.filter(({ process, page }) => process.lineAt(page) !== null);
  }

  /** Mappings after the pages: a region that was cut, grown or given other rights meanwhile stands as it is now. */
  private readRegionsAgain(): void {
    for (const { process, page } of this.entries) if (process.readAgain(page)) this.moved += 1;
  }

  // the parts of the answer

  private mappers(): Mapper[] {
    this.settleOwners();
    const mappers: Mapper[] = [];
    const sorted = [...this.entries].sort((a, b) => a.process.pid - b.process.pid || a.page - b.page);
    for (const { process, page } of sorted) {
      const line = process.lineAt(page);
      if (line === null) continue;
      mappers.push({
        pid: process.pid,
        comm: process.comm(),
        ...regionOf(line),
        address: page * PAGE,
        offset: line.inode === '0' ? null : (line.pgoff + page - line.startPage) * PAGE,
        sameMmAs: this.owners.get(process)?.pid ?? null,
      });
    }
    return mappers;
  }

  private filePlace(): FilePlace | null {
    for (const { process, page } of this.entries) {
      const line = process.lineAt(page);
      if (line === null || line.inode === '0') continue;
      const named: HostFile[] = [];
      new MapNames(this.files, { file: (file) => named.push(file) - 1 }).nameOf(process.pid, line);
      return { file: named[0]!, offset: (line.pgoff + page - line.startPage) * PAGE };
    }
    return null;
  }

  private unreadable(): number {
    return this.missing.list().reduce((most, { count }) => Math.max(most, count), 0);
  }

  private cgroupOf(pfn: number): string | null {
    const inode = this.kpageWord('kpagecgroup', pfn);
    if (inode === null || inode === 0) return null;
    return ownerCgroup(
      this.files,
      inode,
      this.entries.map(({ process }) => process.pid),
    );
  }

  private procText(name: string): string | null {
    const text = this.files.text(this.files.inProc(name));
    return text instanceof Refusal ? this.missing.add(name, text.errno) : text;
  }

  /** Of one of the kpage files; null where there is none, or it may not be read. */
  private kpageWord(file: string, pfn: number): number | null {
    let opened = this.kpage.get(file);
    if (opened === undefined) {
      opened = this.files.open(this.files.inProc(file));
      this.kpage.set(file, opened);
      if (opened instanceof Refusal) this.missing.add(file, opened.errno);
    }
    if (opened instanceof Refusal) return null;
    const halves = new Uint32Array(2);
    const read = opened.readAt(new Uint8Array(halves.buffer), pfn * 8);
    return read === 8 ? halves[0]! + halves[1]! * 2 ** 32 : null;
  }

  close(): void {
    this.look.close();
    for (const file of this.kpage.values()) if (!(file instanceof Refusal)) file.close();
  }
}

function keyOf({ pid }: ProcessLook, page: number): string {
  return `${pid} ${page}`;
}

type Halves = readonly [low: number, high: number];

function isAnon(word: number): boolean {
  return hasKpf(word, KPF_ANON);
}

function isPrivate({ perms }: MapsLine): boolean {
  return (perms & VMA_SHARED) === 0;
}

function regionOf({ startPage, endPage, perms, name }: MapsLine): Region {
  return { start: startPage * PAGE, end: endPage * PAGE, perms: permsText(perms), name };
}

/** Where the region shows this page of its file; -1 where it does not. */
function pageAt({ startPage, endPage, pgoff }: MapsLine, wanted: number): number {
  const page = startPage + wanted - pgoff;
  return page >= startPage && page < endPage ? page : -1;
}

/** The pages of a process that show this page of the file. Most processes do not have it: their text is searched, not read. */
function placesIn(process: ProcessLook, { device, inode }: Inode, pgoff: number): number[] {
  const text = process.mapsText();
  if (Buffer.from(text.buffer, text.byteOffset, text.length).indexOf(` ${device} ${inode} `) < 0) return [];
  const places: number[] = [];
  for (const line of process.maps()) {
    if (line.inode !== inode || line.device !== device) continue;
    const page = pageAt(line, pgoff);
    if (page >= 0) places.push(page);
  }
  return places;
}
