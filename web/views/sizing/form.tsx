/** What is asked: which limits, what beside them, and on which machine. */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { machineText, parseLimits } from '../../../src/lab/options.ts';
import { KERNELS, type MachineChoice } from '../../../src/view/choice.ts';
import type { SizingAsked } from '../../../src/view/sizing.ts';
import type { Engine } from '../../app/engine.ts';
import { opened } from '../../app/state.ts';
import { endSizing, failed, startSizing, under } from './job.ts';
import { measuredNameOf, measuredOf } from './measured.ts';

/** A table that the user gave. */
export interface Table {
  readonly name: string;
  readonly text: string;
}

export function Form({ engine, table }: { engine: Engine; table: { value: Table | null } }) {
  const wrong = useSignal<string | null>(null);
  const file = useRef<HTMLInputElement>(null);
  const choice = engine.choice.value;
  const bundled = measuredNameOf(opened.value);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const limits = parseLimits(String(fields.get('limits') ?? '').trim() || '8');
    wrong.value = typeof limits === 'string' ? limits : null;
    const source = engine.source.peek();
    if (typeof limits === 'string' || source === null) return;
    const asked = {
      machine: machineOf(choice),
      limits,
      limitsOnly: fields.get('advice') === null,
      missRatio: fields.get('caches') !== null,
      kernels: fields.getAll('kernel').map(String),
    };
    try {
      const measured = fields.get('measured') === null ? null : await measuredOf(opened.peek());
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
          Limits <input name="limits" defaultValue="8" size={18} aria-describedby="sizing-limits" spellcheck={false} />
        </label>
        <span class="hint" id="sizing-limits">
          a number: so many, from the peak down; or 64M,48M,32M; or 64M..16M
        </span>
      </div>
      <div class="controls">
        <label class="check">
          <input type="checkbox" name="advice" defaultChecked /> look for the smallest, and try other settings
        </label>
        <label class="check">
          <input type="checkbox" name="caches" /> LRU and OPT caches beside it
        </label>
        {bundled !== null && table.value === null && (
          <label class="check">
            <input type="checkbox" name="measured" defaultChecked={choice.kernel.startsWith('6.')} /> what a real kernel
            did ({bundled})
          </label>
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
      <details>
        <summary>Other kernels under the same limits</summary>
        <div class="controls">
          {KERNELS.filter(({ version }) => version !== choice.kernel).map(({ version }) => (
            <label class="check" key={version}>
              <input type="checkbox" name="kernel" value={version} /> {version}
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
