/**
 * Snapshots of a machine, as recordings have them: regions, pages and files, from the numbers that /proc prints.
 *
 * Owns      the names of frames and swap slots (`f7`, `s2`), given in the order in which they are first seen.
 * Promises  A frame that was given back and handed out again has a new name: two recordings are compared by where a page moved,
 *           and which of the free frames an allocator takes is its own affair.
 */
import { cacheState } from '../../mm/fadvise.ts';
import type { Inode } from '../../mm/fs.ts';
import type { Machine } from '../../mm/machine.ts';
import type { Mm } from '../../mm/mm.ts';
import { isInCache } from '../../mm/msync.ts';
import { NO_SLOT, PTE_MARKER, PTE_SPECIAL } from '../../mm/page_table.ts';
import { addrOf, PAGE_SIZE, type Pfn, type Pgoff, pagesOf, type Vpn } from '../../mm/units.ts';
import type { Vma } from '../../mm/vma.ts';
import { kpageCount, kpageFlags } from '../../proc/kpage.ts';
import { kpageFlagNames } from '../../proc/kpage_flags.ts';
import { permsText, vmaName } from '../../proc/maps.ts';
import { PM_FILE, PM_GUARD_REGION, PM_MMAP_EXCLUSIVE, pagemapEntry } from '../../proc/pagemap.ts';
import { gatherSmaps, smapsFields, thpEligible, vmFlagsText } from '../../proc/smaps.ts';
import {
  addPage,
  type FileRecord,
  hasCachestat,
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
/** Entries of a page table. */
const TABLE_PAGES = 512;

export class Snapshots {
  private readonly machine: Machine;
  private readonly frames: Map<number, string> = new Map();
  private readonly slots: Map<number, string> = new Map();
  private framesNamed = 0;
  /** Texts of what comes again and again: flags by kpageflags' word, flags of regions, addresses. */
  private readonly flagTexts: Map<number, string> = new Map();
  private readonly vmFlagTexts: Map<number, string> = new Map();
  private readonly addresses: Map<Vpn, string> = new Map();

  constructor(machine: Machine) {
    this.machine = machine;
    machine.trace.listen((_atNs, name, [pfn = 0, order = 0]) => {
      if (name !== 'mm_page_alloc') return;
      for (let i = 0; i < 1 << order; i++) this.frames.delete(pfn + i);
    });
  }

  procRecord(mm: Mm): ProcRecord {
    const vmas: VmaRecord[] = [];
    const pages: PageRun[] = [];
    const { pageTables } = this.machine;
    for (let vma = mm.vmas.find(FIRST_VPN); vma !== null && vma.vmStart < END_VPN; vma = mm.vmas.next(vma)) {
      vmas.push(this.vmaRecord(vma));
      for (let at = vma.vmStart; at < vma.vmEnd; ) {
        const from = pageTables.nextTable(mm.pageTables, at, vma.vmEnd);
        const end = Math.min(vma.vmEnd, (Math.floor(from / TABLE_PAGES) + 1) * TABLE_PAGES);
        for (at = from; at < end; at = (at + 1) as Vpn) {
          const state = this.pageState(mm, at);
          if (state !== null) addPage(pages, at - FIRST_VPN, state);
        }
      }
    }
    return { vmas, pages };
  }

  private vmaRecord(vma: Vma): VmaRecord {
    const { machine } = this;
    const record: Record<string, string | number> = {
      start: this.addressOf(vma.vmStart),
      end: this.addressOf(vma.vmEnd),
      perms: permsText(vma.vmFlags),
      offset: vma.vmFile === null ? 0 : vma.vmPgoff * PAGE_SIZE,
      name: nameOf(machine, vma),
    };
    for (const [name, kib] of smapsFields(machine, gatherSmaps(machine, vma), false)) if (kib > 0) record[name] = kib;
    if (thpEligible(vma)) record['THPeligible'] = 1;
    record['VmFlags'] = remembered(this.vmFlagTexts, vma.vmFlags, () => vmFlagsText(machine, vma));
    return record;
  }

  private addressOf(vpn: Vpn): string {
    return remembered(this.addresses, vpn, () => hex(addrOf(vpn)));
  }

  private pageState(mm: Mm, vpn: Vpn): PageState | null {
    const { machine } = this;
    const { pageTables } = machine;
    const slot = pageTables.slotOf(mm.pageTables, vpn);
    if (slot === NO_SLOT || pageTables.isNone(slot)) return null;
    if (pageTables.isPresent(slot)) {
      const pfn = pageTables.pfn(slot);
      if (pageTables.has(slot, PTE_SPECIAL))
        return { id: 'z', mapcount: 0, flags: 'zero_page', pm: this.pmOf(mm, vpn) };
      const mapcount = kpageCount(machine, pfn);
      return { id: this.frameName(pfn), mapcount, flags: this.flagsOf(pfn), pm: this.pmOf(mm, vpn) };
    }
    const pm = this.pmOf(mm, vpn);
    if (pageTables.has(slot, PTE_MARKER)) return { id: 'm', mapcount: 0, flags: '', pm };
    return { id: this.slotName(pageTables.swapEntry(slot)), mapcount: 0, flags: '', pm };
  }

  private pmOf(mm: Mm, vpn: Vpn): string {
    const entry = pagemapEntry(this.machine, mm, vpn);
    return (
      ((entry & PM_MMAP_EXCLUSIVE) !== 0n ? 'x' : '') +
      ((entry & PM_FILE) !== 0n ? 'f' : '') +
      ((entry & PM_GUARD_REGION) !== 0n ? 'g' : '')
    );
  }

  private flagsOf(pfn: Pfn): string {
    const word = kpageFlags(this.machine, pfn);
    return remembered(this.flagTexts, word, () => kpageFlagNames(word).join('|'));
  }

  /** Frames are named in the order in which they are first seen, from 1. */
  private frameName(pfn: Pfn): string {
    return remembered(this.frames, pfn, () => {
      this.framesNamed += 1;
      return `f${this.framesNamed}`;
    });
  }

  private slotName(entry: number): string {
    return remembered(this.slots, entry, () => `s${this.slots.size + 1}`);
  }
}

function remembered<K>(texts: Map<K, string>, key: K, make: () => string): string {
  let text = texts.get(key);
  if (text === undefined) {
    text = make();
    texts.set(key, text);
  }
  return text;
}

/** Size and one letter a page, as cachestat(2) tells, or mincore where there is none. */
export function fileRecord(machine: Machine, inode: Inode): FileRecord {
  const { mapping, size } = inode;
  const letterOf = hasCachestat(machine.generation.version)
    ? (page: Pgoff): string => cacheState(machine, mapping, page)
    : (page: Pgoff): string => (isInCache(machine, mapping, page) ? 'c' : '.');
  return { size, cache: Array.from({ length: pagesOf(size) }, (_, page) => letterOf(page as Pgoff)).join('') };
}

function nameOf(machine: Machine, vma: Vma): string {
  const inode = vma.vmFile?.inode;
  if (inode === undefined) return vmaName(machine, vma);
  if (inode.name === 'dev/zero') return 'shm';
  if (inode.name.startsWith('memfd:')) return inode.name;
  return `file:${inode.name}${inode.nlink === 0 ? ' (deleted)' : ''}`;
}

/** Addresses of the kernel's half are negative here. */
export function hex(value: number): string {
  return `0x${value < 0 ? BigInt.asUintN(64, BigInt(value)).toString(16) : value.toString(16)}`;
}
