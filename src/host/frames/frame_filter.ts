/**
 * Which frames a question is about: by kind, flag, zone, cgroup, list, process, place.
 *
 * Promises  A frame is chosen if it fits every part that is asked for. Of several kinds (zones, cgroups, lists, processes) one
 *           is enough; of several flags each must be set, or with `~` not set.
 */

import { type HostSnapshot, isMapped, NO_CGROUP } from '../snapshot.ts';
import { type FrameKind, type FrameKinds, KIND, type LruList, listOfWord } from './frame_kinds.ts';
import { expandedFlags, flagBit } from './frame_words.ts';

export interface FrameFilter {
  readonly kinds?: readonly FrameKind[] | undefined;
  /** Names as page-types has them, or the beginning of one; `~dirty` is not dirty. */
  readonly flags?: readonly string[] | undefined;
  /** `Normal`, or `0:Normal` for that of node 0. */
  readonly zones?: readonly string[] | undefined;
  /** A path, and all below it; `none` for frames that no cgroup is charged for. */
  readonly cgroups?: readonly string[] | undefined;
  readonly lists?: readonly LruList[] | undefined;
  /** Frames that one of these maps. */
  readonly pids?: readonly number[] | undefined;
  /** First, and behind the last. */
  readonly range?: readonly [first: number, end: number] | undefined;
}

/** 1 for each frame that is chosen; null if all are. A string says which part of the question names nothing. */
export function chooseFrames(
  snapshot: HostSnapshot,
  kinds: FrameKinds,
  filter: FrameFilter,
): Uint8Array | null | string {
  const tests: ((chosen: Uint8Array) => string | null)[] = [];
  if (filter.range !== undefined) tests.push((chosen) => byRange(chosen, filter.range!));
  if (filter.kinds !== undefined) tests.push((chosen) => byKind(chosen, kinds, filter.kinds!));
  if (filter.flags !== undefined) tests.push((chosen) => byFlags(chosen, kinds, filter.flags!));
  if (filter.lists !== undefined) tests.push((chosen) => byList(chosen, kinds, filter.lists!));
  if (filter.zones !== undefined) tests.push((chosen) => byZone(chosen, kinds, filter.zones!));
  if (filter.cgroups !== undefined) tests.push((chosen) => byCgroup(chosen, snapshot, kinds, filter.cgroups!));
  if (filter.pids !== undefined) tests.push((chosen) => byPid(chosen, snapshot, filter.pids!));
  if (tests.length === 0) return null;
  const chosen = new Uint8Array(kinds.frames.count).fill(1);
  for (const test of tests) {
    const wrong = test(chosen);
    if (wrong !== null) return wrong;
  }
  return chosen;
}

function byRange(chosen: Uint8Array, [first, end]: readonly [number, number]): null {
  chosen.fill(0, 0, first);
  chosen.fill(0, end);
  return null;
}

function byKind(chosen: Uint8Array, { kind }: FrameKinds, wanted: readonly FrameKind[]): null {
  const places = new Set(wanted.map((name) => KIND[name]));
  for (let pfn = 0; pfn < chosen.length; pfn++) if (!places.has(kind[pfn]!)) chosen[pfn] = 0;
  return null;
}

/** Whole words are kept or not, so the question is asked once for each word. */
function byWord(chosen: Uint8Array, { frames }: FrameKinds, fits: (low: number, high: number) => boolean): null {
  const kept = Uint8Array.from(frames.wordsLow, (low, row) => Number(fits(low, frames.wordsHigh[row]!)));
  const { word } = frames;
  for (let pfn = 0; pfn < chosen.length; pfn++) chosen[pfn]! &= kept[word[pfn]!]!;
  return null;
}

function byFlags(chosen: Uint8Array, kinds: FrameKinds, flags: readonly string[]): string | null {
  let set = 0n;
  let clear = 0n;
  for (const flag of flags) {
    const bit = flagBit(flag.replace(/^~/, ''));
    if (bit === null) return `no flag begins with '${flag.replace(/^~/, '')}' alone`;
    if (flag.startsWith('~')) clear |= 1n << BigInt(bit);
    else set |= 1n << BigInt(bit);
  }
  return byWord(chosen, kinds, (low, high) => {
    const word = wordOf(low, high);
    const either = word | expandedFlags(word);
    return (either & set) === set && (either & clear) === 0n;
  });
}

export function wordOf(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function byList(chosen: Uint8Array, kinds: FrameKinds, lists: readonly LruList[]): null {
  return byWord(chosen, kinds, (low) => lists.includes(listOfWord(low)));
}

function byZone(chosen: Uint8Array, { zones, spans }: FrameKinds, names: readonly string[]): string | null {
  const wanted = new Set<number>();
  for (const name of names) {
    const before = wanted.size;
    zones.forEach(({ node, zone }, row) => {
      if (name === zone || name === `${node}:${zone}`) wanted.add(row);
    });
    if (wanted.size === before)
      return `no zone is called '${name}'${zones.length === 0 ? ': zoneinfo is missing' : ''}`;
  }
  for (const { first, end, zone } of spans) if (!wanted.has(zone)) chosen.fill(0, first, end);
  return null;
}

function byCgroup(
  chosen: Uint8Array,
  { cgroups }: HostSnapshot,
  { frames }: FrameKinds,
  paths: readonly string[],
): string | null {
  const wanted = new Uint8Array(NO_CGROUP + 1);
  for (const path of paths) {
    let known = path === 'none';
    if (known) wanted[NO_CGROUP] = 1;
    const below = path.endsWith('/') ? path : `${path}/`;
    cgroups.forEach((cgroup, row) => {
      if (cgroup.path !== path && !cgroup.path.startsWith(below)) return;
      wanted[row] = 1;
      known = true;
    });
    if (!known) return `no cgroup '${path}'`;
  }
  for (let pfn = 0; pfn < chosen.length; pfn++) chosen[pfn]! &= wanted[frames.cgroup[pfn]!]!;
  return null;
}

function byPid(chosen: Uint8Array, snapshot: HostSnapshot, pids: readonly number[]): string | null {
  const { processes, vmas, entries } = snapshot;
  const mapped = new Uint8Array(chosen.length);
  for (const pid of pids) {
    const asked = processes.find((p) => p.pid === pid);
    if (asked === undefined) return `no process ${pid}`;
    const process = processes.find((p) => p.pid === asked.sharesMmWith) ?? asked;
    const end = vmas.firstEntry[process.endVma]!;
    for (let row = vmas.firstEntry[process.firstVma]!; row < end; row++) {
      if (isMapped(entries.bits[row]!)) mapped[entries.value[row]!] = 1;
    }
  }
  for (let pfn = 0; pfn < chosen.length; pfn++) chosen[pfn]! &= mapped[pfn]!;
  return null;
}
