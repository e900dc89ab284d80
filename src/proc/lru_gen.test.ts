import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { age } from '../mm/mglru/aging.ts';
import { lruGen } from './lru_gen.ts';

const PROGRAM = /memcg {5}2 \/test\n[^m]*/;

for (const [kernel, secondYoungest, youngest] of [
  ['6.1', 0, 80],
  ['6.18', 80, 0],
] as const) {
  test(`[6.x MGLRU] ${kernel}: lru_gen has a line for each generation, the oldest first`, () => {
    const s = new Space({ kernel, mglru: true });
    const { machine } = s;
    const show = (): string => PROGRAM.exec(lruGen(machine))![0];
    s.map(0, 80);
    s.storeAll(0, 80);
    machine.lru.drain();
    machine.advance(100_000_000);
    expect(show()).toBe(`memcg     2 /test
 node     0
          0        100          0           0 
          1        100          0           0 
          2        100 ${column(secondYoungest)}           0 
          3        100 ${column(youngest)}           0 
`);
    // Half of them are used, which 6.18 believes the second time.
    for (let i = 0; i < 3; i++) {
      s.mm.usedOn = -1;
      s.loadAll(40, 40);
      age(machine.multiGen!, s.lruvec(), 60);
      machine.advance(12_000_000);
    }
    expect(show()).toBe(`memcg     2 /test
 node     0
          3        136         40           0 
          4         36          0           0 
          5         24         40           0 
          6         12          0           0 
`);
  });
}

function column(pages: number): string {
  return String(pages).padStart(10);
}

test('a machine with lists of active pages shows none', () => {
  expect(lruGen(new Space().machine)).toBe('');
});
