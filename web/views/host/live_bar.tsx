/** The live host: look now, again every so many seconds, pause. */
import { useSignal } from '@preact/signals';
import type { Facts } from '../../../src/view/now.ts';
import type { Engine } from '../../app/engine.ts';
import { opened, served } from '../../app/state.ts';
import { LiveWatch } from './live.ts';

const SECONDS = [2, 5, 10, 30, 60] as const;

/** It goes on while other views are open. */
const watches = new WeakMap<Engine, LiveWatch>();

function watchOf(engine: Engine): LiveWatch {
  let watch = watches.get(engine);
  if (watch === undefined) {
    let shown: Facts | null = null;
    watch = new LiveWatch({
      async open(bytes) {
        if (!(await engine.open({ name: 'this host', bytes }))) return false;
        shown = engine.facts.value;
        opened.value = 'live';
        return true;
      },
      isOurs: () => engine.facts.value === shown,
    });
    watches.set(engine, watch);
  }
  return watch;
}

export function LiveBar({ engine }: { engine: Engine }) {
  const seconds = useSignal(5);
  const watch = watchOf(engine);
  const source = served.value;
  if (source === null || !source.live) return null;
  const isWatching = watch.every.value !== null;
  return (
    <section class="host-live" aria-label="The live host">
      <button type="button" disabled={watch.isLooking.value} onClick={() => void watch.look(source)}>
        Look at this host now
      </button>
      <button
        type="button"
        aria-pressed={isWatching}
        onClick={() => (isWatching ? watch.pause() : watch.start(source, seconds.value))}
      >
        {isWatching ? 'Pause' : 'Again and again'}
      </button>
      <label>
        every{' '}
        <select
          value={seconds.value}
          onChange={(event) => {
            seconds.value = Number(event.currentTarget.value);
            if (isWatching) watch.start(source, seconds.value);
          }}
        >
          {SECONDS.map((n) => (
            <option key={n} value={n}>
              {n} s
            </option>
          ))}
        </select>
      </label>
      {!source.frames && (
        <span>Served without --frames: there are no numbers of frames, and who shares a page is not known.</span>
      )}
      <span role="status">{watch.isLooking.value ? 'looking …' : ''}</span>
      <span class="wrong" role="alert">
        {watch.error.value}
      </span>
    </section>
  );
}
