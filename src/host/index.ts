/** The library `revmap/host`: a live host through /proc, or a snapshot of one, asked the same questions as a simulated machine. */
export { HostFiles } from './host_files.ts';
export { LiveHost, type LiveHostOptions } from './live_host.ts';
export { ReverseMap } from './reverse.ts';
export * from './snapshot.ts';
export type { TakeOptions } from './take_options.ts';
