/**
 * A cache trace as a program that reads one file: what all of libCacheSim's formats become.
 *
 * Owns      the open, the reads and the ticks of that program.
 * Promises  1. A request is one read of the object's bytes (pread64), in pieces if the object grew. Its pages go through the page
 *              cache and nowhere else: the buffer is at 0, which no program has, and nothing of a process is touched.
 *           2. Nothing is read ahead (POSIX_FADV_RANDOM): pages stand in the order of first use, and a readahead would know the future.
 *           3. Requests of 0 bytes are left out, as libCacheSim leaves them out, and counted.
 */
import { O_RDONLY, POSIX_FADV_RANDOM } from '../syscalls/uapi.ts';
import { RecordingError } from './error.ts';
import { ObjectPages, PAGE_BYTES, TooMany } from './objects.ts';
import type { BodySink, InputFacts, RecordingSink } from './sink.ts';
import { SYS_exit_group, SYS_fadvise64, SYS_openat, SYS_pread64 } from './x86_64.ts';

/** What the one file is called. */
export const OBJECTS_PATH = '/objects';
const FD = 3;
const AT_FDCWD = -100;
/** oracleGeneral cannot say more. */
export const OBJECT_BYTES: number = 2 ** 32 - 1;
/** So many requests count as one access each; a replay looks at its memory then. */
const REQUESTS_PER_TICK = 4096;

export class CacheTrace {
  requests = 0;
  private readonly body: BodySink;
  private readonly objects = new ObjectPages();
  private readonly args = [FD, 0, 0, 0, 0, 0];
  private readonly errorHere: (reason: string) => RecordingError;
  private sinceTick = 0;
  private emptyRequests = 0;
  private bytesLeft = 0;

  /** `errorHere` makes an error at the request that is read now. */
  constructor(sink: RecordingSink, errorHere: (reason: string) => RecordingError) {
    this.errorHere = errorHere;
    this.body = sink.process(0);
    this.body.path(OBJECTS_PATH);
    this.body.syscall(SYS_openat, [AT_FDCWD, 0, O_RDONLY], FD);
    this.body.syscall(SYS_fadvise64, [FD, 0, 0, POSIX_FADV_RANDOM], 0);
  }

  /** An object's id, in two halves, and how much of it is asked for. */
  request(low: number, high: number, bytes: number): void {
    if (bytes > OBJECT_BYTES) throw this.errorHere(`an object of ${bytes} bytes; ${OBJECT_BYTES} is the most`);
    if (bytes === 0) {
      this.emptyRequests += 1;
      return;
    }
    this.requests += 1;
    this.bytesLeft = bytes;
    try {
      this.objects.forEachRun(low, high, Math.ceil(bytes / PAGE_BYTES), this.read);
    } catch (error) {
      throw error instanceof TooMany ? this.errorHere(error.message) : error;
    }
    this.sinceTick += 1;
    if (this.sinceTick === REQUESTS_PER_TICK) this.tick();
  }

  /** `recorder` names the format; `more` is what else the input does not show. Refuses a trace that asks for nothing. */
  end(file: string, recorder: string, more: readonly string[]): InputFacts {
    if (this.requests === 0) throw new RecordingError(file, '', `${recorder}: no request in it`);
    if (this.sinceTick > 0) this.tick();
    this.body.syscall(SYS_exit_group, [0], 0);
    const { emptyRequests, objects, requests } = this;
    return {
      name: file.split('/').at(-1) || file,
      command: '',
      recorder,
      window: 0,
      elf: new Map(),
      maps: [],
      images: [],
      cutShort: '',
      unseen: [
        'who asked, when, and whether it was a read or a write: each request is a read, a little after the one before it',
        ...(emptyRequests > 0 ? [`${emptyRequests} requests of 0 bytes, which are left out`] : []),
        ...more,
      ],
      parents: new Map(),
      stats: new Map([[0, `raw=${requests} requests=${requests} objects=${objects.objects} pages=${objects.pages}`]]),
    };
  }

  private readonly read = (page: number, pages: number): void => {
    const bytes = Math.min(this.bytesLeft, pages * PAGE_BYTES);
    this.bytesLeft -= bytes;
    this.args[2] = bytes;
    this.args[3] = page * PAGE_BYTES;
    this.body.syscall(SYS_pread64, this.args, bytes);
  };

  private tick(): void {
    this.body.tick(this.sinceTick);
    this.sinceTick = 0;
  }
}
