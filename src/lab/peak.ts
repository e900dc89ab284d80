/**
 * Where the memory is when there is most of it.
 *
 * Owns      the moment at which one looks.
 * Promises  A look costs as much as the program has pages, and happens only when the peak has grown by a fiftieth since the
 *           last: what is shown lies at most that much below the peak.
 */

import type { Mm } from '../mm/mm.ts';
import { PAGE_MAPPING_ANON } from '../mm/page_flags.ts';
import { PTRS_PER_TABLE } from '../mm/page_table.ts';
import { PAGE_SIZE, type Vpn } from '../mm/units.ts';
import type { Vma } from '../mm/vma.ts';
import {
  NR_ANON_MAPPED,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_KERNEL_STACK_KB,
  NR_PAGETABLE,
  NR_SHMEM,
  NR_SLAB_RECLAIMABLE,
  NR_SLAB_UNRECLAIMABLE,
} from '../mm/vmstat.ts';
import { NO_INDEX, type XArray, xaIsPage, xaToPfn } from '../mm/xarray.ts';
import { vmaName } from '../proc/maps.ts';
import { freePages } from './limit.ts';
import type { Replay } from './replay.ts';
import type { PeakBreakdown, PeakMapping } from './result.ts';

/** No file reaches so far. */
const LAST_INDEX = 2 ** 40;

export class PeakWatch {
  breakdown: PeakBreakdown;
  private readonly replay: Replay;
  /** In pages, of the last look. */
  private seen = 0;

  constructor(replay: Replay) {
    this.replay = replay;
    this.breakdown = lookAt(replay);
  }

  /** The most pages that a look has seen. */
  most = 0;

  look(): void {
    const usage = heldPages(this.replay);
    this.most = Math.max(this.most, usage);
    if (usage <= this.seen + Math.max(8, this.seen / 50)) return;
    this.seen = usage;
    this.breakdown = lookAt(this.replay);
  }
}

/** What the cgroup is charged; without cgroups, all that was allocated since the machine booted. */
function heldPages({ machine, memcg, freeAtStart }: Replay): number {
  return machine.generation.cgroups ? memcg.memory.usage : freeAtStart - freePages(machine);
}

function lookAt(replay: Replay): PeakBreakdown {
  const { memcg, machine } = replay;
  const stat = (item: number) => memcg.lruvecs.reduce((sum, l) => sum + l.stat[item]!, 0);
  const bytes = heldPages(replay) * PAGE_SIZE;
  const shared = stat(NR_SHMEM) * PAGE_SIZE;
  const parts = {
    anonymous: stat(NR_ANON_MAPPED) * PAGE_SIZE,
    file: stat(NR_FILE_PAGES) * PAGE_SIZE - shared,
    shared_memory: shared,
    page_tables: stat(NR_PAGETABLE) * PAGE_SIZE,
    kernel_stack: stat(NR_KERNEL_STACK_KB) * 1024,
    slab: stat(NR_SLAB_RECLAIMABLE) + stat(NR_SLAB_UNRECLAIMABLE),
  };
  const known = Object.values(parts).reduce((sum, part) => sum + part, 0);
  const mappings: PeakMapping[] = [];
  for (const inode of machine.inodes.values()) {
    const pages = inode.mapping.nrpages;
    if (pages === 0 || inode.kind === 'bdev') continue;
    const kind = inode.kind === 'tmpfs' ? 'shared_memory' : 'file';
    const mapped = mappedPages(replay, inode.mapping.pages);
    mappings.push({ name: inode.name, kind, pid: 0, bytes: pages * PAGE_SIZE, mapped_bytes: mapped * PAGE_SIZE });
  }
  const living = replay.living();
  const spaces = new Set<Mm>(living.map(({ process }) => process.mm));
  const rss = [...spaces].reduce((sum, mm) => sum + mm.rssPages, 0) * PAGE_SIZE;
  for (const { pid, process } of living) {
    for (const vma of process.mm.vmas) {
      const own = anonymousPages(replay, vma) * PAGE_SIZE;
      const name = nameOf(replay, vma);
      if (own > 0) mappings.push({ name, kind: 'anonymous', pid, bytes: own, mapped_bytes: own });
    }
  }
  mappings.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  return {
    at_event: replay.events,
    bytes,
    ...parts,
    other: Math.max(0, bytes - known),
    processes: living.length,
    rss,
    mapped_files: stat(NR_FILE_MAPPED) * PAGE_SIZE,
    mappings,
  };
}

/** Pages of a file that somebody maps. */
function mappedPages({ machine }: Replay, cache: XArray): number {
  let pages = 0;
  for (let index = cache.find(0, LAST_INDEX); index !== NO_INDEX; index = cache.find(index + 1, LAST_INDEX)) {
    const entry = cache.load(index);
    if (xaIsPage(entry) && machine.frames.mapcount(xaToPfn(entry)) > 0) pages += 1;
  }
  return pages;
}

/** Resident pages of the region that are the process's own. */
function anonymousPages(replay: Replay, vma: Vma): number {
  // 2.4 has no anon_vma to tell by.
  if (vma.anonVma === null && replay.machine.generation.switches.indexesAnon) return 0;
  const { pageTables, frames } = replay.machine;
  const root = vma.vmMm.pageTables;
  let pages = 0;
  let vpn = pageTables.nextTable(root, vma.vmStart, vma.vmEnd) as number;
  while (vpn < vma.vmEnd) {
    // The slots of a table lie side by side.
    const end = Math.min(vma.vmEnd, (Math.floor(vpn / PTRS_PER_TABLE) + 1) * PTRS_PER_TABLE);
    const slot = pageTables.slotOf(root, vpn as Vpn);
    for (let i = 0; i < end - vpn; i++) {
      if (!pageTables.isPresent(slot + i)) continue;
      if ((frames.mapping(pageTables.pfn(slot + i)) & PAGE_MAPPING_ANON) !== 0) pages += 1;
    }
    vpn = pageTables.nextTable(root, end as Vpn, vma.vmEnd);
  }
  return pages;
}

/** What maps calls it; anonymous memory by its address, a file's private pages as such. */
function nameOf(replay: Replay, vma: Vma): string {
  const name = vmaName(replay.machine, vma);
  if (vma.vmFile !== null) return `${name} (written, private)`;
  return name !== '' ? name : `anonymous at 0x${(vma.vmStart * PAGE_SIZE).toString(16)}`;
}
