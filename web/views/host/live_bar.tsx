/** The live host: look now, again every so many seconds, pause. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Engine } from '../../app/engine.ts';
import { opened } from '../../app/state.ts';
import { LiveWatch, served } from './live.ts';

const SECONDS = [2, 5, 10, 30, 60] as const;

export function LiveBar({ engine }: { engine: Engine }) {
  const seconds = useSignal(5);
  const watch = useMemo(
    () =>
      new LiveWatch(async (bytes) => {
        const isOpen = await engine.open({ name: 'this host', bytes });
        // A link cannot bring back what was a moment.
        if (isOpen) opened.value = '';
        return isOpen;
      }),
    [engine],
  );
  useEffect(() => () => watch.pause(), [watch]);
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
      {!source.frames && <span>Without root there are no numbers of frames: who shares a page is not known.</span>}
      <span role="status">{watch.isLooking.value ? 'looking …' : ''}</span>
      <span class="wrong" role="alert">
        {watch.error.value}
      </span>
    </section>
  );
}
