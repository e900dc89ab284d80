/**
 * The clock of the page: where the machine is, and how it goes on.
 *
 * Owns      the bar at the foot: step forward and back, jump, play.
 */
import { duration, grouped } from '../ui/format.ts';
import type { Engine } from './engine.ts';
import { useKeys } from './keys.ts';

export function Transport({ engine }: { engine: Engine }) {
  const now = engine.now.value;
  const facts = engine.facts.value;
  const step = now?.step ?? 0;
  const go = (to: number) => void engine.seek(to);
  useKeys('Time', [
    { key: 'ArrowRight', says: 'one step on', run: () => go((engine.now.peek()?.step ?? 0) + 1) },
    { key: 'ArrowLeft', says: 'one step back', run: () => go((engine.now.peek()?.step ?? 0) - 1) },
    { key: 'Home', says: 'to the beginning', run: () => go(0) },
  ]);
  const busy = engine.busy.value;
  return (
    <footer class="transport">
      {facts !== null && facts.kind !== 'host' && now !== null && (
        <div class="controls">
          <button type="button" onClick={() => go(0)} aria-label="To the beginning" title="To the beginning">
            |◀
          </button>
          <button type="button" onClick={() => go(step - 1)} aria-label="One step back" title="One step back">
            ◀
          </button>
          <button type="button" onClick={() => go(step + 1)} aria-label="One step on" title="One step on">
            ▶
          </button>
          <span class="where">
            step {grouped(step)}
            {now.length === null ? '' : ` of ${grouped(now.length)}`} · {duration(now.clockNs)}
          </span>
        </div>
      )}
      <p class="status" role="status">
        {busy ?? ''}
      </p>
      <p class="wrong" role="alert">
        {engine.error.value}
      </p>
    </footer>
  );
}
