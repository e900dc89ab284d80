/**
 * The fields of struct page, decoded: what stands in each of them while a page is in this state.
 *
 * Owns      what each field says in words, for 2.5 and later. 2.4 has a view of its own in mm (struct_page_2_4.ts).
 * Promises  1. Neighbours on lists are frame numbers, so that one can walk on.
 *           2. A field that a union uses for something else just now says so.
 * Linux     docs/spec: linux-2.6.md 3, linux-3.md 1, linux-6.md 1
 */
import { buddyOrder, buddyType } from '../mm/buddy.ts';
import { AddressSpace } from '../mm/fs.ts';
import { StableNode } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import { compoundHead, compoundOrder } from '../mm/page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PAGE_MAPPING_FLAGS,
  PG_buddy,
  PG_lru,
  PG_private,
  PG_reserved,
  PG_slab,
  PG_swapcache,
  PG_table,
  PG_tail,
} from '../mm/page_flags.ts';
import { isDirect, type ShownBit, shownBits, wordOf } from '../mm/struct_page_flags.ts';
import { NO_PFN, type Pfn, type SwapEntry, swpOffset, swpType } from '../mm/units.ts';
import { migrateTypes } from './frames_zones.ts';

/** A field's content. */
export interface FieldValue {
  /** As a debugger would print it, as far as this machine has it. */
  readonly raw: string;
  /** In words. */
  readonly value: string;
  readonly bits?: readonly ShownBit[];
  /** Frames that it points to. */
  readonly links?: readonly { readonly label: string; readonly pfn: number }[];
}

export type Decoder = (machine: Machine, pfn: Pfn) => FieldValue;

const hex = (n: number): string => `0x${n.toString(16)}`;
const ZERO: FieldValue = { raw: '0', value: 'not used now' };

export function flagsField(machine: Machine, pfn: Pfn): FieldValue {
  const shown = shownBits(machine, pfn);
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  const top = `zone ${zone.name}, node ${zone.pgdat.nid} in its top bits`;
  const { multiGen } = machine;
  const gen = multiGen === null ? -1 : multiGen.gens.gen(pfn);
  const generation = gen < 0 ? '' : `; generation ${gen} of MGLRU in bits of its own`;
  return { raw: hex(wordOf(shown)), value: `${top}${generation}`, bits: shown };
}

/** page->mapping: its tag bits, and whom it points to. */
export function mappingField(machine: Machine, pfn: Pfn): FieldValue {
  const { frames, mappings } = machine;
  const word = frames.mapping(pfn);
  if (word === 0) return { raw: 'NULL', value: 'in no page cache, and not anonymous' };
  const tag = word & PAGE_MAPPING_FLAGS;
  const id = (word - tag) / 4;
  const owner = mappings[id] ?? null;
  if (owner instanceof AddressSpace) {
    return { raw: `&address_space ${id}`, value: `low bits 00: the page cache of ${owner.host.name}` };
  }
  if (owner instanceof StableNode) {
    return { raw: `&stable_node ${id} | 3`, value: `low bits 11 (PAGE_MAPPING_KSM): the stable node of KSM ${id}` };
  }
  if (machine.generation.version === '2.5.59') {
    return frames.has(pfn, PG_swapcache)
      ? { raw: '&swapper_space', value: 'in the swap cache (this is what PageSwapCache tests)' }
      : { raw: 'NULL', value: 'anonymous: no file, and its entries are in `pte`' };
  }
  const gone = owner === null ? ', which is gone: nobody maps the page any more' : '';
  return { raw: `&anon_vma ${id} | 1`, value: `low bit 1 (PAGE_MAPPING_ANON): anon_vma ${id}${gone}` };
}

export function indexField(machine: Machine, pfn: Pfn): FieldValue {
  const { frames, generation } = machine;
  const word = frames.mapping(pfn);
  if (word === 0) return ZERO;
  const index = frames.index(pfn);
  if ((word & PAGE_MAPPING_ANON) === 0)
    return { raw: String(index), value: `page ${index} of the file: byte ${index * 4096} on` };
  if (!generation.switches.indexesAnon) {
    return frames.has(pfn, PG_swapcache)
      ? swapEntryValue(frames.private_(pfn))
      : { raw: '?', value: 'of an anonymous page it says nothing' };
  }
  return { raw: hex(index), value: `place in the VMA’s object; address = vm_start + ((index − vm_pgoff) << 12)` };
}

export function mapcountField(machine: Machine, pfn: Pfn): FieldValue {
  const { frames, generation } = machine;
  const { version } = generation;
  const is6 = generation.family === 'linux-6';
  const flags = frames.allFlags(pfn);
  if ((flags & PG_buddy) !== 0 && version === '3.16')
    return { raw: '-128', value: 'PAGE_BUDDY_MAPCOUNT_VALUE: a free block begins here' };
  if (is6) {
    const type = (flags & PG_buddy) !== 0 ? 'buddy' : (flags & PG_table) !== 0 ? 'table' : '';
    if (type !== '')
      return {
        raw: pageType(version, type),
        value: `page_type: ${type === 'buddy' ? 'a free block begins here' : 'a page table'}`,
      };
    if ((flags & PG_slab) !== 0 && version !== '6.1') return { raw: '0xf5000000', value: 'page_type: slab' };
  }
  const count = frames.mapcount(pfn);
  return {
    raw: String(count - 1),
    value:
      count === 0
        ? 'no entry maps it (counts from −1)'
        : `${count} page-table ${count === 1 ? 'entry maps' : 'entries map'} it (counts from −1)`,
  };
}

/** 6.1 clears a bit of all ones; 6.18 has a number in the top byte. */
function pageType(version: string, type: 'buddy' | 'table'): string {
  if (version === '6.1') return type === 'buddy' ? '0xffffff7f' : '0xfffffdff';
  return type === 'buddy' ? '0xf0000000' : '0xf2000000';
}

/** _refcount, _count, count: with whom holds the references, as far as it is known. */
export function refcountField(machine: Machine, pfn: Pfn): FieldValue {
  const { frames } = machine;
  const count = frames.refcount(pfn);
  if (frames.has(pfn, PG_tail)) return { raw: String(count), value: 'a tail’s references are its head’s' };
  if (count === 0) return { raw: '0', value: 'free' };
  const pages = 1 << compoundOrder(machine, pfn);
  const word = frames.mapping(pfn);
  const isCached = word !== 0 && (word & PAGE_MAPPING_ANON) === 0;
  const known: [string, number][] = [
    ['page-table entries', frames.has(pfn, PG_slab) || pages > 1 ? 0 : frames.mapcount(pfn)],
    ['page cache', isCached ? pages : 0],
    ['swap cache', frames.has(pfn, PG_swapcache) ? pages : 0],
    ['buffers', frames.has(pfn, PG_private) && isCached ? 1 : 0],
  ];
  const parts = known.filter(([, n]) => n > 0);
  const rest = count - parts.reduce((sum, [, n]) => sum + n, 0);
  if (rest > 0)
    parts.push([parts.length === 0 ? 'whoever allocated it' : 'somebody who works on it, or a CPU’s batch', rest]);
  return {
    raw: String(count),
    value: rest < 0 ? `${count} references` : parts.map(([name, n]) => `${name} ${n}`).join(' + '),
  };
}

export function privateField(machine: Machine, pfn: Pfn): FieldValue {
  const { frames, generation } = machine;
  const value = frames.private_(pfn);
  if (frames.has(pfn, PG_buddy))
    return {
      raw: String(buddyOrder(frames, pfn)),
      value: `order: a free block of ${1 << buddyOrder(frames, pfn)} pages`,
    };
  if (frames.has(pfn, PG_tail) && generation.family !== 'linux-6') {
    const head = compoundHead(machine, pfn);
    return { raw: `page ${head}`, value: 'first_page: the head of the block', links: [{ label: 'head', pfn: head }] };
  }
  // Before anonymous pages had an index, a page of the swap cache had its entry there.
  if (frames.has(pfn, PG_swapcache)) return generation.switches.indexesAnon ? swapEntryValue(value) : ZERO;
  if (frames.has(pfn, PG_private)) return { raw: '&buffer_head', value: 'its buffers, or what its file system keeps' };
  return ZERO;
}

function swapEntryValue(value: number): FieldValue {
  const entry = value as SwapEntry;
  return { raw: hex(value), value: `swap entry: slot ${swpOffset(entry)} of area ${swpType(entry)}` };
}

/** page->lru: which list, and its neighbours there. */
export function lruField(machine: Machine, pfn: Pfn): FieldValue {
  const { frames, generation } = machine;
  if (frames.has(pfn, PG_tail) && generation.family === 'linux-6') {
    const head = compoundHead(machine, pfn);
    return {
      raw: `page ${head} | 1`,
      value: 'compound_head, bit 0 set: this is a tail',
      links: [{ label: 'head', pfn: head }],
    };
  }
  if (!frames.onList(pfn)) return { raw: '–', value: frames.has(pfn, PG_lru) ? 'taken off its list' : 'on no list' };
  const next = frames.listNext(pfn);
  const prev = frames.listPrev(pfn);
  const links = [
    ...(prev === NO_PFN ? [] : [{ label: 'prev, towards the head', pfn: prev as number }]),
    ...(next === NO_PFN ? [] : [{ label: 'next, towards the tail', pfn: next as number }]),
  ];
  const name = (at: Pfn): string => (at === NO_PFN ? 'the list’s head' : `page ${at}`);
  return { raw: `next ${name(next)}, prev ${name(prev)}`, value: listName(machine, pfn), links };
}

/** In words: the list on which the frame stands. */
function listName(machine: Machine, pfn: Pfn): string {
  const { frames, generation, multiGen, lru } = machine;
  if (frames.has(pfn, PG_buddy)) {
    const order = buddyOrder(frames, pfn);
    const types = migrateTypes(machine);
    return `free_area[${order}]${types === null ? '' : `, ${types[buddyType(frames, pfn)]}`}`;
  }
  if (frames.has(pfn, PG_lru)) {
    const gen = multiGen?.gens.gen(pfn) ?? -1;
    return gen >= 0 ? `generation ${gen}` : generation.lruNames[lru.listOf(pfn)]!;
  }
  if (frames.refcount(pfn) === 0) return 'free, on a CPU’s list';
  return frames.has(pfn, PG_reserved) ? 'on no list' : 'a list of whoever works on it';
}

export function memcgField({ frames, memcgs }: Machine, pfn: Pfn): FieldValue {
  const id = frames.memcg(pfn);
  return { raw: id === 0 ? '0' : `&mem_cgroup ${id}`, value: `charged to ${id === 0 ? 'nobody' : memcgs[id]!.name}` };
}

/** 2.5: the entries that map the page. */
export function pteField(machine: Machine, pfn: Pfn): FieldValue {
  const count = machine.frames.mapcount(pfn);
  if (count === 0) return { raw: 'NULL', value: 'no entry maps it' };
  if (isDirect(machine, pfn)) return { raw: 'direct', value: 'PG_direct: the one entry that maps it' };
  const entries = count === 1 ? 'one entry' : `${count} entries`;
  return { raw: '&pte_chain', value: `a chain with ${entries}: reclaim meets no others` };
}
