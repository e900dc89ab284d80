/**
 * A frame's word of flags as `page-types` prints it: letters, and names.
 *
 * Owns      the names by bit. The kernel's own are in include/uapi/linux/kernel-page-flags.h and never change; from bit 47 on
 *           they are what page-types makes of a flag that has two meanings (`raw`).
 * Promises  Letters stand in the order of the bits, one place for each bit that has a name; a bit without name is `bitNN`.
 * Linux     6.18 tools/mm/page-types.c (since 6.12, without uncached): page_flag_name page_flag_longname well_known_flags expand_overloaded_flags
 */

const FLAGS: ReadonlyArray<readonly [bit: number, letter: string, name: string]> = [
  [0, 'L', 'locked'],
  [1, 'E', 'error'],
  [2, 'R', 'referenced'],
  [3, 'U', 'uptodate'],
  [4, 'D', 'dirty'],
  [5, 'l', 'lru'],
  [6, 'A', 'active'],
  [7, 'S', 'slab'],
  [8, 'W', 'writeback'],
  [9, 'I', 'reclaim'],
  [10, 'B', 'buddy'],
  [11, 'M', 'mmap'],
  [12, 'a', 'anonymous'],
  [13, 's', 'swapcache'],
  [14, 'b', 'swapbacked'],
  [15, 'H', 'compound_head'],
  [16, 'T', 'compound_tail'],
  [17, 'G', 'huge'],
  [18, 'u', 'unevictable'],
  [19, 'X', 'hwpoison'],
  [20, 'n', 'nopage'],
  [21, 'x', 'ksm'],
  [22, 't', 'thp'],
  [23, 'o', 'offline'],
  [24, 'z', 'zero_page'],
  [25, 'i', 'idle_page'],
  [26, 'g', 'pgtable'],
  [32, 'r', 'reserved'],
  [33, 'm', 'mlocked'],
  [34, 'd', 'owner_2'],
  [35, 'P', 'private'],
  [36, 'p', 'private_2'],
  [37, 'O', 'owner_private'],
  [38, 'h', 'arch'],
  [40, 'f', 'softdirty'],
  [41, 'H', 'arch_2'],
  [47, 'd', 'anon_exclusive'],
  [48, 'I', 'readahead'],
  [50, 'A', 'slub_frozen'],
  [51, 'E', 'slub_debug'],
  [61, 'F', 'file'],
  [62, 'w', 'swap'],
  [63, '1', 'mmap_exclusive'],
];

const BITS = new Map(FLAGS.map(([bit, , name]) => [name, bit]));

const LOWEST_HIDDEN_BIT = 32n;
const HIDDEN = 0xffffn << LOWEST_HIDDEN_BIT;
const COMPOUND = bit('compound_head') | bit('compound_tail');

function bit(name: string): bigint {
  return 1n << BigInt(BITS.get(name)!);
}

/** All names, in the order of the bits: what `--flag` takes. */
export const FLAG_NAMES: readonly string[] = FLAGS.map(([, , name]) => name);

/** The bit of a name, or of its beginning if no other name begins so; null for a name that is none. */
export function flagBit(name: string): number | null {
  const exact = BITS.get(name);
  if (exact !== undefined) return exact;
  const found = FLAGS.filter(([, , known]) => known.startsWith(name));
  return found.length === 1 && name !== '' ? found[0]![0] : null;
}

/** What page-types shows without `--raw`: no flags for kernel developers, no compound marks but hugetlb's. */
export function wellKnownFlags(word: bigint): bigint {
  const shown = word & ~HIDDEN;
  return (shown & bit('huge')) === 0n ? shown & ~COMPOUND : shown;
}

/** With `--raw`: flags that mean another thing here get the bit of that other thing. */
export function expandedFlags(word: bigint): bigint {
  let flags = word;
  const has = (name: string) => (word & bit(name)) !== 0n;
  const instead = (from: string, to: string) => {
    flags = (flags & ~bit(from)) | bit(to);
  };
  if (has('anonymous') && has('owner_2')) instead('owner_2', 'anon_exclusive');
  if (has('slab') && has('active')) instead('active', 'slub_frozen');
  if (has('slab') && has('error')) instead('error', 'slub_debug');
  if (has('reclaim') && !has('writeback')) instead('reclaim', 'readahead');
  return flags;
}

/** `__RUDlA____M__b___…`. */
export function flagLetters(word: bigint): string {
  return FLAGS.map(([at, letter]) => (((word >> BigInt(at)) & 1n) === 1n ? letter : '_')).join('');
}

/** `referenced,uptodate,dirty`. */
export function flagNames(word: bigint): string {
  const names: string[] = [];
  for (let at = 0n, rest = word; rest > 0n; at += 1n, rest >>= 1n) {
    if ((rest & 1n) === 1n) names.push(FLAGS.find(([known]) => known === Number(at))?.[2] ?? `bit${at}`);
  }
  return names.join(',');
}

/** `0x000000000000086c`. */
export function flagHex(word: bigint): string {
  return `0x${word.toString(16).padStart(16, '0')}`;
}
