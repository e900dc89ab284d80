/** What is asked: which limits, what beside them, and on which machine. */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { machineText, parseLimits } from '../../../src/lab/options.ts';
import { KERNELS, type MachineChoice } from '../../../src/view/choice.ts';
import type { SizingAsked } from '../../../src/view/sizing.ts';
import type { Engine } from '../../app/engine.ts';
import { kept, opened } from '../../app/state.ts';
import { endSizing, failed, startSizing, under } from './job.ts';
import { measuredNameOf, measuredOf } from './measured.ts';

/** A table that the user gave. */
export interface Table {
  readonly name: string;
  readonly text: string;
}

const { limits: limitsText, withAdvice, withCaches, withMeasured, otherKernels } = kept;

export function Form({ engine, table }: { engine: Engine; table: { value: Table | null } }) {
  const wrong = useSignal<string | null>(null);
  const file = useRef<HTMLInputElement>(null);
  const hasKernels = useRef(otherKernels.peek().length > 0);
  const choice = engine.choice.value;
  const others = KERNELS.map(({ version }) => version).filter((version) => version !== choice.kernel);
  const bundled = measuredNameOf(opened.value);
  const isMeasured = bundled !== null && (withMeasured.value ?? choice.kernel.startsWith('6.'));
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const limits = parseLimits(limitsText.value.trim() || '8');
    wrong.value = typeof limits === 'string' ? limits : null;
    const source = engine.source.peek();
    if (typeof limits === 'string' || source === null) return;
    const asked = {
      machine: machineOf(choice),
      limits,
      limitsOnly: !withAdvice.value,
      missRatio: withCaches.value,
      kernels: others.filter((version) => otherKernels.value.includes(version)),
    };
    try {
      const measured = isMeasured ? await measuredOf(opened.peek()) : null;
      await startSizing(source, { ...asked, truth: table.value ?? measured } satisfies SizingAsked);
    } catch (error) {
      wrong.value = (error as Error).message;
    }
  };
  return (
    <form class="sizing-form" onSubmit={(event) => void submit(event)}>
      <p>
        Replays the recording under many limits, on Linux {choice.kernel} with {machineText(choice)}. “Machine” above
        changes it; its limit is not used here.
      </p>
      <div class="controls">
        <label>
          Limits{' '}
          <input
            value={limitsText.value}
            onInput={({ currentTarget }) => (limitsText.value = currentTarget.value)}
            size={18}
            aria-describedby="sizing-limits"
            spellcheck={false}
          />
        </label>
        <span class="hint" id="sizing-limits">
          a number: so many, from the peak down; or 64M,48M,32M; or 64M..16M
        </span>
      </div>
      <div class="controls">
        <Check of={withAdvice} isOn={withAdvice.value} says="look for the smallest, and try other settings" />
        <Check of={withCaches} isOn={withCaches.value} says="LRU and OPT caches beside it" />
        {bundled !== null && table.value === null && (
          <Check of={withMeasured} isOn={isMeasured} says={`what a real kernel did (${bundled})`} />
        )}
        <button type="button" onClick={() => file.current?.click()}>
          {table.value === null ? 'Measurements from a file …' : `Measurements: ${table.value.name}`}
        </button>
        {table.value !== null && (
          <button
            type="button"
            onClick={() => {
              table.value = null;
            }}
          >
            Without them
          </button>
        )}
        <input
          ref={file}
          type="file"
          hidden
          aria-label="Measurements"
          onChange={(event) => {
            const chosen = event.currentTarget.files?.[0];
            if (chosen !== undefined) void takeTable(chosen, table);
            event.currentTarget.value = '';
          }}
        />
      </div>
      <details open={hasKernels.current}>
        <summary>Other kernels under the same limits</summary>
        <div class="controls">
          {others.map((version) => (
            <label class="check" key={version}>
              <input
                type="checkbox"
                checked={otherKernels.value.includes(version)}
                onChange={() => toggleKernel(version)}
              />{' '}
              {version}
            </label>
          ))}
        </div>
      </details>
      <div class="controls">
        <button type="submit" class="primary" disabled={under.value !== null}>
          Replay
        </button>
        <Under />
      </div>
      <p class="wrong" role="alert">
        {wrong.value ?? failed.value}
      </p>
    </form>
  );
}

function Check({ of, isOn, says }: { of: { value: boolean | null }; isOn: boolean; says: string }) {
  return (
    <label class="check">
      <input type="checkbox" checked={isOn} onChange={({ currentTarget }) => (of.value = currentTarget.checked)} />{' '}
      {says}
    </label>
  );
}

function toggleKernel(version: (typeof otherKernels.value)[number]): void {
  const rest = otherKernels.value.filter((one) => one !== version);
  otherKernels.value = rest.length < otherKernels.value.length ? rest : [...rest, version];
}

export async function takeTable(file: File, table: { value: Table | null }): Promise<void> {
  table.value = { name: file.name, text: await file.text() };
}

function machineOf(choice: MachineChoice): SizingAsked['machine'] {
  const { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru } = choice;
  return { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru };
}

const WHAT = {
  limits: 'the limits',
  advice: 'looking between them and trying other settings',
  kernels: 'other kernels',
} as const;

function Under() {
  if (under.value === null) return null;
  const { progress } = under.value;
  // How many replays a search takes is not known before.
  const counts =
    progress === null ? '' : progress.what === 'advice' ? `${progress.done}` : `${progress.done} of ${progress.of}`;
  const left =
    progress === null || progress.secondsLeft === null || progress.what === 'advice' || progress.done === progress.of
      ? ''
      : `, about ${Math.max(1, Math.round(progress.secondsLeft))} s left`;
  return (
    <>
      <progress aria-label="Replays" max={1} value={progress?.share} />
      <span role="status">{progress === null ? 'opening' : `${WHAT[progress.what]}: ${counts} replays${left}`}</span>
      <button type="button" onClick={endSizing}>
        End it
      </button>
    </>
  );
}
