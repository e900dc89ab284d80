/**
 * What 2.6 says of its memory as a whole: /proc/vmstat, meminfo, zoneinfo and slabinfo.
 *
 * Owns      the names, their order and the form of these files. A counter of something that this machine does not have is 0.
 * Promises  Only looks.
 * Linux     2.6.24 mm/vmstat.c: vmstat_text zoneinfo_show_print; fs/proc/proc_misc.c: meminfo_read_proc;
 *           mm/slab.c: print_slabinfo_header s_show
 *
 * DIFFERS: CPUs keep no counts of their own, so nothing is behind by a batch.
 */
import type { Machine } from '../mm/machine.ts';
import { compoundOrder } from '../mm/page_alloc.ts';
import { vmscan_2_6 } from '../mm/reclaim/vmscan_2_6.ts';
import type { SlabName } from '../mm/slab_sizes.ts';
import {
  ALLOCSTALL,
  NR_ANON_MAPPED,
  NR_FILE_DIRTY,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_PAGETABLE,
  NR_SWAPCACHE,
  NR_VMSCAN_WRITE,
  NR_WRITEBACK,
  PAGEOUTRUN,
  PGACTIVATE,
  PGALLOC,
  PGDEACTIVATE,
  PGFAULT,
  PGFREE,
  PGMAJFAULT,
  PGPGIN,
  PGPGOUT,
  PGROTATED,
  PSWPIN,
  PSWPOUT,
  SLABS_SCANNED,
} from '../mm/vmstat.ts';
import { MAX_NR_ZONES, ZONE_DMA, ZONE_DMA32, ZONE_HIGHMEM, ZONE_MOVABLE, ZONE_NORMAL, type Zone } from '../mm/zone.ts';
import { zone_2_6 } from '../mm/zone_2_6.ts';

const VMALLOC_TOTAL_KIB = 34359738367;
/** In the kernel's order. */
const ZONE_COUNTERS = [
  'nr_free_pages',
  'nr_inactive',
  'nr_active',
  'nr_anon_pages',
  'nr_mapped',
  'nr_file_pages',
  'nr_dirty',
  'nr_writeback',
  'nr_slab_reclaimable',
  'nr_slab_unreclaimable',
  'nr_page_table_pages',
  'nr_unstable',
  'nr_bounce',
  'nr_vmscan_write',
] as const;
type ZoneCounter = (typeof ZONE_COUNTERS)[number];

const ZONE_ITEMS: Readonly<Partial<Record<ZoneCounter, number>>> = {
  nr_anon_pages: NR_ANON_MAPPED,
  nr_mapped: NR_FILE_MAPPED,
  nr_dirty: NR_FILE_DIRTY,
  nr_writeback: NR_WRITEBACK,
  nr_page_table_pages: NR_PAGETABLE,
  nr_vmscan_write: NR_VMSCAN_WRITE,
};

/** One counter of one zone (zone_page_state). */
export function zonePageState(machine: Machine, zone: Zone, name: ZoneCounter): number {
  const { stat } = machine.rootMemcg.lruvecs[zone.lruvec]!;
  switch (name) {
    case 'nr_free_pages':
      return zone.freePages;
    case 'nr_inactive':
      return zone.lruPages[0]!;
    case 'nr_active':
      return zone.lruPages[1]!;
    case 'nr_file_pages':
      return stat[NR_FILE_PAGES]! + stat[NR_SWAPCACHE]!;
    case 'nr_slab_reclaimable':
      return slabPages(machine, zone, true);
    case 'nr_slab_unreclaimable':
      return slabPages(machine, zone, false);
    default: {
      const item = ZONE_ITEMS[name];
      return item === undefined ? 0 : stat[item]!;
    }
  }
}

function slabPages(machine: Machine, zone: Zone, reclaimable: boolean): number {
  let pages = 0;
  for (const name of Object.keys(machine.slab.caches) as SlabName[]) {
    const cache = machine.slab.caches[name];
    for (const pfn of cache.slabs) {
      if (machine.slab.isReclaimable(pfn) !== reclaimable) break;
      if (machine.frames.zoneIndex(pfn) === zone.index) pages += 2 ** compoundOrder(machine, pfn);
    }
  }
  return pages;
}

function total(machine: Machine, of: (zone: Zone) => number): number {
  return machine.zones.reduce((sum, zone) => sum + of(zone), 0);
}

/** Zone types that a counter is shown for; high memory only where there can be some. */
function zoneTypes(machine: Machine): [string, number][] {
  const types: [string, number][] = [
    ['dma', ZONE_DMA],
    ['dma32', ZONE_DMA32],
    ['normal', ZONE_NORMAL],
    ['high', ZONE_HIGHMEM],
    ['movable', ZONE_MOVABLE],
  ];
  const has32 = machine.config.highmemFromBytes !== undefined;
  return types.filter(([, type]) => type !== (has32 ? ZONE_DMA32 : ZONE_HIGHMEM));
}

// vmstat

export function vmstat_2_6(machine: Machine): string {
  const { events } = machine;
  const { zoneEvents, kswapdSteal, icache } = vmscan_2_6(machine);
  const lines: [string, number][] = ZONE_COUNTERS.map((name) => [
    name,
    total(machine, (zone) => zonePageState(machine, zone, name)),
  ]);
  const event = (name: string, item: number): void => {
    lines.push([name, events[item]!]);
  };
  const types = zoneTypes(machine);
  event('pgpgin', PGPGIN);
  event('pgpgout', PGPGOUT);
  event('pswpin', PSWPIN);
  event('pswpout', PSWPOUT);
  for (const [name, type] of types) event(`pgalloc_${name}`, PGALLOC + type);
  event('pgfree', PGFREE);
  event('pgactivate', PGACTIVATE);
  event('pgdeactivate', PGDEACTIVATE);
  event('pgfault', PGFAULT);
  event('pgmajfault', PGMAJFAULT);
  ['pgrefill', 'pgsteal', 'pgscan_kswapd', 'pgscan_direct'].forEach((row, at) => {
    for (const [name, type] of types) lines.push([`${row}_${name}`, zoneEvents[at * MAX_NR_ZONES + type]!]);
  });
  lines.push(['pginodesteal', icache.pginodesteal]);
  event('slabs_scanned', SLABS_SCANNED);
  lines.push(['kswapd_steal', kswapdSteal], ['kswapd_inodesteal', icache.kswapdInodesteal]);
  event('pageoutrun', PAGEOUTRUN);
  event('allocstall', ALLOCSTALL);
  event('pgrotated', PGROTATED);
  return lines.map(([name, value]) => `${name} ${value}\n`).join('');
}

// meminfo

export function meminfo_2_6(machine: Machine): string {
  const state = (name: ZoneCounter): number => total(machine, (zone) => zonePageState(machine, zone, name));
  const swapcache = machine.nodes.reduce((sum, pgdat) => sum + pgdat.stat[NR_SWAPCACHE]!, 0);
  let buffers = 0;
  for (const inode of machine.inodes.values()) if (inode.kind === 'bdev') buffers += inode.mapping.nrpages;
  const high = machine.zones.filter((zone) => zone.type === ZONE_HIGHMEM);
  const highTotal = high.reduce((sum, zone) => sum + zone.managedPages, 0);
  const highFree = high.reduce((sum, zone) => sum + zone.freePages, 0);
  const free = state('nr_free_pages');
  const slab = [state('nr_slab_reclaimable'), state('nr_slab_unreclaimable')] as const;
  const { swap, sysctl } = machine;
  const pages: [string, number][] = [
    ['MemTotal', machine.totalPages],
    ['MemFree', free],
    ['Buffers', buffers],
    ['Cached', Math.max(0, state('nr_file_pages') - swapcache - buffers)],
    ['SwapCached', swapcache],
    ['Active', state('nr_active')],
    ['Inactive', state('nr_inactive')],
  ];
  if (machine.config.highmemFromBytes !== undefined) {
    pages.push(['HighTotal', highTotal], ['HighFree', highFree]);
    pages.push(['LowTotal', machine.totalPages - highTotal], ['LowFree', free - highFree]);
  }
  pages.push(
    ['SwapTotal', swap.totalSwapPages],
    ['SwapFree', swap.nrSwapPages],
    ['Dirty', state('nr_dirty')],
    ['Writeback', state('nr_writeback')],
    ['AnonPages', state('nr_anon_pages')],
    ['Mapped', state('nr_mapped')],
    ['Slab', slab[0] + slab[1]],
    ['SReclaimable', slab[0]],
    ['SUnreclaim', slab[1]],
    ['PageTables', state('nr_page_table_pages')],
    ['NFS_Unstable', 0],
    ['Bounce', 0],
    ['CommitLimit', Math.floor((machine.totalPages * sysctl.overcommitRatio) / 100) + swap.totalSwapPages],
    ['Committed_AS', machine.committedPages],
  );
  const kib: [string, number][] = [
    ...pages.map(([name, n]): [string, number] => [name, n * 4]),
    ['VmallocTotal', VMALLOC_TOTAL_KIB],
    ['VmallocUsed', 0],
    ['VmallocChunk', VMALLOC_TOTAL_KIB],
  ];
  return kib.map(([name, n]) => `${`${name}:`.padEnd(14)}${String(n).padStart(8)} kB\n`).join('');
}

// zoneinfo

export function zoneinfo_2_6(machine: Machine): string {
  return machine.zones.map((zone) => zoneText(machine, zone)).join('');
}

function zoneText(machine: Machine, zone: Zone): string {
  const at = zone_2_6(machine, zone);
  const types = zoneTypes(machine).map(([, type]) => type);
  let text =
    `Node ${zone.pgdat.nid}, zone ${zone.name.padStart(8)}` +
    `\n  pages free     ${zone.freePages}` +
    `\n        min      ${zone.wmarkMin}` +
    `\n        low      ${zone.wmarkLow}` +
    `\n        high     ${zone.wmarkHigh}` +
    `\n        scanned  ${at.pagesScanned} (a: ${at.nrScanActive} i: ${at.nrScanInactive})` +
    `\n        spanned  ${zone.spannedPages}` +
    `\n        present  ${zone.presentPages}`;
  for (const name of ZONE_COUNTERS) text += `\n    ${name.padEnd(12)} ${zonePageState(machine, zone, name)}`;
  text += `\n        protection: (${types.map((type) => zone.lowmemReserve[type]!).join(', ')})\n  pagesets`;
  const cpus = machine.config.cpus ?? 1;
  for (let cpu = 0; cpu < cpus; cpu++) {
    // One CPU runs; the others' lists stay as they were set up.
    [at.hot, at.cold].forEach((pcp, which) => {
      text +=
        `\n    cpu: ${cpu} pcp: ${which}` +
        `\n              count: ${cpu === 0 ? pcp.count : 0}` +
        `\n              high:  ${pcp.high}` +
        `\n              batch: ${pcp.batch}`;
    });
    text += `\n  vm stats threshold: ${statThreshold_2_6(zone.presentPages, cpus)}`;
  }
  const hopeless = at.allUnreclaimable ? 1 : 0;
  return `${text}\n  all_unreclaimable: ${hopeless}\n  prev_priority:     ${at.prevPriority}\n  start_pfn:         ${zone.startPfn}\n`;
}

/** How far a CPU's own counters may run before they are folded into the zone's. */
export function statThreshold_2_6(presentPages: number, cpus: number): number {
  const fls = (n: number): number => 32 - Math.clz32(n);
  return Math.min(125, 2 * fls(cpus) * (1 + fls(presentPages >>> 15)));
}

// slabinfo

export function slabinfo_2_6(machine: Machine): string {
  let text =
    'slabinfo - version: 2.1\n' +
    '# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>' +
    ' : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n';
  const n = (value: number, width: number): string => String(value).padStart(width);
  for (const name of (Object.keys(machine.slab.caches) as SlabName[]).sort()) {
    const cache = machine.slab.caches[name];
    const slabs = cache.slabs.length;
    text +=
      `${name.padEnd(17)} ${n(cache.active, 6)} ${n(cache.room, 6)} ${n(cache.size, 6)} ${n(Math.floor((4096 << cache.order) / cache.size), 4)}` +
      ` ${n(2 ** cache.order, 4)} : tunables ${n(0, 4)} ${n(0, 4)} ${n(0, 4)}` +
      ` : slabdata ${n(slabs, 6)} ${n(slabs, 6)} ${n(0, 6)}\n`;
  }
  return text;
}
