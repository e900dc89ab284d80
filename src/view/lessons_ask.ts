/**
 * What a lesson asks of a machine: one value at a time, as a lesson's text names it.
 *
 * Owns      the words of these questions, and their answers: a number, or a word. null: there is no such page or count here.
 * Promises  Whoever asks only looks.
 */
import { ProgramPlayer } from '../lab/program_player.ts';
import { Timeline } from '../lab/timeline.ts';
import { AddressSpace, type Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import { pageFlagNames } from '../mm/page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_FILE, PTE_RW, PTE_YOUNG } from '../mm/page_table.ts';
import { swapCount } from '../mm/swap/swapfile.ts';
import { addrOf, type Pfn, swpOffset, type Vpn, vpnOf } from '../mm/units.ts';
import type { Vma } from '../mm/vma.ts';
import { VM_EVENT_NAMES, WORKINGSET_ACTIVATE_FILE, WORKINGSET_REFAULT_FILE } from '../mm/vmstat.ts';
import { frameAt, type WhoMaps, whoMaps } from '../mm/who.ts';
import { parseMmp } from '../syscalls/mmp.ts';
import { MachineSubject, type Subject } from './subject.ts';

/** A page: where a process has it, or where a file has it. */
export type PageName = readonly [pid: number, address: number] | readonly [file: string, index: number];

/** Of a page that is in a frame. */
export type PageWord =
  | 'mapcount'
  | 'refcount'
  | 'kind'
  | 'list'
  /** The two low bits of page->mapping: 1 is an anon_vma, 0 a file. */
  | 'tag'
  /** What mapping points to: `anon_vma 1`, the name of a file, `nothing`. */
  | 'owner'
  | 'index'
  /** VMAs that the reverse walk meets, those that map the page, and the rest. */
  | 'visited'
  | 'mappers'
  | 'inVain'
  /** Entries and address spaces that a kernel without a reverse map looks through. */
  | 'ptesSearched'
  | 'mmsSearched'
  /** Names of PG_ bits. */
  | 'flags'
  | 'pfn';

/** Of an address of a process, whatever is there. */
export type PlaceWord =
  /** `a frame`, `swap`, `a page of the file`, `nothing`. */
  | 'state'
  /** Number of its slot in the swap area, and how many use it. */
  | 'slot'
  | 'slotUsers'
  /** The page behind the slot is in memory still. */
  | 'inSwapCache'
  | 'writable'
  | 'young'
  | 'dirty'
  /** Links of its VMA to anon_vmas. */
  | 'chain'
  /** Where the file's page would be by the formula. */
  | 'formulaIndex';

export type Ask =
  | { readonly of: 'page'; readonly page: PageName; readonly word: PageWord }
  | { readonly of: 'place'; readonly pid: number; readonly address: number; readonly word: PlaceWord }
  /** Is the page of the file in memory? `frame`, `shadow`, `nothing`. */
  | { readonly of: 'cache'; readonly file: string; readonly index: number }
  /** Pages on a list of the kernel's name. */
  | { readonly of: 'list'; readonly name: string }
  | { readonly of: 'event'; readonly name: (typeof VM_EVENT_NAMES)[number] }
  /** File pages that came back after they were evicted, and those that were found to be in use. */
  | { readonly of: 'refaults'; readonly word: 'refaults' | 'activated' }
  /** Frames that both map. */
  | { readonly of: 'shared'; readonly pids: readonly [number, number] }
  | { readonly of: 'vmas'; readonly pid: number; readonly from: number; readonly to: number }
  | { readonly of: 'free' }
  | { readonly of: 'swapUsed' }
  /** What scans and walks cost so far. */
  | { readonly of: 'work'; readonly word: 'pagesScanned' | 'pagesReclaimed' | 'ptesVisited' | 'mmsWalked' }
  /** What a line of the program counted; steps count from 1. */
  | { readonly of: 'line'; readonly step: number; readonly word: 'minflt' | 'majflt' }
  /** The same count of the same program at its end, on another kernel. */
  | { readonly of: 'other'; readonly kernel: string; readonly name: (typeof VM_EVENT_NAMES)[number] };

export type Told = number | string | null;

export function lessonFacts(subject: Subject, asks: readonly Ask[]): Told[] {
  return asks.map((ask) => (subject.kind === 'host' ? null : told(subject, ask)));
}

export function told(subject: MachineSubject, ask: Ask): Told {
  const { machine } = subject;
  switch (ask.of) {
    case 'page': {
      const pfn = frameOf(subject, ask.page);
      return pfn === null ? null : ofPage(machine, pfn, ask.word);
    }
    case 'place':
      return ofPlace(subject, ask.pid, ask.address, ask.word);
    case 'cache': {
      const entry = inodeNamed(machine, ask.file)?.mapping.pages.load(ask.index);
      return entry === undefined ? null : entry > 0 ? 'a frame' : entry < 0 ? 'a shadow' : 'nothing';
    }
    case 'list':
      return pagesOnList(machine, ask.name);
    case 'event':
      return machine.events[VM_EVENT_NAMES.indexOf(ask.name)]!;
    case 'refaults':
      return refaults(machine, ask.word);
    case 'shared':
      return sharedFrames(subject, ...ask.pids);
    case 'vmas': {
      const mm = mmOf(subject, ask.pid);
      if (mm === null) return null;
      return [...mm.vmas].filter(({ vmStart }) => addrOf(vmStart) >= ask.from && addrOf(vmStart) < ask.to).length;
    }
    case 'free':
      return machine.zones.reduce((sum, { freePages }) => sum + freePages, 0);
    case 'swapUsed':
      return machine.swap.areas.reduce((sum, area) => sum + (area?.inusePages ?? 0), 0);
    case 'work':
      return machine.work[ask.word];
    case 'line': {
      const { player } = subject.timeline;
      return player instanceof ProgramPlayer ? (player.results[ask.step - 1]?.[ask.word] ?? null) : null;
    }
    case 'other':
      return subject.lines === null ? null : told(atEnd(subject, ask.kernel), { of: 'event', name: ask.name });
  }
}

/** The frame that has the page now; null: none has. */
export function frameOf(subject: MachineSubject, [of, at]: PageName): Pfn | null {
  const { machine } = subject;
  if (typeof of === 'number') {
    const mm = mmOf(subject, of);
    return mm === null ? null : frameAt(machine, mm, vpnOf(at));
  }
  const entry = inodeNamed(machine, of)?.mapping.pages.load(at) ?? 0;
  return entry > 0 ? ((entry - 1) as Pfn) : null;
}

function ofPage(machine: Machine, pfn: Pfn, word: PageWord): Told {
  const { frames } = machine;
  switch (word) {
    case 'mapcount':
      return frames.mapcount(pfn);
    case 'refcount':
      return frames.refcount(pfn);
    case 'tag':
      return frames.mapping(pfn) & 3;
    case 'index':
      return frames.index(pfn);
    case 'flags':
      return pageFlagNames(frames.allFlags(pfn)).join(' ');
    case 'pfn':
      return pfn;
    default:
      return ofWalk(whoMaps(machine, pfn), word);
  }
}

function ofWalk(who: WhoMaps, word: Exclude<PageWord, 'mapcount' | 'refcount' | 'tag' | 'index' | 'flags' | 'pfn'>) {
  switch (word) {
    case 'kind':
      return who.reclaim.kind;
    case 'list':
      return who.lru;
    case 'owner': {
      const { kind, id, name } = who.mapping;
      return kind === 'none' ? 'nothing' : kind === 'inode' ? name : `${kind} ${id}`;
    }
    case 'visited':
      return who.mappers.length + who.inVain.length;
    case 'mappers':
      return who.mappers.length;
    case 'inVain':
      return who.inVain.length;
    case 'ptesSearched':
      return who.searched?.ptes ?? null;
    case 'mmsSearched':
      return who.searched?.mms ?? null;
  }
}

function ofPlace(subject: MachineSubject, pid: number, address: number, word: PlaceWord): Told {
  const { machine } = subject;
  const { pageTables } = machine;
  const mm = mmOf(subject, pid);
  if (mm === null) return null;
  const vpn = vpnOf(address);
  if (word === 'chain') return mm.vmas.find(vpn)?.anonVmaChain.length ?? null;
  if (word === 'formulaIndex') return formulaIndex(mm.vmas.find(vpn), vpn);
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  const isThere = slot !== NO_SLOT && pageTables.isPresent(slot);
  const entry = slot !== NO_SLOT && pageTables.isSwap(slot) ? pageTables.swapEntry(slot) : null;
  switch (word) {
    case 'state':
      if (isThere) return 'a frame';
      if (entry !== null) return 'swap';
      return slot !== NO_SLOT && pageTables.has(slot, PTE_FILE) ? 'a page of the file' : 'nothing';
    case 'slot':
      return entry === null ? null : swpOffset(entry);
    case 'slotUsers':
      return entry === null ? null : swapCount(machine, entry);
    case 'inSwapCache':
      return entry === null ? null : machine.swap.areaOf(entry).cached(swpOffset(entry)) >= 0 ? 'yes' : 'no';
    default: {
      const bit = { writable: PTE_RW, young: PTE_YOUNG, dirty: PTE_DIRTY }[word];
      return isThere ? (pageTables.has(slot, bit) ? 'yes' : 'no') : null;
    }
  }
}

/** index = ((address − vm_start) >> PAGE_SHIFT) + vm_pgoff. */
function formulaIndex(vma: Vma | null, vpn: Vpn): number | null {
  return vma === null || vpn < vma.vmStart ? null : vpn - vma.vmStart + vma.vmPgoff;
}

function mmOf(subject: MachineSubject, pid: number) {
  return subject.living.find((one) => one.pid === pid)?.mm ?? null;
}

export function inodeNamed(machine: Machine, name: string): Inode | null {
  for (const mapping of machine.mappings) {
    if (mapping instanceof AddressSpace && mapping.host.name === name) return mapping.host;
  }
  return null;
}

function pagesOnList(machine: Machine, name: string): number | null {
  const list = machine.generation.lruNames.indexOf(name);
  return list < 0 ? null : machine.nodes.reduce((sum, { stat }) => sum + stat[list]!, 0);
}

function refaults(machine: Machine, word: 'refaults' | 'activated'): number {
  const item = word === 'refaults' ? WORKINGSET_REFAULT_FILE : WORKINGSET_ACTIVATE_FILE;
  return machine.nodes.reduce((sum, { stat }) => sum + stat[item]!, 0);
}

function sharedFrames(subject: MachineSubject, one: number, two: number): number | null {
  const frames = framesOf(subject, one);
  const others = framesOf(subject, two);
  if (frames === null || others === null) return null;
  return [...frames].filter((pfn) => others.has(pfn)).length;
}

function framesOf(subject: MachineSubject, pid: number): Set<number> | null {
  const mm = mmOf(subject, pid);
  if (mm === null) return null;
  const { pageTables, zeroPfn } = subject.machine;
  const found = new Set<number>();
  for (const vma of mm.vmas) {
    // To the next page that has a table: holes are passed over.
    const next = (from: number): Vpn => pageTables.nextTable(mm.pageTables, from as Vpn, vma.vmEnd);
    for (let at = next(vma.vmStart); at < vma.vmEnd; at = next(at + 1)) {
      const slot = pageTables.slotOf(mm.pageTables, at);
      if (pageTables.isPresent(slot) && pageTables.pfn(slot) !== zeroPfn) found.add(pageTables.pfn(slot));
    }
  }
  return found;
}

/** Another machine with the same program, at its end. */
export function atEnd(
  { lines, machine }: MachineSubject,
  kernel: string,
  ramBytes: number = machine.config.ramBytes,
): MachineSubject {
  const program = parseMmp((lines ?? []).join('\n'), 'program.mmp');
  const timeline = new Timeline(new ProgramPlayer(program, kernel, ramBytes), (value) => value === program);
  timeline.seek(program.steps.length);
  return new MachineSubject(timeline, lines);
}
