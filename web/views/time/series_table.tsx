/** The curves as a table: some of the samples, each a way to its step. */
import type { SeriesAnswer } from '../../../src/view/time.ts';
import { duration, grouped } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

const ROWS = 40;

export function SeriesTable({ series, onPick }: { series: SeriesAnswer; onPick: (step: number) => void }) {
  const { step, clockNs, columns } = series;
  const every = Math.max(1, Math.ceil(step.length / ROWS));
  const rows = [...step.keys()].filter((row) => row % every === 0 || row === step.length - 1);
  return (
    <details class="time-table">
      <summary>The same as a table (counters since the beginning)</summary>
      <Scroll label="Samples of the run">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">
                step
              </th>
              <th scope="col" class="number">
                clock
              </th>
              {columns.map(({ id, says, group }) => (
                <th scope="col" class="number" key={id}>
                  {group === 'free'
                    ? `free in ${says}`
                    : group === 'rss'
                      ? `pages of ${says}`
                      : says.replaceAll('_', ' ')}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row}>
                <td class="number">
                  <button type="button" class="link" onClick={() => onPick(step[row]!)}>
                    {grouped(step[row]!)}
                  </button>
                </td>
                <td class="number">{duration(clockNs[row]!)}</td>
                {columns.map(({ id, values }) => (
                  <td class="number" key={id}>
                    {Number.isNaN(values[row]!) ? '–' : grouped(values[row]!)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}
