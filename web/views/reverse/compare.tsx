/**
 * The same question in the other kernels: the same program or recording, run to the same step, in a worker of its own for each.
 *
 * Promises  One worker at a time, and none is left behind: who goes on to another frame waits for no more of them.
 */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Cost, ReverseAnswer } from '../../../src/view/reverse_graph.ts';
import type { Selection } from '../../../src/view/selection.ts';
import { Engine } from '../../app/engine.ts';
import { engine as main } from '../../app/state.ts';
import { grouped, hex } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

const ASKED = ['2.4.19', '2.5.59', '2.6.24', '3.16', '6.18'] as const;

interface Row {
  readonly kernel: string;
  /** What the walk costs there, or why that is not known. */
  readonly cost: Cost | string;
}

interface CompareProps {
  readonly engine: Engine;
  readonly answer: ReverseAnswer;
  readonly chosen: Selection;
}

export function CompareKernels({ engine, answer, chosen }: CompareProps) {
  const rows = useSignal<readonly Row[]>([]);
  const askedAt = useSignal('');
  const asking = useSignal<string | null>(null);
  const isHere = useRef(true);
  useEffect(
    () => () => {
      isHere.current = false;
    },
    [],
  );
  const { pid, address } = chosen;
  if (answer.cost === null || engine !== main) return null;
  const step = engine.now.value?.step ?? 0;
  const question = `${pid}:${address} at ${step}`;
  const isOld = askedAt.value !== question;
  const ask = async (): Promise<void> => {
    rows.value = [];
    askedAt.value = question;
    await askOthers(engine, { by: 'page', pfn: null, pid, address }, step, rows, asking, isHere);
  };
  const own: Row = { kernel: answer.kernel, cost: answer.cost };
  return (
    <section class="rev-compare" aria-label="The same question in other kernels">
      <h3>The same question in other kernels</h3>
      {pid === null || address === null ? (
        <p>Frames have other numbers there, and this one is mapped nowhere: nothing names it in another kernel.</p>
      ) : (
        <>
          <p>
            What does each kernel look at to find who maps page {hex(address)} of process {pid}, at this step of the
            same
            {engine.facts.value?.kind === 'program' ? ' program' : ' recording'}?
          </p>
          <button type="button" onClick={() => void ask()} disabled={asking.value !== null}>
            {asking.value === null ? 'Ask the other kernels' : `Asking Linux ${asking.value} …`}
          </button>
          {!isOld && <Costs rows={[own, ...rows.value]} />}
        </>
      )}
    </section>
  );
}

async function askOthers(
  engine: Engine,
  selection: Selection,
  step: number,
  rows: Signal<readonly Row[]>,
  asking: Signal<string | null>,
  isHere: { readonly current: boolean },
): Promise<void> {
  const choice = engine.choice.value;
  const source = engine.source.value!;
  const tell = (row: Row): void => {
    rows.value = [...rows.value, row];
  };
  for (const kernel of ASKED) {
    if (kernel === choice.kernel) continue;
    if (!isHere.current) return;
    asking.value = kernel;
    const other = new Engine({ ...choice, kernel, mglru: false });
    try {
      if (!(await other.open(source)) || !(await other.seek(step))) throw new Error(other.error.value ?? '');
      const { answer } = await other.ask('reverseChosen', selection);
      tell({ kernel, cost: answer?.cost ?? 'the page has no frame there at this step' });
    } catch (error) {
      tell({ kernel, cost: (error as Error).message });
    } finally {
      other.close();
    }
  }
  asking.value = null;
}

const COLUMNS = [
  ['mms', 'address spaces'],
  ['links', 'links'],
  ['vmas', 'VMAs'],
  ['entries', 'entries'],
  ['found', 'map it'],
  ['inVain', 'in vain'],
] as const;

function Costs({ rows }: { rows: readonly Row[] }) {
  const sorted = [...rows].sort((a, b) => a.kernel.localeCompare(b.kernel, 'en', { numeric: true }));
  return (
    <Scroll label="What a walk costs in each kernel">
      <table>
        <thead>
          <tr>
            <th scope="col">Linux</th>
            {COLUMNS.map(([, name]) => (
              <th scope="col" class="number" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map(({ kernel, cost }) => (
            <tr key={kernel}>
              <th scope="row">{kernel}</th>
              {typeof cost === 'string' ? (
                <td colSpan={COLUMNS.length}>{cost}</td>
              ) : (
                COLUMNS.map(([column]) => (
                  <td class="number" key={column}>
                    {grouped(cost[column])}
                  </td>
                ))
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
