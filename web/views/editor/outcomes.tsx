/** What each line did, as a table: for who does not see what stands behind the lines. */
import { useSignal } from '@preact/signals';
import type { Said } from './outcome.ts';

const AT_FIRST = 200;

export function Outcomes(props: { text: string; outcomes: ReadonlyMap<number, Said>; onGo: (line: number) => void }) {
  const { text, outcomes, onGo } = props;
  const isOpen = useSignal(false);
  const most = useSignal(AT_FIRST);
  const rows = [...outcomes];
  return (
    <details class="editor-table" onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>What each line did</summary>
      {isOpen.value && <Table text={text} rows={rows.slice(0, most.value)} onGo={onGo} />}
      {isOpen.value && rows.length > most.value && (
        <button type="button" onClick={() => (most.value += AT_FIRST)}>
          More
        </button>
      )}
    </details>
  );
}

function Table(props: { text: string; rows: readonly [number, Said][]; onGo: (line: number) => void }) {
  const lines = props.text.split('\n');
  return (
    // Its buttons are focus stops, so it is scrolled by keyboard too.
    <section class="editor-scroll" aria-label="What each line did">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">
              Line
            </th>
            <th scope="col">Call</th>
            <th scope="col">Did</th>
          </tr>
        </thead>
        <tbody>
          {props.rows.map(([line, { text, isBad }]) => (
            <tr key={line}>
              <td class="number">
                <button
                  type="button"
                  class="link"
                  aria-label={`Line ${line}: go to the state before it`}
                  onClick={() => props.onGo(line)}
                >
                  {line}
                </button>
              </td>
              <td>
                <code>{lines[line - 1]}</code>
              </td>
              <td class={isBad ? 'wrong' : ''}>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
