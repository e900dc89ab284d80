/** Which machines they are, where each stands, and whether they go together. */
import { useRef } from 'preact/hooks';
import { KERNELS } from '../../../src/view/choice.ts';
import type { Engine } from '../../app/engine.ts';
import { MachineFields } from '../../app/head.tsx';
import { apart, otherChoice } from '../../app/state.ts';
import { duration, grouped } from '../../ui/format.ts';

export interface Both {
  readonly left: Engine;
  readonly right: Engine;
}

export function Machines({ left, right }: Both) {
  const swap = () => {
    const mine = left.choice.peek();
    const theirs = otherChoice.peek();
    if (theirs === null || left.busy.peek() !== null) return;
    otherChoice.value = mine;
    void left.rebuild(theirs);
  };
  return (
    <div class="compare-machines">
      <section aria-label="Left machine">
        <h2>
          <span class="side">Left</span> Linux {left.facts.value?.kernel}
        </h2>
        <p>{machineOf(left)}</p>
        <p>{whereOf(left)}</p>
        <p class="hint">The page’s machine: “Machine” above changes it.</p>
      </section>
      <div class="compare-between">
        <label class="check">
          <input
            type="checkbox"
            checked={apart.value === null}
            onChange={(event) => {
              apart.value = event.currentTarget.checked ? null : (right.now.peek()?.step ?? 0);
            }}
          />{' '}
          linked: both at the same step
        </label>
        <button type="button" onClick={swap}>
          ⇄ Change sides
        </button>
      </div>
      <section aria-label="Right machine">
        <RightKernel right={right} />
        <p>{machineOf(right)}</p>
        <p>{whereOf(right)}</p>
        <p class="status" role="status">
          {right.busy.value ?? ''}
        </p>
        <p class="wrong" role="alert">
          {right.error.value}
        </p>
        {apart.value !== null && <OwnClock left={left} right={right} />}
      </section>
      <Turns left={left} right={right} />
    </div>
  );
}

function RightKernel({ right }: { right: Engine }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const choice = otherChoice.value;
  if (choice === null) return null;
  return (
    <div class="compare-right">
      <h2>
        <span class="side">Right</span>{' '}
        <select
          aria-label="Kernel on the right"
          value={choice.kernel}
          onChange={(event) => {
            const kernel = KERNELS.find(({ version }) => version === event.currentTarget.value)!;
            otherChoice.value = { ...choice, kernel: kernel.version, mglru: choice.mglru && kernel.hasMglru };
          }}
        >
          {KERNELS.map(({ version }) => (
            <option key={version} value={version}>
              Linux {version}
            </option>
          ))}
        </select>
      </h2>
      <details class="menu" ref={menu}>
        <summary>Limit, memory, swap …</summary>
        <MachineFields
          key={JSON.stringify(choice)}
          choice={choice}
          isProgram={right.facts.value?.kind === 'program'}
          onChoose={(chosen) => {
            if (menu.current !== null) menu.current.open = false;
            otherChoice.value = chosen;
          }}
        />
      </details>
    </div>
  );
}

/** Where processes run by the machine's clock, a step of one is not always the same step of the other. */
function Turns({ left, right }: Both) {
  const [mine, theirs] = [left.now.value, right.now.value];
  if (mine === null || theirs === null || mine.step !== theirs.step || mine.pid === theirs.pid) return null;
  return (
    <p class="compare-turns">
      Process {mine.pid} is next on the left and process {theirs.pid} on the right: each machine lets run who has used
      the least of its time, so the same step is not the same access here.
    </p>
  );
}

/** Of the second machine, when it does not follow. */
function OwnClock({ left, right }: Both) {
  const go = (step: number) => void right.seek(step);
  const step = right.now.value?.step ?? 0;
  return (
    <div class="controls">
      <button type="button" aria-label="Right: one step back" onClick={() => go(step - 1)}>
        ◀
      </button>
      <button type="button" aria-label="Right: one step on" onClick={() => go(step + 1)}>
        ▶
      </button>
      <button type="button" onClick={() => go(left.now.peek()?.step ?? 0)}>
        To the step of the left one
      </button>
    </div>
  );
}

function machineOf({ facts, choice }: Engine): string {
  const now = facts.value;
  if (now === null) return '';
  const { limitBytes } = choice.value;
  if (now.kind === 'program') return now.mglru ? 'MGLRU' : 'active and inactive lists';
  const limit = limitBytes === null ? 'no limit' : `limit ${(limitBytes / 2 ** 20).toFixed(1)} MiB`;
  return `${limit}; ${now.machine}`;
}

function whereOf({ now }: Engine): string {
  const at = now.value;
  return at === null ? '' : `step ${grouped(at.step)} · ${duration(at.clockNs)}`;
}
