/** What a reader of foreign data says, as words; for tests. */
import { parseFormat } from '../../src/trace/detect.ts';
import { readerOf } from '../../src/trace/input.ts';
import type { BodySink, InputFacts, RecordingSink } from '../../src/trace/sink.ts';
import { syscallName } from '../../src/trace/x86_64.ts';

/** `0 r 401`: process 0 reads page 0x401; `7 path /x`; `7 close(3) = 0`; `0 tick 8`. */
export class Told implements RecordingSink {
  readonly words: string[] = [];

  process(pid: number): BodySink {
    const say = (text: string) => {
      this.words.push(`${pid} ${text}`);
    };
    return {
      access: (page, kind) => say(`${'frw'[kind]} ${page.toString(16)}`),
      tick: (n) => say(`tick ${n}`),
      path: (text) => say(`path ${text}`),
      image: (n) => say(`image ${n}`),
      syscall: (nr, args, ret) => say(`${syscallName(nr)}(${args.join(', ')}) = ${ret}`),
    };
  }
}

/** Reads an input in pieces of `piece` bytes. */
export function tell(
  format: string,
  input: string | Uint8Array,
  piece = Number.POSITIVE_INFINITY,
): { words: string[]; facts: InputFacts } {
  const told = new Told();
  const parsed = parseFormat(format);
  if (typeof parsed === 'string') throw new Error(parsed);
  const reader = readerOf(parsed, 'x', told);
  const bytes = typeof input === 'string' ? Buffer.from(input) : input;
  const size = Math.min(piece, Math.max(1, bytes.length));
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  const facts = reader.end();
  return { words: told.words, facts };
}
