/** The library `revmap/host`: a live host through /proc, or a snapshot of one, asked the same questions as a simulated machine. */
export { cgroupCosts } from './cost/cgroups.ts';
export { ProcessCosts } from './cost/ps.ts';
export { diffSnapshots } from './diff/diff.ts';
export { redactSnapshot } from './file/redact.ts';
export { readSnapshotFile, writeSnapshotFile } from './file/snapshot_store.ts';
export { fragmentationOf } from './frames/fragmentation.ts';
export { frameKinds, frameTables } from './frames/frames.ts';
export { LiveHost, type LiveHostOptions, type PageOfHost } from './live_host.ts';
export { snapshotOfMachine } from './of_machine.ts';
export { type CacheAnswer, type CacheOptions, cachedFiles } from './page_cache/page_cache.ts';
export { type FileQuestion, type FileRow, fileRows } from './page_cache/page_cache_rows.ts';
export {
  type CacheFrames,
  type CacheSums,
  type ChargedSum,
  cacheSums,
  chargedPages,
} from './page_cache/page_cache_sums.ts';
export { HostFiles } from './read/host_files.ts';
export type { TakeOptions } from './read/take_options.ts';
export { processOfVma, ReverseMap, vmaOfEntry } from './reverse.ts';
export * from './snapshot.ts';
export { whoHasSlot, whoMapsFrame } from './who/who.ts';
export { filesNamed, whoMapsFile } from './who/who_file.ts';
export { sharedWith } from './who/who_shared.ts';
