/**
 * What a policy is shown: accesses to pages that are numbered 0, 1, 2 … in the order of their first access.
 *
 * Owns      PageStream.
 * Promises  1. Every id is below `pages`, and each of them occurs.
 *           2. `forEach` may be called any number of times, and brings the same accesses in the same order.
 * Read      src/lab/page_stream.ts, which makes one of a recording
 *
 *     recording          process 7, 0x4002892000 · store     process 7, 0x4002893000     process 7, 0x4002892040
 *     stream    ids      0                                   1                           0
 *               writes   1                                   0                           0
 */
export interface PageStream {
  /** How many pages there are: the ids are 0 … pages-1. */
  pages: number;
  /** How many accesses all batches bring together. */
  accesses: number;
  /**
   * Calls `batch` with all accesses in their order. Only the first `count` entries count, and the arrays are used
   * again for the next batch: who wants to keep them copies them. `writes` has 1 for a store, 0 for a load.
   */
  forEach(batch: (ids: Int32Array, writes: Uint8Array, count: number) => void): void;
}
