/** What came out: the answer, the curves with the limit that is chosen in them, and the tables behind. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { version } from '../../../package.json';
import { formatSize, machineText } from '../../../src/lab/options.ts';
import { gridPlots } from '../../../src/lab/report/grid_report.ts';
import { type Plot, stopsOf } from '../../../src/lab/report/plot.ts';
import { plotsOf } from '../../../src/lab/report/plots.ts';
import { reportHtml } from '../../../src/lab/report/report.ts';
import { commandOf, namedLimits, type Sized } from '../../../src/view/sizing.ts';
import type { Engine } from '../../app/engine.ts';
import { view } from '../../app/state.ts';
import type { ViewId } from '../../app/views.ts';
import { plural } from '../../ui/format.ts';
import { nearest, PlotFigure } from './figure.tsx';
import type { Made } from './job.ts';
import { Alternatives, Measured, Replays } from './tables.tsx';

const MIB = 2 ** 20;

export function Result({ engine, made }: { engine: Engine; made: Made }) {
  const { sweep, kernels, truthRefused } = made.sized;
  const plots = useMemo(() => allPlots(made.sized), [made]);
  const stops = useMemo(() => [...new Set(plots.flatMap(stopsOf))].sort((a, b) => a - b), [plots]);
  const { advice } = sweep;
  const first = advice.recommended_limit_bytes ?? advice.smallest_limit?.limit_bytes ?? sweep.unlimited.peak_bytes;
  const chosen = useSignal(nearest(stops, first / MIB));
  const bytes = Math.round((stops[chosen.value] ?? 0) * MIB);
  return (
    <div class="sizing-result" data-done={sweep.runs.length}>
      <Answer made={made} />
      {stops.length > 0 && (
        <section class="sizing-chosen" aria-label="The limit that is looked at">
          <label>
            Limit{' '}
            <input
              type="range"
              min={0}
              max={stops.length - 1}
              step={1}
              value={chosen.value}
              aria-valuetext={formatSize(bytes)}
              onInput={(event) => {
                chosen.value = Number(event.currentTarget.value);
              }}
            />
          </label>{' '}
          <strong>{formatSize(bytes)}</strong>
          <button type="button" onClick={() => void lookAt(engine, made, bytes, 'frames')}>
            Look at this run: frames
          </button>
          <button type="button" onClick={() => void lookAt(engine, made, bytes, 'time')}>
            its time
          </button>
        </section>
      )}
      <div class="sizing-plots">
        {plots.map((plot) => (
          <PlotFigure key={plot.name} plot={plot} stops={stops} chosen={chosen} describedBy="sizing-numbers" />
        ))}
      </div>
      <section aria-label="Why">
        <h3>Why</h3>
        <ul>
          {advice.reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      </section>
      {truthRefused !== null && <p>No measurement beside it: {truthRefused}.</p>}
      {sweep.truth !== null && <Measured truth={sweep.truth} />}
      {sweep.alternatives !== null && <Alternatives alternatives={sweep.alternatives} />}
      <Replays sweep={sweep} kernels={kernels} />
      <section aria-label="How far to trust it">
        <h3>How far to trust it</h3>
        <ul>
          {sweep.uncertainty.map((doubt) => (
            <li key={doubt}>{doubt}</li>
          ))}
        </ul>
      </section>
    </div>
  );
}

/** Curves of the sweep, and of other kernels under the same limits. */
function allPlots({ sweep, kernels }: Sized): Plot[] {
  const others = kernels === null ? [] : gridPlots(kernels).filter(({ name }) => name !== 'major-faults');
  return [
    ...plotsOf(sweep),
    ...others.map((plot) => ({ ...plot, name: `kernels-${plot.name}`, title: `${plot.title}, by kernel` })),
  ];
}

function Answer({ made }: { made: Made }) {
  const { sweep } = made.sized;
  const { advice, recording } = sweep;
  const recommended = advice.recommended_limit_bytes;
  const command = `revmap ${commandOf(made.source.name, made.asked).join(' ')}`;
  const report = () => save(`${recording}.html`, 'text/html', reportHtml(sweep, { commandLine: command, version }));
  return (
    <section class="sizing-answer" aria-label="The answer">
      <h2>{recommended === null ? 'No limit can be recommended' : `Set ${formatSize(recommended)}`}</h2>
      <p>
        {recording} {advice.headline}.
      </p>
      <p class="hint">
        On Linux {sweep.kernel}, {machineText(sweep.options)}; replayed under{' '}
        {plural(sweep.runs.length + sweep.refined.length, 'limit')}.
      </p>
      <dl>
        <div>
          <dt>peak without a limit</dt>
          <dd>{formatSize(sweep.unlimited.peak_bytes)}</dd>
        </div>
        {namedLimits(sweep).map(({ name, limitBytes, says }) => (
          <div key={name} title={says}>
            <dt>{name}</dt>
            <dd>{formatSize(limitBytes)}</dd>
          </div>
        ))}
      </dl>
      <p class="controls">
        <button type="button" onClick={report}>
          Save the report (HTML)
        </button>
        <button type="button" onClick={() => save(`${recording}.json`, 'application/json', jsonOf(made.sized))}>
          Save the numbers (JSON)
        </button>
        <code>{command}</code>
      </p>
    </section>
  );
}

function jsonOf({ sweep }: Sized): string {
  return `${JSON.stringify(sweep, null, 2)}\n`;
}

function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replaceAll(/[^\w.-]/g, '_');
  link.click();
  URL.revokeObjectURL(url);
}

/** The page's machine becomes the one of this run. */
async function lookAt(engine: Engine, { asked }: Made, limitBytes: number, to: ViewId): Promise<void> {
  const built = await engine.rebuild({ ...engine.choice.peek(), ...asked.machine, limitBytes });
  if (built) view.value = to;
}
