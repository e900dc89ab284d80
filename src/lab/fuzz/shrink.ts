/**
 * Makes a failing program small: fewer calls, then plainer arguments, then fewer directives, until nothing more can go.
 *
 * Promises  1. The result fails, if the program given did; same answers, same result.
 *           2. Candidates are asked in batches: a real kernel answers many at once almost as fast as one.
 * Read      Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input (2002)
 */
import { ARENA_START } from '../check/snapshot.ts';

/** For each candidate: it still fails in the same way. */
export type Differs = (candidates: string[]) => Promise<boolean[]>;

/** A line of the program; an object, so that two lines that read alike are still two. */
interface Line {
  readonly text: string;
}
/** What becomes of some lines: other text, or nothing. */
type Edit = ReadonlyMap<Line, string | null>;

const PAGE = 4096;
/** One at the end is quicker than one after each call. */
const SNAPSHOT = 'snapshot';
/** Which argument is a label, and no number to make smaller; of other calls, the first that is no address. */
const DESCRIPTOR_AT: ReadonlyMap<string, number> = new Map([['mmap', 4]]);
/** Rounds over lines and arguments: each makes room for the other. */
const MOST_ROUNDS = 8;

/** A smaller program that still fails; `program` itself, if it does not fail. `calls`: it fails within so many, as far as one knows. */
export async function shrink(
  program: string,
  differs: Differs,
  calls: number = Number.POSITIVE_INFINITY,
): Promise<string> {
  return new Shrinker(program, differs).run(calls);
}

class Shrinker {
  private readonly differs: Differs;
  private lines: Line[];

  constructor(program: string, differs: Differs) {
    this.differs = differs;
    this.lines = linesOf(program);
  }

  async run(calls: number): Promise<string> {
    await this.tryEdits([removal(...this.calls.slice(calls))]);
    await this.tryLines([...this.withoutSnapshots, { text: '%snapshot manual' }, ...this.calls, { text: SNAPSHOT }]);
    await this.cutEnd();
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const before = this.text;
      await this.dropCalls();
      await this.simplify();
      await this.tryEdits(this.directiveEdits());
      if (this.text === before) break;
    }
    await this.tryLines([...this.withoutSnapshots, ...this.calls]);
    for (const finish of [withLowLabels, atArenaStart]) await this.tryLines(linesOf(finish(this.text)));
    return this.text;
  }

  private get text(): string {
    return textOf(this.lines);
  }
  private get calls(): Line[] {
    return this.lines.filter(({ text }) => !text.startsWith('%') && text !== SNAPSHOT);
  }
  private get withoutSnapshots(): Line[] {
    return this.directives((text) => !text.startsWith('%snapshot'));
  }
  private directives(wanted: (text: string) => boolean): Line[] {
    return this.lines.filter(({ text }) => text.startsWith('%') && wanted(text));
  }

  /** The shortest of a few beginnings that fails, again and again. */
  private async cutEnd(): Promise<void> {
    for (;;) {
      const { calls } = this;
      const edits: Edit[] = [];
      for (let cut = 1; cut < calls.length; cut = Math.ceil(cut * 1.5)) edits.unshift(removal(...calls.slice(-cut)));
      if (edits.length === 0) return;
      const answers = await this.ask(edits);
      const longest = edits.find((_, i) => answers[i]);
      if (longest === undefined) return;
      this.lines = applied(this.lines, longest);
    }
  }

  /** What whole processes did; then pieces of a half, a quarter, … of the calls, down to single ones. */
  private async dropCalls(): Promise<void> {
    await this.tryEdits(this.processRemovals());
    for (let size = Math.ceil(this.calls.length / 2); ; size = Math.ceil(size / 2)) {
      do {
        const { calls } = this;
        const edits: Edit[] = [];
        for (let at = 0; at < calls.length; at += size) edits.push(removal(...calls.slice(at, at + size)));
        // From the end: what is late depends on what is early, not the other way.
        if (!(await this.tryEdits(edits.reverse()))) break;
      } while (this.calls.length > 0);
      if (size <= 1) return;
    }
  }

  private processRemovals(): Edit[] {
    const labels = new Set(this.calls.map(({ text }) => /^(\d+) /.exec(text)?.[1] ?? '1'));
    return [...labels].map((label) =>
      removal(...this.calls.filter(({ text }) => text.startsWith(`${label} `) || text.endsWith(`fork() = ${label}`))),
    );
  }

  private async simplify(): Promise<void> {
    for (;;) {
      const edits = this.calls.flatMap((line) => plainerCalls(line.text).map((text) => new Map([[line, text]])));
      if (!(await this.tryEdits(edits))) return;
    }
  }

  private directiveEdits(): Edit[] {
    const edits: Edit[] = this.directives((text) => !/^%(mmp|snapshot)/.test(text)).map((line) => removal(line));
    for (const line of this.directives((text) => text.startsWith('%file'))) {
      const [, name, pages, rest] = /^(%file \w+ )(\d+)(.*)$/.exec(line.text) ?? [];
      for (const fewer of plainerNumbers(Number(pages), 1)) edits.push(new Map([[line, `${name}${fewer}${rest}`]]));
    }
    return edits;
  }

  /** Asks for each edit alone, then for as many as possible of the good ones at once. True: something has become smaller. */
  private async tryEdits(edits: readonly Edit[]): Promise<boolean> {
    if (edits.length === 0) return false;
    const answers = await this.ask(edits);
    let good = edits.filter((_, i) => answers[i]);
    while (good.length > 0) {
      const together = merged(good);
      if (good.length === 1 || (await this.ask([together]))[0] === true) {
        this.lines = applied(this.lines, together);
        return true;
      }
      good = good.slice(0, Math.ceil(good.length / 2));
    }
    return false;
  }

  private async tryLines(lines: Line[]): Promise<void> {
    if (textOf(lines) !== this.text && (await this.differs([textOf(lines)]))[0] === true) this.lines = lines;
  }

  private ask(edits: readonly Edit[]): Promise<boolean[]> {
    return this.differs(edits.map((edit) => textOf(applied(this.lines, edit))));
  }
}

function linesOf(program: string): Line[] {
  const texts = program.split('\n').filter((text) => text.trim() !== '' && !text.startsWith('#'));
  return texts.map((text) => ({ text }));
}

function textOf(lines: readonly Line[]): string {
  return `${lines.map(({ text }) => text).join('\n')}\n`;
}

function removal(...lines: Line[]): Edit {
  return new Map(lines.map((line) => [line, null]));
}

function applied(lines: readonly Line[], edit: Edit): Line[] {
  const left: Line[] = [];
  for (const line of lines) {
    const text = edit.get(line);
    if (text === undefined) left.push(line);
    else if (text !== null) left.push({ text });
  }
  return left;
}

/** Of two edits of one line the first stands. */
function merged(edits: readonly Edit[]): Edit {
  const all = new Map<Line, string | null>();
  for (const edit of edits) for (const [line, text] of edit) if (!all.has(line)) all.set(line, text);
  return all;
}

// plainer calls

/** The same call with one argument plainer, the plainest first. */
function plainerCalls(text: string): string[] {
  const [, head, inside, tail] = /^((?:\d+ )?\w+\()(.*)(\).*)$/.exec(text) ?? [];
  if (head === undefined || inside === undefined || inside === '') return [];
  const args = inside.split(', ');
  const descriptor = DESCRIPTOR_AT.get(head.replace(/^\d+ /, '').slice(0, -1)) ?? (inside.startsWith('0x') ? -1 : 0);
  const found: string[] = [];
  for (const [i, arg] of args.entries()) {
    if (i === descriptor) continue;
    for (const plainer of plainerArguments(arg)) found.push(`${head}${args.with(i, plainer).join(', ')}${tail}`);
  }
  if (/(load|store|check)\($/.test(head) && args.length > 1)
    found.push(`${head}${args.slice(0, -1).join(', ')}${tail}`);
  return found;
}

function plainerArguments(arg: string): string[] {
  const sum = /^(0x[0-9a-f]+)\+\d+$/.exec(arg);
  if (sum !== null) return [sum[1]!];
  if (/^0x/.test(arg)) {
    const odd = Number(arg) % PAGE;
    return odd === 0 ? [] : [`0x${(Number(arg) - odd).toString(16)}`];
  }
  if (/^\d+$/.test(arg)) return plainerNumbers(Number(arg), Number(arg) >= PAGE ? PAGE : 1).map(String);
  if (arg.startsWith('PROT_')) return arg === 'PROT_READ|PROT_WRITE' ? [] : ['PROT_READ|PROT_WRITE'];
  if (!arg.includes('|')) return [];
  const names = arg.split('|');
  return names.map((name) => names.filter((one) => one !== name).join('|'));
}

/** 1 unit, then halves, then one less; and whole units where it was between two. */
function plainerNumbers(number: number, unit: number): number[] {
  const units = Math.floor(number / unit);
  const wanted = [1, 2, Math.floor(units / 2), units - 1, units].map((count) => count * unit);
  return [...new Set(wanted)].filter((n) => n > 0 && n < number);
}

// the last touch

/** Processes and descriptors are counted from 1 and from 3 on. */
function withLowLabels(program: string): string {
  const processes = new Map([['0', '0']]);
  let processesSeen = 0;
  for (const [, label] of program.matchAll(/^(\d+) /gm)) {
    if (!processes.has(label!)) processes.set(label!, String(++processesSeen));
  }
  for (const [, label] of program.matchAll(/fork\(\) = (\d+)/g)) {
    if (!processes.has(label!)) processes.set(label!, String(++processesSeen));
  }
  if (processes.get('1') !== undefined && processes.get('1') !== '1') return program;
  return program
    .replace(/^(\d+) /gm, (_, label: string) => `${processes.get(label)} `)
    .replace(/fork\(\) = (\d+)/g, (_, label: string) => `fork() = ${processes.get(label)}`);
}

/** The lowest address becomes the arena's first. */
function atArenaStart(program: string): string {
  const addresses = [...program.matchAll(/0x1[0-9a-f]{11}/g)].map(([text]) => Number(text));
  const low = Math.min(...addresses);
  if (addresses.length === 0 || low >= ARENA_START * 1.5) return program;
  const shift = low - (low % PAGE) - ARENA_START;
  return program.replace(/0x1[0-9a-f]{11}/g, (text) => {
    const address = Number(text);
    return address < ARENA_START * 1.5 ? `0x${(address - shift).toString(16)}` : text;
  });
}
