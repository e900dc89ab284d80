/**
 * Another tool's file into a recording, on the way from one to the other: neither is ever whole in memory.
 *
 * Owns      the conversion of `revmap convert`; openRecording does the same for a command that only reads.
 * Promises  The recording stands under its name when the whole input was read, and not before.
 */
import { RecordingBuilder } from './builder.ts';
import { DETECT_BYTES, type InputFormat } from './detect.ts';
import { RecordingError } from './error.ts';
import { formatOf, isRecording, readerOf } from './input.ts';
import type { InputFacts } from './sink.ts';
import { inputName, readUnpacked, startOf } from './unpack.ts';
import { RecordingWriter } from './write.ts';

export interface Converted {
  /** How it was read. */
  format: InputFormat;
  facts: InputFacts;
  /** Of the recording, packed. */
  bytes: number;
}

export async function convertToRecording(file: string, out: string, wanted: InputFormat | null): Promise<Converted> {
  const name = inputName(file);
  const { start, isAll, all } = await startOf(readUnpacked(file), DETECT_BYTES);
  if (isAll && start.length === 0) throw new RecordingError(name, '', 'is empty');
  if (wanted === null && isRecording(start)) {
    throw new RecordingError(name, '', 'is a recording already; --to says what it shall become');
  }
  const format = wanted ?? formatOf(start, isAll, name);
  const writer = new RecordingWriter(out);
  let isFinished = false;
  try {
    const builder = new RecordingBuilder(writer);
    const reader = readerOf(format, name, builder);
    for await (const chunk of all) reader.push(chunk);
    const facts = reader.end();
    const finished = builder.finish(facts);
    isFinished = true; // it closes itself, also when it fails
    return { format, facts, bytes: writer.finish(finished) };
  } finally {
    if (!isFinished) writer.abandon();
  }
}
