/** What 2.6 prints of its memory. */
import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { MAP_SHARED } from '../mm/uapi.ts';
import { NODE_STAT_NAMES } from '../mm/vmstat.ts';
import { slabinfo_2_6, statThreshold_2_6 } from './linux_2_6_stat.ts';
import { meminfo } from './meminfo.ts';
import { pagetypeinfo } from './pagetypeinfo.ts';
import { vmstat } from './vmstat.ts';
import { zoneinfo } from './zoneinfo.ts';

class World extends Space {
  constructor(kernel: string) {
    super({ kernel, ramBytes: 64 * 2 ** 20, swap: 'disk' });
    this.map(0, 20);
    this.storeAll(0, 20);
    this.map(100, 4, MAP_SHARED, undefined, this.file('disk', 10));
    this.load(100);
    this.machine.lru.drain();
  }
}

function names(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(/[\s:]/)[0]!);
}

test.each(['2.6.24', '2.6.26'])('%s: vmstat has the counters of zones first, then events by zone', (kernel) => {
  const text = vmstat(new World(kernel).machine);
  const found = names(text);
  expect(found.slice(0, 15)).toEqual(
    `nr_free_pages nr_inactive nr_active nr_anon_pages nr_mapped nr_file_pages nr_dirty nr_writeback nr_slab_reclaimable
     nr_slab_unreclaimable nr_page_table_pages nr_unstable nr_bounce nr_vmscan_write pgpgin`.split(/\s+/),
  );
  expect(found).toContain('pgscan_direct_dma32');
  expect(found.slice(-7)).toEqual(
    'pginodesteal slabs_scanned kswapd_steal kswapd_inodesteal pageoutrun allocstall pgrotated'.split(' '),
  );
  expect(text).toMatch(/^nr_anon_pages 20$/m);
  expect(text).toMatch(/^nr_active 20$/m);
});

test('zone counters add up to those of the node', () => {
  const { machine } = new World('2.6.24');
  const text = vmstat(machine);
  for (const name of [
    'nr_mapped',
    'nr_file_pages',
    'nr_slab_reclaimable',
    'nr_slab_unreclaimable',
    'nr_dirty',
  ] as const) {
    const shown = Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1]);
    expect(shown, name).toBe(machine.nodes[0]!.stat[NODE_STAT_NAMES.indexOf(name)]);
  }
});

test('meminfo: lines in order, values in columns', () => {
  const { machine } = new World('2.6.24');
  const text = meminfo(machine);
  expect(names(text)).toEqual(
    `MemTotal MemFree Buffers Cached SwapCached Active Inactive SwapTotal SwapFree Dirty Writeback AnonPages Mapped Slab
     SReclaimable SUnreclaim PageTables NFS_Unstable Bounce CommitLimit Committed_AS VmallocTotal VmallocUsed
     VmallocChunk`.split(/\s+/),
  );
  expect(text).toMatch(/^AnonPages: {10}80 kB$/m);
  const high = new Space({ kernel: '2.6.24', ramBytes: 64 * 2 ** 20, highmemFromBytes: 32 * 2 ** 20 });
  expect(names(meminfo(high.machine)).slice(7, 11)).toEqual(['HighTotal', 'HighFree', 'LowTotal', 'LowFree']);
});

test('zoneinfo: marks, what reclaim owes, hot and cold pages', () => {
  const { machine } = new World('2.6.24');
  const text = zoneinfo(machine);
  expect(text).toMatch(/^Node 0, zone {6}DMA\n {2}pages free {5}\d+\n {8}min {6}64\n {8}low {6}80\n {8}high {5}96\n/);
  expect(text).toMatch(/scanned {2}0 \(a: 0 i: 0\)/);
  expect(text).toMatch(/cpu: 0 pcp: 1\n {14}count: \d+\n {14}high: {2}\d+\n {14}batch: \d+/);
  expect(text).toMatch(/all_unreclaimable: 0\n {2}prev_priority: {5}12\n/);
});

test('counters are folded at a threshold of 125 at most', () => {
  expect([statThreshold_2_6(4096, 1), statThreshold_2_6(65536, 1), statThreshold_2_6(2 ** 22, 64)]).toEqual([
    2, 6, 125,
  ]);
});

test('pagetypeinfo and slabinfo', () => {
  const { machine } = new World('2.6.24');
  const types = pagetypeinfo(machine);
  expect(types).toMatch(/^Page block order: 10\nPages per block: {2}1024\n/);
  expect(types).toMatch(/Node {4}0, zone {4}DMA32, type {6}Movable/);
  const slabs = slabinfo_2_6(machine);
  expect(slabs).toMatch(/^slabinfo - version: 2.1\n/);
  expect(slabs).toMatch(
    /^vm_area_struct {9}\d+ +\d+ +\d+ +\d+ +\d+ : tunables {4}0 {4}0 {4}0 : slabdata +\d+ +\d+ +0$/m,
  );
});
