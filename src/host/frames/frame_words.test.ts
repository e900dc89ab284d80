/** Words of flags beside what page-types (Linux 6.12) printed for them. */
import { expect, test } from 'vitest';
import { expandedFlags, flagBit, flagHex, flagLetters, flagNames, wellKnownFlags } from './frame_words.ts';

for (const { why, word, raw, line } of [
  { why: 'nothing', word: 0n, raw: false, line: '0x0000000000000000 ___________________________________________ ' },
  {
    why: 'a mapped page of a file',
    word: 0x40000086cn,
    raw: false,
    line: '0x000000000000086c __RU_lA____M_______________________________ referenced,uptodate,lru,active,mmap',
  },
  {
    why: 'raw, also what kernel developers want',
    word: 0x100000000n,
    raw: true,
    line: '0x0000000100000000 ___________________________r_______________ reserved',
  },
  {
    why: 'raw, a bit with two meanings has the one that fits an anonymous page',
    word: 0x400005828n,
    raw: true,
    line: '0x0000800000005828 ___U_l_____Ma_b_____________________d______ uptodate,lru,mmap,anonymous,swapbacked,anon_exclusive',
  },
  {
    why: 'a large folio is hidden, but as what it is',
    word: 0x802410028n,
    raw: false,
    line: '0x0000000002400028 ___U_l________________t__i_________________ uptodate,lru,thp,idle_page',
  },
  {
    why: 'raw, readahead is the same bit as reclaim',
    word: 0x228n,
    raw: true,
    line: '0x0001000000000028 ___U_l_______________________________I_____ uptodate,lru,readahead',
  },
  { why: 'a bit without name', word: 1n << 44n, raw: true, line: `0x0000100000000000 ${'_'.repeat(43)} bit44` },
])
  test(`flags: ${why}`, () => {
    const shown = raw ? expandedFlags(word) : wellKnownFlags(word);
    expect(`${flagHex(shown)} ${flagLetters(shown)} ${flagNames(shown)}`).toBe(line);
  });

test('flagBit: a name, or a beginning that only one name has', () => {
  expect(['dirty', 'anon_ex', 'mmap', 'slab', 'sl', 'a', '', 'x'].map(flagBit)).toEqual([
    4,
    47,
    11,
    7,
    null,
    null,
    null,
    null,
  ]);
});
