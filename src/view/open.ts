/**
 * Opens what a page is given: bytes of a recording or a snapshot, the text of a memory program.
 *
 * Owns      what the bytes are taken for, and how a machine is put together for them.
 * Promises  1. What is none of these is refused with its name and the reason (RecordingError, InputError).
 *           2. What unpacks to more than UNPACK_RATIO times its size, and to more than UNPACK_FREE, is refused on the way.
 *           3. It runs in a browser as in Node.
 */
import { Gunzip } from 'fflate';
import { Decompress } from 'fzstd';
import { readSnapshotBytes } from '../host/file/snapshot_unpack.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { limitKind } from '../lab/limit.ts';
import { formatSize } from '../lab/options.ts';
import { ProgramPlayer } from '../lab/program_player.ts';
import { replayTimeline } from '../lab/run.ts';
import { type Player, Timeline } from '../lab/timeline.ts';
import { InputError } from '../mm/bug.ts';
import { generationNamed } from '../mm/generations/index.ts';
import { parseMmp } from '../syscalls/mmp.ts';
import type { Recording } from '../trace/bodies.ts';
import { RecordingError } from '../trace/error.ts';
import { type BodyKeeper, readRecording } from '../trace/read_recording.ts';
import { type Survey, surveyRecording } from '../trace/survey.ts';
import type { MachineChoice } from './choice.ts';
import { HostSubject, MachineSubject, type Subject } from './subject.ts';

/** What is to be looked at. */
export interface Source {
  /** For messages, and to tell by. */
  readonly name: string;
  /** A recording, a snapshot, or a memory program in UTF-8; packed or not. */
  readonly bytes: Uint8Array;
}

/** What was opened, and what of it is needed to run it again. */
export type Opened =
  | { readonly kind: 'recording'; readonly recording: Recording; readonly survey: Survey }
  | { readonly kind: 'program'; readonly name: string; readonly text: string }
  | { readonly kind: 'snapshot'; readonly subject: HostSubject };

const FIRST_WORD = 'revmap-recording ';
const SNAPSHOT_WORD = 'revmap-snapshot ';
const UNPACK_FREE = 2 ** 28;
const UNPACK_RATIO = 5000;
/** Longer pieces of memory are none in a browser. */
const UNPACK_MOST = 2 ** 31;
/** For all checkpoints of a page. */
const CHECKPOINT_BYTES = 256 * 2 ** 20;

/** `before`: the snapshot that a snapshot is compared with. */
export async function open({ name, bytes }: Source, before: HostSnapshot | null = null): Promise<Opened> {
  const plain = unpacked(bytes, name);
  const start = new TextDecoder('latin1').decode(plain.subarray(0, FIRST_WORD.length));
  if (start.startsWith(SNAPSHOT_WORD)) {
    return { kind: 'snapshot', subject: new HostSubject(await readSnapshotBytes([plain], name), before) };
  }
  if (start === FIRST_WORD) {
    const recording = await readRecording(once(plain), name, (total) => new Memory(total));
    return { kind: 'recording', recording, survey: surveyRecording(recording) };
  }
  const text = textOf(plain);
  if (text !== null && /^\s*(#.*\n\s*)*%mmp /.test(text)) return { kind: 'program', name, text };
  if (/\.mmp$/.test(name)) return { kind: 'program', name, text: text ?? '' };
  const known = 'a recording (revmap record, revmap convert), a memory program (.mmp) or a snapshot (revmap snapshot)';
  throw new RecordingError(name, '', plain.length === 0 ? 'is empty' : `is none of what this page reads: ${known}`);
}

/** A frame costs 46 bytes here (mm/memmap.ts), and a page of a browser has some GiB. */
const MOST_MEMORY = 2 ** 36;

function refuseTooLarge({ kernel, ramBytes, swapBytes, programRamBytes, limitBytes }: MachineChoice): void {
  const isMachine = limitBytes !== null && limitKind(generationNamed(kernel)) === 'mem=';
  const sizes = { ram: ramBytes, swap: swapBytes, memory: programRamBytes ?? 0, limit: isMachine ? limitBytes : 0 };
  for (const [name, bytes] of Object.entries(sizes)) {
    if (bytes <= MOST_MEMORY) continue;
    throw new InputError(name, 0, `${formatSize(bytes)} cannot be had here: ${formatSize(MOST_MEMORY)} is the most`);
  }
}

/** A machine at its first step, or the host. Throws InputError for a program that is none, and for a machine that cannot be. */
export function begin(opened: Opened, choice: MachineChoice): Subject {
  if (opened.kind === 'snapshot') return opened.subject;
  refuseTooLarge(choice);
  if (opened.kind === 'recording') {
    const settings = { budgetBytes: CHECKPOINT_BYTES };
    const timeline = replayTimeline(opened.recording, opened.survey, choice, settings);
    return new MachineSubject(timeline, null);
  }
  const { name, text } = opened;
  const program = parseMmp(text, name);
  const player = new ProgramPlayer(program, choice.kernel, choice.programRamBytes ?? undefined, choice.mglru);
  const isShared = (value: object) => value === program;
  return new MachineSubject(
    new Timeline<Player>(player, isShared, { budgetBytes: CHECKPOINT_BYTES }),
    text.split('\n'),
  );
}

/** The bytes without gzip and zstd around them. */
export function unpacked(bytes: Uint8Array, name: string): Uint8Array {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const isZstd = bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd;
  if (!isGzip && !isZstd) return bytes;
  const pieces: Uint8Array[] = [];
  let length = 0;
  const take = (piece: Uint8Array): void => {
    length += piece.length;
    if (length > UNPACK_MOST || (length > UNPACK_FREE && length > UNPACK_RATIO * bytes.length)) {
      throw new RecordingError(name, `byte ${length}`, `unpacks to more than ${length} bytes from ${bytes.length}`);
    }
    pieces.push(piece);
  };
  const stream = isGzip ? new Gunzip(take) : new Decompress(take);
  try {
    for (let at = 0; at < bytes.length; at += PUSH_BYTES) {
      const end = at + PUSH_BYTES;
      stream.push(bytes.subarray(at, end), end >= bytes.length);
    }
  } catch (error) {
    if (error instanceof RecordingError) throw error;
    throw new RecordingError(name, '', `the packed file is damaged or cut off (${(error as Error).message})`);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const PUSH_BYTES = 1 << 16;

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Keeps bodies in one piece of memory. The header's claim is below what was unpacked, or the reading fails. */
class Memory implements BodyKeeper {
  private bytes: Uint8Array;
  private length = 0;

  constructor(total: number) {
    this.bytes = new Uint8Array(Math.min(total, UNPACK_MOST));
  }

  add(chunk: Uint8Array): void {
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  kept() {
    return { bytes: this.bytes, fd: -1 };
  }

  close(): void {
    this.bytes = new Uint8Array(0);
  }
}
