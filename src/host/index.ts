/** The library `revmap/host`: a live host through /proc, or a snapshot of one, asked the same questions as a simulated machine. */
export { cgroupCosts } from './cgroups.ts';
export { diffSnapshots } from './diff.ts';
export { fragmentationOf } from './fragmentation.ts';
export { frameKinds, frameTables } from './frames.ts';
export { HostFiles } from './host_files.ts';
export { LiveHost, type LiveHostOptions, type PageOfHost } from './live_host.ts';
export { snapshotOfMachine } from './of_machine.ts';
export { ProcessCosts } from './ps.ts';
export { redactSnapshot } from './redact.ts';
export { processOfVma, ReverseMap, vmaOfEntry } from './reverse.ts';
export * from './snapshot.ts';
export { readSnapshotFile, writeSnapshotFile } from './snapshot_store.ts';
export type { TakeOptions } from './take_options.ts';
export { whoHasSlot, whoMapsFrame } from './who.ts';
export { filesNamed, whoMapsFile } from './who_file.ts';
export { sharedWith } from './who_shared.ts';
