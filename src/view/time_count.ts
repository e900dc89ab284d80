/** How many page events a recording has: by its table of chunks, or by decoding it. */
import { decoderOf, type Recording } from '../trace/bodies.ts';
import { EVENT_END } from '../trace/decode.ts';

/** Yields how many it has counted. */
export function* countEvents(recording: Recording): Generator<number, number> {
  const { ordered, processes } = recording.header;
  if (ordered !== undefined) return ordered.chunks.reduce((sum, { events }) => sum + events, 0);
  let all = 0;
  for (let body = 0; body < processes.length; body++) {
    const decoder = decoderOf(recording, body);
    while (decoder.next() !== EVENT_END) {
      all += decoder.count;
      yield all;
    }
  }
  return all;
}
