/**
 * Snapshots of a machine, as recordings have them: regions, pages and files, from the numbers that /proc prints.
 *
 * Owns      the names of frames and swap slots (`f7`, `s2`), given in the order in which they are first seen.
 */
import { cacheState } from '../../mm/fadvise.ts';
import type { Inode } from '../../mm/fs.ts';
import type { Machine } from '../../mm/machine.ts';
import type { Mm } from '../../mm/mm.ts';
import { NO_SLOT, PTE_MARKER, PTE_SPECIAL } from '../../mm/page_table.ts';
import { addrOf, PAGE_SIZE, type Pgoff, pagesOf, type Vpn } from '../../mm/units.ts';
import type { Vma } from '../../mm/vma.ts';
import { kpageCount, kpageFlagNames, kpageFlags } from '../../proc/kpage.ts';
import { permsText, vmaName } from '../../proc/maps.ts';
import { PM_FILE, PM_GUARD_REGION, PM_MMAP_EXCLUSIVE, pagemapEntry } from '../../proc/pagemap.ts';
import { gatherSmaps, smapsFields, thpEligible, vmFlagsText } from '../../proc/smaps.ts';
import {
  addPage,
  type FileRecord,
  type PageRun,
  type PageState,
  type ProcRecord,
  type VmaRecord,
} from './recording.ts';

/** Programs are seen between these addresses only. */
export const ARENA_START = 0x100000000000;
export const ARENA_END = 0x200000000000;
const FIRST_VPN = (ARENA_START / PAGE_SIZE) as Vpn;
const END_VPN = (ARENA_END / PAGE_SIZE) as Vpn;

export class Snapshots {
  private readonly machine: Machine;
  private readonly frames: Map<number, string> = new Map();
  private readonly slots: Map<number, string> = new Map();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  procRecord(mm: Mm): ProcRecord {
    const vmas: VmaRecord[] = [];
    const pages: PageRun[] = [];
    for (let vma = mm.vmas.find(FIRST_VPN); vma !== null && vma.vmStart < END_VPN; vma = mm.vmas.next(vma)) {
      vmas.push(this.vmaRecord(vma));
    }
    const { pageTables } = this.machine;
    for (let at = pageTables.nextTable(mm.pageTables, FIRST_VPN, END_VPN); at < END_VPN; ) {
      const state = this.pageState(mm, at);
      if (state !== null) addPage(pages, at - FIRST_VPN, state);
      at = pageTables.nextTable(mm.pageTables, (at + 1) as Vpn, END_VPN);
    }
    return { vmas, pages };
  }

  private vmaRecord(vma: Vma): VmaRecord {
    const { machine } = this;
    const record: Record<string, string | number> = {
      start: hex(addrOf(vma.vmStart)),
      end: hex(addrOf(vma.vmEnd)),
      perms: permsText(vma.vmFlags),
      offset: vma.vmFile === null ? 0 : vma.vmPgoff * PAGE_SIZE,
      name: nameOf(machine, vma),
    };
    for (const [name, kib] of smapsFields(machine, gatherSmaps(machine, vma), false)) if (kib > 0) record[name] = kib;
    if (thpEligible(vma)) record['THPeligible'] = 1;
    record['VmFlags'] = vmFlagsText(machine, vma);
    return record;
  }

  private pageState(mm: Mm, vpn: Vpn): PageState | null {
    const { machine } = this;
    const { pageTables } = machine;
    const slot = pageTables.slotOf(mm.pageTables, vpn);
    if (slot === NO_SLOT || pageTables.isNone(slot)) return null;
    const entry = pagemapEntry(machine, mm, vpn);
    const pm =
      ((entry & PM_MMAP_EXCLUSIVE) !== 0n ? 'x' : '') +
      ((entry & PM_FILE) !== 0n ? 'f' : '') +
      ((entry & PM_GUARD_REGION) !== 0n ? 'g' : '');
    if (pageTables.has(slot, PTE_SPECIAL)) return { id: 'z', mapcount: 0, flags: 'zero_page', pm };
    if (pageTables.has(slot, PTE_MARKER)) return { id: 'm', mapcount: 0, flags: '', pm };
    if (pageTables.isSwap(slot)) {
      return { id: nameFor(this.slots, 's', pageTables.swapEntry(slot)), mapcount: 0, flags: '', pm };
    }
    const pfn = pageTables.pfn(slot);
    const flags = kpageFlagNames(kpageFlags(machine, pfn)).join('|');
    return { id: nameFor(this.frames, 'f', pfn), mapcount: kpageCount(machine, pfn), flags, pm };
  }
}

/** Size and one letter a page, as cachestat(2) tells. */
export function fileRecord(machine: Machine, inode: Inode): FileRecord {
  const letters = Array.from({ length: pagesOf(inode.size) }, (_, page) =>
    cacheState(machine, inode.mapping, page as Pgoff),
  );
  return { size: inode.size, cache: letters.join('') };
}

/** The next number for who is seen for the first time, from 1. */
function nameFor(names: Map<number, string>, kind: string, number: number): string {
  let name = names.get(number);
  if (name === undefined) {
    name = `${kind}${names.size + 1}`;
    names.set(number, name);
  }
  return name;
}

function nameOf(machine: Machine, vma: Vma): string {
  const inode = vma.vmFile?.inode;
  if (inode === undefined) return vmaName(machine, vma);
  if (inode.name === 'dev/zero') return 'shm';
  if (inode.name.startsWith('memfd:')) return inode.name;
  return `file:${inode.name}${inode.nlink === 0 ? ' (deleted)' : ''}`;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
