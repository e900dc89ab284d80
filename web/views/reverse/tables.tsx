/** The same as the picture, in tables: entries that map the page, what was looked at in vain, and the other direction. */
import { useSignal } from '@preact/signals';
import type { ReverseAnswer, Visit } from '../../../src/view/reverse_graph.ts';
import { selectPage } from '../../app/state.ts';
import { grouped, hex, plural } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

const FIRST_ROWS = 200;

export function Tables({ answer }: { answer: ReverseAnswer }) {
  const { visits, moreVisits, lookups } = answer;
  const mappers = visits.filter(({ maps }) => maps);
  const inVain = visits.filter(({ maps }) => !maps);
  return (
    <div class="rev-tables">
      {visits.length > 0 && (
        <details>
          <summary>{plural(mappers.length + moreVisits.maps, 'entry maps it', 'entries map it')}</summary>
          <Visits visits={mappers} more={moreVisits.maps} last="entry" outcome={({ bits }) => bits.join(', ')} />
        </details>
      )}
      {inVain.length > 0 && (
        <details>
          <summary>
            {plural(inVain.length + moreVisits.inVain, 'candidate that does', 'candidates that do')} not map it
          </summary>
          <Visits
            visits={inVain}
            more={moreVisits.inVain}
            last="why in vain"
            outcome={({ why, behindTheEnd }) => (behindTheEnd ? `${why}; the walk ends before it comes here` : why)}
          />
        </details>
      )}
      {lookups.length > 0 && (
        <details>
          <summary>The other direction: how the kernel finds this page</summary>
          {lookups.map(({ title, steps }) => (
            <section key={title}>
              <h3>{title}</h3>
              <ol>
                {steps.map((step) => (
                  <li key={step} class="mono">
                    {step}
                  </li>
                ))}
              </ol>
            </section>
          ))}
        </details>
      )}
    </div>
  );
}

interface VisitsProps {
  readonly visits: readonly Visit[];
  readonly more: number;
  readonly last: string;
  readonly outcome: (visit: Visit) => string;
}

function Visits({ visits, more, last, outcome }: VisitsProps) {
  const most = useSignal(FIRST_ROWS);
  const shown = visits.slice(0, most.value);
  if (visits.length === 0) return <p class="empty">None.</p>;
  return (
    <Scroll label={`Visits: ${last}`}>
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">
              visit
            </th>
            <th scope="col">process</th>
            <th scope="col">region</th>
            <th scope="col">address</th>
            <th scope="col">how it was found</th>
            <th scope="col">{last}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((visit) => (
            <tr key={visit.number}>
              <td class="number">{grouped(visit.number + 1)}</td>
              <td>{visit.process}</td>
              <td class="mono">
                {hex(visit.start)}‥{hex(visit.end)} {visit.region}
              </td>
              <td class="mono">
                <Address visit={visit} />
              </td>
              <td class="mono">{visit.formulaText}</td>
              <td>{outcome(visit)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {visits.length > shown.length && (
        <button
          type="button"
          onClick={() => {
            most.value += FIRST_ROWS;
          }}
        >
          {grouped(visits.length - shown.length)} more
        </button>
      )}
      {more > 0 && <p>… and {grouped(more)} that are counted and not listed.</p>}
    </Scroll>
  );
}

function Address({ visit: { pid, address } }: { visit: Visit }) {
  if (address === null) return <>none</>;
  if (pid === null) return <>{hex(address)}</>;
  return (
    <button type="button" class="link" onClick={() => selectPage(pid, address)}>
      {hex(address)}
    </button>
  );
}
