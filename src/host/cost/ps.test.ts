/** What processes cost, on hosts that are written down: sharing by fork, files, shared memory, swap, large folios. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ANON,
  HEAD,
  HUGE,
  LRU,
  type MadeUpHost,
  madeUpHost,
  SWAPBACKED,
  TAIL,
  ZERO,
} from '../../../test/host/made_up.ts';
import { ProcessCosts, type PsTreeNode } from './ps.ts';

const PAGE = 4096;
const FILE = LRU;
const SHMEM = LRU | SWAPBACKED;
const HUGE_ANON = ANON | SWAPBACKED | LRU;

/** In pages, for short: what is not named is 0. */
interface Want {
  rss?: number;
  /** In bytes: shares are cut down. */
  pss?: number;
  uss?: number;
  swap?: number;
  swapPss?: number;
  freed?: number;
  unmapped?: number;
  withFile?: number;
  cache?: number;
  shmem?: number;
  shared?: number;
  freedSwap?: number;
  most?: number | null;
}

function figures(host: MadeUpHost): Record<number, Want> {
  const costs = new ProcessCosts(madeUpHost(host));
  const rows = costs.answer().processes.map((row) => {
    const { exit } = row;
    const found: Want = {
      rss: row.rss_bytes! / PAGE,
      pss: row.pss_bytes!,
      uss: row.uss_bytes! / PAGE,
      swap: row.swap_bytes! / PAGE,
      swapPss: row.swap_pss_bytes!,
      freed: exit!.freed_bytes / PAGE,
      unmapped: exit!.freed_unmapped_bytes / PAGE,
      withFile: exit!.freed_with_file_bytes / PAGE,
      cache: exit!.becomes_cache_bytes / PAGE,
      shmem: exit!.becomes_shmem_bytes / PAGE,
      shared: exit!.stays_shared_bytes / PAGE,
      freedSwap: exit!.freed_swap_bytes! / PAGE,
    };
    const some = Object.fromEntries(Object.entries(found).filter(([, n]) => n !== 0));
    return [row.pid, row.shares_most_with === null ? some : { ...some, most: row.shares_most_with.pid }] as const;
  });
  return Object.fromEntries(rows);
}

const cases: { why: string; host: MadeUpHost; want: Record<number, Want> }[] = [
  {
    why: 'memory of its own is freed',
    host: { processes: [{ pid: 1, areas: [{ at: 0, pages: [10, 11, null, 12] }] }] },
    want: { 1: { rss: 3, pss: 3 * PAGE, uss: 3, freed: 3 } },
  },
  {
    why: 'after a fork what nobody wrote is half of each, and stays when one goes',
    host: {
      processes: [
        { pid: 1, areas: [{ at: 0, pages: [10, 11, 12] }] },
        { pid: 2, parentPid: 1, areas: [{ at: 0, pages: [10, 11, 13] }] },
      ],
    },
    want: {
      1: { rss: 3, pss: 2 * PAGE, uss: 1, freed: 1, shared: 2, most: 2 },
      2: { rss: 3, pss: 2 * PAGE, uss: 1, freed: 1, shared: 2, most: 1 },
    },
  },
  {
    why: 'a third of a page is cut down in twelve bits of a byte, and only the sum to bytes',
    host: {
      processes: [1, 2, 3].map((pid) => ({ pid, areas: [{ at: 10 * pid, pages: [10, 11, 12] }] })),
    },
    want: {
      // 3 * floor(4096 * 4096 / 3) / 4096 = 4095.9998
      1: { rss: 3, pss: 4095, shared: 3, most: 2 },
      2: { rss: 3, pss: 4095, shared: 3, most: 1 },
      3: { rss: 3, pss: 4095, shared: 3, most: 1 },
    },
  },
  {
    why: 'pages of a file become cache, those of tmpfs stay',
    host: {
      flags: { 20: FILE, 21: FILE, 30: SHMEM },
      processes: [
        { pid: 1, areas: [{ at: 0, pages: [20, 21], file: { path: '/lib/a' } }] },
        {
          pid: 2,
          areas: [
            { at: 0, pages: [null, 21], file: { path: '/lib/a' } },
            { at: 9, pages: [30], file: { path: '/dev/shm/x' } },
          ],
        },
      ],
    },
    want: {
      1: { rss: 2, pss: 1.5 * PAGE, uss: 1, cache: 1, shared: 1, most: 2 },
      2: { rss: 2, pss: 1.5 * PAGE, uss: 1, shmem: 1, shared: 1, most: 1 },
    },
  },
  {
    why: 'a deleted file goes with its only mapper',
    host: {
      flags: { 20: SHMEM, 21: FILE },
      processes: [
        {
          pid: 1,
          areas: [
            { at: 0, pages: [20], file: { path: '/memfd:m', deleted: true } },
            { at: 9, pages: [21], file: { path: '/tmp/d', deleted: true } },
          ],
        },
      ],
    },
    want: { 1: { rss: 2, pss: 2 * PAGE, uss: 2, withFile: 2 } },
  },
  {
    why: 'a deleted file stays while another maps any other page of it',
    host: {
      flags: { 20: SHMEM, 21: SHMEM },
      processes: [
        { pid: 1, areas: [{ at: 0, pages: [20, null], file: { path: '/memfd:m', deleted: true }, isShared: true }] },
        { pid: 2, areas: [{ at: 0, pages: [null, 21], file: { path: '/memfd:m', deleted: true }, isShared: true }] },
      ],
    },
    want: {
      1: { rss: 1, pss: PAGE, uss: 1, shmem: 1 },
      2: { rss: 1, pss: PAGE, uss: 1, shmem: 1 },
    },
  },
  {
    why: 'a System V segment looks deleted and stays',
    host: {
      flags: { 20: SHMEM },
      processes: [{ pid: 1, areas: [{ at: 0, pages: [20], file: { path: '/SYSV00000000', deleted: true } }] }],
    },
    want: { 1: { rss: 1, pss: PAGE, uss: 1, shmem: 1 } },
  },
  {
    why: 'a page mapped twice by one process is two pages of RSS, none of USS, and one that becomes cache',
    host: {
      flags: { 20: FILE },
      processes: [
        {
          pid: 1,
          areas: [
            { at: 0, pages: [20], file: { path: '/a' } },
            { at: 5, pages: [20], file: { path: '/a' } },
          ],
        },
      ],
    },
    want: { 1: { rss: 2, pss: PAGE, cache: 1 } },
  },
  {
    why: 'the zero page is nobody’s, and hugetlb is counted apart',
    host: {
      flags: { 1: ZERO, 512: HUGE | HEAD, 513: HUGE | TAIL },
      processes: [
        {
          pid: 1,
          areas: [
            { at: 0, pages: [1, 1, 10] },
            { at: 512, pages: [512, 513] },
          ],
        },
      ],
    },
    want: { 1: { rss: 1, pss: PAGE, uss: 1, freed: 1 } },
  },
  {
    why: 'a frame whose other mapper is not seen stays',
    host: { unseen: { 10: 1 }, processes: [{ pid: 1, areas: [{ at: 0, pages: [10, 11] }] }] },
    want: { 1: { rss: 2, pss: 1.5 * PAGE, uss: 1, freed: 1, shared: 1 } },
  },
  {
    why: 'without kpagecount, the mappers are those that were seen',
    host: {
      hasNoFrames: true,
      flags: { 20: FILE },
      processes: [
        {
          pid: 1,
          areas: [
            { at: 0, pages: [10, 11] },
            { at: 9, pages: [20], file: { path: '/a' } },
          ],
        },
        { pid: 2, areas: [{ at: 0, pages: [11] }] },
      ],
    },
    want: {
      1: { rss: 3, pss: 2.5 * PAGE, uss: 2, freed: 1, cache: 1, shared: 1, most: 2 },
      2: { rss: 1, pss: PAGE / 2, shared: 1, most: 1 },
    },
  },
  {
    why: 'a slot held by parent and child is one slot',
    host: {
      processes: [
        { pid: 1, areas: [{ at: 0, pages: ['slot 5', 'slot 6', 'slot 1:5'] }] },
        { pid: 2, areas: [{ at: 0, pages: ['slot 5', null, null] }] },
      ],
    },
    want: { 1: { swap: 3, swapPss: 2.5 * PAGE, freedSwap: 2 }, 2: { swap: 1, swapPss: PAGE / 2 } },
  },
  {
    why: 'a large folio goes whole, with the pages that nobody maps',
    host: {
      flags: { 64: HUGE_ANON | HEAD, 65: HUGE_ANON | TAIL, 66: HUGE_ANON | TAIL, 67: HUGE_ANON | TAIL },
      processes: [{ pid: 1, areas: [{ at: 0, pages: [64, 65] }] }],
    },
    want: { 1: { rss: 2, pss: 2 * PAGE, uss: 2, freed: 2, unmapped: 2 } },
  },
  {
    why: 'a large folio stays while another maps one page of it',
    host: {
      flags: { 64: HUGE_ANON | HEAD, 65: HUGE_ANON | TAIL, 66: HUGE_ANON | TAIL },
      processes: [
        { pid: 1, areas: [{ at: 0, pages: [64, 65] }] },
        { pid: 2, areas: [{ at: 0, pages: [66] }] },
      ],
    },
    want: { 1: { rss: 2, pss: 2 * PAGE, uss: 2, shared: 2 }, 2: { rss: 1, pss: PAGE, uss: 1, shared: 1 } },
  },
  {
    why: 'two folios side by side are two',
    host: {
      flags: { 64: HUGE_ANON | HEAD, 65: HUGE_ANON | TAIL, 66: HUGE_ANON | HEAD, 67: HUGE_ANON | TAIL },
      processes: [
        { pid: 1, areas: [{ at: 0, pages: [64, 65] }] },
        { pid: 2, areas: [{ at: 0, pages: [66, 67] }] },
      ],
    },
    want: { 1: { rss: 2, pss: 2 * PAGE, uss: 2, freed: 2 }, 2: { rss: 2, pss: 2 * PAGE, uss: 2, freed: 2 } },
  },
];

for (const { why, host, want } of cases) test(`ps: ${why}`, () => expect(figures(host)).toEqual(want));

test('ps: two processes with one page table are shown both, counted once, and neither frees anything', () => {
  const areas = [{ at: 0, pages: [10, 11, 'slot 3'] }];
  const costs = new ProcessCosts(
    madeUpHost({
      processes: [
        { pid: 1, areas },
        { pid: 2, parentPid: 1, sharesMmWith: 1 },
      ],
    }),
  );
  const { processes, total, swap } = costs.answer();
  expect(processes.map((row) => [row.pid, row.pss_bytes, row.same_memory_as_pid, row.exit!.freed_bytes])).toEqual([
    [1, 2 * PAGE, null, 0],
    [2, 2 * PAGE, 1, 0],
  ]);
  expect(total).toMatchObject({ sum_pss_bytes: 2 * PAGE, mapped_bytes: 2 * PAGE, mapped_by_others_too_bytes: 0 });
  expect(swap.held_bytes).toBe(PAGE);
  expect(costs.tree()).toMatchObject([
    {
      pid: 1,
      processes: 2,
      sum_pss_bytes: 2 * PAGE,
      rss_bytes: 2 * PAGE,
      exit: { freed_bytes: 2 * PAGE, freed_swap_bytes: PAGE },
    },
  ]);
});

test('ps: a subtree has each frame once, and what only it maps', () => {
  const costs = new ProcessCosts(
    madeUpHost({
      processes: [
        { pid: 1, areas: [{ at: 0, pages: [10, 11] }] },
        { pid: 2, parentPid: 1, areas: [{ at: 0, pages: [10, 12] }] },
        { pid: 3, parentPid: 2, areas: [{ at: 0, pages: [10, 12, 13] }] },
        { pid: 4, parentPid: 9, areas: [{ at: 0, pages: [13] }] },
      ],
    }),
  );
  const inPages = ({ pid, rss_bytes, unique_bytes, children }: PsTreeNode): unknown => [
    pid,
    rss_bytes! / PAGE,
    unique_bytes! / PAGE,
    children.map(inPages),
  ];
  expect(costs.tree().map(inPages)).toEqual([
    [1, 4, 3, [[2, 3, 1, [[3, 3, 0, []]]]]],
    [4, 1, 0, []],
  ]);
});

test('ps: parents in a circle make no endless walk', () => {
  const processes = [1, 2, 3].map((pid) => ({ pid, parentPid: (pid % 3) + 1, areas: [{ at: 0, pages: [pid] }] }));
  const count = (nodes: readonly PsTreeNode[]): number =>
    nodes.reduce((sum, node) => sum + 1 + count(node.children), 0);
  const tree = new ProcessCosts(madeUpHost({ processes })).tree();
  expect(count(tree)).toBe(3);
});

test('ps: without page maps the kernel’s own figures, and what it does not say is null', () => {
  const { processes, kernel_threads, zombies, total } = new ProcessCosts(
    madeUpHost({
      processes: [
        {
          pid: 1,
          areas: [{ at: 0, pages: [10], notSeen: true }],
          status: new Map([
            ['VmRSS', 40],
            ['VmSwap', 8],
          ]),
        },
        {
          pid: 2,
          status: new Map([
            ['VmRSS', 44],
            ['VmSwap', 8],
          ]),
          rollup: new Map([
            ['Rss', 40],
            ['Pss', 13],
            ['Private_Clean', 4],
            ['Private_Dirty', 8],
            ['Swap', 20],
            ['SwapPss', 6],
          ]),
        },
        { pid: 3, status: new Map(), isKernelThread: true },
        { pid: 4, status: new Map(), state: 'Z' },
      ],
    }),
  ).answer();
  expect([kernel_threads, zombies, total.processes, total.mapped_bytes]).toEqual([1, 1, 2, null]);
  expect(processes[0]).toMatchObject({
    source: 'kernel',
    rss_bytes: 40960,
    pss_bytes: null,
    uss_bytes: null,
    swap_bytes: 8192,
    shared_swap_bytes: null,
    exit: null,
  });
  expect(processes[1]).toMatchObject({
    source: 'kernel',
    rss_bytes: 40960,
    pss_bytes: 13312,
    uss_bytes: 12288,
    swap_bytes: 8192,
    swap_pss_bytes: 6144,
    shared_swap_bytes: 12288,
    differs: [],
  });
});

test('ps: without frame numbers, what is mapped once is known to be its own', () => {
  const rollup = new Map([
    ['Rss', 16],
    ['Pss', 9],
    ['Private_Clean', 0],
    ['Private_Dirty', 8],
  ]);
  const { processes, total } = new ProcessCosts(
    madeUpHost({
      flags: { 20: FILE },
      unseen: { 11: 1 },
      processes: [
        {
          pid: 1,
          rollup,
          areas: [
            { at: 0, pages: [10, 11, 'slot 4'], isHidden: true },
            { at: 9, pages: [20], file: { path: '/a' }, isHidden: true },
          ],
        },
      ],
    }),
  ).answer();
  expect(processes[0]).toMatchObject({ source: 'kernel', rss_bytes: 16384, uss_bytes: 8192 });
  expect(processes[0]!.exit).toMatchObject({ freed_bytes: PAGE, becomes_cache_bytes: PAGE, freed_swap_bytes: null });
  expect(total.mapped_bytes).toBeNull();
});

test('ps: where the kernel says otherwise, the row says so', () => {
  const rollup = new Map([
    ['Rss', 8],
    ['Pss', 6],
    ['Private_Clean', 4],
    ['Private_Dirty', 0],
    ['SwapPss', 0],
  ]);
  const { processes } = new ProcessCosts(
    madeUpHost({ processes: [{ pid: 1, rollup, areas: [{ at: 0, pages: [10, 11] }] }] }),
  ).answer();
  expect(processes[0]!.differs).toEqual([
    'pss: 8 kB in its page table, 6 kB in smaps_rollup',
    'uss: 8 kB in its page table, 4 kB in smaps_rollup',
  ]);
});

test('ps: swap: slots once, objects between the largest and the sum, and the rest', () => {
  const swaps = 'Filename\t\tType\t\tSize\t\tUsed\t\tPriority\n/swap file     file\t\t1000\t\t100\t\t-2\n';
  const rollup = (kb: number) => new Map([['Swap', kb]]);
  const { swap } = new ProcessCosts(
    madeUpHost({
      texts: { swaps },
      processes: [
        { pid: 1, rollup: rollup(28), areas: [{ at: 0, pages: ['slot 1', 'slot 2'] }] },
        { pid: 2, rollup: rollup(24), areas: [{ at: 0, pages: ['slot 1'] }] },
      ],
    }),
  ).answer();
  expect(swap).toEqual({
    total_bytes: 1000 * 1024,
    used_bytes: 100 * 1024,
    held_bytes: 2 * PAGE,
    shared_bytes: [20 * 1024, 40 * 1024],
    rest_bytes: (100 - 8 - 40) * 1024,
  });
});

/** A host of any shape: processes, frames of every kind, large folios; who maps what is drawn at random. */
const anyHost = fc
  .array(
    fc.record({
      parentPid: fc.nat(6),
      cgroup: fc.constantFrom('/', '/a', '/a/b', '/c'),
      pages: fc.array(
        fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constantFrom('slot 1', 'slot 2', 'slot 3'), fc.constant(null)),
        { maxLength: 40 },
      ),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((processes): MadeUpHost => {
    const flags: Record<number, bigint> = { 1: ZERO };
    for (let pfn = 2; pfn < 20; pfn++) flags[pfn] = pfn % 3 === 0 ? SHMEM : FILE;
    for (let pfn = 40; pfn <= 60; pfn++) flags[pfn] = HUGE_ANON | (pfn % 8 === 0 ? HEAD : TAIL);
    return {
      flags,
      processes: processes.map(({ parentPid, cgroup, pages }, i) => ({
        pid: i + 1,
        parentPid,
        cgroup,
        areas: [
          { at: 100 * i, pages: pages.filter((page) => typeof page !== 'number' || page >= 20 || page === 1) },
          {
            at: 100 * i + 50,
            pages: pages.filter((page) => typeof page === 'number' && page > 1 && page < 20),
            file: { path: '/f', deleted: i % 2 === 0 },
          },
        ],
      })),
    };
  });

test('ps: whatever is shared, PSS adds up to the frames that are mapped, and each frame is in one part of exit', () => {
  fc.assert(
    fc.property(anyHost, (host) => {
      const snapshot = madeUpHost(host);
      const costs = new ProcessCosts(snapshot);
      const { processes, total, swap } = costs.answer();
      const counted = new Set<number>();
      const slots = new Set<string>();
      let rows = 0;
      for (const page of host.processes.flatMap((p) => p.areas!.flatMap((area) => area.pages))) {
        if (typeof page === 'string') slots.add(page);
        if (typeof page === 'number' && page !== 1) {
          counted.add(page);
          rows += 1;
        }
      }
      expect(total.mapped_bytes).toBe(counted.size * PAGE);
      expect(total.sum_rss_bytes).toBe(rows * PAGE);
      expect(swap.held_bytes).toBe(slots.size * PAGE);
      // Each entry loses less than 1/4096 of a byte, each process less than a byte.
      expect(total.sum_pss_bytes).toBeLessThanOrEqual(counted.size * PAGE);
      expect(total.sum_pss_bytes).toBeGreaterThan(counted.size * PAGE - rows / 4096 - processes.length);
      for (const [i, { exit }] of processes.entries()) {
        const mine = new Set(
          host.processes[i]!.areas!.flatMap((area) => area.pages).filter((p) => typeof p === 'number' && p !== 1),
        );
        const { freed_bytes, freed_with_file_bytes, becomes_cache_bytes, becomes_shmem_bytes, stays_shared_bytes } =
          exit!;
        const sum =
          freed_bytes + freed_with_file_bytes + becomes_cache_bytes + becomes_shmem_bytes + stays_shared_bytes;
        expect(sum).toBe(mine.size * PAGE);
      }
    }),
    { numRuns: 500 },
  );
});

test('ps: a subtree is counted as by hand', () => {
  fc.assert(
    fc.property(anyHost, (host) => {
      const tree = new ProcessCosts(madeUpHost(host)).tree();
      const framesOf = (pid: number) =>
        host.processes[pid - 1]!.areas!.flatMap((area) => area.pages).filter(
          (p): p is number => typeof p === 'number' && p !== 1,
        );
      const pidsOf = (node: PsTreeNode): number[] => [node.pid, ...node.children.flatMap(pidsOf)];
      const check = (node: PsTreeNode): void => {
        const inside = pidsOf(node);
        const outside = host.processes.map(({ pid }) => pid).filter((pid) => !inside.includes(pid));
        const mapped = new Set(inside.flatMap(framesOf));
        const others = new Set(outside.flatMap(framesOf));
        expect(node.rss_bytes).toBe(mapped.size * PAGE);
        expect(node.unique_bytes).toBe([...mapped].filter((pfn) => !others.has(pfn)).length * PAGE);
        node.children.forEach(check);
      };
      tree.forEach(check);
    }),
    { numRuns: 300 },
  );
});
