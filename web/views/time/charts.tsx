/**
 * The curves: what was counted from the beginning of the run to its end, and where we are in it.
 */
import { type Signal, useSignal, useSignalEffect } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { SeriesAnswer } from '../../../src/view/time.ts';
import type { Group } from '../../../src/view/time_series.ts';
import type { Engine } from '../../app/engine.ts';
import { kept } from '../../app/state.ts';
import { grouped, plural } from '../../ui/format.ts';
import { oneAtATime } from '../../ui/one_at_a_time.ts';
import { colours } from '../../ui/palette.ts';
import { type Curve, curvesOf, placeOf, summaryOf, TITLES } from './curves.ts';
import { Plot } from './plot.tsx';
import { SeriesTable } from './series_table.tsx';

const SHOWN: readonly Group[] = ['faults', 'reclaim', 'swap', 'free', 'usage', 'lists', 'rss'];

/** The curves as far as they are; asked for again when they reach farther, and not when the machine moves. */
function useSeries(engine: Engine): Signal<SeriesAnswer | null> {
  const answer = useSignal<SeriesAnswer | null>(null);
  const ask = useMemo(
    () =>
      oneAtATime(async () => {
        try {
          answer.value = await engine.ask('series');
        } catch (error) {
          engine.error.value = (error as Error).message;
        }
      }),
    [engine],
  );
  useSignalEffect(() => {
    if (engine.looked.value >= 0 && engine.facts.value !== null) void ask();
  });
  return answer;
}

const { axis, curveZone: zone } = kept;

export function Charts({ engine }: { engine: Engine }) {
  const hover = useSignal<number | null>(null);
  const series = useSeries(engine).value;
  // A program's lines take next to no time, but for those that fault.
  const by = axis.value ?? (engine.facts.value?.kind === 'program' ? 'step' : 'clock');
  const chosen = zone.value;
  const groups = useMemo(
    () => (series === null ? [] : SHOWN.map((group) => ({ group, curves: curvesOf(series, group, by, chosen) }))),
    [series, by, chosen],
  );
  if (series === null || series.step.length === 0) return <p class="empty">The run is being looked over …</p>;
  const now = engine.now.value!;
  const at = placeOf(series, now.step);
  const jump = (x: number): void => {
    const step = by === 'step' ? Math.round(x) : series.step[nearest(series.clockNs, x * 1e6)]!;
    void engine.seek(Math.max(0, step));
  };
  return (
    <>
      <div class="time-head">
        <fieldset class="choice">
          <legend class="said">Over</legend>
          {(['clock', 'step'] as const).map((one) => (
            <button type="button" key={one} aria-pressed={by === one} onClick={() => (axis.value = one)}>
              {one === 'clock' ? 'over the virtual clock' : 'over steps'}
            </button>
          ))}
        </fieldset>
        <p class="soft">
          {series.done
            ? `${plural(series.step.length, 'sample')}, one every ${plural(series.every, 'step')}`
            : `looked over up to step ${grouped(series.step.at(-1)!)} …`}
        </p>
      </div>
      <p>{summaryOf(series)}</p>
      {groups.map(({ group, curves }) =>
        curves.length === 0 ? null : (
          <section class="curve" key={group}>
            <div class="time-head">
              <h2 title={TITLES[group].why}>{TITLES[group].says(by)}</h2>
              {group === 'free' && <ZoneChoice series={series} />}
              {isQuiet(curves) ? <p class="soft">none</p> : <Legend curves={curves} row={hover.value ?? at} />}
            </div>
            {!isQuiet(curves) && (
              <Plot
                key={`${colours.value}`}
                x={by === 'step' ? series.step : series.clockNs}
                axis={by}
                curves={curves}
                at={by === 'step' ? now.step : now.clockNs / 1e6}
                label={`${TITLES[group].says(by)}: ${labelOf(curves)}. A click goes there.`}
                onPick={jump}
                onHover={(row) => {
                  hover.value = row;
                }}
              />
            )}
          </section>
        ),
      )}
      <SeriesTable series={series} onPick={(step) => void engine.seek(step)} />
    </>
  );
}

/** Nothing to draw: all of it is 0 all the time. */
function isQuiet(curves: readonly Curve[]): boolean {
  return curves.every(({ values, isLine }) => !isLine && values.every((value) => value === 0 || value === null));
}

function ZoneChoice({ series }: { series: SeriesAnswer }) {
  const zones = series.columns.filter(({ group }) => group === 'free');
  if (zones.length < 2) return null;
  const shown = curvesOf(series, 'free', 'step', zone.value)[0]?.id;
  return (
    <label>
      <span class="said">Zone</span>
      <select value={shown} onChange={({ currentTarget }) => (zone.value = currentTarget.value)}>
        {zones.map(({ id, says }) => (
          <option key={id} value={id}>
            {says}
          </option>
        ))}
      </select>
    </label>
  );
}

function Legend({ curves, row }: { curves: readonly Curve[]; row: number }) {
  return (
    <ul class="legend">
      {curves.map(({ id, says, colour, dash, values, isLine }) => (
        <li key={`${id} ${says}`}>
          <svg width="26" height="8" aria-hidden="true">
            <line
              x1="0"
              x2="26"
              y1="4"
              y2="4"
              style={{ stroke: `var(${colour})` }}
              stroke-width="2.5"
              stroke-dasharray={dash.join(' ')}
            />
          </svg>
          {says} <span class="value">{isLine ? numberText(values[0]!) : numberText(values[row])}</span>
        </li>
      ))}
    </ul>
  );
}

function numberText(value: number | null | undefined): string {
  if (value === undefined || value === null || Number.isNaN(value)) return '–';
  if (value === 0 || Math.abs(value) >= 100) return grouped(Math.round(value));
  return value.toFixed(value < 1 ? 2 : 1);
}

function labelOf(curves: readonly Curve[]): string {
  return curves
    .map(({ says, values, isLine }) => {
      const numbers = values.filter((value): value is number => value !== null && !Number.isNaN(value));
      if (isLine) return `${says} at ${numberText(numbers[0])}`;
      return `${says} ${numberText(Math.min(...numbers))} to ${numberText(Math.max(...numbers))}`;
    })
    .join('; ');
}

function nearest(column: Float64Array, value: number): number {
  let best = 0;
  for (let n = 1; n < column.length; n++) {
    if (Math.abs(column[n]! - value) < Math.abs(column[best]! - value)) best = n;
  }
  return best;
}
