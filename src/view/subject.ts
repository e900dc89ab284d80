/**
 * What the page looks at: a machine that can go forward and back, or a host at one moment.
 *
 * Owns      the two forms, and the processes of each under the numbers that people know them by.
 * Promises  1. Whoever asks only looks: a machine that is looked at does what it does unlooked.
 *           2. Pure: no Node and no browser.
 */
import type { FrameKinds } from '../host/frames/frame_kinds.ts';
import { frameKinds } from '../host/frames/frames.ts';
import { ReverseMap } from '../host/reverse.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { ProgramPlayer } from '../lab/program_player.ts';
import { Replay } from '../lab/replay.ts';
import type { Player, Timeline } from '../lab/timeline.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import type { Task } from '../mm/task.ts';
import { Series } from './time_series.ts';

export type Subject = MachineSubject | HostSubject;

/** A process of a machine. */
export interface Living {
  /** As in the recording; in a memory program its label. */
  readonly pid: number;
  readonly comm: string;
  readonly mm: Mm;
  readonly task: Task;
}

export class MachineSubject {
  readonly kind = 'machine';
  readonly timeline: Timeline<Player>;
  /** The lines of a memory program; null: a recording runs. */
  readonly lines: readonly string[] | null;
  /** What the run counts from beginning to end, as far as it was looked at. */
  readonly series: Series = new Series();
  /** Page events that the recording has: a run that ends early makes fewer. null: they are not counted yet, or a program runs. */
  recordedEvents: number | null = null;

  constructor(timeline: Timeline<Player>, lines: readonly string[] | null) {
    this.timeline = timeline;
    this.lines = lines;
  }

  /** Another object after each jump: do not keep it. */
  get machine(): Machine {
    return this.timeline.player.machine;
  }

  /** Line of the program that is made next, from 1; null: none is, or a recording runs. */
  get nextLine(): number | null {
    const { player } = this.timeline;
    if (!(player instanceof ProgramPlayer)) return null;
    return player.program.lineOf[player.events] ?? null;
  }

  /** Calls and snapshots of the program; null of a recording. */
  get stepsOfProgram(): number | null {
    const { player } = this.timeline;
    return player instanceof ProgramPlayer ? player.program.steps.length : null;
  }

  get living(): Living[] {
    const { player } = this.timeline;
    if (player instanceof Replay) {
      return player.living().map(({ pid, process: { task, mm } }) => ({ pid, comm: task.comm, mm, task }));
    }
    if (player instanceof ProgramPlayer) {
      return player.living.map(({ label, process: { task, mm } }) => ({
        pid: label,
        comm: `process ${label}`,
        mm,
        task,
      }));
    }
    return [];
  }
}

export class HostSubject {
  readonly kind = 'host';
  readonly snapshot: HostSnapshot;
  /** What each frame is used for; null where /proc/kpageflags was not read. */
  readonly kinds: FrameKinds | null;
  /** The snapshot that was open before this one, to compare with. */
  readonly before: HostSnapshot | null;
  private entries: ReverseMap | null = null;

  constructor(snapshot: HostSnapshot, before: HostSnapshot | null = null) {
    this.snapshot = snapshot;
    this.before = before;
    this.kinds = frameKinds(snapshot);
  }

  /** The way back from a frame. Made when it is asked for. */
  get reverse(): ReverseMap {
    this.entries ??= new ReverseMap(this.snapshot);
    return this.entries;
  }
}
