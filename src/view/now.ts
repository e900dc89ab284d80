/**
 * Where a subject stands: what the page shows at all times.
 */
import { ProgramPlayer } from '../lab/program_player.ts';
import { Replay } from '../lab/replay.ts';
import type { Subject } from './subject.ts';

export interface Now {
  /** Steps made: page events of a recording, lines of a memory program; 0 of a host. */
  readonly step: number;
  /** Steps of the whole; null: nobody has been at the end yet. */
  readonly length: number | null;
  /** There are not more: as many as the recording has; null: they are not counted yet. */
  readonly most: number | null;
  /** The program has ended, too. */
  readonly ended: boolean;
  /** A process was killed, for its memory could not be had (OOM). */
  readonly killed: boolean;
  /** Share of the recording that is behind us, 0 to 1; null where length says it. */
  readonly share: number | null;
  /** The machine's clock; of a host, when it was looked at (since 1970). */
  readonly clockNs: number;
  readonly frames: number;
  readonly freePages: number | null;
  readonly minorFaults: number;
  readonly majorFaults: number;
  /** Line of the memory program that is next, from 1. */
  readonly line: number | null;
  /** Who runs next. */
  readonly pid: number | null;
}

/** What does not change while one goes forward and back. */
export interface Facts {
  readonly kind: 'recording' | 'program' | 'host';
  readonly name: string;
  readonly kernel: string;
  readonly family: string;
  /** `384.0 MiB of memory, …` in words. */
  readonly machine: string;
  /** Lines of the program. */
  readonly lines: readonly string[] | null;
  /** Kernel's name of each LRU list, by its number. */
  readonly lists: readonly string[];
  readonly mglru: boolean;
  /** What could not be read of a host. */
  readonly missing: readonly string[];
}

export function nowOf(subject: Subject): Now {
  if (subject.kind === 'host') {
    const { snapshot } = subject;
    return {
      step: 0,
      length: 0,
      most: 0,
      ended: true,
      killed: false,
      share: null,
      clockNs: snapshot.takenAtMs * 1e6,
      frames: snapshot.frames?.count ?? 0,
      freePages: null,
      minorFaults: 0,
      majorFaults: 0,
      line: null,
      pid: null,
    };
  }
  const { machine, timeline } = subject;
  const { player, step, length } = timeline;
  const isReplay = player instanceof Replay;
  return {
    step,
    length: isReplay ? length : subject.stepsOfProgram,
    most: isReplay ? (length ?? subject.recordedEvents) : subject.stepsOfProgram,
    ended: timeline.ended,
    killed: isReplay ? player.oomKilled : player instanceof ProgramPlayer && player.results.some((one) => one?.died),
    share: isReplay ? player.progress : null,
    clockNs: machine.clock.now,
    frames: machine.frames.frames,
    freePages: machine.zones.reduce((sum, zone) => sum + zone.freePages, 0),
    minorFaults: player.faults.minor,
    majorFaults: player.faults.major,
    line: subject.nextLine,
    pid: isReplay ? player.position.pid : null,
  };
}
