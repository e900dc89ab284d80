/** Who dies in 2.4, and when. */
import { describe, expect, test } from 'vitest';
import { Space_2_4 } from '../../test/space_2_4.ts';
import { badness, intSqrt, OomClock, outOfMemory_2_4, selectBadProcess } from './oom_2_4.ts';
import { swapon } from './swap/swapfile.ts';
import type { Task } from './task.ts';
import { OOM_KILL } from './vmstat.ts';

const SECOND = 1e9;

describe('[2.4 OOM] the root', () => {
  for (const [x, want] of [
    [0, 1],
    [1, 1],
    [4, 2],
    [16, 3],
    [64, 6],
    [100, 9],
  ] as const) {
    test(`[2.4 vector OOM root approximation] the root of ${x} is ${want}`, () => expect(intSqrt(x)).toBe(want));
  }
});

/** Calls at these seconds; how many were killed after each. */
function calls(s: Space_2_4, oom: OomClock, seconds: readonly number[]): number[] {
  return seconds.map((at) => {
    s.machine.runUntil(Math.round(at * 10) * (SECOND / 10));
    outOfMemory_2_4(s.machine, oom);
    return s.event(OOM_KILL);
  });
}

describe('[2.4 OOM] timing', () => {
  const tenth = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i / 10);

  test('[2.4 OOM] not in the first second, and not before the tenth call behind it', () => {
    const s = new Space_2_4();
    s.map(0, 10);
    const killed = calls(s, new OomClock(), tenth(10, 25));
    // 10.0 begins the episode; 11.0 is the first call a second later, 11.9 the tenth.
    expect(killed.indexOf(1)).toBe(19);
    expect(s.task.killed).toBe(true);
  });

  test('[2.4 OOM] five seconds without a call begin a new episode', () => {
    const s = new Space_2_4();
    s.map(0, 10);
    const oom = new OomClock();
    expect(calls(s, oom, [...tenth(10, 19), 17.5, ...tenth(17.6, 18)]).at(-1)).toBe(0);
    expect(calls(s, oom, tenth(19.4, 1))).toEqual([1]);
  });

  test('[2.4 OOM] after a kill five seconds pass before the next, however long memory stays short', () => {
    const s = new Space_2_4();
    s.map(0, 10);
    s.fork();
    const killed = calls(s, new OomClock(), tenth(10, 80));
    const first = killed.indexOf(1);
    const second = killed.indexOf(2);
    expect([first, second]).toEqual([19, 69]);
  });

  test('[2.4 OOM] never while swap has a free slot; ten seconds of standstill are an exception that Linux does not make', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 10);
    const oom = new OomClock();
    expect(calls(s, oom, tenth(10, 99)).at(-1)).toBe(0);
    oom.progress();
    expect(calls(s, oom, tenth(20, 99)).at(-1)).toBe(0);
    expect(calls(s, oom, [30.1])).toEqual([1]);
  });
});

describe('[2.4 OOM] points', () => {
  /** total_vm of 1000 pages, 10 minutes of CPU time, a day of age. */
  function old(): { s: Space_2_4; task: Task; now: number } {
    const s = new Space_2_4();
    s.map(0, 1000);
    s.task.cpuNs = 600 * SECOND;
    return { s, task: s.task, now: 86400 * SECOND };
  }
  for (const { why, change, want } of [
    {
      why: 'a young process: all its pages',
      change: (t: Task) => Object.assign(t, { cpuNs: 0, startNs: 86400 * SECOND }),
      want: 1000,
    },
    // 600 s are 58 units, whose root is 7 here; a day is 65, whose root is 6, and of that 3.
    { why: 'CPU time and age divide', change: () => {}, want: 47 },
    { why: 'nice doubles', change: (t: Task) => Object.assign(t, { nice: 5 }), want: 94 },
    {
      why: 'an administrator counts a quarter',
      change: (t: Task) => Object.assign(t, { capSysAdmin: true }),
      want: 11,
    },
    {
      why: 'raw I/O a quarter of that',
      change: (t: Task) => Object.assign(t, { capSysAdmin: true, capSysRawio: true }),
      want: 2,
    },
    { why: 'a kernel thread has none', change: (t: Task) => Object.assign(t, { mm: null }), want: 0 },
  ]) {
    test(`[2.4 OOM] ${why}: ${want} points`, () => {
      const { task, now } = old();
      change(task);
      expect(badness(task, now)).toBe(want);
    });
  }

  test('[2.4 OOM] the worst dies, with all who share its memory; SIGTERM for raw I/O', () => {
    const s = new Space_2_4();
    s.map(0, 10);
    const child = s.fork();
    s.map(100, 10);
    expect(selectBadProcess(s.machine)).toBe(s.task);
    s.task.nice = 0;
    child.nice = 10;
    child.capSysRawio = false;
    s.task.capSysRawio = true;
    expect(selectBadProcess(s.machine)).toBe(child);
    const killed = calls(
      s,
      new OomClock(),
      Array.from({ length: 20 }, (_, i) => 10 + i / 10),
    );
    expect(killed.at(-1)).toBe(1);
    expect([child.killed, child.oomVictim, child.oomSigterm, s.task.killed]).toEqual([true, true, false, false]);
    // It does not run: what it had is free at once.
    expect(child.mm!.rssPages).toBe(0);
  });

  test('[2.4 OOM] a machine that is full without swap kills who grows, and lives on', () => {
    const s = new Space_2_4({ ramBytes: 4 * 2 ** 20 });
    s.map(0, 8);
    s.storeAll(0, 8);
    const child = s.fork();
    s.machine.current = child;
    const before = s.machine.clock.now;
    for (let i = 0; i < 4; i++) s.map(100 + i * 500, 500);
    s.machine.current = s.task;
    let at = 100;
    while (at < 2100 && s.store(at) === 0 && !s.task.killed) at += 1;
    expect(s.task.killed).toBe(true);
    expect(s.machine.clock.now - before).toBeGreaterThan(SECOND);
    s.exit(s.task);
    s.machine.current = child;
    expect(s.load(3, child.mm!)).toBe(0);
    expect(s.machine.verify()).toEqual([]);
    expect(swapon(s.machine, { bytes: 2 ** 20, device: 'zram' })).toBe(0);
  });
});
