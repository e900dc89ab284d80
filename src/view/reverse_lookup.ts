/**
 * The other direction: how the kernel finds a page that it knows by file and offset, or by swap entry.
 *
 * Promises  Only looks: the hash table's own searches are counted, so it is not asked to search.
 * Linux     6.18 lib/xarray.c: xas_load; 2.6.24 lib/radix-tree.c: radix_tree_lookup; 2.4.19 mm/filemap.c: __find_page_nolock
 */
import { AddressSpace } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import { PG_swapcache } from '../mm/page_flags.ts';
import { isSince } from '../mm/release.ts';
import { state_2_4 } from '../mm/state_2_4.ts';
import { NO_PFN, type Pfn, swpOffset, swpType } from '../mm/units.ts';
import { ownerOf } from '../mm/who.ts';
import { XA_CHUNK_SIZE } from '../mm/xarray.ts';
import { swapMap, swapMapSays, swapSlot } from './reverse_frame.ts';
import type { PageLookup } from './reverse_graph.ts';

/** So many pages of a chain are named. */
const MOST_NAMED = 8;

export function lookupsOf(machine: Machine, pfn: Pfn): PageLookup[] {
  const lookups: PageLookup[] = [];
  const { frames } = machine;
  const owner: unknown = ownerOf(machine, frames.mapping(pfn));
  const is2_4 = machine.rmap.walksAll === true;
  if (owner instanceof AddressSpace) {
    const index = frames.index(pfn);
    const title = `page ${index} of "${owner.host.name}" → frame ${pfn}`;
    lookups.push({ title, steps: is2_4 ? hashSteps(machine, owner.id, index) : treeSteps(machine, owner, index, pfn) });
  }
  if (frames.has(pfn, PG_swapcache)) {
    const { entry, count } = swapSlot(machine, pfn);
    const [type, slot] = [swpType(entry), swpOffset(entry)];
    const found = is2_4
      ? hashSteps(machine, 0, entry)
      : [`the swap cache of area ${type}, slot ${slot} → frame ${pfn}`];
    lookups.push({
      title: `swap entry (area ${type}, slot ${slot}) → frame ${pfn}`,
      steps: [...found, `swap_map[${slot}] = ${swapMap(machine, count)}: ${swapMapSays(machine)}`],
    });
  }
  return lookups;
}

/** 2.4: a bucket, then page by page. */
function hashSteps(machine: Machine, mappingId: number, index: number): string[] {
  const { hash } = state_2_4(machine).pageCache;
  const bucket = hash.bucketOf(mappingId, index);
  const chain: string[] = [];
  let steps = 0;
  for (let at = hash.first(bucket); at !== NO_PFN; at = hash.next(at)) {
    steps += 1;
    if (steps <= MOST_NAMED) chain.push(`frame ${at}`);
    if (hash.isAt(at, mappingId, index)) break;
  }
  return [
    `page_hash: bucket ${bucket} of ${hash.buckets}, by mapping and index`,
    `${chain.join(' → ')}${steps > MOST_NAMED ? ` … ${steps} pages` : ''}: compared one by one`,
  ];
}

/** A radix tree (xarray) of 64 slots a node. */
function treeSteps(machine: Machine, file: AddressSpace, index: number, pfn: Pfn): string[] {
  const name = isSince(machine.generation.version, '4.20') ? 'xarray i_pages' : 'radix tree page_tree';
  let node = file.pages.head;
  if (node === null) return [`${name}: one entry and no node: frame ${pfn}`];
  const steps: string[] = [];
  while (node !== null) {
    const slot: number = Math.floor(index / 2 ** node.shift) % XA_CHUNK_SIZE;
    const end = node.shift === 0 ? ` → frame ${pfn}` : '';
    steps.push(
      `${steps.length === 0 ? `${name}: ` : ''}node of shift ${node.shift}, slot ${slot} (${node.count} of ${XA_CHUNK_SIZE} in use)${end}`,
    );
    node = node.children === null ? null : (node.children[slot] ?? null);
  }
  return steps;
}
