/**
 * What scans did between two steps: each scan with the kernel's numbers, and the verdict on each page that it met.
 */
import { useSignal } from '@preact/signals';
import type { ListLog, Scan } from '../../../src/view/lists_log.ts';
import { LADDER_FUNCTIONS, OUTCOMES, SORTED, verdictWords } from '../../../src/view/lists_words.ts';
import type { Engine } from '../../app/engine.ts';
import { selectFrame } from '../../app/state.ts';
import { grouped, hex, plural } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

const SCAN_ROWS = 12;
const VERDICT_ROWS = 50;

export function Verdicts({ engine, log }: { engine: Engine; log: ListLog }) {
  const outcome = useSignal<number | null>(null);
  /** Step and time of the scan whose verdicts are shown alone. */
  const only = useSignal<string | null>(null);
  const scan = log.scans.find((one) => keyOf(one) === only.value) ?? null;
  const first = scan?.first ?? 0;
  const rows: number[] = [];
  for (let at = first; at < first + (scan?.count ?? log.pfns.length); at++) {
    if (outcome.value === null || log.outcomesOf[at] === outcome.value) rows.push(at);
  }
  return (
    <section class="verdicts" aria-label="Verdicts">
      <h2>
        Scans behind step {grouped(log.from)}, up to {grouped(log.to)}
      </h2>
      <Counts log={log} />
      {log.scans.length === 0 ? (
        <p class="none">No scan: nobody was short of memory.</p>
      ) : (
        <>
          <Scans log={log} chosen={only.value} onChoose={(key) => (only.value = only.value === key ? null : key)} />
          <h2>
            Verdicts of <code>{LADDER_FUNCTIONS[log.ladder]}</code>
            {scan === null ? '' : ` at step ${grouped(scan.step)}`}
          </h2>
          <p class="filters">
            {OUTCOMES.map((name, n) => {
              const count = (scan?.outcomes ?? log.outcomes)[n]!;
              return count === 0 ? null : (
                <button
                  type="button"
                  key={name}
                  class={`outcome-${n}`}
                  aria-pressed={outcome.value === n}
                  onClick={() => (outcome.value = outcome.value === n ? null : n)}
                >
                  {grouped(count)} {name}
                </button>
              );
            })}
          </p>
          <Rows engine={engine} log={log} rows={rows} key={`${only.value} ${outcome.value}`} />
          {log.verdictsLeftOut > 0 && <p class="none">{plural(log.verdictsLeftOut, 'earlier verdict')} not listed.</p>}
        </>
      )}
    </section>
  );
}

function keyOf({ step, atNs, list, kind, first }: Scan): string {
  return `${step} ${atNs} ${list} ${kind} ${first}`;
}

function Counts({ log }: { log: ListLog }) {
  if (log.counts.length === 0) return null;
  return (
    <p class="flows">
      {log.counts.map(({ what, pages }) => (
        <span key={what}>{`${grouped(pages)} ${what}`}</span>
      ))}
    </p>
  );
}

function Scans(props: { log: ListLog; chosen: string | null; onChoose: (key: string) => void }) {
  const { log, chosen, onChoose } = props;
  const rows = useSignal(SCAN_ROWS);
  const shown = log.scans.slice(-rows.value);
  const left = log.scans.length - shown.length;
  return (
    <Scroll label="Scans">
      {left + log.scansLeftOut > 0 && (
        <p>
          {plural(left + log.scansLeftOut, 'earlier scan')}{' '}
          {left > 0 && (
            <button type="button" onClick={() => (rows.value += 100)}>
              More
            </button>
          )}
        </p>
      )}
      <table>
        <thead>
          <tr>
            <th>Step</th>
            <th>List</th>
            <th title="Priority: 12 looks at a 4096th of a list, 0 at all of it">Prio</th>
            <th class="number">Taken</th>
            <th>Became</th>
            <th>Who reclaims</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((scan) => {
            const key = keyOf(scan);
            return (
              <tr key={key} class={key === chosen ? 'chosen-row' : ''}>
                <td>
                  <button
                    type="button"
                    class="link"
                    aria-pressed={key === chosen}
                    title="Show its verdicts alone"
                    onClick={() => onChoose(key)}
                  >
                    {grouped(scan.step)}
                  </button>
                </td>
                <td>{scan.list === '' ? 'chosen pages' : scan.list}</td>
                <td>{scan.priority ?? ''}</td>
                <td class="number">{grouped(scan.taken)}</td>
                <td>{became(scan)}</td>
                <td class="who">{scan.who}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

function became(scan: Scan): string {
  if (scan.kind === 'active') return `${grouped(scan.deactivated)} deactivated, ${grouped(scan.stayed)} stay active`;
  const told = OUTCOMES.flatMap((name, n) =>
    scan.outcomes[n]! === 0 ? [] : [`${grouped(scan.outcomes[n]!)} ${name}`],
  );
  return told.length === 0 ? 'nothing there' : told.join(', ');
}

function Rows({ engine, log, rows }: { engine: Engine; log: ListLog; rows: readonly number[] }) {
  const most = useSignal(VERDICT_ROWS);
  const chosen = engine.selection.value.pfn;
  return (
    <Scroll label="Verdicts, page by page">
      <table>
        <thead>
          <tr>
            <th>Frame</th>
            <th class="number" title="Step of the ladder that decided">
              Rung
            </th>
            <th>Verdict</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, most.value).map((at) => {
            const outcome = log.outcomesOf[at]!;
            const ladder = outcome === SORTED ? 'sort' : log.ladder;
            const pfn = log.pfns[at]!;
            return (
              <tr key={at} class={pfn === chosen ? 'chosen-row' : ''}>
                <td>
                  <button type="button" class="link mono" onClick={() => selectFrame(engine, pfn)}>
                    {hex(pfn)}
                  </button>
                </td>
                <td class="number">{log.rungs[at]}</td>
                <td>
                  <span class={`dot outcome-${outcome}`} aria-hidden="true" />
                  {verdictWords(ladder, log.rungs[at]!, outcome, log.anon[at] === 1)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length > most.value && (
        <button type="button" onClick={() => (most.value += VERDICT_ROWS)}>
          More ({grouped(rows.length - most.value)})
        </button>
      )}
    </Scroll>
  );
}
