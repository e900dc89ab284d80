import { expect, test } from 'vitest';
import { __GFP_MOVABLE, GFP_HIGHUSER, GFP_NOFS, GFP_USER } from './gfp.ts';
import { GFP_MASKS_2_4, gfpNames_2_4, gfpWord_2_4 } from './gfp_2_4.ts';

for (const [name, want] of [
  ['GFP_ATOMIC', 'HIGH'],
  ['GFP_NOIO', 'WAIT|HIGH'],
  ['GFP_NOHIGHIO', 'WAIT|HIGH|IO'],
  ['GFP_NOFS', 'WAIT|HIGH|IO|HIGHIO'],
  ['GFP_USER', 'WAIT|IO|HIGHIO|FS'],
  ['GFP_KSWAPD', 'WAIT|IO|HIGHIO|FS'],
  ['GFP_HIGHUSER', 'HIGHMEM|WAIT|IO|HIGHIO|FS'],
  ['GFP_KERNEL', 'WAIT|HIGH|IO|HIGHIO|FS'],
] as const) {
  test(`${name} of 2.4 is ${want}`, () => expect(gfpNames_2_4(GFP_MASKS_2_4.get(name)!)).toBe(want));
}

test('requests of common code in the bits of 2.4', () => {
  expect(gfpWord_2_4(GFP_USER)).toBe(GFP_MASKS_2_4.get('GFP_USER'));
  expect(gfpWord_2_4(GFP_HIGHUSER | __GFP_MOVABLE)).toBe(GFP_MASKS_2_4.get('GFP_HIGHUSER'));
  expect(gfpNames_2_4(gfpWord_2_4(GFP_NOFS))).toBe('WAIT|IO|HIGHIO');
});
