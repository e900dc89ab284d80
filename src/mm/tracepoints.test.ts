/** Who listens learns what reclaim does, in pairs and in order, and changes nothing by listening. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import type { TracepointName } from './tracepoints.ts';
import { MAP_SHARED } from './uapi.ts';

const MIB: number = 2 ** 20;

/** Memory is short for the machine or, with a limit, for the cgroup; at last somebody is killed. */
function pressed(
  limit: number | undefined,
  kernel: string,
  listener: ((name: TracepointName, values: readonly number[]) => void) | null,
): Space {
  const s = new Space({
    kernel,
    ramBytes: 16 * MIB,
    swap: 'disk',
    swapBytes: 4 * MIB,
    ...(limit === undefined ? {} : { limit }),
  });
  const end = listener === null ? null : s.machine.trace.listen((_, name, values) => listener(name, values));
  const file = s.file('disk', 2000);
  s.map(0, 2000, MAP_SHARED, undefined, file);
  s.map(2048, 3000);
  s.map(5048, 3000);
  for (let page = 0; page < 2000; page++) s.load(page);
  for (let page = 0; page < 500; page++) s.store(page);
  for (let page = 2048; page < 8000 && !s.task.killed; page++) s.store(page);
  s.machine.advance(1e9);
  end?.();
  return s;
}

for (const kernel of ['6.18', '6.1']) {
  describe(kernel, () => {
    for (const { why, limit, names } of [
      {
        why: 'the machine',
        limit: undefined,
        names: [
          'mm_vmscan_wakeup_kswapd',
          'mm_vmscan_kswapd_wake',
          'mm_vmscan_kswapd_sleep',
          'mm_vmscan_direct_reclaim_begin',
          'mm_vmscan_direct_reclaim_end',
        ],
      },
      { why: 'a cgroup', limit: 600, names: ['mm_vmscan_memcg_reclaim_begin', 'mm_vmscan_memcg_reclaim_end'] },
    ] as const) {
      test(`memory is short for ${why}`, () => {
        const count: Partial<Record<TracepointName, number>> = {};
        const s = pressed(limit, kernel, (name) => {
          count[name] = (count[name] ?? 0) + 1;
        });
        const always = [
          'page_fault_user',
          'mm_page_alloc',
          'mm_vmscan_lru_isolate',
          'mm_vmscan_lru_shrink_inactive',
          'mm_vmscan_lru_shrink_active',
          'oom_kill',
        ];
        expect(Object.keys(count)).toEqual(expect.arrayContaining([...always, ...names]));
        expect(count.mm_vmscan_direct_reclaim_begin).toBe(count.mm_vmscan_direct_reclaim_end);
        expect(count.mm_vmscan_memcg_reclaim_begin).toBe(count.mm_vmscan_memcg_reclaim_end);
        expect(count.mm_vmscan_kswapd_wake).toBe(count.mm_vmscan_kswapd_sleep);
        expect([s.machine.trace.on, s.machine.verify()]).toEqual([false, []]);
        expect(s.machine.stateHash()).toBe(pressed(limit, kernel, null).machine.stateHash());
      });
    }
  });
}

test('a listener that has ended hears nothing, and ends only once', () => {
  const { machine } = new Space();
  const heard: string[] = [];
  const ends = ['a', 'b'].map((who) => machine.trace.listen((_, name) => heard.push(`${who} ${name}`)));
  ends[0]!();
  ends[0]!();
  machine.trace.emit(0, 'oom_kill', 1);
  expect([heard, machine.trace.on]).toEqual([['b oom_kill'], true]);
  ends[1]!();
  expect(machine.trace.on).toBe(false);
});
