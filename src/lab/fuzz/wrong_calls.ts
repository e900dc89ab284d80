/**
 * Calls that the kernel refuses, or answers with a signal: a few, on purpose.
 */
import { type Vpn, vpnOf } from '../../mm/units.ts';
import { VM_MAYWRITE } from '../../mm/vm_flags.ts';
import { ARENA_START } from '../check/snapshot.ts';
import type { Situation } from './situation.ts';
import { hexOf, isBeyondEnd, isLocked, isPermitted, pageKind } from './view.ts';

const PAGE = 4096;

export function wrong(s: Situation): string | null {
  return s.random.pick(s.random.chance(50) ? SIGNALS : REFUSALS)(s);
}

type Maker = (s: Situation) => string | null;

const SIGNALS: readonly Maker[] = [
  function storeInReadOnly(s) {
    const vma = s.area((one) => !isPermitted(one, true));
    return vma === null ? null : `store(${hexOf(s.page(vma))})`;
  },
  function loadFromHole(s) {
    const vma = s.area();
    const at = vma?.vmEnd ?? vpnOf(ARENA_START);
    return s.mm.vmas.findExact(at) !== null ? null : `load(${hexOf(at)})`;
  },
  function loadOverEnd(s) {
    const vma = s.area((one) => isPermitted(one, false));
    return vma === null ? null : `load(${s.text({ start: (vma.vmEnd - 1) as Vpn, pages: 3 })})`;
  },
  function loadBehindFile(s) {
    const vma = s.area((one) => isBeyondEnd(one, (one.vmEnd - 1) as Vpn) && isPermitted(one, false));
    return vma === null ? null : `check(${s.text({ start: vma.vmStart, pages: Math.min(vma.pages, 6) })})`;
  },
  function touchGuard(s) {
    for (const vma of s.areas) {
      for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn++) {
        if (pageKind(s.machine, s.mm, vpn) === 'marker') return `store(${s.text({ start: vpn, pages: 2 })}, 7)`;
      }
    }
    return null;
  },
];

const REFUSALS: readonly Maker[] = [
  function protectOverHole(s) {
    const vma = s.area();
    if (vma === null || s.mm.vmas.findExact(vma.vmEnd) !== null) return null;
    return `mprotect(${s.text({ start: vma.vmStart, pages: vma.pages + 1 })}, ${s.random.pick(s.swarm.protections)})`;
  },
  function lockOverHole(s) {
    const vma = s.area();
    if (vma === null || s.mm.vmas.findExact(vma.vmEnd) !== null) return null;
    return `mlock(${s.text({ start: vma.vmStart, pages: vma.pages + 1 })})`;
  },
  function adviseOverHole(s) {
    const vma = s.area((one) => !isLocked(one));
    if (vma === null || s.mm.vmas.findExact(vma.vmEnd) !== null) return null;
    const advice = s.random.pick(['MADV_DONTNEED', 'MADV_WILLNEED', 'MADV_COLD', 'MADV_POPULATE_READ']);
    return `madvise(${s.text({ start: vma.vmStart, pages: vma.pages + 2 })}, ${advice})`;
  },
  function dropLocked(s) {
    const vma = s.area(isLocked);
    if (vma === null) return null;
    return `madvise(${s.text(s.rangeIn(vma))}, ${s.random.pick(['MADV_DONTNEED', 'MADV_PAGEOUT', 'MADV_GUARD_INSTALL'])})`;
  },
  function mapTaken(s) {
    const vma = s.area();
    if (vma === null) return null;
    return `mmap(${s.text({ start: vma.vmStart, pages: 1 })}, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0)`;
  },
  function mapSharedReadOnly(s) {
    const [first] = s.descriptors((file) => !file.writable);
    return first === undefined ? null : `mmap(NULL, ${PAGE}, PROT_READ|PROT_WRITE, MAP_SHARED, ${first.label}, 0)`;
  },
  function protectReadOnly(s) {
    const vma = s.area((one) => (one.vmFlags & VM_MAYWRITE) === 0);
    return vma === null ? null : `mprotect(${s.text(s.rangeIn(vma))}, PROT_READ|PROT_WRITE)`;
  },
  function growOverNeighbour(s) {
    const vma = s.area((one) => s.mm.vmas.findExact(one.vmEnd) !== null);
    return vma === null
      ? null
      : `mremap(${s.text({ start: vma.vmStart, pages: vma.pages })}, ${(vma.pages + 1) * PAGE}, 0)`;
  },
  function remapHole(s) {
    const vma = s.area();
    if (vma === null || s.mm.vmas.findExact(vma.vmEnd) !== null) return null;
    return `mremap(${s.text({ start: vma.vmStart, pages: vma.pages + 1 })}, ${(vma.pages + 2) * PAGE}, MREMAP_MAYMOVE)`;
  },
  function unaligned(s) {
    const vma = s.area();
    if (vma === null) return null;
    const at = `${hexOf(vma.vmStart)}+1`;
    return s.random.pick([
      `munmap(${at}, 4096)`,
      `mprotect(${at}, 4096, PROT_READ)`,
      `madvise(${at}, 4096, MADV_DONTNEED)`,
    ]);
  },
  function closedDescriptor() {
    return 'pread64(9, buf, 100, 0)';
  },
];
