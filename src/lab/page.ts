/**
 * Which frame does the user mean?
 *
 * Owns      the three ways to name a page: an address of a process, a frame, a file and an offset; processes as the recording numbers them.
 */

import { filemapGetPage } from '../mm/filemap.ts';
import { TASK_SIZE } from '../mm/mm.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, type Pgoff, vpnOf } from '../mm/units.ts';
import { frameAt, type WhoMaps, type WhoVma, whoMaps } from '../mm/who.ts';
import type { Replay } from './replay.ts';

export type PageQuestion =
  | { kind: 'address'; address: number }
  | { kind: 'pfn'; pfn: number }
  | { kind: 'file'; path: string; offset: number };

/** `0x4002d62000`, `pfn:1234`, `/lib/libc.so.6:0x26000`; null if it is none of these. */
export function parsePage(text: string): PageQuestion | null {
  const number = (digits: string) => (/^(0x[0-9a-f]{1,12}|\d{1,15})$/i.test(digits) ? Number(digits) : Number.NaN);
  const pfn = /^pfn:(.+)$/.exec(text);
  if (pfn !== null) return Number.isNaN(number(pfn[1]!)) ? null : { kind: 'pfn', pfn: number(pfn[1]!) };
  const address = number(text);
  if (!Number.isNaN(address)) return address < TASK_SIZE ? { kind: 'address', address } : null;
  const colon = text.lastIndexOf(':');
  const path = colon < 0 ? text : text.slice(0, colon);
  const offset = colon < 0 ? 0 : number(text.slice(colon + 1));
  return path === '' || Number.isNaN(offset) ? null : { kind: 'file', path, offset };
}

/** The frame, or why there is none. `pid` as in the recording. */
export function findPage(replay: Replay, question: PageQuestion, pid: number): Pfn | string {
  const { machine } = replay;
  if (question.kind === 'pfn') {
    return question.pfn < machine.frames.frames
      ? (question.pfn as Pfn)
      : `the machine has frames 0 to ${machine.frames.frames - 1}`;
  }
  if (question.kind === 'address') {
    const living = replay.living();
    const found = living.find((p) => p.pid === pid);
    if (found === undefined) {
      return `process ${pid} does not run then (${living.map((p) => p.pid).join(', ') || 'nobody'} does)`;
    }
    const vpn = vpnOf(question.address);
    const pfn = frameAt(machine, found.process.mm, vpn);
    if (pfn !== null) return pfn;
    const vma = found.process.mm.vmas.findExact(vpn);
    const hex = `0x${question.address.toString(16)}`;
    if (vma === null) return `nothing is mapped at ${hex}`;
    return `no frame is at ${hex}: the page was not used yet, or is swapped out`;
  }
  const inode = replay.system.paths.get(question.path);
  if (inode === undefined) return `the recording has no file '${question.path}'`;
  if (question.offset >= inode.size) return `'${question.path}' has ${inode.size} bytes`;
  const pfn = filemapGetPage(machine, inode.mapping, Math.floor(question.offset / PAGE_SIZE) as Pgoff);
  return pfn === NO_PFN ? `that page of '${question.path}' is not in memory` : pfn;
}

/** Who maps it, with processes by their numbers in the recording, as the question has them. */
export function whoOfRecording(replay: Replay, pfn: Pfn): WhoMaps {
  const who = whoMaps(replay.machine, pfn);
  const pids = new Map(replay.living().map(({ pid, process }) => [process.mm.id, pid]));
  const known = (vma: WhoVma): WhoVma => ({ ...vma, pid: pids.get(vma.mm) ?? vma.pid });
  return { ...who, mappers: who.mappers.map(known), inVain: who.inVain.map(known) };
}

/** The page of a file that most page tables map; of equals the one of the largest file. null if none is mapped. */
export function mostSharedPage(replay: Replay): { path: string; offset: number } | null {
  const { machine } = replay;
  let best: { path: string; offset: number } | null = null;
  let most = 0;
  let size = 0;
  for (const inode of machine.inodes.values()) {
    if (inode.kind === 'bdev') continue;
    for (let index = 0; index * PAGE_SIZE < inode.size; index++) {
      const pfn = filemapGetPage(machine, inode.mapping, index as Pgoff);
      const mapped = pfn === NO_PFN ? 0 : machine.frames.mapcount(pfn);
      if (mapped < most || mapped === 0 || (mapped === most && inode.size <= size)) continue;
      best = { path: inode.name, offset: index * PAGE_SIZE };
      most = mapped;
      size = inode.size;
    }
  }
  return best;
}
