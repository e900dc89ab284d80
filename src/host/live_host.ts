/**
 * A live host, as a program sees it: `new LiveHost()`, and questions.
 *
 * Promises  1. Reads only: nothing under /proc, /sys or a cgroup is ever written.
 *           2. What the kernel refuses is in the answer (`missing`), never an exception and never a zero.
 */
import { HostFiles } from './host_files.ts';
import type { HostSnapshot } from './snapshot.ts';
import { takeSnapshot } from './take.ts';
import type { TakeOptions } from './take_options.ts';

export interface LiveHostOptions {
  /** Where proc is mounted. Default /proc. */
  readonly proc?: string;
  /** Where sysfs is mounted. Default /sys. */
  readonly sys?: string;
}

export class LiveHost {
  readonly files: HostFiles;

  constructor({ proc = '/proc', sys = '/sys' }: LiveHostOptions = {}) {
    this.files = new HostFiles(proc, sys);
  }

  /**
   * The whole host at one moment: frames, processes, VMAs and entries as columns (snapshot.ts has the form and the units).
   * What each part costs: take_options.ts. Throws InputError only if the kernel's pages are not 4096 bytes.
   */
  snapshot(options: TakeOptions = {}): HostSnapshot {
    return takeSnapshot(this.files, options);
  }
}
