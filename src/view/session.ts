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
import { type Condition, wantedOf } from './conditions.ts';
import { type Facts, type Now, nowOf } from './now.ts';
import { begin, type Opened, open, type Source } from './open.ts';
import { type Answer, type QueryArgs, type QueryName, queryNamed } from './queries.ts';
import type { MachineSubject, Subject } from './subject.ts';

export class Session {
  private opened: Opened | null = null;
  private subject: Subject | null = null;
  private choice: MachineChoice = MACHINE_CHOICE;

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

  /** To the first step after this one at which it happened; null, and nothing moves, if it does not happen any more. */
  next(condition: Condition): Now | null {
    return this.machine().timeline.seekNext(wantedOf(condition)) === null ? null : this.now();
  }

  /** To the last step before this one at which it happened. */
  previous(condition: Condition): Now | null {
    return this.machine().timeline.seekPrevious(wantedOf(condition)) === null ? null : this.now();
  }

  ask<K extends QueryName>(name: K, ...args: QueryArgs<K>): Answer<K> {
    return queryNamed[name](this.current(), ...args);
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
