/** The library `revmap/host`: a live host through /proc, or a snapshot of one, asked the same questions as a simulated machine. */
export { HostFiles } from './host_files.ts';
export { LiveHost, type LiveHostOptions } from './live_host.ts';
export { type CacheAnswer, type CacheOptions, cachedFiles } from './page_cache.ts';
export { type FileQuestion, type FileRow, fileRows } from './page_cache_rows.ts';
export { type CacheFrames, type CacheSums, type ChargedSum, cacheSums, chargedPages } from './page_cache_sums.ts';
export { ReverseMap } from './reverse.ts';
export * from './snapshot.ts';
export type { TakeOptions } from './take_options.ts';
