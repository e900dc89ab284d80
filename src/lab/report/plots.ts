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
    ...truthPlot(sweep),
    ...cachePlot(sweep),
  ];
}

/** Ranges over the runs on a real kernel, and the curve that should go through them. */
function truthPlot(sweep: SweepResult): Plot[] {
  const { truth } = sweep;
  if (truth === null) return [];
  const limited = truth.points.filter(
    ({ limit_bytes, predicted_status }) => limit_bytes !== null && predicted_status === 'exited',
  );
  const counter = (name: string, of: string, value: (run: RunResult) => number): PlotSeries[] => {
    const measured = limited.flatMap(({ limit_bytes, runs, counters }) => {
      const found = counters.find((each) => each.name === of);
      return found === undefined ? [] : [{ ...found, x: (limit_bytes ?? 0) / MiB, runs }];
    });
    const replayed = shownRuns(sweep).filter(({ status }) => status === 'exited');
    const points = new Map(replayed.map((run) => [limitOf(run) / MiB, value(run)]));
    for (const { x, predicted } of measured) points.set(x, predicted);
    return [
      { name: `${name}, predicted`, points: [...points].map(([x, y]) => ({ x, y })) },
      { name: `${name}, measured`, points: [], ranges: measured },
    ];
  };
  return [
    {
      name: 'truth',
      title: `Predicted, and measured on Linux ${truth.measured_on.join(', ')}`,
      yUnit: 'pages',
      xName: 'memory limit',
      xUnit: 'MiB',
      log: true,
      marks: [],
      killed: [],
      series: [
        ...counter('major faults', 'pgmajfault', majorFaults),
        ...counter('swapped out', 'pswpout', (run) => run.counters['pswpout'] ?? 0),
      ],
    },
  ];
}

/** The kernel between the textbook and the best possible: pages that come back to a cache of so much memory. */
function cachePlot(sweep: SweepResult): Plot[] {
  const { miss_ratio, unlimited } = sweep;
  if (miss_ratio === null) return [];
  const shown = shownRuns(sweep).filter(({ status }) => status === 'exited');
  const low = Math.min(...shown.map(limitOf));
  const high = Math.max(unlimited.peak_bytes, ...shown.map(limitOf));
  const points = miss_ratio.points.filter(({ bytes }) => bytes >= low && bytes <= high);
  const cold = miss_ratio.cold_misses;
  const best = points.flatMap(({ bytes, opt_misses }) =>
    opt_misses === null ? [] : [{ x: bytes / MiB, y: opt_misses - cold }],
  );
  return [
    {
      name: 'caches',
      title: 'Pages that come back: the kernel beside an LRU cache and the best possible (OPT) of the same size',
      yUnit: 'pages',
      xName: 'memory limit, or size of the cache',
      xUnit: 'MiB',
      log: true,
      marks: marksOf(sweep),
      killed: [],
      series: [
        { name: `Linux ${sweep.kernel}`, points: shown.map((run) => ({ x: limitOf(run) / MiB, y: refaults(run) })) },
        { name: 'LRU', points: points.map(({ bytes, lru_misses }) => ({ x: bytes / MiB, y: lru_misses - cold })) },
        ...(best.length === 0 ? [] : [{ name: 'OPT', points: best }]),
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
