/** How much of everything there may be, and for how long. Tests make some of them shorter. */

export interface Limits {
  /** Bytes of a request's first line and headers together. Cookies of other programs on this machine are in it. */
  readonly headerBytes: number;
  /** From a connection, or from the last answer on it, to the end of a request's headers. */
  readonly headersMs: number;
  /** A connection on which nothing moves, in either direction. */
  readonly stillMs: number;
  readonly connections: number;
  readonly requestsPerSecond: number;
  /** So many may come at once. */
  readonly requestsAtOnce: number;
}

export const LIMITS: Limits = {
  headerBytes: 16_384,
  headersMs: 10_000,
  stillMs: 30_000,
  connections: 64,
  requestsPerSecond: 200,
  requestsAtOnce: 400,
};

/** A bucket that fills at a steady pace; each request takes one out of it. */
export class Rate {
  private readonly perMs: number;
  private readonly most: number;
  private tokens: number;
  private atMs: number;

  constructor(perSecond: number, most: number, nowMs = performance.now()) {
    this.perMs = perSecond / 1000;
    this.most = most;
    this.tokens = most;
    this.atMs = nowMs;
  }

  take(nowMs = performance.now()): boolean {
    this.tokens = Math.min(this.most, this.tokens + (nowMs - this.atMs) * this.perMs);
    this.atMs = nowMs;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
