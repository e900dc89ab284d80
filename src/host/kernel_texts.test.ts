/** Files of the whole host, as kernels print them and as they should not. */
import { expect, test } from 'vitest';
import { parseCounters, parseFreeBlocks, parseMigrateTypes, parseSystemRam, parseZones } from './kernel_texts.ts';

const ZONES = `Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 2957
      nr_free_pages 3840
  pages free     3840
        boost    0
        min      36
        low      45
        high     54
        promo    63
        spanned  4095
        present  3998
        managed  3840
        cma      0
        protection: (0, 3018, 6858, 6858, 6858)
  pagesets
    cpu: 0
              count:    12
              high:     0
    cpu: 1
              count:    30
              high:     0
  node_unreclaimable:  0
  start_pfn:           1
Node 0, zone  Movable
  pages free     0
        spanned  0
        present  0
        managed  0
Node 1, zone   Normal
  pages free     7
        min      1
        low      2
        high     3
        spanned  512
        present  500
        managed  490
  start_pfn:           4096
`;

test('parseZones: what each zone spans and manages, and what lies on the lists of CPUs; none for an empty zone', () => {
  const watermarks = { min: 36, low: 45, high: 54 };
  expect(parseZones(ZONES)).toEqual([
    {
      node: 0,
      zone: 'DMA',
      startPfn: 1,
      spanned: 4095,
      present: 3998,
      managed: 3840,
      free: 3840,
      ...watermarks,
      perCpuFree: 42,
    },
    {
      node: 1,
      zone: 'Normal',
      startPfn: 4096,
      spanned: 512,
      present: 500,
      managed: 490,
      free: 7,
      min: 1,
      low: 2,
      high: 3,
      perCpuFree: 0,
    },
  ]);
  for (const text of [undefined, '', 'Node', 'Node x, zone', 'no zone here\n']) expect(parseZones(text)).toEqual([]);
});

test('parseFreeBlocks: a line for each zone', () => {
  expect(
    parseFreeBlocks('Node 0, zone      DMA      0      1      3 \nNode 1, zone   Normal   2977    996   1154 \n?\n'),
  ).toEqual([
    { node: 0, zone: 'DMA', blocks: [0, 1, 3] },
    { node: 1, zone: 'Normal', blocks: [2977, 996, 1154] },
  ]);
});

test('parseMigrateTypes: free blocks and pageblocks of each type; a count that was cut off, and what stands behind', () => {
  const text = `Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1
Node    0, zone   Normal, type    Unmovable      1      2
Node    0, zone   Normal, type      Movable  >100000      5

Number of blocks type     Unmovable      Movable
Node 0, zone   Normal           81         1721

Number of mixed blocks    Unmovable      Movable
Node 0, zone   Normal            3            4
`;
  expect(parseMigrateTypes(text)).toEqual([
    {
      node: 0,
      zone: 'Normal',
      types: [
        { type: 'Unmovable', freeBlocks: [1, 2], pageblocks: 81 },
        { type: 'Movable', freeBlocks: [100000, 5], pageblocks: 1721 },
      ],
    },
  ]);
});

test('parseCounters: kB and plain numbers, by the kernel’s names', () => {
  const text =
    'MemTotal:       24683620 kB\nHugePages_Total:       3\nActive(anon):  1600 kB\nnr_free_pages 7\n__proto__ 1\nbad line\n';
  expect([...parseCounters(text)]).toEqual([
    ['MemTotal', 24683620],
    ['HugePages_Total', 3],
    ['Active(anon)', 1600],
    ['nr_free_pages', 7],
    ['__proto__', 1],
  ]);
});

for (const { why, text, want } of [
  { why: 'whole frames only', text: '00001000-0009fbff : System RAM\n', want: [[1, 0x9f]] },
  {
    why: 'what lies inside of it is not another range',
    text: '00100000-001fffff : System RAM\n  00100000-0010ffff : Kernel code\n',
    want: [[256, 512]],
  },
  { why: 'addresses are hidden from who is not root', text: '00000000-00000000 : System RAM\n', want: null },
  { why: 'nothing', text: undefined, want: null },
])
  test(`parseSystemRam: ${why}`, () => expect(parseSystemRam(text)).toEqual(want));
