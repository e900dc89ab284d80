/**
 * A program on the engine alone: every promise of verify(), and every byte that is read, after each call.
 *
 * Promises  What it says of a program is the first thing that is wrong with it, and says nothing of time or place in memory.
 */
import { verify } from '../../mm/verify.ts';
import { type MmpCall, type MmpProgram, parseMmp } from '../../syscalls/mmp.ts';
import { MmpRunner } from '../check/run_mmp.ts';
import { Shadow } from './shadow.ts';
import { areasOf, hexOf, usablePages } from './view.ts';

/** Few frames: verify() looks at each of them after each call. */
const RAM_BYTES = 32 * 2 ** 20;

export interface Broken {
  /** Number of the call, from 1; behind the last one are loads of everything that can be read. */
  readonly op: number;
  readonly call: string;
  readonly kind: 'exception' | 'verify' | 'contents';
  readonly what: string;
}

/** Runs it on the engine's `kernel`; what is wrong, or null. */
export function examine(program: MmpProgram, kernel: string): Broken | null {
  const examiner = new Examiner(program, kernel);
  for (const step of program.steps) {
    const broken = step === 'snapshot' ? null : examiner.call(step);
    if (broken !== null) return broken;
  }
  return examiner.loadEverything();
}

class Examiner {
  private readonly runner: MmpRunner;
  private readonly shadow: Shadow;
  private op = 0;

  constructor(program: MmpProgram, kernel: string) {
    // Snapshots are taken when the program says so: they look at what no call looks at.
    this.runner = new MmpRunner(program, kernel, RAM_BYTES);
    this.shadow = new Shadow(this.runner, program.files);
  }

  call(call: MmpCall): Broken | null {
    this.op += 1;
    const broken = (kind: Broken['kind'], what: string): Broken => ({ op: this.op, call: call.text, kind, what });
    try {
      this.shadow.before(call);
      const record = this.runner.step(call);
      const wrong = record === null ? null : this.shadow.after(call, record);
      if (wrong !== null) return broken('contents', wrong);
      const [first] = verify(this.runner.machine);
      return first === undefined ? null : broken('verify', first);
    } catch (error) {
      return broken('exception', error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  loadEverything(): Broken | null {
    for (const [label, { process }] of this.runner.actors) {
      for (const vma of areasOf(process.mm)) {
        const pages = usablePages(this.runner.machine, process.mm, vma.vmStart, vma.pages, false);
        if (pages === 0) continue;
        const line = `${label} load(${hexOf(vma.vmStart)}, ${pages * 4096})`;
        const broken = this.call(parseMmp(`%mmp 1\n${line}`, 'load').steps[0] as MmpCall);
        if (broken !== null) return broken;
      }
    }
    return null;
  }
}
