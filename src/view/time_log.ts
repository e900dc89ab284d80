/**
 * What happened just before the place at which the machine stands, and what happens next.
 *
 * Owns      the log of events in words, the steps around the place (accesses and calls, as the recording has them), and what each line of a
 *           memory program returned.
 * Promises  It looks at a scratch run. It looks so far and no farther: what it leaves out it says.
 */
import { describeCall, describeResult } from '../lab/describe_call.ts';
import { ProgramPlayer } from '../lab/program_player.ts';
import { Replay } from '../lab/replay.ts';
import type { Player } from '../lab/timeline.ts';
import { accessPages } from '../mm/memory.ts';
import type { Mm } from '../mm/mm.ts';
import { PAGE_SIZE, type Vpn } from '../mm/units.ts';
import { vmaName } from '../proc/maps.ts';
import { KIND_FETCH, KIND_WRITE } from '../trace/decode.ts';
import { KINDS, type KindName } from './conditions.ts';
import type { MachineSubject } from './subject.ts';
import { EventWatch, type Happening } from './time_events.ts';

export interface LogRow {
  /** The first step whose state has seen it. */
  readonly step: number;
  readonly atNs: number;
  readonly kind: KindName;
  readonly text: string;
  readonly pid: number | null;
  readonly address: number | null;
  readonly pfn: number | null;
}

export interface EventLog {
  /** The place: steps made. */
  readonly at: number;
  /** Up to the present place, and behind it. */
  readonly before: readonly LogRow[];
  readonly after: readonly LogRow[];
  /** The steps that were looked at. */
  readonly from: number;
  readonly to: number;
}

/** A page access or a call of a recording. */
export interface NearbyRow {
  readonly step: number;
  readonly pid: number;
  readonly text: string;
  /** A call changes what is mapped, an access only uses it. */
  readonly isCall: boolean;
}

export interface ProgramLine {
  /** From 1, and the step that makes it. */
  readonly line: number;
  readonly step: number;
  /** What it returned; null: it is not made yet. */
  readonly result: string | null;
  readonly failed: boolean;
}

/** Faults are dear, and so many of them take as long as a reader waits. */
const LOOK_FAULTS = 3000;
const LOOK_STEPS = 150_000;
const NEARBY_STEPS = 12;

export function eventLog({ timeline }: MachineSubject, most: number): EventLog {
  const at = timeline.step + (timeline.ended ? 1 : 0);
  let before: LogRow[] = [];
  let from = at;
  // A stretch between two checkpoints behind the other, as far as one may look.
  while (from > 0 && before.length < most && at - from < LOOK_STEPS) {
    const until = from;
    from = timeline.checkpointUpTo(until - 1);
    before = [...rowsOf(timeline.scratchAt(from), until, most, 'last').rows, ...before].slice(-most);
  }
  const { rows, to } = rowsOf(timeline.scratchAt(at), at + LOOK_STEPS, most, 'first');
  return { at: timeline.step, before, after: rows, from, to };
}

/** The first rows, or the last, up to step `until`. Whoever wants the first ones does not look on when it has them. */
function rowsOf(player: Player, until: number, most: number, which: 'first' | 'last'): { rows: LogRow[]; to: number } {
  let rows: LogRow[] = [];
  let step = 0;
  const watch = new EventWatch(player, (happening) => {
    rows.push({ ...happening, step, text: textOf(happening) });
    if (which === 'last' && rows.length >= 2 * most) rows = rows.slice(-most);
  });
  const faultsOf = () => player.faults.minor + player.faults.major;
  const faults = faultsOf();
  watch.listen();
  let more = true;
  while (more && player.events < until) {
    step = player.events + 1;
    more = player.run(step);
    watch.afterStep();
    if (which === 'first' && (rows.length >= most || faultsOf() - faults > LOOK_FAULTS)) break;
  }
  return { rows: which === 'first' ? rows.slice(0, most) : rows.slice(-most), to: player.events };
}

const hex = (n: number): string => `0x${n.toString(16)}`;
const pages = (count: number): string => (count === 1 ? 'one page' : `${count} pages`);

/** An event as a sentence, without whose it is. */
export function textOf({ kind, pid, address, pfn, count, of }: Happening): string {
  const who = pid === null ? '' : `process ${pid} `;
  const where = address === null ? '' : ` at ${hex(address)}`;
  const frame = pfn === null ? '' : `frame ${hex(pfn)} `;
  switch (kind) {
    case 'minor_fault':
      return `${who}faults${where}: minor`;
    case 'major_fault':
      return `${who}faults${where}: major, it waits for the disk`;
    case 'swap_in':
      return `${pages(count)} read from swap${where === '' ? '' : ` for the fault${where}`}`;
    case 'swap_out':
      return `${frame}is written to swap`;
    case 'eviction':
      return `${frame}is evicted`;
    case 'refault':
      return `${pages(count)} back that ${count === 1 ? 'was' : 'were'} evicted not long ago`;
    case 'scan':
      return `${pages(count)} of ${of} scanned`;
    case 'direct_reclaim':
      return `${who}has to reclaim memory itself`;
    case 'memcg_reclaim':
      return `${who}is at its limit and reclaims`;
    case 'writeback':
      return pfn === null ? `${pages(count)} of files written in the background` : `${frame}is written to its file`;
    case 'oom_kill':
      return `the OOM killer ends ${pid === null ? 'a process' : `process ${pid}`}`;
    case 'fork':
      return `${who}forks`;
    case 'exit':
      return count === 1 ? 'a process ends' : `${count} processes end`;
    case 'call':
      return of !== '' ? `${who}calls ${of}` : `${who}makes ${count === 1 ? 'a system call' : `${count} system calls`}`;
    default:
      return KINDS[kind].says;
  }
}

/** Accesses and calls just before the place, and the next ones. */
export function nearbySteps({ timeline }: MachineSubject): NearbyRow[] {
  const { step } = timeline;
  const player = timeline.scratchAt(Math.max(0, step - NEARBY_STEPS));
  if (!(player instanceof Replay)) return [];
  const rows: NearbyRow[] = [];
  player.onCall = (pid, call, path) => {
    const result = describeResult(call[0]!, call[7]!);
    const text = `${describeCall(call[0]!, call, path)} = ${result}`;
    rows.push({ step: player.events + 1, pid, text, isCall: true });
  };
  player.makeAccesses = (machine, mm, vpns, kinds, from, to) => {
    const vpn = vpns[from]! as Vpn;
    const stopped = accessPages(machine, mm, vpns, kinds, from, to);
    const text = `${verbOf(kinds[from]!)} ${hex(vpn * PAGE_SIZE)}${regionOf(player, mm, vpn)}`;
    rows.push({ step: player.events + 1, pid: player.running.pid, text, isCall: false });
    return stopped;
  };
  let more = true;
  while (more && player.events < step + NEARBY_STEPS) more = player.run(player.events + 1);
  return rows;
}

function verbOf(kind: number): string {
  if (kind === KIND_FETCH) return 'runs code at';
  return kind === KIND_WRITE ? 'writes' : 'reads';
}

function regionOf({ machine }: Replay, mm: Mm, vpn: Vpn): string {
  const vma = mm.vmas.findExact(vpn);
  const name = vma === null ? '' : vmaName(machine, vma);
  return name === '' ? '' : `  ${name}`;
}

/** Each line of a memory program that is a step, with what it returned as far as it is made. */
export function programLines({ timeline }: MachineSubject): ProgramLine[] {
  const { player } = timeline;
  if (!(player instanceof ProgramPlayer)) return [];
  const { program, results, events } = player;
  return program.lineOf.map((line, step) => {
    const record = results[step] ?? null;
    if (step >= events) return { line, step, result: null, failed: false };
    if (record === null) return { line, step, result: 'snapshot', failed: false };
    const { ret, err, sig, addr, died, skipped, minflt = 0, majflt = 0 } = record;
    const words: string[] = [];
    if (skipped === true) words.push('not made');
    else if (sig !== undefined) words.push(`${sig} at ${addr ?? '?'}`);
    else if (died === true) words.push('killed');
    else if (err !== undefined) words.push(err);
    else if (ret !== null) words.push(`= ${ret}`);
    if (minflt > 0) words.push(`${minflt} minor`);
    if (majflt > 0) words.push(`${majflt} major`);
    return { line, step, result: words.join(', '), failed: err !== undefined || sig !== undefined || died === true };
  });
}
