/** `revmap who` of this host, or of a snapshot of one: asks, and prints. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { HostFiles, Refusal } from '../host/read/host_files.ts';
import type { TakeOptions } from '../host/read/take_options.ts';
import { ReverseMap } from '../host/reverse.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { placeIn, type WhoAnswer, whoHasSlot, whoMapsFrame } from '../host/who/who.ts';
import { type FileAnswer, filesNamed, whoMapsFile } from '../host/who/who_file.ts';
import { pidsWithFile, type WantedFile, whoLiveAddress, whoLiveFile, whoLiveFrame } from '../host/who/who_live.ts';
import { sharedWith } from '../host/who/who_shared.ts';
import { InputError } from '../mm/bug.ts';
import { printable } from '../trace/error.ts';
import { columns, print, printJson } from './output.ts';
import { describeFile, describePage, describeShared } from './who_text.ts';

export type WhoQuestion =
  | { readonly kind: 'address'; readonly pid: number; readonly address: number }
  | { readonly kind: 'frame'; readonly pfn: number }
  | { readonly kind: 'file'; readonly path: string; readonly offset: number | null }
  | { readonly kind: 'shared'; readonly pid: number };

interface Flags {
  from?: string;
  json?: boolean;
}

export async function askHost(question: WhoQuestion, flags: Flags): Promise<void> {
  const width = columns(100);
  const tell = <T extends object>(answer: T, text: (answer: T) => string): void => {
    if (flags.json === true) printJson({ question, from: flags.from ?? null, ...answer });
    else print(text(answer));
  };
  if (question.kind === 'shared') {
    const snapshot = await snapshotOf(flags, { frames: 'mapped', rollups: false });
    const answer = sharedWith(snapshot, new ReverseMap(snapshot), question.pid) ?? refuseProcess(question.pid);
    const { missing, changes } = snapshot;
    const footer = await footerOf(snapshot);
    tell({ ...answer, missing, changes }, () => describeShared(answer, width) + footer);
  } else if (question.kind === 'file' && question.offset === null) {
    const { answer, snapshot } = await fileAnswer(question.path, flags);
    const { missing, changes } = snapshot;
    const footer = await footerOf(snapshot);
    tell({ ...answer, missing, changes }, () => describeFile(answer, width) + footer);
  } else {
    const answer = flags.from === undefined ? liveAnswer(question) : savedAnswer(question, await snapshotOf(flags));
    tell(answer, (page) => describePage(page, width));
  }
}

function refuseProcess(pid: number): never {
  throw new InputError('--pid', 0, `there is no process ${pid}`);
}

/** What takes a whole host is loaded only for questions that need one. */
async function snapshotOf({ from }: Flags, options: TakeOptions = {}): Promise<HostSnapshot> {
  const { hostSnapshot } = await import('./host_source.ts');
  return hostSnapshot(from === undefined ? {} : { from }, options);
}

async function footerOf(snapshot: HostSnapshot): Promise<string> {
  const { hostFooter } = await import('./host_source.ts');
  return `\n${hostFooter(snapshot)}`;
}

type PageQuestion = Exclude<WhoQuestion, { kind: 'shared' }>;

function liveAnswer(question: PageQuestion): WhoAnswer {
  const files = new HostFiles();
  if (question.kind === 'address') {
    return whoLiveAddress(files, question.pid, question.address) ?? refuseProcess(question.pid);
  }
  if (question.kind === 'frame') return whoLiveFrame(files, question.pfn) ?? refuseFrame(question.pfn, files);
  return whoLiveFile(files, fileAsked(question.path, files), question.offset ?? 0) ?? refuseFile(question.path);
}

function refuseFrame(pfn: number, files: HostFiles): never {
  const opened = files.open(files.inProc('kpageflags'));
  if (opened instanceof Refusal) {
    throw new InputError('/proc/kpageflags', 0, `may not be read (${opened.errno}): frames are root's to ask about`);
  }
  opened.close();
  throw new InputError('--pfn', 0, `no frame has the number ${pfn}`);
}

function refuseFile(path: string): never {
  throw new InputError(printable(path), 0, 'there is no such file, and nobody maps one of this name');
}

/** The inode, if the file is there, and the names that maps may have for it. */
function fileAsked(path: string, files: HostFiles): WantedFile {
  const stat = files.stat(path);
  const absolute = resolve(path);
  if (stat instanceof Refusal) return { inode: null, names: [path, absolute] };
  if (stat.kind === 'directory') throw new InputError(printable(path), 0, 'is a folder');
  return { inode: stat, names: [path, absolute, realpathSync(path)] };
}

async function fileAnswer(path: string, flags: Flags): Promise<{ answer: FileAnswer; snapshot: HostSnapshot }> {
  const files = new HostFiles();
  const isLive = flags.from === undefined;
  const wanted = isLive ? fileAsked(path, files) : { inode: null, names: [path, resolve(path)] };
  const { pids, missing } = isLive ? pidsWithFile(files, wanted) : { pids: [], missing: [] };
  const taken = await snapshotOf(flags, { frames: 'none', rollups: false, pids });
  // Others' regions may be of the file, too.
  const snapshot = { ...taken, missing: [...missing, ...taken.missing] };
  const row = filesNamed(snapshot, wanted.names, wanted.inode)[0];
  if (row === undefined && wanted.inode === null) refuseFile(path);
  const answer = row === undefined ? unmapped(wanted) : whoMapsFile(snapshot, row);
  const cached = isLive && wanted.inode !== null ? await cachedNow(files, snapshot, wanted) : answer.cached;
  return { answer: { ...answer, cached }, snapshot };
}

function unmapped({ inode, names }: WantedFile): FileAnswer {
  const file = { device: inode!.device, inode: inode!.inode, path: names.at(-1)!, deleted: false };
  return { file, ranges: [], mappedPages: 0, cached: null, processes: 0, copies: [] };
}

/** What the page cache holds of a file of this host, mapped or not. */
async function cachedNow(
  host: HostFiles,
  snapshot: HostSnapshot,
  { inode, names }: WantedFile,
): Promise<FileAnswer['cached']> {
  const { cachedFiles } = await import('../host/page_cache/page_cache.ts');
  const options = { pids: null, kernels: false, paths: [names.at(-1)!], ranges: true };
  const { cache, files } = await cachedFiles(host, snapshot, options);
  const found = cache?.find(({ file }) => files[file]!.inode === inode!.inode && files[file]!.device === inode!.device);
  return found === undefined ? null : { pages: found.cachedPages, ranges: found.ranges };
}

function savedAnswer(question: PageQuestion, snapshot: HostSnapshot): WhoAnswer {
  const reverse = new ReverseMap(snapshot);
  const rest = { tries: 1, moved: 0, changed: [], missing: snapshot.missing };
  if (question.kind === 'frame') {
    const frame = whoMapsFrame(snapshot, reverse, question.pfn);
    if (frame === null) throw new InputError('--pfn', 0, `no frame has the number ${question.pfn}`);
    return { place: null, frame, slot: null, ...rest };
  }
  if (question.kind === 'file') {
    const row = filesNamed(snapshot, [question.path, resolve(question.path)], null)[0] ?? refuseFile(question.path);
    const range = whoMapsFile(snapshot, row).ranges.find(
      ({ offset, pages }) => question.offset! >= offset && question.offset! < offset + pages * 4096,
    );
    if (range === undefined) return { place: null, frame: null, slot: null, ...rest };
    const mapper = range.mappers[0]!;
    return addressIn(snapshot, reverse, mapper.pid, mapper.address + question.offset! - range.offset, rest, false);
  }
  return addressIn(snapshot, reverse, question.pid, question.address, rest, true);
}

function addressIn(
  snapshot: HostSnapshot,
  reverse: ReverseMap,
  pid: number,
  address: number,
  rest: Omit<WhoAnswer, 'place' | 'frame' | 'slot'>,
  isAsked: boolean,
): WhoAnswer {
  const { place, slot } = placeIn(snapshot, pid, address) ?? refuseProcess(pid);
  return {
    place: isAsked ? place : null,
    frame: place.pfn === null ? null : whoMapsFrame(snapshot, reverse, place.pfn),
    slot: slot === null ? null : whoHasSlot(snapshot, slot.area, slot.offset),
    ...rest,
  };
}
