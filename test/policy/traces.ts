/** Small streams on which our policies are held to libCacheSim's counts; the same on every machine. */
import type { PageStream } from '../../src/policy/stream.ts';
import { zipfPages } from '../zipf.ts';

const ACCESSES = 20_000;
const PAGES = 3000;

/** Accesses in batches of `batch`; every `storeEvery`-th is a store. */
export function streamOf(pages: ArrayLike<number>, batch = 1000, storeEvery = Number.POSITIVE_INFINITY): PageStream {
  const numbers = new Map<number, number>();
  const ids = Int32Array.from(pages, (page) => {
    if (!numbers.has(page)) numbers.set(page, numbers.size);
    return numbers.get(page)!;
  });
  const writes = Uint8Array.from(ids, (_id, i) => (i % storeEvery === storeEvery - 1 ? 1 : 0));
  return {
    pages: numbers.size,
    accesses: ids.length,
    forEach: (visit) => {
      for (let at = 0; at < ids.length; at += batch) {
        const count = Math.min(batch, ids.length - at);
        visit(ids.slice(at, at + batch), writes.slice(at, at + batch), count);
      }
    },
  };
}

const popular = () => zipfPages(PAGES, ACCESSES, 1).ids;

/** What each is good for: popularity that lasts, popularity that wanders, a scan now and then, loops, and pages that all come back after
 * one of three distances (multiples of the golden ratio do that). */
export const TRACES: Record<string, () => ArrayLike<number>> = {
  zipf: popular,
  drift: () => popular().map((page, i) => page + Math.floor(i / 8)),
  scans: () => popular().map((page, i) => (i % 4000 < 900 ? 100_000 + i : page)),
  loops: () => popular().map((page, i) => (i % 3 === 0 ? page : 100_000 + (i % 701) + 1000 * Math.floor(i / 8000))),
  golden: () => popular().map((_page, i) => Math.imul(i + 1, 0x9e3779b1) >>> 22),
};

/** Of memory, in pages. libCacheSim's 2Q, MRU and S3-FIFO need at least 4, 2 and 20; its LIRS is LIRS from 200 on. */
export const CAPACITIES = [4, 20, 64, 200, 450, 1000];
const LEAST: Record<string, number> = { '2Q': 4, MRU: 2, 'S3-FIFO': 20, LIRS: 200 };

export function comparable(policy: string, capacity: number): boolean {
  return policy !== 'random' && capacity >= (LEAST[policy] ?? 1);
}
