/**
 * A memory program as a player: its steps are lines of the program, calls and snapshots.
 *
 * Owns      which line is next, what each call returned, and who ever lived.
 */
import type { Machine } from '../mm/machine.ts';
import type { Task } from '../mm/task.ts';
import type { MmpProgram } from '../syscalls/mmp.ts';
import type { Process } from '../syscalls/process.ts';
import type { OpRecord } from './check/recording.ts';
import { MmpRunner } from './check/run_mmp.ts';
import type { Player } from './timeline.ts';

/** Lines that are no calls of the kernel. */
const ACCESSES: ReadonlySet<string> = new Set(['load', 'store', 'check']);

export class ProgramPlayer implements Player {
  /** Lines that are done. */
  events = 0;
  /** What each of them returned; null for a snapshot. */
  readonly results: (OpRecord | null)[] = [];
  readonly program: MmpProgram;
  /** Lines that were system calls, no accesses and no snapshots. */
  calls = 0;
  /** Faults of those who have ended. */
  private readonly ended = { minor: 0, major: 0 };
  private tasks: readonly Task[];
  private readonly runner: MmpRunner;

  /** `ramBytes`: another machine than the one on which the program was recorded, which is never short of memory. */
  constructor(program: MmpProgram, kernel: string, ramBytes?: number, mglru?: boolean) {
    this.program = program;
    this.runner = new MmpRunner(program, kernel, ramBytes, mglru);
    this.tasks = [...this.machine.tasks];
  }

  get machine(): Machine {
    return this.runner.machine;
  }

  /** Processes that live, by the labels that the program gives them. */
  get living(): { label: number; process: Process }[] {
    return [...this.runner.actors].map(([label, { process }]) => ({ label, process }));
  }

  get position(): { event: number } {
    return { event: this.events };
  }

  /** Of all that ever ran. */
  get faults(): { minor: number; major: number } {
    let { minor, major } = this.ended;
    for (const { minFlt, majFlt } of this.machine.tasks) {
      minor += minFlt;
      major += majFlt;
    }
    return { minor, major };
  }

  run(events: number): boolean {
    const { steps } = this.program;
    while (this.events < events) {
      const step = steps[this.events];
      if (step === undefined) return false;
      this.results.push(this.runner.step(step));
      if (step !== 'snapshot' && !ACCESSES.has(step.name)) this.calls += 1;
      this.forgetEnded();
      this.events += 1;
    }
    return true;
  }

  private forgetEnded(): void {
    const { tasks } = this.machine;
    for (const task of this.tasks) {
      if (tasks.includes(task)) continue;
      this.ended.minor += task.minFlt;
      this.ended.major += task.majFlt;
    }
    this.tasks = [...tasks];
  }
}
