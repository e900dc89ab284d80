import { expect, test } from 'vitest';
import { newShmemFile } from './file.ts';
import { filemapGetPage, filemapWrite } from './filemap.ts';
import { kindOfPage } from './kinds.ts';
import { Machine } from './machine.ts';
import { PG_unevictable } from './page_flags.ts';
import { shmemLock } from './shmem.ts';
import type { Pgoff } from './units.ts';
import { NR_INACTIVE_ANON, NR_UNEVICTABLE } from './vmstat.ts';

test('pages of a locked segment are unevictable, and come back to their lists when it is unlocked', () => {
  const machine = new Machine({ kernel: '6.18', ramBytes: 16 * 2 ** 20 });
  const file = newShmemFile(machine, 'segment', 4);
  shmemLock(machine, file.mapping, true);
  filemapWrite(machine, file, 0, 4 * 4096, { page: () => machine.newToken() });
  machine.lru.drain();
  const pfn = filemapGetPage(machine, file.mapping, 0 as Pgoff);
  const { stat } = machine.nodes[0]!;
  expect([stat[NR_UNEVICTABLE], stat[NR_INACTIVE_ANON], machine.frames.has(pfn, PG_unevictable)]).toEqual([4, 0, true]);
  expect(kindOfPage(machine, pfn).kind).toBe('unreclaimable');
  shmemLock(machine, file.mapping, false);
  machine.lru.drain();
  expect([stat[NR_UNEVICTABLE], stat[NR_INACTIVE_ANON]]).toEqual([0, 4]);
  expect(kindOfPage(machine, pfn).kind).toBe('swappable');
  expect(machine.verify()).toEqual([]);
});
