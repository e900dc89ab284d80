import { expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { MEMCG_LRU_TAIL, MEMCG_LRU_YOUNG, type MemcgLru } from './memcg_lru.ts';

function setup(): { s: Space; order: MemcgLru } {
  const s = new Space({ mglru: true });
  for (let i = 0; i < 6; i++) s.machine.newCgroup(`c${i}`);
  return { s, order: s.machine.multiGen!.memcgLrus[0]! };
}

/** Whom a visit meets, when each answers so. */
function met(order: MemcgLru, answer: number, most = 100): string[] {
  const names: string[] = [];
  order.visit(
    (lruvec) => {
      names.push(lruvec.memcg.name);
      return answer;
    },
    () => names.length >= most,
  );
  return names;
}

test('[6.x MGLRU] every cgroup has its turn, the root included', () => {
  const { order } = setup();
  expect(met(order, 0).sort()).toEqual(['/', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'test']);
});

test('[6.x MGLRU] who was aged waits until all others had their turn', () => {
  const { order } = setup();
  const first = met(order, MEMCG_LRU_YOUNG, 3);
  expect(first.length).toBe(3);
  const second = met(order, MEMCG_LRU_YOUNG);
  expect(second.filter((name) => first.includes(name))).toEqual([]);
  expect([...first, ...second].length).toBe(8);
  // And then it begins anew.
  expect(met(order, 0).length).toBe(8);
});

test('[6.x MGLRU] who is to be asked once more stays in its generation', () => {
  const { s, order } = setup();
  const [name] = met(order, MEMCG_LRU_TAIL, 1);
  const lruvec = s.machine.memcgs.find((memcg) => memcg?.name === name)!.lruvecs[0]!;
  expect(lruvec.lruGen!.memcgSeg).toBe(MEMCG_LRU_TAIL);
  expect(met(order, 0).length).toBe(8);
});
