/**
 * A memory program as a player: its steps are lines of the program, calls and snapshots.
 *
 * Owns      which line is next, and what each call returned.
 */
import type { Machine } from '../mm/machine.ts';
import type { MmpProgram } from '../syscalls/mmp.ts';
import type { Process } from '../syscalls/process.ts';
import type { OpRecord } from './check/recording.ts';
import { MmpRunner } from './check/run_mmp.ts';
import type { Player } from './timeline.ts';

export class ProgramPlayer implements Player {
  /** Lines that are done. */
  events = 0;
  /** What each of them returned; null for a snapshot. */
  readonly results: (OpRecord | null)[] = [];
  readonly program: MmpProgram;
  private readonly runner: MmpRunner;

  /** `ramBytes`: another machine than the one on which the program was recorded, which is never short of memory. */
  constructor(program: MmpProgram, kernel: string, ramBytes?: number, mglru?: boolean) {
    this.program = program;
    this.runner = new MmpRunner(program, kernel, ramBytes, mglru);
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

  /** Of who lives. */
  get faults(): { minor: number; major: number } {
    let minor = 0;
    let major = 0;
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
      this.events += 1;
    }
    return true;
  }
}
