/** Which plots a sweep has: pages that move, and the time, over the limit. */
import type { RunResult, SweepResult } from '../result.ts';
import { limitOf, majorFaults, refaults } from '../terms.ts';
import type { Plot, PlotSeries } from './plot.ts';

const MiB = 2 ** 20;

export function plotsOf(sweep: SweepResult): Plot[] {
  const all = shownRuns(sweep);
  if (all.length === 0) return [];
  const ended = all.filter(({ status }) => status === 'exited');
  const series = (name: string, value: (run: RunResult) => number): PlotSeries => ({
    name,
    points: ended.map((run) => ({ x: limitOf(run) / MiB, y: value(run) })),
  });
  const over = {
    xName: 'memory limit',
    xUnit: 'MiB',
    marks: marksOf(sweep),
    killed: all.filter(({ status }) => status === 'oom-killed').map((run) => limitOf(run) / MiB),
  };
  return [
    {
      ...over,
      name: 'pages',
      title: 'Pages that move, over the memory limit',
      yUnit: 'pages',
      log: true,
      series: [
        series('major faults', majorFaults),
        series('swapped in', (run) => run.counters['pswpin'] ?? 0),
        series('swapped out', (run) => run.counters['pswpout'] ?? 0),
        series('came back', refaults),
      ],
    },
    {
      ...over,
      name: 'time',
      title: 'Time it would take, over the memory limit',
      yUnit: 'seconds',
      log: false,
      series: [
        series('all of it', (run) => run.estimate.seconds),
        series('waiting for the disk', (run) => run.estimate.disk),
        series('swap and reclaim', (run) => run.estimate.swap + run.estimate.reclaim),
      ],
    },
  ];
}

/** Down to where it thrashes, or to the narrowest limit asked for: what lies below would press all else flat. */
export function shownRuns({ runs, refined, advice }: SweepResult): RunResult[] {
  const asked = runs.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...runs.map(limitOf));
  const floor = Math.min(asked, advice.thrashing_point?.limit_bytes ?? Number.POSITIVE_INFINITY);
  return [...runs, ...refined.filter((run) => limitOf(run) >= floor)].sort((a, b) => limitOf(b) - limitOf(a));
}

function marksOf({ advice }: SweepResult): Plot['marks'] {
  const named: [string, number | null | undefined][] = [
    ['thrashes', advice.thrashing_point?.limit_bytes],
    ['knee', advice.knee?.limit_bytes],
    ['smallest', advice.smallest_limit?.limit_bytes],
    ['recommended', advice.recommended_limit_bytes],
  ];
  return named.flatMap(([name, bytes]) => (bytes === null || bytes === undefined ? [] : [{ x: bytes / MiB, name }]));
}
