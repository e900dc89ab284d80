/**
 * struct page of 2.4, field by field, from mm/struct_page_2_4.ts.
 *
 * Linux     2.4.18, 2.4.19 include/linux/mm.h: mem_map_t
 */
import type { Machine } from '../mm/machine.ts';
import { hasZoneBits, zoneBits } from '../mm/page_flags_2_4.ts';
import { structPage, structPageBytes, structPageFields } from '../mm/struct_page_2_4.ts';
import { flagTable } from '../mm/struct_page_flags.ts';
import type { Pfn, SwapEntry } from '../mm/units.ts';
import { swpOffset, swpType } from '../mm/units.ts';
import type { StructField, StructPageAnswer } from './struct_page.ts';
import { type FieldValue, lruField, refcountField } from './struct_page_values.ts';

const TYPES: Readonly<Record<string, readonly [type: string, says: string]>> = {
  list: [
    'struct list_head',
    'Its place on a list of its file, of free blocks, or its slab: whatever the state makes of it.',
  ],
  mapping: [
    'struct address_space *',
    'The file whose page it is, or swapper_space for the swap cache. Anonymous: NULL, and no way back to who maps it.',
  ],
  index: ['unsigned long', 'Which page of the file; in the swap cache the slot.'],
  next_hash: ['struct page *', 'The next page in its bucket of the page hash table.'],
  count: [
    'atomic_t',
    'References: 0 is free. Each page-table entry, the page cache and buffers hold one; 2.4 counts no mappings apart.',
  ],
  flags: [
    'unsigned long',
    'What the page is and what is being done with it, one bit each; the top eight name its zone.',
  ],
  lru: ['struct list_head', 'Its place on active_list or inactive_list, which are the same for all memory.'],
  pprev_hash: ['struct page **', 'What points to it in the hash table: a bucket, or the page before.'],
  buffers: ['struct buffer_head *', 'Its blocks on a disk.'],
  virtual: ['void *', 'Where the kernel sees it; NULL for high memory that is not mapped now.'],
  zone: ['struct zone_struct *', 'Its zone: 2.4.19 has the number in the flags instead.'],
};

export function structPage_2_4(machine: Machine, pfn: Pfn): Omit<StructPageAnswer, 'pfn' | 'kernel'> {
  const highmem = machine.zones.some((zone) => zone.name === 'HighMem' && zone.spannedPages > 0);
  const layout = { highmem, zonePointer: !hasZoneBits(machine), waitQueue: false };
  const values = valuesOf(machine, pfn);
  let offset = 0;
  const fields = structPageFields(layout).map(([name, size]): StructField => {
    const [type, says] = TYPES[name]!;
    const at = offset;
    offset += size;
    return { name, type, offset: at, size, says, ...values[name]! };
  });
  const note = highmem ? 'With CONFIG_HIGHMEM: `virtual` is part of it.' : 'Without high memory there is no `virtual`.';
  return { arch: 'i386', bytes: structPageBytes(layout), note, fields };
}

function valuesOf(machine: Machine, pfn: Pfn): Readonly<Record<string, FieldValue>> {
  const page = structPage(machine, pfn);
  const table = flagTable(machine);
  const bits = page.flagNames.map((name) => table.find((one) => one.name === name)!);
  const { pprevHash, nextHash } = page;
  return {
    list: { raw: page.list, value: page.list === 'none' ? 'on none' : page.list },
    mapping: { raw: page.mapping === 'NULL' ? 'NULL' : `&${page.mapping}`, value: mappingWords(page.mapping) },
    index: {
      raw: page.indexUse === 'nothing' ? '?' : String(page.index),
      value: indexWords(page.indexUse, page.index),
    },
    next_hash: {
      raw: nextHash === null ? 'NULL' : `page ${nextHash}`,
      value: nextHash === null ? 'the last of its bucket, or in none' : 'the next page of its bucket',
      ...(nextHash === null ? {} : { links: [{ label: 'next in the bucket', pfn: nextHash }] }),
    },
    count: refcountField(machine, pfn),
    flags: {
      raw: `0x${page.flags.toString(16).padStart(8, '0')}`,
      value: page.zone === null ? `zone ${machine.zones[zoneBits(page.flags)]?.name} in bits 24 to 31` : '',
      bits,
    },
    lru: lruField(machine, pfn),
    pprev_hash: {
      raw:
        pprevHash === null
          ? 'NULL'
          : 'pfn' in pprevHash
            ? `&page ${pprevHash.pfn}->next_hash`
            : `&bucket ${pprevHash.bucket}`,
      value:
        pprevHash === null
          ? 'not in the page hash table'
          : 'pfn' in pprevHash
            ? 'behind another page'
            : 'the first of its bucket',
      ...(pprevHash !== null && 'pfn' in pprevHash
        ? { links: [{ label: 'before it in the bucket', pfn: pprevHash.pfn }] }
        : {}),
    },
    buffers: page.buffers === 0 ? { raw: 'NULL', value: 'none' } : { raw: '&buffer_head', value: 'one block of 4 KiB' },
    virtual:
      page.virtual === 0
        ? { raw: 'NULL', value: 'the kernel cannot see it now' }
        : { raw: `0x${page.virtual.toString(16)}`, value: 'mapped there' },
    zone: { raw: `&zone ${page.zone}`, value: page.zone ?? '' },
  };
}

function mappingWords(mapping: string): string {
  if (mapping === 'NULL') return 'anonymous, free, or the kernel’s';
  return mapping === 'swapper_space'
    ? 'in the swap cache (this is what PageSwapCache tests)'
    : `the page cache of ${mapping}`;
}

function indexWords(use: string, index: number): string {
  if (use === 'offset') return `page ${index} of the file: byte ${index * 4096} on`;
  if (use === 'swap entry')
    return `swap entry: slot ${swpOffset(index as SwapEntry)} of area ${swpType(index as SwapEntry)}`;
  return use === 'order' ? `order of a block that a task keeps for itself: ${index}` : 'of this page it says nothing';
}
