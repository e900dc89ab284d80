/** The tables behind the curves: every replay, other settings, other kernels, and what was measured. */
import { type GridResult, nameOf } from '../../../src/lab/grid.ts';
import { formatSize } from '../../../src/lab/options.ts';
import type {
  AlternativeRun,
  Alternatives as AlternativesResult,
  SweepResult,
  TruthBeside,
} from '../../../src/lab/result.ts';
import { smallestText } from '../../../src/lab/truth.ts';
import { rowsOf } from '../../../src/view/sizing.ts';
import { grouped } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

function Heads({ names }: { names: readonly string[] }) {
  return (
    <thead>
      <tr>
        {names.map((name, i) => (
          <th scope="col" class={i === 0 ? '' : 'number'} key={name}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function Numbers({ cells }: { cells: readonly string[] }) {
  return (
    <>
      {cells.map((cell, i) => (
        <td class="number" key={i}>
          {cell}
        </td>
      ))}
    </>
  );
}

const seconds = (n: number) => `${n.toFixed(3)} s`;
const size = (bytes: number | null) => (bytes === null ? 'none' : formatSize(bytes));

export function Replays({ sweep, kernels }: { sweep: SweepResult; kernels: GridResult | null }) {
  const rows = rowsOf(sweep);
  const names = ['limit', 'why', 'peak', 'major faults', 'swapped in', 'swapped out', 'came back', 'time'];
  return (
    <details open>
      <summary>Every limit that was replayed</summary>
      <Scroll label="Every limit that was replayed">
        <table id="sizing-numbers">
          <Heads names={names} />
          <tbody>
            {rows.map((row) => (
              <tr key={row.limitBytes}>
                <th scope="row">{size(row.limitBytes)}</th>
                <Numbers
                  cells={[
                    row.why,
                    formatSize(row.peakBytes),
                    ...[row.majorFaults, row.swappedIn, row.swappedOut, row.cameBack].map(grouped),
                    row.killed ? 'killed' : seconds(row.seconds),
                  ]}
                />
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {kernels !== null && <Kernels kernels={kernels} />}
    </details>
  );
}

function Kernels({ kernels: { curves } }: { kernels: GridResult }) {
  const all = curves.map(({ configuration }) => configuration);
  const limits = [null, ...curves[0]!.runs.map((run) => run.limit_bytes)];
  return (
    <Scroll label="Time by kernel">
      <table>
        <Heads names={['time in', ...all.map((one) => nameOf(one, all))]} />
        <tbody>
          {limits.map((limit, i) => (
            <tr key={limit}>
              <th scope="row">{limit === null ? 'no limit' : size(limit)}</th>
              <Numbers
                cells={curves.map(({ unlimited, runs }) => {
                  const run = i === 0 ? unlimited : runs[i - 1]!;
                  return run.status === 'oom-killed' ? 'killed' : seconds(run.estimate.seconds);
                })}
              />
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function Alternatives({ alternatives }: { alternatives: AlternativesResult }) {
  const { settings, findings, recommended_limit_bytes, tighter_limit_bytes } = alternatives;
  const cells = (run: AlternativeRun) => [
    run.status === 'oom-killed' ? 'killed' : run.times_the_time === null ? '–' : `${run.times_the_time.toFixed(2)}×`,
    run.major_faults === null ? '–' : grouped(run.major_faults),
    run.refaulted_pages === null ? '–' : grouped(run.refaulted_pages),
  ];
  const heads = [recommended_limit_bytes, tighter_limit_bytes].flatMap((bytes) =>
    ['time', 'major faults', 'came back'].map((name) => `${name} in ${formatSize(bytes)}`),
  );
  return (
    <section aria-label="Other settings">
      <h3>What other settings would change</h3>
      <ul>
        {findings.map((finding) => (
          <li key={finding}>{finding}</li>
        ))}
      </ul>
      <Scroll label="Other settings">
        <table>
          <Heads names={['one thing set otherwise', ...heads]} />
          <tbody>
            {settings.map(({ name, at_recommended, at_tighter }, i) => (
              <tr key={name}>
                <th scope="row">{i === 0 ? `as asked: ${name}` : name}</th>
                <Numbers cells={[...cells(at_recommended), ...cells(at_tighter)]} />
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

export function Measured({ truth }: { truth: TruthBeside }) {
  const { judged, within, measured_on, mode, file, points, smallest_limit } = truth;
  const rows = points.flatMap(({ limit_bytes, runs, predicted_status, counters }) =>
    counters.map((counter) => ({ limit_bytes, runs, predicted_status, ...counter })),
  );
  return (
    <section aria-label="What a real kernel did">
      <h3>What a real kernel did</h3>
      <p>
        <strong>
          {within} of {judged}
        </strong>{' '}
        counts are as near to the measured range as the rule asks. {smallestText(smallest_limit)}
      </p>
      <p class="hint">
        Measured on Linux {measured_on.join(', ')}, mode {mode}, from {file}. The rule: a range over the runs, widened
        by 5 % or 60 pages for swap traffic of one process with anonymous memory only, by 10 % or 100 pages for any
        other.
      </p>
      <details>
        <summary>Measured and predicted, limit by limit</summary>
        <Scroll label="Measured and predicted">
          <table>
            <Heads names={['limit', 'counter', 'measured (runs)', 'predicted', 'off the range', 'allowed', '']} />
            <tbody>
              {rows.map(
                ({ limit_bytes, name, low, high, runs, predicted, predicted_status, off, allowed, within: good }) => (
                  <tr key={`${limit_bytes} ${name}`}>
                    <th scope="row">{size(limit_bytes)}</th>
                    <Numbers
                      cells={[
                        name,
                        `${low === high ? grouped(low) : `${grouped(low)}–${grouped(high)}`} (${runs})`,
                        predicted_status === 'exited' ? grouped(predicted) : 'killed',
                        off === 0 ? '0' : `${off > 0 ? '+' : '−'}${grouped(Math.abs(off))}`,
                        allowed === null ? '–' : `±${grouped(allowed)}`,
                        allowed === null ? 'no rule' : good ? '✓ within' : '✗ outside',
                      ]}
                    />
                  </tr>
                ),
              )}
            </tbody>
          </table>
        </Scroll>
      </details>
    </section>
  );
}
