import { describe, expect, test } from 'vitest';
import { RandomProgram } from '../../test/random_machine.ts';
import { PAGE, Space } from '../../test/space.ts';
import { filemapRead } from './filemap.ts';
import { dupMm, newTask } from './fork.ts';
import { Machine } from './machine.ts';
import { loadPage, readToken, storePage } from './memory.ts';
import { copyGraph, stateHash } from './snapshot.ts';
import type { Token, Vpn } from './units.ts';
import { verify } from './verify.ts';
import { whoMaps } from './who.ts';

/** Something of everything: a fork, files, swap, time. */
function busy(): Space {
  const s = new Space({ swap: 'disk', limit: 250 });
  s.map(0, 300);
  s.storeAll(0, 200);
  s.fork();
  const file = s.file('disk', 64);
  filemapRead(s.machine, file, 0, 64 * 4096, null);
  s.storeAll(100, 150);
  return s;
}

/** Calls that reach into everything, of the first process of `machine`. */
function goOn(machine: Machine): void {
  const task = machine.tasks[0]!;
  const mm = task.mm!;
  machine.current = task;
  for (let i = 0; i < 300; i += 3) storePage(machine, mm, (PAGE + i) as Vpn, machine.newToken());
  const child = newTask(machine, 900, 'late', dupMm(machine, mm, task.memcg)!, task.memcg, task)!;
  for (let i = 0; i < 300; i += 7) loadPage(machine, child.mm!, (PAGE + i) as Vpn);
  machine.advance(6e9);
}

describe('a restored machine', () => {
  test('is the same, and goes on the same', () => {
    const { machine } = busy();
    const snapshot = machine.snapshot();
    const copy = Machine.restore(snapshot);
    expect(copy.stateHash()).toBe(machine.stateHash());
    expect(verify(copy)).toEqual([]);
    const before = machine.stateHash();
    goOn(machine);
    goOn(copy);
    expect(copy.stateHash()).toBe(machine.stateHash());
    expect(copy.stateHash()).not.toBe(before);
    expect([...verify(copy), ...verify(machine)]).toEqual([]);
  });

  test('and the one it came from do not change each other, nor the snapshot', () => {
    const { machine } = busy();
    const before = machine.stateHash();
    const snapshot = machine.snapshot();
    const copy = Machine.restore(snapshot);
    goOn(copy);
    expect(machine.stateHash()).toBe(before);
    goOn(machine);
    goOn(machine);
    const third = Machine.restore(snapshot);
    expect([third.stateHash() === before, copy.stateHash() === machine.stateHash()]).toEqual([true, false]);
    expect(verify(third)).toEqual([]);
  });

  test('has objects of its own with methods that work', () => {
    const s = busy();
    const copy = Machine.restore(s.machine.snapshot());
    const mm = copy.tasks[0]!.mm!;
    expect([mm === s.mm, mm.vmas.size, copy instanceof Machine]).toEqual([false, s.mm.vmas.size, true]);
    storePage(copy, mm, PAGE as Vpn, 4711 as Token);
    expect([readToken(copy, mm, PAGE as Vpn), readToken(s.machine, s.mm, PAGE as Vpn) === 4711]).toEqual([4711, false]);
    const pfn = copy.pageTables.pfn(copy.pageTables.slotOf(mm.pageTables, PAGE as Vpn));
    expect(whoMaps(copy, pfn).mappers.map((m) => m.pid)).toEqual([100]);
    expect(copy.current === copy.tasks[0]).toBe(true);
  });

  test('of a random program in the middle is as whole as that', () => {
    for (const seed of [3, 8, 21]) {
      const program = new RandomProgram(seed, seed === 8 ? '6.1' : '6.18');
      for (let step = 0; step < 60; step++) program.step();
      const copy = Machine.restore(program.machine.snapshot());
      expect([seed, copy.stateHash(), ...verify(copy)]).toEqual([seed, program.machine.stateHash()]);
    }
  });
});

test('the same calls give the same hash, on machines built one after the other', () => {
  const [a, b] = [busy().machine, busy().machine];
  expect(a.stateHash()).toBe(b.stateHash());
  goOn(a);
  goOn(b);
  expect([a.stateHash() === b.stateHash(), /^[0-9a-f]{16}$/.test(a.stateHash())]).toEqual([true, true]);
});

describe('the hash sees', () => {
  for (const { why, change } of [
    { why: 'a flag of one frame', change: ({ machine }: Space) => machine.frames.set(machine.zeroPfn, 1 << 2) },
    { why: 'a bit of one entry', change: (s: Space) => (s.machine.pageTables.bits[s.slot(0)]! ^= 4) },
    { why: 'a name', change: (s: Space) => (s.task.comm = 'other') },
    { why: 'a truth', change: (s: Space) => (s.task.killed = true) },
    { why: 'an event in the future', change: (s: Space) => s.machine.clock.schedule(1e15, 1, 0, 0) },
    { why: 'a nanosecond', change: (s: Space) => s.machine.clock.spend(1) },
    { why: 'who is whose', change: (s: Space) => (s.task.parent = s.task) },
    { why: 'a counter', change: (s: Space) => (s.machine.events[3]! += 1) },
  ]) {
    test(why, () => {
      const s = new Space();
      s.map(0, 1);
      s.store(0);
      const before = s.machine.stateHash();
      expect(s.machine.stateHash()).toBe(before);
      change(s);
      expect(s.machine.stateHash()).not.toBe(before);
    });
  }
});

describe('a copy of a graph', () => {
  test('keeps what is shared shared, and cycles closed', () => {
    const inner = { n: 1 };
    const graph = {
      a: inner,
      b: inner,
      self: null as unknown,
      map: new Map([[1, inner]]),
      set: new Set([inner]),
      list: [inner, null, undefined],
    };
    graph.self = graph;
    const copy = copyGraph(graph);
    expect([copy === graph, copy.a === inner, copy.a === copy.b, copy.self === copy]).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect([copy.map.get(1) === copy.a, copy.set.has(copy.a), copy.list[0] === copy.a, copy.list.length]).toEqual([
      true,
      true,
      true,
      3,
    ]);
  });

  test('has its own typed arrays, keeps classes, and holes in arrays', () => {
    class Thing {
      readonly column: Float64Array = Float64Array.of(1.5, 2);
      twice(): number {
        return this.column[0]! * 2;
      }
    }
    const from = { thing: new Thing(), holes: [1] as number[] };
    from.holes[2] = 3;
    const to = copyGraph(from);
    from.thing.column[0] = 9;
    expect([to.thing.twice(), to.thing instanceof Thing, to.holes.length, 1 in to.holes]).toEqual([3, true, 3, false]);
  });

  test('is as deep as it must be', () => {
    interface Node {
      next: Node | null;
    }
    let head: Node = { next: null };
    for (let i = 0; i < 20_000; i++) head = { next: head };
    let length = 0;
    for (let at: Node | null = copyGraph(head); at !== null; at = at.next) length += 1;
    expect([length, stateHash(head).length]).toEqual([20_001, 16]);
  });
});
