/**
 * Leaves out what a replay does not need: another access to a page that was just used.
 *
 * Owns      the window and the ticks of one process.
 * Promises  1. An access is left out exactly when its page is among the WINDOW last distinct ones and an access of its class is
 *              there already; fetch and read are one class, write is the other. So a page's dirty bit is never lost, and its
 *              place in the order of use is wrong by WINDOW pages at most.
 *           2. After a call that changes what is behind addresses (a mapping, a fork, an execve) the window is empty: the same address
 *              may be another page, or a page that the next store copies.
 *           3. Every TICK_ACCESSES accesses there is a tick, and the last tick makes their sum right.
 */
import type { BodySink } from './sink.ts';
import {
  isFork,
  SYS_brk,
  SYS_execve,
  SYS_madvise,
  SYS_mmap,
  SYS_mremap,
  SYS_munmap,
  SYS_remap_file_pages,
} from './x86_64.ts';

export const WINDOW = 32;
const TICK_ACCESSES = 65536;
const KIND_WRITE = 2;
const CLASS_READ = 1;
const CLASS_WRITE = 2;

const CHANGING: ReadonlySet<number> = new Set([
  SYS_mmap,
  SYS_munmap,
  SYS_mremap,
  SYS_brk,
  SYS_madvise,
  SYS_remap_file_pages,
  SYS_execve,
]);

export class WindowedAccesses {
  /** Accesses so far, by kind: fetches, reads, writes. */
  readonly counts: [number, number, number] = [0, 0, 0];
  private readonly body: BodySink;
  /** The last distinct pages, the newest first, and which classes of access each has had since it came in. */
  private readonly pages = new Float64Array(WINDOW).fill(-1);
  private readonly classes = new Uint8Array(WINDOW);
  private sinceTick = 0;

  constructor(body: BodySink) {
    this.body = body;
  }

  get total(): number {
    return this.counts[0] + this.counts[1] + this.counts[2];
  }

  access(page: number, kind: 0 | 1 | 2): void {
    this.counts[kind] += 1;
    this.sinceTick += 1;
    if (this.sinceTick === TICK_ACCESSES) this.tick();
    const needed = kind === KIND_WRITE ? CLASS_WRITE : CLASS_READ;
    const { pages, classes } = this;
    if (pages[0] !== page) this.toFront(page);
    if ((classes[0]! & needed) !== 0) return;
    classes[0]! |= needed;
    this.body.access(page, kind);
  }

  /** A system call was made. */
  afterCall(nr: number): void {
    if (!isFork(nr) && !CHANGING.has(nr)) return;
    this.pages.fill(-1);
    this.classes.fill(0);
  }

  end(): void {
    if (this.sinceTick > 0) this.tick();
  }

  private toFront(page: number): void {
    const { pages, classes } = this;
    let at = 1;
    while (at < WINDOW && pages[at] !== page) at += 1;
    const had = at < WINDOW ? classes[at]! : 0;
    for (let i = Math.min(at, WINDOW - 1); i > 0; i--) {
      pages[i] = pages[i - 1]!;
      classes[i] = classes[i - 1]!;
    }
    pages[0] = page;
    classes[0] = had;
  }

  private tick(): void {
    this.body.tick(this.sinceTick);
    this.sinceTick = 0;
  }
}
