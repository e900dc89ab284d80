/**
 * Runs what is being written on a machine of its own, so that a half-written line does not throw away the open one.
 *
 * Owns      a worker that lives as long as somebody writes.
 * Promises  1. Of many texts the last is run; one that takes longer than PATIENCE_MS is given up, and said to be.
 *           2. A line that is wrong is named, as the reader of programs names it.
 */
import { type Signal, signal } from '@preact/signals';
import type { MachineChoice } from '../../../src/view/choice.ts';
import type { ProgramLine } from '../../../src/view/program.ts';
import { Engine } from '../../app/engine.ts';
import { type Fault, faultOf } from './fault.ts';

const PATIENCE_MS = 5000;

export interface Tried {
  readonly text: string;
  readonly fault: Fault | null;
  /** What each line did, as far as it came. */
  readonly lines: readonly ProgramLine[];
}

const utf8 = new TextEncoder();

export class Trial {
  readonly tried: Signal<Tried | null> = signal(null);
  /** The last that made a step. */
  readonly lastRun: Signal<Tried | null> = signal(null);
  private engine: Engine | null = null;
  private waiting: { text: string; choice: MachineChoice } | null = null;
  private isRunning = false;
  private isClosed = false;

  run(text: string, choice: MachineChoice): void {
    this.waiting = { text, choice };
    if (!this.isRunning) void this.work();
  }

  /** For good. */
  close(): void {
    this.isClosed = true;
    this.waiting = null;
    this.engine?.close();
    this.engine = null;
  }

  private async work(): Promise<void> {
    this.isRunning = true;
    try {
      for (let next = this.waiting; next !== null; next = this.waiting) {
        this.waiting = null;
        const tried = await this.tryOut(next.text, next.choice);
        if (this.isClosed) continue;
        if (tried.fault === null || tried.lines.length > 0) this.lastRun.value = tried;
        if (this.waiting === null) this.tried.value = tried;
      }
    } finally {
      this.isRunning = false;
    }
  }

  private async tryOut(text: string, choice: MachineChoice): Promise<Tried> {
    this.engine ??= new Engine(choice);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), PATIENCE_MS);
    });
    const result = await Promise.race([tooLong, this.answer(this.engine, text, choice)]);
    clearTimeout(timer);
    if (result !== 'late') return result;
    this.engine?.close();
    this.engine = null;
    const reason = `takes longer than ${PATIENCE_MS / 1000} seconds, so it is not run while you type: press Run`;
    return { text, fault: { line: 0, reason }, lines: [] };
  }

  private async answer(engine: Engine, text: string, choice: MachineChoice): Promise<Tried> {
    if (!(await engine.open({ name: 'program.mmp', bytes: utf8.encode(text) }, choice))) {
      return { text, fault: faultOf(engine.error.value), lines: [] };
    }
    const isRun = await engine.seek(engine.now.value?.length ?? 0);
    const fault = isRun ? null : faultOf(engine.error.value);
    return { text, fault, lines: (await engine.ask('programLines')) ?? [] };
  }
}
