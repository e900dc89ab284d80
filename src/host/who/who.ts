/**
 * Who maps a page: the form of the answer, and the answer from a snapshot. who_live.ts gives the same form from /proc at once.
 *
 * Promises  1. `mappers` are the page-table entries that map the frame, in the order of processes and addresses. Processes
 *              that use one address space stand there each, and `found` counts their entry once, as the kernel does.
 *           2. `found` beside the kernel's own count: where they differ, `why` has a reason with how many, or says that
 *              there is none.
 *           3. Pure: no Node. Addresses and offsets are in bytes.
 * Linux     6.18 fs/proc/page.c: get_kpage_count; fs/proc/task_mmu.c: pte_to_pagemap_entry
 */
import { hasKpf, KPF_COMPOUND_HEAD, KPF_COMPOUND_TAIL, kpageFlagsInWords } from '../../proc/kpage_flags.ts';
import { listOfWord } from '../frames/frame_kinds.ts';
import { processOfVma, type ReverseMap, vmaOfEntry } from '../reverse.ts';
import {
  ENTRY_NO_FRAME,
  ENTRY_SWAP,
  ENTRY_SWAP_TYPE_SHIFT,
  type HostSnapshot,
  KPF_NOT_READ,
  type Missing,
  NO_CGROUP,
  NO_ROW,
  VMA_EXEC,
  VMA_READ,
  VMA_SEEN,
  VMA_SHARED,
  VMA_WRITE,
} from '../snapshot.ts';
import { explainCount, type Why } from './explain.ts';
import { type FilePlace, type Identity, identityOf, type KindOfFrame, kindOfFrame, zoneOf } from './identity.ts';

export const PAGE = 4096;

/** A region of a process. */
export interface Region {
  readonly start: number;
  readonly end: number;
  /** `rw-p`, as in maps. */
  readonly perms: string;
  /** The last column of maps: a path, `[heap]`, '' … */
  readonly name: string;
}

/** A page-table entry of the frame. */
export interface Mapper extends Region {
  readonly pid: number;
  readonly comm: string;
  readonly address: number;
  /** Where the region says that this page is in its file; null without a file. */
  readonly offset: number | null;
  /** It uses the address space of this process, which stands in the list with the same entry; null: its own. */
  readonly sameMmAs: number | null;
}

export interface FrameAnswer {
  readonly pfn: number;
  readonly zone: string | null;
  /** In words; empty for none. Null where /proc/kpageflags may not be read. */
  readonly flags: readonly { readonly name: string; readonly says: string }[] | null;
  readonly reclaim: KindOfFrame | null;
  /** The list of reclaim it is on. */
  readonly list: string | null;
  /** Who is charged for it: a path below the mount of the memory controller. */
  readonly cgroup: string | null;
  readonly identity: Identity | null;
  /** The larger folio it is part of: its first frame, and how many. */
  readonly folio: { readonly first: number; readonly pages: number } | null;
  readonly mappers: readonly Mapper[];
  /** Different entries in `mappers`. */
  readonly found: number;
  /** /proc/kpagecount. */
  readonly mapcount: number | null;
  readonly agrees: boolean | null;
  /** Empty if found and mapcount are the same and need no word. */
  readonly why: readonly Why[];
}

/** What stands at an address of a process. */
export interface PlaceAnswer {
  readonly pid: number;
  readonly comm: string;
  readonly address: number;
  readonly region: Region | null;
  readonly state: 'frame' | 'frame hidden' | 'swapped' | 'moving' | 'guard' | 'not present' | 'no region' | 'not read';
  readonly says: string;
  readonly pfn: number | null;
}

/** A page that is in a swap area. */
export interface SlotAnswer {
  readonly area: number;
  /** By /proc/swaps; null if it names none for this number. */
  readonly path: string | null;
  /** In pages. */
  readonly offset: number;
  readonly holders: readonly Mapper[];
}

/** The answer to a question about one page. */
export interface WhoAnswer {
  /** Where the question named an address. */
  readonly place: PlaceAnswer | null;
  /** Null if no frame is there, or nobody may know which. */
  readonly frame: FrameAnswer | null;
  readonly slot: SlotAnswer | null;
  /** Looked so often: again each time something had changed meanwhile. */
  readonly tries: number;
  /** Entries and regions that came, went or changed meanwhile, and stand in the answer as they are at its end. */
  readonly moved: number;
  /** What changed during the last look, and so may be of two moments. Empty: nothing. */
  readonly changed: readonly string[];
  readonly missing: readonly Missing[];
}

/** What a frame is, before it is put into words. */
export interface FrameFacts {
  readonly pfn: number;
  readonly zoneinfo: string | null;
  readonly swaps: string | null;
  /** /proc/kpageflags; null where it may not be read. */
  readonly word: number | null;
  readonly mapcount: number | null;
  readonly cgroup: string | null;
  readonly folio: FrameAnswer['folio'];
  readonly place: FilePlace | null;
  readonly mappers: readonly Mapper[];
  /** Processes that may have more of it: their mappings could not be read. */
  readonly unreadable: number;
  /** What changed under us, so that the numbers are of different moments. */
  readonly changed: readonly string[];
}

/** The one place where facts become an answer, of a live host and of a snapshot. */
export function answerOf(facts: FrameFacts): FrameAnswer {
  const { pfn, word, mapcount, mappers } = facts;
  const found = mappers.filter((mapper) => mapper.sameMmAs === null).length;
  const agrees = mapcount === null ? null : found === mapcount;
  return {
    pfn,
    zone: facts.zoneinfo === null ? null : zoneOf(facts.zoneinfo, pfn),
    flags: word === null ? null : kpageFlagsInWords(word),
    reclaim: word === null ? null : kindOfFrame(word, facts.swaps === null ? null : swapAreas(facts.swaps).length > 0),
    list: word === null ? null : listOfWord((word % 2 ** 32) | 0),
    cgroup: facts.cgroup,
    identity: word === null ? null : identityOf(word, facts.place),
    folio: facts.folio,
    mappers,
    found,
    mapcount,
    agrees,
    why: explainCount({ ...facts, found, sharing: mappers.length - found }),
  };
}

/** The swap areas of /proc/swaps, in the kernel's order. */
export function swapAreas(swaps: string): string[] {
  return swaps
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/)[0]!);
}

/** The larger folio that the frame is part of: heads and tails are told by their flags. `wordAt` is null where nobody looks. */
export function folioOf(pfn: number, wordAt: (pfn: number) => number | null): FrameAnswer['folio'] {
  const is = (frame: number, bit: number): boolean => hasKpf(wordAt(frame) ?? 0, bit);
  let first = pfn;
  while (is(first, KPF_COMPOUND_TAIL) && pfn - first < MOST_PAGES) first -= 1;
  if (!is(first, KPF_COMPOUND_HEAD)) return null;
  let end = first + 1;
  while (is(end, KPF_COMPOUND_TAIL) && end - first < MOST_PAGES) end += 1;
  return { first, pages: end - first };
}

/** A gigantic page of hugetlb; folios of the page cache are smaller. */
const MOST_PAGES = 2 ** 18;

export function permsText(bits: number): string {
  const letter = (bit: number, text: string) => ((bits & bit) === 0 ? '-' : text);
  return (
    letter(VMA_READ, 'r') + letter(VMA_WRITE, 'w') + letter(VMA_EXEC, 'x') + letter(VMA_SHARED, 's').replace('-', 'p')
  );
}

// from a snapshot

/** Who maps the frame. Null for a number that no frame has. */
export function whoMapsFrame(snapshot: HostSnapshot, reverse: ReverseMap, pfn: number): FrameAnswer | null {
  const { frames, texts } = snapshot;
  const rows = reverse.entriesOf(pfn);
  if (frames !== null && pfn >= frames.count && rows.length === 0) return null;
  const wordAt = (frame: number): number | null => wordOfFrame(snapshot, frame);
  const owner = frames?.cgroup[pfn] ?? NO_CGROUP;
  return answerOf({
    pfn,
    zoneinfo: texts.get('zoneinfo') ?? null,
    swaps: texts.get('swaps') ?? null,
    word: wordAt(pfn),
    mapcount: frames?.mapcount[pfn] ?? null,
    cgroup: owner === NO_CGROUP ? null : (snapshot.cgroups[owner]?.path ?? null),
    folio: folioOf(pfn, wordAt),
    place: filePlaceOf(snapshot, rows),
    mappers: mappersOf(snapshot, rows),
    unreadable: unreadProcesses(snapshot),
    changed: changesIn(snapshot),
  });
}

/** /proc/kpageflags of a frame as a number; null where it was not read. */
export function wordOfFrame({ frames }: HostSnapshot, pfn: number): number | null {
  if (frames === null || pfn < 0 || pfn >= frames.count) return null;
  const row = frames.word[pfn]!;
  const high = frames.wordsHigh[row]!;
  return high === KPF_NOT_READ ? null : frames.wordsLow[row]! + high * 2 ** 32;
}

/** What the first of the rows with a file says of where the page is. */
function filePlaceOf(snapshot: HostSnapshot, rows: Uint32Array): FilePlace | null {
  for (const row of rows) {
    const vma = vmaOfEntry(snapshot, row);
    const file = snapshot.files[snapshot.vmas.file[vma]!];
    if (file !== undefined) return { file, offset: (snapshot.vmas.pgoff[vma]! + snapshot.entries.page[row]!) * PAGE };
  }
  return null;
}

/** Rows of `entries` as people read them, each followed by the processes that use the same address space. */
export function mappersOf(snapshot: HostSnapshot, rows: Iterable<number>): Mapper[] {
  const sharers = sharersOf(snapshot);
  const found: Mapper[] = [];
  for (const row of rows) {
    const vma = vmaOfEntry(snapshot, row);
    const process = snapshot.processes[processOfVma(snapshot, vma)]!;
    const page = snapshot.entries.page[row]!;
    const mapper = { ...mapperAt(snapshot, vma, page), pid: process.pid, comm: process.comm, sameMmAs: null };
    found.push(mapper);
    for (const other of sharers.get(process.pid) ?? []) {
      found.push({ ...mapper, pid: other.pid, comm: other.comm, sameMmAs: process.pid });
    }
  }
  return found;
}

/** By pid: who uses its address space, too. */
function sharersOf({ processes }: HostSnapshot): Map<number, { pid: number; comm: string }[]> {
  const sharers = new Map<number, { pid: number; comm: string }[]>();
  for (const { pid, comm, sharesMmWith } of processes) {
    if (sharesMmWith === undefined) continue;
    sharers.set(sharesMmWith, [...(sharers.get(sharesMmWith) ?? []), { pid, comm }]);
  }
  return sharers;
}

function mapperAt(snapshot: HostSnapshot, vma: number, page: number): Region & Pick<Mapper, 'address' | 'offset'> {
  const { vmas } = snapshot;
  return {
    ...regionOf(snapshot, vma),
    address: (vmas.startPage[vma]! + page) * PAGE,
    offset: vmas.file[vma] === NO_ROW ? null : (vmas.pgoff[vma]! + page) * PAGE,
  };
}

export function regionOf({ vmas, strings }: HostSnapshot, vma: number): Region {
  return {
    start: vmas.startPage[vma]! * PAGE,
    end: vmas.endPage[vma]! * PAGE,
    perms: permsText(vmas.perms[vma]!),
    name: strings[vmas.name[vma]!] ?? '',
  };
}

/** What moved while the snapshot was taken, and so may be of two moments. */
function changesIn({ changes }: HostSnapshot): string[] {
  const { processesGone, processesUnsteady } = changes;
  const ended = processesGone > 0 ? [`${processesGone} processes ended while the snapshot was taken`] : [];
  return processesUnsteady.length > 0 ? [...ended, `${processesUnsteady.length} processes kept moving`] : ended;
}

function unreadProcesses({ processes, vmas }: HostSnapshot): number {
  return processes.filter(({ firstVma, endVma, isKernelThread, sharesMmWith, state }) => {
    if (isKernelThread || sharesMmWith !== undefined || state === 'Z' || state === 'X') return false;
    return firstVma === endVma || (vmas.perms[firstVma]! & VMA_SEEN) === 0;
  }).length;
}

/** What stands at an address, and if it is a frame or a slot, which. Null: no process has this pid. */
export function placeIn(
  snapshot: HostSnapshot,
  pid: number,
  address: number,
): { readonly place: PlaceAnswer; readonly slot: { area: number; offset: number } | null } | null {
  const asked = snapshot.processes.find((process) => process.pid === pid);
  if (asked === undefined) return null;
  const own = snapshot.processes.find((process) => process.pid === (asked.sharesMmWith ?? pid)) ?? asked;
  const page = Math.floor(address / PAGE);
  const vma = vmaAt(snapshot, own.firstVma, own.endVma, page);
  const region = vma === null ? null : regionOf(snapshot, vma);
  const at = (
    state: PlaceAnswer['state'],
    pfn: number | null = null,
    slot: { area: number; offset: number } | null = null,
  ) => ({
    place: { pid, comm: asked.comm, address, region, state, says: placeText(state, region), pfn },
    slot,
  });
  // Whoever has memory has regions.
  if (own.firstVma === own.endVma && own.status.has('VmRSS')) return at('not read');
  if (vma === null) return at('no region');
  if ((snapshot.vmas.perms[vma]! & VMA_SEEN) === 0) return at('not read');
  const row = entryAt(snapshot, vma, page - snapshot.vmas.startPage[vma]!);
  if (row === null) return at('not present');
  const bits = snapshot.entries.bits[row]!;
  if ((bits & ENTRY_SWAP) !== 0) {
    return at('swapped', null, { area: bits >> ENTRY_SWAP_TYPE_SHIFT, offset: snapshot.entries.value[row]! });
  }
  return (bits & ENTRY_NO_FRAME) !== 0 ? at('frame hidden') : at('frame', snapshot.entries.value[row]!);
}

function vmaAt({ vmas }: HostSnapshot, first: number, end: number, page: number): number | null {
  let [low, high] = [first, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (vmas.endPage[middle]! <= page) low = middle + 1;
    else high = middle;
  }
  return low < end && vmas.startPage[low]! <= page ? low : null;
}

/** The row of `entries` of a page of a VMA. */
function entryAt({ vmas, entries }: HostSnapshot, vma: number, page: number): number | null {
  const end = vmas.firstEntry[vma + 1]!;
  let [low, high] = [vmas.firstEntry[vma]!, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries.page[middle]! < page) low = middle + 1;
    else high = middle;
  }
  return low < end && entries.page[low] === page ? low : null;
}

export function placeText(state: PlaceAnswer['state'], region: Region | null): string {
  switch (state) {
    case 'frame':
      return 'a frame is mapped there';
    case 'frame hidden':
      return 'a frame is mapped there; the kernel hides its number from who has no CAP_SYS_ADMIN';
    case 'swapped':
      return 'the page is in a swap area';
    case 'moving':
      return 'the page is being moved to another frame, or is no memory of this host';
    case 'guard':
      return 'a guard: who touches it gets SIGSEGV (MADV_GUARD_INSTALL)';
    case 'no region':
      return 'the process has nothing mapped there';
    case 'not read':
      return region === null
        ? 'what the process maps may not be read'
        : 'the page tables of the process may not be read';
    default:
      return absentText(region);
  }
}

function absentText(region: Region | null): string {
  if (region?.name === '[vsyscall]') return "the kernel's own page: no page table of the process has it";
  if (region?.perms.startsWith('---') === true) return 'no page is there: a region without access (PROT_NONE)';
  if (region === null || region.name === '' || region.name.startsWith('[')) {
    return 'no page is there: nothing was written yet, or it was given up';
  }
  return region.perms.endsWith('s') || region.perms[1] !== 'w'
    ? "no page is there: the first access maps the file's page"
    : "no page is there: the first access maps the file's page, the first write a copy of it";
}

/** Who has the page that is in this slot of this swap area. */
export function whoHasSlot(snapshot: HostSnapshot, area: number, offset: number): SlotAnswer {
  const { value, bits, count } = snapshot.entries;
  const rows: number[] = [];
  for (let row = 0; row < count; row++) {
    if (value[row] === offset && (bits[row]! & ENTRY_SWAP) !== 0 && bits[row]! >> ENTRY_SWAP_TYPE_SHIFT === area)
      rows.push(row);
  }
  const path = swapAreas(snapshot.texts.get('swaps') ?? '')[area] ?? null;
  return { area, path, offset, holders: mappersOf(snapshot, rows) };
}
