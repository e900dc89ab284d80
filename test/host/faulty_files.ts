/**
 * A door to /proc that jams: any read may be refused, cut short or see something else.
 *
 * Owns      the count of reads; `fault` is asked before each, with its number from 1 on.
 */
import { type FileStat, HostFiles, OpenFile, Refusal } from '../../src/host/read/host_files.ts';

/** An errno refuses; bytes are read instead; null lets the read be. */
export type Fault = (read: number, path: string) => string | Uint8Array | null;

export class FaultyFiles extends HostFiles {
  reads = 0;
  private readonly fault: Fault;

  constructor(place: { readonly proc: string; readonly sys: string }, fault: Fault) {
    super(place.proc, place.sys);
    this.fault = fault;
  }

  override bytes(path: string): Uint8Array | Refusal {
    return this.ask(
      path,
      () => super.bytes(path),
      (bytes) => bytes,
    );
  }

  override list(path: string): string[] | Refusal {
    return this.ask(path, () => super.list(path));
  }

  override directories(path: string): string[] | Refusal {
    return this.ask(path, () => super.directories(path));
  }

  override link(path: string): string | Refusal {
    return this.ask(path, () => super.link(path));
  }

  override stat(path: string): FileStat | Refusal {
    return this.ask(path, () => super.stat(path));
  }

  override open(path: string): OpenFile | Refusal {
    return this.ask(path, () => {
      const file = super.open(path);
      return file instanceof Refusal
        ? file
        : new FaultyFile(file.fd, (ask) => this.ask(path, ask, (bytes) => bytes.length));
    });
  }

  private ask<T>(path: string, ask: () => T | Refusal, instead?: (bytes: Uint8Array) => T): T | Refusal {
    this.reads += 1;
    const fault = this.fault(this.reads, path);
    if (typeof fault === 'string') return new Refusal(fault);
    return fault !== null && instead !== undefined ? instead(fault) : ask();
  }
}

/** With bytes as its fault, a read gets at most so many. */
class FaultyFile extends OpenFile {
  private readonly ask: (ask: () => number | Refusal) => number | Refusal;

  constructor(fd: number, ask: (ask: () => number | Refusal) => number | Refusal) {
    super(fd);
    this.ask = ask;
  }

  override readAt(into: Uint8Array, position: number): number | Refusal {
    let limit = into.length;
    const allowed = this.ask(() => -1);
    if (allowed instanceof Refusal) return allowed;
    if (allowed >= 0) limit = Math.min(limit, allowed);
    return super.readAt(into.subarray(0, limit), position);
  }
}
