import { expect, test } from 'vitest';
import { cacheState, doFadvise, POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED } from './fadvise.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, truncateSetsize, vfsFallocate } from './fallocate.ts';
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_TRIED, VM_FAULT_LOCKED, VM_FAULT_MAJOR, VM_FAULT_RETRY } from './fault.ts';
import { newInode, openInode, putFile, unlink } from './file.ts';
import { filemapFault, filemapGetPage, filemapRead, filemapWrite, type PageReader, unlockPage } from './filemap.ts';
import { newMm, newTask } from './fork.ts';
import type { BackingKind, File } from './fs.ts';
import { Machine } from './machine.ts';
import { loadPage, readToken, storePage } from './memory.ts';
import { doMmap } from './mmap.ts';
import { PG_active, PG_dirty, PG_referenced, pageFlagNames } from './page_flags.ts';
import { NO_SLOT } from './page_table.ts';
import { swapon } from './swap/swapfile.ts';
import type { Task } from './task.ts';
import { dropCaches } from './truncate.ts';
import { MADV_RANDOM, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from './uapi.ts';
import { type Pgoff, type Token, type Vpn, vpnOf, ZERO_TOKEN } from './units.ts';
import { verifyFiles } from './verify_files.ts';
import { VM_RAND_READ } from './vm_flags.ts';
import { NR_FILE_DIRTY, NR_WRITEBACK, PGFAULT, PGMAJFAULT, WORKINGSET_REFAULT_FILE } from './vmstat.ts';
import { vfsFsync } from './writeback.ts';

/** A reader that has room for everything. */
function taking(see: (token: Token, from: number) => void): PageReader {
  return {
    page: (token, from, to) => {
      see(token, from);
      return to - from;
    },
  };
}

const MIB = 1024 * 1024;

interface Setup {
  machine: Machine;
  task: Task;
  file: File;
}

function setup(kind: BackingKind, pages: number, kernel = '6.1'): Setup {
  const machine = new Machine({ kernel, ramBytes: 64 * MIB });
  const memcg = machine.newCgroup('test');
  const task = newTask(machine, 100, 'test', newMm(machine, memcg)!, memcg, null)!;
  machine.current = task;
  const file = openInode(
    machine,
    newInode(machine, 'data', kind, kind === 'tmpfs' ? 0 : pages * 4096),
    true,
    true,
    false,
  );
  if (kind === 'tmpfs') filemapWrite(machine, file, 0, pages * 4096, null);
  return { machine, task, file };
}

/** One letter per page, as cachestat says. */
function cache({ machine, file }: Setup, pages: number): string {
  return Array.from({ length: pages }, (_, i) => cacheState(machine, file.mapping, i as Pgoff)).join('');
}

function map({ machine, task, file }: Setup, pages: number, prot: number, flags: number): Vpn {
  const addr = doMmap(machine, task.mm!, 0, pages * 4096, prot, flags, file, 0 as Pgoff);
  expect(addr).toBeGreaterThan(0);
  return vpnOf(addr);
}

function flags({ machine, file }: Setup, index: number): string {
  return pageFlagNames(machine.frames.allFlags(filemapGetPage(machine, file.mapping, index as Pgoff))).join(' ');
}

test('reads give what the disk has, and zeros in a hole', () => {
  const s = setup('disk', 4);
  delete s.file.inode.disk[2];
  const seen: Token[] = [];
  expect(
    filemapRead(
      s.machine,
      s.file,
      0,
      5 * 4096,
      taking((token) => seen.push(token)),
    ),
  ).toBe(4 * 4096);
  expect(seen).toEqual([s.file.inode.disk[0], s.file.inode.disk[1], ZERO_TOKEN, s.file.inode.disk[3]]);
});

for (const { why, reads, want } of [
  { why: 'one read sets referenced', reads: [[0, 4096]], want: { referenced: true, active: false } },
  {
    why: 'small reads of one page count once',
    reads: [
      [0, 100],
      [100, 100],
      [200, 100],
    ],
    want: { referenced: true, active: false },
  },
  {
    why: 'the second read of a page activates it',
    reads: [
      [0, 4096],
      [8192, 4096],
      [0, 4096],
    ],
    want: { referenced: false, active: true },
  },
]) {
  test(`mark accessed: ${why}`, () => {
    const s = setup('disk', 4);
    for (const [at, length] of reads) filemapRead(s.machine, s.file, at!, length!, null);
    s.machine.lru.drain();
    const pfn = filemapGetPage(s.machine, s.file.mapping, 0 as Pgoff);
    expect({
      referenced: s.machine.frames.has(pfn, PG_referenced),
      active: s.machine.frames.has(pfn, PG_active),
    }).toEqual(want);
  });
}

test('a write to a whole page reads nothing, a write to part of one does', () => {
  const s = setup('disk', 4);
  filemapWrite(s.machine, s.file, 0, 4096, null);
  expect(s.machine.clock.now).toBe(0);
  filemapWrite(s.machine, s.file, 4096 + 10, 10, null);
  expect(s.machine.clock.now).toBeGreaterThan(0);
  expect([cache(s, 4), s.machine.nodes[0]!.stat[NR_FILE_DIRTY]]).toEqual(['dd..', 2]);
  expect(flags(s, 0)).toBe('uptodate dirty private');
});

test('the flusher writes what has been dirty for 30 seconds', () => {
  const s = setup('disk', 4);
  filemapWrite(s.machine, s.file, 0, 4 * 4096, null);
  const before = s.machine.frames.token(filemapGetPage(s.machine, s.file.mapping, 0 as Pgoff));
  s.machine.advance(29e9);
  expect(cache(s, 4)).toBe('dddd');
  s.machine.advance(7e9);
  expect([cache(s, 4), s.file.inode.dirty, s.file.inode.disk[0]]).toEqual(['cccc', false, before]);
  expect(s.machine.clock.nextAt).toBe(Number.POSITIVE_INFINITY);
  expect(verifyFiles(s.machine)).toEqual([]);
});

test('fsync waits for the disk', () => {
  const s = setup('disk', 4);
  filemapWrite(s.machine, s.file, 0, 2 * 4096, null);
  vfsFsync(s.machine, s.file, 0, Number.POSITIVE_INFINITY, false);
  expect([cache(s, 4), s.machine.nodes[0]!.stat[NR_WRITEBACK], s.machine.clock.now > 0]).toEqual(['cc..', 0, true]);
});

test('a task that dirties too much waits, and half way between the limits is where it ends', () => {
  const s = setup('disk', 0);
  filemapWrite(s.machine, s.file, 0, 30 * MIB, null);
  const { stat } = s.machine.nodes[0]!;
  const dirty = stat[NR_FILE_DIRTY]! + stat[NR_WRITEBACK]!;
  expect(s.machine.clock.now).toBeGreaterThan(0);
  expect(dirty).toBeLessThanOrEqual(s.machine.writeback.global.thresh + 64);
  expect(verifyFiles(s.machine)).toEqual([]);
});

test('what was evicted and is read again is a refault, what is written over is not', () => {
  const s = setup('disk', 2);
  s.file.random = true;
  filemapRead(s.machine, s.file, 0, 2 * 4096, null);
  s.machine.lru.drain();
  const pages = [0, 1].map((i) => filemapGetPage(s.machine, s.file.mapping, i as Pgoff));
  for (const pfn of pages) expect(s.machine.lru.isolate(pfn)).toBe(true);
  // Referenced pages get a second round.
  for (const pfn of pages) s.machine.frames.clear(pfn, PG_referenced);
  s.machine.reclaim.reclaimPages(pages);
  expect(cache(s, 2)).toBe('ee');
  filemapRead(s.machine, s.file, 0, 4096, null);
  filemapWrite(s.machine, s.file, 4096, 4096, null);
  expect([cache(s, 2), s.machine.nodes[0]!.stat[WORKINGSET_REFAULT_FILE]]).toEqual(['cd', 1]);
});

test('fault-around maps sixteen cached pages with one fault', () => {
  const s = setup('disk', 64);
  filemapRead(s.machine, s.file, 0, 64 * 4096, null);
  const at = map(s, 64, PROT_READ, MAP_SHARED);
  expect(loadPage(s.machine, s.task.mm!, (at + 20) as Vpn)).toBe(0);
  const mapped = Array.from({ length: 64 }, (_, i) => readToken(s.machine, s.task.mm!, (at + i) as Vpn) !== -1);
  expect(mapped.filter(Boolean).length).toBe(16);
  expect(s.task.majFlt).toBe(0);
});

test('a fault on a cold file reads a window around it', () => {
  const s = setup('disk', 200);
  const at = map(s, 200, PROT_READ, MAP_SHARED);
  expect(loadPage(s.machine, s.task.mm!, (at + 100) as Vpn)).toBe(0);
  expect([s.file.ra.start, s.file.ra.size, s.file.ra.asyncSize, s.file.ra.mmapMiss]).toEqual([84, 32, 8, 0]);
  expect(cache(s, 200).replaceAll('.', '').length).toBe(32);
  expect(s.machine.events[PGMAJFAULT]).toBe(1);
  expect(s.machine.events[PGFAULT]).toBeGreaterThanOrEqual(1);
});

test('a fault that may drop the mmap lock comes back after its read', () => {
  const s = setup('disk', 200);
  const at = map(s, 200, PROT_READ, MAP_SHARED);
  const { fault } = s.machine;
  fault.vma = s.task.mm!.vmas.find(at)!;
  fault.pgoff = 100 as Pgoff;
  fault.flags = FAULT_FLAG_ALLOW_RETRY;
  expect(filemapFault(s.machine, fault)).toBe(VM_FAULT_MAJOR | VM_FAULT_RETRY);
  fault.flags |= FAULT_FLAG_TRIED;
  expect(filemapFault(s.machine, fault)).toBe(VM_FAULT_LOCKED);
  unlockPage(s.machine, fault.page);
  // The page with the marker: its fault reads on, and comes back too, though nothing had to be waited for.
  fault.pgoff = 108 as Pgoff;
  fault.flags = FAULT_FLAG_ALLOW_RETRY;
  expect([filemapFault(s.machine, fault), s.file.ra.start]).toEqual([VM_FAULT_RETRY, 116]);
});

test('MADV_RANDOM reads one page', () => {
  const s = setup('disk', 200);
  const at = map(s, 200, PROT_READ, MAP_SHARED);
  s.task.mm!.vmas.find(at)!.vmFlags |= VM_RAND_READ;
  loadPage(s.machine, s.task.mm!, (at + 100) as Vpn);
  expect([cache(s, 200).replaceAll('.', '').length, MADV_RANDOM]).toEqual([1, 1]);
});

test('a store through a shared mapping reaches the disk, a private one does not', () => {
  const s = setup('disk', 4);
  const shared = map(s, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
  const secret = map(s, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  const token = s.machine.newToken();
  storePage(s.machine, s.task.mm!, shared, token);
  storePage(s.machine, s.task.mm!, (secret + 1) as Vpn, s.machine.newToken());
  const old = s.file.inode.disk[1];
  vfsFsync(s.machine, s.file, 0, Number.POSITIVE_INFINITY, false);
  expect([s.file.inode.disk[0], s.file.inode.disk[1]]).toEqual([token, old]);
  expect(cache(s, 4)[0]).toBe('c');
  // Written back, the entry is read-only again: the next store must be noticed.
  storePage(s.machine, s.task.mm!, shared, s.machine.newToken());
  expect(cache(s, 4)[0]).toBe('d');
});

for (const kind of ['disk', 'tmpfs'] as const) {
  test(`${kind}: truncation takes pages, mappings and private copies`, () => {
    const s = setup(kind, 4);
    const at = map(s, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (let i = 0; i < 4; i++) storePage(s.machine, s.task.mm!, (at + i) as Vpn, s.machine.newToken());
    truncateSetsize(s.machine, s.file.inode, 4096 + 100);
    expect([0, 1, 2, 3].map((i) => readToken(s.machine, s.task.mm!, (at + i) as Vpn) === -1)).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(cache(s, 4).slice(2)).toBe('..');
    expect(loadPage(s.machine, s.task.mm!, (at + 2) as Vpn)).not.toBe(0);
    expect(verifyFiles(s.machine)).toEqual([]);
  });

  test(`${kind}: a punched hole reads as zeros`, () => {
    const s = setup(kind, 4);
    filemapRead(s.machine, s.file, 0, 4 * 4096, null);
    expect(vfsFallocate(s.machine, s.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192)).toBe(0);
    expect(cache(s, 4).slice(1, 3)).toBe('..');
    const seen: Token[] = [];
    filemapRead(
      s.machine,
      s.file,
      0,
      4 * 4096,
      taking((token) => seen.push(token)),
    );
    expect(seen.map((token) => token === ZERO_TOKEN)).toEqual([false, true, true, false]);
  });

  test(`${kind}: a file without name and users leaves nothing behind`, () => {
    const s = setup(kind, 100);
    filemapWrite(s.machine, s.file, 0, 100 * 4096, null);
    unlink(s.machine, s.file.inode);
    expect(s.machine.inodes.size).toBe(1);
    putFile(s.machine, s.file);
    expect([s.machine.inodes.size, s.machine.slab.caches.radix_tree_node.active, s.machine.committedPages]).toEqual([
      0, 0, 0,
    ]);
    expect(verifyFiles(s.machine)).toEqual([]);
  });
}

test('drop_caches takes clean pages and shadows, leaves dirty and mapped ones', () => {
  const s = setup('disk', 4);
  filemapRead(s.machine, s.file, 0, 4 * 4096, null);
  filemapWrite(s.machine, s.file, 0, 4096, null);
  const at = map(s, 1, PROT_READ, MAP_SHARED);
  loadPage(s.machine, s.task.mm!, at);
  dropCaches(s.machine, 1);
  expect(cache(s, 4)).toBe('d...');
});

test('advice: WILLNEED reads, DONTNEED drops', () => {
  const s = setup('disk', 8);
  doFadvise(s.machine, s.file, 0, 5 * 4096, POSIX_FADV_WILLNEED);
  s.machine.advance(1e9);
  expect(cache(s, 8)).toBe('ccccc...');
  doFadvise(s.machine, s.file, 4096, 2 * 4096, POSIX_FADV_DONTNEED);
  expect(cache(s, 8)).toBe('c..cc...');
});

test('tmpfs pages go to swap and come back', () => {
  const s = setup('tmpfs', 0);
  swapon(s.machine, { bytes: 16 * MIB, device: 'zram' });
  s.task.memcg.memory.max = 200;
  const tokens: Token[] = [];
  filemapWrite(s.machine, s.file, 0, 400 * 4096, {
    page: () => {
      tokens.push(s.machine.newToken());
      return tokens.at(-1)!;
    },
  });
  expect(s.file.inode.shmemSwapped).toBeGreaterThan(100);
  const seen: Token[] = [];
  filemapRead(
    s.machine,
    s.file,
    0,
    400 * 4096,
    taking((token) => seen.push(token)),
  );
  expect(seen).toEqual(tokens);
  expect(verifyFiles(s.machine)).toEqual([]);
});

test('a cgroup at its limit reads a file larger than itself, page by page if it must', () => {
  for (const kernel of ['6.1', '6.18']) {
    const s = setup('disk', 300, kernel);
    s.task.memcg.memory.max = 120;
    let pages = 0;
    expect(
      filemapRead(
        s.machine,
        s.file,
        0,
        300 * 4096,
        taking((token, from) => {
          pages += token === s.file.inode.disk[pages] && from === 0 ? 1 : 0;
        }),
      ),
    ).toBe(300 * 4096);
    expect(pages).toBe(300);
    expect(verifyFiles(s.machine)).toEqual([]);
  }
});

test('random reads, writes, truncations and time: every page holds what the model says', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const kind = seed % 2 === 0 ? 'disk' : 'tmpfs';
    const s = setup(kind, 0, seed % 3 === 0 ? '6.18' : '6.1');
    swapon(s.machine, { bytes: 8 * MIB, device: seed % 5 === 0 ? 'disk' : 'zram' });
    if (seed % 4 > 0) s.task.memcg.memory.max = 100;
    let state = seed * 7919;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    const model: Token[] = [];
    for (let step = 0; step < 150; step++) {
      const what = random(10);
      const index = random(200);
      const count = 1 + random(30);
      if (what < 4) {
        let at = index;
        filemapWrite(s.machine, s.file, index * 4096, count * 4096, {
          page: () => {
            while (model.length <= at) model.push(ZERO_TOKEN);
            const token = s.machine.newToken();
            model[at++] = token;
            return token;
          },
        });
      } else if (what < 7) {
        let at = index;
        filemapRead(
          s.machine,
          s.file,
          index * 4096,
          count * 4096,
          taking((token) => expect([seed, step, at, token]).toEqual([seed, step, at, model[at++]])),
        );
      } else if (what === 7) {
        const pages = random(250);
        truncateSetsize(s.machine, s.file.inode, pages * 4096);
        model.length = Math.min(model.length, pages);
        while (model.length < pages) model.push(ZERO_TOKEN);
      } else if (what === 8) {
        s.machine.advance(random(20) * 1e9);
        if (random(4) === 0) dropCaches(s.machine, 3);
      } else {
        const end = Math.min(model.length, index + count);
        vfsFallocate(s.machine, s.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, index * 4096, count * 4096);
        for (let i = index; i < end; i++) model[i] = ZERO_TOKEN;
        if (random(2) === 0) vfsFsync(s.machine, s.file, 0, Number.POSITIVE_INFINITY, false);
      }
      expect([seed, step, ...verifyFiles(s.machine)]).toEqual([seed, step]);
    }
  }
});

test('a mapping of a file that nobody has open any more keeps it', () => {
  const s = setup('disk', 4);
  const at = map(s, 4, PROT_READ, MAP_SHARED);
  unlink(s.machine, s.file.inode);
  putFile(s.machine, s.file);
  expect(loadPage(s.machine, s.task.mm!, at)).toBe(0);
  expect(s.machine.frames.has(filemapGetPage(s.machine, s.file.mapping, 0 as Pgoff), PG_dirty)).toBe(false);
});

for (const { why, kernel, kind, pages, touch, want } of [
  { why: '6.18: it makes no page table', kernel: '6.18', kind: 'disk', pages: 1, touch: 1, want: false },
  { why: 'and does not the next time', kernel: '6.18', kind: 'disk', pages: 1, touch: 2, want: false },
  { why: '6.18: a page before it does', kernel: '6.18', kind: 'disk', pages: 2, touch: 1, want: true },
  { why: 'tmpfs does not mind', kernel: '6.18', kind: 'tmpfs', pages: 1, touch: 1, want: true },
  { why: '6.1 does not mind', kernel: '6.1', kind: 'disk', pages: 1, touch: 1, want: true },
] as const) {
  test(`a load behind the end maps what is cached around, the last page of the file: ${why}`, () => {
    const s = setup(kind, pages, kernel);
    filemapRead(s.machine, s.file, 0, pages * 4096, null);
    const at = map(s, 4, PROT_READ, MAP_SHARED);
    for (let i = 0; i < touch; i++) expect(loadPage(s.machine, s.task.mm!, (at + pages) as Vpn)).toBeGreaterThan(0);
    const slot = s.machine.pageTables.slotOf(s.task.mm!.pageTables, at);
    expect(slot !== NO_SLOT && s.machine.pageTables.isPresent(slot)).toBe(want);
  });
}
