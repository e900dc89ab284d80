/** What a snapshot of a live host shall hold: each part costs time of its own. */
export interface TakeOptions {
  /** /proc/kpage*: of every frame, of those that entries name, or not at all. Default all. */
  readonly frames?: 'all' | 'mapped' | 'none';
  /** pagemap of every process. Default true. */
  readonly entries?: boolean;
  /** smaps_rollup of every process. Default true. */
  readonly rollups?: boolean;
  /** smaps of every process: the kernel walks each page table for it. Default false. */
  readonly smaps?: boolean;
  /** Command lines. Default false. */
  readonly commands?: boolean;
  /** Only these processes. Default all. */
  readonly pids?: readonly number[];
  /** Called after each process: so many of so many are read. */
  readonly progress?: (done: number, of: number) => void;
}
