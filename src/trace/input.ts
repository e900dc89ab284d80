/**
 * Every input that is no recording, read into one.
 *
 * Owns      which reader reads what.
 * Promises  A reader is given all bytes of its input, in pieces of any length, and then its end.
 */
import { OracleGeneralReader, VscsiReader } from './cache_binary.ts';
import { CacheTextReader } from './cache_text.ts';
import { detect, INPUT_KINDS, type InputFormat, isBigEndianOracle } from './detect.ts';
import { RecordingError } from './error.ts';
import { LackeyReader } from './lackey.ts';
import type { InputReader, RecordingSink } from './sink.ts';
import { StraceReader } from './strace.ts';

/** `file` is its name in messages. */
export function readerOf(format: InputFormat, file: string, sink: RecordingSink): InputReader {
  switch (format.kind) {
    case 'lackey':
      return new LackeyReader(file, sink);
    case 'strace':
      return new StraceReader(file, sink);
    case 'oracleGeneral':
      return new OracleGeneralReader(file, sink);
    case 'vscsi':
      return new VscsiReader(file, sink);
    case 'csv':
    case 'txt':
      return new CacheTextReader(file, format.kind, format.columns, sink);
  }
}

const FIRST_WORD = 'revmap-recording ';

export function isRecording(start: Uint8Array): boolean {
  return Buffer.from(start.subarray(0, FIRST_WORD.length)).toString('latin1') === FIRST_WORD;
}

/** By the start of the input; refuses what is none of them. */
export function formatOf(start: Uint8Array, isAll: boolean, file: string): InputFormat {
  const kind = detect(start, isAll);
  if (kind !== null) return { kind, columns: null };
  const hint = isBigEndianOracle(start) ? '; it looks like oracleGeneral with its bytes the other way round' : '';
  const others = `no input of another kind that we know (${INPUT_KINDS.join(', ')}; --format says which)`;
  throw new RecordingError(
    file,
    'line 1',
    `not a recording: the first line is not 'revmap-recording 1' or 2, and ${others}${hint}`,
  );
}
