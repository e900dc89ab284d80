/** The library `revmap/host`: a live host through /proc, or a snapshot of one, asked the same questions as a simulated machine. */
export { ReverseMap } from './reverse.ts';
export * from './snapshot.ts';
