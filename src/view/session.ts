/**
 * What is open in one worker of the page: a file, the machine or the host in it, and where it stands.
 *
 * Owns      the subject, and every way to move it.
 * Promises  A file that cannot be opened leaves what was open before.
 */
import { machineText } from '../lab/options.ts';
import { InputError } from '../mm/bug.ts';
import { generationNamed } from '../mm/generations/index.ts';
import { MACHINE_CHOICE, type MachineChoice } from './choice.ts';
import type { Condition } from './conditions.ts';
import { type Facts, type Now, nowOf } from './now.ts';
import { begin, type Opened, open, type Source } from './open.ts';
import { type Answer, type QueryArgs, type QueryName, queryNamed } from './queries.ts';
import type { MachineSubject, Subject } from './subject.ts';
import { countEvents } from './time_count.ts';
import { searchOf } from './time_search.ts';

export type Way = 'next' | 'previous';

/** So long is somebody kept waiting who asks while a move is under way, or while the whole is looked over. */
const PIECE_MS = 40;
const ASIDE_MS = 15;
/** A frame of the page, and some. */
const MOMENT_MS = 30;
const ADVANCE_STEPS = 1000;

export class Session {
  private opened: Opened | null = null;
  private subject: Subject | null = null;
  private choice: MachineChoice = MACHINE_CHOICE;
  /** Moves in pieces that are under way. */
  private moves = 0;
  /** The one that goes on; any other that is under way ends at its next piece. */
  private move: object | null = null;
  private readonly breathe: () => Promise<void>;

  /** `breathe` lets whoever waits come in between two pieces of something long. */
  constructor(breathe: () => Promise<void> = () => Promise.resolve()) {
    this.breathe = breathe;
  }

  /** Opens a file, on this machine if it is one that runs. */
  async open(source: Source, choice: MachineChoice): Promise<Facts> {
    const before = this.subject?.kind === 'host' ? this.subject.snapshot : null;
    const opened = await open(source, before);
    this.subject = begin(opened, choice);
    this.opened = opened;
    this.choice = choice;
    return this.facts();
  }

  /** The same file on another machine, from its beginning. */
  rebuild(choice: MachineChoice): Facts {
    if (this.opened === null) throw new InputError('this page', 0, 'nothing is open');
    this.subject = begin(this.opened, choice);
    this.choice = choice;
    return this.facts();
  }

  facts(): Facts {
    const { opened, choice } = this;
    const subject = this.current();
    if (subject.kind === 'host') {
      const { snapshot } = subject;
      return {
        kind: 'host',
        name: snapshot.hostname,
        kernel: snapshot.kernel,
        family: '',
        machine: snapshot.source === 'live' ? 'a live host' : 'a simulated machine',
        lines: null,
        lists: [],
        mglru: false,
        missing: snapshot.missing.map(({ what, why, count }) => `${what}: ${why}${count > 1 ? ` (${count})` : ''}`),
      };
    }
    const { generation, multiGen } = subject.machine;
    return {
      kind: opened?.kind === 'program' ? 'program' : 'recording',
      name: opened?.kind === 'program' ? opened.name : opened?.kind === 'recording' ? opened.recording.header.name : '',
      kernel: generation.version,
      family: generationNamed(choice.kernel).family,
      machine: machineText(choice),
      lines: subject.lines,
      lists: generation.lruNames,
      mglru: multiGen !== null,
      missing: [],
    };
  }

  now(): Now {
    return nowOf(this.current());
  }

  /** To the state after so many steps, or to the end. */
  seek(step: number): Now {
    this.machine().timeline.seek(step);
    return this.now();
  }

  /** The same in pieces; null: it was cancelled, and the machine stands where it stood. */
  async go(step: number): Promise<Now | null> {
    const { timeline } = this.machine();
    const arrived = await this.inPieces(timeline.seeking(step), () => {});
    return arrived === null ? null : this.now();
  }

  /**
   * To the first step after this one at which it happened, or to the last before it. `look` hears the step at which it is looked for. False,
   * and nothing moves, if it does not happen any more.
   */
  async find(condition: Condition, way: Way, look: (step: number) => void): Promise<Now | false | null> {
    const { timeline } = this.machine();
    const search = searchOf(condition);
    const found = await this.inPieces(way === 'next' ? timeline.findNext(search) : timeline.findPrevious(search), look);
    if (found === null) return null;
    return found.value === null ? false : this.go(found.value);
  }

  /** Some steps on, as many as can be made in a moment. */
  advance(steps: number): Now {
    const { timeline } = this.machine();
    const target = timeline.step + steps;
    const until = performance.now() + MOMENT_MS;
    do timeline.seek(Math.min(target, timeline.step + ADVANCE_STEPS));
    while (timeline.step < target && !timeline.ended && performance.now() < until);
    return this.now();
  }

  /** Ends the move that is under way. */
  cancel(): void {
    this.move = null;
  }

  /**
   * Looks at the whole once, from its beginning: counts the recording's events, samples the series, leaves checkpoints. In pieces, and
   * moves go first. `tell` hears of it now and then. Ends when something else is opened.
   */
  async lookOver(tell: () => void): Promise<void> {
    const { subject, opened } = this;
    if (subject?.kind !== 'machine') return;
    if (opened?.kind === 'recording') {
      const counted = await this.aside(countEvents(opened.recording), subject, tell);
      if (counted === null) return;
      subject.recordedEvents = counted.value;
    }
    const { series, timeline } = subject;
    const whole = timeline.overWhole((player) => series.watch(player));
    if ((await this.aside(whole, subject, tell)) === null) return;
    series.done = true;
    tell();
  }

  ask<K extends QueryName>(name: K, ...args: QueryArgs<K>): Answer<K> {
    return queryNamed[name](this.current(), ...args);
  }

  /** null: something else was opened. */
  private async aside<R>(pieces: Generator<number, R>, of: Subject, tell: () => void): Promise<{ value: R } | null> {
    let until = performance.now() + ASIDE_MS;
    while (this.subject === of) {
      const { done, value } = pieces.next();
      if (done === true) return { value };
      if (performance.now() < until) continue;
      tell();
      await this.breathe();
      // A move has the machine for itself.
      while (this.moves > 0) await this.breathe();
      until = performance.now() + ASIDE_MS;
    }
    return null;
  }

  private async inPieces<R>(pieces: Generator<number, R>, look: (step: number) => void): Promise<{ value: R } | null> {
    const mine = {};
    this.moves += 1;
    this.move = mine;
    const { subject } = this;
    let until = performance.now() + PIECE_MS;
    try {
      for (;;) {
        const { done, value } = pieces.next();
        if (done === true) return { value };
        if (performance.now() < until) continue;
        look(value);
        await this.breathe();
        if (this.move !== mine || this.subject !== subject) return null;
        until = performance.now() + PIECE_MS;
      }
    } finally {
      this.moves -= 1;
    }
  }

  private current(): Subject {
    if (this.subject === null) throw new InputError('this page', 0, 'nothing is open');
    return this.subject;
  }

  private machine(): MachineSubject {
    const subject = this.current();
    if (subject.kind === 'host')
      throw new InputError('this page', 0, 'a snapshot is one moment: it has no time to move in');
    return subject;
  }
}
