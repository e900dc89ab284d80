/**
 * Address spaces of a host's snapshot, in the form of spaces_form.ts.
 *
 * Promises  1. Regions are the lines of /proc/PID/maps as they were read; smaps is there if it was asked for.
 *           2. No file of /proc shows the young and dirty bits of an entry. The frame's own flags stand in for them, and `knows`
 *              says so; without /proc/kpageflags they are unknown.
 *           3. A process whose pages nobody let us see has null for its pages.
 */
import { hasMemory } from '../host/cost/ps.ts';
import {
  LOW_DIRTY,
  LOW_HUGE,
  LOW_KSM,
  LOW_REFERENCED,
  LOW_SWAPBACKED,
  LOW_THP,
  LOW_ZERO_PAGE,
} from '../host/frames/kpf_masks.ts';
import {
  ENTRY_FILE,
  ENTRY_PRESENT,
  ENTRY_SWAP,
  type HostProcess,
  type HostSnapshot,
  isMapped,
  NO_ROW,
  VMA_SEEN,
  VMA_SHARED,
} from '../host/snapshot.ts';
import { permsText } from '../host/who/who.ts';
import { addrOf, type Vpn, vpnOf } from '../mm/units.ts';
import {
  type Backing,
  inTreeOrder,
  type Knowledge,
  type LayoutMark,
  type Outline,
  PAGE_ANON,
  PAGE_DIRTY,
  PAGE_HUGE,
  PAGE_KSM,
  PAGE_RESIDENT,
  PAGE_SHARED,
  PAGE_SWAPPED,
  PAGE_YOUNG,
  PAGE_ZERO,
  PageSums,
  type Region,
  type Space,
  type SpacePages,
  type SpaceProcess,
  type SpaceVma,
} from './spaces_form.ts';
import type { HostSubject } from './subject.ts';

const KIB_PER_PAGE = 4;
/** Words for the codes of VmFlags that maps does not show. */
const FLAG_WORDS: ReadonlyMap<string, string> = new Map([
  ['lo', 'locked'],
  ['lf', 'locked when touched'],
  ['gd', 'grows down'],
  ['nl', 'nonlinear'],
  ['dc', 'not copied by fork'],
  ['wf', 'zeros after fork'],
  ['de', 'does not grow'],
  ['dd', 'not dumped'],
  ['sr', 'read in order'],
  ['rr', 'read at random'],
  ['nr', 'not reserved'],
  ['ht', 'hugetlb'],
  ['hg', 'huge pages wanted'],
  ['nh', 'no huge pages'],
  ['mg', 'may be merged (KSM)'],
  ['gu', 'may have guard pages'],
  ['uw', 'write-protected by userfaultfd'],
  ['dp', 'droppable'],
  ['io', 'a device'],
  ['pf', 'frames without struct page'],
]);

export function hostProcesses({ snapshot }: HostSubject): SpaceProcess[] {
  const { processes, vmas } = snapshot;
  const withMemory = processes.filter(hasMemory);
  const known = new Set(withMemory.map(({ pid }) => pid));
  const rows = withMemory.map((process) => {
    const { pid, comm, parentPid, status, rollup } = process;
    const own = ownerOf(snapshot, process);
    const pages = (name: string) => pagesOf(status, name);
    let sizePages = 0;
    for (let vma = own.firstVma; vma < own.endVma; vma++) sizePages += vmas.endPage[vma]! - vmas.startPage[vma]!;
    const pss = rollup?.get('Pss');
    return {
      pid,
      comm,
      parent: known.has(parentPid) ? parentPid : null,
      mm: null,
      sharesMmWith: process.sharesMmWith ?? null,
      vmas: own.endVma - own.firstVma,
      sizePages: pages('VmSize') ?? sizePages,
      rssPages: pages('VmRSS'),
      anonPages: pages('RssAnon'),
      filePages: pages('RssFile'),
      shmemPages: pages('RssShmem'),
      swapPages: pages('VmSwap'),
      pssBytes: pss === undefined ? null : pss * 1024,
      minorFaults: null,
      majorFaults: null,
    };
  });
  return inTreeOrder(rows);
}

function pagesOf(status: ReadonlyMap<string, number>, name: string): number | null {
  const kib = status.get(name);
  return kib === undefined ? null : Math.floor(kib / KIB_PER_PAGE);
}

/** The process with whom the rows of its address space stand. */
function ownerOf({ processes }: HostSnapshot, process: HostProcess): HostProcess {
  const { sharesMmWith } = process;
  if (sharesMmWith === undefined) return process;
  return processes.find(({ pid }) => pid === sharesMmWith) ?? process;
}

/** Whose rows are its: another's, if they have one address space. */
export function processNamed({ snapshot }: HostSubject, pid: number): HostProcess | null {
  const process = snapshot.processes.find((one) => one.pid === pid);
  return process === undefined ? null : ownerOf(snapshot, process);
}

export function hostOutline(subject: HostSubject, pid: number): Outline | null {
  const { snapshot } = subject;
  const named = snapshot.processes.find((one) => one.pid === pid);
  if (named === undefined) return null;
  const { vmas, strings, vmFlags } = snapshot;
  const { firstVma, endVma } = ownerOf(snapshot, named);
  const rows: Region[] = [];
  for (let vma = firstVma; vma < endVma; vma++) {
    const isFile = vmas.file[vma] !== NO_ROW;
    const codes = vmFlags === null ? null : strings[vmFlags[vma]!]!.split(' ');
    rows.push({
      start: addrOf(vmas.startPage[vma]! as Vpn),
      end: addrOf(vmas.endPage[vma]! as Vpn),
      pages: vmas.endPage[vma]! - vmas.startPage[vma]!,
      perms: permsText(vmas.perms[vma]!),
      flags: codes?.flatMap((code) => FLAG_WORDS.get(code) ?? []) ?? null,
      name: strings[vmas.name[vma]!]!,
      backing: backingOf(snapshot, vma),
      offset: isFile ? addrOf(vmas.pgoff[vma]! as Vpn) : null,
      vmPgoff: null,
      anonVma: null,
    });
  }
  return { pid, comm: named.comm, mm: null, vmas: rows, marks: marksOf(rows) };
}

export function hostSpace(subject: HostSubject, pid: number): Space | null {
  const { snapshot } = subject;
  const { vmas, smaps } = snapshot;
  const outline = hostOutline(subject, pid);
  const process = processNamed(subject, pid);
  if (outline === null || process === null) return null;
  const fields = [...(smaps ?? [])].filter(([name]) => name !== 'Size');
  const rows = outline.vmas.map((region, i): SpaceVma => {
    const vma = process.firstVma + i;
    return {
      ...region,
      counts: (vmas.perms[vma]! & VMA_SEEN) === 0 ? null : sumOf(subject, vma).counts(),
      smaps: smaps === null ? null : fields.map(([, column]) => column[vma]!),
    };
  });
  return {
    ...outline,
    vmas: rows,
    smapsFields: fields.map(([name]) => name),
    smapsNote: smaps === null ? 'smaps was not asked for: revmap snapshot --smaps reads it.' : '',
    knows: knowledgeOf(snapshot),
  };
}

/** By what maps shows, and by the mark of tmpfs on one of its frames: maps has no word for shared memory. */
function backingOf(snapshot: HostSnapshot, vma: number): Backing {
  const { vmas, strings, entries } = snapshot;
  const name = strings[vmas.name[vma]!]!;
  if (name === '[heap]') return 'heap';
  if (name.startsWith('[stack')) return 'stack';
  if (/^\[(vdso|vvar|vvar_vclock|vsyscall|uprobes)\]$/.test(name)) return 'special';
  if (vmas.file[vma] === NO_ROW) return (vmas.perms[vma]! & VMA_SHARED) === 0 ? 'anon' : 'shmem';
  if (/^\/(anon_hugepage|dev\/hugepages)\b/.test(name)) return 'hugetlb';
  if (/^\/(memfd:|dev\/shm\/|SYSV|dev\/zero)/.test(name)) return 'shmem';
  for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
    if ((entries.bits[row]! & ENTRY_FILE) === 0 || !isMapped(entries.bits[row]!)) continue;
    return (lowWord(snapshot, entries.value[row]!) & LOW_SWAPBACKED) === 0 ? 'file' : 'shmem';
  }
  return 'file';
}

function marksOf(vmas: readonly Region[]): LayoutMark[] {
  const marks: LayoutMark[] = [];
  const heap = vmas.find(({ name }) => name === '[heap]');
  const stack = vmas.find(({ name }) => name === '[stack]');
  if (heap !== undefined) {
    const brk = vmas.findLast(({ name }) => name === '[heap]')!.end;
    marks.push({ name: 'start_brk', address: heap.start, says: 'the heap begins, as maps shows it' });
    marks.push({ name: 'brk', address: brk, says: 'the heap ends, as maps shows it' });
  }
  if (stack !== undefined)
    marks.push({ name: 'stack', address: stack.end, says: 'the stack grows downwards from here' });
  return marks;
}

function knowledgeOf({ frames }: HostSnapshot): Knowledge {
  const from = frames === null ? null : ('frame' as const);
  return { young: from, dirty: from, writable: false };
}

// pages

/** The low half of the frame's word of kpageflags; 0 where it is unknown. */
function lowWord({ frames }: HostSnapshot, pfn: number): number {
  if (frames === null || pfn >= frames.count) return 0;
  return frames.wordsLow[frames.word[pfn]!]!;
}

function stateOf(subject: HostSubject, row: number): number {
  const { snapshot } = subject;
  const { bits: columns, value } = snapshot.entries;
  const bits = columns[row]!;
  if ((bits & ENTRY_SWAP) !== 0) return PAGE_SWAPPED | PAGE_ANON;
  if ((bits & ENTRY_PRESENT) === 0) return 0;
  const ofFile = (bits & ENTRY_FILE) === 0 ? PAGE_ANON : 0;
  if (!isMapped(bits)) return PAGE_RESIDENT | ofFile;
  const pfn = value[row]!;
  const low = lowWord(snapshot, pfn);
  if ((low & LOW_ZERO_PAGE) !== 0) return PAGE_ZERO;
  return (
    PAGE_RESIDENT |
    ofFile |
    (mappersOf(subject, pfn) > 1 ? PAGE_SHARED : 0) |
    ((low & LOW_REFERENCED) === 0 ? 0 : PAGE_YOUNG) |
    ((low & LOW_DIRTY) === 0 ? 0 : PAGE_DIRTY) |
    ((low & (LOW_THP | LOW_HUGE)) === 0 ? 0 : PAGE_HUGE) |
    ((low & LOW_KSM) === 0 ? 0 : PAGE_KSM)
  );
}

/** As the kernel counts them; without its count, those that were seen. */
function mappersOf({ snapshot, reverse }: HostSubject, pfn: number): number {
  const { frames } = snapshot;
  return frames !== null && pfn < frames.count ? frames.mapcount[pfn]! : reverse.countOf(pfn);
}

/** Pages [from, to) of a region, counted from its beginning. */
function eachPage(
  subject: HostSubject,
  vma: number,
  from: number,
  to: number,
  visit: (page: number, state: number, row: number) => void,
): void {
  const { vmas, entries } = subject.snapshot;
  const end = vmas.firstEntry[vma + 1]!;
  for (let row = firstRow(subject.snapshot, vma, from); row < end && entries.page[row]! < to; row++) {
    visit(entries.page[row]!, stateOf(subject, row), row);
  }
}

/** The first row of the region at or behind page `from`. */
function firstRow({ vmas, entries }: HostSnapshot, vma: number, from: number): number {
  let low = vmas.firstEntry[vma]!;
  let high = vmas.firstEntry[vma + 1]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries.page[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sumOf(subject: HostSubject, vma: number): PageSums {
  const sums = new PageSums();
  eachPage(subject, vma, 0, Number.POSITIVE_INFINITY, (_page, state) => sums.add(state));
  return sums;
}

/** The region of a process that holds a page, or −1. */
function vmaAt({ vmas }: HostSnapshot, { firstVma, endVma }: HostProcess, page: number): number {
  let low = firstVma;
  let high = endVma;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (vmas.endPage[middle]! > page) high = middle;
    else low = middle + 1;
  }
  return low < endVma && vmas.startPage[low]! <= page ? low : -1;
}

export function hostPages(
  subject: HostSubject,
  pid: number,
  start: number,
  from: number,
  count: number,
): SpacePages | null {
  const { snapshot } = subject;
  const { vmas, entries } = snapshot;
  const process = processNamed(subject, pid);
  const vma = process === null ? -1 : vmaAt(snapshot, process, vpnOf(start) + from);
  if (vma < 0) return null;
  const first = vpnOf(start) + from - vmas.startPage[vma]!;
  const end = Math.min(first + count, vmas.endPage[vma]! - vmas.startPage[vma]!);
  const states = new Uint16Array(end - first);
  const values = new Int32Array(end - first).fill(-1);
  const mapcounts = new Int32Array(end - first).fill(-1);
  eachPage(subject, vma, first, end, (page, state, row) => {
    const at = page - first;
    const bits = entries.bits[row]!;
    const value = entries.value[row]!;
    states[at] = state;
    // A device's frame may have a number that is no frame of memory.
    if ((isMapped(bits) || (bits & ENTRY_SWAP) !== 0) && value < 2 ** 31) values[at] = value;
    if (isMapped(bits)) mapcounts[at] = mappersOf(subject, value);
  });
  return { pid, start, from, states, values, mapcounts, knows: knowledgeOf(snapshot) };
}

/** Adds the pages [from, to) of a process, which are of one region or of none, to `sums`. */
export function addHostPages(
  subject: HostSubject,
  process: HostProcess,
  from: number,
  to: number,
  sums: PageSums,
): void {
  const { snapshot } = subject;
  const vma = vmaAt(snapshot, process, from);
  if (vma < 0) return;
  const start = snapshot.vmas.startPage[vma]!;
  eachPage(subject, vma, from - start, to - start, (_page, state) => sums.add(state));
}
