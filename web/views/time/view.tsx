/**
 * The Time view: curves over the whole run, the events around the present place, the source beside them, and the way to a condition.
 */
import type { ViewProps } from '../../app/page.tsx';
import { Charts } from './charts.tsx';
import { Log } from './log.tsx';
import { RunTo } from './run_to.tsx';
import { Source } from './source.tsx';
import './time.css';

export function TimeView({ engine }: ViewProps) {
  if (engine.facts.value?.kind === 'host') {
    return (
      <p class="empty">A snapshot is one moment: it has no time to move in. Open a recording or a memory program.</p>
    );
  }
  if (engine.now.value === null) return <p class="empty">{engine.busy.value}</p>;
  return (
    <div class="time">
      <div class="time-curves">
        <Charts engine={engine} />
      </div>
      <div class="time-side">
        <RunTo engine={engine} />
        <Source engine={engine} />
        <Log engine={engine} />
      </div>
    </div>
  );
}
