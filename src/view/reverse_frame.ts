/**
 * What a frame says of itself, and the object that its mapping names: the beginning of the way.
 *
 * Owns      the word with its tag bit as each kernel has it; the fields of struct page and of the object; why nobody is found.
 * Linux     6.18 include/linux/page-flags.h: PAGE_MAPPING_ANON PAGE_MAPPING_KSM; 2.4.19 include/linux/mm.h: struct page
 */
import { folioPages, largeFolioOf } from '../mm/folio.ts';
import { AddressSpace } from '../mm/fs.ts';
import { StableNode } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import { compoundHead } from '../mm/page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PG_anon_exclusive,
  PG_buddy,
  PG_head,
  PG_reserved,
  PG_slab,
  PG_swapcache,
  PG_table,
  PG_tail,
} from '../mm/page_flags.ts';
import { PrioTree } from '../mm/prio_tree.ts';
import { isSince } from '../mm/release.ts';
import { AnonVma } from '../mm/rmap/anon_vma.ts';
import { AnonVmaList } from '../mm/rmap/anon_vma_list.ts';
import { NonlinearFileVmas, nonlinearVmas } from '../mm/rmap/nonlinear.ts';
import { PteChainRmap } from '../mm/rmap/pte_chain.ts';
import { flagWords } from '../mm/struct_page_flags.ts';
import { type Pfn, type SwapEntry, swpOffset, swpType } from '../mm/units.ts';
import { ownerOf, type WhoMaps } from '../mm/who.ts';
import { counted, type Field, field, hex, type NewNode, type TaggedWord } from './reverse_graph.ts';

const HUGE_ZERO_PAGES = 512;

/** Before anon_vmas, an anonymous page has no object. */
function namesObjects(machine: Machine): boolean {
  return machine.rmap.walksAll !== true && !(machine.rmap instanceof PteChainRmap);
}

/** page->mapping as this kernel has it. */
function mappingWord(machine: Machine, pfn: Pfn): TaggedWord {
  const { frames } = machine;
  const word = frames.mapping(pfn);
  const owner: unknown = ownerOf(machine, word);
  if (!namesObjects(machine) && !(owner instanceof AddressSpace)) {
    const swapped = frames.has(pfn, PG_swapcache);
    const says = swapped ? 'in the swap cache: its mapping is that of swap' : 'no file: so it leads nowhere';
    return { pointer: swapped ? '&swapper_space' : 'NULL', bits: '', says };
  }
  const tag = word & 3;
  // The second bit came with KSM.
  const hasTwo = isSince(machine.generation.version, '2.6.32');
  const bits = !namesObjects(machine) ? '' : hasTwo ? tag.toString(2).padStart(2, '0') : String(tag & 1);
  const id = (word - tag) / 4;
  if (word === 0) return { pointer: 'NULL', bits, says: 'it belongs to nobody' };
  if (tag === 3) return { pointer: `stable node ${id}`, bits, says: 'PAGE_MAPPING_KSM: a page that KSM merged' };
  if ((tag & 1) === 1) return { pointer: `anon_vma ${id}`, bits, says: 'PAGE_MAPPING_ANON: an anon_vma' };
  return { pointer: `address_space ${id}`, bits, says: bits === '' ? 'a file' : 'low bit clear: a file' };
}

export function frameNode(machine: Machine, pfn: Pfn, who: WhoMaps): NewNode {
  const { frames } = machine;
  const large = largeFolioOf(machine, pfn);
  const word = frames.mapping(pfn);
  const isAnon = (word & PAGE_MAPPING_ANON) !== 0;
  const known = who.mapping.kind !== 'none' || who.mapcount > 0;
  const hasMapcount = namesObjects(machine);
  const { version } = machine.generation;
  const count = isSince(version, '4.6') ? '_refcount' : hasMapcount ? '_count' : 'count';
  const lines = [
    `${count} ${who.refcount}${hasMapcount ? ` · mapcount ${who.mapcount}` : ''}`,
    ...(known && (hasMapcount || !isAnon) ? [`index ${isAnon ? hex(frames.index(pfn)) : frames.index(pfn)}`] : []),
    ...(frames.has(pfn, PG_anon_exclusive) ? ['anon_exclusive'] : []),
    ...(large === undefined ? [] : [`folio of ${folioPages(machine, compoundHead(machine, pfn))} pages`]),
  ];
  const mapcountSays = !hasMapcount
    ? 'page-table entries that map it; this kernel has no such field'
    : 'page-table entries that map it: the walk may end when it has met so many';
  const fields: Field[] = [
    field('page_to_pfn', `${pfn} = ${hex(pfn)}`, `at ${hex(pfn * 4096)} of physical memory, in ${who.zone}`),
    field('flags', flagWords(machine, pfn).join(' ') || 'none', 'what the kernel has noted of it'),
    field(count, who.refcount, 'whoever holds it: entries, the page cache, somebody who works on it'),
    field(hasMapcount ? '_mapcount + 1' : '(mapcount)', who.mapcount, mapcountSays),
    field('mapping', mappingWord(machine, pfn).pointer, mappingWord(machine, pfn).says),
    indexField(machine, who.index, isAnon, known),
    field('list', who.lru, 'the queue of reclaim on which it waits'),
    field('reclaim', who.reclaim.kind, who.reclaim.reason),
    ...(machine.generation.cgroups && known ? [field('cgroup', who.memcg || 'nobody', 'who is charged for it')] : []),
    ...(large === undefined
      ? []
      : [
          field(
            'folio',
            `${large.mapcount} mappings`,
            `${large.entireMapcount} of them of all 2 MiB; ${large.pagesMapped} of its pages are mapped`,
          ),
        ]),
    ...(who.structPage === undefined
      ? []
      : [field('struct page', who.structPage, 'as a reader of this kernel would print it')]),
  ];
  return { kind: 'frame', column: 0, title: `frame ${pfn}`, lines, fields, tag: mappingWord(machine, pfn) };
}

function indexField(machine: Machine, index: number | null, isAnon: boolean, known: boolean): Field {
  if (index === null) return field('index', '?', 'of an anonymous page it says nothing');
  if (!known) return field('index', index, 'of no meaning without a mapping');
  if (!isAnon) return field('index', index, 'its page of the file');
  const isPlace = machine.generation.switches.indexesAnon;
  return field(
    'index',
    hex(index),
    isPlace ? 'its place in the object: the page at which it was first mapped' : 'its swap entry',
  );
}

/** The object that the mapping names; null: none. */
export function ownerNode(machine: Machine, pfn: Pfn): NewNode | null {
  const owner: unknown = ownerOf(machine, machine.frames.mapping(pfn));
  if (owner instanceof AddressSpace) return fileNode(machine, owner);
  if (owner instanceof StableNode) {
    const lines = [counted(owner.items.length, 'rmap_item'), `content ${owner.token}`];
    const fields = [
      field('kpfn', owner.kpfn, 'the frame that all share'),
      field('hlist', owner.items.length, 'rmap_items: where ksmd found pages equal to it, the newest first'),
      field('content', owner.token, 'a number that stands for its bytes: they cannot change any more'),
    ];
    return { kind: 'owner', column: 1, title: `stable node ${owner.id}`, lines, fields };
  }
  if (machine.frames.mapcount(pfn) === 0) return null;
  if (owner instanceof AnonVmaList) {
    const fields = [
      field(
        'head',
        counted(owner.size, 'VMA'),
        'one flat list: parent, children and their children, in order of coming',
      ),
    ];
    return {
      kind: 'owner',
      column: 1,
      title: `anon_vma ${owner.id}`,
      lines: [`a list of ${counted(owner.size, 'VMA')}`],
      fields,
    };
  }
  return owner instanceof AnonVma ? anonVmaNode(owner, 'owner') : null;
}

export function anonVmaNode(anonVma: AnonVma, kind: 'owner' | 'parent'): NewNode {
  const { id, root, parent, tree, refcount, numChildren, numActiveVmas } = anonVma;
  const lines = [
    `tree of ${counted(tree.size, 'link')}`,
    ...(parent === anonVma ? ['root'] : [`parent ${parent.id} · root ${root.id}`]),
  ];
  const fields = [
    field('rb_root', counted(tree.size, 'link'), 'anon_vma_chain objects, by the pages that their VMAs show'),
    field('root', root.id, 'of the whole family: its lock is the lock of all'),
    field('parent', parent.id, 'from which a fork came; a root is its own'),
    field('refcount', refcount, 'itself, and of a root each anon_vma of the family'),
    field('num_children', numChildren, 'anon_vmas whose parent it is'),
    field('num_active_vmas', numActiveVmas, 'VMAs that put new pages here; with none of them, a fork may take it over'),
  ];
  return { kind, column: 1, title: `anon_vma ${id}`, lines, fields };
}

function fileNode(machine: Machine, file: AddressSpace): NewNode {
  const { host, iMmap } = file;
  const nonlinear = nonlinearVmas(file).length;
  const form = fileForm(machine, file);
  const fields = [
    field(
      'host',
      `inode ${host.ino}`,
      host.kind === 'tmpfs'
        ? 'shared memory, or a file of tmpfs'
        : host.kind === 'bdev'
          ? 'a block device'
          : 'a file on disk',
    ),
    field('nrpages', file.nrpages, 'its pages in memory'),
    field('i_mmap', counted(iMmap.size - nonlinear, 'VMA'), 'that map a part of it'),
    ...(nonlinear === 0
      ? []
      : [field('i_mmap_nonlinear', counted(nonlinear, 'VMA'), 'whose pages stand in any order')]),
    field('i_mmap_writable', file.iMmapWritable, 'shared mappings that may write'),
  ];
  return { kind: 'owner', column: 1, title: nameOf(host.name), lines: [form, counted(iMmap.size, 'VMA')], fields };
}

function fileForm({ rmap }: Machine, { iMmap }: AddressSpace): string {
  if (rmap.walksAll === true) return 'i_mmap, i_mmap_shared: lists';
  if (rmap instanceof PteChainRmap) return 'i_mmap: nobody asks it';
  const linear = iMmap instanceof NonlinearFileVmas ? iMmap.linear : iMmap;
  return linear instanceof PrioTree ? 'i_mmap: prio_tree' : 'i_mmap: interval tree';
}

/** The end of a path says most. */
export function nameOf(name: string): string {
  const short = name.split('/').at(-1)!;
  return short.length > 24 ? `…${short.slice(-23)}` : short;
}

/** The swap slot of a page in the swap cache; null: it is not there. */
export function slotNode(machine: Machine, pfn: Pfn): NewNode | null {
  if (!machine.frames.has(pfn, PG_swapcache)) return null;
  const { entry, count } = swapSlot(machine, pfn);
  const fields = [
    field(
      'swap entry',
      `area ${swpType(entry)}, slot ${swpOffset(entry)}`,
      `where its copy is, or will be; struct page has it in ${machine.generation.switches.indexesAnon ? 'private' : 'index'}`,
    ),
    field('swap_map', swapMap(machine, count), swapMapSays(machine)),
  ];
  return {
    kind: 'slot',
    column: 1,
    title: 'swap cache',
    lines: [`area ${swpType(entry)}, slot ${swpOffset(entry)}`, `swap_map ${swapMap(machine, count)}`],
    fields,
  };
}

export function swapSlot(machine: Machine, pfn: Pfn): { entry: SwapEntry; count: number } {
  const { frames, swap } = machine;
  const head =
    frames.has(pfn, PG_tail) && machine.largeFolios.has(compoundHead(machine, pfn)) ? compoundHead(machine, pfn) : pfn;
  const entry = (frames.private_(head) + (pfn - head)) as SwapEntry;
  return { entry, count: swap.areaOf(entry).exactCount(swpOffset(entry)) };
}

/** The slot's count as this kernel has it, of a page that is in the swap cache. */
export function swapMap(machine: Machine, entries: number): string {
  return hasCacheFlag(machine) ? `${entries} | SWAP_HAS_CACHE` : String(entries + 1);
}

export function swapMapSays(machine: Machine): string {
  const more = hasCacheFlag(machine)
    ? 'and that the swap cache has the page'
    : 'and the swap cache, which counts as one';
  return `page-table entries that hold the slot in place of a frame, ${more}`;
}

function hasCacheFlag({ generation }: Machine): boolean {
  return isSince(generation.version, '2.6.31');
}

/** Why no entry is found; null: somebody maps it. */
export function whyNobody(machine: Machine, pfn: Pfn): string | null {
  const { frames } = machine;
  const zero = zeroPageText(machine, pfn);
  if (zero !== null) return zero;
  if (frames.mapcount(pfn) > 0) return null;
  if (frames.has(pfn, PG_buddy) || (frames.refcount(pfn) === 0 && !frames.has(pfn, PG_tail)))
    return 'The frame is free: no page is in it.';
  if (frames.has(pfn, PG_reserved))
    return 'The frame is reserved for the kernel: it is in no list and in no page table of a process.';
  if (frames.has(pfn, PG_slab))
    return 'Slab: the kernel keeps small objects of its own here, and reaches them by their address.';
  if (frames.has(pfn, PG_table)) return 'A page table: it maps others, and nobody maps it.';
  const owner: unknown = ownerOf(machine, frames.mapping(pfn));
  if (owner instanceof AddressSpace) {
    const many = owner.iMmap.size;
    return many === 0
      ? `A page of the cache of "${owner.host.name}": it came by read, write or readahead. No VMA shows the file, so nobody can map the page.`
      : `A page of the cache of "${owner.host.name}" that nobody maps now: mapcount is 0, so the kernel does not even begin to walk.`;
  }
  if (frames.has(pfn, PG_swapcache)) {
    const { count } = swapSlot(machine, pfn);
    return `The page is in the swap cache and mapped by nobody: ${counted(count, 'page-table entry has', 'page-table entries have')} its slot in place of the frame.`;
  }
  if ((frames.mapping(pfn) & PAGE_MAPPING_ANON) !== 0)
    return 'Anonymous memory that nobody maps any more: it is freed when its last holder lets it go.';
  const block = frames.has(pfn, PG_head | PG_tail) ? ', in a block of several pages' : '';
  return `Memory of the kernel${block}: it has no mapping, so no way leads from it to a process.`;
}

/** The page of zeros is in many tables, and counted in none. */
function zeroPageText(machine: Machine, pfn: Pfn): string | null {
  const { hugeZeroPfn, zeroPfn } = machine;
  const isHuge = hugeZeroPfn >= 0 && pfn >= hugeZeroPfn && pfn < hugeZeroPfn + HUGE_ZERO_PAGES;
  if (pfn !== zeroPfn && !isHuge) return null;
  return `The shared page of zeros: whoever reads memory that was never written gets it. Its entries are marked special and not counted, so no reverse map leads to them. Here ${counted(entriesOf(machine, pfn), 'entry shows', 'entries show')} it, found by looking through every page table.`;
}

function entriesOf(machine: Machine, pfn: Pfn): number {
  const { pageTables } = machine;
  let found = 0;
  for (const { pageTables: root, vmas } of machine.mms) {
    for (const { vmStart, vmEnd } of vmas) {
      for (let at = pageTables.nextTable(root, vmStart, vmEnd); at < vmEnd; ) {
        const slot = pageTables.slotOf(root, at);
        if (pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn) found += 1;
        at = pageTables.nextTable(root, (at + 1) as typeof at, vmEnd);
      }
    }
  }
  return found;
}
