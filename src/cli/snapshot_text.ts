/** What is in a snapshot, for people and as JSON. */

import type { WrittenFile } from '../host/file/snapshot_store.ts';
import { ENTRY_SWAP, type HostSnapshot } from '../host/snapshot.ts';
import { formatSize } from '../lab/options.ts';
import { printable } from '../trace/error.ts';
import { hostFooter } from './host_source.ts';
import { grouped, plural } from './output.ts';
import { pc } from './terminal.ts';

/** A snapshot's file: what was written, if it was, and how long reading or writing it took. */
export interface ShownFile {
  readonly path: string;
  readonly written: WrittenFile | null;
  readonly tookMs: number;
}

export function snapshotFacts(snapshot: HostSnapshot, { path, written, tookMs }: ShownFile): object {
  const { processes, vmas, entries, frames, files, cgroups, smaps, cache } = snapshot;
  return {
    file: path,
    bytes: written?.bytes ?? null,
    unpackedBytes: written?.unpackedBytes ?? null,
    fileMs: tookMs,
    source: snapshot.source,
    kernel: snapshot.kernel,
    hostname: snapshot.hostname,
    redacted: snapshot.redacted,
    takenAtMs: snapshot.takenAtMs,
    tookMs: snapshot.tookMs,
    processes: processes.length,
    kernelThreads: processes.filter(({ isKernelThread }) => isKernelThread).length,
    vmas: vmas.count,
    entries: entries.count,
    swapEntries: swapEntries(snapshot),
    frames: frames?.count ?? null,
    files: files.length,
    cgroups: cgroups.length,
    rollups: processes.filter(({ rollup }) => rollup !== null).length,
    smaps: smaps === null ? null : [...smaps.keys()],
    commands: processes.filter(({ command }) => command !== null).length,
    cachedFiles: cache?.length ?? null,
    cachedPages: cache?.reduce((sum, { cachedPages }) => sum + cachedPages, 0) ?? null,
    texts: [...snapshot.texts.keys()],
    missing: snapshot.missing,
    changes: snapshot.changes,
  };
}

function swapEntries({ entries }: HostSnapshot): number {
  return entries.bits.reduce((sum, bits) => sum + ((bits & ENTRY_SWAP) === 0 ? 0 : 1), 0);
}

export function describeSnapshot(snapshot: HostSnapshot, file: ShownFile): string {
  const { processes, vmas, entries, frames, files, cgroups, smaps, cache, texts } = snapshot;
  const own = processes.filter(({ isKernelThread }) => !isKernelThread).length;
  const rollups = processes.filter(({ rollup }) => rollup !== null).length;
  const commands = processes.filter(({ command }) => command !== null).length;
  const cached = cache?.reduce((sum, { cachedPages }) => sum + cachedPages, 0) ?? 0;
  const swapped = swapEntries(snapshot);
  const rows: [string, string | null][] = [
    ['processes', `${grouped(own)}, and ${plural(processes.length - own, 'kernel thread')}`],
    ['mappings', `${grouped(vmas.count)} of ${plural(files.length, 'file')} and of anonymous memory`],
    [
      'entries',
      `${grouped(entries.count)} of page tables${swapped > 0 ? `, ${grouped(swapped)} of them swapped out` : ''}`,
    ],
    ['frames', frames && `${grouped(frames.count)} (${formatSize(frames.count * 4096)})`],
    [
      'page cache',
      cache && `${plural(cache.length, 'file')} with ${grouped(cached)} pages (${formatSize(cached * 4096)})`,
    ],
    ['cgroups', cgroups.length > 0 ? grouped(cgroups.length) : null],
    ['rollups', rollups > 0 ? `of ${plural(rollups, 'process', 'processes')}` : null],
    ['smaps', smaps && `${plural(smaps.size, 'number')} for each mapping`],
    ['commands', commands > 0 ? `of ${plural(commands, 'process', 'processes')}` : null],
    ['texts', texts.size > 0 ? [...texts.keys()].map(printable).join(' ') : null],
  ];
  const there = rows.filter(([, text]) => text !== null).map(([name, text]) => `  ${name.padEnd(12)}${text}`);
  const none = rows.filter(([, text]) => text === null).map(([name]) => name);
  return [
    `${pc.bold(printable(file.path))} (${fileText(file)}): ${whose(snapshot)}`,
    ...there,
    ...(none.length > 0 ? [`  ${'not in it'.padEnd(12)}${none.join(', ')}`] : []),
    hostFooter(snapshot).trimEnd(),
  ]
    .filter((line) => line !== '')
    .join('\n');
}

function fileText({ written, tookMs }: ShownFile): string {
  const seconds = `${(tookMs / 1000).toFixed(1)} s`;
  return written === null ? `read in ${seconds}` : `${formatSize(written.bytes)}, written in ${seconds}`;
}

function whose({ source, kernel, hostname, redacted, takenAtMs, tookMs }: HostSnapshot): string {
  const linux = `Linux ${printable(kernel)}`;
  const names = redacted ? ', names redacted' : '';
  if (source === 'machine') return `a simulated machine, ${linux}, after ${(takenAtMs / 1000).toFixed(3)} s${names}`;
  // The year 275760 is the last that Date knows.
  const date = new Date(takenAtMs);
  const when = Number.isNaN(date.getTime()) ? '' : `, ${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const host = hostname === '' ? 'a host' : printable(hostname);
  return `${host}, ${linux}${when}, taken in ${(tookMs / 1000).toFixed(1)} s${names}`;
}
