/**
 * A live host, as a program sees it: `new LiveHost()`, and questions.
 *
 * Promises  1. Reads only: nothing under /proc, /sys or a cgroup is ever written.
 *           2. What the kernel refuses is in the answer (`missing`), never an exception and never a zero.
 */

import { type CacheAnswer, type CacheOptions, cachedFiles } from './page_cache/page_cache.ts';
import { HostFiles, Refusal } from './read/host_files.ts';
import { takeSnapshot } from './read/take.ts';
import type { TakeOptions } from './read/take_options.ts';
import type { HostSnapshot } from './snapshot.ts';
import type { WhoAnswer } from './who/who.ts';
import { whoLiveAddress, whoLiveFile, whoLiveFrame } from './who/who_live.ts';

export interface LiveHostOptions {
  /** Where proc is mounted. Default /proc. */
  readonly proc?: string;
  /** Where sysfs is mounted. Default /sys. */
  readonly sys?: string;
}

/** A page: where a process sees it, by its frame, or by its place in a file (bytes; `path` also as maps has it: `/memfd:x`). */
export type PageOfHost =
  | { readonly pid: number; readonly address: number }
  | { readonly pfn: number }
  | { readonly path: string; readonly offset: number };

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

  /**
   * Every (process, region, address) that maps the page, and whether they are as many as the kernel counts; the frame's flags, kind and
   * owner. Looks only where the page may be, so it is faster than a snapshot. Null: no such process, frame or file.
   */
  who(page: PageOfHost): WhoAnswer | null {
    if ('pid' in page) return whoLiveAddress(this.files, page.pid, page.address);
    if ('pfn' in page) return whoLiveFrame(this.files, page.pfn);
    const stat = this.files.stat(page.path);
    return whoLiveFile(this.files, { inode: stat instanceof Refusal ? null : stat, names: [page.path] }, page.offset);
  }

  /**
   * What the page cache holds of the files that `snapshot` knows, of open ones and of `options.paths`, in pages, by cachestat(2) and
   * mincore(2) through the optional package koffi; without it `cache` is null, and `missing` says so.
   */
  cachedFiles(snapshot: HostSnapshot, options: CacheOptions = {}): Promise<CacheAnswer> {
    return cachedFiles(this.files, snapshot, options);
  }
}
