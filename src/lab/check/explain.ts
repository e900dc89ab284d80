/**
 * Why an older kernel shows something else than 6.x does: each difference of a program by a line of the kernel's description.
 *
 * Owns      how a rule is applied, and what follows from what.
 * Promises  1. A difference is explained by the first rule that fits it, or as a consequence of a rule that fitted before: a call that
 *              was refused leaves its range, descriptor or file as it was, so what is seen there later follows; a number of smaps adds
 *              up pages, so it follows from the pages of its region, and only from those fields that feed it.
 *           2. Whatever is neither is told as unexplained.
 */
import { MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_SHARED } from '../../mm/uapi.ts';
import type { MmpCall, MmpProgram } from '../../syscalls/mmp.ts';
import { ARENA_PAGE, fileOf, type Observation } from './differences.ts';
import { isSnap, type Recording } from './recording.ts';

export interface Rule {
  readonly id: string;
  /** Families or versions. */
  readonly kernels: readonly string[];
  /** Where it is written. */
  readonly source: string;
  /** What is written there, in our words. */
  readonly says: string;
  /** Calls that the kernel refuses, or makes otherwise: what they answer and fault in, and what is seen later where they reach. */
  readonly calls?: (call: MmpCall) => boolean;
  /** Any other difference. */
  readonly fits?: (o: Observation, sofar: Consequences) => boolean;
  /** What it is about is left otherwise than in 6.x: later differences there follow from this one. */
  readonly spreads?: boolean;
}

export interface Explained {
  readonly observation: Observation;
  /** null: nothing explains it. */
  readonly rule: Rule | null;
  readonly follows: boolean;
}

export interface Kernel {
  readonly version: string;
  readonly family: string;
}

export function explain(
  observations: readonly Observation[],
  rules: readonly Rule[],
  kernel: Kernel,
  program: MmpProgram,
  newer: Recording,
): Explained[] {
  const own = rules.filter(({ kernels }) => kernels.includes(kernel.version) || kernels.includes(kernel.family));
  const sofar = new Consequences(program, newer, own);
  return observations.map((observation) => {
    sofar.advance(observation.op);
    const rule = own.find((one) => fits(one, observation, sofar)) ?? null;
    if (rule !== null) {
      sofar.note(observation, rule);
      return { observation, rule, follows: false };
    }
    const cause = sofar.causeOf(observation);
    if (cause !== null) sofar.note(observation, cause);
    return { observation, rule: cause, follows: true };
  });
}

function fits(rule: Rule, o: Observation, sofar: Consequences): boolean {
  if (o.kind === 'call' && rule.calls?.(o.call) === true) return true;
  return rule.fits?.(o, sofar) === true;
}

/** Which fields of pages a number of smaps adds up. */
const FEEDS: Readonly<Record<string, readonly string[]>> = {
  Rss: ['state'],
  Pss: ['state', 'mapcount'],
  Pss_Dirty: ['state', 'mapcount', 'flag:dirty'],
  Shared_Clean: ['state', 'mapcount', 'flag:dirty'],
  Shared_Dirty: ['state', 'mapcount', 'flag:dirty'],
  Private_Clean: ['state', 'mapcount', 'flag:dirty'],
  Private_Dirty: ['state', 'mapcount', 'flag:dirty'],
  Referenced: ['state', 'flag:referenced'],
  Anonymous: ['state', 'flag:anon'],
  KSM: ['flag:ksm'],
  AnonHugePages: ['state', 'flag:thp'],
  Swap: ['state'],
  SwapPss: ['state'],
  Locked: ['state', 'mapcount'],
};

/** Of which earlier differences at the same page, or at one that shows the same frame, a difference of a page is the consequence. */
const HISTORY: Readonly<Record<string, readonly string[]>> = {
  mapcount: ['state'],
  'pm:x': ['state', 'mapcount'],
  id: ['state', 'id'],
  'flag:active': ['flag:referenced', 'flag:active'],
  'flag:referenced': ['flag:referenced', 'flag:active'],
  'flag:mmap': ['state', 'mapcount'],
  'flag:dirty': ['flag:dirty'],
};

interface Place {
  readonly from: number;
  readonly to: number;
}

export class Consequences {
  private readonly calls: readonly MmpCall[];
  /** By call, from 1: the address that 6.x answered. */
  private readonly answers: ReadonlyMap<number, number>;
  private readonly ranges: { place: Place; rule: Rule }[] = [];
  private readonly files: Map<string, Rule> = new Map();
  private readonly labels: Map<number, Rule> = new Map();
  /** By page and field. */
  private readonly pages: Map<string, Rule> = new Map();
  /** Which file a descriptor shows, and where files are mapped, as far as the program tells. */
  private readonly fileOfLabel: Map<number, string> = new Map();
  private readonly mapped: { place: Place; file: string }[] = [];
  private readonly stacks: Place[] = [];
  private readonly protectedPlaces: Place[] = [];
  private readonly rules: readonly Rule[];
  /** Something was placed elsewhere: what is placed later may be, too. */
  private placed: Rule | null = null;
  private done = 0;

  constructor(program: MmpProgram, newer: Recording, rules: readonly Rule[]) {
    this.rules = rules;
    this.calls = program.steps.filter((step): step is MmpCall => step !== 'snapshot');
    this.answers = new Map(newer.lines.flatMap((line) => (isSnap(line) ? [] : [[line.op, Number(line.ret)] as const])));
  }

  /** Goes through the calls before `op`: what they open, map and move. */
  advance(op: number): void {
    for (; this.done < op; this.done++) this.learn(this.calls[this.done]!, this.answers.get(this.done + 1) ?? 0);
  }

  private learn(call: MmpCall, answer: number): void {
    const { name } = call;
    const rule = this.rules.find((one) => one.calls?.(call) === true);
    if (rule !== undefined) this.markCall(call, answer >= ARENA_START ? [answer] : [], rule);
    if (name === 'open' || name === 'openat' || name === 'memfd_create') {
      if (call.result !== null) this.fileOfLabel.set(call.result, textAt(call, name === 'openat' ? 1 : 0));
    } else if (name === 'dup') {
      const file = this.fileOfLabel.get(numberAt(call, 0));
      if (file !== undefined && call.result !== null) this.fileOfLabel.set(call.result, file);
    } else if (name === 'mprotect') {
      this.protectedPlaces.push(placeAt(numberAt(call, 0), numberAt(call, 1)));
    } else if (name === 'mmap') {
      const flags = numberAt(call, 3);
      if ((flags & MAP_GROWSDOWN) !== 0 && answer >= ARENA_START) this.stacks.push(placeAt(answer, numberAt(call, 1)));
      const shared = (flags & MAP_ANONYMOUS) !== 0 && (flags & MAP_SHARED) !== 0;
      const file = shared ? SHARED_MEMORY : this.fileOfLabel.get(numberAt(call, 4));
      if (file !== undefined && answer >= ARENA_START)
        this.mapped.push({ place: placeAt(answer, numberAt(call, 1)), file });
    } else if (name === 'mremap' && answer >= ARENA_START) {
      // What was otherwise there moves along.
      const from = placeAt(numberAt(call, 0), numberAt(call, 1));
      const to = placeAt(answer, numberAt(call, 2));
      const rule = this.causeAt(from);
      if (rule !== null) this.mark(to, rule);
      for (const { place, file } of this.mapped.slice()) if (meet(place, from)) this.mapped.push({ place: to, file });
    }
  }

  /** The call reaches pages of a file, or of shared memory. */
  reachesFile(call: MmpCall): boolean {
    return placesOf(call, []).some((place) => this.mapped.some((mapping) => meet(mapping.place, place)));
  }

  /** The call reaches a region that grows down, or the pages below it. */
  reachesStack(call: MmpCall): boolean {
    return placesOf(call, []).some((place) => this.isAtStack(place.from, place.to - place.from));
  }
  isAtStack(page: number, pages: number): boolean {
    return this.stacks.some(({ from, to }) =>
      meet({ from: from - BELOW_A_STACK, to }, { from: page, to: page + pages }),
    );
  }
  /** There is a region that grows down. */
  get hasStack(): boolean {
    return this.stacks.length > 0;
  }

  /** The call reaches pages of which the protection was changed. */
  reachesProtected(call: MmpCall): boolean {
    return placesOf(call, []).some((place) => this.protectedPlaces.some((other) => meet(other, place)));
  }

  /** A later difference in `place` follows from the rule, and one of the files that are mapped there. */
  private mark(place: Place, rule: Rule): void {
    this.ranges.push({ place, rule });
    for (const mapping of this.mapped) {
      if (meet(mapping.place, place) && !this.files.has(mapping.file)) this.files.set(mapping.file, rule);
    }
  }

  note(o: Observation, rule: Rule): void {
    if (o.kind === 'page') this.pages.set(`${o.page} ${o.field}`, rule);
    if (isPlacement(o)) this.placed ??= rule;
    if (rule.spreads !== true && rule.calls === undefined) return;
    if (o.kind === 'page' || o.kind === 'region')
      this.ranges.push({ place: { from: o.page, to: o.page + o.pages }, rule });
    if (o.kind === 'call') this.markCall(o.call, answersOf(o), rule);
  }

  private markCall(call: MmpCall, answers: readonly number[], rule: Rule): void {
    for (const place of placesOf(call, answers)) this.mark(place, rule);
    if (call.name === 'memfd_create') this.files.set(textAt(call, 0), rule);
    for (const label of labelsOf(call)) {
      this.labels.set(label, rule);
      const file = this.fileOfLabel.get(label);
      if (file !== undefined) this.files.set(file, rule);
    }
  }

  causeOf(o: Observation): Rule | null {
    switch (o.kind) {
      case 'call':
        return this.causeOfCall(o);
      case 'file':
        return this.files.get(o.file) ?? null;
      case 'number':
        return this.causeInPages(o) ?? this.causeAt({ from: o.page, to: o.page + o.pages }) ?? this.causeOfFile(o);
      case 'page':
      case 'region':
        return this.causeAt({ from: o.page, to: o.page + o.pages }) ?? this.causeOfPartner(o) ?? this.causeOfFile(o);
      case 'process':
        return this.ranges[0]?.rule ?? null;
    }
  }

  /** The page is shown elsewhere, too, and there something is otherwise. */
  private causeOfPartner(o: Observation): Rule | null {
    for (const page of [o.page, ...o.partners]) {
      const rule = this.causeAt({ from: page, to: page + 1 }) ?? this.causeInHistory(page, o.field);
      if (rule !== null) return rule;
    }
    return null;
  }

  /** Who maps a page depends on where it is present; how it was used so far decides what the next use makes of it. */
  private causeInHistory(page: number, field: string): Rule | null {
    const earlier = HISTORY[field] ?? [];
    for (const before of earlier) {
      const rule = this.pages.get(`${page} ${before}`);
      if (rule !== undefined) return rule;
    }
    return null;
  }

  private causeOfFile(o: Observation): Rule | null {
    return o.vma === null ? null : (this.files.get(fileOf(o.vma)) ?? null);
  }

  private causeOfCall(o: Observation): Rule | null {
    if (isPlacement(o) && this.placed !== null) return this.placed;
    for (const label of labelsOf(o.call)) {
      const rule = this.labels.get(label);
      if (rule !== undefined) return rule;
    }
    for (const place of placesOf(o.call, answersOf(o))) {
      const rule = this.causeAt(place);
      if (rule !== null) return rule;
    }
    return null;
  }

  private causeAt(place: Place): Rule | null {
    const marked = this.ranges.find((range) => meet(range.place, place));
    if (marked !== undefined) return marked.rule;
    for (const mapping of this.mapped) {
      const rule = meet(mapping.place, place) ? this.files.get(mapping.file) : undefined;
      if (rule !== undefined) return rule;
    }
    return null;
  }

  private causeInPages(o: Observation): Rule | null {
    const feeds = FEEDS[o.field] ?? [];
    for (let page = o.page; page < o.page + o.pages; page++) {
      for (const field of feeds) {
        const rule = this.pages.get(`${page} ${field}`);
        if (rule !== undefined) return rule;
      }
    }
    return null;
  }
}

function placeAt(addr: number, bytes: number): Place {
  const from = Math.floor(addr / 4096) - ARENA_PAGE;
  return { from, to: from + Math.max(1, Math.ceil(bytes / 4096)) };
}

function meet(a: Place, b: Place): boolean {
  return a.from < b.to && b.from < a.to;
}

const ARENA_START: number = ARENA_PAGE * 4096;
/** What a shared anonymous mapping shows. */
const SHARED_MEMORY = 'shm';
/** How far a region of the corpus grows, and its gap. */
const BELOW_A_STACK = 1024;
const EVERYWHERE: Place = { from: 0, to: Number.POSITIVE_INFINITY };
const HAS_RANGE: ReadonlySet<string> = new Set(
  'mmap munmap mprotect madvise mlock mlock2 munlock msync mincore remap_file_pages load store check'.split(' '),
);
/** Which argument is a descriptor. */
const LABEL_AT: Readonly<Record<string, number>> = {
  mmap: 4,
  close: 0,
  dup: 0,
  read: 0,
  write: 0,
  pread64: 0,
  pwrite64: 0,
  lseek: 0,
  ftruncate: 0,
  fallocate: 0,
  fsync: 0,
  fdatasync: 0,
  fadvise64: 0,
};

/** mmap or mremap chose another address. */
function isPlacement(o: Observation): boolean {
  return (o.call.name === 'mmap' || o.call.name === 'mremap') && answersOf(o).length > 0;
}

/** Addresses that either side answered. */
function answersOf(o: Observation): number[] {
  return o.kind === 'call' && o.field === 'ret' ? [o.newer, o.older].map(Number).filter((at) => at >= ARENA_START) : [];
}

/** The pages that a call is about: its range, where it put it, and where it would have. */
function placesOf(call: MmpCall, answers: readonly number[]): Place[] {
  const places: Place[] = [];
  const put = (addr: number, bytes: number): void => {
    if (addr > 0) places.push(placeAt(addr, bytes));
  };
  if (call.name === 'mlockall' || call.name === 'munlockall') return [EVERYWHERE];
  if (call.name === 'mremap') {
    put(numberAt(call, 0), Math.max(numberAt(call, 1), numberAt(call, 2)));
    put(numberAt(call, 4), numberAt(call, 2));
    for (const at of answers) put(at, numberAt(call, 2));
  } else if (HAS_RANGE.has(call.name)) {
    put(numberAt(call, 0), call.args.length > 1 ? numberAt(call, 1) : call.name === 'check' ? 4096 : 1);
    for (const at of answers) put(at, numberAt(call, 1));
  } else if (call.name === 'read' || call.name === 'write' || call.name === 'pread64' || call.name === 'pwrite64') {
    put(numberAt(call, 1), numberAt(call, 2));
  } else if (call.name === 'brk') put(numberAt(call, 0), 4096);
  return places;
}

function labelsOf(call: MmpCall): number[] {
  const at = LABEL_AT[call.name];
  const labels = at === undefined || call.args[at]?.kind !== 'number' ? [] : [numberAt(call, at)];
  if ((call.name === 'memfd_create' || call.name === 'dup') && call.result !== null) labels.push(call.result);
  return labels.filter((label) => label >= 0);
}

export function numberAt(call: MmpCall, i: number): number {
  const argument = call.args[i];
  return argument?.kind === 'number' ? argument.value : 0;
}

export function textAt(call: MmpCall, i: number): string {
  const argument = call.args[i];
  return argument?.kind === 'text' ? argument.value : '';
}
