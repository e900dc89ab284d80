/** Compare: two machines on the same recording or program, side by side, and what differs. */
import { useEffect } from 'preact/hooks';
import type { ViewProps } from '../../app/page.tsx';
import { other } from '../../app/state.ts';
import { Counts } from './counts.tsx';
import './compare.css';
import { Machines } from './machines.tsx';
import { Pages } from './pages.tsx';
import { Pair } from './pair.tsx';
import { Partings } from './partings.tsx';
import { followWithSecond } from './second.ts';

export function CompareView({ engine }: ViewProps) {
  useEffect(() => followWithSecond(engine), [engine]);
  const second = other.value;
  if (engine.facts.value?.kind === 'host') {
    return (
      <p class="empty">
        A snapshot is one moment of one host: there is no second machine to run it on. Two snapshots are compared by{' '}
        <code>revmap diff</code>. Open a recording or a memory program to compare machines.
      </p>
    );
  }
  if (second === null) return <p class="empty">Starting a second machine …</p>;
  const isReady = second.facts.value !== null;
  const isStill = isReady && second.busy.value === null && second.now.value !== null;
  return (
    <div class="compare" data-second={isStill ? 'still' : 'busy'} data-step={second.now.value?.step}>
      <Machines left={engine} right={second} />
      {isReady && (
        <>
          <Partings left={engine} right={second} />
          <div class="compare-both">
            <Counts left={engine} right={second} />
            <Pages left={engine} right={second} />
          </div>
          <Pair left={engine} right={second} />
        </>
      )}
    </div>
  );
}
