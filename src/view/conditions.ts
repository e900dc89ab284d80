/**
 * To what a machine can be run: something that happens in it, or a state that it comes into.
 *
 * Owns      the conditions, as data that a page can send to its worker, and the kinds of what happens.
 * Promises  It brings nothing of the engine with it. What is watched for each stands in time_search.ts.
 */
import type { TracepointName } from '../mm/tracepoints.ts';

/** What happens, by kind: in the order of a list to choose from. `known`: which kernels tell; left out: all. */
export const KINDS = {
  minor_fault: { says: 'minor fault', why: 'a process touches a page that has no entry yet; nothing is read for it' },
  major_fault: { says: 'major fault', why: 'a process touches a page that must be read from a disk or from swap' },
  swap_in: { says: 'swap-in', why: 'a page is read from swap' },
  swap_out: { says: 'swap-out', why: 'reclaim writes a page to swap' },
  eviction: { says: 'eviction of a page', why: 'reclaim frees a page: whoever wants it again must read it' },
  refault: {
    says: 'refault',
    why: 'a page comes back that was evicted not long ago; its shadow tells (workingset)',
    known: ['linux-3', 'linux-6'],
  },
  scan: { says: 'scan of a list', why: 'reclaim takes pages from the tail of a list to judge them' },
  kswapd_wake: { says: 'kswapd wakes', why: 'free memory of a zone is below its low watermark' },
  kswapd_sleep: { says: 'kswapd sleeps', why: 'free memory is above the high watermark again' },
  direct_reclaim: { says: 'direct reclaim begins', why: 'a program has to free memory itself before it gets any' },
  memcg_reclaim: {
    says: 'reclaim at a limit begins',
    why: 'the cgroup is full, and the program has to free pages of it',
    known: ['linux-3', 'linux-6'],
  },
  writeback: { says: 'writeback of files', why: 'dirty pages are written in the background, or by reclaim' },
  oom_kill: { says: 'OOM kill', why: 'nothing could be freed: a process is killed' },
  fork: { says: 'fork', why: 'a new process or thread' },
  exit: { says: 'exit', why: 'a process or thread ends' },
  call: { says: 'system call', why: 'a call that the recording or the program has' },
} as const satisfies Record<string, Kind>;
export type KindName = keyof typeof KINDS;

export interface Kind {
  readonly says: string;
  readonly why: string;
  /** Families of kernels. */
  readonly known?: readonly string[];
}

export const KIND_NAMES: readonly KindName[] = Object.keys(KINDS) as KindName[];

export function isKnown(kind: KindName, family: string): boolean {
  const { known }: Kind = KINDS[kind];
  return known === undefined || known.includes(family);
}

export const FRAME_CHANGES = {
  evicted: 'is evicted by reclaim',
  moved: 'goes to another list',
  mapped: 'is mapped once more',
  unmapped: 'loses an entry that maps it',
} as const;
export type FrameChange = keyof typeof FRAME_CHANGES;

export const MARKS = ['min', 'low', 'high'] as const;
export type Mark = (typeof MARKS)[number];

export type Condition =
  /** One of these tracepoints fires. */
  | { readonly kind: 'event'; readonly names: readonly TracepointName[] }
  | { readonly kind: 'happens'; readonly what: KindName }
  /** A fault of this process. */
  | { readonly kind: 'process'; readonly pid: number }
  /** A fault at this page: the address of its beginning. */
  | { readonly kind: 'page'; readonly pid: number; readonly address: number }
  | { readonly kind: 'frame'; readonly pfn: number; readonly change: FrameChange }
  /** Free pages fall below a mark, or below so many; `zone` by its place in the machine, null: of all zones together. */
  | { readonly kind: 'free'; readonly zone: number | null; readonly below: Mark | number }
  /** A charge does not fit under the limit of the program's cgroup. */
  | { readonly kind: 'limit' };
