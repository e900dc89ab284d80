/** Each promise of the generations is checked: what breaks it is found. */
import { expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { PG_active, PG_lru } from '../page_flags.ts';
import type { Pfn } from '../units.ts';
import { verify } from '../verify.ts';
import { NO_GEN } from './folio_gens.ts';
import type { LruGen } from './lru_gen.ts';

type Damage = (pfn: Pfn, s: Space, lruGen: LruGen) => void;

const DAMAGES: readonly { why: string; damage: Damage; want: string }[] = [
  {
    why: 'a count',
    damage: (_pfn, _s, lruGen) => {
      const at = lruGen.pages.findIndex((pages) => pages > 0);
      lruGen.pages[at]! += 1;
    },
    want: 'say so',
  },
  {
    why: 'a page that says another generation than was counted',
    damage: (pfn, { machine }) => {
      const { gens } = machine.multiGen!;
      gens.setGen(pfn, (gens.gen(pfn) + 1) % 4);
    },
    want: 'say so',
  },
  {
    why: 'a page without a generation',
    damage: (pfn, { machine }) => machine.multiGen!.gens.setGen(pfn, NO_GEN),
    want: 'is in no generation',
  },
  {
    why: 'an active page on a list',
    damage: (pfn, { machine }) => machine.frames.set(pfn, PG_active),
    want: 'is active or unevictable',
  },
  {
    why: 'a page on a list without PG_lru',
    damage: (pfn, { machine }) => machine.frames.clear(pfn, PG_lru),
    want: 'lacks PG_lru',
  },
  {
    why: 'a page off the lists that is in a generation',
    damage: (pfn, { machine }) => machine.frames.listDel(pfn),
    want: 'as list',
  },
  {
    why: 'too many generations',
    damage: (_pfn, _s, lruGen) => (lruGen.maxSeq += 4),
    want: 'generations of type',
  },
];

for (const kernel of ['6.1', '6.18']) {
  for (const { why, damage, want } of DAMAGES) {
    test(`[6.x MGLRU] ${kernel}: verify finds ${why}`, () => {
      const s = new Space({ kernel, mglru: true });
      s.map(0, 8);
      s.storeAll(0, 8);
      s.machine.lru.drain();
      expect(verify(s.machine)).toEqual([]);
      damage(s.pfn(3), s, s.lruvec().lruGen!);
      expect(verify(s.machine).join('\n')).toContain(want);
    });
  }
}
