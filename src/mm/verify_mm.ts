/**
 * The invariants of one address space, counted the slow way.
 *
 * Promises  Nothing is changed. An empty list means that all holds: VMAs sorted and disjoint, gaps and totals as counted,
 *           tables only where a VMA may need one, links to files and anon_vmas complete.
 */
import { AddressSpace } from './fs.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { NO_SLOT } from './page_table.ts';
import { PAGE_SIZE, type Vpn } from './units.ts';
import { vmStatAccount } from './vm_account.ts';
import { VM_LOCKED, VM_LOCKONFAULT, VM_MAYREAD, VM_SHARED } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { isSharedMaywrite } from './vma_merge.ts';

const TABLE_PAGES = 512;

/** What is wrong with the address space; nothing, if the list is empty. */
export function verifyAddressSpace(machine: Machine, mm: Mm): string[] {
  const found = mm.vmas.verify().map((wrong) => `mm ${mm.id}: ${wrong}`);
  for (const vma of mm.vmas) verifyVma(machine, mm, vma, found);
  verifyTotals(mm, found);
  verifyTables(machine, mm, found);
  if (mm === machine.mms[0]) verifyMappings(machine, found);
  return found;
}

function verifyVma(machine: Machine, mm: Mm, vma: Vma, found: string[]): void {
  const where = `mm ${mm.id}, VMA at 0x${(vma.vmStart * PAGE_SIZE).toString(16)}`;
  if (vma.vmMm !== mm) found.push(`${where}: it says that it belongs to mm ${vma.vmMm.id}`);
  if (vma.vmEnd * PAGE_SIZE > mm.taskSize) found.push(`${where}: it reaches over the end of user space`);
  if (vma.vmFile === null && (vma.vmFlags & VM_SHARED) !== 0) found.push(`${where}: shared, and no object behind it`);
  if ((vma.vmFlags & VM_LOCKONFAULT) !== 0 && (vma.vmFlags & VM_LOCKED) === 0)
    found.push(`${where}: locked on fault, but not locked`);
  if ((vma.vmFlags & VM_MAYREAD) === 0) found.push(`${where}: may never be read`);
  // 6.18 leaves it so behind a DONTUNMAP.
  const { switches } = machine.generation;
  const startsAnew = !switches.mremapSeveralVmas && switches.indexesAnon;
  if (startsAnew && vma.vmFile === null && vma.anonVma === null && vma.vmPgoff !== (vma.vmStart as number)) {
    found.push(`${where}: untouched memory with offset 0x${vma.vmPgoff.toString(16)}: it would not merge`);
  }
  // A reverse map of another kind checks its own links.
  if (machine.rmap.verify !== undefined) return;
  const own = vma.anonVma;
  if (own === null && vma.anonVmaChain.length > 0) found.push(`${where}: links to anon_vmas, and none of its own`);
  if (own !== null && !vma.anonVmaChain.some((avc) => avc.anonVma === own))
    found.push(`${where}: not linked to its own anon_vma`);
  for (const avc of vma.anonVmaChain) {
    if (avc.vma !== vma) found.push(`${where}: a link of its chain leads to another VMA`);
    const last = vma.vmPgoff + vma.pages - 1;
    let at = avc.anonVma.tree.firstIn(vma.vmPgoff, last);
    while (at !== null && at !== avc) at = avc.anonVma.tree.nextIn(at, vma.vmPgoff, last);
    if (at === null) found.push(`${where}: anon_vma ${avc.anonVma.id} does not find it`);
    for (const wrong of avc.anonVma.tree.verify()) found.push(`${where}, anon_vma ${avc.anonVma.id}: ${wrong}`);
  }
}

function verifyTotals(mm: Mm, found: string[]): void {
  const counted = { totalVm: 0, sharedVm: 0, dataVm: 0, execVm: 0, stackVm: 0 };
  let lockedVm = 0;
  for (const vma of mm.vmas) {
    vmStatAccount(counted as Mm, vma.vmFlags, vma.pages, vma.vmFile);
    if ((vma.vmFlags & VM_LOCKED) !== 0) lockedVm += vma.pages;
  }
  for (const name of ['totalVm', 'sharedVm', 'dataVm', 'execVm', 'stackVm'] as const) {
    if (mm[name] !== counted[name]) found.push(`mm ${mm.id}: ${name} is ${mm[name]}, counted ${counted[name]}`);
  }
  if (mm.lockedVm !== lockedVm) found.push(`mm ${mm.id}: lockedVm is ${mm.lockedVm}, counted ${lockedVm}`);
}

/** Every leaf table lies where a VMA is: when the last one there went, it should have gone, too. And no entry lies outside a VMA. */
function verifyTables(machine: Machine, mm: Mm, found: string[]): void {
  const { pageTables } = machine;
  const root = mm.pageTables;
  const end = (mm.taskSize / PAGE_SIZE) as Vpn;
  let tables = 0;
  for (let at = pageTables.nextTable(root, 0 as Vpn, end); at < end; ) {
    const first = (at - (at % TABLE_PAGES)) as Vpn;
    tables += 1;
    if (mm.vmas.findIntersection(first, (first + TABLE_PAGES) as Vpn) === null) {
      found.push(`mm ${mm.id}: a page table for 0x${(first * PAGE_SIZE).toString(16)}, where no VMA is`);
    }
    for (let i = 0; i < TABLE_PAGES; i++) {
      const vpn = (first + i) as Vpn;
      const slot = pageTables.slotOf(root, vpn);
      if (slot === NO_SLOT || pageTables.isNone(slot) || mm.vmas.findExact(vpn) !== null) continue;
      found.push(`mm ${mm.id}: an entry at 0x${(vpn * PAGE_SIZE).toString(16)}, outside every VMA`);
    }
    at = pageTables.nextTable(root, (first + TABLE_PAGES) as Vpn, end);
  }
  if (tables !== root.leafTables) found.push(`mm ${mm.id}: ${root.leafTables} leaf tables by count, ${tables} found`);
}

/** Each file's tree holds exactly the VMAs that map it, of all address spaces. Asked once for the machine. */
function verifyMappings(machine: Machine, found: string[]): void {
  const mapped = new Map<AddressSpace, Set<Vma>>();
  for (const mm of machine.mms) {
    for (const vma of mm.vmas) {
      const mapping = vma.vmFile?.mapping;
      if (mapping === undefined) continue;
      const vmas = mapped.get(mapping) ?? new Set();
      mapped.set(mapping, vmas.add(vma));
    }
  }
  for (const owner of machine.mappings) {
    if (!(owner instanceof AddressSpace)) continue;
    const vmas = mapped.get(owner) ?? new Set();
    const listed = [...owner.iMmap];
    const name = owner.host.name;
    for (const wrong of owner.iMmap.verify()) found.push(`${name}, i_mmap: ${wrong}`);
    if (listed.length !== vmas.size) found.push(`${name}: ${listed.length} VMAs in i_mmap, ${vmas.size} map the file`);
    for (const vma of listed) {
      if (!vmas.has(vma)) found.push(`${name}: i_mmap holds a VMA of mm ${vma.vmMm.id} that is gone`);
    }
    const writable = [...vmas].filter((vma) => isSharedMaywrite(vma.vmFlags)).length;
    if (owner.iMmapWritable !== writable)
      found.push(`${name}: iMmapWritable is ${owner.iMmapWritable}, counted ${writable}`);
  }
}
