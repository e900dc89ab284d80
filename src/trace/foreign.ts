/**
 * Lines in a log that are not the log's: what the traced program wrote to the same place.
 *
 * Owns      how many there may be before the file is taken for something else.
 */
import type { Lines } from './lines.ts';

const TOLERATED = 1000;

export class ForeignLines {
  private readonly lines: Lines;
  /** Who writes such logs. */
  private readonly writer: string;
  private count = 0;

  constructor(lines: Lines, writer: string) {
    this.lines = lines;
    this.writer = writer;
  }

  met(): void {
    this.count += 1;
    if (this.count > TOLERATED && 2 * this.count > this.lines.line) {
      throw this.lines.error(`${this.count} of ${this.lines.line} lines are not ${this.writer}'s: is it such a log?`);
    }
  }

  /** A sentence about them, if there were any. */
  told(): string[] {
    const { count, writer } = this;
    return count === 0 ? [] : [`${count} ${count === 1 ? 'line is' : 'lines are'} not ${writer}'s and left out`];
  }
}
