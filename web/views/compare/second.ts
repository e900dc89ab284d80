/**
 * The second engine: the same file on another machine, at the same step.
 *
 * Owns      when it is opened, rebuilt and moved. It stays open while another view is shown, and stands still then.
 * Promises  It comes to rest at what was asked for last, however much was asked for meanwhile.
 */
import { effect } from '@preact/signals';
import { KERNELS, type MachineChoice } from '../../../src/view/choice.ts';
import type { Source } from '../../../src/view/open.ts';
import { Engine } from '../../app/engine.ts';
import { apart, followSelection, other, otherChoice } from '../../app/state.ts';
import { grouped } from '../../ui/format.ts';

const OLD = '2.4.19';

/** What one would compare with first: the oldest kernel with the newest. */
export function choiceBeside(choice: MachineChoice): MachineChoice {
  return { ...choice, kernel: choice.kernel.startsWith('2.4') ? KERNELS[0].version : OLD, mglru: false };
}

/** Until what it returns is called. */
export function followWithSecond(first: Engine): () => void {
  otherChoice.value ??= choiceBeside(first.choice.peek());
  const engine = (other.value ??= new Engine(otherChoice.peek()!));
  const second = new Keeper(engine);
  const stops = [
    followSelection(engine),
    effect(() => {
      const source = first.source.value;
      const choice = otherChoice.value;
      const step = apart.value ?? first.now.value?.step ?? 0;
      const isHost = first.facts.value?.kind === 'host';
      if (source !== null && choice !== null && !isHost) second.want({ source, choice, step });
    }),
    // While it stands by itself, anybody may move it.
    effect(() => {
      const step = engine.now.value?.step;
      if (step !== undefined && apart.peek() !== null && !second.isUnderWay) apart.value = step;
    }),
    // What moved in the lists is told since the same step in both.
    effect(() => {
      if (engine.now.value !== null && apart.value === null) engine.before.value = first.before.value;
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Where two machines stand that are linked and not at one step; null: they are, or nobody wants it. `passes`: the second one is on its way. */
export function atOtherSteps(
  first: Engine,
  second: Engine,
): { readonly says: string; readonly passes: boolean } | null {
  const [left, right] = [first.now.value, second.now.value];
  if (apart.value !== null || left === null || right === null || left.step === right.step) return null;
  const passes = second.busy.value !== null;
  const why = passes
    ? 'The right machine is on its way'
    : right.ended
      ? 'The right machine has ended'
      : 'Not at one step';
  return { says: `${why}: left at step ${grouped(left.step)}, right at ${grouped(right.step)}`, passes };
}

interface Wanted {
  readonly source: Source;
  readonly choice: MachineChoice;
  readonly step: number;
}

class Keeper {
  private readonly engine: Engine;
  private wanted: Wanted | null = null;
  isUnderWay = false;
  /** A machine that cannot be: it is not tried at each step again. */
  private refused: MachineChoice | null = null;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  want(wanted: Wanted): void {
    this.wanted = wanted;
    if (!this.isUnderWay) void this.follow();
  }

  private async follow(): Promise<void> {
    this.isUnderWay = true;
    let last: Wanted | null = null;
    while (this.wanted !== last) {
      last = this.wanted!;
      await this.reach(last);
    }
    this.isUnderWay = false;
  }

  private async reach({ source, choice, step }: Wanted): Promise<void> {
    const { engine } = this;
    if (choice === this.refused && engine.source.peek() === source) return;
    this.refused = null;
    const isOpen = engine.source.peek() === source;
    const isThere = isOpen
      ? engine.choice.peek() === choice || (await engine.rebuild(choice))
      : await engine.open(source, choice);
    if (!isThere) {
      this.refused = choice;
      return;
    }
    // It may have ended before the first one does; then it stands at its end.
    if (engine.now.peek()?.step !== step) await engine.seek(step);
  }
}
