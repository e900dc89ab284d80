/**
 * Calls on memory that make sense where a process stands: each gives a line without its process, or null where nothing fits.
 *
 * Promises  Nearly all of them succeed: what the kernel would refuse is not proposed. Refusals on purpose: wrong_calls.ts.
 */
import type { File } from '../../mm/fs.ts';
import { type Vpn, vpnOf } from '../../mm/units.ts';
import { VM_GROWSDOWN, VM_MAYSHARE, VM_MAYWRITE, VM_SHARED } from '../../mm/vm_flags.ts';
import type { Vma } from '../../mm/vma.ts';
import { ARENA_END } from '../check/snapshot.ts';
import type { Descriptor, Situation } from './situation.ts';
import {
  freePages,
  hexOf,
  isBeyondEnd,
  isLocked,
  isPermitted,
  isUsable,
  mappedPages,
  type Range,
  usablePages,
} from './view.ts';

const PAGE = 4096;
const CHECK_PAGES = 6;

// accesses

export function store(s: Situation): string | null {
  const range = accessible(s, true);
  if (range === null) return null;
  const { random } = s;
  const byte = random.chance(10) ? 0 : random.below(256);
  if (range.pages === 1 && random.chance(40)) return `store(${hexOf(range.start)}+${random.below(PAGE)}, 1, ${byte})`;
  return `store(${s.text(range)}, ${byte})`;
}

export function load(s: Situation): string | null {
  const range = accessible(s, false);
  if (range === null) return null;
  return range.pages === 1 ? `load(${hexOf(range.start)})` : `load(${s.text(range)})`;
}

export function check(s: Situation): string | null {
  const range = accessible(s, false);
  return range === null ? null : `check(${s.text({ ...range, pages: Math.min(range.pages, CHECK_PAGES) })})`;
}

/** A range that can be read, or written, from end to end. */
export function accessible(s: Situation, write: boolean): Range | null {
  const { machine, mm } = s;
  for (let tries = 0; tries < 4; tries++) {
    const vma = s.area((one) => isPermitted(one, write) && !isBeyondEnd(one, one.vmStart));
    if (vma === null) return null;
    const wanted = s.rangeIn(vma);
    const pages = usablePages(machine, mm, wanted.start, wanted.pages, write);
    if (pages > 0) return { start: wanted.start, pages };
  }
  return null;
}

// new mappings

export function mapAnon(s: Situation): string | null {
  const { random, swarm } = s;
  const pages = random.between(1, swarm.maxPages);
  const shared = random.chance(swarm.shared);
  const extras = [shared ? 'MAP_SHARED' : 'MAP_PRIVATE', 'MAP_ANONYMOUS'];
  if (swarm.mapExtras.length > 0 && random.chance(30)) {
    const extra = random.pick(swarm.mapExtras);
    if (!(shared && extra === 'MAP_GROWSDOWN')) extras.push(extra);
  }
  const where = place(s, pages);
  if (where === null) return null;
  if (where.flag !== '') extras.push(where.flag);
  const prot = random.chance(70) ? 'PROT_READ|PROT_WRITE' : random.pick(swarm.protections);
  return `mmap(${where.addr}, ${pages * PAGE}, ${prot}, ${extras.join('|')}, -1, 0)`;
}

export function mapFile(s: Situation): string | null {
  const { random, swarm } = s;
  const open = s.descriptors((file) => file.readable);
  if (open.length === 0) return null;
  const beside = random.chance(35) ? besideFile(s, open) : null;
  const descriptor = beside?.descriptor ?? random.pick(open);
  const { file, label } = descriptor;
  const shared = beside === null ? random.chance(55) : (beside.vma.vmFlags & VM_MAYSHARE) !== 0;
  const writable = !shared || file.writable;
  const prots = swarm.protections.filter((prot) => writable || !prot.includes('PROT_WRITE'));
  if (prots.length === 0) return null;
  const filePages = Math.ceil(file.inode.size / PAGE);
  const pages = random.between(1, Math.min(swarm.maxPages, Math.max(1, filePages + 1)));
  const pgoff = beside?.pgoff ?? random.below(Math.max(1, filePages - pages + (random.chance(15) ? pages : 1)));
  const flags = [shared ? 'MAP_SHARED' : 'MAP_PRIVATE'];
  const extras = swarm.mapExtras.filter((extra) => extra !== 'MAP_GROWSDOWN');
  if (extras.length > 0 && random.chance(25)) flags.push(random.pick(extras));
  if (beside === null) {
    const where = place(s, pages);
    if (where === null) return null;
    if (where.flag !== '') flags.push(where.flag);
    return `mmap(${where.addr}, ${pages * PAGE}, ${random.pick(prots)}, ${flags.join('|')}, ${label}, ${pgoff * PAGE})`;
  }
  const prot = random.chance(70) && writable ? 'PROT_READ|PROT_WRITE' : random.pick(prots);
  const addr = hexOf(beside.vma.vmEnd);
  return `mmap(${addr}, ${pages * PAGE}, ${prot}, ${flags.join('|')}|MAP_FIXED, ${label}, ${pgoff * PAGE})`;
}

/** Right behind an area of an open file: where a merge is. */
function besideFile(
  s: Situation,
  open: readonly Descriptor[],
): { vma: Vma; descriptor: Descriptor; pgoff: number } | null {
  const ofFile = (file: File, vma: Vma): boolean => vma.vmFile?.inode === file.inode;
  const vma = s.area((one) => inWindow(s, one.vmEnd) && open.some(({ file }) => ofFile(file, one)));
  if (vma === null) return null;
  const descriptor = s.random.pick(open.filter(({ file }) => ofFile(file, vma)));
  return { vma, descriptor, pgoff: vma.vmPgoff + vma.pages };
}

function inWindow(s: Situation, vpn: Vpn): boolean {
  return vpn >= s.windowStart && vpn < s.windowEnd;
}

/** Where to map: the kernel's choice, a hint, beside a neighbour, in a gap, or over what is there. */
function place(s: Situation, pages: number): { addr: string; flag: string } | null {
  const { random, swarm, machine, mm } = s;
  if (random.chance(swarm.unfixed)) return { addr: 'NULL', flag: '' };
  const room = swarm.windowPages - pages;
  if (room < 0) return null;
  const anywhere = (s.windowStart + random.below(room + 1)) as Vpn;
  const how = random.below(100);
  if (how < 6) return { addr: hexOf(anywhere), flag: '' };
  if (how < 12) {
    const free = freePages(machine, mm, anywhere, pages) === pages;
    return { addr: hexOf(anywhere), flag: free ? 'MAP_FIXED_NOREPLACE' : 'MAP_FIXED' };
  }
  let start = anywhere;
  if (how < 60) {
    const neighbour = s.area((vma) => inWindow(s, vma.vmEnd) || inWindow(s, vma.vmStart));
    if (neighbour !== null) start = random.chance(50) ? neighbour.vmEnd : ((neighbour.vmStart - pages) as Vpn);
  }
  if (!inWindow(s, start) || start + pages > s.windowEnd) return null;
  if (how < 85 && freePages(machine, mm, start, pages) < pages) return null;
  s.remember({ start, pages });
  return { addr: hexOf(start), flag: 'MAP_FIXED' };
}

// what changes mappings

export function unmap(s: Situation): string | null {
  const vma = s.area();
  if (vma === null) return null;
  const range = s.rangeIn(vma);
  // A hole behind it is no error.
  const over = s.random.chance(10) ? s.random.between(1, s.swarm.maxPages) : 0;
  return `munmap(${s.text({ start: range.start, pages: range.pages + over })})`;
}

export function protect(s: Situation): string | null {
  const { random, swarm } = s;
  const prot = random.pick(swarm.protections);
  const write = prot.includes('PROT_WRITE');
  const allowed = (vma: Vma): boolean => !write || (vma.vmFlags & VM_MAYWRITE) !== 0;
  const vma = s.area(allowed);
  return vma === null ? null : `mprotect(${s.text(s.rangeIn(vma, allowed))}, ${prot})`;
}

export function remap(s: Situation): string | null {
  const { random, machine, mm } = s;
  const vma = s.area();
  if (vma === null) return null;
  const inside = clipped(s.rangeIn(vma), vma);
  const bytes = inside.pages * PAGE;
  const from = hexOf(inside.start);
  const what = random.below(100);
  if (what < 10) return `mremap(${from}, ${bytes}, ${random.between(1, inside.pages) * PAGE}, 0)`;
  const growth = random.between(1, s.swarm.maxPages);
  if (what < 25) {
    // In place: the area's tail, and room behind it.
    const room = freePages(machine, mm, vma.vmEnd, growth);
    if (room === 0 || !inWindow(s, vma.vmEnd)) return null;
    const start = (vma.vmEnd - inside.pages) as Vpn;
    return `mremap(${hexOf(start)}, ${bytes}, ${bytes + room * PAGE}, ${random.pick(['0', 'MREMAP_MAYMOVE'])})`;
  }
  if (what < 45) return `mremap(${from}, ${bytes}, ${bytes + growth * PAGE}, MREMAP_MAYMOVE)`;
  if (what < 53) return `mremap(${from}, ${bytes}, ${bytes}, MREMAP_MAYMOVE|MREMAP_DONTUNMAP)`;
  const several = what < 65 ? movable(s, inside) : inside;
  const newPages = what < 75 || what >= 90 ? several.pages : random.between(1, inside.pages + growth);
  const source = newPages === several.pages ? several : inside;
  const target = targetFor(s, source, newPages);
  if (target === null) return null;
  const extra = what >= 90 ? '|MREMAP_DONTUNMAP' : '';
  const oldBytes = isCopy(s, vma, what) ? 0 : source.pages * PAGE;
  if (oldBytes === 0 && extra !== '') return null;
  return `mremap(${hexOf(source.start)}, ${oldBytes}, ${newPages * PAGE}, MREMAP_MAYMOVE|MREMAP_FIXED${extra}, ${hexOf(target)})`;
}

/** Of nothing, a shared mapping makes a second one. */
function isCopy(s: Situation, vma: Vma, what: number): boolean {
  return what >= 75 && what < 90 && (vma.vmFlags & VM_MAYSHARE) !== 0 && s.random.chance(30);
}

/** With what follows: several areas move at once, holes and all. */
function movable(s: Situation, range: Range): Range {
  const pages = range.pages + s.random.below(s.swarm.maxPages);
  return { start: range.start, pages: Math.min(pages, vpnOf(ARENA_END) - range.start) };
}

function targetFor(s: Situation, source: Range, pages: number): Vpn | null {
  const room = s.swarm.windowPages - pages;
  if (room < 0) return null;
  for (let tries = 0; tries < 4; tries++) {
    const neighbour = s.random.chance(40) ? s.area() : null;
    const start = (neighbour?.vmEnd ?? s.windowStart + s.random.below(room + 1)) as Vpn;
    const apart = start + pages <= source.start || source.start + source.pages <= start;
    if (apart && inWindow(s, start) && start + pages <= s.windowEnd) return start;
  }
  return null;
}

function clipped(range: Range, vma: Vma): Range {
  return { start: range.start, pages: Math.min(range.pages, vma.vmEnd - range.start) };
}

export function brk(s: Situation): string | null {
  const { mm, random, swarm } = s;
  if (swarm.brk === null) return null;
  const pages = vpnOf(mm.brk) - vpnOf(mm.startBrk);
  const wanted = random.chance(60) ? pages + random.between(1, 8) : random.below(pages + 1);
  const odd = random.chance(15) ? random.below(PAGE) : 0;
  return `brk(0x${(mm.startBrk + Math.min(wanted, 48) * PAGE + odd).toString(16)})`;
}

/** A stack grows down to where it is touched. */
export function grow(s: Situation): string | null {
  const { machine, mm, random } = s;
  const gap = machine.sysctl.stackGuardGap;
  const canGrow = (vma: Vma): boolean => {
    const before = mm.vmas.prev(vma);
    const room = before === null ? gap * 2 : vma.vmStart - before.vmEnd;
    return (
      (vma.vmFlags & VM_GROWSDOWN) !== 0 &&
      isPermitted(vma, true) &&
      room > gap + 16 &&
      vma.vmStart > s.windowStart + 16
    );
  };
  const stack = s.area(canGrow);
  return stack === null
    ? null
    : `store(${hexOf((stack.vmStart - random.between(1, 8)) as Vpn)}, 1, ${random.below(256)})`;
}

export function remapFilePages(s: Situation): string | null {
  const { random, mm } = s;
  const isShared = (vma: Vma): boolean => (vma.vmFlags & VM_SHARED) !== 0;
  const vma = s.area(isShared);
  if (vma === null) return null;
  const range = s.rangeIn(vma, (one) => isShared(one) && one.vmFile === vma.vmFile);
  const pages = mappedPages(
    mm,
    range.start,
    range.pages,
    (one) => one.vmFile === vma.vmFile && one.vmFlags === vma.vmFlags,
  );
  const filePages = Math.ceil(vma.vmFile!.inode.size / PAGE);
  const pgoff = random.below(Math.max(1, filePages - pages + 1));
  return `remap_file_pages(${s.text({ start: range.start, pages })}, 0, ${pgoff}, ${random.pick(['0', '0', 'MAP_NONBLOCK'])})`;
}

// advice and locks

export function advise(s: Situation): string | null {
  const { random, swarm } = s;
  const name = random.weighted([...swarm.advices.keys()], (one) => swarm.advices.get(one)!);
  const takes = (vma: Vma): boolean => takesAdvice(s, vma, name);
  const vma = s.area(takes);
  if (vma === null) return null;
  const range = s.rangeIn(vma, takes);
  if (name.startsWith('MADV_POPULATE')) {
    const pages = usablePages(s.machine, s.mm, range.start, range.pages, name === 'MADV_POPULATE_WRITE');
    return pages === 0 ? null : `madvise(${s.text({ start: range.start, pages })}, ${name})`;
  }
  return `madvise(${s.text(range)}, ${name})`;
}

const HUGE_PAGES = 512;

function takesAdvice(s: Situation, vma: Vma, name: string): boolean {
  const anonymous = vma.vmFile === null;
  switch (name) {
    case 'MADV_DONTNEED':
    case 'MADV_COLD':
    case 'MADV_GUARD_INSTALL':
      return !isLocked(vma);
    case 'MADV_PAGEOUT':
      return !isLocked(vma) && mayEvict(s, vma);
    case 'MADV_FREE':
      return !isLocked(vma) && anonymous;
    case 'MADV_REMOVE':
      return !isLocked(vma) && (vma.vmFlags & VM_SHARED) !== 0 && (vma.vmFlags & VM_MAYWRITE) !== 0 && mayEvict(s, vma);
    case 'MADV_WIPEONFORK':
      return anonymous;
    case 'MADV_POPULATE_READ':
      return isPermitted(vma, false);
    case 'MADV_POPULATE_WRITE':
      return isPermitted(vma, true);
    case 'MADV_HUGEPAGE':
      return vma.pages < HUGE_PAGES / 4 && inWindow(s, vma.vmStart);
    default:
      return true;
  }
}

function mayEvict(s: Situation, vma: Vma): boolean {
  return s.swarm.evicts || vma.vmFile?.inode.kind !== 'disk';
}

export function lock(s: Situation): string | null {
  const { random, mm, machine } = s;
  const vma = s.area((one) => isPermitted(one, false) && isUsable(machine, mm, one.vmStart, false));
  if (vma === null) return null;
  const onFault = random.chance(25);
  const range = s.rangeIn(vma);
  const pages = onFault
    ? mappedPages(mm, range.start, range.pages, () => true)
    : usablePages(machine, mm, range.start, range.pages, false);
  if (pages === 0) return null;
  const text = s.text({ start: range.start, pages });
  if (onFault) return `mlock2(${text}, MLOCK_ONFAULT)`;
  return random.chance(15) ? `mlock2(${text}, 0)` : `mlock(${text})`;
}

export function unlock(s: Situation): string | null {
  if (s.random.chance(15)) return 'munlockall()';
  const vma = s.area(isLocked) ?? s.area();
  return vma === null ? null : `munlock(${s.text(s.rangeIn(vma))})`;
}

const LOCK_ALL = [
  'MCL_CURRENT',
  'MCL_FUTURE',
  'MCL_CURRENT|MCL_FUTURE',
  'MCL_CURRENT|MCL_ONFAULT',
  'MCL_FUTURE|MCL_ONFAULT',
  'MCL_CURRENT|MCL_FUTURE|MCL_ONFAULT',
];

export function lockAll(s: Situation): string {
  return `mlockall(${s.random.pick(LOCK_ALL)})`;
}

export function sync(s: Situation): string | null {
  const vma = s.area((one) => one.vmFile !== null) ?? s.area();
  if (vma === null) return null;
  const range = s.rangeIn(vma);
  const locked = s.areas.some(
    (one) => one.vmStart < range.start + range.pages && range.start < one.vmEnd && isLocked(one),
  );
  const flags = ['MS_SYNC', 'MS_SYNC', 'MS_ASYNC', ...(locked ? [] : ['MS_SYNC|MS_INVALIDATE', 'MS_INVALIDATE'])];
  return `msync(${s.text(range)}, ${s.random.pick(flags)})`;
}

export function mincore(s: Situation): string | null {
  const vma = s.area();
  return vma === null ? null : `mincore(${s.text(s.rangeIn(vma))}, vec)`;
}
