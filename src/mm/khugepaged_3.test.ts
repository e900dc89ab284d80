import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { doMadvise } from './madvise.ts';
import { MADV_HUGEPAGE } from './uapi.ts';
import { verify } from './verify.ts';
import { THP_COLLAPSE_ALLOC } from './vmstat.ts';

const TEN_SECONDS = 10_000_000_000;
const CONFIG = { kernel: '3.16', ramBytes: 64 * 2 ** 20 } as const;

/** Pages 0 to 511 of 1,024, with `pages` of them written before anybody wanted huge pages. */
function world(pages: number, config: Partial<typeof CONFIG> & { sysctl?: { thpEnabled: boolean } } = {}): Space {
  const s = new Space({ ...CONFIG, ...config });
  s.map(0, 1024);
  s.storeAll(0, pages);
  doMadvise(s.machine, s.mm, s.vpn(0) * 4096, 1024 * 4096, MADV_HUGEPAGE);
  return s;
}

test('after ten seconds a single page, in use and writable, is enough for a huge one', () => {
  const s = world(1);
  const token = s.machine.frames.token(s.pfn(0));
  s.machine.advance(TEN_SECONDS - 1_000_000);
  expect(s.event(THP_COLLAPSE_ALLOC)).toBe(0);
  s.machine.advance(2_000_000);
  expect([s.event(THP_COLLAPSE_ALLOC), s.machine.khugepaged!.pagesCollapsed, s.mm.rss[1]]).toEqual([1, 1, 512]);
  expect([s.machine.frames.token(s.pfn(0)), s.machine.frames.token(s.pfn(511)), s.pfn(1) - s.pfn(0)]).toEqual([
    token,
    0,
    1,
  ]);
  expect(verify(s.machine)).toEqual([]);
});

for (const { why, prepare } of [
  { why: 'a page that a child shares', prepare: (s: Space) => s.fork() },
  { why: 'a page that somebody else holds', prepare: (s: Space) => s.machine.frames.get(s.pfn(0)) },
  { why: 'as many pages missing as are allowed', prepare: (s: Space) => (s.machine.khugepaged!.maxPtesNone = 100) },
]) {
  test(`what stays small: ${why}`, () => {
    const s = world(3);
    prepare(s);
    s.machine.advance(3 * TEN_SECONDS);
    expect([s.event(THP_COLLAPSE_ALLOC), s.machine.khugepaged!.fullScans > 0]).toEqual([0, true]);
  });
}

test('with huge pages switched off it never wakes', () => {
  const s = world(512, { sysctl: { thpEnabled: false } });
  s.machine.advance(10 * TEN_SECONDS);
  expect([s.event(THP_COLLAPSE_ALLOC), s.machine.khugepaged!.fullScans]).toEqual([0, 0]);
});

test('4,096 entries in ten seconds: eight times 2 MiB', () => {
  const s = new Space({ ...CONFIG, ramBytes: 128 * 2 ** 20 });
  s.map(0, 512 * 12);
  for (let i = 0; i < 12; i++) s.store(512 * i);
  doMadvise(s.machine, s.mm, s.vpn(0) * 4096, 512 * 12 * 4096, MADV_HUGEPAGE);
  s.machine.advance(TEN_SECONDS + 1_000_000);
  expect(s.event(THP_COLLAPSE_ALLOC)).toBe(8);
  s.machine.advance(TEN_SECONDS + 1_000_000);
  expect(s.event(THP_COLLAPSE_ALLOC)).toBe(12);
  expect(verify(s.machine)).toEqual([]);
});
