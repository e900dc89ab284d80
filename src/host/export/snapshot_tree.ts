/**
 * The /proc of a snapshot, file by file.
 *
 * Owns      how columns become text again: maps, smaps, smaps_rollup, statm, status, stat, pagemap, kpage*. Files of the whole
 *           host stand in the snapshot as they were, and go out so.
 * Promises  1. What the snapshot does not know is not there, or 0 where the form wants a number; `snapshotGaps` says which.
 *           2. A name in a snapshot never leads out of the tree: names of files are ours or of letters, digits and dashes.
 *           3. Pure: no Node.
 * Linux     6.18 fs/proc/task_mmu.c: show_map_vma __show_smap pte_to_pagemap_entry task_statm; fs/proc/page.c
 *
 * DIFFERS: without its smaps columns, smaps is counted from pagemap and kpagecount: dirty is what has KPF_DIRTY, or is anonymous
 *          and in no swap area (the dirty bits of entries are not seen); Referenced and the rarer lines are left out.
 */

import { statText, statusText, type TaskFacts } from '../../proc/task_text.ts';
import type { ProcNode, WordBlock } from '../../proc/tree.ts';
import {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_NO_FRAME,
  ENTRY_PRESENT,
  ENTRY_SOFT_DIRTY,
  ENTRY_SWAP,
  ENTRY_SWAP_TYPE_SHIFT,
  ENTRY_UFFD_WP,
  type FrameTable,
  type HostProcess,
  type HostSnapshot,
  KPF_NOT_READ,
  type Missing,
  NO_CGROUP,
  NO_ROW,
  VMA_EXEC,
  VMA_READ,
  VMA_SEEN,
  VMA_SHARED,
  VMA_WRITE,
} from '../snapshot.ts';

const FOR_ALL = 0o444;
const FOR_OWNER = 0o400;
/** Of the host's files, those that only root reads. */
const PRIVATE_TEXTS: ReadonlySet<string> = new Set(['slabinfo', 'pagetypeinfo']);
/** A name below /proc that may become a file: no dots, so no way up. */
const PLAIN_NAME = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/;
const NAME_COLUMN = 73;
const FRAMES_AT_ONCE = 65536;
/** User space ends below: 2^47 bytes, but for the guard page. With five levels of page tables who asks for it gets 2^56. */
const TASK_PAGES = 0x7ffffffff;
const TASK_PAGES_MOST = 2 ** 44 - 1;
const WORDS_AT_ONCE = 512;
const KPF_DIRTY = 1 << 4;
const KPF_ANON = 1 << 12;
const KPF_SWAPCACHE = 1 << 13;
const KPF_ZERO_PAGE = 1 << 24;
const PSS_UNIT = 4096;
const KIB_PER_PAGE = 4;

export function* snapshotTree(snapshot: HostSnapshot): Generator<ProcNode> {
  yield* hostFiles(snapshot);
  yield* frameFiles(snapshot);
  for (const process of snapshot.processes) yield* processFiles(snapshot, withMemory(snapshot, process));
  const first = snapshot.processes[0];
  // Whoever reads the files is none of these processes; tools that ask for themselves meet the first one.
  if (first !== undefined) yield { kind: 'link', path: 'self', uid: 0, target: String(first.pid) };
}

/** What the files lack, or have from elsewhere, beside what the snapshot itself says is missing. */
export function snapshotGaps(snapshot: HostSnapshot): Missing[] {
  const gaps: Missing[] = [];
  const users = snapshot.processes.filter((process) => !process.isKernelThread).length;
  if (snapshot.smaps === null)
    gaps.push({
      what: 'smaps',
      why: snapshot.frames === null ? 'not in the snapshot' : 'counted from pagemap and kpagecount; without Referenced',
      count: users,
    });
  if (snapshot.frames?.wordsLow.includes(KPF_NOT_READ) === true)
    gaps.push({ what: 'kpageflags, kpagecount', why: 'of frames that processes map; the others are 0', count: 1 });
  if (snapshot.processes.some(({ command }) => command === null))
    gaps.push({ what: 'cmdline', why: 'not in the snapshot: the name of the command', count: users });
  return gaps;
}

// the host

function* hostFiles(snapshot: HostSnapshot): Generator<ProcNode> {
  const made = new Set<string>();
  const texts = new Map([...ownTexts(snapshot), ...snapshot.texts]);
  for (const [path, text] of texts) {
    if (!PLAIN_NAME.test(path) || /^\d/.test(path)) continue;
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
      const folder = path.slice(0, at);
      if (!made.has(folder)) yield { kind: 'directory', path: folder, mode: 0o755, uid: 0 };
      made.add(folder);
    }
    yield { kind: 'text', path, mode: PRIVATE_TEXTS.has(path) ? FOR_OWNER : FOR_ALL, uid: 0, text };
  }
}

/** What tools need to start, where the snapshot does not have it. */
function ownTexts(snapshot: HostSnapshot): [string, string][] {
  const { kernel, hostname, processes, takenAtMs } = snapshot;
  const threads = processes.reduce((sum, process) => sum + process.threads, 0);
  const last = processes.reduce((most, process) => Math.max(most, process.pid), 0);
  const running = processes.filter(({ state }) => state === 'R').length;
  const up = Number(/^\d+/.exec(snapshot.texts.get('uptime') ?? '')?.[0] ?? 0);
  return [
    ['cpuinfo', 'processor\t: 0\n\n'],
    ['loadavg', `0.00 0.00 0.00 ${running}/${threads} ${last}\n`],
    [
      'stat',
      `cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nintr 0\nctxt 0\nbtime ${Math.round(takenAtMs / 1000) - up}\n` +
        `processes ${last}\nprocs_running ${running}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`,
    ],
    ['uptime', '0.00 0.00\n'],
    ['version', `Linux version ${kernel}\n`],
    ['sys/kernel/hostname', `${hostname}\n`],
    ['sys/kernel/osrelease', `${kernel}\n`],
    ['sys/kernel/ostype', 'Linux\n'],
    ['sys/kernel/pid_max', `${Math.max(32768, last + 1)}\n`],
  ];
}

function* frameFiles({ frames, cgroups }: HostSnapshot): Generator<ProcNode> {
  if (frames === null) return;
  const { word, wordsLow, wordsHigh, mapcount, cgroup } = frames;
  const known = wordsLow.map((low) => (low === KPF_NOT_READ ? 0 : low));
  const knownHigh = wordsHigh.map((high, row) => (wordsLow[row] === KPF_NOT_READ ? 0 : high));
  yield wordsFile('kpageflags', frames, (pfn) => [known[word[pfn]!]!, knownHigh[word[pfn]!]!]);
  yield wordsFile('kpagecount', frames, (pfn) => [mapcount[pfn]!, 0]);
  if (!cgroup.some((row) => row !== NO_CGROUP)) return;
  yield wordsFile('kpagecgroup', frames, (pfn) => {
    const inode = cgroups[cgroup[pfn]!]?.inode ?? 0;
    return [inode % 2 ** 32, Math.floor(inode / 2 ** 32)];
  });
}

function wordsFile(path: string, { count }: FrameTable, halves: (pfn: number) => readonly [number, number]): ProcNode {
  function* blocks(): Generator<WordBlock> {
    for (let first = 0; first < count; first += FRAMES_AT_ONCE) {
      const words = new BigUint64Array(Math.min(FRAMES_AT_ONCE, count - first));
      const at = new Uint32Array(words.buffer);
      for (let i = 0; i < words.length; i++) {
        const [low, high] = halves(first + i);
        at[2 * i] = low;
        at[2 * i + 1] = high;
      }
      yield { first, words };
    }
  }
  return { kind: 'words', path, mode: FOR_OWNER, uid: 0, length: count, blocks };
}

// a process

function* processFiles(snapshot: HostSnapshot, process: HostProcess): Generator<ProcNode> {
  const { pid, uid, comm, command, isKernelThread } = process;
  const at = String(pid);
  const text = (name: string, content: string, mode = FOR_ALL): ProcNode => ({
    kind: 'text',
    path: name,
    mode,
    uid,
    text: content,
  });
  const folder = (path: string, mode: number): ProcNode => ({ kind: 'directory', path, mode, uid });
  yield folder(at, 0o755);
  yield folder(`${at}/fd`, 0o700);
  // An empty one means a kernel thread to every tool.
  const words = command ?? (isKernelThread ? [] : [comm]);
  yield text(`${at}/cmdline`, words.map((word) => `${word}\0`).join(''));
  yield text(`${at}/cgroup`, cgroupText(snapshot, process));
  yield folder(`${at}/task`, 0o755);
  yield folder(`${at}/task/${pid}`, 0o755);
  for (const place of [at, `${at}/task/${pid}`]) {
    yield text(`${place}/stat`, statOf(snapshot, process));
    yield text(`${place}/status`, statusOf(snapshot, process));
    yield text(`${place}/statm`, statmOf(snapshot, process));
    yield text(`${place}/comm`, `${comm}\n`, 0o644);
    yield text(`${place}/wchan`, '0');
  }
  yield text(`${at}/maps`, mapsOf(snapshot, process));
  const smaps = snapshot.smaps === null ? smapsCounted(snapshot, process) : smapsOf(snapshot, process);
  if (smaps !== null) yield text(`${at}/smaps`, smaps);
  if (process.rollup !== null) yield text(`${at}/smaps_rollup`, rollupOf(snapshot, process, process.rollup));
  if (vmasOf(process).some((vma) => (snapshot.vmas.perms[vma]! & VMA_SEEN) !== 0))
    yield pagemapOf(snapshot, process, `${at}/pagemap`);
}

function vmasOf({ firstVma, endVma }: HostProcess): number[] {
  return Array.from({ length: endVma - firstVma }, (_, i) => firstVma + i);
}

/** With the rows of the address space that it uses, whosever they are. */
function withMemory(snapshot: HostSnapshot, process: HostProcess): HostProcess {
  const { sharesMmWith } = process;
  const owner = sharesMmWith === undefined ? undefined : snapshot.processes.find(({ pid }) => pid === sharesMmWith);
  return owner === undefined ? process : { ...process, firstVma: owner.firstVma, endVma: owner.endVma };
}

/** Numbers of `uname -r`; what is no release prints like the newest that we know. */
function versionOf({ kernel }: HostSnapshot): string {
  return /^\d+(?:\.\d+){1,2}/.exec(kernel)?.[0] ?? '6.18';
}

function factsOf(process: HostProcess): TaskFacts {
  const { pid, parentPid, comm, state, uid, threads, isKernelThread, startTicks } = process;
  const unknown = { nice: 0, cpuTicks: 0, minFlt: 0, majFlt: 0, cpus: 1 };
  return { ...unknown, pid, tgid: pid, parentPid, session: pid, comm, state, uid, threads, isKernelThread, startTicks };
}

function statOf(snapshot: HostSnapshot, process: HostProcess): string {
  const none = { startCode: 0, endCode: 0, startStack: 0, startData: 0, endData: 0, startBrk: 0 };
  const memory = {
    ...none,
    argStart: 0,
    argEnd: 0,
    envStart: 0,
    envEnd: 0,
    vsizeBytes: sizePages(snapshot, process) * 4096,
    rssPages: rssPages(snapshot, process),
  };
  return statText(versionOf(snapshot), factsOf(process), process.isKernelThread ? null : memory);
}

function statusOf(snapshot: HostSnapshot, process: HostProcess): string {
  const { status } = process;
  return statusText(versionOf(snapshot), factsOf(process), status.size === 0 ? null : [...status]);
}

/** The size that the kernel knows, which leaves out vsyscall; else that of all regions. */
function sizePages(snapshot: HostSnapshot, process: HostProcess): number {
  const known = process.status.get('VmSize');
  if (known !== undefined) return known / KIB_PER_PAGE;
  const { startPage, endPage } = snapshot.vmas;
  return vmasOf(process)
    .filter((vma) => endPage[vma]! <= TASK_PAGES_MOST)
    .reduce((sum, vma) => sum + endPage[vma]! - startPage[vma]!, 0);
}

function rssPages({ vmas, entries }: HostSnapshot, { status, firstVma, endVma }: HostProcess): number {
  const known = status.get('VmRSS');
  if (known !== undefined) return known / KIB_PER_PAGE;
  let pages = 0;
  for (let row = vmas.firstEntry[firstVma]!; row < vmas.firstEntry[endVma]!; row++)
    pages += entries.bits[row]! & ENTRY_PRESENT;
  return pages;
}

function statmOf(snapshot: HostSnapshot, process: HostProcess): string {
  const pages = (...names: string[]): number =>
    names.reduce((sum, name) => sum + (process.status.get(name) ?? 0) / KIB_PER_PAGE, 0);
  const shared = pages('RssFile', 'RssShmem');
  const size = process.isKernelThread ? 0 : sizePages(snapshot, process);
  return `${size} ${rssPages(snapshot, process)} ${shared} ${pages('VmExe')} 0 ${pages('VmData', 'VmStk')} 0\n`;
}

function cgroupText({ cgroups }: HostSnapshot, { cgroup }: HostProcess): string {
  if (cgroup === '') return '';
  const isV1 = cgroups.some(({ texts }) => texts.has('memory.usage_in_bytes'));
  return isV1 ? `1:memory:${cgroup}\n` : `0::${cgroup}\n`;
}

// maps

function mapsOf(snapshot: HostSnapshot, process: HostProcess): string {
  return vmasOf(process)
    .map((vma) => `${mapsLine(snapshot, vma)}\n`)
    .join('');
}

function mapsLine({ vmas, files, strings }: HostSnapshot, vma: number): string {
  const file = vmas.file[vma]! === NO_ROW ? undefined : files[vmas.file[vma]!];
  const perms = vmas.perms[vma]!;
  const flags = [
    (perms & VMA_READ) !== 0 ? 'r' : '-',
    (perms & VMA_WRITE) !== 0 ? 'w' : '-',
    (perms & VMA_EXEC) !== 0 ? 'x' : '-',
    (perms & VMA_SHARED) !== 0 ? 's' : 'p',
  ].join('');
  const range = `${address(vmas.startPage[vma]!)}-${address(vmas.endPage[vma]!)}`;
  const head = `${range} ${flags} ${address(vmas.pgoff[vma]!)} ${file?.device ?? '00:00'} ${file?.inode ?? 0} `;
  const name = (strings[vmas.name[vma]!] ?? '').replaceAll('\n', '\\012');
  return name === '' ? head : head.padEnd(NAME_COLUMN) + name;
}

/** Of a page, as it may lie beyond what a double holds in bytes. */
function address(page: number): string {
  return `${page.toString(16)}000`.padStart(8, '0');
}

// smaps

/** Null for a process whose smaps were not read. */
function smapsOf(snapshot: HostSnapshot, process: HostProcess): string | null {
  const { smaps, vmFlags, strings } = snapshot;
  let text = '';
  let isRead = process.firstVma === process.endVma;
  for (const vma of vmasOf(process)) {
    const fields = [...(smaps ?? [])].map(([name, column]): [string, number] => [name, column[vma]!]);
    const known = fields.filter(([, kib]) => !Number.isNaN(kib));
    isRead ||= known.length > 0;
    text += `${mapsLine(snapshot, vma)}\n${fieldLines(known)}`;
    const flags = vmFlags === null ? '' : (strings[vmFlags[vma]!] ?? '');
    if (flags !== '') text += `VmFlags: ${flags} \n`;
  }
  return isRead ? text : null;
}

function fieldLines(fields: Iterable<readonly [string, number]>): string {
  let text = '';
  for (const [name, kib] of fields) text += `${name}:${String(kib).padStart(Math.max(1, 23 - name.length))} kB\n`;
  return text;
}

/** Null where pages or the number of their users are not known. */
function smapsCounted(snapshot: HostSnapshot, process: HostProcess): string | null {
  const { frames, vmas } = snapshot;
  const isSeen = (vma: number): boolean => (vmas.perms[vma]! & VMA_SEEN) !== 0 || vmas.endPage[vma]! > TASK_PAGES_MOST;
  if (frames === null || !vmasOf(process).every(isSeen)) return null;
  let text = '';
  for (const vma of vmasOf(process)) {
    text += `${mapsLine(snapshot, vma)}\n${fieldLines(countVma(snapshot, frames, vma))}`;
  }
  return text;
}

function countVma({ vmas, entries }: HostSnapshot, frames: FrameTable, vma: number): [string, number][] {
  const pages = { rss: 0, pss: 0, sharedClean: 0, sharedDirty: 0, privateClean: 0, privateDirty: 0, anon: 0, swap: 0 };
  for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
    const bits = entries.bits[row]!;
    if ((bits & ENTRY_SWAP) !== 0) pages.swap += 1;
    if ((bits & ENTRY_PRESENT) === 0) continue;
    const pfn = entries.value[row]!;
    const flags = (bits & ENTRY_NO_FRAME) !== 0 ? 0 : (frames.wordsLow[frames.word[pfn] ?? 0] ?? 0);
    // The kernel passes the zero page over.
    if ((flags & KPF_ZERO_PAGE) !== 0) continue;
    const mapcount = Math.max(1, frames.mapcount[pfn] ?? 1);
    const dirty = (flags & KPF_DIRTY) !== 0 || (flags & (KPF_ANON | KPF_SWAPCACHE)) === KPF_ANON;
    pages.rss += 1;
    pages.pss += Math.floor((PSS_UNIT * 4096) / mapcount);
    if ((flags & KPF_ANON) !== 0) pages.anon += 1;
    if (mapcount > 1) pages[dirty ? 'sharedDirty' : 'sharedClean'] += 1;
    else pages[dirty ? 'privateDirty' : 'privateClean'] += 1;
  }
  const kib = (n: number): number => n * KIB_PER_PAGE;
  return [
    ['Size', kib(vmas.endPage[vma]! - vmas.startPage[vma]!)],
    ['KernelPageSize', KIB_PER_PAGE],
    ['MMUPageSize', KIB_PER_PAGE],
    ['Rss', kib(pages.rss)],
    ['Pss', Math.floor(pages.pss / PSS_UNIT / 1024)],
    ['Shared_Clean', kib(pages.sharedClean)],
    ['Shared_Dirty', kib(pages.sharedDirty)],
    ['Private_Clean', kib(pages.privateClean)],
    ['Private_Dirty', kib(pages.privateDirty)],
    ['Anonymous', kib(pages.anon)],
    ['Swap', kib(pages.swap)],
  ];
}

function rollupOf({ vmas }: HostSnapshot, process: HostProcess, rollup: ReadonlyMap<string, number>): string {
  const { firstVma, endVma } = process;
  const start = address(vmas.startPage[firstVma] ?? 0);
  const end = address(endVma > firstVma ? vmas.endPage[endVma - 1]! : 0);
  return `${`${start}-${end} ---p 00000000 00:00 0 `.padEnd(NAME_COLUMN)}[rollup]\n${fieldLines(rollup)}`;
}

// pagemap

function pagemapOf({ vmas, entries }: HostSnapshot, process: HostProcess, path: string): ProcNode {
  const { firstVma, endVma, uid } = process;
  const inUser = vmasOf(process).filter((vma) => vmas.endPage[vma]! <= TASK_PAGES_MOST);
  const end = inUser.reduce((most, vma) => Math.max(most, vmas.endPage[vma]!), 0);
  function* blocks(): Generator<WordBlock> {
    let first = -1;
    let words = new BigUint64Array(WORDS_AT_ONCE);
    for (let vma = firstVma; vma < endVma; vma++) {
      for (let row = vmas.firstEntry[vma]!; row < vmas.firstEntry[vma + 1]!; row++) {
        const page = vmas.startPage[vma]! + entries.page[row]!;
        const block = page - (page % WORDS_AT_ONCE);
        if (block !== first) {
          if (first >= 0) yield { first, words };
          first = block;
          words = new BigUint64Array(WORDS_AT_ONCE);
        }
        words[page - block] = pagemapWord(entries.bits[row]!, entries.value[row]!);
      }
    }
    if (first >= 0) yield { first, words };
  }
  return {
    kind: 'words',
    path,
    mode: FOR_OWNER,
    uid,
    length: Math.max(end, TASK_PAGES),
    blocks,
  };
}

function pagemapWord(bits: number, value: number): bigint {
  const bit = (flag: number, place: bigint): bigint => ((bits & flag) !== 0 ? 1n << place : 0n);
  const area = (bits & ENTRY_SWAP) !== 0 ? BigInt(bits >> ENTRY_SWAP_TYPE_SHIFT) : null;
  const place = area === null ? BigInt(value) : (BigInt(value) << 5n) | area;
  return (
    bit(ENTRY_PRESENT, 63n) |
    bit(ENTRY_SWAP, 62n) |
    bit(ENTRY_FILE, 61n) |
    bit(ENTRY_UFFD_WP, 57n) |
    bit(ENTRY_EXCLUSIVE, 56n) |
    bit(ENTRY_SOFT_DIRTY, 55n) |
    place
  );
}
