/** What test/browser.test.ts runs twice, in Node and in Chromium: a recording, forward and back. */
import { MACHINE_DEFAULTS } from '../../src/lab/options.ts';
import { replayTimeline } from '../../src/lab/run.ts';
import { stateHash } from '../../src/mm/snapshot.ts';
import { readRecording } from '../../src/trace/read_recording.ts';
import { surveyRecording } from '../../src/trace/survey.ts';

/** Keeps bodies in one piece of memory, as long as the header says. */
class Memory {
  private readonly bytes: Uint8Array;
  private length = 0;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
  }

  add(chunk: Uint8Array): void {
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  kept() {
    return { bytes: this.bytes, fd: -1 };
  }

  close(): void {}
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** `unpacked`: a recording without gzip. Gives the state hash after each of the steps, in the order in which they stand. */
export async function hashesAfter(unpacked: Uint8Array, kernel: string, steps: readonly number[]): Promise<string[]> {
  const recording = await readRecording(once(unpacked), 'test', (bytes) => new Memory(bytes));
  const survey = surveyRecording(recording);
  const options = { ...MACHINE_DEFAULTS, kernel, limitBytes: 16 << 20, swapBytes: 64 << 20 };
  const timeline = replayTimeline(recording, survey, options, { spacing: 100_000 });
  return steps.map((step) => stateHash(timeline.seek(step).machine));
}
