/**
 * What makes a result that result: the recording's content, the configuration, the limit, the engine.
 *
 * Owns      the key under which a result is stored and asked for, here and on other machines.
 * Promises  1. Two runs with the same key give the same result, byte for byte.
 *           2. How a recording is compressed, where it lies and what its file is called do not matter.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readSync } from 'node:fs';
import manifest from '../../../package.json' with { type: 'json' };
import { formatHeader } from '../../trace/recording.ts';
import type { Recording } from '../../trace/source.ts';
import type { Configuration } from '../grid.ts';

const READ_BYTES = 1 << 20;

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The header and all bodies, unpacked, in pieces. A piece is good until the next one. */
export function* contentOf({ header, bytes, fd }: Recording): Generator<Uint8Array> {
  yield Buffer.from(formatHeader(header));
  const piece = Buffer.alloc(READ_BYTES);
  for (let at = 0; ; ) {
    const n = bytes === null ? readSync(fd, piece, 0, READ_BYTES, at) : copied(bytes, at, piece);
    if (n === 0) return;
    yield piece.subarray(0, n);
    at += n;
  }
}

/** Not everybody takes shared memory. */
function copied(bytes: Uint8Array, at: number, into: Uint8Array): number {
  const piece = bytes.subarray(at, at + into.length);
  into.set(piece);
  return piece.length;
}

/** Of its content: 64 hex digits. */
export function recordingHash(recording: Recording): string {
  const hash = createHash('sha256');
  for (const piece of contentOf(recording)) hash.update(piece);
  return hash.digest('hex');
}

let engine = '';

/** The version, and a hash of the bundle that replays. From the sources: good for this process only. */
export function engineVersion(): string {
  if (engine !== '') return engine;
  const bundle = new URL('./worker.js', import.meta.url);
  const build = existsSync(bundle)
    ? sha256(readFileSync(bundle)).slice(0, 16)
    : `sources-${randomBytes(8).toString('hex')}`;
  engine = `${manifest.version}-${build}`;
  return engine;
}

/** What a result belongs to. */
export interface Identity {
  engine: string;
  /** recordingHash of it. */
  recording: string;
  configuration: Configuration;
  /** A policy that is a file: of its content; else ''. */
  policySha256: string;
  limitBytes: number | null;
}

/** 32 hex digits. */
export function keyOf(identity: Identity): string {
  const { engine, recording, configuration, policySha256, limitBytes } = identity;
  const { policy, ...machine } = configuration;
  const options = Object.entries(machine).sort(([a], [b]) => (a < b ? -1 : 1));
  // By name the file may be called as it likes.
  const who = policySha256 === '' ? policy : policySha256;
  return sha256(JSON.stringify([engine, recording, who, options, limitBytes])).slice(0, 32);
}
