/**
 * The four kinds of pages that page frame reclaim knows, as a question about any frame.
 *
 * Promises  1. Every frame is of exactly one kind, with the reason; a page of a block, of that of its head.
 *           2. Dirty is what its flags or an entry say.
 *           3. Asking changes nothing, no count either.
 * Linux     Understanding the Linux Kernel, table 17-1: unreclaimable, swappable, syncable, discardable
 */
import type { AddressSpace } from './fs.ts';
import type { Machine } from './machine.ts';
import { compoundHead } from './page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PG_buddy,
  PG_dirty,
  PG_locked,
  PG_mlocked,
  PG_reserved,
  PG_slab,
  PG_swapbacked,
  PG_swapcache,
  PG_table,
  PG_tail,
  PG_unevictable,
  PG_writeback,
} from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY } from './page_table.ts';
import type { Pfn } from './units.ts';
import { VM_LOCKED } from './vm_flags.ts';
import type { Vma } from './vma.ts';

export type PageKind = 'unreclaimable' | 'swappable' | 'syncable' | 'discardable';

export interface KindOfPage {
  kind: PageKind;
  reason: string;
}

/** Some entry that maps the frame is as `asked`. */
function someEntry(machine: Machine, pfn: Pfn, asked: (vma: Vma, slot: number) => boolean): boolean {
  const { pageTables, frames } = machine;
  if (frames.mapcount(pfn) === 0) return false;
  let found = false;
  const before = { ...machine.work };
  machine.rmap.walk(pfn, (vma, vpn) => {
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    const maps = slot !== NO_SLOT && pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn;
    found ||= maps && asked(vma, slot);
    return !found;
  });
  // Who asks from outside is no work of the kernel's.
  Object.assign(machine.work, before);
  return found;
}

/** Before 2.6.28 a page does not know that it is locked: reclaim finds out from the regions that map it. */
function lockedSomewhere(machine: Machine, pfn: Pfn): boolean {
  return (
    !machine.generation.switches.unevictableList && someEntry(machine, pfn, (vma) => (vma.vmFlags & VM_LOCKED) !== 0)
  );
}

/** A store through an entry is known to the entry alone until somebody looks at it: tryToUnmap does, before it gives up the page. */
function isDirty(machine: Machine, pfn: Pfn): boolean {
  const { frames, pageTables } = machine;
  return frames.has(pfn, PG_dirty) || someEntry(machine, pfn, (_vma, slot) => pageTables.has(slot, PTE_DIRTY));
}

/** What reclaim could do with the frame. */
export function kindOfPage(machine: Machine, pfn: Pfn): KindOfPage {
  const { frames } = machine;
  const is = (kind: PageKind, reason: string): KindOfPage => ({ kind, reason });
  if (frames.has(pfn, PG_tail)) {
    const head = compoundHead(machine, pfn);
    const { kind, reason } = kindOfPage(machine, head);
    return is(kind, `as frame ${head}, its head: ${reason}`);
  }
  if (frames.has(pfn, PG_buddy) || frames.refcount(pfn) === 0) return is('unreclaimable', 'free: nothing to reclaim');
  if (frames.has(pfn, PG_reserved)) return is('unreclaimable', 'reserved for the kernel (PG_reserved)');
  if (frames.has(pfn, PG_slab)) {
    return machine.slab.isReclaimable(pfn)
      ? is('discardable', 'a slab of a cache that can shrink (dentries, inodes): unused objects are dropped')
      : is('unreclaimable', 'allocated by the kernel (slab)');
  }
  if (frames.has(pfn, PG_table)) return is('unreclaimable', 'a page table');
  if (frames.has(pfn, PG_locked)) return is('unreclaimable', 'locked for I/O (PG_locked)');
  if (frames.has(pfn, PG_mlocked) || lockedSomewhere(machine, pfn))
    return is('unreclaimable', 'in a locked region (PG_mlocked, VM_LOCKED)');
  if (frames.has(pfn, PG_unevictable))
    return is('unreclaimable', 'in a mapping whose pages must stay (PG_unevictable)');
  const word = frames.mapping(pfn);
  if (word === 0) return is('unreclaimable', 'allocated by the kernel');
  if ((word & PAGE_MAPPING_ANON) !== 0) {
    if (!frames.has(pfn, PG_swapbacked)) return is('discardable', 'anonymous, given up with MADV_FREE');
    if (frames.has(pfn, PG_swapcache) && !frames.has(pfn, PG_writeback) && !isDirty(machine, pfn)) {
      return is('swappable', 'anonymous, and its copy in the swap area is good: it goes without a write');
    }
    return is('swappable', 'anonymous: its content goes to the swap area');
  }
  const { host } = machine.mappings[word / 4] as AddressSpace;
  if (host.kind === 'tmpfs') return is('swappable', 'shared memory or tmpfs: its content goes to the swap area');
  const what = host.kind === 'bdev' ? 'a buffer page of a block device' : 'a page of a file on disk';
  if (isDirty(machine, pfn)) return is('syncable', `${what}: dirty, must be written first`);
  if (frames.has(pfn, PG_writeback)) return is('syncable', `${what}: being written`);
  return is('syncable', `${what}: clean, equal to the disk`);
}
