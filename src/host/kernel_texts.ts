/**
 * The files of a whole host as numbers: meminfo, vmstat, zoneinfo, buddyinfo, pagetypeinfo, iomem.
 *
 * Promises  What a kernel does not print is missing, not zero; a line of another form is passed over.
 * Linux     6.18 mm/vmstat.c: zoneinfo_show_print frag_show_print pagetypeinfo_showfree_print
 *           pagetypeinfo_showblockcount_print; fs/proc/meminfo.c: meminfo_proc_show; kernel/resource.c: r_show
 */

/** `Name:   123 kB` of meminfo, `name 123` of vmstat: kB, counts and pages as they stand there. */
export function parseCounters(text: string | undefined): Map<string, number> {
  const counters = new Map<string, number>();
  for (const line of (text ?? '').split('\n')) {
    const found = /^([^\s:]+):?\s+(\d+)(?: kB)?\s*$/.exec(line);
    if (found !== null) counters.set(found[1]!, Number(found[2]));
  }
  return counters;
}

export interface ZoneText {
  readonly node: number;
  readonly zone: string;
  /** First frame; 0 in a zone that is empty. */
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** Free pages on the lists of CPUs: in no block of the buddy system. */
  readonly perCpuFree: number;
}

/** Zones that have frames, in the kernel's order. */
export function parseZones(text: string | undefined): ZoneText[] {
  const zones: ZoneText[] = [];
  for (const part of (text ?? '').split(/^(?=Node )/m)) {
    const head = /^Node (\d+), zone\s+(\S+)/.exec(part);
    if (head === null) continue;
    const field = (pattern: RegExp) => Number(pattern.exec(part)?.[1] ?? 0);
    const spanned = field(/^\s+spanned\s+(\d+)$/m);
    if (spanned === 0) continue;
    let perCpuFree = 0;
    for (const count of part.matchAll(/^\s+count:\s+(\d+)$/gm)) perCpuFree += Number(count[1]);
    zones.push({
      node: Number(head[1]),
      zone: head[2]!,
      startPfn: field(/^\s+start_pfn:\s+(\d+)$/m),
      spanned,
      present: field(/^\s+present\s+(\d+)$/m),
      managed: field(/^\s+managed\s+(\d+)$/m),
      free: field(/^\s+pages free\s+(\d+)$/m),
      min: field(/^\s+min\s+(\d+)$/m),
      low: field(/^\s+low\s+(\d+)$/m),
      high: field(/^\s+high\s+(\d+)$/m),
      perCpuFree,
    });
  }
  return zones;
}

interface FreeBlocks {
  readonly node: number;
  readonly zone: string;
  /** Free blocks of each order. */
  readonly blocks: readonly number[];
}

/** /proc/buddyinfo. */
export function parseFreeBlocks(text: string | undefined): FreeBlocks[] {
  const zones: FreeBlocks[] = [];
  for (const line of (text ?? '').split('\n')) {
    const found = /^Node\s+(\d+), zone\s+(\S+)\s+([\d ]+)$/.exec(line);
    if (found !== null) zones.push({ node: Number(found[1]), zone: found[2]!, blocks: numbers(found[3]!) });
  }
  return zones;
}

export interface MigrateTypes {
  readonly node: number;
  readonly zone: string;
  readonly types: readonly {
    readonly type: string;
    /** Free blocks of each order on this type's lists; the kernel counts to 100,000 and no further. */
    readonly freeBlocks: readonly number[];
    /** Pageblocks of this type. */
    readonly pageblocks: number;
  }[];
}

/** /proc/pagetypeinfo. */
export function parseMigrateTypes(text: string | undefined): MigrateTypes[] {
  const zones = new Map<string, { node: number; zone: string; free: Map<string, number[]>; blocks: number[] }>();
  let names: string[] = [];
  for (const line of (text ?? '').split('\n')) {
    const types = /^Number of blocks type\s+(.*)$/.exec(line);
    if (types !== null) names = types[1]!.trim().split(/\s+/);
    const found = /^Node\s+(\d+), zone\s+(\w+)(?:, type\s+(\S+))?\s+([\d> ]+)$/.exec(line);
    if (found === null) continue;
    const key = `${found[1]} ${found[2]}`;
    const zone = zones.get(key) ?? { node: Number(found[1]), zone: found[2]!, free: new Map(), blocks: [] };
    zones.set(key, zone);
    const counts = numbers(found[4]!.replaceAll('>', ''));
    if (found[3] !== undefined) zone.free.set(found[3], counts);
    // What follows further down ("Number of mixed blocks") has the same form; the first is ours.
    else if (names.length > 0 && zone.blocks.length === 0) zone.blocks = counts;
  }
  return [...zones.values()].map(({ node, zone, free, blocks }) => ({
    node,
    zone,
    types: [...free].map(([type, freeBlocks]) => ({ type, freeBlocks, pageblocks: blocks[names.indexOf(type)] ?? 0 })),
  }));
}

/** Frames that are memory, by /proc/iomem: [first, behind the last], in order. Null where addresses are hidden. */
export function parseSystemRam(text: string | undefined): (readonly [number, number])[] | null {
  const ranges: (readonly [number, number])[] = [];
  for (const line of (text ?? '').split('\n')) {
    const found = /^([0-9a-f]+)-([0-9a-f]+) : System RAM/.exec(line);
    if (found === null) continue;
    const first = Math.ceil(Number.parseInt(found[1]!, 16) / 4096);
    const end = Math.floor((Number.parseInt(found[2]!, 16) + 1) / 4096);
    if (end > first) ranges.push([first, end]);
  }
  return ranges.length === 0 ? null : ranges;
}

function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number);
}
