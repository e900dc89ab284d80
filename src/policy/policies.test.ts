/** The policies against libCacheSim, which counted once (test/policy/libcachesim.tsv), and against each other. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CAPACITIES, comparable, streamOf, TRACES } from '../../test/policy/traces.ts';
import { POLICIES, policyNamed, simulate } from './index.ts';
import { NextUses } from './opt.ts';

const counted = readFileSync(new URL('../../test/policy/libcachesim.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .slice(1)
  .map((line) => line.split('\t'));
const streams = new Map(Object.entries(TRACES).map(([name, make]) => [name, streamOf(make(), 777, 3)]));

test('libCacheSim has counted every policy on every stream, but for random', () => {
  const rows = counted.map(([stream, policy]) => `${stream} ${policy}`);
  const wanted = [...streams.keys()].flatMap((stream) => POLICIES.map((policy) => `${stream} ${policy.name}`));
  expect(rows).toEqual(wanted.filter((row) => !row.endsWith('random')));
});

for (const [stream, name, ...misses] of counted) {
  test(`${name} misses as often as libCacheSim on ${stream}`, () => {
    const ours = CAPACITIES.map((capacity) =>
      comparable(name!, capacity) ? simulate(streams.get(stream!)!, policyNamed(name!)!, capacity).misses : '-',
    );
    expect(ours.join(' ')).toBe(misses.join(' '));
  });
}

for (const policy of POLICIES) {
  test(`${policy.name}: the counts agree with each other at every capacity`, () => {
    for (const [name, stream] of streams) {
      const bound = NextUses.of(stream)!;
      for (const capacity of [1, 2, 3, 7, 50, 199, 3000, 2 ** 31]) {
        const got = simulate(stream, policy, capacity);
        const where = `${name}, ${capacity} pages`;
        expect(got.hits + got.misses, where).toBe(stream.accesses);
        expect(got.coldMisses, where).toBe(stream.pages);
        expect(got.misses - got.evictions, where).toBeLessThanOrEqual(Math.min(capacity, stream.pages));
        expect(got.misses, where).toBeGreaterThanOrEqual(bound.misses(capacity));
        expect(got.dirtyEvictions, where).toBeLessThanOrEqual(got.evictions);
        expect(got.scans >= got.evictions || policy.name === 'FIFO' || got.scans === 0, where).toBe(true);
        if (capacity >= stream.pages) expect([got.misses, got.evictions], where).toEqual([stream.pages, 0]);
      }
    }
  });
}

test('random misses like FIFO where accesses are independent (Gelenbe 1973): within 2 %', () => {
  const stream = streams.get('zipf')!;
  for (const capacity of [64, 200, 450]) {
    const [drawn, first] = ['random', 'FIFO'].map((name) => simulate(stream, policyNamed(name)!, capacity).misses);
    expect(Math.abs(drawn! - first!) / first!).toBeLessThan(0.02);
  }
});

test('a page leaves dirty once for each time that it was stored to since it came', () => {
  const stream = streamOf([0, 1, 0, 2, 3, 0, 1], 3, 3); // stores: the third access, to 0, and the sixth, to 0 again
  expect(simulate(stream, policyNamed('lru')!, 2)).toEqual({
    policy: 'LRU',
    accesses: 7,
    hits: 1,
    misses: 6,
    coldMisses: 4,
    evictions: 4,
    dirtyEvictions: 1,
    scans: 0,
  });
});

test('names are found however they are written', () => {
  for (const name of ['s3-fifo', 'S3FIFO', 's3fifo']) expect(policyNamed(name)?.name).toBe('S3-FIFO');
  expect(policyNamed('nobody')).toBeUndefined();
});
