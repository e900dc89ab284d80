/**
 * One process after the other, from /proc/PID into the rows of a snapshot.
 *
 * Owns      the order in which a process is read, and what is done when it moves meanwhile:
 *
 *               stat ─► status, cgroup ─► maps ─► pagemap, smaps ─► maps ─► stat ─► smaps_rollup
 *                 │                         └──── as before? else again ──┘  │
 *                 └────────────── as many ticks as before? else another ─────┘
 *
 * Promises  1. A process that ends at any point leaves no row, and is counted as gone.
 *           2. What is refused is missing, and named; the rest of the process is there.
 *           3. VMAs of which pagemap was read between two equal readings of maps have VMA_SEEN.
 * Linux     6.18 fs/proc/base.c: tgid_base_stuff proc_mem_open; kernel/ptrace.c: __ptrace_may_access
 */
import type { ProcessFacts, SnapshotBuilder } from '../builder.ts';
import { VMA_EXEC, VMA_READ, VMA_SEEN, VMA_WRITE } from '../snapshot.ts';
import { decodeName } from '../text.ts';
import { NameCache } from './bytes.ts';
import type { CgroupTable } from './cgroup_table.ts';
import { parseKbFields } from './fields_text.ts';
import { type HostFiles, Refusal } from './host_files.ts';
import { MapNames } from './map_names.ts';
import { type MapsLine, parseMaps } from './maps_text.ts';
import type { MissingList } from './missing.ts';
import { PagemapReader } from './pagemap.ts';
import { SharedMms } from './shared_mm.ts';
import { parseSmaps, SmapsColumns } from './smaps_columns.ts';
import { PF_KTHREAD, parseStat, type StatText } from './stat_text.ts';
import { parseStatus } from './status_text.ts';
import type { TakeOptions } from './take_options.ts';

/** So often a process is read before we take what we have. */
const TRIES = 4;

/** What a try came to. */
type Outcome = 'steady' | 'moved' | 'gone';

export class ProcessReader {
  gone = 0;
  reread = 0;
  readonly unsteady: number[] = [];
  private readonly files: HostFiles;
  private readonly options: TakeOptions;
  private readonly builder: SnapshotBuilder;
  private readonly cgroups: CgroupTable;
  private readonly missing: MissingList;
  private readonly names = new NameCache();
  private readonly mapNames: MapNames;
  private readonly pagemap = new PagemapReader();
  private readonly mms: SharedMms;
  private readonly smaps: SmapsColumns | null;

  constructor(
    files: HostFiles,
    options: TakeOptions,
    builder: SnapshotBuilder,
    cgroups: CgroupTable,
    missing: MissingList,
  ) {
    this.files = files;
    this.options = options;
    this.builder = builder;
    this.cgroups = cgroups;
    this.missing = missing;
    this.mapNames = new MapNames(files, builder);
    this.mms = new SharedMms(files, builder);
    this.smaps = options.smaps === true ? new SmapsColumns(builder) : null;
  }

  read(pid: number): void {
    let moved = false;
    for (let tries = 1; ; tries++) {
      const firstVma = this.builder.vmaCount;
      const refused: Refused[] = [];
      const outcome = this.attempt(pid, refused);
      if (outcome === 'steady' || (outcome === 'moved' && tries === TRIES)) {
        for (const { what, why } of refused) this.missing.add(what, why);
        if (outcome === 'moved') this.unsteady.push(pid);
        break;
      }
      this.smaps?.drop(firstVma);
      if (outcome === 'moved') this.builder.dropProcess();
      if (outcome === 'gone') {
        this.gone += 1;
        return;
      }
      moved = true;
    }
    if (moved) this.reread += 1;
  }

  smapsColumns(): ReadonlyMap<string, Float64Array> | null {
    return this.smaps?.columns() ?? null;
  }

  vmFlagsColumn(): Uint32Array | null {
    return this.smaps?.vmFlags() ?? null;
  }

  private attempt(pid: number, refused: Refused[]): Outcome {
    const stat = this.stat(pid);
    if (stat instanceof Refusal) {
      if (isGone(stat)) return 'gone';
      refused.push({ what: 'stat', why: stat.errno });
      return 'steady';
    }
    const maps = this.file(pid, 'maps');
    // Without an address space there is no such process to the kernel, as far as its memory goes: a zombie, a kernel thread.
    const bytes = !(maps instanceof Refusal) ? maps : isGone(maps) ? NOTHING : null;
    const lines = bytes === null ? [] : parseMaps(bytes, this.names);
    if (maps instanceof Refusal && !isGone(maps)) refused.push({ what: 'maps', why: maps.errno });
    const facts = this.facts(pid, stat, lines.length > 0 || bytes === null, refused);
    if (facts === null) return 'gone';
    const { vmaCount: firstVma } = this.builder;
    this.builder.addProcess(facts);
    let sharesWith = lines.length === 0 ? null : this.mms.askKernel(pid, lines);
    const isWhole = sharesWith !== null || this.addVmas(pid, lines, refused);
    if (sharesWith === null && bytes !== null && lines.length > 0)
      sharesWith = this.mms.compareRows(pid, lines, firstVma);
    const outcome = this.outcome(pid, stat, bytes, isWhole);
    if (outcome === 'gone') this.builder.dropProcess();
    else if (sharesWith !== null) this.builder.shareMm(sharesWith);
    else if (outcome === 'steady' && bytes !== null && lines.length > 0) this.mms.add(pid, lines, firstVma);
    return outcome;
  }

  /** Null if it is gone. */
  private facts(pid: number, stat: StatText, hasMemory: boolean, refused: Refused[]): ProcessFacts | null {
    const asked = (what: string, isWanted = true): Uint8Array | null => {
      const bytes = isWanted ? this.file(pid, what) : NOTHING;
      if (!(bytes instanceof Refusal)) return bytes;
      refused.push({ what, why: bytes.errno });
      return null;
    };
    const statusBytes = this.file(pid, 'status');
    if (statusBytes instanceof Refusal && isGone(statusBytes)) return null;
    if (statusBytes instanceof Refusal) refused.push({ what: 'status', why: statusBytes.errno });
    const status = parseStatus(statusBytes instanceof Refusal ? NOTHING : statusBytes);
    const cgroup = asked('cgroup');
    const command = asked('cmdline', this.options.commands === true);
    const rollup = asked('smaps_rollup', hasMemory && this.options.rollups !== false);
    return {
      pid,
      parentPid: stat.parentPid,
      startTicks: stat.startTicks,
      comm: stat.comm,
      command: this.options.commands === true && command !== null ? wordsOf(command) : null,
      uid: status.uid ?? NO_UID,
      threads: status.threads ?? stat.threads,
      state: stat.state,
      cgroup: cgroup === null ? '' : this.cgroups.pathOf(cgroup),
      isKernelThread: (stat.flags & PF_KTHREAD) !== 0,
      status: status.fields,
      rollup: rollup === null || rollup.length === 0 ? null : parseKbFields(rollup),
    };
  }

  /** False if it moved meanwhile. */
  private addVmas(pid: number, lines: readonly MapsLine[], refused: Refused[]): boolean {
    if (lines.length === 0) return true;
    const firstVma = this.builder.vmaCount;
    const wanted = this.options.entries !== false;
    const open = wanted ? this.files.open(this.files.inProc(pid, 'pagemap')) : null;
    if (open instanceof Refusal) refused.push({ what: 'pagemap', why: open.errno });
    if (open === null || open instanceof Refusal) {
      for (const line of lines) this.addVma(pid, line, false);
      return !(open instanceof Refusal && isGone(open)) && this.addSmaps(pid, firstVma, lines, refused);
    }
    try {
      const seen = this.pagemap.read(open, lines, this.builder, {
        add: (line, isSeen) => this.addVma(pid, line, isSeen),
        isEmpty: (line) => this.isEmpty(pid, line),
      });
      if (seen instanceof Refusal) {
        this.builder.dropVmas(firstVma);
        for (const line of lines) this.addVma(pid, line, false);
        refused.push({ what: 'pagemap', why: seen.errno });
        return !isGone(seen);
      }
      if (seen.hiddenFrames > 0) refused.push({ what: 'frame numbers', why: 'EPERM' });
      if (seen.otherEntries > 0) refused.push({ what: 'pagemap', why: 'entries of devices, poisoned or moving pages' });
    } finally {
      open.close();
    }
    return this.addSmaps(pid, firstVma, lines, refused);
  }

  private addVma(pid: number, line: MapsLine, isSeen: boolean): void {
    const { startPage, endPage, pgoff } = line;
    const perms = line.perms | (isSeen ? VMA_SEEN : 0);
    const { file, name } = this.mapNames.nameOf(pid, line);
    this.builder.addVma({ startPage, endPage, pgoff, perms, file, name });
  }

  /** Of a huge VMA, where the kernel has no better way to say it: nobody may touch it, and nothing is in it. */
  private isEmpty(pid: number, line: MapsLine): boolean {
    if ((line.perms & (VMA_READ | VMA_WRITE | VMA_EXEC)) !== 0) return false;
    const bytes = this.file(pid, 'smaps');
    if (bytes instanceof Refusal) return false;
    const vma = parseSmaps(bytes, this.names).find(
      (entry) => entry.line.startPage === line.startPage && entry.line.endPage === line.endPage,
    );
    return vma?.fields.get('Rss') === 0 && vma.fields.get('Swap') === 0;
  }

  private addSmaps(pid: number, firstVma: number, lines: readonly MapsLine[], refused: Refused[]): boolean {
    if (this.smaps === null) return true;
    const bytes = this.file(pid, 'smaps');
    if (!(bytes instanceof Refusal)) return this.smaps.add(bytes, firstVma, lines);
    refused.push({ what: 'smaps', why: bytes.errno });
    return !isGone(bytes);
  }

  /** Is it still the same process, and are its maps as they were? */
  private outcome(pid: number, before: StatText, maps: Uint8Array | null, isWhole: boolean): Outcome {
    const mapsNow = maps === null ? null : this.file(pid, 'maps');
    const stat = this.stat(pid);
    if (stat instanceof Refusal) return isGone(stat) ? 'gone' : 'moved';
    if (stat.startTicks !== before.startTicks) return 'gone';
    if (maps === null || mapsNow === null) return 'steady';
    const now = mapsNow instanceof Refusal && isGone(mapsNow) ? NOTHING : mapsNow;
    return isWhole && !(now instanceof Refusal) && Buffer.compare(now, maps) === 0 ? 'steady' : 'moved';
  }

  private file(pid: number, name: string): Uint8Array | Refusal {
    return this.files.bytes(this.files.inProc(pid, name));
  }

  private stat(pid: number): StatText | Refusal {
    const bytes = this.file(pid, 'stat');
    if (bytes instanceof Refusal) return bytes;
    return parseStat(bytes) ?? new Refusal('EIO');
  }
}

interface Refused {
  readonly what: string;
  readonly why: string;
}

const NOTHING = new Uint8Array(0);
/** What the kernel shows of users it has no number for. */
const NO_UID = 65_534;

function isGone({ errno }: Refusal): boolean {
  return errno === 'ENOENT' || errno === 'ESRCH';
}

/** Arguments end in a zero byte each. */
function wordsOf(command: Uint8Array): string[] {
  const words = decodeName(command).split('\0');
  if (words.at(-1) === '') words.pop();
  return words;
}
