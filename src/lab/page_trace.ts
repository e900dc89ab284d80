/**
 * A recording's pages as a cache trace, for simulators that know objects.
 *
 * Owns      three of libCacheSim's formats: oracleGeneral, csv, txt.
 * Promises  1. An object is a page as page_stream.ts numbers them; the trace is what a textbook policy is shown here.
 *           2. A next access is exact; requests are counted from 1, as libCacheSim counts them.
 */
import { InputError } from '../mm/bug.ts';
import { PAGE_SIZE } from '../mm/units.ts';
import type { PageStream } from '../policy/stream.ts';
import type { OutputFile } from '../trace/output.ts';

const ORACLE_BYTES = 24;
const NEVER = -1n;
/** Of next accesses, 4 bytes each. */
const ACCESSES = 2 ** 29;
/** A made-up second: times in these formats are seconds, and ours is none. */
const ACCESSES_PER_SECOND = 1e6;

export type PageTraceKind = 'oracleGeneral' | 'csv' | 'txt';

export function writePageTrace(stream: PageStream, kind: PageTraceKind, out: OutputFile): void {
  if (kind === 'oracleGeneral') writeOracle(stream, out);
  else writeText(stream, kind, out);
}

function writeText(stream: PageStream, kind: 'csv' | 'txt', out: OutputFile): void {
  if (kind === 'csv') out.line('time,id,size,op');
  let at = 0;
  stream.forEach((ids, writes, count) => {
    for (let i = 0; i < count; i++) {
      const row = `${Math.floor(at / ACCESSES_PER_SECOND)},${ids[i]},${PAGE_SIZE},${writes[i] === 1 ? 'write' : 'read'}`;
      out.line(kind === 'csv' ? row : String(ids[i]));
      at += 1;
    }
  });
}

function writeOracle(stream: PageStream, out: OutputFile): void {
  if (stream.accesses > ACCESSES) {
    throw new InputError(
      `${stream.accesses} accesses`,
      0,
      `${ACCESSES} are the most for oracleGeneral; csv has no such limit`,
    );
  }
  const next = nextAccesses(stream);
  let at = 0;
  stream.forEach((ids, _writes, count) => {
    for (let i = 0; i < count; i++) {
      const { piece, at: to } = out.room(ORACLE_BYTES);
      piece.writeUInt32LE(Math.floor(at / ACCESSES_PER_SECOND), to);
      piece.writeUInt32LE(ids[i]!, to + 4);
      piece.writeUInt32LE(0, to + 8);
      piece.writeUInt32LE(PAGE_SIZE, to + 12);
      piece.writeBigInt64LE(next[at] === 0 ? NEVER : BigInt(next[at]!), to + 16);
      at += 1;
    }
  });
}

/** Of each access, the number of the next one to its page, from 1; 0: there is none. */
function nextAccesses(stream: PageStream): Int32Array {
  const next = new Int32Array(stream.accesses);
  const last = new Int32Array(stream.pages).fill(-1);
  let at = 0;
  stream.forEach((ids, _writes, count) => {
    for (let i = 0; i < count; i++) {
      const id = ids[i]!;
      if (last[id]! >= 0) next[last[id]!] = at + 1;
      last[id] = at;
      at += 1;
    }
  });
  return next;
}
