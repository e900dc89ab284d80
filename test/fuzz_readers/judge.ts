/**
 * What a reader may do with a foreign input: read it, or refuse it in one line. Everything else is a failure.
 *
 * Owns      the rule.
 * Promises  A failure is told with a name that stays the same while the input is made smaller.
 *
 *   may be thrown   RecordingError, InputError: one line, no control character, not longer than a screen, with the file's name
 *   time            TIME_MS and TIME_US_PER_BYTE of CPU, of the fastest of four
 *   memory          MEMORY_BYTES and MEMORY_PER_BYTE more than before
 *   the world       Object.prototype and its like are as they were
 */
import { getHeapStatistics } from 'node:v8';

/** The name under which inputs are read. */
export const INPUT_NAME = 'input';

const TIME_MS = 500;
const TIME_US_PER_BYTE = 2;
const MEMORY_BYTES = 64 * 2 ** 20;
const MEMORY_PER_BYTE = 512;
const AGAIN = 3;
const MESSAGE_CHARACTERS = 600;
const NAMED = new RegExp(`^[^:]*\\b${INPUT_NAME}:`);
const MINE = new Set(['RecordingError', 'InputError', 'InvalidArgumentError']);

export interface Reader {
  read(bytes: Uint8Array): void | Promise<void>;
  /** What it may take besides, whatever the input: a window, a disk. */
  memoryBytes?: number;
}

/** What is wrong, or null. */
export async function judge(reader: Reader, bytes: Uint8Array): Promise<string | null> {
  const started = performance.now();
  const first = await attempt(reader, bytes);
  if (first.failure !== null) return first.failure;
  if (performance.now() - started <= timeFor(bytes) && !first.isLarge) return null;
  // A busy machine and a garbage collector are nobody's fault.
  let slow = 0;
  let large = 0;
  for (let again = 0; again < AGAIN; again++) {
    const cpu = process.cpuUsage();
    if ((await attempt(reader, bytes)).isLarge) large += 1;
    const { user, system } = process.cpuUsage(cpu);
    if ((user + system) / 1000 > timeFor(bytes)) slow += 1;
  }
  return slow === AGAIN ? 'slow' : large === AGAIN ? 'memory' : null;
}

function timeFor(bytes: Uint8Array): number {
  return TIME_MS + (bytes.length * TIME_US_PER_BYTE) / 1000;
}

async function attempt(reader: Reader, bytes: Uint8Array): Promise<{ failure: string | null; isLarge: boolean }> {
  const memory = memoryUsed();
  let failure: string | null = null;
  try {
    const reading = reader.read(bytes);
    if (reading !== undefined) await reading;
  } catch (error) {
    failure = failureOf(error);
  }
  const most = MEMORY_BYTES + (reader.memoryBytes ?? 0) + bytes.length * MEMORY_PER_BYTE;
  const isLarge = memoryUsed() - memory > most;
  for (const key in {}) {
    Reflect.deleteProperty(Object.prototype, key);
    failure = 'prototype';
  }
  return { failure, isLarge };
}

function memoryUsed(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

function failureOf(error: unknown): string | null {
  if (!(error instanceof Error)) return `thrown: ${typeof error}`;
  if (!MINE.has(error.name)) return `${error.name} at ${placeOf(error)}`;
  const { message } = error;
  if (/[\p{Cc}\u2028\u2029]/u.test(message)) return `control character in the message, from ${placeOf(error)}`;
  if (message.length > MESSAGE_CHARACTERS) return `long message from ${placeOf(error)}`;
  const named = error.name === 'InvalidArgumentError' || NAMED.test(message);
  if (!named) return `no file named, from ${placeOf(error)}`;
  return null;
}

/** The function that threw; for RangeErrors of the stack, any of those that turn in circles. */
function placeOf(error: Error): string {
  const frame = error.stack?.split('\n').find((line) => /^\s+at /.test(line)) ?? '';
  return /at (?:new |async )?([\w.#<>$]+)/.exec(frame)?.[1] ?? 'somewhere';
}
