/**
 * Address spaces of a simulated machine, in the form of spaces_form.ts.
 *
 * Promises  1. Only looks. Regions are those of its kernel's /proc/PID/maps, and smaps has the numbers that the kernel would print.
 *           2. A page is what its entry says; the frame is asked only how many entries map it, and whose page it is.
 *           3. One pass over the tables that exist; an empty stretch costs nothing.
 */
import { type MapsLine, parseMaps } from '../host/read/maps_text.ts';
import { parseSmaps } from '../host/read/smaps_columns.ts';
import { encodeName } from '../host/text.ts';
import { isKsmPage } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm } from '../mm/mm.ts';
import {
  PTE_ANY_PRESENT,
  PTE_DIRTY,
  PTE_FILE,
  PTE_HUGE,
  PTE_MIGRATION,
  PTE_RW,
  PTE_SPECIAL,
  PTE_SWAP,
  PTE_YOUNG,
} from '../mm/page_table.ts';
import { isSince } from '../mm/release.ts';
import { swpSwapcount } from '../mm/swap/swapfile.ts';
import type { Task } from '../mm/task.ts';
import { addrOf, PAGE_SIZE, type Pfn, type SwapEntry, swpOffset, type Vpn, vpnOf } from '../mm/units.ts';
import { taskUnmappedBase } from '../mm/unmapped_area.ts';
import * as flag from '../mm/vm_flags.ts';
import type { Vma } from '../mm/vma.ts';
import { maps, permsText } from '../proc/maps.ts';
import { gatherSmaps, SmapsStats, smaps } from '../proc/smaps.ts';
import {
  type Backing,
  inTreeOrder,
  type Knowledge,
  type LayoutMark,
  type Outline,
  PAGE_ABSENT,
  PAGE_ANON,
  PAGE_DIRTY,
  PAGE_GUARD,
  PAGE_HUGE,
  PAGE_KSM,
  PAGE_MOVING,
  PAGE_RESIDENT,
  PAGE_SHARED,
  PAGE_SWAPPED,
  PAGE_WAITING,
  PAGE_WHERE,
  PAGE_WRITABLE,
  PAGE_YOUNG,
  PAGE_ZERO,
  PageSums,
  type Region,
  type Space,
  type SpacePages,
  type SpaceProcess,
  type SpaceVma,
} from './spaces_form.ts';
import type { Living, MachineSubject } from './subject.ts';

const KNOWS: Knowledge = { young: 'entry', dirty: 'entry', writable: true };
/** In bytes times this smaps adds shares up. */
const PSS_UNIT = 4096;

/** Words for what maps does not show, by bit. */
const FLAG_WORDS: readonly (readonly [flag: number, word: string])[] = [
  [flag.VM_LOCKED, 'locked'],
  [flag.VM_LOCKONFAULT, 'locked when touched'],
  [flag.VM_GROWSDOWN, 'grows down'],
  [flag.VM_NONLINEAR, 'nonlinear'],
  [flag.VM_DONTCOPY, 'not copied by fork'],
  [flag.VM_WIPEONFORK, 'zeros after fork'],
  [flag.VM_DONTEXPAND, 'does not grow'],
  [flag.VM_DONTDUMP, 'not dumped'],
  [flag.VM_SEQ_READ, 'read in order'],
  [flag.VM_RAND_READ, 'read at random'],
  [flag.VM_NORESERVE, 'not reserved'],
  [flag.VM_HUGETLB, 'hugetlb'],
  [flag.VM_HUGEPAGE, 'huge pages wanted'],
  [flag.VM_NOHUGEPAGE, 'no huge pages'],
  [flag.VM_MERGEABLE, 'may be merged (KSM)'],
  [flag.VM_MAYBE_GUARD, 'may have guard pages'],
  [flag.VM_UFFD_WP, 'write-protected by userfaultfd'],
  [flag.VM_DROPPABLE, 'droppable'],
  [flag.VM_IO, 'a device'],
  [flag.VM_PFNMAP, 'frames without struct page'],
];

export function machineProcesses({ machine, living }: MachineSubject): SpaceProcess[] {
  const pidOf = new Map<Task, number>(living.map(({ task, pid }) => [task, pid]));
  const firstOf = new Map<Mm, number>();
  const processes = living.map(({ pid, comm, mm, task }) => {
    const first = firstOf.get(mm) ?? null;
    if (first === null) firstOf.set(mm, pid);
    const stats = new SmapsStats();
    for (const vma of mm.vmas) gatherSmaps(machine, vma, stats);
    return {
      pid,
      comm,
      parent: task.parent === null ? null : (pidOf.get(task.parent) ?? null),
      mm: mm.id,
      sharesMmWith: first,
      vmas: mm.mapCount,
      sizePages: mm.totalVm,
      rssPages: mm.rssPages,
      anonPages: mm.rss[MM_ANONPAGES]!,
      filePages: mm.rss[MM_FILEPAGES]!,
      shmemPages: mm.rss[MM_SHMEMPAGES]!,
      swapPages: mm.rss[MM_SWAPENTS]!,
      pssBytes: Math.floor(stats.pss / PSS_UNIT),
      minorFaults: task.minFlt,
      majorFaults: task.majFlt,
    };
  });
  return inTreeOrder(processes);
}

function livingNamed({ living }: MachineSubject, pid: number): Living | null {
  return living.find((one) => one.pid === pid) ?? null;
}

export function machineOutline(subject: MachineSubject, pid: number): Outline | null {
  const { machine } = subject;
  const found = livingNamed(subject, pid);
  if (found === null) return null;
  const { comm, mm } = found;
  const lines = parseMaps(encodeName(maps(machine, mm)));
  const vmas: Region[] = [];
  for (const vma of mm.vmas) vmas.push(regionOf(vma, lines[vmas.length]!));
  return { pid, comm, mm: mm.id, vmas, marks: marksOf(machine, mm) };
}

export function machineSpace(subject: MachineSubject, pid: number): Space | null {
  const { machine } = subject;
  const outline = machineOutline(subject, pid);
  const found = livingNamed(subject, pid);
  if (outline === null || found === null) return null;
  const { version } = machine.generation;
  const entries = parseSmaps(encodeName(smaps(machine, found.mm)));
  const smapsFields = [...(entries[0]?.fields.keys() ?? [])].filter((name) => !WITHOUT.has(name));
  const vmas: SpaceVma[] = [];
  for (const vma of found.mm.vmas) {
    const { fields } = entries[vmas.length]!;
    vmas.push({
      ...outline.vmas[vmas.length]!,
      counts: sumOf(machine, vma).counts(),
      smaps: smapsFields.map((field) => fields.get(field) ?? Number.NaN),
    });
  }
  const smapsNote = isSince(version, '2.6.14')
    ? ''
    : `Linux ${version} has no /proc/PID/smaps: these are the numbers that a later release would print.`;
  return { ...outline, vmas, smapsFields, smapsNote, knows: KNOWS };
}

/** `line`: of maps, which may begin above the guard page of a stack. */
function regionOf(vma: Vma, { startPage, endPage, name }: MapsLine): Region {
  const { vmFile, vmFlags, vmPgoff, anonVma, anonVmaChain } = vma;
  return {
    start: addrOf(startPage as Vpn),
    end: addrOf(endPage as Vpn),
    pages: endPage - startPage,
    perms: permsText(vmFlags),
    flags: FLAG_WORDS.filter(([bit]) => (vmFlags & bit) !== 0).map(([, word]) => word),
    name,
    backing: backingOf(vma),
    offset: vmFile === null ? null : vmPgoff * PAGE_SIZE,
    vmPgoff,
    // Before 2.6.34 there is no chain: the one link is the place on its list.
    anonVma: anonVma === null ? null : { id: anonVma.id, links: Math.max(1, anonVmaChain.length) },
  };
}

/** The same for every region. */
const WITHOUT: ReadonlySet<string> = new Set(['Size', 'KernelPageSize', 'MMUPageSize']);

function backingOf(vma: Vma): Backing {
  const { vmFile, vmFlags, vmMm: mm } = vma;
  if ((vmFlags & flag.VM_HUGETLB) !== 0) return 'hugetlb';
  if (vmFile !== null) return vmFile.inode.kind === 'tmpfs' ? 'shmem' : 'file';
  const start = addrOf(vma.vmStart);
  const end = addrOf(vma.vmEnd);
  if ((vmFlags & flag.VM_GROWSDOWN) !== 0 || (start <= mm.startStack && end >= mm.startStack)) return 'stack';
  return start < mm.brk && end > mm.startBrk ? 'heap' : 'anon';
}

function marksOf(machine: Machine, mm: Mm): LayoutMark[] {
  const is2_4 = !isSince(machine.generation.version, '2.5.0');
  const upwards = is2_4 || mm.getUnmappedArea === 'arch_get_unmapped_area';
  const base = is2_4 ? taskUnmappedBase(mm) : upwards ? Math.min(mm.mmapBase, mm.mmapLegacyBase) : mm.mmapBase;
  const marks: LayoutMark[] = [
    { name: 'start_code', address: mm.startCode, says: 'the program’s code begins' },
    { name: 'end_code', address: mm.endCode, says: 'and ends' },
    { name: 'start_data', address: mm.startData, says: 'its data begin' },
    { name: 'end_data', address: mm.endData, says: 'and end' },
    { name: 'start_brk', address: mm.startBrk, says: 'the heap begins' },
    { name: 'brk', address: mm.brk, says: 'the heap ends: brk(2) moves it' },
    {
      name: is2_4 ? 'TASK_UNMAPPED_BASE' : 'mmap_base',
      address: base,
      says: `mmap(2) without an address looks for room from here ${upwards ? 'upwards' : 'downwards'}`,
    },
    { name: 'start_stack', address: mm.startStack, says: 'the stack began here, and grows downwards' },
    { name: 'TASK_SIZE', address: mm.taskSize, says: 'the end of user space' },
  ];
  return marks.filter(({ address }) => address > 0).sort((a, b) => a.address - b.address);
}

// pages

/** Pages that were met; `visit` gets the number of each that is anything, its PAGE_ bits and its slot in the tables. */
function eachPage(
  machine: Machine,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  visit: (vpn: Vpn, state: number, slot: number) => void,
): void {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  const mapping = vma.vmFile === null ? 0 : vma.vmFile.mapping.id * 4;
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const stop = Math.min(end, (Math.floor(at / 512) + 1) * 512);
    let slot = pageTables.slotOf(root, at);
    for (; at < stop; at = (at + 1) as Vpn, slot += 1) {
      const bits = pageTables.bits[slot]!;
      if (bits !== 0) visit(at, stateOf(machine, bits, pageTables.value[slot]!, mapping), slot);
    }
  }
}

/** PAGE_ bits of one entry. `mapping`: the word of struct page for a page of the region's own file; 0 without one. */
function stateOf(machine: Machine, bits: number, value: number, mapping: number): number {
  const { frames } = machine;
  if ((bits & PTE_ANY_PRESENT) !== 0) {
    const ofEntry =
      ((bits & PTE_YOUNG) !== 0 ? PAGE_YOUNG : 0) |
      ((bits & PTE_DIRTY) !== 0 ? PAGE_DIRTY : 0) |
      ((bits & PTE_RW) !== 0 ? PAGE_WRITABLE : 0) |
      ((bits & PTE_HUGE) !== 0 ? PAGE_HUGE : 0);
    if ((bits & PTE_SPECIAL) !== 0) return PAGE_ZERO | ofEntry;
    const pfn = value as Pfn;
    const isOfFile = mapping !== 0 && frames.mapping(pfn) === mapping;
    return (
      PAGE_RESIDENT |
      ofEntry |
      (frames.mapcount(pfn) > 1 ? PAGE_SHARED : 0) |
      (isOfFile ? 0 : PAGE_ANON) |
      (isKsmPage(machine, pfn) ? PAGE_KSM : 0)
    );
  }
  if ((bits & PTE_SWAP) !== 0) {
    return PAGE_SWAPPED | PAGE_ANON | (swpSwapcount(machine, value as SwapEntry) > 1 ? PAGE_SHARED : 0);
  }
  if ((bits & PTE_FILE) !== 0) return PAGE_WAITING;
  if ((bits & PTE_MIGRATION) !== 0) return PAGE_MOVING;
  return bits === 0 ? PAGE_ABSENT : PAGE_GUARD;
}

function sumOf(machine: Machine, vma: Vma): PageSums {
  const sums = new PageSums();
  eachPage(machine, vma, vma.vmStart, vma.vmEnd, (_vpn, state) => sums.add(state));
  return sums;
}

export function machinePages(
  subject: MachineSubject,
  pid: number,
  start: number,
  from: number,
  count: number,
): SpacePages | null {
  const { machine } = subject;
  const { frames, pageTables } = machine;
  const mm = livingNamed(subject, pid)?.mm;
  const first = (vpnOf(start) + from) as Vpn;
  const vma = mm?.vmas.find(first) ?? null;
  if (vma === null || first < vma.vmStart) return null;
  const end = Math.min(vma.vmEnd, first + count) as Vpn;
  const states = new Uint16Array(end - first);
  const values = new Int32Array(end - first).fill(-1);
  const mapcounts = new Int32Array(end - first).fill(-1);
  eachPage(machine, vma, first, end, (vpn, state, slot) => {
    const row = vpn - first;
    states[row] = state;
    const value = pageTables.value[slot]!;
    const where = state & PAGE_WHERE;
    if (where === PAGE_SWAPPED) {
      values[row] = swpOffset(value as SwapEntry);
      mapcounts[row] = swpSwapcount(machine, value as SwapEntry);
    } else if (where === PAGE_RESIDENT) {
      values[row] = value;
      mapcounts[row] = frames.mapcount(value as Pfn);
    } else if (where === PAGE_WAITING || where === PAGE_MOVING) values[row] = value;
  });
  return { pid, start, from, states, values, mapcounts, knows: KNOWS };
}

/** Adds the pages [from, to) of an address space, which are of one region or of none, to `sums`. */
export function addMachinePages(machine: Machine, mm: Mm, from: number, to: number, sums: PageSums): void {
  const vma = mm.vmas.find(from as Vpn);
  if (vma === null || vma.vmStart >= to) return;
  eachPage(machine, vma, from as Vpn, to as Vpn, (_vpn, state) => sums.add(state));
}
