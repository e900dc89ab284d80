/**
 * struct page of each generation: its fields in order, where each lies on x86, and what it is for.
 *
 *   2.4 44–52 bytes (i386)    2.5 40 (i386)    2.6 56    3.16 56 (64 with SLUB)    6.x 64 (x86-64)
 *
 * Owns      the tables. Unions show the member that the page's state gives a meaning to, under the name that is read first.
 * Linux     include/linux/mm.h (2.4.19, 2.5.59), include/linux/mm_types.h (2.6.24, 2.6.26, 3.16, 6.1, 6.18): struct page, struct folio
 */
import {
  type Decoder,
  flagsField,
  indexField,
  lruField,
  mapcountField,
  mappingField,
  memcgField,
  privateField,
  pteField,
  refcountField,
} from './struct_page_values.ts';

interface FieldPlace {
  readonly name: string;
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  /** One sentence. */
  readonly says: string;
  readonly decode: Decoder;
}

export interface Layout {
  readonly arch: 'i386' | 'x86-64';
  readonly bytes: number;
  readonly note: string;
  readonly fields: readonly FieldPlace[];
}

function field(name: string, type: string, offset: number, size: number, decode: Decoder, says: string): FieldPlace {
  return { name, type, offset, size, says, decode };
}

const FLAGS = 'What the page is and what is being done with it, one bit each; the top says its zone and node.';
const COUNT = 'References: 0 is free. Each page-table entry, the page cache and whoever works on it hold one.';
const MAPCOUNT = 'Entries that map it, minus one: reclaim need not look for mappings where there are none.';
const MAPPING =
  'Whose page it is: a file’s page cache, or with the low bit set an anon_vma. The way back to its VMAs begins here.';
const INDEX = 'Which page of its owner it is.';
const LRU = 'Its place on a list: of reclaim, of free blocks, or of a CPU.';
const PRIVATE = 'What the state makes of it: buffers, the slot in the swap area, the order of a free block.';

export const LAYOUT_2_5: Layout = {
  arch: 'i386',
  bytes: 40,
  note: 'Of 2.5.59 this machine has the reverse map, `pte`; the rest behaves as in 2.6.24.',
  fields: [
    field('flags', 'unsigned long', 0, 4, flagsField, FLAGS),
    field('count', 'atomic_t', 4, 4, refcountField, COUNT),
    field(
      'list',
      'struct list_head',
      8,
      8,
      () => ({ raw: '–', value: 'on its mapping’s list of clean, dirty, locked or io pages; not kept here' }),
      'Its place among the pages of its file.',
    ),
    field(
      'mapping',
      'struct address_space *',
      16,
      4,
      mappingField,
      'The file that it belongs to; NULL if it is anonymous.',
    ),
    field('index', 'unsigned long', 20, 4, indexField, INDEX),
    field('lru', 'struct list_head', 24, 8, lruField, LRU),
    field(
      'pte',
      'union { pte_chain *, pte_addr_t }',
      32,
      4,
      pteField,
      'Every entry that maps it: the way back needs no search, and each mapping costs memory.',
    ),
    field('private', 'unsigned long', 36, 4, privateField, PRIVATE),
  ],
};

export const LAYOUT_2_6: Layout = {
  arch: 'x86-64',
  bytes: 56,
  note: '',
  fields: [
    field('flags', 'unsigned long', 0, 8, flagsField, FLAGS),
    field('_count', 'atomic_t', 8, 4, refcountField, COUNT),
    field('_mapcount', 'union { atomic_t, inuse }', 12, 4, mapcountField, `${MAPCOUNT} SLUB counts its objects here.`),
    field('private', 'unsigned long', 16, 8, privateField, PRIVATE),
    field('mapping', 'struct address_space *', 24, 8, mappingField, MAPPING),
    field('index', 'union { pgoff_t, freelist }', 32, 8, indexField, INDEX),
    field('lru', 'struct list_head', 40, 16, lruField, LRU),
  ],
};

export const LAYOUT_3: Layout = {
  arch: 'x86-64',
  bytes: 56,
  note: '64 bytes with SLUB, which wants pairs of words aligned. The cgroup stands beside, in struct page_cgroup.',
  fields: [
    field('flags', 'unsigned long', 0, 8, flagsField, FLAGS),
    field('mapping', 'union { address_space *, s_mem }', 8, 8, mappingField, MAPPING),
    field('index', 'union { pgoff_t, freelist }', 16, 8, indexField, INDEX),
    field('_mapcount', 'union { atomic_t, inuse:16 … }', 24, 4, mapcountField, `${MAPCOUNT} −128 marks a free block.`),
    field('_count', 'atomic_t', 28, 4, refcountField, COUNT),
    field('lru', 'union { list_head, slab … }', 32, 16, lruField, LRU),
    field('private', 'union { unsigned long, first_page … }', 48, 8, privateField, PRIVATE),
  ],
};

const FIELDS_6: readonly FieldPlace[] = [
  field('flags', 'unsigned long', 0, 8, flagsField, FLAGS),
  field(
    'lru',
    'union { list_head, compound_head … }',
    8,
    16,
    lruField,
    `${LRU} In a tail: a pointer to the head, with bit 0 set.`,
  ),
  field('mapping', 'struct address_space *', 24, 8, mappingField, MAPPING),
  field('index', 'pgoff_t', 32, 8, indexField, INDEX),
  field('private', 'union { unsigned long, swp_entry_t swap }', 40, 8, privateField, PRIVATE),
  field(
    '_mapcount',
    'union { atomic_t, page_type }',
    48,
    4,
    mapcountField,
    `${MAPCOUNT} What is never mapped has its type here.`,
  ),
  field('_refcount', 'atomic_t', 52, 4, refcountField, COUNT),
  field('memcg_data', 'unsigned long', 56, 8, memcgField, 'The memory cgroup that pays for it.'),
];

export const LAYOUT_6_1: Layout = {
  arch: 'x86-64',
  bytes: 64,
  note: 'struct folio lays the same bytes over the head of a block; the counts of the whole block lie in its first tail.',
  fields: FIELDS_6,
};

export const LAYOUT_6_18: Layout = {
  ...LAYOUT_6_1,
  fields: FIELDS_6.map((one) => (one.name === 'flags' ? { ...one, type: 'memdesc_flags_t' } : one)),
};
